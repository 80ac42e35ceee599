//! HTTP as we want it below `object_store`.
//!
//! Between the client and the stores stands a service that no response passes unchecked: a `Content-Range` is well-formed, no
//! body is encoded, a server that ignores ranges is made up for where the object is small. It adds the caller's headers, and
//! follows redirects only as far as no secret goes along.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use object_store::client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService};
use object_store::{ClientOptions, HeaderMap, HeaderValue};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};

use super::errors::NotSatisfiable;
use super::request::WholeBody;
use crate::error::{Error, Result};

/// The largest object taken whole from a server that ignores ranges.
const MOST_WHOLE: u64 = 64 << 20;
/// Redirects followed.
const MOST_HOPS: usize = 5;

pub(super) struct Timeouts {
    pub(super) connect: Duration,
    pub(super) read: Duration,
}

/// The pools of connections.
pub(super) struct Clients {
    /// Follows redirects to other hosts.
    open: HttpClient,
    /// For requests with headers of the caller: stays on the host.
    guarded: HttpClient,
}

impl Clients {
    pub(super) fn new(timeouts: &Timeouts) -> Result<Self> {
        // without a process-wide provider reqwest has none; one installed by the program stays
        let _ = rustls::crypto::ring::default_provider().install_default();
        let build = |policy: Policy| {
            reqwest::Client::builder()
                .user_agent(concat!("swath/", env!("CARGO_PKG_VERSION")))
                .http1_only() // one connection for all requests would carry them one after the other on a lossy link
                .connect_timeout(timeouts.connect)
                .read_timeout(timeouts.read)
                .referer(false)
                .redirect(policy)
                .build()
                .map(HttpClient::new)
                .map_err(|e| Error::storage(format!("no HTTP client: {}", super::errors::scrubbed(&e.without_url().to_string()))))
        };
        Ok(Self { open: build(redirects(true))?, guarded: build(redirects(false))? })
    }
}

fn redirects(to_other_hosts: bool) -> Policy {
    Policy::custom(move |attempt| {
        let Some(from) = attempt.previous().last() else { return attempt.stop() };
        let to = attempt.url();
        let refused = match (from.scheme(), to.scheme()) {
            _ if attempt.previous().len() > MOST_HOPS => "too many redirects",
            ("http", "http") | (_, "https") if to_other_hosts || from.origin() == to.origin() => return attempt.follow(),
            ("http", "http") | (_, "https") => "a redirect to another host, which the request's headers are not meant for",
            _ => "a redirect from https to another scheme",
        };
        attempt.error(Refused(refused))
    })
}

#[derive(Debug)]
struct Refused(&'static str);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Refused {}

fn refused(message: &'static str) -> HttpError {
    HttpError::new(HttpErrorKind::Decode, Refused(message)) // of this kind none is sent again
}

/// Gives stores the checked client.
#[derive(Clone)]
pub(super) struct Connector(Service);

impl Connector {
    /// For plain HTTP, with headers of the caller.
    pub(super) fn plain(clients: &Clients, headers: HeaderMap) -> Self {
        let client = if headers.is_empty() { &clients.open } else { &clients.guarded };
        Self(Service { client: client.clone(), headers })
    }

    /// For stores that sign their requests.
    pub(super) fn signed(clients: &Clients) -> Self {
        Self(Service { client: clients.guarded.clone(), headers: HeaderMap::new() })
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

#[derive(Clone)]
struct Service {
    client: HttpClient,
    headers: HeaderMap,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Service")
    }
}

impl HttpService for Service {
    fn call<'a, 'b>(&'a self, mut request: HttpRequest) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            for (name, value) in &self.headers {
                request.headers_mut().append(name, value.clone());
            }
            let is_get = request.method() == Method::GET;
            let range = request.headers().get(RANGE).cloned();
            if is_get {
                request.headers_mut().entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
            }
            let response = self.client.execute(request).await?;
            match (response.status(), range) {
                (StatusCode::RANGE_NOT_SATISFIABLE, Some(_)) => Err(HttpError::new(HttpErrorKind::Decode, NotSatisfiable)),
                (status, _) if !is_get || !status.is_success() => Ok(response),
                (StatusCode::PARTIAL_CONTENT, _) => partial(response),
                (_, None) => entire(response).await,
                (_, Some(range)) => cut(response, &range).await,
            }
        })
    }
}

/// Checks a response with a part of an object.
fn partial(mut response: HttpResponse) -> Result<HttpResponse, HttpError> {
    not_encoded(&response)?;
    let range = response.headers().get(CONTENT_RANGE).and_then(|v| v.to_str().ok()).and_then(content_range);
    let (start, end, _) = range.ok_or_else(|| refused("a Content-Range that is missing or malformed"))?;
    if response.headers().get(CONTENT_LENGTH).is_none() {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(end - start));
    }
    Ok(response)
}

/// Checks a response with a whole object; one that does not tell its length is read to its end.
async fn entire(response: HttpResponse) -> Result<HttpResponse, HttpError> {
    not_encoded(&response)?;
    if response.headers().get(CONTENT_LENGTH).is_some() {
        return Ok(response);
    }
    let (mut parts, body) = response.into_parts();
    let body = whole(body, "a body that does not tell its length, and is too large").await?;
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    Ok(HttpResponse::from_parts(parts, body.into()))
}

/// Makes the answer of a server that ignores ranges into what was asked for.
async fn cut(response: HttpResponse, range: &HeaderValue) -> Result<HttpResponse, HttpError> {
    const TOO_LARGE: &str = "the server ignores ranges, and the object is too large to be taken whole";
    not_encoded(&response)?;
    let told = response.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    if told.is_some_and(|length| length > MOST_WHOLE) {
        return Err(refused(TOO_LARGE));
    }
    let (mut parts, body) = response.into_parts();
    let body = whole(body, TOO_LARGE).await?;
    let size = body.len() as u64;
    let asked = range.to_str().ok().and_then(|r| requested(r, size));
    let Some((start, end)) = asked else { return Err(HttpError::new(HttpErrorKind::Decode, NotSatisfiable)) };
    let content_range = HeaderValue::from_str(&format!("bytes {start}-{}/{size}", end - 1)).map_err(|_| refused(TOO_LARGE))?;
    parts.status = StatusCode::PARTIAL_CONTENT;
    parts.headers.insert(CONTENT_RANGE, content_range);
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(end - start));
    parts.extensions.insert(WholeBody(body));
    Ok(HttpResponse::from_parts(parts, Bytes::new().into()))
}

fn not_encoded(response: &HttpResponse) -> Result<(), HttpError> {
    match response.headers().get(CONTENT_ENCODING) {
        Some(encoding) if encoding != "identity" && !encoding.is_empty() => Err(refused("a body in a Content-Encoding nobody asked for")),
        _ => Ok(()),
    }
}

async fn whole(body: HttpResponseBody, too_large: &'static str) -> Result<Bytes, HttpError> {
    let mut stream = body.bytes_stream();
    let mut out = BytesMut::new();
    while let Some(piece) = stream.next().await {
        let piece = piece?;
        if (out.len() + piece.len()) as u64 > MOST_WHOLE {
            return Err(refused(too_large));
        }
        out.extend_from_slice(&piece);
    }
    Ok(out.freeze())
}

/// First byte, one past the last, size of `bytes 0-9/100`.
fn content_range(text: &str) -> Option<(u64, u64, u64)> {
    let (range, size) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, size): (u64, u64) = (first.trim().parse().ok()?, size.trim().parse().ok()?);
    let end = last.trim().parse::<u64>().ok()?.checked_add(1)?;
    (first < end && end <= size).then_some((first, end, size))
}

/// First byte and one past the last of what a `Range` header asks of `size` bytes; `None` where that is nothing.
fn requested(header: &str, size: u64) -> Option<(u64, u64)> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (first, last) {
        ("", suffix) => (size.saturating_sub(suffix.parse().ok()?), size),
        (first, "") => (first.parse().ok()?, size),
        (first, last) => (first.parse().ok()?, last.parse::<u64>().ok()?.saturating_add(1).min(size)),
    };
    (start < end).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        assert_eq!(content_range("bytes 0-9/100"), Some((0, 10, 100)));
        for bad in
            ["bytes 0-18446744073709551615/18446744073709551615", "bytes 9-0/100", "bytes 0-100/100", "bytes 0-9/*", "bytes NaN-100/9", "0-9/9", ""]
        {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }

    #[test]
    fn requested_ranges() {
        for (header, expected) in [
            ("bytes=0-9", Some((0, 10))),
            ("bytes=90-200", Some((90, 100))),
            ("bytes=-5", Some((95, 100))),
            ("bytes=-500", Some((0, 100))),
            ("bytes=99-", Some((99, 100))),
            ("bytes=100-200", None),
            ("bytes=-0", None),
            ("bytes=0-18446744073709551615", Some((0, 100))),
        ] {
            assert_eq!(requested(header, 100), expected, "{header}");
        }
    }
}
