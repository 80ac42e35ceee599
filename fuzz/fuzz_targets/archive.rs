//! The directory of a zip.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    swath::format::zarr::fuzzing::archive(data);
});
