//! Tables of references, a row a chunk, that are too many to load.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::{Location, Missing, ObjectMap, Page, PageId, PagePlace, PageSpec, Pages, Reference};
use crate::error::{Error, Result};
use crate::model::{Limits, Want};

/// Objects that each say of a run of chunks where their bytes are. Each is a page, and read whole.
#[derive(Debug, Clone)]
pub struct ReferenceTables {
    /// What the tables' names are looked up in.
    pub objects: ObjectMap,
    /// What stands before a table's number in its name.
    pub prefix: String,
    /// What stands behind it.
    pub suffix: String,
    /// Rows of all tables together; a chunk's row is its place in C order.
    pub rows: u64,
    /// Rows of a table.
    pub page_rows: u64,
    /// What reads a table.
    pub reader: Arc<dyn ReadReferences>,
}

/// Reads a table of references: how it is stored is the business of a format.
pub trait ReadReferences: fmt::Debug + Send + Sync {
    /// What the first `rows` rows of a table refer to; `None` for a chunk that is absent.
    ///
    /// # Errors
    /// `Malformed`, also for a table with fewer rows; `Limit`; `Unsupported`; `Usage` for a reference that is not allowed.
    fn read(&self, table: &Bytes, rows: usize) -> Result<Vec<Option<Reference>>>;
}

/// Bytes in memory of a row, those of inline chunks aside.
pub(super) const ROW: u64 = size_of::<Option<Reference>>() as u64;

impl ReferenceTables {
    fn name(&self, number: u64) -> String {
        format!("{}{number}{}", self.prefix, self.suffix)
    }

    /// Rows that a table must have.
    fn rows_of(&self, number: u64) -> Result<u64> {
        let first = number.checked_mul(self.page_rows).filter(|first| *first < self.rows);
        first.map(|first| self.page_rows.min(self.rows - first)).ok_or_else(|| Error::malformed("no such table of references"))
    }

    pub(super) fn locate(&self, row: u64, pages: &dyn Pages) -> Result<Location> {
        let size = self.page_rows.max(1);
        let id = PageId { level: 0, number: row / size };
        let Some(page) = pages.get(id) else { return Ok(Location::Unread(id)) };
        let Page::References(rows) = &*page else { return Ok(Location::Absent) };
        let found = usize::try_from(row % size).ok().and_then(|i| rows.get(i));
        let found = found.ok_or_else(|| Error::malformed("the table of references ends early"))?;
        // What a row names was there: its absence is a loss.
        Ok(found.as_ref().map_or(Location::Absent, |reference| reference.location(Missing::Error)))
    }

    pub(super) fn page(&self, id: PageId, limits: &Limits) -> Result<PageSpec> {
        let decoded = self.rows_of(id.number)?.saturating_mul(ROW);
        let name = self.name(id.number);
        let place = match self.objects.resolve(&name) {
            None => PagePlace::Absent,
            Some(Reference::Inline(bytes)) => PagePlace::Inline(vec![bytes]),
            Some(Reference::Whole(object)) => PagePlace::Wants(vec![Want::Whole { object, most: limits.max_page_bytes }]),
            Some(Reference::Range(span)) => PagePlace::Wants(vec![Want::Range(span)]),
            Some(Reference::Deflated { .. }) => return Err(Error::unsupported("a table of references that is compressed as a whole by its archive")),
        };
        Ok(PageSpec { place, missing: Missing::Fill, trim_end: 0, chain: Vec::new(), decoded })
    }

    pub(super) fn parse_page(&self, id: PageId, parts: &[Bytes]) -> Result<Page> {
        let count = usize::try_from(self.rows_of(id.number)?).map_err(|_| Error::malformed("no such table of references"))?;
        let table = parts.first().ok_or_else(|| Error::malformed("a table of references without bytes"))?;
        let rows = self.reader.read(table, count).map_err(|e| e.in_object(&self.name(id.number)))?;
        if rows.len() != count {
            return Err(Error::malformed("the table of references ends early").in_object(&self.name(id.number)));
        }
        Ok(Page::References(rows))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::model::{ByteSpan, ChunkGrid, ChunkManifest, ObjectKey};

    /// A table whose every byte is a row: 0 for an absent chunk, else the start of a range of 4 bytes.
    #[derive(Debug)]
    struct Toy;

    impl ReadReferences for Toy {
        fn read(&self, table: &Bytes, rows: usize) -> Result<Vec<Option<Reference>>> {
            let row = |at: &u8| (*at > 0).then(|| Reference::Range(ByteSpan::new(&ObjectKey::new("memory://d"), u64::from(*at), 4).unwrap()));
            Ok(table.iter().take(rows).map(row).collect())
        }
    }

    #[test]
    fn chunks_are_found_through_the_table_of_their_run() {
        let manifest = ChunkManifest::References(ReferenceTables {
            objects: ObjectMap::Prefix(ObjectKey::new("memory://t")),
            prefix: "x/refs.".into(),
            suffix: ".tab".into(),
            rows: 6,
            page_rows: 4,
            reader: Arc::new(Toy),
        });
        let grid = ChunkGrid::regular(&[4, 3], &[2, 1]).unwrap();
        let mut pages: HashMap<PageId, Arc<Page>> = HashMap::new();
        let id = PageId { level: 0, number: 1 };
        assert_eq!(manifest.locate(&[1, 2], &grid, &pages).unwrap(), Location::Unread(id));
        let limits = Limits::default();
        let wants = vec![Want::Whole { object: ObjectKey::new("memory://t/x/refs.1.tab"), most: limits.max_page_bytes }];
        assert_eq!(manifest.page(id, &pages, &limits).unwrap().place, PagePlace::Wants(wants));
        // Rows behind the last chunk count for nothing.
        pages.insert(id, Arc::new(manifest.parse_page(id, &[Bytes::from_static(&[0, 9, 9, 9])]).unwrap()));
        let at = Location::At { span: ByteSpan::new(&ObjectKey::new("memory://d"), 9, 4).unwrap(), chain: 0 };
        assert_eq!(manifest.locate(&[1, 2], &grid, &pages).unwrap(), at);
        assert_eq!(manifest.locate(&[1, 1], &grid, &pages).unwrap(), Location::Absent);
        pages.insert(PageId { level: 0, number: 0 }, Arc::new(Page::Absent));
        assert_eq!(manifest.locate(&[0, 0], &grid, &pages).unwrap(), Location::Absent);
        assert!(manifest.parse_page(id, &[Bytes::from_static(&[9])]).is_err());
        assert!(manifest.page(PageId { level: 0, number: 2 }, &pages, &limits).is_err());
    }
}
