//! Consolidated metadata: a `.zmetadata` or a `zarr.json` with the nodes inline.
#![no_main]
swath_fuzz::target!(zarr_consolidated);
