//! SGILog and SGILog24: the logarithm of luminance in 16 bits, alone or with chromaticity (LogL16, LogLuv32, LogLuv24; G. W. Larson).
//!
//! Samples are those that libtiff gives for 16-bit data: the code of the luminance as stored, and CIE u' and v' times 2^15.

mod chroma;

use super::{ChunkContext, Codec, Output, Scratch};
use crate::error::{Error, Result};
use crate::model::{LogLuvCoding, zeroed};

const NAME: &str = "sgilog";

#[derive(Debug)]
pub(super) struct LogLuv(pub(super) LogLuvCoding);

impl Codec for LogLuv {
    fn name(&self) -> &str {
        match self.0 {
            LogLuvCoding::L16 | LogLuvCoding::Luv32 => NAME,
            LogLuvCoding::Luv24 => "sgilog24",
        }
    }
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let elements = chunk.elements()?;
        let samples = if self.0 == LogLuvCoding::L16 { 1 } else { 3 };
        // Samples of a pixel stand innermost, where there are several.
        let columns = match (samples, chunk.shape) {
            (1, [.., columns]) | (3, [.., columns, 3]) => *columns,
            _ => return Err(Error::codec(NAME, format!("pixels of {samples} samples in a chunk of {:?}", chunk.shape))),
        };
        let target = output.sized(NAME, elements.saturating_mul(2))?;
        let columns = usize::try_from(columns).unwrap_or(usize::MAX).min(elements);
        let row_bytes = columns.saturating_mul(samples).saturating_mul(2).max(1);
        let mut pixels = zeroed(columns)?;
        let mut data = Data(input);
        for (row, to) in target.chunks_exact_mut(row_bytes).enumerate() {
            pixels.fill(0u32);
            let whole = match self.0 {
                LogLuvCoding::L16 => data.planes(&mut pixels, &[8, 0]),
                LogLuvCoding::Luv32 => data.planes(&mut pixels, &[24, 16, 8, 0]),
                LogLuvCoding::Luv24 => data.triples(&mut pixels),
            };
            if whole.is_none() {
                return Err(Error::codec(NAME, format!("the data ends in row {row}")));
            }
            self.place(&pixels, to);
        }
        Ok(())
    }
}

impl LogLuv {
    fn place(&self, pixels: &[u32], to: &mut [u8]) {
        let mut values = to.as_chunks_mut::<2>().0.iter_mut();
        let mut put = |pixel: &[u16]| values.by_ref().zip(pixel).for_each(|(to, value)| *to = value.to_ne_bytes());
        for pixel in pixels {
            match self.0 {
                LogLuvCoding::L16 => put(&[low(*pixel)]),
                LogLuvCoding::Luv32 => put(&luv32(*pixel)),
                LogLuvCoding::Luv24 => put(&luv24(*pixel)),
            }
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
fn low(bits: u32) -> u16 {
    bits as u16
}

/// A chromaticity times 2^15.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "chromaticities are from 0 to 1")]
fn fixed(chromaticity: f64) -> u16 {
    (chromaticity * 32768.0) as u16
}

/// 16 bits of luminance, 8 each of u' and v' in steps of 1/410.
fn luv32(pixel: u32) -> [u16; 3] {
    let chromaticity = |code: u32| fixed(1.0 / 410.0 * (f64::from(code & 0xff) + 0.5));
    [low(pixel >> 16), chromaticity(pixel >> 8), chromaticity(pixel)]
}

/// 10 bits of luminance in steps of 4 of the 16-bit scale, and a code of chromaticity. The mask is libtiff's: of the two bits below the
/// luminance, which belong to the chromaticity, it keeps one.
fn luv24(pixel: u32) -> [u16; 3] {
    let (u, v) = chroma::decode(low(pixel & 0x3fff));
    [low(pixel >> 12 & 0xffd).wrapping_add(13314), fixed(u), fixed(v)]
}

struct Data<'a>(&'a [u8]);

impl Data<'_> {
    /// Planes of bytes, each in runs: 128 to 255 and a byte for 2 to 129 of it, else that many bytes as they are. What a run has beyond the
    /// row is left out, what is given as it is belongs to the next plane.
    fn planes(&mut self, pixels: &mut [u32], shifts: &[u32]) -> Option<()> {
        for shift in shifts {
            let mut rest = &mut *pixels;
            while !rest.is_empty() {
                let (count, data) = self.0.split_first()?;
                let given = if *count >= 128 {
                    let (byte, data) = data.split_first()?;
                    let length = usize::from(*count).saturating_sub(126).min(rest.len());
                    rest.iter_mut().take(length).for_each(|pixel| *pixel |= u32::from(*byte) << shift);
                    self.0 = data;
                    length
                } else {
                    let length = usize::from(*count).min(rest.len());
                    let literal = data.get(..length)?;
                    rest.iter_mut().zip(literal).for_each(|(pixel, byte)| *pixel |= u32::from(*byte) << shift);
                    self.0 = data.get(length..)?;
                    length
                };
                rest = rest.get_mut(given..)?;
            }
        }
        Some(())
    }

    /// Three bytes a pixel, the highest first.
    fn triples(&mut self, pixels: &mut [u32]) -> Option<()> {
        let length = pixels.len().checked_mul(3)?;
        let triples = self.0.get(..length)?.as_chunks::<3>().0;
        for (pixel, [a, b, c]) in pixels.iter_mut().zip(triples) {
            *pixel = u32::from_be_bytes([0, *a, *b, *c]);
        }
        self.0 = self.0.get(length..)?;
        Some(())
    }
}
