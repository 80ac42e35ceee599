//! An array made ready to be read: its description, its compiled codec chains, and the session it belongs to.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::session::{Session, SessionInner};
use crate::codec::{Chain, ChunkContext};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ArrayMeta, Footprint, Limits, Page, PageId};

pub(crate) struct ArrayInner {
    pub(crate) session: Arc<SessionInner>,
    pub(crate) meta: ArrayMeta,
    /// As many as `meta.chains`; one that cannot be compiled fails the chunks that name it.
    pub(crate) chains: Vec<Result<Chain>>,
    /// Its name in the caches.
    id: u64,
    /// The most bytes that an object with one of its chunks may have.
    most_stored: u64,
    /// Why none of its chunks can be decoded: they are too large. Those that are not stored hold the fill value all the same.
    too_large: Option<Error>,
    /// Whether a decoded chunk of it was ever kept: until then nobody has to look.
    has_kept: AtomicBool,
}

/// What a stored chunk may have beyond twice what its codecs take.
const SPARE_STORED: u64 = 1 << 20;

impl ArrayInner {
    pub(crate) fn new(session: &Session, meta: ArrayMeta) -> Result<Self> {
        let inner = &session.inner;
        let named = |e: Error| e.in_object(meta.source.url());
        meta.check(&inner.limits).map_err(named)?;
        let compile = |specs| Chain::compile(specs, &meta.data_type, &meta.fill_value, &inner.registry, &inner.limits).map_err(named);
        let chains: Vec<Result<Chain>> = meta.chains.iter().map(|specs| compile(specs)).collect();
        if let Some(Err(e)) = chains.first() {
            return Err(e.clone());
        }
        let shape = meta.order.permute(&meta.grid.chunk_shape());
        let context = ChunkContext::new(&shape, &meta.data_type, &inner.limits);
        let (most_stored, too_large) = match chains.first().map(|chain| chain.as_ref().map(|chain| chain.input_size(&context))) {
            // Compressors may add to what they cannot compress, and writers leave gaps.
            Some(Ok(Ok(size))) => ((size.most() as u64).saturating_mul(2).saturating_add(SPARE_STORED).min(inner.limits.max_stored_bytes), None),
            Some(Ok(Err(e))) => (SPARE_STORED, Some(named(e))),
            _ => (inner.limits.max_stored_bytes, None),
        };
        Ok(Self { session: inner.clone(), chains, id: session.next_array(), most_stored, too_large, has_kept: AtomicBool::new(false), meta })
    }
    /// The error of a chunk that was not fetched: where no chunk of the array can be decoded, that is why.
    pub(crate) fn not_fetched(&self, e: Error) -> Error {
        match (&self.too_large, e.kind()) {
            (Some(too_large), ErrorKind::Limit { what: "max_stored_bytes" | "bytes of a whole object", .. }) => too_large.clone(),
            _ => e,
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.session.limits
    }
    pub(crate) fn chain(&self, number: u16) -> Result<&Chain> {
        match self.chains.get(usize::from(number)) {
            Some(Ok(chain)) => Ok(chain),
            Some(Err(e)) => Err(e.clone()),
            None => Err(Error::malformed("a chunk names a codec chain that the array has not")),
        }
    }
    /// What the codecs are told of a chunk; `shape` is set to its shape in stored order. What of it is needed is what lies inside of the array,
    /// whatever a read wants of it: decoded chunks are shared.
    pub(crate) fn context<'a>(&'a self, index: &[u64], shape: &'a mut Vec<u64>) -> ChunkContext<'a> {
        let (grid, axes) = (&self.meta.grid, self.meta.order.axes());
        let inside = |axis: &usize| {
            let extent = grid.extent(*axis, index[*axis]);
            extent.end.min(grid.shape()[*axis]).saturating_sub(extent.start)
        };
        shape.clear();
        shape.extend(axes.iter().map(|axis| grid.stored_length(*axis, index[*axis])));
        ChunkContext::new(shape, &self.meta.data_type, self.limits()).inside(axes.iter().map(inside))
    }
    /// Bytes of the usual decoded chunk; an estimate where elements differ in length.
    pub(crate) fn chunk_bytes(&self) -> u64 {
        let element = self.meta.data_type.size().unwrap_or(16) as u64;
        self.meta.grid.chunk_shape().iter().fold(element, |n, m| n.saturating_mul(*m))
    }
    /// The most bytes that an object with one of its chunks may have.
    pub(crate) fn most_stored(&self) -> u64 {
        self.most_stored
    }
    /// What its chunks take: of a read, only its result and its metadata are not told.
    pub(crate) fn footprint(&self) -> Footprint {
        let most = self.session.limits.max_chunk_bytes;
        // Elements that differ in length are bounded by what a chunk of them may be.
        let chunk = if self.meta.data_type.size().is_some() { self.chunk_bytes().min(most) } else { most };
        let shape = self.meta.order.permute(&self.meta.grid.chunk_shape());
        let context = ChunkContext::new(&shape, &self.meta.data_type, &self.session.limits);
        let working = self.chains.iter().flatten().map(|chain| chain.working_memory(&context) as u64).max().unwrap_or(0);
        let threads = self.session.pool.threads().current_num_threads() as u64;
        Footprint { chunk, stored: self.most_stored, working, threads, ..Footprint::default() }
    }
    /// A decoded chunk, where it is of this version of its object: those of one object are never taken out of two of its versions.
    pub(crate) fn cached_chunk(&self, chunk: u64, version: Option<&Arc<str>>) -> Option<Bytes> {
        if self.has_kept() { self.session.io.memory().chunk(self.id, chunk, version) } else { None }
    }
    /// Whether a decoded chunk may be at hand.
    pub(crate) fn has_kept(&self) -> bool {
        self.has_kept.load(Ordering::Acquire)
    }
    pub(crate) fn keep_chunk(&self, chunk: u64, version: Option<Arc<str>>, bytes: Bytes) {
        // Files are looked at before each read.
        if version.is_none() && self.session.io.is_file(&self.meta.source) {
            return;
        }
        self.has_kept.store(true, Ordering::Release);
        self.session.io.memory().keep_chunk(self.id, &self.meta.source, chunk, version, bytes);
    }
    /// Drops what the caches hold of it.
    pub(crate) fn forget(&self) {
        self.session.io.memory().forget_array(self.id);
    }
    pub(crate) fn cached_page(&self, id: PageId) -> Option<Arc<Page>> {
        self.session.io.memory().page(self.id, id)
    }
    pub(crate) fn keep_page(&self, id: PageId, page: Page, here: &mut HashMap<PageId, Arc<Page>>) {
        let page = Arc::new(page);
        here.insert(id, page.clone());
        self.session.io.memory().keep_page(self.id, &self.meta.source, id, page);
    }
}
