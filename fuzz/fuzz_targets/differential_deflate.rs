//! libdeflate against zlib-rs.
#![no_main]
swath_fuzz::target!(differential_deflate);
