//! Chunks inside of shards, each with an index of its own.

use std::sync::Arc;

use bytes::Bytes;

use super::{ChunkManifest, Found, Location, Missing, Page, PageId, PagePlace, PageSpec, Pages};
use crate::error::{Error, Result};
use crate::model::{ByteSpan, ChunkGrid, CodecSpec, ObjectKey, PerAxis, Want, collected};

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

/// A shard, for the chunks in it.
pub(crate) enum Shard {
    /// Nothing of it is stored.
    Absent,
    /// The page that knows is unread.
    Unread(PageId),
    /// Its index was read.
    Here(HereShard),
}

/// A shard whose index was read.
pub(crate) struct HereShard {
    index: Arc<Page>,
    place: ShardPlace,
}

enum ShardPlace {
    Inline(Bytes),
    /// From `start` on, with `length` bytes for inner chunks, where that is known.
    In {
        object: ObjectKey,
        start: u64,
        length: Option<u64>,
    },
}

impl HereShard {
    /// The object that inner chunks are read of: the shard whose index was read, or none at all.
    pub(crate) fn object(&self) -> Option<&ObjectKey> {
        match &self.place {
            ShardPlace::Inline(_) => None,
            ShardPlace::In { object, .. } => Some(object),
        }
    }

    /// Where an inner chunk is, by its place in the index.
    pub(crate) fn find(&self, within: u64) -> Result<Found> {
        let Some(spans) = self.index.spans() else { return Ok(Found::Absent) };
        let found = usize::try_from(within).ok().and_then(|i| spans.get(i)).copied();
        let (offset, length) = found.ok_or_else(|| Error::malformed("the index of a shard ends early"))?;
        if offset == u64::MAX && length == u64::MAX {
            return Ok(Found::Absent);
        }
        let past = || Error::malformed("an inner chunk reaches past its shard");
        match &self.place {
            ShardPlace::In { start, length: all, .. } => {
                let end = offset.checked_add(length).filter(|end| all.is_none_or(|all| *end <= all)).ok_or_else(past)?;
                start.checked_add(end).ok_or_else(past)?;
                Ok(Found::At { start: start + offset, length, chain: 0 })
            }
            ShardPlace::Inline(bytes) => {
                let end = offset.checked_add(length).and_then(|e| usize::try_from(e).ok()).filter(|e| *e <= bytes.len()).ok_or_else(past)?;
                let start = usize::try_from(offset).map_err(|_| past())?;
                Ok(Found::Inline(bytes.slice(start..end)))
            }
        }
    }
}

impl Shards {
    /// The index of a chunk's shard, that one's place in C order, and the chunk's place in its index.
    pub(crate) fn split(&self, index: &[u64]) -> (PerAxis<u64>, u64, u64) {
        let outer: PerAxis<u64> = index.iter().zip(&self.inner_counts).map(|(i, n)| i / (*n).max(1)).collect();
        let place = |at: u64, axis: &usize| {
            let n = self.inner_counts.get(*axis).copied().unwrap_or(1).max(1);
            at.wrapping_mul(n).wrapping_add(index.get(*axis).map_or(0, |i| i % n))
        };
        let number = self.outer_grid.linear(&outer);
        (outer, number, self.index_axes.iter().fold(0, place))
    }

    /// Inner chunks of a shard.
    #[must_use]
    pub fn inner_count(&self) -> u64 {
        self.inner_counts.iter().fold(1, |n: u64, m| n.saturating_mul(*m))
    }

    /// A shard, by its index and its place in C order.
    pub(crate) fn shard(&self, outer: &[u64], number: u64, pages: &dyn Pages) -> Result<Shard> {
        let id = PageId { level: self.level, number };
        let Some(index) = pages.get(id) else {
            // The shard itself may lie behind an unread page, or be absent.
            return Ok(match self.outer.locate(outer, &self.outer_grid, pages)? {
                Location::Absent => Shard::Absent,
                Location::Unread(first) => Shard::Unread(first),
                _ => Shard::Unread(id),
            });
        };
        if index.spans().is_none() {
            return Ok(Shard::Absent);
        }
        let place = match self.outer.locate(outer, &self.outer_grid, pages)? {
            Location::Whole { key, .. } => {
                let object = key.with_version(index.version().cloned());
                ShardPlace::In { object, start: 0, length: None }
            }
            Location::At { span, chain: 0 } => {
                let of_page = || span.object.with_version(index.version().cloned());
                let object = if span.object.version().is_some() { span.object.clone() } else { of_page() };
                ShardPlace::In { object, start: span.start, length: Some(span.length.saturating_sub(self.tail)) }
            }
            Location::Inline(bytes) => ShardPlace::Inline(bytes),
            Location::Absent => return Ok(Shard::Absent),
            Location::Unread(first) => return Ok(Shard::Unread(first)),
            Location::At { .. } => return Err(Error::unsupported("a shard that is compressed as a whole by its archive")),
        };
        Ok(Shard::Here(HereShard { index, place }))
    }

    pub(super) fn locate(&self, index: &[u64], pages: &dyn Pages) -> Result<Location> {
        let (outer, number, within) = self.split(index);
        let here = match self.shard(&outer, number, pages)? {
            Shard::Absent => return Ok(Location::Absent),
            Shard::Unread(page) => return Ok(Location::Unread(page)),
            Shard::Here(here) => here,
        };
        Ok(match (here.find(within)?, here.object()) {
            (Found::At { start, length, chain }, Some(object)) => Location::At { span: ByteSpan { object: object.clone(), start, length }, chain },
            (Found::Inline(bytes), _) => Location::Inline(bytes),
            _ => Location::Absent,
        })
    }

    pub(super) fn page(&self, number: u64, pages: &dyn Pages) -> Result<PageSpec> {
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

    pub(super) fn parse_page(&self, parts: &[Bytes]) -> Result<Page> {
        let numbers = parts.first().map_or(&[][..], |b| b);
        let number = |b: &[u8]| b.try_into().map(u64::from_ne_bytes).unwrap_or(u64::MAX);
        let spans = collected(numbers.chunks_exact(16).map(|row| (number(&row[..8]), number(&row[8..]))))?;
        if spans.len() as u64 != self.inner_count() {
            return Err(Error::malformed("the index of a shard has another length than its inner chunks"));
        }
        Ok(Page::Spans(spans))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use super::*;
    use crate::model::{Endian, KeyNames, Limits, ObjectKey, ObjectMap};

    fn object() -> ObjectKey {
        ObjectKey::new("memory://t")
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
