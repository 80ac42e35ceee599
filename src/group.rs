//! A Zarr hierarchy.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use futures_util::future::{BoxFuture, try_join_all};
use serde_json::Value;

use crate::array::{ChunkedArray, Reopen};
use crate::dataset::{Dataset, OpenStats};
use crate::engine::{DynArray, ReadOptions, Session};
use crate::error::{Error, ErrorKind, Result};
use crate::format::zarr::{Node, NodeKind, Version, ZarrParser, ZarrStore};
use crate::io::Counters;
use crate::model::{ArrayMeta, ObjectKey, ObjectMap, RawJson};

/// A Zarr group or array and what is below it.
///
/// What consolidated metadata tells is known at once, and only what is asked for is parsed; other nodes are fetched when they are asked for.
/// Paths are names between single slashes, relative to the group; the empty path is the group itself. Names that could lead out of the
/// store (`..`, backslashes, control characters, these percent-encoded) are refused.
#[derive(Clone)]
pub struct Group {
    session: Session,
    store: Arc<RwLock<ZarrStore>>,
    source: ObjectKey,
    /// Where in the store it is; empty for the root.
    path: String,
    stats: Arc<Mutex<OpenStats>>,
    /// Arrays made so far, by their paths from the root: the caches know an array by its handle.
    arrays: Arc<Mutex<HashMap<String, ChunkedArray>>>,
    /// Paths of groups below which all was listed.
    walked: Arc<Mutex<HashSet<String>>>,
}

/// A node right below a group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Child {
    /// Its name, which is also its path from the group.
    pub name: String,
    /// Whether it is an array; else it is a group.
    pub is_array: bool,
}

impl Session {
    /// Opens a Zarr group or array, version 2 or 3, at a URL or path. The metadata of both versions are asked for at once; consolidated
    /// metadata is used where there is any.
    ///
    /// # Errors
    /// `NotFound` where there is no Zarr metadata, `Malformed`, `Storage`.
    pub async fn open_zarr(&self, url: &str) -> Result<Group> {
        let object = self.inner.io.object(url)?;
        self.opening(&object, |counters| self.open_folder(object.clone(), counters)).await
    }

    async fn open_folder(&self, object: ObjectKey, counters: Arc<Counters>) -> Result<Group> {
        self.open_hierarchy(ObjectMap::Prefix(object.clone()), object, &counters).await
    }

    /// Opens the hierarchy whose objects are named by a map.
    pub(crate) async fn open_hierarchy(&self, objects: ObjectMap, source: ObjectKey, counters: &Arc<Counters>) -> Result<Group> {
        let named = |e: Error| e.in_object(source.url());
        let parser = ZarrParser::new(objects.clone(), source.clone(), &self.inner.limits).allow_references(self.inner.allowed_references.clone());
        let store = match self.drive(parser, counters).await {
            Err(e) if e.is_not_found() && self.may_walk(&objects) => {
                // A root without documents of its own may still have nodes below it.
                let mut store = ZarrStore::unknown(objects, source.clone());
                let walk = store.children_parser("", &self.inner.limits)?;
                for (path, node) in self.drive(walk, counters).await.map_err(named)? {
                    store.insert(&path, node)?;
                }
                if store.is_empty() {
                    return Err(named(e));
                }
                store.set_complete();
                store
            }
            store => store.map_err(named)?,
        };
        Ok(Group {
            session: self.clone(),
            store: Arc::new(RwLock::new(store)),
            source,
            path: String::new(),
            stats: Arc::new(Mutex::new(OpenStats::of(counters))),
            arrays: Arc::default(),
            walked: Arc::default(),
        })
    }

    /// Whether looking through all names costs no requests: those of a local folder or of a list.
    fn may_walk(&self, objects: &ObjectMap) -> bool {
        match objects {
            ObjectMap::Prefix(prefix) => self.inner.io.is_local_directory(prefix),
            ObjectMap::References(_) => true,
        }
    }
}

impl Group {
    pub(crate) fn known<R>(&self, f: impl FnOnce(&ZarrStore) -> R) -> R {
        f(&self.store.read().unwrap_or_else(PoisonError::into_inner))
    }
    /// The path from the root of the store.
    pub(crate) fn absolute(&self, path: &str) -> String {
        let path = path.trim_matches('/');
        match (self.path.as_str(), path) {
            ("", path) => path.to_owned(),
            (own, "") => own.to_owned(),
            (own, path) => format!("{own}/{path}"),
        }
    }
    fn named(&self, path: &str) -> String {
        if path.is_empty() { self.source.url().to_owned() } else { format!("{}/{path}", self.source.url()) }
    }

    /// Where the root of the store is.
    #[must_use]
    pub fn source(&self) -> &ObjectKey {
        &self.source
    }
    /// Its path from the root of the store; empty for the root.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
    /// The version of its root, for people.
    #[must_use]
    pub fn format(&self) -> &'static str {
        match self.known(ZarrStore::version) {
            Some(Version::V2) => "zarr v2",
            Some(Version::V3) => "zarr v3",
            None => "zarr",
        }
    }
    /// What opening it cost so far, nodes that were found later among it.
    #[must_use]
    pub fn open_stats(&self) -> OpenStats {
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// The same group, whose lookups and arrays' reads may cost this from now on.
    #[must_use]
    pub fn with_options(&self, options: ReadOptions) -> Self {
        Self { session: self.session.with_read_options(options), ..self.clone() }
    }
    /// Opens the group as it is now, past the caches, which forget what they hold of the arrays that were read. This handle stays as it is.
    ///
    /// # Errors
    /// As [`Session::open`]; `NotFound`, or `Usage`, where the group is none any more.
    pub async fn reopen(&self) -> Result<Self> {
        self.session.opening(&self.source, |counters| self.opened_again(counters)).await
    }
    async fn opened_again(&self, counters: Arc<Counters>) -> Result<Self> {
        self.made().values().for_each(ChunkedArray::forget_chunks);
        self.session.forget_object(&self.source).await?;
        let source = self.source.with_version(None);
        let root = match self.known(|store| matches!(store.objects(), ObjectMap::Prefix(_))) {
            true => self.session.open_folder(source, counters.clone()).await?,
            false => match self.session.open_object(source, counters.clone()).await? {
                Dataset::Group(root) => root,
                Dataset::Cog(_) => return Err(Error::usage("no Zarr any more").in_object(self.source.url())),
            },
        };
        if self.path.is_empty() { Ok(root) } else { root.find_group(&self.path, &counters).await }
    }
    /// Runs a lookup, with the deadline and the caps of this handle.
    async fn lookup<T, F>(&self, work: impl FnOnce(Arc<Counters>) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let counted = |counters: Arc<Counters>| {
            let found = work(counters.clone());
            async move {
                let found = found.await;
                self.stats.lock().unwrap_or_else(PoisonError::into_inner).add(&OpenStats::of(&counters));
                found
            }
        };
        self.session.opening(&self.source, counted).await
    }
    /// Whether all nodes are known: by consolidated metadata, because they were listed, or because the root is an array.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.known(ZarrStore::is_complete)
    }
    /// Whether all that is below this group is known.
    fn is_listed(&self) -> bool {
        let walked = self.walked.lock().unwrap_or_else(PoisonError::into_inner);
        let holds =
            |above: &String| self.path.strip_prefix(above.as_str()).is_some_and(|rest| above.is_empty() || rest.is_empty() || rest.starts_with('/'));
        walked.iter().any(holds) || self.is_complete()
    }
    /// The paths of the arrays that are known, sorted: all of them where metadata is consolidated. The group's own is empty.
    #[must_use]
    pub fn known_arrays(&self) -> Vec<String> {
        let arrays = self.known(ZarrStore::arrays);
        if self.path.is_empty() {
            return arrays;
        }
        let below = |path: String| match path.strip_prefix(&self.path)? {
            "" => Some(String::new()),
            rest => rest.strip_prefix('/').map(str::to_owned),
        };
        arrays.into_iter().filter_map(below).collect()
    }
    /// The paths of all arrays below, sorted; lists the store where the metadata is not consolidated.
    ///
    /// # Errors
    /// `Unsupported` where the store cannot list; `Malformed`, `Storage`.
    pub async fn arrays(&self) -> Result<Vec<String>> {
        if !self.is_listed() {
            self.lookup(|counters| self.walk(counters)).await?;
        }
        Ok(self.known_arrays())
    }
    async fn walk(&self, counters: Arc<Counters>) -> Result<()> {
        let walk = self.known(|store| store.children_parser(&self.path, &self.session.inner.limits))?;
        let found = self.session.drive(walk, &counters).await.map_err(|e| e.in_object(self.source.url()))?;
        let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
        for (path, node) in found {
            store.insert(&path, node)?;
        }
        if self.path.is_empty() {
            store.set_complete();
        }
        drop(store);
        self.walked.lock().unwrap_or_else(PoisonError::into_inner).insert(self.path.clone());
        Ok(())
    }
    /// What is right below the group, sorted by name; lists the store where the metadata is not consolidated.
    ///
    /// # Errors
    /// `Unsupported` where the store cannot list; `Malformed`, `Storage`.
    pub async fn children(&self) -> Result<Vec<Child>> {
        if !self.is_listed() {
            self.arrays().await?;
        }
        let children = self.known(|store| store.children(&self.path));
        Ok(children.into_iter().map(|(name, kind)| Child { name, is_array: kind == NodeKind::Array }).collect())
    }
    /// The group at a path from here. Fetches the documents of a node that is not known; a group without documents of its own is one
    /// if something is known, or listed, to be below it.
    ///
    /// # Errors
    /// `NotFound`; `Usage` where it is an array; `Malformed`, `Storage`.
    pub async fn group(&self, path: &str) -> Result<Self> {
        let path = self.absolute(path);
        self.lookup(|counters| async move { self.find_group(&path, &counters).await }).await
    }
    async fn find_group(&self, path: &str, counters: &Arc<Counters>) -> Result<Self> {
        let path = path.to_owned();
        let kind = match self.known(|store| store.kind_of(&path)) {
            None if !self.is_complete() => self.find(&path, counters).await?.map(|node| node.kind()),
            kind => kind,
        };
        match kind {
            Some(NodeKind::Group) => Ok(Self { path, ..self.clone() }),
            Some(NodeKind::Array) => Err(Error::usage("an array, not a group").in_object(&self.named(&path))),
            None => Err(Error::not_found(&self.named(&path))),
        }
    }
    /// Asks the store for the node at a path from the root, and keeps it.
    async fn find(&self, path: &str, counters: &Arc<Counters>) -> Result<Option<Node>> {
        let parser = self.known(|store| store.node_parser(path, &self.session.inner.limits))?;
        let node = self.session.drive(parser, counters).await.map_err(|e| e.in_object(self.source.url()))?;
        if let Some(node) = &node {
            self.store.write().unwrap_or_else(PoisonError::into_inner).insert(path, node.clone())?;
        }
        Ok(node)
    }
    /// An array by its path from here; an empty path is the group's own node. Fetches the documents of a node that is not known.
    ///
    /// # Errors
    /// `NotFound`; `Usage` where it is a group; `Malformed`, `Unsupported`, `Limit`, `Storage`.
    pub async fn array(&self, path: &str) -> Result<ChunkedArray> {
        let path = self.absolute(path);
        let array = match self.known_array(&path)? {
            Some(array) => array,
            None => self.lookup(|counters| self.find_array(&path, counters)).await?,
        };
        Ok(array.with_origin(InGroup { group: self.clone(), path }))
    }
    /// An array that can be had without asking the store.
    fn known_array(&self, path: &str) -> Result<Option<ChunkedArray>> {
        if let Some(array) = self.made().get(path) {
            return Ok(Some(array.sharing_options(&self.session.read)));
        }
        if !self.known(|store| store.is_complete() || store.has(path)) {
            return Ok(None);
        }
        self.make(path, self.known(|store| store.array(path, &self.session.inner.limits))?).map(Some)
    }
    async fn find_array(&self, path: &str, counters: Arc<Counters>) -> Result<ChunkedArray> {
        let node = self.find(path, &counters).await?.ok_or_else(|| Error::not_found(&self.named(path)))?;
        self.make(path, self.known(|store| store.array_of(path, &node, &self.session.inner.limits))?)
    }
    fn made(&self) -> MutexGuard<'_, HashMap<String, ChunkedArray>> {
        self.arrays.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn make(&self, path: &str, meta: ArrayMeta) -> Result<ChunkedArray> {
        let array = self.session.array(meta)?;
        // Of two that were made at once the first stays.
        Ok(self.made().entry(path.to_owned()).or_insert(array).sharing_options(&self.session.read))
    }
    /// The coordinates of the variables right in this group, by name, all fetched at once: arrays of one axis that are named as it is, and
    /// what the attribute `coordinates` of the group or of an array names (CF 1.11, section 5). Values are as stored.
    ///
    /// # Errors
    /// `Unsupported` where the metadata is not consolidated and the store cannot list; what reading one of them may fail with. Arrays that
    /// cannot be understood are left out.
    pub async fn coordinates(&self) -> Result<BTreeMap<String, DynArray>> {
        let arrays = self.coordinate_arrays().await?;
        let read = arrays.into_iter().map(|(name, array)| async move { array.read_dyn(..).await.map(|values| (name, values)) });
        Ok(try_join_all(read).await?.into_iter().collect())
    }
    /// The arrays whose values [`coordinates`](Self::coordinates) gives, by name; reads none of them.
    ///
    /// # Errors
    /// `Unsupported` where the metadata is not consolidated and the store cannot list; `Malformed`, `Storage`.
    pub async fn coordinate_arrays(&self) -> Result<BTreeMap<String, ChunkedArray>> {
        let mut arrays = BTreeMap::new();
        for child in self.children().await?.into_iter().filter(|child| child.is_array) {
            match self.array(&child.name).await {
                Ok(array) => drop(arrays.insert(child.name, array)),
                Err(e) if matches!(e.kind(), ErrorKind::Unsupported(_) | ErrorKind::Malformed(_) | ErrorKind::Limit { .. }) => {}
                Err(e) => return Err(e),
            }
        }
        let mut names: HashSet<String> = HashSet::new();
        let own = self.attributes("").unwrap_or_default();
        for attributes in arrays.values().map(ChunkedArray::attributes).chain([&own]) {
            if let Some(Value::String(list)) = attributes.get("coordinates") {
                names.extend(list.split_whitespace().map(str::to_owned));
            }
        }
        arrays.retain(|name, array| names.contains(name) || matches!(array.dims(), [only] if only.name == *name));
        Ok(arrays)
    }
    /// Whether a known path is an array (`true`) or a group (`false`).
    #[must_use]
    pub fn is_array(&self, path: &str) -> Option<bool> {
        self.known(|store| store.kind_of(&self.absolute(path))).map(|kind| kind == NodeKind::Array)
    }
    /// The attributes of a known node.
    ///
    /// # Errors
    /// `NotFound` where it is not known, `Malformed` where its documents are.
    pub fn attributes(&self, path: &str) -> Result<RawJson> {
        self.known(|store| store.attributes(&self.absolute(path)))
    }
}

/// An array of a hierarchy, as it can be had again.
struct InGroup {
    group: Group,
    /// From the root.
    path: String,
}

impl Reopen for InGroup {
    fn reopen(&self, counters: Arc<Counters>) -> BoxFuture<'_, Result<ChunkedArray>> {
        let opened = async move {
            let root = Group { path: String::new(), ..self.group.clone() };
            let root = root.opened_again(counters.clone()).await?;
            match root.known_array(&self.path)? {
                Some(array) => Ok(array),
                None => root.find_array(&self.path, counters).await,
            }
        };
        Box::pin(opened)
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({} {})", self.named(&self.path), self.format())
    }
}
