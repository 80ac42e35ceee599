//! What a session keeps in memory, under one budget.

use std::any::{Any, TypeId};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::cache::ByteCache;
use super::request::is_strong;
use crate::model::{ObjectKey, Page, PageId};

/// Stored bytes below this are copied when they are kept.
const SMALL: usize = 16 << 10;

/// What a part of an object is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Piece {
    Range { start: u64, length: u64 },
    Suffix(u64),
    Whole,
}

/// Objects stand here without a version: it is part of the value, so that what is asked for without one finds the newest.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Stored(ObjectKey, Piece),
    Page(u64, PageId),
    Chunk(u64, u64),
    Parsed(ObjectKey, TypeId),
}

#[derive(Clone)]
enum Value {
    Stored(Stored),
    Page(Arc<Page>, ObjectKey, Instant),
    /// Of this array, and of this version of the object that it is stored in.
    Chunk(Bytes, ObjectKey, Option<Arc<str>>, Instant),
    Parsed(Arc<dyn Any + Send + Sync>, Instant),
}

/// Bytes as they came from a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) bytes: Bytes,
    /// Of the whole object.
    pub(crate) size: Option<u64>,
    pub(crate) version: Option<Arc<str>>,
    /// When they came.
    pub(crate) came: Instant,
}

/// One budget for stored bytes, parsed pages of chunk tables, decoded chunks and parsed metadata.
pub(crate) struct Memory {
    cache: ByteCache<Key, Value>,
    fresh_for: Duration,
}

impl Memory {
    /// What may be of another generation by now is used again for `fresh_for`.
    pub(crate) fn new(budget: u64, fresh_for: Duration) -> Self {
        Self { cache: ByteCache::new(budget), fresh_for }
    }

    pub(crate) fn budget(&self) -> u64 {
        self.cache.budget()
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> u64 {
        self.cache.used()
    }

    /// Stored bytes: of the version that the object is pinned to, however old; else not older than `fresh_for`.
    pub(super) fn stored(&self, object: &ObjectKey, piece: &Piece, now: Instant, fresh_for: Duration) -> Option<Stored> {
        let key = Key::Stored(object.with_version(None), piece.clone());
        let Some(Value::Stored(stored)) = self.cache.get(&key) else { return None };
        let fits = match object.version() {
            Some(pinned) if is_strong(Some(pinned)) => stored.version.as_ref() == Some(pinned),
            // that of another generation may be the same
            Some(pinned) => stored.version.as_ref() == Some(pinned) && is_fresh(stored.came, now, fresh_for),
            None => is_fresh(stored.came, now, fresh_for),
        };
        fits.then_some(stored)
    }

    pub(super) fn keep_stored(&self, object: &ObjectKey, piece: Piece, mut stored: Stored) {
        // a small body is a part of the buffer that it was read into
        if stored.bytes.len() < SMALL {
            stored.bytes = Bytes::copy_from_slice(&stored.bytes);
        }
        let weight = stored.bytes.len() as u64;
        self.cache.insert(Key::Stored(object.with_version(None), piece), Value::Stored(stored), weight);
    }

    /// What was parsed of an object, not longer ago than `fresh_for`.
    pub(super) fn parsed<T: Send + Sync + 'static>(&self, object: &ObjectKey, now: Instant, fresh_for: Duration) -> Option<Arc<T>> {
        match self.cache.get(&Key::Parsed(object.with_version(None), TypeId::of::<T>())) {
            Some(Value::Parsed(parsed, came)) if is_fresh(came, now, fresh_for) => parsed.downcast().ok(),
            _ => None,
        }
    }

    /// Keeps what was parsed of what came at this time.
    pub(super) fn keep_parsed<T: Send + Sync + 'static>(&self, object: &ObjectKey, parsed: Arc<T>, weight: u64, came: Instant) {
        self.cache.insert(Key::Parsed(object.with_version(None), TypeId::of::<T>()), Value::Parsed(parsed, came), weight);
    }

    /// A decoded chunk of an array, as it is in this version of its object.
    pub(crate) fn chunk(&self, array: u64, chunk: u64, version: Option<&Arc<str>>) -> Option<Bytes> {
        match self.cache.get(&Key::Chunk(array, chunk)) {
            Some(Value::Chunk(bytes, _, of, came)) if of.as_ref() == version && (version.is_some() || self.is_fresh(came)) => Some(bytes),
            _ => None,
        }
    }

    pub(crate) fn keep_chunk(&self, array: u64, source: &ObjectKey, chunk: u64, version: Option<Arc<str>>, bytes: Bytes) {
        let weight = bytes.len() as u64;
        self.cache.insert(Key::Chunk(array, chunk), Value::Chunk(bytes, source.clone(), version, Instant::now()), weight);
    }

    /// A parsed page of an array's chunk table.
    pub(crate) fn page(&self, array: u64, page: PageId) -> Option<Arc<Page>> {
        match self.cache.get(&Key::Page(array, page)) {
            // an object that was not there may be by now
            Some(Value::Page(page, _, came)) if *page != Page::Absent || self.is_fresh(came) => Some(page),
            _ => None,
        }
    }

    pub(crate) fn keep_page(&self, array: u64, source: &ObjectKey, id: PageId, page: Arc<Page>) {
        let weight = page.weight() as u64;
        self.cache.insert(Key::Page(array, id), Value::Page(page, source.clone(), Instant::now()), weight);
    }

    fn is_fresh(&self, came: Instant) -> bool {
        is_fresh(came, Instant::now(), self.fresh_for)
    }

    /// Drops the chunks and pages of an array.
    pub(crate) fn forget_array(&self, array: u64) {
        self.cache.retain(|key, _| !matches!(key, Key::Chunk(of, _) | Key::Page(of, _) if *of == array));
    }

    /// Drops what is known of the object, in all versions, and of those below it.
    pub(super) fn forget_stored(&self, url: &str) {
        self.cache.retain(|key, _| match key {
            Key::Stored(object, _) | Key::Parsed(object, _) => !is_below(object.url(), url),
            Key::Page(..) | Key::Chunk(..) => true,
        });
    }

    /// Drops what was concluded from an object, or from its absence, without tying it to a version.
    pub(super) fn forget_unversioned(&self, url: &str) {
        let apart = |source: &ObjectKey| !is_below(source.url(), url) && !is_below(url, source.url());
        self.cache.retain(|_, value| match value {
            Value::Page(page, source, _) if **page == Page::Absent => apart(source),
            Value::Chunk(_, source, None, _) => apart(source),
            _ => true,
        });
    }

    /// As [`forget_stored`](Self::forget_stored), and the chunks and pages of arrays that lie below it, or that it is a part of.
    pub(super) fn forget(&self, url: &str) {
        self.cache.retain(|key, value| match (key, value) {
            (Key::Stored(object, _) | Key::Parsed(object, _), _) => !is_below(object.url(), url),
            (_, Value::Page(_, source, _) | Value::Chunk(_, source, ..)) => !is_below(source.url(), url) && !is_below(url, source.url()),
            _ => false,
        });
    }
}

fn is_fresh(came: Instant, now: Instant, fresh_for: Duration) -> bool {
    now.saturating_duration_since(came) < fresh_for
}

/// Whether a URL is this one, or below it.
pub(super) fn is_below(url: &str, root: &str) -> bool {
    let root = root.trim_end_matches('/');
    url.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Duration = Duration::from_secs(60);

    fn stored(text: &'static str, version: Option<&str>, came: Instant) -> Stored {
        Stored { bytes: Bytes::from_static(text.as_bytes()), size: None, version: version.map(Into::into), came }
    }

    #[test]
    fn what_is_not_pinned_must_be_fresh_and_what_is_pinned_of_that_version() {
        let (memory, came) = (Memory::new(1 << 20, FRESH), Instant::now());
        let (any, piece) = (ObjectKey::new("https://h/a"), Piece::Range { start: 0, length: 4 });
        memory.keep_stored(&any, piece.clone(), stored("1234", Some("\"A\""), came));
        let at = |seconds: u64| came + Duration::from_secs(seconds);
        let (a, b) = (any.with_version(Some("\"A\"".into())), any.with_version(Some("\"B\"".into())));
        let table = [(&any, 0, true), (&any, 59, true), (&any, 60, false), (&a, 0, true), (&a, 1 << 20, true), (&b, 0, false)];
        for (key, age, expected) in table {
            assert_eq!(memory.stored(key, &piece, at(age), FRESH).is_some(), expected, "{:?} after {age} s", key.version());
        }
        assert_eq!(memory.stored(&any, &piece, came, Duration::ZERO), None, "nothing is fresh for no time");
        memory.keep_stored(&a, piece.clone(), stored("5678", None, came));
        assert_eq!(memory.stored(&a, &piece, came, FRESH), None, "what has no version is no version's");
    }

    #[test]
    fn parsed_values_are_told_apart_by_their_types() {
        let (memory, came) = (Memory::new(1 << 20, FRESH), Instant::now());
        let key = ObjectKey::new("https://h/a");
        memory.keep_parsed(&key, Arc::new(7_u64), 100, came);
        memory.keep_parsed(&key, Arc::new("text"), 100, came);
        assert_eq!(memory.parsed::<u64>(&key, came, FRESH), Some(Arc::new(7)));
        assert_eq!(memory.parsed::<&str>(&key, came, FRESH), Some(Arc::new("text")));
        assert_eq!(memory.parsed::<u32>(&key, came, FRESH), None);
        assert_eq!(memory.parsed::<u64>(&key, came + FRESH, FRESH), None);
    }

    #[test]
    fn below_ends_at_a_slash() {
        let table =
            [("s3://b/a", "s3://b/a", true), ("s3://b/a/x", "s3://b/a", true), ("s3://b/a/x", "s3://b/a/", true), ("s3://b/ab", "s3://b/a", false)];
        for (url, root, expected) in table {
            assert_eq!(is_below(url, root), expected, "{url} {root}");
        }
    }

    #[test]
    fn a_chunk_is_one_of_a_version() {
        let memory = Memory::new(1 << 20, FRESH);
        let [old, new] = [Some(Arc::<str>::from("old")), Some("new".into())];
        memory.keep_chunk(1, &ObjectKey::new("https://h/a"), 0, old.clone(), Bytes::from_static(b"c"));
        assert!(memory.chunk(1, 0, old.as_ref()).is_some());
        assert!(memory.chunk(1, 0, new.as_ref()).is_none());
        assert!(memory.chunk(1, 0, None).is_none());
    }

    #[test]
    fn forgetting_takes_all_kinds_at_and_below_a_url_and_nothing_else() {
        let now = Instant::now();
        let fill = || {
            let memory = Memory::new(1 << 20, FRESH);
            for (array, url) in [(1, "https://h/a"), (2, "https://h/a/x"), (3, "https://h/ab")] {
                let key = ObjectKey::new(url);
                memory.keep_stored(&key, Piece::Whole, stored("1", None, now));
                memory.keep_parsed(&key, Arc::new(array), 10, now);
                memory.keep_chunk(array, &key, 0, None, Bytes::from_static(b"c"));
                memory.keep_page(array, &key, PageId { level: 0, number: 0 }, Arc::new(Page::Absent));
            }
            memory
        };
        let left = |memory: &Memory| {
            let of = |array: u64, url: &str| {
                let key = ObjectKey::new(url);
                let at_hand = [
                    memory.stored(&key, &Piece::Whole, now, FRESH).is_some(),
                    memory.parsed::<u64>(&key, now, FRESH).is_some(),
                    memory.chunk(array, 0, None).is_some(),
                    memory.page(array, PageId { level: 0, number: 0 }).is_some(),
                ];
                at_hand.iter().filter(|there| **there).count()
            };
            [of(1, "https://h/a"), of(2, "https://h/a/x"), of(3, "https://h/ab")]
        };
        for (url, expected) in [("https://h/a", [0, 0, 4]), ("https://h/a/x", [2, 0, 4]), ("https://h/ab", [4, 4, 0]), ("https://h", [0, 0, 0])] {
            let memory = fill();
            memory.forget(url);
            assert_eq!(left(&memory), expected, "{url}");
        }
        let memory = fill();
        memory.forget_stored("https://h/a");
        assert_eq!(left(&memory), [2, 2, 4]);
        memory.forget_array(1);
        assert_eq!(left(&memory), [0, 2, 4]);
    }
}
