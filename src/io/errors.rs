//! Errors of stores, told without secrets.
//!
//! The texts of `object_store` and `reqwest` may hold a signed URL, and the body of a refused request the string that was to be
//! signed, so neither becomes a cause or a message as it stands.

use std::error::Error as StdError;

use std::time::Duration;

use super::host::FailureKind;
use crate::error::Error;
use crate::model::{ObjectKey, without_secrets};

/// The longest message taken over from elsewhere, in bytes.
const LONGEST: usize = 300;

/// Why an attempt brought nothing, or not all.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) kind: FailureKind,
    pub(super) error: Error,
    /// What the host asked for.
    pub(super) retry_after: Option<Duration>,
    /// Whether the answer was not one to what was asked.
    pub(super) wrong: bool,
}

impl Lost {
    fn new(kind: FailureKind, error: Error) -> Self {
        Self { kind, error, retry_after: None, wrong: false }
    }
    /// An answer that is none to what was asked.
    pub(super) fn wrong(what: String) -> Self {
        Self { wrong: true, ..Self::new(FailureKind::Broken, Error::storage(what)) }
    }
    /// A body that ended before its time.
    pub(super) fn broken(what: String) -> Self {
        Self::new(FailureKind::Broken, Error::storage(what))
    }
    /// A body that broke off.
    pub(super) fn broken_by(error: Error) -> Self {
        Self::new(FailureKind::Broken, error)
    }
    /// No answer in time.
    pub(super) fn no_answer(within: Duration) -> Self {
        Self::new(FailureKind::TimedOut, Error::storage(format!("no answer within {within:?}")))
    }
    /// A body that does not come on.
    pub(super) fn stalled(bytes: u64, within: Duration) -> Self {
        Self::new(FailureKind::TimedOut, Error::storage(format!("a body that brought {bytes} bytes within {within:?}")))
    }
}

impl From<Error> for Lost {
    fn from(error: Error) -> Self {
        Self::new(FailureKind::Final, error)
    }
}

#[cfg(feature = "cloud")]
impl Lost {
    /// No answer, or none of HTTP.
    pub(super) fn of(error: &object_store::client::HttpError) -> Self {
        use object_store::client::HttpErrorKind as K;
        let innermost = innermost(error);
        let kind = match error.kind() {
            _ if innermost.is::<super::wire::Refused>() => FailureKind::Final,
            K::Timeout => FailureKind::TimedOut,
            K::Connect | K::Request | K::Interrupted => FailureKind::Broken,
            _ => FailureKind::Final,
        };
        let text = scrubbed(&innermost.to_string());
        Self::new(kind, Error::storage(if text.is_empty() { "no answer".to_owned() } else { text }))
    }
}

fn innermost<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost
}

/// What a store said, as our error.
pub(super) fn from_store(error: &object_store::Error, key: &ObjectKey) -> Error {
    use object_store::Error as E;
    let message = match error {
        E::NotFound { .. } => return Error::not_found(key.url()),
        E::PermissionDenied { .. } => return Error::denied("the store does not let the request in").in_object(key.url()),
        E::Unauthenticated { .. } => return Error::denied("the store wants credentials, or other ones").in_object(key.url()),
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
    let text = scrubbed(&innermost(error.source()?).to_string());
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
        assert_eq!(denied.to_string(), "https://h.net/a: permission denied: the store does not let the request in");
        assert!(from_store(&object_store::Error::NotFound { path: "a".into(), source: source() }, &key).is_not_found());
        let other = from_store(&object_store::Error::Generic { store: "S3", source: source() }, &key);
        assert!(!format!("{other} {other:?} {:?}", StdError::source(&other)).contains("CANARY"), "{other}");
    }
}
