//! One kernel, chosen by the first byte, at each level of the machine, on the rest: all give what the plain loop gives.
#![no_main]
swath_fuzz::target!(kernels);
