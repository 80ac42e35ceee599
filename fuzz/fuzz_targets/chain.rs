//! A chain of codecs, its parameters and its input from the same bytes.
#![no_main]
swath_fuzz::target!(chain);
