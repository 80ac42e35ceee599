//! A chain of codecs, its parameters and its input from the same bytes.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    swath::codec::fuzzing::chain(data);
});
