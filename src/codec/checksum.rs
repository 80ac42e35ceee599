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

/// HDF5's Fletcher-32: sums of big-endian 16-bit words, an odd last byte as the upper half of one.
pub(super) fn fletcher32(data: &[u8]) -> u32 {
    let (mut low, mut high) = (0u32, 0u32);
    let (words, rest) = data.as_chunks::<2>();
    // 360 words are what 32 bits hold between two reductions.
    for block in words.chunks(360) {
        for word in block {
            low = low.wrapping_add(u32::from(u16::from_be_bytes(*word)));
            high = high.wrapping_add(low);
        }
        (low, high) = (fold(low), fold(high));
    }
    if let [last] = rest {
        low = fold(low.wrapping_add(u32::from(*last) << 8));
        high = fold(high.wrapping_add(low));
    }
    fold(high) << 16 | fold(low)
}

fn fold(sum: u32) -> u32 {
    (sum & 0xffff).wrapping_add(sum >> 16)
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
