//! Who of several processes fetches what all of them want.
//!
//! A lease is of all that is fetched together, named by the first entry of it, and is held until the last is written: who waited for it
//! finds all of them.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::name::Name;

/// Leases held at once by one session: each is an open file.
const MOST: usize = 64;

/// Says to other processes that this one fetches an entry. Given back when it is dropped, or its process dies.
pub(crate) struct Lease {
    path: PathBuf,
    held: Arc<AtomicUsize>,
    _locked: File,
}

/// The leases that one session holds.
#[derive(Default)]
pub(super) struct Leases {
    held: Arc<AtomicUsize>,
}

/// Whether an entry may be fetched.
pub(crate) enum Asked {
    /// It may, and others wait.
    Granted(Lease),
    /// Another process fetches it.
    Taken,
    /// It may, and others may too: there are too many leases, or they do not work here.
    Without,
}

impl Leases {
    /// Asks for the lease of an entry. Does not wait.
    pub(super) fn ask(&self, folder: &Path, name: &Name) -> Asked {
        let held = self.held.clone();
        if held.fetch_add(1, Ordering::Relaxed) >= MOST {
            held.fetch_sub(1, Ordering::Relaxed);
            return Asked::Without;
        }
        let path = name.path().file_name().map_or_else(PathBuf::new, |file| folder.join(file));
        let locked = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(TryLockError::Error);
        match locked.and_then(|file| file.try_lock().map(|()| file)) {
            Ok(file) => Asked::Granted(Lease { path, held, _locked: file }),
            Err(refused) => {
                held.fetch_sub(1, Ordering::Relaxed);
                if let TryLockError::WouldBlock = refused { Asked::Taken } else { Asked::Without }
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Removed while it is still locked: whoever opened it before finds an entry, or fetches it beside the next one that asks.
        let _left_for_recovery = fs::remove_file(&self.path);
        self.held.fetch_sub(1, Ordering::Relaxed);
    }
}
