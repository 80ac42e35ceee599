//! Checksums beside the data, and lengths before them.

use std::ops::Range;

use super::{Size, Trim, size, u32_le};
use crate::error::{Error, Result};

/// Which sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sum {
    Crc32c,
    Crc32,
    Adler32,
    Fletcher32,
}

/// Four bytes of checksum, little-endian, behind or before the data.
#[derive(Debug)]
pub(super) struct Checksum {
    pub(super) sum: Sum,
    pub(super) at_start: bool,
}

impl Trim for Checksum {
    fn name(&self) -> &'static str {
        match self.sum {
            Sum::Crc32c => "crc32c",
            Sum::Crc32 => "crc32",
            Sum::Adler32 => "adler32",
            Sum::Fletcher32 => "fletcher32",
        }
    }
    fn input_size(&self, output: Size) -> Size {
        output.scaled(1, 1, 4)
    }
    fn range(&self, input: &[u8]) -> Result<Range<usize>> {
        let Some(length) = input.len().checked_sub(4) else {
            return Err(Error::codec(self.name(), format!("{} bytes have no room for a checksum", input.len())));
        };
        let range = if self.at_start { 4..input.len() } else { 0..length };
        let stored = u32_le(input, if self.at_start { 0 } else { length });
        let data = input.get(range.clone()).unwrap_or_default();
        let computed = match self.sum {
            Sum::Crc32c => crc32c::crc32c(data),
            Sum::Crc32 => crc32fast::hash(data),
            Sum::Adler32 => zlib_rs::adler32::adler32(1, data),
            Sum::Fletcher32 => fletcher32(data),
        };
        if stored == Some(computed) { Ok(range) } else { Err(Error::checksum(self.name())) }
    }
}

/// HDF5's Fletcher-32: sums of big-endian 16-bit words, an odd last byte as the upper half of one. LERC's is the same but for zeros.
///
/// In eight lanes, each the sums of every eighth word, put together before 32 bits overflow.
pub(super) fn fletcher32(data: &[u8]) -> u32 {
    const LANES: usize = 8;
    /// Groups of eight that 32 bits hold the sums of sums of: 65535 (1 + 2 + ... + 256) is below 2^32.
    const GROUPS: usize = 256;
    let (mut low, mut high) = (0u64, 0u64);
    let (words, odd) = data.as_chunks::<2>();
    let (groups, rest) = words.as_chunks::<LANES>();
    for block in groups.chunks(GROUPS) {
        let (mut sums, mut sums_of_sums) = ([0u32; LANES], [0u32; LANES]);
        for group in block {
            for ((sum, sum_of_sums), word) in sums.iter_mut().zip(&mut sums_of_sums).zip(group) {
                *sum = sum.wrapping_add(u32::from(u16::from_be_bytes(*word)));
                *sum_of_sums = sum_of_sums.wrapping_add(*sum);
            }
        }
        // A lane's word counts eight times in each later group's sum, but for the words before it in its own group.
        high = high.wrapping_add(low.wrapping_mul(block.len().wrapping_mul(LANES) as u64));
        for (lane, (sum, sum_of_sums)) in (0u64..).zip(sums.into_iter().zip(sums_of_sums)) {
            low = low.wrapping_add(u64::from(sum));
            high = high.wrapping_add(u64::from(sum_of_sums).wrapping_mul(LANES as u64)).wrapping_sub(u64::from(sum).wrapping_mul(lane));
        }
        (low, high) = (fold(low), fold(high));
    }
    for word in rest.iter().copied().chain(odd.first().map(|byte| [*byte, 0])) {
        low = low.wrapping_add(u64::from(u16::from_be_bytes(word)));
        high = high.wrapping_add(low);
    }
    let [.., a, b] = fold(high).to_be_bytes();
    let [.., c, d] = fold(low).to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// Modulo 65535, where only 0 itself gives 0.
fn fold(sum: u64) -> u64 {
    sum.checked_sub(1).map_or(0, |n| (n % 0xffff).wrapping_add(1))
}

/// A length as a 32-bit little-endian number, and that many bytes; what follows is left out.
#[derive(Debug)]
pub(super) struct SizeLeader;

impl Trim for SizeLeader {
    fn name(&self) -> &'static str {
        "size-leader"
    }
    fn input_size(&self, output: Size) -> Size {
        Size::AtMost(output.most().saturating_add(64 << 10))
    }
    fn range(&self, input: &[u8]) -> Result<Range<usize>> {
        let length = u32_le(input, 0).map(size).ok_or_else(|| Error::codec(self.name(), "no length"))?;
        let end = length.checked_add(4).filter(|end| *end <= input.len());
        end.map(|end| 4..end).ok_or_else(|| Error::codec(self.name(), format!("{length} bytes announced, {} there", input.len().saturating_sub(4))))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn fletcher32_by_its_definition() {
        for length in (0u64..70).chain([4095, 4096, 4097, 8191, 70_001]) {
            for fill in [0u8, 0xff, 1] {
                let data: Vec<u8> = (0..length).map(|i| if fill == 1 { (i * i / 7 + i) as u8 } else { fill }).collect();
                let (mut low, mut high) = (0u64, 0u64);
                for word in data.chunks(2) {
                    low += u64::from(word[0]) << 8 | u64::from(word.get(1).copied().unwrap_or(0));
                    high += low;
                }
                let ends = |sum: u64| if sum > 0 && sum.is_multiple_of(0xffff) { 0xffff } else { (sum % 0xffff) as u32 };
                assert_eq!(super::fletcher32(&data), ends(high) << 16 | ends(low), "{length} of {fill}");
            }
        }
    }
}
