//! A `.zarray` document.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    swath::format::zarr::fuzzing::v2(data);
});
