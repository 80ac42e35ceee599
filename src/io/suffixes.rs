//! Which hosts serve no suffix ranges: one that refused one is asked for sizes instead.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::ObjectKey;

/// Hosts that are remembered; further ones are asked anew each time.
const MOST: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Suffixes {
    refused_by: Mutex<HashSet<Box<str>>>,
}

impl Suffixes {
    pub(super) fn are_refused(&self, key: &ObjectKey) -> bool {
        self.lock().contains(host(key))
    }
    pub(super) fn refused(&self, key: &ObjectKey) {
        let mut hosts = self.lock();
        if hosts.len() < MOST {
            hosts.insert(host(key).into());
        }
    }
    fn lock(&self) -> MutexGuard<'_, HashSet<Box<str>>> {
        self.refused_by.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Scheme, host and port.
fn host(key: &ObjectKey) -> &str {
    let url = key.url();
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find('/').map_or(url.len(), |at| start + at);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_apart() {
        let suffixes = Suffixes::default();
        suffixes.refused(&ObjectKey::new("http://a:1/x/y"));
        for (url, refused) in
            [("http://a:1/z", true), ("http://a:1", true), ("http://a:2/x/y", false), ("https://a:1/x", false), ("http://ab:1/x", false)]
        {
            assert_eq!(suffixes.are_refused(&ObjectKey::new(url)), refused, "{url}");
        }
        (0..2 * MOST).for_each(|n| suffixes.refused(&ObjectKey::new(format!("http://h{n}/"))));
        assert_eq!(suffixes.lock().len(), MOST);
    }
}
