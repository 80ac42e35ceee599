//! From what a caller writes to an object's name, and what a name leaves out.
//!
//! The rule of names: a key's URL is taken as it stands. For `file:`, `memory:`, `s3:`, `gs:`, `az:` and the caller's own stores it
//! is not encoded: `%`, `?`, `#`, blanks and letters of any script are parts of the name. For `http(s):` it is the URL
//! without query, fragment and user info; what cannot stand in a URL is encoded when the request is sent, and `%` followed by two hexadecimal
//! digits is taken as encoded already. No key holds a `..` segment or a NUL.
//!
//! The query and the user info of an HTTP URL are remembered, and sent with every request at or below that URL. Two URLs that
//! differ in more than a signature name different objects; the second gets a fragment (`#2`) as part of its key.
//!
//! What is remembered is bounded, and the URL that was used least lately is forgotten first. To read what was opened by it is then an error:
//! without the query it might be another object, or seem not to be there. Opened anew by its URL, it is read as before.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use url::Url;

use crate::error::{Error, Result};
use crate::model::{ObjectKey, Secret};

/// Parameters that sign or authorise a URL, and do not say which object it names.
const SIGNATURES: &[&str] = &[
    "sv",
    "ss",
    "srt",
    "sp",
    "se",
    "st",
    "spr",
    "sig",
    "sr",
    "sip",
    "si",
    "skoid",
    "sktid",
    "skt",
    "ske",
    "sks",
    "skv",
    "sdd",
    "saoid",
    "suoid",
    "scid",
    "ses",
    "rscc",
    "rscd",
    "rsce",
    "rscl",
    "rsct",
    "awsaccesskeyid",
    "googleaccessid",
    "expires",
    "signature",
    "policy",
    "key-pair-id",
    "token",
    "access_token",
    "api_key",
    "apikey",
    "subscription-key",
];

/// URLs with a query or a user that are remembered.
const MOST_GRANTS: usize = 4096;
/// URLs of which it is remembered that they were forgotten: a name's hash each.
const MOST_FORGOTTEN: usize = 1 << 16;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// What is sent with requests at and below a URL.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    /// The URL without query, fragment and user info.
    base: String,
    pub(super) query: Option<Secret>,
    /// User and password.
    pub(super) login: Option<(Secret, Secret)>,
}

/// A request's URL, and what must not be printed of it.
#[derive(Debug)]
pub(super) struct Target {
    /// Without query.
    pub(super) url: Url,
    pub(super) query: Option<Secret>,
    pub(super) login: Option<(Secret, Secret)>,
    /// Whether the caller named something on this host.
    pub(super) trusted: bool,
}

/// The URLs that callers named.
#[derive(Default)]
pub(super) struct Names {
    known: Mutex<Known>,
}

struct Known {
    grants: LruCache<String, Grant>,
    /// By the hash of the name, that of the object which the query said.
    forgotten: LruCache<u64, u64>,
    /// Names that were given to a URL without a query that says which object is meant, by their hash.
    bare: LruCache<u64, ()>,
    hash: RandomState,
    origins: HashSet<String>,
}

impl Names {
    /// The name of a local path that exists, of a URL, or of a local path that does not exist yet.
    pub(super) fn object(&self, text: &str, own_prefix: impl Fn(&str) -> bool) -> Result<ObjectKey> {
        if text.contains('\0') {
            return Err(Error::usage("a name holds a NUL character"));
        }
        if own_prefix(text) {
            let key = ObjectKey::new(without_trailing_slash(text));
            check(&key)?;
            return Ok(key);
        }
        if std::fs::metadata(text).is_ok() {
            return local(Path::new(text));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return local(Path::new(text));
        };
        let key = match scheme.to_ascii_lowercase().as_str() {
            "file" => return local_url(rest),
            "http" | "https" => return self.http(text),
            "s3" | "s3a" => ObjectKey::new(format!("s3://{}", without_trailing_slash(rest))),
            "gs" | "gcs" => ObjectKey::new(format!("gs://{}", without_trailing_slash(rest))),
            "memory" => ObjectKey::new(format!("memory://{}", without_trailing_slash(rest))),
            "az" | "azure" | "adl" | "abfs" | "abfss" | "wasb" | "wasbs" => azure(without_trailing_slash(rest)),
            other => return Err(Error::unsupported(format!("URLs of the scheme {other}://"))),
        };
        check(&key)?;
        Ok(key)
    }

    fn http(&self, text: &str) -> Result<ObjectKey> {
        // the parser's own message is enough: the text may hold a signature or a password, and what is no URL cannot be cut safely
        let mut url = Url::parse(text).map_err(|e| Error::usage(format!("not a URL: {e}")))?;
        let query = url.query().filter(|q| !q.is_empty()).map(Secret::new);
        let decode = |text: &str| Secret::new(percent_decoded(text).unwrap_or_else(|| text.to_owned()));
        let login = (!url.username().is_empty()).then(|| (decode(url.username()), decode(url.password().unwrap_or_default())));
        url.set_query(None);
        url.set_fragment(None);
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let base = without_trailing_slash(url.as_str()).to_owned();

        let mut known = self.lock();
        known.origins.insert(url.origin().ascii_serialization());
        let mut name = base.clone();
        let mut count = 1_u64;
        while known.is_taken(&name, query.as_ref(), login.is_some()) {
            count += 1;
            name = format!("{base}#{count}");
        }
        if identity(query.as_ref()).is_empty() {
            known.note_bare(&name);
        }
        // a bare URL takes part in the grants at and above it, unless it had to be told from another
        if query.is_some() || login.is_some() || (count > 1 && !known.grants.contains(&name)) {
            known.remember(&name, Grant { base, query, login });
        }
        drop(known);
        let key = ObjectKey::new(name);
        check(&key)?;
        Ok(key)
    }

    /// Where a request for an HTTP key goes, and with what.
    pub(super) fn target(&self, key: &ObjectKey) -> Result<Target> {
        let name = key.url();
        let mut known = self.lock();
        let grant = known.at_or_above(name)?;
        let (base, rest, query, login) = match grant {
            Some((length, grant)) => (grant.base, &name[length..], grant.query, grant.login),
            None => (String::new(), name, None, None),
        };
        let url = Url::parse(&format!("{base}{}", encoded(rest))).map_err(|e| Error::usage(format!("not a URL: {e}")).in_object(name))?;
        let trusted = known.origins.contains(&url.origin().ascii_serialization());
        Ok(Target { url, query, login, trusted })
    }

    /// The URL of an HTTP key as any process would send it, without query; `None` where the query says which object is meant.
    pub(super) fn lasting(&self, key: &ObjectKey) -> Option<String> {
        let target = self.target(key).ok()?;
        identity(target.query.as_ref()).is_empty().then(|| target.url.into())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Known {
    fn default() -> Self {
        Self {
            grants: LruCache::unbounded(),
            forgotten: LruCache::unbounded(),
            bare: LruCache::unbounded(),
            hash: RandomState::new(),
            origins: HashSet::new(),
        }
    }
}

impl Known {
    /// Whether a name stands for another object than this query says, or for one that was forgotten and cannot be asked for without a query.
    fn is_taken(&self, name: &str, query: Option<&Secret>, login: bool) -> bool {
        if let Some(grant) = self.grants.peek(name) {
            return identity(grant.query.as_ref()) != identity(query);
        }
        if !identity(query).is_empty() && self.bare.contains(&self.hash.hash_one(name)) {
            return true;
        }
        let forgotten = self.forgotten.peek(&self.hash.hash_one(name));
        forgotten.is_some_and(|object| *object != self.hash.hash_one(identity(query)) || (query.is_none() && !login))
    }

    fn note_bare(&mut self, name: &str) {
        self.bare.put(self.hash.hash_one(name), ());
        if self.bare.len() > MOST_FORGOTTEN {
            self.bare.pop_lru();
        }
    }

    fn remember(&mut self, name: &str, grant: Grant) {
        self.forgotten.pop(&self.hash.hash_one(name));
        self.grants.put(name.to_owned(), grant);
        if self.grants.len() > MOST_GRANTS
            && let Some((name, grant)) = self.grants.pop_lru()
        {
            self.forgotten.put(self.hash.hash_one(name), self.hash.hash_one(identity(grant.query.as_ref())));
            if self.forgotten.len() > MOST_FORGOTTEN {
                self.forgotten.pop_lru();
            }
        }
    }

    /// The nearest grant at or above a name, and the length of the part of the name that it is for.
    fn at_or_above(&mut self, name: &str) -> Result<Option<(usize, Grant)>> {
        for prefix in prefixes(name) {
            if let Some(grant) = self.grants.get(prefix) {
                return Ok(Some((prefix.len(), grant.clone())));
            }
            if !self.forgotten.is_empty() && self.forgotten.contains(&self.hash.hash_one(prefix)) {
                let message = format!("more than {MOST_GRANTS} signed URLs were used since; it is to be opened again");
                return Err(Error::denied(message).in_object(name));
            }
        }
        Ok(None)
    }
}

/// The part of a query that says which object is meant.
fn identity(query: Option<&Secret>) -> Vec<String> {
    let signs = |parameter: &str| {
        let name = parameter.split('=').next().unwrap_or_default().to_ascii_lowercase();
        SIGNATURES.contains(&name.as_str()) || name.starts_with("x-amz-") || name.starts_with("x-goog-")
    };
    query.map(|q| q.expose().split('&').filter(|p| !p.is_empty() && !signs(p)).map(str::to_owned).collect()).unwrap_or_default()
}

/// `name`, and what is left of it before each of its slashes, from the last to the first.
fn prefixes(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |shorter| shorter.rfind('/').map(|slash| &shorter[..slash]))
}

/// What is between two names of an HTTP URL: `?` and `#` are letters there, and a `%` may be one. So are control characters and blanks at
/// the end, which whoever parses a URL leaves out: a segment of a dot, a tab and a dot would climb.
fn encoded(path: &str) -> String {
    let hex = |at: usize| path.as_bytes().get(at).is_some_and(u8::is_ascii_hexdigit);
    let end = path.trim_end_matches(' ').len();
    let mut out = String::with_capacity(path.len());
    for (at, letter) in path.char_indices() {
        match letter {
            ' ' if at >= end => out.push_str("%20"),
            c if c.is_ascii_control() => {
                let code = usize::from(path.as_bytes()[at]);
                out.extend(['%', char::from(HEX[code >> 4]), char::from(HEX[code & 15])]);
            }
            '?' => out.push_str("%3F"),
            '#' => out.push_str("%23"),
            '\\' => out.push_str("%5C"),
            '%' if !(hex(at + 1) && hex(at + 2)) => out.push_str("%25"),
            _ => out.push(letter),
        }
    }
    out
}

/// `container/path`, or `container@account.host/path` as the name of a blob's own URL.
fn azure(rest: &str) -> ObjectKey {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    match authority.split_once('@') {
        Some((container, host)) => {
            let account = host.split('.').next().unwrap_or(host);
            let encoded: String = encoded(path);
            ObjectKey::new(without_trailing_slash(&format!("https://{account}.blob.core.windows.net/{container}/{encoded}")))
        }
        None => ObjectKey::new(format!("az://{rest}")),
    }
}

fn local_url(rest: &str) -> Result<ObjectKey> {
    let path = rest.strip_prefix("localhost/").map_or_else(|| rest.to_owned(), |path| format!("/{path}"));
    if std::fs::metadata(&path).is_err()
        && let Some(decoded) = percent_decoded(&path)
        && std::fs::metadata(&decoded).is_ok()
    {
        return local(Path::new(&decoded));
    }
    local(Path::new(&path))
}

fn local(path: &Path) -> Result<ObjectKey> {
    let cannot = |e: std::io::Error| Error::storage(e.to_string()).in_object(&path.to_string_lossy());
    let mut absolute = std::path::absolute(path).map_err(cannot)?;
    if absolute.components().any(|c| c == Component::ParentDir) {
        absolute = absolute.canonicalize().unwrap_or_else(|_| without_parents(&absolute));
    }
    let text = absolute.to_str().ok_or_else(|| Error::unsupported("file names that are not UTF-8"))?;
    let key = ObjectKey::new(format!("file://{}", without_trailing_slash(text)));
    check(&key)?;
    Ok(key)
}

/// Of a path that does not exist, so that no link can make `a/b/..` another place than `a`.
fn without_parents(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// The path that a `file:` key names.
pub(super) fn local_path(key: &ObjectKey) -> Option<&Path> {
    key.url().strip_prefix("file://").map(Path::new)
}

/// Refuses names that would lead out of the prefix they were built from.
pub(super) fn check(key: &ObjectKey) -> Result<()> {
    let url = key.url();
    let is_http = url.starts_with("http://") || url.starts_with("https://");
    // what a server makes of a segment that is decoded may be several
    let decoded_climbs = |segment: &str| percent_decoded(segment).is_some_and(|s| s.split(['/', '\\']).any(|s| s == ".."));
    let climbs = |segment: &str| segment == ".." || (is_http && segment.contains('%') && decoded_climbs(segment));
    if url.contains('\0') {
        return Err(Error::malformed("an object's name holds a NUL character"));
    }
    if url.split(['/', '\\']).any(climbs) {
        return Err(Error::malformed("an object's name holds a `..`").in_object(url));
    }
    Ok(())
}

/// `None` where it is not UTF-8 then.
pub(super) fn percent_decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|&b| char::from(b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).ok()
}

fn without_trailing_slash(text: &str) -> &str {
    text.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(names: &Names, text: &str) -> String {
        names.object(text, |_| false).unwrap().url().to_owned()
    }

    #[test]
    fn names_of_urls() {
        let names = Names::default();
        let here = std::env::current_dir().unwrap();
        let here = here.to_str().unwrap();
        for (given, expected) in [
            ("https://Host.net/a/../b.tif?sig=x#frag", "https://host.net/b.tif"),
            ("https://u:p@host.net/a b.tif", "https://host.net/a%20b.tif"),
            ("https://host.net/a%20b.zarr/", "https://host.net/a%20b.zarr"),
            ("s3://bucket/a b?c#d%20", "s3://bucket/a b?c#d%20"),
            ("gcs://bucket/x", "gs://bucket/x"),
            ("memory://m/x/", "memory://m/x"),
            ("abfs://container/x", "az://container/x"),
            ("abfss://container@account.dfs.core.windows.net/x y", "https://account.blob.core.windows.net/container/x y"),
            ("file:///no/such file", "file:///no/such file"),
            ("/no/such/../file", "file:///no/file"),
            ("no#such?file%20", &format!("file://{here}/no#such?file%20")),
        ] {
            assert_eq!(url(&names, given), expected, "{given}");
        }
        assert!(names.object("ftp://h/x", |_| false).unwrap_err().is_unsupported());
        assert!(names.object("s3://bucket/../x", |_| false).is_err());
        assert!(names.object("a\0b", |_| false).is_err());
        assert_eq!(names.object("own+x://a?b", |t| t.starts_with("own+x://")).unwrap().url(), "own+x://a?b");
    }

    #[test]
    fn a_query_is_sent_at_and_below_its_url() {
        let names = Names::default();
        let root = names.object("https://h.net/c/root.zarr?sv=1&sig=abc", |_| false).unwrap();
        let sent = |key: &str| {
            let target = names.target(&ObjectKey::new(key)).unwrap();
            (target.url.to_string(), target.query.map(|q| q.expose().to_owned()), target.trusted)
        };
        let query = Some("sv=1&sig=abc".to_owned());
        assert_eq!(sent(root.url()), ("https://h.net/c/root.zarr".into(), query.clone(), true));
        let child = format!("{}/a b/%41?#%zz", root.url());
        assert_eq!(sent(&child), ("https://h.net/c/root.zarr/a%20b/%41%3F%23%25zz".into(), query, true));
        assert_eq!(sent("https://h.net/c/root.zarrs"), ("https://h.net/c/root.zarrs".into(), None, true));
        assert_eq!(sent("https://other.net/c/root.zarr"), ("https://other.net/c/root.zarr".into(), None, false));
    }

    #[test]
    fn a_new_signature_is_the_same_object_another_parameter_is_not() {
        let names = Names::default();
        let first = url(&names, "https://h/get?id=1&sig=a");
        assert_eq!(first, "https://h/get");
        assert_eq!(url(&names, "https://h/get?id=1&sig=b&se=2030"), first);
        let second = url(&names, "https://h/get?id=2&sig=a");
        assert_eq!(second, "https://h/get#2");
        assert_eq!(url(&names, "https://h/bare"), "https://h/bare");
        assert_eq!(url(&names, "https://h/bare?sig=a"), "https://h/bare");
        assert_eq!(url(&names, "https://h/bare?versionId=1"), "https://h/bare#2", "whichever comes first");
        let target = names.target(&ObjectKey::new(format!("{second}/zarr.json"))).unwrap();
        assert_eq!((target.url.as_str(), target.query.unwrap().expose()), ("https://h/get/zarr.json", "id=2&sig=a"));
        assert_eq!(names.target(&ObjectKey::new(first)).unwrap().query.unwrap().expose(), "id=1&sig=b&se=2030");
    }

    #[test]
    fn what_was_forgotten_is_told_and_never_taken_for_another() {
        let names = Names::default();
        let first = url(&names, "https://h/get?id=1&sig=a");
        let root = url(&names, "https://h/root.zarr?sig=a");
        let used = url(&names, "https://h/used?sig=a");
        let target = |name: &str| names.target(&ObjectKey::new(name)).map(|t| t.query.map(|q| q.expose().to_owned()));
        for n in 0..MOST_GRANTS + 10 {
            url(&names, &format!("https://h/{n}?sig=a"));
            assert_eq!(target(&used).unwrap().as_deref(), Some("sig=a"), "what is used is kept");
        }
        assert_eq!(names.lock().grants.len(), MOST_GRANTS);
        for forgotten in [&first, &root, &format!("{root}/c/0/0")] {
            let error = target(forgotten).unwrap_err();
            assert!(matches!(error.kind(), crate::ErrorKind::Denied(_)), "{error}");
        }
        // the names are not given to other objects, nor to what is opened without a signature
        assert_eq!(url(&names, "https://h/get?id=2&sig=a"), "https://h/get#2");
        assert_eq!(url(&names, "https://h/root.zarr"), "https://h/root.zarr#2");
        assert_eq!(target("https://h/root.zarr#2/c/0/0").unwrap(), None);
        // opened again by its URL, it is what it was
        assert_eq!(url(&names, "https://h/get?id=1&sig=b"), first);
        assert_eq!(target(&first).unwrap().as_deref(), Some("id=1&sig=b"));
        assert_eq!(url(&names, "https://h/root.zarr?sig=b"), root);
        assert_eq!(target(&format!("{root}/c/0/0")).unwrap().as_deref(), Some("sig=b"));
    }

    /// Parsers of URLs leave out tabs and line ends anywhere, and blanks and controls at the end.
    #[test]
    fn what_parsers_of_urls_leave_out_is_encoded() {
        let names = Names::default();
        let root = names.object("https://h.net/tenant/root.zarr?sig=a", |_| false).unwrap();
        for (rest, sent) in
            [(".\t./x", ".%09./x"), (".\n.", ".%0A."), (".\r./..x", ".%0D./..x"), ("a ", "a%20"), ("a\u{1f}", "a%1F"), ("a b", "a%20b")]
        {
            let target = names.target(&ObjectKey::new(format!("{}/{rest}", root.url()))).unwrap();
            assert_eq!(target.url.as_str(), format!("https://h.net/tenant/root.zarr/{sent}"), "{rest:?}");
        }
    }

    #[test]
    fn no_key_climbs() {
        let bad = [
            "file:///data/x/../../etc/passwd",
            "s3://b/a/..",
            "https://h/a/%2e%2E/b",
            "https://h/a/.%2e/b",
            "https://h/a/..%2fb",
            "https://h/a/x%2F..%5Cb",
            "memory://a\\..\\b",
            "s3://b/a\0",
        ];
        for bad in bad {
            assert!(check(&ObjectKey::new(bad)).is_err(), "{bad}");
        }
        for good in ["file:///data/..x/y..", "s3://b/%2e%2e/x", "https://h/a%20.."] {
            assert!(check(&ObjectKey::new(good)).is_ok(), "{good}");
        }
    }
}
