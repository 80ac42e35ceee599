//! The XML beside an image, `.aux.xml`.
#![no_main]
swath_fuzz::target!(auxiliary);
