//! An object a chunk, named after its index; and what names of objects mean.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::{Location, Missing};
use crate::error::{Error, Result};
use crate::model::{ByteSpan, ObjectKey};

/// Names of objects after the chunks' indexes.
#[derive(Debug, Clone)]
pub struct KeyNames {
    /// What the names are looked up in.
    pub objects: ObjectMap,
    /// What stands before the index.
    pub prefix: String,
    /// What stands between the numbers.
    pub separator: char,
    /// What the name of the only chunk of an array without dimensions is, behind the prefix.
    pub scalar: String,
    /// What absence means.
    pub missing: Missing,
}

/// What names of objects mean.
#[derive(Clone)]
pub enum ObjectMap {
    /// Objects below a prefix (which has no slash at its end).
    Prefix(ObjectKey),
    /// A list: an archive's members, or a file of references.
    References(Arc<HashMap<String, Reference>>),
}

impl fmt::Debug for ObjectMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(key) => write!(f, "Prefix({key})"),
            Self::References(map) => write!(f, "References({})", map.len()),
        }
    }
}

/// What one name refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// The bytes themselves.
    Inline(Bytes),
    /// Another object, whole.
    Whole(ObjectKey),
    /// A range of another object.
    Range(ByteSpan),
    /// A range of another object that is raw Deflate around what the name stands for: an archive's member.
    Deflated {
        /// The range.
        span: ByteSpan,
        /// The length inside.
        size: u64,
    },
}

impl Reference {
    /// The object that it refers to; `None` where the bytes are at hand.
    #[must_use]
    pub fn object(&self) -> Option<&ObjectKey> {
        match self {
            Self::Inline(_) => None,
            Self::Whole(key) => Some(key),
            Self::Range(span) | Self::Deflated { span, .. } => Some(&span.object),
        }
    }
    /// Where a chunk is that this refers to. `missing` is what it means where a whole object is not there.
    #[must_use]
    pub fn location(&self, missing: Missing) -> Location {
        match self {
            Self::Inline(bytes) => Location::Inline(bytes.clone()),
            Self::Whole(key) => Location::Whole { key: key.clone(), missing },
            Self::Range(span) => Location::At { span: span.clone(), chain: 0 },
            Self::Deflated { span, .. } => Location::At { span: span.clone(), chain: 1 },
        }
    }
}

impl ObjectMap {
    /// What a name refers to; `None` where it is certain that there is nothing.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Option<Reference> {
        match self {
            Self::Prefix(prefix) if name.is_empty() => Some(Reference::Whole(prefix.clone())),
            Self::Prefix(prefix) => Some(Reference::Whole(ObjectKey::new(format!("{}/{name}", prefix.url())))),
            Self::References(map) => map.get(name).cloned(),
        }
    }
}

impl KeyNames {
    /// The name of a chunk.
    #[must_use]
    pub fn name(&self, index: &[u64]) -> String {
        let mut name = String::new();
        self.write_name(index, &mut name);
        name
    }

    /// Writes the name of a chunk behind what a text holds.
    pub(crate) fn write_name(&self, index: &[u64], name: &mut String) {
        use fmt::Write;
        name.push_str(&self.prefix);
        if index.is_empty() {
            name.push_str(&self.scalar);
        }
        for (i, n) in index.iter().enumerate() {
            if i > 0 {
                name.push(self.separator);
            }
            let _infallible = write!(name, "{n}");
        }
    }

    pub(super) fn locate(&self, index: &[u64]) -> Result<Location> {
        match self.objects.resolve(&self.name(index)) {
            None if self.missing == Missing::Fill => Ok(Location::Absent),
            None => Err(Error::not_found(&self.name(index))),
            Some(reference) => {
                // What a list names was there: its absence is a loss.
                let missing = if matches!(self.objects, ObjectMap::References(_)) { Missing::Error } else { self.missing };
                Ok(reference.location(missing))
            }
        }
    }
}
