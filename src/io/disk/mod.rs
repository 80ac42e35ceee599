//! Stored bytes on disk, shared by the processes of a host.
//!
//! A second layer below memory: it holds what came over the network, by unsigned URL, version and piece, each in a file of its own with
//! a checksum. It never fails a read: what cannot be read, or is damaged, is not there, and what cannot be written is not kept.

mod entry;
mod folder;
mod lease;
mod name;
mod writer;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::memory::Piece;
use super::request::is_strong;
use crate::error::{Error, Result};
use entry::{Entry, Found};
use folder::Folder;
use lease::{Asked, Leases};
use name::Name;
use writer::{Job, Writer};

pub(crate) use lease::Lease;
pub(crate) use name::Lasting;

/// The longest wait for what is still to be written or removed.
const LAST_WRITES: Duration = Duration::from_secs(5);
/// How long nobody is waited for after another process took too long: it may be stopped, and holds many leases.
const IMPATIENT: Duration = Duration::from_secs(60);
/// The first wait between two looks for what another process fetches, and the longest: it doubles.
const LOOKS: [Duration; 2] = [Duration::from_millis(4), Duration::from_millis(64)];

/// A folder in which what came over the network is kept, shared by all processes that name it.
///
/// Entries are checked whenever they are read, and a process that is killed while it writes leaves nothing wrong behind. What was read with one
/// user's rights can be read by whoever may read the folder; it is made for its owner alone. Objects of stores of the
/// caller's own, local files, and URLs whose query says which object is meant are not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiskCache {
    /// The folder; made where it is missing.
    pub directory: PathBuf,
    /// Bytes of all entries together, whichever process wrote them. One of more than a quarter of it is not kept. Default 4 GiB.
    pub bytes: u64,
}

impl DiskCache {
    /// A cache in this folder.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), bytes: 4 << 30 }
    }
    /// The same with another bound.
    #[must_use]
    pub fn with_bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }
}

/// What is looked for.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) object: Lasting,
    /// The version it is pinned to.
    pub(crate) version: Option<Arc<str>>,
    pub(crate) piece: Piece,
}

impl Wanted {
    fn name(&self) -> Name {
        Name::new(&self.object, self.version.as_deref(), &self.piece)
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OnDisk {
    pub(crate) bytes: Bytes,
    /// Of the whole object.
    pub(crate) size: Option<u64>,
    pub(crate) version: Option<Arc<str>>,
    /// Since it came over the network.
    pub(crate) age: Duration,
}

/// An open [`DiskCache`].
pub(crate) struct Disk {
    folder: Arc<Folder>,
    leases: Leases,
    writer: Writer,
    fresh_for: Duration,
    /// Until when nobody is waited for: another process took too long.
    impatient: Mutex<Option<Instant>>,
}

impl Disk {
    /// # Errors
    /// `Storage` where the folder cannot be made or written, or its file system has no locks.
    pub(crate) fn open(options: &DiskCache, fresh_for: Duration) -> Result<Self> {
        let failed = |e: std::io::Error| Error::storage(format!("the cache folder {}: {e}", options.directory.display()));
        let folder = Arc::new(Folder::open(&options.directory, options.bytes).map_err(failed)?);
        Ok(Self { writer: Writer::start(folder.clone()).map_err(failed)?, folder, leases: Leases::default(), fresh_for, impatient: Mutex::default() })
    }

    /// What is kept of each, in their order. What is not pinned to a strong validator must be younger than `fresh_for`.
    pub(crate) async fn get(self: &Arc<Self>, wanted: Vec<Wanted>) -> Vec<Option<OnDisk>> {
        let (disk, count) = (self.clone(), wanted.len());
        let look = move || wanted.iter().map(|one| disk.look(one, SystemTime::now())).collect();
        tokio::task::spawn_blocking(look).await.unwrap_or_else(|_| vec![None; count])
    }

    fn look(&self, wanted: &Wanted, now: SystemTime) -> Option<OnDisk> {
        let mut names = vec![wanted.name()];
        if wanted.version.is_some() {
            // What an opening read before it knew the version.
            names.push(Name::new(&wanted.object, None, &wanted.piece));
        }
        names.into_iter().find_map(|name| {
            let Entry { bytes, size, version, came } = self.entry(name)?;
            let since = now.duration_since(UNIX_EPOCH + Duration::from_millis(came));
            // What came in the future came when another clock was in force.
            let is_fresh = since.as_ref().is_ok_and(|age| *age < self.fresh_for);
            let is_of_version = wanted.version.as_ref().is_none_or(|pinned| version.as_ref() == Some(pinned));
            // A version that is made of a time and a size may be that of two generations.
            let fits = is_of_version && (is_fresh || is_strong(wanted.version.as_ref()));
            fits.then(|| OnDisk { bytes, size, version, age: since.unwrap_or_default() })
        })
    }

    fn entry(&self, name: Name) -> Option<Entry> {
        if let Some(pending) = self.writer.pending(&name) {
            return Some(Entry::clone(&pending));
        }
        match self.folder.read(&name)? {
            Found::Entry(entry) => Some(entry),
            Found::Other => None,
            Found::Damaged => {
                self.writer.send(Job::RemoveDamaged(name));
                None
            }
        }
    }

    /// Asks to be the one of all processes that fetches what begins with this, and waits where another one does, but not longer than `until`.
    /// What was wanted may be there by then. The lease goes to [`put`](Self::put); without one, others may fetch the same.
    pub(crate) async fn lease(self: &Arc<Self>, first: &Wanted, until: Instant) -> Option<Arc<Lease>> {
        let name = first.name();
        let mut pause = LOOKS[0];
        loop {
            let (disk, name) = (self.clone(), name.clone());
            match tokio::task::spawn_blocking(move || disk.leases.ask(&disk.folder.leases(), &name)).await {
                Ok(Asked::Granted(lease)) => return Some(Arc::new(lease)),
                Ok(Asked::Taken) if self.is_patient() && Instant::now() < until => {}
                Ok(Asked::Taken) => {
                    self.impatient.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(Instant::now() + IMPATIENT);
                    return None;
                }
                Ok(Asked::Without) | Err(_) => return None,
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOKS[1]);
        }
    }

    fn is_patient(&self) -> bool {
        let mut impatient = self.impatient.lock().unwrap_or_else(PoisonError::into_inner);
        *impatient = impatient.filter(|until| Instant::now() < *until);
        impatient.is_none()
    }

    /// Keeps what came now; it is written in the background. The lease ends when the last of its entries is written.
    pub(crate) fn put(&self, wanted: &Wanted, bytes: Bytes, size: Option<u64>, version: Option<Arc<str>>, lease: Option<Arc<Lease>>) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let came = u64::try_from(since.as_millis()).unwrap_or(0);
        self.writer.insert(wanted.name(), Entry { bytes, size, version, came }, lease);
    }

    /// Drops what is kept of an object, and of those below it where `below` says so: what was put before, too.
    ///
    /// # Errors
    /// `Storage` where that fails, or another process does not let it: it may still be there.
    pub(crate) async fn forget(&self, object: Lasting, below: bool) -> Result<()> {
        let (done, forgotten) = tokio::sync::oneshot::channel();
        self.writer.send(Job::Forget { object, below, done });
        let failed = |e: &dyn std::fmt::Display| Error::storage(format!("the cache on disk: {e}"));
        let Ok(answer) = tokio::time::timeout(LAST_WRITES, forgotten).await else { return Err(failed(&"another process holds it")) };
        answer.map_err(|_| failed(&"its thread ended"))?.map_err(|e| failed(&e))
    }

    /// Waits until what was put is written, but not for ever. Blocks.
    pub(crate) fn settle(&self) {
        self.writer.settle(LAST_WRITES);
    }
}
