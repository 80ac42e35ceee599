//! The Blosc 1 container (c-blosc `README_CHUNK_FORMAT.rst`), its blocks never split into streams.

use super::{Encode, compress};
use crate::codec::{ChunkContext, Scratch};
use crate::error::{Error, Result};
use crate::model::{BloscCompressor, BloscShuffle, Compression, reserve};
use crate::simd;

const HEADER: usize = 16;
/// Bytes of a block: in the second-level cache together with its compressed form.
const BLOCK: usize = 256 << 10;
/// The library's own bound on what a container holds.
const MOST: usize = (i32::MAX as usize) - HEADER;
/// Blocks are one stream each; the second bit says that the bytes are stored as they are.
const NOT_SPLIT: u8 = 0x10;
const STORED: u8 = 2;

#[derive(Debug)]
pub(super) struct Blosc {
    /// Bytes of an element; 1 where the container cannot say them.
    element: u8,
    compressor: BloscCompressor,
    level: u8,
    shuffle: BloscShuffle,
}

impl Blosc {
    pub(super) fn new(element: usize, compression: &Compression) -> Result<Self> {
        let Compression::Blosc { compressor, level, shuffle } = *compression else {
            return Ok(Self { element: small(element), compressor: BloscCompressor::Lz4, level: 5, shuffle: BloscShuffle::Bytes });
        };
        if level > 9 {
            return Err(Error::usage(format!("blosc has levels 0 to 9, not {level}")));
        }
        Ok(Self { element: small(element), compressor, level, shuffle })
    }

    /// Appends one compressed stream.
    fn stream(&self, block: &[u8], out: &mut Vec<u8>) -> Result<()> {
        match self.compressor {
            BloscCompressor::Lz4 => out.extend_from_slice(&lz4_flex::block::compress(block)),
            BloscCompressor::Zlib => compress::deflate(block, self.level, true, out)?,
            // As c-blosc has it: its nine levels spread over those of Zstandard.
            BloscCompressor::Zstd => {
                let level = i8::try_from(self.level).unwrap_or(5);
                compress::zstd(block, if level == 9 { 22 } else { level.saturating_mul(2).saturating_sub(1).max(1) }, false, out)?;
            }
        }
        Ok(())
    }

    fn header(&self, flags: u8, bytes: usize, block: usize, stored: usize) -> Result<[u8; HEADER]> {
        let word = |n: usize| u32::try_from(n).map(u32::to_le_bytes).map_err(|_| Error::limit("bytes of a Blosc container", n as u64, MOST as u64));
        let mut header = [0; HEADER];
        let parts = [[2, 1, flags, self.element], word(bytes)?, word(block)?, word(stored)?];
        for (place, part) in header.as_chunks_mut::<4>().0.iter_mut().zip(parts) {
            *place = part;
        }
        Ok(header)
    }
}

fn small(element: usize) -> u8 {
    u8::try_from(element).unwrap_or(1).max(1)
}

impl Encode for Blosc {
    fn encode(&self, input: Vec<u8>, _: &ChunkContext<'_>, _: &mut Scratch) -> Result<Vec<u8>> {
        if input.len() > MOST {
            return Err(Error::limit("bytes of a Blosc container", input.len() as u64, MOST as u64));
        }
        let element = usize::from(self.element);
        // Whole elements, and by eights, so that bits of a block can be shuffled.
        let unit = element.saturating_mul(8);
        let block = (BLOCK.checked_div(unit).unwrap_or(1).max(1)).saturating_mul(unit).min(input.len().max(1));
        let format = match self.compressor {
            BloscCompressor::Lz4 => 1,
            BloscCompressor::Zlib => 3,
            BloscCompressor::Zstd => 4u8,
        };
        let shuffle = match self.shuffle {
            BloscShuffle::None => 0,
            BloscShuffle::Bytes => u8::from(element > 1),
            BloscShuffle::Bits => 4,
        };
        let flags = format << 5 | NOT_SPLIT | shuffle;
        let blocks = input.len().div_ceil(block);
        let table = blocks.saturating_mul(4);
        let mut out = reserve::<u8>(HEADER.saturating_add(table).saturating_add(input.len()))?;
        out.resize(HEADER.saturating_add(table), 0);
        let mut shuffled = vec![0; if shuffle == 0 { 0 } else { block }];
        let mut starts = Vec::with_capacity(table);
        let mut stream = Vec::new();
        for plain in input.chunks(block) {
            let from = match (shuffle, shuffled.get_mut(..plain.len())) {
                (1, Some(to)) => {
                    simd::shuffle(plain, element, to);
                    &*to
                }
                (4, Some(to)) => {
                    bit_shuffle(plain, element, to);
                    &*to
                }
                _ => plain,
            };
            starts.extend_from_slice(&word(out.len())?);
            stream.clear();
            if self.level > 0 {
                self.stream(from, &mut stream)?;
            }
            // A stream of the block's own length says that the block is stored as it is.
            let kept = if self.level == 0 || stream.len() >= from.len() { from } else { stream.as_slice() };
            out.extend_from_slice(&word(kept.len())?);
            out.extend_from_slice(kept);
        }
        if self.level == 0 || out.len() >= HEADER.saturating_add(input.len()) {
            let mut out = self.header(flags | STORED, input.len(), block, HEADER.saturating_add(input.len()))?.to_vec();
            out.extend_from_slice(&input);
            return Ok(out);
        }
        let header = self.header(flags, input.len(), block, out.len())?;
        for (place, byte) in out.iter_mut().zip(header.iter().chain(&starts)) {
            *place = *byte;
        }
        Ok(out)
    }
}

fn word(n: usize) -> Result<[u8; 4]> {
    u32::try_from(n).map(u32::to_le_bytes).map_err(|_| Error::limit("bytes of a Blosc container", n as u64, MOST as u64))
}

/// Bit k of byte b of all elements together in row `8 b + k`, eight elements a byte. Blocks whose elements are not a multiple of eight stay as
/// they are.
fn bit_shuffle(source: &[u8], element: usize, target: &mut [u8]) {
    let count = source.len().checked_div(element).unwrap_or(0);
    let row = count >> 3;
    target.copy_from_slice(source);
    if count & 7 != 0 || row == 0 {
        return;
    }
    for byte in 0..element {
        for group in 0..row {
            let first = (group << 3).saturating_mul(element).saturating_add(byte);
            let bytes = std::array::from_fn(|i| source.get(first.saturating_add(i.saturating_mul(element))).copied().unwrap_or(0));
            let bits = simd::transpose8(u64::from_le_bytes(bytes)).to_le_bytes();
            for (k, value) in bits.into_iter().enumerate() {
                let at = (byte << 3).saturating_add(k).saturating_mul(row).saturating_add(group);
                if let Some(to) = target.get_mut(at) {
                    *to = value;
                }
            }
        }
    }
}
