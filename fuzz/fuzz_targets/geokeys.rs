//! The GeoKey directory and its parameters.
#![no_main]
swath_fuzz::target!(geokeys);
