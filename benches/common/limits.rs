//! What no reader can be faster than: the raw decompressor into memory that is already touched, and memcpy.

use super::tiff::{Image, Packing};
use super::zarr;

/// What streams are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Plain,
    Zlib,
    Gzip,
    Zstd,
}

/// Stored chunks, as a limit to decode them against.
pub(crate) struct Limit {
    stream: Stream,
    chunks: Vec<Vec<u8>>,
    scratch: Vec<u8>,
}

impl Limit {
    /// Chunks of so many bytes, decoded.
    pub(crate) fn of_chunks(stream: Stream, chunks: Vec<Vec<u8>>, length: usize) -> Self {
        Self { stream, chunks, scratch: vec![1; length] }
    }

    /// The tiles of an image's first level.
    pub(crate) fn of(image: &Image) -> Self {
        let stream = match image.packing {
            Packing::None => Stream::Plain,
            Packing::Deflate => Stream::Zlib,
            Packing::Zstd => Stream::Zstd,
        };
        Self::of_chunks(stream, image.tiles(), image.tile * image.tile * image.element)
    }

    /// The streams of an array's chunks: of Zstandard, behind the header of Blosc where there is one.
    pub(crate) fn of_array(array: &zarr::Array) -> Self {
        let stream = if array.packing == zarr::Packing::None { Stream::Plain } else { Stream::Zstd };
        Self::of_chunks(stream, array.streams(), array.chunk * array.chunk * array.element)
    }

    /// Decompresses (or copies) all chunks, one after the other, into the same memory.
    pub(crate) fn run(&mut self) -> u8 {
        let Self { stream, chunks, scratch } = self;
        match stream {
            Stream::Plain => chunks.iter().for_each(|chunk| scratch.copy_from_slice(chunk)),
            Stream::Zlib => {
                let mut decompressor = libdeflater::Decompressor::new();
                chunks.iter().for_each(|chunk| _ = decompressor.zlib_decompress(chunk, scratch).unwrap());
            }
            Stream::Gzip => {
                let mut decompressor = libdeflater::Decompressor::new();
                chunks.iter().for_each(|chunk| _ = decompressor.gzip_decompress(chunk, scratch).unwrap());
            }
            Stream::Zstd => {
                let mut context = zstd_safe::DCtx::create();
                chunks.iter().for_each(|chunk| _ = context.decompress(&mut scratch[..], chunk).unwrap());
            }
        }
        self.scratch[0]
    }

    /// Bytes of all chunks, decoded.
    pub(crate) fn bytes(&self) -> u64 {
        (self.chunks.len() * self.scratch.len()) as u64
    }
}
