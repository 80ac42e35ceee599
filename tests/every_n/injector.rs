//! A store in memory of which one call fails.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result,
};

use crate::support::server::Fault;

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The connection is lost.
    Connection,
    /// 500.
    Status,
    /// 403.
    Denied,
    /// The body ends early, and nothing says so.
    Short,
    /// The body goes on.
    Long,
}

pub(crate) const FAILURES: [Failure; 5] = [Failure::Connection, Failure::Status, Failure::Denied, Failure::Short, Failure::Long];

impl Failure {
    fn error(self, path: &Path) -> Error {
        let generic = |source| Error::Generic { store: "Injector", source };
        match self {
            Self::Status => generic("Server returned non-2xx status code: 500 Internal Server Error: none".into()),
            Self::Denied => Error::PermissionDenied { path: path.to_string(), source: "403".into() },
            _ => generic(Box::new(std::io::Error::from(std::io::ErrorKind::ConnectionReset))),
        }
    }
    /// The same, of a server.
    pub(crate) fn fault(self) -> Fault {
        match self {
            Self::Connection => Fault::Reset(None),
            Self::Status => Fault::Status(500),
            Self::Denied => Fault::Status(403),
            Self::Short => Fault::Cut(7),
            Self::Long => Fault::Long(7),
        }
    }
}

/// What happens at a call.
type Act = Box<dyn Fn() -> Option<Failure> + Send + Sync>;

/// Counts calls, and has something happen at one of them.
#[derive(Default)]
pub(crate) struct Faults {
    calls: AtomicU64,
    at: AtomicU64,
    act: Mutex<Option<Act>>,
}

impl Faults {
    /// Counts anew; this happens at the call of this number, from 1 on. At 0: never.
    pub(crate) fn at(&self, number: u64, act: impl Fn() -> Option<Failure> + Send + Sync + 'static) {
        self.at.store(0, SeqCst);
        *self.act.lock().unwrap() = Some(Box::new(act));
        self.calls.store(0, SeqCst);
        self.at.store(number, SeqCst);
    }
    /// Nothing happens from now on: how many calls there were.
    pub(crate) fn off(&self) -> u64 {
        self.at.store(0, SeqCst);
        self.calls.load(SeqCst)
    }
    pub(crate) fn next(&self) -> Option<Failure> {
        let number = self.calls.fetch_add(1, SeqCst) + 1;
        if number != self.at.load(SeqCst) {
            return None;
        }
        self.act.lock().unwrap().as_ref().and_then(|act| act())
    }
}

/// The store. A call is a request, a listing, or a piece of a body.
pub(crate) struct Injector {
    pub(crate) memory: InMemory,
    pub(crate) faults: Arc<Faults>,
}

/// Bytes of a piece of a body.
const PIECE: usize = 8 << 10;

impl Injector {
    /// A body in pieces, of which one may fail.
    fn body(&self, whole: &Bytes, failure: Option<Failure>, path: &Path) -> BoxStream<'static, Result<Bytes>> {
        let mut pieces: Vec<Bytes> = (0..whole.len()).step_by(PIECE).map(|at| whole.slice(at..whole.len().min(at + PIECE))).collect();
        match (failure, pieces.last_mut()) {
            (Some(Failure::Short), Some(last)) => *last = last.slice(..last.len() / 2),
            (Some(Failure::Long), Some(_)) => pieces.push(Bytes::from_static(b"nobody asked for this")),
            _ => {}
        }
        let (faults, path) = (self.faults.clone(), path.clone());
        let mut ended = false;
        let sent = stream::iter(pieces).map(move |piece| match faults.next() {
            _ if ended => None,
            None => Some(Ok(piece)),
            Some(Failure::Short) => {
                ended = true;
                None
            }
            // The same bytes again.
            Some(Failure::Long) => Some(Ok(Bytes::from([&piece[..], &piece[..]].concat()))),
            Some(failure) => {
                ended = true;
                Some(Err(failure.error(&path)))
            }
        });
        sent.filter_map(std::future::ready).boxed()
    }
}

impl fmt::Debug for Injector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Injector")
    }
}

impl fmt::Display for Injector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Injector")
    }
}

#[async_trait]
impl ObjectStore for Injector {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.memory.put_opts(location, payload, options).await
    }
    async fn put_multipart_opts(&self, location: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.memory.put_multipart_opts(location, options).await
    }
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let failure = self.faults.next();
        if let Some(failure @ (Failure::Connection | Failure::Status | Failure::Denied)) = failure {
            return Err(failure.error(location));
        }
        let is_head = options.head;
        let GetResult { payload, meta, range, attributes, extensions } = self.memory.get_opts(location, options).await?;
        let GetResultPayload::Stream(mut body) = payload;
        let mut whole = Vec::new();
        while let Some(piece) = body.next().await {
            whole.extend_from_slice(&piece?);
        }
        let body = self.body(&Bytes::from(whole), failure.filter(|_| !is_head), location);
        Ok(GetResult { payload: GetResultPayload::Stream(body), meta, range, attributes, extensions })
    }
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.memory.delete_stream(locations)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.faults.next() {
            Some(failure) => stream::iter([Err(failure.error(&Path::default()))]).boxed(),
            None => self.memory.list(prefix),
        }
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        match self.faults.next() {
            Some(failure) => Err(failure.error(&Path::default())),
            None => self.memory.list_with_delimiter(prefix).await,
        }
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.memory.copy_opts(from, to, options).await
    }
}
