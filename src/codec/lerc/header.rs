//! The header of a LERC2 blob, and the sum over it.

use super::{size, wrong};
use crate::codec::checksum::fletcher32;
use crate::error::Result;
use crate::model::DataType;

/// Bytes, read from the front.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(|| wrong(format!("{} bytes where {count} are due", self.0.len())))?;
        self.0 = rest;
        Ok(taken)
    }
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or_else(|| wrong(format!("{} bytes where {N} are due", self.0.len())))?;
        self.0 = rest;
        Ok(*taken)
    }
    pub(super) fn byte(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }
    fn i32(&mut self) -> Result<i32> {
        self.array().map(i32::from_le_bytes)
    }
    /// A number that is a count: not negative.
    pub(super) fn count(&mut self, what: &str) -> Result<usize> {
        let n = self.i32()?;
        u32::try_from(n).map(size).map_err(|_| wrong(format!("a {what} of {n}")))
    }
    fn positive(&mut self, what: &str) -> Result<usize> {
        match self.count(what)? {
            0 => Err(wrong(format!("a {what} of 0"))),
            n => Ok(n),
        }
    }
    pub(super) fn f64(&mut self) -> Result<f64> {
        self.array().map(f64::from_le_bytes)
    }
}

/// The type of a blob's values, or of a block's offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    F32,
    F64,
}

impl Kind {
    /// In the order of their numbers in a header.
    const ALL: [Self; 8] = [Self::I8, Self::U8, Self::I16, Self::U16, Self::I32, Self::U32, Self::F32, Self::F64];

    /// Of a chunk's elements.
    pub(super) fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::I8 => Self::I8,
            DataType::U8 | DataType::Bool => Self::U8,
            DataType::I16 => Self::I16,
            DataType::U16 => Self::U16,
            DataType::I32 => Self::I32,
            DataType::U32 => Self::U32,
            DataType::F32 => Self::F32,
            DataType::F64 => Self::F64,
            _ => return None,
        })
    }
    pub(super) fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }
    /// The type that a block's offset is stored in, of two bits in the block's first byte: smaller ones where it fits.
    pub(super) fn reduced(self, code: u8) -> Option<Self> {
        let list: &[Self] = match self {
            Self::I8 | Self::U8 => return Some(self),
            Self::I16 => &[Self::I16, Self::U8, Self::I8],
            Self::U16 => &[Self::U16, Self::U8],
            Self::I32 => &[Self::I32, Self::U16, Self::I16, Self::U8],
            Self::U32 => &[Self::U32, Self::U16, Self::U8],
            Self::F32 => &[Self::F32, Self::I16, Self::U8],
            Self::F64 => &[Self::F64, Self::F32, Self::I32, Self::I16],
        };
        list.get(usize::from(code)).copied()
    }
    /// A value of this type.
    pub(super) fn read(self, bytes: &mut Bytes<'_>) -> Result<f64> {
        Ok(match self {
            Self::I8 => f64::from(i8::from_le_bytes(bytes.array()?)),
            Self::U8 => f64::from(bytes.byte()?),
            Self::I16 => f64::from(i16::from_le_bytes(bytes.array()?)),
            Self::U16 => f64::from(u16::from_le_bytes(bytes.array()?)),
            Self::I32 => f64::from(i32::from_le_bytes(bytes.array()?)),
            Self::U32 => f64::from(u32::from_le_bytes(bytes.array()?)),
            Self::F32 => f64::from(f32::from_le_bytes(bytes.array()?)),
            Self::F64 => bytes.f64()?,
        })
    }
}

/// The header of one band.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub(super) version: i32,
    checksum: u32,
    pub(super) height: usize,
    pub(super) width: usize,
    /// Values of a pixel in this band.
    pub(super) depth: usize,
    pub(super) valid: usize,
    /// Rows and columns of a block.
    pub(super) block: usize,
    /// Bytes of the blob, this header among them.
    pub(super) length: usize,
    pub(super) kind: Kind,
    /// Bands that follow this one, as this one says.
    pub(super) more: i32,
    /// A value that stands for another one, which says "no data".
    pub(super) stands_for: bool,
    pub(super) max_error: f64,
    pub(super) least: f64,
    pub(super) most: f64,
    /// Bytes of this header.
    pub(super) bytes: usize,
}

impl Header {
    pub(super) const MAGIC: [u8; 6] = *b"Lerc2 ";
    /// Where what the checksum is over starts.
    const SUMMED: usize = 14;

    pub(super) fn read(input: &[u8]) -> Result<Self> {
        let mut from = Bytes(input);
        if from.array()? != Self::MAGIC {
            return Err(wrong("no LERC blob"));
        }
        let version = from.i32()?;
        if !(2..=6).contains(&version) {
            return Err(wrong(format!("version {version}")));
        }
        let checksum = if version >= 3 { u32::from_le_bytes(from.array()?) } else { 0 };
        let (height, width) = (from.positive("height")?, from.positive("width")?);
        let depth = if version >= 4 { from.positive("depth")? } else { 1 };
        let valid = from.count("number of valid pixels")?;
        let block = from.positive("block size")?;
        let length = from.count("blob's length")?;
        let kind = from.count("data type")?;
        let kind = *Kind::ALL.get(kind).ok_or_else(|| wrong(format!("data type {kind}")))?;
        let (more, stands_for) = if version >= 6 { (from.i32()?, from.array::<4>()?[0] != 0) } else { (0, false) };
        let (max_error, least, most) = (from.f64()?, from.f64()?, from.f64()?);
        let stands_for = version >= 6 && {
            let (stored, original) = (from.f64()?, from.f64()?);
            stands_for && stored.to_bits() != original.to_bits()
        };
        let bytes = input.len().saturating_sub(from.0.len());
        let pixels = height.checked_mul(width).filter(|n| i32::try_from(*n).is_ok());
        let pixels = pixels.ok_or_else(|| wrong(format!("{height} x {width} pixels")))?;
        if valid > pixels || length < bytes {
            return Err(wrong(format!("{valid} valid of {pixels} pixels in {length} bytes")));
        }
        Ok(Self { version, checksum, height, width, depth, valid, block, length, kind, more, stands_for, max_error, least, most, bytes })
    }

    pub(super) fn pixels(&self) -> usize {
        self.height.saturating_mul(self.width)
    }

    /// The bands of a whole input: each is a blob, one after the other. The first may say how many there are.
    pub(super) fn bands(&self, input: &[u8]) -> Result<usize> {
        if let Some(more) = u32::try_from(self.more).ok().map(size).filter(|n| *n > 0) {
            return if more > input.len().checked_div(self.bytes).unwrap_or(0) {
                Err(wrong(format!("{more} more bands in {} bytes", input.len())))
            } else {
                Ok(more.saturating_add(1))
            };
        }
        let (mut bands, mut rest) = (1usize, input.get(self.length..).unwrap_or_default());
        while let Ok(next) = Self::read(rest) {
            bands = bands.saturating_add(1);
            rest = rest.get(next.length..).unwrap_or_default();
        }
        Ok(bands)
    }

    /// What follows the header in this band's blob, whose checksum must be right.
    pub(super) fn content<'a>(&self, blob: &'a [u8]) -> Result<Bytes<'a>> {
        let blob = Bytes(blob).take(self.length)?;
        // The sum starts from two times 0xffff, which is 0 in the arithmetic of this sum, and so never ends as a 0.
        let ends = |sum: u32| if sum == 0 { 0xffff } else { sum };
        let sum = fletcher32(blob.get(Self::SUMMED..).unwrap_or_default());
        if self.version >= 3 && (ends(sum >> 16) << 16 | ends(sum & 0xffff)) != self.checksum {
            return Err(crate::error::Error::checksum("lerc"));
        }
        Ok(Bytes(blob.get(self.bytes..).unwrap_or_default()))
    }
}
