//! Bounds on everything whose size comes from outside.

use std::collections::{HashMap, TryReserveError};
use std::hash::{BuildHasher, Hash};

use bytemuck::Zeroable;

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

// What is allocated by a size from outside goes through this function and its siblings below, behind a check of the size.

/// An empty vector with room for `count` elements: the way to allocate by a size from outside.
///
/// # Errors
/// [`ErrorKind::Limit`](crate::ErrorKind::Limit) of `memory` where it cannot be had.
pub fn reserve<T>(count: usize) -> Result<Vec<T>> {
    let mut v = Vec::new();
    allow(count, size_of::<T>())?;
    v.try_reserve_exact(count).map_err(|_| no_memory(count, size_of::<T>()))?;
    Ok(v)
}

/// Makes room for `more` elements beside those that are there. What grows step by step, up to a bound that its loop has, is moved a
/// logarithmic number of times.
///
/// # Errors
/// As [`reserve`].
pub(crate) fn grow<G: Growing>(into: &mut G, more: usize) -> Result<()> {
    if into.free() >= more {
        return Ok(());
    }
    allow(more, G::ELEMENT)?;
    into.try_grow(more).map_err(|_| no_memory(more, G::ELEMENT))
}

/// As [`grow`], of a buffer whose end is known: by so much and no more.
///
/// # Errors
/// As [`reserve`].
#[cfg(feature = "read")]
pub(crate) fn grow_exactly<T>(into: &mut Vec<T>, more: usize) -> Result<()> {
    allow(more, size_of::<T>())?;
    into.try_reserve_exact(more).map_err(|_| no_memory(more, size_of::<T>()))
}

/// A vector of `count` zeros. Large ones are pages that the system fills when they are written.
///
/// # Errors
/// As [`reserve`].
pub(crate) fn zeroed<T: Zeroable>(count: usize) -> Result<Vec<T>> {
    allow(count, size_of::<T>())?;
    bytemuck::allocation::try_zeroed_vec(count).map_err(|()| no_memory(count, size_of::<T>()))
}

/// The first `count` elements of a buffer that is used again and again, which is made longer where it is too short. Their content has no
/// meaning.
///
/// # Errors
/// As [`reserve`].
pub(crate) fn lengthened<T: Zeroable + Clone>(buffer: &mut Vec<T>, count: usize) -> Result<&mut [T]> {
    if buffer.capacity() < count {
        // What it holds is not moved, nor held beside the new one.
        drop(std::mem::take(buffer));
        *buffer = zeroed(count)?;
    } else if buffer.len() < count {
        buffer.resize(count, T::zeroed());
    }
    Ok(buffer.get_mut(..count).unwrap_or_default())
}

/// The elements of an iterator that knows how many it has.
///
/// # Errors
/// As [`reserve`].
pub(crate) fn collected<T>(elements: impl ExactSizeIterator<Item = T>) -> Result<Vec<T>> {
    let mut all = reserve(elements.len())?;
    all.extend(elements);
    Ok(all)
}

/// What [`grow`] makes room in.
pub(crate) trait Growing {
    /// Bytes of an element.
    const ELEMENT: usize;
    /// For how many more there is room.
    fn free(&self) -> usize;
    /// Makes room for so many more.
    ///
    /// # Errors
    /// Where the memory cannot be had.
    fn try_grow(&mut self, more: usize) -> std::result::Result<(), TryReserveError>;
}

impl<T> Growing for Vec<T> {
    const ELEMENT: usize = size_of::<T>();
    fn free(&self) -> usize {
        self.capacity().saturating_sub(self.len())
    }
    fn try_grow(&mut self, more: usize) -> std::result::Result<(), TryReserveError> {
        self.try_reserve(more)
    }
}

impl<K: Eq + Hash, V, S: BuildHasher> Growing for HashMap<K, V, S> {
    const ELEMENT: usize = size_of::<(K, V)>();
    fn free(&self) -> usize {
        self.capacity().saturating_sub(self.len())
    }
    fn try_grow(&mut self, more: usize) -> std::result::Result<(), TryReserveError> {
        self.try_reserve(more)
    }
}

#[cold]
fn no_memory(count: usize, element: usize) -> Error {
    Error::limit("memory", count.saturating_mul(element) as u64, 0)
}

/// Whether memory is to be had at all: always, but where a test says otherwise.
#[cfg(not(feature = "__inject"))]
#[inline(always)]
#[allow(clippy::unnecessary_wraps, reason = "its twin fails")]
fn allow(_: usize, _: usize) -> Result<()> {
    Ok(())
}
#[cfg(feature = "__inject")]
fn allow(count: usize, element: usize) -> Result<()> {
    if inject::next() && count > 0 { Err(no_memory(count, element)) } else { Ok(()) }
}

/// For tests: memory that is refused at a chosen call. It counts the calls of the whole process, so such tests run one at a time.
#[cfg(feature = "__inject")]
#[doc(hidden)]
pub mod inject {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    static CALLS: AtomicU64 = AtomicU64::new(0);
    static FAILS_AT: AtomicU64 = AtomicU64::new(0);

    /// Counts anew; the call of this number, from 1 on, is refused. 0: none is.
    pub fn fail_at(number: u64) {
        FAILS_AT.store(0, SeqCst);
        CALLS.store(0, SeqCst);
        FAILS_AT.store(number, SeqCst);
    }

    /// Calls since [`fail_at`].
    #[must_use]
    pub fn calls() -> u64 {
        CALLS.load(SeqCst)
    }

    pub(super) fn next() -> bool {
        let number = CALLS.fetch_add(1, SeqCst) + 1;
        number == FAILS_AT.load(SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impossible_size_is_an_error() {
        let memory = |asked| Some(crate::ErrorKind::Limit { what: "memory", asked, allowed: 0 });
        let kind = |e: Error| e.kind().clone();
        assert_eq!(reserve::<u64>(usize::MAX / 16).err().map(kind), memory(u64::MAX / 2 - 7));
        assert_eq!(reserve::<u64>(usize::MAX).err().map(kind), memory(u64::MAX));
        assert_eq!(zeroed::<u8>(usize::MAX / 2).err().map(kind), memory(u64::MAX / 2));
        let (mut list, mut map) = (vec![1_u8], HashMap::from([(1_u8, 2_u64)]));
        assert_eq!(grow(&mut list, usize::MAX / 2).err().map(kind), memory(u64::MAX / 2));
        assert_eq!(grow(&mut map, usize::MAX / 16).err().map(kind), memory(u64::MAX - 15));
        assert_eq!(lengthened(&mut list, usize::MAX / 2).err().map(kind), memory(u64::MAX / 2));
        // And possible ones are had.
        assert_eq!(lengthened(&mut list, 3).map(|b| b.len()).ok(), Some(3));
        assert!(grow(&mut list, 1000).is_ok() && list.capacity() >= 1003);
        assert_eq!(zeroed::<u16>(3).ok(), Some(vec![0; 3]));
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
