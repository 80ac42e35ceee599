//! Sums along a row. The compiler makes no vectors of them, as each sample waits for the one before.
//!
//! A register is summed up by doubling steps (each sample plus the one a pixel before, then two pixels before...), and what came before
//! the register is added to all of it. That carry is summed up on a path of its own: one addition a register is all that waits.
//!
//! GB/s on one core of a Sapphire Rapids in cache, from row to row with the bytes swapped, and what the plain loop gives: one sample a pixel
//! of 1 byte 17 and 2.7, of 2 bytes 16 and 5.2, of 4 bytes 20 and 6.6, of 8 bytes 26 and 7.6; three of 1 byte 13 and 4.6, of 2 bytes 16 and 11,
//! of 4 bytes 18 and 9.7; seven of 1 byte 20 and 2.0.

use std::arch::x86_64::*;

use super::super::predict;
use super::super::swap::swap_bytes_to;
use super::{load, load_half, store, store_half, unshuffle_part};

#[target_feature(enable = "avx2")]
pub(in super::super) fn undo_predictor(row: &mut [u8], sample_bytes: usize, stride: usize) -> bool {
    let length = row.len();
    match sample_bytes {
        1 => sum::<1>(row, stride),
        2 => sum::<2>(&mut row[..length & !1], stride),
        4 => sum::<4>(&mut row[..length & !3], stride),
        8 => sum::<8>(&mut row[..length & !7], stride),
        _ => false,
    }
}

#[target_feature(enable = "avx2")]
pub(in super::super) fn undo_predictor_to(source: &[u8], sample_bytes: usize, stride: usize, swap: bool, target: &mut [u8]) -> bool {
    assert_eq!(source.len(), target.len());
    match sample_bytes {
        1 => sum_to::<1, false>(source, stride, target),
        2 if swap => sum_to::<2, true>(source, stride, target),
        4 if swap => sum_to::<4, true>(source, stride, target),
        8 if swap => sum_to::<8, true>(source, stride, target),
        2 => sum_to::<2, false>(source, stride, target),
        4 => sum_to::<4, false>(source, stride, target),
        8 => sum_to::<8, false>(source, stride, target),
        _ => {
            swap_bytes_to(source, if swap { sample_bytes } else { 1 }, target);
            false
        }
    }
}

#[target_feature(enable = "avx2")]
pub(in super::super) fn undo_float_predictor(planes: &mut [u8], sample_bytes: usize, stride: usize, row: &mut [u8]) {
    assert_eq!(planes.len(), row.len());
    if sum::<1>(planes, stride) && sample_bytes > 0 {
        unshuffle_part(planes, sample_bytes, 0, true, row);
    }
}

#[target_feature(enable = "avx2")]
pub(in super::super) fn undo_float_predictor_to(planes: &[u8], sample_bytes: usize, stride: usize, sums: &mut [u8], target: &mut [u8]) {
    assert_eq!(planes.len(), sums.len());
    assert_eq!(planes.len(), target.len());
    if sum_to::<1, false>(planes, stride, sums) && sample_bytes > 0 {
        unshuffle_part(sums, sample_bytes, 0, true, target);
    }
}

/// Sums up a row of whole samples of `N` bytes in place.
#[inline]
#[target_feature(enable = "avx2")]
fn sum<const N: usize>(row: &mut [u8], stride: usize) -> bool {
    match stride.saturating_mul(N) {
        0 => return false,
        // Few samples of some bytes each do not wait long for each other: 16 to 31 GB/s.
        6 | 12 if N > 1 && stride == 3 => return predict::undo_predictor(row, N, stride),
        1 => Lanes::<N, 1>::sum(row),
        2 => Lanes::<N, 2>::sum(row),
        4 => Lanes::<N, 4>::sum(row),
        8 => Lanes::<N, 8>::sum(row),
        pixel @ (3 | 5) => Pixels::<N, 3>::new(pixel).sum(row),
        pixel @ (6 | 7) => Pixels::<N, 1>::new(pixel).sum(row),
        pixel @ 9..=16 => Pixels::<N, 0>::new(pixel).sum(row),
        pixel => columns::<N>(row, pixel),
    }
    true
}

/// Sums up a row from `source` to `target`, samples reversed before where `SWAP` is set.
#[inline]
#[target_feature(enable = "avx2")]
fn sum_to<const N: usize, const SWAP: bool>(source: &[u8], stride: usize, target: &mut [u8]) -> bool {
    let whole = source.len() / N * N;
    let ((source, source_rest), (target, target_rest)) = (source.split_at(whole), target.split_at_mut(whole));
    target_rest.copy_from_slice(source_rest);
    let pixel = stride.saturating_mul(N);
    match pixel {
        1 => Lanes::<N, 1>::sum_to::<SWAP>(source, target),
        2 => Lanes::<N, 2>::sum_to::<SWAP>(source, target),
        4 => Lanes::<N, 4>::sum_to::<SWAP>(source, target),
        8 => Lanes::<N, 8>::sum_to::<SWAP>(source, target),
        3 | 5 => _ = Pixels::<N, 3>::new(pixel).sum_to::<SWAP>(source, target),
        6 | 7 => _ = Pixels::<N, 1>::new(pixel).sum_to::<SWAP>(source, target),
        9..=16 => _ = Pixels::<N, 0>::new(pixel).sum_to::<SWAP>(source, target),
        _ => {
            swap_bytes_to(source, if SWAP { N } else { 1 }, target);
            return sum::<N>(target, stride);
        }
    }
    true
}

#[inline]
#[target_feature(enable = "avx2")]
fn add<const N: usize>(a: __m256i, b: __m256i) -> __m256i {
    match N {
        1 => _mm256_add_epi8(a, b),
        2 => _mm256_add_epi16(a, b),
        4 => _mm256_add_epi32(a, b),
        _ => _mm256_add_epi64(a, b),
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn add_half<const N: usize>(a: __m128i, b: __m128i) -> __m128i {
    match N {
        1 => _mm_add_epi8(a, b),
        2 => _mm_add_epi16(a, b),
        4 => _mm_add_epi32(a, b),
        _ => _mm_add_epi64(a, b),
    }
}

/// Which byte each byte of 16 is taken from: 0x80 for none.
#[inline]
#[target_feature(enable = "avx2")]
fn places(from: impl Fn(u8) -> u8) -> __m128i {
    let mut places = [0; 16];
    for (to, place) in (0..).zip(&mut places) {
        *place = from(to);
    }
    load_half(&places)
}

/// The bytes of units of `N` in reverse.
#[inline]
#[target_feature(enable = "avx2")]
fn reversed(unit: u8) -> __m128i {
    places(|to| to ^ (unit - 1))
}

/// Samples of `N` bytes in pixels of `P`, which divides 16: two lanes of 16 bytes at once.
struct Lanes<const N: usize, const P: usize> {
    /// The last pixel again and again.
    carry: __m256i,
    /// Where the last pixel of a lane is.
    last: __m256i,
}

impl<const N: usize, const P: usize> Lanes<N, P> {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new() -> Self {
        let last = places(|to| (16 - P as u8) + to % P as u8);
        Self { carry: _mm256_setzero_si256(), last: _mm256_broadcastsi128_si256(last) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn next(&mut self, mut sums: __m256i) -> __m256i {
        if P <= 1 {
            sums = add::<N>(sums, _mm256_slli_si256::<1>(sums));
        }
        if P <= 2 {
            sums = add::<N>(sums, _mm256_slli_si256::<2>(sums));
        }
        if P <= 4 {
            sums = add::<N>(sums, _mm256_slli_si256::<4>(sums));
        }
        sums = add::<N>(sums, _mm256_slli_si256::<8>(sums));
        let totals = _mm256_shuffle_epi8(sums, self.last);
        let crossed = _mm256_permute2x128_si256::<1>(totals, totals);
        let below = _mm256_blend_epi32::<0xf0>(_mm256_setzero_si256(), crossed);
        sums = add::<N>(add::<N>(sums, below), self.carry);
        self.carry = add::<N>(self.carry, add::<N>(totals, crossed));
        sums
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn sum(row: &mut [u8]) {
        let mut lanes = Self::new();
        let (parts, rest) = row.as_chunks_mut();
        for part in parts {
            store(lanes.next(load(part)), part);
        }
        if !rest.is_empty() {
            let mut last = [0; 32];
            last[..rest.len()].copy_from_slice(rest);
            store(lanes.next(load(&last)), &mut last);
            rest.copy_from_slice(&last[..rest.len()]);
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn sum_to<const SWAP: bool>(source: &[u8], target: &mut [u8]) {
        let mut lanes = Self::new();
        let reversed = _mm256_broadcastsi128_si256(reversed(N as u8));
        let ordered = |x| if SWAP { _mm256_shuffle_epi8(x, reversed) } else { x };
        let ((from, source), (to, target)) = (source.as_chunks(), target.as_chunks_mut());
        for (from, to) in from.iter().zip(to) {
            store(lanes.next(ordered(load(from))), to);
        }
        if !source.is_empty() {
            let mut last = [0; 32];
            last[..source.len()].copy_from_slice(source);
            store(lanes.next(ordered(load(&last))), &mut last);
            target.copy_from_slice(&last[..source.len()]);
        }
    }
}

/// Samples of `N` bytes in pixels of up to 16: as many whole pixels at once as 16 bytes hold, summed up in `STEPS` steps.
struct Pixels<const N: usize, const STEPS: usize> {
    /// Bytes at once.
    step: usize,
    /// The last pixel again and again.
    carry: __m128i,
    /// Bytes one pixel, two, four further.
    shifts: [__m128i; STEPS],
    /// Where the last pixel is.
    last: __m128i,
}

impl<const N: usize, const STEPS: usize> Pixels<N, STEPS> {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(pixel: usize) -> Self {
        let step = 16 / pixel * pixel;
        let (size, whole) = (pixel as u8, step as u8);
        let mut shifts = [_mm_setzero_si128(); STEPS];
        for (doubled, shift) in shifts.iter_mut().enumerate() {
            let by = size << doubled;
            *shift = places(|to| to.checked_sub(by).unwrap_or(0x80));
        }
        let last = places(|to| whole - size + to % size);
        Self { step, carry: _mm_setzero_si128(), shifts, last }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn next(&mut self, stored: __m128i) -> __m128i {
        let mut sums = stored;
        for shift in self.shifts {
            sums = add_half::<N>(sums, _mm_shuffle_epi8(sums, shift));
        }
        let total = _mm_shuffle_epi8(sums, self.last);
        sums = add_half::<N>(sums, self.carry);
        self.carry = add_half::<N>(self.carry, total);
        sums
    }

    /// In place by a copy of some of the row: a load from where a store has just ended waits until it has arrived.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn sum(mut self, row: &mut [u8]) {
        let mut copy = [0; 1024];
        for part in row.chunks_mut(1024 / self.step * self.step) {
            let copy = &mut copy[..part.len()];
            copy.copy_from_slice(part);
            self = self.sum_to::<false>(copy, part);
        }
    }

    /// `source` ends with a whole number of steps, or with the row.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn sum_to<const SWAP: bool>(self, source: &[u8], target: &mut [u8]) -> Self {
        // A value of its own is kept in registers.
        let mut pixels = Self { ..self };
        let reversed = reversed(N as u8);
        let ordered = |x| if SWAP { _mm_shuffle_epi8(x, reversed) } else { x };
        let target = &mut target[..source.len()];
        let mut at = 0;
        while let (Some(from), Some(to)) = (source[at..].first_chunk(), target[at..].first_chunk_mut()) {
            // What is beyond the whole pixels is written again.
            store_half(pixels.next(ordered(load_half(from))), to);
            at += pixels.step;
        }
        // Less than 16 bytes.
        while let (Some(from), Some(to)) = (source.get(at..), target.get_mut(at..)) {
            let mut last = [0; 16];
            last[..from.len()].copy_from_slice(from);
            store_half(pixels.next(ordered(load_half(&last))), &mut last);
            to.copy_from_slice(&last[..from.len()]);
            at += pixels.step;
        }
        pixels
    }
}

/// Samples of `N` bytes in pixels of more than 16, a column of 16 bytes after the other.
#[inline]
#[target_feature(enable = "avx2")]
fn columns<const N: usize>(row: &mut [u8], pixel: usize) {
    for from in (0..pixel.min(row.len())).step_by(16) {
        let width = (pixel - from).min(16) as u8;
        let beyond = places(|to| if to < width { 0 } else { 0xff });
        let mut sums = _mm_setzero_si128();
        for pixel in row[from..].chunks_mut(pixel) {
            if let Some(window) = pixel.first_chunk_mut() {
                let stored = load_half(window);
                sums = add_half::<N>(sums, stored);
                store_half(_mm_blendv_epi8(sums, stored, beyond), window);
                continue;
            }
            let mut last = [0; 16];
            last[..pixel.len()].copy_from_slice(pixel);
            sums = add_half::<N>(sums, load_half(&last));
            store_half(sums, &mut last);
            let width = pixel.len().min(usize::from(width));
            pixel[..width].copy_from_slice(&last[..width]);
        }
    }
}
