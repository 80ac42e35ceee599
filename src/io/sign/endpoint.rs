//! Shared access signatures of Azure Blob Storage, handed out by an endpoint of whoever owns the data.

use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use url::Url;

use super::answer;
use super::fixed::is_header;
use super::{Signed, Signer};
use crate::error::{Error, Result};
use crate::io::errors::scrubbed;
use crate::model::{Secret, without_secrets};

/// The longest answer of an endpoint, in bytes.
const LONGEST: usize = 64 << 10;
/// How often a request is sent again.
const RETRIES: u32 = 3;
/// The longest random wait before the first repetition; it doubles with each further one.
const BACKOFF: Duration = Duration::from_millis(500);
const CONNECT: Duration = Duration::from_secs(5);
const TOTAL: Duration = Duration::from_secs(30);

const BLOB_HOSTS: &str = ".blob.core.windows.net";
/// Parameters that a signed URL has.
const SIGNED: [&str; 3] = ["st", "se", "sp"];

/// Signs requests to Azure Blob Storage by tokens that an endpoint gives: a GET of a URL made from the account and the container, or from a
/// collection, answered by JSON with a token and when it expires.
///
/// It signs `https://{account}.blob.core.windows.net/{container}/…`, and what [`with_hosts`](Self::with_hosts) and
/// [`with_path_style`](Self::with_path_style) add. A URL that is signed already (with `st`, `se` or `sp` in its query) is left as it is.
/// An answer of 429 or 5xx is asked for up to three times more; redirects are not followed; an answer has up to 64 KiB.
///
/// ```
/// use swath::model::Secret;
/// use swath::TokenEndpoint;
///
/// let signer = TokenEndpoint::new("https://data.example/sas/{account}/{container}")?
///     .with_header("Subscription-Key", Secret::new("key"))?
///     .skipping("publicaccount");
/// # let _ = signer;
/// # Ok::<(), swath::Error>(())
/// ```
pub struct TokenEndpoint {
    /// It may hold a key in its query.
    template: Secret,
    collection: Option<String>,
    headers: HeaderMap,
    hosts: Vec<String>,
    origins: Vec<String>,
    skipped: Vec<String>,
    token_field: String,
    expiry_field: String,
    client: OnceLock<Result<reqwest::Client>>,
}

/// What a token is for.
#[derive(Debug, PartialEq, Eq)]
struct Place<'a> {
    account: &'a str,
    container: &'a str,
}

impl TokenEndpoint {
    /// An endpoint whose URL has `{account}` and `{container}`, or `{collection}`, in it.
    ///
    /// # Errors
    /// `Usage` where that is no HTTP URL.
    pub fn new(template: impl Into<String>) -> Result<Self> {
        let template = template.into();
        let example = ["{account}", "{container}", "{collection}"].iter().fold(template.clone(), |url, name| url.replace(name, "x"));
        let url = Url::parse(&example).map_err(|e| Error::usage(format!("the token endpoint is not a URL: {e}")))?;
        if !matches!(url.scheme(), "http" | "https") || example.contains(['{', '}']) {
            return Err(Error::usage("a token endpoint is an HTTP URL with {account}, {container} or {collection} in it"));
        }
        Ok(Self {
            template: Secret::new(template),
            collection: None,
            headers: HeaderMap::new(),
            hosts: vec![BLOB_HOSTS.to_owned()],
            origins: Vec::new(),
            skipped: Vec::new(),
            token_field: "token".to_owned(),
            expiry_field: "msft:expiry".to_owned(),
            client: OnceLock::new(),
        })
    }

    /// The endpoint of the [Planetary Computer](https://planetarycomputer.microsoft.com/docs/concepts/sas/), whose tokens live longer for those
    /// with a key.
    ///
    /// # Errors
    /// `Usage` where the key cannot stand in a header.
    pub fn planetary_computer(subscription_key: Option<Secret>) -> Result<Self> {
        let endpoint = Self::new("https://planetarycomputer.microsoft.com/api/sas/v1/token/{account}/{container}")?;
        let endpoint = endpoint.skipping("ai4edatasetspublicassets");
        match subscription_key {
            Some(key) => endpoint.with_header("Ocp-Apim-Subscription-Key", key),
            None => Ok(endpoint),
        }
    }

    /// Fills in `{collection}`.
    ///
    /// # Errors
    /// `Usage` where the endpoint has no place for it.
    pub fn with_collection(mut self, collection: impl Into<String>) -> Result<Self> {
        if !self.names("{collection}") {
            return Err(Error::usage("the token endpoint's URL has no {collection}"));
        }
        self.collection = Some(collection.into());
        Ok(self)
    }

    /// Sends a header to the endpoint.
    ///
    /// # Errors
    /// `Usage` where name and value are not a header.
    pub fn with_header(mut self, name: &str, value: Secret) -> Result<Self> {
        let bad = || Error::usage("the name and the value are not an HTTP header");
        if !is_header(name, value.expose()) {
            return Err(bad());
        }
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        let mut value = HeaderValue::from_str(value.expose()).map_err(|_| bad())?;
        value.set_sensitive(true);
        self.headers.append(name, value);
        Ok(self)
    }

    /// Signs `https://{account}{suffix}/{container}/…` too, for a suffix like `.blob.storage.example`.
    #[must_use]
    pub fn with_hosts(mut self, suffix: &str) -> Self {
        self.hosts.push(format!(".{}", suffix.trim_matches('.')));
        self
    }

    /// Signs `{origin}/{account}/{container}/…` too, as an emulator has it: `http://127.0.0.1:10000`.
    #[must_use]
    pub fn with_path_style(mut self, origin: &str) -> Self {
        self.origins.push(origin.trim_end_matches('/').to_owned());
        self
    }

    /// Leaves an account, or a host, unsigned.
    #[must_use]
    pub fn skipping(mut self, account_or_host: impl Into<String>) -> Self {
        self.skipped.push(account_or_host.into());
        self
    }

    /// The names that the token and the time of its end have in the answer. Default `token` and `msft:expiry`.
    ///
    /// Times are those of RFC 3339; where there is none, the token's own `se` counts.
    #[must_use]
    pub fn with_fields(mut self, token: impl Into<String>, expiry: impl Into<String>) -> Self {
        (self.token_field, self.expiry_field) = (token.into(), expiry.into());
        self
    }

    fn names(&self, placeholder: &str) -> bool {
        self.template.expose().contains(placeholder)
    }

    /// `None` where it is not to be signed.
    fn place<'a>(&self, url: &'a str) -> Option<Place<'a>> {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        if query.split('&').any(|p| SIGNED.contains(&p.split('=').next().unwrap_or_default())) {
            return None;
        }
        let (_, rest) = path.split_once("://")?;
        let (host, name) = rest.split_once('/')?;
        let (account, name) = match self.origins.iter().find_map(|o| path.strip_prefix(o.as_str())?.strip_prefix('/')) {
            Some(name) => name.split_once('/')?,
            None if path.starts_with("https://") => (self.hosts.iter().find_map(|suffix| host.strip_suffix(suffix.as_str()))?, name),
            None => return None,
        };
        let container = name.split('/').next().unwrap_or_default();
        if self.skipped.iter().any(|s| s == account || s == host) {
            return None;
        }
        // the rules of names of storage accounts and containers: nothing in them can change the endpoint's URL
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'$' || b == b'_');
        (is_name(account) && is_name(container)).then_some(Place { account, container })
    }

    fn endpoint(&self, place: &Place<'_>) -> Result<Url> {
        let mut url = self.template.expose().replace("{account}", place.account).replace("{container}", place.container);
        if self.names("{collection}") {
            let collection = self.collection.as_deref().ok_or_else(|| Error::usage("the token endpoint needs a collection"))?;
            url = url.replace("{collection}", &encoded(collection));
        }
        Url::parse(&url).map_err(|_| Error::usage("the token endpoint is not a URL"))
    }

    fn client(&self) -> Result<&reqwest::Client> {
        let client = self.client.get_or_init(|| {
            // without a process-wide provider reqwest has none; one installed by the program stays
            let _ = rustls::crypto::ring::default_provider().install_default();
            reqwest::Client::builder()
                .user_agent(concat!("swath/", env!("CARGO_PKG_VERSION")))
                .http1_only()
                .default_headers(self.headers.clone())
                .connect_timeout(CONNECT)
                .timeout(TOTAL)
                .referer(false)
                .redirect(Policy::none())
                .build()
                .map_err(|e| Error::storage(format!("no HTTP client: {}", scrubbed(&e.without_url().to_string()))))
        });
        client.as_ref().map_err(Clone::clone)
    }

    async fn token(&self, url: &Url) -> Result<Signed> {
        let mut failed = 0;
        loop {
            let (error, again) = match self.attempt(url).await {
                Ok(signed) => return Ok(signed),
                Err(failure) => failure,
            };
            failed += 1;
            if !again || failed > RETRIES {
                return Err(error);
            }
            tokio::time::sleep(random_below(BACKOFF * 2_u32.pow(failed - 1))).await;
        }
    }

    /// The error, and whether it may pass.
    async fn attempt(&self, url: &Url) -> Result<Signed, (Error, bool)> {
        let client = self.client().map_err(|e| (e, false))?;
        let mut response = client.get(url.clone()).send().await.map_err(|e| (unreachable_by(e), true))?;
        let status = response.status();
        if !status.is_success() {
            let message = format!("the token endpoint answered {}", status.as_u16());
            return Err(match status.as_u16() {
                401 | 403 | 404 => (Error::denied(message), false),
                429 | 500.. => (Error::storage(message), true),
                _ => (Error::storage(message), false),
            });
        }
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|e| (unreachable_by(e), true))? {
            if body.len() + piece.len() > LONGEST {
                return Err((Error::malformed("the answer of the token endpoint is too long"), false));
            }
            body.extend_from_slice(&piece);
        }
        answer::signed(&body, &self.token_field, &self.expiry_field).map_err(|e| (e, false))
    }
}

impl Signer for TokenEndpoint {
    fn scope(&self, url: &str) -> Option<String> {
        let place = self.place(url)?;
        let of = |placeholder, value| if self.names(placeholder) { value } else { "" };
        Some(format!("{}/{}", of("{account}", place.account), of("{container}", place.container)))
    }

    fn sign<'a>(&'a self, url: &'a str) -> Pin<Box<dyn Future<Output = Result<Signed>> + Send + 'a>> {
        Box::pin(async move {
            let place = self.place(url).ok_or_else(|| Error::usage("the URL is not one of Azure Blob Storage, or is signed already"))?;
            let endpoint = self.endpoint(&place)?;
            self.token(&endpoint).await.map_err(|e| e.in_object(endpoint.as_str()))
        })
    }
}

impl fmt::Debug for TokenEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEndpoint")
            .field("template", &without_secrets(self.template.expose()))
            .field("collection", &self.collection)
            .field("hosts", &self.hosts)
            .field("path_style", &self.origins.iter().map(|o| without_secrets(o)).collect::<Vec<_>>())
            .field("skipped", &self.skipped)
            .finish_non_exhaustive()
    }
}

/// A failure without an answer: the innermost cause says it best.
fn unreachable_by(error: reqwest::Error) -> Error {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    Error::storage(format!("the token endpoint did not answer: {}", scrubbed(&cause.to_string())))
}

fn random_below(most: Duration) -> Duration {
    most.mul_f64(f64::from(u32::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or(0)) / f64::from(u32::MAX))
}

/// A segment of a path, with all but unreserved letters encoded (RFC 3986, section 2.3).
fn encoded(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_urls_it_signs() {
        let signer = TokenEndpoint::planetary_computer(None).unwrap().with_path_style("http://127.0.0.1:10000/").with_hosts("blob.example.net");
        for (url, scope) in [
            ("https://acc.blob.core.windows.net/con/a/b.tif", Some("acc/con")),
            ("https://acc.blob.core.windows.net/con?restype=container&comp=list", Some("acc/con")),
            ("https://acc.blob.core.windows.net/con/b.tif?versionid=3", Some("acc/con")),
            ("https://acc.blob.example.net/con/b.tif", Some("acc/con")),
            ("http://127.0.0.1:10000/acc/con/b.tif", Some("acc/con")),
            ("https://acc.blob.core.windows.net/con/b.tif?st=1&sig=x", None),
            ("https://acc.blob.core.windows.net/con/b.tif?x=1&se=2", None),
            ("https://acc.blob.core.windows.net/con/b.tif?sp=r", None),
            ("https://acc.blob.core.windows.net/con/b.tif?step=1", Some("acc/con")),
            ("http://acc.blob.core.windows.net/con/b.tif", None),
            ("https://acc.blob.core.windows.net:444/con/b.tif", None),
            ("https://acc.Blob.core.windows.net/con/b.tif", None),
            ("https://acc.x.blob.core.windows.net/con/b.tif", None),
            ("https://.blob.core.windows.net/con/b.tif", None),
            ("https://blob.core.windows.net/con/b.tif", None),
            ("https://acc.blob.core.windows.net.evil/con/b.tif", None),
            ("https://u@acc.blob.core.windows.net/con/b.tif", None),
            ("https://acc.blob.core.windows.net/", None),
            ("https://acc.blob.core.windows.net/c%2Fx/b.tif", None),
            ("https://ai4edatasetspublicassets.blob.core.windows.net/con/b.tif", None),
            ("https://acc.dfs.core.windows.net/con/b.tif", None),
            ("http://127.0.0.1:100001/acc/con/b.tif", None),
            ("http://127.0.0.1:10000/acc", None),
            ("s3://bucket/key", None),
        ] {
            assert_eq!(signer.scope(url).as_deref(), scope, "{url}");
        }
        assert_eq!(signer.skipping("acc.blob.core.windows.net").scope("https://acc.blob.core.windows.net/con/a"), None);
    }

    #[test]
    fn urls_of_endpoints() {
        let place = Place { account: "acc", container: "con" };
        let url = |signer: TokenEndpoint| signer.endpoint(&place).map(|u| u.to_string());
        assert_eq!(
            url(TokenEndpoint::planetary_computer(None).unwrap()).unwrap(),
            "https://planetarycomputer.microsoft.com/api/sas/v1/token/acc/con"
        );
        let by_collection = || TokenEndpoint::new("https://h.net/sas/token/{collection}?api-version=1").unwrap();
        assert_eq!(url(by_collection().with_collection("a/b c").unwrap()).unwrap(), "https://h.net/sas/token/a%2Fb%20c?api-version=1");
        assert_eq!(by_collection().scope("https://acc.blob.core.windows.net/con/x").as_deref(), Some("/"), "one token for all");
        assert!(matches!(url(by_collection()).unwrap_err().kind(), crate::ErrorKind::Usage(_)));
        assert!(TokenEndpoint::planetary_computer(None).unwrap().with_collection("c").is_err());
        for bad in ["ftp://h/{account}", "/{account}", "https://h/{acount}", ""] {
            assert!(TokenEndpoint::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        let key = || Secret::new("CANARY");
        let signer = TokenEndpoint::new("https://u:CANARY@h.net/{account}?code=CANARY").unwrap().with_header("x-key", key()).unwrap();
        assert!(!format!("{signer:?}").contains("CANARY"), "{signer:?}");
        let error = TokenEndpoint::planetary_computer(Some(Secret::new("CANARY\n"))).unwrap_err();
        assert!(!format!("{error:?}").contains("CANARY"), "{error}");
    }
}
