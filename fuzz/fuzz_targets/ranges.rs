//! Which requests serve a set of spans.
#![no_main]
swath_fuzz::target!(ranges);
