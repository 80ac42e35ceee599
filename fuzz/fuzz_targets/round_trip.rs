//! Elements that are encoded and decoded again.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    swath::codec::fuzzing::round_trip(data);
});
