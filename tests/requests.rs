//! Which requests are sent: counted by the server, told by the plan, reported by the statistics.
//!
//! Every answer of the server is late, so that what may overlap does.

#[path = "../benches/common/mod.rs"]
mod common;
mod support;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::time::Duration;

use common::tiff::{Image, Packing};
use common::zarr;
use futures_util::future::{join_all, try_join_all};
use ndarray::{Ix2, Ix3};
use support::paged::{ACROSS, Paged, TILE, paged};
use support::server::{Fault, Server};
use swath::model::Region;
use swath::{ChunkedArray, Cost, ErrorKind, ReadPlan, Session, SessionOptions};

const LATENCY: Duration = Duration::from_millis(20);

fn session(change: impl FnOnce(&mut SessionOptions)) -> Session {
    let mut options = SessionOptions::default();
    options.network.cost = Cost::TYPICAL; // numbers of requests are the same on any machine
    options.threads = 2;
    change(&mut options);
    Session::with_options(options).unwrap()
}

/// Neither chunks nor stored bytes are kept.
fn forgetful(options: &mut SessionOptions) {
    options.cache_stored = false;
    options.cache_decoded = false;
}

/// 1024 x 1024 `u16` in 64 tiles of 128 x 128, two overviews.
fn image(packing: Packing) -> Image {
    Image { pixels: common::terrain_u16(1024), size: 1024, tile: 128, element: 2, packing, predictor: 1, overviews: 2 }
}

/// 512 x 512 `u16` in 64 chunks of 64 x 64.
fn plane() -> zarr::Array {
    zarr::Array { elements: common::terrain_u16(512), size: 512, chunk: 64, element: 2, packing: zarr::Packing::Zstd }
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)).unwrap()
}

/// A server, and what is known of its objects.
struct Host {
    server: Server,
    sizes: HashMap<String, u64>,
    log: RefCell<Vec<Asked>>,
}

/// A request.
#[derive(Debug, Clone)]
struct Asked {
    method: String,
    /// Without the slash before it.
    path: String,
    /// The bytes that answer it; empty where there is no such object.
    range: Range<u64>,
}

impl Host {
    fn new(objects: zarr::Objects) -> Self {
        let server = Server::start();
        let sizes = objects.iter().map(|(path, bytes)| (path.clone(), bytes.len() as u64)).collect();
        objects.into_iter().for_each(|(path, bytes)| server.put(&format!("/{path}"), bytes));
        server.set_latency(LATENCY);
        Self { server, sizes, log: RefCell::default() }
    }
    fn url(&self, path: &str) -> String {
        self.server.url(&format!("/{path}"))
    }
    /// The requests since the last `clear`.
    fn log(&self) -> Vec<Asked> {
        let mut log = self.log.borrow_mut();
        for seen in self.server.take_seen() {
            let path = seen.path.trim_start_matches('/').to_owned();
            let range = self.sizes.get(&path).map_or(0..0, |size| range(seen.range.as_deref(), *size));
            log.push(Asked { method: seen.method, path, range });
        }
        log.clone()
    }
    fn clear(&self) {
        self.server.take_seen();
        self.log.borrow_mut().clear();
    }
    fn forbid(&self, path: &str) {
        self.server.fault(&format!("/{path}"), Fault::Status(403));
    }
    fn allow(&self, path: &str) {
        self.server.heal(&format!("/{path}"));
    }
}

/// The bytes that a Range header asks for.
fn range(header: Option<&str>, size: u64) -> Range<u64> {
    let Some((first, last)) = header.and_then(|h| h.strip_prefix("bytes=")?.split_once('-')) else { return 0..size };
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) => first..(last + 1).min(size),
        (Ok(first), Err(_)) => first..size,
        (Err(_), suffix) => size.saturating_sub(suffix.unwrap())..size,
    }
}

/// A server of these objects under `data.zarr/`.
fn serve(objects: zarr::Objects) -> Host {
    Host::new(objects.into_iter().map(|(key, bytes)| (format!("data.zarr/{key}"), bytes)).collect())
}

fn serve_file(bytes: Vec<u8>) -> Host {
    Host::new(vec![("image.tif".to_owned(), bytes)])
}

/// The ranges asked of an object since the log was last cleared, sorted.
fn asked(server: &Host) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = server.log().into_iter().map(|r| r.range).collect();
    ranges.sort_by_key(|r| (r.start, r.end));
    ranges
}

fn foretold(plan: &ReadPlan) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = plan.requests.iter().map(|r| r.start..r.start + r.length.unwrap()).collect();
    ranges.sort_by_key(|r| (r.start, r.end));
    ranges
}

fn paths(server: &Host) -> Vec<String> {
    let mut paths: Vec<String> = server.log().into_iter().map(|r| r.path).collect();
    paths.sort();
    paths
}

fn bytes_sent(log: &[Asked]) -> u64 {
    log.iter().map(|r| r.range.end - r.range.start).sum()
}

async fn level(session: &Session, server: &Host, level: usize) -> ChunkedArray {
    session.open_cog(&server.url("image.tif")).await.unwrap().level(level).unwrap()
}

async fn data(session: &Session, server: &Host) -> ChunkedArray {
    session.open_zarr(&server.url("data.zarr")).await.unwrap().array("data").await.unwrap()
}

#[test]
fn opening_a_cog_is_one_request() {
    // Metadata of 28 KiB push the tables of the last one out of the first 32 KiB.
    let files = [
        ("scene.tif", 1),
        ("terrain.tif", 1),
        ("tiff/cog_overviews.tif", 1),
        ("tiff/cog_many_tiles.tif", 1),
        ("tiff/cog_mask_overviews.tif", 1),
        ("tiff/cog_long_header.tif", 2),
    ];
    for (name, requests) in files {
        let server = serve_file(fixture(name));
        let (first, fresh) = (session(|_| {}), session(|_| {}));
        first.block_on(async {
            let cog = first.open_cog(&server.url("image.tif")).await.unwrap();
            assert_eq!(server.log().len(), requests, "{name}: {:?}", server.log());
            assert!(server.log().iter().all(|r| r.method == "GET"), "{name}");
            assert_eq!(cog.open_stats().requests, requests as u64, "{name}");
            assert_eq!(cog.open_stats().bytes, bytes_sent(&server.log()), "{name}");
            for n in 0..cog.level_count() {
                cog.level(n).unwrap();
            }
            assert_eq!(server.log().len(), requests, "{name}: a level is at hand once the file is open");
            server.clear();
            fresh.open(&server.url("image.tif")).await.unwrap();
            assert_eq!(server.log().len(), requests, "{name}: opened by its content: {:?}", server.log());
        });
    }
}

/// Files of every kind, all with their directories in front.
#[test]
fn opening_a_file_of_any_kind_takes_few_requests() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/tiff");
    let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let objects = names.iter().map(|name| (name.clone(), fixture(&format!("tiff/{name}")))).collect();
    let server = Host::new(objects);
    server.server.set_latency(Duration::ZERO);
    let session = session(|_| {});
    let mut more = Vec::new();
    for name in &names {
        server.clear();
        let cog = session.block_on(session.open_cog(&server.url(name))).unwrap();
        let log = server.log();
        assert_eq!(cog.open_stats().requests, log.len() as u64, "{name}");
        assert!(log.len() <= 2, "{name}: {log:?}");
        more.extend((log.len() > 1).then_some(name.as_str()));
    }
    assert!(names.len() > 80);
    assert_eq!(more, ["cog_long_header.tif", "table_large.tif"], "their metadata push values out of the first 32 KiB");
}

#[test]
fn a_region_is_the_requests_that_the_plan_foretold() {
    type Change = fn(&mut SessionOptions);
    let ways: [(&str, Change); 5] = [
        ("default", |_| {}),
        ("pieces of 100 kB", |o| o.network.request_bytes = 100_000),
        ("pieces smaller than a tile", |o| o.network.request_bytes = 10_000),
        ("no gap", |o| o.network.merge_gap = Some(0)),
        ("no gap, two connections", |o| (o.network.merge_gap, o.network.connections_per_host) = (Some(0), 2)),
    ];
    let regions: [[Range<u64>; 3]; 6] = [
        [0..1, 0..1024, 0..1024],
        [0..1, 0..1, 0..1],
        [0..1, 100..300, 500..900],
        [0..1, 0..1024, 128..256],
        [0..1, 512..640, 0..1024],
        [0..1, 1000..1024, 1000..1024],
    ];
    let mut counts = BTreeSet::new();
    for packing in [Packing::None, Packing::Deflate] {
        let server = serve_file(image(packing).write());
        let source = image(packing);
        for (way, change) in ways {
            for region in &regions {
                let name = format!("{packing:?}, {way}, {region:?}");
                let session = session(|o| (forgetful(o), change(o)).1);
                session.block_on(async {
                    let array = level(&session, &server, 0).await;
                    server.clear();
                    let region = Region::new(region.to_vec());
                    let plan = array.plan(&region).await.unwrap();
                    assert_eq!(server.log().len(), 0, "{name}: a plan fetches no chunk");
                    let (read, stats) = array.read_dyn_with_stats(&region).await.unwrap();
                    assert_eq!(asked(&server), foretold(&plan), "{name}");
                    assert_eq!(stats.requests, plan.requests.len() as u64, "{name}");
                    assert_eq!((stats.bytes, plan.bytes), (bytes_sent(&server.log()), stats.bytes), "{name}");
                    assert_eq!((stats.chunks, plan.chunks), (plan.chunks, stats.chunks), "{name}");
                    assert!(plan.exact && plan.requests.iter().map(|r| r.chunks).sum::<usize>() >= plan.chunks, "{name}");
                    assert_eq!(read.bytes().unwrap(), cut(&source, region.ranges()), "{name}");
                    counts.insert(plan.requests.len());
                });
            }
        }
    }
    assert!(counts.len() > 5, "the ways of merging and splitting differ: {counts:?}");
}

fn cut(image: &Image, ranges: &[Range<u64>]) -> Vec<u8> {
    let [_, rows, columns] = ranges else { panic!("not a region of an image") };
    let at = |y: u64, x: u64| (usize::try_from(y).unwrap() * image.size + usize::try_from(x).unwrap()) * image.element;
    rows.clone().flat_map(|y| image.pixels[at(y, columns.start)..at(y, columns.end)].iter().copied()).collect()
}

#[test]
fn overviews_are_read_as_planned() {
    let server = serve_file(image(Packing::Zstd).write());
    let session = session(forgetful);
    session.block_on(async {
        for n in 0..3 {
            let array = level(&session, &server, n).await;
            server.clear();
            let plan = array.plan(..).await.unwrap();
            let (_, stats) = array.read_dyn_with_stats(..).await.unwrap();
            assert_eq!(asked(&server), foretold(&plan), "level {n}");
            assert_eq!(stats.chunks, 64 >> (2 * n), "level {n}");
        }
    });
}

#[test]
fn a_second_read_asks_for_nothing() {
    let server = serve_file(image(Packing::Deflate).write());
    type Way = (&'static str, fn(&mut SessionOptions));
    let ways: [Way; 2] = [("chunks kept", |o| o.cache_stored = false), ("stored bytes kept", |o| o.cache_decoded = false)];
    for (way, change) in ways {
        let session = session(change);
        session.block_on(async {
            let array = level(&session, &server, 0).await;
            let (first, _) = array.read_dyn_with_stats(..).await.unwrap();
            server.clear();
            let (second, stats) = array.read_dyn_with_stats(..).await.unwrap();
            assert_eq!(server.log().len(), 0, "{way}");
            assert_eq!((stats.requests, stats.bytes), (0, 0), "{way}");
            assert!(stats.cache_hits > 0 || stats.chunk_cache_hits == 64, "{way}: {stats:?}");
            assert_eq!(first.bytes(), second.bytes(), "{way}");
        });
    }
}

#[test]
fn readers_of_one_chunk_share_one_fetch() {
    for readers in [2, 64] {
        let server = serve_file(image(Packing::Deflate).write());
        server.server.set_latency(Duration::from_millis(150));
        let session = session(forgetful);
        session.block_on(async {
            let array = level(&session, &server, 0).await;
            server.clear();
            let one = || array.read_with_stats::<u16, Ix3>((.., 130..200, 130..200));
            let all = try_join_all((0..readers).map(|_| one())).await.unwrap();
            assert_eq!(server.log().len(), 1, "{readers} readers: {:?}", server.log());
            assert_eq!(all.iter().map(|(_, s)| s.requests).sum::<u64>(), 1, "{readers} readers");
            assert_eq!(all.iter().map(|(_, s)| s.shared).sum::<u64>(), readers - 1, "{readers} readers");
            assert!(all.iter().all(|(a, _)| *a == all[0].0));
        });
    }
}

/// A future dropped by one reader is not the end of the fetch that another waits for.
#[test]
fn a_shared_fetch_outlives_the_reader_that_began_it() {
    let server = serve_file(image(Packing::Deflate).write());
    server.server.set_latency(Duration::from_millis(150));
    let session = session(forgetful);
    let array = session.block_on(level(&session, &server, 0));
    server.clear();
    let region = (.., 130..200_u64, 130..200_u64);
    let mut first = Box::pin(array.read_dyn(region.clone()));
    begin(first.as_mut());
    wait_for(|| !server.log().is_empty());
    let mut second = Box::pin(array.read_dyn(region));
    begin(second.as_mut());
    std::thread::sleep(Duration::from_millis(50));
    drop(first);
    session.block_on(second).unwrap();
    assert_eq!(server.log().len(), 1, "{:?}", server.log());
}

/// Polls a future once, which starts its read.
fn begin<F: Future>(future: std::pin::Pin<&mut F>) {
    let waker = std::task::Waker::noop();
    assert!(future.poll(&mut std::task::Context::from_waker(waker)).is_pending());
}

fn wait_for(what: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_secs(10), "it did not happen");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_dropped_read_stops_asking() {
    let server = serve_file(image(Packing::None).write());
    let session = session(|o| {
        forgetful(o);
        (o.network.merge_gap, o.network.request_bytes, o.network.connections_per_host) = (Some(0), 32 << 10, 2);
    });
    let array = session.block_on(level(&session, &server, 0));
    let total = session.block_on(array.plan(..)).unwrap().requests.len();
    assert_eq!(total, 64);
    server.clear();
    let mut read = Box::pin(array.read_dyn(..));
    begin(read.as_mut());
    wait_for(|| server.log().len() >= 4);
    drop(read);
    // What was on its way when the read was dropped may still arrive.
    std::thread::sleep(LATENCY * 3);
    let after = server.log().len();
    std::thread::sleep(LATENCY * 10);
    assert_eq!(server.log().len(), after, "no request after the grace period");
    assert!(after < total / 2, "{after} of {total} requests were sent");
    // The session is as good as before: budgets and connections were given back.
    assert_eq!(session.block_on(array.read_dyn(..)).unwrap().bytes().unwrap().len(), 1024 * 1024 * 2);
}

#[test]
fn opening_consolidated_zarr_is_one_request_and_the_race() {
    let stores = [("v2", plane().write_v2()), ("v3", plane().write_v3()), ("v3 sharded", plane().write_v3_sharded(4))];
    for (name, objects) in stores {
        let server = serve(objects);
        let session = session(|_| {});
        session.block_on(async {
            let group = session.open_zarr(&server.url("data.zarr")).await.unwrap();
            assert_eq!(paths(&server), ["data.zarr/.zmetadata", "data.zarr/zarr.json"], "{name}");
            assert!(server.log().iter().all(|r| r.method == "GET"), "{name}");
            assert_eq!(group.known_arrays(), ["data"], "{name}");
            server.clear();
            let array = group.array("data").await.unwrap();
            assert_eq!(array.shape(), [512, 512], "{name}");
            assert_eq!(paths(&server), [""; 0], "{name}: a known node is at hand");
        });
    }
}

#[test]
fn zarr_chunks_are_one_request_each() {
    for (name, objects) in [("v2", plane().write_v2()), ("v3", plane().write_v3())] {
        let prefix = if name == "v2" { "data.zarr/data/" } else { "data.zarr/data/c/" };
        let separator = if name == "v2" { "." } else { "/" };
        let server = serve(objects);
        let session = session(forgetful);
        session.block_on(async {
            let array = data(&session, &server).await;
            server.clear();
            let region = (60..130, 200..300);
            let plan = array.plan(region.clone()).await.unwrap();
            let (_, stats) = array.read_dyn_with_stats(region).await.unwrap();
            let mut expected: Vec<String> = (0..3).flat_map(|y| (3..5).map(move |x| format!("{prefix}{y}{separator}{x}"))).collect();
            expected.sort();
            assert_eq!(paths(&server), expected, "{name}");
            assert_eq!((stats.requests, plan.requests.len(), plan.exact), (6, 6, false), "{name}");
            assert_eq!(stats.bytes, bytes_sent(&server.log()), "{name}");
        });
    }
}

#[test]
fn an_absent_chunk_is_fill_and_a_forbidden_one_an_error() {
    let server = serve(plane().write_v2().into_iter().filter(|(key, _)| key != "data/1.1").collect());
    server.forbid("data.zarr/data/2.2");
    let session = session(forgetful);
    session.block_on(async {
        let array = data(&session, &server).await;
        let (read, stats) = array.read_with_stats::<u16, Ix2>((0..128, 0..128)).await.unwrap();
        assert_eq!(stats.absent, 1);
        assert!(read.slice(ndarray::s![64.., 64..]).iter().all(|v| *v == 0) && read[[0, 0]] != 0);
        let refused = array.read::<u16, Ix2>((128..192, 128..192)).await.unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::Denied(_)), "{refused}");
        assert!(refused.to_string().contains("2.2"), "{refused} names the object");
    });
}

#[test]
fn a_sharded_region_is_the_index_once_and_inner_ranges() {
    let objects = plane().write_v3_sharded(4);
    let shard = objects.iter().find(|(key, _)| key == "data/c/0/1").unwrap().1.clone();
    let index_at = (shard.len() - 16 * 16 - 4) as u64;
    let server = serve(objects);
    let session = session(|o| (forgetful(o), o.network.merge_gap = Some(0)).1);
    session.block_on(async {
        let array = data(&session, &server).await;
        server.clear();
        // The second row of inner chunks of the second shard: neighbours in the object.
        let (_, stats) = array.read_dyn_with_stats((64..128, 256..512)).await.unwrap();
        assert!(server.log().iter().all(|r| r.path.ends_with("data/c/0/1")), "{:?}", server.log());
        let (index, inner): (Vec<_>, Vec<_>) = asked(&server).into_iter().partition(|r| r.start == index_at);
        assert_eq!((index.len(), inner.len()), (1, 1), "{:?}", server.log());
        assert_eq!(index[0], index_at..shard.len() as u64);
        assert_eq!((stats.requests, stats.pages, stats.bytes), (2, 1, bytes_sent(&server.log())));
        // The index is kept: chunks far from each other are two ranges, and no more.
        server.clear();
        let plan = array.plan((0..256, 256..320)).await.unwrap();
        assert_eq!((plan.page_requests, plan.requests.len(), plan.exact), (0, 4, true));
        let (_, stats) = array.read_dyn_with_stats((0..256, 256..320)).await.unwrap();
        assert_eq!(asked(&server), foretold(&plan));
        assert_eq!((stats.requests, stats.pages), (4, 0));
    });
}

#[test]
fn sixteen_readers_of_a_shard_read_its_index_once() {
    let objects = plane().write_v3_sharded(4);
    let shard = objects.iter().find(|(key, _)| key == "data/c/0/0").unwrap().1.len();
    let index_at = (shard - 16 * 16 - 4) as u64;
    let server = serve(objects);
    server.server.set_latency(Duration::from_millis(100));
    let session = session(|o| (forgetful(o), o.network.merge_gap = Some(0)).1);
    session.block_on(async {
        let array = data(&session, &server).await;
        server.clear();
        let inner = |n: u64| array.read_dyn_with_stats((n / 4 * 64..n / 4 * 64 + 64, n % 4 * 64..n % 4 * 64 + 64));
        let all = try_join_all((0..16).map(inner)).await.unwrap();
        let index = asked(&server).into_iter().filter(|r| r.start == index_at).count();
        assert_eq!((index, server.log().len()), (1, 17), "{:?}", server.log());
        assert_eq!(all.iter().map(|(_, s)| s.requests).sum::<u64>(), 17);
        assert_eq!(all.iter().map(|(_, s)| s.bytes).sum::<u64>(), bytes_sent(&server.log()));
    });
}

#[test]
fn a_large_table_is_read_by_pages() {
    let tile = 1_000 * ACROSS + 700;
    let (y, x) = (1_000 * TILE, 700 * TILE);
    for kind in [Paged::Raw, Paged::Leaders, Paged::PackBits] {
        let server = serve_file(paged(tile, kind));
        let session = session(forgetful);
        session.block_on(async {
            let array = level(&session, &server, 0).await;
            assert!(server.log().len() <= 2, "{kind:?}: {:?}", server.log());
            assert!(bytes_sent(&server.log()) < 1 << 20, "{kind:?}");
            server.clear();
            let (read, stats) = array.read_with_stats::<u8, Ix3>((.., y..y + TILE, x..x + TILE)).await.unwrap();
            assert!(read.iter().all(|v| *v == 9), "{kind:?}");
            // A page of offsets, and the tile: it ends where the next one starts.
            assert_eq!(server.log().len(), 2, "{kind:?}: {:?}", server.log());
            assert!(bytes_sent(&server.log()) < 80 << 10, "{kind:?}: {:?}", server.log());
            assert_eq!((stats.requests, stats.pages), (2, 1), "{kind:?}");
            // A sparse neighbour lies in the same page.
            server.clear();
            let (read, stats) = array.read_with_stats::<u8, Ix3>((.., y..y + TILE, x + 2 * TILE..x + 3 * TILE)).await.unwrap();
            assert!(read.iter().all(|v| *v == 0), "{kind:?}");
            assert_eq!((server.log().len(), stats.absent), (0, 1), "{kind:?}");
            // Nothing stands behind the last tile, so its length is read.
            let last = (.., y..y + TILE, x + TILE..x + 2 * TILE);
            let plan = array.plan(last.clone()).await.unwrap();
            assert_eq!(plan.page_requests, 1, "{kind:?}");
            server.clear();
            let (read, _) = array.read_with_stats::<u8, Ix3>(last).await.unwrap();
            assert!(read.iter().all(|v| *v == 8), "{kind:?}");
            assert_eq!(asked(&server), foretold(&plan), "{kind:?}");
        });
    }
}

/// Errors of one read are the end of that read only.
#[test]
fn a_failed_fetch_fails_all_that_wait_for_it_and_nobody_after() {
    let server = serve(plane().write_v2());
    server.forbid("data.zarr/data/0.0");
    server.server.set_latency(Duration::from_millis(100));
    let session = session(forgetful);
    session.block_on(async {
        let array = data(&session, &server).await;
        server.clear();
        let all = join_all((0..8).map(|_| array.read::<u16, Ix2>((0..64, 0..64)))).await;
        assert!(all.iter().all(Result::is_err));
        assert_eq!(server.log().len(), 1, "{:?}", server.log());
        server.allow("data.zarr/data/0.0");
        array.read::<u16, Ix2>((0..64, 0..64)).await.unwrap();
    });
}
