//! Encoded bytes to elements: one file a codec, [`Chain`] runs them.
//!
//! A chain is compiled once per array from its [`CodecSpec`](crate::model::CodecSpec)s and is in the order of decoding. Sizes are known
//! from the end: a chunk's shape and type say how many bytes the last step gives, and each step says how many it takes for that. So
//! nothing a stream claims about itself is trusted, and nothing grows without a bound:
//!
//! - a step that must give a known number of bytes gives exactly these: surplus and shortage are errors;
//! - where two steps follow each other whose sizes are unknown (zstd over Blosc), what is between them is bounded by [`bound`];
//! - only behind [`CodecSpec::LeaveSurplus`](crate::model::CodecSpec::LeaveSurplus) (TIFF, as libtiff has it) decoding ends when the chunk
//!   is full: what the stream still holds, its checksum included, is not looked at. A shortage is an error there too, but for the end of
//!   a chunk that lies outside of its array ([`ChunkContext::needed`]): where that is missing it is zeros.

mod bits;
#[cfg(feature = "blosc")]
mod blosc;
mod byteorder;
#[cfg(feature = "bzip2")]
mod bzip2;
mod chain;
mod checksum;
mod compile;
mod elements;
mod encode;
mod fax;
mod filters;
mod finish;
#[cfg(any(test, feature = "__fuzz"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(any(feature = "jpeg", feature = "webp", feature = "lerc", feature = "jxl", feature = "jpeg2000", feature = "png"))]
mod image;
mod inflate;
#[cfg(feature = "jpeg")]
mod jpeg;
#[cfg(feature = "jpeg2000")]
mod jpeg2000;
#[cfg(feature = "jxl")]
mod jpegxl;
mod json2;
#[cfg(feature = "lerc")]
mod lerc;
mod logluv;
mod lz4;
#[cfg(feature = "lzma")]
mod lzma;
mod lzw;
mod next;
mod output;
mod packbits;
pub(crate) mod parallel;
#[cfg(feature = "pcodec")]
mod pcodec;
#[cfg(feature = "png")]
mod png;
mod predictor;
mod scratch;
mod shard;
mod thunderscan;
#[cfg(feature = "webp")]
mod webp;
mod zfp;
mod zstd;

pub use chain::{Blocks, Chain};
pub use compile::{MakeCodec, Registry};
pub use encode::Encoder;
pub use finish::Finish;
pub use output::{Elements, Output, Size, bound};
pub use scratch::Scratch;

use std::fmt;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::model::{DataType, Limits};

/// What a step knows about the chunk it decodes.
#[derive(Debug, Clone)]
pub struct ChunkContext<'a> {
    /// Its shape in the order of the stored axes, outermost first, at this step's output. A short last strip has its own.
    pub shape: &'a [u64],
    /// The type of the elements at this step's output.
    pub data_type: &'a DataType,
    /// The bounds of the read.
    pub limits: &'a Limits,
    /// The elements, in stored order, among which all that is wanted are; a codec may leave the others undecoded. `None` = all.
    pub wanted: Option<Range<usize>>,
    /// Whether decoding may stop before a checksum of all of the chunk is reached. Over a network it is the one witness of bytes that changed on the
    /// way.
    pub trusted: bool,
    /// How many of its leading elements, in stored order, hold all that lies inside of the array. `None` = all.
    pub needed: Option<usize>,
}

impl<'a> ChunkContext<'a> {
    /// The whole of a chunk.
    #[must_use]
    pub fn new(shape: &'a [u64], data_type: &'a DataType, limits: &'a Limits) -> Self {
        Self { shape, data_type, limits, wanted: None, trusted: false, needed: None }
    }
    /// The same chunk, of which only so much along each axis lies inside of the array.
    #[must_use]
    pub fn inside(mut self, lengths: impl Iterator<Item = u64> + Clone) -> Self {
        if !lengths.clone().eq(self.shape.iter().copied()) && lengths.clone().count() == self.shape.len() && lengths.clone().all(|n| n > 0) {
            // The place of the last element that does, and one more.
            let last = self.shape.iter().zip(lengths).try_fold(0u64, |at, (n, inside)| at.checked_mul(*n)?.checked_add(inside.saturating_sub(1)));
            self.needed = last.and_then(|at| usize::try_from(at).ok()?.checked_add(1));
        }
        self
    }
    /// Number of elements.
    ///
    /// # Errors
    /// `Limit` where it is above `max_chunk_bytes`.
    pub fn elements(&self) -> Result<usize> {
        let count = self.shape.iter().try_fold(1u64, |n, m| n.checked_mul(*m)).unwrap_or(u64::MAX);
        Limits::check("max_chunk_bytes", count, self.limits.max_chunk_bytes)
    }
    /// Bytes of all elements; `None` where elements differ in length.
    ///
    /// # Errors
    /// `Limit` where it is above `max_chunk_bytes`.
    pub fn bytes(&self) -> Result<Option<usize>> {
        let Some(size) = self.data_type.size() else { return Ok(None) };
        let bytes = (self.elements()? as u64).saturating_mul(size as u64);
        Limits::check("max_chunk_bytes", bytes, self.limits.max_chunk_bytes).map(Some)
    }
    /// The same chunk, all of which is wanted.
    fn all_of_it(&self) -> Self {
        Self { wanted: None, ..self.clone() }
    }
    /// The bytes of the chunk, where decoding may stop after its first `prefix`: [`wanted`](Self::wanted) says that what is behind them is not.
    fn stops_after(&self, prefix: usize) -> Option<usize> {
        self.wanted.as_ref()?;
        self.bytes().ok()?.filter(|whole| prefix < *whole)
    }
    /// The bytes among which all that is [wanted](Self::wanted) are.
    fn wanted_bytes(&self) -> Option<Range<usize>> {
        let (wanted, size) = (self.wanted.as_ref()?, self.data_type.size()?);
        Some(wanted.start.saturating_mul(size)..wanted.end.saturating_mul(size))
    }
}

/// One step of a chain, from one buffer to another.
pub trait Codec: fmt::Debug + Send + Sync {
    /// Its name, for errors and plans.
    fn name(&self) -> &str;
    /// The size of its input where its output has this size. Only asked where another step stands before it.
    fn input_size(&self, output: Size, chunk: &ChunkContext<'_>) -> Size {
        Size::AtMost(bound(output.most(), chunk.limits))
    }
    /// How many leading bytes of the input these leading bytes of the output are made of; `None` where it is all of them, or unknown.
    fn input_prefix(&self, output: usize) -> Option<usize> {
        let _ = output;
        None
    }
    /// The most bytes that so many bytes of input can decode to; `None` where that has no bound, or is unknown. A chunk that its stored bytes
    /// cannot fill is refused before there is memory for it.
    fn most_output(&self, input: usize) -> Option<usize> {
        let _ = input;
        None
    }
    /// The bytes that an input says it decodes to; `None` where it does not say. Asked of large chunks only.
    ///
    /// # Errors
    /// As those of [`decode`](Self::decode), where the input's header is damaged.
    fn declared(&self, input: &[u8], data_type: &DataType) -> Result<Option<usize>> {
        let _ = (input, data_type);
        Ok(None)
    }
    /// Whether it can stop: an [`Output::Prefix`] may be shorter than the chunk where [`wanted`](ChunkContext::wanted) says so. What it leaves
    /// undecoded then is not checked; a shortage before is an error as ever.
    fn gives_prefix(&self) -> bool {
        false
    }
    /// Whether a checksum of all that it decodes to is in the input.
    fn is_summed(&self, input: &[u8]) -> bool {
        let _ = input;
        false
    }
    /// Where each block of so many bytes of the output (but for the last, which may be shorter) decodes by itself: how many. `None` where the
    /// input is not of such blocks, or is not of `output` bytes in all.
    fn block_bytes(&self, input: &[u8], output: usize) -> Option<usize> {
        let _ = (input, output);
        None
    }
    /// Decodes one of the [blocks](Self::block_bytes).
    ///
    /// # Errors
    /// As those of [`decode`](Self::decode).
    fn decode_block(&self, input: &[u8], block: usize, scratch: &mut Scratch, output: &mut [u8]) -> Result<()> {
        let _ = (input, block, scratch, output);
        Err(Error::codec("chain", "a codec without blocks"))
    }
    /// The most bytes of memory that decoding takes beside its input and so many bytes of output: contexts, tables, buffers of its own. What a
    /// stream claims is held to it before a decoder allocates for it.
    fn working_memory(&self, output: usize) -> usize {
        output.saturating_mul(2).saturating_add(1 << 20)
    }
    /// Decodes. The output says how much is to be given; its former content has no meaning.
    ///
    /// # Errors
    /// `Codec`, `Checksum`, `Limit` or `Unsupported`; the output's content has no meaning then.
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()>;
}

/// A step that changes elements where they are.
trait InPlace: fmt::Debug + Send + Sync {
    fn name(&self) -> &'static str;
    /// As [`Codec::input_prefix`].
    fn input_prefix(&self, output: usize) -> Option<usize> {
        Some(output)
    }
    fn apply(&self, data: &mut [u8], chunk: &ChunkContext<'_>, scratch: &mut Scratch) -> Result<()>;
}

/// A step whose output is a part of its input, as it stands there.
trait Trim: fmt::Debug + Send + Sync {
    fn name(&self) -> &'static str;
    fn input_size(&self, output: Size) -> Size;
    fn range(&self, input: &[u8]) -> Result<Range<usize>>;
}

/// Bytes `at .. at + N` as an array.
fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// The 32-bit little-endian number at `at`.
fn u32_le(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

/// A 32-bit number as a size; this crate does not build where it would not fit.
const fn size(n: u32) -> usize {
    const { assert!(size_of::<usize>() >= size_of::<u32>()) };
    n as usize
}

fn surplus(codec: &'static str) -> Error {
    Error::codec(codec, "more data than the chunk holds")
}

fn shortage(codec: &'static str, given: usize, wanted: usize) -> Error {
    Error::codec(codec, format!("the data ends after {given} of {wanted} bytes"))
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "numbers of the tests' own")]
mod tests;
