//! The nodes of a store that are known.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::consolidated::Consolidated;
use super::json::{self, Text};
use super::path::{check_name, join};
use super::tables::Tables;
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
    /// What was found one by one.
    nodes: BTreeMap<String, Node>,
    /// What one document tells of all nodes; looked into where `nodes` has nothing.
    consolidated: Option<Arc<Consolidated>>,
    complete: bool,
    compressed_members: bool,
    /// Where the chunks are told of by tables of references.
    tables: Option<Tables>,
}

impl ZarrStore {
    /// A root of which nothing is known yet: its nodes may be of either version.
    #[must_use]
    pub fn unknown(objects: ObjectMap, source: ObjectKey) -> Self {
        let compressed_members = match &objects {
            ObjectMap::References(map) => map.values().any(|r| matches!(r, Reference::Deflated { .. })),
            ObjectMap::Prefix(_) => false,
        };
        Self { objects, source, version: None, nodes: BTreeMap::new(), consolidated: None, complete: false, compressed_members, tables: None }
    }
    pub(super) fn set(&mut self, version: Version, complete: bool) {
        self.version = Some(version);
        self.complete = complete;
    }
    pub(super) fn set_tables(&mut self, tables: Tables) {
        self.tables = Some(tables);
    }
    pub(super) fn set_consolidated(&mut self, consolidated: Consolidated) {
        self.consolidated = Some(Arc::new(consolidated));
    }
    /// Whether a node was found by itself, not in consolidated metadata.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.nodes.contains_key(path)
    }
    pub(super) fn root_version(&self) -> Option<Version> {
        self.nodes.get("").map(Node::version).or_else(|| self.consolidated.as_ref().map(|c| c.version()))
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
    /// A known node.
    ///
    /// # Errors
    /// `Malformed` where a document of it is no text, `Limit`.
    pub fn node(&self, path: &str) -> Result<Option<Cow<'_, Node>>> {
        if let Some(node) = self.nodes.get(path) {
            return Ok(Some(Cow::Borrowed(node)));
        }
        let Some(consolidated) = &self.consolidated else { return Ok(None) };
        let node = consolidated.node(path).map_err(|e| e.in_object(self.source_of(path).url()))?;
        Ok(node.map(Cow::Owned))
    }
    /// What is known to be at a path; a path above known nodes is a group.
    #[must_use]
    pub fn kind_of(&self, path: &str) -> Option<NodeKind> {
        let known = self.nodes.get(path).map(Node::kind);
        known.or_else(|| self.consolidated.as_ref()?.kind(path)).or_else(|| self.has_below(path).then_some(NodeKind::Group))
    }
    fn has_below(&self, path: &str) -> bool {
        let prefix = join(path, "");
        let next = self.nodes.range::<str, _>((Bound::Excluded(prefix.as_str()), Bound::Unbounded)).next();
        next.is_some_and(|(name, _)| name.starts_with(&prefix)) || self.consolidated.as_ref().is_some_and(|c| c.has_below(path))
    }
    /// Whether no node is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.consolidated.as_ref().is_none_or(|c| c.is_empty())
    }
    /// The paths of all known nodes, sorted; the root's is empty. Walks over all of them.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        self.all().into_keys().collect()
    }
    /// The paths of all known arrays, sorted. Walks over all nodes.
    #[must_use]
    pub fn arrays(&self) -> Vec<String> {
        self.of_kind(NodeKind::Array)
    }
    /// The paths of all known groups that have documents, sorted. Walks over all nodes.
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        self.of_kind(NodeKind::Group)
    }
    fn of_kind(&self, kind: NodeKind) -> Vec<String> {
        self.all().into_iter().filter(|(_, k)| *k == kind).map(|(path, _)| path).collect()
    }
    fn all(&self) -> BTreeMap<String, NodeKind> {
        let mut all: BTreeMap<String, NodeKind> = BTreeMap::new();
        for (path, kind) in self.consolidated.iter().flat_map(|c| c.nodes()) {
            // Documents of one node need not stand side by side.
            let known = all.entry(path).or_insert(kind);
            if kind == NodeKind::Array {
                *known = kind;
            }
        }
        all.extend(self.nodes.iter().map(|(path, node)| (path.clone(), node.kind())));
        all
    }
    /// The names of what is known right below a path, sorted, and what they are. What lies deeper is not walked over.
    #[must_use]
    pub fn children(&self, path: &str) -> Vec<(String, NodeKind)> {
        let prefix = if path.is_empty() { String::new() } else { join(path, "") };
        let mut names: BTreeSet<String> = self.consolidated.iter().flat_map(|c| c.children(path)).collect();
        let below = self.nodes.range::<str, _>((Bound::Excluded(prefix.as_str()), Bound::Unbounded));
        for rest in below.map_while(|(name, _)| name.strip_prefix(&prefix)).filter(|rest| !rest.is_empty()) {
            names.insert(rest.split('/').next().unwrap_or(rest).to_owned());
        }
        let kind = |name: String| self.kind_of(&join(path, &name)).map(|kind| (name, kind));
        names.into_iter().filter_map(kind).collect()
    }

    /// The attributes of a known node; `{}` for a group without documents.
    ///
    /// # Errors
    /// `NotFound` where nothing is known at the path, `Malformed` where its documents are.
    pub fn attributes(&self, path: &str) -> Result<RawJson> {
        let source = self.source_of(path);
        match self.node(path)? {
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
        match self.node(path)? {
            Some(node) => self.array_of(path, &node, limits),
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
            tables: self.tables.as_ref().map(|tables| (tables, &self.source)),
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
