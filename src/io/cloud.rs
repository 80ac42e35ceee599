//! Stores over the network.
//!
//! One HTTP store a URL for plain HTTP, so that a URL is sent exactly as it was given; they share their
//! connections. One store a bucket or container for the others.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use lru::LruCache;
use object_store::aws::AmazonS3Builder;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, HeaderMap, HeaderValue, ObjectStore, RetryConfig};

use super::names::{Names, Target, percent_decoded};
use super::options::{IoOptions, NetworkOptions};
use super::sign::Signing;
use super::store::{is_azure_blob, path};
use super::wire::Connector;
use super::{errors, wire};
use crate::error::{Error, Result};
use crate::model::{ObjectKey, Secret};

/// Stores kept: one a bucket, container or signature.
const STORES: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// No listing is asked for again after this.
const RETRY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// The environment variable that names the account of `az:` URLs.
const AZURE_ACCOUNT: &str = "AZURE_STORAGE_ACCOUNT_NAME";
/// Environment variables by which Azure is given credentials.
const AZURE_CREDENTIALS: &[&str] = &[
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_MASTER_KEY",
    "AZURE_STORAGE_SAS_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_TOKEN",
    "AZURE_STORAGE_CLIENT_SECRET",
    "AZURE_CLIENT_SECRET",
    "AZURE_STORAGE_CLIENT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_USE_AZURE_CLI",
    "AZURE_MSI_ENDPOINT",
    "IDENTITY_ENDPOINT",
];

pub(super) struct Cloud {
    headers: HeaderMap,
    anonymous: bool,
    retry: RetryConfig,
    network: NetworkOptions,
    signing: Arc<Signing>,
    clients: OnceLock<Result<wire::Clients>>,
    stores: Mutex<LruCache<StoreName, Arc<dyn ObjectStore>>>,
}

/// What one store of a bucket is for.
#[derive(PartialEq, Eq, Hash)]
struct StoreName {
    scheme: &'static str,
    account: String,
    bucket: String,
    signature: String,
    /// Its requests are signed below it.
    claimed: bool,
}

impl Cloud {
    pub(super) fn new(options: &IoOptions) -> Result<Self> {
        let mut headers = HeaderMap::new();
        for (name, value) in &options.headers {
            let bad = || Error::usage(format!("`{name}` and its value are not an HTTP header"));
            let name = reqwest::header::HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            headers.append(name, secret_header(value.expose()).ok_or_else(bad)?);
        }
        Ok(Self {
            headers,
            anonymous: options.anonymous,
            // of what is not an attempt at reading: listings, uploads, credentials
            retry: RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: options.network.backoff,
                    max_backoff: options.network.backoff_most,
                    ..BackoffConfig::default()
                },
                max_retries: options.network.attempts.saturating_sub(1) as usize,
                retry_timeout: RETRY_TIMEOUT,
            },
            network: options.network.clone(),
            signing: Arc::new(Signing::new(options.signer.clone())),
            clients: OnceLock::new(),
            stores: Mutex::new(LruCache::new(STORES)),
        })
    }

    pub(super) fn place(&self, key: &ObjectKey, names: &Names) -> Result<(Arc<dyn ObjectStore>, Path)> {
        let (scheme, rest) = key.url().split_once("://").unwrap_or(("", key.url()));
        let (bucket, name) = rest.split_once('/').unwrap_or((rest, ""));
        match scheme {
            "http" | "https" => {
                let target = names.target(key)?;
                if scheme == "https" && is_azure_blob(target.url.as_str()) { self.azure_blob(key, &target) } else { self.http(key, &target) }
            }
            "s3" => Ok((self.s3(key, bucket)?, path(name, key)?)),
            "gs" => Ok((self.gcs(key, bucket)?, path(name, key)?)),
            "az" => {
                let account = std::env::var(AZURE_ACCOUNT).unwrap_or_default();
                let url = format!("https://{account}.blob.core.windows.net/{bucket}/{name}");
                Ok((self.azure(key, None, bucket, None, &url)?, path(name, key)?))
            }
            other => Err(Error::unsupported(format!("URLs of the scheme {other}://")).in_object(key.url())),
        }
    }

    fn clients(&self) -> Result<&wire::Clients> {
        self.clients.get_or_init(|| wire::Clients::new(&self.network)).as_ref().map_err(Clone::clone)
    }

    fn http(&self, key: &ObjectKey, target: &Target) -> Result<(Arc<dyn ObjectStore>, Path)> {
        let mut headers = if target.trusted { self.headers.clone() } else { HeaderMap::new() };
        if let Some((user, password)) = &target.login {
            let basic = Secret::new(format!("Basic {}", base64(format!("{}:{}", user.expose(), password.expose()).as_bytes())));
            let value = secret_header(basic.expose()).ok_or_else(|| Error::usage("the user info is not usable").in_object(key.url()))?;
            headers.insert(reqwest::header::AUTHORIZATION, value);
        }
        let mut url = target.url.clone();
        url.set_query(target.query.as_ref().map(Secret::expose));
        let store = HttpBuilder::new()
            .with_url(url)
            .with_client_options(ClientOptions::new().with_allow_http(true))
            .with_retry(self.retry.clone())
            .with_http_connector(Connector::plain(self.clients()?, headers, &self.signing))
            .build()
            .map_err(|e| errors::from_store(&e, key))?;
        Ok((Arc::new(store), Path::ROOT))
    }

    /// A blob's own URL goes to the Azure store: it prints no signature, and lists.
    fn azure_blob(&self, key: &ObjectKey, target: &Target) -> Result<(Arc<dyn ObjectStore>, Path)> {
        let account = target.url.host_str().and_then(|h| h.split('.').next()).unwrap_or_default();
        let mut segments = target.url.path().trim_start_matches('/').splitn(2, '/');
        let container = segments.next().unwrap_or_default();
        let name = percent_decoded(segments.next().unwrap_or_default());
        let name = name.ok_or_else(|| Error::usage("the name is not UTF-8").in_object(key.url()))?;
        Ok((self.azure(key, Some(account), container, target.query.as_ref(), target.url.as_str())?, path(&name, key)?))
    }

    /// `url`: of the blob, without the signature that was given with it.
    fn azure(&self, key: &ObjectKey, account: Option<&str>, container: &str, sas: Option<&Secret>, url: &str) -> Result<Arc<dyn ObjectStore>> {
        let claimed = sas.is_none() && self.signing.claims(url);
        let name = StoreName {
            scheme: "az",
            account: account.unwrap_or_default().to_owned(),
            bucket: container.to_owned(),
            signature: sas.map_or("", Secret::expose).to_owned(),
            claimed,
        };
        self.kept(key, name, || {
            let mut builder = match sas {
                Some(sas) => MicrosoftAzureBuilder::new().with_config(AzureConfigKey::SasKey, sas.expose()),
                None => MicrosoftAzureBuilder::from_env(),
            };
            if let Some(account) = account {
                builder = builder.with_account(account);
            }
            // a public blob is read without credentials, rather than looking for those of a virtual machine
            let unsigned = account.is_some() && AZURE_CREDENTIALS.iter().all(|name| std::env::var_os(name).is_none());
            if claimed || (sas.is_none() && (self.anonymous || unsigned)) {
                builder = builder.with_skip_signature(true);
            }
            let builder = builder.with_container_name(container).with_retry(self.retry.clone());
            Ok(Arc::new(builder.with_http_connector(self.connector()?).build().map_err(|e| errors::from_store(&e, key))?))
        })
    }

    fn s3(&self, key: &ObjectKey, bucket: &str) -> Result<Arc<dyn ObjectStore>> {
        self.kept(key, StoreName::bucket("s3", bucket), || {
            let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(self.retry.clone());
            if self.anonymous {
                builder = builder.with_skip_signature(true);
            }
            Ok(Arc::new(builder.with_http_connector(self.connector()?).build().map_err(|e| errors::from_store(&e, key))?))
        })
    }

    fn gcs(&self, key: &ObjectKey, bucket: &str) -> Result<Arc<dyn ObjectStore>> {
        self.kept(key, StoreName::bucket("gs", bucket), || {
            let mut builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket).with_retry(self.retry.clone());
            if self.anonymous {
                builder = builder.with_skip_signature(true);
            }
            Ok(Arc::new(builder.with_http_connector(self.connector()?).build().map_err(|e| errors::from_store(&e, key))?))
        })
    }

    fn connector(&self) -> Result<Connector> {
        Ok(Connector::signed(self.clients()?, &self.signing))
    }

    fn kept(&self, key: &ObjectKey, name: StoreName, build: impl FnOnce() -> Result<Arc<dyn ObjectStore>>) -> Result<Arc<dyn ObjectStore>> {
        if name.bucket.is_empty() {
            return Err(Error::usage("the URL names no bucket or container").in_object(key.url()));
        }
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = stores.get(&name) {
            return Ok(store.clone());
        }
        let store = build()?;
        stores.put(name, store.clone());
        Ok(store)
    }
}

impl StoreName {
    fn bucket(scheme: &'static str, bucket: &str) -> Self {
        Self { scheme, account: String::new(), bucket: bucket.to_owned(), signature: String::new(), claimed: false }
    }
}

fn secret_header(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, &b| word << 8 | u32::from(b)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_rfc_4648() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
