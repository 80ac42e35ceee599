//! What a caller may choose.

use std::fmt;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::ObjectStore;

use super::disk::DiskCache;
use super::sign::Signer;
use crate::model::Secret;

/// Maps a whole file into memory. A function pointer, because mapping is unsafe and this module is not.
pub(crate) type MapFile = fn(&File) -> std::io::Result<Bytes>;

/// How a session uses the network.
///
/// Nothing here is about one read: what a read may cost is said by its [`ReadOptions`](crate::ReadOptions).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NetworkOptions {
    /// What a request is taken to cost, from which gaps are merged and runs are split. Default: learned of each host.
    pub cost: Cost,
    /// Gaps between ranges up to this many bytes are read over, whatever the cost. Default `None`: as the cost says.
    pub merge_gap: Option<u64>,
    /// No request is larger than this, in bytes. Default 8 MiB.
    pub request_bytes: u64,
    /// Requests in flight to all hosts together. Default 64.
    pub connections: usize,
    /// Requests in flight to one host at most; fewer while it answers 429 or 503, or not in time. Default 16.
    pub connections_per_host: usize,
    /// Bytes asked for and in flight from all hosts together. Default 256 MiB.
    pub bytes_in_flight: u64,
    /// Bytes asked for and in flight from one host. Default 128 MiB.
    pub bytes_in_flight_per_host: u64,
    /// The longest wait for a connection. Default 5 s.
    pub connect_timeout: Duration,
    /// The longest wait from a request sent to its answer's headers. Default 30 s.
    pub first_byte_timeout: Duration,
    /// A body that brings fewer than [`progress_bytes`](Self::progress_bytes) in this time is given up. Default 10 s.
    pub progress_timeout: Duration,
    /// See [`progress_timeout`](Self::progress_timeout). Default 4 KiB.
    pub progress_bytes: u64,
    /// How often one request is sent at most, the first time counted. Default 5.
    pub attempts: u32,
    /// Repeated requests allowed, as a share of the requests to a host. Default 0.2.
    pub retry_share: f64,
    /// Repeated requests allowed whatever the share. Default 10.
    pub retry_floor: u32,
    /// The longest random wait before the first repetition; it doubles with each further one. Default 100 ms.
    pub backoff: Duration,
    /// The longest random wait before any repetition. Default 10 s.
    pub backoff_most: Duration,
    /// Sends a request a second time where its answer is later than 95 % of the host's and than twice the usual, for at most 5 % of the
    /// requests. Default off.
    pub hedge: bool,
    /// Which redirects are followed. Default [`Redirects::SameOrigin`].
    pub redirects: Redirects,
    /// How long what was read of an object may be used again before it is known which version of the object is meant. Default 60 s.
    pub fresh_for: Duration,
}

impl Default for NetworkOptions {
    fn default() -> Self {
        Self {
            cost: Cost::Learned,
            merge_gap: None,
            request_bytes: 8 << 20,
            connections: 64,
            connections_per_host: 16,
            bytes_in_flight: 256 << 20,
            bytes_in_flight_per_host: 128 << 20,
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(30),
            progress_timeout: Duration::from_secs(10),
            progress_bytes: 4 << 10,
            attempts: 5,
            retry_share: 0.2,
            retry_floor: 10,
            backoff: Duration::from_millis(100),
            backoff_most: Duration::from_secs(10),
            hedge: false,
            redirects: Redirects::SameOrigin,
            fresh_for: Duration::from_secs(60),
        }
    }
}

/// What a request costs: its latency, and the time its bytes take on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cost {
    /// Of each host, from its answers; [`Cost::TYPICAL`] until there are enough. So how many requests a read takes may change with what
    /// was read before; with a fixed cost it does not.
    Learned,
    /// As the caller knows it.
    Fixed {
        /// From a request sent to its first byte.
        latency: Duration,
        /// Of one connection.
        bytes_per_second: u64,
    },
}

impl Cost {
    /// An object store in the same part of the world: 31.25 ms, 64 MiB/s a connection; so 2 MiB in the time of a round trip.
    pub const TYPICAL: Self = Self::Fixed { latency: Duration::from_micros(31_250), bytes_per_second: 64 << 20 };
}

/// Which redirects are followed: at most five in a row, never from https to http.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Redirects {
    /// Within scheme, host and port.
    #[default]
    SameOrigin,
    /// To any host, where the request carries no header or credential of the caller.
    AnyHost,
}

/// The options of an [`Io`](super::Io).
#[derive(Clone)]
pub(crate) struct IoOptions {
    /// Sent with every HTTP(S) request to the hosts the caller opened something on: not to those a file refers to.
    pub(crate) headers: Vec<(String, Secret)>,
    /// Asks S3, Google Cloud Storage and Azure without credentials.
    pub(crate) anonymous: bool,
    /// The caller's own stores by URL prefix; the longest prefix wins, and the rest of the URL is the key.
    pub(crate) stores: Vec<(String, Arc<dyn ObjectStore>)>,
    /// Signs the requests that are its own.
    pub(crate) signer: Option<Arc<dyn Signer>>,
    /// Bytes of all that is kept in memory. Default 256 MiB; 0 = nothing.
    pub(crate) cache_bytes: u64,
    /// Whether stored bytes are kept; those of local files and `memory:` objects never are. Default yes.
    pub(crate) cache_stored: bool,
    pub(crate) disk_cache: Option<DiskCache>,
    pub(crate) network: NetworkOptions,
    /// Reads local files as views of their pages. The caller vouches that the files do not change.
    pub(crate) trusted_mmap: Option<MapFile>,
}

impl Default for IoOptions {
    fn default() -> Self {
        Self {
            headers: Vec::new(),
            anonymous: false,
            stores: Vec::new(),
            signer: None,
            cache_bytes: 256 << 20,
            cache_stored: true,
            disk_cache: None,
            network: NetworkOptions::default(),
            trusted_mmap: None,
        }
    }
}

impl fmt::Debug for IoOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // never the stores themselves: the Debug of some prints their credentials
        let stores: Vec<_> = self.stores.iter().map(|(prefix, _)| crate::model::without_secrets(prefix)).collect();
        f.debug_struct("IoOptions")
            .field("headers", &self.headers)
            .field("anonymous", &self.anonymous)
            .field("stores", &stores)
            .field("network", &self.network)
            .finish_non_exhaustive()
    }
}
