//! The GeoKey directory and its parameters.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    swath::format::tiff::fuzzing::geokeys(data);
});
