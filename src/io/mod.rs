//! The only code that waits: from names to bytes.
//!
//! ```text
//! wants -> what is kept -> single flight -> merge and split -> connections -> a store
//! ```
//!
//! An [`Io`] owns its runtime, its stores and its caches, so that its callers may be on any executor, or on none. Requests
//! belong to the `Io` and live as long as somebody waits for them.

#![cfg_attr(not(feature = "cloud"), allow(dead_code, reason = "logins, time-outs and retries are for stores over a network"))]

mod at_hand;
mod cache;
mod checked;
#[cfg(feature = "cloud")]
mod cloud;
mod counters;
mod disk;
mod errors;
mod fetch;
mod flight;
#[cfg(all(feature = "__fuzz", feature = "cloud"))]
pub mod fuzzing;
mod host;
mod kept;
mod limit;
mod list;
mod local;
mod memory;
mod names;
mod options;
mod paced;
mod put;
mod ranges;
mod refetch;
mod request;
pub(crate) mod sign;
mod sinks;
mod store;
#[cfg(feature = "cloud")]
mod wire;

#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{AbortHandle, JoinHandle};

use crate::error::{Error, Result};
use crate::model::{Got, Limits, ObjectKey, Parser, Step, Want};
use fetch::{Flight, Waiter};
use flight::Flights;
use kept::Kept;
use store::{Kind, Place, Stores};

pub(crate) use at_hand::AtHand;
pub(crate) use counters::Counters;
pub use disk::DiskCache;
pub(crate) use fetch::PlannedRequest;
pub use host::HostStats;
pub(crate) use limit::{Admission, Permit};
pub(crate) use memory::Memory;
pub use options::{Cost, NetworkOptions, Redirects};
pub(crate) use options::{IoOptions, MapFile};

/// Rounds after which a parser that is still not done is given up.
const MOST_ROUNDS: usize = 10_000;
/// Documents above this are parsed on a thread of their own, so that others are not kept waiting.
const LONG_DOCUMENT: u64 = 1 << 20;
/// What is parsed of a byte of metadata takes up to so many bytes: tables of numbers become twice as wide, names become strings.
const PARSED_WEIGHT: u64 = 3;
/// The threads that wait; none of them ever decodes.
const WORKERS: usize = 2;

/// Access to stores. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Io(Arc<Inner>);

struct Inner {
    runtime: Mutex<Option<Runtime>>,
    handle: Handle,
    stores: Arc<Stores>,
    hosts: host::Hosts,
    network: NetworkOptions,
    limits: Limits,
    kept: Kept,
    flights: Flights<Flight, Waiter, AbortHandle>,
}

impl Io {
    /// # Errors
    /// Headers that are none, a cache on disk that cannot be used, or a system that gives no threads.
    pub(crate) fn new(options: IoOptions, limits: Limits) -> Result<Self> {
        let stores = Arc::new(Stores::new(&options)?);
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("swath-io")
            .enable_all()
            .build()
            .map_err(|e| Error::storage(format!("no runtime: {e}")))?;
        Ok(Self(Arc::new(Inner {
            handle: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
            stores,
            limits,
            kept: Kept::new(options.cache_bytes, options.cache_stored, options.network.fresh_for, options.disk_cache.as_ref())?,
            flights: Flights::new(),
            hosts: host::Hosts::new(&options.network),
            network: options.network,
        })))
    }

    /// What of the budgets of all hosts is taken, and how many answers are waited for.
    #[cfg(feature = "__inject")]
    pub(crate) fn held(&self) -> u64 {
        self.0.hosts.held() + self.0.flights.len() as u64
    }

    /// Runs a future on the runtime of this `Io`, whatever the caller runs on.
    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.handle.spawn(future)
    }

    /// The name of an existing local path, else of a URL, else of a local path that is not there yet.
    ///
    /// A query and user info are taken off the name, and sent with every request at and below that URL.
    ///
    /// # Errors
    /// What is no URL, or of an unknown scheme.
    pub(crate) fn object(&self, url_or_path: &str) -> Result<ObjectKey> {
        self.0.stores.object(url_or_path)
    }

    /// Whether it is a directory of the local file system. Blocks shortly.
    pub(crate) fn is_local_directory(&self, key: &ObjectKey) -> bool {
        matches!(self.0.stores.place(key), Ok(Place::Local(path)) if path.is_dir())
    }

    /// Whether it is a file of the local file system. Blocks shortly.
    pub(crate) fn is_local_file(&self, key: &ObjectKey) -> bool {
        matches!(self.0.stores.place(key), Ok(Place::Local(path)) if path.is_file())
    }

    /// Fetches one want.
    ///
    /// # Errors
    /// What the store, or its answer, is at fault with; an object that is not there is [`Got::Missing`].
    pub(crate) async fn get(&self, want: &Want, counters: &Arc<Counters>) -> Result<Got> {
        let mut fetch = self.fetch(vec![want.clone()], counters.clone());
        match fetch.next().await {
            Some((_, got)) => got,
            None => Err(Error::storage("the request ended without an answer").in_object(want.object().url())),
        }
    }

    /// Gives a parser what it needs until it is done. The wants of one step are fetched at once, and supplied in their order.
    ///
    /// # Errors
    /// The parser's, the stores', and [`ErrorKind::Limit`](crate::ErrorKind::Limit) where it reads more than
    /// `max_metadata_bytes`.
    pub(crate) async fn drive<P>(&self, parser: P, counters: &Arc<Counters>) -> Result<P::Output>
    where
        P: Parser + Send + 'static,
        P::Output: Send + 'static,
    {
        self.drive_counting(parser, counters, &mut 0).await
    }

    /// As [`drive`](Self::drive), adding up the bytes that the parser was given.
    async fn drive_counting<P>(&self, mut parser: P, counters: &Arc<Counters>, taken: &mut u64) -> Result<P::Output>
    where
        P: Parser + Send + 'static,
        P::Output: Send + 'static,
    {
        let allowed = self.0.limits.max_metadata_bytes;
        let mut parsed = 0_u64;
        for _ in 0..MOST_ROUNDS {
            let step = if *taken - parsed > LONG_DOCUMENT {
                let work = tokio::task::spawn_blocking(move || {
                    let step = parser.step();
                    (parser, step)
                });
                let (back, step) = work.await.map_err(|_| Error::storage("parsing was cut short"))?;
                parser = back;
                step
            } else {
                parser.step()
            };
            parsed = *taken;
            let wants = match step? {
                Step::Done(output) => return Ok(output),
                Step::Need(wants) => wants,
            };
            let mut answers: Vec<Option<Got>> = wants.iter().map(|_| None).collect();
            let mut fetch = self.fetch(wants.clone(), counters.clone());
            while let Some((index, got)) = fetch.next().await {
                let got = got?;
                if let Got::Bytes { bytes, .. } = &got {
                    *taken = taken.saturating_add(bytes.len() as u64);
                    Limits::check("max_metadata_bytes", *taken, allowed).map_err(|e| e.in_object(wants[index].object().url()))?;
                }
                answers[index] = Some(got);
            }
            for (want, got) in wants.iter().zip(answers) {
                let got = got.ok_or_else(|| Error::storage("the request ended without an answer"))?;
                parser.supply(want, got).map_err(|e| e.in_object(want.object().url()))?;
            }
        }
        Err(Error::limit("rounds of a parser", MOST_ROUNDS as u64 + 1, MOST_ROUNDS as u64))
    }

    /// Puts an object of the memory store in place: `memory://name/path`. Reads of it are views of these bytes.
    ///
    /// # Errors
    /// A key that is not of the memory store, or of a caller's own one.
    pub(crate) async fn put_memory(&self, key: &ObjectKey, bytes: Bytes) -> Result<()> {
        if !key.url().starts_with("memory://") {
            return Err(Error::usage("not a key of the memory store").in_object(key.url()));
        }
        self.put(key, bytes).await
    }

    /// What was seen of each host.
    pub(crate) fn host_stats(&self) -> Vec<HostStats> {
        self.0.hosts.stats()
    }

    /// As [`drive`](Self::drive); or what was made by a parser of this kind of the same object, not longer ago than `fresh_for`.
    ///
    /// # Errors
    /// As those of `drive`.
    pub(crate) async fn drive_shared<P>(&self, object: &ObjectKey, parser: P, counters: &Arc<Counters>) -> Result<Arc<P::Output>>
    where
        P: Parser + Send + 'static,
        P::Output: Send + Sync + 'static,
    {
        let kept = &self.0.kept;
        if let Some(parsed) = kept.parsed(object) {
            return Ok(parsed);
        }
        let started = Instant::now();
        let mut taken = 0;
        let parsed = Arc::new(self.drive_counting(parser, counters, &mut taken).await?);
        let is_remote = !matches!(self.0.stores.kind(object), Kind::Local | Kind::Memory);
        // What was made of bytes that were kept is as old as they are, which is not known here.
        if is_remote && counters.snapshot().cache_hits == 0 {
            kept.put_parsed(object, parsed.clone(), taken.saturating_mul(PARSED_WEIGHT), started);
        }
        Ok(parsed)
    }

    /// What is kept in memory.
    pub(crate) fn memory(&self) -> &Memory {
        &self.0.kept.memory
    }

    /// Drops all that is known at and below a URL.
    ///
    /// # Errors
    /// `Storage` where the cache on disk may still hold of it.
    pub(crate) async fn forget(&self, key: &ObjectKey) -> Result<()> {
        self.0.kept.forget_all(&self.0.stores, key).await
    }

    /// Waits until what is to be kept on disk is there, but not for ever. Blocks.
    pub(crate) fn settle(&self) {
        self.0.kept.settle();
    }

    /// Bytes that are kept in memory.
    #[cfg(test)]
    pub(crate) fn cached_bytes(&self) -> u64 {
        self.memory().used()
    }
}

impl Inner {
    async fn forget(&self, key: &ObjectKey) -> Result<()> {
        self.kept.forget(&self.stores, key).await
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // waiting for its threads is not allowed on those of another runtime, nor on its own
        if let Some(runtime) = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").finish_non_exhaustive()
    }
}
