//! References in Parquet.
#![no_main]
swath_fuzz::target!(reference_tables);
