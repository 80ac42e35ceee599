//! Deflate in its three wrappings: zlib (RFC 1950), raw (RFC 1951), gzip (RFC 1952).
//!
//! libdeflate decodes what has its exact size in one go. Where the size is unknown, where decoding may end before the stream does, and in
//! builds without the feature, zlib-rs decodes piece by piece.

use zlib_rs::{Inflate, InflateFlush, Status};

use super::{ChunkContext, Codec, Output, Scratch, array, u32_le};
#[cfg(feature = "deflate")]
use super::{shortage, surplus};
use crate::error::{Error, Result};

/// How the stream is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrapping {
    /// By zlib; where the first bytes are none of its headers, raw, as some TIFF writers have it.
    Zlib,
    Raw,
    Gzip,
}

#[derive(Debug)]
pub(super) struct Deflate(pub(super) Wrapping);

impl Deflate {
    fn id(&self) -> &'static str {
        match self.0 {
            Wrapping::Zlib => "zlib",
            Wrapping::Raw => "deflate",
            Wrapping::Gzip => "gzip",
        }
    }
}

impl Codec for Deflate {
    fn name(&self) -> &str {
        self.id()
    }
    fn gives_prefix(&self) -> bool {
        true
    }
    fn is_summed(&self, input: &[u8]) -> bool {
        match self.0 {
            Wrapping::Zlib => is_zlib(input),
            Wrapping::Raw => false,
            Wrapping::Gzip => true,
        }
    }
    /// 258 bytes take two bits.
    fn most_output(&self, input: usize) -> Option<usize> {
        Some(input.saturating_mul(1032))
    }
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let zlib = self.0 == Wrapping::Zlib && is_zlib(input);
        if let (Output::Prefix(out), Wrapping::Zlib | Wrapping::Raw) = (&mut *output, self.0)
            && let Some(whole) = chunk.stops_after(out.len())
        {
            return start(if zlib { "zlib" } else { self.id() }, input, zlib, whole, scratch, out);
        }
        match self.0 {
            Wrapping::Zlib if zlib => stream("zlib", input, true, scratch, output),
            Wrapping::Zlib | Wrapping::Raw => stream(self.id(), input, false, scratch, output),
            Wrapping::Gzip => gzip(input, scratch, output),
        }
    }
}

/// Whether these are the first bytes of a zlib stream without a preset dictionary.
fn is_zlib(input: &[u8]) -> bool {
    array::<2>(input, 0).is_some_and(|[method, flags]| method & 0x0f == 8 && u16::from_be_bytes([method, flags]) % 31 == 0)
}

/// Decodes one stream.
pub(super) fn stream(id: &'static str, input: &[u8], zlib: bool, scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
    #[cfg(feature = "deflate")]
    {
        use libdeflater::DecompressionError;
        if let Output::Exact(out) | Output::Prefix(out) = &mut *output {
            let decoder = scratch.deflate.get_or_insert_with(Default::default);
            let done = if zlib { decoder.zlib_decompress(input, out) } else { decoder.deflate_decompress(input, out) };
            match done {
                Ok(given) if given == out.len() => return Ok(()),
                Ok(given) => return Err(shortage(id, given, out.len())),
                Err(error) if matches!(output, Output::Exact(_)) => {
                    return Err(match error {
                        DecompressionError::InsufficientSpace => surplus(id),
                        DecompressionError::BadData => Error::codec(id, "the stream is damaged or ends early"),
                    });
                }
                // More than the chunk holds, or no checksum.
                Err(_) => {}
            }
        }
    }
    if let (Output::Prefix(_), true) = (&*output, zlib && !has_dictionary(input)) {
        return beginning(input, scratch, output);
    }
    let mut pieces = Pieces::new(id, input, zlib, scratch);
    let done = output.fill(id, |room| pieces.read(room));
    scratch.inflate = Some(pieces.decoder);
    done
}

/// Decodes the first bytes of a stream of `whole`; its checksum is not looked at.
fn start(id: &'static str, input: &[u8], zlib: bool, whole: usize, scratch: &mut Scratch, out: &mut [u8]) -> Result<()> {
    // libdeflate cannot stop, and where more than 0.7 of a stream are wanted it is faster all the same.
    #[cfg(feature = "deflate")]
    if out.len().saturating_mul(10) > whole.saturating_mul(7) {
        let mut buffer = scratch.take(whole)?;
        let decoder = scratch.deflate.get_or_insert_with(Default::default);
        let room = buffer.get_mut(..whole).unwrap_or_default();
        let done = if zlib { decoder.zlib_decompress(input, room) } else { decoder.deflate_decompress(input, room) };
        let is_whole = done == Ok(whole);
        if let (true, Some(first)) = (is_whole, room.get(..out.len())) {
            out.copy_from_slice(first);
        }
        scratch.give(buffer);
        if is_whole {
            return Ok(());
        }
    }
    #[cfg(not(feature = "deflate"))]
    let _ = whole;
    let mut pieces = Pieces::new(id, input, zlib, scratch);
    let done = Output::Prefix(out).fill(id, |room| pieces.read(room));
    scratch.inflate = Some(pieces.decoder);
    done
}

/// Whether the decoder is to know a dictionary beforehand (RFC 1950, section 2.2).
fn has_dictionary(input: &[u8]) -> bool {
    input.get(1).is_some_and(|flags| flags & 0x20 != 0)
}

/// What a zlib stream begins with. The checksum is that of all of it, so what is left out is decoded too, where it is not far longer than
/// what is kept. A stream that was cut behind its last block has none.
fn beginning(input: &[u8], scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
    let mut pieces = Pieces::new("zlib", input.get(2..).unwrap_or_default(), false, scratch);
    output.fill("zlib", |room| pieces.read(room))?;
    let Output::Prefix(out) = output else { return Ok(()) };
    let (mut sum, mut left_out) = (zlib_rs::adler32::adler32(1, out), [0; 4096]);
    let mut most = out.len().saturating_add(64 << 10);
    while most > 0 {
        let given = pieces.read(&mut left_out)?;
        if given == 0 {
            break;
        }
        sum = zlib_rs::adler32::adler32(sum, left_out.get(..given).unwrap_or_default());
        most = most.saturating_sub(given);
    }
    let told = array::<4>(pieces.rest, 0).map(u32::from_be_bytes).filter(|_| pieces.ended);
    scratch.inflate = Some(pieces.decoder);
    if told.is_some_and(|told| told != sum) { Err(Error::checksum("zlib")) } else { Ok(()) }
}

/// A stream decoded piece by piece.
struct Pieces<'a> {
    id: &'static str,
    rest: &'a [u8],
    decoder: Inflate,
    ended: bool,
}

impl<'a> Pieces<'a> {
    fn new(id: &'static str, input: &'a [u8], zlib: bool, scratch: &mut Scratch) -> Self {
        let decoder = match scratch.inflate.take() {
            Some(mut decoder) => {
                decoder.reset(zlib);
                decoder
            }
            None => Inflate::new(zlib, 15),
        };
        Self { id, rest: input, decoder, ended: false }
    }

    /// 0 at the stream's end.
    fn read(&mut self, room: &mut [u8]) -> Result<usize> {
        loop {
            if self.ended || room.is_empty() {
                return Ok(0);
            }
            let (before_in, before_out) = (self.decoder.total_in(), self.decoder.total_out());
            let status = self.decoder.decompress(self.rest, room, InflateFlush::NoFlush).map_err(|e| Error::codec(self.id, e.as_str()))?;
            let taken = self.decoder.total_in().wrapping_sub(before_in);
            let given = self.decoder.total_out().wrapping_sub(before_out);
            let taken = usize::try_from(taken).unwrap_or(usize::MAX);
            self.rest = self.rest.get(taken..).unwrap_or_default();
            self.ended = status == Status::StreamEnd;
            if given > 0 {
                return Ok(usize::try_from(given).unwrap_or(usize::MAX));
            }
            if taken == 0 && !self.ended {
                return Err(Error::codec(self.id, "the stream ends early"));
            }
        }
    }
}

/// Length of a gzip member's header.
fn gzip_header(input: &[u8]) -> Option<usize> {
    let [0x1f, 0x8b, 8, flags] = array::<4>(input, 0)? else { return None };
    let mut at = 10usize;
    if flags & 4 != 0 {
        let extra = u16::from_le_bytes(array(input, at)?);
        at = at.checked_add(2)?.checked_add(usize::from(extra))?;
    }
    for text in [8, 16] {
        if flags & text != 0 {
            let length = input.get(at..)?.iter().position(|b| *b == 0)?;
            at = at.checked_add(length)?.checked_add(1)?;
        }
    }
    if flags & 2 != 0 {
        at = at.checked_add(2)?;
    }
    (flags & 0xe0 == 0 && at <= input.len()).then_some(at)
}

/// All members, one after the other; zero bytes behind the last are padding.
fn gzip(input: &[u8], scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
    #[cfg(feature = "deflate")]
    if let (Output::Exact(out) | Output::Prefix(out), Some(header)) = (&mut *output, gzip_header(input)) {
        // One member that ends where the input ends, as its trailer says: the usual case.
        let trailer = input.len().saturating_sub(8).max(header);
        let (crc, length) = (u32_le(input, trailer), u32_le(input, trailer.saturating_add(4)));
        if length.is_some_and(|n| u64::from(n) == (out.len() as u64 & 0xffff_ffff)) {
            let decoder = scratch.deflate.get_or_insert_with(Default::default);
            let body = input.get(header..trailer).unwrap_or_default();
            if decoder.deflate_decompress(body, out) == Ok(out.len()) && crc == Some(crc32fast::hash(out)) {
                return Ok(());
            }
        }
    }
    let mut members = Members { pieces: None, rest: input, crc: crc32fast::Hasher::new(), length: 0 };
    let done = output.fill("gzip", |room| members.read(room, scratch));
    scratch.inflate = members.pieces.map(|p| p.decoder).or_else(|| scratch.inflate.take());
    done
}

struct Members<'a> {
    pieces: Option<Pieces<'a>>,
    /// What follows the members begun.
    rest: &'a [u8],
    crc: crc32fast::Hasher,
    length: u32,
}

impl Members<'_> {
    fn read(&mut self, room: &mut [u8], scratch: &mut Scratch) -> Result<usize> {
        loop {
            let Some(pieces) = &mut self.pieces else {
                if self.rest.iter().all(|b| *b == 0) {
                    return Ok(0);
                }
                let header = gzip_header(self.rest).ok_or_else(|| Error::codec("gzip", "not a gzip member"))?;
                self.pieces = Some(Pieces::new("gzip", self.rest.get(header..).unwrap_or_default(), false, scratch));
                (self.crc, self.length) = (crc32fast::Hasher::new(), 0);
                continue;
            };
            let given = pieces.read(room)?;
            if given > 0 {
                self.crc.update(room.get(..given).unwrap_or_default());
                self.length = self.length.wrapping_add((given as u64 & 0xffff_ffff) as u32);
                return Ok(given);
            }
            let (crc, length) = (u32_le(pieces.rest, 0), u32_le(pieces.rest, 4));
            if crc.is_none() || length.is_none() {
                return Err(Error::codec("gzip", "the stream ends early"));
            }
            if crc != Some(self.crc.clone().finalize()) || length != Some(self.length) {
                return Err(Error::checksum("gzip"));
            }
            self.rest = pieces.rest.get(8..).unwrap_or_default();
            scratch.inflate = self.pieces.take().map(|p| p.decoder);
        }
    }
}
