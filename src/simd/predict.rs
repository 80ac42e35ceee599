//! TIFF's predictors undone, one row at a time.

use super::shuffle::unshuffle_part;
use super::swap::swap_bytes_to;

macro_rules! sums {
    ($name:ident, $t:ty) => {
        fn $name(row: &mut [u8], stride: usize) {
            const N: usize = size_of::<$t>();
            /// The pixel before is kept in registers.
            fn fixed<const S: usize>(row: &mut [[u8; N]]) {
                let mut sum = [0 as $t; S];
                for pixel in row.as_chunks_mut::<S>().0 {
                    for (sample, sum) in pixel.iter_mut().zip(&mut sum) {
                        *sum = sum.wrapping_add(<$t>::from_ne_bytes(*sample));
                        *sample = sum.to_ne_bytes();
                    }
                }
            }
            let samples = row.as_chunks_mut::<N>().0;
            let whole = samples.len() / stride * stride;
            match stride {
                1 => fixed::<1>(samples),
                2 if whole == samples.len() => fixed::<2>(samples),
                3 if whole == samples.len() => fixed::<3>(samples),
                4 if whole == samples.len() => fixed::<4>(samples),
                _ => {
                    for i in stride..samples.len() {
                        let before = <$t>::from_ne_bytes(samples[i - stride]);
                        samples[i] = <$t>::from_ne_bytes(samples[i]).wrapping_add(before).to_ne_bytes();
                    }
                }
            }
        }
    };
}
sums!(sum_u8, u8);
sums!(sum_u16, u16);
sums!(sum_u32, u32);
sums!(sum_u64, u64);

/// Sums of single bytes, eight at a time: a sum over a word by doubling steps, then the carry of the word before it.
///
/// One byte after the other is one byte a cycle at best, as each waits for the one before.
fn sum_bytes(row: &mut [u8]) {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const EACH: u64 = 0x0101_0101_0101_0101;
    /// Eight sums of bytes, none of which carries into its neighbour.
    fn add(a: u64, b: u64) -> u64 {
        ((a & !HIGH) + (b & !HIGH)) ^ ((a ^ b) & HIGH)
    }
    let mut carry = 0_u8;
    let (words, rest) = row.as_chunks_mut::<8>();
    for word in words {
        let mut sums = u64::from_le_bytes(*word);
        sums = add(sums, sums << 8);
        sums = add(sums, sums << 16);
        sums = add(sums, sums << 32);
        sums = add(sums, u64::from(carry) * EACH);
        *word = sums.to_le_bytes();
        carry = word[7];
    }
    for byte in rest {
        carry = carry.wrapping_add(*byte);
        *byte = carry;
    }
}

pub(super) fn undo_predictor(row: &mut [u8], sample_bytes: usize, stride: usize) -> bool {
    if stride == 0 {
        return false;
    }
    match sample_bytes {
        1 if stride == 1 => sum_bytes(row),
        1 => sum_u8(row, stride),
        2 => sum_u16(row, stride),
        4 => sum_u32(row, stride),
        8 => sum_u64(row, stride),
        _ => return false,
    }
    true
}

pub(super) fn undo_predictor_to(source: &[u8], sample_bytes: usize, stride: usize, swap: bool, target: &mut [u8]) -> bool {
    swap_bytes_to(source, if swap { sample_bytes } else { 1 }, target);
    undo_predictor(target, sample_bytes, stride)
}

/// Puts samples together from their bytes, the planes of the most significant bytes first.
fn zip(planes: &[u8], sample_bytes: usize, row: &mut [u8]) {
    unshuffle_part(planes, sample_bytes, 0, cfg!(target_endian = "little"), row);
}

pub(super) fn undo_float_predictor(planes: &mut [u8], sample_bytes: usize, stride: usize, row: &mut [u8]) {
    assert_eq!(planes.len(), row.len());
    if undo_predictor(planes, 1, stride) && sample_bytes > 0 {
        zip(planes, sample_bytes, row);
    }
}

pub(super) fn undo_float_predictor_to(planes: &[u8], sample_bytes: usize, stride: usize, sums: &mut [u8], target: &mut [u8]) {
    sums.copy_from_slice(planes);
    undo_float_predictor(sums, sample_bytes, stride, target);
}
