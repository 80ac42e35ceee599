//! How a parser that never waits says what it needs.

use std::sync::Arc;

use bytes::Bytes;

use super::{ByteSpan, ObjectKey};
use crate::error::Result;

/// Something a parser or a manifest needs from a store.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Want {
    /// A range of an object; shorter where the object ends before it does.
    Range(ByteSpan),
    /// A whole object, not above this many bytes.
    Whole {
        /// The object.
        object: ObjectKey,
        /// The most bytes that are taken.
        most: u64,
    },
    /// The last bytes of an object.
    Suffix {
        /// The object.
        object: ObjectKey,
        /// How many bytes.
        length: u64,
    },
    /// The names right below a prefix: objects, and prefixes that end in `/`.
    List {
        /// The prefix, without a slash at its end.
        prefix: ObjectKey,
    },
}

impl Want {
    /// The object or prefix it is about.
    #[must_use]
    pub fn object(&self) -> &ObjectKey {
        match self {
            Self::Range(span) => &span.object,
            Self::Whole { object, .. } | Self::Suffix { object, .. } => object,
            Self::List { prefix } => prefix,
        }
    }
}

/// The answer to a [`Want`].
#[derive(Clone, Debug)]
pub enum Got {
    /// The bytes.
    Bytes {
        /// What was there: for a range, all of it, or up to the end of the object.
        bytes: Bytes,
        /// The length of the whole object, where the store told it.
        size: Option<u64>,
        /// The object's version, where the store told one.
        version: Option<Arc<str>>,
    },
    /// There is no such object (never said of one that may not be read).
    Missing,
    /// The names below a prefix; `None` where the store cannot list.
    Names(Option<Vec<String>>),
}

/// What a parser answers when it is asked for its result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step<T> {
    /// It needs these first, in any order and at once.
    Need(Vec<Want>),
    /// It has the result.
    Done(T),
}

/// A parser that never waits: ask, supply what it needs, ask again.
pub trait Parser {
    /// What it parses.
    type Output;
    /// Goes as far as the bytes at hand allow.
    ///
    /// # Errors
    /// Whatever is wrong with the bytes.
    fn step(&mut self) -> Result<Step<Self::Output>>;
    /// Takes the answer to one of the wants of the last step.
    ///
    /// # Errors
    /// Whatever is wrong with the answer.
    fn supply(&mut self, want: &Want, got: Got) -> Result<()>;
}
