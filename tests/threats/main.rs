//! What an attacker sends, by the threats of `docs/security.md`: an answer or an error, never another's bytes, a panic or a hang.

#[path = "../common/mod.rs"]
mod common;
#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "not all of it is used here")]
mod support;

mod attacks;
mod deep;
mod errors;
mod names;
mod numbers;
mod origins;
mod page;
mod sizes;
mod sums;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use object_store::memory::InMemory;
use swath::{ChunkedArray, Dataset, DynArray, ErrorKind, Result, Session, SessionOptions};

/// What objects of the tests begin with.
const STORE: &str = "own://";

/// A store in memory, and a session that reads it.
struct World {
    store: Arc<InMemory>,
    session: Session,
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut SessionOptions)) -> Self {
        let mut options = SessionOptions::default();
        (options.threads, options.cache_decoded) = (1, false);
        change(&mut options);
        let store = Arc::new(InMemory::new());
        let session = Session::builder(options).with_store(STORE, store.clone()).build().unwrap();
        Self { store, session }
    }

    fn put(&self, name: &str, bytes: impl Into<Vec<u8>>) {
        common::store::put(&self.store, name, bytes.into());
    }

    fn url(&self, name: &str) -> String {
        format!("{STORE}{name}")
    }

    /// Opens an object and looks at all of it: see [`look`].
    fn look(&self, name: &str) -> Result<Vec<Result<DynArray>>> {
        look(&self.session, &self.url(name))
    }

    /// Reads the first element of the array at a name. That a thread panicked is no answer.
    fn first(&self, name: &str) -> Result<DynArray> {
        let read = self.session.block_on(async { corner(&self.session.open_zarr(&self.url(name)).await?.array("").await?).await });
        if let Err(error) = &read {
            assert!(!matches!(error.kind(), ErrorKind::Panicked(_)), "{name}: {error}");
        }
        read
    }
}

/// Opens what is at a URL, and reads the first element of each array, level, mask and directory of it. That a thread panicked is no answer.
fn look(session: &Session, url: &str) -> Result<Vec<Result<DynArray>>> {
    let looked = session.block_on(async {
        let mut found = Vec::new();
        match session.open(url).await? {
            Dataset::Cog(cog) => {
                for level in 0..cog.level_count() {
                    found.push(read_corner(cog.level(level)).await);
                    if let Some(mask) = cog.mask(level).transpose() {
                        found.push(read_corner(mask).await);
                    }
                }
                for path in cog.directories() {
                    found.push(read_corner(cog.directory(&path)).await);
                }
                let _ = (cog.crs(), cog.transform(0), cog.bounds(), cog.nodata(), cog.metadata(), cog.pixel(0, 1.0, 1.0), cog.control_points());
                let _ = (cog.region_of(0, [0.0, 0.0, 1.0, 1.0]), cog.level_for(1.0), cog.rpc());
            }
            Dataset::Group(group) => {
                let paths = if group.is_array("") == Some(true) { vec![String::new()] } else { group.arrays().await? };
                for path in paths {
                    found.push(read_corner(group.array(&path).await).await);
                    let _ = (group.packing(&path).await, group.time_units(&path).await, group.georeference(&path).await);
                }
                let _ = group.pyramid(None).await;
            }
            other => panic!("{other:?}"),
        }
        Ok(found)
    });
    let errors = match &looked {
        Ok(found) => found.iter().filter_map(|r| r.as_ref().err()).collect(),
        Err(error) => vec![error],
    };
    for error in errors {
        assert!(!matches!(error.kind(), ErrorKind::Panicked(_)), "{url}: {error}");
    }
    looked
}

async fn read_corner(array: Result<ChunkedArray>) -> Result<DynArray> {
    corner(&array?).await
}

/// The first element.
async fn corner(array: &ChunkedArray) -> Result<DynArray> {
    let region = array.shape().iter().map(|n| 0..(*n).min(1)).collect();
    array.read_dyn(swath::model::Region::new(region)).await
}

/// A folder that is removed when the test is over.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("swath-threats-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The document of an array of version 3 of these members, those of a plain array of 4 bytes where nothing else is said.
fn v3(changes: &[(&str, &str)]) -> String {
    let plain = [
        ("zarr_format", "3"),
        ("node_type", r#""array""#),
        ("shape", "[4]"),
        ("data_type", r#""uint8""#),
        ("chunk_grid", r#"{"name":"regular","configuration":{"chunk_shape":[4]}}"#),
        ("chunk_key_encoding", r#"{"name":"default"}"#),
        ("fill_value", "0"),
        ("codecs", r#"[{"name":"bytes"}]"#),
    ];
    object(&plain, changes)
}

/// As [`v3`], of version 2.
fn v2(changes: &[(&str, &str)]) -> String {
    let plain = [
        ("zarr_format", "2"),
        ("shape", "[4]"),
        ("chunks", "[4]"),
        ("dtype", r#""|u1""#),
        ("compressor", "null"),
        ("filters", "null"),
        ("order", r#""C""#),
        ("fill_value", "0"),
    ];
    object(&plain, changes)
}

fn object(plain: &[(&str, &str)], changes: &[(&str, &str)]) -> String {
    let kept = plain.iter().filter(|(name, _)| !changes.iter().any(|(n, _)| n == name));
    let members: Vec<String> = kept.chain(changes).map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}
