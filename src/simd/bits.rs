//! Numbers of a few bits, and bits apart.

use super::shuffle::interleave;

#[inline(always)]
pub(super) fn unpack_bits(source: &[u8], bits: u32, target: &mut [u8]) {
    assert!((1..=16).contains(&bits), "fields of 1 to 16 bits");
    if bits <= 8 {
        let store = |field: u16, to: &mut [u8; 1]| *to = [field.to_le_bytes()[0]];
        fields(source, bits, target.as_chunks_mut().0, store);
    } else {
        fields(source, bits, target.as_chunks_mut().0, |field, to| *to = field.to_ne_bytes());
    }
}

#[inline(always)]
fn fields<const N: usize>(mut source: &[u8], bits: u32, target: &mut [[u8; N]], store: impl Fn(u16, &mut [u8; N])) {
    // Four fields are within eight bytes, the four behind them begin with a byte or half a byte.
    let (step, second, odd) = (bits as usize, bits as usize / 2, bits % 2 * 4);
    let mut last = [0; 16];
    for to in target.chunks_mut(8) {
        if source.len() < 16 {
            last = [0; 16];
            last[..source.len()].copy_from_slice(source);
        }
        let bytes = source.first_chunk().unwrap_or(&last);
        let window = |at: usize| u64::from_be_bytes(std::array::from_fn(|i| bytes[at.min(8) + i]));
        let (a, b) = (window(0), window(second) << odd);
        #[allow(clippy::cast_possible_truncation, reason = "as many bits as a field has")]
        let field = |window: u64, i: u32| (window << (bits * i) >> (64 - bits)) as u16;
        let eight = [field(a, 0), field(a, 1), field(a, 2), field(a, 3), field(b, 0), field(b, 1), field(b, 2), field(b, 3)];
        for (field, to) in eight.into_iter().zip(to) {
            store(field, to);
        }
        source = source.get(step..).unwrap_or_default();
    }
}

/// So many elements are put together at once.
pub(super) const BLOCK: usize = 512;

#[inline(always)]
pub(super) fn bit_unshuffle(source: &[u8], element: usize, target: &mut [u8]) {
    let Some((source, target)) = spread(source, element, target) else { return };
    let count = source.len() / element;
    let mut bytes = [0; BLOCK];
    for (byte, rows) in source.chunks_exact(count).enumerate() {
        for (block, target) in target.chunks_mut(BLOCK * element).enumerate() {
            let bytes = &mut bytes[..target.len() / element];
            byte_plane(rows, block * BLOCK, bytes);
            for (to, from) in target.chunks_exact_mut(element).zip(bytes) {
                to[byte] = *from;
            }
        }
    }
}

/// The elements whose bits are spread over their chunk, and where they go; what is only copied is copied.
#[inline(always)]
pub(super) fn spread<'a>(source: &'a [u8], element: usize, target: &'a mut [u8]) -> Option<(&'a [u8], &'a mut [u8])> {
    assert_eq!(source.len(), target.len());
    let count = source.len().checked_div(element).unwrap_or(0);
    let spread = if count.is_multiple_of(8) { count * element } else { 0 };
    let ((source, rest), (target, to_rest)) = (source.split_at(spread), target.split_at_mut(spread));
    to_rest.copy_from_slice(rest);
    (spread > 0).then_some((source, target))
}

/// The bytes of one significance of some elements, from the eight rows of their bits.
#[inline(always)]
pub(super) fn byte_plane(rows: &[u8], first: usize, bytes: &mut [u8]) {
    let row = rows.len() / 8;
    interleave::<8>(std::array::from_fn(|k| &rows[k * row..][first / 8..][..bytes.len() / 8]), bytes);
    for group in bytes.as_chunks_mut::<8>().0 {
        *group = transpose8(u64::from_le_bytes(*group)).to_le_bytes();
    }
}

/// An 8 by 8 matrix of bits transposed.
#[inline(always)]
pub(crate) fn transpose8(mut bits: u64) -> u64 {
    for (shift, mask) in [(7, 0x00aa_00aa_00aa_00aa), (14, 0x0000_cccc_0000_cccc), (28, 0x0000_0000_f0f0_f0f0u64)] {
        let swapped = (bits ^ bits >> shift) & mask;
        bits ^= swapped ^ swapped << shift;
    }
    bits
}
