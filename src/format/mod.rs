//! format

pub mod tiff;
