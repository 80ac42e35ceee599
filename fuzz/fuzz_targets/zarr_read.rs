//! An array and its chunks: the document up to the first NUL, then the bytes of each chunk.
#![no_main]
swath_fuzz::target!(zarr_read);
