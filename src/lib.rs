//! Swath reads Cloud Optimized GeoTIFF and Zarr through one read path.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::cast_possible_truncation, reason = "tests cut numbers that they know"))]

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
#[allow(unsafe_code, reason = "vector instructions; every kernel is held to its scalar twin")]
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
mod group;
#[cfg(feature = "read")]
mod io;

#[cfg(feature = "read")]
pub use array::{Chunk, ChunkedArray};
#[cfg(feature = "read")]
pub use cog::Cog;
#[cfg(feature = "read")]
pub use dataset::{Dataset, OpenStats};
#[cfg(feature = "read")]
pub use engine::{DynArray, Element, ReadPlan, ReadStats, Request, Session, SessionBuilder, SessionOptions};
pub use error::{Error, ErrorKind, Result};
#[cfg(feature = "read")]
pub use group::Group;
