//! What no reader can be faster than: the raw decompressor into memory that is already touched, and memcpy.

use super::tiff::{Image, Packing};
use super::zarr;

/// The stored tiles of an image's first level, as a limit to decode them against.
pub(crate) struct Limit {
    packing: Packing,
    tiles: Vec<Vec<u8>>,
    scratch: Vec<u8>,
}

impl Limit {
    pub(crate) fn of(image: &Image) -> Self {
        Self { packing: image.packing, tiles: image.tiles(), scratch: vec![1; image.tile * image.tile * image.element] }
    }

    /// The streams of an array's chunks: of Zstandard, behind the header of Blosc where there is one.
    pub(crate) fn of_array(array: &zarr::Array) -> Self {
        Self { packing: Packing::Zstd, tiles: array.streams(), scratch: vec![1; array.chunk * array.chunk * array.element] }
    }

    /// Decompresses (or copies) all tiles, one after the other, into the same memory.
    pub(crate) fn run(&mut self) -> u8 {
        match self.packing {
            Packing::None => self.tiles.iter().for_each(|t| self.scratch.copy_from_slice(t)),
            Packing::Deflate => {
                let mut decompressor = libdeflater::Decompressor::new();
                for tile in &self.tiles {
                    decompressor.zlib_decompress(tile, &mut self.scratch).unwrap();
                }
            }
            Packing::Zstd => {
                let mut context = zstd_safe::DCtx::create();
                for tile in &self.tiles {
                    context.decompress(&mut self.scratch[..], tile).unwrap();
                }
            }
        }
        self.scratch[0]
    }

    /// Bytes of all tiles, decoded.
    pub(crate) fn bytes(&self) -> u64 {
        (self.tiles.len() * self.scratch.len()) as u64
    }
}
