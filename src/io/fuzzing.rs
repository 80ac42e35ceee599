//! What the fuzz targets call: pure functions over what callers, servers and token endpoints say.

use std::ops::Range;
use std::time::SystemTime;

use object_store::client::HttpResponse;
use object_store::{HeaderMap, HeaderValue};
use reqwest::header::HeaderName;

use super::checked::{Verdict, check};
use super::host::{http_date, retry_after};
use super::names::Names;
use super::ranges::{MergePolicy, merge_and_split};
use super::request::Part;
use super::{sign, wire};
use crate::error::Result;
use crate::model::{ObjectKey, version};

/// The requests for these spans: of each run the spans that it serves, and the ranges that are asked for.
#[must_use]
pub fn requests(spans: &[Range<u64>], gap: u64, least: u64, most: u64, connections: usize) -> Vec<(Vec<usize>, Vec<Range<u64>>)> {
    let policy = MergePolicy { gap, least, most, connections };
    merge_and_split(spans, &policy).into_iter().map(|run| (run.spans, run.requests)).collect()
}

/// What was asked for.
#[derive(Debug, Clone)]
pub enum Asked {
    /// This part.
    Range(Range<u64>),
    /// The last bytes.
    Suffix(u64),
    /// All.
    Whole,
}

/// What an answer that is accepted is to bring: the fields of `checked::Promise`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Of which byte of the object its first one is.
    pub start: u64,
    /// How many bytes it has.
    pub length: Option<u64>,
    /// What of the object is wanted of it.
    pub wanted: Range<u64>,
    /// The size of the object.
    pub size: Option<u64>,
    /// Whether it is all of the object, although a part was asked for.
    pub unasked: bool,
}

/// What an answer with this head is taken for; headers that cannot be sent are left out.
#[must_use]
pub fn answer(asked: &Asked, status: u16, headers: &[(&str, &[u8])], most_whole: u64) -> Option<Accepted> {
    let part = match asked.clone() {
        Asked::Range(range) => Part::Range(range),
        Asked::Suffix(length) => Part::Suffix(length),
        Asked::Whole => Part::Whole { most: most_whole },
    };
    let mut response = HttpResponse::new(bytes::Bytes::new().into());
    *response.status_mut() = status.try_into().ok()?;
    let mut sent = HeaderMap::new();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
            let text = value.to_str().unwrap_or_default();
            let _any = (http_date(text, SystemTime::UNIX_EPOCH), retry_after(text, Some(text), SystemTime::UNIX_EPOCH), wire::code(text));
            sent.append(name, value);
        }
    }
    *response.headers_mut() = sent;
    let head = wire::head(&response);
    let _any = version(head.e_tag.as_deref(), head.last_modified.as_deref(), head.content_length);
    match check(&part, &head, most_whole) {
        Verdict::Good(promise) => {
            Some(Accepted { start: promise.start, length: promise.length, wanted: promise.wanted, size: promise.size, unasked: promise.unasked })
        }
        _ => None,
    }
}

/// The query of a URL, and that of a signature, as one.
#[must_use]
pub fn merged(existing: Option<&str>, signature: &str) -> String {
    sign::merge_query(existing, signature)
}

/// The answer of a token endpoint.
///
/// # Errors
/// Where it is none.
pub fn token(body: &[u8]) -> Result<sign::Signed> {
    sign::signed(body, "token", "msft:expiry")
}

/// The name of what a caller wrote, and the URL that requests for it are sent to, without its query.
///
/// # Errors
/// Where it is no name; of the URL, where requests are none of HTTP's.
pub fn named(text: &str) -> Result<(ObjectKey, Result<String>)> {
    let names = Names::default();
    let key = names.object(text, |_| false)?;
    let target = names.target(&key).map(|target| target.url.to_string());
    Ok((key, target))
}
