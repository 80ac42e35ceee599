//! All tiles of a COG of 100 MB from one server, by Swath and by the crate `async-tiff`, in turns of one run: what counts is the ratio.
//!
//! The server is nginx, started for it:
//!
//! ```text
//! .ci/services install
//! .ci/services run cargo bench --manifest-path benches/peers/Cargo.toml --bench remote
//! ```
//!
//! With `--test` once each, and only the pixels are compared. A file in memory would measure the loopback; nginx sends at most so much a
//! second on each connection, as object stores do.

#[path = "common/mod.rs"]
mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_tiff::reader::ObjectReader;
use common::tiff::{Image, Packing};
use ndarray::Array3;
use object_store::ClientOptions;
use object_store::http::HttpBuilder;
use swath::{ChunkedArray, ReadStats, Session, SessionOptions};
use swath_peers::images::AsyncTiff;
use tokio::runtime::Runtime;

const SIZE: usize = 7168;
const TILE: usize = 512;

/// What the server does: milliseconds before each answer, KiB a second on each connection (0: as it can).
const LINES: [(&str, u32, u32); 2] = [("30 ms late, 200 Mbit/s a connection", 30, 25_600), ("no limits", 0, 0)];

fn swath(session: &Session, array: &ChunkedArray) -> (Array3<u16>, ReadStats) {
    session.block_on(array.read_with_stats(..)).unwrap()
}

fn async_tiff(runtime: &Runtime, image: &AsyncTiff) -> Array3<u16> {
    let mut out = Array3::zeros((1, SIZE, SIZE));
    image.read(runtime, out.as_slice_mut().unwrap()).unwrap();
    out
}

/// The medians of both, run in turns.
fn medians(rounds: usize, mut a: impl FnMut(), mut b: impl FnMut()) -> (Duration, Duration) {
    let mut times: [Vec<Duration>; 2] = Default::default();
    let mut timed = |which: usize, run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        times[which].push(start.elapsed());
    };
    for _ in 0..rounds {
        timed(0, &mut a);
        timed(1, &mut b);
    }
    let [a, b] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    });
    (a, b)
}

fn main() {
    let rounds = if std::env::args().any(|a| a == "--test") { 1 } else { 7 };
    let (Ok(server), Ok(root)) = (std::env::var("SWATH_NGINX"), std::env::var("SWATH_NGINX_ROOT")) else {
        eprintln!("no server: run it by `.ci/services run`, as its first lines say");
        return;
    };
    let pixels = common::terrain_u16(SIZE);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for (packing, predictor, name) in [(Packing::None, 1, "none"), (Packing::Deflate, 2, "deflate")] {
        let file = Image { pixels: pixels.clone(), size: SIZE, tile: TILE, element: 2, packing, predictor, overviews: 0 }.write();
        println!("{name}: {:.1} MB", file.len() as f64 / 1e6);
        std::fs::write(Path::new(&root).join("peers.tif"), &file).unwrap();
        for (line, late, kib) in LINES {
            let url = format!("{server}/late/{late}/{kib}/0/peers.tif");

            let mut options = SessionOptions::default();
            (options.cache_stored, options.cache_decoded) = (false, false);
            let session = Session::with_options(options).unwrap();
            let ours = session.block_on(session.open_cog(&url)).unwrap().level(0).unwrap();

            let (base, path) = url.rsplit_once('/').unwrap();
            let store = HttpBuilder::new().with_url(base).with_client_options(ClientOptions::new().with_allow_http(true)).build().unwrap();
            let reader = ObjectReader::new(Arc::new(store), path.into());
            let theirs = runtime.block_on(AsyncTiff::open(reader)).unwrap();

            let (read, stats) = swath(&session, &ours);
            assert!(read == async_tiff(&runtime, &theirs), "the same pixels");
            println!("  {line}: first chunk after {:?}, last byte after {:?}; {stats}", stats.first_chunk_time, stats.plan_time + stats.fetch_time);
            let (a, b) = medians(rounds, || drop(swath(&session, &ours)), || drop(async_tiff(&runtime, &theirs)));
            println!("  {line}: swath {a:?}, async-tiff {b:?}, async-tiff / swath {:.2}", b.as_secs_f64() / a.as_secs_f64());
        }
    }
}
