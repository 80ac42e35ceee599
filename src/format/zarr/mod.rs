//! Zarr, versions 2 and 3: documents of JSON to [`ArrayMeta`].
//!
//! [`ZarrParser`] opens a root and gives a [`ZarrStore`]: the documents that were found, kept as they came and parsed when an array is asked
//! for. What consolidated metadata does not tell is found by a [`NodeParser`] (one node) or a [`ChildrenParser`] (by listing).

mod base64;
mod chain;
mod codecs;
mod consolidated;
mod create;
mod dtype;
mod fetch;
mod fill;
mod grid;
mod json;
mod multiscales;
mod parser;
mod path;
mod scan;
mod sharding;
mod spatial;
mod store;
mod tables;
mod v2;
mod v3;
mod walk;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod corpus_values;
#[cfg(any(test, feature = "__fuzz"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(test)]
mod mutants;
#[cfg(test)]
mod tests;

pub(crate) use base64::decode as decode_base64;
pub(crate) use json::{clean, for_each_member};
pub(crate) use path::check_name;

pub use create::{Added, Document, NewArray, NewHierarchy};
pub use multiscales::{Multiscales, ScaleLevel};
pub use parser::{NodeParser, ZarrParser};
pub use spatial::Spatial;
pub use store::{Node, NodeKind, Version, ZarrStore};
pub use walk::ChildrenParser;

use crate::cf::Packing;
use crate::error::Result;
use crate::model::{
    ArrayMeta, AxisOrder, ChunkGrid, ChunkManifest, CodecSpec, DataType, Dim, FillValue, Limits, ObjectKey, ObjectMap, RawJson, Reference, Scaling,
};
use json::Text;

/// Members of the document of one array.
const MAX_MEMBERS: u64 = 1024;

/// Where an array stands.
struct Context<'a> {
    objects: &'a ObjectMap,
    source: ObjectKey,
    path: &'a str,
    /// Whether some objects of the store are compressed by an archive.
    compressed_members: bool,
    /// Tables of references that tell where the chunks are, and the root that they are of.
    tables: Option<(&'a tables::Tables, &'a ObjectKey)>,
    /// Whether shards are the chunks, as for their writer.
    whole_shards: bool,
    limits: &'a Limits,
}

/// What numbers stand for by CF's attributes. Where they are not as CF has them, for themselves: the array can be read all the same.
fn scaling(attributes: &RawJson, data_type: &DataType) -> Scaling {
    let packing = match Packing::of(attributes, data_type) {
        Ok(packing) => packing,
        // The elements are what they are, whatever they stand for.
        Err(error) => return Scaling { unclear: Some(error.to_string()), ..Scaling::default() },
    };
    let line = Some(packing.line()).filter(|line| !line.is_identity());
    let (nodata, is_unsigned) = (packing.missing_elements(data_type), packing.unsigned_bits.is_some());
    Scaling { lines: line.into_iter().collect(), nodata, is_unsigned, unclear: None }
}

impl Context<'_> {
    fn check_rank(&self, rank: usize) -> Result<()> {
        Limits::check("max_rank", rank as u64, self.limits.max_rank).map(drop)
    }
    fn check_codecs(&self, count: usize) -> Result<()> {
        Limits::check("max_codecs", count as u64, self.limits.max_codecs).map(drop)
    }
    /// Whether an object of this array is compressed by an archive: then ranges inside of it have no meaning.
    fn has_compressed_members(&self) -> bool {
        let ObjectMap::References(map) = self.objects else { return false };
        let inside = path::join(self.path, "");
        self.compressed_members && map.iter().any(|(name, r)| matches!(r, Reference::Deflated { .. }) && name.starts_with(&inside))
    }

    #[allow(clippy::too_many_arguments, reason = "each is one field of the result")]
    fn array(
        &self,
        shape: Vec<u64>,
        names: Vec<String>,
        grid: ChunkGrid,
        fill_value: FillValue,
        order: AxisOrder,
        chain: Vec<CodecSpec>,
        manifest: ChunkManifest,
        data_type: DataType,
        attributes: Option<&Text>,
    ) -> Result<ArrayMeta> {
        let mut names = names.into_iter();
        let dims = shape.into_iter().map(|length| Dim { name: names.next().unwrap_or_default(), length }).collect();
        let mut chains = vec![chain];
        if self.compressed_members {
            // An archive's compressed members name the second chain.
            let inner = chains.iter().flatten().cloned();
            chains.push(std::iter::once(CodecSpec::Deflate).chain(inner).collect());
        }
        let attributes = attributes.map_or_else(RawJson::default, store::raw);
        let scaling = scaling(&attributes, &data_type);
        let meta = ArrayMeta { source: self.source.clone(), dims, grid, data_type, fill_value, order, chains, manifest, scaling, attributes };
        meta.check(self.limits)?;
        Ok(meta)
    }
}
