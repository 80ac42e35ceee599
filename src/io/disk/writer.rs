//! The thread that changes the folder, so that no reader waits for a disk, or for another process.

use std::collections::HashMap;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::entry::Entry;
use super::folder::Folder;
use super::lease::Lease;
use super::name::{Lasting, Name};

/// Bytes that wait to be written; what comes while there are more is not kept.
const MOST_PENDING: u64 = 64 << 20;

pub(super) enum Job {
    Insert {
        name: Name,
        entry: Arc<Entry>,
        lease: Option<Arc<Lease>>,
    },
    RemoveDamaged(Name),
    Forget {
        object: Lasting,
        below: bool,
        done: oneshot::Sender<io::Result<()>>,
    },
    /// Tells that all that was sent before is done.
    Settle(Sender<()>),
}

/// The way to that thread, which does what was sent and ends when this is dropped.
pub(super) struct Writer {
    jobs: Sender<Job>,
    pending: Arc<Mutex<Pending>>,
}

/// What waits to be written: it is to be had all the same.
#[derive(Default)]
struct Pending {
    entries: HashMap<Name, Arc<Entry>>,
    bytes: u64,
}

impl Writer {
    /// # Errors
    /// A system that gives no threads.
    pub(super) fn start(folder: Arc<Folder>) -> io::Result<Self> {
        let (jobs, received) = channel();
        let pending = Arc::<Mutex<Pending>>::default();
        let left = pending.clone();
        thread::Builder::new().name("swath-disk".to_owned()).spawn(move || run(&folder, &received, &left))?;
        Ok(Self { jobs, pending })
    }

    pub(super) fn insert(&self, name: Name, entry: Entry, lease: Option<Arc<Lease>>) {
        let entry = Arc::new(entry);
        let mut pending = lock(&self.pending);
        let bytes = pending.bytes.saturating_add(entry.bytes.len() as u64);
        if bytes > MOST_PENDING {
            return;
        }
        pending.bytes = bytes;
        pending.entries.insert(name.clone(), entry.clone());
        // Under the lock, so that entries are written in the order in which they replace each other.
        self.send(Job::Insert { name, entry, lease });
    }

    /// What waits to be written under this name.
    pub(super) fn pending(&self, name: &Name) -> Option<Arc<Entry>> {
        lock(&self.pending).entries.get(name).cloned()
    }

    pub(super) fn send(&self, job: Job) {
        let _ended_with_its_thread = self.jobs.send(job);
    }

    /// Waits until all that was sent is done, but not longer than this. Blocks.
    pub(super) fn settle(&self, most: Duration) {
        let (done, settled) = channel();
        self.send(Job::Settle(done));
        let _too_late = settled.recv_timeout(most);
    }
}

/// What fails here is not kept, or not removed yet: no read fails for it.
fn run(folder: &Folder, jobs: &Receiver<Job>, pending: &Mutex<Pending>) {
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Insert { name, entry, lease } => {
                let _not_kept = folder.insert(&name, &entry);
                let mut pending = lock(pending);
                pending.bytes -= entry.bytes.len() as u64;
                if pending.entries.get(&name).is_some_and(|newest| Arc::ptr_eq(newest, &entry)) {
                    pending.entries.remove(&name);
                }
                drop(pending);
                drop(lease);
            }
            Job::RemoveDamaged(name) => {
                let _still_damaged = folder.remove_damaged(&name);
            }
            Job::Forget { object, below, done } => {
                let _nobody_waits = done.send(folder.forget(&object, below));
            }
            Job::Settle(done) => {
                let _nobody_waits = done.send(());
            }
        }
    }
}

fn lock(pending: &Mutex<Pending>) -> MutexGuard<'_, Pending> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}
