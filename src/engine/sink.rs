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
use super::output::zeroed;
use super::plan::ChunkBox;
use crate::error::{Error, Result};
use crate::model::{AxisOrder, ChunkGrid, Region};

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

/// Where a part is in a sink.
struct Target {
    /// From the output's start to the part's first element, in bytes.
    offset: isize,
    /// The same in elements of an output in C order.
    place: isize,
    /// The index of its first element along the first axis of the array.
    first: u64,
    /// Its length along each axis.
    lengths: Vec<usize>,
}

/// The sole right to write one part of a sink: one chunk's share of the region.
pub(crate) struct Claim<'a> {
    sink: &'a FixedSink,
    /// The chunk's share of the array.
    part: Region,
}

/// A decoded chunk.
pub(crate) struct Decoded<'a> {
    /// Its elements, in the machine's byte order.
    pub(crate) bytes: &'a [u8],
    /// The first element that it holds of each axis of the array.
    pub(crate) origin: &'a [u64],
    /// Its stored shape, along the axes of the array.
    pub(crate) shape: &'a [u64],
    /// The order in which its axes are stored.
    pub(crate) order: &'a AxisOrder,
    /// Which elements its codec calls valid, a byte each in stored order.
    pub(crate) validity: Option<&'a [u8]>,
}

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
        Ok(Arc::new(Self::new(output, grid, region, rule)))
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
    ) -> R {
        let bytes = size_of::<T>();
        let strides = view.strides().iter().map(|s| s.saturating_mul(bytes.cast_signed())).collect();
        let output = Output { start: view.as_mut_ptr().cast(), shape: view.shape().to_vec(), strides, element: bytes, owned: None };
        let sink = Arc::new(Self::new(output, grid, region, rule));
        struct Close<'a>(&'a FixedSink);
        impl Drop for Close<'_> {
            fn drop(&mut self) {
                self.0.close();
            }
        }
        let close = Close(&sink);
        let result = read(sink.clone());
        drop(close);
        result
    }

    fn new(output: Output, grid: &ChunkGrid, region: &Region, rule: Rule) -> Self {
        let Output { start, shape, strides, element, owned } = output;
        let chunks = ChunkBox::of(grid, region);
        Self {
            start,
            places: c_strides(&shape, 1),
            shape,
            strides,
            element,
            rule,
            marks: std::ptr::null_mut(),
            region: region.clone(),
            grid: grid.clone(),
            claimed: (0..chunks.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            chunks,
            writers: Mutex::default(),
            idle: Condvar::new(),
            owned: Mutex::new(owned),
            owned_marks: Mutex::default(),
        }
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
    pub(crate) fn claim(&self, number: usize) -> Result<Claim<'_>> {
        let bit = 1_u64 << (number % 64);
        let word = self.claimed.get(number / 64).filter(|_| number < self.chunks.len());
        let word = word.ok_or_else(|| Error::region("a part outside of the region"))?;
        if word.fetch_or(bit, Ordering::AcqRel) & bit != 0 {
            return Err(Error::region("a part that was written before"));
        }
        let chunk = self.grid.chunk_region(&self.chunks.index(number));
        Ok(Claim { sink: self, part: chunk.intersection(&self.region) })
    }

    /// The place of an index in C order.
    fn place(&self, index: &[usize]) -> isize {
        index.iter().zip(&self.places).map(|(i, s)| i.cast_signed() * s).sum()
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

impl Claim<'_> {
    /// Where the part is; `None` where it is empty.
    fn target(&self) -> Result<Option<Target>> {
        let sink = self.sink;
        let lengths = usizes(&self.part.shape())?;
        if lengths.contains(&0) {
            return Ok(None);
        }
        let (mut offset, mut place) = (0_isize, 0_isize);
        let axes = self.part.ranges().iter().zip(sink.region.ranges());
        for (axis, (part, region)) in axes.enumerate() {
            let first = part.start.checked_sub(region.start).and_then(|f| usize::try_from(f).ok());
            let first = first.filter(|f| f.checked_add(lengths[axis]).is_some_and(|end| sink.shape.get(axis).is_some_and(|n| end <= *n)));
            let first = first.ok_or_else(|| Error::region("a chunk outside of the output"))?;
            offset += first.cast_signed() * sink.strides[axis];
            place += first.cast_signed() * sink.places[axis];
        }
        if lengths.len() != sink.shape.len() {
            return Err(Error::region("a chunk of another rank than the output"));
        }
        let first = self.part.ranges().first().map_or(0, |r| r.start);
        Ok(Some(Target { offset, place, first, lengths }))
    }

    /// Writes the part from a decoded chunk.
    pub(crate) fn place(self, chunk: &Decoded<'_>) -> Result<()> {
        let Some(target) = self.target()? else { return Ok(()) };
        let sink = self.sink;
        let lengths = &target.lengths;
        let element = sink.source_element();
        // Bytes from one index of each of the array's axes to the next, inside the chunk.
        let mut strides = vec![0_usize; lengths.len()];
        let mut stride = element;
        for axis in chunk.order.axes().iter().rev() {
            let length = usize::try_from(chunk.shape[*axis]).map_err(|_| Error::region("a chunk larger than memory"))?;
            strides[*axis] = stride;
            stride = stride.checked_mul(length).ok_or_else(|| Error::region("a chunk larger than memory"))?;
        }
        let validity_ends_early = chunk.validity.is_some_and(|v| v.len() < stride / element.max(1));
        if chunk.bytes.len() < stride || strides.contains(&0) || validity_ends_early {
            return Err(Error::region("a chunk shorter than its shape"));
        }
        let mut source = 0;
        for (axis, range) in self.part.ranges().iter().enumerate() {
            let first = range.start.checked_sub(chunk.origin[axis]).filter(|f| f + lengths[axis] as u64 <= chunk.shape[axis]);
            let first = first.and_then(|f| usize::try_from(f).ok()).ok_or_else(|| Error::region("a chunk that does not hold its part"))?;
            source += first * strides[axis];
        }
        let writer = sink.enter()?;
        // SAFETY: `target` checked the part against the output's shape and the loop above against the chunk's, so every row lies inside
        // of both; the claim is the sole right to this part; the writer keeps the buffer alive.
        unsafe { copy_box(sink, &target, &chunk.bytes[source..], chunk.validity.map(|v| &v[source / element..]), &strides) };
        drop(writer);
        Ok(())
    }

    /// Writes one element all over the part; an empty one means zeros.
    pub(crate) fn fill(self, element: &[u8]) -> Result<()> {
        let Some(target) = self.target()? else { return Ok(()) };
        let sink = self.sink;
        let stored = sink.source_element();
        let zeros = vec![0_u8; if element.is_empty() { stored } else { 0 }];
        let element = if element.is_empty() { &zeros } else { element };
        if element.len() != stored {
            return Err(Error::data_type("a fill value of another type than the output"));
        }
        let mut mark = [1_u8];
        if let Rule::Meaning(meaning) = &sink.rule {
            meaning.mark(element, &mut mark);
        }
        let mut filled = vec![0_u8; sink.element];
        let mut of_first = None;
        let writer = sink.enter()?;
        let strides = &sink.strides;
        for_rows(&target.lengths, |index, row| {
            let first = target.first + index.first().map_or(0, |i| *i as u64);
            if of_first != Some(first) {
                of_first = Some(first);
                match &sink.rule {
                    Rule::Copy => filled.copy_from_slice(element),
                    Rule::Convert(convert, _) => convert(element, &mut filled),
                    Rule::Meaning(meaning) => meaning.apply(first, element, &mark, &mut filled),
                }
            }
            let offset: isize = index.iter().zip(strides).map(|(i, s)| i.cast_signed() * s).sum();
            let step = strides.last().copied().unwrap_or(0);
            // SAFETY: the row lies inside of the output, as `target` checked; the claim is the sole right to it. So it is with the marks,
            // where there are any.
            unsafe {
                let to = sink.start.offset(target.offset + offset);
                if step == sink.element.cast_signed() && filled.iter().all(|b| *b == 0) {
                    to.write_bytes(0, row * sink.element);
                } else {
                    for i in 0..row {
                        std::ptr::copy_nonoverlapping(filled.as_ptr(), to.offset(i.cast_signed() * step), sink.element);
                    }
                }
                if !sink.marks.is_null() {
                    sink.marks.offset(target.place + sink.place(index)).write_bytes(mark[0], row);
                }
            }
        });
        drop(writer);
        Ok(())
    }
}

/// Calls `row` with the index of every innermost row (its last number is 0) and the row's length.
fn for_rows(lengths: &[usize], mut row: impl FnMut(&[usize], usize)) {
    let (outer, inner) = match lengths.split_last() {
        Some((inner, outer)) => (outer, *inner),
        None => (&[][..], 1),
    };
    let mut index = vec![0; lengths.len()];
    loop {
        row(&index, inner);
        let mut axis = outer.len();
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            index[axis] += 1;
            if index[axis] < outer[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
}

/// Copies a box of elements from a chunk to the output, row by row.
///
/// # Safety
/// With strides `sink.strides` from the target's offset, and `strides` from the start of `from` (in elements: of `validity`), the box of
/// the target's lengths lies inside of the output and of `from`; nobody else touches that part of the output.
unsafe fn copy_box(sink: &FixedSink, target: &Target, from: &[u8], validity: Option<&[u8]>, strides: &[usize]) {
    let (element, source_element) = (sink.element, sink.source_element());
    let step = sink.strides.last().copied().unwrap_or(0);
    let source_step = strides.last().copied().unwrap_or(source_element);
    let (mut gathered, mut converted, mut marks) = (Vec::new(), Vec::new(), Vec::new());
    for_rows(&target.lengths, |index, row| {
        let source: usize = index.iter().zip(strides).map(|(i, s)| i * s).sum();
        let offset: isize = index.iter().zip(&sink.strides).map(|(i, s)| i.cast_signed() * s).sum();
        let from = &from[source..];
        // SAFETY: row by row inside of the box, as the caller promises.
        unsafe {
            let to = sink.start.offset(target.offset + offset);
            if matches!(sink.rule, Rule::Copy) {
                return copy_strided(to, step, from, source_step, row, element);
            }
            let from = if source_step == source_element {
                &from[..row * source_element]
            } else {
                gathered.resize(row * source_element, 0);
                copy_strided(gathered.as_mut_ptr(), source_element.cast_signed(), from, source_step, row, source_element);
                &gathered[..]
            };
            converted.resize(row * element, 0);
            match &sink.rule {
                Rule::Copy => {}
                Rule::Convert(convert, _) => convert(from, &mut converted),
                Rule::Meaning(meaning) => {
                    marks.clear();
                    match validity.map(|v| v[source / source_element..].iter().step_by(source_step / source_element)) {
                        Some(validity) => marks.extend(validity.take(row).map(|v| u8::from(*v != 0))),
                        None => marks.resize(row, 1),
                    }
                    meaning.mark(from, &mut marks);
                    meaning.apply(target.first + index.first().map_or(0, |i| *i as u64), from, &marks, &mut converted);
                    if !sink.marks.is_null() {
                        std::ptr::copy_nonoverlapping(marks[..row].as_ptr(), sink.marks.offset(target.place + sink.place(index)), row);
                    }
                }
            }
            copy_strided(to, step, &converted, element, row, element);
        }
    });
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
