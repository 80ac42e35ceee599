//! Byte order.

/// Numbers and not arrays of bytes: of them the compiler knows how they are reversed.
macro_rules! swaps {
    ($in_place:ident, $to:ident, $t:ty) => {
        #[inline(always)]
        fn $in_place(data: &mut [u8]) {
            for unit in data.as_chunks_mut().0 {
                *unit = <$t>::from_ne_bytes(*unit).swap_bytes().to_ne_bytes();
            }
        }
        #[inline(always)]
        fn $to(source: &[u8], target: &mut [u8]) {
            let ((units, rest), (to, to_rest)) = (source.as_chunks(), target.as_chunks_mut());
            for (unit, to) in units.iter().zip(to) {
                *to = <$t>::from_ne_bytes(*unit).swap_bytes().to_ne_bytes();
            }
            to_rest.copy_from_slice(rest);
        }
    };
}
swaps!(swap2, swap2_to, u16);
swaps!(swap4, swap4_to, u32);
swaps!(swap8, swap8_to, u64);

#[inline(always)]
pub(super) fn swap_bytes(data: &mut [u8], unit: usize) {
    match unit {
        0 | 1 => {}
        2 => swap2(data),
        4 => swap4(data),
        8 => swap8(data),
        _ => data.chunks_exact_mut(unit).for_each(<[u8]>::reverse),
    }
}

#[inline(always)]
pub(super) fn swap_bytes_to(source: &[u8], unit: usize, target: &mut [u8]) {
    assert_eq!(source.len(), target.len());
    match unit {
        2 => swap2_to(source, target),
        4 => swap4_to(source, target),
        8 => swap8_to(source, target),
        _ => {
            target.copy_from_slice(source);
            swap_bytes(target, unit);
        }
    }
}

/// Reverses the bits inside each byte.
pub fn reverse_bits(data: &mut [u8]) {
    for byte in data {
        *byte = byte.reverse_bits();
    }
}
