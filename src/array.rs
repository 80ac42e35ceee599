//! A chunked array that can be read.

mod bands;
mod generation;
mod masked;
mod plan;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use ndarray::{Array, ArrayViewMut, Dimension};

pub(crate) use generation::Reopen;
pub use masked::{Mask, Masked};

use crate::engine::{
    AbortOnDrop, ArrayInner, Call, DynArray, Element, FixedSink, Memory, ReadOptions, ReadStats, Reader, Rule, Session, Sink, TextSink, array,
    converter, output_bytes, read, read_chunk, spawn, wrong_type,
};
use crate::error::{Error, Result};
use crate::model::{ArrayMeta, AxisOrder, Consistency, DataType, Dim, Footprint, IntoSelection, Limits, RawJson, Region};
use crate::trace::Span;

/// A chunked array: a level of a COG, a Zarr array, or whatever an [`ArrayMeta`] describes.
///
/// Cheap to clone. Reads are `async` and may be awaited on any executor; [`Session::block_on`] waits for them without one.
#[derive(Clone)]
pub struct ChunkedArray {
    inner: Arc<ArrayInner>,
    /// What says which elements are valid, where that is known.
    mask: Result<Option<Arc<Mask>>>,
    /// Whether that is the caller's, and stays whatever becomes of the dataset.
    own_mask: bool,
    options: Arc<ReadOptions>,
    origin: Option<Arc<generation::Origin>>,
}

/// One decoded chunk, as it is stored.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Chunk {
    /// Its elements in the machine's byte order, axes in the stored order; a view of the bytes as they were fetched (or of the mapped
    /// file) where nothing was to decode. `None` where the chunk is not stored.
    pub bytes: Option<Bytes>,
    /// Its stored shape along the axes of the array: padded or clipped at the edge as the grid says.
    pub shape: Vec<u64>,
    /// The order in which its axes are stored.
    pub order: AxisOrder,
    /// The part of the array that it holds.
    pub region: Region,
}

impl Session {
    /// Makes any described array readable: the way in for formats that Swath does not know.
    ///
    /// # Errors
    /// What is wrong with the description: `Malformed`, `Limit`, or `Unsupported` for a codec that this build has not.
    pub fn array(&self, meta: ArrayMeta) -> Result<ChunkedArray> {
        let inner = Arc::new(ArrayInner::new(self, meta)?);
        Ok(ChunkedArray { inner, mask: Ok(None), own_mask: false, options: self.read.clone(), origin: None })
    }
}

impl ChunkedArray {
    /// The description.
    #[must_use]
    pub fn meta(&self) -> &ArrayMeta {
        &self.inner.meta
    }
    /// Names and lengths of the dimensions, outermost first.
    #[must_use]
    pub fn dims(&self) -> &[Dim] {
        &self.inner.meta.dims
    }
    /// The length of each axis.
    #[must_use]
    pub fn shape(&self) -> &[u64] {
        self.inner.meta.shape()
    }
    /// The type of the elements.
    #[must_use]
    pub fn data_type(&self) -> &DataType {
        &self.inner.meta.data_type
    }
    /// The attributes, as JSON.
    #[must_use]
    pub fn attributes(&self) -> &RawJson {
        &self.inner.meta.attributes
    }

    /// The same array, whose reads may cost other than what its session, or its dataset, says.
    #[must_use]
    pub fn with_options(&self, options: ReadOptions) -> Self {
        self.sharing_options(&Arc::new(options))
    }
    pub(crate) fn sharing_options(&self, options: &Arc<ReadOptions>) -> Self {
        Self { options: options.clone(), ..self.clone() }
    }
    /// What its reads may cost.
    #[must_use]
    pub fn options(&self) -> &ReadOptions {
        &self.options
    }
    /// What stands against a result of several generations of the objects that hold the chunks.
    ///
    /// A chunk by itself is always of one generation. This tells what holds across chunks: those of a file are pinned to the version of
    /// its header; inner chunks of a shard to that of the shard's index, while shards, and chunks that are objects of their own, are not
    /// tied to each other: [`Consistency::None`]. Members of an archive are pinned to it; what a reference file names is not.
    #[must_use]
    pub fn consistency(&self) -> Consistency {
        self.inner.meta.manifest.consistency()
    }

    /// The most bytes that the heap holds while reads of this array run, whatever its objects hold: results of `output` bytes in all, of `chunks`
    /// chunks, where `metadata` bytes of headers, documents and pages were read for it. The session's caches stand beside it, and so does what
    /// is read of its mask.
    ///
    /// A read asked to keep below that has [`ReadOptions::max_memory`].
    #[must_use]
    pub fn peak_memory(&self, output: u64, chunks: u64, metadata: u64) -> u64 {
        self.inner.limits().peak_memory(&Footprint { output, chunks, metadata, ..self.inner.footprint() })
    }

    /// Drops what the caches hold of it: chunks, and pages of its table.
    pub(crate) fn forget_chunks(&self) {
        self.inner.forget();
    }

    fn region(&self, selection: impl IntoSelection) -> Result<Region> {
        let shape = self.shape();
        let named = |e: Error| e.in_object(self.inner.meta.source.url());
        let region = selection.into_selection(shape.len()).region(shape).map_err(named)?;
        let chunks = self.inner.meta.grid.chunks_of(&region).iter().fold(1_u64, |n, r| n.saturating_mul(r.end.saturating_sub(r.start)));
        Limits::check("max_read_chunks", chunks, self.inner.limits().max_read_chunks).map_err(named)?;
        Ok(region)
    }

    /// Reads a region as the stored type: `array.read::<u16, Ix3>((.., 0..512, 0..512))`.
    ///
    /// Shape: the region's, one axis for each of the array's (an index is kept as a length of 1). C order.
    ///
    /// # Errors
    /// `DataType` where `T` is not the stored type, `Region` where the selection does not fit or `D` has another rank; what fetching and
    /// decoding may fail with.
    pub async fn read<T: Element, D: Dimension>(&self, selection: impl IntoSelection) -> Result<Array<T, D>> {
        if !T::holds(self.data_type()) {
            return Err(wrong_type::<T>(self.data_type()).in_object(self.inner.meta.source.url()));
        }
        Ok(self.read_elements(selection).await?.0)
    }

    /// Reads a region and converts it: integers saturate, floats become integers by rounding toward zero, complex stays complex.
    ///
    /// # Errors
    /// As [`read`](Self::read); `DataType` where there is no such conversion.
    pub async fn read_as<T: Element, D: Dimension>(&self, selection: impl IntoSelection) -> Result<Array<T, D>> {
        Ok(self.read_elements(selection).await?.0)
    }

    /// As [`read_as`](Self::read_as), and what it cost.
    ///
    /// # Errors
    /// As [`read_as`](Self::read_as).
    pub async fn read_with_stats<T: Element, D: Dimension>(&self, selection: impl IntoSelection) -> Result<(Array<T, D>, ReadStats)> {
        self.read_elements(selection).await
    }

    /// How elements become `T`.
    fn rule<T: Element>(&self) -> Result<Rule> {
        let stored = self.data_type();
        if T::holds(stored) {
            return Ok(Rule::Copy);
        }
        match (converter(stored, &T::DATA_TYPE), stored.size()) {
            (Some(convert), Some(size)) => Ok(Rule::Convert(convert, size)),
            _ => Err(wrong_type::<T>(stored).in_object(self.inner.meta.source.url())),
        }
    }

    fn check_rank<D: Dimension>(&self) -> Result<()> {
        match D::NDIM.filter(|n| *n != self.shape().len()) {
            Some(rank) => {
                let wrong = format!("the array has {} axes, not {rank}", self.shape().len());
                Err(Error::region(wrong).in_object(self.inner.meta.source.url()))
            }
            None => Ok(()),
        }
    }

    async fn read_elements<T: Element, D: Dimension>(&self, selection: impl IntoSelection) -> Result<(Array<T, D>, ReadStats)> {
        let region = self.region(selection)?;
        self.check_rank::<D>()?;
        let bytes = output_bytes(&region.shape(), size_of::<T>(), self.inner.limits())? as u64;
        let once = |array: Self, call: Arc<Call>| {
            let region = region.clone();
            async move {
                let memory = call.memory(bytes)?;
                array.elements(region, &call, &memory).await
            }
        };
        self.call(once).await
    }

    async fn elements<T: Element, D: Dimension>(&self, region: Region, call: &Arc<Call>, memory: &Memory) -> Result<(Array<T, D>, ReadStats)> {
        let shape = region.shape();
        let element = size_of::<T>();
        let count = output_bytes(&shape, element, self.inner.limits())? / element;
        let sink = FixedSink::owned::<T>(&self.inner.meta.grid, &region, count, element, self.rule::<T>()?)?;
        let stats = self.start(region, Sink::Fixed(sink.clone()), call, memory).await?;
        let elements = sink.take::<T>().ok_or_else(|| Error::storage("the output of a read was lost"))?;
        Ok((array(elements, &shape)?, stats))
    }

    fn start(&self, region: Region, sink: Sink, call: &Arc<Call>, memory: &Memory) -> AbortOnDrop<Result<ReadStats>> {
        read(Reader { array: self.inner.clone(), region, sink, call: call.clone(), memory: memory.clone() })
    }

    /// Reads a region of any data type.
    ///
    /// # Errors
    /// As [`read`](Self::read), but for the type.
    pub async fn read_dyn(&self, selection: impl IntoSelection) -> Result<DynArray> {
        Ok(self.read_dyn_with_stats(selection).await?.0)
    }

    /// As [`read_dyn`](Self::read_dyn), and what it cost.
    ///
    /// # Errors
    /// As [`read_dyn`](Self::read_dyn).
    pub async fn read_dyn_with_stats(&self, selection: impl IntoSelection) -> Result<(DynArray, ReadStats)> {
        let region = self.region(selection)?;
        self.call(|array, call| array.dyn_once(region.clone(), call)).await
    }

    async fn dyn_once(self, region: Region, call: Arc<Call>) -> Result<(DynArray, ReadStats)> {
        let shape = region.shape();
        let data_type = self.data_type().clone();
        let limits = self.inner.limits();
        let Some(element) = data_type.size() else {
            // How long the elements are is known when they are there.
            let memory = call.memory(region.len().saturating_mul(size_of::<Bytes>() as u64))?;
            let most = call.options().max_memory.map_or(limits.max_output_bytes, |most| most.min(limits.max_output_bytes));
            let sink = Arc::new(TextSink::new(&region, self.inner.meta.fill_value.bytes(), most)?);
            let stats = self.start(region, Sink::Text(sink.clone()), &call, &memory).await?;
            return Ok((DynArray::variable(data_type, shape, sink.take()), stats));
        };
        let length = output_bytes(&shape, element, limits)?;
        let memory = call.memory(length as u64)?;
        let sink = FixedSink::owned::<u128>(&self.inner.meta.grid, &region, length.div_ceil(16), element, Rule::Copy)?;
        let stats = self.start(region, Sink::Fixed(sink.clone()), &call, &memory).await?;
        let words = sink.take::<u128>().ok_or_else(|| Error::storage("the output of a read was lost"))?;
        Ok((DynArray::fixed(data_type, shape, words, length), stats))
    }

    /// Reads a region into the caller's array, of any strides, and waits for it; converts where `T` is not the stored type.
    ///
    /// May be called from any thread but one that runs async tasks: there, use [`read`](Self::read), or `spawn_blocking`.
    ///
    /// # Errors
    /// As [`read_as`](Self::read_as); `Region` where `output` has another shape than the region. On an error the output's content is
    /// unspecified.
    pub fn blocking_read_into<T: Element, D: Dimension>(&self, selection: impl IntoSelection, output: ArrayViewMut<'_, T, D>) -> Result<ReadStats> {
        let region = self.region(selection)?;
        let fits = output.shape().len() == region.ranges().len() && output.shape().iter().zip(region.shape()).all(|(a, b)| *a as u64 == b);
        if !fits {
            let wrong = format!("the output has shape {:?}, the region {:?}", output.shape(), region.shape());
            return Err(Error::region(wrong).in_object(self.inner.meta.source.url()));
        }
        let call = Arc::new(Call::new(&self.options, Span::read(&self.inner.meta.source)));
        let mut stats = self.read_view(&region, output, &call).map_err(|e| e.in_object(self.inner.meta.source.url()))?;
        call.count(&mut stats);
        Ok(stats)
    }

    /// Reads into a view and waits, once more where the object has changed and the options say so.
    fn read_view<T: Element, D: Dimension>(&self, region: &Region, mut output: ArrayViewMut<'_, T, D>, call: &Arc<Call>) -> Result<ReadStats> {
        let session = self.inner.session.clone();
        let memory = call.memory(region.len().saturating_mul(size_of::<T>() as u64))?;
        let read_into = |array: &Self, view: ArrayViewMut<'_, T, D>| {
            FixedSink::scoped(view, &array.inner.meta.grid, region, array.rule::<T>()?, |sink| {
                let work = call.within(&session.io, array.start(region.clone(), Sink::Fixed(sink), call, &memory));
                session.pool.block_on(work)
            })?
        };
        let array = self.newest();
        match read_into(&array, output.view_mut()) {
            Err(e) if e.is_changed() => {
                let newer = session.pool.block_on(call.within(&session.io, array.after(e, call)))?;
                let stats = read_into(&newer, output.view_mut())?;
                Ok(ReadStats { reopened: true, ..stats })
            }
            done => done,
        }
    }

    /// One chunk by its index, decoded but left in its stored shape and order. Zero copy where nothing is to decode.
    ///
    /// # Errors
    /// `Region` where there is no such chunk; `DataType` for text; what fetching and decoding may fail with.
    pub async fn read_chunk(&self, index: &[u64]) -> Result<Chunk> {
        let chunk = |array: Self, call: Arc<Call>| async move {
            let meta = &array.inner.meta;
            let bytes = spawn(&array.inner.session.io, read_chunk(array.inner.clone(), index.to_vec(), call)).await?;
            let chunk = Chunk { bytes, shape: meta.grid.stored_shape(index), order: meta.order.clone(), region: meta.grid.chunk_region(index) };
            Ok((chunk, ReadStats::default()))
        };
        Ok(self.call(chunk).await?.0)
    }
}

impl fmt::Debug for ChunkedArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meta = &self.inner.meta;
        write!(f, "ChunkedArray({} {} {:?} in chunks of {:?})", meta.source, meta.data_type, meta.shape(), meta.grid.chunk_shape())
    }
}
