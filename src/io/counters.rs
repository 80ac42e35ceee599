//! What the reads of one user cost, counted as it happens.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Counters of one read, or of everything a session does.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    requests: AtomicU64,
    bytes: AtomicU64,
    cache_hits: AtomicU64,
    cache_bytes: AtomicU64,
    shared: AtomicU64,
    waited_nanos: AtomicU64,
}

/// The state of [`Counters`] at one moment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CountersSnapshot {
    /// Requests sent to stores, local reads included; retries inside a store are not seen here.
    pub(crate) requests: u64,
    /// Bytes of the bodies that came back.
    pub(crate) bytes: u64,
    /// Wants answered by the byte cache.
    pub(crate) cache_hits: u64,
    /// Bytes answered by the byte cache.
    pub(crate) cache_bytes: u64,
    /// Wants that joined a request already in flight.
    pub(crate) shared: u64,
    /// Time from sending to landing, summed over the requests: more than the wall clock where they run side by side.
    pub(crate) waited: Duration,
}

impl Counters {
    pub(crate) fn snapshot(&self) -> CountersSnapshot {
        CountersSnapshot {
            requests: self.requests.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            cache_hits: self.cache_hits.load(Relaxed),
            cache_bytes: self.cache_bytes.load(Relaxed),
            shared: self.shared.load(Relaxed),
            waited: Duration::from_nanos(self.waited_nanos.load(Relaxed)),
        }
    }

    pub(super) fn request(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    pub(super) fn landed(&self, bytes: usize, waited: Duration) {
        self.bytes.fetch_add(bytes as u64, Relaxed);
        self.waited_nanos.fetch_add(u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(super) fn cache_hit(&self, bytes: usize) {
        self.cache_hits.fetch_add(1, Relaxed);
        self.cache_bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn shared(&self) {
        self.shared.fetch_add(1, Relaxed);
    }
}
