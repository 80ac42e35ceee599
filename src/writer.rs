//! Writing Zarr: a hierarchy, its arrays, regions of whole chunks.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ndarray::{ArrayView, ArrayViewD, Dimension, IxDyn};

use crate::array::ChunkedArray;
use crate::engine::{Element, Session, Target, wrong_type};
use crate::error::{Error, Result};
use crate::format::zarr::{Added, Document, NewArray, NewHierarchy, Version};
use crate::io::Counters;
use crate::model::{DataType, Got, IntoSelection, RawJson, Region, Want};

/// A Zarr hierarchy that is being written.
///
/// Documents are put as nodes are added; [`finish`](Self::finish) puts the consolidated metadata. Cheap to clone.
#[derive(Clone)]
pub struct ZarrWriter {
    session: Session,
    hierarchy: Arc<Mutex<NewHierarchy>>,
}

/// An array that is being written. Cheap to clone; regions may be written from several tasks at once.
#[derive(Clone)]
pub struct ArrayWriter {
    session: Session,
    target: Arc<Target>,
    array: ChunkedArray,
}

impl Session {
    /// Begins a Zarr hierarchy at a URL or path where there is none: a folder, a cloud store, or `memory://`.
    ///
    /// ```
    /// # #[cfg(all(feature = "read", feature = "zstd"))]
    /// # fn main() -> swath::Result<()> {
    /// # let session = swath::Session::new();
    /// # session.block_on(async {
    /// use swath::format::zarr::{NewArray, Version};
    /// use swath::model::DataType;
    ///
    /// let store = session.create_zarr("memory://made", Version::V3).await?;
    /// let new = NewArray::new([100, 200], DataType::F32, [50, 100]).dimension_names(["y", "x"]).attribute("units", "K");
    /// let array = store.array("temperature", &new).await?;
    /// array.write((50.., ..), &ndarray::Array2::<f32>::from_elem((50, 200), 280.0)).await?;
    /// store.finish().await?;
    ///
    /// let back = session.open_zarr("memory://made").await?.array("temperature").await?;
    /// let values: ndarray::Array2<f32> = back.read((49..51, 0..1)).await?;
    /// assert_eq!(values.as_slice(), Some(&[0.0, 280.0][..]));
    /// # Ok(())
    /// # })
    /// # }
    /// # #[cfg(not(all(feature = "read", feature = "zstd")))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// `Usage` where there is a Zarr group or array already, `Unsupported` for plain HTTP, `Storage`.
    pub async fn create_zarr(&self, url: &str, version: Version) -> Result<ZarrWriter> {
        let hierarchy = NewHierarchy::new(self.inner.io.object(url)?, version);
        let counters = Arc::<Counters>::default();
        for object in hierarchy.probes() {
            let want = Want::Whole { object: object.clone(), most: self.inner.limits.max_metadata_bytes };
            if !matches!(self.get(&want, &counters).await?, Got::Missing) {
                return Err(Error::usage("there is a Zarr group or array already").in_object(object.url()));
            }
        }
        Ok(ZarrWriter { session: self.clone(), hierarchy: Arc::new(Mutex::new(hierarchy)) })
    }
}

impl ZarrWriter {
    fn hierarchy(&self) -> MutexGuard<'_, NewHierarchy> {
        self.hierarchy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a group with these attributes, or sets those of one that was added. The empty path is the root.
    ///
    /// # Errors
    /// `Malformed` for a path that is no node's, `Usage` where an array is in the way or the attributes are not a JSON object; `Storage`.
    pub async fn group(&self, path: &str, attributes: &RawJson) -> Result<()> {
        let documents = self.hierarchy().group(path.trim_matches('/'), attributes)?;
        self.put(documents).await
    }

    /// Adds an array, and the groups above it that are not there. The empty path makes the root an array.
    ///
    /// # Errors
    /// `Malformed` for a path that is no node's, `Usage` where a node is there already or parts of the description contradict each
    /// other, `Unsupported` for what this version of Zarr, or this build, cannot write; `Limit`, `Storage`.
    pub async fn array(&self, path: &str, array: &NewArray) -> Result<ArrayWriter> {
        let added = self.hierarchy().array(path.trim_matches('/'), array, &self.session.inner.limits)?;
        let paths = added.paths.clone();
        let made = self.made(added, array).await;
        if made.is_err() {
            self.hierarchy().withdraw(&paths);
        }
        made
    }

    async fn made(&self, added: Added, array: &NewArray) -> Result<ArrayWriter> {
        let target = Arc::new(Target::new(&self.session, added.stored, array.compressor())?);
        let read = self.session.array(added.array)?;
        self.put(added.documents).await?;
        Ok(ArrayWriter { session: self.session.clone(), target, array: read })
    }

    /// Puts the consolidated metadata: `.zmetadata`, or a member of the root's `zarr.json`. May be called again after more nodes.
    ///
    /// # Errors
    /// `Storage`.
    pub async fn finish(&self) -> Result<()> {
        let document = self.hierarchy().consolidated()?;
        self.put(document.into_iter().collect()).await
    }

    async fn put(&self, documents: Vec<Document>) -> Result<()> {
        for (key, bytes) in documents {
            let io = self.session.inner.io.clone();
            self.session.spawn(async move { io.put(&key, bytes).await }).await?;
        }
        Ok(())
    }
}

impl ArrayWriter {
    /// The array as it is read, with what was written so far.
    #[must_use]
    pub fn array(&self) -> &ChunkedArray {
        &self.array
    }

    /// The shape of what is written at once: a chunk, or a shard.
    #[must_use]
    pub fn chunk_shape(&self) -> Vec<u64> {
        self.target.meta().grid.chunk_shape()
    }

    /// Writes a region of whole chunks; at the array's end they may be cut off. Chunks are cut out where this is polled and encoded in
    /// the session's pool; each is put as a whole, so a write that fails or is dropped leaves some of them written.
    ///
    /// Shape of `data`: the region's.
    ///
    /// # Errors
    /// `Region` where the selection is not whole chunks or `data` has another shape, `DataType` where `T` is not the array's, `Codec`,
    /// `Storage`.
    pub async fn write<'a, T: Element, D: Dimension>(&self, selection: impl IntoSelection, data: impl Into<ArrayView<'a, T, D>>) -> Result<()> {
        if !T::holds(self.array.data_type()) {
            return Err(self.named(wrong_type::<T>(self.array.data_type())));
        }
        let region = self.target.region(selection)?;
        let data = self.shaped(data.into(), &region)?;
        self.target.write(&region, |target, index| target.cut_fixed(&data, &region, index)).await?;
        self.forget();
        Ok(())
    }

    /// [`write`](Self::write), waited for on this thread. Not for use inside of an async task.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn blocking_write<'a, T: Element, D: Dimension>(&self, selection: impl IntoSelection, data: impl Into<ArrayView<'a, T, D>>) -> Result<()> {
        self.session.block_on(self.write(selection, data))
    }

    /// Writes elements of any type of fixed size, as they are in memory, in C order of the region.
    ///
    /// # Errors
    /// As [`write`](Self::write); `Region` where `data` has another length than the region.
    pub async fn write_bytes(&self, selection: impl IntoSelection, data: &[u8]) -> Result<()> {
        let data_type = self.array.data_type();
        let Some(size) = data_type.size() else {
            return Err(self.named(Error::data_type(format!("{data_type} has no elements of one size"))));
        };
        let region = self.target.region(selection)?;
        let mut shape = self.lengths(&region);
        shape.push(size);
        let wrong = |_| self.named(Error::region(format!("{} bytes for a region of {region}", data.len())));
        let data = ArrayViewD::from_shape(shape, data).map_err(wrong)?;
        self.target.write(&region, |target, index| target.cut_fixed(&data, &region, index)).await?;
        self.forget();
        Ok(())
    }

    /// Writes texts, or byte strings, of any lengths. Shape of `data`: the region's.
    ///
    /// # Errors
    /// As [`write`](Self::write); `DataType` for an array of something else, or texts that are not UTF-8.
    pub async fn write_texts<'a, S: AsRef<[u8]> + 'a, D: Dimension>(
        &self,
        selection: impl IntoSelection,
        data: impl Into<ArrayView<'a, S, D>>,
    ) -> Result<()> {
        let data_type = self.array.data_type();
        if !matches!(data_type, DataType::Text | DataType::VariableBytes) {
            return Err(self.named(Error::data_type(format!("{data_type} is not a text"))));
        }
        let region = self.target.region(selection)?;
        let data = self.shaped(data.into(), &region)?;
        if *data_type == DataType::Text && data.iter().any(|text| std::str::from_utf8(text.as_ref()).is_err()) {
            return Err(self.named(Error::data_type("a text that is not UTF-8")));
        }
        self.target.write(&region, |target, index| target.cut_variable(&data, &region, index)).await?;
        self.forget();
        Ok(())
    }

    fn shaped<'a, T, D: Dimension>(&self, data: ArrayView<'a, T, D>, region: &Region) -> Result<ArrayView<'a, T, IxDyn>> {
        let data = data.into_dyn();
        if data.shape() != self.lengths(region) {
            let wrong = format!("data of shape {:?} for a region of {:?}", data.shape(), region.shape());
            return Err(self.named(Error::region(wrong)));
        }
        Ok(data)
    }

    fn lengths(&self, region: &Region) -> Vec<usize> {
        region.shape().into_iter().map(|n| usize::try_from(n).unwrap_or(usize::MAX)).collect()
    }

    /// What was read before is not what is there now.
    fn forget(&self) {
        self.array.forget_chunks();
    }

    fn named(&self, error: Error) -> Error {
        error.in_object(self.array.meta().source.url())
    }
}

impl fmt::Debug for ZarrWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ZarrWriter({})", self.hierarchy().root())
    }
}

impl fmt::Debug for ArrayWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArrayWriter({:?})", self.array)
    }
}
