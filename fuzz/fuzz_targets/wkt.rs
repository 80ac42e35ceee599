//! The well-known text of a coordinate reference system.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    swath::format::tiff::fuzzing::wkt(data);
});
