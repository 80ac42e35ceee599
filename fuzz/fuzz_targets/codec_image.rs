//! One codec of images, chosen by the first byte, on the rest.
#![no_main]
swath_fuzz::target!(codec_image);
