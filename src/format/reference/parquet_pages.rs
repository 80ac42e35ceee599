//! What the pages of a column of a Parquet file say of their size, looked through before the file's reader allocates by it.
//!
//! Page headers are structs in Thrift's compact protocol (parquet-format, `PageHeader`).

use parquet::file::metadata::ColumnChunkMetaData;

use crate::error::{Error, Result};
use crate::model::Limits;

/// The members of a page header that matter here, as (member, member of it).
const UNCOMPRESSED: (i64, i64) = (2, 0);
const COMPRESSED: (i64, i64) = (3, 0);
const DATA_ENCODING: (i64, i64) = (5, 2);
const DICTIONARY_VALUES: (i64, i64) = (7, 1);
const DICTIONARY_ENCODING: (i64, i64) = (7, 2);
const DATA_V2_ENCODING: (i64, i64) = (8, 4);

/// Checks all pages of a column: `most` bytes of them together when unpacked, and the encodings whose values are no larger than their bytes.
pub(super) fn check_pages(file: &[u8], column: &ColumnChunkMetaData, most: u64) -> Result<()> {
    let bad = || Error::malformed("a column that lies outside of its parquet file");
    let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
    let start = usize::try_from(start).map_err(|_| bad())?;
    let length = usize::try_from(column.compressed_size()).map_err(|_| bad())?;
    let mut rest = start.checked_add(length).and_then(|end| file.get(start..end)).ok_or_else(bad)?;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let page = Page::parse(rest).ok_or_else(|| Error::malformed("a parquet page without a header"))?;
        total = total.saturating_add(page.uncompressed);
        Limits::check("max_page_bytes", total, most)?;
        // A value takes at least 4 bytes, the length of a text.
        if page.dictionary_values.saturating_mul(4) > page.uncompressed {
            return Err(Error::malformed("a parquet dictionary of more values than its bytes"));
        }
        if let Some(encoding) = page.encoding.filter(|e| !matches!(e, 0 | 2 | 8)) {
            return Err(Error::unsupported(format!("references in Parquet of encoding {encoding}")));
        }
        rest = rest.get(page.stored..).ok_or_else(bad)?;
    }
    Ok(())
}

struct Page {
    /// Bytes with the header.
    stored: usize,
    uncompressed: u64,
    dictionary_values: u64,
    encoding: Option<i64>,
}

impl Page {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut compact = Compact { rest: bytes };
        let mut page = Self { stored: 0, uncompressed: 0, dictionary_values: 0, encoding: None };
        let mut compressed = 0;
        compact.members(0, &mut |member, value| {
            match member {
                UNCOMPRESSED => page.uncompressed = u64::try_from(value).ok()?,
                COMPRESSED => compressed = usize::try_from(value).ok()?,
                DICTIONARY_VALUES => page.dictionary_values = u64::try_from(value).ok()?,
                DATA_ENCODING | DICTIONARY_ENCODING | DATA_V2_ENCODING => page.encoding = Some(value),
                _ => {}
            }
            Some(())
        })?;
        page.stored = bytes.len().checked_sub(compact.rest.len())?.checked_add(compressed)?;
        Some(page)
    }
}

/// A reader of Thrift's compact protocol.
struct Compact<'a> {
    rest: &'a [u8],
}

/// Told of every integer: its place, and its value.
type Visit<'v> = dyn FnMut((i64, i64), i64) -> Option<()> + 'v;

impl Compact<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }
    fn skip(&mut self, count: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(count).ok()?..)?;
        Some(())
    }
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1).cast_signed() ^ (value & 1).cast_signed().wrapping_neg())
    }

    /// The members of a struct, which is member `outer` of another one; 0 for the outermost.
    fn members(&mut self, outer: i64, visit: &mut Visit<'_>) -> Option<()> {
        let mut id = 0_i64;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(());
            }
            id = if head >> 4 == 0 { self.zigzag()? } else { id.checked_add(i64::from(head >> 4))? };
            let place = if outer == 0 { (id, 0) } else { (outer, id) };
            match head & 15 {
                1 | 2 => {}
                4..=6 => {
                    let value = self.zigzag()?;
                    visit(place, value)?;
                }
                12 if outer == 0 => self.members(id, visit)?,
                kind => self.value(kind, 4)?,
            }
        }
    }

    /// Passes over a value of which nothing is wanted.
    fn value(&mut self, kind: u8, depth: u8) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            1..=3 => self.byte().map(drop),
            4..=6 => self.varint().map(drop),
            7 => self.skip(8),
            8 => {
                let length = self.varint()?;
                self.skip(length)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                (0..count).try_for_each(|_| self.value(head & 15, depth))
            }
            12 => loop {
                let head = self.byte()?;
                if head == 0 {
                    return Some(());
                }
                if head >> 4 == 0 {
                    self.zigzag()?;
                }
                if !matches!(head & 15, 1 | 2) {
                    self.value(head & 15, depth)?;
                }
            },
            _ => None,
        }
    }
}
