//! PNG tiles (compression 34933 of TIFF): one to four samples of 8 or 16 bits, each as stored.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, DecodingError, Limits as PngLimits, Transformations};

use super::{ChunkContext, Codec, Output, Scratch, image, size};
use crate::error::{Error, Result};
use crate::model::{DataType, Endian, Limits};
use crate::simd;

#[derive(Debug)]
pub(super) struct Png {
    pub(super) samples: usize,
}

/// What the decoder may hold beside the pixels: its window and some rows.
const WORKING_MEMORY: usize = 4 << 20;

impl Codec for Png {
    fn name(&self) -> &str {
        "png"
    }
    /// All of an image of which a part is wanted, and what the decoder is limited to.
    fn working_memory(&self, output: usize) -> usize {
        output.saturating_mul(5).saturating_add(WORKING_MEMORY)
    }
    /// What Deflate gives, less a byte a row.
    fn most_output(&self, input: usize) -> Option<usize> {
        Some(input.saturating_mul(1032))
    }
    fn declared(&self, input: &[u8], data_type: &DataType) -> Result<Option<usize>> {
        let mut decoder = Decoder::new(Cursor::new(input));
        let header = decoder.read_header_info().map_err(|e| Error::codec("png", e.to_string()))?;
        let samples = size(header.width).saturating_mul(size(header.height)).saturating_mul(self.samples);
        Ok(data_type.size().map(|size| samples.saturating_mul(size)))
    }
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let failed = |e: DecodingError| Error::codec("png", e.to_string());
        let mut decoder = Decoder::new(Cursor::new(input));
        decoder.set_transformations(Transformations::IDENTITY);
        decoder.set_ignore_text_chunk(true);
        decoder.set_ignore_iccp_chunk(true);
        let header = decoder.read_header_info().map_err(failed)?;
        if header.color_type == ColorType::Indexed {
            return Err(Error::unsupported("PNG with a palette"));
        }
        if header.color_type.samples() != self.samples {
            return Err(Error::codec("png", format!("{} samples where the chunk has {}", header.color_type.samples(), self.samples)));
        }
        let element = match (header.bit_depth, chunk.data_type) {
            (BitDepth::Eight, DataType::U8) => 1usize,
            (BitDepth::Sixteen, DataType::U16) => 2,
            (depth, other) => return Err(Error::codec("png", format!("samples of {} bits where the chunk has {other}", depth as u8))),
        };
        let (width, height) = (size(header.width), size(header.height));
        let rows = image::rows("png", chunk, width, height, self.samples)?;
        let row = width.saturating_mul(self.samples).saturating_mul(element);
        let whole = Limits::check("max_chunk_bytes", row.saturating_mul(height) as u64, chunk.limits.max_chunk_bytes)?;
        decoder.set_limits(PngLimits { bytes: row.saturating_mul(4).saturating_add(WORKING_MEMORY) });
        let mut reader = decoder.read_info().map_err(failed)?;
        if reader.info().animation_control.is_some() {
            return Err(Error::unsupported("animated PNG"));
        }
        let target = output.sized("png", row.saturating_mul(rows))?;
        if rows == height {
            reader.next_frame(target).map_err(failed)?;
        } else {
            let mut buffer = scratch.take(whole)?;
            let done = reader.next_frame(buffer.get_mut(..whole).unwrap_or_default()).map_err(failed);
            target.copy_from_slice(buffer.get(..target.len()).unwrap_or_default());
            scratch.give(buffer);
            done?;
        }
        if Endian::native() == Endian::Little {
            simd::swap_bytes(target, element);
        }
        Ok(())
    }
}
