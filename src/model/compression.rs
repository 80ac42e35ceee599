//! How a writer compresses chunks.

use super::BloscShuffle;

/// The compressor of the chunks that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// The elements as they are.
    None,
    /// gzip; level 0 to 9.
    Gzip {
        /// 0 to 9.
        level: u8,
    },
    /// zlib, of Zarr version 2 alone.
    Zlib {
        /// 0 to 9.
        level: u8,
    },
    /// Zstandard.
    Zstd {
        /// 1 to 22 (0 = the default); negative ones are faster.
        level: i8,
        /// Whether frames end in a checksum.
        checksum: bool,
    },
    /// The Blosc 1 container.
    Blosc {
        /// What compresses its blocks.
        compressor: BloscCompressor,
        /// 0 (none) to 9.
        level: u8,
        /// What is done to the bytes before.
        shuffle: BloscShuffle,
    },
}

/// The compressors of Blosc that are written. All six are read; the others are left out as few readers have Snappy, and LZ4 and Zstandard
/// do better than BloscLZ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
#[non_exhaustive]
pub enum BloscCompressor {
    Lz4,
    Zlib,
    Zstd,
}

impl BloscCompressor {
    /// Its name in the metadata.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lz4 => "lz4",
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
        }
    }
}
