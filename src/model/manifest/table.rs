//! A table of offsets and lengths, a row a chunk.

use std::sync::Arc;

use bytes::Bytes;

use super::{Found, Location, Missing, Page, PageId, PagePlace, PageSpec, Pages};
use crate::error::{Error, Result};
use crate::model::reach::{LEADER, Reach, UNKNOWN};
use crate::model::{ByteSpan, Endian, ObjectKey, Want, collected};

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

impl Column {
    fn span(&self, object: &ObjectKey, first: u64, count: u64) -> Result<Option<ByteSpan>> {
        let Self::Stored { start, width, .. } = self else { return Ok(None) };
        let width = u64::from(*width);
        let span = || ByteSpan::new(object, start.checked_add(first.checked_mul(width)?)?, count.checked_mul(width)?);
        span().map(Some).ok_or_else(|| Error::malformed("the table of chunks reaches past the end of the address space"))
    }
    fn parse(&self, bytes: &[u8]) -> Result<Vec<u64>> {
        let Self::Stored { width, endian, .. } = self else { return Ok(Vec::new()) };
        let number = |b: &[u8]| {
            let digits = |n: u64, b: &u8| n << 8 | u64::from(*b);
            match endian {
                Endian::Big => b.iter().fold(0, digits),
                Endian::Little => b.iter().rev().fold(0, digits),
            }
        };
        collected(bytes.chunks_exact(usize::from((*width).max(1))).map(number))
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

    fn at(start: u64, length: u64, chain: u16) -> Result<Found> {
        if length == 0 {
            return Ok(Found::Absent);
        }
        let end = start.checked_add(length);
        end.map(|_| Found::At { start, length, chain }).ok_or_else(|| Error::malformed("a chunk reaches past the end of the address space"))
    }

    /// What tells how far chunks reach, where the lengths are better left unread.
    fn reach(&self) -> Option<Reach> {
        Some(self.reach).filter(|reach| *reach != Reach::Lengths && !self.offsets.is_loaded() && !self.lengths.is_loaded())
    }

    pub(super) fn locate(&self, row: u64, pages: &dyn Pages) -> Result<Location> {
        Ok(match self.find(row, pages)? {
            Found::Absent => Location::Absent,
            Found::At { start, length, chain } => Location::At { span: ByteSpan { object: self.object.clone(), start, length }, chain },
            Found::Inline(bytes) => Location::Inline(bytes),
            Found::Unread(page) => Location::Unread(page),
        })
    }

    /// Where the chunk of a row is in the table's object.
    pub(crate) fn find(&self, row: u64, pages: &dyn Pages) -> Result<Found> {
        if row >= self.rows {
            return Ok(Found::Absent);
        }
        if let (Some(offset), Some(length)) = (self.offsets.loaded(row), self.lengths.loaded(row)) {
            return Self::at(offset, length, 0);
        }
        let (number, within) = self.page_of(row);
        let row_of = |id: PageId| -> Result<Option<(u64, u64)>> {
            let Some(page) = pages.get(id) else { return Ok(None) };
            let Some(spans) = page.spans() else { return Ok(Some((0, 0))) };
            let found = usize::try_from(within).ok().and_then(|i| spans.get(i)).copied();
            found.map(Some).ok_or_else(|| Error::malformed("the table of chunks ends early"))
        };
        let id = PageId { level: 0, number };
        let Some((offset, length)) = row_of(id)? else { return Ok(Found::Unread(id)) };
        match self.reach() {
            None => Self::at(offset, length, 0),
            Some(_) if length == UNKNOWN => {
                let id = PageId { level: 1, number };
                let Some((_, length)) = row_of(id)? else { return Ok(Found::Unread(id)) };
                Self::at(offset, length, 0)
            }
            Some(Reach::Leader(chain)) => Self::at(offset.saturating_sub(LEADER), length, chain),
            Some(_) => Self::at(offset, length, 0),
        }
    }

    pub(super) fn page(&self, id: PageId) -> Result<PageSpec> {
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

    pub(super) fn parse_page(&self, id: PageId, parts: &[Bytes]) -> Result<Page> {
        let first = id.number.saturating_mul(self.page_rows);
        let left = self.rows.saturating_sub(first);
        let count = self.page_rows.min(left);
        let mut parts = parts.iter();
        let mut column = |column: &Column, count: u64| -> Result<Vec<u64>> {
            let numbers: Vec<u64> = if column.is_loaded() {
                (first..first + count).filter_map(|row| column.loaded(row)).collect()
            } else {
                column.parse(parts.next().map_or(&[], |b| b))?
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
                Ok(Page::Spans(reach.spans(&offsets, behind.unwrap_or(0))?))
            }
            (Some(_), _) => Ok(Page::Spans(collected(column(&self.lengths, count)?.into_iter().map(|length| (0, length)))?)),
            (None, _) => {
                let offsets = column(&self.offsets, count)?;
                let lengths = column(&self.lengths, count)?;
                Ok(Page::Spans(collected(offsets.into_iter().zip(lengths))?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use super::*;
    use crate::model::{ChunkGrid, ChunkManifest, Limits};

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
}
