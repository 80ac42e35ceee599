//! Huge pages under large outputs.
//!
//! Memory that a decoder writes for the first time costs a fault a page: of an image of 240 MB that is 59,000 faults of 4 KiB, or 115 of 2 MiB.
//! Linux gives huge pages to who asks for them (`transparent_hugepage = madvise`, the default of most distributions); elsewhere, and where it
//! says no, nothing happens. The pages are touched by the threads that decode into them, not before.
#![allow(unsafe_code, reason = "advice to the system about memory has no safe interface in the standard library")]

/// Outputs of fewer bytes are left as they are: a huge page or two of them would be mostly the neighbours'.
const WORTH_ASKING: usize = 4 << 20;

/// A huge page of x86-64, and of AArch64 with pages of 4 KiB; where they are larger the system looks for them inside.
#[cfg(target_os = "linux")]
const HUGE: usize = 2 << 20;

/// Asks for huge pages under a large buffer. Advice: nobody is told what came of it.
pub(super) fn ask_for_huge(start: *mut u8, length: usize) {
    if length < WORTH_ASKING {
        return;
    }
    #[cfg(target_os = "linux")]
    {
        // Whole pages inside of the buffer: what surrounds it is of others.
        let before = start.align_offset(HUGE);
        let inside = length.saturating_sub(before) / HUGE * HUGE;
        if inside > 0 {
            // SAFETY: this advice changes neither what the memory holds nor whether it may be accessed, whatever lies there; the kernel refuses
            // addresses that are not mapped.
            let _advice = unsafe { libc::madvise(start.wrapping_add(before).cast(), inside, libc::MADV_HUGEPAGE) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _nobody_to_ask = start;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_changes_nothing_that_can_be_read() {
        for length in [0, 1, WORTH_ASKING - 1, WORTH_ASKING, WORTH_ASKING + 12_345, 9 << 20] {
            let mut buffer: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            ask_for_huge(buffer.as_mut_ptr(), buffer.len());
            assert!(buffer.iter().enumerate().all(|(i, b)| usize::from(*b) == i % 251), "{length}");
        }
    }
}
