//! The text of a region.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = swath::model::Selection::parse(text).and_then(|s| s.region(&[4, 100, 50]));
    }
});
