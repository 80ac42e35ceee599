//! Which store holds an object, and under which name.

use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;

use super::disk::Lasting;
use super::local::Files;
use super::names::{self, Names};
use super::options::IoOptions;
use crate::error::{Error, Result};
use crate::model::{ObjectKey, without_secrets};

/// What URLs of a scheme leave to the environment: which service is meant, and whose part of it.
const REALMS: &[(&str, &[&str])] = &[
    ("s3", &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]),
    ("gs", &["GOOGLE_BASE_URL", "GOOGLE_SERVICE_ACCOUNT_PATH", "GOOGLE_SERVICE_ACCOUNT"]),
    ("az", &["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT", "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_USE_EMULATOR", "AZURE_USE_FABRIC_ENDPOINT"]),
];

/// Where an object is.
pub(super) enum Place {
    Local(PathBuf),
    Store { store: Arc<dyn ObjectStore>, path: Path },
}

/// What kind of store a key belongs to, as far as policy depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Local,
    Memory,
    /// Plain HTTP: it cannot list.
    Http,
    Other,
}

/// The stores of one `Io`.
pub(super) struct Stores {
    pub(super) names: Names,
    pub(super) files: Files,
    own: Vec<(String, Arc<dyn ObjectStore>)>,
    memory: Arc<InMemory>,
    #[cfg(feature = "cloud")]
    cloud: super::cloud::Cloud,
}

impl Stores {
    pub(super) fn new(options: &IoOptions) -> Result<Self> {
        let mut own = options.stores.clone();
        own.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Ok(Self {
            names: Names::default(),
            files: Files::new(options.trusted_mmap),
            own,
            memory: Arc::new(InMemory::new()),
            #[cfg(feature = "cloud")]
            cloud: super::cloud::Cloud::new(options)?,
        })
    }

    pub(super) fn object(&self, text: &str) -> Result<ObjectKey> {
        self.names.object(text, |url| self.own(url).is_some())
    }

    /// The caller's store for a URL, and what is left of the URL.
    fn own<'a>(&self, url: &'a str) -> Option<(&Arc<dyn ObjectStore>, &'a str)> {
        self.own.iter().find_map(|(prefix, store)| {
            let rest = url.strip_prefix(prefix.as_str())?;
            let at_border = prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/');
            at_border.then(|| (store, rest.trim_start_matches('/')))
        })
    }

    /// Whether one of the caller's stores has a part of what is below a URL.
    pub(super) fn has_own_below(&self, key: &ObjectKey) -> bool {
        self.own.iter().any(|(prefix, _)| prefix.starts_with(key.url()))
    }

    pub(super) fn kind(&self, key: &ObjectKey) -> Kind {
        let url = key.url();
        match url.split_once("://").map(|(scheme, _)| scheme) {
            _ if self.own(url).is_some() => Kind::Other,
            Some("file") => Kind::Local,
            Some("memory") => Kind::Memory,
            Some("http" | "https") if !is_azure_blob(url) => Kind::Http,
            _ => Kind::Other,
        }
    }

    /// The object's name for all processes of this host; `None` where only this one knows what is meant.
    pub(super) fn lasting(&self, key: &ObjectKey) -> Option<Lasting> {
        if self.own(key.url()).is_some() {
            return None;
        }
        let (scheme, _) = key.url().split_once("://")?;
        if let "http" | "https" = scheme {
            return Some(Lasting { url: self.names.lasting(key)?, realm: String::new() });
        }
        let (_, variables) = REALMS.iter().find(|(of, _)| *of == scheme)?;
        let values: Vec<String> = variables.iter().map(|name| std::env::var(name).unwrap_or_default()).collect();
        Some(Lasting { url: key.url().to_owned(), realm: values.iter().map(|value| without_secrets(value)).collect::<Vec<_>>().join(" ") })
    }

    pub(super) fn place(&self, key: &ObjectKey) -> Result<Place> {
        names::check(key)?;
        if let Some((store, rest)) = self.own(key.url()) {
            return Ok(Place::Store { store: store.clone(), path: path(rest, key)? });
        }
        if let Some(path) = names::local_path(key) {
            return Ok(Place::Local(path.to_owned()));
        }
        if let Some(rest) = key.url().strip_prefix("memory://") {
            return Ok(Place::Store { store: self.memory.clone(), path: path(rest, key)? });
        }
        self.remote(key)
    }

    #[cfg(feature = "cloud")]
    fn remote(&self, key: &ObjectKey) -> Result<Place> {
        let (store, path) = self.cloud.place(key, &self.names)?;
        Ok(Place::Store { store, path })
    }

    #[cfg(not(feature = "cloud"))]
    fn remote(&self, key: &ObjectKey) -> Result<Place> {
        let scheme = key.url().split_once("://").map_or("", |(scheme, _)| scheme);
        Err(Error::unsupported(format!("{scheme}:// (built without the feature `cloud`)")).in_object(key.url()))
    }
}

/// The host of `https://account.blob.core.windows.net/container/name`.
pub(super) fn is_azure_blob(url: &str) -> bool {
    let host = url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or(rest));
    host.strip_suffix(".blob.core.windows.net").is_some_and(|account| !account.is_empty() && !account.contains('.'))
}

/// A name in a store.
pub(super) fn path(name: &str, key: &ObjectKey) -> Result<Path> {
    Path::parse(name)
        .map_err(|_| Error::usage("the store has no such names: an empty or dotted segment, or a control character").in_object(key.url()))
}
