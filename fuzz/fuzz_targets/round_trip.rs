//! Elements that are encoded and decoded again.
#![no_main]
swath_fuzz::target!(round_trip);
