//! Names of objects and places in them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// An object's name: its URL without secrets, and the version it was first met at.
///
/// The version is part of the name, so that bytes of two generations of an object are never mixed.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    url: Arc<str>,
    version: Option<Arc<str>>,
}

impl ObjectKey {
    /// Names the object at an unsigned URL, of whatever version.
    pub fn new(url: impl Into<Arc<str>>) -> Self {
        Self { url: url.into(), version: None }
    }
    /// The same object, pinned to a version (an ETag, or what a store has in its place).
    #[must_use]
    pub fn with_version(&self, version: Option<Arc<str>>) -> Self {
        Self { url: self.url.clone(), version }
    }
    /// The URL, unsigned.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
    /// The version it is pinned to.
    #[must_use]
    pub fn version(&self) -> Option<&Arc<str>> {
        self.version.as_ref()
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_secrets(&self.url))
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A half-open range of an object's bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ByteSpan {
    /// The object.
    pub object: ObjectKey,
    /// The first byte.
    pub start: u64,
    /// How many bytes.
    pub length: u64,
}

impl ByteSpan {
    /// The span of `length` bytes from `start`; `None` where its end is past 2^64.
    #[must_use]
    pub fn new(object: &ObjectKey, start: u64, length: u64) -> Option<Self> {
        start.checked_add(length)?;
        Some(Self { object: object.clone(), start, length })
    }
    /// One past the last byte.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.length)
    }
    /// As a range.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.start..self.end()
    }
}

/// A token, key or signed query. Its `Debug` and `Display` are fixed text.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl Into<Arc<str>>) -> Self {
        Self(secret.into())
    }
    /// The secret itself: for the request, and for nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// A URL for people: without query, fragment and user info.
#[must_use]
pub fn without_secrets(url: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = url.split_once("://") else { return Cow::Borrowed(url) };
    if scheme == "file" || scheme == "memory" {
        return Cow::Borrowed(url);
    }
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Cow::Owned(format!("{scheme}://{host}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(format!("{:?} {}", Secret::new("x1"), Secret::new("x1")), "[secret] [secret]");
        assert_eq!(without_secrets("https://u:p@h.net/a/b?sig=x1#y"), "https://h.net/a/b");
        assert_eq!(without_secrets("https://h.net?sig=x1"), "https://h.net");
        assert_eq!(without_secrets("file:///a/b?c"), "file:///a/b?c");
        assert!(!format!("{:?}", ObjectKey::new("https://h/a?sig=x1")).contains("x1"));
    }

    #[test]
    fn spans_do_not_overflow() {
        let key = ObjectKey::new("memory://a");
        assert!(ByteSpan::new(&key, u64::MAX, 1).is_none());
        assert_eq!(ByteSpan::new(&key, 3, 4).map(|s| s.range()), Some(3..7));
    }
}
