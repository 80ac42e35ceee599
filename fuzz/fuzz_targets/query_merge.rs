//! The query of a URL and that of a signature, a line each.
#![no_main]
swath_fuzz::target!(query_merge);
