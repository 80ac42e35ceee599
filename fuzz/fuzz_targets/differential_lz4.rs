//! The reference LZ4 against lz4_flex.
#![no_main]
swath_fuzz::target!(differential_lz4);
