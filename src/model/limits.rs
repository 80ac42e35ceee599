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

/// What reads are of, as far as the memory that they take depends on it: for [`Limits::peak_memory`]. All are numbers of bytes but for `chunks` and
/// `threads`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Footprint {
    /// Their results.
    pub output: u64,
    /// The largest chunk, decoded.
    pub chunk: u64,
    /// The largest chunk as it is stored, or the most that it may be.
    pub stored: u64,
    /// What the codecs of a chunk hold beside it.
    pub working: u64,
    /// How many chunks they touch.
    pub chunks: u64,
    /// Headers, documents and pages of chunk tables, as stored, of all that is open.
    pub metadata: u64,
    /// Threads that decode.
    pub threads: u64,
}

/// Buffers that a thread keeps from chunk to chunk are given back to the system above this, in bytes: those of codecs together, those of codecs that
/// help with another thread's chunk, those of decoded chunks, and those of stored ones, each.
pub(crate) const KEPT_BY_THREAD: usize = 16 << 20;

impl Limits {
    /// Metadata that were parsed take up to so many times the bytes that they were read from: an empty object of JSON is two.
    const OF_METADATA: u64 = 64;
    /// What a plan holds of each chunk, in bytes.
    const OF_CHUNK: u64 = 64;
    /// No thread helps with a smaller chunk, in bytes.
    const SHARED_ABOVE: u64 = 4 << 20;
    /// What nothing else counts: the plan of a request, buffers of connections, stacks of futures.
    const REST: u64 = 16 << 20;

    /// The most that the heap holds while such reads run, in bytes, whatever the input is:
    ///
    /// output + decoded chunks in flight + stored chunks in flight + metadata and plan + working memory of the codecs + 16 MiB.
    ///
    /// Chunks in flight are those that `decoded_in_flight` and `stored_in_flight` admit, or one larger chunk alone. Codecs work on a chunk a thread, and a
    /// thread keeps the buffers of its last chunk, as far as they are small. Of reads of several arrays at once the largest of each number is taken. The caches
    /// of a session stand beside it.
    #[must_use]
    pub fn peak_memory(&self, of: &Footprint) -> u64 {
        // The buffers of a thread's codecs are its working memory; those for a chunk as stored and as decoded are kept beside it, and those it helps with.
        let kept = of.chunk.saturating_add(of.stored).min(2 * KEPT_BY_THREAD as u64);
        let helping = if of.chunk > Self::SHARED_ABOVE { of.working.min(KEPT_BY_THREAD as u64) } else { 0 };
        let terms = [
            self.decoded_in_flight.max(of.chunk),
            self.stored_in_flight.max(of.stored),
            of.metadata.saturating_mul(Self::OF_METADATA),
            of.chunks.saturating_mul(Self::OF_CHUNK),
            of.threads.saturating_mul(of.working.saturating_add(kept).saturating_add(helping)),
            Self::REST,
        ];
        terms.into_iter().fold(of.output, u64::saturating_add)
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

    #[test]
    fn a_large_chunk_takes_the_place_of_the_budgets() {
        let limits = Limits { decoded_in_flight: 100, stored_in_flight: 10, ..Limits::default() };
        let rest = 16 << 20;
        let peak = |of: Footprint| limits.peak_memory(&of) - rest;
        assert_eq!(peak(Footprint::default()), 110);
        assert_eq!(peak(Footprint { output: 5, chunk: 90, stored: 9, ..Footprint::default() }), 115);
        assert_eq!(peak(Footprint { chunk: 1000, stored: 500, ..Footprint::default() }), 1500);
        // Two threads hold a working set each, and what they kept.
        assert_eq!(peak(Footprint { chunk: 20, stored: 3, working: 7, threads: 2, ..Footprint::default() }), 110 + 2 * (7 + 23));
        let large = Footprint { chunk: 1 << 30, working: 1 << 30, threads: 1, ..Footprint::default() };
        assert_eq!(peak(large), (1 << 30) + 10 + (1 << 30) + (48 << 20));
        assert_eq!(limits.peak_memory(&Footprint { output: u64::MAX, ..large }), u64::MAX);
    }
}
