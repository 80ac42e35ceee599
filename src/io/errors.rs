//! Errors of stores, told without secrets.
//!
//! The texts of `object_store` and `reqwest` may hold a signed URL, and the body of a refused request the string that was to be
//! signed, so neither becomes a cause or a message as it stands.

use std::error::Error as StdError;

use crate::error::Error;
use crate::model::{ObjectKey, without_secrets};

/// The longest message taken over from elsewhere, in bytes.
const LONGEST: usize = 300;

/// What a store said, as our error.
pub(super) fn from_store(error: &object_store::Error, key: &ObjectKey) -> Error {
    use object_store::Error as E;
    let message = match error {
        E::NotFound { .. } => return Error::not_found(key.url()),
        E::PermissionDenied { .. } => "permission denied".to_owned(),
        E::Unauthenticated { .. } => "permission denied: the store wants credentials, or other ones".to_owned(),
        E::NotSupported { .. } | E::NotImplemented { .. } => "the store does not serve this kind of request".to_owned(),
        other => status(other).or_else(|| wire(other)).unwrap_or_else(|| scrubbed(&other.to_string())),
    };
    Error::storage(message).in_object(key.url())
}

/// The causes of an error, itself first.
fn causes<'a>(error: &'a object_store::Error) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let next = |e: &&'a (dyn StdError + 'static)| -> Option<&'a (dyn StdError + 'static)> { (*e).source() };
    std::iter::successors(Some(error as &'a (dyn StdError + 'static)), next)
}

/// The answer 416, told apart by type: that of `object_store` is private.
#[derive(Debug)]
pub(super) struct NotSatisfiable;

impl std::fmt::Display for NotSatisfiable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the server answered 416 Range Not Satisfiable")
    }
}

impl StdError for NotSatisfiable {}

/// Whether the store understood the request, and says the range is not there.
pub(super) fn is_range_not_satisfiable(error: &object_store::Error) -> bool {
    causes(error).any(|e| e.is::<NotSatisfiable>())
}

/// Whether it came from an answer, or the lack of one, to a request over the network.
pub(super) fn is_from_network(error: &object_store::Error) -> bool {
    #[cfg(feature = "cloud")]
    if causes(error).any(|e| e.is::<object_store::client::HttpError>()) {
        return true;
    }
    status(error).is_some()
}

/// The status of an answer, and the code that S3, Azure and Google put into its body.
fn status(error: &object_store::Error) -> Option<String> {
    let text = causes(error).map(ToString::to_string).find(|text| text.starts_with("Server returned"))?;
    let status = text.split_once("status code: ").map_or("with an error", |(_, rest)| rest.split(':').next().unwrap_or(rest).trim());
    let status = if status.len() <= 64 { status } else { "with an error" };
    let code = text
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"))
        .map(|(code, _)| code)
        .filter(|code| code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric()));
    Some(match code {
        Some(code) => format!("the server answered {status} ({code})"),
        None => format!("the server answered {status}"),
    })
}

/// What happened below HTTP: the innermost cause says it best.
fn wire(error: &object_store::Error) -> Option<String> {
    let mut innermost: &(dyn StdError + 'static) = error.source()?;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    let text = scrubbed(&innermost.to_string());
    (!text.is_empty()).then_some(text)
}

/// A foreign text with its URLs cut before query and user info, on one line, not too long.
pub(super) fn scrubbed(text: &str) -> String {
    let is_border = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '(' | ')' | '<' | '>' | '`' | ',');
    let mut out = String::new();
    for word in text.split_inclusive(is_border) {
        let (url, border) = match word.char_indices().next_back() {
            Some((at, last)) if is_border(last) => (&word[..at], if last.is_whitespace() { " " } else { &word[at..] }),
            _ => (word, ""),
        };
        let shown = if url.contains("://") { without_secrets(url) } else { url.split_once('?').map_or(url, |(path, _)| path).into() };
        if out.len() + shown.len() > LONGEST {
            out.push('…');
            break;
        }
        out.push_str(&shown);
        out.push_str(border);
    }
    out.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_texts_lose_their_queries() {
        let text = "Error performing GET \"https://u:CANARY@h.net/a?sig=CANARY&x=CANARY\"\n(/a?CANARY) failed";
        assert_eq!(scrubbed(text), "Error performing GET \"https://h.net/a\" (/a) failed");
        assert!(scrubbed(&"long ".repeat(1000)).len() <= LONGEST + 4);
    }

    #[test]
    fn kinds() {
        let key = ObjectKey::new("https://h.net/a?sig=CANARY");
        let source = || "https://h.net/a?sig=CANARY".into();
        let denied = from_store(&object_store::Error::PermissionDenied { path: "a".into(), source: source() }, &key);
        assert_eq!(denied.to_string(), "https://h.net/a: permission denied");
        assert!(from_store(&object_store::Error::NotFound { path: "a".into(), source: source() }, &key).is_not_found());
        let other = from_store(&object_store::Error::Generic { store: "S3", source: source() }, &key);
        assert!(!format!("{other} {other:?} {:?}", StdError::source(&other)).contains("CANARY"), "{other}");
    }
}
