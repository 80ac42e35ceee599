//! The thread that changes the folder, so that no reader waits for a disk, or for another process.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
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
        entry: Entry,
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
    pending: Arc<AtomicU64>,
}

impl Writer {
    /// # Errors
    /// A system that gives no threads.
    pub(super) fn start(folder: Arc<Folder>) -> io::Result<Self> {
        let (jobs, received) = channel();
        let pending = Arc::<AtomicU64>::default();
        let left = pending.clone();
        thread::Builder::new().name("swath-disk".to_owned()).spawn(move || run(&folder, &received, &left))?;
        Ok(Self { jobs, pending })
    }

    pub(super) fn insert(&self, name: Name, entry: Entry, lease: Option<Arc<Lease>>) {
        let length = entry.bytes.len() as u64;
        if self.pending.fetch_add(length, Ordering::Relaxed) > MOST_PENDING {
            self.pending.fetch_sub(length, Ordering::Relaxed);
            return;
        }
        self.send(Job::Insert { name, entry, lease });
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
fn run(folder: &Folder, jobs: &Receiver<Job>, pending: &AtomicU64) {
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Insert { name, entry, lease } => {
                let _not_kept = folder.insert(&name, &entry);
                pending.fetch_sub(entry.bytes.len() as u64, Ordering::Relaxed);
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
