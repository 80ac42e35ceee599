//! An allocator that counts: what the heap holds, and the most it held.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

pub(crate) struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

fn grown(bytes: usize) {
    ALLOCATIONS.fetch_add(1, SeqCst);
    PEAK.fetch_max(LIVE.fetch_add(bytes, SeqCst) + bytes, SeqCst);
}

// SAFETY: every call is handed on to the system's allocator unchanged; only numbers are kept.
#[allow(unsafe_code, reason = "a counting allocator is the only way to see the peak of the heap")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), SeqCst);
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new are counted together: a move holds both.
        grown(size);
        // SAFETY: the caller's promise is the same.
        let moved = unsafe { System.realloc(at, layout, size) };
        LIVE.fetch_sub(if moved.is_null() { size } else { layout.size() }, SeqCst);
        moved
    }
}

/// Bytes that are allocated now.
#[allow(dead_code, reason = "most ask for the peak only")]
pub(crate) fn live() -> usize {
    LIVE.load(SeqCst)
}

/// What `work` gives, and the most bytes that were allocated meanwhile beside those before.
pub(crate) fn peak_of<R>(work: impl FnOnce() -> R) -> (R, usize) {
    let before = LIVE.load(SeqCst);
    PEAK.store(before, SeqCst);
    let result = work();
    (result, PEAK.load(SeqCst).saturating_sub(before))
}

/// What `work` gives, and how often memory was asked for meanwhile, or moved.
#[allow(dead_code, reason = "most ask for the peak only")]
pub(crate) fn allocations_of<R>(work: impl FnOnce() -> R) -> (R, usize) {
    let before = ALLOCATIONS.load(SeqCst);
    let result = work();
    (result, ALLOCATIONS.load(SeqCst) - before)
}
