//! The index of a shard.
#![no_main]
swath_fuzz::target!(shard_index);
