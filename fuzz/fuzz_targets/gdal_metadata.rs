//! The XML of GDAL metadata.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    swath::format::tiff::fuzzing::gdal_metadata(data);
});
