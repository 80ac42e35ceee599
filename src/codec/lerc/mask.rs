//! Which pixels of a band are valid.

use std::ops::Range;

use super::header::{Bytes, Header};
use super::wrong;
use crate::error::Result;
use crate::model::{reserve, zeroed};

/// Which pixels are valid.
#[derive(Debug, Clone)]
pub(super) enum Mask {
    All,
    /// A bit a pixel, the highest of a byte first.
    Some(Vec<u8>),
}

impl Mask {
    pub(super) fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }
    #[inline(always)]
    pub(super) fn is_valid(&self, pixel: usize) -> bool {
        match self {
            Self::All => true,
            Self::Some(bits) => bits.get(pixel / 8).is_some_and(|byte| byte << (pixel % 8) & 0x80 != 0),
        }
    }

    /// Runs of pixels that are not valid; the last may go beyond the last pixel.
    pub(super) fn each_lost(&self, mut pixels: impl FnMut(Range<usize>)) {
        let Self::Some(bits) = self else { return };
        let mut first = 0usize;
        for same in bits.chunk_by(|a, b| a == b) {
            let end = first.saturating_add(same.len().saturating_mul(8));
            match same.first() {
                Some(0) => pixels(first..end),
                Some(0xff) | None => {}
                Some(byte) => {
                    for pixel in (first..end).filter(|pixel| byte << (pixel % 8) & 0x80 == 0) {
                        pixels(pixel..pixel.saturating_add(1));
                    }
                }
            }
            first = end;
        }
    }

    /// Of bits for so many pixels.
    pub(super) fn of(mut bits: Vec<u8>, pixels: usize) -> Self {
        bits.truncate(pixels.div_ceil(8));
        if let (Some(last), rest @ 1..) = (bits.last_mut(), pixels % 8) {
            *last &= !(0xff >> rest);
        }
        let valid = bits.iter().fold(0usize, |sum, byte| sum.saturating_add(super::size(byte.count_ones())));
        if valid == pixels { Self::All } else { Self::Some(bits) }
    }

    /// The mask of a band. A band that stores none where it needs one has the one of the band before.
    pub(super) fn read(header: &Header, from: &mut Bytes<'_>, before: Option<&Self>) -> Result<Self> {
        let stored = u32::from_le_bytes(from.array()?).cast_signed();
        if header.valid == header.pixels() {
            return Ok(Self::All);
        }
        let bytes = header.pixels().div_ceil(8);
        if header.valid == 0 {
            return Ok(Self::Some(zeroed(bytes)?));
        }
        match u32::try_from(stored) {
            Ok(stored @ 1..) => Ok(Self::of(expand(Bytes(from.take(super::size(stored))?), bytes)?, header.pixels())),
            _ => before.cloned().ok_or_else(|| wrong("no mask where some pixels are not valid")),
        }
    }
}

/// Runs: a 16-bit count and as many bytes, or its negative and the byte that is repeated; the least number ends them.
fn expand(mut from: Bytes<'_>, length: usize) -> Result<Vec<u8>> {
    // A run is three bytes for 32767 at most: what the input cannot fill is not asked for.
    let mut bits = reserve(length.min(from.0.len().saturating_mul(1 << 14)))?;
    loop {
        let count = i16::from_le_bytes(from.array()?);
        let run = usize::from(count.unsigned_abs());
        if count == i16::MIN {
            break;
        }
        if run > length.saturating_sub(bits.len()) {
            return Err(wrong("a mask of more bits than pixels"));
        }
        if count > 0 {
            bits.extend_from_slice(from.take(run)?);
        } else {
            let byte = from.byte()?;
            bits.resize(bits.len().saturating_add(run), byte);
        }
    }
    if bits.len() == length { Ok(bits) } else { Err(wrong("a mask of fewer bits than pixels")) }
}
