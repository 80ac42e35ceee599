//! The names of objects, as callers write them.
#![no_main]
swath_fuzz::target!(names);
