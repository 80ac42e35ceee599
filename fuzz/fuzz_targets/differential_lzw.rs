//! Our LZW against weezl.
#![no_main]
swath_fuzz::target!(differential_lzw);
