//! Finding the nodes below a group by listing, level by level.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::fetch::Fetch;
use super::parser::v2_node;
use super::path::{check_name, join};
use super::store::{Node, NodeKind};
use crate::error::{Error, Result};
use crate::model::{Got, Limits, ObjectKey, ObjectMap, Parser, Step, Want};

/// Groups inside of groups.
const MAX_DEPTH: u32 = 32;

/// Finds all nodes below a group, the group itself not counted. Each level of the hierarchy takes two steps: the lists of its groups, then
/// the documents of what they name. What has no document may still be a group; arrays are not looked into.
#[derive(Debug)]
pub struct ChildrenParser {
    fetch: Fetch,
    /// Lists of this level that are still to come, and the paths they are of.
    lists: HashMap<Want, String>,
    /// Paths of the next level, and the documents that name them.
    next: BTreeSet<String>,
    /// Names of documents of this level.
    documents: Vec<String>,
    nodes: Vec<(String, Node)>,
    depth: u32,
    names: u64,
}

impl ChildrenParser {
    pub(super) fn new(objects: &ObjectMap, path: &str, limits: &Limits) -> Result<Self> {
        check_name(path)?;
        let mut parser = Self {
            fetch: Fetch::new(objects.clone(), limits),
            lists: HashMap::new(),
            next: BTreeSet::new(),
            documents: Vec::new(),
            nodes: Vec::new(),
            depth: 0,
            names: 0,
        };
        parser.list(path)?;
        Ok(parser)
    }

    fn list(&mut self, path: &str) -> Result<()> {
        let prefix = match self.fetch.objects() {
            ObjectMap::Prefix(prefix) if path.is_empty() => prefix.clone(),
            ObjectMap::Prefix(prefix) => ObjectKey::new(format!("{}/{path}", prefix.url())),
            // Of listed names all nodes are known.
            ObjectMap::References(_) => return Ok(()),
        };
        self.lists.insert(Want::List { prefix }, path.to_owned());
        Ok(())
    }

    /// Takes the names below a path.
    fn listed(&mut self, path: &str, names: &[String]) -> Result<()> {
        self.names = self.names.saturating_add(names.len() as u64);
        Limits::check("max_references", self.names, self.fetch.limits().max_references)?;
        for name in names {
            match name.strip_suffix('/') {
                Some(folder) => {
                    let folder = folder.rsplit('/').next().unwrap_or(folder);
                    let below = join(path, folder);
                    check_name(&below)?;
                    self.next.insert(below);
                }
                None => {
                    let name = name.rsplit('/').next().unwrap_or(name);
                    // The group that the walk began at is known.
                    if self.depth > 0 && matches!(name, "zarr.json" | ".zarray" | ".zattrs" | ".zgroup") {
                        self.documents.push(join(path, name));
                    }
                }
            }
        }
        Ok(())
    }

    /// Makes nodes of this level's documents, and leaves what is below arrays out of the next.
    fn finish_level(&mut self) -> Result<()> {
        let paths: BTreeSet<String> =
            self.documents.drain(..).map(|name| name.rsplit_once('/').map_or_else(String::new, |(path, _)| path.to_owned())).collect();
        let mut arrays = HashSet::new();
        for path in paths {
            let node = match self.fetch.text(&join(&path, "zarr.json"))? {
                Some(document) => Some(Node::v3(document)),
                None => v2_node(&self.fetch, &path)?,
            };
            let Some(node) = node else { continue };
            if node.kind() == NodeKind::Array {
                arrays.insert(path.clone());
            }
            self.nodes.push((path, node));
        }
        self.next.retain(|below| below.rsplit_once('/').is_none_or(|(parent, _)| !arrays.contains(parent)));
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_DEPTH && !self.next.is_empty() {
            return Err(Error::limit("depth of groups", u64::from(self.depth), u64::from(MAX_DEPTH)));
        }
        for path in std::mem::take(&mut self.next) {
            self.list(&path)?;
        }
        Ok(())
    }
}

impl Parser for ChildrenParser {
    type Output = Vec<(String, Node)>;
    fn step(&mut self) -> Result<Step<Self::Output>> {
        loop {
            if !self.lists.is_empty() {
                let by_path: BTreeMap<&String, &Want> = self.lists.iter().map(|(want, path)| (path, want)).collect();
                return Ok(Step::Need(by_path.into_values().cloned().collect()));
            }
            let wants = self.fetch.ask(self.documents.iter().cloned())?;
            if !wants.is_empty() {
                return Ok(Step::Need(wants));
            }
            if self.documents.is_empty() && self.next.is_empty() {
                return Ok(Step::Done(std::mem::take(&mut self.nodes)));
            }
            self.finish_level()?;
        }
    }

    fn supply(&mut self, want: &Want, got: Got) -> Result<()> {
        let Want::List { prefix } = want else { return self.fetch.supply(want, &got) };
        let names = match got {
            Got::Names(Some(names)) => names,
            Got::Names(None) => {
                return Err(Error::unsupported("a group without consolidated metadata on a store that cannot list").in_object(prefix.url()));
            }
            Got::Missing => Vec::new(),
            Got::Bytes { .. } => return Err(Error::malformed("bytes in place of a list of names")),
        };
        match self.lists.remove(want) {
            Some(path) => self.listed(&path, &names),
            None => Ok(()),
        }
    }
}
