//! JPEG XL tiles and strips (ISO/IEC 18181): bare codestreams or in their container, integers and floats, lossy and lossless.
//!
//! Samples are given as coded: not turned by the stream's orientation, spot colours not mixed in, alpha neither multiplied nor divided. The
//! extra channels follow the colours, as they do in TIFF.

use jxl::api::{
    Endianness, Event, JxlBitDepth, JxlDataFormat, JxlDecoder, JxlDecoderOptions, JxlOutputBuffer, JxlParallelRunner, JxlParallelRunnerFun,
    ProfileLevel,
};
use jxl::error::Error as JxlError;

use super::{ChunkContext, Codec, Output, Scratch, image};
use crate::error::{Error, Result};
use crate::model::{DataType, Limits};

#[derive(Debug)]
pub(super) struct JpegXl {
    pub(super) samples: usize,
}

/// Samples that frames may have beside those of the image: a frame of patches may be larger than the image it is for.
///
/// Few for a fuzzer: frames that are never shown are found soon, and take most of its time.
const SPARE_SAMPLES: usize = if cfg!(fuzzing) { 1 << 15 } else { 2 << 20 };

fn options(chunk_elements: usize) -> JxlDecoderOptions {
    let mut options = JxlDecoderOptions::default();
    options.adjust_orientation = false;
    options.render_spot_colors = false;
    options.max_profile_level = ProfileLevel::Main10;
    options.sample_limit = Some(chunk_elements.saturating_mul(4).saturating_add(SPARE_SAMPLES));
    options
}

fn failed(error: JxlError) -> Error {
    Error::codec("jpegxl", error.to_string())
}

/// Rounds of work on the frames of one image: a frame takes two to four, whatever its size, and an image has one frame, or three with patches
/// and a coarse one. A frame that is never shown costs a few bytes and as much work as `sample_limit` allows, so that their number has to
/// be limited too.
const MOST_ROUNDS: u64 = 32;

/// Runs one task after the other, in so many rounds.
struct Rounds(u64);

impl JxlParallelRunner for Rounds {
    fn run(&mut self, tasks: usize, task: &JxlParallelRunnerFun<'_>) -> jxl::error::Result<()> {
        self.run_ordered(tasks, None, task)
    }
    fn num_threads(&self) -> usize {
        1
    }
    fn run_ordered(&mut self, tasks: usize, _threads: Option<usize>, task: &JxlParallelRunnerFun<'_>) -> jxl::error::Result<()> {
        self.0 = self.0.saturating_add(1);
        if self.0 > MOST_ROUNDS {
            return Err(JxlError::ApiUsageError("more frames than an image has"));
        }
        (0..tasks).try_for_each(task)
    }
}

/// The next event that is not a wish for more input: what was given is all there is.
fn next(decoder: &mut JxlDecoder, input: &mut &[u8], buffers: Option<&mut [JxlOutputBuffer<'_>]>, rounds: &mut Rounds) -> Result<Event> {
    let event = decoder.process(input, buffers, Some(rounds));
    Limits::check("rounds of work on the frames of a JPEG XL image", rounds.0, MOST_ROUNDS)?;
    match event.map_err(failed)? {
        Event::NeedMoreInput { .. } => Err(Error::codec("jpegxl", "the data ends early")),
        event => Ok(event),
    }
}

/// How samples are to be given: as coded, so that nothing is scaled.
fn format(depth: &JxlBitDepth, data_type: &DataType) -> Result<JxlDataFormat> {
    let endianness = Endianness::native();
    let bits = u8::try_from(depth.bits_per_sample()).unwrap_or(u8::MAX);
    match (depth, data_type) {
        (JxlBitDepth::Int { .. }, DataType::U8) if bits <= 8 => Ok(JxlDataFormat::U8 { bit_depth: bits }),
        (JxlBitDepth::Int { .. }, DataType::U16) if bits <= 16 => Ok(JxlDataFormat::U16 { endianness, bit_depth: bits }),
        (JxlBitDepth::Float { exponent_bits_per_sample: ..=5, .. }, DataType::F16) if bits <= 16 => Ok(JxlDataFormat::F16 { endianness }),
        (JxlBitDepth::Float { .. }, DataType::F32) => Ok(JxlDataFormat::F32 { endianness }),
        _ => Err(Error::codec("jpegxl", format!("samples of {depth:?} where the chunk has {data_type}"))),
    }
}

/// The part of a buffer that starts where its elements are aligned, as the decoder wants them; `None` where it is too short.
fn aligned(buffer: &mut [u8], element: usize, length: usize) -> Option<&mut [u8]> {
    let start = buffer.as_ptr().align_offset(element);
    buffer.get_mut(start..start.checked_add(length)?)
}

impl Codec for JpegXl {
    fn name(&self) -> &str {
        "jpegxl"
    }
    fn working_memory(&self, output: usize) -> usize {
        output.saturating_mul(48).saturating_add(SPARE_SAMPLES.saturating_mul(16))
    }
    fn declared(&self, input: &[u8], data_type: &DataType) -> Result<Option<usize>> {
        let mut decoder = JxlDecoder::new(JxlDecoderOptions::default());
        next(&mut decoder, &mut { input }, None, &mut Rounds(0))?;
        let pixels = decoder.basic_info().map(|info| info.size.0.saturating_mul(info.size.1));
        Ok(pixels.zip(data_type.size()).map(|(pixels, size)| pixels.saturating_mul(self.samples).saturating_mul(size)))
    }
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let mut input = input;
        let mut decoder = JxlDecoder::new(options(chunk.elements()?));
        next(&mut decoder, &mut input, None, &mut Rounds(0))?;
        let (Some(info), Some(mut pixel)) = (decoder.basic_info(), decoder.current_pixel_format().cloned()) else {
            return Err(Error::codec("jpegxl", "no image header"));
        };
        let (width, height) = info.size;
        let (colors, extra) = (pixel.color_type.samples_per_pixel(), info.extra_channels.len());
        if colors.checked_add(extra) != Some(self.samples) {
            return Err(Error::codec("jpegxl", format!("{colors} colours and {extra} more channels where the chunk has {} samples", self.samples)));
        }
        let rows = image::rows("jpegxl", chunk, width, height, self.samples)?;
        if info.animation.is_some() {
            return Err(Error::unsupported("animated JPEG XL"));
        }
        let format = format(&info.bit_depth, chunk.data_type)?;
        pixel.color_data_format = Some(format);
        pixel.extra_channel_format = vec![Some(format); extra];
        decoder.set_pixel_format(pixel).map_err(failed)?;

        let layout = Layout { width, height, colors, extra, element: format.bytes_per_sample() };
        let length = Limits::check("max_chunk_bytes", layout.plane(self.samples) as u64, chunk.limits.max_chunk_bytes)?;
        let target = output.sized("jpegxl", width.saturating_mul(rows).saturating_mul(self.samples).saturating_mul(layout.element))?;
        if extra == 0
            && rows == height
            && let Some(direct) = aligned(target, layout.element, length)
        {
            return layout.decode(&mut decoder, input, direct);
        }
        let mut buffer = scratch.take(length.saturating_add(layout.element))?;
        let planes = aligned(&mut buffer, layout.element, length).unwrap_or_default();
        let done = layout.decode(&mut decoder, input, planes);
        if done.is_ok() {
            layout.interleave(planes, target);
        }
        scratch.give(buffer);
        done
    }
}

/// How the decoder lays out an image: the colours of a pixel side by side, then each extra channel as a plane.
struct Layout {
    width: usize,
    height: usize,
    colors: usize,
    extra: usize,
    /// Bytes of a sample.
    element: usize,
}

impl Layout {
    /// Bytes of a row of this many samples a pixel.
    fn row(&self, samples: usize) -> usize {
        self.width.saturating_mul(samples).saturating_mul(self.element)
    }
    fn plane(&self, samples: usize) -> usize {
        self.row(samples).saturating_mul(self.height)
    }

    fn decode(&self, decoder: &mut JxlDecoder, mut input: &[u8], planes: &mut [u8]) -> Result<()> {
        // Whatever the decoder leaves out is 0, whatever the buffer held.
        planes.fill(0);
        let (colors, extra) = planes.split_at_mut_checked(self.plane(self.colors)).unwrap_or_default();
        let mut buffers = Vec::with_capacity(self.extra.saturating_add(1));
        buffers.push(JxlOutputBuffer::new(colors, self.height, self.row(self.colors)));
        for plane in extra.chunks_exact_mut(self.plane(1).max(1)) {
            buffers.push(JxlOutputBuffer::new(plane, self.height, self.row(1)));
        }
        let mut rounds = Rounds(0);
        loop {
            match next(decoder, &mut input, Some(&mut buffers), &mut rounds)? {
                Event::FrameComplete { has_more_frames: false } | Event::Complete => return Ok(()),
                _ => {}
            }
        }
    }

    /// From colours and planes to pixels, as many as the target holds.
    fn interleave(&self, planes: &[u8], target: &mut [u8]) {
        let (colors, extra) = planes.split_at_checked(self.plane(self.colors)).unwrap_or_default();
        if self.extra == 0 {
            return target.copy_from_slice(colors.get(..target.len()).unwrap_or_default());
        }
        let color = self.colors.saturating_mul(self.element);
        let pixel = self.row(self.colors.saturating_add(self.extra)).checked_div(self.width).unwrap_or(0).max(1);
        for (to, from) in target.chunks_exact_mut(pixel).zip(colors.chunks_exact(color.max(1))) {
            if let Some(to) = to.get_mut(..color) {
                to.copy_from_slice(from);
            }
        }
        let starts = (color..).step_by(self.element.max(1));
        for (plane, start) in extra.chunks_exact(self.plane(1).max(1)).zip(starts) {
            let end = start.saturating_add(self.element);
            for (to, from) in target.chunks_exact_mut(pixel).zip(plane.chunks_exact(self.element.max(1))) {
                if let Some(to) = to.get_mut(start..end) {
                    to.copy_from_slice(from);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn hidden_frames_are_limited() {
        // The file is an input of the fuzz target: three bytes that choose the codec, then the stream.
        const HIDDEN: usize = 60;
        const HEADER: usize = 7;
        const FRAME: usize = 31;
        let stream = include_bytes!("../../testdata/bad/fuzz_codec_hidden_frames.bin").split_at(3).1;
        let limits = Limits::default();
        let chunk = ChunkContext::new(&[16, 16, 1], &DataType::U8, &limits);
        let decode = |hidden: usize| {
            let stream = [&stream[..HEADER], &stream[HEADER + (HIDDEN - hidden) * FRAME..]].concat();
            let mut out = [0xaa; 256];
            JpegXl { samples: 1 }.decode(&stream, &chunk, &mut Scratch::default(), &mut Output::Exact(&mut out)).map(|()| out)
        };
        for hidden in [0, 1, 4] {
            assert_eq!(decode(hidden).unwrap(), [0; 256], "{hidden}");
        }
        assert!(matches!(decode(HIDDEN).unwrap_err().kind(), ErrorKind::Limit { .. }));
    }
}
