//! Reading local images: whole, windows, overviews and bands, beside what no reader can be faster than.
//!
//! `limit` rows decompress (or copy) the same chunks on one thread into memory that is already touched; `read` rows use the session's
//! threads. Divide by the threads to compare.

#[path = "common/mod.rs"]
mod common;

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use common::limits::Limit;
use common::tiff::{Bands, Image, Packing};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::Array3;
use swath::{Element, Session, SessionOptions};

const SIZE: usize = 2048;
const WINDOW: std::ops::Range<u64> = 700..1212;

/// A session that decodes each time: it keeps no decoded chunk.
fn session(threads: usize) -> Session {
    let mut options = SessionOptions::default();
    options.cache_decoded = false;
    options.threads = threads;
    Session::with_options(options).unwrap()
}

fn group<'a>(c: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(name);
    group.sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    group
}

fn image<T: Element>(c: &mut Criterion, folder: &Path, name: &str, image: &Image, zero: T) {
    let path = folder.join(name).with_extension("tif");
    std::fs::write(&path, image.write()).unwrap();
    let mut group = group(c, name);
    let mut limit = Limit::of(image);
    group.throughput(Throughput::Bytes(limit.bytes()));
    group.bench_function("limit, one thread", |b| b.iter(|| black_box(limit.run())));
    for threads in [1, 2] {
        let session = session(threads);
        let cog = session.block_on(session.open_cog(path.to_str().unwrap())).unwrap();
        let mut out = Array3::from_elem((1, SIZE, SIZE), zero);
        let full = cog.level(0).unwrap();
        group.bench_function(format!("whole, {threads} threads"), |b| b.iter(|| full.blocking_read_into(.., out.view_mut()).unwrap()));
    }
    let session = session(2);
    let cog = session.block_on(session.open_cog(path.to_str().unwrap())).unwrap();
    let (full, overview) = (cog.level(0).unwrap(), cog.level(1).unwrap());
    group.bench_function("whole, 2 threads, new memory", |b| b.iter(|| black_box(session.block_on(full.read_dyn(..)).unwrap())));
    let mut out = Array3::from_elem((1, 512, 512), zero);
    group.throughput(Throughput::Bytes(out.len() as u64 * image.element as u64));
    group.bench_function("window of 512", |b| b.iter(|| full.blocking_read_into((.., WINDOW, WINDOW), out.view_mut()).unwrap()));
    let mut out = Array3::from_elem((1, SIZE / 2, SIZE / 2), zero);
    group.throughput(Throughput::Bytes(out.len() as u64 * image.element as u64));
    group.bench_function("overview", |b| b.iter(|| overview.blocking_read_into(.., out.view_mut()).unwrap()));
    group.finish();
}

/// One band of three: of pixel-interleaved tiles all are decoded, of planar ones its own.
fn bands(c: &mut Criterion, folder: &Path, name: &str, image: &Image, bands: Bands) {
    let path = folder.join(name).with_extension("tif");
    std::fs::write(&path, image.write_bands(bands)).unwrap();
    let mut group = group(c, name);
    let session = session(1);
    let cog = session.block_on(session.open_cog(path.to_str().unwrap())).unwrap();
    let full = cog.level(0).unwrap();
    for (name, range) in [("whole, 1 threads", 0..3), ("one band, 1 threads", 1..2_u64)] {
        let mut out = Array3::from_elem((range.clone().count(), SIZE, SIZE), 0_u8);
        group.throughput(Throughput::Bytes(out.len() as u64));
        group.bench_function(name, |b| b.iter(|| full.blocking_read_into((range.clone(), .., ..), out.view_mut()).unwrap()));
    }
    group.finish();
}

fn read_local(c: &mut Criterion) {
    let folder = common::scratch("read-local");
    let u16s = Image { pixels: common::terrain_u16(SIZE), size: SIZE, tile: 256, element: 2, packing: Packing::None, predictor: 1, overviews: 1 };
    let f32s = Image { pixels: common::terrain_f32(SIZE), element: 4, ..u16s.clone() };
    image(c, &folder, "u16 none", &u16s, 0_u16);
    image(c, &folder, "u16 deflate predictor 2", &Image { packing: Packing::Deflate, predictor: 2, ..u16s }, 0_u16);
    image(c, &folder, "f32 zstd predictor 3", &Image { packing: Packing::Zstd, predictor: 3, ..f32s.clone() }, 0_f32);
    let rgb = Image { pixels: common::terrain_rgb(SIZE), element: 1, packing: Packing::Deflate, predictor: 2, overviews: 0, ..f32s };
    bands(c, &folder, "u8 rgb deflate predictor 2, pixels", &rgb, Bands::Interleaved(3));
    bands(c, &folder, "u8 rgb deflate predictor 2, planes", &rgb, Bands::Planar(3));

    let mut group = group(c, "memory");
    let (from, mut to) = (vec![1_u8; 32 << 20], vec![2_u8; 32 << 20]);
    group.throughput(Throughput::Bytes(from.len() as u64));
    group.bench_function("memcpy of 32 MiB", |b| b.iter(|| black_box(&mut to).copy_from_slice(black_box(&from))));
    group.finish();
}

criterion_group!(benches, read_local);
criterion_main!(benches);
