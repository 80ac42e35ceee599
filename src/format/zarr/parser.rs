//! Opening a root, and finding single nodes.

use std::sync::Arc;

use bytes::Bytes;

use super::consolidated::Consolidated;
use super::fetch::Fetch;
use super::json::{self, Text};
use super::path::{check_name, join};
use super::store::{Node, Version, ZarrStore};
use super::tables::Tables;
use crate::error::{Error, Result};
use crate::model::{Got, Limits, ObjectKey, ObjectMap, Parser, Step, Want};

/// Nodes of one hierarchy.
const MAX_NODES: u64 = 1 << 20;
/// The documents of version 2.
const V2_DOCUMENTS: [&str; 3] = [".zarray", ".zattrs", ".zgroup"];

/// Opens a root: an array or a group, of version 2 or 3.
///
/// The first step asks for `zarr.json` and `.zmetadata` at once; where the first is there it counts. Where neither is, a second step asks
/// for `.zarray`, `.zattrs` and `.zgroup`. Of names that are listed (an archive, a reference file) all documents are read.
#[derive(Debug)]
pub struct ZarrParser {
    fetch: Fetch,
    source: ObjectKey,
    allowed: Arc<[String]>,
}

impl ZarrParser {
    /// Opens the root of `objects`; `source` names it.
    #[must_use]
    pub fn new(objects: ObjectMap, source: ObjectKey, limits: &Limits) -> Self {
        Self { fetch: Fetch::new(objects, limits), source, allowed: Arc::default() }
    }
    /// Lets references to chunks lead to URLs that begin with one of these, too; else only to the source's own origin.
    #[must_use]
    pub fn allow_references(self, allowed: Arc<[String]>) -> Self {
        Self { allowed, ..self }
    }

    fn open(&mut self) -> Result<Step<ZarrStore>> {
        let wants = self.fetch.ask(["zarr.json", ".zmetadata"].map(String::from))?;
        if !wants.is_empty() {
            return Ok(Step::Need(wants));
        }
        let mut store = ZarrStore::unknown(self.fetch.objects().clone(), self.source.clone());
        let limits = self.fetch.limits();
        if let Some(root) = self.fetch.bytes("zarr.json") {
            if v3_root(&mut store, root, limits).map_err(|e| self.fetch.in_document("zarr.json", e))? {
                return Ok(Step::Done(store));
            }
        } else if let Some(document) = self.fetch.bytes(".zmetadata") {
            v2_consolidated(&mut store, document, &self.allowed, limits).map_err(|e| self.fetch.in_document(".zmetadata", e))?;
            return Ok(Step::Done(store));
        }
        if let ObjectMap::References(map) = self.fetch.objects() {
            let names: Vec<String> = map.keys().filter(|name| is_document(name)).cloned().collect();
            return self.listed(store, names);
        }
        if store.version().is_some() {
            return Ok(Step::Done(store));
        }
        let wants = self.fetch.ask(V2_DOCUMENTS.map(String::from))?;
        if !wants.is_empty() {
            return Ok(Step::Need(wants));
        }
        let node = v2_node(&self.fetch, "")?.ok_or_else(|| Error::not_found(self.source.url()))?;
        store.set(Version::V2, node.kind() == super::NodeKind::Array);
        store.insert("", node)?;
        Ok(Step::Done(store))
    }

    /// All documents of a list of names.
    fn listed(&mut self, mut store: ZarrStore, names: Vec<String>) -> Result<Step<ZarrStore>> {
        Limits::check("nodes of a store", names.len() as u64, MAX_NODES)?;
        let wants = self.fetch.ask(names.iter().cloned())?;
        if !wants.is_empty() {
            return Ok(Step::Need(wants));
        }
        for name in &names {
            let (path, document) = name.rsplit_once('/').unwrap_or(("", name));
            let node = match document {
                "zarr.json" => self.fetch.text(name)?.map(Node::v3),
                // Listed by the document that says what it is.
                ".zarray" | ".zgroup" if !store.has(path) => v2_node(&self.fetch, path)?,
                _ => None,
            };
            if let Some(node) = node {
                store.insert(path, node)?;
            }
        }
        if store.is_empty() {
            return Err(Error::not_found(self.source.url()));
        }
        if let Some(version) = store.root_version() {
            store.set(version, true);
        }
        store.set_complete();
        Ok(Step::Done(store))
    }
}

impl Parser for ZarrParser {
    type Output = ZarrStore;
    fn step(&mut self) -> Result<Step<ZarrStore>> {
        self.open().map_err(|e| e.in_object(self.source.url()))
    }
    fn supply(&mut self, want: &Want, got: Got) -> Result<()> {
        self.fetch.supply(want, &got)
    }
}

/// Whether a name is that of a document of a node.
fn is_document(name: &str) -> bool {
    let document = name.rsplit('/').next().unwrap_or(name);
    document == "zarr.json" || V2_DOCUMENTS.contains(&document)
}

/// Whether the root's `zarr.json` tells all: an array, or a group with consolidated metadata.
fn v3_root(store: &mut ZarrStore, document: &Bytes, limits: &Limits) -> Result<bool> {
    let (consolidated, beside) = Consolidated::v3(document, limits)?;
    let root = if consolidated.is_some() { beside.text(document, limits)? } else { Text::new(document, limits)? };
    let kind: Option<String> = root.member("node_type")?.map(|v| json::parse("node_type", v)).transpose()?;
    let is_array = match kind.as_deref() {
        Some("array") => true,
        Some("group") => false,
        _ => return Err(Error::malformed("zarr.json: node_type is neither array nor group")),
    };
    if root.member("zarr_format")?.is_none_or(|v| v.get() != "3") {
        return Err(Error::malformed("zarr.json with another zarr_format than 3"));
    }
    store.insert("", Node::v3(root))?;
    let consolidated = consolidated.filter(|_| !is_array);
    store.set(Version::V3, is_array || consolidated.is_some());
    let Some(consolidated) = consolidated else { return Ok(is_array) };
    if let Some(kind) = beside.kind.and_then(|range| document.get(range)).filter(|kind| *kind != b"\"inline\"") {
        return Err(Error::unsupported(format!("consolidated metadata of kind {}", short(kind))));
    }
    store.set_consolidated(consolidated);
    Ok(true)
}

/// `.zmetadata`: the documents of all nodes by name.
fn v2_consolidated(store: &mut ZarrStore, document: &Bytes, allowed: &Arc<[String]>, limits: &Limits) -> Result<()> {
    let (consolidated, beside) = Consolidated::v2(document, limits)?;
    let rest = beside.text(document, limits)?;
    if let Some(format) = rest.member("zarr_consolidated_format")?.filter(|v| v.get() != "1") {
        return Err(Error::unsupported(format!("zarr_consolidated_format {}", short(format.get().as_bytes()))));
    }
    if let Some(size) = rest.member("record_size")? {
        store.set_tables(Tables::new(json::parse("record_size", size)?, allowed.clone())?);
    }
    let consolidated = consolidated.ok_or_else(|| Error::malformed(".zmetadata without metadata"))?;
    if consolidated.is_empty() {
        return Err(Error::malformed(".zmetadata without a node"));
    }
    store.set(Version::V2, true);
    store.set_consolidated(consolidated);
    Ok(())
}

/// The beginning of a value, for a message.
fn short(value: &[u8]) -> String {
    String::from_utf8_lossy(value).chars().take(40).collect()
}

/// A node of version 2 whose documents were asked for; `None` where there is none.
pub(super) fn v2_node(fetch: &Fetch, path: &str) -> Result<Option<Node>> {
    let text = |name: &str| fetch.text(&join(path, name));
    let array = text(".zarray")?;
    if array.is_none() && !fetch.has(&join(path, ".zgroup")) {
        return Ok(None);
    }
    Ok(Some(Node::v2(array, text(".zattrs")?)))
}

/// Finds one node: its documents, all in one step.
#[derive(Debug)]
pub struct NodeParser {
    fetch: Fetch,
    path: String,
    names: Vec<String>,
}

impl NodeParser {
    pub(super) fn new(objects: &ObjectMap, path: &str, version: Option<Version>, limits: &Limits) -> Result<Self> {
        check_name(path)?;
        let v2 = version != Some(Version::V3);
        let v3 = version != Some(Version::V2);
        let names = v3.then_some("zarr.json").into_iter().chain(V2_DOCUMENTS.into_iter().filter(|_| v2)).map(|name| join(path, name)).collect();
        Ok(Self { fetch: Fetch::new(objects.clone(), limits), path: path.to_owned(), names })
    }
}

impl Parser for NodeParser {
    type Output = Option<Node>;
    fn step(&mut self) -> Result<Step<Option<Node>>> {
        let wants = self.fetch.ask(self.names.iter().cloned())?;
        if !wants.is_empty() {
            return Ok(Step::Need(wants));
        }
        let node = match self.fetch.text(&join(&self.path, "zarr.json"))? {
            Some(document) => Some(Node::v3(document)),
            None => v2_node(&self.fetch, &self.path)?,
        };
        Ok(Step::Done(node))
    }
    fn supply(&mut self, want: &Want, got: Got) -> Result<()> {
        self.fetch.supply(want, &got)
    }
}
