//! Documents by name: what is to be asked for, and what came.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::json::Text;
use crate::error::{Error, Result};
use crate::model::{Got, Limits, ObjectMap, Reference, Want};

/// The documents of a parser.
#[derive(Debug)]
pub(super) struct Fetch {
    objects: ObjectMap,
    limits: Limits,
    /// What is known: a document, or that there is none.
    found: HashMap<String, Option<Bytes>>,
    /// What was asked for, and the names that wait for it.
    pending: HashMap<Want, Vec<String>>,
    waiting: HashSet<String>,
    /// All wants in the order of asking.
    asked: Vec<Want>,
    /// Bytes of all documents.
    total: u64,
}

impl Fetch {
    pub(super) fn new(objects: ObjectMap, limits: &Limits) -> Self {
        Self { objects, limits: limits.clone(), found: HashMap::new(), pending: HashMap::new(), waiting: HashSet::new(), asked: Vec::new(), total: 0 }
    }
    pub(super) fn objects(&self) -> &ObjectMap {
        &self.objects
    }
    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The wants that stand between these names and their documents; none when all are at hand.
    pub(super) fn ask(&mut self, names: impl IntoIterator<Item = String>) -> Result<Vec<Want>> {
        for name in names {
            if self.found.contains_key(&name) || self.waiting.contains(&name) {
                continue;
            }
            let want = match self.objects.resolve(&name) {
                None => {
                    self.found.insert(name, None);
                    continue;
                }
                Some(Reference::Inline(bytes)) => {
                    self.keep(name, Some(bytes))?;
                    continue;
                }
                Some(Reference::Whole(object)) => Want::Whole { object, most: self.limits.max_metadata_bytes },
                Some(Reference::Range(span)) => {
                    Limits::check("max_metadata_bytes", span.length, self.limits.max_metadata_bytes)?;
                    Want::Range(span)
                }
                Some(Reference::Deflated { .. }) => return Err(Error::unsupported(format!("{name}: a compressed document that was not inflated"))),
            };
            self.waiting.insert(name.clone());
            let names = self.pending.entry(want.clone()).or_default();
            if names.is_empty() {
                self.asked.push(want);
            }
            names.push(name);
        }
        self.asked.retain(|want| self.pending.contains_key(want));
        Ok(self.asked.clone())
    }

    fn keep(&mut self, name: String, bytes: Option<Bytes>) -> Result<()> {
        let length = bytes.as_ref().map_or(0, |b| b.len() as u64);
        self.total = self.total.saturating_add(length);
        Limits::check("max_metadata_bytes", self.total, self.limits.max_metadata_bytes)?;
        self.found.insert(name, bytes);
        Ok(())
    }

    pub(super) fn supply(&mut self, want: &Want, got: &Got) -> Result<()> {
        let bytes = match got {
            Got::Missing => None,
            Got::Bytes { bytes, .. } => match want {
                Want::Range(span) if span.length != bytes.len() as u64 => {
                    return Err(Error::malformed("an object is shorter than what is said to be in it").in_object(span.object.url()));
                }
                _ => Some(bytes.clone()),
            },
            Got::Names(_) => return Err(Error::malformed("a list of names in place of a document")),
        };
        for name in self.pending.remove(want).unwrap_or_default() {
            self.waiting.remove(&name);
            self.keep(name, bytes.clone())?;
        }
        Ok(())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        matches!(self.found.get(name), Some(Some(_)))
    }
    /// A document that was asked for.
    pub(super) fn text(&self, name: &str) -> Result<Option<Text>> {
        let text = self.bytes(name).map(|bytes| Text::new(bytes, &self.limits)).transpose();
        text.map_err(|e| self.in_document(name, e))
    }
    /// The bytes of a document that was asked for.
    pub(super) fn bytes(&self, name: &str) -> Option<&Bytes> {
        self.found.get(name)?.as_ref()
    }
    /// An error, with the document that it was found in.
    pub(super) fn in_document(&self, name: &str, e: Error) -> Error {
        match self.objects.resolve(name) {
            Some(Reference::Whole(object)) => e.in_object(object.url()),
            _ => e.in_object(name),
        }
    }
}
