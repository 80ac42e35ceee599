//! What tells one generation of an object from another, and how well.
//!
//! A version is an opaque text made of what a store told of the object. Its form says how it can be held against the object:
//!
//! - `"…"`: a strong entity tag (RFC 9110, section 8.8.3). It is sent as `If-Match`, so that the store itself refuses another generation.
//! - `W/"…" milliseconds-size`, or `milliseconds-size`: a weak tag, the time of the last change, the size. They are compared when an answer
//!   has come: two changes within the clock's step that keep the size are not told apart.
//! - of a local file: its time of change in nanoseconds, size and inode, compared before and after each read.

use std::fmt;
use std::sync::Arc;

/// What stands against mixing bytes of two generations of an object.
///
/// From the strongest to the weakest; [`ChunkedArray::consistency`](crate::ChunkedArray::consistency) tells what was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Consistency {
    /// The store checks: every request names the generation that was opened, by its strong entity tag.
    Strong,
    /// Every answer is compared: a weak entity tag, the time of the last change and the size are those of the generation that was opened.
    /// A change that keeps all of them goes unseen.
    LastModified,
    /// Nothing: the store tells nothing of generations, or the chunks are objects of their own that nothing ties to each other.
    None,
}

impl Consistency {
    /// What a version, as [`ObjectKey::version`](super::ObjectKey::version) has it, is good for.
    #[must_use]
    pub fn of(version: Option<&str>) -> Self {
        match version {
            None => Self::None,
            Some(version) if if_match(version).is_some() => Self::Strong,
            Some(_) => Self::LastModified,
        }
    }
    /// The weaker of two: what holds for both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.max(other)
    }
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Strong => "strong",
            Self::LastModified => "last modified",
            Self::None => "none",
        })
    }
}

/// The version of an object of which a store told this; `None` where it told nothing that tells generations apart.
///
/// A tag without quotes, as some stores give it, is taken for a strong one. A time of 0 is none.
#[must_use]
pub fn version(e_tag: Option<&str>, last_modified_millis: i64, size: u64) -> Option<Arc<str>> {
    let time = (last_modified_millis != 0).then(|| format!("{last_modified_millis}-{size}"));
    match (e_tag.filter(|tag| !tag.is_empty()), time) {
        (Some(tag), time) if tag.starts_with("W/") => Some(format!("{tag} {}", time.unwrap_or_else(|| format!("-{size}"))).into()),
        (Some(tag), _) if tag.starts_with('"') => Some(tag.into()),
        (Some(tag), _) => Some(format!("\"{tag}\"").into()),
        (None, time) => time.map(Into::into),
    }
}

/// The strong entity tag that a version is, for `If-Match`.
#[must_use]
pub fn if_match(version: &str) -> Option<&str> {
    version.starts_with('"').then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_what_they_are_good_for() {
        let table = [
            (Some("\"a\""), 5, 7, Some("\"a\""), Consistency::Strong),
            (Some("\"a\""), 0, 7, Some("\"a\""), Consistency::Strong),
            (Some("a"), 5, 7, Some("\"a\""), Consistency::Strong),
            (Some("W/\"a\""), 5, 7, Some("W/\"a\" 5-7"), Consistency::LastModified),
            (Some("W/\"a\""), 0, 7, Some("W/\"a\" -7"), Consistency::LastModified),
            (Some(""), 5, 7, Some("5-7"), Consistency::LastModified),
            (None, 5, 7, Some("5-7"), Consistency::LastModified),
            (None, -5, 7, Some("-5-7"), Consistency::LastModified),
            (None, 0, 7, None, Consistency::None),
            (Some(""), 0, 7, None, Consistency::None),
        ];
        for (tag, time, size, expected, level) in table {
            let made = version(tag, time, size);
            assert_eq!(made.as_deref(), expected, "{tag:?} {time} {size}");
            assert_eq!(Consistency::of(made.as_deref()), level, "{tag:?} {time} {size}");
        }
        assert_eq!(Consistency::of(Some("17f-2a-99")), Consistency::LastModified, "a local file's");
        assert_eq!(if_match("\"a\""), Some("\"a\""));
        assert_eq!(if_match("W/\"a\" 5-7"), None);
    }

    #[test]
    fn what_holds_for_both_is_the_weaker() {
        assert_eq!(Consistency::Strong.and(Consistency::LastModified), Consistency::LastModified);
        assert_eq!(Consistency::None.and(Consistency::Strong), Consistency::None);
    }
}
