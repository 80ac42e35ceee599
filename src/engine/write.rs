//! Writing: a region of whole chunks is cut up, encoded in the pool, and put chunk by chunk.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use ndarray::{ArrayViewD, ArrayViewMutD, Axis, Dimension, Slice};

use super::decode::with_scratch;
use super::plan::ChunkBox;
use super::run::{AbortOnDrop, spawn};
use super::session::{Session, SessionInner};
use crate::codec::{ChunkContext, Elements, Encoder};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ArrayMeta, Compression, IntoSelection, Limits, Location, ObjectKey, Page, PageId, Region, reserve};

/// An array whose chunks can be written: every chunk is an object of its own.
pub(crate) struct Target {
    session: Arc<SessionInner>,
    meta: ArrayMeta,
    encoder: Encoder,
}

/// The elements of one chunk, in stored order.
pub(crate) enum Cut {
    Fixed(Vec<u8>),
    Variable(Elements),
}

impl Target {
    /// # Errors
    /// `Unsupported` for a chain that is not written.
    pub(crate) fn new(session: &Session, meta: ArrayMeta, compression: &Compression) -> Result<Self> {
        let chain = meta.chains.first().map(Vec::as_slice).unwrap_or_default();
        let encoder = Encoder::compile(chain, &meta.data_type, compression).map_err(|e| e.in_object(meta.source.url()))?;
        Ok(Self { session: session.inner.clone(), meta, encoder })
    }

    pub(crate) fn meta(&self) -> &ArrayMeta {
        &self.meta
    }

    /// The region, where it is whole chunks.
    pub(crate) fn region(&self, selection: impl IntoSelection) -> Result<Region> {
        let named = |e: Error| e.in_object(self.meta.source.url());
        let grid = &self.meta.grid;
        let region = selection.into_selection(grid.rank()).region(grid.shape()).map_err(named)?;
        for (axis, (range, chunks)) in region.ranges().iter().zip(grid.chunks_of(&region)).enumerate() {
            if range.is_empty() {
                continue;
            }
            let (first, last) = (grid.extent(axis, chunks.start), grid.extent(axis, chunks.end - 1));
            if range.start != first.start || range.end != last.end.min(grid.shape()[axis]) {
                let wrong = format!("{}:{} of axis {axis} is not whole chunks, of shape {:?}", range.start, range.end, grid.chunk_shape());
                return Err(named(Error::region(wrong)));
            }
        }
        Ok(region)
    }

    /// Writes a region; `cut` gives the elements of each of its chunks, and is called where this is polled.
    pub(crate) async fn write(self: &Arc<Self>, region: &Region, mut cut: impl FnMut(&Self, &[u64]) -> Result<Cut>) -> Result<()> {
        let named = |e: Error| e.in_object(self.meta.source.url());
        let limits = &self.session.limits;
        let chunks = ChunkBox::of(&self.meta.grid, region);
        Limits::check("max_read_chunks", chunks.len() as u64, limits.max_read_chunks).map_err(named)?;
        let chunk_bytes = self.chunk_bytes().max(1);
        let most = usize::try_from((limits.decoded_in_flight / 2 / chunk_bytes).clamp(1, 64)).unwrap_or(1);
        let mut running: FuturesUnordered<AbortOnDrop<Result<()>>> = FuturesUnordered::new();
        for number in 0..chunks.len() {
            if running.len() >= most
                && let Some(done) = running.next().await
            {
                done.map_err(named)?;
            }
            let index = chunks.index(number);
            let elements = cut(self, &index).map_err(named)?;
            running.push(self.put(index.to_vec(), elements));
        }
        while let Some(done) = running.next().await {
            done.map_err(named)?;
        }
        Ok(())
    }

    /// Encodes and puts one chunk. Dropping it gives up what was not put yet.
    fn put(self: &Arc<Self>, index: Vec<u64>, elements: Cut) -> AbortOnDrop<Result<()>> {
        let target = self.clone();
        spawn(&self.session.io, async move {
            let key = target.key(&index)?;
            let (sender, encoded) = tokio::sync::oneshot::channel();
            let worker = target.clone();
            target.session.pool.send(Box::new(move || {
                let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| worker.encode(&index, elements)));
                let done = done.unwrap_or_else(|_| Err(Error::new(ErrorKind::Panicked("encoding".into()))));
                let _nobody_waits = sender.send(done);
            }));
            let bytes = encoded.await.map_err(|_| Error::storage("encoding ended without an answer"))??;
            target.session.io.put(&key, bytes).await
        })
    }

    fn encode(&self, index: &[u64], elements: Cut) -> Result<Bytes> {
        let shape = self.stored_shape(index);
        let chunk = ChunkContext::new(&shape, &self.meta.data_type, &self.session.limits);
        let encoded = with_scratch(|scratch| match elements {
            Cut::Fixed(bytes) => self.encoder.encode(bytes, &chunk, &mut scratch.codec),
            Cut::Variable(elements) => self.encoder.encode_variable(&elements, &chunk, &mut scratch.codec),
        })?;
        Ok(encoded.into())
    }

    fn key(&self, index: &[u64]) -> Result<ObjectKey> {
        match self.meta.manifest.locate(index, &self.meta.grid, &HashMap::<PageId, Arc<Page>>::new())? {
            Location::Whole { key, .. } => Ok(key),
            _ => Err(Error::unsupported("writing chunks that are not objects of their own")),
        }
    }

    fn chunk_bytes(&self) -> u64 {
        let element = self.meta.data_type.size().unwrap_or(64) as u64;
        self.meta.grid.chunk_shape().iter().fold(element, |n, m| n.saturating_mul(*m))
    }

    fn stored_shape(&self, index: &[u64]) -> Vec<u64> {
        self.meta.order.permute(&self.meta.grid.stored_shape(index))
    }

    /// A chunk's elements out of those of a region. Axes behind those of the array are parts of an element.
    pub(crate) fn cut_fixed<T: bytemuck::Pod>(&self, elements: &ArrayViewD<'_, T>, region: &Region, index: &[u64]) -> Result<Cut> {
        let rank = self.meta.grid.rank();
        let (from, part) = self.part(elements.view(), region, index);
        let mut shape = self.sizes(index)?;
        shape.extend(&elements.shape()[rank..]);
        let length: usize = shape.iter().product();
        let mut out = reserve::<T>(length)?;
        let fill: Vec<T> = self.meta.fill_value.bytes().chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect();
        if fill.is_empty() {
            out.resize(length, T::zeroed());
        } else {
            out.extend(fill.iter().copied().cycle().take(length));
        }
        let axes = self.meta.order.axes().iter().copied().chain(rank..shape.len()).collect::<Vec<_>>();
        let mut target = ArrayViewMutD::from_shape(shape, &mut out).map_err(|e| Error::region(e.to_string()))?;
        for (axis, length) in self.meta.order.permute(&part).into_iter().enumerate() {
            target.slice_axis_inplace(Axis(axis), Slice::from(0..usize::try_from(length).unwrap_or(usize::MAX)));
        }
        target.assign(&from.permuted_axes(axes));
        let mut bytes = reserve(size_of_val(&out[..]))?;
        bytes.extend_from_slice(bytemuck::cast_slice(&out));
        Ok(Cut::Fixed(bytes))
    }

    /// As [`cut_fixed`](Self::cut_fixed), of elements that differ in length.
    pub(crate) fn cut_variable<T: AsRef<[u8]>>(&self, elements: &ArrayViewD<'_, T>, region: &Region, index: &[u64]) -> Result<Cut> {
        let (from, part) = self.part(elements.view(), region, index);
        let from = from.permuted_axes(self.meta.order.axes().to_vec());
        let part = self.meta.order.permute(&part);
        let shape = self.sizes(index)?;
        let mut out = Elements { offsets: vec![0], bytes: Vec::new() };
        for position in ndarray::indices(shape) {
            let inside = position.slice().iter().zip(&part).all(|(i, n)| (*i as u64) < *n);
            out.bytes.extend_from_slice(if inside { from[position.clone()].as_ref() } else { self.meta.fill_value.bytes() });
            out.offsets.push(out.bytes.len() as u64);
        }
        Ok(Cut::Variable(out))
    }

    fn sizes(&self, index: &[u64]) -> Result<Vec<usize>> {
        let most = self.session.limits.max_chunk_bytes;
        self.stored_shape(index).into_iter().map(|n| Limits::check("max_chunk_bytes", n, most)).collect()
    }

    /// The part of a region's elements that is in a chunk, and its shape; further axes are left whole.
    fn part<'a, T>(&self, mut elements: ArrayViewD<'a, T>, region: &Region, index: &[u64]) -> (ArrayViewD<'a, T>, Vec<u64>) {
        let inside = self.meta.grid.chunk_region(index).intersection(region);
        for (axis, (wanted, whole)) in inside.ranges().iter().zip(region.ranges()).enumerate() {
            let place = |at: u64| usize::try_from(at.saturating_sub(whole.start)).unwrap_or(usize::MAX);
            elements.slice_axis_inplace(Axis(axis), Slice::from(place(wanted.start)..place(wanted.end)));
        }
        (elements, inside.shape())
    }
}
