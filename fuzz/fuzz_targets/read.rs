//! The whole path: an object in memory is opened by its content, and the start of its first arrays is read.
#![no_main]
swath_fuzz::target!(read);
