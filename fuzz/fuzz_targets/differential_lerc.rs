//! Our LERC2 against lerc-rs.
#![no_main]
swath_fuzz::target!(differential_lerc);
