//! One array, written both ways.

use std::sync::Arc;

use object_store::memory::InMemory;
use swath::model::{ChunkGrid, DataType, Region};
use swath::{ChunkedArray, Result, Session};

use super::source::{Fill, Source, scramble};
use super::store::put;
use super::{tiff, zarr};

/// Types that both formats hold.
pub(crate) const TYPES: [DataType; 13] = [
    DataType::U8,
    DataType::I8,
    DataType::U16,
    DataType::I16,
    DataType::U32,
    DataType::I32,
    DataType::U64,
    DataType::I64,
    DataType::F16,
    DataType::F32,
    DataType::F64,
    DataType::ComplexF32,
    DataType::ComplexF64,
];

/// An array, and how it is stored in each of the formats.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) data_type: DataType,
    /// band, y, x
    pub(crate) shape: [u64; 3],
    /// Of all bands or of one.
    pub(crate) chunk: [u64; 3],
    /// Whether some chunks are not stored, and then hold the fill value.
    pub(crate) holes: bool,
    pub(crate) fill: Fill,
    pub(crate) layout: tiff::Layout,
    pub(crate) form: zarr::Form,
    pub(crate) seed: u64,
}

/// The format that a subject is stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Tiff,
    Zarr,
}

pub(crate) const FORMATS: [Format; 2] = [Format::Tiff, Format::Zarr];

/// A case that was written.
pub(crate) struct Pair {
    pub(crate) name: String,
    pub(crate) case: Case,
    pub(crate) source: Source,
    /// Chunks that are not stored.
    pub(crate) absent: usize,
}

impl Case {
    pub(crate) fn missing(&self, index: &[u64]) -> bool {
        let place = index.iter().fold(self.seed, |at, i| at.wrapping_mul(1_000_003).wrapping_add(*i));
        self.holes && scramble(place).is_multiple_of(3)
    }

    /// Writes it into a store, under a name of its own.
    pub(crate) fn write(self, store: &InMemory, name: &str) -> Pair {
        let mut source = Source::new(self.data_type.clone(), &self.shape, self.seed);
        let grid = ChunkGrid::regular(&self.shape, &self.chunk).expect("a grid");
        let element = self.fill.element(&self.data_type);
        let mut absent = 0;
        Source::for_each(&Region::all(grid.counts()), |index| {
            if self.missing(index) {
                source.fill(&grid.chunk_region(index), &element);
                absent += 1;
            }
        });
        put(store, &format!("{name}.tif"), tiff::write(&source, &self.chunk, &self.layout, &|index| self.missing(index)));
        for (object, bytes) in zarr::write(&source, &self.chunk, &self.form, self.fill, &|index| self.missing(index)) {
            put(store, &format!("{name}.zarr/{object}"), bytes);
        }
        Pair { name: name.to_owned(), case: self, source, absent }
    }
}

impl Pair {
    pub(crate) fn url(&self, prefix: &str, format: Format) -> String {
        let ending = if format == Format::Tiff { "tif" } else { "zarr" };
        format!("{prefix}{}.{ending}", self.name)
    }

    /// Opens it in one of the formats, by the call for that format.
    pub(crate) fn open(&self, session: &Session, prefix: &str, format: Format) -> Result<ChunkedArray> {
        let url = self.url(prefix, format);
        match format {
            Format::Tiff => session.block_on(async { session.open_cog(&url).await?.level(0) }),
            Format::Zarr => session.block_on(async { session.open_zarr(&url).await?.array("").await }),
        }
    }
}

/// The kinds of TIFF for a type: byte order, offsets, compression, predictor.
pub(crate) fn layouts(data_type: &DataType) -> Vec<tiff::Layout> {
    use tiff::Compression as C;
    let mut all = Vec::new();
    for (big_endian, big_tiff) in [(false, false), (true, false), (false, true), (true, true)] {
        for compression in [C::None, C::Deflate, C::Lzw, C::PackBits, C::Zstd] {
            for predictor in [1, 2, 3] {
                // Writers use predictors with what gains by them.
                let useful = predictor == 1 || matches!(compression, C::Deflate | C::Lzw | C::Zstd);
                if useful && tiff::predicts(predictor, data_type) {
                    all.push(tiff::Layout { big_endian, big_tiff, compression, predictor, ..tiff::Layout::default() });
                }
            }
        }
    }
    all
}

/// The kinds of Zarr for an array of three axes.
pub(crate) fn forms() -> Vec<zarr::Form> {
    use zarr::Compression as C;
    let mut all = Vec::new();
    for big_endian in [false, true] {
        for compression in [C::None, C::Deflate, C::Zstd, C::Lz4] {
            for order in [[0, 1, 2], [2, 1, 0]] {
                all.push(zarr::Form { order: order.into(), big_endian, compression, ..zarr::Form::new(2, 3) });
            }
        }
        for compression in [C::None, C::Deflate, C::Zstd] {
            for (i, order) in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]].into_iter().enumerate() {
                for shards in [None, Some((vec![1, 2, 2], false)), Some((vec![2, 3, 1], true))] {
                    all.push(zarr::Form { order: order.into(), big_endian, compression, checksum: i % 2 == 1, shards, ..zarr::Form::new(3, 3) });
                }
            }
        }
    }
    all
}

/// A store in memory and a session that reads it.
pub(crate) fn session(options: swath::SessionOptions) -> (Arc<InMemory>, Session) {
    let store = Arc::new(InMemory::new());
    let session = Session::builder(options).with_store("mem://t/", store.clone()).build().expect("a session");
    (store, session)
}

pub(crate) const PREFIX: &str = "mem://t/";
