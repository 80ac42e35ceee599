//! JPEG 2000 tiles and strips (ISO/IEC 15444-1): bare codestreams or in JP2 boxes, reversible and irreversible.
//!
//! Samples are given as the codestream holds them, its own multiple component transform undone. What JP2 boxes say of colours, palettes and
//! the order of channels is not looked at: that is for the tags of the file around it. The exception is chroma at a lower resolution than
//! luma, which has no pixels to give; it becomes RGB, as with the other readers.

mod markers;

use hayro_jpeg2000::{ComponentData, DecodeError, DecodeSettings, DecoderContext, Image};

use super::{ChunkContext, Codec, Output, Scratch, image, size};
use crate::error::{Error, Result};
use crate::model::{DataType, Limits};

#[derive(Debug)]
pub(super) struct Jpeg2000 {
    pub(super) samples: usize,
}

/// The decoder computes in `f32`. Wavelets and the component transform add up to 4 bits to those of a sample, and 24 are exact.
const MOST_BITS: u8 = 20;

impl Codec for Jpeg2000 {
    fn name(&self) -> &str {
        "jpeg2000"
    }
    fn working_memory(&self, output: usize) -> usize {
        output.saturating_mul(48).saturating_add(4 << 20)
    }
    fn declared(&self, input: &[u8], data_type: &DataType) -> Result<Option<usize>> {
        let (width, height) = markers::size_of_image(markers::codestream(input)?)?;
        let samples = width.saturating_mul(height).saturating_mul(self.samples);
        Ok(data_type.size().map(|size| samples.saturating_mul(size)))
    }
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let failed = |e: DecodeError| Error::codec("jpeg2000", e.to_string());
        let codestream = markers::codestream(input)?;
        let header = markers::check(codestream, self.samples)?;
        let Sample { bytes, low, high } = sample(header.depth, header.signed, chunk.data_type)?;

        let settings = DecodeSettings { resolve_palette_indices: false, strict: true, target_resolution: None };
        let image = Image::new(codestream, &settings).map_err(failed)?;
        let (width, height) = (size(image.width()), size(image.height()));
        let rows = image::rows("jpeg2000", chunk, width, height, self.samples)?;
        let pixel = self.samples.saturating_mul(bytes);
        let whole = width.saturating_mul(height).saturating_mul(pixel);
        Limits::check("max_chunk_bytes", whole as u64, chunk.limits.max_chunk_bytes)?;
        let target = output.sized("jpeg2000", width.saturating_mul(rows).saturating_mul(pixel))?;

        let mut context = DecoderContext::default();
        let decoded = image.decode(&mut context).map_err(failed)?;
        let components = decoded.components();
        if components.len() != self.samples || components.iter().any(|c| c.samples().len() < width.saturating_mul(rows)) {
            return Err(Error::codec("jpeg2000", "components of different sizes"));
        }
        // The decoder takes signed samples for unsigned ones and moves them up by half their range.
        let shift = if header.signed { low } else { 0 };
        for (i, component) in components.iter().enumerate() {
            let start = i.saturating_mul(bytes);
            let values = values(component, shift, low, high);
            for (to, value) in target.chunks_exact_mut(pixel.max(1)).zip(values) {
                if let Some(to) = to.get_mut(start..start.saturating_add(bytes)) {
                    to.copy_from_slice(native(&value, bytes));
                }
            }
        }
        Ok(())
    }
}

/// The values of a component, rounded as the other decoders round, in their range.
fn values(component: &ComponentData, shift: i32, low: i32, high: i32) -> impl Iterator<Item = [u8; 4]> {
    #[allow(clippy::cast_possible_truncation, reason = "a cast from float to integer takes the nearest number there is")]
    let round = |sample: &f32| sample.round_ties_even() as i32;
    component.samples().iter().map(move |sample| round(sample).saturating_add(shift).clamp(low, high).to_ne_bytes())
}

/// The last bytes of a number that its value needs.
fn native(value: &[u8; 4], bytes: usize) -> &[u8] {
    if cfg!(target_endian = "little") { value.get(..bytes) } else { value.get(4usize.saturating_sub(bytes)..) }.unwrap_or_default()
}

/// How a sample is stored in the chunk.
struct Sample {
    bytes: usize,
    low: i32,
    high: i32,
}

/// What samples of this depth become; the chunk's type must hold them.
fn sample(depth: u8, signed: bool, data_type: &DataType) -> Result<Sample> {
    let (bytes, fits) = match (data_type, signed) {
        (DataType::U8, false) | (DataType::I8, true) => (1, depth <= 8),
        (DataType::U16, false) | (DataType::I16, true) => (2, depth <= 16),
        (DataType::U32, false) | (DataType::I32, true) => (4, true),
        _ => (0, false),
    };
    if !fits {
        let kind = if signed { "signed" } else { "unsigned" };
        return Err(Error::codec("jpeg2000", format!("{kind} samples of {depth} bits where the chunk has {data_type}")));
    }
    if depth > MOST_BITS {
        return Err(Error::unsupported(format!("JPEG 2000 of {depth} bits a sample")));
    }
    let range = 1i32.checked_shl(u32::from(depth)).unwrap_or(i32::MAX);
    let low = if signed { (range >> 1).saturating_neg() } else { 0 };
    Ok(Sample { bytes, low, high: low.saturating_add(range.saturating_sub(1)) })
}
