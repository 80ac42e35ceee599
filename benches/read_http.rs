//! Reading over HTTP from a server in this process whose every answer is late: what counts is that requests go side by side, and that
//! decoding does not wait for the last of them.
//!
//! The `limit` rows are one answer of the server: no read of the network is faster than its latency.

#[path = "common/mod.rs"]
mod common;
#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::time::Duration;

use common::tiff::{Image, Packing};
use common::zarr;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array2, Array3};
use support::server::Server;
use swath::{Session, SessionOptions};

const SIZE: usize = 2048;
const LATENCY: Duration = Duration::from_millis(20);
const WINDOW: std::ops::Range<u64> = 700..1212;

/// A session that fetches and decodes each time.
fn session() -> Session {
    let mut options = SessionOptions::default();
    (options.cache_stored, options.cache_decoded) = (false, false);
    Session::with_options(options).unwrap()
}

fn read_http(c: &mut Criterion) {
    let server = Server::start();
    let pixels = common::terrain_u16(SIZE);
    let image = Image { pixels: pixels.clone(), size: SIZE, tile: 256, element: 2, packing: Packing::Deflate, predictor: 2, overviews: 1 };
    server.put("/image.tif", image.write());
    let array = zarr::Array { elements: pixels, size: SIZE, chunk: 256, element: 2, packing: zarr::Packing::Zstd };
    array.write_v3().into_iter().for_each(|(key, bytes)| server.put(&format!("/plain.zarr/{key}"), bytes));
    array.write_v3_sharded(4).into_iter().for_each(|(key, bytes)| server.put(&format!("/sharded.zarr/{key}"), bytes));
    server.set_latency(LATENCY);

    let session = session();
    let mut group = c.benchmark_group(format!("http, {} ms late", LATENCY.as_millis()));
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    group.bench_function("limit: one answer (opening the cog)", |b| {
        b.iter(|| black_box(session.block_on(session.open_cog(&server.url("/image.tif"))).unwrap()));
    });
    let cog = session.block_on(session.open_cog(&server.url("/image.tif"))).unwrap().level(0).unwrap();
    group.throughput(Throughput::Bytes((SIZE * SIZE * 2) as u64));
    let mut out = Array3::<u16>::zeros((1, SIZE, SIZE));
    group.bench_function("cog, whole", |b| b.iter(|| cog.blocking_read_into(.., out.view_mut()).unwrap()));
    group.throughput(Throughput::Bytes(512 * 512 * 2));
    let mut out = Array3::<u16>::zeros((1, 512, 512));
    group.bench_function("cog, window of 512", |b| b.iter(|| cog.blocking_read_into((.., WINDOW, WINDOW), out.view_mut()).unwrap()));
    for name in ["plain", "sharded"] {
        let open = async || session.open_zarr(&server.url(&format!("/{name}.zarr"))).await.unwrap().array("data").await.unwrap();
        let array = session.block_on(open());
        group.throughput(Throughput::Bytes((SIZE * SIZE * 2) as u64));
        let mut out = Array2::<u16>::zeros((SIZE, SIZE));
        group.bench_function(format!("zarr {name}, whole"), |b| b.iter(|| array.blocking_read_into(.., out.view_mut()).unwrap()));
        group.throughput(Throughput::Bytes(512 * 512 * 2));
        let mut out = Array2::<u16>::zeros((512, 512));
        group.bench_function(format!("zarr {name}, window of 512"), |b| {
            b.iter(|| array.blocking_read_into((WINDOW, WINDOW), out.view_mut()).unwrap())
        });
    }
    group.finish();
}

criterion_group!(benches, read_http);
criterion_main!(benches);
