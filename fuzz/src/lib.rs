//! What stands around the body of every fuzz target: an allocator that counts, and the bound on what the body may hold.

#[path = "../../tests/support/heap.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod heap;
mod targets;

pub use libfuzzer_sys;

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

/// A body and its bound.
pub struct Target(targets::Target);

impl Target {
    /// The target of this name, found when the binary is compiled: so the binary holds no other, and libFuzzer goes over the counters of this
    /// one alone.
    ///
    /// # Panics
    /// Where the table has none.
    #[must_use]
    pub const fn named(name: &str) -> Self {
        let mut at = 0;
        while !is_same(targets::TARGETS[at].name.as_bytes(), name.as_bytes()) {
            at += 1;
        }
        Self(targets::TARGETS[at])
    }

    /// Runs the body.
    ///
    /// # Panics
    /// Where the body does, and where it holds more of the heap than its bound.
    pub fn run(&self, data: &[u8]) {
        self.0.run(data);
    }
}

const fn is_same(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

/// The binary of one target.
#[macro_export]
macro_rules! target {
    ($name:ident) => {
        const TARGET: $crate::Target = $crate::Target::named(stringify!($name));
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET.run(data));
    };
}
