//! WebP tiles, lossy and lossless, as RGB or RGBA.

use std::io::Cursor;

use super::{ChunkContext, Codec, Output, Scratch, image, size};
use crate::error::{Error, Result};
use crate::model::Limits;

#[derive(Debug)]
pub(super) struct Webp {
    pub(super) samples: usize,
}

impl Codec for Webp {
    fn name(&self) -> &str {
        "webp"
    }
    /// All of an image whose opaque alpha is not wanted, and the decoder's own pixels, planes and tables, which follow from the size of the image.
    fn working_memory(&self, output: usize) -> usize {
        output.saturating_mul(8).saturating_add(4 << 20)
    }
    fn declared(&self, input: &[u8], _: &crate::model::DataType) -> Result<Option<usize>> {
        let decoder = image_webp::WebPDecoder::new(Cursor::new(input)).map_err(|e| Error::codec("webp", e.to_string()))?;
        let (width, height) = decoder.dimensions();
        Ok(Some(size(width).saturating_mul(size(height)).saturating_mul(self.samples)))
    }
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let failed = |e: image_webp::DecodingError| Error::codec("webp", e.to_string());
        let mut decoder = image_webp::WebPDecoder::new(Cursor::new(input)).map_err(failed)?;
        let (width, height) = decoder.dimensions();
        let rows = image::rows("webp", chunk, size(width), size(height), self.samples)?;
        if decoder.is_animated() {
            return Err(Error::unsupported("animated WebP"));
        }
        let stored = if decoder.has_alpha() { 4usize } else { 3 };
        let bytes = size(width).saturating_mul(size(height)).saturating_mul(stored);
        let bytes = Limits::check("max_chunk_bytes", bytes as u64, chunk.limits.max_chunk_bytes)?;
        decoder.set_memory_limit(bytes.saturating_mul(4).saturating_add(64 << 20));
        let target = output.sized("webp", size(width).saturating_mul(rows).saturating_mul(self.samples))?;
        if stored == self.samples && target.len() == bytes {
            return decoder.read_image(target).map_err(failed);
        }
        let mut whole = scratch.take(bytes)?;
        let done = decoder.read_image(whole.get_mut(..bytes).unwrap_or_default()).map_err(failed);
        for (pixel, from) in target.chunks_exact_mut(self.samples.max(1)).zip(whole.chunks_exact(stored)) {
            for (i, sample) in pixel.iter_mut().enumerate() {
                // An encoder leaves out an alpha that is opaque everywhere.
                *sample = from.get(i).copied().unwrap_or(u8::MAX);
            }
        }
        scratch.give(whole);
        done
    }
}
