//! The nodes of a store that are known.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde_json::value::RawValue;

use super::json::{self, Text};
use super::path::{check_name, join};
use super::{Context, parser, v2, v3, walk};
use crate::error::{Error, Result};
use crate::model::{ArrayMeta, Limits, ObjectKey, ObjectMap, RawJson, Reference};

/// The version of Zarr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// `.zarray`, `.zattrs`, `.zgroup`.
    V2,
    /// `zarr.json`.
    V3,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum NodeKind {
    Array,
    Group,
}

/// A node's documents, as text.
#[derive(Debug, Clone)]
pub struct Node(Documents);

#[derive(Debug, Clone)]
enum Documents {
    V2 { array: Option<Text>, attributes: Option<Text> },
    V3 { document: Text, kind: NodeKind },
}

impl Node {
    pub(super) fn v2(array: Option<Text>, attributes: Option<Text>) -> Self {
        Self(Documents::V2 { array, attributes })
    }
    /// From `zarr.json`. A document that does not say that it is a group is an array: reading it tells what is wrong.
    pub(super) fn v3(document: Text) -> Self {
        let kind = match document.member("node_type").ok().flatten().map(RawValue::get) {
            Some("\"group\"") => NodeKind::Group,
            _ => NodeKind::Array,
        };
        Self(Documents::V3 { document, kind })
    }
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> NodeKind {
        match &self.0 {
            Documents::V2 { array: Some(_), .. } => NodeKind::Array,
            Documents::V2 { .. } => NodeKind::Group,
            Documents::V3 { kind, .. } => *kind,
        }
    }
    /// Which version it is of.
    #[must_use]
    pub fn version(&self) -> Version {
        match &self.0 {
            Documents::V2 { .. } => Version::V2,
            Documents::V3 { .. } => Version::V3,
        }
    }
    /// Its attributes; `{}` where it has none.
    ///
    /// # Errors
    /// `Malformed` where its documents are not JSON objects.
    pub fn attributes(&self) -> Result<RawJson> {
        match &self.0 {
            Documents::V2 { attributes: None, .. } => Ok(RawJson::default()),
            Documents::V2 { attributes: Some(text), .. } if json::is_json(text.get()) => Ok(raw(text)),
            Documents::V2 { .. } => Err(Error::malformed(".zattrs is not JSON")),
            Documents::V3 { document, .. } => Ok(document.member("attributes")?.filter(|v| v.get() != "null").map(RawJson::new).unwrap_or_default()),
        }
    }
    pub(super) fn set_v2(&mut self, new_array: Option<Text>, new_attributes: Option<Text>) {
        if let Documents::V2 { array, attributes } = &mut self.0 {
            *array = new_array.or_else(|| array.take());
            *attributes = new_attributes.or_else(|| attributes.take());
        }
    }
}

/// A text that is JSON, as that.
pub(super) fn raw(text: &Text) -> RawJson {
    serde_json::from_str::<&RawValue>(text.get()).map(RawJson::new).unwrap_or_default()
}

/// A hierarchy of arrays and groups, as far as it is known: a plain value.
#[derive(Debug, Clone)]
pub struct ZarrStore {
    objects: ObjectMap,
    source: ObjectKey,
    version: Option<Version>,
    nodes: BTreeMap<String, Node>,
    complete: bool,
    compressed_members: bool,
}

impl ZarrStore {
    /// A root of which nothing is known yet: its nodes may be of either version.
    #[must_use]
    pub fn unknown(objects: ObjectMap, source: ObjectKey) -> Self {
        let compressed_members = match &objects {
            ObjectMap::References(map) => map.values().any(|r| matches!(r, Reference::Deflated { .. })),
            ObjectMap::Prefix(_) => false,
        };
        Self { objects, source, version: None, nodes: BTreeMap::new(), complete: false, compressed_members }
    }
    pub(super) fn set(&mut self, version: Version, complete: bool) {
        self.version = Some(version);
        self.complete = complete;
    }

    /// The version of its root; `None` where the root itself is no node.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.version
    }
    /// What its names are looked up in.
    #[must_use]
    pub fn objects(&self) -> &ObjectMap {
        &self.objects
    }
    /// The root.
    #[must_use]
    pub fn source(&self) -> &ObjectKey {
        &self.source
    }
    /// Whether all nodes are known: by consolidated metadata, from a list of names, or because the root is an array.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }
    /// Says that all nodes are known, as after a walk from the root.
    pub fn set_complete(&mut self) {
        self.complete = true;
    }
    /// Adds a node that was found.
    ///
    /// # Errors
    /// `Malformed` for a path that could lead out of the store.
    pub fn insert(&mut self, path: &str, node: Node) -> Result<()> {
        check_name(path)?;
        self.nodes.insert(path.to_owned(), node);
        Ok(())
    }
    pub(super) fn entry_v2(&mut self, path: &str) -> Result<&mut Node> {
        check_name(path)?;
        Ok(self.nodes.entry(path.to_owned()).or_insert_with(|| Node::v2(None, None)))
    }

    /// A known node.
    #[must_use]
    pub fn node(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path)
    }
    /// What is known to be at a path; a path above known nodes is a group.
    #[must_use]
    pub fn kind_of(&self, path: &str) -> Option<NodeKind> {
        match self.nodes.get(path) {
            Some(node) => Some(node.kind()),
            None => self.has_below(path).then_some(NodeKind::Group),
        }
    }
    fn has_below(&self, path: &str) -> bool {
        let prefix = join(path, "");
        let next = self.nodes.range::<str, _>((Bound::Excluded(prefix.as_str()), Bound::Unbounded)).next();
        next.is_some_and(|(name, _)| name.starts_with(&prefix))
    }
    /// The paths of all known nodes, sorted; the root's is empty.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.nodes.keys().map(String::as_str)
    }
    /// The paths of all known arrays, sorted.
    pub fn arrays(&self) -> impl Iterator<Item = &str> {
        self.of_kind(NodeKind::Array)
    }
    /// The paths of all known groups that have documents, sorted.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.of_kind(NodeKind::Group)
    }
    fn of_kind(&self, kind: NodeKind) -> impl Iterator<Item = &str> {
        self.nodes.iter().filter(move |(_, node)| node.kind() == kind).map(|(path, _)| path.as_str())
    }

    /// The attributes of a known node; `{}` for a group without documents.
    ///
    /// # Errors
    /// `NotFound` where nothing is known at the path, `Malformed` where its documents are.
    pub fn attributes(&self, path: &str) -> Result<RawJson> {
        let source = self.source_of(path);
        match self.nodes.get(path) {
            Some(node) => node.attributes().map_err(|e| e.in_object(source.url())),
            None if self.kind_of(path).is_some() => Ok(RawJson::default()),
            None => Err(Error::not_found(source.url())),
        }
    }
    /// A known array.
    ///
    /// # Errors
    /// `NotFound`, `Usage` where it is a group, `Malformed`, `Unsupported`, `Limit`.
    pub fn array(&self, path: &str, limits: &Limits) -> Result<ArrayMeta> {
        match self.nodes.get(path) {
            Some(node) => self.array_of(path, node, limits),
            None if self.kind_of(path).is_some() => Err(Error::usage("a group, not an array").in_object(self.source_of(path).url())),
            None => Err(Error::not_found(self.source_of(path).url())),
        }
    }
    /// The array at a path from its node.
    ///
    /// # Errors
    /// `Usage` where it is a group, `Malformed`, `Unsupported`, `Limit`.
    pub fn array_of(&self, path: &str, node: &Node, limits: &Limits) -> Result<ArrayMeta> {
        let source = self.source_of(path);
        let context = Context {
            objects: &self.objects,
            source: source.clone(),
            path,
            compressed_members: self.compressed_members,
            whole_shards: false,
            limits,
        };
        let array = check_name(path).and_then(|()| match &node.0 {
            Documents::V2 { array: Some(document), attributes } => v2::array(document, attributes.as_ref(), &context),
            Documents::V3 { document, kind: NodeKind::Array } => v3::array(document, &context),
            _ => Err(Error::usage("a group, not an array")),
        });
        array.map_err(|e| e.in_object(source.url()))
    }
    fn source_of(&self, path: &str) -> ObjectKey {
        if path.is_empty() { self.source.clone() } else { ObjectKey::new(format!("{}/{path}", self.source.url())) }
    }

    /// Finds the documents of one node that is not known.
    ///
    /// # Errors
    /// `Malformed` for a path that could lead out of the store.
    pub fn node_parser(&self, path: &str, limits: &Limits) -> Result<parser::NodeParser> {
        parser::NodeParser::new(&self.objects, path, self.version, limits)
    }
    /// Finds all nodes below a group by listing.
    ///
    /// # Errors
    /// `Malformed` for a path that could lead out of the store.
    pub fn children_parser(&self, path: &str, limits: &Limits) -> Result<walk::ChildrenParser> {
        walk::ChildrenParser::new(&self.objects, path, limits)
    }
}
