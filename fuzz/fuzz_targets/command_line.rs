//! The words of the command line.
#![no_main]
swath_fuzz::target!(command_line);
