//! From a directory to the model: the one mapping.
//!
//! An image is an array of band, y, x (a volume of band, z, y, x). Samples of a pixel that stand together make one chunk over all bands,
//! stored as y, x, band; samples in planes make a chunk a band. Either way the row of the table of chunks is the place of the chunk in C
//! order, as TIFF counts its planes one behind the other.

use std::sync::Arc;

use super::TiffFile;
use super::chain::{Samples, chain, columns, row_bytes};
use super::directory::{Directory, Layout};
use super::ghost::GhostArea;
use crate::error::{Error, Result};
use crate::geo::{GdalMetadata, Nodata};
use crate::model::{
    ArrayMeta, Axis, AxisOrder, ChunkGrid, ChunkManifest, ChunkTable, CodecSpec, Column, DataType, Dim, Edge, FillValue, Limits, RawJson, Reach,
    Scaling, reserve,
};

/// Rows of a page of a table that is not loaded, at most.
const PAGE_ROWS: u64 = 8192;

impl Directory {
    /// The directory as a chunked array. What was never written holds the nodata value where the type has it, else 0.
    ///
    /// # Errors
    /// `Unsupported` by name for compressions and kinds of samples that are not read, `Malformed` where tags contradict each other or
    /// are missing, `Limit` for chunks that are too large.
    pub fn array(&self, file: &TiffFile, limits: &Limits) -> Result<ArrayMeta> {
        let named = |e: Error| e.in_object(file.object.url());
        self.to_array(file, limits).map_err(named)
    }

    /// The type of a sample after decoding.
    ///
    /// # Errors
    /// `Unsupported` or `Malformed` where there is none.
    pub fn data_type(&self) -> Result<DataType> {
        Samples::of(self)?.data_type()
    }

    /// The nodata value of GDAL's tag.
    #[must_use]
    pub fn nodata_value(&self) -> Option<Nodata> {
        self.nodata.as_deref().and_then(Nodata::parse)
    }

    /// What GDAL's metadata and nodata tag say of the numbers: scale and offset of each band, and the value of "nothing here" where the
    /// type has it. What `over` says, metadata that stands beside the file, counts before them.
    #[must_use]
    pub fn scaling(&self, over: &GdalMetadata, data_type: &DataType) -> Scaling {
        let nodata = over.nodata(0).and_then(Nodata::parse).or_else(|| self.nodata_value());
        let nodata = nodata.and_then(|nodata| nodata.fill_value(data_type));
        Scaling { lines: self.metadata().under(over).lines(self.samples), nodata: nodata.into_iter().collect(), ..Scaling::default() }
    }

    fn to_array(&self, file: &TiffFile, limits: &Limits) -> Result<ArrayMeta> {
        if let Some(error) = &self.jpeg_error {
            return Err(error.clone());
        }
        let samples = Samples::of(self)?;
        let data_type = samples.data_type()?;
        let (grid, order) = self.grid()?;
        let chain = chain(self, file, samples, &data_type, columns(self))?;
        let table = self.chunk_table(file, &grid, samples, limits)?;
        let mut chains = vec![chain];
        if matches!(table.reach, Reach::Leader(_)) {
            chains.extend(chains.first().map(|usual| [&[CodecSpec::SizeLeader], usual.as_slice()].concat()));
        }
        let names: &[&str] = if grid.rank() == 4 { &["band", "z", "y", "x"] } else { &["band", "y", "x"] };
        let dims = names.iter().zip(grid.shape()).map(|(name, length)| Dim { name: (*name).to_owned(), length: *length }).collect();
        let fill_value = self.nodata_value().and_then(|nodata| nodata.fill_value(&data_type)).unwrap_or(FillValue::ZERO);
        let scaling = self.scaling(&GdalMetadata::default(), &data_type);
        let meta = ArrayMeta {
            source: file.object.clone(),
            dims,
            grid,
            data_type,
            fill_value,
            order,
            chains,
            manifest: ChunkManifest::Table(table),
            scaling,
            attributes: RawJson::default(),
        };
        meta.check(limits)?;
        Ok(meta)
    }

    fn grid(&self) -> Result<(ChunkGrid, AxisOrder)> {
        if self.width == 0 || self.height == 0 || self.samples == 0 {
            return Err(Error::malformed(format!("an image of {} x {} pixels of {} samples", self.width, self.height, self.samples)));
        }
        if !matches!(self.planar, 1 | 2) {
            return Err(Error::malformed(format!("planar configuration {}", self.planar)));
        }
        let bands = u64::from(self.samples);
        let band_chunk = (Axis::Regular(if self.is_separate() { 1 } else { bands }), Edge::Padded);
        let (z, y, x) = match self.layout {
            Layout::Tiles { width, height, depth } => {
                let padded = |n| (Axis::Regular(n), Edge::Padded);
                (padded(depth), padded(height), padded(width))
            }
            Layout::Strips { rows } => {
                (((Axis::Regular(1)), Edge::Clipped), (Axis::Regular(rows), Edge::Clipped), (Axis::Regular(self.width), Edge::Clipped))
            }
        };
        let volume = self.depth > 1 || !matches!(z.0, Axis::Regular(1));
        let grid = if volume {
            ChunkGrid::new(vec![bands, self.depth, self.height, self.width], vec![band_chunk, z, y, x])?
        } else {
            ChunkGrid::new(vec![bands, self.height, self.width], vec![band_chunk, y, x])?
        };
        let rank = grid.rank();
        let order = if self.is_separate() || bands == 1 { AxisOrder::c(rank) } else { AxisOrder::new((1..rank).chain([0]).collect())? };
        Ok((grid, order))
    }

    fn chunk_table(&self, file: &TiffFile, grid: &ChunkGrid, samples: Samples, limits: &Limits) -> Result<ChunkTable> {
        let offsets = self.offsets.as_ref().ok_or_else(|| Error::malformed("an image without a table of offsets"))?;
        let bytes = RawBytes { directory: self, samples, grid };
        let lengths = bytes.lengths(file, limits)?;
        // A table that ends early leaves chunks unwritten, one that is too long is read as far as there are chunks (so does libtiff).
        let count = match &lengths {
            Column::Loaded(numbers) => numbers.len() as u64,
            Column::Stored { .. } => self.lengths.as_ref().map_or(0, |table| table.count),
        };
        let leaders = file.structure.as_ref().is_some_and(GhostArea::leaders);
        let paged = matches!((&offsets.column, &lengths), (Column::Stored { .. }, Column::Stored { .. }));
        Ok(ChunkTable {
            object: file.object.clone(),
            rows: count.min(offsets.count).min(grid.chunk_count()),
            offsets: offsets.column.clone(),
            lengths,
            page_rows: (limits.table_page_bytes / 8).clamp(1, PAGE_ROWS),
            reach: match (paged, leaders) {
                (false, _) => Reach::Lengths,
                (true, true) => Reach::Leader(1),
                (true, false) => bytes.reach(),
            },
        })
    }
}

/// The lengths of chunks where they follow from the shape of the image, or must.
struct RawBytes<'a> {
    directory: &'a Directory,
    samples: Samples,
    grid: &'a ChunkGrid,
}

impl RawBytes<'_> {
    /// Bytes of an uncompressed chunk with this index along y: only the last strip differs.
    fn of_chunk(&self, y: u64) -> Option<u64> {
        let rank = self.grid.rank();
        let mut index = vec![0; rank];
        *index.get_mut(rank.checked_sub(2)?)? = y;
        let shape = self.grid.stored_shape(&index);
        let (columns, outer) = shape.split_last()?;
        // The bands of a pixel are part of its row.
        let rows = outer.get(1..)?.iter().try_fold(1_u64, |n, m| n.checked_mul(*m))?;
        row_bytes(self.directory, self.samples, *columns)?.checked_mul(rows)
    }

    /// What tells the ends of chunks without their lengths. LERC is not among these codecs: a blob may be one of several, so what stands
    /// behind it must be known. Compressed data larger than one and a half times the pixels is left to the table of lengths.
    fn reach(&self) -> Reach {
        let rows_of_chunks = self.grid.counts().iter().rev().nth(1).copied().unwrap_or(1);
        let (Some(first), last) = (self.of_chunk(0), self.of_chunk(rows_of_chunks.saturating_sub(1))) else { return Reach::Lengths };
        match self.directory.compression {
            1 if last == Some(first) => Reach::Exactly(first),
            5 | 7 | 8 | 32773 | 32946 | 34925 | 34926 | 50000 | 50001 => Reach::Next(first.saturating_add(first / 2).saturating_add(1 << 10)),
            _ => Reach::Lengths,
        }
    }

    /// The column of lengths, mended where libtiff mends it too:
    /// - the tag is missing, and the image is uncompressed or one chunk;
    /// - an only strip has a length of 0, or, uncompressed, one that is not that of its pixels;
    /// - the first two of more than two uncompressed strips differ, so that the tag cannot hold lengths.
    ///
    /// Uncompressed chunks then have the length that their shape gives them; a compressed one reaches to the end of the file.
    fn lengths(&self, file: &TiffFile, limits: &Limits) -> Result<Column> {
        let raw = self.directory.compression == 1;
        let chunks = self.grid.chunk_count();
        let strips = matches!(self.directory.layout, Layout::Strips { .. });
        let offsets = self.directory.offsets.as_ref().map(|table| &table.column);
        let offset = |place: usize| match offsets {
            Some(Column::Loaded(numbers)) => numbers.get(place).copied().unwrap_or(0),
            _ => 0,
        };
        let stored = self.directory.lengths.as_ref();
        let wrong = match stored.map(|table| &table.column) {
            None if raw || chunks == 1 => true,
            None => return Err(Error::malformed("a compressed image without a table of byte counts")),
            Some(Column::Stored { .. }) => false,
            Some(Column::Loaded(_)) if !strips => false,
            Some(Column::Loaded(numbers)) => match numbers.as_ref() {
                [only] if chunks == 1 && offset(0) != 0 => {
                    let room = file.size.map_or(u64::MAX, |size| size.saturating_sub(offset(0)));
                    *only == 0 || raw && (*only > room || self.of_chunk(0).is_none_or(|needed| *only < needed))
                }
                [first, second, _, ..] => raw && !self.directory.is_separate() && first != second && *first != 0 && *second != 0,
                _ => false,
            },
        };
        if wrong && !raw {
            let size = file.size.ok_or_else(|| Error::malformed("a compressed image without a byte count, in a file of unknown length"))?;
            return Ok(Column::Loaded(Arc::from([size.saturating_sub(offset(0))])));
        }
        let table = match stored.map(|table| &table.column) {
            Some(Column::Loaded(numbers)) => Some(numbers),
            Some(column @ Column::Stored { .. }) => return Ok(column.clone()),
            None => None,
        };
        if !raw {
            return Ok(table.map_or_else(|| Column::Loaded(Arc::from([])), |numbers| Column::Loaded(numbers.clone())));
        }
        // What an uncompressed chunk has beyond its pixels is padding; where only its end is wrong the offsets still count.
        let rows = match table {
            Some(numbers) if !wrong => numbers.len() as u64,
            _ => self.directory.offsets.as_ref().map_or(0, |table| table.count),
        };
        let rows = rows.min(chunks);
        let size = rows.saturating_mul(8);
        let room = Limits::check("max_metadata_bytes", size, limits.max_metadata_bytes)? / 8;
        let mut lengths = reserve(room)?;
        let (along_y, along_x) = match self.grid.counts() {
            [.., y, x] => ((*y).max(1), (*x).max(1)),
            _ => (1, 1),
        };
        let too_long = || Error::malformed("a chunk of more bytes than can be counted");
        let usual = self.of_chunk(0).ok_or_else(too_long)?;
        let last = self.of_chunk(along_y.saturating_sub(1)).ok_or_else(too_long)?;
        for place in 0..rows {
            let y = place.checked_div(along_x).and_then(|p| p.checked_rem(along_y)).unwrap_or(0);
            let needed = if y.saturating_add(1) == along_y { last } else { usual };
            let at = usize::try_from(place).unwrap_or(usize::MAX);
            let told = table.filter(|_| !wrong).and_then(|numbers| numbers.get(at).copied());
            let sparse = told.is_none() && matches!(offsets, Some(Column::Loaded(_))) && offset(at) == 0;
            lengths.push(if sparse { 0 } else { told.map_or(needed, |told| told.min(needed)) });
        }
        Ok(Column::Loaded(lengths.into()))
    }
}
