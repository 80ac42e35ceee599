//! Attributes, by the conventions of CF and of GeoZarr.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    swath::format::zarr::fuzzing::conventions(data);
});
