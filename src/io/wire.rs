//! HTTP as we want it below `object_store`.
//!
//! Between the client and the stores stands a service. A request that carries an [`Exchange`] is one attempt at reading: its answer
//! goes past the store, unread and whole, to who asked, and nothing is sent twice. Every request is signed here, at the moment it is sent, and gets
//! the caller's headers; redirects are followed only as far as no secret goes along.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::StreamExt;
use object_store::client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService};
use object_store::{ClientOptions, HeaderMap, HeaderValue};
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, HeaderName, LAST_MODIFIED, RETRY_AFTER,
};
use reqwest::redirect::Policy;

use super::checked::Head;
use super::errors::{Lost, scrubbed};
use super::host::{FailureKind, http_date, retry_after};
use super::options::{NetworkOptions, Redirects};
use super::sign::{Grant, Signing, merge_query};
use crate::error::{Error, Result};
use crate::model::{Limits, grow};

/// Redirects followed.
const MOST_HOPS: usize = 5;
/// What is read of the body of a refusal, for the code in it.
const REFUSAL_BYTES: usize = 16 << 10;
/// The longest answer to a request that the store itself sends.
const LISTING_BYTES: u64 = 64 << 20;
const REFUSAL_WAIT: Duration = Duration::from_secs(1);

/// The pools of connections.
pub(super) struct Clients {
    /// Follows redirects to other hosts, where the options let it.
    open: HttpClient,
    /// For requests with headers of the caller or a signature: stays on the host.
    guarded: HttpClient,
    first_byte: Duration,
}

impl Clients {
    pub(super) fn new(options: &NetworkOptions) -> Result<Self> {
        // without a process-wide provider reqwest has none; one installed by the program stays
        let _ = rustls::crypto::ring::default_provider().install_default();
        let build = |policy: Policy| {
            reqwest::Client::builder()
                .user_agent(concat!("swath/", env!("CARGO_PKG_VERSION")))
                .http1_only() // one connection for all requests would carry them one after the other on a lossy link
                .connect_timeout(options.connect_timeout)
                .pool_idle_timeout(Duration::from_secs(30))
                .referer(false)
                .redirect(policy)
                .build()
                .map(HttpClient::new)
                .map_err(|e| Error::storage(format!("no HTTP client: {}", scrubbed(&e.without_url().to_string()))))
        };
        Ok(Self {
            open: build(redirects(options.redirects == Redirects::AnyHost))?,
            guarded: build(redirects(false))?,
            first_byte: options.first_byte_timeout,
        })
    }
}

fn redirects(to_other_hosts: bool) -> Policy {
    Policy::custom(move |attempt| {
        let Some(from) = attempt.previous().last() else { return attempt.stop() };
        let to = attempt.url();
        let refused = match (from.scheme(), to.scheme()) {
            _ if attempt.previous().len() > MOST_HOPS => "too many redirects",
            ("http", "http") | (_, "https") if to_other_hosts || from.origin() == to.origin() => return attempt.follow(),
            ("http", "http") | (_, "https") => {
                "a redirect to another host, which is not followed unless it is allowed and the request carries no secret"
            }
            _ => "a redirect from https to another scheme",
        };
        attempt.error(Refused(refused))
    })
}

#[derive(Debug)]
pub(super) struct Refused(&'static str);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl StdError for Refused {}

/// Where the answer to one attempt is left. It travels in the extensions of the request.
#[derive(Clone, Default)]
pub(super) struct Exchange(Arc<Left>);

#[derive(Default)]
struct Left {
    reply: Mutex<Option<Result<Reply, Lost>>>,
    /// How often it was sent: more than once where a signature had to be renewed.
    sent: AtomicU64,
}

/// An answer whose body is unread.
pub(super) struct Reply {
    pub(super) head: Head,
    pub(super) body: HttpResponseBody,
    retry_after: Option<Box<str>>,
    date: Option<Box<str>>,
    /// The code that S3, Azure and Google put into the body of a refusal.
    pub(super) code: Option<String>,
}

impl Reply {
    /// What the server asked for.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        retry_after(self.retry_after.as_deref()?, self.date.as_deref(), SystemTime::now())
    }
}

impl Exchange {
    pub(super) fn take(&self) -> Option<Result<Reply, Lost>> {
        self.0.reply.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
    pub(super) fn sent(&self) -> u64 {
        self.0.sent.load(Ordering::Relaxed)
    }
    fn leave(&self, reply: Result<Reply, Lost>) -> HttpError {
        *self.0.reply.lock().unwrap_or_else(PoisonError::into_inner) = Some(reply);
        HttpError::new(HttpErrorKind::Decode, Refused("the answer was left with the exchange")) // of this kind none is sent again
    }
}

/// Gives stores the checked client.
#[derive(Clone)]
pub(super) struct Connector(Service);

impl Connector {
    /// For plain HTTP, with headers of the caller.
    pub(super) fn plain(clients: &Clients, headers: HeaderMap, signing: &Arc<Signing>) -> Self {
        let client = if headers.is_empty() { &clients.open } else { &clients.guarded };
        Self(Service { open: client.clone(), guarded: clients.guarded.clone(), headers, signing: signing.clone(), first_byte: clients.first_byte })
    }

    /// For stores that sign their requests.
    pub(super) fn signed(clients: &Clients, signing: &Arc<Signing>) -> Self {
        let guarded = || clients.guarded.clone();
        let (headers, signing) = (HeaderMap::new(), signing.clone());
        Self(Service { open: guarded(), guarded: guarded(), headers, signing, first_byte: clients.first_byte })
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
    open: HttpClient,
    guarded: HttpClient,
    headers: HeaderMap,
    signing: Arc<Signing>,
    first_byte: Duration,
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
            // what the store let in by its own credentials is not signed a second time
            let signing = (!request.headers().contains_key(AUTHORIZATION)).then_some(&*self.signing);
            for (name, value) in &self.headers {
                request.headers_mut().append(name, value.clone());
            }
            request.headers_mut().entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
            let Some(exchange) = request.extensions_mut().remove::<Exchange>() else {
                let response = self.send(&request, signing, &AtomicU64::new(0)).await.map_err(into_http)?;
                return self.in_time(response).await.map_err(into_http);
            };
            Err(match self.send(&request, signing, &exchange.0.sent).await {
                Ok(response) => exchange.leave(Ok(reply(response).await)),
                Err(lost) => exchange.leave(Err(lost)),
            })
        })
    }
}

impl Service {
    /// The answer with its body, of a request that the store itself sends: listings and the like.
    async fn in_time(&self, response: HttpResponse) -> Result<HttpResponse, Lost> {
        let (parts, body) = response.into_parts();
        let mut stream = body.bytes_stream();
        let mut whole = Vec::new();
        while let Some(piece) = tokio::time::timeout(self.first_byte, stream.next()).await.map_err(|_| Lost::stalled(0, self.first_byte))? {
            let piece = piece.map_err(|e| Lost::of(&e))?;
            Limits::check("bytes of a listing", (whole.len() + piece.len()) as u64, LISTING_BYTES)?;
            grow(&mut whole, piece.len())?;
            whole.extend_from_slice(&piece);
        }
        Ok(HttpResponse::from_parts(parts, Bytes::from(whole).into()))
    }

    /// Sends a request, signed; once more with a new signature where the first was refused.
    async fn send(&self, request: &HttpRequest, signing: Option<&Signing>, sent: &AtomicU64) -> Result<HttpResponse, Lost> {
        let url = request.uri().to_string();
        loop {
            let grant = match signing {
                Some(signing) => signing.grant(&url).await.map_err(Lost::from)?,
                None => None,
            };
            let mut signed = request.clone();
            if let Some(grant) = &grant {
                apply(grant, &mut signed)?;
            }
            let client = if grant.is_some() { &self.guarded } else { &self.open };
            sent.fetch_add(1, Ordering::Relaxed);
            // an upload may take as long as its line needs; nothing else is sent that takes any time
            let patience = if signed.body().is_empty() { self.first_byte } else { Duration::MAX };
            let response = match tokio::time::timeout(patience, client.execute(signed)).await {
                Ok(Ok(response)) => response,
                Ok(Err(e)) => return Err(Lost::of(&e)),
                Err(_) => return Err(Lost::no_answer(self.first_byte)),
            };
            if let (Some(grant), Some(date)) = (&grant, header(&response, &DATE).and_then(|text| http_date(&text, SystemTime::now()))) {
                self.signing.date(grant, date);
            }
            let is_denied = matches!(response.status().as_u16(), 401 | 403);
            match grant {
                Some(grant) if is_denied && sent.load(Ordering::Relaxed) == 1 && self.signing.refused(&grant) => {}
                _ => return Ok(response),
            }
        }
    }
}

fn apply(grant: &Grant, request: &mut HttpRequest) -> Result<(), Lost> {
    let unusable = || Lost::from(Error::usage("a signature that is no part of a request"));
    if let Some(query) = &grant.signed.query {
        let url = request.uri().to_string();
        let (path, existing) = url.split_once('?').map_or((url.as_str(), None), |(path, query)| (path, Some(query)));
        let merged = merge_query(existing, query.expose());
        *request.uri_mut() = format!("{path}?{merged}").parse().map_err(|_| unusable())?;
    }
    for (name, value) in &grant.signed.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable())?;
        let mut value = HeaderValue::from_str(value.expose()).map_err(|_| unusable())?;
        value.set_sensitive(true);
        request.headers_mut().insert(name, value);
    }
    Ok(())
}

/// For requests that the store itself sends, and sends again.
fn into_http(lost: Lost) -> HttpError {
    let kind = match lost.kind {
        FailureKind::TimedOut => HttpErrorKind::Timeout,
        FailureKind::Broken => HttpErrorKind::Request,
        _ => HttpErrorKind::Decode,
    };
    HttpError::new(kind, lost.error)
}

fn header(response: &HttpResponse, name: &HeaderName) -> Option<Box<str>> {
    response.headers().get(name).map(|value| value.to_str().unwrap_or_default().into())
}

/// The head of an answer, as far as reading depends on it.
pub(super) fn head(response: &HttpResponse) -> Head {
    let get = |name| header(response, name);
    // Each line of it is a coding more, and what is no text is none that is known.
    let encodings: Vec<&str> = response.headers().get_all(CONTENT_ENCODING).iter().map(|value| value.to_str().unwrap_or("?")).collect();
    // Of two nobody knows which one is meant.
    let is_one = response.headers().get_all(CONTENT_RANGE).iter().count() < 2;
    Head {
        status: response.status().as_u16(),
        content_range: get(&CONTENT_RANGE).map(|range| if is_one { range } else { "".into() }),
        content_length: get(&CONTENT_LENGTH).and_then(|text| text.trim().parse().ok()),
        content_type: get(&CONTENT_TYPE),
        content_encoding: (!encodings.is_empty()).then(|| encodings.join(",").into()),
        e_tag: get(&ETAG),
        last_modified: get(&LAST_MODIFIED),
    }
}

async fn reply(response: HttpResponse) -> Reply {
    let head = head(&response);
    let (retry_after, date) = (header(&response, &RETRY_AFTER), header(&response, &DATE));
    let is_refusal = head.status >= 400;
    let body = response.into_body();
    if !is_refusal {
        return Reply { head, body, retry_after, date, code: None };
    }
    // Read to its end the connection can be used again; the code in it says more than the status.
    let text = tokio::time::timeout(REFUSAL_WAIT, refusal(body)).await.unwrap_or_default();
    Reply { head, body: Bytes::new().into(), retry_after, date, code: code(&text) }
}

async fn refusal(body: HttpResponseBody) -> String {
    let mut stream = body.bytes_stream();
    let mut text = Vec::new();
    while let Some(Ok(piece)) = stream.next().await {
        if text.len() + piece.len() > REFUSAL_BYTES {
            break;
        }
        text.extend_from_slice(&piece);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// What stands between `<Code>` and `</Code>`, where that is a name.
pub(super) fn code(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    (code.len() <= 64 && !code.is_empty() && code.bytes().all(|b| b.is_ascii_alphanumeric())).then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::checked::{Verdict, check};
    use super::super::request::Part;
    use super::*;

    #[test]
    fn codings_of_several_lines_and_of_no_text_are_codings() {
        let told = |values: &[&[u8]]| {
            let mut response = HttpResponse::new(Bytes::new().into());
            *response.status_mut() = 206.try_into().unwrap();
            for value in values {
                response.headers_mut().append(CONTENT_ENCODING, HeaderValue::from_bytes(value).unwrap());
            }
            response.headers_mut().append(CONTENT_RANGE, HeaderValue::from_static("bytes 0-9/10"));
            let verdict = check(&Part::Range(0..10), &head(&response), 0);
            response.headers_mut().append(CONTENT_RANGE, HeaderValue::from_static("bytes 10-19/20"));
            assert!(!matches!(check(&Part::Range(0..10), &head(&response), 0), Verdict::Good(_)), "two ranges");
            verdict
        };
        let plain: [&[&[u8]]; 4] = [&[], &[b""], &[b"identity"], &[b"identity", b"Identity"]];
        let coded: [&[&[u8]]; 4] = [&[b"gzip"], &[b"identity", b"gzip"], &[b"identity, br"], &[b"\xff"]];
        for plain in plain {
            assert!(matches!(told(plain), Verdict::Good(_)), "{plain:?}");
        }
        for coded in coded {
            assert!(matches!(told(coded), Verdict::Encoded(_)), "{coded:?}");
        }
    }

    #[test]
    fn codes_of_refusals() {
        assert_eq!(code("<Error><Code>SlowDown</Code></Error>").as_deref(), Some("SlowDown"));
        for text in ["", "<Code></Code>", "<Code>?sig=x</Code>", "<Code>a"] {
            assert_eq!(code(text), None, "{text}");
        }
    }
}
