//! The Blosc 1 container (c-blosc `README_CHUNK_FORMAT.rst`): blocks, each compressed alone, its bytes or bits shuffled before.

use std::ops::Range;

use super::{ChunkContext, Codec, Output, Scratch, array, lz4, shortage, size, surplus, u32_le};
use super::{inflate, parallel, zstd};
use crate::error::{Error, Result};
use crate::simd;

#[derive(Debug)]
pub(super) struct Blosc;

const HEADER: usize = 16;

/// What the first 16 bytes say.
struct Header {
    flags: u8,
    element: usize,
    bytes: usize,
    block: usize,
    /// Bytes of the container.
    stored: usize,
}

fn damaged(message: &str) -> Error {
    Error::codec("blosc", message)
}

impl Header {
    fn read(input: &[u8]) -> Result<Self> {
        let [version, _, flags, element] = array::<4>(input, 0).ok_or_else(|| damaged("no header"))?;
        let word = |at| u32_le(input, at).map(size).ok_or_else(|| damaged("no header"));
        let header = Self { flags, element: usize::from(element), bytes: word(4)?, block: word(8)?, stored: word(12)? };
        if version == 0 || version > 2 {
            return Err(Error::unsupported(format!("Blosc container of version {version}")));
        }
        if header.stored > input.len() || header.stored < HEADER {
            return Err(damaged("the container is longer than its chunk"));
        }
        if header.bytes > 0 && (header.block == 0 || header.element == 0) {
            return Err(damaged("blocks or elements of no size"));
        }
        Ok(header)
    }
    fn bit_shuffle(&self) -> bool {
        self.flags & 4 != 0
    }
    fn byte_shuffle(&self) -> bool {
        self.flags & 1 != 0 && self.element > 1
    }
    /// In how many streams a block of this size is: one for each byte of the elements where the compressor gains by that.
    fn streams(&self, block: usize) -> usize {
        let split = self.flags & 0x10 == 0 && self.element <= 16 && block == self.block;
        if split && block.checked_div(self.element).unwrap_or(0) >= 128 { self.element } else { 1 }
    }
}

impl Codec for Blosc {
    fn name(&self) -> &str {
        "blosc"
    }
    fn gives_prefix(&self) -> bool {
        true
    }
    fn block_bytes(&self, input: &[u8], output: usize) -> Option<usize> {
        let header = Header::read(input).ok()?;
        (header.bytes == output && header.flags & 2 == 0 && header.block > 0).then_some(header.block)
    }
    fn decode_block(&self, input: &[u8], block: usize, scratch: &mut Scratch, output: &mut [u8]) -> Result<()> {
        let header = Header::read(input)?;
        header.block(input.get(..header.stored).unwrap_or_default(), block, output, scratch)
    }
    fn declared(&self, input: &[u8], _: &crate::model::DataType) -> Result<Option<usize>> {
        Header::read(input).map(|header| Some(header.bytes))
    }
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let header = Header::read(input)?;
        let input = input.get(..header.stored).unwrap_or_default();
        let out = match output {
            Output::Prefix(out) if chunk.stops_after(out.len()) == Some(header.bytes) => out,
            output => output.sized("blosc", header.bytes)?,
        };
        let wanted = chunk.wanted_bytes().filter(|_| chunk.bytes().is_ok_and(|bytes| bytes == Some(header.bytes)));
        header.decode(input, wanted.unwrap_or(0..header.bytes), scratch, out)
    }
}

impl Header {
    /// Decodes the blocks that hold these bytes of the container; of the output, which is its beginning, others are left as they are.
    fn decode(&self, input: &[u8], wanted: Range<usize>, scratch: &mut Scratch, out: &mut [u8]) -> Result<()> {
        if self.flags & 2 != 0 {
            let stored = input.get(HEADER..).and_then(|rest| rest.get(..self.bytes));
            let stored = stored.ok_or_else(|| shortage("blosc", input.len().saturating_sub(HEADER), self.bytes))?;
            let wanted = wanted.start.min(out.len())..wanted.end.min(out.len());
            if let (Some(to), Some(from)) = (out.get_mut(wanted.clone()), stored.get(wanted)) {
                to.copy_from_slice(from);
            }
            return Ok(());
        }
        if out.is_empty() || wanted.is_empty() {
            return Ok(());
        }
        let first = wanted.start.checked_div(self.block).unwrap_or(0);
        let behind = wanted.end.min(out.len()).div_ceil(self.block);
        let count = behind.saturating_sub(first);
        let blocks = out.chunks_mut(self.block).enumerate().skip(first).take(count);
        let bytes = count.saturating_mul(self.block);
        parallel::for_each(blocks, bytes, scratch, |(i, block), scratch| self.block(input, i, block, scratch))
    }

    /// Decodes block `index`, or its beginning.
    fn block(&self, input: &[u8], index: usize, out: &mut [u8], scratch: &mut Scratch) -> Result<()> {
        let length = self.bytes.saturating_sub(index.saturating_mul(self.block)).min(self.block);
        let place = HEADER.saturating_add(index.saturating_mul(4));
        let start = u32_le(input, place).map(size).ok_or_else(|| damaged("the table of blocks ends early"))?;
        let source = input.get(start..).ok_or_else(|| damaged("a block outside of the container"))?;
        if out.len() == length {
            return self.whole_block(source, out, scratch);
        }
        let mut whole = scratch.take(length)?;
        let block = whole.get_mut(..length).unwrap_or_default();
        let done = self.whole_block(source, block, scratch);
        if let Some(first) = block.get(..out.len()) {
            out.copy_from_slice(first);
        }
        scratch.give(whole);
        done
    }

    fn whole_block(&self, source: &[u8], block: &mut [u8], scratch: &mut Scratch) -> Result<()> {
        if !self.byte_shuffle() && !self.bit_shuffle() {
            return streams(self, source, block, scratch);
        }
        let mut buffer = scratch.take(block.len())?;
        let shuffled = buffer.get_mut(..block.len()).unwrap_or_default();
        let done = streams(self, source, shuffled, scratch);
        if done.is_ok() && self.bit_shuffle() {
            simd::bit_unshuffle(shuffled, self.element, block);
        } else if done.is_ok() {
            simd::unshuffle(shuffled, self.element, block);
        }
        scratch.give(buffer);
        done
    }
}

fn streams(header: &Header, mut source: &[u8], block: &mut [u8], scratch: &mut Scratch) -> Result<()> {
    let early = || damaged("a block ends early");
    let count = header.streams(block.len());
    let each = block.len().checked_div(count).unwrap_or(0);
    if each.saturating_mul(count) != block.len() {
        return Err(damaged("a block is not whole elements"));
    }
    for out in block.chunks_exact_mut(each.max(1)) {
        let stored = u32_le(source, 0).map(size).ok_or_else(early)?;
        let end = stored.checked_add(4).ok_or_else(early)?;
        let stream = source.get(4..end).ok_or_else(early)?;
        source = source.get(end..).unwrap_or_default();
        if stored == each {
            out.copy_from_slice(stream);
            continue;
        }
        match header.flags >> 5 {
            0 => blosclz(stream, out)?,
            1 => lz4::block(stream, out)?,
            2 => snappy(stream, out)?,
            3 => inflate::stream("blosc zlib", stream, true, scratch, &mut Output::Exact(out))?,
            4 => zstd::decode(stream, scratch, &mut Output::Exact(out))?,
            other => return Err(Error::unsupported(format!("Blosc compressor {other}"))),
        }
    }
    Ok(())
}

fn snappy(stream: &[u8], out: &mut [u8]) -> Result<()> {
    let failed = |e: snap::Error| Error::codec("blosc", e.to_string());
    // The stream says its size itself; a larger one is refused by the decoder, a smaller one here.
    let given = snap::raw::Decoder::new().decompress(stream, out).map_err(failed)?;
    if given == out.len() { Ok(()) } else { Err(shortage("blosc snappy", given, out.len())) }
}

/// BloscLZ: literals, and matches of up to 8191 bytes back, or further with two bytes more.
fn blosclz(stream: &[u8], out: &mut [u8]) -> Result<()> {
    let early = || damaged("a BloscLZ stream ends early");
    let mut source = stream.iter();
    let mut at = 0usize;
    // The first control byte is always one of literals.
    let mut mask = 31u8;
    while let Some(&control) = source.next() {
        let control = control & mask;
        mask = u8::MAX;
        if control < 32 {
            let length = usize::from(control).wrapping_add(1);
            let literals = source.as_slice().get(..length).ok_or_else(early)?;
            let end = at.saturating_add(length);
            out.get_mut(at..end).ok_or_else(|| surplus("blosc blosclz"))?.copy_from_slice(literals);
            at = end;
            source = source.as_slice().get(length..).unwrap_or_default().iter();
            continue;
        }
        let mut length = usize::from(control >> 5).wrapping_add(2);
        if control >> 5 == 7 {
            loop {
                let more = *source.next().ok_or_else(early)?;
                length = length.saturating_add(usize::from(more));
                if more != 255 {
                    break;
                }
            }
        }
        let far = usize::from(control & 31) << 8;
        let near = *source.next().ok_or_else(early)?;
        let distance = if near == 255 && control & 31 == 31 {
            let (high, low) = (*source.next().ok_or_else(early)?, *source.next().ok_or_else(early)?);
            usize::from(u16::from_be_bytes([high, low])).wrapping_add(8192)
        } else {
            far.wrapping_add(usize::from(near)).wrapping_add(1)
        };
        let from = at.checked_sub(distance).ok_or_else(|| damaged("a match before the start"))?;
        let end = at.saturating_add(length);
        if end > out.len() {
            return Err(surplus("blosc blosclz"));
        }
        repeat(out, from, at, length);
        at = end;
    }
    if at == out.len() { Ok(()) } else { Err(shortage("blosc blosclz", at, out.len())) }
}

/// Copies forward, where the target may begin inside of the source: what was just written is copied again.
fn repeat(out: &mut [u8], from: usize, at: usize, length: usize) {
    let (mut done, distance) = (0usize, at.saturating_sub(from));
    while done < length {
        // The pattern doubles with each copy.
        let step = distance.saturating_add(done).min(length.saturating_sub(done));
        out.copy_within(from..from.saturating_add(step), at.saturating_add(done));
        done = done.saturating_add(step.max(1));
    }
}
