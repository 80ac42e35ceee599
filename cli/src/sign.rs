//! How requests are signed, as far as the command line says it. What is secret comes from the environment: a command line is seen by others.

use std::sync::Arc;

use swath::model::Secret;
use swath::{Signer, StaticToken, TokenEndpoint};

use crate::args::{Access, Provider};
use crate::failure::{Failure, Result};

const SAS_TOKEN: &str = "SWATH_SAS_TOKEN";
const SUBSCRIPTION_KEY: &str = "SWATH_SUBSCRIPTION_KEY";
/// As other programs for the same endpoint call it.
const PLANETARY_KEY: &str = "PC_SDK_SUBSCRIPTION_KEY";
const KEY_HEADER: &str = "Ocp-Apim-Subscription-Key";

pub(crate) fn signer(access: &Access, url: &str) -> Result<Option<Arc<dyn Signer>>> {
    if access.sas_token {
        let token = secret(SAS_TOKEN).ok_or_else(|| Failure::usage(format!("--sas-token takes the token from {SAS_TOKEN}, which is not set")))?;
        let host = host(url).ok_or_else(|| Failure::usage("--sas-token is for http(s) URLs"))?;
        return Ok(Some(Arc::new(StaticToken::new().with_token(host, token)?)));
    }
    if let Some(template) = &access.token_endpoint {
        let mut endpoint = TokenEndpoint::new(template.as_str())?;
        if let Some(collection) = &access.collection {
            endpoint = endpoint.with_collection(collection.as_str())?;
        }
        if let Some(key) = secret(SUBSCRIPTION_KEY) {
            endpoint = endpoint.with_header(KEY_HEADER, key)?;
        }
        return Ok(Some(Arc::new(endpoint)));
    }
    match access.sign {
        Some(Provider::PlanetaryComputer) => {
            let key = secret(SUBSCRIPTION_KEY).or_else(|| secret(PLANETARY_KEY));
            Ok(Some(Arc::new(TokenEndpoint::planetary_computer(key)?)))
        }
        None => Ok(None),
    }
}

fn secret(variable: &str) -> Option<Secret> {
    std::env::var(variable).ok().filter(|value| !value.is_empty()).map(Secret::new)
}

/// Scheme, host and port of an HTTP URL.
fn host(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let is_http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let length = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    (is_http && !rest[..length].contains('@')).then(|| &url[..scheme.len() + 3 + length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (url, expected) in [
            ("https://a.net/x/y?z", Some("https://a.net")),
            ("HTTP://127.0.0.1:80", Some("HTTP://127.0.0.1:80")),
            ("https://a.net?x", Some("https://a.net")),
            ("https://u:p@a.net/x", None),
            ("s3://bucket/x", None),
            ("/a/b", None),
        ] {
            assert_eq!(host(url), expected, "{url}");
        }
    }
}
