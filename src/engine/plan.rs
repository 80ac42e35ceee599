//! From a region to the places of its chunks: what a read will fetch, in which batches, and what that will cost.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
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
    ByteSpan, ChunkGrid, DataType, FillValue, Got, Limits, Location, Missing, ObjectKey, Page, PageId, PagePlace, PageSpec, Pages, Region, Want,
};

/// The chunks that a region touches: a box of the chunk grid, counted in C order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChunkBox {
    first: Vec<u64>,
    counts: Vec<u64>,
    len: usize,
}

impl ChunkBox {
    pub(crate) fn of(grid: &ChunkGrid, region: &Region) -> Self {
        let ranges = grid.chunks_of(region);
        let counts: Vec<u64> = ranges.iter().map(|r| r.end.saturating_sub(r.start)).collect();
        let len = counts.iter().try_fold(1_u64, |n, m| n.checked_mul(*m)).and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
        Self { first: ranges.iter().map(|r| r.start).collect(), counts, len }
    }
    pub(crate) fn len(&self) -> usize {
        self.len
    }
    /// The chunk's index in the grid.
    pub(crate) fn index(&self, number: usize) -> Vec<u64> {
        let mut index = Vec::new();
        self.index_into(number, &mut index);
        index
    }
    /// As [`index`](Self::index), into a vector that is used again.
    pub(crate) fn index_into(&self, number: usize, index: &mut Vec<u64>) {
        let mut rest = number as u64;
        index.clear();
        index.extend_from_slice(&self.first);
        for (i, n) in index.iter_mut().zip(&self.counts).rev() {
            *i += rest % (*n).max(1);
            rest /= (*n).max(1);
        }
    }
}

/// Where one chunk of a read comes from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// It holds the fill value.
    Absent,
    /// Its stored bytes are at hand.
    Inline(Bytes),
    /// Its decoded bytes are at hand.
    Decoded(Bytes),
    /// It is to be fetched, and decoded by one of the array's chains.
    Fetch { want: Want, chain: u16, missing: Missing },
}

/// The places of all chunks of a read; the number of a part is its place in the [`ChunkBox`].
pub(crate) struct Planned {
    pub(crate) chunks: ChunkBox,
    pub(crate) parts: Vec<Source>,
    /// Pages that were read for it.
    pub(crate) pages: u64,
    /// Those of them that were fetched twice, because what came first was damaged.
    pub(crate) refetched: u64,
}

impl Planned {
    /// Leaves out what another read of the same moment fetches.
    pub(crate) fn leave_out(&mut self, other: &Self) {
        let fetched = |part: &Source| if let Source::Fetch { want, .. } = part { Some(want.clone()) } else { None };
        let others: HashSet<Want> = other.parts.iter().filter_map(fetched).collect();
        self.parts.retain(|part| fetched(part).is_none_or(|want| !others.contains(&want)));
    }

    /// Holds what is to be fetched against what the call may cost and take, before any of it is.
    pub(crate) fn check(&self, array: &ArrayInner, call: &Call, memory: &Memory) -> Result<()> {
        let chunk_bytes = array.chunk_bytes();
        for part in &self.parts {
            let (decoded, stored) = weight(part, chunk_bytes);
            memory.check(decoded.saturating_add(stored))?;
        }
        if call.is_capped() {
            let requests = requests(array, &self.parts, memory);
            call.afford(requests.len() as u64, requests.iter().filter_map(|r| r.length).fold(0, u64::saturating_add))?;
        }
        Ok(())
    }
}

/// The most parts that are fetched together: each is a want with its bookkeeping.
const FETCHED_AT_ONCE: usize = 1024;

/// Parts that are fetched together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    /// Numbers of the parts.
    pub(crate) parts: Vec<usize>,
    /// How many of them are fetched.
    fetched: usize,
    /// What they decode to, in bytes.
    pub(crate) decoded: u64,
    /// What is fetched for them, in bytes; an estimate where lengths are unknown.
    pub(crate) stored: u64,
}

/// The pages that this plan has read, or found in the session's cache: all of its chunks are found by the same ones.
struct Read<'a> {
    array: &'a ArrayInner,
    here: RefCell<HashMap<PageId, Arc<Page>>>,
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
    let mut parts: Vec<Source> = crate::model::reserve("parts of a read", chunks.len())?;
    let mut read = Read { array, here: RefCell::default(), pages: 0, refetched: 0 };
    let mut unread: Vec<usize> = Vec::new();
    let mut pages: BTreeSet<PageId> = BTreeSet::new();
    for number in 0..chunks.len() {
        breathe(number).await;
        match locate(array, &chunks.index(number), &read)? {
            Ok(source) => parts.push(source),
            Err(page) => {
                pages.insert(page);
                parts.push(Source::Absent);
                unread.push(number);
            }
        }
    }
    let mut hops = 0;
    while !unread.is_empty() {
        hops += 1;
        Limits::check("max_page_hops", hops, limits.max_page_hops)?;
        let ids: Vec<PageId> = std::mem::take(&mut pages).into_iter().collect();
        for some in ids.chunks(PAGES_AT_ONCE) {
            read_pages(array, some, &mut read, counters).await?;
        }
        let mut still = Vec::new();
        for number in unread {
            breathe(number).await;
            match locate(array, &chunks.index(number), &read)? {
                Ok(source) => parts[number] = source,
                Err(page) => {
                    pages.insert(page);
                    still.push(number);
                }
            }
        }
        unread = still;
    }
    Ok(Planned { chunks, parts, pages: read.pages, refetched: read.refetched })
}

/// Pages that are fetched together, so that their stored and parsed forms are not all held at once.
const PAGES_AT_ONCE: usize = 256;

/// Lets other reads on, and ends where this one was given up: planning itself never waits.
async fn breathe(number: usize) {
    if number % 4096 == 4095 {
        tokio::task::yield_now().await;
    }
}

/// The place of one chunk, or the page that must be read before.
fn locate(array: &ArrayInner, index: &[u64], pages: &dyn Pages) -> Result<Result<Source, PageId>> {
    let limits = array.limits();
    let source = match array.meta.manifest.locate(index, &array.meta.grid, pages)? {
        Location::Absent => return Ok(Ok(Source::Absent)),
        Location::Inline(bytes) => Source::Inline(bytes),
        Location::At { span, chain } => {
            Limits::check("max_stored_bytes", span.length, limits.max_stored_bytes)?;
            Source::Fetch { want: Want::Range(span), chain, missing: Missing::Error }
        }
        Location::Whole { key, missing } => Source::Fetch { want: Want::Whole { object: key, most: array.most_stored() }, chain: 0, missing },
        Location::Unread(page) => return Ok(Err(page)),
    };
    let version = if let Source::Fetch { want, .. } = &source { want.object().version() } else { None };
    Ok(Ok(array.cached_chunk(array.meta.grid.linear(index), version).map_or(source, Source::Decoded)))
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
            let mut decoded = crate::model::reserve::<u8>("page", length)?;
            decoded.resize(length, 0);
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
        Source::Absent => (0, 0),
        Source::Inline(_) | Source::Decoded(_) => (chunk_bytes, 0),
        Source::Fetch { want: Want::Range(ByteSpan { length, .. }), .. } => (chunk_bytes, *length),
        Source::Fetch { .. } => (chunk_bytes, chunk_bytes),
    }
}

/// Cuts a plan into batches of what may be in flight at once: half of the budgets, so that one batch is fetched while another decodes.
/// Where it can be helped none takes more than `memory`, stored and decoded together.
pub(crate) fn batches(parts: &[Source], chunk_bytes: u64, limits: &Limits, memory: u64) -> Vec<Batch> {
    let mut all = Vec::new();
    let mut batch = Batch::default();
    for (number, part) in parts.iter().enumerate() {
        let (decoded, stored) = weight(part, chunk_bytes);
        let fetched = usize::from(matches!(part, Source::Fetch { .. }));
        let over = batch.fetched + fetched > FETCHED_AT_ONCE
            || batch.decoded.saturating_add(decoded) > limits.decoded_in_flight / 2
            || batch.stored.saturating_add(stored) > limits.stored_in_flight / 2
            || batch.decoded.saturating_add(batch.stored).saturating_add(decoded).saturating_add(stored) > memory;
        if over && !batch.parts.is_empty() {
            all.push(std::mem::take(&mut batch));
        }
        batch.parts.push(number);
        batch.fetched += fetched;
        batch.decoded = batch.decoded.saturating_add(decoded);
        batch.stored = batch.stored.saturating_add(stored);
    }
    if !batch.parts.is_empty() {
        all.push(batch);
    }
    all
}

/// The wants of a batch's parts, and which part each is for.
pub(crate) fn wants_of(batch: &Batch, parts: &[Source]) -> (Vec<Want>, Vec<usize>) {
    let fetched = batch.parts.iter().filter_map(|number| match &parts[*number] {
        Source::Fetch { want, .. } => Some((want.clone(), *number)),
        _ => None,
    });
    fetched.unzip()
}

/// The requests that fetching the parts takes.
fn requests(array: &ArrayInner, parts: &[Source], memory: &Memory) -> Vec<PlannedRequest> {
    let batches = batches(parts, array.chunk_bytes(), array.limits(), memory.batch());
    batches.iter().flat_map(|batch| array.session.io.plan(&wants_of(batch, parts).0)).collect()
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
        let of = |r: PlannedRequest| Request { object: r.object, start: r.start, length: r.length, chunks: r.wants.len() };
        let requests: Vec<Request> = requests(array, &planned.parts, memory).into_iter().map(of).collect();
        let element = array.meta.data_type.size().unwrap_or(0) as u64;
        let worst = |chunks: usize| {
            let decoded = array.chunk_bytes().saturating_mul(chunks as u64);
            decoded.saturating_add(decoded / 8).saturating_add(64 << 10)
        };
        let at_most = |sum: u64, request: &Request| sum.saturating_add(request.length.unwrap_or_else(|| worst(request.chunks)));
        Self {
            bytes_at_most: requests.iter().fold(0, at_most),
            chunks: planned.parts.len(),
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
        assert_eq!((0..4).map(|n| chunks.index(n)).collect::<Vec<_>>(), [[1, 1], [1, 2], [2, 1], [2, 2]]);
        assert_eq!(ChunkBox::of(&grid, &Region::new(vec![3..3, 0..10])).len(), 0);
        let scalar = ChunkBox::of(&ChunkGrid::regular(&[], &[]).unwrap(), &Region::new(vec![]));
        assert_eq!((scalar.len(), scalar.index(0)), (1, vec![]));
    }

    #[test]
    fn batches_keep_to_the_budgets() {
        let key = ObjectKey::new("memory://a");
        let part = |start: u64| Source::Fetch { want: Want::Range(ByteSpan::new(&key, start, 30).unwrap()), chain: 0, missing: Missing::Error };
        let parts: Vec<Source> = (0..10).map(|i| part(i * 30)).collect();
        let limits = Limits { decoded_in_flight: 200, stored_in_flight: 1000, ..Limits::default() };
        let sizes = |limits: &Limits| batches(&parts, 40, limits, u64::MAX).iter().map(|b| b.parts.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&limits), [2, 2, 2, 2, 2]);
        assert_eq!(sizes(&Limits { decoded_in_flight: 10, ..limits.clone() }), [1; 10]);
        assert_eq!(sizes(&Limits { stored_in_flight: 180, ..limits }), [2; 5]);
        assert_eq!(sizes(&Limits::default()), [10]);
        let bounded = |memory| batches(&parts, 40, &Limits::default(), memory).iter().map(|b| b.parts.len()).collect::<Vec<_>>();
        assert_eq!(bounded(210), [3, 3, 3, 1], "30 stored and 40 decoded each");
        assert_eq!(bounded(1), [1; 10]);
    }
}
