//! libzstd against ruzstd.
#![no_main]
swath_fuzz::target!(differential_zstd);
