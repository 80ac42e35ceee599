//! Numbers of a few bits, and bits apart.

use std::arch::x86_64::*;

use super::super::bits::{self, BLOCK, byte_plane, spread};
use super::super::shuffle::interleave;
use super::shuffle::zip8;
use super::{load, load_half, store};

/// Eight fields are `bits` bytes: each lane of 32 bits takes the four that its field begins in, and shifts it into place.
///
/// 12 bits 0.9 GB/s as the compiler has it, so 20.
#[target_feature(enable = "avx2")]
pub(in super::super) fn unpack_bits(mut source: &[u8], bits: u32, mut target: &mut [u8]) {
    assert!((1..=16).contains(&bits), "fields of 1 to 16 bits");
    let step = bits as usize;
    let (mut places, mut shifts) = ([0x80; 32], [0; 8]);
    for (i, (place, shift)) in places.as_chunks_mut::<4>().0.iter_mut().zip(&mut shifts).enumerate() {
        let (byte, bit) = (i * step / 8, i * step % 8);
        for (k, place) in place.iter_mut().rev().enumerate() {
            if byte + k < 16 {
                *place = (byte + k) as u8;
            }
        }
        *shift = (32 - step - bit) as u32;
    }
    let [a, b, c, d, e, f, g, h] = shifts.map(u32::cast_signed);
    let (places, shifts) = (load(&places), _mm256_setr_epi32(a, b, c, d, e, f, g, h));
    let mask = _mm256_set1_epi32((1 << bits) - 1);
    let eight = |source: &[u8; 16]| {
        let bytes = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(load_half(source)), places);
        _mm256_and_si256(_mm256_srlv_epi32(bytes, shifts), mask)
    };
    let at = |source: &[u8], group: usize| source.get(group * step..).and_then(|source| source.first_chunk().copied());
    if bits <= 8 {
        let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
        while let (Some(a), Some(b), Some(c), Some(d), Some(to)) =
            (at(source, 0), at(source, 1), at(source, 2), at(source, 3), target.first_chunk_mut())
        {
            let (low, high) = (_mm256_packus_epi32(eight(&a), eight(&b)), _mm256_packus_epi32(eight(&c), eight(&d)));
            store(_mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high), order), to);
            (source, target) = (&source[step * 4..], &mut target[32..]);
        }
    } else {
        while let (Some(a), Some(b), Some(to)) = (at(source, 0), at(source, 1), target.first_chunk_mut()) {
            store(_mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(eight(&a), eight(&b))), to);
            (source, target) = (&source[step * 2..], &mut target[32..]);
        }
    }
    bits::unpack_bits(source, bits, target);
}

/// The bits of eight rows are transposed, and the rows zipped: 11 GB/s, as the compiler has it 1.5.
#[target_feature(enable = "avx2")]
pub(in super::super) fn bit_unshuffle(source: &[u8], element: usize, target: &mut [u8]) {
    match element {
        1 => by_blocks::<1>(source, target),
        2 => by_blocks::<2>(source, target),
        4 => by_blocks::<4>(source, target),
        8 => by_blocks::<8>(source, target),
        _ => bits::bit_unshuffle(source, element, target),
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn by_blocks<const N: usize>(source: &[u8], target: &mut [u8]) {
    let Some((source, target)) = spread(source, N, target) else { return };
    let count = source.len() / N;
    let mut bytes = [[0; BLOCK]; N];
    for (block, target) in target.chunks_mut(BLOCK * N).enumerate() {
        let length = target.len() / N;
        for (rows, bytes) in source.chunks_exact(count).zip(&mut bytes) {
            byte_plane_of(rows, block * BLOCK, &mut bytes[..length]);
        }
        if N == 8 {
            super::shuffle::interleave8(std::array::from_fn(|i| &bytes[i % N][..length]), target);
        } else {
            interleave::<N>(std::array::from_fn(|i| &bytes[i][..length]), target);
        }
    }
}

/// The bytes of one significance of some elements, from the eight rows of their bits.
#[inline]
#[target_feature(enable = "avx2")]
fn byte_plane_of(rows: &[u8], first: usize, bytes: &mut [u8]) {
    let row = rows.len() / 8;
    let (groups, rest) = bytes.as_chunks_mut::<256>();
    let done = first + groups.len() * 256;
    for (k, group) in groups.iter_mut().enumerate() {
        let of_row = |row_of: usize| rows[row_of * row + first / 8 + k * 32..].first_chunk().map_or(_mm256_setzero_si256(), |bits| load(bits));
        let eight = transpose8([of_row(0), of_row(1), of_row(2), of_row(3), of_row(4), of_row(5), of_row(6), of_row(7)]);
        for (bytes, to) in zip8(eight).into_iter().zip(group.as_chunks_mut().0) {
            store(bytes, to);
        }
    }
    byte_plane(rows, done, rest);
}

/// 32 matrices of 8 by 8 bits transposed: row k of each is a byte of register k.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose8(mut rows: [__m256i; 8]) -> [__m256i; 8] {
    /// Bits between a row and the one `SHIFT` below it.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn exchange<const SHIFT: i32>(rows: &mut [__m256i; 8], mask: u8) {
        let below = SHIFT as usize;
        for row in (0..8).filter(|row| row & below == 0) {
            let moved = _mm256_xor_si256(_mm256_srli_epi16::<SHIFT>(rows[row]), rows[row + below]);
            let moved = _mm256_and_si256(moved, _mm256_set1_epi8(mask.cast_signed()));
            rows[row + below] = _mm256_xor_si256(rows[row + below], moved);
            rows[row] = _mm256_xor_si256(rows[row], _mm256_slli_epi16::<SHIFT>(moved));
        }
    }
    exchange::<4>(&mut rows, 0x0f);
    exchange::<2>(&mut rows, 0x33);
    exchange::<1>(&mut rows, 0x55);
    rows
}
