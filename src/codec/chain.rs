//! A compiled chain, and how its steps hand on their data.

use std::ops::Range;
use std::sync::Arc;

use super::{ChunkContext, Codec, Finish, InPlace, Output, Scratch, Size, Trim, bound, parallel, surplus};
use crate::error::{Error, Result};
use crate::model::{AxisOrder, DataType, Limits};

/// The codecs of an array, compiled once, run for each chunk.
#[derive(Debug, Clone)]
pub struct Chain {
    pub(super) stages: Vec<Stage>,
    pub(super) data_type: DataType,
    /// All stages from here on are in place: what is before writes into the output itself.
    pub(super) tail: usize,
    /// The stages from `before_finish` on, as one pass that may be made elsewhere.
    pub(super) finish: Finish,
    pub(super) before_finish: usize,
}

/// A step, and what of the chunk differs at its output from the chain's end.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    pub(super) action: Action,
    pub(super) data_type: DataType,
    /// The axes here, of those at the chain's end.
    pub(super) order: Option<AxisOrder>,
}

#[derive(Debug, Clone)]
pub(super) enum Action {
    Apart(Arc<dyn Codec>),
    InPlace(Arc<dyn InPlace>),
    Trim(Arc<dyn Trim>),
    /// What is beyond the size wanted is left out.
    LeaveSurplus,
}

/// What becomes of data beyond those that a step is asked for.
#[derive(Clone, Copy)]
enum Surplus {
    Refused,
    /// It is left out; so many leading bytes are enough, where there are no more.
    Left {
        needed: Option<usize>,
    },
}

/// Where the data are between two steps.
enum Place {
    Input,
    Scratch(Vec<u8>),
    Output,
}

impl Chain {
    /// Whether stored bytes are the elements in the machine's byte order: nothing is to be done.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.stages.is_empty()
    }

    /// Whether `stored` bytes are a chunk of `decoded` bytes as they stand.
    #[must_use]
    pub fn is_view(&self, stored: usize, decoded: usize) -> bool {
        stored == decoded && self.stages.iter().all(|stage| matches!(stage.action, Action::LeaveSurplus))
    }

    /// What [`decode_unfinished`](Self::decode_unfinished) leaves to be done.
    #[must_use]
    pub fn finish(&self) -> &Finish {
        &self.finish
    }

    /// Whether `stored` bytes are an unfinished chunk of `decoded` bytes as they stand.
    #[must_use]
    pub fn is_unfinished_view(&self, stored: usize, decoded: usize) -> bool {
        stored == decoded && self.unfinished().iter().all(|stage| matches!(stage.action, Action::LeaveSurplus))
    }

    fn unfinished(&self) -> &[Stage] {
        self.stages.get(..self.before_finish).unwrap_or(&self.stages)
    }

    /// The names of its steps.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.stages.iter().filter_map(|s| s.action.name()).collect()
    }

    /// The size of a stored chunk, as far as its codecs tell it.
    ///
    /// # Errors
    /// `Limit` where the chunk is above `max_chunk_bytes`.
    pub fn input_size(&self, chunk: &ChunkContext<'_>) -> Result<Size> {
        let most = || usize::try_from(chunk.limits.max_chunk_bytes).unwrap_or(usize::MAX);
        let end = chunk.bytes()?.map_or_else(|| Size::AtMost(most()), Size::Exact);
        Ok(self.size_before(0, chunk, end))
    }

    /// The most bytes of memory that decoding such a chunk takes beside its stored bytes and its decoded ones: what is between the steps, and what
    /// each of them takes.
    #[must_use]
    pub fn working_memory(&self, chunk: &ChunkContext<'_>) -> usize {
        let most = usize::try_from(chunk.limits.max_chunk_bytes).unwrap_or(usize::MAX);
        let end = chunk.bytes().ok().flatten().map_or(Size::AtMost(most), Size::Exact);
        let of_stage = |(i, stage): (usize, &Stage)| {
            let given = self.size_after(i, chunk, end).most().min(bound(usize::MAX, chunk.limits));
            let between = if i.saturating_add(1) < self.stages.len() { given } else { 0 };
            match &stage.action {
                Action::Apart(codec) => between.saturating_add(codec.working_memory(given)),
                Action::InPlace(_) => between.max(given),
                Action::Trim(_) | Action::LeaveSurplus => 0,
            }
        };
        self.stages.iter().enumerate().map(of_stage).fold(0, usize::saturating_add)
    }

    /// Whether these stored bytes can hold all that is needed of a chunk, before there is memory for it: metadata may declare chunks of any size.
    ///
    /// # Errors
    /// `Codec` where they cannot; `Limit` where the chunk is above `max_chunk_bytes`.
    pub fn check_stored(&self, stored: &[u8], chunk: &ChunkContext<'_>) -> Result<()> {
        /// To ask a stream what it declares costs more than so many bytes of memory do.
        const SMALL: usize = 1 << 20;
        let Some(whole) = chunk.bytes()? else { return Ok(()) };
        let inside = chunk.needed.and_then(|n| n.checked_mul(self.data_type.size()?)).filter(|_| self.leaves_surplus());
        let (needed, mut most) = (inside.unwrap_or(whole), stored.len());
        for (i, stage) in self.stages.iter().enumerate() {
            if let Action::Apart(codec) = &stage.action {
                let declared = if i == 0 && needed > SMALL { codec.declared(stored, &stage.data_type)? } else { None };
                let Some(given) = declared.into_iter().chain(codec.most_output(most)).min() else { return Ok(()) };
                most = given;
            }
        }
        if most >= needed {
            return Ok(());
        }
        Err(Error::codec("chunk", format!("{} stored bytes give {most} at most, and the chunk has {needed}", stored.len())))
    }

    /// Whether what stands behind the chunk is left: what is stored may be longer than the chunk's own bytes.
    pub(crate) fn leaves_surplus(&self) -> bool {
        self.stages.iter().any(|stage| matches!(stage.action, Action::LeaveSurplus))
    }

    /// Decodes one chunk. An `Exact` output has the product of the shape times the element's size in bytes.
    ///
    /// # Errors
    /// `Codec`, `Checksum`, `Limit` or `Unsupported`; the output's content has no meaning then.
    pub fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        scratch.validity = None;
        let bytes = chunk.bytes()?;
        match (output, bytes) {
            (Output::Exact(out) | Output::Prefix(out), Some(bytes)) if out.len() == bytes => {
                self.run(&self.stages, input, chunk, Size::Exact(bytes), scratch, &mut Output::Exact(out))
            }
            (Output::Bounded { bytes: out, most }, Some(bytes)) if bytes <= *most => {
                super::output::resize(out, bytes)?;
                self.run(&self.stages, input, chunk, Size::Exact(bytes), scratch, &mut Output::Exact(out))
            }
            (Output::Variable(elements), None) => {
                let most = usize::try_from(chunk.limits.max_chunk_bytes).unwrap_or(usize::MAX);
                self.run(&self.stages, input, chunk, Size::AtMost(most), scratch, &mut Output::Variable(elements))
            }
            _ => Err(Error::data_type(format!("the output does not hold a chunk of {}", self.data_type))),
        }
    }

    /// Decodes one chunk but for its [finish](Self::finish): the last pass, which the caller makes over the bytes that this gives, all of the
    /// chunk's or, where [`ChunkContext::wanted`] says so, those that hold what is wanted. They stand in `buffer`, which is as long as the
    /// chunk, or in the input.
    ///
    /// # Errors
    /// As those of [`decode`](Self::decode).
    pub fn decode_unfinished<'a>(&self, input: &'a [u8], chunk: &ChunkContext<'_>, scratch: &mut Scratch, buffer: &'a mut [u8]) -> Result<&'a [u8]> {
        scratch.validity = None;
        let bytes = chunk.bytes()?.ok_or_else(|| Error::data_type(format!("the output does not hold a chunk of {}", self.data_type)))?;
        if self.is_unfinished_view(input.len(), bytes) {
            return Ok(input);
        }
        if buffer.len() != bytes {
            return Err(Error::data_type(format!("the output does not hold a chunk of {}", self.data_type)));
        }
        let wanted = |elements: &Range<usize>| {
            let size = self.data_type.size()?;
            let wanted = self.finish.source(elements.start.checked_mul(size)?..elements.end.checked_mul(size)?)?;
            Some(wanted.start.checked_div(size)?..wanted.end.div_ceil(size))
        };
        let wanted = chunk.wanted.as_ref().and_then(wanted);
        let chunk = ChunkContext { wanted, ..chunk.clone() };
        self.run(self.unfinished(), input, &chunk, Size::Exact(bytes), scratch, &mut Output::Exact(&mut *buffer))?;
        Ok(buffer)
    }

    /// A chunk as blocks that can be decoded each by itself, where all there is to be done is one codec that has such.
    ///
    /// # Errors
    /// `Limit` where the chunk is above `max_chunk_bytes`.
    pub fn blocks<'a>(&'a self, input: &'a [u8], chunk: &ChunkContext<'_>) -> Result<Option<Blocks<'a>>> {
        let [Stage { action: Action::Apart(codec), order: None, .. }] = &self.stages[..] else { return Ok(None) };
        let Some(bytes) = chunk.bytes()? else { return Ok(None) };
        Ok(codec.block_bytes(input, bytes).map(|block| Blocks { codec: codec.as_ref(), input, block, bytes }))
    }

    fn run(&self, stages: &[Stage], input: &[u8], chunk: &ChunkContext<'_>, end: Size, scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let mut place = Place::Input;
        let mut range = 0..input.len();
        let done = self.run_stages(stages, input, chunk, end, scratch, output, &mut place, &mut range);
        let copied = match (&done, &place) {
            (Ok(()), Place::Input) => output.copy("chunk", part(input, &range)),
            (Ok(()), Place::Scratch(buffer)) => output.copy("chunk", part(buffer, &range)),
            _ => Ok(()),
        };
        if let Place::Scratch(buffer) = place {
            scratch.give(buffer);
        }
        done.and(copied)
    }

    #[allow(clippy::too_many_arguments, reason = "split from `run`, which gives the buffer back whatever happens here")]
    fn run_stages(
        &self,
        stages: &[Stage],
        input: &[u8],
        chunk: &ChunkContext<'_>,
        end: Size,
        scratch: &mut Scratch,
        output: &mut Output<'_>,
        place: &mut Place,
        range: &mut Range<usize>,
    ) -> Result<()> {
        let tail = self.tail.min(stages.len());
        for (i, stage) in stages.iter().enumerate() {
            let after = i.saturating_add(1);
            let prefix = matches!(stages.get(after), Some(Stage { action: Action::LeaveSurplus, .. }));
            // The marker itself does nothing more to what goes into the output.
            let follows = if prefix { after.saturating_add(1) } else { after };
            let shape = stage.order.as_ref().map(|order| order.permute(chunk.shape));
            let here = ChunkContext {
                shape: shape.as_deref().unwrap_or(chunk.shape),
                data_type: &stage.data_type,
                limits: chunk.limits,
                // What follows may mix elements.
                wanted: if follows >= stages.len() { chunk.wanted.clone() } else { None },
                trusted: chunk.trusted,
                needed: None,
            };
            match &stage.action {
                Action::Trim(trim) => {
                    let trimmed = match &*place {
                        Place::Input => trim.range(part(input, range))?,
                        Place::Scratch(buffer) => trim.range(part(buffer, range))?,
                        Place::Output => return Err(internal()),
                    };
                    *range = range.start.saturating_add(trimmed.start)..range.start.saturating_add(trimmed.end);
                }
                Action::LeaveSurplus => {
                    // Steps before stopped there already; what is left are stored bytes and those a checksum surrounds.
                    if let (Size::Exact(size), Place::Input | Place::Scratch(_)) = (self.size_after(i, chunk, end), &*place) {
                        range.end = range.end.min(range.start.saturating_add(size));
                        let enough = self.needed_after(i, chunk).is_some_and(|needed| (needed..size).contains(&range.len()));
                        if let (true, Place::Input) = (enough, &*place) {
                            let stored = part(input, range);
                            Limits::check("max_chunk_bytes", size as u64, chunk.limits.max_chunk_bytes)?;
                            let mut buffer = scratch.take(size)?;
                            if let Some((to, padding)) = buffer.get_mut(..size).and_then(|b| b.split_at_mut_checked(stored.len())) {
                                to.copy_from_slice(stored);
                                padding.fill(0);
                            }
                            *range = 0..size;
                            *place = Place::Scratch(buffer);
                        }
                    }
                }
                Action::InPlace(codec) => {
                    if i >= tail {
                        match std::mem::replace(place, Place::Output) {
                            Place::Input => output.copy(codec.name(), part(input, range))?,
                            Place::Scratch(buffer) => {
                                let copied = output.copy(codec.name(), part(&buffer, range));
                                scratch.give(buffer);
                                copied?;
                            }
                            Place::Output => {}
                        }
                    } else if matches!(place, Place::Input) {
                        let size = self.size_after(i, chunk, end);
                        let stored = part(input, range);
                        check_size(codec.name(), stored.len(), size)?;
                        let mut buffer = scratch.take(stored.len())?;
                        if let Some(to) = buffer.get_mut(..stored.len()) {
                            to.copy_from_slice(stored);
                        }
                        *range = 0..stored.len();
                        *place = Place::Scratch(buffer);
                    }
                    match (place.as_mut_slice(range), &mut *output) {
                        (Some(data), _) => codec.apply(data, &here, scratch)?,
                        (None, Output::Exact(data)) => codec.apply(data, &here, scratch)?,
                        _ => return Err(internal()),
                    }
                }
                Action::Apart(codec) => {
                    let needed = if prefix { self.needed_after(i, chunk) } else { None };
                    let source = std::mem::replace(place, Place::Input);
                    let from = match &source {
                        Place::Input => part(input, range),
                        Place::Scratch(buffer) => part(buffer, range),
                        Place::Output => return Err(internal()),
                    };
                    let decoded = if follows >= tail {
                        let done = match &mut *output {
                            Output::Exact(bytes) if prefix => decode_prefix(codec.as_ref(), from, &here, scratch, bytes, needed),
                            output => codec.decode(from, &here, scratch, output),
                        };
                        done.map(|()| (Place::Output, 0))
                    } else {
                        let surplus = if prefix { Surplus::Left { needed } } else { Surplus::Refused };
                        self.to_scratch(codec.as_ref(), from, &here, self.size_after(i, chunk, end), surplus, scratch)
                    };
                    if let Place::Scratch(buffer) = source {
                        scratch.give(buffer);
                    }
                    let (at, length) = decoded?;
                    *place = at;
                    *range = 0..length;
                }
            }
        }
        Ok(())
    }

    fn to_scratch(
        &self,
        codec: &dyn Codec,
        from: &[u8],
        here: &ChunkContext<'_>,
        size: Size,
        surplus: Surplus,
        scratch: &mut Scratch,
    ) -> Result<(Place, usize)> {
        let mut buffer = match size {
            Size::Exact(size) => {
                Limits::check("max_chunk_bytes", size as u64, here.limits.max_chunk_bytes.saturating_add(1 << 20))?;
                scratch.take(size)?
            }
            Size::AtMost(_) => scratch.take(0)?,
        };
        let done = match (size, surplus) {
            (Size::Exact(size), Surplus::Left { needed }) => {
                decode_prefix(codec, from, here, scratch, buffer.get_mut(..size).unwrap_or_default(), needed)
            }
            (Size::Exact(size), Surplus::Refused) => {
                codec.decode(from, here, scratch, &mut Output::Exact(buffer.get_mut(..size).unwrap_or_default()))
            }
            (Size::AtMost(most), _) => {
                // Steps that widen one after the other multiply the bound; what is between them is held to a chunk all the same.
                let most = most.min(bound(usize::MAX, here.limits));
                codec.decode(from, here, scratch, &mut Output::Bounded { bytes: &mut buffer, most })
            }
        };
        match done {
            Ok(()) => {
                let length = if let Size::Exact(size) = size { size } else { buffer.len() };
                Ok((Place::Scratch(buffer), length))
            }
            Err(error) => {
                scratch.give(buffer);
                Err(error)
            }
        }
    }

    /// The size of what stage `index` gives, computed from the end.
    fn size_after(&self, index: usize, chunk: &ChunkContext<'_>, end: Size) -> Size {
        self.size_before(index.saturating_add(1), chunk, end)
    }

    /// How many leading bytes of what stage `index` gives hold all that is needed of the chunk; `None` where it is all of them.
    fn needed_after(&self, index: usize, chunk: &ChunkContext<'_>) -> Option<usize> {
        let mut bytes = chunk.needed?.checked_mul(self.data_type.size()?)?;
        let mut from_end = self.stages.get(index..)?.iter().rev();
        for _ in index.saturating_add(1)..self.stages.len() {
            let stage = from_end.next()?;
            bytes = match &stage.action {
                Action::Apart(codec) => codec.input_prefix(bytes)?,
                Action::InPlace(codec) => codec.input_prefix(bytes)?,
                Action::LeaveSurplus => bytes,
                Action::Trim(_) => return None,
            };
        }
        Some(bytes)
    }

    /// The size of what stage `index` takes.
    fn size_before(&self, index: usize, chunk: &ChunkContext<'_>, end: Size) -> Size {
        let mut size = end;
        for stage in self.stages.get(index..).unwrap_or_default().iter().rev() {
            let shape = stage.order.as_ref().map(|order| order.permute(chunk.shape));
            let here = ChunkContext {
                shape: shape.as_deref().unwrap_or(chunk.shape),
                data_type: &stage.data_type,
                limits: chunk.limits,
                wanted: None,
                trusted: false,
                needed: None,
            };
            size = match &stage.action {
                Action::Apart(codec) => codec.input_size(size, &here),
                Action::Trim(trim) => trim.input_size(size),
                Action::InPlace(_) | Action::LeaveSurplus => size,
            };
        }
        size
    }
}

/// The blocks of a chunk, in the order of its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Blocks<'a> {
    codec: &'a dyn Codec,
    input: &'a [u8],
    block: usize,
    bytes: usize,
}

impl Blocks<'_> {
    /// Bytes of a block; the last may be shorter.
    #[must_use]
    pub fn block(&self) -> usize {
        self.block
    }
    /// Decodes the blocks that hold these bytes of the chunk, and calls `each` with each of them and its number: by this thread, and by others of
    /// the pool that have nothing to do, so that one large chunk keeps no read waiting.
    ///
    /// # Errors
    /// As those of [`Chain::decode`], and those of `each`.
    pub fn decode(&self, wanted: Range<usize>, scratch: &mut Scratch, each: impl Fn(usize, &[u8]) -> Result<()> + Sync) -> Result<()> {
        let first = wanted.start.checked_div(self.block).unwrap_or(0);
        let behind = wanted.end.min(self.bytes).div_ceil(self.block.max(1)).max(first);
        let bytes = behind.saturating_sub(first).saturating_mul(self.block);
        parallel::for_each(first..behind, bytes, scratch, |block, scratch| {
            let length = self.bytes.saturating_sub(block.saturating_mul(self.block)).min(self.block);
            let mut buffer = scratch.take(length)?;
            let decoded = buffer.get_mut(..length).unwrap_or_default();
            let done = self.codec.decode_block(self.input, block, scratch, decoded).and_then(|()| each(block, decoded));
            scratch.give(buffer);
            done
        })
    }
}

impl Action {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Apart(codec) => Some(codec.name()),
            Self::InPlace(codec) => Some(codec.name()),
            Self::Trim(trim) => Some(trim.name()),
            Self::LeaveSurplus => None,
        }
    }
}

impl Place {
    fn as_mut_slice(&mut self, range: &Range<usize>) -> Option<&mut [u8]> {
        match self {
            Self::Scratch(buffer) => buffer.get_mut(range.clone()),
            _ => None,
        }
    }
}

/// Decodes as much as fits. Where that cannot be had, the leading bytes that are needed do, with zeros behind them.
fn decode_prefix(
    codec: &dyn Codec,
    from: &[u8],
    here: &ChunkContext<'_>,
    scratch: &mut Scratch,
    bytes: &mut [u8],
    needed: Option<usize>,
) -> Result<()> {
    // Of what is not wanted nothing is asked: it may be damaged, or missing.
    let may_stop = codec.gives_prefix() && (here.trusted || !codec.is_summed(from));
    let wanted = here.wanted.as_ref().filter(|_| may_stop).and_then(|w| w.end.checked_mul(here.data_type.size()?));
    let whole = bytes.len();
    let error = match wanted.filter(|end| *end < whole).and_then(|end| bytes.get_mut(..end)) {
        Some(beginning) => match codec.decode(from, here, scratch, &mut Output::Prefix(beginning)) {
            Ok(()) => None,
            // Some can do all of it only: windows of Zstandard above what streaming takes.
            Err(error) => codec.decode(from, &here.all_of_it(), scratch, &mut Output::Prefix(&mut *bytes)).err().map(|_| error),
        },
        None => codec.decode(from, &here.all_of_it(), scratch, &mut Output::Prefix(&mut *bytes)).err(),
    };
    let Some(error) = error else { return Ok(()) };
    match needed.filter(|needed| *needed < wanted.unwrap_or(whole).min(whole)).and_then(|needed| bytes.split_at_mut_checked(needed)) {
        Some((inside, outside)) => {
            codec.decode(from, &here.all_of_it(), scratch, &mut Output::Prefix(inside)).map_err(|_| error)?;
            outside.fill(0);
            Ok(())
        }
        None => Err(error),
    }
}

fn part<'a>(bytes: &'a [u8], range: &Range<usize>) -> &'a [u8] {
    bytes.get(range.clone()).unwrap_or_default()
}

fn check_size(codec: &'static str, length: usize, size: Size) -> Result<()> {
    match size {
        Size::Exact(size) if length < size => Err(super::shortage(codec, length, size)),
        Size::Exact(size) | Size::AtMost(size) if length > size => Err(surplus(codec)),
        _ => Ok(()),
    }
}

fn internal() -> Error {
    Error::codec("chain", "a step stands where it cannot")
}
