//! What stands around the body of every fuzz target: an allocator that counts, and the bound on what the body may hold.

#[path = "../../tests/support/heap.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod heap;
mod targets;

use std::sync::OnceLock;

pub use libfuzzer_sys;

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

/// Runs the body of the target of this name, the same one in every call.
///
/// # Panics
/// Where the body does, and where it holds more of the heap than its bound.
pub fn run(name: &str, data: &[u8]) {
    static TARGET: OnceLock<&targets::Target> = OnceLock::new();
    TARGET.get_or_init(|| targets::TARGETS.iter().find(|target| target.name == name).expect("a target of the table")).run(data);
}

/// The binary of one target.
#[macro_export]
macro_rules! target {
    ($name:ident) => {
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::run(stringify!($name), data));
    };
}
