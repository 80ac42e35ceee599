//! Samples that are not whole numbers of usual bytes: packed bits, 24-bit floats and integers, bools as bits.

use super::filters::expect;
use super::{ChunkContext, Codec, Output, Scratch, Size, size};
use crate::error::{Error, Result};
use crate::model::{DataType, Endian};
use crate::simd;

/// Integers of 1 to 31 bits, most significant bit first, each row starting on a byte.
#[derive(Debug)]
pub(super) struct UnpackBits {
    bits: u32,
    row: usize,
    row_bytes: usize,
    signed: bool,
    bytes: usize,
}

impl UnpackBits {
    pub(super) fn new(bits: u8, row: u64, data_type: &DataType) -> Result<Self> {
        let (signed, bytes) = match data_type {
            DataType::Bool | DataType::U8 => (false, 1usize),
            DataType::I8 => (true, 1),
            DataType::U16 => (false, 2),
            DataType::I16 => (true, 2),
            DataType::U32 => (false, 4),
            DataType::I32 => (true, 4),
            other => return Err(Error::unsupported(format!("{bits}-bit samples as {other}"))),
        };
        let row_bytes = row.checked_mul(u64::from(bits)).map(|n| n.div_ceil(8));
        let fits = (1..=31).contains(&bits) && usize::from(bits) <= bytes.saturating_mul(8);
        match (usize::try_from(row), row_bytes.map(usize::try_from)) {
            (Ok(row), Some(Ok(row_bytes))) if fits && row > 0 => Ok(Self { bits: u32::from(bits), row, row_bytes, signed, bytes }),
            _ => Err(Error::malformed(format!("rows of {row} samples of {bits} bits as {data_type}"))),
        }
    }

    fn row(&self, input: &[u8], output: &mut [u8]) {
        let mask = (1u64 << self.bits).wrapping_sub(1);
        let unused = 32u32.wrapping_sub(self.bits);
        let (mut window, mut have) = (0u64, 0u32);
        let mut bytes = input.iter();
        for sample in output.chunks_exact_mut(self.bytes) {
            while have < self.bits {
                window = window << 8 | u64::from(*bytes.next().unwrap_or(&0));
                have = have.wrapping_add(8);
            }
            have = have.wrapping_sub(self.bits);
            #[allow(clippy::cast_possible_truncation, reason = "masked to 31 bits")]
            let mut value = (window >> have & mask) as u32;
            if self.signed {
                value = ((value << unused).cast_signed() >> unused).cast_unsigned();
            }
            match sample {
                [one] => *one = value.to_le_bytes()[0],
                [_, _] => {
                    let [a, b, ..] = value.to_le_bytes();
                    sample.copy_from_slice(&u16::from_le_bytes([a, b]).to_ne_bytes());
                }
                _ => sample.copy_from_slice(&value.to_ne_bytes()),
            }
        }
    }
}

impl Codec for UnpackBits {
    fn name(&self) -> &str {
        "bits"
    }
    fn input_size(&self, output: Size, _: &ChunkContext<'_>) -> Size {
        output.scaled(self.row_bytes, self.row.saturating_mul(self.bytes), 0)
    }
    fn input_prefix(&self, output: usize) -> Option<usize> {
        let samples = output.div_ceil(self.bytes.max(1));
        let (rows, rest) = (samples.checked_div(self.row)?, samples.checked_rem(self.row)?);
        let rest = rest.checked_mul(usize::try_from(self.bits).ok()?)?.div_ceil(8);
        rows.checked_mul(self.row_bytes)?.checked_add(rest)
    }
    /// A bit becomes a byte.
    fn most_output(&self, input: usize) -> Option<usize> {
        Some(input.saturating_mul(8))
    }
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let row = self.row.saturating_mul(self.bytes);
        let rows = chunk.elements()?.checked_div(self.row).unwrap_or(0);
        expect("bits", input, rows.saturating_mul(self.row_bytes))?;
        let target = output.sized("bits", rows.saturating_mul(row))?;
        // Each of the kernel's fields is as long as one of ours.
        let kernel = !self.signed && (self.bytes == 1 || self.bytes == 2 && self.bits > 8);
        for (from, to) in input.chunks_exact(self.row_bytes.max(1)).zip(target.chunks_exact_mut(row.max(1))) {
            if kernel { simd::unpack_bits(from, self.bits, to) } else { self.row(from, to) }
        }
        Ok(())
    }
}

/// What 24 bits are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Widen {
    Float24,
    Int24 { signed: bool },
}

/// 24-bit samples widened to 32.
#[derive(Debug)]
pub(super) struct Bits24 {
    pub(super) to: Widen,
    pub(super) endian: Endian,
}

/// 1 sign, 7 exponent (bias 63) and 16 fraction bits to IEEE 754 binary32.
fn float24(bits: u32) -> u32 {
    let (sign, exponent, fraction) = (bits >> 23 & 1, bits >> 16 & 0x7f, bits & 0xffff);
    let (exponent, fraction) = match (exponent, fraction) {
        (0, 0) => (0, 0),
        (0, fraction) => {
            // The smallest normal is 2^-62; a fraction's leading one says how far below a subnormal is.
            let shift = fraction.leading_zeros().wrapping_sub(15);
            (65u32.wrapping_sub(shift), fraction << shift & 0xffff)
        }
        (0x7f, fraction) => (0xff, fraction),
        (exponent, fraction) => (exponent.wrapping_add(64), fraction),
    };
    sign << 31 | exponent << 23 | fraction << 7
}

impl Codec for Bits24 {
    fn name(&self) -> &str {
        match self.to {
            Widen::Float24 => "float24",
            Widen::Int24 { .. } => "int24",
        }
    }
    fn input_size(&self, output: Size, _: &ChunkContext<'_>) -> Size {
        output.scaled(3, 4, 0)
    }
    fn input_prefix(&self, output: usize) -> Option<usize> {
        output.div_ceil(4).checked_mul(3)
    }
    /// Three bytes become four.
    fn most_output(&self, input: usize) -> Option<usize> {
        Some(input.saturating_mul(2))
    }
    fn decode(&self, input: &[u8], _: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let (samples, rest) = input.as_chunks::<3>();
        if !rest.is_empty() {
            return Err(Error::codec("24-bit samples", format!("{} bytes are not whole samples", input.len())));
        }
        let target = output.sized("24-bit samples", samples.len().saturating_mul(4))?;
        for (from, to) in samples.iter().zip(target.as_chunks_mut::<4>().0) {
            let [a, b, c] = *from;
            let bits = match self.endian {
                Endian::Little => u32::from_le_bytes([a, b, c, 0]),
                Endian::Big => u32::from_be_bytes([0, a, b, c]),
            };
            *to = match self.to {
                Widen::Float24 => float24(bits),
                Widen::Int24 { signed: true } => ((bits << 8).cast_signed() >> 8).cast_unsigned(),
                Widen::Int24 { signed: false } => bits,
            }
            .to_ne_bytes();
        }
        Ok(())
    }
}

/// numcodecs `packbits`: a byte that says how many bits of the last are padding, then the bits, most significant first.
#[derive(Debug)]
pub(super) struct BoolBits;

impl Codec for BoolBits {
    fn name(&self) -> &str {
        "bool-bits"
    }
    fn input_size(&self, output: Size, _: &ChunkContext<'_>) -> Size {
        match output {
            Size::Exact(n) => Size::Exact(n.div_ceil(8).saturating_add(1)),
            Size::AtMost(n) => Size::AtMost(n.div_ceil(8).saturating_add(1)),
        }
    }
    /// A bit becomes a byte.
    fn most_output(&self, input: usize) -> Option<usize> {
        Some(input.saturating_mul(8))
    }
    fn decode(&self, input: &[u8], _: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let Some((padding, packed)) = input.split_first() else { return Err(super::shortage("bool-bits", 0, 1)) };
        let bits = packed.len().saturating_mul(8).checked_sub(size(u32::from(*padding)));
        let bits = bits.ok_or_else(|| Error::codec("bool-bits", "more padding than bits"))?;
        let target = output.sized("bool-bits", bits)?;
        for (byte, eight) in packed.iter().zip(target.chunks_mut(8)) {
            for (k, bit) in eight.iter_mut().enumerate() {
                *bit = byte >> 7usize.wrapping_sub(k) & 1;
            }
        }
        Ok(())
    }
}
