//! A signer made of two functions.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::{Signed, Signer};
use crate::error::Result;

/// A [`Signer`] made of two functions: which scope a URL belongs to, and how a signature for it is had.
///
/// ```
/// use swath::model::Secret;
/// use swath::{SignWith, Signed};
///
/// let signer = SignWith::new(
///     |url| url.starts_with("https://data.example/").then(|| "data".to_owned()),
///     |_url| async { Ok(Signed::header("authorization", Secret::new("Bearer token"))) },
/// );
/// # let _ = signer;
/// ```
pub struct SignWith<P, S> {
    scope: P,
    sign: S,
}

impl<P, S, R> SignWith<P, S>
where
    P: Fn(&str) -> Option<String> + Send + Sync + 'static,
    S: Fn(String) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Signed>> + Send + 'static,
{
    /// See [`Signer::scope`] and [`Signer::sign`].
    pub fn new(scope: P, sign: S) -> Self {
        Self { scope, sign }
    }
}

impl<P, S, R> Signer for SignWith<P, S>
where
    P: Fn(&str) -> Option<String> + Send + Sync + 'static,
    S: Fn(String) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Signed>> + Send + 'static,
{
    fn scope(&self, url: &str) -> Option<String> {
        (self.scope)(url)
    }
    fn sign<'a>(&'a self, url: &'a str) -> Pin<Box<dyn Future<Output = Result<Signed>> + Send + 'a>> {
        Box::pin((self.sign)(url.to_owned()))
    }
}

impl<P, S> fmt::Debug for SignWith<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignWith")
    }
}
