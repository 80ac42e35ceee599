//! Objects at hand: files, and objects of the session's own memory store. Whoever decodes them reads them, and nothing stands between.
//!
//! No request is worth a task, a connection or a cache where the bytes are in this machine: a file is read by position into a buffer that its
//! reader uses again and again, an object in memory and a mapped file are views. What holds for answers of other stores holds here: they are
//! of the version that the key is pinned to, of one generation, and not above their bound; and they are counted.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::FutureExt;
use object_store::{GetOptions, ObjectStore};

use super::counters::Counters;
use super::local::{Held, changed, slice};
use super::request::{Part, version_of};
use super::store::{Kind, Place};
use super::{Io, errors, names};
use crate::error::{Error, Result};
use crate::model::{KEPT_BY_THREAD, Limits, ObjectKey};

/// Reads objects at hand, one after the other, by one thread.
#[derive(Default)]
pub(crate) struct AtHand {
    buffer: Vec<u8>,
    held: Option<Bytes>,
    length: usize,
    /// The object in memory that was read last: that of all chunks, where they are parts of one.
    last: Option<(ObjectKey, Bytes)>,
}

impl AtHand {
    /// What was read last.
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.held {
            Some(view) => view,
            None => self.buffer.get(..self.length).unwrap_or_default(),
        }
    }

    /// Lets go of views, and of what a large object needed.
    pub(crate) fn trim(&mut self) {
        (self.held, self.last, self.length) = (None, None, 0);
        if self.buffer.capacity() > KEPT_BY_THREAD {
            self.buffer = Vec::new();
        }
    }

    fn hold(&mut self, held: Held) -> usize {
        match held {
            Held::Buffer(length) => {
                self.length = length;
                length
            }
            Held::View(view) => self.held.insert(view).len(),
        }
    }
}

impl Io {
    /// Whether an object is at hand.
    pub(crate) fn is_at_hand(&self, key: &ObjectKey) -> bool {
        matches!(self.0.stores.kind(key), Kind::Local | Kind::Memory) && names::check(key).is_ok()
    }

    /// Whether all objects below a prefix are.
    pub(crate) fn are_at_hand(&self, prefix: &ObjectKey) -> bool {
        self.is_at_hand(prefix) && !self.0.stores.has_own_below(prefix)
    }

    /// Reads a range of an object at hand, or as much of it as there is; whether there is such an object. Blocks while a disk does.
    ///
    /// # Errors
    /// `ObjectChanged` where it is not of the version that the key is pinned to; what the system says.
    pub(crate) fn read_range(&self, key: &ObjectKey, start: u64, end: u64, into: &mut AtHand, counters: &Counters) -> Result<bool> {
        (into.held, into.length) = (None, 0);
        if start == end {
            return Ok(true);
        }
        let sent = Instant::now();
        let is_there = match names::local_path(key).filter(|_| self.0.stores.kind(key) == Kind::Local) {
            Some(path) => {
                counters.request(0)?;
                let read = self.0.stores.files.read_into(path, key, &Part::Range(start..end), &mut into.buffer)?;
                read.map(|held| into.hold(held))
            }
            None => {
                counters.request(end - start)?;
                self.in_memory(key, into)?.map(|object| {
                    let size = object.len() as u64;
                    let view = slice(&object, &(start.min(size)..end.min(size))).unwrap_or_default();
                    into.hold(Held::View(view))
                })
            }
        };
        counters.received(is_there.unwrap_or(0));
        counters.landed(sent.elapsed());
        Ok(is_there.is_some())
    }

    /// Reads an object at hand, not above `most` bytes; whether there is one. Blocks while a disk does.
    ///
    /// # Errors
    /// As [`read_range`](Self::read_range); `Limit` where it is longer.
    pub(crate) fn read_whole(&self, url: &str, version: Option<&Arc<str>>, most: u64, into: &mut AtHand, counters: &Counters) -> Result<bool> {
        (into.held, into.length) = (None, 0);
        let sent = Instant::now();
        counters.request(0)?;
        let length = match url.strip_prefix("file://").filter(|_| version.is_none()) {
            Some(path) if !self.0.stores.files.are_mapped() => {
                let read = self.0.stores.files.read_once(Path::new(path), url, most, &mut into.buffer)?;
                read.map(|length| into.hold(Held::Buffer(length)))
            }
            _ => {
                let key = ObjectKey::new(url).with_version(version.cloned());
                match names::local_path(&key) {
                    Some(path) => {
                        let read = self.0.stores.files.read_into(path, &key, &Part::Whole { most }, &mut into.buffer)?;
                        read.map(|held| into.hold(held))
                    }
                    None => match self.in_memory(&key, into)? {
                        Some(object) => {
                            Limits::check("bytes of a whole object", object.len() as u64, most).map_err(|e| e.in_object(url))?;
                            counters.settle(0, object.len() as u64)?;
                            Some(into.hold(Held::View(object)))
                        }
                        None => None,
                    },
                }
            }
        };
        counters.received(length.unwrap_or(0));
        counters.landed(sent.elapsed());
        Ok(length.is_some())
    }

    /// All of an object of the memory store, which is there at once.
    fn in_memory(&self, key: &ObjectKey, into: &mut AtHand) -> Result<Option<Bytes>> {
        if let Some((last, object)) = &into.last
            && last == key
        {
            return Ok(Some(object.clone()));
        }
        let Place::Store { store, path } = self.0.stores.place(key)? else { return Err(Error::storage("no object in memory").in_object(key.url())) };
        let late = || Error::storage("the memory store did not answer at once").in_object(key.url());
        let answer = match store.get_opts(&path, GetOptions::default()).now_or_never().ok_or_else(late)? {
            Ok(answer) => answer,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(e) => return Err(errors::from_store(&e, key)),
        };
        let version = version_of(&answer);
        if let Some(pinned) = key.version()
            && Some(pinned) != version.as_ref()
        {
            return Err(changed(key, pinned, version.as_deref().unwrap_or("unknown")));
        }
        let object = answer.bytes().now_or_never().ok_or_else(late)?.map_err(|e| errors::from_store(&e, key))?;
        into.last = Some((key.clone(), object.clone()));
        Ok(Some(object))
    }
}
