//! Putting objects, each at once: a reader sees the old one or the new one, never a part.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use object_store::PutOptions;

use super::store::{Kind, Place};
use super::{Io, errors, fetch};
use crate::error::{Error, Result};
use crate::model::ObjectKey;

impl Io {
    /// Puts an object, over one of the same name.
    ///
    /// # Errors
    /// `Unsupported` for plain HTTP; `Storage`.
    pub(crate) async fn put(&self, key: &ObjectKey, bytes: Bytes) -> Result<()> {
        let inner = &self.0;
        if inner.stores.kind(key) == Kind::Http {
            return Err(Error::unsupported("writing over plain HTTP").in_object(key.url()));
        }
        let _slot = inner.hosts.of(key).admit(bytes.len() as u64).await;
        match inner.stores.place(key)? {
            Place::Store { store, path } => {
                store.put_opts(&path, bytes.into(), PutOptions::default()).await.map_err(|e| errors::from_store(&e, key))?;
            }
            Place::Local(path) => {
                let named = key.clone();
                fetch::blocking(move || replace(&path, &bytes).map_err(|e| Error::storage(e.to_string()).in_object(named.url()))).await?;
            }
        }
        inner.kept.memory.forget_unversioned(key.url());
        inner.forget(key).await
    }
}

/// Writes beside the file, and gives it the name when it is whole.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    fs::create_dir_all(folder)?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let partial = folder.join(format!(".{}.{}-{number}.partial", name.to_string_lossy(), std::process::id()));
    let done = fs::write(&partial, bytes).and_then(|()| fs::rename(&partial, path));
    if done.is_err() {
        let _nothing_left = fs::remove_file(&partial);
    }
    done
}
