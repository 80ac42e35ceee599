//! Bands out of pixels.

#[inline(always)]
pub(super) fn deinterleave(pixels: &[u8], element: usize, samples: usize, sample: usize, target: &mut [u8]) {
    /// Elements of `N` bytes, `P` bytes a pixel.
    #[inline(always)]
    fn each<const N: usize, const P: usize>(pixels: &[u8], sample: usize, target: &mut [u8]) {
        for (pixel, to) in pixels.as_chunks::<P>().0.iter().zip(target.as_chunks_mut::<N>().0) {
            to.copy_from_slice(&pixel[sample * N..][..N]);
        }
    }
    assert!(sample < samples, "a sample of the pixel");
    let pixel = element * samples;
    assert!(pixel > 0 && pixels.len() / pixel == target.len() / element && target.len().is_multiple_of(element), "a target as long as a band");
    match (element, samples) {
        (_, 1) => target.copy_from_slice(&pixels[..target.len()]),
        (1, 2) => each::<1, 2>(pixels, sample, target),
        (1, 3) => each::<1, 3>(pixels, sample, target),
        (1, 4) => each::<1, 4>(pixels, sample, target),
        (2, 2) => each::<2, 4>(pixels, sample, target),
        (2, 3) => each::<2, 6>(pixels, sample, target),
        (2, 4) => {
            // As a number: the compiler makes vectors of shifts, and not of parts of arrays that are this far apart.
            for (pixel, to) in pixels.as_chunks().0.iter().zip(target.as_chunks_mut().0) {
                #[allow(clippy::cast_possible_truncation, reason = "the sample")]
                let number = (u64::from_le_bytes(*pixel) >> (16 * sample)) as u16;
                *to = number.to_le_bytes();
            }
        }
        (4, 2) => each::<4, 8>(pixels, sample, target),
        (4, 3) => each::<4, 12>(pixels, sample, target),
        (4, 4) => each::<4, 16>(pixels, sample, target),
        _ => {
            for (pixel, to) in pixels.chunks_exact(pixel).zip(target.chunks_exact_mut(element)) {
                to.copy_from_slice(&pixel[sample * element..][..element]);
            }
        }
    }
}

#[inline(always)]
pub(super) fn deinterleave_all(pixels: &[u8], element: usize, targets: &mut [&mut [u8]]) {
    let samples = targets.len();
    for (sample, target) in targets.iter_mut().enumerate() {
        deinterleave(pixels, element, samples, sample, target);
    }
}
