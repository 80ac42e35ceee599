//! One suite against every store: Azurite, moto's S3, fake-gcs-server and nginx, as `.ci/services run` starts them.

mod common;
mod support;

use common::{Fill, Source, tiff, zarr};
use ndarray::{Array2, Ix2};
use support::services::{BUCKET, Depot, azure_sas, send, service, with_environment};
use swath::format::zarr::{NewArray, Version};
use swath::model::DataType;
use swath::{ErrorKind, Session, SessionOptions};

/// A store as a user names it.
struct Store {
    depot: Depot,
    /// URL of an object or folder below which the depot puts things.
    url: Box<dyn Fn(&str) -> String>,
    anonymous: bool,
    lists: bool,
    /// Whether the last bytes can be asked for: plain HTTP to Azurite gets a Content-Length that is no number.
    ends: bool,
}

impl Store {
    fn new(depot: Depot, url: impl Fn(&str) -> String + 'static) -> Self {
        Self { depot, url: Box::new(url), anonymous: false, lists: true, ends: true }
    }
    /// Nothing is kept: each read asks the store.
    fn session(&self) -> Session {
        let mut options = SessionOptions::default();
        options.threads = 2;
        options.cache_stored = false;
        options.cache_decoded = false;
        options.anonymous = self.anonymous;
        Session::with_options(options).unwrap()
    }
}

const SHAPE: [u64; 2] = [200, 150];
const CHUNK: [u64; 2] = [64, 64];

fn image(seed: u64) -> (Source, Vec<u8>) {
    let source = Source::new(DataType::U16, &[1, SHAPE[0], SHAPE[1]], seed);
    let layout = tiff::Layout { compression: tiff::Compression::Deflate, ..tiff::Layout::default() };
    let file = tiff::write(&source, &[1, CHUNK[0], CHUNK[1]], &layout, &|_| false);
    (source, file)
}

/// An array without its chunk 1, 1.
fn array(version: u8, shards: Option<(Vec<u64>, bool)>) -> (Source, Vec<(String, Vec<u8>)>) {
    let missing = |index: &[u64]| index == [1, 1];
    let mut source = Source::new(DataType::U16, &SHAPE, 7);
    let form = zarr::Form { compression: zarr::Compression::Deflate, shards, ..zarr::Form::new(version, 2) };
    let objects = zarr::write(&source, &CHUNK, &form, Fill::Seven, &missing);
    source.fill(&swath::model::Region::new(vec![64..128, 64..128]), &Fill::Seven.element(&DataType::U16));
    (source, objects)
}

fn kind(error: &swath::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => "not found",
        ErrorKind::Denied(_) => "denied",
        ErrorKind::ObjectChanged { .. } => "changed",
        _ => "other",
    }
}

/// What holds of every store.
fn suite(name: &str, store: &Store) {
    reads_cogs(name, store);
    reads_zarr(name, store);
    tells_a_change(name, store);
    if store.lists {
        lists(name, store);
    }
}

fn reads_cogs(name: &str, store: &Store) {
    let session = store.session();
    let (source, file) = image(1);
    let path = format!("{name}/some scene.tif");
    store.depot.put(&path, &file);
    session.block_on(async {
        let cog = session.open_cog(&(store.url)(&path)).await.unwrap();
        assert_eq!(cog.level(0).unwrap().read_dyn(..).await.unwrap().into_little_endian(), source.bytes, "{name}");
        let error = session.open_cog(&(store.url)(&format!("{name}/nothing.tif"))).await.unwrap_err();
        assert_eq!(kind(&error), "not found", "{name}: {error}");
    });
}

/// Chunks that are missing, indexes at the end of their shard, both versions.
fn reads_zarr(name: &str, store: &Store) {
    let session = store.session();
    for (form, version, shards) in
        [("v2", 2, None), ("v3", 3, None), ("shards", 3, Some((vec![2, 2], false))), ("first", 3, Some((vec![2, 2], true)))]
    {
        if form == "shards" && !store.ends {
            continue;
        }
        let (source, objects) = array(version, shards);
        for (key, bytes) in &objects {
            store.depot.put(&format!("{name}/{form}.zarr/{key}"), bytes);
        }
        session.block_on(async {
            let group = session.open_zarr(&(store.url)(&format!("{name}/{form}.zarr"))).await.unwrap();
            let array = group.array("").await.unwrap();
            assert_eq!(array.read_dyn(..).await.unwrap().into_little_endian(), source.bytes, "{name} {form}");
        });
    }
    let error = session.block_on(session.open_zarr(&(store.url)(&format!("{name}/nothing.zarr")))).unwrap_err();
    assert_eq!(kind(&error), "not found", "{name}: {error}");
}

/// Of a file, and of a shard whose index was read.
fn tells_a_change(name: &str, store: &Store) {
    let session = store.session();
    let path = format!("{name}/changing.tif");
    store.depot.put(&path, &image(1).1);
    session.block_on(async {
        let url = (store.url)(&path);
        let before = session.open_cog(&url).await.unwrap();
        let (source, mut file) = image(2);
        file.push(0); // a validator may be made of size and second
        store.depot.put(&path, &file);
        let error = before.level(0).unwrap().read_dyn(..).await.unwrap_err();
        assert_eq!(kind(&error), "changed", "{name}: {error}");
        let after = session.open_cog(&url).await.unwrap();
        assert_eq!(after.level(0).unwrap().read_dyn(..).await.unwrap().into_little_endian(), source.bytes, "{name}");
    });
}

fn lists(name: &str, store: &Store) {
    let session = store.session();
    store.depot.put(&format!("{name}/group.zarr/zarr.json"), br#"{"zarr_format": 3, "node_type": "group", "attributes": {}}"#);
    for node in ["b/c", "a"] {
        let (_, objects) = array(3, None);
        for (key, bytes) in &objects {
            store.depot.put(&format!("{name}/group.zarr/{node}/{key}"), bytes);
        }
    }
    session.block_on(async {
        let group = session.open_zarr(&(store.url)(&format!("{name}/group.zarr"))).await.unwrap();
        let children: Vec<String> = group.children().await.unwrap().into_iter().map(|child| child.name).collect();
        assert_eq!(children, ["a", "b"], "{name}");
    });
}

fn writes(name: &str, store: &Store) {
    let session = store.session();
    session.block_on(async {
        let url = (store.url)(&format!("{name}/written.zarr"));
        let values = Array2::from_shape_fn((100, 80), |(y, x)| (y * 80 + x) as f32);
        let writer = session.create_zarr(&url, Version::V3).await.unwrap();
        let array = writer.array("data", &NewArray::new([100, 80], DataType::F32, [32, 32]).shards([64, 64])).await.unwrap();
        array.write(.., &values).await.unwrap();
        writer.finish().await.unwrap();
        let back = session.open_zarr(&url).await.unwrap().array("data").await.unwrap();
        assert_eq!(back.read::<f32, Ix2>(..).await.unwrap(), values, "{name}");
    });
}

fn refuses(name: &str, store: &Store) {
    let session = store.session();
    let error = session.block_on(session.open_cog(&(store.url)(&format!("{name}/any.tif")))).unwrap_err();
    assert_eq!(kind(&error), "denied", "{name}: {error}");
}

/// By the account's key and the emulator, both from the environment.
#[test]
fn azure_by_key() {
    let Some(account) = service("SWATH_AZURITE") else { return };
    let endpoint = account.rsplit_once('/').unwrap().0.to_owned();
    if with_environment("azure_by_key", &[("AZURE_STORAGE_USE_EMULATOR", "true"), ("AZURITE_BLOB_STORAGE_URL", &endpoint)]) {
        let store = Store::new(Depot::azure(BUCKET), |path| format!("az://{BUCKET}/{path}"));
        suite("key", &store);
        writes("key", &store);
        let public = format!("{BUCKET}-public");
        let store = Store { anonymous: true, ..Store::new(Depot::azure(&public), move |path| format!("az://{public}/{path}")) };
        suite("anonymous", &store);
    }
}

/// By a container's signature in the URL, and none where the container is public.
#[test]
fn azure_by_url() {
    let Some(account) = service("SWATH_AZURITE") else { return };
    let sas = azure_sas(BUCKET, "rl", 600);
    let url = {
        let account = account.clone();
        move |path: &str| format!("{account}/{BUCKET}/{path}?{sas}")
    };
    suite("sas", &Store { lists: false, ends: false, ..Store::new(Depot::azure(BUCKET), url) });

    let public = format!("{BUCKET}-public");
    let depot = Depot::azure(&public);
    let url = {
        let account = account.clone();
        move |path: &str| format!("{account}/{public}/{path}")
    };
    suite("public", &Store { lists: false, ends: false, ..Store::new(depot, url) });

    let url = {
        let account = account.clone();
        move |path: &str| format!("{account}/{BUCKET}/{path}")
    };
    refuses("unsigned", &Store::new(Depot::azure(BUCKET), url));
    let late = azure_sas(BUCKET, "rl", -60);
    refuses("late", &Store::new(Depot::azure(BUCKET), move |path| format!("{account}/{BUCKET}/{path}?{late}")));
}

#[test]
fn s3() {
    let Some(endpoint) = service("SWATH_S3") else { return };
    let environment = [
        ("AWS_ENDPOINT", &*endpoint),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", "eu-central-1"),
    ];
    if with_environment("s3", &environment) {
        let url = |path: &str| format!("s3://{BUCKET}/{path}");
        let store = Store::new(Depot::S3, url);
        suite("signed", &store);
        writes("signed", &store);
        suite("anonymous", &Store { anonymous: true, lists: false, ..Store::new(Depot::S3, url) });
        let (status, _) = send("PUT", &format!("{endpoint}/{BUCKET}/private/any.tif"), &[], b"II");
        assert_eq!(status, 200);
        refuses("private", &Store { anonymous: true, ..Store::new(Depot::S3, url) });
    }
}

#[test]
fn google() {
    let Some(endpoint) = service("SWATH_GCS") else { return };
    let key = serde_json::json!({"gcs_base_url": endpoint, "disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""});
    if with_environment("google", &[("GOOGLE_SERVICE_ACCOUNT_KEY", &key.to_string())]) {
        suite("google", &Store::new(Depot::Gcs, |path| format!("gs://{BUCKET}/{path}")));
    }
}

#[test]
fn nginx() {
    let Some(server) = service("SWATH_NGINX") else { return };
    for place in ["plain", "late/5/0/0"] {
        let server = server.clone();
        suite("nginx", &Store { lists: false, ..Store::new(Depot::Nginx, move |path| format!("{server}/{place}/{path}")) });
    }
    refuses("nginx", &Store::new(Depot::Nginx, move |path| format!("{server}/denied/{path}")));
}

/// A tenth of all requests is answered 503, all are late: every read succeeds.
#[test]
fn busy_nginx() {
    let Some(server) = service("SWATH_NGINX") else { return };
    let store = Store::new(Depot::Nginx, move |path| format!("{server}/late/20/0/10/{path}"));
    let session = store.session();
    let (source, file) = image(3);
    store.depot.put("busy/image.tif", &file);
    session.block_on(async {
        for _ in 0..50 {
            let array = session.open_cog(&(store.url)("busy/image.tif")).await.unwrap().level(0).unwrap();
            assert_eq!(array.read_dyn(..).await.unwrap().into_little_endian(), source.bytes);
        }
    });
}
