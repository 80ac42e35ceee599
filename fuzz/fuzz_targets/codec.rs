//! One codec, chosen by the first byte, on the rest.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some((which, rest)) = data.split_first() {
        swath::codec::fuzzing::codec(*which, rest);
    }
});
