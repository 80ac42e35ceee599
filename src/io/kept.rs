//! Stored bytes that are at hand without asking a store: in memory, or else on disk.
//!
//! Only whole answers come here, from stores over a network; what was cut short never does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::disk::{Disk, DiskCache, Lease, OnDisk, Wanted};
use super::local::slice;
use super::memory::{Memory, Piece, Stored};
use super::request::Told;
use super::store::Stores;
use crate::error::Result;
use crate::model::{ByteSpan, Got, ObjectKey, Want};

/// The longest wait for another process that fetches the same.
const PATIENCE: Duration = Duration::from_secs(10);

/// The stored bytes of one `Io`.
pub(crate) struct Kept {
    pub(crate) memory: Arc<Memory>,
    /// Whether stored bytes are kept in memory.
    in_memory: bool,
    fresh_for: Duration,
    disk: Option<Arc<Disk>>,
}

/// What is not on disk.
pub(super) struct Left {
    /// The numbers of the wants.
    pub(super) numbers: Vec<usize>,
    /// To be given back with what is put of them: other processes wait for it.
    pub(super) lease: Option<Arc<Lease>>,
}

impl Kept {
    /// # Errors
    /// `Storage` where the cache on disk cannot be used.
    pub(super) fn new(cache_bytes: u64, in_memory: bool, fresh_for: Duration, disk: Option<&DiskCache>) -> Result<Self> {
        let disk = disk.map(|disk| Disk::open(disk, fresh_for)).transpose()?.map(Arc::new);
        Ok(Self { memory: Arc::new(Memory::new(cache_bytes, fresh_for)), in_memory, fresh_for, disk })
    }

    /// The answer to a want, from memory. Where it is not pinned to a version, it came not longer ago than `fresh_for`.
    pub(super) fn get(&self, want: &Want) -> Option<Got> {
        if !self.in_memory {
            return None;
        }
        let (object, piece) = piece(want)?;
        let now = Instant::now();
        let find = |piece: &Piece| self.memory.stored(object, piece, now, self.fresh_for);
        if let Some(Stored { bytes, size, version, .. }) = find(&piece)
            && !matches!(want, Want::Whole { most, .. } if bytes.len() as u64 > *most)
        {
            return Some(Got::Bytes { bytes, size, version });
        }
        if piece == Piece::Whole {
            return None;
        }
        let Stored { bytes, size, version, .. } = find(&Piece::Whole)?;
        let whole = bytes.len() as u64;
        let range = match piece {
            Piece::Range { start, length } => start.min(whole)..start.saturating_add(length).min(whole),
            Piece::Suffix(length) => whole.saturating_sub(length)..whole,
            Piece::Whole => 0..whole,
        };
        Some(Got::Bytes { bytes: slice(&bytes, &range)?, size, version })
    }

    /// Tells which of the wants of these numbers are on disk, and what is left of them: to be fetched by this process alone, where that can
    /// be had. Waits for another process that fetches the first of them.
    pub(super) async fn look_on_disk(&self, stores: &Stores, wants: &[Want], numbers: &[usize], tell: impl Fn(usize, Got)) -> Left {
        let mut left = Left { numbers: numbers.to_vec(), lease: None };
        let Some(disk) = &self.disk else { return left };
        let Some(wanted) = numbers.iter().map(|&n| wants.get(n).and_then(|want| wanted(stores, want))).collect::<Option<Vec<_>>>() else {
            return left;
        };
        let first = wanted.first().cloned();
        let mut open: Vec<(usize, Wanted)> = numbers.iter().copied().zip(wanted).collect();
        self.take_from(disk, wants, &mut open, &tell).await;
        if let Some(first) = first.filter(|_| !open.is_empty()) {
            left.lease = disk.lease(&first, Instant::now() + PATIENCE).await;
            self.take_from(disk, wants, &mut open, &tell).await;
        }
        left.numbers = open.into_iter().map(|(number, _)| number).collect();
        left
    }

    /// Tells what is there, and leaves what is not.
    async fn take_from(&self, disk: &Arc<Disk>, wants: &[Want], open: &mut Vec<(usize, Wanted)>, tell: &impl Fn(usize, Got)) {
        let mut found = disk.get(open.iter().map(|(_, wanted)| wanted.clone()).collect()).await.into_iter();
        open.retain(|&(number, _)| {
            let want = &wants[number];
            let Some(found) = found.next().flatten() else { return true };
            if matches!(want, Want::Whole { most, .. } if found.bytes.len() as u64 > *most) {
                return true;
            }
            tell(number, self.remember(want, found));
            false
        });
    }

    /// What was on disk is in memory from now on, as old as it is.
    fn remember(&self, want: &Want, found: OnDisk) -> Got {
        let OnDisk { bytes, size, version, age } = found;
        if self.in_memory
            && let (Some((object, piece)), Some(came)) = (piece(want), Instant::now().checked_sub(age))
        {
            self.memory.keep_stored(object, piece, Stored { bytes: bytes.clone(), size, version: version.clone(), came });
        }
        Got::Bytes { bytes, size, version }
    }

    /// Keeps the answer to a want, which came now: in memory all of the object, where the server sent it although a part was asked for.
    pub(super) fn put(&self, stores: &Stores, want: &Want, bytes: &Bytes, told: &Told, lease: Option<&Arc<Lease>>) {
        let Some((object, piece)) = piece(want) else { return };
        if self.in_memory {
            let (piece, bytes) = told.whole.as_ref().map_or((piece, bytes), |whole| (Piece::Whole, whole));
            let stored = Stored { bytes: bytes.clone(), size: told.size, version: told.version.clone(), came: Instant::now() };
            self.memory.keep_stored(object, piece, stored);
        }
        if let Some(disk) = &self.disk
            && let Some(wanted) = wanted(stores, want)
        {
            disk.put(&wanted, bytes.clone(), told.size, told.version.clone(), lease.cloned());
        }
    }

    /// What was parsed of an object that came not longer ago than `fresh_for`.
    pub(super) fn parsed<T: Send + Sync + 'static>(&self, object: &ObjectKey) -> Option<Arc<T>> {
        if self.in_memory { self.memory.parsed(object, Instant::now(), self.fresh_for) } else { None }
    }

    /// Keeps what was parsed of bytes that came at this time.
    pub(super) fn put_parsed<T: Send + Sync + 'static>(&self, object: &ObjectKey, parsed: Arc<T>, weight: u64, came: Instant) {
        if self.in_memory {
            self.memory.keep_parsed(object, parsed, weight, came);
        }
    }

    /// Drops what is known of an object, in all versions; in memory that of those below it, too. Decoded chunks and pages stay.
    ///
    /// # Errors
    /// `Storage` where it may still be on disk.
    pub(super) async fn forget(&self, stores: &Stores, object: &ObjectKey) -> Result<()> {
        self.memory.forget_stored(object.url());
        self.forget_on_disk(stores, object, false).await
    }

    /// Drops all that is known of an object, and of those below it.
    ///
    /// # Errors
    /// As [`forget`](Self::forget).
    pub(super) async fn forget_all(&self, stores: &Stores, object: &ObjectKey) -> Result<()> {
        self.memory.forget(object.url());
        self.forget_on_disk(stores, object, true).await
    }

    async fn forget_on_disk(&self, stores: &Stores, object: &ObjectKey, below: bool) -> Result<()> {
        match (&self.disk, stores.lasting(object)) {
            (Some(disk), Some(lasting)) => disk.forget(lasting, below).await,
            _ => Ok(()),
        }
    }

    /// Waits until what was put is on disk, but not for ever. Blocks.
    pub(super) fn settle(&self) {
        if let Some(disk) = &self.disk {
            disk.settle();
        }
    }
}

fn wanted(stores: &Stores, want: &Want) -> Option<Wanted> {
    let (object, piece) = piece(want)?;
    Some(Wanted { object: stores.lasting(object)?, version: object.version().cloned(), piece })
}

/// The object of a want, and what it wants of it; a listing is not kept.
fn piece(want: &Want) -> Option<(&ObjectKey, Piece)> {
    Some(match want {
        Want::Range(ByteSpan { object, start, length }) => (object, Piece::Range { start: *start, length: *length }),
        Want::Suffix { object, length } => (object, Piece::Suffix(*length)),
        Want::Whole { object, .. } => (object, Piece::Whole),
        Want::List { .. } => return None,
    })
}
