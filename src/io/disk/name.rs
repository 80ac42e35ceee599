//! Names of entries.

use std::path::PathBuf;

use crate::io::memory::Piece;
use crate::model::without_secrets;

/// An object as all processes of a host would name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lasting {
    /// Unsigned.
    pub(crate) url: String,
    /// What the URL leaves to the environment: the endpoint of its scheme, an account.
    pub(crate) realm: String,
}

/// What an entry is of. Its text stands in the entry; its file is named by two hashes of it, which need not tell all texts apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    text: String,
    object: u64,
    rest: u64,
}

impl Name {
    /// The answer to a want of this piece that is pinned to a version, or to none.
    pub(crate) fn new(object: &Lasting, version: Option<&str>, piece: &Piece) -> Self {
        let Lasting { url, realm } = object;
        debug_assert!(!url.starts_with("http") || without_secrets(url) == *url, "only unsigned URLs go to disk");
        let piece = match piece {
            Piece::Range { start, length } => format!("range {start} {length}"),
            Piece::Suffix(length) => format!("suffix {length}"),
            Piece::Whole => "whole".to_owned(),
        };
        let pinned = version.map_or_else(|| "any".to_owned(), |version| format!("{} {version}", version.len()));
        let rest = format!("{piece}\n{pinned}\n");
        Self { object: object_hash(object), rest: fnv1a(rest.as_bytes()), text: format!("{rest}{}\n{url}", in_one_line(realm)) }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where its entry is, below the folder of entries.
    pub(super) fn path(&self) -> PathBuf {
        let file = format!("{:016x}{:016x}", self.object, self.rest);
        [&file[..2], &file].iter().collect()
    }
}

/// The names of the files of one object begin with it.
pub(super) fn object_prefix(object: &Lasting) -> String {
    format!("{:016x}", object_hash(object))
}

/// The realm and the URL in the text of a name.
pub(super) fn object_of(text: &str) -> Option<(&str, &str)> {
    let (_, object) = text.split_once('\n')?.1.split_once('\n')?;
    object.split_once('\n')
}

fn object_hash(object: &Lasting) -> u64 {
    fnv1a(format!("{}\n{}", in_one_line(&object.realm), object.url).as_bytes())
}

fn in_one_line(text: &str) -> String {
    text.replace('\n', " ")
}

/// Fowler, Noll and Vo's hash (draft-eastlake-fnv): the same in every build.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_its_authors() {
        for (text, hash) in [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)] {
            assert_eq!(fnv1a(text.as_bytes()), hash, "{text}");
        }
    }

    #[test]
    fn all_that_tells_answers_apart_is_in_the_name() {
        let of = |realm: &str, url: &str| Lasting { url: url.into(), realm: realm.into() };
        let range = |start, length| Piece::Range { start, length };
        let names = [
            Name::new(&of("", "s3://b/a"), None, &range(0, 10)),
            Name::new(&of("", "s3://b/a"), None, &range(0, 11)),
            Name::new(&of("", "s3://b/a"), None, &range(1, 10)),
            Name::new(&of("", "s3://b/a"), Some("x"), &range(0, 10)),
            Name::new(&of("", "s3://b/a"), Some("y"), &range(0, 10)),
            Name::new(&of("", "s3://b/a"), None, &Piece::Suffix(10)),
            Name::new(&of("", "s3://b/a"), None, &Piece::Whole),
            Name::new(&of("", "s3://b/b"), None, &range(0, 10)),
            Name::new(&of("http://other", "s3://b/a"), None, &range(0, 10)),
        ];
        for (at, one) in names.iter().enumerate() {
            assert_eq!(names.iter().position(|other| other.text() == one.text()), Some(at));
            assert_eq!(names.iter().position(|other| other.path() == one.path()), Some(at));
        }
        let name = Name::new(&of("realm", "s3://b/a"), Some("v\nw"), &Piece::Whole);
        assert!(name.path().ends_with(name.path().file_name().unwrap()));
        assert_eq!(object_of(names[8].text()), Some(("http://other", "s3://b/a")));
    }
}
