//! Names of nodes and of objects below a root.

use crate::error::{Error, Result};

/// Bytes of the longest name.
const MAX_NAME_BYTES: usize = 4096;

/// Passes a name relative to a root that can only lead below it: segments between single slashes, none of them `.` or `..` (also
/// percent-encoded), no backslash and no control character. The empty name is the root itself.
///
/// # Errors
/// `Malformed` with the name.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || is_plain(name) {
        return Ok(());
    }
    let refuse = || Error::malformed(format!("a name that is refused: {:?}", name.chars().take(80).collect::<String>()));
    if name.len() > MAX_NAME_BYTES || name.contains(|c: char| c == '\\' || c.is_control()) {
        return Err(refuse());
    }
    let is_bad = |segment: &str| {
        let decoded = decode_dots_and_slashes(segment);
        segment.is_empty() || matches!(decoded.as_str(), "." | "..") || decoded.contains(['/', '\\', '\0'])
    };
    if name.split('/').any(is_bad) {
        return Err(refuse());
    }
    Ok(())
}

/// Whether a name is one of the many that need no closer look.
fn is_plain(name: &str) -> bool {
    let mut before = b'/';
    for byte in name.bytes() {
        let begins = before == b'/';
        if !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || (!begins && matches!(byte, b'.' | b'/'))) {
            return false;
        }
        before = byte;
    }
    before != b'/' && name.len() <= MAX_NAME_BYTES
}

/// What a segment would be to whoever decodes percent signs, as far as it could climb or split.
fn decode_dots_and_slashes(segment: &str) -> String {
    let mut decoded = segment.to_ascii_lowercase();
    for (code, text) in [("%25", "%"), ("%2e", "."), ("%2f", "/"), ("%5c", "\\"), ("%00", "\0")] {
        if decoded.contains(code) {
            decoded = decoded.replace(code, text);
        }
    }
    decoded
}

/// A name below a path.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_only_lead_down() {
        for good in ["", "a", "a/b.c/d", "..a", "a b", "é/x", "c/0/1", "100%", "a%20b", "..."] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        let bad = [
            "/",
            "/a",
            "a/",
            "a//b",
            "..",
            "a/../b",
            ".",
            "a/./b",
            "a\\b",
            "C:\\x",
            "a\0",
            "a\nb",
            "%2e%2E/x",
            "a%2fb",
            "%252e%252e",
            ".%2e",
            "a%00",
        ];
        for bad in bad {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
