//! The text of a region.
#![no_main]
swath_fuzz::target!(selection);
