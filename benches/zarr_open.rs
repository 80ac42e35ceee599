//! Opening one array of many by consolidated metadata, beside `serde_json` walking over the same bytes into borrowed raw values.
//!
//! Three sizes: 10,000 arrays (6 MB), 100 MB, and, where `SWATH_BENCH_METADATA_MB` says so, as many megabytes as it says:
//! `SWATH_BENCH_METADATA_MB=1000 cargo bench --bench zarr_open -- large`. The documents are made here and lie in memory. With `--test` all
//! are small.

#[path = "common/mod.rs"]
mod common;

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::metadata;
use criterion::{Criterion, criterion_group, criterion_main};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::value::RawValue;
use swath::{Session, SessionOptions};

/// The walk that opening is held against.
#[derive(serde::Deserialize)]
struct V2<'a> {
    #[serde(borrow)]
    metadata: HashMap<&'a str, &'a RawValue>,
}

fn session(store: &Arc<dyn ObjectStore>, bytes: usize) -> Session {
    let mut options = SessionOptions::default();
    options.cache_stored = false;
    options.limits.max_metadata_bytes = options.limits.max_metadata_bytes.max(bytes as u64 * 2);
    Session::builder(options).with_store("bench://", store.clone()).build().unwrap()
}

fn open(c: &mut Criterion) {
    let is_test = std::env::args().any(|arg| arg == "--test");
    let asked: Option<usize> = std::env::var("SWATH_BENCH_METADATA_MB").ok().and_then(|n| n.parse().ok());
    let large = if is_test { 2 } else { asked.unwrap_or(100) } * 1_000_000 / metadata::BYTES_EACH;
    let many = if is_test { 1_000 } else { 10_000 };
    let mut group = c.benchmark_group("zarr_open");
    for (size, arrays) in [("10,000 arrays", many), ("large", large)] {
        if size == "large" {
            group.sample_size(10).measurement_time(Duration::from_secs(5));
        }
        for version in ["v2", "v3"] {
            let (name, document) = if version == "v2" { (".zmetadata", metadata::v2(arrays)) } else { ("zarr.json", metadata::v3(arrays)) };
            // Raw values must be JSON proper.
            let plain = String::from_utf8(document.clone()).unwrap().replace(":NaN", ":\"NaN\"");
            let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let session = session(&store, document.len());
            let bytes = document.len();
            session.block_on(async { store.put(&Path::from(format!("wide.zarr/{name}")), document.into()).await.unwrap() });
            let path = metadata::path(arrays / 2);
            let one = || session.block_on(async { session.open_zarr("bench://wide.zarr").await.unwrap().array(&path).await.unwrap() });
            let walk = || {
                let text = if version == "v2" { plain.as_str() } else { inside(&plain) };
                serde_json::from_str::<V2<'_>>(text).unwrap().metadata.len()
            };
            let (ours, theirs) = (least(|| drop(black_box(one()))), least(|| assert!(black_box(walk()) > 0)));
            println!(
                "zarr_open, {version}, {size}, {:.1} MB: {:.1} ms, serde_json {:.1} ms, ratio {:.2}",
                bytes as f64 / 1e6,
                ours.as_secs_f64() * 1e3,
                theirs.as_secs_f64() * 1e3,
                ours.as_secs_f64() / theirs.as_secs_f64()
            );
            group.bench_function(format!("{version}, {size}, one array"), |b| b.iter(|| black_box(one())));
            group.bench_function(format!("{version}, {size}, serde_json"), |b| b.iter(|| black_box(walk())));
        }
    }
    group.finish();
}

/// The object that holds `metadata`, of version 3.
fn inside(text: &str) -> &str {
    let start = text.find("{\"kind\"").unwrap();
    &text[start..text.len() - 1]
}

/// The least time of five.
fn least(work: impl Fn()) -> Duration {
    let once = |_| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    (0..5).map(once).min().unwrap()
}

criterion_group!(benches, open);
criterion_main!(benches);
