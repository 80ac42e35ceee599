//! A `zarr.json` document.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    swath::format::zarr::fuzzing::v3(data);
});
