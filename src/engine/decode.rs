//! A chunk's way from stored bytes to its place in the output, by one thread of the decode pool.

use std::cell::RefCell;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bytes::Bytes;

use super::array::ArrayInner;
use super::plan::ChunkBox;
use super::sink::{Decoded, FixedSink, PlaceScratch};
use super::stats::Clock;
use super::text::TextSink;
use crate::codec::{Chain, ChunkContext, Elements, Finish, Output, Scratch};
use crate::error::{Error, Result};
use crate::model::{KEPT_BY_THREAD, Limits, lengthened, zeroed};

/// What a thread keeps from chunk to chunk.
#[derive(Default)]
pub(crate) struct ThreadScratch {
    pub(crate) codec: Scratch,
    decoded: Vec<u8>,
    /// Of the chunk at hand, in stored order.
    shape: Vec<u64>,
    place: PlaceScratch,
}

impl ThreadScratch {
    /// Lets go of what a large chunk needed.
    pub(crate) fn trim(&mut self) {
        if self.decoded.capacity() > KEPT_BY_THREAD {
            self.decoded = Vec::new();
        }
        self.codec.trim(KEPT_BY_THREAD);
        self.place.trim(KEPT_BY_THREAD);
    }
}

/// Chunks above this are put in their places block by block, where their codec has blocks: others stay in the second-level cache as a whole.
const PIECEWISE: usize = 1 << 20;

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
pub(crate) enum Stored<'a> {
    Absent,
    Decoded(Bytes),
    Encoded { bytes: Held<'a>, chain: u16, version: Option<Arc<str>> },
}

/// Stored bytes: an answer's own, or those in the buffer of the thread that read them.
pub(crate) enum Held<'a> {
    Owned(Bytes),
    Borrowed(&'a [u8]),
}

impl Deref for Held<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Borrowed(bytes) => bytes,
        }
    }
}

impl Shared {
    pub(crate) fn decode(&self, number: usize, stored: Stored<'_>, scratch: &mut ThreadScratch) -> Result<()> {
        match stored {
            Stored::Absent => {
                self.clock.absent.fetch_add(1, Ordering::Relaxed);
                self.fill(number, scratch)
            }
            Stored::Decoded(bytes) => match &self.sink {
                Sink::Fixed(sink) => self.place(number, sink, (&bytes, &Finish::Nothing), None, scratch),
                Sink::Text(_) => Err(Error::data_type("a chunk of fixed-size elements for text")),
            },
            Stored::Encoded { bytes, chain, version } => self.decode_stored(number, &bytes, chain, version, scratch),
        }
    }

    /// Decodes the stored bytes of a chunk, and puts it in its place.
    pub(crate) fn decode_stored(
        &self,
        number: usize,
        bytes: &Held<'_>,
        chain: u16,
        version: Option<Arc<str>>,
        scratch: &mut ThreadScratch,
    ) -> Result<()> {
        let chain = self.array.chain(chain)?;
        scratch.codec.shares = !self.array.session.pool.is_waited_in();
        self.clock.stored(bytes.len());
        let index = self.chunks.index(number);
        let mut shape = std::mem::take(&mut scratch.shape);
        let mut context = self.array.context(&index, &mut shape);
        context.trusted = matches!(bytes, Held::Borrowed(_));
        let fits = chain.check_stored(bytes, &context);
        let done = match &self.sink {
            _ if fits.is_err() => fits,
            Sink::Text(sink) => self.decode_text(sink, bytes, chain, &index, &context, scratch),
            Sink::Fixed(sink) if self.keep => self.decode_and_keep(number, sink, (bytes, chain), version, &context, scratch),
            Sink::Fixed(sink) => self.decode_once(number, sink, bytes, chain, context, scratch),
        };
        let done = done.map_err(|e| e.in_chunk(&index));
        scratch.shape = shape;
        done
    }

    fn decode_text(
        &self,
        sink: &TextSink,
        bytes: &[u8],
        chain: &Chain,
        index: &[u64],
        context: &ChunkContext<'_>,
        scratch: &mut ThreadScratch,
    ) -> Result<()> {
        let start = Instant::now();
        let mut elements = Elements::default();
        chain.decode(bytes, context, &mut scratch.codec, &mut Output::Variable(&mut elements))?;
        self.clock.decoded(start, elements.bytes.len());
        let start = Instant::now();
        let grid = &self.array.meta.grid;
        let origin: Vec<u64> = index.iter().enumerate().map(|(axis, i)| grid.extent(axis, *i).start).collect();
        sink.place(&grid.chunk_region(index), elements, &origin, &grid.stored_shape(index), &self.array.meta.order)?;
        self.clock.placed(start);
        Ok(())
    }

    /// Decodes a chunk whole, for those who read it next too.
    fn decode_and_keep(
        &self,
        number: usize,
        sink: &FixedSink,
        (bytes, chain): (&[u8], &Chain),
        version: Option<Arc<str>>,
        context: &ChunkContext<'_>,
        scratch: &mut ThreadScratch,
    ) -> Result<()> {
        let start = Instant::now();
        let length = decoded_length(context.shape, sink.source_element(), context.limits)?;
        if chain.is_unfinished_view(bytes.len(), length) {
            return self.place(number, sink, (bytes, chain.finish()), None, scratch);
        }
        let mut decoded = zeroed(length)?;
        chain.decode(bytes, context, &mut scratch.codec, &mut Output::Exact(&mut decoded))?;
        self.clock.decoded(start, length);
        let decoded = Bytes::from(decoded);
        // What is kept has no validity of its own: all of it is valid.
        let validity = scratch.codec.validity.take();
        if validity.is_none() {
            let grid = &self.array.meta.grid;
            self.array.keep_chunk(grid.linear(&self.chunks.index(number)), version, decoded.clone());
        }
        self.place(number, sink, (&decoded, &Finish::Nothing), validity.as_deref(), scratch)
    }

    /// Decodes what is wanted of a chunk: straight into its place where it fits there as it is, else by way of the thread's buffer, from where
    /// the last pass over the elements is the one that places them.
    fn decode_once(
        &self,
        number: usize,
        sink: &FixedSink,
        bytes: &[u8],
        chain: &Chain,
        mut context: ChunkContext<'_>,
        scratch: &mut ThreadScratch,
    ) -> Result<()> {
        let start = Instant::now();
        let length = decoded_length(context.shape, sink.source_element(), context.limits)?;
        if chain.is_unfinished_view(bytes.len(), length) {
            return self.place(number, sink, (bytes, chain.finish()), None, scratch);
        }
        let ThreadScratch { codec, decoded, place, .. } = scratch;
        let mut claim = sink.claim(number, &self.array.meta.order, place)?;
        if *chain.finish() == Finish::Nothing
            && let Some(done) = claim.lend(|target| chain.decode(bytes, &context, codec, &mut Output::Exact(target)))
        {
            done?;
            codec.validity = None;
            self.clock.decoded(start, length);
            self.clock.placed(Instant::now());
            return Ok(());
        }
        context.wanted = claim.wanted();
        if length > PIECEWISE
            && let Some(blocks) = chain.blocks(bytes, &context)?
        {
            match claim.in_pieces(&self.array.meta.order, blocks.block()) {
                Ok(pieces) => {
                    let element = sink.source_element();
                    let wanted = context.wanted.map_or(0..length, |w| w.start.saturating_mul(element)..w.end.saturating_mul(element));
                    blocks.decode(wanted, codec, |block, decoded| pieces.place(block, decoded))?;
                    pieces.done();
                    self.clock.decoded(start, length);
                    self.clock.placed(Instant::now());
                    return Ok(());
                }
                Err(back) => claim = back,
            }
        }
        let unfinished = chain.decode_unfinished(bytes, &context, codec, lengthened(decoded, length)?)?;
        self.clock.decoded(start, length);
        let start = Instant::now();
        let validity = codec.validity.take();
        let chunk = Decoded { bytes: unfinished, finish: chain.finish(), order: &self.array.meta.order, validity: validity.as_deref() };
        claim.place(&chunk, codec)?;
        self.clock.placed(start);
        Ok(())
    }

    fn place(
        &self,
        number: usize,
        sink: &FixedSink,
        (bytes, finish): (&[u8], &Finish),
        validity: Option<&[u8]>,
        scratch: &mut ThreadScratch,
    ) -> Result<()> {
        let start = Instant::now();
        let order = &self.array.meta.order;
        let ThreadScratch { codec, place, .. } = scratch;
        sink.claim(number, order, place)?.place(&Decoded { bytes, finish, order, validity }, codec)?;
        self.clock.placed(start);
        Ok(())
    }

    fn fill(&self, number: usize, scratch: &mut ThreadScratch) -> Result<()> {
        match &self.sink {
            // What is never placed is filled when the result is taken.
            Sink::Text(_) => Ok(()),
            Sink::Fixed(sink) => {
                let fill = self.array.meta.fill_value.bytes();
                if fill.is_empty() && sink.is_zeroed() {
                    return Ok(());
                }
                sink.claim(number, &self.array.meta.order, &mut scratch.place)?.fill(fill)
            }
        }
    }
}

pub(crate) fn decoded_length(shape: &[u64], element: usize, limits: &Limits) -> Result<usize> {
    let bytes = shape.iter().try_fold(element as u64, |n, m| n.checked_mul(*m)).unwrap_or(u64::MAX);
    Limits::check("max_chunk_bytes", bytes, limits.max_chunk_bytes)
}
