//! Stored bytes that are at hand without asking a store.
//!
//! Only whole answers come here, from stores over a network; what was cut short never does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::local::slice;
use super::memory::{Memory, Piece, Stored};
use crate::model::{ByteSpan, Got, ObjectKey, Want};

/// The stored bytes of one `Io`.
pub(crate) struct Kept {
    pub(crate) memory: Arc<Memory>,
    /// Whether stored bytes are kept in memory.
    in_memory: bool,
    fresh_for: Duration,
}

impl Kept {
    pub(super) fn new(cache_bytes: u64, in_memory: bool, fresh_for: Duration) -> Self {
        Self { memory: Arc::new(Memory::new(cache_bytes)), in_memory, fresh_for }
    }

    /// The answer to a want. Where it is not pinned to a version, it came not longer ago than `fresh_for`.
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

    /// Keeps the answer to a want, which came now.
    pub(super) fn put(&self, want: &Want, bytes: Bytes, size: Option<u64>, version: Option<Arc<str>>) {
        if let Some((object, piece)) = piece(want) {
            self.put_piece(object, piece, bytes, size, version);
        }
    }

    /// Keeps a whole object, whatever was asked for.
    pub(super) fn put_whole(&self, object: &ObjectKey, bytes: Bytes, version: Option<Arc<str>>) {
        let size = Some(bytes.len() as u64);
        self.put_piece(object, Piece::Whole, bytes, size, version);
    }

    fn put_piece(&self, object: &ObjectKey, piece: Piece, bytes: Bytes, size: Option<u64>, version: Option<Arc<str>>) {
        if self.in_memory {
            self.memory.keep_stored(object, piece, Stored { bytes, size, version, came: Instant::now() });
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

    /// Drops what is known of an object, in all versions, and of those below it; decoded chunks and pages stay.
    pub(super) fn forget(&self, url: &str) {
        self.memory.forget_stored(url);
    }
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
