//! A file, from its header to the manifest of every directory.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    swath::format::tiff::fuzzing::open(data);
});
