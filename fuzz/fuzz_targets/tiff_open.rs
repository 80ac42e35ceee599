//! A file, from its header to the manifest of every directory.
#![no_main]
swath_fuzz::target!(tiff_open);
