//! Twins for AVX2.
#![allow(clippy::cast_possible_truncation, reason = "places inside of a register")]

use std::arch::x86_64::*;

mod bits;
mod predict;
mod shuffle;

pub(super) use bits::{bit_unshuffle, unpack_bits};
pub(super) use predict::{undo_float_predictor, undo_float_predictor_to, undo_predictor, undo_predictor_to};
pub(super) use shuffle::{unshuffle, unshuffle_part};

/// The plain loop, compiled for AVX2.
macro_rules! compiled {
    ($(fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)? = $file:ident;)*) => {$(
        #[target_feature(enable = "avx2")]
        pub(super) fn $name($($argument: $type),*) $(-> $result)? {
            super::$file::$name($($argument),*)
        }
    )*};
}
compiled! {
    fn swap_bytes(data: &mut [u8], unit: usize) = swap;
    fn swap_bytes_to(source: &[u8], unit: usize, target: &mut [u8]) = swap;
    fn deinterleave(pixels: &[u8], element: usize, samples: usize, sample: usize, target: &mut [u8]) = bands;
    fn deinterleave_all(pixels: &[u8], element: usize, targets: &mut [&mut [u8]]) = bands;
}

/// A loop of another module, compiled for AVX2.
#[target_feature(enable = "avx2")]
pub(super) fn run<W: super::Work>(work: W) {
    work.run();
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: 32 bytes are read, of any alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(value: __m256i, bytes: &mut [u8; 32]) {
    // SAFETY: 32 bytes are written, of any alignment.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), value) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_half(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: 16 bytes are read, of any alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store_half(value: __m128i, bytes: &mut [u8; 16]) {
    // SAFETY: 16 bytes are written, of any alignment.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), value) }
}
