//! Zstandard frames (RFC 8878), one or more, skippable ones among them. What a frame's header claims of its size is never trusted.

use super::{ChunkContext, Codec, Output, Scratch};
#[cfg(feature = "zstd")]
use super::{shortage, surplus};
use crate::error::{Error, Result};

#[derive(Debug)]
pub(super) struct Zstd;

/// A frame that is decoded piece by piece may refer back to so much, as a power of two. A writer that did not know the length says so much by its
/// level alone, however little follows.
const WINDOW: u32 = 27;

/// What a decoder fills of its window: as much as is decoded, and what every decoder is asked to take (RFC 8878, section 3.1.1.1.2).
fn window(decoded: usize) -> u32 {
    const LEAST: u32 = 23;
    decoded.checked_next_power_of_two().map_or(WINDOW, usize::ilog2).clamp(LEAST, WINDOW)
}

impl Codec for Zstd {
    fn name(&self) -> &str {
        "zstd"
    }
    fn gives_prefix(&self) -> bool {
        true
    }
    /// By the descriptor of the first frame (RFC 8878, section 3.1.1.1.1); a skippable one tells nothing.
    fn is_summed(&self, input: &[u8]) -> bool {
        input.get(4).is_none_or(|descriptor| descriptor & 4 != 0) || !input.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
    }
    fn working_memory(&self, output: usize) -> usize {
        1usize.checked_shl(window(output)).unwrap_or(usize::MAX).saturating_add(1 << 20)
    }
    /// A block of 128 KiB takes four bytes.
    fn most_output(&self, input: usize) -> Option<usize> {
        Some(input.saturating_mul(1 << 15))
    }
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        match output {
            Output::Prefix(out) => match chunk.stops_after(out.len()) {
                Some(_) => pieces(input, scratch, output),
                None => decode(input, scratch, output),
            },
            output => decode(input, scratch, output),
        }
    }
}

#[cfg(feature = "zstd")]
pub(super) fn decode(input: &[u8], scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
    let context = context(scratch)?;
    if let Output::Exact(out) | Output::Prefix(out) = &mut *output {
        match context.decompress(&mut **out, input) {
            Ok(given) if given == out.len() => return Ok(()),
            Ok(given) => return Err(shortage("zstd", given, out.len())),
            Err(code) if matches!(output, Output::Exact(_)) => {
                // ZSTD_error_dstSize_tooSmall
                return Err(if code == 0usize.wrapping_sub(70) { surplus("zstd") } else { failed(code) });
            }
            Err(_) => {}
        }
    }
    pieces(input, scratch, output)
}

#[cfg(feature = "zstd")]
fn failed(code: usize) -> Error {
    Error::codec("zstd", zstd_safe::get_error_name(code))
}

#[cfg(feature = "zstd")]
fn context(scratch: &mut Scratch) -> Result<&mut zstd_safe::DCtx<'static>> {
    match &mut scratch.zstd {
        Some(context) => Ok(context),
        none => Ok(none.insert(zstd_safe::DCtx::try_create().ok_or_else(|| Error::limit("memory", 0, 0))?)),
    }
}

/// Decodes piece by piece, up to what is asked for: as fast as in one go where that is four fifths of it.
#[cfg(feature = "zstd")]
fn pieces(input: &[u8], scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
    use zstd_safe::{DParameter, InBuffer, OutBuffer, ResetDirective};
    let context = context(scratch)?;
    context.reset(ResetDirective::SessionOnly).map_err(failed)?;
    context.set_parameter(DParameter::WindowLogMax(WINDOW)).map_err(failed)?;
    let mut source = InBuffer::around(input);
    let mut ended = true;
    output.fill("zstd", |room| {
        loop {
            if ended && source.pos() >= input.len() {
                return Ok(0);
            }
            let before = source.pos();
            let mut target = OutBuffer::around(&mut *room);
            let hint = context.decompress_stream(&mut target, &mut source).map_err(failed)?;
            let given = target.pos();
            ended = hint == 0;
            if given > 0 {
                return Ok(given);
            }
            if source.pos() == before && !ended {
                return Err(Error::codec("zstd", "the stream ends early"));
            }
        }
    })
}

#[cfg(not(feature = "zstd"))]
pub(super) fn decode(input: &[u8], scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
    pieces(input, scratch, output)
}

#[cfg(not(feature = "zstd"))]
fn pieces(input: &[u8], scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
    use std::io::Read;

    use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
    use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
    let failed = |e: FrameDecoderError| Error::codec("zstd", e.to_string());
    let decoder = scratch.zstd.get_or_insert_with(FrameDecoder::new);
    // Larger ones on demand: the decoder tells what it may take, not what it has.
    decoder.set_max_window_size(1 << window(output.most()));
    let mut rest = input;
    let mut inside = false;
    output.fill("zstd", |room| {
        loop {
            if !inside {
                if rest.is_empty() {
                    return Ok(0);
                }
                let frame = rest;
                match decoder.init(&mut rest) {
                    Ok(()) => inside = true,
                    Err(FrameDecoderError::WindowSizeTooBig { requested, .. })
                        if requested <= 1 << WINDOW && decoder.max_window_size() < requested =>
                    {
                        decoder.set_max_window_size(1 << WINDOW);
                        rest = frame;
                    }
                    Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                        rest = rest.get(super::size(length)..).ok_or_else(|| Error::codec("zstd", "the stream ends early"))?;
                        continue;
                    }
                    Err(e) => return Err(failed(e)),
                }
            }
            let given = decoder.read(room).map_err(|e| Error::codec("zstd", e.to_string()))?;
            if given > 0 {
                return Ok(given);
            }
            if decoder.is_finished() {
                if decoder.get_checksum_from_data().is_some_and(|c| decoder.get_calculated_checksum() != Some(c)) {
                    return Err(Error::checksum("zstd"));
                }
                inside = false;
            } else {
                decoder.decode_blocks(&mut rest, BlockDecodingStrategy::UptoBlocks(1)).map_err(failed)?;
            }
        }
    })
}
