//! One error type for every layer.
//!
//! Kinds are sorted by what the caller does next: try again, give up on the object, raise a limit, ask for something else.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in which object, and why.
///
/// Cheap to clone: one failed fetch may be the answer of many readers.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    object: Option<Arc<str>>,
    chunk: Option<Box<[u64]>>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The object is not there.
    NotFound,
    /// The store did not deliver: network, permission, protocol.
    Storage(String),
    /// The store did not let the request in: the credentials are missing, wrong or expired (401, 403).
    Denied(String),
    /// The server does not serve ranges, and the object is too large to be taken whole.
    RangeUnsupported,
    /// The server sent the object in a `Content-Encoding`, of which no range is a range of the object.
    Encoded(String),
    /// The time that the caller gave was over.
    Deadline {
        /// The time given.
        given: std::time::Duration,
        /// What the last request that failed before failed with, where one did.
        last: Option<String>,
    },
    /// The object is another one than when it was opened.
    ObjectChanged {
        /// The validator when it was opened.
        old: String,
        /// The validator now.
        new: String,
    },
    /// The bytes break the rules of their format.
    Malformed(String),
    /// The bytes are well-formed, and hold what this build does not read.
    Unsupported(String),
    /// A codec could not decode a chunk.
    Codec {
        /// The codec's name.
        codec: &'static str,
        /// What it met.
        message: String,
    },
    /// A stored checksum differs from the computed one.
    Checksum {
        /// The checksum's name.
        codec: &'static str,
    },
    /// A size from outside is above its bound in [`Limits`](crate::model::Limits).
    Limit {
        /// The name of the bound.
        what: &'static str,
        /// The size that was asked for.
        asked: u64,
        /// The size that is allowed.
        allowed: u64,
    },
    /// The region does not fit the array.
    Region(String),
    /// The stored type is not the one asked for.
    DataType(String),
    /// The coordinate reference system is missing, unknown or not usable.
    Crs(String),
    /// The name asked for is not among those there, or the call cannot be answered for this array.
    Usage(String),
    /// A decode task panicked; its read ended after all its tasks had.
    Panicked(String),
}

impl Error {
    /// An error of this kind; of a message that is very long, its beginning.
    #[must_use]
    pub fn new(mut kind: ErrorKind) -> Self {
        shorten(&mut kind);
        Self(Box::new(Inner { kind, object: None, chunk: None, source: None }))
    }
    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }
    /// The object it went wrong in, without query string and user info; of a name that is very long, its beginning.
    #[must_use]
    pub fn object(&self) -> Option<&str> {
        self.0.object.as_deref()
    }
    /// Names the object, unless an inner layer did.
    #[must_use]
    pub fn in_object(mut self, object: &str) -> Self {
        if self.0.object.is_none() {
            let mut object = crate::model::without_secrets(object).into_owned();
            cut(&mut object);
            self.0.object = Some(object.into());
        }
        self
    }
    /// The index of the chunk whose bytes it was met in, where it is about one.
    #[must_use]
    pub fn chunk(&self) -> Option<&[u64]> {
        self.0.chunk.as_deref()
    }
    /// Names the chunk, unless an inner layer did.
    #[must_use]
    pub fn in_chunk(mut self, index: &[u64]) -> Self {
        self.0.chunk.get_or_insert_with(|| index.into());
        self
    }
    /// Keeps the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }
    /// Whether the object was not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self.0.kind, ErrorKind::NotFound)
    }
    /// Whether the bytes of a chunk, or of a table of chunks, are not those that were written: a codec or a checksum says so.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Codec { .. } | ErrorKind::Checksum { .. })
    }
    /// Whether the object is not the one that was opened any more.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        matches!(self.0.kind, ErrorKind::ObjectChanged { .. })
    }
    /// Whether it tells of the machine, and nothing of the object: there was no memory.
    #[must_use]
    pub(crate) fn is_lack_of_memory(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Limit { what: "memory", .. })
    }
    /// Whether this build does not read what is there.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Unsupported(_))
    }

    /// See [`ErrorKind::NotFound`].
    #[must_use]
    pub fn not_found(object: &str) -> Self {
        Self::new(ErrorKind::NotFound).in_object(object)
    }
    /// See [`ErrorKind::Storage`].
    pub fn storage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Storage(message.into()))
    }
    /// See [`ErrorKind::Denied`].
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Denied(message.into()))
    }
    /// See [`ErrorKind::Malformed`].
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Malformed(message.into()))
    }
    /// See [`ErrorKind::Unsupported`].
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported(message.into()))
    }
    /// See [`ErrorKind::Codec`].
    pub fn codec(codec: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Codec { codec, message: message.into() })
    }
    /// See [`ErrorKind::Checksum`].
    #[must_use]
    pub fn checksum(codec: &'static str) -> Self {
        Self::new(ErrorKind::Checksum { codec })
    }
    /// See [`ErrorKind::Limit`].
    #[must_use]
    pub fn limit(what: &'static str, asked: u64, allowed: u64) -> Self {
        Self::new(ErrorKind::Limit { what, asked, allowed })
    }
    /// See [`ErrorKind::Region`].
    pub fn region(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Region(message.into()))
    }
    /// See [`ErrorKind::DataType`].
    pub fn data_type(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::DataType(message.into()))
    }
    /// See [`ErrorKind::Crs`].
    pub fn crs(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Crs(message.into()))
    }
    /// See [`ErrorKind::Usage`].
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage(message.into()))
    }
}

/// Bytes of a message, and of an object's name in it. Names out of a file stand in messages, and may be as long as the file.
const MOST_MESSAGE_BYTES: usize = 4096;

fn shorten(kind: &mut ErrorKind) {
    match kind {
        ErrorKind::Storage(text)
        | ErrorKind::Denied(text)
        | ErrorKind::Encoded(text)
        | ErrorKind::Malformed(text)
        | ErrorKind::Unsupported(text)
        | ErrorKind::Codec { message: text, .. }
        | ErrorKind::Region(text)
        | ErrorKind::DataType(text)
        | ErrorKind::Crs(text)
        | ErrorKind::Usage(text)
        | ErrorKind::Panicked(text) => cut(text),
        _ => {}
    }
}

fn cut(text: &mut String) {
    if text.len() > MOST_MESSAGE_BYTES {
        text.truncate(text.floor_char_boundary(MOST_MESSAGE_BYTES));
        text.push('…');
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("not found"),
            Self::ObjectChanged { old, new } => write!(f, "the object changed since it was opened (was {old}, is {new})"),
            Self::Malformed(m) => write!(f, "malformed: {m}"),
            Self::Unsupported(m) => write!(f, "unsupported: {m}"),
            Self::Codec { codec, message } => write!(f, "{codec}: {message}"),
            Self::Checksum { codec } => write!(f, "{codec}: the checksum differs from the data"),
            Self::Limit { what, asked, allowed } => write!(f, "limit {what}: {asked} asked, {allowed} allowed"),
            Self::Denied(m) => write!(f, "permission denied: {m}"),
            Self::RangeUnsupported => f.write_str("the server does not serve ranges, and the object is too large to be taken whole"),
            Self::Encoded(encoding) => write!(f, "the server sent the object in the encoding {encoding}, of which no range can be read"),
            Self::Deadline { given, last: None } => write!(f, "not done within {given:?}"),
            Self::Deadline { given, last: Some(last) } => write!(f, "not done within {given:?}; the last request that failed: {last}"),
            Self::Region(m) => write!(f, "region: {m}"),
            Self::DataType(m) => write!(f, "data type: {m}"),
            Self::Crs(m) => write!(f, "crs: {m}"),
            Self::Storage(m) | Self::Usage(m) => f.write_str(m),
            Self::Panicked(m) => write!(f, "a decode task panicked: {m}"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.object {
            Some(object) => write!(f, "{object}: {}", self.0.kind)?,
            None => write!(f, "{}", self.0.kind)?,
        }
        match &self.0.chunk {
            Some(chunk) => write!(f, " (chunk {chunk:?})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|s| s.as_ref() as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// One of each kind. The match has no wildcard: a new kind does not compile until it stands here.
    fn one_of_each(last: &str) -> Vec<ErrorKind> {
        let text = || "text".to_owned();
        let mut kinds = vec![ErrorKind::NotFound];
        while let Some(kind) = kinds.last() {
            kinds.push(match kind {
                ErrorKind::NotFound => ErrorKind::Storage(text()),
                ErrorKind::Storage(_) => ErrorKind::Denied(text()),
                ErrorKind::Denied(_) => ErrorKind::RangeUnsupported,
                ErrorKind::RangeUnsupported => ErrorKind::Encoded(text()),
                ErrorKind::Encoded(_) => ErrorKind::Deadline { given: Duration::from_secs(1), last: Some(last.to_owned()) },
                ErrorKind::Deadline { .. } => ErrorKind::ObjectChanged { old: text(), new: text() },
                ErrorKind::ObjectChanged { .. } => ErrorKind::Malformed(text()),
                ErrorKind::Malformed(_) => ErrorKind::Unsupported(text()),
                ErrorKind::Unsupported(_) => ErrorKind::Codec { codec: "zstd", message: text() },
                ErrorKind::Codec { .. } => ErrorKind::Checksum { codec: "crc32c" },
                ErrorKind::Checksum { .. } => ErrorKind::Limit { what: "memory", asked: 2, allowed: 1 },
                ErrorKind::Limit { .. } => ErrorKind::Region(text()),
                ErrorKind::Region(_) => ErrorKind::DataType(text()),
                ErrorKind::DataType(_) => ErrorKind::Crs(text()),
                ErrorKind::Crs(_) => ErrorKind::Usage(text()),
                ErrorKind::Usage(_) => ErrorKind::Panicked(text()),
                ErrorKind::Panicked(_) => break,
            });
        }
        kinds
    }

    #[test]
    fn a_message_is_no_longer_than_it_may_be() {
        for error in
            [Error::malformed("é".repeat(1 << 20)), Error::codec("zstd", "x".repeat(1 << 20)), Error::usage("x".repeat(MOST_MESSAGE_BYTES + 1))]
        {
            assert!(error.to_string().len() < MOST_MESSAGE_BYTES + 20 && error.to_string().ends_with('…'));
        }
        assert_eq!(Error::usage("x".repeat(MOST_MESSAGE_BYTES)).to_string().len(), MOST_MESSAGE_BYTES);
    }

    /// `tests/threats/errors.rs` raises each kind by real inputs; it cannot be held complete there, where the kinds are not exhaustive.
    #[test]
    fn every_kind_is_raised_by_a_test() {
        let table = include_str!("../tests/threats/errors.rs");
        for kind in one_of_each("text") {
            let said = format!("{kind:?}");
            let name = said.split([' ', '(']).next().unwrap_or_default();
            assert!(table.contains(&format!("(\"{name}\", ")), "{name} is not among those that are raised");
        }
    }

    #[test]
    fn an_error_of_any_kind_names_its_object_without_secrets() {
        let url = "https://user:CANARY@host.net/a/b?sig=CANARY#CANARY";
        // what a deadline tells of an earlier failure is the text of an error
        let last = Error::storage("no answer").in_object(url).to_string();
        for kind in one_of_each(&last) {
            let error = Error::new(kind).in_object(url);
            let outer = Error::usage("outer").in_object(url).caused_by(error.clone());
            let texts = format!("{error} {error:?} {error:#?} {:?} {:?} {:?}", error.kind(), error.object(), outer.source());
            assert!(!texts.contains("CANARY"), "{texts}");
            assert!(error.to_string().starts_with("https://host.net/a/b: "), "{error}");
        }
    }
}
