//! What is added to a request so that it is let in, asked for with every request.
//!
//! ```text
//! URL -> scope -> the scope's signature: fresh? used.  ageing? used, and a new one fetched behind it.  over? waited for
//! ```
//!
//! A [`Signer`] knows which URLs are its own and how a signature is had. When it is asked is decided here, by [`state`], which
//! waits for nothing and is given the time.

#[cfg(feature = "cloud")]
mod answer;
#[cfg(feature = "cloud")]
mod endpoint;
mod fixed;
mod query;
mod state;
#[cfg(test)]
mod tests;
#[cfg(feature = "cloud")]
mod times;
mod with;

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::model::Secret;
use state::{Asked, Signatures};

#[cfg(all(feature = "__fuzz", feature = "cloud"))]
pub(crate) use answer::signed;
#[cfg(feature = "cloud")]
pub use endpoint::TokenEndpoint;
pub use fixed::StaticToken;
#[cfg(feature = "cloud")]
pub(crate) use query::merge_query;
pub use with::SignWith;

/// After this a signer that does not answer is asked anew: longer than an endpoint takes with all its repetitions.
const LONGEST_SIGN: Duration = Duration::from_secs(150);

/// What lets a request in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signed {
    /// Query parameters, without a question mark, merged with those of the URL.
    pub query: Option<Secret>,
    /// Headers.
    pub headers: Vec<(String, Secret)>,
    /// From when on it lets nothing in any more, by the clock of the server. `None`: never.
    pub expires: Option<SystemTime>,
}

impl Signed {
    /// By query parameters, as a shared access signature has them; with or without the question mark before.
    #[must_use]
    pub fn query(parameters: Secret) -> Self {
        Self { query: Some(parameters), ..Self::default() }
    }
    /// By a header.
    #[must_use]
    pub fn header(name: impl Into<String>, value: Secret) -> Self {
        Self::default().and_header(name, value)
    }
    /// With one more header.
    #[must_use]
    pub fn and_header(mut self, name: impl Into<String>, value: Secret) -> Self {
        self.headers.push((name.into(), value));
        self
    }
    /// Until then, by the clock of the server.
    #[must_use]
    pub fn until(mut self, expires: SystemTime) -> Self {
        self.expires = Some(expires);
        self
    }
}

/// Signs requests. Asked for every request; what it returns is kept for all requests of the same [`scope`](Self::scope) until it expires.
///
/// A scope has one signature at a time. It is asked for once however many requests wait for it, and again, behind the requests, when four
/// fifths of its life are over. Where a server answers 401 or 403 it is asked for once more, at most once in a second.
pub trait Signer: Send + Sync + 'static {
    /// What one signature is good for (an account and a container, say); `None` where the URL is not this signer's.
    ///
    /// The URL has the query it will be sent with, so that one that is signed already can be told; it may hold secrets.
    fn scope(&self, url: &str) -> Option<String>;

    /// A signature for this URL and all others of its scope.
    ///
    /// # Errors
    /// What there is to say of a signature that cannot be had; no secret may stand in it.
    fn sign<'a>(&'a self, url: &'a str) -> Pin<Box<dyn Future<Output = Result<Signed>> + Send + 'a>>;

    /// Whether asking again may bring another signature than before. Where not, an answer of 401 or 403 is final.
    fn renews(&self) -> bool {
        true
    }
}

/// The signatures of one `Io`. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Signing(Option<Arc<Inner>>);

struct Inner {
    signer: Arc<dyn Signer>,
    state: Mutex<Signatures<Flight>>,
    now: fn() -> SystemTime,
}

/// A signature that is being asked for.
type Flight = watch::Receiver<Option<Result<Grant>>>;

/// A signature to be used for one request.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) signed: Arc<Signed>,
    /// Of what scope, and which of all signatures.
    scope: Arc<str>,
    number: u64,
}

impl Signing {
    pub(crate) fn new(signer: Option<Arc<dyn Signer>>) -> Self {
        Self::with_clock(signer, SystemTime::now)
    }

    fn with_clock(signer: Option<Arc<dyn Signer>>, now: fn() -> SystemTime) -> Self {
        Self(signer.map(|signer| Arc::new(Inner { signer, state: Mutex::new(Signatures::new()), now })))
    }

    /// Whether requests for a URL, given with its query, are signed here.
    pub(crate) fn claims(&self, url: &str) -> bool {
        self.0.as_ref().is_some_and(|inner| inner.signer.scope(url).is_some())
    }

    /// The signature for a URL, given with its query; `None` where it needs none. To be awaited on a tokio runtime.
    ///
    /// # Errors
    /// The signer's; for about a second it stands for all of the scope, and the signer is not asked again.
    pub(crate) async fn grant(&self, url: &str) -> Result<Option<Grant>> {
        let Some(inner) = &self.0 else { return Ok(None) };
        let Some(scope) = inner.signer.scope(url) else { return Ok(None) };
        let asked = inner.lock().ask(&scope, (inner.now)(), |number| inner.launch(&scope, number, url));
        match asked {
            Asked::Use(grant) => Ok(Some(grant)),
            Asked::Failed(e) => Err(e),
            Asked::Wait { flight, meanwhile: None } => landed(flight).await.map(Some),
            Asked::Wait { flight, meanwhile: Some((old, patience)) } => match tokio::time::timeout(patience, landed(flight)).await {
                Ok(Ok(new)) => Ok(Some(new)),
                _ => Ok(Some(old)),
            },
        }
    }

    /// A request with this signature was answered 401 or 403: drops it, where it is still the current one. Whether asking for another one is
    /// worth it.
    pub(crate) fn refused(&self, grant: &Grant) -> bool {
        self.0.as_ref().is_some_and(|inner| inner.signer.renews() && inner.lock().refused(&grant.scope, grant.number, (inner.now)()))
    }

    /// The clock of a server, by the `Date` of an answer to a request with this signature.
    pub(crate) fn date(&self, grant: &Grant, date: SystemTime) {
        if let Some(inner) = &self.0 {
            inner.lock().date(&grant.scope, (inner.now)(), date);
        }
    }
}

impl Inner {
    /// Asks the signer in a task of its own, so that no reader that is given up takes the signature away from the others.
    fn launch(self: &Arc<Self>, scope: &str, number: u64, url: &str) -> Flight {
        let (tell, flight) = watch::channel(None);
        let (inner, scope, url) = (self.clone(), scope.to_owned(), url.to_owned());
        tokio::spawn(async move {
            let sign = AssertUnwindSafe(async { inner.signer.sign(&url).await }).catch_unwind();
            let signed = match tokio::time::timeout(LONGEST_SIGN, sign).await {
                Ok(Ok(signed)) => signed,
                Ok(Err(_)) => Err(Error::storage("the signer panicked")),
                Err(_) => Err(Error::storage(format!("the signer did not answer within {LONGEST_SIGN:?}"))),
            };
            let settled = inner.lock().settle(&scope, number, signed, (inner.now)());
            tell.send_replace(Some(settled));
        });
        flight
    }

    fn lock(&self) -> MutexGuard<'_, Signatures<Flight>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn landed(mut flight: Flight) -> Result<Grant> {
    match flight.wait_for(Option::is_some).await.as_deref() {
        Ok(Some(settled)) => settled.clone(),
        _ => Err(Error::storage("the signer was cut short")),
    }
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signing").field("signer", &self.0.is_some()).finish()
    }
}
