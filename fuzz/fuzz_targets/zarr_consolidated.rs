//! Consolidated metadata: a `.zmetadata` or a `zarr.json` with the nodes inline.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    swath::format::zarr::fuzzing::consolidated(data);
});
