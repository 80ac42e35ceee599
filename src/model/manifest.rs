//! Where the chunks are.
//!
//! [`ChunkManifest::locate`] is a pure function of a chunk's index and of the pages read so far. Where a page of its table is still
//! unread it says so; the caller fetches what [`ChunkManifest::page`] names, has it parsed, and asks again. Tables of tiles that are too
//! large to load and the indexes of shards are both pages.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::reach::{LEADER, Reach, UNKNOWN};
use super::{ByteSpan, ChunkGrid, CodecSpec, Endian, Limits, ObjectKey, Want};
use crate::error::{Error, Result};

/// Where a chunk's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// Nothing is stored: it holds the fill value.
    Absent,
    /// The bytes themselves.
    Inline(Bytes),
    /// A range of an object.
    At {
        /// The range.
        span: ByteSpan,
        /// Which of the array's chains decodes it.
        chain: u16,
    },
    /// A whole object.
    Whole {
        /// The object.
        key: ObjectKey,
        /// What its absence means.
        missing: Missing,
    },
    /// The page of the table that knows is unread.
    Unread(PageId),
}

/// What it means that an object is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Missing {
    /// The chunk holds the fill value.
    Fill,
    /// Something is lost.
    Error,
}

/// A page of a chunk table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PageId {
    /// Nesting: 0 for the outermost table.
    pub level: u8,
    /// Which of that level's pages.
    pub number: u64,
}

/// Where a page is and how it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageSpec {
    /// Where its parts are.
    pub place: PagePlace,
    /// What it means that the object is not there.
    pub missing: Missing,
    /// Bytes at the end of each part that are not the page's.
    pub trim_end: u64,
    /// The chain that each part goes through; its result is `decoded` bytes, numbers in the machine's byte order.
    pub chain: Vec<CodecSpec>,
    /// Bytes of each part after its chain, where there is one.
    pub decoded: u64,
}

/// Where the parts of a page are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PagePlace {
    /// There is none: all of its chunks are absent.
    Absent,
    /// At hand.
    Inline(Vec<Bytes>),
    /// To be fetched.
    Wants(Vec<Want>),
    /// Another page must be read first.
    Unread(PageId),
}

/// A parsed page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// Its object is not there: all of its chunks are absent.
    Absent,
    /// Offset and length of each chunk.
    Spans(Vec<(u64, u64)>),
    /// The same, in the object as it was when the page was read.
    Pinned(Vec<(u64, u64)>, Arc<str>),
}

impl Page {
    /// The page of an object of this version.
    #[must_use]
    pub fn of_version(self, version: Option<Arc<str>>) -> Self {
        match (self, version) {
            (Self::Spans(spans), Some(version)) => Self::Pinned(spans, version),
            (page, _) => page,
        }
    }
    /// Offset and length of each chunk; `None` where all are absent.
    #[must_use]
    pub fn spans(&self) -> Option<&[(u64, u64)]> {
        match self {
            Self::Absent => None,
            Self::Spans(spans) | Self::Pinned(spans, _) => Some(spans),
        }
    }
    /// The version of the object that it describes, where it is known.
    #[must_use]
    pub fn version(&self) -> Option<&Arc<str>> {
        match self {
            Self::Pinned(_, version) => Some(version),
            _ => None,
        }
    }
    /// Bytes it takes in memory.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Absent => 16,
            Self::Spans(spans) | Self::Pinned(spans, _) => 16 + spans.len() * 16,
        }
    }
}

/// The pages read so far.
pub trait Pages {
    /// A page, where it was read.
    fn get(&self, id: PageId) -> Option<Arc<Page>>;
}

impl Pages for HashMap<PageId, Arc<Page>> {
    fn get(&self, id: PageId) -> Option<Arc<Page>> {
        Self::get(self, &id).cloned()
    }
}

/// Finds the chunks of an array.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ChunkManifest {
    /// A table of offsets and lengths, a row a chunk.
    Table(ChunkTable),
    /// An object a chunk, named after its index.
    Keys(KeyNames),
    /// Chunks inside of shards.
    Shards(Box<Shards>),
    /// Every chunk listed, by its place in C order; those that are not are absent.
    Listed(Arc<HashMap<u64, Location>>),
}

/// A table of offsets and lengths in an object: loaded, or left where it is and read by pages.
#[derive(Debug, Clone)]
pub struct ChunkTable {
    /// The object that holds the table and the chunks.
    pub object: ObjectKey,
    /// Rows of the table; a chunk's row is its place in C order.
    pub rows: u64,
    /// The chunks' first bytes.
    pub offsets: Column,
    /// The chunks' lengths.
    pub lengths: Column,
    /// Rows of a page.
    pub page_rows: u64,
    /// What tells how far a chunk reaches, where both columns are stored: lengths are then read (as pages of level 1) only where it
    /// does not.
    pub reach: Reach,
}

/// A column of a [`ChunkTable`].
#[derive(Debug, Clone)]
pub enum Column {
    /// Its numbers.
    Loaded(Arc<[u64]>),
    /// Where its numbers are stored.
    Stored {
        /// The first byte of the first.
        start: u64,
        /// Bytes of each: 1, 2, 4 or 8.
        width: u8,
        /// Their byte order.
        endian: Endian,
    },
}

/// Names of objects after the chunks' indexes.
#[derive(Debug, Clone)]
pub struct KeyNames {
    /// What the names are looked up in.
    pub objects: ObjectMap,
    /// What stands before the index.
    pub prefix: String,
    /// What stands between the numbers.
    pub separator: char,
    /// What the name of the only chunk of an array without dimensions is, behind the prefix.
    pub scalar: String,
    /// What absence means.
    pub missing: Missing,
}

/// What names of objects mean.
#[derive(Clone)]
pub enum ObjectMap {
    /// Objects below a prefix (which has no slash at its end).
    Prefix(ObjectKey),
    /// A list: an archive's members, or a file of references.
    References(Arc<HashMap<String, Reference>>),
}

impl fmt::Debug for ObjectMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(key) => write!(f, "Prefix({key})"),
            Self::References(map) => write!(f, "References({})", map.len()),
        }
    }
}

/// What one name refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// The bytes themselves.
    Inline(Bytes),
    /// Another object, whole.
    Whole(ObjectKey),
    /// A range of another object.
    Range(ByteSpan),
    /// A range of another object that is raw Deflate around what the name stands for: an archive's member.
    Deflated {
        /// The range.
        span: ByteSpan,
        /// The length inside.
        size: u64,
    },
}

/// Chunks inside of shards: a shard is a chunk of the outer manifest, with an index of its inner chunks at its start or end.
#[derive(Debug, Clone)]
pub struct Shards {
    /// Where the shards are.
    pub outer: ChunkManifest,
    /// The grid of the shards.
    pub outer_grid: ChunkGrid,
    /// Inner chunks of a shard along each axis of the array.
    pub inner_counts: Vec<u64>,
    /// The array's axes in the order in which the index counts them.
    pub index_axes: Vec<usize>,
    /// The chain of the index.
    pub index_chain: Vec<CodecSpec>,
    /// Bytes of the encoded index.
    pub index_length: u64,
    /// Whether the index stands at the start of the shard.
    pub index_at_start: bool,
    /// Bytes behind the shard that are not its own (a checksum around it).
    pub tail: u64,
    /// Nesting: 0 for the outermost.
    pub level: u8,
}

impl ObjectMap {
    /// What a name refers to; `None` where it is certain that there is nothing.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Option<Reference> {
        match self {
            Self::Prefix(prefix) if name.is_empty() => Some(Reference::Whole(prefix.clone())),
            Self::Prefix(prefix) => Some(Reference::Whole(ObjectKey::new(format!("{}/{name}", prefix.url())))),
            Self::References(map) => map.get(name).cloned(),
        }
    }
}

impl KeyNames {
    /// The name of a chunk.
    #[must_use]
    pub fn name(&self, index: &[u64]) -> String {
        use fmt::Write;
        let mut name = self.prefix.clone();
        if index.is_empty() {
            name.push_str(&self.scalar);
        }
        for (i, n) in index.iter().enumerate() {
            if i > 0 {
                name.push(self.separator);
            }
            let _infallible = write!(name, "{n}");
        }
        name
    }

    fn locate(&self, index: &[u64]) -> Result<Location> {
        Ok(match self.objects.resolve(&self.name(index)) {
            None if self.missing == Missing::Fill => Location::Absent,
            None => return Err(Error::not_found(&self.name(index))),
            Some(Reference::Inline(bytes)) => Location::Inline(bytes),
            Some(Reference::Whole(key)) => {
                // What a list names was there: its absence is a loss.
                let missing = if matches!(self.objects, ObjectMap::References(_)) { Missing::Error } else { self.missing };
                Location::Whole { key, missing }
            }
            Some(Reference::Range(span)) => Location::At { span, chain: 0 },
            Some(Reference::Deflated { span, .. }) => Location::At { span, chain: 1 },
        })
    }
}

impl Column {
    fn span(&self, object: &ObjectKey, first: u64, count: u64) -> Result<Option<ByteSpan>> {
        let Self::Stored { start, width, .. } = self else { return Ok(None) };
        let width = u64::from(*width);
        let span = || ByteSpan::new(object, start.checked_add(first.checked_mul(width)?)?, count.checked_mul(width)?);
        span().map(Some).ok_or_else(|| Error::malformed("the table of chunks reaches past the end of the address space"))
    }
    fn parse(&self, bytes: &[u8]) -> Vec<u64> {
        let Self::Stored { width, endian, .. } = self else { return Vec::new() };
        let number = |b: &[u8]| {
            let digits = |n: u64, b: &u8| n << 8 | u64::from(*b);
            match endian {
                Endian::Big => b.iter().fold(0, digits),
                Endian::Little => b.iter().rev().fold(0, digits),
            }
        };
        bytes.chunks_exact(usize::from((*width).max(1))).map(number).collect()
    }
    fn loaded(&self, row: u64) -> Option<u64> {
        match self {
            Self::Loaded(numbers) => numbers.get(usize::try_from(row).ok()?).copied(),
            Self::Stored { .. } => None,
        }
    }
    fn is_loaded(&self) -> bool {
        matches!(self, Self::Loaded(_))
    }
}

impl ChunkTable {
    fn page_of(&self, row: u64) -> (u64, u64) {
        let rows = self.page_rows.max(1);
        (row / rows, row % rows)
    }

    fn at(&self, offset: u64, length: u64, chain: u16) -> Result<Location> {
        if length == 0 {
            return Ok(Location::Absent);
        }
        let span =
            ByteSpan::new(&self.object, offset, length).ok_or_else(|| Error::malformed("a chunk reaches past the end of the address space"))?;
        Ok(Location::At { span, chain })
    }

    /// What tells how far chunks reach, where the lengths are better left unread.
    fn reach(&self) -> Option<Reach> {
        Some(self.reach).filter(|reach| *reach != Reach::Lengths && !self.offsets.is_loaded() && !self.lengths.is_loaded())
    }

    fn locate(&self, row: u64, pages: &dyn Pages) -> Result<Location> {
        if row >= self.rows {
            return Ok(Location::Absent);
        }
        if let (Some(offset), Some(length)) = (self.offsets.loaded(row), self.lengths.loaded(row)) {
            return self.at(offset, length, 0);
        }
        let (number, within) = self.page_of(row);
        let row_of = |id: PageId| -> Result<Option<(u64, u64)>> {
            let Some(page) = pages.get(id) else { return Ok(None) };
            let Some(spans) = page.spans() else { return Ok(Some((0, 0))) };
            let found = usize::try_from(within).ok().and_then(|i| spans.get(i)).copied();
            found.map(Some).ok_or_else(|| Error::malformed("the table of chunks ends early"))
        };
        let id = PageId { level: 0, number };
        let Some((offset, length)) = row_of(id)? else { return Ok(Location::Unread(id)) };
        match self.reach() {
            None => self.at(offset, length, 0),
            Some(_) if length == UNKNOWN => {
                let id = PageId { level: 1, number };
                let Some((_, length)) = row_of(id)? else { return Ok(Location::Unread(id)) };
                self.at(offset, length, 0)
            }
            Some(Reach::Leader(chain)) => self.at(offset.saturating_sub(LEADER), length, chain),
            Some(_) => self.at(offset, length, 0),
        }
    }

    fn page(&self, id: PageId) -> Result<PageSpec> {
        let first = id.number.checked_mul(self.page_rows).filter(|f| *f < self.rows).ok_or_else(|| Error::malformed("no such page of the table"))?;
        let left = self.rows - first;
        let count = self.page_rows.min(left);
        let mut wants = Vec::new();
        let mut want = |column: &Column, count| -> Result<()> {
            wants.extend(column.span(&self.object, first, count)?.map(Want::Range));
            Ok(())
        };
        match (self.reach(), id.level) {
            // With the start of the next page's first chunk, at which this page's last one ends.
            (Some(_), 0) => want(&self.offsets, self.page_rows.saturating_add(1).min(left))?,
            (Some(_), _) => want(&self.lengths, count)?,
            (None, _) => {
                want(&self.offsets, count)?;
                want(&self.lengths, count)?;
            }
        }
        Ok(PageSpec { place: PagePlace::Wants(wants), missing: Missing::Error, trim_end: 0, chain: Vec::new(), decoded: 0 })
    }

    fn parse_page(&self, id: PageId, parts: &[Bytes]) -> Result<Page> {
        let first = id.number.saturating_mul(self.page_rows);
        let left = self.rows.saturating_sub(first);
        let count = self.page_rows.min(left);
        let mut parts = parts.iter();
        let mut column = |column: &Column, count: u64| -> Result<Vec<u64>> {
            let numbers: Vec<u64> = if column.is_loaded() {
                (first..first + count).filter_map(|row| column.loaded(row)).collect()
            } else {
                column.parse(parts.next().map_or(&[], |b| b))
            };
            if numbers.len() as u64 != count {
                return Err(Error::malformed("the table of chunks ends early"));
            }
            Ok(numbers)
        };
        match (self.reach(), id.level) {
            (Some(reach), 0) => {
                let mut offsets = column(&self.offsets, self.page_rows.saturating_add(1).min(left))?;
                let behind = if offsets.len() as u64 > count { offsets.pop() } else { None };
                Ok(Page::Spans(reach.spans(&offsets, behind.unwrap_or(0))))
            }
            (Some(_), _) => Ok(Page::Spans(column(&self.lengths, count)?.into_iter().map(|length| (0, length)).collect())),
            (None, _) => {
                let offsets = column(&self.offsets, count)?;
                let lengths = column(&self.lengths, count)?;
                Ok(Page::Spans(offsets.into_iter().zip(lengths).collect()))
            }
        }
    }
}

impl Shards {
    fn split(&self, index: &[u64]) -> (Vec<u64>, u64) {
        let outer = index.iter().zip(&self.inner_counts).map(|(i, n)| i / (*n).max(1)).collect();
        let place = |at: u64, axis: &usize| {
            let n = self.inner_counts.get(*axis).copied().unwrap_or(1).max(1);
            at.wrapping_mul(n).wrapping_add(index.get(*axis).map_or(0, |i| i % n))
        };
        (outer, self.index_axes.iter().fold(0, place))
    }

    /// Inner chunks of a shard.
    #[must_use]
    pub fn inner_count(&self) -> u64 {
        self.inner_counts.iter().fold(1, |n: u64, m| n.saturating_mul(*m))
    }

    fn locate(&self, index: &[u64], pages: &dyn Pages) -> Result<Location> {
        let (outer, within) = self.split(index);
        let id = PageId { level: self.level, number: self.outer_grid.linear(&outer) };
        let Some(page) = pages.get(id) else {
            // The shard itself may lie behind an unread page, or be absent.
            return Ok(match self.outer.locate(&outer, &self.outer_grid, pages)? {
                Location::Absent => Location::Absent,
                Location::Unread(first) => Location::Unread(first),
                _ => Location::Unread(id),
            });
        };
        let Some(spans) = page.spans() else { return Ok(Location::Absent) };
        let found = usize::try_from(within).ok().and_then(|i| spans.get(i)).copied();
        let (offset, length) = found.ok_or_else(|| Error::malformed("the index of a shard ends early"))?;
        if offset == u64::MAX && length == u64::MAX {
            return Ok(Location::Absent);
        }
        let past = || Error::malformed("an inner chunk reaches past its shard");
        match self.outer.locate(&outer, &self.outer_grid, pages)? {
            Location::Whole { key, .. } => {
                // Inner chunks are read of the shard whose index was read, or not at all.
                let key = key.with_version(page.version().cloned());
                let span = ByteSpan::new(&key, offset, length).ok_or_else(past)?;
                Ok(Location::At { span, chain: 0 })
            }
            Location::At { span, chain: 0 } => {
                let end = offset.checked_add(length).filter(|e| *e <= span.length.saturating_sub(self.tail)).ok_or_else(past)?;
                let start = span.start.checked_add(offset).ok_or_else(past)?;
                debug_assert!(end >= offset);
                Ok(Location::At { span: ByteSpan::new(&span.object, start, length).ok_or_else(past)?, chain: 0 })
            }
            Location::Inline(bytes) => {
                let end = offset.checked_add(length).and_then(|e| usize::try_from(e).ok()).filter(|e| *e <= bytes.len()).ok_or_else(past)?;
                let start = usize::try_from(offset).map_err(|_| past())?;
                Ok(Location::Inline(bytes.slice(start..end)))
            }
            Location::Absent => Ok(Location::Absent),
            Location::Unread(first) => Ok(Location::Unread(first)),
            Location::At { .. } => Err(Error::unsupported("a shard that is compressed as a whole by its archive")),
        }
    }

    fn page(&self, number: u64, pages: &dyn Pages) -> Result<PageSpec> {
        let outer = self.outer_grid.index(number);
        let spec = |place, missing, trim_end| PageSpec {
            place,
            missing,
            trim_end,
            chain: self.index_chain.clone(),
            decoded: self.inner_count().saturating_mul(16),
        };
        let length = self.index_length;
        let short = || Error::malformed("a shard is shorter than its index");
        Ok(match self.outer.locate(&outer, &self.outer_grid, pages)? {
            Location::Absent => spec(PagePlace::Absent, Missing::Fill, 0),
            Location::Unread(first) => spec(PagePlace::Unread(first), Missing::Fill, 0),
            Location::Whole { key, missing } if self.index_at_start => {
                let span = ByteSpan::new(&key, 0, length).ok_or_else(short)?;
                spec(PagePlace::Wants(vec![Want::Range(span)]), missing, 0)
            }
            Location::Whole { key, missing } => {
                let length = length.checked_add(self.tail).ok_or_else(short)?;
                spec(PagePlace::Wants(vec![Want::Suffix { object: key, length }]), missing, self.tail)
            }
            Location::At { span, chain: 0 } => {
                let inside = span.length.checked_sub(self.tail).and_then(|n| n.checked_sub(length)).ok_or_else(short)?;
                let start = if self.index_at_start { span.start } else { span.start.checked_add(inside).ok_or_else(short)? };
                let span = ByteSpan::new(&span.object, start, length).ok_or_else(short)?;
                spec(PagePlace::Wants(vec![Want::Range(span)]), Missing::Error, 0)
            }
            Location::Inline(bytes) => {
                let size = (bytes.len() as u64).checked_sub(self.tail).filter(|n| *n >= length).ok_or_else(short)?;
                let start = if self.index_at_start { 0 } else { size - length };
                let cut = |n: u64| usize::try_from(n).map_err(|_| short());
                spec(PagePlace::Inline(vec![bytes.slice(cut(start)?..cut(start + length)?)]), Missing::Error, 0)
            }
            Location::At { .. } => return Err(Error::unsupported("a shard that is compressed as a whole by its archive")),
        })
    }

    fn parse_page(&self, parts: &[Bytes]) -> Result<Page> {
        let numbers = parts.first().map_or(&[][..], |b| b);
        let number = |b: &[u8]| b.try_into().map(u64::from_ne_bytes).unwrap_or(u64::MAX);
        let spans: Vec<(u64, u64)> = numbers.chunks_exact(16).map(|row| (number(&row[..8]), number(&row[8..]))).collect();
        if spans.len() as u64 != self.inner_count() {
            return Err(Error::malformed("the index of a shard has another length than its inner chunks"));
        }
        Ok(Page::Spans(spans))
    }
}

impl ChunkManifest {
    /// Where a chunk is. `grid` is the array's.
    ///
    /// # Errors
    /// What the table says of it makes no sense.
    pub fn locate(&self, index: &[u64], grid: &ChunkGrid, pages: &dyn Pages) -> Result<Location> {
        match self {
            Self::Table(table) => table.locate(grid.linear(index), pages),
            Self::Keys(keys) => keys.locate(index),
            Self::Shards(shards) => shards.locate(index, pages),
            Self::Listed(map) => Ok(map.get(&grid.linear(index)).cloned().unwrap_or(Location::Absent)),
        }
    }

    /// Where a page is and how it is read.
    ///
    /// # Errors
    /// No such page, or one larger than `limits.max_page_bytes`.
    pub fn page(&self, id: PageId, pages: &dyn Pages, limits: &Limits) -> Result<PageSpec> {
        let spec = match self {
            Self::Table(table) => table.page(id)?,
            Self::Shards(shards) if shards.level == id.level => shards.page(id.number, pages)?,
            Self::Shards(shards) => return shards.outer.page(id, pages, limits),
            Self::Keys(_) | Self::Listed(_) => return Err(Error::malformed("a table without pages")),
        };
        Limits::check("max_page_bytes", spec.decoded, limits.max_page_bytes)?;
        if let PagePlace::Wants(wants) = &spec.place {
            for want in wants {
                if let Want::Range(ByteSpan { length, .. }) | Want::Suffix { length, .. } = want {
                    Limits::check("max_page_bytes", *length, limits.max_page_bytes)?;
                }
            }
        }
        Ok(spec)
    }

    /// Parses the decoded parts of a page.
    ///
    /// # Errors
    /// `Malformed` where its length is not that of its chunks.
    pub fn parse_page(&self, id: PageId, parts: &[Bytes]) -> Result<Page> {
        match self {
            Self::Table(table) => table.parse_page(id, parts),
            Self::Shards(shards) if shards.level == id.level => shards.parse_page(parts),
            Self::Shards(shards) => shards.outer.parse_page(id, parts),
            Self::Keys(_) | Self::Listed(_) => Err(Error::malformed("a table without pages")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> ObjectKey {
        ObjectKey::new("memory://t")
    }

    #[test]
    fn a_stored_table_is_read_by_pages() {
        let stored = |start, width| Column::Stored { start, width, endian: Endian::Big };
        let table = ChunkTable { object: object(), rows: 10, offsets: stored(100, 4), lengths: stored(200, 2), page_rows: 4, reach: Reach::Lengths };
        let manifest = ChunkManifest::Table(table);
        let grid = ChunkGrid::regular(&[20], &[2]).unwrap();
        let mut pages: HashMap<PageId, Arc<Page>> = HashMap::new();
        let id = PageId { level: 0, number: 2 };
        assert_eq!(manifest.locate(&[9], &grid, &pages).unwrap(), Location::Unread(id));
        let spec = manifest.page(id, &pages, &Limits::default()).unwrap();
        let spans = [ByteSpan::new(&object(), 132, 8).unwrap(), ByteSpan::new(&object(), 216, 4).unwrap()];
        assert_eq!(spec.place, PagePlace::Wants(spans.map(Want::Range).to_vec()));
        let parts = [Bytes::from_static(&[0, 0, 1, 0, 0, 0, 2, 0]), Bytes::from_static(&[0, 7, 0, 0])];
        pages.insert(id, Arc::new(manifest.parse_page(id, &parts).unwrap()));
        let at = Location::At { span: ByteSpan::new(&object(), 256, 7).unwrap(), chain: 0 };
        assert_eq!(manifest.locate(&[8], &grid, &pages).unwrap(), at);
        assert_eq!(manifest.locate(&[9], &grid, &pages).unwrap(), Location::Absent);
        assert!(manifest.parse_page(id, &parts[..1]).is_err());
    }

    #[test]
    fn chunks_with_leaders_reach_to_the_next() {
        let stored = |start, width| Column::Stored { start, width, endian: Endian::Little };
        let table =
            ChunkTable { object: object(), rows: 10, offsets: stored(100, 4), lengths: stored(200, 2), page_rows: 4, reach: Reach::Leader(1) };
        let manifest = ChunkManifest::Table(table);
        let grid = ChunkGrid::regular(&[10], &[1]).unwrap();
        // Sparse ones between, one that was moved to the end, a gap too large, sparse ones behind, the very last.
        let offsets = [1000_u32, 0, 1100, 90_000_000, 1200, 1300, 70_000_000, 0, 0, 1400];
        let lengths = [7_u16, 0, 8, 9, 10, 11, 12, 0, 0, 13];
        let mut pages: HashMap<PageId, Arc<Page>> = HashMap::new();
        let read = |id: PageId, pages: &mut HashMap<PageId, Arc<Page>>| {
            let PagePlace::Wants(wants) = manifest.page(id, pages, &Limits::default()).unwrap().place else { panic!("no wants") };
            let [Want::Range(span)] = wants.as_slice() else { panic!("{wants:?}") };
            let rows = |start: u64, width: u64| {
                let first = usize::try_from((span.start - start) / width).unwrap();
                first..first + usize::try_from(span.length / width).unwrap()
            };
            let bytes: Vec<u8> = if id.level == 0 {
                offsets[rows(100, 4)].iter().flat_map(|n| n.to_le_bytes()).collect()
            } else {
                lengths[rows(200, 2)].iter().flat_map(|n| n.to_le_bytes()).collect()
            };
            pages.insert(id, Arc::new(manifest.parse_page(id, &[bytes.into()]).unwrap()));
        };
        let mut hops = 0;
        let mut found = Vec::new();
        for row in 0..10 {
            loop {
                match manifest.locate(&[row], &grid, &pages).unwrap() {
                    Location::Unread(id) => {
                        hops += 1;
                        read(id, &mut pages);
                    }
                    Location::Absent => break found.push(None),
                    Location::At { span, chain } => break found.push(Some((span.start, span.length, chain))),
                    other => panic!("{other:?}"),
                }
            }
        }
        let expected = [
            Some((996, 100, 1)),
            None,
            Some((1100, 8, 0)), // up to the moved one it would be too far
            Some((90_000_000, 9, 0)),
            Some((1196, 100, 1)),
            Some((1300, 11, 0)),
            Some((70_000_000, 12, 0)),
            None,
            None,
            Some((1400, 13, 0)),
        ];
        assert_eq!((found.as_slice(), hops), (&expected[..], 6));
    }

    #[test]
    fn a_shard_is_located_through_its_index() {
        let keys = KeyNames { objects: ObjectMap::Prefix(object()), prefix: "c/".into(), separator: '/', scalar: "c".into(), missing: Missing::Fill };
        let shards = Shards {
            outer: ChunkManifest::Keys(keys),
            outer_grid: ChunkGrid::regular(&[8, 8], &[4, 4]).unwrap(),
            inner_counts: vec![2, 2],
            index_axes: vec![1, 0],
            index_chain: vec![CodecSpec::ByteOrder(Endian::Little)],
            index_length: 64,
            index_at_start: false,
            tail: 4,
            level: 0,
        };
        let manifest = ChunkManifest::Shards(Box::new(shards));
        let grid = ChunkGrid::regular(&[8, 8], &[2, 2]).unwrap();
        let mut pages: HashMap<PageId, Arc<Page>> = HashMap::new();
        let id = PageId { level: 0, number: 3 };
        assert_eq!(manifest.locate(&[2, 3], &grid, &pages).unwrap(), Location::Unread(id));
        let spec = manifest.page(id, &pages, &Limits::default()).unwrap();
        let key = ObjectKey::new("memory://t/c/1/1");
        assert_eq!(spec.place, PagePlace::Wants(vec![Want::Suffix { object: key.clone(), length: 68 }]));
        let numbers = [0_u64, 5, u64::MAX, u64::MAX, 5, 6, 11, 7];
        let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_ne_bytes()).collect();
        pages.insert(id, Arc::new(manifest.parse_page(id, &[bytes.into()]).unwrap()));
        // Within the shard this is (0, 1); the index counts the second axis first, so it is row 2.
        let at = Location::At { span: ByteSpan::new(&key, 5, 6).unwrap(), chain: 0 };
        assert_eq!(manifest.locate(&[2, 3], &grid, &pages).unwrap(), at);
        assert_eq!(manifest.locate(&[3, 2], &grid, &pages).unwrap(), Location::Absent);
        pages.insert(id, Arc::new(Page::Absent));
        assert_eq!(manifest.locate(&[2, 3], &grid, &pages).unwrap(), Location::Absent);
    }
}
