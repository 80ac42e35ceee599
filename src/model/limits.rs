//! Bounds on everything whose size comes from outside.

use crate::error::{Error, Result};

/// The bounds that every size from outside passes before anything is allocated.
///
/// A field raised by name is a decision of the caller: `Limits { max_chunk_bytes: 4 << 30, ..Limits::default() }`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one decoded chunk. Default 1 GiB.
    pub max_chunk_bytes: u64,
    /// Bytes of one stored chunk. Default 2 GiB.
    pub max_stored_bytes: u64,
    /// Decoded chunks of all running reads together, in bytes. Default 64 MiB.
    pub decoded_in_flight: u64,
    /// Stored chunks of all running reads together, in bytes. Default 32 MiB.
    pub stored_in_flight: u64,
    /// Bytes of one result in memory. Default 64 GiB.
    pub max_output_bytes: u64,
    /// Bytes of the values of one tag other than the tables of tiles. Default 64 MiB.
    pub max_tag_bytes: u64,
    /// A table of tiles above this many bytes is read by pages. Default 256 KiB.
    pub table_page_bytes: u64,
    /// Directories of one file. Default 65,536.
    pub max_directories: u64,
    /// Bytes of headers or documents read to open one dataset. Default 64 MiB.
    pub max_metadata_bytes: u64,
    /// Depth of nested JSON. Default 64.
    pub max_json_depth: u64,
    /// Codecs of one chain, those inside of others counted. Default 32.
    pub max_codecs: u64,
    /// Dimensions of an array. Default 32.
    pub max_rank: u64,
    /// Chunks of one read. Default 2^28.
    pub max_read_chunks: u64,
    /// Hops from page to page until a chunk is found. Default 8.
    pub max_page_hops: u64,
    /// Bytes of one page of a chunk table. Default 64 MiB.
    pub max_page_bytes: u64,
    /// References of one reference file, or members of an archive. Default 2^24.
    pub max_references: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_chunk_bytes: 1 << 30,
            max_stored_bytes: 2 << 30,
            decoded_in_flight: 64 << 20,
            stored_in_flight: 32 << 20,
            max_output_bytes: 64 << 30,
            max_tag_bytes: 64 << 20,
            table_page_bytes: 256 << 10,
            max_directories: 65_536,
            max_metadata_bytes: 64 << 20,
            max_json_depth: 64,
            max_codecs: 32,
            max_rank: 32,
            max_read_chunks: 1 << 28,
            max_page_hops: 8,
            max_page_bytes: 64 << 20,
            max_references: 1 << 24,
        }
    }
}

impl Limits {
    /// Passes `asked` if it is not above `allowed`, as the typed error else.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`](crate::ErrorKind::Limit) with the name of the bound.
    pub fn check(what: &'static str, asked: u64, allowed: u64) -> Result<usize> {
        match usize::try_from(asked) {
            Ok(size) if asked <= allowed => Ok(size),
            _ => Err(Error::limit(what, asked, allowed)),
        }
    }
}

/// An empty vector with room for `count` elements: the one way to allocate by a size from outside.
///
/// # Errors
/// [`ErrorKind::Limit`](crate::ErrorKind::Limit) where the memory cannot be had.
pub fn reserve<T>(what: &'static str, count: usize) -> Result<Vec<T>> {
    let mut v = Vec::new();
    v.try_reserve_exact(count).map_err(|_| Error::limit(what, count.saturating_mul(size_of::<T>()) as u64, 0))?;
    Ok(v)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impossible_size_is_an_error() {
        assert!(reserve::<u64>("test", usize::MAX / 16).is_err());
        assert!(Limits::check("test", 10, 9).is_err());
        assert_eq!(Limits::check("test", 9, 9).ok(), Some(9));
    }
}
