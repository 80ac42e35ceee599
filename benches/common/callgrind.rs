//! Which instructions are counted: those of one piece of work, where the program runs under Callgrind.

#![allow(unsafe_code, reason = "requests to Valgrind")]

/// Runs a piece of work, whose instructions are counted where the program was started with `--instr-atstart=no`.
pub(crate) fn counted(work: impl FnOnce()) {
    const START: u64 = 4;
    const STOP: u64 = 5;
    request(START);
    work();
    request(STOP);
}

/// A request to Callgrind (its `callgrind.h`). Where the program runs on its own, nothing happens.
#[cfg(target_arch = "x86_64")]
fn request(number: u64) {
    let arguments = [u64::from(u32::from_be_bytes(*b"CT\0\0")) + number, 0, 0, 0, 0, 0];
    // SAFETY: a register is rotated by 128 bits and another is exchanged with itself; Valgrind reads six numbers and sets `rdx`.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx",
            in("rax") arguments.as_ptr(), inout("rdx") 0_u64 => _,
        );
    }
}
#[cfg(not(target_arch = "x86_64"))]
fn request(_: u64) {}
