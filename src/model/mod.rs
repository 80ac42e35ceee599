//! Plain data: what a chunked array is. No I/O, no threads.
//!
//! [`ArrayMeta`] describes a COG level and a Zarr array alike; whoever can fill one in gets the whole engine.

mod axes;
mod codec;
mod compression;
mod dtype;
mod grid;
pub(crate) mod jpeg;
mod limits;
mod manifest;
mod meta;
mod object;
mod order;
mod reach;
mod region;
mod scaling;
mod sidecars;
mod step;
mod version;

pub(crate) use axes::PerAxis;
pub use codec::{BloscShuffle, CodecSpec, Endian, FaxCoding, JpegColor, LogLuvCoding, LzwBits};
pub use compression::{BloscCompressor, Compression};
pub use dtype::{DataType, Field, FillValue, TimeUnit};
pub use grid::{Axis, ChunkGrid, Edge};
#[cfg(feature = "read")]
pub(crate) use limits::grow_exactly;
#[cfg(feature = "__inject")]
#[doc(hidden)]
pub use limits::inject;
pub use limits::{Footprint, Limits, reserve};
pub(crate) use limits::{KEPT_BY_THREAD, collected, grow, lengthened, zeroed};
pub use manifest::{
    ChunkManifest, ChunkTable, Column, KeyNames, Location, Missing, ObjectMap, Page, PageId, PagePlace, PageSpec, Pages, ReadReferences, Reference,
    ReferenceTables, Shards,
};
#[cfg(feature = "read")]
pub(crate) use manifest::{Found, HereShard, Shard};
pub use meta::{ArrayMeta, Dim, RawJson};
pub use object::{ByteSpan, ObjectKey, Secret, without_secrets};
pub use order::AxisOrder;
pub use reach::Reach;
pub use region::{DimSelection, IntoSelection, Region, Selection};
pub use scaling::{Linear, Scaling};
pub use sidecars::Sidecars;
pub use step::{Got, Parser, Step, Want};
pub use version::{Consistency, if_match, version};
