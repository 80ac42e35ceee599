//! What is known of a host, and how it is treated: how many requests at once, what one costs, when one is sent again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::options::NetworkOptions;
use super::ranges::MergePolicy;
use crate::model::ObjectKey;

/// The hosts of one `Io`.
pub(crate) struct Hosts {
    options: NetworkOptions,
    all: Mutex<HashMap<Box<str>, Arc<Host>>>,
}

/// One host: scheme, name and port; for a cloud store, scheme and bucket.
pub(crate) struct Host {
    options: NetworkOptions,
    window: Arc<Semaphore>,
    suffixes_refused: AtomicBool,
}

/// One attempt at a request, in flight. Dropping it frees its place, and teaches nothing.
pub(crate) struct Slot {
    _window: Option<OwnedSemaphorePermit>,
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
        Self { options: options.clone(), all: Mutex::default() }
    }
    /// The host of an object.
    pub(crate) fn of(&self, key: &ObjectKey) -> Arc<Host> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(name(key).into()).or_insert_with(|| Arc::new(Host::new(&self.options))).clone()
    }
}

impl Host {
    fn new(options: &NetworkOptions) -> Self {
        Self { window: Arc::new(Semaphore::new(options.connections_per_host)), options: options.clone(), suffixes_refused: AtomicBool::new(false) }
    }
    /// How ranges of its objects become requests.
    pub(crate) fn merge(&self) -> MergePolicy {
        let default = MergePolicy::default();
        MergePolicy {
            gap: self.options.merge_gap.unwrap_or(default.gap),
            least: default.least,
            most: self.options.request_bytes,
            connections: self.options.connections_per_host,
        }
    }
    /// Waits until one more request, for about so many bytes, may be sent.
    pub(crate) async fn admit(&self, _bytes: u64) -> Slot {
        Slot { _window: self.window.clone().acquire_owned().await.ok() }
    }
    /// How long to wait before a request that failed `failed` times is sent again; `None`: not again.
    pub(crate) fn retry(&self, failed: u32, failure: &Failure) -> Option<Duration> {
        (failure.kind != FailureKind::Final && failed < self.options.attempts).then_some(failure.retry_after.unwrap_or(self.options.backoff))
    }
    /// After how long without an answer a request is sent a second time; `None`: not at all.
    pub(crate) fn hedge_after(&self) -> Option<Duration> {
        None
    }
    /// Whether it refused a suffix range before.
    pub(crate) fn suffixes_are_refused(&self) -> bool {
        self.suffixes_refused.load(Ordering::Relaxed)
    }
    pub(crate) fn refuses_suffixes(&self) {
        self.suffixes_refused.store(true, Ordering::Relaxed);
    }
    /// It sent an object whole although a part was asked for.
    pub(crate) fn refuses_ranges(&self) {}
}

impl Slot {
    /// The answer's headers came.
    pub(crate) fn answered(&mut self) {}
    /// Bytes of the body came.
    pub(crate) fn received(&mut self, _bytes: usize) {}
    /// The answer was a good one.
    pub(crate) fn done(self) {}
    /// It was none.
    pub(crate) fn failed(self, _failure: &Failure) {}
}

/// Scheme, host and port.
fn name(key: &ObjectKey) -> &str {
    let url = key.url();
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find('/').map_or(url.len(), |at| start + at);
    &url[..end]
}
