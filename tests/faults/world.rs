//! One array of 64 x 64 in chunks of 16 x 16, served as every reader finds it.

use std::sync::Arc;
use std::time::Duration;

use ndarray::Ix3;
use swath::model::{DataType, Region};
use swath::{ChunkedArray, ErrorKind, Result, Session, SessionOptions, StaticToken};

use crate::common::source::native;
use crate::common::{Fill, Source, tiff, zarr};
use crate::support::server::Server;

pub(crate) const SIZE: u64 = 64;
pub(crate) const CHUNK: u64 = 16;

/// How the array is stored, and what of it is known before a fault begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A COG, its header read.
    Cog,
    /// Sharded Zarr, the shard's index read.
    Shard,
    /// Sharded Zarr, of which only the metadata were read.
    ColdShard,
    /// Zarr of one object a chunk.
    Plain,
}

pub(crate) const READERS: [Reader; 4] = [Reader::Cog, Reader::Shard, Reader::ColdShard, Reader::Plain];

/// What a chunk is packed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packed {
    /// As it is: a wrong byte that passes the network layer reaches the caller.
    Raw,
    /// With a checksum over it.
    Summed,
}

pub(crate) fn source(seed: u64) -> Source {
    Source::new(DataType::U16, &[1, SIZE, SIZE], seed)
}

/// Chunk (1, 1).
pub(crate) fn window() -> Region {
    region(CHUNK, CHUNK, CHUNK)
}

/// A square.
pub(crate) fn region(y: u64, x: u64, size: u64) -> Region {
    Region::new(vec![0..1, y..y + size, x..x + size])
}

impl Reader {
    /// The objects, by their paths.
    pub(crate) fn objects(self, source: &Source, packed: Packed) -> Vec<(String, Vec<u8>)> {
        let none = |_: &[u64]| false;
        let chunk = [1, CHUNK, CHUNK];
        if self == Self::Cog {
            let compression = if packed == Packed::Raw { tiff::Compression::None } else { tiff::Compression::Deflate };
            let layout = tiff::Layout { compression, ..tiff::Layout::default() };
            return vec![("/image.tif".to_owned(), tiff::write(source, &chunk, &layout, &none))];
        }
        let shards = (self != Self::Plain).then(|| (vec![1, SIZE / CHUNK, SIZE / CHUNK], false));
        let form = zarr::Form { shards, checksum: packed == Packed::Summed, ..zarr::Form::new(3, 3) };
        let objects = zarr::write(source, &chunk, &form, Fill::Seven, &none);
        objects.into_iter().map(|(name, bytes)| (format!("{}/{name}", self.root()), bytes)).collect()
    }

    pub(crate) fn root(self) -> &'static str {
        match self {
            Self::Cog => "/image.tif",
            Self::Shard | Self::ColdShard => "/sharded.zarr",
            Self::Plain => "/plain.zarr",
        }
    }

    /// The object that holds chunk (1, 1).
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::Cog => "/image.tif",
            Self::Shard | Self::ColdShard => "/sharded.zarr/c/0/0/0",
            Self::Plain => "/plain.zarr/c/0/1/1",
        }
    }

    /// Puts all objects in place.
    pub(crate) fn serve(self, server: &Server, source: &Source, packed: Packed) {
        self.objects(source, packed).into_iter().for_each(|(path, bytes)| server.put(&path, bytes));
    }

    pub(crate) async fn open(self, session: &Session, server: &Server) -> Result<ChunkedArray> {
        self.open_at(session, &server.url(self.root())).await
    }

    pub(crate) async fn open_at(self, session: &Session, url: &str) -> Result<ChunkedArray> {
        let array = match self {
            Self::Cog => session.open_cog(url).await?.level(0)?,
            _ => session.open_zarr(url).await?.array("").await?,
        };
        if self == Self::Shard {
            array.read::<u16, Ix3>(region(0, 0, CHUNK)).await?; // and with it the index
        }
        Ok(array)
    }
}

/// A session of no caches but that of chunk tables, which waits for nothing.
pub(crate) fn session(change: impl FnOnce(&mut SessionOptions)) -> Session {
    signing_session(StaticToken::new(), change)
}

/// As [`session`], with signatures.
pub(crate) fn signing_session(signer: StaticToken, change: impl FnOnce(&mut SessionOptions)) -> Session {
    let mut options = SessionOptions::default();
    (options.threads, options.cache_stored, options.cache_decoded) = (1, false, false);
    options.network.attempts = 3;
    options.network.backoff = Duration::from_millis(5);
    options.network.backoff_most = Duration::from_millis(50);
    change(&mut options);
    Session::builder(options).with_signer(Arc::new(signer)).build().unwrap()
}

/// Time-outs that are met by whoever answers at all.
pub(crate) fn hasty(options: &mut SessionOptions) {
    options.network.connect_timeout = Duration::from_millis(300);
    options.network.first_byte_timeout = Duration::from_millis(300);
    options.network.progress_timeout = Duration::from_millis(300);
}

/// The elements of a region.
pub(crate) fn truth(source: &Source, region: &Region) -> Vec<u16> {
    native(&source.region(region), &source.data_type)
}

pub(crate) async fn read(array: &ChunkedArray, region: &Region) -> Result<Vec<u16>> {
    Ok(array.read::<u16, Ix3>(region).await?.into_iter().collect())
}

/// The kinds of errors that a caller of these readers tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Storage,
    Denied,
    NotFound,
    RangeUnsupported,
    Encoded,
    Deadline,
    Changed,
    Checksum,
    Codec,
    Malformed,
    Limit,
    Other,
}

impl Kind {
    pub(crate) fn of(kind: &ErrorKind) -> Self {
        match kind {
            ErrorKind::Storage(_) => Self::Storage,
            ErrorKind::Denied(_) => Self::Denied,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::RangeUnsupported => Self::RangeUnsupported,
            ErrorKind::Encoded(_) => Self::Encoded,
            ErrorKind::Deadline { .. } => Self::Deadline,
            ErrorKind::ObjectChanged { .. } => Self::Changed,
            ErrorKind::Checksum { .. } => Self::Checksum,
            ErrorKind::Codec { .. } => Self::Codec,
            ErrorKind::Malformed(_) => Self::Malformed,
            ErrorKind::Limit { .. } => Self::Limit,
            _ => Self::Other,
        }
    }
}

/// Waits for a future on a runtime of the test's own; panics where it takes longer than anything here may.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let Ok(output) = tokio::time::timeout(Duration::from_secs(60), future).await else { panic!("it hangs") };
        output
    })
}
