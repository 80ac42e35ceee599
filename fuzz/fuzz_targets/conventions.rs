//! Attributes, by the conventions of CF and of GeoZarr.
#![no_main]
swath_fuzz::target!(conventions);
