//! What is added to a request so that it is let in, asked for with every request.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::Result;
use crate::model::Secret;

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

/// Signs requests. Asked for every request; what it returns is kept for all requests of the same [`scope`](Self::scope) until it expires.
pub trait Signer: Send + Sync + 'static {
    /// What one signature is good for (an account and a container, say), for an unsigned URL; `None` where it is not this signer's.
    fn scope(&self, url: &str) -> Option<String>;

    /// A signature for this URL and all others of its scope.
    ///
    /// # Errors
    /// What there is to say of a signature that cannot be had; no secret may stand in it.
    fn sign<'a>(&'a self, url: &'a str) -> Pin<Box<dyn Future<Output = Result<Signed>> + Send + 'a>>;
}

/// The signatures of one `Io`.
#[derive(Default)]
pub(crate) struct Signing {
    signer: Option<Arc<dyn Signer>>,
}

/// A signature to be used for one request.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) signed: Arc<Signed>,
    /// Of what scope, and which of its signatures.
    scope: Arc<str>,
    number: u64,
}

impl Signing {
    pub(crate) fn new(signer: Option<Arc<dyn Signer>>) -> Self {
        Self { signer }
    }
    /// The signature for a URL without query; `None` where it needs none.
    pub(crate) async fn grant(&self, url: &str) -> Result<Option<Grant>> {
        let Some((signer, scope)) = self.signer.as_ref().and_then(|s| s.scope(url).map(|scope| (s, scope))) else { return Ok(None) };
        Ok(Some(Grant { signed: Arc::new(signer.sign(url).await?), scope: scope.into(), number: 0 }))
    }
    /// A request with this signature was answered 401 or 403: drops it. Whether asking for another one is worth it.
    pub(crate) fn refused(&self, grant: &Grant) -> bool {
        let _ = (&grant.scope, grant.number);
        false
    }
    /// The clock of a server, by the `Date` of an answer.
    pub(crate) fn date(&self, _url: &str, _date: &str) {}
}

/// A query with the parameters of a signature.
pub(crate) fn merge_query(existing: Option<&str>, signature: &str) -> String {
    existing.map_or_else(|| signature.to_owned(), |existing| format!("{existing}&{signature}"))
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signing").field("signer", &self.signer.is_some()).finish()
    }
}
