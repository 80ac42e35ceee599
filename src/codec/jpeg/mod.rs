//! JPEG tiles and strips (TIFF technical note 2; ITU-T T.81): baseline, extended and progressive of 8 bits a sample, extended of 12, and
//! lossless of 2 to 16; tables in the stream or kept apart.
//!
//! zune-jpeg decodes what nearly all tiles are. What it leaves out is decoded here, with samples as libjpeg has them.

mod bits;
mod color;
mod common;
mod huffman;
mod idct;
mod lossless;
mod sequential;
mod standard;
mod stream;
mod upsample;

use bytes::Bytes;

use self::standard::STANDARD_HUFFMAN;
use super::{ChunkContext, Codec, Output, Scratch, image};
use crate::error::{Error, Result};
use crate::model::jpeg::{Frame, START, Segments};
use crate::model::{JpegColor, Limits, grow, zeroed};

#[derive(Debug)]
pub(super) struct Jpeg {
    /// Without its start and end of image.
    tables: Option<Bytes>,
    /// There is a frame header among them: old-style JPEG, which libtiff alone reads, and which comes out as it has it.
    old: bool,
    color: JpegColor,
    samples: usize,
    bits: u8,
}

fn failed(message: impl Into<String>) -> Error {
    Error::codec("jpeg", message.into())
}

impl Jpeg {
    pub(super) fn new(tables: Option<&Bytes>, color: JpegColor, samples: u16, bits: u8) -> Result<Self> {
        if !matches!(bits, 1..=16) {
            return Err(Error::unsupported(format!("JPEG of {bits} bits a sample")));
        }
        let tables = tables.filter(|t| !t.is_empty()).map(|tables| {
            let body = tables.strip_prefix(&START).unwrap_or(tables);
            let body = body.strip_suffix(&[0xff, 0xd9]).unwrap_or(body);
            tables.slice_ref(body)
        });
        let old = tables.as_deref().is_some_and(|tables| Frame::find(tables).is_some());
        Ok(Self { tables, old, color, samples: usize::from(samples), bits })
    }

    /// Bytes of a sample as decoded.
    fn sample_size(&self) -> usize {
        if self.bits > 8 { 2 } else { 1 }
    }

    /// Whether samples become RGB.
    fn is_to_rgb(&self) -> bool {
        self.color != JpegColor::AsStored && self.samples == 3
    }

    /// Turns samples of this many bits into what they are to become.
    fn convert(&self, samples: &mut [u16], bits: u8) {
        let pixels = samples.as_chunks_mut::<3>().0;
        match self.color {
            _ if !self.is_to_rgb() => {}
            JpegColor::ToRgb => color::to_rgb(pixels, bits),
            JpegColor::ToRgbWithin(reference) => color::to_rgb_within(pixels, reference),
            JpegColor::AsStored => {}
        }
    }
}

fn has_huffman(stream: &[u8]) -> bool {
    Segments::new(stream).any(|(marker, _)| marker == 0xc4)
}

impl Codec for Jpeg {
    fn name(&self) -> &str {
        "jpeg"
    }
    fn working_memory(&self, output: usize) -> usize {
        output.saturating_mul(8).saturating_add(4 << 20)
    }
    /// A block takes a bit at least, and stands for 32 x 32 samples at most.
    fn most_output(&self, input: usize) -> Option<usize> {
        Some(input.saturating_mul(1 << 14))
    }
    fn declared(&self, input: &[u8], _: &crate::model::DataType) -> Result<Option<usize>> {
        // It may be among the tables.
        let Some(frame) = Frame::find(input) else { return Ok(None) };
        let pixels = usize::from(frame.width).saturating_mul(usize::from(frame.height));
        Ok(Some(pixels.saturating_mul(frame.components.len()).saturating_mul(self.sample_size())))
    }
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let tables: &[u8] = self.tables.as_deref().unwrap_or_default();
        let body = input.strip_prefix(&START);
        if body.is_none() && !self.old {
            return Err(failed("not a JPEG stream"));
        }
        let standard: &[u8] = if has_huffman(tables) || has_huffman(input) { &[] } else { &STANDARD_HUFFMAN };
        if tables.is_empty() && standard.is_empty() {
            return self.decode_stream(input, chunk, scratch, output);
        }
        let mut stream = scratch.take(0)?;
        stream.clear();
        let body = body.unwrap_or(input);
        let length = tables.len().saturating_add(standard.len()).saturating_add(body.len()).saturating_add(START.len());
        grow(&mut stream, length)?;
        for part in [&START, standard, tables, body] {
            stream.extend_from_slice(part);
        }
        if self.old {
            self.set_height(&mut stream, chunk)?;
        }
        let done = self.decode_stream(&stream, chunk, scratch, output);
        scratch.give(stream);
        done
    }
}

impl Jpeg {
    /// A frame header among the tables is that of the image or of a full strip; the last strip is shorter.
    fn set_height(&self, stream: &mut [u8], chunk: &ChunkContext<'_>) -> Result<()> {
        let length = stream.len();
        let mut segments = Segments::new(stream);
        let Some((frame, behind)) = segments.by_ref().find_map(|(marker, body)| Some((Frame::parse(marker, body)?, body.len()))) else {
            return Ok(());
        };
        let row = usize::from(frame.width).saturating_mul(self.samples);
        let rows = chunk.elements()?.checked_div(row).and_then(|rows| u16::try_from(rows).ok()).unwrap_or(u16::MAX);
        let start = length.saturating_sub(segments.rest.len()).saturating_sub(behind).saturating_add(1);
        if rows < frame.height
            && let Some(height) = stream.get_mut(start..).and_then(<[u8]>::first_chunk_mut)
        {
            *height = rows.to_be_bytes();
        }
        Ok(())
    }

    fn decode_stream(&self, stream: &[u8], chunk: &ChunkContext<'_>, scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let frame = Frame::find(stream).ok_or_else(|| failed("no frame header"))?;
        if (frame.bits > 8) != (self.bits > 8) {
            return Err(failed(format!("samples of {} bits where the chunk has {}", frame.bits, self.bits)));
        }
        match (frame.marker, frame.bits) {
            (0xc0..=0xc2, 8) | (0xc0..=0xc1, 12) => {}
            (0xc2, 12) => return Err(Error::unsupported("progressive JPEG of 12 bits a sample")),
            (0xc0..=0xc2, bits) => return Err(failed(format!("{bits} bits a sample"))),
            (0xc3, _) => return self.decode_lossless(stream, &frame, chunk, output),
            (0xc9..=0xcb, _) => return Err(Error::unsupported("JPEG with arithmetic coding")),
            _ => return Err(Error::unsupported("hierarchical JPEG")),
        }
        if frame.components.len() != self.samples {
            return Err(failed(format!("{} components where the chunk has {} samples", frame.components.len(), self.samples)));
        }
        let rows = image::rows("jpeg", chunk, usize::from(frame.width), usize::from(frame.height), self.samples)?;
        if frame.marker == 0xc2 || common::is_common(&frame) && !self.old {
            return self.decode_common(stream, &frame, rows, chunk, scratch, output);
        }
        self.decode_sequential(stream, &frame, rows, chunk, output)
    }

    fn decode_sequential(&self, stream: &[u8], frame: &Frame<'_>, rows: usize, chunk: &ChunkContext<'_>, output: &mut Output<'_>) -> Result<()> {
        let planes = sequential::decode(stream, frame, chunk.limits)?;
        let (width, samples, size) = (usize::from(frame.width), self.samples, self.sample_size());
        let row = width.saturating_mul(samples);
        let target = output.sized("jpeg", rows.saturating_mul(row).saturating_mul(size))?;
        // A row is 65,535 pixels at most, of the samples that the chunk has.
        let mut component = zeroed(width)?;
        let mut pixels = zeroed(row)?;
        let mut sums = Vec::new();
        for (y, target) in target.chunks_exact_mut(row.saturating_mul(size).max(1)).enumerate() {
            for (place, plane) in planes.iter().enumerate() {
                upsample::row(plane, y, !self.old, &mut component, &mut sums);
                let to = pixels.iter_mut().skip(place).step_by(samples.max(1));
                to.zip(&component).for_each(|(to, sample)| *to = *sample);
            }
            self.convert(&mut pixels, frame.bits);
            store(&pixels, target, size);
        }
        Ok(())
    }

    fn decode_lossless(&self, stream: &[u8], frame: &Frame<'_>, chunk: &ChunkContext<'_>, output: &mut Output<'_>) -> Result<()> {
        let (width, height) = (usize::from(frame.width), usize::from(frame.height));
        // Camera raw files have several pixels of one sample as one pixel of several components.
        let row = width.saturating_mul(frame.components.len());
        let columns = row.checked_div(self.samples).filter(|columns| columns.saturating_mul(self.samples) == row);
        let columns = columns.ok_or_else(|| failed(format!("{row} samples a row where the chunk has pixels of {}", self.samples)))?;
        let rows = image::rows("jpeg", chunk, columns, height, self.samples)?;
        let size = self.sample_size();
        let count = rows.saturating_mul(row);
        let target = output.sized("jpeg", count.saturating_mul(size))?;
        Limits::check("max_chunk_bytes", (count as u64).saturating_mul(2), chunk.limits.max_chunk_bytes)?;
        let mut samples = zeroed(count)?;
        // As stored, whatever the tags say: a conversion would lose something, and writers leave it out.
        lossless::decode(stream, frame, &mut samples)?;
        store(&samples, target, size);
        Ok(())
    }
}

/// Samples as elements of this size, in the machine's byte order.
fn store(samples: &[u16], target: &mut [u8], size: usize) {
    if size == 1 {
        target.iter_mut().zip(samples).for_each(|(to, n)| *to = u8::try_from(*n).unwrap_or(u8::MAX));
    } else {
        target.as_chunks_mut::<2>().0.iter_mut().zip(samples).for_each(|(to, n)| *to = n.to_ne_bytes());
    }
}
