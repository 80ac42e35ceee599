//! One directory (IFD): its tags as plain fields.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

use super::tag::{self, Values};
use crate::error::Error;
use crate::model::Column;

/// Where a directory is: its place in the chain, then its place among the sub-directories of that one, and so on.
///
/// Written as `0` or `1.2`: the third sub-directory, in the order of its tag, of the second directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirectoryIndex(Vec<u32>);

impl DirectoryIndex {
    /// A directory of the chain.
    #[must_use]
    pub fn root(number: u32) -> Self {
        Self(vec![number])
    }
    /// One of its sub-directories.
    #[must_use]
    pub fn child(&self, number: u32) -> Self {
        let mut path = self.0.clone();
        path.push(number);
        Self(path)
    }
    /// 1 for a directory of the chain.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.0.len()
    }
    /// The directory that it is a sub-directory of.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, rest) = self.0.split_last()?;
        (!rest.is_empty()).then(|| Self(rest.to_vec()))
    }
    /// The numbers from the chain downwards.
    #[must_use]
    pub fn path(&self) -> &[u32] {
        &self.0
    }
    pub(super) fn next_in_chain(&self) -> Option<Self> {
        match self.0.as_slice() {
            [number] => number.checked_add(1).map(Self::root),
            _ => None,
        }
    }
}

impl fmt::Display for DirectoryIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, number) in self.0.iter().enumerate() {
            write!(f, "{}{number}", if i == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}

impl FromStr for DirectoryIndex {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let path: Result<Vec<u32>, _> = text.split('.').map(str::parse).collect();
        path.map(Self).map_err(|_| Error::usage(format!("{text:?} is no index of a directory: a number, or numbers with dots between")))
    }
}

/// A table of offsets or of byte counts.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its numbers, or where they are stored.
    pub column: Column,
    /// How many there are.
    pub count: u64,
}

/// How an image is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Strips over the whole width.
    Strips {
        /// Rows of a strip; the last has what is left.
        rows: u64,
    },
    /// Tiles, all of one size.
    Tiles {
        /// Columns of a tile.
        width: u64,
        /// Rows of a tile.
        height: u64,
        /// Planes of a tile: 1 but in volumes.
        depth: u64,
    },
}

/// The tags that say where pixels are, as stored (OGC GeoTIFF 1.1).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GeoTags {
    /// ModelPixelScale: size of a pixel along x, y and z.
    pub pixel_scale: Vec<f64>,
    /// ModelTiepoint: six numbers a point, (column, row, plane) and (x, y, z).
    pub tiepoints: Vec<f64>,
    /// ModelTransformation: a 4 x 4 matrix, row by row.
    pub transformation: Vec<f64>,
    /// GeoKeyDirectory.
    pub keys: Vec<u16>,
    /// GeoDoubleParams.
    pub doubles: Vec<f64>,
    /// GeoAsciiParams.
    pub ascii: String,
}

/// One directory: an image, an overview, a mask or a page. Defaults of TIFF 6.0 stand where a tag is absent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Directory {
    /// Where it is in the chain.
    pub index: DirectoryIndex,
    /// Its first byte in the file.
    pub offset: u64,
    /// NewSubfileType: bit 0 reduced resolution, bit 1 a page, bit 2 a mask.
    pub subfile_type: u32,
    /// Columns; 0 where the tag is missing.
    pub width: u64,
    /// Rows; 0 where the tag is missing.
    pub height: u64,
    /// Planes of a volume; 1 else.
    pub depth: u64,
    /// Samples of a pixel.
    pub samples: u16,
    /// Bits of the samples, as listed: one for each, or one for all.
    pub bits: Vec<u16>,
    /// SampleFormat as listed: 1 unsigned, 2 signed, 3 floating point, 4 untyped, 5 complex integer, 6 complex floating point.
    pub sample_formats: Vec<u16>,
    /// PhotometricInterpretation.
    pub photometric: Option<u16>,
    /// Compression.
    pub compression: u16,
    /// Predictor.
    pub predictor: u16,
    /// PlanarConfiguration: 1 the samples of a pixel together, 2 in planes.
    pub planar: u16,
    /// FillOrder: 2 where the bits of each byte are reversed.
    pub fill_order: u16,
    /// Orientation: 1 where row 0 is the top and column 0 the left.
    pub orientation: u16,
    /// How it is cut.
    pub layout: Layout,
    /// Where its chunks start.
    pub offsets: Option<Table>,
    /// How long its chunks are.
    pub lengths: Option<Table>,
    /// ExtraSamples: 0 unspecified, 1 associated alpha, 2 unassociated alpha.
    pub extra_samples: Vec<u16>,
    /// ColorMap: all reds, all greens, all blues.
    pub color_map: Vec<u16>,
    /// JPEGTables.
    pub jpeg_tables: Option<Bytes>,
    /// YCbCrSubSampling: horizontal, vertical.
    pub ycbcr_subsampling: (u16, u16),
    /// LercParameters: version, additional compression.
    pub lerc_parameters: Vec<u64>,
    /// PageNumber: the page, of how many (0 unknown).
    pub page: Option<(u16, u16)>,
    /// ImageDescription.
    pub description: Option<String>,
    /// DocumentName.
    pub document: Option<String>,
    /// PageName.
    pub page_name: Option<String>,
    /// Software.
    pub software: Option<String>,
    /// DateTime.
    pub date_time: Option<String>,
    /// GDAL_NODATA, as text.
    pub nodata: Option<String>,
    /// GDAL_METADATA, as XML.
    pub gdal_metadata: Option<String>,
    /// Where its pixels are.
    pub geo: GeoTags,
    /// What was left out, and why.
    pub notes: Vec<String>,
    strips: [Option<Table>; 2],
    tiles: [Option<Table>; 2],
}

impl Directory {
    pub(super) fn new(index: DirectoryIndex, offset: u64) -> Self {
        Self {
            index,
            offset,
            subfile_type: 0,
            width: 0,
            height: 0,
            depth: 1,
            samples: 1,
            bits: vec![1],
            sample_formats: vec![1],
            photometric: None,
            compression: 1,
            predictor: 1,
            planar: 1,
            fill_order: 1,
            orientation: 1,
            layout: Layout::Strips { rows: u64::MAX },
            offsets: None,
            lengths: None,
            extra_samples: Vec::new(),
            color_map: Vec::new(),
            jpeg_tables: None,
            ycbcr_subsampling: (2, 2),
            lerc_parameters: Vec::new(),
            page: None,
            description: None,
            document: None,
            page_name: None,
            software: None,
            date_time: None,
            nodata: None,
            gdal_metadata: None,
            geo: GeoTags::default(),
            notes: Vec::new(),
            strips: [None, None],
            tiles: [None, None],
        }
    }

    pub(super) fn set_table(&mut self, tag: u16, table: Table) {
        let [strip_offsets, strip_lengths] = &mut self.strips;
        let [tile_offsets, tile_lengths] = &mut self.tiles;
        match tag {
            tag::STRIP_OFFSETS => *strip_offsets = Some(table),
            tag::STRIP_BYTE_COUNTS => *strip_lengths = Some(table),
            tag::TILE_OFFSETS => *tile_offsets = Some(table),
            _ => *tile_lengths = Some(table),
        }
    }

    pub(super) fn fill(&mut self, tags: &BTreeMap<u16, Values>) {
        let number = |tag: u16| tags.get(&tag).and_then(Values::first);
        let short = |tag: u16| number(tag).map(|n| u16::try_from(n).unwrap_or(u16::MAX));
        let shorts = |tag: u16| tags.get(&tag).map(Values::shorts).unwrap_or_default();
        let pair = |tag: u16| match shorts(tag).as_slice() {
            [a, b, ..] => Some((*a, *b)),
            _ => None,
        };
        let floats = |tag: u16| tags.get(&tag).map(Values::floats).unwrap_or_default();
        let text = |tag: u16| tags.get(&tag).map(Values::text);
        let listed = |tag: u16, or: u16| Some(shorts(tag)).filter(|v| !v.is_empty()).unwrap_or_else(|| vec![or]);

        // The tag of TIFF 5: 1 full resolution, 2 reduced, 3 a page.
        let old_subfile = || number(tag::SUBFILE_TYPE).map(|n| [0, 0, 1, 2].get(usize::try_from(n).unwrap_or(0)).copied().unwrap_or(0));
        self.subfile_type = number(tag::NEW_SUBFILE_TYPE).and_then(|n| u32::try_from(n).ok()).or_else(old_subfile).unwrap_or(0);
        self.width = number(tag::IMAGE_WIDTH).unwrap_or(0);
        self.height = number(tag::IMAGE_LENGTH).unwrap_or(0);
        self.depth = number(tag::IMAGE_DEPTH).unwrap_or(1).max(1);
        self.samples = short(tag::SAMPLES_PER_PIXEL).unwrap_or(1);
        self.bits = listed(tag::BITS_PER_SAMPLE, 1);
        self.sample_formats = listed(tag::SAMPLE_FORMAT, 1);
        self.photometric = short(tag::PHOTOMETRIC);
        self.compression = short(tag::COMPRESSION).unwrap_or(1);
        self.predictor = short(tag::PREDICTOR).unwrap_or(1);
        self.planar = short(tag::PLANAR_CONFIGURATION).unwrap_or(1);
        self.fill_order = short(tag::FILL_ORDER).unwrap_or(1);
        self.orientation = short(tag::ORIENTATION).unwrap_or(1);
        self.extra_samples = shorts(tag::EXTRA_SAMPLES);
        self.color_map = shorts(tag::COLOR_MAP);
        self.jpeg_tables = tags.get(&tag::JPEG_TABLES).map(|v| v.bytes.clone());
        self.ycbcr_subsampling = pair(tag::YCBCR_SUBSAMPLING).unwrap_or((2, 2));
        self.lerc_parameters = tags.get(&tag::LERC_PARAMETERS).map(|v| v.unsigned().collect()).unwrap_or_default();
        self.page = pair(tag::PAGE_NUMBER);
        self.description = text(tag::IMAGE_DESCRIPTION);
        self.document = text(tag::DOCUMENT_NAME);
        self.page_name = text(tag::PAGE_NAME);
        self.software = text(tag::SOFTWARE);
        self.date_time = text(tag::DATE_TIME);
        self.nodata = text(tag::GDAL_NODATA);
        self.gdal_metadata = text(tag::GDAL_METADATA);
        self.geo = GeoTags {
            pixel_scale: floats(tag::MODEL_PIXEL_SCALE),
            tiepoints: floats(tag::MODEL_TIEPOINT),
            transformation: floats(tag::MODEL_TRANSFORMATION),
            keys: shorts(tag::GEO_KEY_DIRECTORY),
            doubles: floats(tag::GEO_DOUBLE_PARAMS),
            ascii: text(tag::GEO_ASCII_PARAMS).unwrap_or_default(),
        };

        let tiled = number(tag::TILE_WIDTH).is_some() || number(tag::TILE_LENGTH).is_some();
        self.layout = if tiled {
            Layout::Tiles {
                width: number(tag::TILE_WIDTH).unwrap_or(0),
                height: number(tag::TILE_LENGTH).unwrap_or(0),
                depth: number(tag::TILE_DEPTH).unwrap_or(1).max(1),
            }
        } else {
            // Without the tag, or with 0, there is one strip.
            let rows = number(tag::ROWS_PER_STRIP).filter(|rows| *rows > 0).unwrap_or(u64::MAX);
            Layout::Strips { rows: rows.min(self.height.max(1)) }
        };
        // libtiff takes the tables of strips for those of tiles and the other way round where only the wrong ones are there.
        let (strips, tiles) = (std::mem::take(&mut self.strips), std::mem::take(&mut self.tiles));
        let (mine, other) = if tiled { (tiles, strips) } else { (strips, tiles) };
        let [[offsets, lengths], [other_offsets, other_lengths]] = [mine, other];
        self.offsets = offsets.or(other_offsets);
        self.lengths = lengths.or(other_lengths);
    }

    /// Whether it is a mask of another image.
    #[must_use]
    pub fn is_mask(&self) -> bool {
        self.subfile_type & 4 != 0
    }
    /// Whether it is another image at a lower resolution.
    #[must_use]
    pub fn is_reduced(&self) -> bool {
        self.subfile_type & 1 != 0
    }
    /// Whether its samples are in planes of their own.
    #[must_use]
    pub fn is_separate(&self) -> bool {
        self.planar == 2 && self.samples > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_read_and_written() {
        for text in ["0", "1.2", "3.0.7"] {
            assert_eq!(text.parse::<DirectoryIndex>().unwrap().to_string(), text);
        }
        for bad in ["", "a", "1.", ".1", "-1", "1..2", "99999999999"] {
            assert!(bad.parse::<DirectoryIndex>().is_err(), "{bad}");
        }
        let index: DirectoryIndex = "1.2".parse().unwrap();
        assert_eq!(index.parent(), Some(DirectoryIndex::root(1)));
        assert!(DirectoryIndex::root(1) < index && index < DirectoryIndex::root(2));
    }
}
