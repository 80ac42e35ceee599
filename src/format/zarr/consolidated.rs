//! Consolidated metadata: the documents of all nodes in one, found by name and parsed when they are asked for.
//!
//! What is kept is the document as it came and one number a member: where its name stands. A group of many arrays so costs its bytes, one
//! walk over them, and what is touched.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use bytes::Bytes;

use super::json::Text;
use super::path::{check_name, join};
use super::scan::{Scanner, unescaped};
use super::store::{Node, NodeKind, Version};
use crate::error::{Error, Result};
use crate::model::Limits;

/// The documents of version 2 that make a node.
const V2_DOCUMENTS: [&str; 3] = [".zarray", ".zattrs", ".zgroup"];

/// The members of `metadata`.
#[derive(Clone)]
pub(super) struct Consolidated {
    version: Version,
    document: Bytes,
    /// Where names stand, behind their quotes; sorted by name.
    names: Vec<u32>,
    limits: Limits,
}

impl std::fmt::Debug for Consolidated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Consolidated({:?}, {} members in {} bytes)", self.version, self.names.len(), self.document.len())
    }
}

/// What stands beside the members, for the reader of the whole document.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// The members of the outer object, but for the one that holds the others: names with quotes and values.
    pub(super) members: Vec<(Range<usize>, Range<usize>)>,
    /// `kind` of version 3.
    pub(super) kind: Option<Range<usize>>,
}

impl Consolidated {
    /// Walks over `.zmetadata`; `None` where it has no `metadata`.
    pub(super) fn v2(document: &Bytes, limits: &Limits) -> Result<(Option<Self>, Beside)> {
        let (mut found, mut beside) = (None, Beside::default());
        walk(document, limits, |scanner, name, whole| {
            if name == "metadata" && scanner.is_object() {
                found = Some(Self::members(Version::V2, document, scanner, limits)?);
            } else {
                beside.members.push((whole, scanner.value()?));
            }
            Ok(())
        })?;
        Ok((found, beside))
    }

    /// Walks over `zarr.json`; `None` where it has no consolidated metadata, or `null` for it.
    pub(super) fn v3(document: &Bytes, limits: &Limits) -> Result<(Option<Self>, Beside)> {
        let (mut found, mut beside) = (None, Beside::default());
        walk(document, limits, |scanner, name, whole| {
            if name != "consolidated_metadata" || !scanner.is_object() {
                beside.members.push((whole, scanner.value()?));
                return Ok(());
            }
            let mut inner = None;
            scanner.members(|scanner, name| {
                let name = unescaped(document.get(name).unwrap_or_default())?;
                match name.as_ref() {
                    "metadata" if scanner.is_object() => inner = Some(Self::members(Version::V3, document, scanner, limits)?),
                    "kind" => beside.kind = Some(scanner.value()?),
                    _ => return scanner.value().map(drop),
                }
                Ok(())
            })?;
            found = Some(inner.ok_or_else(|| Error::malformed("consolidated_metadata without metadata"))?);
            Ok(())
        })?;
        Ok((found, beside))
    }

    fn members(version: Version, document: &Bytes, scanner: &mut Scanner<'_>, limits: &Limits) -> Result<Self> {
        Limits::check("bytes of consolidated metadata", document.len() as u64, u64::from(u32::MAX))?;
        let mut this = Self { version, document: document.clone(), names: Vec::new(), limits: limits.clone() };
        let (mut is_sorted, mut last) = (true, None);
        scanner.members(|scanner, name| {
            let start = u32::try_from(name.start).map_err(|_| Error::malformed("a name out of place"))?;
            if this.is_node(name)? {
                Limits::check("max_references", this.names.len().saturating_add(1) as u64, limits.max_references)?;
                is_sorted &= last.is_none_or(|last| this.compare(last, start) == Ordering::Less);
                last = Some(start);
                this.names.push(start);
            }
            scanner.value().map(drop)
        })?;
        if !is_sorted {
            let mut names = std::mem::take(&mut this.names);
            names.sort_by(|a, b| this.compare(*a, *b));
            // Of members that stand twice the last counts.
            names.dedup_by(|later, kept| {
                let same = this.compare(*later, *kept) == Ordering::Equal;
                if same {
                    *kept = *later;
                }
                same
            });
            this.names = names;
        }
        Ok(this)
    }

    /// Whether a member is a node, or a document of one.
    ///
    /// # Errors
    /// `Malformed` for a name that could lead out of the store.
    fn is_node(&self, name: Range<usize>) -> Result<bool> {
        let name = unescaped(self.document.get(name).unwrap_or_default())?;
        match self.version {
            Version::V2 => {
                let (path, document) = name.rsplit_once('/').unwrap_or(("", &name));
                check_name(path)?;
                Ok(V2_DOCUMENTS.contains(&document))
            }
            Version::V3 => {
                let path = name.strip_prefix('/').unwrap_or(&name);
                check_name(path)?;
                Ok(!path.is_empty())
            }
        }
    }

    pub(super) fn version(&self) -> Version {
        self.version
    }
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn raw_name(&self, start: u32) -> &[u8] {
        let mut scanner = Scanner::from(&self.document, (start as usize).saturating_sub(1), u64::MAX);
        let range = scanner.string().unwrap_or_default();
        let name = self.document.get(range).unwrap_or_default();
        // Some writers of version 3 begin paths with a slash.
        if self.version == Version::V3 { name.strip_prefix(b"/").unwrap_or(name) } else { name }
    }
    /// Names were read once when the document was walked over, so that they are text.
    fn name(&self, start: u32) -> Cow<'_, str> {
        match unescaped(self.raw_name(start)).unwrap_or_default() {
            Cow::Owned(name) if self.version == Version::V3 => Cow::Owned(name.strip_prefix('/').map_or_else(|| name.clone(), str::to_owned)),
            name => name,
        }
    }
    fn compare(&self, a: u32, b: u32) -> Ordering {
        let (a, b) = (self.raw_name(a), self.raw_name(b));
        if a.contains(&b'\\') || b.contains(&b'\\') {
            let text = |raw| unescaped(raw).unwrap_or_default().trim_start_matches('/').to_owned();
            return text(a).cmp(&text(b));
        }
        a.cmp(b)
    }
    /// The first member whose name is not less.
    fn lower_bound(&self, name: &str) -> usize {
        self.names.partition_point(|start| self.name(*start).as_ref() < name)
    }
    /// The value of a member.
    fn value(&self, place: usize) -> Option<Range<usize>> {
        let start = *self.names.get(place)?;
        let mut scanner = Scanner::from(&self.document, (start as usize).saturating_sub(1), u64::MAX);
        scanner.string().ok()?;
        scanner.colon().ok()?;
        scanner.value().ok()
    }
    fn find(&self, name: &str) -> Option<Range<usize>> {
        let place = self.lower_bound(name);
        if self.name(*self.names.get(place)?) == name { self.value(place) } else { None }
    }
    fn text(&self, range: Range<usize>) -> Result<Text> {
        Text::new(&self.document.slice(range), &self.limits)
    }

    /// The node at a path.
    ///
    /// # Errors
    /// `Malformed` where a document of it is no text, `Limit`.
    pub(super) fn node(&self, path: &str) -> Result<Option<Node>> {
        match self.version {
            Version::V2 => {
                let [array, attributes, group] = V2_DOCUMENTS.map(|name| self.find(&join(path, name)));
                if array.is_none() && attributes.is_none() && group.is_none() {
                    return Ok(None);
                }
                let text = |range: Option<Range<usize>>| range.map(|range| self.text(range)).transpose();
                Ok(Some(Node::v2(text(array)?, text(attributes)?)))
            }
            Version::V3 => self.find(path).map(|range| self.text(range).map(Node::v3)).transpose(),
        }
    }

    /// What the node at a path is; `None` where there is none. Of version 3 its document is walked over, not parsed.
    pub(super) fn kind(&self, path: &str) -> Option<NodeKind> {
        match self.version {
            Version::V2 if self.find(&join(path, ".zarray")).is_some() => Some(NodeKind::Array),
            Version::V2 => [".zgroup", ".zattrs"].iter().any(|name| self.find(&join(path, name)).is_some()).then_some(NodeKind::Group),
            Version::V3 => self.find(path).map(|value| self.kind_of_document(value)),
        }
    }
    fn kind_of_document(&self, value: Range<usize>) -> NodeKind {
        let mut kind = NodeKind::Array;
        let mut scanner = Scanner::from(&self.document, value.start, u64::MAX);
        let _broken = scanner.members(|scanner, name| {
            let value = scanner.value()?;
            let part = |range| self.document.get(range).unwrap_or_default();
            if part(name) == b"node_type" && part(value) == b"\"group\"" {
                kind = NodeKind::Group;
            }
            Ok(())
        });
        kind
    }

    /// The paths of all nodes with what they are, sorted by name in the document.
    pub(super) fn nodes(&self) -> Vec<(String, NodeKind)> {
        let mut nodes: Vec<(String, NodeKind)> = Vec::new();
        for (place, start) in self.names.iter().enumerate() {
            let name = self.name(*start);
            match self.version {
                Version::V2 => {
                    let (path, document) = name.rsplit_once('/').unwrap_or(("", &name));
                    let kind = if document == ".zarray" { NodeKind::Array } else { NodeKind::Group };
                    match nodes.last_mut() {
                        Some((last, known)) if last == path => {
                            if kind == NodeKind::Array {
                                *known = kind;
                            }
                        }
                        _ => nodes.push((path.to_owned(), kind)),
                    }
                }
                Version::V3 => nodes.push((name.into_owned(), self.value(place).map_or(NodeKind::Array, |value| self.kind_of_document(value)))),
            }
        }
        nodes
    }

    /// The names right below a path, sorted. What is further below is stepped over.
    pub(super) fn children(&self, path: &str) -> Vec<String> {
        let prefix = if path.is_empty() { String::new() } else { join(path, "") };
        let mut children = Vec::new();
        let mut place = self.lower_bound(&prefix);
        while let Some(start) = self.names.get(place) {
            let name = self.name(*start);
            let Some(rest) = name.strip_prefix(&prefix) else { break };
            let child = rest.split('/').next().unwrap_or(rest);
            let is_own_document = self.version == Version::V2 && child.len() == rest.len();
            if is_own_document {
                place = place.saturating_add(1);
                continue;
            }
            if children.last().is_none_or(|last| last != child) {
                children.push(child.to_owned());
            }
            // `0` is what follows `/`: past all that is below the child. The child itself, of version 3, is one member.
            let below = child.len() < rest.len();
            place = if below { self.lower_bound(&format!("{prefix}{child}0")) } else { place.saturating_add(1) };
        }
        children.sort_unstable();
        children.dedup();
        children
    }

    /// Whether any name lies below a path.
    pub(super) fn has_below(&self, path: &str) -> bool {
        let prefix = join(path, "");
        self.names.get(self.lower_bound(&prefix)).is_some_and(|start| self.name(*start).starts_with(&prefix))
    }
}

/// Calls `each` at the value of each member of a document, with its name, and where the name stands with its quotes.
fn walk(document: &Bytes, limits: &Limits, mut each: impl FnMut(&mut Scanner<'_>, &str, Range<usize>) -> Result<()>) -> Result<()> {
    Limits::check("max_metadata_bytes", document.len() as u64, limits.max_metadata_bytes)?;
    let mut scanner = Scanner::new(document, limits.max_json_depth);
    if !scanner.is_object() {
        scanner.value()?;
    }
    scanner.members(|scanner, name| {
        let whole = name.start.saturating_sub(1)..name.end.saturating_add(1);
        let name = unescaped(document.get(name).unwrap_or_default())?;
        each(scanner, &name, whole)
    })?;
    scanner.end()
}

impl Beside {
    /// The outer object without what was walked over: what may be large is not copied along.
    pub(super) fn text(&self, document: &Bytes, limits: &Limits) -> Result<Text> {
        let part = |range: &Range<usize>| document.get(range.clone()).unwrap_or_default();
        let mut out = vec![b'{'];
        for (name, value) in &self.members {
            if out.len() > 1 {
                out.push(b',');
            }
            out.extend_from_slice(part(name));
            out.push(b':');
            out.extend_from_slice(part(value));
        }
        out.push(b'}');
        Text::new(&out.into(), limits)
    }
}
