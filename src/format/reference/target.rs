//! Where references lead, and whether they may.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::format::zarr::check_name;
use crate::model::{Limits, ObjectKey, without_secrets};

/// Whether a URL is one of `allowed`, or below one: `https://h.net` is not `https://h.net.evil`.
pub(crate) fn is_allowed(allowed: &[String], url: &str) -> bool {
    allowed.iter().any(|prefix| {
        let rest = url.strip_prefix(prefix.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/'))
    })
}

/// Objects that URLs lead to, which may be relative.
pub(super) struct Targets<'a> {
    base: Base<'a>,
    /// Asked of every URL outside of the base's own origin.
    allow: &'a dyn Fn(&str) -> bool,
    /// URLs as written: many references share few.
    known: HashMap<String, ObjectKey>,
    /// Bytes that the URLs are longer than they were written, and how many they may be: a short text may stand for a long folder or template.
    longer: u64,
    most: u64,
}

impl<'a> Targets<'a> {
    pub(super) fn new(base: Base<'a>, allow: &'a dyn Fn(&str) -> bool, limits: &Limits) -> Self {
        Self { base, allow, known: HashMap::new(), longer: 0, most: limits.max_metadata_bytes }
    }

    /// The object at a URL, which is made of what was written by `expand`.
    pub(super) fn object<'w>(&mut self, written: &'w str, expand: impl FnOnce(&'w str) -> Result<Cow<'w, str>>) -> Result<ObjectKey> {
        if let Some(key) = self.known.get(written) {
            return Ok(key.clone());
        }
        let url = self.base.resolve(&expand(written)?)?;
        self.longer = self.longer.saturating_add((url.len() as u64).saturating_sub(written.len() as u64));
        Limits::check("max_metadata_bytes", self.longer, self.most)?;
        if !self.base.is_own(&url) && !(self.allow)(&url) {
            let shown = without_secrets(&url).into_owned();
            return Err(Error::usage(format!("the reference file leads to {shown}, outside of its own place, which is not allowed")));
        }
        let key = ObjectKey::new(url);
        self.known.insert(written.to_owned(), key.clone());
        Ok(key)
    }
}

/// Where the reference file is.
pub(super) struct Base<'a> {
    scheme: &'a str,
    /// Host and port; empty for files.
    authority: &'a str,
    /// What relative URLs start at, with a slash at both ends.
    folder: String,
    /// The folder below which all is its own, where it is a file.
    own: String,
}

impl<'a> Base<'a> {
    pub(super) fn new(url: &'a str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap_or(("file", url));
        let rest = if scheme == "file" { rest } else { rest.split(['?', '#']).next().unwrap_or(rest) };
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at_checked(at).unwrap_or((rest, "/")));
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        Self { scheme, authority, folder: format!("{folder}/"), own: format!("{folder}/") }
    }

    /// Of what lies in the folder `path` below `root` (with a slash at its end): relative URLs start at that folder, and may lead anywhere
    /// below the root.
    #[cfg(feature = "parquet")]
    pub(super) fn below(root: &'a str, path: &str) -> Self {
        let mut base = Self::new(root);
        if !path.is_empty() {
            base.folder = format!("{}{path}/", base.own);
        }
        base
    }

    /// An absolute URL; relative ones start at the reference file's folder. Steps up are resolved here, so that no one else does.
    fn resolve(&self, url: &str) -> Result<String> {
        if url.is_empty() || url.contains(|c: char| c.is_control() || c == '\\') {
            return Err(Error::malformed("a URL that is empty or has control characters"));
        }
        let (scheme, authority, path) = match url.split_once("://") {
            Some((scheme, rest)) => {
                let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at_checked(at).unwrap_or((rest, "")));
                (scheme, authority, path.to_owned())
            }
            None if url.starts_with('/') => (self.scheme, self.authority, url.to_owned()),
            None => (self.scheme, self.authority, format!("{}{url}", self.folder)),
        };
        let path = normal(&path)?;
        Ok(format!("{}://{authority}{path}", scheme.to_ascii_lowercase()))
    }

    /// Whether a resolved URL is of the same origin, or of a file below the same folder.
    fn is_own(&self, url: &str) -> bool {
        let Some(rest) = url.strip_prefix(self.scheme).and_then(|r| r.strip_prefix("://")) else { return false };
        let Some(path) = rest.strip_prefix(self.authority) else { return false };
        if self.scheme == "file" { path.starts_with(&self.own) } else { path.is_empty() || path.starts_with('/') }
    }
}

/// A path without `.` and `..`. Percent-encoded ones are refused.
fn normal(path: &str) -> Result<String> {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => {
                segments.pop().ok_or_else(|| Error::malformed("a URL that leads above its root"))?;
            }
            segment if segment.is_empty() => segments.push(segment),
            segment => {
                check_name(segment)?;
                segments.push(segment);
            }
        }
    }
    Ok(segments.iter().fold(String::new(), |path, segment| path + "/" + segment))
}
