//! A Zarr hierarchy.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::array::ChunkedArray;
use crate::dataset::OpenStats;
use crate::engine::Session;
use crate::error::{Error, Result};
use crate::format::zarr::{NodeKind, Version, ZarrParser, ZarrStore};
use crate::io::Counters;
use crate::model::{ArrayMeta, ObjectKey, ObjectMap, RawJson};

/// A Zarr group or array and what is below it.
///
/// What consolidated metadata tells is known at once; other nodes are fetched when they are asked for.
#[derive(Clone)]
pub struct Group {
    session: Session,
    store: Arc<RwLock<ZarrStore>>,
    source: ObjectKey,
    counters: Arc<Counters>,
    /// Arrays made so far, by their paths: the caches know an array by its handle.
    arrays: Arc<Mutex<HashMap<String, ChunkedArray>>>,
}

impl Session {
    /// Opens a Zarr group or array, version 2 or 3, at a URL or path. The metadata of both versions are asked for at once; consolidated
    /// metadata is used where there is any.
    ///
    /// # Errors
    /// `NotFound` where there is no Zarr metadata, `Malformed`, `Storage`.
    pub async fn open_zarr(&self, url: &str) -> Result<Group> {
        let object = self.inner.io.object(url)?;
        self.open_hierarchy(ObjectMap::Prefix(object.clone()), object, &Arc::default()).await
    }

    /// Opens the hierarchy whose objects are named by a map.
    pub(crate) async fn open_hierarchy(&self, objects: ObjectMap, source: ObjectKey, counters: &Arc<Counters>) -> Result<Group> {
        let named = |e: Error| e.in_object(source.url());
        let parser = ZarrParser::new(objects.clone(), source.clone(), &self.inner.limits);
        let store = match self.drive(parser, counters).await {
            Err(e) if e.is_not_found() && self.may_walk(&objects) => {
                // A root without documents of its own may still have nodes below it.
                let mut store = ZarrStore::unknown(objects, source.clone());
                let walk = store.children_parser("", &self.inner.limits)?;
                for (path, node) in self.drive(walk, counters).await.map_err(named)? {
                    store.insert(&path, node)?;
                }
                if store.paths().next().is_none() {
                    return Err(named(e));
                }
                store.set_complete();
                store
            }
            store => store.map_err(named)?,
        };
        Ok(Group { session: self.clone(), store: Arc::new(RwLock::new(store)), source, counters: counters.clone(), arrays: Arc::default() })
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
    fn known<R>(&self, f: impl FnOnce(&ZarrStore) -> R) -> R {
        f(&self.store.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where it is.
    #[must_use]
    pub fn source(&self) -> &ObjectKey {
        &self.source
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
        OpenStats::of(&self.counters)
    }
    /// The paths of the arrays that are known, sorted: all of them where metadata is consolidated. The root's own is empty.
    #[must_use]
    pub fn known_arrays(&self) -> Vec<String> {
        self.known(|store| store.arrays().map(str::to_owned).collect())
    }
    /// The paths of all arrays, sorted; lists the store where the metadata is not consolidated.
    ///
    /// # Errors
    /// `Unsupported` where the store cannot list; `Malformed`, `Storage`.
    pub async fn arrays(&self) -> Result<Vec<String>> {
        if !self.known(ZarrStore::is_complete) {
            let walk = self.known(|store| store.children_parser("", &self.session.inner.limits))?;
            let found = self.session.drive(walk, &self.counters).await.map_err(|e| e.in_object(self.source.url()))?;
            let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
            for (path, node) in found {
                store.insert(&path, node)?;
            }
            store.set_complete();
        }
        Ok(self.known_arrays())
    }
    /// An array by its path from here, without a leading slash; an empty path is the root itself. Fetches the documents of a node that is
    /// not known.
    ///
    /// # Errors
    /// `NotFound`; `Usage` where it is a group; `Malformed`, `Unsupported`, `Limit`, `Storage`.
    pub async fn array(&self, path: &str) -> Result<ChunkedArray> {
        let limits = &self.session.inner.limits;
        let path = path.trim_matches('/');
        if let Some(array) = self.made().get(path) {
            return Ok(array.clone());
        }
        if self.known(|store| store.node(path).is_some() || store.is_complete()) {
            return self.make(path, self.known(|store| store.array(path, limits))?);
        }
        let parser = self.known(|store| store.node_parser(path, limits))?;
        let node = self.session.drive(parser, &self.counters).await.map_err(|e| e.in_object(self.source.url()))?;
        let node = node.ok_or_else(|| Error::not_found(&format!("{}/{path}", self.source.url())))?;
        let meta = self.known(|store| store.array_of(path, &node, limits))?;
        self.store.write().unwrap_or_else(PoisonError::into_inner).insert(path, node)?;
        self.make(path, meta)
    }
    fn made(&self) -> MutexGuard<'_, HashMap<String, ChunkedArray>> {
        self.arrays.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn make(&self, path: &str, meta: ArrayMeta) -> Result<ChunkedArray> {
        let array = self.session.array(meta)?;
        // Of two that were made at once the first stays.
        Ok(self.made().entry(path.to_owned()).or_insert(array).clone())
    }
    /// Whether a known path is an array (`true`) or a group (`false`).
    #[must_use]
    pub fn is_array(&self, path: &str) -> Option<bool> {
        self.known(|store| store.kind_of(path)).map(|kind| kind == NodeKind::Array)
    }
    /// The attributes of a known node.
    ///
    /// # Errors
    /// `NotFound` where it is not known, `Malformed` where its documents are.
    pub fn attributes(&self, path: &str) -> Result<RawJson> {
        self.known(|store| store.attributes(path))
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({} {}, {} arrays known)", self.source, self.format(), self.known_arrays().len())
    }
}
