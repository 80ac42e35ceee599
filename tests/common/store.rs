//! Stores of the tests' own.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result,
};

use super::watch::poll_for;

/// Puts objects into a store in memory.
pub(crate) fn put(store: &InMemory, path: &str, bytes: impl Into<Bytes>) {
    let path = Path::from(path);
    let put = store.put(&path, PutPayload::from_bytes(bytes.into()));
    poll_for(put, super::watch::LONG).expect("memory does not wait").expect("memory takes everything");
}

/// A store in memory that counts what is asked of it, and never answers for objects whose name contains `hang`.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    pub(crate) memory: InMemory,
    pub(crate) gets: AtomicUsize,
    /// Requests that are being waited for.
    pub(crate) open: Arc<AtomicUsize>,
    /// The objects and ranges that were asked for.
    pub(crate) asked: Mutex<Vec<(String, Option<Range<u64>>)>>,
}

impl Watched {
    pub(crate) fn put(&self, path: &str, bytes: impl Into<Bytes>) {
        put(&self.memory, path, bytes);
    }
    pub(crate) fn gets(&self) -> usize {
        self.gets.load(Ordering::SeqCst)
    }
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watched")
    }
}

#[async_trait]
impl ObjectStore for Watched {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.memory.put_opts(location, payload, options).await
    }
    async fn put_multipart_opts(&self, location: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.memory.put_multipart_opts(location, options).await
    }
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.gets.fetch_add(1, Ordering::SeqCst);
        self.open.fetch_add(1, Ordering::SeqCst);
        let _open = Open(self.open.clone());
        let range = match &options.range {
            Some(object_store::GetRange::Bounded(range)) => Some(range.clone()),
            _ => None,
        };
        self.asked.lock().unwrap().push((location.to_string(), range));
        if location.as_ref().contains("hang") {
            std::future::pending::<()>().await;
        }
        self.memory.get_opts(location, options).await
    }
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.memory.delete_stream(locations)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.memory.list(prefix).boxed()
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.memory.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.memory.copy_opts(from, to, options).await
    }
}
