//! Tables of references in Parquet, as kerchunk and fsspec write them: columns `path`, `offset`, `size` and `raw`, a row a chunk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;

use super::parquet_pages::check_pages;
use super::target::{Base, Targets, is_allowed};
use crate::error::{Error, Result};
use crate::model::{ByteSpan, Limits, ReadReferences, Reference, grow, reserve};

/// Reads the tables of one array.
#[derive(Debug)]
pub struct ParquetReferences {
    /// The folder of `.zmetadata`, with a slash at its end.
    root: String,
    /// The array's folder below it: paths are relative to that.
    folder: String,
    allowed: Arc<[String]>,
    limits: Limits,
}

impl ParquetReferences {
    /// Of the array `folder` below the hierarchy at `root`. References outside of the root's origin must be one of `allowed`, or below one.
    #[must_use]
    pub fn new(root: &str, folder: &str, allowed: Arc<[String]>, limits: &Limits) -> Self {
        Self { root: format!("{}/", root.trim_end_matches('/')), folder: folder.to_owned(), allowed, limits: limits.clone() }
    }
}

impl ReadReferences for ParquetReferences {
    fn read(&self, table: &Bytes, rows: usize) -> Result<Vec<Option<Reference>>> {
        Limits::check("max_references", rows as u64, self.limits.max_references)?;
        let columns = || Columns::read(table, rows, self.limits.max_page_bytes);
        // The crate is not made for hostile files alone.
        let columns = catch_unwind(AssertUnwindSafe(columns)).unwrap_or_else(|_| Err(Error::malformed("a parquet file that makes no sense")))?;
        let allow = |url: &str| is_allowed(&self.allowed, url);
        let mut targets = Targets::new(Base::below(&self.root, &self.folder), &allow, &self.limits);
        columns.references(&mut targets, self.limits.max_page_bytes)
    }
}

/// A column; empty where the file has none of this name: then all is null.
#[derive(Default)]
struct Columns {
    paths: Vec<Option<ByteArray>>,
    offsets: Vec<Option<i64>>,
    sizes: Vec<Option<i64>>,
    raw: Vec<Option<ByteArray>>,
}

impl Columns {
    /// The first rows of a file, which must have as many.
    fn read(table: &Bytes, rows: usize, most: u64) -> Result<Self> {
        let file = SerializedFileReader::new(table.clone()).map_err(failed)?;
        let mut columns = Self::default();
        let mut done = 0_usize;
        for number in 0..file.num_row_groups() {
            let group = file.get_row_group(number).map_err(failed)?;
            let left = rows.saturating_sub(done);
            let count = usize::try_from(group.metadata().num_rows()).map_err(|_| Error::malformed("a parquet file of a negative length"))?.min(left);
            if count == 0 {
                continue;
            }
            columns.group(table, &*group, count, most)?;
            done = done.saturating_add(count);
        }
        if done < rows {
            return Err(Error::malformed(format!("{done} rows, where the array has {rows} chunks")));
        }
        let whole = |length: usize| length == 0 || length == rows;
        let all = [columns.paths.len(), columns.offsets.len(), columns.sizes.len(), columns.raw.len()];
        if !all.iter().all(|length| whole(*length)) || (rows > 0 && columns.paths.is_empty() && columns.raw.is_empty()) {
            return Err(Error::malformed("neither a column path nor a column raw of all rows"));
        }
        Ok(columns)
    }

    fn group(&mut self, table: &[u8], group: &dyn RowGroupReader, count: usize, most: u64) -> Result<()> {
        for (number, column) in group.metadata().columns().iter().enumerate() {
            let name = column.column_path().string();
            if !matches!(name.as_str(), "path" | "offset" | "size" | "raw") {
                continue;
            }
            let descriptor = column.column_descr();
            if descriptor.max_rep_level() != 0 || descriptor.max_def_level() > 1 {
                return Err(Error::malformed(format!("column {name} is nested")));
            }
            let nullable = descriptor.max_def_level() == 1;
            check_pages(table, column, most)?;
            let reader = group.get_column_reader(number).map_err(failed)?;
            match (name.as_str(), reader) {
                ("path", ColumnReader::ByteArrayColumnReader(r)) => take(r, count, nullable, |v| v, &mut self.paths)?,
                ("raw", ColumnReader::ByteArrayColumnReader(r)) => take(r, count, nullable, |v| v, &mut self.raw)?,
                ("offset", ColumnReader::Int64ColumnReader(r)) => take(r, count, nullable, |v| v, &mut self.offsets)?,
                ("size", ColumnReader::Int64ColumnReader(r)) => take(r, count, nullable, |v| v, &mut self.sizes)?,
                ("offset", ColumnReader::Int32ColumnReader(r)) => take(r, count, nullable, i64::from, &mut self.offsets)?,
                ("size", ColumnReader::Int32ColumnReader(r)) => take(r, count, nullable, i64::from, &mut self.sizes)?,
                // pyarrow's type of a column that has nothing.
                ("path" | "raw", ColumnReader::Int32ColumnReader(r)) => {
                    let mut numbers = Vec::new();
                    take(r, count, nullable, |n| n, &mut numbers)?;
                    if numbers.iter().any(Option::is_some) {
                        return Err(Error::malformed(format!("column {name} of numbers")));
                    }
                    let column = if name == "raw" { &mut self.raw } else { &mut self.paths };
                    column.extend(numbers.iter().map(|_| None));
                }
                _ => return Err(Error::malformed(format!("column {name} of another type"))),
            }
        }
        Ok(())
    }

    fn references(&self, targets: &mut Targets<'_>, most: u64) -> Result<Vec<Option<Reference>>> {
        let rows = self.paths.len().max(self.raw.len());
        let mut all = reserve(rows)?;
        let mut inline = 0_u64;
        for row in 0..rows {
            let raw = self.raw.get(row).and_then(Option::as_ref);
            let path = self.paths.get(row).and_then(Option::as_ref);
            let number = |column: &[Option<i64>]| column.get(row).copied().flatten();
            all.push(match (raw, path) {
                (Some(raw), _) => {
                    inline = inline.saturating_add(raw.len() as u64);
                    Limits::check("max_page_bytes", inline, most)?;
                    Some(Reference::Inline(Bytes::copy_from_slice(raw.data())))
                }
                (None, Some(path)) => {
                    let bad = || Error::malformed(format!("row {row}: neither an object nor a range of one"));
                    let path = std::str::from_utf8(path.data()).map_err(|_| bad())?;
                    Limits::check("bytes of a URL", path.len() as u64, 1 << 16)?;
                    let object = targets.object(path, |path| Ok(path.into()))?;
                    Some(match (number(&self.offsets), number(&self.sizes)) {
                        (None, None) | (Some(0), Some(0)) => Reference::Whole(object),
                        (Some(offset), Some(size)) => {
                            let (Ok(offset), Ok(size)) = (u64::try_from(offset), u64::try_from(size)) else { return Err(bad()) };
                            Reference::Range(ByteSpan::new(&object, offset, size).ok_or_else(bad)?)
                        }
                        _ => return Err(bad()),
                    })
                }
                (None, None) => None,
            });
        }
        Ok(all)
    }
}

/// The next `count` values of a column, each converted.
fn take<T: DataType, V>(
    mut reader: ColumnReaderImpl<T>,
    count: usize,
    nullable: bool,
    convert: impl Fn(T::T) -> V,
    into: &mut Vec<Option<V>>,
) -> Result<()> {
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    let mut done = 0_usize;
    while done < count {
        let (records, _, _) = reader.read_records(count.saturating_sub(done), nullable.then_some(&mut levels), None, &mut values).map_err(failed)?;
        if records == 0 {
            return Err(Error::malformed("a parquet column that ends early"));
        }
        done = done.saturating_add(records);
    }
    let mut values = values.into_iter().map(convert);
    let short = || Error::malformed("a parquet column of fewer values than it says");
    grow(into, count)?;
    for row in 0..count {
        let present = !nullable || levels.get(row).is_some_and(|level| *level == 1);
        into.push(if present { Some(values.next().ok_or_else(short)?) } else { None });
    }
    Ok(())
}

fn failed(e: ParquetError) -> Error {
    match e {
        ParquetError::NYI(what) => Error::unsupported(format!("references in Parquet: {what}")),
        e => Error::malformed(e.to_string()),
    }
}
