//! What a host in trouble costs: 1,000 tiles from a server that is 20 ms late, and from one that also answers 503 to one request in ten.
//!
//! The ratio of the two is printed behind them. It can be 0.9 at most, as a tenth of the answers is of no use; the rest is the wait of the
//! last ones before they are sent again. A host's window stays as it is where repeating makes up for what fails.

#[path = "common/mod.rs"]
mod common;
#[path = "../tests/support/mod.rs"]
mod support;

use std::cell::RefCell;
use std::time::{Duration, Instant};

use common::tiff::{Image, Packing};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::stream::{self, StreamExt};
use support::server::{Fault, Server, When};
use swath::{Session, SessionOptions};

const SIZE: usize = 512;
const TILE: u64 = 16;
const ACROSS: u64 = SIZE as u64 / TILE;
const READS: u64 = 1_000;
/// Readers at once: more than a host's window, as a server of tiles has them.
const READERS: usize = 64;
const LATENCY: Duration = Duration::from_millis(20);

/// The median of what one run took.
fn run(group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>, name: &str, faults: bool) -> f64 {
    let image = Image { pixels: common::terrain_u16(SIZE), size: SIZE, tile: 16, element: 2, packing: Packing::None, predictor: 1, overviews: 0 };
    let server = Server::start();
    server.put("/image.tif", image.write());
    server.set_latency(LATENCY);
    let mut options = SessionOptions::default();
    options.cache_bytes = 0;
    let session = Session::with_options(options).unwrap();
    let array = session.block_on(session.open_cog(&server.url("/image.tif"))).unwrap().level(0).unwrap();
    if faults {
        server.fault_when("/image.tif", When::Every(10), Fault::Status(503));
    }
    let times = RefCell::new(Vec::new());
    group.bench_function(name, |b| {
        b.iter_custom(|runs| {
            let start = Instant::now();
            for _ in 0..runs {
                let of_one = Instant::now();
                let reads = stream::iter(0..READS).map(|tile| {
                    let (y, x) = (tile / ACROSS * TILE, tile % ACROSS * TILE);
                    array.read_dyn((.., y..y + TILE, x..x + TILE))
                });
                let good = reads.buffer_unordered(READERS).filter(|read| std::future::ready(read.is_ok())).count();
                assert_eq!(session.block_on(good), 1_000);
                times.borrow_mut().push(of_one.elapsed().as_secs_f64());
            }
            start.elapsed()
        });
    });
    let mut times = times.into_inner();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

fn network(c: &mut Criterion) {
    let mut group = c.benchmark_group(format!("http, {} ms late, {READERS} readers", LATENCY.as_millis()));
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(5)).throughput(Throughput::Elements(READS));
    let well = run(&mut group, "1,000 tiles", false);
    let faulty = run(&mut group, "1,000 tiles, 503 to one in ten", true);
    group.finish();
    println!("throughput with faults: {:.2} of that without", well / faulty);
}

criterion_group!(benches, network);
criterion_main!(benches);
