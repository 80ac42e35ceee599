//! What a session has seen of a host.

use std::time::Duration;

/// What a session has seen of a host since it first asked it: of its requests, and of how it is treated now.
///
/// A host is a scheme with a name and a port, or with a bucket. Local files and the session's own memory are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostStats {
    /// Its URL, without a path.
    pub host: String,
    /// Requests sent, repeated ones and those of hedging included.
    pub requests: u64,
    /// Requests in flight now.
    pub in_flight: u64,
    /// Bytes of the bodies that came, those of failed attempts included.
    pub bytes: u64,
    /// Requests that failed and were to be sent again.
    pub retries: u64,
    /// Answers 429 and 503.
    pub throttled: u64,
    /// Answers 408, 500, 502 and 504.
    pub server_errors: u64,
    /// Connections, first bytes or bodies that did not come in time.
    pub timeouts: u64,
    /// Connections that were refused or reset, or ended before their answers did.
    pub broken: u64,
    /// Requests that were sent a second time because the first was late.
    pub hedges: u64,
    /// Requests that may be in flight at once now.
    pub window: usize,
    /// How long no request is sent yet, because the host asked for it by `Retry-After`.
    pub paused: Option<Duration>,
    /// Whether it sent a whole object where a part was asked for the last time.
    pub ignores_ranges: bool,
    /// From a request sent to its first byte: the median of the last 64. `None` before the first.
    pub latency: Option<Duration>,
    /// Bytes a second of one connection: the median of the last 64 bodies of 64 KiB and more. `None` before the first.
    pub bytes_per_second: Option<u64>,
}
