//! What the tests share: an array in memory, writers of it as TIFF and as Zarr, stores, and a watch over time.
#![allow(dead_code, unused_imports, unused_macros, reason = "each test uses a part of it")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "test arrays are small")]

pub(crate) mod pack;
pub(crate) mod pair;
pub(crate) mod source;
pub(crate) mod store;
pub(crate) mod tiff;
pub(crate) mod watch;
pub(crate) mod zarr;

pub(crate) use source::{Fill, Source, of_type};
