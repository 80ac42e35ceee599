//! The index of a shard.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    swath::format::zarr::fuzzing::shard_index(data);
});
