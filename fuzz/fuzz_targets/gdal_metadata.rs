//! The XML of GDAL metadata.
#![no_main]
swath_fuzz::target!(gdal_metadata);
