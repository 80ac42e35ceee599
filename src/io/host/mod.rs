//! What is known of a host, and how it is treated: how many requests at once, what one costs, when one is sent again.
//!
//! A request passes, in this order: its host's window, its host's bytes in flight, a pause that its host asked for, the requests and
//! then the bytes of all hosts. Each of them is first come, first served, and is given up where the future is dropped. This
//! cannot lock up: who waits at one gate holds only places at gates before it, so who is through the last one waits for
//! nobody, and gives all of its places back after an answer or a time-out; then the first at that gate is through, and so on
//! backwards. The pause is waited for before the gates of all hosts, so that a host that asks for one keeps nothing from the others. One rule
//! is left to the callers: who holds a [`Slot`] goes on with its request while it waits for another one.

mod budget;
mod cost;
mod pace;
mod retry_after;
mod slot;
mod state;
mod stats;
#[cfg(test)]
mod tests;
mod window;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;

use super::limit::Admission;
use super::options::NetworkOptions;
use super::ranges::MergePolicy;
use super::request::MOST_WHOLE;
use crate::model::{ObjectKey, without_secrets};
#[cfg(feature = "cloud")]
pub(crate) use retry_after::{http_date, retry_after};
use slot::Shared;
pub(crate) use slot::Slot;
use state::State;
pub use stats::HostStats;

/// Hosts that are remembered: what was learned of the one that was not asked for longest is forgotten.
const KEPT: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// The hosts of one `Io`.
pub(crate) struct Hosts {
    options: Arc<NetworkOptions>,
    known: Mutex<LruCache<Box<str>, Arc<Host>>>,
    requests: Admission,
    bytes: Admission,
}

/// One host: scheme, name and port; for a cloud store, scheme and bucket.
pub(crate) struct Host {
    options: Arc<NetworkOptions>,
    shared: Arc<Shared>,
    bytes: Admission,
    all_requests: Admission,
    all_bytes: Admission,
    /// Files and memory: nothing of the network is true of them.
    is_local: bool,
    suffixes_refused: AtomicBool,
    ranges_refused: AtomicBool,
}

/// Why an attempt failed, as far as the host's treatment depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    /// What the host asked for.
    pub(crate) retry_after: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// 429 and 503.
    Throttled,
    /// 408, 500, 502, 504.
    Server,
    /// No connection, no first byte, or no progress in time.
    TimedOut,
    /// Refused, reset, or ended before its time.
    Broken,
    /// Whatever would fail again.
    Final,
}

impl Hosts {
    pub(crate) fn new(options: &NetworkOptions) -> Self {
        Self {
            options: Arc::new(options.clone()),
            known: Mutex::new(LruCache::new(KEPT)),
            requests: Admission::new(options.connections as u64),
            bytes: Admission::new(options.bytes_in_flight),
        }
    }

    /// The host of an object.
    pub(crate) fn of(&self, key: &ObjectKey) -> Arc<Host> {
        let name = name(key);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = known.get(name) {
            return host.clone();
        }
        let host = Arc::new(Host {
            shared: Arc::new(Shared::new(State::new(&self.options))),
            bytes: Admission::new(self.options.bytes_in_flight_per_host),
            all_requests: self.requests.clone(),
            all_bytes: self.bytes.clone(),
            options: self.options.clone(),
            is_local: name.starts_with("memory:") || name.starts_with("file:"),
            suffixes_refused: AtomicBool::new(false),
            ranges_refused: AtomicBool::new(false),
        });
        known.push(name.into(), host.clone());
        host
    }

    /// What of the budgets of all of them is taken.
    #[cfg(feature = "__inject")]
    pub(crate) fn held(&self) -> u64 {
        self.requests.used() + self.bytes.used()
    }

    /// What was seen of each, by their names.
    pub(crate) fn stats(&self) -> Vec<HostStats> {
        let known: Vec<_> = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.iter().filter(|(_, host)| !host.is_local).map(|(name, host)| (name.clone(), host.clone())).collect()
        };
        let now = Instant::now();
        let mut stats: Vec<_> = known
            .iter()
            .map(|(name, host)| HostStats {
                host: without_secrets(name).into_owned(),
                in_flight: host.shared.requests.used(),
                ignores_ranges: host.ranges_are_refused(),
                ..host.shared.lock().stats(now)
            })
            .filter(|stats| stats.requests > 0)
            .collect();
        stats.sort_by(|a, b| a.host.cmp(&b.host));
        stats
    }
}

impl Host {
    /// How ranges of its objects become requests.
    pub(crate) fn merge(&self) -> MergePolicy {
        if self.ranges_are_refused() {
            // Every request brings the whole object, which can only be read at all where it is not larger than this.
            return MergePolicy { gap: MOST_WHOLE, least: MOST_WHOLE, most: MOST_WHOLE, connections: 1 };
        }
        self.shared.lock().learned.policy(&self.options)
    }

    /// Waits until one more request, for about so many bytes, may be sent. More bytes than there may be in flight are let through alone.
    pub(crate) async fn admit(&self, bytes: u64) -> Slot {
        if self.is_local {
            return Slot::free();
        }
        let request = self.shared.requests.acquire(1).await;
        let body = self.bytes.acquire(bytes).await;
        loop {
            while let Some(until) = self.paused() {
                tokio::time::sleep_until(until.into()).await;
            }
            let request_of_all = self.all_requests.acquire(1).await;
            let body_of_all = self.all_bytes.acquire(bytes).await;
            let now = Instant::now();
            let mut state = self.shared.lock();
            if state.paused(now).is_none() {
                let attempt = state.send(now);
                drop(state);
                return Slot::sent(self.shared.clone(), attempt, [request, body, request_of_all, body_of_all]);
            }
        }
    }

    /// Until when no request may be sent.
    fn paused(&self) -> Option<Instant> {
        self.shared.lock().paused(Instant::now())
    }

    /// How long to wait before a request that failed `failed` times is sent again; `None`: not again. Takes of the host's budget.
    pub(crate) fn retry(&self, failed: u32, failure: &Failure) -> Option<Duration> {
        self.shared.lock().retry(failed, failure, &self.options)
    }

    /// After how long without an answer a request is late, and may be sent a second time if [`hedge`](Self::hedge) says so then; `None`: not at all.
    pub(crate) fn hedge_after(&self) -> Option<Duration> {
        self.shared.lock().hedge_after(&self.options)
    }

    /// Whether a late request is to be sent a second time: so many others may have been in the meantime that it is not.
    pub(crate) fn hedge(&self) -> bool {
        self.shared.lock().hedge(&self.options)
    }

    /// Whether it refused a suffix range before.
    pub(crate) fn suffixes_are_refused(&self) -> bool {
        self.suffixes_refused.load(Ordering::Relaxed)
    }

    pub(crate) fn refuses_suffixes(&self) {
        self.suffixes_refused.store(true, Ordering::Relaxed);
    }

    /// Whether it sent the last object whole of which a part was asked for.
    fn ranges_are_refused(&self) -> bool {
        self.ranges_refused.load(Ordering::Relaxed)
    }

    pub(crate) fn refuses_ranges(&self) {
        self.ranges_refused.store(true, Ordering::Relaxed);
    }

    /// It sent a part: those who serve one object whole may serve ranges of others.
    pub(crate) fn serves_ranges(&self) {
        if self.ranges_are_refused() {
            self.ranges_refused.store(false, Ordering::Relaxed);
        }
    }
}

/// Scheme, host and port.
fn name(key: &ObjectKey) -> &str {
    let url = key.url();
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find('/').map_or(url.len(), |at| start + at);
    &url[..end]
}
