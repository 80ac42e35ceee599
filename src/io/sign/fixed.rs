//! Tokens and headers that the caller has, by URL prefix.

use std::future::Future;
use std::pin::Pin;

use url::Url;

use super::{Signed, Signer};
use crate::error::{Error, Result};
use crate::model::Secret;

/// Tokens and headers that the caller has, by URL prefix.
///
/// The longest prefix that matches wins, and with it all that was given for it; what shorter ones were given is not sent. A prefix matches whole
/// segments of a path, and whole hosts: `https://h.net/a` is at `https://h.net/a/b`, not at `https://h.net/ab`.
/// What it was given is used as long as the session lives: where a server answers 401 or 403, that is final.
#[derive(Debug, Clone, Default)]
pub struct StaticToken {
    entries: Vec<(String, Signed)>,
}

impl StaticToken {
    /// Without any.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds query parameters (a shared access signature, say) to requests at and below a URL.
    ///
    /// # Errors
    /// `Usage` where the prefix is not a URL with a host, or the token holds what cannot stand in a query.
    pub fn with_token(mut self, prefix: &str, token: Secret) -> Result<Self> {
        if !is_query(token.expose()) {
            return Err(Error::usage("the token holds characters that cannot stand in a query").in_object(prefix));
        }
        self.entry(prefix)?.query = Some(token);
        Ok(self)
    }

    /// Adds a header to requests at and below a URL.
    ///
    /// # Errors
    /// `Usage` where the prefix is not a URL with a host, or name and value are not a header.
    pub fn with_header(mut self, prefix: &str, name: &str, value: Secret) -> Result<Self> {
        if !is_header(name, value.expose()) {
            return Err(Error::usage("the name and the value are not an HTTP header").in_object(prefix));
        }
        self.entry(prefix)?.headers.push((name.to_owned(), value));
        Ok(self)
    }

    fn entry(&mut self, prefix: &str) -> Result<&mut Signed> {
        let mut url = Url::parse(prefix).map_err(|e| Error::usage(format!("the prefix is not a URL: {e}")))?;
        if !url.has_host() || !url.username().is_empty() || url.password().is_some() {
            return Err(Error::usage("a prefix has a host, and no user").in_object(prefix));
        }
        url.set_query(None);
        url.set_fragment(None);
        let prefix = url.as_str().trim_end_matches('/').to_owned();
        let place = self.entries.iter().position(|(p, _)| *p == prefix).unwrap_or_else(|| {
            // the longest first, so that the first that matches is the one
            let place = self.entries.partition_point(|(p, _)| p.len() >= prefix.len());
            self.entries.insert(place, (prefix, Signed::default()));
            place
        });
        Ok(&mut self.entries[place].1)
    }

    fn of(&self, url: &str) -> Option<&(String, Signed)> {
        self.entries.iter().find(|(prefix, _)| url.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?'])))
    }
}

impl Signer for StaticToken {
    fn scope(&self, url: &str) -> Option<String> {
        self.of(url).map(|(prefix, _)| prefix.clone())
    }
    fn sign<'a>(&'a self, url: &'a str) -> Pin<Box<dyn Future<Output = Result<Signed>> + Send + 'a>> {
        let signed = self.of(url).map(|(_, signed)| signed.clone());
        Box::pin(async { signed.ok_or_else(|| Error::usage("no token is known for this URL")) })
    }
    fn renews(&self) -> bool {
        false
    }
}

/// Whether a text may stand in a query as it is (RFC 3986, section 3.4, and what servers bear beside).
pub(super) fn is_query(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'#' | b'"' | b'<' | b'>'))
}

/// RFC 9110, sections 5.1 and 5.5.
pub(super) fn is_header(name: &str, value: &str) -> bool {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(is_token) && value.bytes().all(|b| b == b' ' || b == b'\t' || b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_at_a_border() {
        let token = |t: &str| Secret::new(t);
        let signer = StaticToken::new()
            .with_token("https://H.net:443/a", token("T1"))
            .and_then(|s| s.with_token("https://h.net/a/long/", token("T2")))
            .and_then(|s| s.with_header("https://h.net/a/long", "X-Key", token("T3")))
            .and_then(|s| s.with_token("http://127.0.0.1:10000", token("T4")))
            .unwrap();
        let of = |url: &str| signer.of(url).map(|(_, s)| (s.query.as_ref().unwrap().expose().to_owned(), s.headers.len()));
        for (url, expected) in [
            ("https://h.net/a", Some(("T1", 0))),
            ("https://h.net/a?x=1", Some(("T1", 0))),
            ("https://h.net/a/b", Some(("T1", 0))),
            ("https://h.net/a/longer", Some(("T1", 0))),
            ("https://h.net/a/long", Some(("T2", 1))),
            ("https://h.net/a/long/b.tif?x=1", Some(("T2", 1))),
            ("https://h.net/ab", None),
            ("https://h.net/", None),
            ("http://h.net/a", None),
            ("https://h.net.evil/a", None),
            ("https://h.net:8443/a", None),
            ("http://127.0.0.1:10000/x", Some(("T4", 0))),
            ("http://127.0.0.1:100001/x", None),
            ("http://127.0.0.1:10000@evil/x", None),
        ] {
            assert_eq!(of(url), expected.map(|(t, n)| (t.to_owned(), n)), "{url}");
            assert_eq!(signer.scope(url).is_some(), expected.is_some(), "{url}");
        }
        assert!(!["T1", "T2", "T3", "T4"].iter().any(|t| format!("{signer:?}").contains(t)), "{signer:?}");
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let canary = || Secret::new("CANARY\n");
        for refused in [
            StaticToken::new().with_token("https://h/a", canary()),
            StaticToken::new().with_token("https://h/a", Secret::new("CANARY#x")),
            StaticToken::new().with_header("https://h/a", "x", canary()),
            StaticToken::new().with_header("https://h/a", "x y", Secret::new("CANARY")),
            StaticToken::new().with_token("/a", Secret::new("CANARY")),
            StaticToken::new().with_token("https://u:CANARY@h/a", Secret::new("CANARY")),
        ] {
            let error = refused.unwrap_err();
            assert!(!format!("{error} {error:?}").contains("CANARY"), "{error}");
        }
    }
}
