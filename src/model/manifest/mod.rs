//! Where the chunks are.
//!
//! [`ChunkManifest::locate`] is a pure function of a chunk's index and of the pages read so far. Where a page of its table is still
//! unread it says so; the caller fetches what [`ChunkManifest::page`] names, has it parsed, and asks again. Tables of tiles that are too
//! large to load, the indexes of shards and tables of references are all pages.

mod keys;
mod references;
mod shards;
mod table;

pub use keys::{KeyNames, ObjectMap, Reference};
pub use references::{ReadReferences, ReferenceTables};
pub use shards::Shards;
#[cfg(feature = "read")]
pub(crate) use shards::{HereShard, Shard};
pub use table::{ChunkTable, Column};

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{ByteSpan, ChunkGrid, CodecSpec, Consistency, Limits, ObjectKey, Want};
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

/// Where a chunk is in an object that is known already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing is stored.
    Absent,
    /// A range of the object.
    At { start: u64, length: u64, chain: u16 },
    /// The bytes themselves.
    Inline(Bytes),
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
    /// Bytes of each part after its chain, where there is one; else of what is parsed of it, where that may be more than is stored.
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
    /// What each chunk refers to; `None` for one that is absent.
    References(Vec<Option<Reference>>),
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
    /// Offset and length of each chunk; `None` where all are absent, or in other objects.
    #[must_use]
    pub fn spans(&self) -> Option<&[(u64, u64)]> {
        match self {
            Self::Absent | Self::References(_) => None,
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
            Self::References(rows) => {
                let inline = |row: &Option<Reference>| match row {
                    Some(Reference::Inline(bytes)) => bytes.len(),
                    _ => 0,
                };
                16 + size_of_val(rows.as_slice()) + rows.iter().map(inline).sum::<usize>()
            }
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
    /// Tables of references to other objects, read by pages.
    References(ReferenceTables),
    /// Every chunk listed, by its place in C order; those that are not are absent.
    Listed(Arc<HashMap<u64, Location>>),
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
            Self::References(tables) => tables.locate(grid.linear(index), pages),
            Self::Listed(map) => Ok(map.get(&grid.linear(index)).cloned().unwrap_or(Location::Absent)),
        }
    }

    /// What stands against mixing generations of the objects that hold the chunks, across all chunks. A chunk by itself is always of one
    /// generation, and so are the chunks of one shard.
    #[must_use]
    pub fn consistency(&self) -> Consistency {
        let of = |key: &ObjectKey| Consistency::of(key.version().map(|v| &**v));
        let least = |a: Consistency, b: Consistency| a.and(b);
        match self {
            Self::Table(table) => of(&table.object),
            Self::Keys(keys) => match &keys.objects {
                ObjectMap::Prefix(_) => Consistency::None,
                ObjectMap::References(map) => {
                    let objects = map.values().filter_map(Reference::object);
                    objects.map(of).fold(Consistency::Strong, least)
                }
            },
            Self::Shards(shards) => shards.outer.consistency(),
            Self::References(_) => Consistency::None,
            Self::Listed(map) => {
                let location = |location: &Location| match location {
                    Location::At { span, .. } => of(&span.object),
                    Location::Whole { key, .. } => of(key),
                    Location::Absent | Location::Inline(_) => Consistency::Strong,
                    Location::Unread(_) => Consistency::None,
                };
                map.values().map(location).fold(Consistency::Strong, least)
            }
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
            Self::References(tables) => tables.page(id, limits)?,
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
            Self::References(tables) => tables.parse_page(id, parts),
            Self::Keys(_) | Self::Listed(_) => Err(Error::malformed("a table without pages")),
        }
    }
}
