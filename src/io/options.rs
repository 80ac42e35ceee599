//! What a caller may choose.

use std::fmt;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::ObjectStore;

use super::MergePolicy;
use crate::model::Secret;

/// Maps a whole file into memory. A function pointer, because mapping is unsafe and this module is not.
pub(crate) type MapFile = fn(&File) -> std::io::Result<Bytes>;

/// The options of an [`Io`](super::Io).
#[derive(Clone)]
pub(crate) struct IoOptions {
    /// Sent with every HTTP(S) request to the hosts the caller opened something on: not to those a file refers to.
    pub(crate) headers: Vec<(String, Secret)>,
    /// Asks S3, Google Cloud Storage and Azure without credentials.
    pub(crate) anonymous: bool,
    /// The caller's own stores by URL prefix; the longest prefix wins, and the rest of the URL is the key.
    pub(crate) stores: Vec<(String, Arc<dyn ObjectStore>)>,
    /// Bytes of responses kept. 0 keeps none; local files and `memory:` objects are never kept. Default 64 MiB.
    pub(crate) byte_cache: u64,
    /// How ranges become requests.
    pub(crate) merge: MergePolicy,
    /// Reads local files as views of their pages. The caller vouches that the files do not change.
    pub(crate) trusted_mmap: Option<MapFile>,
    /// Default 5 s.
    pub(crate) connect_timeout: Duration,
    /// The longest silence within a response. Default 30 s.
    pub(crate) read_timeout: Duration,
    /// How often a request that failed on its way, or met a 5xx, is sent again. Default 3.
    pub(crate) retries: usize,
    /// No request is sent again after this. Default 30 s.
    pub(crate) retry_timeout: Duration,
}

impl Default for IoOptions {
    fn default() -> Self {
        Self {
            headers: Vec::new(),
            anonymous: false,
            stores: Vec::new(),
            byte_cache: 64 << 20,
            merge: MergePolicy::default(),
            trusted_mmap: None,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(30),
            retries: 3,
            retry_timeout: Duration::from_secs(30),
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
            .field("byte_cache", &self.byte_cache)
            .field("merge", &self.merge)
            .field("trusted_mmap", &self.trusted_mmap.is_some())
            .finish_non_exhaustive()
    }
}
