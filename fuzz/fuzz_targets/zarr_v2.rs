//! A `.zarray` document.
#![no_main]
swath_fuzz::target!(zarr_v2);
