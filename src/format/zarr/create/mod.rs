//! What is to be written, as documents: `.zarray`, `.zattrs`, `.zgroup` and `.zmetadata`, or `zarr.json`.
//!
//! A new array is described by its document alone: the [`ArrayMeta`] that chunks are written by is what the parser makes of it.

mod codecs;
mod fill;

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::json::Text;
use super::path::{check_name, join};
use super::store::Version;
use super::{Context, v2, v3};
use crate::error::{Error, Result};
use crate::model::{ArrayMeta, AxisOrder, Compression, DataType, Endian, FillValue, Limits, ObjectKey, ObjectMap, RawJson};

/// An array to be created: shape, type and chunks, and what is usually left as it is.
#[derive(Debug, Clone)]
pub struct NewArray {
    shape: Vec<u64>,
    data_type: DataType,
    chunks: Vec<u64>,
    fill_value: FillValue,
    names: Vec<String>,
    attributes: Map<String, Value>,
    compression: Compression,
    shuffle: bool,
    checksum: bool,
    endian: Endian,
    order: Option<AxisOrder>,
    shards: Option<Vec<u64>>,
    separator: Option<char>,
}

impl NewArray {
    /// An array of this shape in chunks of this shape. By default the fill value is zero, the compression Zstandard at level 3, the byte
    /// order little-endian.
    #[must_use]
    pub fn new(shape: impl Into<Vec<u64>>, data_type: DataType, chunks: impl Into<Vec<u64>>) -> Self {
        Self {
            shape: shape.into(),
            data_type,
            chunks: chunks.into(),
            fill_value: FillValue::ZERO,
            names: Vec::new(),
            attributes: Map::new(),
            compression: Compression::Zstd { level: 3, checksum: false },
            shuffle: false,
            checksum: false,
            endian: Endian::Little,
            order: None,
            shards: None,
            separator: None,
        }
    }
    /// The value of what is not written.
    #[must_use]
    pub fn fill_value(mut self, value: FillValue) -> Self {
        self.fill_value = value;
        self
    }
    /// A name for each axis: `dimension_names` of version 3, `_ARRAY_DIMENSIONS` of version 2.
    #[must_use]
    pub fn dimension_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }
    /// One attribute more.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }
    /// The compressor.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }
    /// The i-th bytes of all elements together before the compressor: numcodecs' shuffle. Blosc has its own.
    #[must_use]
    pub fn shuffle(mut self) -> Self {
        self.shuffle = true;
        self
    }
    /// A CRC-32C behind each chunk; of version 3 alone.
    #[must_use]
    pub fn checksum(mut self) -> Self {
        self.checksum = true;
        self
    }
    /// The byte order of stored elements.
    #[must_use]
    pub fn byte_order(mut self, endian: Endian) -> Self {
        self.endian = endian;
        self
    }
    /// The axes in the order in which a chunk stores them, outermost first. Version 2 has C and F order.
    #[must_use]
    pub fn axis_order(mut self, order: AxisOrder) -> Self {
        self.order = Some(order);
        self
    }
    /// Chunks together in shards of this shape; of version 3 alone. A shard is written as a whole.
    #[must_use]
    pub fn shards(mut self, shape: impl Into<Vec<u64>>) -> Self {
        self.shards = Some(shape.into());
        self
    }
    /// What stands between the numbers of a chunk's name: `/` or `.`; the version's own by default.
    #[must_use]
    pub fn separator(mut self, separator: char) -> Self {
        self.separator = Some(separator);
        self
    }
    /// The compressor it was given.
    #[must_use]
    pub fn compressor(&self) -> &Compression {
        &self.compression
    }

    fn check(&self, version: Version) -> Result<()> {
        let rank = self.shape.len();
        if self.chunks.len() != rank || self.chunks.contains(&0) {
            return Err(Error::usage(format!("chunks of {:?} for an array of {:?}", self.chunks, self.shape)));
        }
        if !self.names.is_empty() && self.names.len() != rank {
            return Err(Error::usage(format!("{} names for {rank} axes", self.names.len())));
        }
        if self.order.as_ref().is_some_and(|order| order.axes().len() != rank) {
            return Err(Error::usage(format!("an order of other axes than the {rank} there are")));
        }
        if !matches!(self.separator, None | Some('/' | '.')) {
            return Err(Error::usage("the separator of chunk names is / or ."));
        }
        if self.data_type.size().is_some_and(|size| !self.fill_value.is_zero() && self.fill_value.bytes().len() != size) {
            return Err(Error::data_type(format!("the fill value is not one element of {}", self.data_type)));
        }
        if let Some(shards) = &self.shards {
            let whole = shards.len() == rank && shards.iter().zip(&self.chunks).all(|(s, c)| *s > 0 && s.checked_rem(*c) == Some(0));
            if version == Version::V2 {
                return Err(Error::unsupported("shards in version 2"));
            }
            if !whole {
                return Err(Error::usage(format!("shards of {shards:?} are not whole chunks of {:?}", self.chunks)));
            }
        }
        Ok(())
    }

    /// The array's document, and in version 2 its attributes.
    fn documents(&self, version: Version) -> Result<(Value, Option<Value>)> {
        self.check(version)?;
        let fill = fill::json(&self.fill_value, &self.data_type, version)?;
        match version {
            Version::V2 => {
                let (compressor, filters) = codecs::v2(self)?;
                let order = match &self.order {
                    None => "C",
                    Some(order) if order.is_c() => "C",
                    Some(order) if *order == AxisOrder::f(self.shape.len()) => "F",
                    Some(_) => return Err(Error::unsupported("an order of axes other than C and F in version 2")),
                };
                let document = json!({
                    "zarr_format": 2,
                    "shape": self.shape,
                    "chunks": self.chunks,
                    "dtype": codecs::v2_type(&self.data_type, self.endian)?,
                    "compressor": compressor,
                    "filters": filters,
                    "fill_value": fill,
                    "order": order,
                    "dimension_separator": self.separator.unwrap_or('.').to_string(),
                });
                let mut attributes = self.attributes.clone();
                if !self.names.is_empty() {
                    attributes.insert("_ARRAY_DIMENSIONS".into(), self.names.clone().into());
                }
                Ok((document, (!attributes.is_empty()).then_some(Value::Object(attributes))))
            }
            Version::V3 => {
                let mut document = json!({
                    "zarr_format": 3,
                    "node_type": "array",
                    "shape": self.shape,
                    "data_type": codecs::v3_type(&self.data_type)?,
                    "chunk_grid": { "name": "regular", "configuration": { "chunk_shape": self.shards.as_ref().unwrap_or(&self.chunks) } },
                    "chunk_key_encoding": { "name": "default", "configuration": { "separator": self.separator.unwrap_or('/').to_string() } },
                    "fill_value": fill,
                    "codecs": codecs::v3(self)?,
                    "attributes": self.attributes,
                });
                if let (false, Some(members)) = (self.names.is_empty(), document.as_object_mut()) {
                    members.insert("dimension_names".into(), self.names.clone().into());
                }
                Ok((document, None))
            }
        }
    }
}

/// The hierarchy that is being written: its documents, by the paths of their nodes.
#[derive(Debug)]
pub struct NewHierarchy {
    root: ObjectKey,
    version: Version,
    nodes: BTreeMap<String, NewNode>,
}

#[derive(Debug, Clone)]
struct NewNode {
    document: Value,
    /// Of version 2; in version 3 they stand in the document.
    attributes: Option<Value>,
    is_array: bool,
}

/// An object to be put: its name, and its bytes.
pub type Document = (ObjectKey, Bytes);

/// An array that was added: how its chunks are written, and how they are read.
#[derive(Debug)]
pub struct Added {
    /// Its documents, and those of groups above it that were not there.
    pub documents: Vec<Document>,
    /// The paths of these nodes.
    pub paths: Vec<String>,
    /// The grid, chain and names of what is written: whole shards.
    pub stored: ArrayMeta,
    /// The array as it is read.
    pub array: ArrayMeta,
}

impl NewHierarchy {
    /// Nothing yet.
    #[must_use]
    pub fn new(root: ObjectKey, version: Version) -> Self {
        Self { root, version, nodes: BTreeMap::new() }
    }
    /// The root.
    #[must_use]
    pub fn root(&self) -> &ObjectKey {
        &self.root
    }
    /// The documents that would stand at the root, were there a hierarchy already.
    #[must_use]
    pub fn probes(&self) -> Vec<ObjectKey> {
        [".zgroup", ".zarray", ".zmetadata", "zarr.json"].iter().map(|name| self.key(name)).collect()
    }

    /// Adds a group, or sets the attributes of one; gives its documents and those of groups above it that were not there.
    ///
    /// # Errors
    /// `Malformed` for a path that is no node's, `Usage` where an array is in the way or the attributes are not a JSON object.
    pub fn group(&mut self, path: &str, attributes: &RawJson) -> Result<Vec<Document>> {
        let attributes: Map<String, Value> = attributes.parse().map_err(|_| Error::usage("attributes are a JSON object"))?;
        let mut documents = self.parents(path)?;
        if self.nodes.get(path).is_some_and(|node| node.is_array) {
            return Err(Error::usage(format!("there is an array at {path:?} already")));
        }
        let node = self.empty_group(attributes);
        documents.extend(self.put(path, &node)?);
        self.nodes.insert(path.to_owned(), node);
        Ok(documents)
    }

    /// Adds an array.
    ///
    /// # Errors
    /// `Malformed` for a path that is no node's, `Usage` where something is there already or the parts of the description contradict each
    /// other, `Unsupported` for what this version cannot say, `Limit`.
    pub fn array(&mut self, path: &str, array: &NewArray, limits: &Limits) -> Result<Added> {
        if self.nodes.contains_key(path) {
            return Err(Error::usage(format!("there is a node at {path:?} already")));
        }
        // Whatever may be refused is, before a group is taken for one that has its document.
        check_name(path)?;
        let (document, attributes) = array.documents(self.version)?;
        let node = NewNode { document, attributes, is_array: true };
        let (stored, read) = (self.meta(path, &node, true, limits)?, self.meta(path, &node, false, limits)?);
        let ends = path.char_indices().filter(|(_, c)| *c == '/').map(|(at, _)| at).chain([0, path.len()]);
        let mut paths: Vec<String> =
            ends.filter_map(|end| path.get(..end)).filter(|path| !self.nodes.contains_key(*path)).map(String::from).collect();
        paths.dedup();
        let mut documents = self.parents(path)?;
        documents.extend(self.put(path, &node)?);
        self.nodes.insert(path.to_owned(), node);
        Ok(Added { documents, paths, stored, array: read })
    }

    /// Leaves nodes out again whose documents could not be put.
    pub fn withdraw(&mut self, paths: &[String]) {
        paths.iter().for_each(|path| drop(self.nodes.remove(path)));
    }

    /// The document that holds all others; none where the root is an array.
    ///
    /// # Errors
    /// None that its parts had not before.
    pub fn consolidated(&self) -> Result<Option<Document>> {
        let Some(root) = self.nodes.get("").filter(|root| !root.is_array) else { return Ok(None) };
        let mut all = Map::new();
        Ok(Some(match self.version {
            Version::V2 => {
                for (path, node) in &self.nodes {
                    let name = if node.is_array { ".zarray" } else { ".zgroup" };
                    all.insert(join(path, name), node.document.clone());
                    if let Some(attributes) = &node.attributes {
                        all.insert(join(path, ".zattrs"), attributes.clone());
                    }
                }
                (self.key(".zmetadata"), text(&json!({ "zarr_consolidated_format": 1, "metadata": all })))
            }
            Version::V3 => {
                for (path, node) in self.nodes.iter().filter(|(path, _)| !path.is_empty()) {
                    all.insert(path.clone(), node.document.clone());
                }
                let mut document = root.document.clone();
                if let Some(members) = document.as_object_mut() {
                    let all = json!({ "kind": "inline", "must_understand": false, "metadata": all });
                    members.insert("consolidated_metadata".into(), all);
                }
                (self.key("zarr.json"), text(&document))
            }
        }))
    }

    fn key(&self, name: &str) -> ObjectKey {
        ObjectKey::new(format!("{}/{name}", self.root.url()))
    }

    fn empty_group(&self, attributes: Map<String, Value>) -> NewNode {
        let (document, attributes) = match self.version {
            Version::V2 => (json!({ "zarr_format": 2 }), (!attributes.is_empty()).then_some(Value::Object(attributes))),
            Version::V3 => (json!({ "zarr_format": 3, "node_type": "group", "attributes": attributes }), None),
        };
        NewNode { document, attributes, is_array: false }
    }

    /// Adds the groups above a path that are not there.
    fn parents(&mut self, path: &str) -> Result<Vec<Document>> {
        check_name(path)?;
        let reserved = |segment: &&str| segment.starts_with("__") || segment.starts_with(".z") || *segment == "zarr.json";
        if let Some(segment) = path.split('/').find(reserved) {
            return Err(Error::usage(format!("{segment:?} is no name of a node")));
        }
        let mut documents = Vec::new();
        let above = path.char_indices().filter(|(_, c)| *c == '/').map(|(at, _)| at);
        let root = (!path.is_empty()).then_some(0);
        for end in root.into_iter().chain(above) {
            let parent = path.get(..end).unwrap_or_default();
            match self.nodes.get(parent) {
                Some(node) if node.is_array => return Err(Error::usage(format!("an array at {parent:?} has no nodes below it"))),
                Some(_) => {}
                None => {
                    let node = self.empty_group(Map::new());
                    documents.extend(self.put(parent, &node)?);
                    self.nodes.insert(parent.to_owned(), node);
                }
            }
        }
        Ok(documents)
    }

    fn put(&self, path: &str, node: &NewNode) -> Result<Vec<Document>> {
        let name = match (self.version, node.is_array) {
            (Version::V3, _) => "zarr.json",
            (Version::V2, true) => ".zarray",
            (Version::V2, false) => ".zgroup",
        };
        let attributes = node.attributes.iter().map(|attributes| (self.key(&join(path, ".zattrs")), text(attributes)));
        Ok(attributes.chain([(self.key(&join(path, name)), text(&node.document))]).collect())
    }

    fn meta(&self, path: &str, node: &NewNode, whole_shards: bool, limits: &Limits) -> Result<ArrayMeta> {
        let objects = ObjectMap::Prefix(self.root.clone());
        let source = if path.is_empty() { self.root.clone() } else { self.key(path) };
        let context = Context { objects: &objects, source, path, compressed_members: false, tables: None, whole_shards, limits };
        let document = Text::new(&text(&node.document), limits)?;
        match self.version {
            Version::V2 => {
                let attributes = node.attributes.as_ref().map(|a| Text::new(&text(a), limits)).transpose()?;
                v2::array(&document, attributes.as_ref(), &context)
            }
            Version::V3 => v3::array(&document, &context),
        }
    }

    /// The node at a path as a reader would have it.
    #[cfg(test)]
    fn node(&self, path: &str) -> Option<super::store::Node> {
        use super::store::Node;
        let node = self.nodes.get(path)?;
        let document = Text::new(&text(&node.document), &Limits::default()).ok()?;
        Some(if self.version == Version::V3 { Node::v3(document) } else { Node::v2(node.is_array.then_some(document), None) })
    }
}

fn text(value: &Value) -> Bytes {
    format!("{value:#}").into()
}

#[cfg(test)]
mod tests;
