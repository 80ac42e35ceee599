//! The head of an HTTP answer against what was asked for.
#![no_main]
swath_fuzz::target!(http_head);
