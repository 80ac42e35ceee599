//! A chunk's way from stored bytes to its place in the output, by one thread of the decode pool.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bytes::Bytes;

use super::array::ArrayInner;
use super::plan::ChunkBox;
use super::sink::{Decoded, FixedSink};
use super::stats::Clock;
use super::text::TextSink;
use crate::codec::{Elements, Output, Scratch};
use crate::error::{Error, Result};
use crate::model::Limits;

/// What a thread keeps from chunk to chunk.
#[derive(Default)]
pub(crate) struct ThreadScratch {
    pub(crate) codec: Scratch,
    decoded: Vec<u8>,
}

impl ThreadScratch {
    /// Lets go of what a large chunk needed.
    pub(crate) fn trim(&mut self) {
        if self.decoded.capacity() > KEPT_SCRATCH {
            self.decoded = Vec::new();
        }
    }
}

/// A thread lets go of a larger buffer than this after use.
const KEPT_SCRATCH: usize = 16 << 20;

thread_local! {
    static SCRATCH: RefCell<ThreadScratch> = RefCell::default();
}

pub(crate) fn with_scratch<R>(f: impl FnOnce(&mut ThreadScratch) -> R) -> R {
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut scratch) => f(&mut scratch),
        Err(_) => f(&mut ThreadScratch::default()),
    })
}

/// Where decoded chunks go.
#[derive(Clone)]
pub(crate) enum Sink {
    Fixed(Arc<FixedSink>),
    Text(Arc<TextSink>),
}

/// What all jobs of a read share.
pub(crate) struct Shared {
    pub(crate) array: Arc<ArrayInner>,
    pub(crate) sink: Sink,
    pub(crate) chunks: ChunkBox,
    pub(crate) given_up: Arc<AtomicBool>,
    pub(crate) clock: Clock,
    /// Whether decoded chunks are worth keeping: those of a read that is small beside the cache.
    pub(crate) keep: bool,
}

/// A chunk on its way to the output.
pub(crate) enum Stored {
    Absent,
    Decoded(Bytes),
    Encoded { bytes: Bytes, chain: u16, version: Option<Arc<str>> },
}

impl Shared {
    pub(crate) fn decode(&self, number: usize, stored: Stored, scratch: &mut ThreadScratch) -> Result<()> {
        let index = self.chunks.index(number);
        let grid = &self.array.meta.grid;
        let (bytes, chain, version) = match stored {
            Stored::Absent => {
                self.clock.absent.fetch_add(1, Ordering::Relaxed);
                return self.fill(number);
            }
            Stored::Decoded(bytes) => return self.place(number, &index, &bytes, None),
            Stored::Encoded { bytes, chain, version } => (bytes, self.array.chain(chain)?, version),
        };
        self.clock.stored(bytes.len());
        let shape = self.array.meta.order.permute(&grid.stored_shape(&index));
        let limits = self.array.limits();
        let context = self.array.context(&index, &shape);
        let in_chunk = |e: Error| e.in_chunk(&index);
        let start = Instant::now();
        match &self.sink {
            Sink::Text(sink) => {
                let mut elements = Elements::default();
                chain.decode(&bytes, &context, &mut scratch.codec, &mut Output::Variable(&mut elements)).map_err(in_chunk)?;
                self.clock.decoded(start, elements.bytes.len());
                let start = Instant::now();
                let origin = origin(grid, &index);
                sink.place(&grid.chunk_region(&index), elements, &origin, &grid.stored_shape(&index), &self.array.meta.order)?;
                self.clock.placed(start);
                Ok(())
            }
            Sink::Fixed(sink) => {
                let length = decoded_length(&shape, sink.source_element(), limits)?;
                if chain.is_view(bytes.len(), length) {
                    return self.place(number, &index, &bytes, None);
                }
                if self.keep {
                    let mut decoded = crate::model::reserve::<u8>("chunk", length)?;
                    decoded.resize(length, 0);
                    chain.decode(&bytes, &context, &mut scratch.codec, &mut Output::Exact(&mut decoded)).map_err(in_chunk)?;
                    drop(bytes);
                    self.clock.decoded(start, length);
                    let decoded = Bytes::from(decoded);
                    let validity = scratch.codec.validity.take();
                    // What is kept has no validity of its own: all of it is valid.
                    if validity.is_none() {
                        self.array.keep_chunk(grid.linear(&index), version, decoded.clone());
                    }
                    return self.place(number, &index, &decoded, validity.as_deref());
                }
                let ThreadScratch { codec, decoded } = scratch;
                if decoded.len() < length {
                    decoded.clear();
                    decoded.try_reserve_exact(length).map_err(|_| Error::limit("memory", length as u64, 0))?;
                    decoded.resize(length, 0);
                }
                let decoded = &mut decoded[..length];
                chain.decode(&bytes, &context, codec, &mut Output::Exact(decoded)).map_err(in_chunk)?;
                drop(bytes);
                self.clock.decoded(start, length);
                self.place(number, &index, decoded, codec.validity.take().as_deref())
            }
        }
    }

    fn place(&self, number: usize, index: &[u64], bytes: &[u8], validity: Option<&[u8]>) -> Result<()> {
        let Sink::Fixed(sink) = &self.sink else { return Err(Error::data_type("a chunk of fixed-size elements for text")) };
        let start = Instant::now();
        let grid = &self.array.meta.grid;
        let (origin, shape) = (origin(grid, index), grid.stored_shape(index));
        sink.claim(number)?.place(&Decoded { bytes, origin: &origin, shape: &shape, order: &self.array.meta.order, validity })?;
        self.clock.placed(start);
        Ok(())
    }

    fn fill(&self, number: usize) -> Result<()> {
        match &self.sink {
            // What is never placed is filled when the result is taken.
            Sink::Text(_) => Ok(()),
            Sink::Fixed(sink) => {
                let fill = self.array.meta.fill_value.bytes();
                if fill.is_empty() && sink.is_zeroed() { Ok(()) } else { sink.claim(number)?.fill(fill) }
            }
        }
    }
}

/// The first element of each axis that a chunk holds.
fn origin(grid: &crate::model::ChunkGrid, index: &[u64]) -> Vec<u64> {
    index.iter().enumerate().map(|(axis, i)| grid.extent(axis, *i).start).collect()
}

pub(crate) fn decoded_length(shape: &[u64], element: usize, limits: &Limits) -> Result<usize> {
    let bytes = shape.iter().try_fold(element as u64, |n, m| n.checked_mul(*m)).unwrap_or(u64::MAX);
    Limits::check("max_chunk_bytes", bytes, limits.max_chunk_bytes)
}
