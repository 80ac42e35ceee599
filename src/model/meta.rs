//! The one value that describes a chunked array.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::{AxisOrder, ChunkGrid, ChunkManifest, CodecSpec, DataType, FillValue, Limits, ObjectKey, Scaling};
use crate::error::{Error, Result};

/// A dimension.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dim {
    /// Its name; empty where it has none.
    pub name: String,
    /// Its length.
    pub length: u64,
}

/// JSON kept as text, parsed when asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawJson(Arc<str>);

impl Default for RawJson {
    fn default() -> Self {
        Self(Arc::from("{}"))
    }
}

impl RawJson {
    /// Keeps a text that is known to be JSON.
    #[must_use]
    pub fn new(json: &RawValue) -> Self {
        Self(Arc::from(json.get()))
    }
    /// The JSON of a value.
    #[must_use]
    pub fn of(value: &serde_json::Value) -> Self {
        Self(Arc::from(value.to_string()))
    }
    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
    /// Parses it.
    ///
    /// # Errors
    /// `Malformed` where it is not JSON of the type asked for.
    pub fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.0).map_err(|e| Error::malformed(e.to_string()))
    }
    /// One member of an object, `None` where there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<serde_json::Value> {
        self.parse::<serde_json::Value>().ok()?.get(name).cloned()
    }
}

/// A chunked array: everything that planning, fetching, decoding and placing need to know.
///
/// The extension point of the library: fill one in, give it to `Session::array`, and read it.
#[derive(Debug, Clone)]
pub struct ArrayMeta {
    /// Where the description came from; names the array in errors.
    pub source: ObjectKey,
    /// Names and lengths, outermost first.
    pub dims: Vec<Dim>,
    /// How it is cut.
    pub grid: ChunkGrid,
    /// The type of its elements after decoding.
    pub data_type: DataType,
    /// What stands where nothing was stored.
    pub fill_value: FillValue,
    /// The order of the axes inside a chunk.
    pub order: AxisOrder,
    /// Chains of codecs, each in the order of decoding; 0 is the usual one, a chunk may name another.
    pub chains: Vec<Vec<CodecSpec>>,
    /// Where the chunks are.
    pub manifest: ChunkManifest,
    /// What its numbers stand for.
    pub scaling: Scaling,
    /// Attributes of the array.
    pub attributes: RawJson,
}

impl ArrayMeta {
    /// The array's shape.
    #[must_use]
    pub fn shape(&self) -> &[u64] {
        self.grid.shape()
    }
    /// Holds the parts against each other and against the limits.
    ///
    /// # Errors
    /// `Malformed` where ranks or lengths differ, `Limit` where the rank is too high, or a chunk too large that is no object of its own.
    pub fn check(&self, limits: &Limits) -> Result<()> {
        let rank = self.grid.rank();
        Limits::check("max_rank", rank as u64, limits.max_rank)?;
        if self.dims.len() != rank || self.order.axes().len() != rank {
            return Err(Error::malformed("dimensions, chunk grid and axis order differ in rank"));
        }
        if self.dims.iter().zip(self.grid.shape()).any(|(d, n)| d.length != *n) {
            return Err(Error::malformed("dimensions and chunk grid differ in shape"));
        }
        if self.chains.is_empty() {
            return Err(Error::malformed("an array without a codec chain"));
        }
        if let Some(size) = self.data_type.size() {
            if size == 0 {
                return Err(Error::malformed("elements of no bytes"));
            }
            if !self.fill_value.is_zero() && self.fill_value.bytes().len() != size {
                return Err(Error::malformed("the fill value is not one element"));
            }
            let chunk = self.grid.chunk_shape().iter().try_fold(size as u64, |n, m| n.checked_mul(*m)).unwrap_or(u64::MAX);
            // Chunks that are objects of their own need not be there, and then there is nothing to decode: only those that are meet the bound.
            if !matches!(self.manifest, ChunkManifest::Keys(_)) {
                Limits::check("max_chunk_bytes", chunk, limits.max_chunk_bytes)?;
            }
        }
        self.scaling.check(&self.data_type, self.shape())?;
        for chain in &self.chains {
            Limits::check("max_codecs", CodecSpec::count(chain), limits.max_codecs)?;
        }
        Ok(())
    }
}
