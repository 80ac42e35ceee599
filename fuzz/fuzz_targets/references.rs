//! A reference file.
#![no_main]
swath_fuzz::target!(references);
