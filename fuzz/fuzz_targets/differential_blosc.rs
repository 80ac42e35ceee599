//! Our Blosc against C Blosc.
#![no_main]
swath_fuzz::target!(differential_blosc);
