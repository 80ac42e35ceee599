//! Reading local Zarr: whole arrays, one thread and two, and windows, beside what no reader can be faster than.
//!
//! `limit` rows decompress (or copy) the same chunks on one thread into memory that is already touched. `benches/peers` has the other readers.

#[path = "common/mod.rs"]
mod common;

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use common::limits::Limit;
use common::zarr::{self, Array, Objects, Packing};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ndarray::Array2;
use swath::{ChunkedArray, Session, SessionOptions};

const SIZE: usize = 2048;
const WINDOW: std::ops::Range<u64> = 700..1212;

/// A session that decodes each time: it keeps no decoded chunk.
fn session(threads: usize) -> Session {
    let mut options = SessionOptions::default();
    options.cache_decoded = false;
    options.threads = threads;
    Session::with_options(options).unwrap()
}

fn array(session: &Session, path: &Path) -> ChunkedArray {
    session.block_on(async { session.open_zarr(path.to_str().unwrap()).await.unwrap().array("data").await.unwrap() })
}

fn store(c: &mut Criterion, folder: &Path, name: &str, source: &Array, objects: &Objects) {
    let path = folder.join(name);
    zarr::to_folder(objects, &path);
    let mut group = c.benchmark_group(name);
    group.sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    let mut limit = Limit::of_array(source);
    group.throughput(Throughput::Bytes(limit.bytes()));
    group.bench_function("limit, one thread", |b| b.iter(|| black_box(limit.run())));
    for threads in [1, 2] {
        let session = session(threads);
        let array = array(&session, &path);
        let mut out = Array2::<f32>::zeros((SIZE, SIZE));
        group.bench_function(format!("whole, {threads} threads"), |b| b.iter(|| array.blocking_read_into(.., out.view_mut()).unwrap()));
    }
    let session = session(2);
    let array = array(&session, &path);
    let mut out = Array2::<f32>::zeros((512, 512));
    group.throughput(Throughput::Bytes(out.len() as u64 * 4));
    group.bench_function("window of 512", |b| b.iter(|| array.blocking_read_into((WINDOW, WINDOW), out.view_mut()).unwrap()));
    group.finish();
}

fn zarr_read(c: &mut Criterion) {
    let folder = common::scratch("zarr-read");
    let none = Array { elements: common::terrain_f32(SIZE), size: SIZE, chunk: 256, element: 4, packing: Packing::None };
    store(c, &folder, "v3 f32 none", &none, &none.write_v3());
    let zstd = Array { packing: Packing::Zstd, ..none.clone() };
    store(c, &folder, "v3 f32 zstd", &zstd, &zstd.write_v3());
    store(c, &folder, "v3 f32 zstd sharded", &zstd, &zstd.write_v3_sharded(4));
    let blosc = Array { packing: Packing::BloscZstd, ..none };
    store(c, &folder, "v2 f32 blosc zstd", &blosc, &blosc.write_v2());
}

criterion_group!(benches, zarr_read);
criterion_main!(benches);
