//! Untrusted bytes to [`ArrayMeta`](crate::model::ArrayMeta): parsers that ask for what they need and never wait.

pub mod archive;
pub mod reference;
pub mod tiff;
pub mod zarr;
