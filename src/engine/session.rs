//! The session: what all reads share.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use object_store::ObjectStore;

use super::options::ReadOptions;
use super::pool::Pool;
use super::run::{AbortOnDrop, spawn};
use crate::codec::{MakeCodec, Registry};
use crate::error::Result;
use crate::io::sign::Signer;
use crate::io::{Admission, DiskCache, HostStats, Io, IoOptions, MapFile, NetworkOptions};
use crate::model::{Limits, Secret, Sidecars};

/// Caches, limits and threads that reads share. Cheap to clone; there are no globals.
///
/// A session owns its decode pool and a small I/O runtime, so its futures may be awaited on any executor.
#[derive(Clone)]
pub struct Session {
    pub(crate) inner: Arc<SessionInner>,
    /// What openings and reads may cost, where a handle says nothing else.
    pub(crate) read: Arc<ReadOptions>,
}

pub(crate) struct SessionInner {
    pub(crate) io: Io,
    pub(crate) pool: Pool,
    pub(crate) limits: Limits,
    pub(crate) registry: Registry,
    pub(crate) decoded_budget: Admission,
    pub(crate) stored_budget: Admission,
    pub(crate) cache_decoded: bool,
    pub(crate) huge_pages: bool,
    pub(crate) allowed_references: Arc<[String]>,
    pub(crate) sidecars: Sidecars,
    next_array: AtomicU64,
}

/// Settings of a [`Session`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SessionOptions {
    /// Bounds on everything whose size comes from outside.
    pub limits: Limits,
    /// Threads that decode; 0 = one a core.
    pub threads: usize,
    /// Bytes of all that is kept in memory to be used again: stored bytes as they came over the network, parsed metadata, pages of chunk
    /// tables and indexes of shards, decoded chunks. What is asked for once never displaces what was asked for twice. Default 256 MiB;
    /// 0 = nothing is kept.
    pub cache_bytes: u64,
    /// Whether stored bytes and parsed metadata of remote objects are kept. Default yes.
    pub cache_stored: bool,
    /// Whether decoded chunks are kept: those of reads that take up to a quarter of [`cache_bytes`](Self::cache_bytes). Default yes.
    pub cache_decoded: bool,
    /// Whether arrays of 4 MiB and more that reads make ask the system for huge pages (Linux; elsewhere nothing is asked). Fewer faults while
    /// they are filled, and up to 2 MiB more memory each. Default yes.
    pub huge_pages: bool,
    /// Keeps stored bytes of remote objects on disk, too, for all processes that name the same folder. Default none.
    ///
    /// It stands between memory and the network, and a read never fails for it. [`ChunkedArray::plan`](crate::ChunkedArray::plan) does not look
    /// into it: it tells what is asked for where nothing is there.
    pub disk_cache: Option<DiskCache>,
    /// How the network is used: costs, bounds, time-outs, repetitions.
    pub network: NetworkOptions,
    /// What a read or an opening may cost, where its handle says nothing else.
    pub read: ReadOptions,
    /// Headers sent with plain HTTP(S) requests to the hosts that something was opened on: not to cloud stores, nor to what a file refers to.
    pub headers: Vec<(String, Secret)>,
    /// Requests to cloud stores are not signed.
    pub anonymous: bool,
    /// URLs that a reference file may refer to, with all that is below them, beside what is of its own origin (for a local one: below its
    /// folder). `https://host.net` allows this host and no `https://host.net.other`.
    pub allowed_references: Vec<String>,
    /// Where overviews, masks and metadata in files of their own are looked for. Default: beside local files.
    pub sidecars: Sidecars,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            threads: 0,
            cache_bytes: 256 << 20,
            cache_stored: true,
            cache_decoded: true,
            huge_pages: true,
            disk_cache: None,
            network: NetworkOptions::default(),
            read: ReadOptions::default(),
            headers: Vec::new(),
            anonymous: false,
            allowed_references: Vec::new(),
            sidecars: Sidecars::default(),
        }
    }
}

/// Builds a [`Session`] where more than its [`SessionOptions`] is to be said.
#[derive(Default)]
pub struct SessionBuilder {
    options: SessionOptions,
    stores: Vec<(String, Arc<dyn ObjectStore>)>,
    signer: Option<Arc<dyn Signer>>,
    registry: Registry,
    trusted_mmap: Option<MapFile>,
}

impl SessionBuilder {
    /// Reads objects whose URL starts with `prefix` from a store of the caller's; the rest of the URL is the path in it.
    #[must_use]
    pub fn with_store(mut self, prefix: impl Into<String>, store: Arc<dyn ObjectStore>) -> Self {
        self.stores.push((prefix.into(), store));
        self
    }
    /// Signs requests to the URLs that this signer says are its own: it is asked for every request, so that no signature ends within a read.
    ///
    /// [`StaticToken`](crate::StaticToken) for tokens at hand, [`TokenEndpoint`](crate::TokenEndpoint) for Azure's, [`SignWith`](crate::SignWith)
    /// for a function of the caller's.
    #[must_use]
    pub fn with_signer(mut self, signer: Arc<dyn Signer>) -> Self {
        self.signer = Some(signer);
        self
    }
    /// Decodes [`CodecSpec::Other`](crate::model::CodecSpec::Other) of this name with a codec of the caller's.
    #[must_use]
    pub fn with_codec(mut self, name: impl Into<String>, make: MakeCodec) -> Self {
        self.registry = self.registry.with(name, make);
        self
    }
    /// Maps local files into memory, so that chunks stored as they are wanted are views of the file.
    ///
    /// **The files must not change while they are read**: a file that shrinks under a mapping kills the process.
    #[cfg(feature = "mmap")]
    #[must_use]
    pub fn with_trusted_mmap(mut self) -> Self {
        self.trusted_mmap = Some(super::sink::map);
        self
    }
    /// Makes the session.
    ///
    /// # Errors
    /// `Storage` where threads cannot be started, or the cache on disk cannot be used.
    pub fn build(self) -> Result<Session> {
        let Self { options, stores, signer, registry, trusted_mmap } = self;
        let io = IoOptions {
            headers: options.headers,
            anonymous: options.anonymous,
            stores,
            signer,
            cache_bytes: options.cache_bytes,
            cache_stored: options.cache_stored,
            disk_cache: options.disk_cache,
            network: options.network,
            trusted_mmap,
        };
        let limits = options.limits;
        Ok(Session {
            read: Arc::new(options.read),
            inner: Arc::new(SessionInner {
                io: Io::new(io, limits.clone())?,
                pool: Pool::new(options.threads)?,
                registry,
                decoded_budget: Admission::new(limits.decoded_in_flight),
                stored_budget: Admission::new(limits.stored_in_flight),
                limits,
                cache_decoded: options.cache_decoded,
                huge_pages: options.huge_pages,
                allowed_references: options.allowed_references.into(),
                sidecars: options.sidecars,
                next_array: AtomicU64::new(0),
            }),
        })
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// A session with the default options.
    ///
    /// # Panics
    /// Where the system cannot start its threads; [`Session::with_options`] reports that instead.
    #[must_use]
    pub fn new() -> Self {
        match Self::with_options(SessionOptions::default()) {
            Ok(session) => session,
            Err(e) => panic!("{e}"),
        }
    }
    /// A session with these options.
    ///
    /// # Errors
    /// `Storage` where threads cannot be started, or the cache on disk cannot be used.
    pub fn with_options(options: SessionOptions) -> Result<Self> {
        Self::builder(options).build()
    }
    /// For a session with stores or codecs of the caller's.
    #[must_use]
    pub fn builder(options: SessionOptions) -> SessionBuilder {
        SessionBuilder { options, ..SessionBuilder::default() }
    }
    /// The same session, its caches and threads, with other options for what is opened through this handle.
    #[must_use]
    pub fn with_read_options(&self, options: ReadOptions) -> Self {
        Self { inner: self.inner.clone(), read: Arc::new(options) }
    }
    /// What an opening or a read may cost, where a handle says nothing else.
    #[must_use]
    pub fn read_options(&self) -> &ReadOptions {
        &self.read
    }
    /// The bounds on what comes from outside.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }
    /// What the session has seen of each host that it asked: requests, failures, speed; sorted by name. Of the last 1,024 hosts.
    #[must_use]
    pub fn host_stats(&self) -> Vec<HostStats> {
        self.inner.io.host_stats()
    }
    /// The pool that chunks are decoded in.
    #[must_use]
    pub fn pool(&self) -> &rayon::ThreadPool {
        self.inner.pool.threads()
    }
    /// Puts an object into the session's own memory store: `memory://name/path`. Reads of it are views of these bytes.
    ///
    /// # Errors
    /// `Usage` where the URL is not of that store.
    pub async fn put_memory(&self, url: &str, bytes: Bytes) -> Result<()> {
        let (io, object) = (self.inner.io.clone(), self.inner.io.object(url)?);
        self.spawn(async move { io.put_memory(&object, bytes).await }).await
    }
    /// Drops all that is known at and below a URL or local path: stored bytes, metadata, pages of chunk tables, decoded chunks.
    ///
    /// What is opened and read from now on is asked for anew; datasets that are open stay pinned to the version they were opened at. Chunks
    /// that a file of references names in other objects are forgotten with the file of references.
    ///
    /// # Errors
    /// `Usage` or `Unsupported` for what is no URL, or of an unknown scheme; `Storage` where the cache on disk may still hold of it.
    pub async fn forget(&self, url: &str) -> Result<()> {
        self.forget_object(&self.inner.io.object(url)?).await
    }
    /// Waits for a future of this session's on the calling thread. Not for use inside of an async task.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.inner.pool.block_on(future)
    }
    /// Runs a future on the I/O runtime; dropping the result ends it.
    pub(crate) fn spawn<T: Send + 'static>(&self, future: impl Future<Output = Result<T>> + Send + 'static) -> AbortOnDrop<Result<T>> {
        spawn(&self.inner.io, future)
    }
    /// For tests: what of the budgets is taken, in bytes and requests.
    #[cfg(feature = "__inject")]
    #[doc(hidden)]
    #[must_use]
    pub fn held(&self) -> u64 {
        self.inner.decoded_budget.used() + self.inner.stored_budget.used() + self.inner.io.held()
    }
    pub(crate) fn next_array(&self) -> u64 {
        self.inner.next_array.fetch_add(1, Ordering::Relaxed)
    }
}

impl SessionInner {
    /// Whether so many bytes of decoded chunks are worth keeping: not those of a read that is large beside the cache.
    pub(crate) fn keeps_decoded(&self, bytes: u64) -> bool {
        self.cache_decoded && bytes <= self.io.memory().budget() / 4
    }
}

impl Drop for SessionInner {
    /// What was read is for other processes, too: it is written before this one may end.
    fn drop(&mut self) {
        self.io.settle();
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("threads", &self.pool().current_num_threads()).finish_non_exhaustive()
    }
}
