//! From a region to the places of its chunks: what a read will fetch, in which batches, and what that will cost.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::try_join_all;

use super::array::ArrayInner;
use super::call::{Call, Memory};
use super::stats::human_bytes;
use crate::codec::{Chain, ChunkContext, Output};
use crate::error::{Error, ErrorKind, Result};
use crate::io::{Counters, PlannedRequest};
use crate::model::{
    ChunkGrid, ChunkManifest, DataType, FillValue, Found, Got, HereShard, KeyNames, Limits, Location, Missing, ObjectKey, ObjectMap, Page, PageId,
    PagePlace, PageSpec, Pages, PerAxis, Region, Shard, Want, grow, reserve, zeroed,
};

/// The chunks that a region touches: a box of the chunk grid, counted in C order.
#[derive(Debug, Clone)]
pub(crate) struct ChunkBox {
    first: PerAxis<u64>,
    counts: PerAxis<u64>,
    len: usize,
}

impl ChunkBox {
    pub(crate) fn of(grid: &ChunkGrid, region: &Region) -> Self {
        let ranges = grid.chunks_of(region);
        let counts: PerAxis<u64> = ranges.iter().map(|r| r.end.saturating_sub(r.start)).collect();
        let len = counts.iter().try_fold(1_u64, |n, m| n.checked_mul(*m)).and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
        Self { first: ranges.iter().map(|r| r.start).collect(), counts, len }
    }
    pub(crate) fn len(&self) -> usize {
        self.len
    }
    /// The chunk's index in the grid.
    pub(crate) fn index(&self, number: usize) -> PerAxis<u64> {
        let mut rest = number as u64;
        let mut index = self.first.clone();
        for (i, n) in index.iter_mut().zip(self.counts.iter()).rev() {
            *i += rest % (*n).max(1);
            rest /= (*n).max(1);
        }
        index
    }
    /// From a chunk's index to that of the next.
    fn advance(&self, index: &mut PerAxis<u64>) {
        for ((i, first), n) in index.iter_mut().zip(self.first.iter()).zip(self.counts.iter()).rev() {
            *i += 1;
            if *i - first < *n {
                return;
            }
            *i = *first;
        }
    }
}

/// Where one chunk of a read comes from. Small, for there may be tens of millions: objects and bytes stand in lists of the [`Planned`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// It holds the fill value.
    Absent,
    /// Its stored bytes are at hand: these.
    Inline(u32),
    /// Its decoded bytes are at hand: these.
    Decoded(u32),
    /// A range of an object.
    Range { object: u32, chain: u16, start: u64, length: u64 },
    /// The object that is named after it.
    Named,
    /// A whole object.
    Whole { object: u32, missing: Missing },
    /// Another read of the same moment fetches it.
    Beside,
}

/// An object that chunks are read of.
#[derive(Debug)]
struct Object {
    key: ObjectKey,
    at_hand: bool,
}

/// The places of all chunks of a read; the number of a part is its place in the [`ChunkBox`].
pub(crate) struct Planned {
    pub(crate) chunks: ChunkBox,
    pub(crate) parts: Vec<Source>,
    objects: Vec<Object>,
    numbers: HashMap<ObjectKey, u32>,
    bytes: Vec<Bytes>,
    /// Whether the objects that are named after chunks are at hand.
    named_at_hand: bool,
    /// Pages that were read for it.
    pub(crate) pages: u64,
    /// Those of them that were fetched twice, because what came first was damaged.
    pub(crate) refetched: u64,
}

/// The names of an array's chunks, where each is an object of its own.
fn names(array: &ArrayInner) -> Option<(&KeyNames, &ObjectKey)> {
    match &array.meta.manifest {
        ChunkManifest::Keys(keys) => match &keys.objects {
            ObjectMap::Prefix(prefix) => Some((keys, prefix)),
            ObjectMap::References(_) => None,
        },
        _ => None,
    }
}

/// The number of the next of a list, in so many bits.
fn next_of<T>(list: &[T]) -> Result<u32> {
    u32::try_from(list.len()).map_err(|_| Error::limit("objects of a read", list.len() as u64, u64::from(u32::MAX)))
}

impl Planned {
    fn new(chunks: ChunkBox) -> Result<Self> {
        let parts = reserve(chunks.len())?;
        let (objects, numbers, bytes) = (Vec::new(), HashMap::new(), Vec::new());
        Ok(Self { chunks, parts, objects, numbers, bytes, named_at_hand: false, pages: 0, refetched: 0 })
    }
    /// The number of an object.
    fn object_number(&mut self, array: &ArrayInner, key: &ObjectKey) -> Result<u32> {
        if let Some(number) = self.numbers.get(key) {
            return Ok(*number);
        }
        let number = next_of(&self.objects)?;
        grow(&mut self.objects, 1)?;
        grow(&mut self.numbers, 1)?;
        self.objects.push(Object { key: key.clone(), at_hand: array.session.io.is_at_hand(key) });
        self.numbers.insert(key.clone(), number);
        Ok(number)
    }
    fn put(&mut self, bytes: Bytes) -> Result<u32> {
        let number = next_of(&self.bytes)?;
        grow(&mut self.bytes, 1)?;
        self.bytes.push(bytes);
        Ok(number)
    }
    /// An object that a part is read of.
    pub(crate) fn object(&self, number: u32) -> &ObjectKey {
        &self.objects[number as usize].key
    }
    /// Bytes that are at hand.
    pub(crate) fn bytes(&self, number: u32) -> &Bytes {
        &self.bytes[number as usize]
    }

    /// Whether nothing but the threads that decode is needed for a part.
    fn is_at_hand(&self, part: &Source) -> bool {
        match part {
            Source::Absent | Source::Inline(_) | Source::Decoded(_) | Source::Beside => true,
            Source::Range { object, .. } | Source::Whole { object, .. } => self.objects[*object as usize].at_hand,
            Source::Named => self.named_at_hand,
        }
    }

    /// What is fetched for a part, and which chain takes it; `None` where nothing is.
    pub(crate) fn want(&self, array: &ArrayInner, number: usize) -> Option<(Want, u16, Missing)> {
        match self.parts.get(number)? {
            Source::Range { object, chain, start, length } => {
                let span = crate::model::ByteSpan { object: self.object(*object).clone(), start: *start, length: *length };
                Some((Want::Range(span), *chain, Missing::Error))
            }
            Source::Whole { object, missing } => Some((Want::Whole { object: self.object(*object).clone(), most: array.most_stored() }, 0, *missing)),
            Source::Named => {
                let (keys, _) = names(array)?;
                let mut url = String::new();
                self.name(array, number, &mut url);
                Some((Want::Whole { object: ObjectKey::new(url), most: array.most_stored() }, 0, keys.missing))
            }
            Source::Absent | Source::Inline(_) | Source::Decoded(_) | Source::Beside => None,
        }
    }

    /// Writes the URL of the object that is named after a chunk, and tells what its absence means.
    pub(crate) fn name(&self, array: &ArrayInner, number: usize, url: &mut String) -> Option<Missing> {
        let (keys, prefix) = names(array)?;
        url.clear();
        url.push_str(prefix.url());
        let length = url.len();
        url.push('/');
        keys.write_name(&self.chunks.index(number), url);
        if url.len() == length + 1 {
            url.pop();
        }
        Some(keys.missing)
    }

    /// Leaves out what another read of the same moment fetches. Objects at hand are read by each.
    pub(crate) fn leave_out(&mut self, array: &ArrayInner, other: &Self, of_other: &ArrayInner) {
        let others: HashSet<Want> =
            (0..other.parts.len()).filter(|n| !other.is_at_hand(&other.parts[*n])).filter_map(|n| Some(other.want(of_other, n)?.0)).collect();
        for number in 0..self.parts.len() {
            if !self.is_at_hand(&self.parts[number]) && self.want(array, number).is_some_and(|(want, ..)| others.contains(&want)) {
                self.parts[number] = Source::Beside;
            }
        }
    }

    /// Holds what is to be fetched against what the call may cost and take, before any of it is.
    pub(crate) fn check(&self, array: &ArrayInner, call: &Call, memory: &Memory) -> Result<()> {
        let chunk_bytes = array.chunk_bytes();
        for part in &self.parts {
            let (decoded, stored) = weight(part, chunk_bytes);
            memory.check(decoded.saturating_add(stored))?;
        }
        if call.is_capped() {
            let requests = requests(array, self, memory);
            call.afford(requests.len() as u64, requests.iter().filter_map(|r| r.length).fold(0, u64::saturating_add))?;
        }
        Ok(())
    }
}

/// Stored bytes at hand that are read together: a system call costs less than copying so many.
const READ_AT_ONCE: u64 = 512 << 10;
/// Fewer are not worth a call of their own.
const WORTH_READING: u64 = 64 << 10;
/// A gap up to this is read over: what stands between neighbouring chunks is often some bytes of bookkeeping.
const SMALL_GAP: u64 = 4 << 10;
/// What is read together decodes to so many bytes at most, that no thread is left with much while others have nothing.
const DECODED_AT_ONCE: u64 = 4 << 20;
/// To wake another thread costs more than to decode fewer.
const WORTH_LENDING: u64 = 128 << 10;
/// A read is cut into so many pieces of work where it can be, whatever the machine: its requests are the same everywhere.
const PIECES: u64 = 16;

/// The parts of a read that are at hand, in the order of their bytes, cut into what a thread does at once.
pub(crate) struct AtHandList {
    /// Numbers of the parts; `None` where it is all of them in their own order.
    order: Option<Vec<u32>>,
    /// Where each piece of work ends.
    ends: Vec<u32>,
    /// The most that a piece holds, stored and decoded, in bytes.
    pub(crate) stored: u64,
    pub(crate) decoded: u64,
}

impl AtHandList {
    /// What is at hand of a plan. None of its pieces takes more than `memory`, stored and decoded together, where it can be helped.
    pub(crate) fn of(planned: &Planned, chunk_bytes: u64, limits: &Limits, memory: u64) -> Result<Self> {
        next_of(&planned.parts)?;
        let (mut total, mut decoded, mut count) = (0_u64, 0_u64, 0_usize);
        let (mut is_sorted, mut last) = (true, (0, 0));
        for part in planned.parts.iter().filter(|part| planned.is_at_hand(part)) {
            let (of_part, stored) = weight(part, chunk_bytes);
            (count, decoded, total) = (count + 1, decoded.saturating_add(of_part), total.saturating_add(stored));
            if let Source::Range { object, start, .. } = part {
                is_sorted &= last <= (*object, *start);
                last = (*object, *start);
            }
        }
        let order = if is_sorted && count == planned.parts.len() {
            None
        } else {
            let mut order: Vec<u32> = reserve(count)?;
            order.extend(planned.parts.iter().zip(0..).filter(|(part, _)| planned.is_at_hand(part)).map(|(_, number)| number));
            if !is_sorted {
                // Stable, and what is no range stays at the front: it takes no order of its own.
                order.sort_by_key(|number| match planned.parts[*number as usize] {
                    Source::Range { object, start, .. } => (1, object, start),
                    _ => (0, 0, 0),
                });
            }
            Some(order)
        };
        let target = (total / PIECES).clamp(WORTH_READING, READ_AT_ONCE).min(limits.stored_in_flight / 2).min(memory / 2);
        let most_decoded = (decoded / PIECES).clamp(WORTH_LENDING, DECODED_AT_ONCE);
        let mut list = Self { order, ends: reserve(count)?, stored: 0, decoded: chunk_bytes };
        let mut open: Option<Piece> = None;
        for at in 0..count {
            let part = &planned.parts[list.number(at)];
            let (of_part, stored) = weight(part, chunk_bytes);
            if let Some(piece) = &mut open
                && piece.decoded.saturating_add(of_part) <= most_decoded
                && piece.takes(part, target)
            {
                piece.decoded += of_part;
            } else {
                if at > 0 {
                    list.ends.push(u32::try_from(at).unwrap_or(u32::MAX));
                }
                open = Some(Piece::of(part, of_part));
            }
            let held = open.as_ref().and_then(|piece| piece.range.as_ref()).map_or(stored, |(_, range)| range.end - range.start);
            list.stored = list.stored.max(held);
        }
        if count > 0 {
            list.ends.push(u32::try_from(count).unwrap_or(u32::MAX));
        }
        list.ends.shrink_to_fit();
        Ok(list)
    }
    /// How many pieces of work there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }
    fn number(&self, at: usize) -> usize {
        self.order.as_ref().map_or(at, |order| order[at] as usize)
    }
    /// The numbers of a piece's parts.
    pub(crate) fn piece(&self, piece: usize) -> impl Iterator<Item = usize> + Clone + '_ {
        let start = piece.checked_sub(1).map_or(0, |before| self.ends[before]) as usize;
        (start..self.ends[piece] as usize).map(|at| self.number(at))
    }
    /// What is read for a piece; `None` where it is none range of an object.
    pub(crate) fn range(&self, planned: &Planned, piece: usize) -> Option<(u32, Range<u64>)> {
        let mut all: Option<(u32, Range<u64>)> = None;
        for number in self.piece(piece) {
            let Source::Range { object, start, length: length @ 1.., .. } = planned.parts[number] else { continue };
            let end = start.saturating_add(length);
            let (_, range) = all.get_or_insert((object, start..end));
            range.end = range.end.max(end);
        }
        all
    }
    /// The requests that reading it takes.
    fn requests<'a>(&'a self, array: &'a ArrayInner, planned: &'a Planned) -> impl Iterator<Item = Request> + 'a {
        let is_read = |number: &usize| weight(&planned.parts[*number], 1).1 > 0;
        (0..self.len()).filter_map(move |piece| {
            let chunks = self.piece(piece).filter(is_read).count();
            let first = self.piece(piece).find(is_read)?;
            Some(match self.range(planned, piece) {
                Some((object, range)) => {
                    Request { object: planned.object(object).clone(), start: range.start, length: Some(range.end - range.start), chunks }
                }
                None => Request { object: planned.want(array, first)?.0.object().clone(), start: 0, length: None, chunks },
            })
        })
    }
}

/// A piece of work that may take more parts.
struct Piece {
    range: Option<(u32, Range<u64>)>,
    /// Whether it is a whole object, which nothing goes together with.
    is_whole: bool,
    parts: u32,
    decoded: u64,
}

impl Piece {
    /// The most parts of one that are nothing but filled.
    const MOST_PARTS: u32 = 1024;

    fn of(part: &Source, decoded: u64) -> Self {
        let range = match part {
            Source::Range { object, start, length, .. } => Some((*object, *start..start.saturating_add(*length))),
            _ => None,
        };
        Self { range, is_whole: matches!(part, Source::Named | Source::Whole { .. }), parts: 1, decoded }
    }
    /// Takes a part that goes together with it.
    fn takes(&mut self, part: &Source, target: u64) -> bool {
        if self.is_whole || self.parts >= Self::MOST_PARTS {
            return false;
        }
        match part {
            Source::Named | Source::Whole { .. } => return false,
            Source::Absent | Source::Inline(_) | Source::Decoded(_) | Source::Beside => {}
            Source::Range { object, start, length, .. } => {
                let end = start.saturating_add(*length);
                let Some((of, range)) = &mut self.range else {
                    self.range = Some((*object, *start..end));
                    self.parts += 1;
                    return true;
                };
                let reaches = range.end.max(end);
                let is_near = of == object && *start >= range.start && *start <= range.end.saturating_add(SMALL_GAP);
                if !is_near || (reaches != range.end && reaches - range.start > target) {
                    return false;
                }
                range.end = reaches;
            }
        }
        self.parts += 1;
        true
    }
}

/// The most parts that are fetched together: each is a want with its bookkeeping.
const FETCHED_AT_ONCE: usize = 1024;

/// Parts that are fetched together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    /// Numbers of the parts.
    pub(crate) parts: Vec<usize>,
    /// What they decode to, in bytes.
    pub(crate) decoded: u64,
    /// What is fetched for them, in bytes; an estimate where lengths are unknown.
    pub(crate) stored: u64,
}

/// The pages that this plan has read, or found in the session's cache: all of its chunks are found by the same ones.
struct Read<'a> {
    array: &'a ArrayInner,
    here: RefCell<HashMap<PageId, Arc<Page>>>,
    /// Shards whose place is known: their objects' numbers beside them.
    shards: HashMap<u64, (HereShard, Option<u32>)>,
    pages: u64,
    refetched: u64,
}

impl Pages for Read<'_> {
    fn get(&self, id: PageId) -> Option<Arc<Page>> {
        let mut here = self.here.borrow_mut();
        if let Some(page) = here.get(&id) {
            return Some(page.clone());
        }
        let page = self.array.cached_page(id)?;
        here.insert(id, page.clone());
        Some(page)
    }
}

/// Finds every chunk of a region, reading pages of its table on the way.
pub(crate) async fn plan(array: &Arc<ArrayInner>, region: &Region, counters: &Arc<Counters>) -> Result<Planned> {
    let limits = array.limits();
    let chunks = ChunkBox::of(&array.meta.grid, region);
    Limits::check("max_read_chunks", chunks.len() as u64, limits.max_read_chunks)?;
    let mut planned = Planned::new(chunks)?;
    let mut read = Read { array, here: RefCell::default(), shards: HashMap::new(), pages: 0, refetched: 0 };
    let mut unread: Vec<usize> = Vec::new();
    let mut pages: BTreeSet<PageId> = BTreeSet::new();
    if let (Some((_, prefix)), false) = (names(array), planned.chunks.len() == 0) {
        let mut first = String::new();
        planned.name(array, 0, &mut first);
        planned.named_at_hand = array.session.io.are_at_hand(prefix) && array.session.io.is_at_hand(&ObjectKey::new(first));
    }
    let mut index = planned.chunks.index(0);
    for number in 0..planned.chunks.len() {
        breathe(number).await;
        let part = match read.locate(&index, &mut planned)? {
            Ok(source) => source,
            Err(page) => {
                pages.insert(page);
                grow(&mut unread, 1)?;
                unread.push(number);
                Source::Absent
            }
        };
        planned.parts.push(part);
        planned.chunks.advance(&mut index);
    }
    let mut hops = 0;
    while !unread.is_empty() {
        hops += 1;
        Limits::check("max_page_hops", hops, limits.max_page_hops)?;
        let ids: Vec<PageId> = std::mem::take(&mut pages).into_iter().collect();
        for some in ids.chunks(PAGES_AT_ONCE) {
            read_pages(array, some, &mut read, counters).await?;
        }
        let mut still = reserve(unread.len())?;
        for number in unread {
            breathe(number).await;
            match read.locate(&planned.chunks.index(number), &mut planned)? {
                Ok(source) => planned.parts[number] = source,
                Err(page) => {
                    pages.insert(page);
                    still.push(number);
                }
            }
        }
        unread = still;
    }
    (planned.pages, planned.refetched) = (read.pages, read.refetched);
    Ok(planned)
}

/// Pages that are fetched together, so that their stored and parsed forms are not all held at once.
const PAGES_AT_ONCE: usize = 256;

/// Lets other reads on, and ends where this one was given up: planning itself never waits.
async fn breathe(number: usize) {
    if number % 4096 == 4095 {
        tokio::task::yield_now().await;
    }
}

impl Read<'_> {
    /// The place of one chunk, or the page that must be read before.
    fn locate(&mut self, index: &[u64], planned: &mut Planned) -> Result<Result<Source, PageId>> {
        let meta = &self.array.meta;
        let (found, object) = match &meta.manifest {
            ChunkManifest::Table(table) => {
                let object = if planned.objects.is_empty() { planned.object_number(self.array, &table.object)? } else { 0 };
                (table.find(meta.grid.linear(index), &*self)?, Some(object))
            }
            ChunkManifest::Shards(shards) => {
                let (outer, number, within) = shards.split(index);
                if !self.shards.contains_key(&number) {
                    match shards.shard(&outer, number, &*self)? {
                        Shard::Absent => return Ok(Ok(Source::Absent)),
                        Shard::Unread(page) => return Ok(Err(page)),
                        Shard::Here(shard) => {
                            let object = shard.object().map(|object| planned.object_number(self.array, object)).transpose()?;
                            self.shards.insert(number, (shard, object));
                        }
                    }
                }
                match self.shards.get(&number) {
                    Some((shard, object)) => (shard.find(within)?, *object),
                    None => (Found::Absent, None),
                }
            }
            _ if names(self.array).is_some() => return Ok(Ok(self.kept(index, None, planned)?.unwrap_or(Source::Named))),
            manifest => match manifest.locate(index, &meta.grid, &*self)? {
                Location::Absent => (Found::Absent, None),
                Location::Unread(page) => (Found::Unread(page), None),
                Location::Inline(bytes) => (Found::Inline(bytes), None),
                Location::At { span, chain } => {
                    let object = planned.object_number(self.array, &span.object)?;
                    (Found::At { start: span.start, length: span.length, chain }, Some(object))
                }
                Location::Whole { key, missing } => {
                    let object = planned.object_number(self.array, &key)?;
                    return Ok(Ok(self.kept(index, Some(object), planned)?.unwrap_or(Source::Whole { object, missing })));
                }
            },
        };
        Ok(Ok(match (found, object) {
            (Found::Unread(page), _) => return Ok(Err(page)),
            (Found::At { start, length, chain }, Some(object)) => {
                let length = self.stored(length, chain)?;
                self.kept(index, Some(object), planned)?.unwrap_or(Source::Range { object, chain, start, length })
            }
            (Found::Inline(bytes), _) => match self.kept(index, None, planned)? {
                Some(kept) => kept,
                None => Source::Inline(planned.put(bytes)?),
            },
            (Found::Absent | Found::At { .. }, _) => Source::Absent,
        }))
    }

    /// How many of a chunk's stored bytes are read: as of whole objects, no more than its codecs can need. Where they leave what stands behind, the
    /// length may tell of what belongs to others, up to the end of the object.
    fn stored(&self, length: u64, chain: u16) -> Result<u64> {
        let most = self.array.most_stored();
        if length > most && length <= self.array.limits().max_stored_bytes && self.array.chain(chain).is_ok_and(Chain::leaves_surplus) {
            return Ok(most);
        }
        Limits::check("max_stored_bytes", length, most).map_err(|e| self.array.not_fetched(e))?;
        Ok(length)
    }

    /// A chunk whose decoded bytes are at hand, of the version that its object has.
    fn kept(&self, index: &[u64], object: Option<u32>, planned: &mut Planned) -> Result<Option<Source>> {
        if !self.array.has_kept() {
            return Ok(None);
        }
        let version = object.and_then(|object| planned.object(object).version());
        let chunk = self.array.cached_chunk(self.array.meta.grid.linear(index), version);
        chunk.map(|bytes| planned.put(bytes).map(Source::Decoded)).transpose()
    }
}

/// Reads pages, all at once; one that lies behind another page leads to that one.
async fn read_pages(array: &Arc<ArrayInner>, ids: &[PageId], read: &mut Read<'_>, counters: &Arc<Counters>) -> Result<()> {
    let limits = array.limits();
    let mut specs: Vec<(PageId, PageSpec, std::ops::Range<usize>)> = Vec::new();
    let mut wants: Vec<Want> = Vec::new();
    for id in ids {
        let spec = array.meta.manifest.page(*id, read, limits)?;
        match &spec.place {
            PagePlace::Absent => array.keep_page(*id, Page::Absent, read.here.get_mut()),
            // The next round of planning is told of that page by `locate`.
            PagePlace::Unread(_) => {}
            PagePlace::Inline(parts) => {
                let parts = parts.clone();
                let page = parse_page(array, *id, spec, parts).await?;
                array.keep_page(*id, page, read.here.get_mut());
            }
            PagePlace::Wants(of_page) => {
                let first = wants.len();
                wants.extend(of_page.iter().cloned());
                specs.push((*id, spec, first..wants.len()));
            }
        }
    }
    read.pages += specs.len() as u64;
    let mut got: Vec<Option<Got>> = vec![None; wants.len()];
    let mut fetch = pin!(array.session.io.fetch(wants.clone(), counters.clone()));
    while let Some((at, answer)) = fetch.next().await {
        got[at] = Some(answer?);
    }
    for (id, spec, range) in specs {
        let wants = &wants[range.clone()];
        let came: Vec<Option<Got>> = got[range].iter_mut().map(Option::take).collect();
        let page = match page_of(array, id, &spec, wants, came).await {
            Err(e) if e.is_damage() && wants.iter().all(|want| array.session.io.is_remote(want.object())) => {
                read.refetched += 1;
                crate::trace::damaged(&array.meta.source, &e);
                let again = try_join_all(wants.iter().map(|want| array.session.io.refetch(want, counters))).await?;
                page_of(array, id, &spec, wants, again.into_iter().map(Some).collect()).await?
            }
            page => page?,
        };
        array.keep_page(id, page, read.here.get_mut());
    }
    Ok(())
}

/// The page whose parts came.
async fn page_of(array: &Arc<ArrayInner>, id: PageId, spec: &PageSpec, wants: &[Want], came: Vec<Option<Got>>) -> Result<Page> {
    let mut parts = Vec::new();
    let mut met = None;
    for (want, got) in wants.iter().zip(came) {
        match (got, spec.missing) {
            (Some(Got::Bytes { bytes, version, .. }), _) => {
                parts.push(bytes);
                met = version;
            }
            (_, Missing::Fill) => return Ok(Page::Absent),
            (_, Missing::Error) => return Err(Error::not_found(want.object().url())),
        }
    }
    Ok(parse_page(array, id, spec.clone(), parts).await?.of_version(met))
}

/// Decodes and parses a page: a large one away from the I/O threads (and not in the decode pool, whose threads may all be waiting for it).
async fn parse_page(array: &Arc<ArrayInner>, id: PageId, spec: PageSpec, parts: Vec<Bytes>) -> Result<Page> {
    const LARGE: u64 = 64 << 10;
    let large = spec.decoded > LARGE;
    let array = array.clone();
    let parse = move || decode_page(&array, id, &spec, parts).map_err(|e| e.in_object(array.meta.source.url()));
    if large { tokio::task::spawn_blocking(parse).await.map_err(|e| Error::new(ErrorKind::Panicked(e.to_string())))? } else { parse() }
}

fn decode_page(array: &ArrayInner, id: PageId, spec: &PageSpec, mut parts: Vec<Bytes>) -> Result<Page> {
    for part in &mut parts {
        if spec.trim_end > 0 {
            let short = || Error::malformed("a page shorter than what surrounds it");
            let end = usize::try_from(spec.trim_end).ok().and_then(|n| part.len().checked_sub(n)).ok_or_else(short)?;
            part.truncate(end);
        }
        if !spec.chain.is_empty() {
            let length = Limits::check("max_page_bytes", spec.decoded, array.limits().max_page_bytes)?;
            let chain = Chain::compile(&spec.chain, &DataType::U64, &FillValue::ZERO, &array.session.registry, array.limits())?;
            let mut decoded = zeroed(length)?;
            let shape = [spec.decoded / 8];
            let context = ChunkContext::new(&shape, &DataType::U64, array.limits());
            super::decode::with_scratch(|scratch| chain.decode(part, &context, &mut scratch.codec, &mut Output::Exact(&mut decoded)))?;
            *part = decoded.into();
        }
    }
    array.meta.manifest.parse_page(id, &parts)
}

/// What a part decodes to, and what is fetched for it, in bytes; an estimate where a length is unknown.
fn weight(part: &Source, chunk_bytes: u64) -> (u64, u64) {
    match part {
        Source::Absent | Source::Beside => (0, 0),
        Source::Inline(_) | Source::Decoded(_) => (chunk_bytes, 0),
        Source::Range { length, .. } => (chunk_bytes, *length),
        Source::Named | Source::Whole { .. } => (chunk_bytes, chunk_bytes),
    }
}

/// Cuts what is to be fetched into batches of what may be in flight at once: half of the budgets, so that one batch is fetched while another
/// decodes. Where it can be helped none takes more than `memory`, stored and decoded together.
pub(crate) fn batches(planned: &Planned, chunk_bytes: u64, limits: &Limits, memory: u64) -> Vec<Batch> {
    let mut all = Vec::new();
    let mut batch = Batch::default();
    for (number, part) in planned.parts.iter().enumerate().filter(|(_, part)| !planned.is_at_hand(part)) {
        let (decoded, stored) = weight(part, chunk_bytes);
        let over = batch.parts.len() >= FETCHED_AT_ONCE
            || batch.decoded.saturating_add(decoded) > limits.decoded_in_flight / 2
            || batch.stored.saturating_add(stored) > limits.stored_in_flight / 2
            || batch.decoded.saturating_add(batch.stored).saturating_add(decoded).saturating_add(stored) > memory;
        if over && !batch.parts.is_empty() {
            all.push(std::mem::take(&mut batch));
        }
        batch.parts.push(number);
        batch.decoded = batch.decoded.saturating_add(decoded);
        batch.stored = batch.stored.saturating_add(stored);
    }
    if !batch.parts.is_empty() {
        all.push(batch);
    }
    all
}

/// The wants of a batch's parts, in their order.
pub(crate) fn wants_of(batch: &Batch, planned: &Planned, array: &ArrayInner) -> Vec<Want> {
    batch.parts.iter().filter_map(|number| Some(planned.want(array, *number)?.0)).collect()
}

/// The requests that fetching the parts takes.
fn requests(array: &ArrayInner, planned: &Planned, memory: &Memory) -> Vec<Request> {
    let of = |r: PlannedRequest| Request { object: r.object, start: r.start, length: r.length, chunks: r.wants.len() };
    let batches = batches(planned, array.chunk_bytes(), array.limits(), memory.batch());
    let mut all: Vec<Request> = batches.iter().flat_map(|batch| array.session.io.plan(&wants_of(batch, planned, array))).map(of).collect();
    if let Ok(list) = AtHandList::of(planned, array.chunk_bytes(), array.limits(), memory.batch()) {
        all.reserve_exact(list.len());
        all.extend(list.requests(array, planned));
    }
    all
}

/// What a read would do. Its `Display` is one line for people.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReadPlan {
    /// The region asked for.
    pub region: Region,
    /// Chunks that it touches.
    pub chunks: usize,
    /// Chunks that are not stored.
    pub absent: usize,
    /// Chunks whose decoded bytes are in the cache.
    pub cached: usize,
    /// The requests that will be sent.
    pub requests: Vec<Request>,
    /// Bytes of the requests whose length is known.
    pub bytes: u64,
    /// Whether every request's length is known; else `bytes` is a part of the sum.
    pub exact: bool,
    /// An upper bound of the bytes: [`bytes`](Self::bytes) where they are exact. A whole object of unknown length counts as its chunks decoded,
    /// an eighth of that and 64 KiB, which no common codec exceeds on data that it cannot compress.
    pub bytes_at_most: u64,
    /// Bytes of the output.
    pub output_bytes: u64,
    /// Requests that finding the chunks took: pages of a table and indexes of shards, read now, and kept where there is a cache for them.
    pub page_requests: u64,
    /// Bytes of those.
    pub page_bytes: u64,
}

/// One request of a [`ReadPlan`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// The object.
    pub object: ObjectKey,
    /// Its first byte.
    pub start: u64,
    /// Its length; `None` for a whole object of unknown length.
    pub length: Option<u64>,
    /// How many chunks it is for.
    pub chunks: usize,
}

impl ReadPlan {
    pub(crate) fn new(array: &ArrayInner, region: Region, planned: &Planned, memory: &Memory) -> Self {
        let count = |f: fn(&Source) -> bool| planned.parts.iter().filter(|p| f(p)).count();
        let requests = requests(array, planned, memory);
        let element = array.meta.data_type.size().unwrap_or(0) as u64;
        let worst = |chunks: usize| {
            let decoded = array.chunk_bytes().saturating_mul(chunks as u64);
            decoded.saturating_add(decoded / 8).saturating_add(64 << 10)
        };
        let at_most = |sum: u64, request: &Request| sum.saturating_add(request.length.unwrap_or_else(|| worst(request.chunks)));
        Self {
            bytes_at_most: requests.iter().fold(0, at_most),
            chunks: count(|p| !matches!(p, Source::Beside)),
            absent: count(|p| matches!(p, Source::Absent)),
            cached: count(|p| matches!(p, Source::Decoded(_))),
            bytes: requests.iter().filter_map(|r| r.length).sum(),
            exact: requests.iter().all(|r| r.length.is_some()),
            requests,
            output_bytes: region.len().saturating_mul(element),
            region,
            page_requests: 0,
            page_bytes: 0,
        }
    }

    /// Adds what another read would do; the region stays that of the first.
    pub fn add(&mut self, next: Self) {
        self.chunks += next.chunks;
        self.absent += next.absent;
        self.cached += next.cached;
        self.bytes += next.bytes;
        self.exact &= next.exact;
        self.bytes_at_most = self.bytes_at_most.saturating_add(next.bytes_at_most);
        self.output_bytes += next.output_bytes;
        self.page_requests += next.page_requests;
        self.page_bytes += next.page_bytes;
        self.requests.extend(next.requests);
    }
}

impl fmt::Display for ReadPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |n: usize| if n == 1 { "" } else { "s" };
        let requests = self.requests.len();
        write!(f, "{} chunk{}, {requests} request{}", self.chunks, s(self.chunks), s(requests))?;
        match (self.exact, self.bytes) {
            (true, bytes) => write!(f, ", {}", human_bytes(bytes))?,
            (false, 0) => f.write_str(", lengths unknown until they answer")?,
            (false, bytes) => write!(f, ", {} and whole objects of unknown length", human_bytes(bytes))?,
        }
        if self.cached > 0 {
            write!(f, ", {} cached", self.cached)?;
        }
        if self.absent > 0 {
            write!(f, ", {} absent", self.absent)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_count_the_touched_chunks() {
        let grid = ChunkGrid::regular(&[10, 10], &[3, 4]).unwrap();
        let chunks = ChunkBox::of(&grid, &Region::new(vec![3..7, 4..9]));
        assert_eq!(chunks.len(), 4);
        assert_eq!((0..4).map(|n| chunks.index(n).to_vec()).collect::<Vec<_>>(), [[1, 1], [1, 2], [2, 1], [2, 2]]);
        assert_eq!(ChunkBox::of(&grid, &Region::new(vec![3..3, 0..10])).len(), 0);
        let scalar = ChunkBox::of(&ChunkGrid::regular(&[], &[]).unwrap(), &Region::new(vec![]));
        assert_eq!((scalar.len(), scalar.index(0).to_vec()), (1, vec![]));
    }

    fn planned(parts: Vec<Source>, at_hand: bool) -> Planned {
        let grid = ChunkGrid::regular(&[parts.len() as u64], &[1]).unwrap();
        let mut planned = Planned::new(ChunkBox::of(&grid, &Region::all(&[parts.len() as u64]))).unwrap();
        planned.objects = ["memory://a", "memory://b"].map(|url| Object { key: ObjectKey::new(url), at_hand }).into();
        planned.named_at_hand = at_hand;
        planned.parts = parts;
        planned
    }
    fn range(object: u32, start: u64, length: u64) -> Source {
        Source::Range { object, chain: 0, start, length }
    }

    #[test]
    fn a_part_is_small() {
        assert_eq!(size_of::<Source>(), 24);
    }

    #[test]
    fn one_index_leads_to_the_next() {
        let grid = ChunkGrid::regular(&[10, 10, 10], &[3, 4, 1]).unwrap();
        for region in [vec![0..10, 0..10, 0..10], vec![3..7, 4..9, 5..6]] {
            let chunks = ChunkBox::of(&grid, &Region::new(region));
            let mut index = chunks.index(0);
            for number in 0..chunks.len() {
                assert_eq!(index, chunks.index(number));
                chunks.advance(&mut index);
            }
        }
    }

    #[test]
    fn batches_keep_to_the_budgets() {
        let planned = planned((0..10).map(|i| range(0, i * 30, 30)).collect(), false);
        let limits = Limits { decoded_in_flight: 200, stored_in_flight: 1000, ..Limits::default() };
        let sizes = |limits: &Limits| batches(&planned, 40, limits, u64::MAX).iter().map(|b| b.parts.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&limits), [2, 2, 2, 2, 2]);
        assert_eq!(sizes(&Limits { decoded_in_flight: 10, ..limits.clone() }), [1; 10]);
        assert_eq!(sizes(&Limits { stored_in_flight: 180, ..limits }), [2; 5]);
        assert_eq!(sizes(&Limits::default()), [10]);
        let bounded = |memory| batches(&planned, 40, &Limits::default(), memory).iter().map(|b| b.parts.len()).collect::<Vec<_>>();
        assert_eq!(bounded(210), [3, 3, 3, 1], "30 stored and 40 decoded each");
        assert_eq!(bounded(1), [1; 10]);
    }

    #[test]
    fn neighbours_at_hand_are_read_together() {
        const KIB: u64 = 1 << 10;
        let pieces = |parts: Vec<Source>| {
            let planned = planned(parts, true);
            assert!(batches(&planned, 1, &Limits::default(), u64::MAX).is_empty());
            let list = AtHandList::of(&planned, 20 * KIB, &Limits::default(), u64::MAX).unwrap();
            let all: Vec<(usize, Option<Range<u64>>)> =
                (0..list.len()).map(|p| (list.piece(p).count(), list.range(&planned, p).map(|(_, range)| range))).collect();
            assert!((0..list.len()).flat_map(|p| list.piece(p)).collect::<BTreeSet<_>>().into_iter().eq(0..planned.parts.len()));
            all
        };
        let strips = |from: u64, to: u64| (from..to).map(|i| range(0, i * 8 * KIB, 8 * KIB - 8)).collect::<Vec<_>>();
        let all = pieces(strips(0, 1024));
        assert_eq!((all.len(), all[0].clone()), (17, (63, Some(0..63 * 8 * KIB - 8))), "of half a megabyte each, gaps of 8 bytes counted");
        assert_eq!(pieces(strips(0, 1024).into_iter().rev().collect()), all, "in the order of their bytes");
        assert_eq!(pieces(strips(0, 16)).iter().map(|p| p.0).collect::<Vec<_>>(), [6, 6, 4], "few, for several threads");
        assert_eq!(pieces(vec![range(0, 0, 9); 64]), [vec![(6, Some(0..9)); 10], vec![(4, Some(0..9))]].concat(), "which share their bytes");
        assert_eq!(pieces(vec![range(0, 0, 9), range(1, 9, 9), range(0, 1 << 20, 9)]).len(), 3, "far apart, or of other objects");
        assert_eq!(pieces(vec![Source::Absent; 3000]).iter().map(|p| p.0).collect::<Vec<_>>(), [1024, 1024, 952]);
        assert_eq!(pieces(vec![Source::Named, Source::Named, Source::Absent]).len(), 3);
        assert_eq!(pieces(vec![]), []);
    }
}
