//! TIFF's predictors undone, one row at a time.

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

/// Adds to each sample of a row the one `stride` samples before it, for integers of 1, 2, 4 or 8 bytes in the machine's order.
/// Returns whether there is such a kernel.
#[must_use]
pub fn undo_predictor(row: &mut [u8], sample_bytes: usize, stride: usize) -> bool {
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

/// Undoes the floating point predictor of a row: differences of bytes, the most significant bytes of all samples first. `planes` is the row
/// as stored and is summed up in place; `row` gets the samples in the machine's byte order. Both have the same length, a multiple of `sample_bytes`.
pub fn undo_float_predictor(planes: &mut [u8], sample_bytes: usize, stride: usize, row: &mut [u8]) {
    /// Whole numbers from their bytes by shifts, which the compiler makes vectors of.
    fn zip4(planes: &[u8], count: usize, row: &mut [u8]) {
        let (high, low) = planes.split_at(count * 2);
        let ((a, b), (c, d)) = (high.split_at(count), low.split_at(count));
        let bytes = a.iter().zip(b).zip(c.iter().zip(d));
        for (sample, ((a, b), (c, d))) in row.as_chunks_mut::<4>().0.iter_mut().zip(bytes) {
            let number = u32::from(*a) << 24 | u32::from(*b) << 16 | u32::from(*c) << 8 | u32::from(*d);
            *sample = number.to_ne_bytes();
        }
    }
    fn zip<const N: usize>(planes: &[u8], count: usize, row: &mut [u8]) {
        let plane: [&[u8]; N] = std::array::from_fn(|i| {
            let from = if cfg!(target_endian = "little") { N - 1 - i } else { i };
            &planes[from * count..][..count]
        });
        for (k, sample) in row.as_chunks_mut::<N>().0.iter_mut().enumerate().take(count) {
            for i in 0..N {
                sample[i] = plane[i][k];
            }
        }
    }
    assert_eq!(planes.len(), row.len());
    if stride == 0 || sample_bytes == 0 {
        return;
    }
    if stride == 1 {
        sum_bytes(planes)
    } else {
        sum_u8(planes, stride)
    }
    let count = planes.len() / sample_bytes;
    match sample_bytes {
        2 => zip::<2>(planes, count, row),
        3 => zip::<3>(planes, count, row),
        4 => zip4(planes, count, row),
        8 => zip::<8>(planes, count, row),
        _ => {
            for k in 0..count {
                for i in 0..sample_bytes {
                    let from = if cfg!(target_endian = "little") { sample_bytes - 1 - i } else { i };
                    row[k * sample_bytes + i] = planes[from * count + k];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(length: usize) -> Vec<u8> {
        (0..length as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 23) as u8).collect()
    }

    fn value(bytes: &[u8]) -> u64 {
        let mut wide = [0; 8];
        if cfg!(target_endian = "little") {
            wide[..bytes.len()].copy_from_slice(bytes)
        } else {
            wide[8 - bytes.len()..].copy_from_slice(bytes)
        }
        u64::from_ne_bytes(wide)
    }

    #[test]
    fn sums_as_the_definition_says() {
        for bytes in [1usize, 2, 4, 8] {
            for stride in [1usize, 2, 3, 4, 5, 7] {
                for length in 0..=257usize {
                    let stored = noise(length);
                    let mut row = stored.clone();
                    assert!(undo_predictor(&mut row, bytes, stride));
                    let mask = if bytes == 8 { u64::MAX } else { (1 << (bytes * 8)) - 1 };
                    let (was, is): (Vec<_>, Vec<_>) = (stored.chunks_exact(bytes).map(value).collect(), row.chunks_exact(bytes).map(value).collect());
                    for i in 0..is.len() {
                        let before = if i < stride { 0 } else { is[i - stride] };
                        assert_eq!(is[i], was[i].wrapping_add(before) & mask, "{bytes} bytes, stride {stride}, length {length}, at {i}");
                    }
                }
            }
        }
        assert!(!undo_predictor(&mut [0; 3], 3, 1) && !undo_predictor(&mut [0; 4], 4, 0));
    }

    #[test]
    fn float_rows_come_back() {
        for bytes in [2usize, 3, 4, 8, 16] {
            for stride in [1usize, 3] {
                for count in 0..=64usize {
                    let plain = noise(count * bytes);
                    let mut stored = vec![0u8; plain.len()];
                    for k in 0..count {
                        for i in 0..bytes {
                            let significance = if cfg!(target_endian = "little") { bytes - 1 - i } else { i };
                            stored[significance * count + k] = plain[k * bytes + i];
                        }
                    }
                    for i in (stride..stored.len()).rev() {
                        stored[i] = stored[i].wrapping_sub(stored[i - stride]);
                    }
                    let mut row = vec![0; plain.len()];
                    undo_float_predictor(&mut stored, bytes, stride, &mut row);
                    assert_eq!(row, plain, "{bytes} bytes, stride {stride}, {count} samples");
                }
            }
        }
    }
}
