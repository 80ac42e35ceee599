//! A `zarr.json` document.
#![no_main]
swath_fuzz::target!(zarr_v3);
