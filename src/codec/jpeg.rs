//! JPEG tiles and strips (TIFF technical note 2): baseline and progressive, 8 bits a sample, tables in the stream or kept apart.

use bytes::Bytes;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::huffman::STANDARD_HUFFMAN;
use super::{ChunkContext, Codec, Output, Scratch, array, image};
use crate::error::{Error, Result};
use crate::model::{JpegColor, Limits};

#[derive(Debug)]
pub(super) struct Jpeg {
    /// Without its start and end of image.
    tables: Option<Bytes>,
    color: JpegColor,
    samples: usize,
}

impl Jpeg {
    pub(super) fn new(tables: Option<&Bytes>, color: JpegColor, samples: u16, bits: u8) -> Result<Self> {
        if bits != 8 {
            return Err(Error::unsupported(format!("JPEG of {bits} bits a sample")));
        }
        let tables = tables.filter(|t| !t.is_empty()).map(|tables| {
            let body = tables.strip_prefix(&[0xff, 0xd8]).unwrap_or(tables);
            let body = body.strip_suffix(&[0xff, 0xd9]).unwrap_or(body);
            tables.slice_ref(body)
        });
        Ok(Self { tables, color, samples: usize::from(samples) })
    }
}

/// What a frame header says.
struct Frame {
    bits: u8,
    height: usize,
    width: usize,
    components: usize,
}

/// The segments of a stream or of tables up to the first scan: each marker's code, and what follows it.
struct Segments<'a>(&'a [u8]);

impl<'a> Iterator for Segments<'a> {
    type Item = (u8, &'a [u8]);
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            // A marker is 0xff, any fill bytes of 0xff, and its code.
            let after = self.0.strip_prefix(&[0xff])?;
            let code = after.iter().position(|b| *b != 0xff)?;
            let (marker, segment) = after.get(code..)?.split_first()?;
            match *marker {
                0x01 | 0xd0..=0xd8 => self.0 = segment,
                0x00 | 0xd9 | 0xda => return None,
                marker => {
                    let length = usize::from(u16::from_be_bytes(array(segment, 0)?));
                    self.0 = segment.get(length.max(2)..)?;
                    return Some((marker, segment));
                }
            }
        }
    }
}

/// The frame header of a stream.
fn frame(stream: &[u8]) -> Result<Frame> {
    if !stream.starts_with(&[0xff, 0xd8]) {
        return Err(Error::codec("jpeg", "not a JPEG stream"));
    }
    let is_frame = |marker: u8| matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc);
    let found = Segments(stream).find(|(marker, _)| is_frame(*marker));
    found.ok_or_else(|| Error::codec("jpeg", "no frame header")).and_then(|(marker, segment)| parse_frame(marker, segment))
}

fn has_huffman(stream: &[u8]) -> bool {
    Segments(stream).any(|(marker, _)| marker == 0xc4)
}

fn parse_frame(marker: u8, segment: &[u8]) -> Result<Frame> {
    let [_, _, bits, h1, h0, w1, w0, components] = array::<8>(segment, 0).ok_or_else(|| Error::codec("jpeg", "the frame header ends early"))?;
    match marker {
        0xc0..=0xc2 => {}
        0xc3 => return Err(Error::unsupported("lossless JPEG")),
        0xc9..=0xcb => return Err(Error::unsupported("JPEG with arithmetic coding")),
        _ => return Err(Error::unsupported("hierarchical JPEG")),
    }
    Ok(Frame {
        bits,
        height: usize::from(u16::from_be_bytes([h1, h0])),
        width: usize::from(u16::from_be_bytes([w1, w0])),
        components: usize::from(components),
    })
}

impl Codec for Jpeg {
    fn name(&self) -> &str {
        "jpeg"
    }
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let frame = frame(input)?;
        if frame.bits != 8 {
            return Err(Error::unsupported(format!("JPEG of {} bits a sample", frame.bits)));
        }
        if frame.components != self.samples {
            return Err(Error::codec("jpeg", format!("{} components where the chunk has {} samples", frame.components, self.samples)));
        }
        let rows = image::rows("jpeg", chunk, frame.width, frame.height, self.samples)?;
        let tables: &[u8] = self.tables.as_deref().unwrap_or_default();
        let standard: &[u8] = if has_huffman(tables) || has_huffman(input) { &[] } else { &STANDARD_HUFFMAN };
        if tables.is_empty() && standard.is_empty() {
            return self.decode_stream(input, &frame, rows, chunk, scratch, output);
        }
        let mut stream = scratch.take(0)?;
        stream.clear();
        let body = input.get(2..).unwrap_or_default();
        let length = tables.len().saturating_add(standard.len()).saturating_add(input.len());
        stream.try_reserve(length).map_err(|_| Error::limit("memory", length as u64, 0))?;
        stream.extend_from_slice(&[0xff, 0xd8]);
        stream.extend_from_slice(tables);
        stream.extend_from_slice(standard);
        stream.extend_from_slice(body);
        let done = self.decode_stream(&stream, &frame, rows, chunk, scratch, output);
        scratch.give(stream);
        done
    }
}

impl Jpeg {
    fn decode_stream(
        &self,
        stream: &[u8],
        frame: &Frame,
        rows: usize,
        chunk: &ChunkContext<'_>,
        scratch: &mut Scratch,
        output: &mut Output<'_>,
    ) -> Result<()> {
        let failed = |e: zune_jpeg::errors::DecodeErrors| Error::codec("jpeg", format!("{e:?}"));
        let options = DecoderOptions::default().set_max_width(frame.width).set_max_height(frame.height);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(stream), options);
        decoder.decode_headers().map_err(failed)?;
        let stored = decoder.input_colorspace().unwrap_or(ColorSpace::Unknown);
        let wanted = match (self.samples, self.color) {
            (1, _) => ColorSpace::Luma,
            (3, JpegColor::ToRgb) => ColorSpace::RGB,
            (3 | 4, _) => stored,
            (samples, _) => return Err(Error::unsupported(format!("JPEG of {samples} components"))),
        };
        decoder.set_options(options.jpeg_set_out_colorspace(wanted));
        let size = frame.width.saturating_mul(frame.height).saturating_mul(self.samples);
        if decoder.output_buffer_size() != Some(size) {
            return Err(Error::codec("jpeg", "the tables and the stream differ in what they hold"));
        }
        let row = frame.width.saturating_mul(self.samples);
        let target = output.sized("jpeg", rows.saturating_mul(row))?;
        if rows == frame.height {
            // What the decoder leaves out is 0, whatever the buffer held.
            target.fill(0);
            return decoder.decode_into(target).map_err(failed);
        }
        Limits::check("max_chunk_bytes", size as u64, chunk.limits.max_chunk_bytes)?;
        let mut whole = scratch.take(size)?;
        whole.fill(0);
        let done = decoder.decode_into(whole.get_mut(..size).unwrap_or_default()).map_err(failed);
        target.copy_from_slice(whole.get(..target.len()).unwrap_or_default());
        scratch.give(whole);
        done
    }
}
