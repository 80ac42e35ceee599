//! Swath reads Cloud Optimized GeoTIFF and Zarr through one read path.
//!
//! A level of a COG and a Zarr array are the same thing, a chunked array: a grid of chunks, a data type, a chain of codecs, and a way from
//! a chunk's index to the bytes that hold it. [`model::ArrayMeta`] says all of it as a plain value, and one engine plans, fetches, decodes
//! and places any such value.
//!
//! ```
//! # #[cfg(all(feature = "read", feature = "deflate"))]
//! # fn main() -> swath::Result<()> {
//! # let session = swath::Session::new();
//! # session.block_on(async {
//! let session = swath::Session::new(); // caches, limits, threads: shared, no globals
//! let scene = session.open_cog("testdata/scene.tif").await?; // one request for a well-made COG
//! let level = scene.level_for(20.0)?; // the coarsest level of 20 m or finer
//! let red: ndarray::Array3<u16> = level.read((0, 128..384, 128..384)).await?; // band, y, x
//! assert_eq!(red.shape(), [1, 256, 256]);
//! println!("{}", level.plan((0, 128..384, 128..384)).await?); // chunks, requests, bytes
//! # Ok(())
//! # })
//! # }
//! # #[cfg(not(all(feature = "read", feature = "deflate")))]
//! # fn main() {}
//! ```
//!
//! | to | see |
//! | --- | --- |
//! | open something | [`Session::open`], [`Session::open_cog`], [`Session::open_zarr`] |
//! | read it | [`ChunkedArray::read`] for the stored type, [`read_as`](ChunkedArray::read_as) to convert, [`read_dyn`](ChunkedArray::read_dyn) for any, [`blocking_read_into`](ChunkedArray::blocking_read_into) for the caller's own array |
//! | know what the numbers of a Zarr mean, and where its cells are | [`Group::coordinates`], [`Group::packing`], [`Group::time_units`], [`Group::georeference`], [`Group::pyramid`], [`cf`] |
//! | know what its numbers stand for | [`ChunkedArray::read_masked`] for which are valid, [`read_scaled`](ChunkedArray::read_scaled) for quantities |
//! | go from coordinates to pixels | [`Cog::region_of`], [`Cog::pixel`], [`Cog::coordinates`] |
//! | know what a read will fetch | [`ChunkedArray::plan`], [`plan_masked`](ChunkedArray::plan_masked) |
//! | bound what it may cost | [`ReadOptions`] in [`SessionOptions`], or by [`ChunkedArray::with_options`] |
//! | know what holds where objects change | [`ChunkedArray::consistency`], [`Cog::consistency`], [`OnChange`] |
//! | write Zarr | [`Session::create_zarr`], [`ZarrWriter::array`], [`ArrayWriter::write`] |
//! | sign requests | [`SessionBuilder::with_signer`] with a [`TokenEndpoint`], a [`StaticToken`], a [`SignWith`] or a [`Signer`] of your own |
//! | bring a store, a codec, a format | [`SessionBuilder::with_store`], [`SessionBuilder::with_codec`], [`Session::array`] |
//! | bound what comes from outside | [`model::Limits`] in [`SessionOptions`] |
//!
//! Futures may be awaited on any executor; [`Session::block_on`] waits without one. Without default features what is left is the parsers
//! and codecs, free of async, threads and network.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(feature = "read"), allow(rustdoc::broken_intra_doc_links, reason = "the session is behind a feature"))]
#![cfg_attr(test, allow(clippy::cast_possible_truncation, reason = "tests cut numbers that they know"))]

pub mod cf;
#[cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::todo,
        clippy::cast_possible_truncation
    )
)]
pub mod codec;
pub mod error;
#[cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::todo,
        clippy::cast_possible_truncation
    )
)]
pub mod format;
pub mod geo;
pub mod model;
pub mod simd;

#[cfg(feature = "read")]
mod array;
#[cfg(feature = "read")]
mod cog;
#[cfg(feature = "read")]
mod dataset;
#[cfg(feature = "read")]
mod engine;
#[cfg(feature = "read")]
mod georeference;
#[cfg(feature = "read")]
mod group;
#[cfg(feature = "read")]
mod io;
#[cfg(feature = "read")]
mod pyramid;
#[cfg(feature = "read")]
mod trace;
#[cfg(feature = "read")]
mod writer;

/// The guides' examples.
#[cfg(all(doctest, feature = "cloud", feature = "deflate"))]
mod guides {
    #[doc = include_str!("../docs/guide/remote.md")]
    mod remote {}
    #[doc = include_str!("../docs/limits.md")]
    mod limits {}
}

#[cfg(feature = "read")]
pub use array::{Chunk, ChunkedArray, Mask, Masked};
#[cfg(feature = "read")]
pub use cog::{Cog, Sidecar, SidecarKind};
#[cfg(feature = "read")]
pub use dataset::{Dataset, OpenStats};
#[cfg(feature = "read")]
pub use engine::{DynArray, Element, Float, OnChange, ReadOptions, ReadPlan, ReadStats, Request, Session, SessionBuilder, SessionOptions};
pub use error::{Error, ErrorKind, Result};
#[cfg(feature = "read")]
pub use georeference::ArrayGeoreference;
#[cfg(feature = "read")]
pub use group::{Child, Group};
#[cfg(all(feature = "__fuzz", feature = "cloud"))]
#[doc(hidden)]
pub use io::fuzzing as io_fuzzing;
#[cfg(feature = "cloud")]
pub use io::sign::TokenEndpoint;
#[cfg(feature = "read")]
pub use io::sign::{SignWith, Signed, Signer, StaticToken};
#[cfg(feature = "read")]
pub use io::{Cost, DiskCache, HostStats, NetworkOptions, Redirects};
#[cfg(feature = "read")]
pub use pyramid::ZarrPyramid;
#[cfg(feature = "read")]
pub use writer::{ArrayWriter, ZarrWriter};
