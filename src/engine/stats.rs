//! What reads cost.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What a read cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadStats {
    /// Requests sent, those for pages of chunk tables among them.
    pub requests: u64,
    /// Requests sent again, of those: after a failure, or because an answer broke off.
    pub retries: u64,
    /// Bytes received.
    pub bytes: u64,
    /// Bytes of the stored chunks that were decoded, wherever they came from. Where nothing came from a cache or another read, what
    /// [`bytes`](Self::bytes) are more is gaps between chunks, pages of tables, and bytes that came twice.
    pub stored_bytes: u64,
    /// Wants answered by stored bytes that were kept, in memory or on disk.
    pub cache_hits: u64,
    /// Wants answered by another read's request.
    pub shared: u64,
    /// Chunks touched.
    pub chunks: usize,
    /// Chunks that were not stored.
    pub absent: usize,
    /// Chunks answered from the cache of decoded chunks.
    pub chunk_cache_hits: usize,
    /// Chunks, and pages of tables, fetched once more past all caches because a codec or a checksum refused what came first.
    pub refetched: u64,
    /// Whether the dataset was opened once more, because it had changed: [`OnChange::Reopen`](crate::OnChange::Reopen).
    pub reopened: bool,
    /// Pages of chunk tables read.
    pub pages: u64,
    /// Bytes of the output.
    pub output_bytes: u64,
    /// Bytes that decoding gave: of whole chunks, though a part of one may be all that was wanted. Uncompressed chunks that are placed as they
    /// stand are not decoded.
    pub decoded_bytes: u64,
    /// From the call to the last chunk's place being known.
    pub plan_time: Duration,
    /// From then to the last response.
    pub fetch_time: Duration,
    /// Decoding, added up over the threads.
    pub decode_time: Duration,
    /// Placing, added up over the threads.
    pub place_time: Duration,
    /// From the call to the last chunk's place.
    pub total_time: Duration,
    /// From the call to the first chunk in its place.
    pub first_chunk_time: Duration,
}

impl ReadStats {
    /// Adds what the next of several reads cost, one made after the other.
    pub fn add(&mut self, next: &Self) {
        if self.chunks == 0 {
            self.first_chunk_time = self.total_time + next.first_chunk_time;
        }
        self.requests += next.requests;
        self.retries += next.retries;
        self.bytes += next.bytes;
        self.stored_bytes += next.stored_bytes;
        self.refetched += next.refetched;
        self.reopened |= next.reopened;
        self.cache_hits += next.cache_hits;
        self.shared += next.shared;
        self.chunks += next.chunks;
        self.absent += next.absent;
        self.chunk_cache_hits += next.chunk_cache_hits;
        self.pages += next.pages;
        self.output_bytes += next.output_bytes;
        self.decoded_bytes += next.decoded_bytes;
        self.plan_time += next.plan_time;
        self.fetch_time += next.fetch_time;
        self.decode_time += next.decode_time;
        self.place_time += next.place_time;
        self.total_time += next.total_time;
    }
}

impl fmt::Display for ReadStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |d: Duration| format!("{:.1} ms", d.as_secs_f64() * 1e3);
        write!(f, "{} chunks, {} requests, {}, {} cached", self.chunks, self.requests, human_bytes(self.bytes), self.chunk_cache_hits)?;
        write!(f, "; plan {}, fetch {}, decode {}", ms(self.plan_time), ms(self.fetch_time), ms(self.decode_time))?;
        write!(f, ", place {}, in all {}", ms(self.place_time), ms(self.total_time))?;
        let counted = [(self.retries, "sent again"), (self.refetched, "fetched again as damaged"), (u64::from(self.reopened), "reopened")];
        counted.iter().filter(|(n, _)| *n > 0).try_for_each(|(n, what)| write!(f, ", {n} {what}"))
    }
}

/// Counts of one running read, from many threads.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    decode: AtomicU64,
    place: AtomicU64,
    first: AtomicU64,
    landed: AtomicU64,
    pub(crate) absent: AtomicUsize,
    pub(crate) cached: AtomicUsize,
    stored: AtomicU64,
    decoded: AtomicU64,
    pub(crate) refetched: AtomicU64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            start: Instant::now(),
            decode: zero(),
            place: zero(),
            first: AtomicU64::new(u64::MAX),
            landed: zero(),
            absent: AtomicUsize::new(0),
            cached: AtomicUsize::new(0),
            stored: zero(),
            decoded: zero(),
            refetched: zero(),
        }
    }
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
    /// A chunk was decoded, to so many bytes.
    pub(crate) fn decoded(&self, since: Instant, bytes: usize) {
        self.decoded.fetch_add(bytes as u64, Ordering::Relaxed);
        self.decode.fetch_add(nanos(since.elapsed()), Ordering::Relaxed);
    }
    pub(crate) fn placed(&self, since: Instant) {
        self.place.fetch_add(nanos(since.elapsed()), Ordering::Relaxed);
        self.first.fetch_min(nanos(self.elapsed()), Ordering::Relaxed);
    }
    /// A chunk of so many bytes is about to be decoded.
    pub(crate) fn stored(&self, bytes: usize) {
        self.stored.fetch_add(bytes as u64, Ordering::Relaxed);
    }
    pub(crate) fn landed(&self) {
        self.landed.fetch_max(nanos(self.elapsed()), Ordering::Relaxed);
    }
    pub(crate) fn write(&self, stats: &mut ReadStats) {
        stats.decode_time = Duration::from_nanos(self.decode.load(Ordering::Relaxed));
        stats.place_time = Duration::from_nanos(self.place.load(Ordering::Relaxed));
        let first = self.first.load(Ordering::Relaxed);
        stats.first_chunk_time = if first == u64::MAX { Duration::ZERO } else { Duration::from_nanos(first) };
        stats.fetch_time = Duration::from_nanos(self.landed.load(Ordering::Relaxed)).saturating_sub(stats.plan_time);
        stats.total_time = self.elapsed();
        stats.absent = self.absent.load(Ordering::Relaxed);
        stats.chunk_cache_hits = self.cached.load(Ordering::Relaxed);
        stats.stored_bytes = self.stored.load(Ordering::Relaxed);
        stats.decoded_bytes = self.decoded.load(Ordering::Relaxed);
        stats.refetched = self.refetched.load(Ordering::Relaxed);
    }
}

fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

/// A number of bytes for people (decimal units).
pub(crate) fn human_bytes(bytes: u64) -> String {
    let n = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", n / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", n / 1e6),
        _ => format!("{:.2} GB", n / 1e9),
    }
}
