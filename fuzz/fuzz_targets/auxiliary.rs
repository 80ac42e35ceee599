//! The XML beside an image, `.aux.xml`.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    swath::format::tiff::fuzzing::auxiliary(data);
});
