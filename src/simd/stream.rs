//! Copies that go past the cache.

/// Copies a slice to another of the same length by stores that go past the cache, where the machine has such: for what is larger than the
/// cache and is not read again soon. Whole lines of the cache go past it; what is before and behind them is copied as usual.
///
/// Such stores keep no order: [`streaming_fence`] must be called by the same thread before another is told that the bytes are there.
#[inline]
pub fn copy_streaming(source: &[u8], target: &mut [u8]) {
    assert_eq!(source.len(), target.len());
    let before = target.as_ptr().align_offset(LINE).min(target.len());
    let (source_before, source) = source.split_at(before);
    let (target_before, target) = target.split_at_mut(before);
    target_before.copy_from_slice(source_before);
    let ((from, source), (to, target)) = (source.as_chunks::<LINE>(), target.as_chunks_mut::<LINE>());
    for (from, to) in from.iter().zip(to) {
        line(from, to);
    }
    target.copy_from_slice(source);
}

/// Bytes of a line.
const LINE: usize = 64;

/// Copies a line, the target of which is aligned.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn line(source: &[u8; LINE], target: &mut [u8; LINE]) {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_stream_si128};
    // Four stores of 16 bytes, which every x86-64 has: wider ones fill a line no faster.
    for (from, to) in source.as_chunks::<16>().0.iter().zip(target.as_chunks_mut::<16>().0) {
        debug_assert!(to.as_ptr().cast::<__m128i>().is_aligned());
        // SAFETY: both are 16 bytes, and the target is aligned, as its line is.
        unsafe { _mm_stream_si128(to.as_mut_ptr().cast(), _mm_loadu_si128(from.as_ptr().cast())) }
    }
}
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn line(source: &[u8; LINE], target: &mut [u8; LINE]) {
    *target = *source;
}

/// Makes what [`copy_streaming`] wrote seen by other threads before whatever this one writes next.
#[inline]
pub fn streaming_fence() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has the instruction.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}
