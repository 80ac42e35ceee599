//! LERC blobs: values, and which of them are valid.
//!
//! A value that is not valid is NaN where the type has it and 0 else, as in libtiff; where a chunk has one sample more than its blob,
//! that sample is the mask as opaque or transparent alpha.

use lerc::{Image, SampleData};

use super::{ChunkContext, Codec, Output, Scratch, image, size};
use crate::error::{Error, Result};
use crate::model::{DataType, Limits, reserve};

#[derive(Debug)]
pub(super) struct Lerc {
    pub(super) samples: usize,
}

impl Codec for Lerc {
    fn name(&self) -> &str {
        "lerc"
    }
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let failed = |e: lerc::LercError| Error::codec("lerc", e.to_string());
        let info = lerc::decode_info(input).map_err(failed)?;
        let (width, height) = (size(info.width), size(info.height));
        let stored = size(info.depth).saturating_mul(size(info.bands));
        let alpha = stored.checked_add(1) == Some(self.samples);
        if stored != self.samples && !alpha {
            return Err(Error::codec("lerc", format!("{stored} values a pixel where the chunk has {}", self.samples)));
        }
        let rows = image::rows("lerc", chunk, width, height, self.samples)?;
        let values = width.saturating_mul(height).saturating_mul(stored);
        Limits::check("max_chunk_bytes", (values as u64).saturating_mul(8), chunk.limits.max_chunk_bytes.saturating_mul(8))?;
        let decoded = lerc::decode(input).map_err(failed)?;
        let element = chunk.data_type.size().unwrap_or(1);
        let pixels = width.saturating_mul(rows);
        let target = output.sized("lerc", pixels.saturating_mul(self.samples).saturating_mul(element))?;
        let data = bytes_of(&decoded.data, chunk.data_type)?;
        let plan = Pixels { image: &decoded, element, stored, samples: self.samples, per_band: width.saturating_mul(height) };
        plan.place(data, target);
        if decoded.valid_masks.iter().any(|mask| !mask.is_all_valid()) {
            plan.mask(chunk.data_type, alpha, pixels, target, scratch)?;
        } else if alpha {
            plan.fill_alpha(target);
        }
        Ok(())
    }
}

/// The values as bytes; the blob's type must be the chunk's.
fn bytes_of<'a>(data: &'a SampleData, data_type: &DataType) -> Result<&'a [u8]> {
    Ok(match (data, data_type) {
        (SampleData::I8(v), DataType::I8) => bytemuck::must_cast_slice(v),
        (SampleData::U8(v), DataType::U8 | DataType::Bool) => v,
        (SampleData::I16(v), DataType::I16) => bytemuck::must_cast_slice(v),
        (SampleData::U16(v), DataType::U16) => bytemuck::must_cast_slice(v),
        (SampleData::I32(v), DataType::I32) => bytemuck::must_cast_slice(v),
        (SampleData::U32(v), DataType::U32) => bytemuck::must_cast_slice(v),
        (SampleData::F32(v), DataType::F32) => bytemuck::must_cast_slice(v),
        (SampleData::F64(v), DataType::F64) => bytemuck::must_cast_slice(v),
        (_, other) => return Err(Error::codec("lerc", format!("the blob's values are not {other}"))),
    })
}

struct Pixels<'a> {
    image: &'a Image,
    /// Bytes of a value.
    element: usize,
    /// Values of a pixel in the blob, and in the chunk.
    stored: usize,
    samples: usize,
    /// Pixels of a band of the blob.
    per_band: usize,
}

impl Pixels<'_> {
    /// From bands of interleaved depths to pixels.
    fn place(&self, data: &[u8], target: &mut [u8]) {
        if self.image.bands == 1 && self.stored == self.samples {
            return target.copy_from_slice(data.get(..target.len()).unwrap_or_default());
        }
        let depth = size(self.image.depth).saturating_mul(self.element);
        let pixel = self.samples.saturating_mul(self.element);
        for (band, values) in data.chunks_exact(self.per_band.saturating_mul(depth).max(1)).enumerate() {
            let start = band.saturating_mul(depth);
            let end = start.saturating_add(depth);
            for (to, from) in target.chunks_exact_mut(pixel.max(1)).zip(values.chunks_exact(depth.max(1))) {
                if let Some(to) = to.get_mut(start..end) {
                    to.copy_from_slice(from);
                }
            }
        }
    }

    fn fill_alpha(&self, target: &mut [u8]) {
        let start = self.stored.saturating_mul(self.element);
        for pixel in target.chunks_exact_mut(self.samples.saturating_mul(self.element).max(1)) {
            pixel.get_mut(start..).unwrap_or_default().fill(u8::MAX);
        }
    }

    fn mask(&self, data_type: &DataType, alpha: bool, pixels: usize, target: &mut [u8], scratch: &mut Scratch) -> Result<()> {
        let mut nothing = [0u8; 8];
        match data_type {
            DataType::F32 => nothing.split_at_mut(4).0.copy_from_slice(&f32::NAN.to_ne_bytes()),
            DataType::F64 => nothing = f64::NAN.to_ne_bytes(),
            _ => {}
        }
        let nothing = nothing.get(..self.element).unwrap_or_default();
        let mut validity = reserve("validity", pixels.saturating_mul(self.samples))?;
        let depth = size(self.image.depth);
        let masks = &self.image.valid_masks;
        for (at, pixel) in target.chunks_exact_mut(self.samples.saturating_mul(self.element).max(1)).enumerate() {
            for (sample, value) in pixel.chunks_exact_mut(self.element.max(1)).enumerate() {
                let mask = masks.get(sample.checked_div(depth).unwrap_or(0)).or_else(|| masks.first());
                let is_valid = mask.is_none_or(|m| m.is_valid(at));
                if alpha && sample == self.stored {
                    value.fill(if is_valid { u8::MAX } else { 0 });
                } else if !is_valid {
                    value.copy_from_slice(nothing);
                }
                validity.push(u8::from(is_valid));
            }
        }
        scratch.validity = Some(validity);
        Ok(())
    }
}
