//! What nearly all tiles are, by zune-jpeg: 8 bits a sample, baseline and progressive, chroma at full or half resolution.

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::{Jpeg, failed};
use crate::codec::{ChunkContext, Output, Scratch};
use crate::error::{Error, Result};
use crate::model::jpeg::Frame;
use crate::model::{JpegColor, Limits};

/// Whether a sequential stream is decoded here.
pub(super) fn is_common(frame: &Frame<'_>) -> bool {
    let full = |components: &[[u8; 3]]| components.iter().all(|[_, sampling, _]| *sampling == 0x11);
    frame.bits == 8
        && match frame.components {
            [[_, 0x12 | 0x21 | 0x22, _], chroma @ ..] if chroma.len() == 2 => full(chroma),
            all => matches!(all.len(), 1 | 3 | 4) && full(all),
        }
}

impl Jpeg {
    pub(super) fn decode_common(
        &self,
        stream: &[u8],
        frame: &Frame<'_>,
        rows: usize,
        chunk: &ChunkContext<'_>,
        scratch: &mut Scratch,
        output: &mut Output<'_>,
    ) -> Result<()> {
        let error = |e: DecodeErrors| failed(format!("{e:?}"));
        let (width, height) = (usize::from(frame.width), usize::from(frame.height));
        let options = DecoderOptions::default().set_max_width(width).set_max_height(height);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(stream), options);
        decoder.decode_headers().map_err(error)?;
        let stored = decoder.input_colorspace().unwrap_or(ColorSpace::Unknown);
        // The tags say what the components are, whatever Adobe's marker says of them (so does libtiff).
        let converts = self.color == JpegColor::ToRgb && stored == ColorSpace::YCbCr;
        let wanted = match self.samples {
            1 => ColorSpace::Luma,
            3 if converts => ColorSpace::RGB,
            3 | 4 => stored,
            samples => return Err(Error::unsupported(format!("progressive JPEG of {samples} components"))),
        };
        decoder.set_options(options.jpeg_set_out_colorspace(wanted));
        let size = width.saturating_mul(height).saturating_mul(self.samples);
        if decoder.output_buffer_size() != Some(size) {
            return Err(failed("the tables and the stream differ in what they hold"));
        }
        let row = width.saturating_mul(self.samples);
        let target = output.sized("jpeg", rows.saturating_mul(row))?;
        if rows == height {
            // What the decoder leaves out is 0, whatever the buffer held.
            target.fill(0);
            decoder.decode_into(target).map_err(error)?;
        } else {
            Limits::check("max_chunk_bytes", size as u64, chunk.limits.max_chunk_bytes)?;
            let mut whole = scratch.take(size)?;
            whole.fill(0);
            let done = decoder.decode_into(whole.get_mut(..size).unwrap_or_default()).map_err(error);
            target.copy_from_slice(whole.get(..target.len()).unwrap_or_default());
            scratch.give(whole);
            done?;
        }
        if self.is_to_rgb() && !converts {
            for pixel in target.as_chunks_mut::<3>().0 {
                let mut wide = pixel.map(u16::from);
                self.convert(&mut wide, 8);
                *pixel = wide.map(|n| u8::try_from(n).unwrap_or(u8::MAX));
            }
        }
        Ok(())
    }
}
