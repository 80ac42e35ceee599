//! The well-known text of a coordinate reference system.
#![no_main]
swath_fuzz::target!(wkt);
