//! An array made ready to be read: its description, its compiled codec chains, and the session it belongs to.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::session::{Session, SessionInner};
use crate::codec::{Chain, ChunkContext};
use crate::error::{Error, Result};
use crate::model::{ArrayMeta, Limits, Page, PageId};

pub(crate) struct ArrayInner {
    pub(crate) session: Arc<SessionInner>,
    pub(crate) meta: ArrayMeta,
    /// As many as `meta.chains`; one that cannot be compiled fails the chunks that name it.
    pub(crate) chains: Vec<Result<Chain>>,
    /// Its name in the caches.
    id: u64,
    /// The most bytes that an object with one of its chunks may have.
    most_stored: u64,
    /// Whether a decoded chunk of it was ever kept: until then nobody has to look.
    has_kept: AtomicBool,
}

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
        let most_stored = match chains.first() {
            Some(Ok(chain)) => {
                let shape = meta.order.permute(&meta.grid.chunk_shape());
                let most = chain.input_size(&ChunkContext::new(&shape, &meta.data_type, &inner.limits)).map_err(named)?.most() as u64;
                // Compressors may add to what they cannot compress, and writers leave gaps.
                most.saturating_mul(2).saturating_add(1 << 20).min(inner.limits.max_stored_bytes)
            }
            _ => inner.limits.max_stored_bytes,
        };
        Ok(Self { session: inner.clone(), chains, id: session.next_array(), most_stored, has_kept: AtomicBool::new(false), meta })
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
