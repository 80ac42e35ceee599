//! Planning a read: from a region to the places of its chunks and the requests for them. Nothing is fetched; the arrays do not exist.
//!
//! 10^5, 10^6 and 10^7 chunks of a TIFF's table and of a regular Zarr grid; 10^7 are left out where criterion only tests (`--test`), or where
//! `SWATH_BENCH_QUICK` is set. Time is printed a chunk, and so is the most memory that a plan held.

#[path = "../tests/support/heap.rs"]
mod heap;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use heap::{Counting, allocations_of, peak_of};
use swath::model::{
    ArrayMeta, AxisOrder, ChunkGrid, ChunkManifest, ChunkTable, Column, DataType, Dim, FillValue, KeyNames, Missing, ObjectKey, ObjectMap, RawJson,
    Reach, Scaling,
};
use swath::{ChunkedArray, Session};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CHUNK: u64 = 256;

fn meta(across: u64, down: u64, manifest: ChunkManifest) -> ArrayMeta {
    let shape = [down * CHUNK, across * CHUNK];
    let dim = |name: &str, length| Dim { name: name.to_owned(), length };
    ArrayMeta {
        source: ObjectKey::new("file:///plan"),
        dims: vec![dim("y", shape[0]), dim("x", shape[1])],
        grid: ChunkGrid::regular(&shape, &[CHUNK, CHUNK]).unwrap(),
        data_type: DataType::U16,
        fill_value: FillValue::ZERO,
        order: AxisOrder::c(2),
        chains: vec![vec![]],
        manifest,
        scaling: Scaling::default(),
        attributes: RawJson::default(),
    }
}

/// Chunks of about 60 KB one after the other.
fn table(across: u64, down: u64) -> ArrayMeta {
    let (rows, object) = (across * down, ObjectKey::new("file:///plan.tif"));
    let lengths: Arc<[u64]> = (0..rows).map(|i| 60_000 + i % 1000).collect();
    let offsets = lengths.iter().scan(4096, |at, n| Some(std::mem::replace(at, *at + n))).collect();
    let (offsets, lengths) = (Column::Loaded(offsets), Column::Loaded(lengths));
    meta(across, down, ChunkManifest::Table(ChunkTable { object, rows, offsets, lengths, page_rows: rows, reach: Reach::Lengths }))
}

/// An object a chunk.
fn keys(across: u64, down: u64) -> ArrayMeta {
    let objects = ObjectMap::Prefix(ObjectKey::new("file:///plan.zarr/data"));
    let keys = KeyNames { objects, prefix: "c/".to_owned(), separator: '/', scalar: "c".to_owned(), missing: Missing::Fill };
    meta(across, down, ChunkManifest::Keys(keys))
}

fn plan(session: &Session, array: &ChunkedArray) -> usize {
    session.block_on(array.plan(..)).unwrap().chunks
}

fn plans(c: &mut Criterion) {
    let is_quick = std::env::args().any(|argument| argument == "--test") || std::env::var_os("SWATH_BENCH_QUICK").is_some();
    let session = Session::new();
    for (kind, of) in [("tiff table", table as fn(u64, u64) -> ArrayMeta), ("zarr grid", keys)] {
        let mut group = c.benchmark_group(format!("plan {kind}"));
        for down in [100, 1_000, 10_000_u64].into_iter().take(if is_quick { 2 } else { 3 }) {
            let count = down * 1_000;
            let array = session.array(of(1_000, down)).unwrap();
            let ((planned, allocations), peak) = peak_of(|| allocations_of(|| plan(&session, &array)));
            assert_eq!(planned as u64, count);
            eprintln!(
                "{kind}, {count} chunks: {:.1} bytes and {:.3} allocations a chunk",
                peak as f64 / count as f64,
                allocations as f64 / count as f64
            );
            group.throughput(Throughput::Elements(count)).sample_size(10).measurement_time(Duration::from_secs(3));
            group.bench_function(format!("{count} chunks"), |b| b.iter(|| plan(&session, black_box(&array))));
        }
        group.finish();
    }
}

criterion_group!(benches, plans);
criterion_main!(benches);
