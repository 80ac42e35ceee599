//! What the reads of one user cost, counted as it happens.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};

/// Counters of one read, or of everything a session does.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    requests: AtomicU64,
    bytes: AtomicU64,
    cache_hits: AtomicU64,
    cache_bytes: AtomicU64,
    shared: AtomicU64,
    waited_nanos: AtomicU64,
    retries: AtomicU64,
    asked: AtomicU64,
    max_requests: Option<u64>,
    max_bytes: Option<u64>,
    /// Whose requests they are, where others do not take part in them; else 0.
    reader: u64,
    last_failure: Mutex<Option<String>>,
}

/// The state of [`Counters`] at one moment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CountersSnapshot {
    /// Requests sent to stores, local reads and repeated ones included.
    pub(crate) requests: u64,
    /// Bytes of the bodies that came back.
    pub(crate) bytes: u64,
    /// Wants answered by what was kept.
    pub(crate) cache_hits: u64,
    /// Bytes answered by what was kept.
    pub(crate) cache_bytes: u64,
    /// Wants that joined a request already in flight.
    pub(crate) shared: u64,
    /// Time from sending to landing, summed over the requests: more than the wall clock where they run side by side.
    pub(crate) waited: Duration,
    /// Requests that were sent again, for whatever reason.
    pub(crate) retries: u64,
}

impl Counters {
    /// Counters that let no more requests, and no more bytes, through than this.
    pub(crate) fn capped(max_requests: Option<u64>, max_bytes: Option<u64>) -> Self {
        static READERS: AtomicU64 = AtomicU64::new(1);
        // whoever waited for a request of this one would fail by its caps
        let reader = if max_requests.is_some() || max_bytes.is_some() { READERS.fetch_add(1, Relaxed) } else { 0 };
        Self { max_requests, max_bytes, reader, ..Self::default() }
    }

    /// Whose requests they are: 0 where anybody may take part in them.
    pub(super) fn reader(&self) -> u64 {
        self.reader
    }

    /// What the last request that failed, and was sent again, failed with.
    pub(crate) fn last_failure(&self) -> Option<String> {
        self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn snapshot(&self) -> CountersSnapshot {
        CountersSnapshot {
            requests: self.requests.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            cache_hits: self.cache_hits.load(Relaxed),
            cache_bytes: self.cache_bytes.load(Relaxed),
            shared: self.shared.load(Relaxed),
            waited: Duration::from_nanos(self.waited_nanos.load(Relaxed)),
            retries: self.retries.load(Relaxed),
        }
    }

    /// A request for about so many bytes is about to be sent.
    pub(super) fn request(&self, bytes: u64) -> Result<()> {
        let over = |what, asked: u64, allowed: Option<u64>| allowed.filter(|a| asked > *a).map(|a| Error::limit(what, asked, a));
        let requests = self.requests.fetch_add(1, Relaxed) + 1;
        let asked = self.asked.fetch_add(bytes, Relaxed).saturating_add(bytes);
        match over("max_requests", requests, self.max_requests).or_else(|| over("max_bytes", asked, self.max_bytes)) {
            Some(e) => {
                self.requests.fetch_sub(1, Relaxed); // it is not sent
                Err(e)
            }
            None => Ok(()),
        }
    }

    /// The answer to a request, of which so many bytes were counted, tells how many they are.
    pub(super) fn settle(&self, counted: u64, bytes: u64) -> Result<()> {
        if bytes <= counted {
            self.asked.fetch_sub(counted - bytes, Relaxed);
            return Ok(());
        }
        let asked = self.asked.fetch_add(bytes - counted, Relaxed).saturating_add(bytes - counted);
        match self.max_bytes {
            Some(allowed) if asked > allowed => Err(Error::limit("max_bytes", asked, allowed)),
            _ => Ok(()),
        }
    }

    /// A request failed, and is about to be sent again.
    pub(super) fn retry(&self, why: &Error) {
        self.retries.fetch_add(1, Relaxed);
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_string());
    }

    /// So many bytes of a body came.
    pub(super) fn received(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// An answer came to its end.
    pub(super) fn landed(&self, waited: Duration) {
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
