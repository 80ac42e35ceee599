//! LERC blobs: values, and which of them are valid.
//!
//! A value that is not valid is NaN where the type has it and 0 else, as in libtiff; where a chunk has one sample more than its blob,
//! that sample is the mask as opaque or transparent alpha.
//!
//! LERC2 is decoded here, straight to where the chunk has its values: [`band`] says how. A few codings are left to `lerc-rs`: [`library`]
//! says which. What both give is the same, bit for bit.

mod band;
mod header;
mod huffman;
mod library;
mod mask;
mod quants;
#[cfg(test)]
mod tests;
mod value;

use self::band::Target;
use self::header::{Header, Kind};
use self::mask::Mask;
use self::value::Value;
use super::{ChunkContext, Codec, Output, Scratch, image, size};
use crate::error::{Error, Result};
use crate::model::{DataType, Limits, reserve};

#[derive(Debug)]
pub(super) struct Lerc {
    pub(super) samples: usize,
}

fn wrong(message: impl Into<String>) -> Error {
    Error::codec("lerc", message)
}

/// The size of what an input holds.
#[derive(Debug, Clone, Copy)]
struct Shape {
    width: usize,
    height: usize,
    /// Values of a pixel in a band.
    depth: usize,
    bands: usize,
}

impl Shape {
    fn stored(&self) -> usize {
        self.depth.saturating_mul(self.bands)
    }
}

/// What came of a band.
#[derive(Debug)]
enum Decoded {
    Here(Mask),
    /// The coding is one of [`library`]'s.
    Elsewhere,
}

impl Codec for Lerc {
    fn name(&self) -> &str {
        "lerc"
    }
    fn working_memory(&self, output: usize) -> usize {
        output.saturating_mul(10).saturating_add(1 << 20)
    }
    fn declared(&self, input: &[u8], data_type: &DataType) -> Result<Option<usize>> {
        let shape = if input.starts_with(&Header::MAGIC) {
            let first = Header::read(input)?;
            Shape { width: first.width, height: first.height, depth: first.depth, bands: first.bands(input)? }
        } else {
            library::shape(input)?
        };
        // Where the chunk has a sample more, it is made of the mask.
        let samples = shape.width.saturating_mul(shape.height).saturating_mul(shape.stored().saturating_add(1));
        Ok(data_type.size().map(|size| samples.saturating_mul(size)))
    }
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let header = if input.starts_with(&Header::MAGIC) { Some(Header::read(input)?) } else { None };
        let shape = match &header {
            Some(first) => Shape { width: first.width, height: first.height, depth: first.depth, bands: first.bands(input)? },
            None => library::shape(input)?,
        };
        let Shape { width, height, .. } = shape;
        let stored = shape.stored();
        let alpha = stored.checked_add(1) == Some(self.samples);
        if stored != self.samples && !alpha {
            return Err(wrong(format!("{stored} values a pixel where the chunk has {}", self.samples)));
        }
        let rows = image::rows("lerc", chunk, width, height, self.samples)?;
        let values = width.saturating_mul(height).saturating_mul(stored);
        Limits::check("max_chunk_bytes", (values as u64).saturating_mul(8), chunk.limits.max_chunk_bytes.saturating_mul(8))?;
        let element = chunk.data_type.size().unwrap_or(1);
        let pixels = width.saturating_mul(rows);
        let pixel = self.samples.saturating_mul(element);
        let target = output.sized("lerc", pixels.saturating_mul(pixel))?;
        let masks = match header.map(|header| bands(input, &header, &shape, chunk.data_type, rows, pixel, target)).transpose()?.flatten() {
            Some(masks) => masks,
            None => library::decode(input, &shape, chunk.data_type, pixel, target)?,
        };
        let placed = Placed { masks: &masks, element, stored, samples: self.samples, depth: shape.depth };
        if alpha {
            placed.fill_alpha(target);
        }
        if masks.iter().any(|mask| !mask.is_all()) {
            let mut validity = reserve(pixels.saturating_mul(self.samples))?;
            validity.resize(pixels.saturating_mul(self.samples), 1);
            match Kind::of(chunk.data_type) {
                Some(Kind::F32) => placed.mask(f32::NOTHING, target, &mut validity),
                Some(Kind::F64) => placed.mask(f64::NOTHING, target, &mut validity),
                Some(Kind::I16 | Kind::U16) => placed.mask(u16::NOTHING, target, &mut validity),
                Some(Kind::I32 | Kind::U32) => placed.mask(u32::NOTHING, target, &mut validity),
                _ => placed.mask(u8::NOTHING, target, &mut validity),
            }
            scratch.validity = Some(validity);
        }
        Ok(())
    }
}

/// Decodes all bands of an input; `None` where one of them is not for this decoder.
fn bands(
    input: &[u8],
    first: &Header,
    shape: &Shape,
    data_type: &DataType,
    rows: usize,
    pixel: usize,
    target: &mut [u8],
) -> Result<Option<Vec<Mask>>> {
    let mut masks: Vec<Mask> = Vec::new();
    let mut rest = input;
    for k in 0..shape.bands {
        let header = Header::read(rest)?;
        let size_of = |header: &Header| (header.width, header.height, header.depth, header.kind);
        if size_of(&header) != size_of(first) {
            return Err(wrong("bands of different sizes or types"));
        }
        if Kind::of(data_type) != Some(header.kind) {
            return Err(wrong(format!("the blob's values are not {data_type}")));
        }
        let element = data_type.size().unwrap_or(1);
        let start = k.saturating_mul(shape.depth).saturating_mul(element);
        let mut target = Target { bytes: target, width: shape.width, rows, pixel, start };
        let (before, target) = (masks.last(), &mut target);
        let decoded = match header.kind {
            Kind::I8 => band::decode::<i8>(&header, rest, before, target),
            Kind::U8 => band::decode::<u8>(&header, rest, before, target),
            Kind::I16 => band::decode::<i16>(&header, rest, before, target),
            Kind::U16 => band::decode::<u16>(&header, rest, before, target),
            Kind::I32 => band::decode::<i32>(&header, rest, before, target),
            Kind::U32 => band::decode::<u32>(&header, rest, before, target),
            Kind::F32 => band::decode::<f32>(&header, rest, before, target),
            Kind::F64 => band::decode::<f64>(&header, rest, before, target),
        };
        match decoded? {
            Decoded::Here(mask) => masks.push(mask),
            Decoded::Elsewhere => return Ok(None),
        }
        rest = rest.get(header.length..).unwrap_or_default();
    }
    Ok(Some(masks))
}

/// Values in their places, and what their masks say.
struct Placed<'a> {
    masks: &'a [Mask],
    /// Bytes of a value.
    element: usize,
    /// Values of a pixel in the blob, and in the chunk.
    stored: usize,
    samples: usize,
    /// Values of a pixel in a band.
    depth: usize,
}

impl Placed<'_> {
    fn fill_alpha(&self, target: &mut [u8]) {
        let start = self.stored.saturating_mul(self.element);
        for pixel in target.chunks_exact_mut(self.samples.saturating_mul(self.element).max(1)) {
            pixel.get_mut(start..).unwrap_or_default().fill(u8::MAX);
        }
    }

    /// Takes away the values that are not valid.
    fn mask<T: Value>(&self, nothing: T, target: &mut [u8], validity: &mut [u8]) {
        let nothing = bytemuck::bytes_of(&nothing);
        let element = size_of::<T>();
        let pixel = self.samples.saturating_mul(element);
        let pixels = target.len().checked_div(pixel).unwrap_or(0);
        for (band, mask) in self.masks.iter().enumerate() {
            let first = band.saturating_mul(self.depth);
            // Alpha goes by the first band's mask.
            let alpha = if band == 0 { self.stored..self.samples } else { 0..0 };
            mask.each_lost(|run| {
                let run = run.start..run.end.min(pixels);
                let part = |step: usize| run.start.saturating_mul(step)..run.end.saturating_mul(step);
                if pixel == element {
                    let lost = target.get_mut(part(element)).unwrap_or_default();
                    lost.chunks_exact_mut(element).for_each(|value| value.copy_from_slice(nothing));
                    return validity.get_mut(run).unwrap_or_default().fill(0);
                }
                for pixel in target.get_mut(part(pixel)).unwrap_or_default().chunks_exact_mut(pixel.max(1)) {
                    for value in pixel.chunks_exact_mut(element).skip(first).take(self.depth) {
                        value.copy_from_slice(nothing);
                    }
                    for value in pixel.chunks_exact_mut(element).skip(alpha.start).take(alpha.len()) {
                        value.fill(0);
                    }
                }
                for valid in validity.get_mut(part(self.samples)).unwrap_or_default().chunks_exact_mut(self.samples.max(1)) {
                    for samples in [first..first.saturating_add(self.depth), alpha.clone()] {
                        valid.get_mut(samples).unwrap_or_default().fill(0);
                    }
                }
            });
        }
    }
}
