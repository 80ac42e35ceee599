//! What tells one generation of an object from another, and how well.
//!
//! A version is an opaque text made of what a store told of the object. Its form says how it can be held against the object:
//!
//! - `"…"`: a strong entity tag (RFC 9110, section 8.8.3). It is sent as `If-Match`, so that the store itself refuses another generation.
//! - `W/"…" modified … size …`, or `modified … size …`: a weak tag, the time of the last change, the size, `*` where one is not told. They are
//!   compared when an answer has come: two changes within the clock's step that keep the size are not told apart.
//! - `size …`: nothing but the size, which is compared, and promises nothing.
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
    /// Nothing: the store tells at most the size of an object, or the chunks are objects of their own that nothing ties to each other.
    None,
}

impl Consistency {
    /// What a version, as [`ObjectKey::version`](super::ObjectKey::version) has it, is good for.
    #[must_use]
    pub fn of(version: Option<&str>) -> Self {
        match version {
            None => Self::None,
            Some(version) if if_match(version).is_some() => Self::Strong,
            Some(version) if version.starts_with("size ") => Self::None,
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

/// The version of an object, by what its store tells: a strong entity tag as it is, else all that there is; `None` where that is nothing.
///
/// A tag without quotes, as some stores give it, is taken for a strong one. `modified` is any text for the time of the last change.
#[must_use]
pub fn version(e_tag: Option<&str>, modified: Option<&str>, size: Option<u64>) -> Option<Arc<str>> {
    let size = size.map_or_else(|| "*".to_owned(), |size| size.to_string());
    let modified = modified.unwrap_or("*");
    Some(match e_tag.map(str::trim).filter(|tag| !tag.is_empty()) {
        Some(tag) if tag.starts_with('"') => tag.into(),
        Some(tag) if tag.starts_with("W/") => format!("{tag} modified {modified} size {size}").into(),
        Some(tag) => format!("\"{tag}\"").into(),
        None if modified != "*" => format!("modified {modified} size {size}").into(),
        None if size != "*" => format!("size {size}").into(),
        None => return None,
    })
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
        let size = Some(7);
        let table = [
            (Some("\"a\""), Some("now"), size, Some("\"a\""), Consistency::Strong),
            (Some(" \"a\""), None, None, Some("\"a\""), Consistency::Strong),
            (Some("a"), Some("now"), size, Some("\"a\""), Consistency::Strong),
            (Some("W/\"a\""), Some("now"), size, Some("W/\"a\" modified now size 7"), Consistency::LastModified),
            (Some("W/\"a\""), None, None, Some("W/\"a\" modified * size *"), Consistency::LastModified),
            (Some(""), Some("now"), size, Some("modified now size 7"), Consistency::LastModified),
            (None, Some("now"), None, Some("modified now size *"), Consistency::LastModified),
            (None, None, size, Some("size 7"), Consistency::None),
            (Some(""), None, None, None, Consistency::None),
        ];
        for (tag, modified, size, expected, level) in table {
            let made = version(tag, modified, size);
            assert_eq!(made.as_deref(), expected, "{tag:?} {modified:?} {size:?}");
            assert_eq!(Consistency::of(made.as_deref()), level, "{tag:?} {modified:?} {size:?}");
        }
        assert_eq!(Consistency::of(Some("17f-2a-99")), Consistency::LastModified, "a local file's");
        assert_eq!(if_match("\"a\""), Some("\"a\""));
        assert_eq!(if_match("W/\"a\" modified now size 7"), None);
    }

    #[test]
    fn what_holds_for_both_is_the_weaker() {
        assert_eq!(Consistency::Strong.and(Consistency::LastModified), Consistency::LastModified);
        assert_eq!(Consistency::None.and(Consistency::Strong), Consistency::None);
    }
}
