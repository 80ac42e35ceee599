//! format
pub mod archive;
pub mod reference;
pub mod zarr;
