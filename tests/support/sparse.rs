//! A store of objects that are zeros but for a few pieces: as large as a test likes, and no larger in memory than what is not zero.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result,
};

/// An object: its length, and where it is not zero.
#[derive(Debug, Default)]
pub(crate) struct Sparse {
    pub(crate) length: u64,
    pub(crate) pieces: Vec<(u64, Vec<u8>)>,
}

impl Sparse {
    pub(crate) fn put(&mut self, at: u64, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        self.length = self.length.max(at + bytes.len() as u64);
        self.pieces.push((at, bytes));
    }
    fn read(&self, range: Range<u64>) -> Bytes {
        let at = |n: u64| usize::try_from(n - range.start).unwrap();
        let mut out = vec![0; at(range.end)];
        for (start, bytes) in &self.pieces {
            let (first, end) = (range.start.max(*start), range.end.min(start + bytes.len() as u64));
            if first < end {
                let from = usize::try_from(first - start).unwrap();
                let to = &mut out[at(first)..at(end)];
                to.copy_from_slice(&bytes[from..from + to.len()]);
            }
        }
        out.into()
    }
}

/// The objects, and what was asked of which of them.
#[derive(Debug, Default)]
pub(crate) struct SparseStore {
    objects: HashMap<String, Sparse>,
    asked: Mutex<Vec<(String, Range<u64>)>>,
    /// Answers what nobody should ask.
    empty: InMemory,
}

impl SparseStore {
    pub(crate) fn of(objects: impl IntoIterator<Item = (&'static str, Sparse)>) -> Self {
        Self { objects: objects.into_iter().map(|(name, object)| (name.to_owned(), object)).collect(), ..Self::default() }
    }
    /// Requests since the last call, with what they brought; nothing was brought of what is not there.
    pub(crate) fn take_asked(&self) -> Vec<(String, Range<u64>)> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

impl fmt::Display for SparseStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sparse")
    }
}

#[async_trait]
impl ObjectStore for SparseStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.empty.put_opts(location, payload, options).await
    }
    async fn put_multipart_opts(&self, location: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.empty.put_multipart_opts(location, options).await
    }
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let name = location.to_string();
        let Some(object) = self.objects.get(&name) else {
            self.asked.lock().unwrap().push((name, 0..0));
            return self.empty.get_opts(location, options).await;
        };
        let failed = |e: String| Error::Generic { store: "sparse", source: e.into() };
        let range = match &options.range {
            Some(range) => range.as_range(object.length).map_err(|e| failed(e.to_string()))?,
            None => 0..object.length,
        };
        self.asked.lock().unwrap().push((name, range.clone()));
        let last_modified = std::time::SystemTime::UNIX_EPOCH.into();
        let meta = ObjectMeta { location: location.clone(), last_modified, size: object.length, e_tag: Some("\"1\"".to_owned()), version: None };
        let body = if options.head { Bytes::new() } else { object.read(range.clone()) };
        let payload = GetResultPayload::Stream(futures_util::stream::once(async { Ok(body) }).boxed());
        Ok(GetResult { payload, meta, range, attributes: object_store::Attributes::default(), extensions: Default::default() })
    }
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.empty.delete_stream(locations)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.empty.list(prefix).boxed()
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.empty.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.empty.copy_opts(from, to, options).await
    }
}
