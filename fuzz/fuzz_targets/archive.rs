//! The directory of a zip.
#![no_main]
swath_fuzz::target!(archive);
