//! The output of a read: where decoded chunks are put, from many threads at once.
//!
//! Together with `pages.rs`, which asks for huge pages, the engine's one file with `unsafe`. What makes it sound:
//! - A sink knows the region that it is the output of and the grid of the array. Its parts are the chunks that the region touches, each
//!   may be claimed once ([`FixedSink::claim`]), and chunks of a grid do not overlap: no two writers touch the same element.
//! - Every write is checked against the output's shape and the source's length before it is made.
//! - Marks of valid elements are one byte an element in C order, of the region's shape: what is inside of the output is inside of them.
//! - A borrowed output is only reachable inside [`FixedSink::scoped`], which does not return (or unwind) before the sink is closed:
//!   no writer is active then and none can become so.
//!
//! Mapping a file stands here too, as it is unsafe: see [`map`].
#![allow(unsafe_code, reason = "many threads write disjoint parts of one buffer; the invariants stand above")]

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use ndarray::{ArrayViewMut, Dimension};

use super::element::{ConvertRow, Element};
use super::meaning::Meaning;
use super::plan::ChunkBox;
use crate::codec::{Finish, Scratch};
use crate::error::{Error, Result};
use crate::model::{AxisOrder, ChunkGrid, Region, grow, lengthened, reserve, zeroed};
use crate::simd;

/// An output whose elements are alike in length.
pub(crate) struct FixedSink {
    start: *mut u8,
    /// Length of each axis.
    shape: Vec<usize>,
    /// Bytes from one index of an axis to the next.
    strides: Vec<isize>,
    /// Bytes of an element here.
    element: usize,
    rule: Rule,
    /// Whether it is written past the caches.
    streamed: bool,
    /// Which elements are valid, a byte each, in C order; null where nobody asks.
    marks: *mut u8,
    /// Elements from one index of an axis to the next, in C order.
    places: Vec<isize>,
    /// The part of the array that it holds, and the chunks that it touches.
    region: Region,
    grid: ChunkGrid,
    chunks: ChunkBox,
    /// One bit a part: whether it was claimed.
    claimed: Vec<AtomicU64>,
    writers: Mutex<Writers>,
    idle: Condvar,
    /// The buffer, where the sink owns it.
    owned: Mutex<Option<Box<dyn Any + Send>>>,
    owned_marks: Mutex<Option<Vec<u8>>>,
}

/// What decoded elements become on their way into the output.
#[derive(Clone)]
pub(crate) enum Rule {
    /// They are copied.
    Copy,
    /// Elements of so many bytes are converted.
    Convert(ConvertRow, usize),
    /// They are held against what they stand for.
    Meaning(Meaning),
}

/// Where a sink writes.
struct Output {
    start: *mut u8,
    shape: Vec<usize>,
    strides: Vec<isize>,
    element: usize,
    owned: Option<Box<dyn Any + Send>>,
}

#[derive(Default)]
struct Writers {
    active: usize,
    closed: bool,
}

// SAFETY: the pointer is only written through while a writer is registered, by one writer an element (see the head of the file);
// everything else in it is Send and Sync.
unsafe impl Send for FixedSink {}
// SAFETY: as above.
unsafe impl Sync for FixedSink {}

/// A registered writer.
struct Writer<'a>(&'a FixedSink);

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        let mut writers = self.0.writers.lock().unwrap_or_else(PoisonError::into_inner);
        writers.active -= 1;
        if writers.active == 0 {
            self.0.idle.notify_all();
        }
    }
}

/// The sole right to write one part of a sink: one chunk's share of the region. Given back where it was not used.
pub(crate) struct Claim<'a> {
    sink: &'a FixedSink,
    number: usize,
    used: bool,
    /// What is known of each axis of the array.
    axes: &'a [Axis],
    loops: &'a mut Loops,
    /// The first element of the part in the output, and its index along the first axis of the array.
    start: At,
    is_empty: bool,
    /// Bytes of the stored chunk.
    stored: usize,
}

/// What a thread keeps from one place to the next, so that putting a chunk in its place allocates nothing.
#[derive(Default)]
pub(crate) struct PlaceScratch {
    axes: Vec<Axis>,
    loops: Loops,
}

impl PlaceScratch {
    /// Lets go of buffers above this many bytes.
    pub(crate) fn trim(&mut self, most: usize) {
        let RowScratch { finished, gathered, converted, marks } = &mut self.loops.rows;
        for buffer in [finished, gathered, converted, marks] {
            if buffer.capacity() > most {
                *buffer = Vec::new();
            }
        }
    }
}

#[derive(Default)]
struct Loops {
    outer: Vec<Loop>,
    inner: Vec<Loop>,
    rows: RowScratch,
}

/// Runs of elements on their way.
#[derive(Default)]
struct RowScratch {
    finished: Vec<u8>,
    gathered: Vec<u8>,
    converted: Vec<u8>,
    marks: Vec<u8>,
}

/// A part along one axis of the array.
#[derive(Clone, Copy)]
struct Axis {
    /// Elements of it.
    length: usize,
    /// The first of them in the chunk.
    from: usize,
    /// Elements of the stored chunk.
    stored: usize,
    /// From one index to the next, inside of the chunk and of the output.
    step: Loop,
}

/// Indexes that are gone through: how many, and how far each is from the one before.
#[derive(Clone, Copy)]
struct Loop {
    length: usize,
    /// In bytes of the chunk.
    source: usize,
    /// In bytes of the output.
    target: isize,
    /// In elements of an output in C order.
    place: isize,
    /// Along the first axis of the array.
    first: u64,
}

/// A place in a chunk and in the output.
#[derive(Clone, Copy, Default)]
struct At {
    source: usize,
    target: isize,
    place: isize,
    first: u64,
}

impl At {
    fn plus(self, step: &Loop, n: usize) -> Self {
        Self {
            source: self.source + n * step.source,
            target: self.target + n.cast_signed() * step.target,
            place: self.place + n.cast_signed() * step.place,
            first: self.first + n as u64 * step.first,
        }
    }
}

/// A decoded chunk, but for the pass that is made over its elements on their way.
pub(crate) struct Decoded<'a> {
    /// Its elements, as they are before the finish.
    pub(crate) bytes: &'a [u8],
    /// What makes them elements in the machine's byte order.
    pub(crate) finish: &'a Finish,
    /// The order in which its axes are stored.
    pub(crate) order: &'a AxisOrder,
    /// Which elements its codec calls valid, a byte each in stored order.
    pub(crate) validity: Option<&'a [u8]>,
}

/// What is finished at once where elements do not depend on each other: it stays in the first-level cache.
const BLOCK: usize = 16 << 10;

/// Outputs of this many bytes and more are written past the caches: they would be gone from there before anybody reads them.
const STREAMED: usize = if cfg!(test) { 2 << 10 } else { 64 << 20 };

/// Shorter runs are not worth it.
const STREAMED_RUN: usize = if cfg!(test) { 48 } else { 256 };

impl FixedSink {
    /// A sink for a region of an array, into a zeroed buffer of its own: `count` elements of `T`, which hold the region's of `element` bytes.
    pub(crate) fn owned<T: bytemuck::Pod + Send>(grid: &ChunkGrid, region: &Region, count: usize, element: usize, rule: Rule) -> Result<Arc<Self>> {
        let mut buffer: Vec<T> = zeroed(count)?;
        let start = buffer.as_mut_ptr().cast::<u8>();
        let shape = usizes(&region.shape())?;
        let step = isize::try_from(element).map_err(|_| Error::limit("element bytes", element as u64, isize::MAX as u64))?;
        let strides = c_strides(&shape, step);
        let needed = shape.iter().try_fold(element, |n, m| n.checked_mul(*m));
        if needed.is_none_or(|n| n > size_of_val(&buffer[..])) {
            return Err(Error::region("the output is smaller than the region"));
        }
        let output = Output { start, shape, strides, element, owned: Some(Box::new(buffer)) };
        Ok(Arc::new(Self::new(output, grid, region, rule)?))
    }

    /// As [`owned`](Self::owned), and which elements are valid beside them; nothing is until it is written.
    pub(crate) fn masked<T: bytemuck::Pod + Send>(grid: &ChunkGrid, region: &Region, count: usize, meaning: Meaning) -> Result<Arc<Self>> {
        let mut marks: Vec<u8> = zeroed(count)?;
        let start = marks.as_mut_ptr();
        let mut sink = Self::owned::<T>(grid, region, count, size_of::<T>(), Rule::Meaning(meaning))?;
        // `owned` has held `count` elements against the region.
        let fresh = Arc::get_mut(&mut sink).ok_or_else(|| Error::storage("the output of a read is shared"))?;
        fresh.marks = start;
        fresh.owned_marks = Mutex::new(Some(marks));
        Ok(sink)
    }

    /// Runs `read` with a sink over the caller's array, which is the region's output.
    ///
    /// When this returns or unwinds no writer is active and none can become so.
    pub(crate) fn scoped<T: Element, D: Dimension, R>(
        mut view: ArrayViewMut<'_, T, D>,
        grid: &ChunkGrid,
        region: &Region,
        rule: Rule,
        read: impl FnOnce(Arc<Self>) -> R,
    ) -> Result<R> {
        let bytes = size_of::<T>();
        let strides = view.strides().iter().map(|s| s.saturating_mul(bytes.cast_signed())).collect();
        let output = Output { start: view.as_mut_ptr().cast(), shape: view.shape().to_vec(), strides, element: bytes, owned: None };
        let sink = Arc::new(Self::new(output, grid, region, rule)?);
        struct Close<'a>(&'a FixedSink);
        impl Drop for Close<'_> {
            fn drop(&mut self) {
                self.0.close();
            }
        }
        let close = Close(&sink);
        let result = read(sink.clone());
        drop(close);
        Ok(result)
    }

    fn new(output: Output, grid: &ChunkGrid, region: &Region, rule: Rule) -> Result<Self> {
        let Output { start, shape, strides, element, owned } = output;
        let chunks = ChunkBox::of(grid, region);
        Ok(Self {
            start,
            streamed: shape.iter().fold(element, |n, m| n.saturating_mul(*m)) >= STREAMED,
            places: c_strides(&shape, 1),
            shape,
            strides,
            element,
            rule,
            marks: std::ptr::null_mut(),
            region: region.clone(),
            grid: grid.clone(),
            claimed: bits(chunks.len())?,
            chunks,
            writers: Mutex::default(),
            idle: Condvar::new(),
            owned: Mutex::new(owned),
            owned_marks: Mutex::default(),
        })
    }

    /// Asks the system for huge pages under a buffer of its own.
    pub(crate) fn ask_for_huge_pages(&self) {
        if self.owned.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            let elements = self.shape.iter().product::<usize>();
            super::pages::ask_for_huge(self.start, elements * self.element);
            if !self.marks.is_null() {
                super::pages::ask_for_huge(self.marks, elements);
            }
        }
    }

    /// Waits until no writer is active; none can become so afterwards.
    pub(crate) fn close(&self) {
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        writers.closed = true;
        while writers.active > 0 {
            writers = self.idle.wait(writers).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Closes the sink and takes its buffer.
    pub(crate) fn take<T: 'static>(&self) -> Option<Vec<T>> {
        self.close();
        let owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        owned.downcast::<Vec<T>>().ok().map(|b| *b)
    }

    /// Closes the sink and takes which elements are valid: 0 or 1 each.
    pub(crate) fn take_marks(&self) -> Option<Vec<u8>> {
        self.close();
        self.owned_marks.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn enter(&self) -> Result<Writer<'_>> {
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        if writers.closed {
            return Err(Error::storage("the read was given up"));
        }
        writers.active += 1;
        Ok(Writer(self))
    }

    /// The right to write part `number`: that of the region's chunks, in their C order. Each number once.
    pub(crate) fn claim<'a>(&'a self, number: usize, order: &AxisOrder, scratch: &'a mut PlaceScratch) -> Result<Claim<'a>> {
        let bit = 1_u64 << (number % 64);
        let word = self.claimed.get(number / 64).filter(|_| number < self.chunks.len());
        let word = word.ok_or_else(|| Error::region("a part outside of the region"))?;
        if word.fetch_or(bit, Ordering::AcqRel) & bit != 0 {
            return Err(Error::region("a part that was written before"));
        }
        let PlaceScratch { axes, loops } = scratch;
        let mut claim = Claim { sink: self, number, used: false, axes: &[], loops, start: At::default(), is_empty: false, stored: 0 };
        self.measure(&mut claim, &self.chunks.index(number), order, axes)?;
        claim.axes = axes;
        Ok(claim)
    }

    /// Finds the part along each axis, and checks that it lies inside of the output.
    fn measure(&self, claim: &mut Claim<'_>, index: &[u64], order: &AxisOrder, axes: &mut Vec<Axis>) -> Result<()> {
        axes.clear();
        if index.len() != self.shape.len() || order.axes().len() != index.len() || self.region.ranges().len() != index.len() {
            return Err(Error::region("a chunk of another rank than the output"));
        }
        let size = |n: u64| usize::try_from(n).map_err(|_| Error::region("a chunk larger than memory"));
        for (axis, (i, region)) in index.iter().zip(self.region.ranges()).enumerate() {
            let (extent, length) = (self.grid.extent(axis, *i), self.grid.shape()[axis]);
            let (start, end) = (extent.start.max(region.start), extent.end.min(length).min(region.end));
            let length = size(end.saturating_sub(start))?;
            claim.is_empty |= length == 0;
            let first = if length == 0 { 0 } else { size(start - region.start)? };
            if length > 0 && first.checked_add(length).is_none_or(|end| end > self.shape[axis]) {
                return Err(Error::region("a chunk outside of the output"));
            }
            let step = Loop { length, source: 0, target: self.strides[axis], place: self.places[axis], first: u64::from(axis == 0) };
            claim.start.target += first.cast_signed() * step.target;
            claim.start.place += first.cast_signed() * step.place;
            if axis == 0 {
                claim.start.first = start;
            }
            let from = if length == 0 { 0 } else { size(start - extent.start)? };
            axes.push(Axis { length, from, stored: size(self.grid.stored_length(axis, *i))?, step });
        }
        claim.stored = self.source_element();
        for axis in order.axes().iter().rev() {
            let axis = &mut axes[*axis];
            axis.step.source = claim.stored;
            claim.stored = claim.stored.checked_mul(axis.stored).ok_or_else(|| Error::region("a chunk larger than memory"))?;
            if axis.length > 0 && axis.from + axis.length > axis.stored {
                return Err(Error::region("a chunk that does not hold its part"));
            }
        }
        Ok(())
    }

    /// Bytes of a decoded element.
    pub(crate) fn source_element(&self) -> usize {
        match &self.rule {
            Rule::Copy => self.element,
            Rule::Convert(_, stored) => *stored,
            Rule::Meaning(meaning) => meaning.stored(),
        }
    }

    /// Whether a fresh buffer already holds what a fill with zeros would write.
    pub(crate) fn is_zeroed(&self) -> bool {
        !matches!(self.rule, Rule::Meaning(_)) && self.owned.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.used
            && let Some(word) = self.sink.claimed.get(self.number / 64)
        {
            word.fetch_and(!(1 << (self.number % 64)), Ordering::AcqRel);
        }
    }
}

impl<'a> Claim<'a> {
    /// The elements of the chunk, in stored order, among which all of the part are; `None` where that is the whole chunk.
    pub(crate) fn wanted(&self) -> Option<std::ops::Range<usize>> {
        let element = self.sink.source_element().max(1);
        let place = |index: fn(&Axis) -> usize| self.axes.iter().map(|a| index(a) * (a.step.source / element)).sum::<usize>();
        let range = place(|a| a.from)..place(|a| (a.from + a.length).saturating_sub(1)) + 1;
        (!self.is_empty && range.len() < self.stored / element).then_some(range)
    }

    /// Has the chunk decoded straight into its place, where it is in one piece there and nothing is to be done to its elements on the way.
    /// `None` where that cannot be.
    pub(crate) fn lend<R>(&mut self, decode: impl FnOnce(&mut [u8]) -> Result<R>) -> Option<Result<R>> {
        let sink = self.sink;
        let is_whole = self.axes.iter().all(|a| a.length == a.stored) && !self.is_empty;
        if !matches!(sink.rule, Rule::Copy) || !sink.marks.is_null() || !is_whole {
            return None;
        }
        self.loops.inner.clear();
        self.loops.inner.extend(self.axes.iter().map(|a| Loop { length: a.length, ..a.step }));
        merge(&mut self.loops.inner);
        let in_one_piece = match self.loops.inner[..] {
            [] => true,
            [only] => only.source == sink.element && only.target == sink.element.cast_signed(),
            _ => false,
        };
        if !in_one_piece {
            return None;
        }
        let writer = match sink.enter() {
            Ok(writer) => writer,
            Err(e) => return Some(Err(e)),
        };
        // SAFETY: all elements of the part lie inside of the output (`measure`), one behind the other (the loop above), and the claim is the
        // sole right to them; the writer keeps the buffer alive.
        let target = unsafe { std::slice::from_raw_parts_mut(sink.start.offset(self.start.target), self.stored) };
        let done = decode(target);
        drop(writer);
        self.used = done.is_ok();
        Some(done)
    }

    /// Makes of this claim one whose elements are written piece by piece, by several threads maybe. `None` where they are not only copied.
    ///
    /// A piece is `length` bytes of the chunk, in stored order, from a multiple of `length` on.
    pub(crate) fn in_pieces(self, order: &'a AxisOrder, length: usize) -> std::result::Result<Pieces<'a>, Self> {
        let element = self.sink.source_element();
        let is_copied = matches!(self.sink.rule, Rule::Copy) && self.sink.marks.is_null();
        if self.is_empty || !is_copied || element == 0 || length == 0 || !length.is_multiple_of(element) {
            return Err(self);
        }
        match bits(self.stored.div_ceil(length)) {
            Ok(written) => Ok(Pieces { claim: self, order, length, written }),
            Err(_) => Err(self),
        }
    }

    /// Writes the part from a decoded chunk.
    pub(crate) fn place(mut self, chunk: &Decoded<'_>, scratch: &mut Scratch) -> Result<()> {
        let done = self.place_all(chunk, scratch);
        self.used = done.is_ok();
        done
    }

    fn place_all(&mut self, chunk: &Decoded<'_>, scratch: &mut Scratch) -> Result<()> {
        let sink = self.sink;
        let element = sink.source_element();
        let validity_ends_early = chunk.validity.is_some_and(|v| v.len() < self.stored / element.max(1));
        if chunk.bytes.len() < self.stored || element == 0 || validity_ends_early {
            return Err(Error::region("a chunk shorter than its shape"));
        }
        if self.is_empty {
            return Ok(());
        }
        let outer = self.outer_axes(chunk)?;
        let Loops { outer: outer_loops, inner, rows } = &mut *self.loops;
        outer_loops.clear();
        inner.clear();
        let (mut start, mut first) = (self.start, 0);
        let all = || self.axes.iter().enumerate();
        let is_outer = |axis: usize| chunk.order.axes()[..outer].contains(&axis);
        for axis in &chunk.order.axes()[..outer] {
            let axis = &self.axes[*axis];
            start.source += axis.from * axis.step.source;
            outer_loops.push(Loop { length: axis.length, ..axis.step });
        }
        for (_, axis) in all().filter(|(n, _)| !is_outer(*n)) {
            first += axis.from * axis.step.source;
            inner.push(Loop { length: axis.length, ..axis.step });
        }
        // Bytes of a row from its start to its last element that is wanted.
        let end = inner.iter().map(|l| (l.length - 1) * l.source).sum::<usize>() + first + element;
        if matches!(sink.rule, Rule::Copy) {
            merge(inner);
        } else if let Some(row) = inner.pop() {
            // Rows go along the last axis of the array: marks stand one behind the other there, and the first axis has one index.
            inner.retain(|l| l.length != 1);
            inner.push(row);
            if let Rule::Meaning(meaning) = &sink.rule
                && (row.place != 1 || row.first != 0 && meaning.has_lines())
            {
                inner.push(ONCE);
            }
        }
        let in_one_piece = matches!(sink.rule, Rule::Copy)
            && match inner[..] {
                [] => true,
                [only] => only.source == element && only.target == element.cast_signed(),
                _ => false,
            };
        let by_rows = chunk.finish.row().is_some();
        let streamed = sink.streamed && end - first >= STREAMED_RUN;
        let writer = sink.enter()?;
        let mut failed = None;
        nest(outer_loops, start, &mut |at| {
            if failed.is_some() {
                return;
            }
            let done = match chunk.finish {
                Finish::Nothing => {
                    // SAFETY: `measure` checked the part against the output's shape and against the chunk's, so every row lies inside of both;
                    // the claim is the sole right to this part; the writer keeps the buffer alive.
                    unsafe {
                        copy_box(
                            sink,
                            inner,
                            At { source: 0, ..at },
                            &chunk.bytes[at.source + first..],
                            chunk.validity.map(|v| &v[(at.source + first) / element..]),
                            rows,
                        )
                    }
                }
                finish if in_one_piece && !streamed && (!by_rows || first == 0) => {
                    // SAFETY: as above; the run is in one piece.
                    let target = unsafe { std::slice::from_raw_parts_mut(sink.start.offset(at.target), end - first) };
                    finish.run(chunk.bytes, at.source + first, target, scratch)
                }
                finish if in_one_piece => {
                    let from = if by_rows { 0 } else { first };
                    in_blocks(by_rows, element, from..end, |block, done| {
                        let row = lengthened(&mut rows.finished, block.len())?;
                        finish.run(chunk.bytes, at.source + block.start, row, scratch)?;
                        let wanted = &row[first.saturating_sub(block.start)..];
                        // SAFETY: as above; `done` bytes of the run were written before.
                        let target = unsafe { std::slice::from_raw_parts_mut(sink.start.offset(at.target + done.cast_signed()), wanted.len()) };
                        if streamed {
                            simd::copy_streaming(wanted, target)
                        } else {
                            target.copy_from_slice(wanted)
                        }
                        Ok(wanted.len())
                    })
                }
                finish => {
                    let mut finished = std::mem::take(&mut rows.finished);
                    let done = lengthened(&mut finished, end).and_then(|row| {
                        finish.run(chunk.bytes, at.source, row, scratch)?;
                        let validity = chunk.validity.map(|v| &v[(at.source + first) / element..]);
                        // SAFETY: as above.
                        unsafe { copy_box(sink, inner, At { source: 0, ..at }, &row[first..], validity, rows) }
                    });
                    rows.finished = finished;
                    done
                }
            };
            failed = done.err();
        });
        if sink.streamed {
            simd::streaming_fence();
        }
        drop(writer);
        failed.map_or(Ok(()), Err)
    }

    /// How many of the stored axes are gone through one by one, so that what is finished at once is a row of the finish, or a block.
    fn outer_axes(&self, chunk: &Decoded<'_>) -> Result<usize> {
        let axes = chunk.order.axes();
        let bytes = |outer: usize| outer.checked_sub(1).and_then(|last| axes.get(last)).map_or(self.stored, |axis| self.axes[*axis].step.source);
        match (chunk.finish, chunk.finish.row()) {
            (Finish::Nothing, _) => Ok(0),
            (_, Some(row)) => {
                (0..=axes.len()).find(|outer| bytes(*outer) == row).ok_or_else(|| Error::codec("predictor", "rows that are not those of the chunk"))
            }
            (_, None) => {
                let innermost = axes.iter().rposition(|axis| self.axes[*axis].stored > 1).unwrap_or(0);
                let last = axes.iter().position(|axis| axis + 1 == axes.len()).unwrap_or(0);
                let innermost = innermost.min(last);
                Ok((0..=innermost).find(|outer| bytes(*outer) <= BLOCK).unwrap_or(innermost))
            }
        }
    }

    /// Writes one element all over the part; an empty one means zeros.
    pub(crate) fn fill(mut self, element: &[u8]) -> Result<()> {
        self.used = true;
        let sink = self.sink;
        let stored = sink.source_element();
        let Loops { inner, rows, .. } = &mut *self.loops;
        let RowScratch { gathered, converted, marks, .. } = rows;
        let element = if element.is_empty() {
            let zeros = lengthened(gathered, stored)?;
            zeros.fill(0);
            zeros
        } else {
            element
        };
        if element.len() != stored {
            return Err(Error::data_type("a fill value of another type than the output"));
        }
        if self.is_empty {
            return Ok(());
        }
        let mark = lengthened(marks, 1)?;
        mark[0] = 1;
        if let Rule::Meaning(meaning) = &sink.rule {
            meaning.mark(element, mark);
        }
        inner.clear();
        inner.extend(self.axes.iter().map(|a| Loop { length: a.length, ..a.step }));
        let row = inner.pop().unwrap_or(ONCE);
        let filled = lengthened(converted, sink.element)?;
        let mut of_first = None;
        let writer = sink.enter()?;
        nest(inner, self.start, &mut |at| {
            if of_first != Some(at.first) {
                of_first = Some(at.first);
                match &sink.rule {
                    Rule::Copy => filled.copy_from_slice(element),
                    Rule::Convert(convert, _) => convert(element, filled),
                    Rule::Meaning(meaning) => meaning.apply(at.first, element, mark, filled),
                }
            }
            // SAFETY: the row lies inside of the output, as `measure` checked; the claim is the sole right to it. So it is with the marks,
            // where there are any.
            unsafe {
                let to = sink.start.offset(at.target);
                if row.target == sink.element.cast_signed() {
                    simd::fill(std::slice::from_raw_parts_mut(to, row.length * sink.element), filled);
                } else {
                    for i in 0..row.length {
                        std::ptr::copy_nonoverlapping(filled.as_ptr(), to.offset(i.cast_signed() * row.target), sink.element);
                    }
                }
                if !sink.marks.is_null() {
                    sink.marks.offset(at.place).write_bytes(mark[0], row.length);
                }
            }
        });
        drop(writer);
        Ok(())
    }
}

/// A claim that is written piece by piece.
pub(crate) struct Pieces<'a> {
    claim: Claim<'a>,
    order: &'a AxisOrder,
    length: usize,
    /// One bit a piece.
    written: Vec<AtomicU64>,
}

impl Pieces<'_> {
    /// Writes what of a piece is in the part, each piece once.
    pub(crate) fn place(&self, piece: usize, bytes: &[u8]) -> Result<()> {
        let claim = &self.claim;
        let bit = 1_u64 << (piece % 64);
        let word = self.written.get(piece / 64).ok_or_else(|| Error::region("a piece outside of its chunk"))?;
        let start = piece.checked_mul(self.length).filter(|start| *start < claim.stored);
        let start = start.ok_or_else(|| Error::region("a piece outside of its chunk"))?;
        if bytes.len() != self.length.min(claim.stored - start) {
            return Err(Error::region("a piece of another length"));
        }
        let writer = claim.sink.enter()?;
        if word.fetch_or(bit, Ordering::AcqRel) & bit != 0 {
            return Err(Error::region("a part that was written before"));
        }
        let (mut loops, mut rows) = (Vec::with_capacity(claim.axes.len()), RowScratch::default());
        self.boxes(0, claim.start, 0, start, bytes, &mut loops, &mut rows)?;
        if claim.sink.streamed {
            simd::streaming_fence();
        }
        drop(writer);
        Ok(())
    }

    /// All of the chunk is in its place.
    pub(crate) fn done(mut self) {
        self.claim.used = true;
    }

    /// Cuts the piece, which starts at byte `start` of the chunk, into boxes. What is looked at are the elements from byte `base` on that have one
    /// index of each of the `depth` outermost stored axes; `at` is where they go.
    #[allow(clippy::too_many_arguments, reason = "a recursion's own state")]
    fn boxes(&self, depth: usize, at: At, base: usize, start: usize, bytes: &[u8], loops: &mut Vec<Loop>, rows: &mut RowScratch) -> Result<()> {
        let claim = &self.claim;
        let end = start + bytes.len();
        let axis_of = |depth: usize| self.order.axes().get(depth).map(|axis| &claim.axes[*axis]);
        let Some(axis) = axis_of(depth) else {
            // A single element.
            if (start..end).contains(&base) {
                // SAFETY: as below, of one element.
                unsafe { copy_box(claim.sink, &[], At { source: 0, ..at }, &bytes[base - start..], None, rows) }?;
            }
            return Ok(());
        };
        let step = axis.step.source;
        // Indexes of this axis whose elements are in the piece, in part and whole.
        let (first, last) = (start.saturating_sub(base) / step, (end - base).div_ceil(step).min(axis.stored));
        let (whole_first, whole_last) = (start.saturating_sub(base).div_ceil(step), ((end - base) / step).min(axis.stored));
        let inside = |i: usize| (axis.from..axis.from + axis.length).contains(&i);
        let one = |i: usize, loops: &mut Vec<Loop>, rows: &mut RowScratch| {
            let inner = base + i * step;
            if inside(i) && inner < end && inner + step > start {
                self.boxes(depth + 1, At { source: 0, ..at.plus(&axis.step, i - axis.from) }, inner, start, bytes, loops, rows)?;
            }
            Ok(())
        };
        if whole_first >= whole_last {
            return (first..last).try_for_each(|i| one(i, loops, rows));
        }
        (first..whole_first).try_for_each(|i| one(i, loops, rows))?;
        let (from, to) = (whole_first.max(axis.from), whole_last.min(axis.from + axis.length));
        if from < to {
            loops.clear();
            loops.push(Loop { length: to - from, ..axis.step });
            let mut source = base + from * step - start;
            for inner in (depth + 1..self.order.axes().len()).filter_map(axis_of) {
                source += inner.from * inner.step.source;
                loops.push(Loop { length: inner.length, ..inner.step });
            }
            merge(loops);
            // SAFETY: `measure` checked the part against the output's shape, and these are elements of it whose bytes are in the piece; each piece is
            // written once, and the claim is the sole right to the part; the writer keeps the buffer alive.
            unsafe { copy_box(claim.sink, loops, At { source: 0, ..at.plus(&axis.step, from - axis.from) }, &bytes[source..], None, rows) }?;
        }
        (whole_last..last).try_for_each(|i| one(i, loops, rows))
    }
}

/// A single index.
const ONCE: Loop = Loop { length: 1, source: 0, target: 0, place: 0, first: 0 };

/// A bit for each of so many.
fn bits(count: usize) -> Result<Vec<AtomicU64>> {
    let words = count.div_ceil(64);
    let mut bits = reserve(words)?;
    bits.extend((0..words).map(|_| AtomicU64::new(0)));
    Ok(bits)
}

/// Cuts a range into blocks of whole elements, unless it is a row; `each` gets a block and how many bytes came out of those before.
fn in_blocks(
    is_row: bool,
    element: usize,
    range: std::ops::Range<usize>,
    mut each: impl FnMut(std::ops::Range<usize>, usize) -> Result<usize>,
) -> Result<()> {
    let step = (BLOCK / element).max(1) * element;
    let (mut at, mut done) = (range.start, 0);
    while at < range.end {
        let end = if is_row { range.end } else { range.end.min(at + step) };
        done += each(at..end, done)?;
        at = end;
    }
    Ok(())
}

/// Leaves out loops of one index, and makes one of two that go on where the inner one ends.
fn merge(loops: &mut Vec<Loop>) {
    let mut kept = 0_usize;
    for n in 0..loops.len() {
        let this = loops[n];
        if this.length == 1 {
            continue;
        }
        match kept.checked_sub(1).map(|last| &mut loops[last]) {
            Some(last) if last.source == this.source * this.length && last.target == this.target * this.length.cast_signed() => {
                *last = Loop { length: last.length * this.length, first: last.first, ..this };
            }
            _ => {
                loops[kept] = this;
                kept += 1;
            }
        }
    }
    loops.truncate(kept);
}

/// Calls `each` with every place that the loops lead to, the last of them fastest.
fn nest(loops: &[Loop], at: At, each: &mut impl FnMut(At)) {
    match loops.split_first() {
        None => each(at),
        Some((this, inner)) => (0..this.length).for_each(|n| nest(inner, at.plus(this, n), each)),
    }
}

/// Copies a box of elements from a chunk to the output, row by row.
///
/// # Safety
/// Wherever the loops lead from `at` on, there is an element in `from` (and `validity`, whose places are those of `from` in elements) and in the
/// output; nobody else touches that part of the output.
unsafe fn copy_box(sink: &FixedSink, loops: &[Loop], at: At, from: &[u8], validity: Option<&[u8]>, scratch: &mut RowScratch) -> Result<()> {
    let (element, stored) = (sink.element, sink.source_element());
    let (row, outer) = loops.split_last().map_or((ONCE, loops), |(row, outer)| (*row, outer));
    let source_step = if row.length == 1 { stored } else { row.source };
    let step = if row.length == 1 { element.cast_signed() } else { row.target };
    let in_one_piece = step == element.cast_signed();
    let streamed = sink.streamed && in_one_piece && row.length * element >= STREAMED_RUN;
    let RowScratch { gathered, converted, marks, .. } = scratch;
    let is_copied = matches!(sink.rule, Rule::Copy);
    let gathered = lengthened(gathered, if is_copied || source_step == stored { 0 } else { row.length * stored })?;
    let converted = lengthened(converted, if is_copied || in_one_piece { 0 } else { row.length * element })?;
    marks.clear();
    if let Rule::Meaning(_) = sink.rule {
        grow(marks, row.length)?;
    }
    nest(outer, at, &mut |at| {
        let from = &from[at.source..];
        // SAFETY: row by row inside of the box, as the caller promises.
        unsafe {
            let to = sink.start.offset(at.target);
            if is_copied {
                if streamed && source_step == stored {
                    simd::copy_streaming(&from[..row.length * element], std::slice::from_raw_parts_mut(to, row.length * element));
                    return;
                }
                return copy_strided(to, step, from, source_step, row.length, element);
            }
            let from = if source_step == stored {
                &from[..row.length * stored]
            } else {
                copy_strided(gathered.as_mut_ptr(), stored.cast_signed(), from, source_step, row.length, stored);
                &*gathered
            };
            let out = if in_one_piece { std::slice::from_raw_parts_mut(to, row.length * element) } else { &mut *converted };
            match &sink.rule {
                Rule::Copy => {}
                Rule::Convert(convert, _) => convert(from, out),
                Rule::Meaning(meaning) => {
                    marks.clear();
                    match validity.map(|v| v[at.source / stored..].iter().step_by(source_step / stored)) {
                        Some(validity) => marks.extend(validity.take(row.length).map(|v| u8::from(*v != 0))),
                        None => marks.resize(row.length, 1),
                    }
                    meaning.mark(from, marks);
                    meaning.apply(at.first, from, marks, out);
                    if !sink.marks.is_null() {
                        std::ptr::copy_nonoverlapping(marks.as_ptr(), sink.marks.offset(at.place), row.length);
                    }
                }
            }
            if !in_one_piece {
                copy_strided(to, step, converted, element, row.length, element);
            }
        }
    });
    Ok(())
}

/// Copies `count` elements between two strides.
///
/// # Safety
/// `to` may be written at every step; `from` holds all elements.
unsafe fn copy_strided(to: *mut u8, step: isize, from: &[u8], source_step: usize, count: usize, element: usize) {
    assert!(count == 0 || from.len() >= (count - 1) * source_step + element, "the source is shorter than its elements");
    /// The length of an element known when compiled, so that a copy is one load and one store.
    unsafe fn fixed<const N: usize>(to: *mut u8, step: isize, from: *const u8, source_step: usize, count: usize) {
        for i in 0..count {
            // SAFETY: as the caller of `copy_strided` promises.
            unsafe {
                to.offset(i.cast_signed() * step).cast::<[u8; N]>().write_unaligned(from.add(i * source_step).cast::<[u8; N]>().read_unaligned())
            };
        }
    }
    // Bands out of pixels. The last pixel may end with the element.
    let samples = source_step.checked_div(element).unwrap_or(0);
    if step == element.cast_signed() && (2..=4).contains(&samples) && samples * element == source_step && count > 1 {
        let whole = count - 1;
        // SAFETY: as the caller promises; the elements stand one behind the other.
        let target = unsafe { std::slice::from_raw_parts_mut(to, count * element) };
        let (band, last) = target.split_at_mut(whole * element);
        simd::deinterleave(&from[..whole * source_step], element, samples, 0, band);
        last.copy_from_slice(&from[whole * source_step..][..element]);
        return;
    }
    let from = from.as_ptr();
    // SAFETY: the assertion above holds for the source, the caller's promise for the target.
    unsafe {
        if source_step == element && step == element.cast_signed() {
            std::ptr::copy_nonoverlapping(from, to, count * element);
            return;
        }
        match element {
            1 => fixed::<1>(to, step, from, source_step, count),
            2 => fixed::<2>(to, step, from, source_step, count),
            4 => fixed::<4>(to, step, from, source_step, count),
            8 => fixed::<8>(to, step, from, source_step, count),
            16 => fixed::<16>(to, step, from, source_step, count),
            _ => {
                for i in 0..count {
                    std::ptr::copy_nonoverlapping(from.add(i * source_step), to.offset(i.cast_signed() * step), element);
                }
            }
        }
    }
}

/// Distances from one index of an axis to the next in C order, `step` along the last.
fn c_strides(shape: &[usize], step: isize) -> Vec<isize> {
    let mut strides = vec![0; shape.len()];
    let mut stride = step;
    for (s, n) in strides.iter_mut().zip(shape).rev() {
        *s = stride;
        stride = stride.saturating_mul(isize::try_from(*n).unwrap_or(isize::MAX));
    }
    strides
}

fn usizes(shape: &[u64]) -> Result<Vec<usize>> {
    shape.iter().map(|n| usize::try_from(*n).map_err(|_| Error::limit("axis", *n, usize::MAX as u64))).collect()
}

/// Maps a whole file into memory.
#[cfg(feature = "mmap")]
pub(crate) fn map(file: &std::fs::File) -> std::io::Result<bytes::Bytes> {
    // SAFETY: the caller of `with_trusted_mmap` vouches that files do not change while they are read.
    let map = unsafe { memmap2::Mmap::map(file) }?;
    Ok(bytes::Bytes::from_owner(map))
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "numbers of the tests' own")]
mod tests;
