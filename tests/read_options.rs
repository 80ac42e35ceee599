//! What a read may cost, what it does when its object changes or is damaged, and what its plan tells.

mod common;
mod support;

use std::time::Duration;

use common::source::native;
use common::watch::{LONG, within};
use common::{Fill, Source, tiff, zarr};
use ndarray::{Array, Array3, Ix3, IxDyn};
use support::server::{Fault, Server, When};
use swath::model::{Consistency, DataType};
use swath::{ChunkedArray, Cog, ErrorKind, Group, OnChange, ReadOptions, ReadPlan, ReadStats, Result, Session, SessionOptions};

/// 16 chunks of 32 x 32 of 4 bytes.
const SHAPE: [u64; 3] = [1, 128, 128];
const CHUNK: [u64; 3] = [1, 32, 32];
const CHUNK_BYTES: u64 = 32 * 32 * 4;
const OUTPUT_BYTES: u64 = 128 * 128 * 4;

fn source(seed: u64) -> Source {
    Source::new(DataType::U32, &SHAPE, seed)
}

fn image(source: &Source) -> Vec<u8> {
    let layout = tiff::Layout { compression: tiff::Compression::Deflate, ..tiff::Layout::default() };
    tiff::write(source, &CHUNK, &layout, &|_| false)
}

fn sharded(source: &Source) -> Vec<(String, Vec<u8>)> {
    let form = zarr::Form { shards: Some((vec![1, 2, 2], false)), compression: zarr::Compression::Zstd, checksum: true, ..zarr::Form::new(3, 3) };
    zarr::write(source, &CHUNK, &form, Fill::Zero, &|_| false)
}

fn plain(source: &Source) -> Vec<(String, Vec<u8>)> {
    let form = zarr::Form { compression: zarr::Compression::Zstd, checksum: true, ..zarr::Form::new(3, 3) };
    zarr::write(source, &CHUNK, &form, Fill::Zero, &|_| false)
}

fn elements(source: &Source) -> Array3<u32> {
    Array::from_shape_vec((1, 128, 128), native(&source.bytes, &source.data_type)).unwrap()
}

fn put_below(server: &Server, folder: &str, objects: Vec<(String, Vec<u8>)>) {
    objects.into_iter().for_each(|(name, bytes)| server.put(&format!("/{folder}/{name}"), bytes));
}

/// Short waits between attempts; what is fetched is not kept.
fn options() -> SessionOptions {
    let mut options = SessionOptions::default();
    options.threads = 2;
    options.cache_bytes = 0;
    options.network.backoff = Duration::from_millis(5);
    options.network.backoff_most = Duration::from_millis(10);
    options
}

fn session() -> Session {
    Session::with_options(options()).unwrap()
}

fn read_options(change: impl FnOnce(&mut ReadOptions)) -> ReadOptions {
    let mut options = ReadOptions::default();
    change(&mut options);
    options
}

fn cog(session: &Session, server: &Server) -> Cog {
    session.block_on(session.open_cog(&server.url("/a.tif"))).unwrap()
}

fn array(session: &Session, server: &Server, folder: &str) -> ChunkedArray {
    session.block_on(async { session.open_zarr(&server.url(&format!("/{folder}"))).await?.array("").await }).unwrap()
}

/// A server of one image in each of the forms, its name, and an array of each.
fn forms(session: &Session) -> (Server, Source, Vec<(&'static str, ChunkedArray)>) {
    let server = Server::start();
    let source = source(1);
    server.put("/a.tif", image(&source));
    put_below(&server, "sharded", sharded(&source));
    put_below(&server, "plain", plain(&source));
    let arrays = vec![
        ("cog", cog(session, &server).level(0).unwrap()),
        ("sharded", array(session, &server, "sharded")),
        ("plain", array(session, &server, "plain")),
    ];
    server.take_seen();
    (server, source, arrays)
}

fn read(session: &Session, array: &ChunkedArray) -> Result<(Array3<u32>, ReadStats)> {
    session.block_on(array.read_with_stats::<u32, Ix3>(..))
}

fn read_blocking(array: &ChunkedArray) -> Result<(Array3<u32>, ReadStats)> {
    let mut output = Array3::zeros((1, 128, 128));
    array.blocking_read_into(.., output.view_mut()).map(|stats| (output, stats))
}

/// Every way to read all of an array, as what its error is.
fn every_read(session: &Session, array: &ChunkedArray) -> Vec<(&'static str, Result<()>)> {
    session
        .block_on(async {
            vec![
                ("read", array.read::<u32, Ix3>(..).await.map(drop)),
                ("read_as", array.read_as::<f64, IxDyn>(..).await.map(drop)),
                ("read_dyn", array.read_dyn(..).await.map(drop)),
                ("read_masked", array.read_masked::<u32, Ix3>(..).await.map(drop)),
                ("read_valid", array.read_valid::<Ix3>(..).await.map(drop)),
                ("read_valid_dyn", array.read_valid_dyn(..).await.map(drop)),
                ("read_scaled", array.read_scaled::<f32, Ix3>(..).await.map(drop)),
                ("read_scaled_dyn", array.read_scaled_dyn(&DataType::F32, ..).await.map(drop)),
                ("read_bands", array.read_bands::<u32, Ix3>(&[0], ..).await.map(drop)),
                ("read_chunk", array.read_chunk(&[0, 0, 0]).await.map(drop)),
            ]
        })
        .into_iter()
        .chain([("blocking_read_into", read_blocking(array).map(drop))])
        .collect()
}

fn limit_of(error: &swath::Error) -> Option<(&'static str, u64, u64)> {
    match error.kind() {
        ErrorKind::Limit { what, asked, allowed } => Some((what, *asked, *allowed)),
        _ => None,
    }
}

// ---- deadline

#[test]
fn every_read_and_opening_ends_by_its_deadline() {
    within("reads of a server that does not answer", LONG, || {
        let session = session();
        let (server, _, arrays) = forms(&session);
        server.fault_by(|_, _| Some(Fault::Stall(None)));
        let given = Duration::from_millis(50);
        let hurried = read_options(|o| o.deadline = Some(given));
        for (name, array) in arrays {
            let array = array.with_options(hurried.clone());
            for (how, result) in every_read(&session, &array) {
                let e = result.unwrap_err();
                assert_eq!(*e.kind(), ErrorKind::Deadline { given, last: None }, "{name} {how}");
                assert!(e.object().is_some(), "{name} {how}");
            }
        }
        let hurried = session.with_read_options(hurried);
        for e in [
            session.block_on(hurried.open_cog(&server.url("/a.tif"))).unwrap_err(),
            session.block_on(hurried.open_zarr(&server.url("/plain"))).unwrap_err(),
            session.block_on(hurried.open(&server.url("/a.tif"))).unwrap_err(),
        ] {
            assert!(matches!(e.kind(), ErrorKind::Deadline { .. }), "{e}");
        }
    });
}

#[test]
fn a_deadline_tells_what_failed_last_and_leaves_the_handle_usable() {
    within("reads of a server that fails", LONG, || {
        let mut options = options();
        (options.network.attempts, options.network.retry_floor) = (u32::MAX, u32::MAX);
        let session = Session::with_options(options).unwrap();
        let (server, source, arrays) = forms(&session);
        let array = arrays[0].1.with_options(read_options(|o| o.deadline = Some(Duration::from_millis(300))));
        server.fault("/a.tif", Fault::Status(500));
        let e = read(&session, &array).unwrap_err();
        let ErrorKind::Deadline { last: Some(last), .. } = e.kind() else { panic!("{e}") };
        assert!(last.contains("500"), "{last}");
        server.heal("/a.tif");
        let patient = array.with_options(ReadOptions::default());
        assert_eq!(read(&session, &patient).unwrap().0, elements(&source));
    });
}

// ---- caps

#[test]
fn what_the_plan_knows_to_be_too_much_is_refused_before_the_first_request() {
    let session = session();
    let (server, source, arrays) = forms(&session);
    for (name, array) in arrays {
        let plan = session.block_on(array.plan(..)).unwrap();
        let (requests, bytes) = (plan.requests.len() as u64 + plan.page_requests, plan.bytes + plan.page_bytes);
        server.take_seen();
        let capped = |max_requests, max_bytes| array.with_options(read_options(|o| (o.max_requests, o.max_bytes) = (max_requests, max_bytes)));
        let e = read(&session, &capped(Some(requests - 1), None)).unwrap_err();
        assert_eq!(limit_of(&e), Some(("max_requests", requests, requests - 1)), "{name}");
        assert_eq!(server.take_seen().len() as u64, plan.page_requests, "{name}: no chunk");
        let (all, stats) = read(&session, &capped(Some(requests), None)).unwrap();
        assert_eq!((all, stats.requests), (elements(&source), requests), "{name}");
        server.take_seen();
        if plan.exact {
            let e = read(&session, &capped(None, Some(bytes - 1))).unwrap_err();
            assert_eq!(limit_of(&e).map(|(what, ..)| what), Some("max_bytes"), "{name}");
            assert_eq!(server.take_seen().len() as u64, plan.page_requests, "{name}: no chunk");
            assert!(read(&session, &capped(None, Some(bytes))).is_ok(), "{name}");
        }
        server.take_seen();
    }
}

#[test]
fn repeated_requests_count() {
    let session = session();
    let (server, source, arrays) = forms(&session);
    let array = &arrays[0].1;
    let planned = session.block_on(array.plan(..)).unwrap().requests.len() as u64;
    let capped = |n| array.with_options(read_options(|o| o.max_requests = Some(n)));
    server.fault_when("/a.tif", When::First(1), Fault::Status(503));
    let e = read(&session, &capped(planned)).unwrap_err();
    assert_eq!(limit_of(&e), Some(("max_requests", planned + 1, planned)));
    server.fault_when("/a.tif", When::First(1), Fault::Status(503));
    let (all, stats) = read(&session, &capped(planned + 1)).unwrap();
    assert_eq!((all, stats.requests, stats.retries), (elements(&source), planned + 1, 1));
}

#[test]
fn openings_are_capped_and_handles_inherit() {
    let session = session();
    let server = Server::start();
    server.put("/a.tif", image(&source(1)));
    put_below(&server, "plain", plain(&source(1)));
    let none = session.with_read_options(read_options(|o| o.max_requests = Some(0)));
    let refused = |e: &swath::Error| limit_of(e).map(|(what, ..)| what) == Some("max_requests");
    assert!(refused(&session.block_on(none.open_cog(&server.url("/a.tif"))).unwrap_err()));
    assert!(refused(&session.block_on(none.open_zarr(&server.url("/plain"))).unwrap_err()));
    assert_eq!(server.count(), 0);
    let few = session.with_read_options(read_options(|o| o.max_requests = Some(3)));
    let group: Group = session.block_on(few.open_zarr(&server.url("/plain"))).unwrap();
    let array = session.block_on(group.array("")).unwrap();
    assert!(refused(&read(&session, &array).unwrap_err()), "16 chunks");
    let unbounded = session.block_on(group.with_options(ReadOptions::default()).array("")).unwrap();
    assert!(read(&session, &unbounded).is_ok());
    let cog = session.block_on(few.open_cog(&server.url("/a.tif"))).unwrap();
    let level = cog.with_options(read_options(|o| o.max_bytes = Some(1))).level(0).unwrap();
    assert_eq!(level.options().max_bytes, Some(1));
    assert_eq!(cog.level(0).unwrap().options().max_requests, Some(3), "the first handle is as it was");
}

#[test]
fn memory_is_bounded_before_anything_is_fetched() {
    let session = session();
    let (server, source, arrays) = forms(&session);
    for (name, array) in arrays {
        let bounded = |n| array.with_options(read_options(|o| o.max_memory = Some(n)));
        for (what, allowed, asked) in
            [("the output", OUTPUT_BYTES - 1, OUTPUT_BYTES), ("a decoded chunk", OUTPUT_BYTES + CHUNK_BYTES - 1, OUTPUT_BYTES + CHUNK_BYTES)]
        {
            let array = bounded(allowed);
            assert_eq!(limit_of(&read(&session, &array).unwrap_err()), Some(("max_memory", asked, allowed)), "{name} {what}");
            assert_eq!(limit_of(&read_blocking(&array).unwrap_err()), Some(("max_memory", asked, allowed)), "{name} {what}");
        }
        assert_eq!(server.count(), 0, "{name}");
        // A chunk stored and one decoded are enough, and no more than one is on its way at a time.
        let array = bounded(OUTPUT_BYTES + 3 * CHUNK_BYTES);
        let (all, stats) = read(&session, &array).unwrap();
        assert_eq!(all, elements(&source), "{name}");
        assert!(stats.requests >= 16, "{name}: one chunk at a time, {stats:?}");
        server.take_seen();
    }
}

// ---- another generation

#[test]
fn a_changed_object_is_an_error_or_read_anew() {
    type Put = fn(&Server, &Source);
    let put_image: Put = |server, source| server.put("/a.tif", image(source));
    let put_shards: Put = |server, source| put_below(server, "sharded", sharded(source));
    for (name, put, number) in [("cog", put_image, 0), ("sharded", put_shards, 1)] {
        for kept in [0, 64 << 20] {
            let mut options = options();
            (options.cache_bytes, options.cache_decoded) = (kept, false);
            let session = Session::with_options(options).unwrap();
            let (server, old, arrays) = forms(&session);
            let strict = &arrays[number].1;
            let lenient = strict.with_options(read_options(|o| o.on_change = OnChange::Reopen));
            let part = (0..1, 0..32, 0..32);
            // The index of a shard is known from here on, where anything is kept.
            assert_eq!(session.block_on(strict.read::<u32, Ix3>(part)).unwrap(), elements(&old).slice(ndarray::s![.., ..32, ..32]));
            let new = source(2);
            put(&server, &new);
            if number == 0 || kept > 0 {
                let changed = read(&session, strict).unwrap_err();
                assert!(changed.is_changed(), "{name}: {changed}");
            }
            if number == 0 {
                let (all, stats) = read(&session, &lenient).unwrap();
                assert_eq!((all, stats.reopened), (elements(&new), true), "{name}");
                let (all, stats) = read(&session, &lenient).unwrap();
                assert_eq!((all, stats.reopened), (elements(&new), false), "{name}: the handle has moved on");
                assert!(read(&session, strict).unwrap_err().is_changed(), "{name}: the other has not");
                let third = source(3);
                put(&server, &third);
                let (all, stats) = read_blocking(&lenient).unwrap();
                assert_eq!((all, stats.reopened), (elements(&third), true), "{name}");
            } else {
                assert_eq!(read(&session, &lenient).unwrap().0, elements(&new), "{name}");
            }
        }
    }
}

#[test]
fn another_shape_is_no_new_generation() {
    let session = session();
    let (server, _, arrays) = forms(&session);
    let lenient = arrays[0].1.with_options(read_options(|o| o.on_change = OnChange::Reopen));
    let smaller = Source::new(DataType::U32, &[1, 64, 64], 2);
    server.put("/a.tif", image(&smaller));
    assert!(read(&session, &lenient).unwrap_err().is_changed());
    let retyped = Source::new(DataType::I32, &SHAPE, 2);
    server.put("/a.tif", image(&retyped));
    assert!(read_blocking(&lenient).unwrap_err().is_changed());
    server.remove("/a.tif");
    assert!(read(&session, &lenient).unwrap_err().is_not_found());
}

#[test]
fn datasets_open_once_more() {
    let mut options = options();
    options.cache_bytes = 64 << 20;
    let session = Session::with_options(options).unwrap();
    let (server, old, _) = forms(&session);
    let (first, group) = (cog(&session, &server), session.block_on(session.open_zarr(&server.url("/plain"))).unwrap());
    let chunked = session.block_on(group.array("")).unwrap();
    assert_eq!(read(&session, &chunked).unwrap().0, elements(&old));
    let new = source(2);
    server.put("/a.tif", image(&new));
    put_below(&server, "plain", plain(&new));
    let second = session.block_on(first.reopen()).unwrap();
    assert_eq!(read(&session, &second.level(0).unwrap()).unwrap().0, elements(&new));
    assert!(read(&session, &first.level(0).unwrap()).unwrap_err().is_changed());
    let again = session.block_on(async { group.reopen().await?.array("").await }).unwrap();
    assert_eq!(read(&session, &again).unwrap().0, elements(&new), "nothing of the old chunks is left");
}

// ---- damage

#[test]
fn a_damaged_chunk_is_fetched_once_more_past_the_caches() {
    for kept in [0, 64 << 20] {
        let mut options = options();
        options.cache_bytes = kept;
        let session = Session::with_options(options).unwrap();
        let (server, source, arrays) = forms(&session);
        for (path, (name, array)) in ["/a.tif", "/sharded/c/0/0/1", "/plain/c/0/1/2"].into_iter().zip(&arrays) {
            session.block_on(array.plan(..)).unwrap(); // indexes are read, and kept where anything is
            let healthy = session.block_on(array.plan(..)).unwrap();
            server.fault_when(path, When::First(1), Fault::Corrupt(40));
            let (all, stats) = read(&session, array).unwrap();
            assert_eq!(all, elements(&source), "{name}");
            assert_eq!(stats.refetched, 1, "{name}");
            let pages = if kept == 0 { healthy.page_requests } else { 0 };
            let planned = healthy.requests.len() as u64 + pages;
            assert!(stats.requests > planned && stats.requests <= planned + 2, "{name}: {stats:?}");
        }
    }
}

#[test]
fn damage_that_stays_is_an_error_that_names_the_chunk() {
    let session = session();
    let (server, _, arrays) = forms(&session);
    for (path, (name, array)) in ["/a.tif", "/sharded/c/0/0/1", "/plain/c/0/1/2"].into_iter().zip(&arrays) {
        server.fault(path, Fault::Corrupt(40));
        server.take_seen();
        let e = read(&session, array).unwrap_err();
        assert!(e.is_damage(), "{name}: {e}");
        if *name == "plain" {
            assert_eq!(e.chunk(), Some(&[0, 1, 2][..]), "{e}");
            assert!(e.to_string().ends_with("(chunk [0, 1, 2])"), "{e}");
            assert_eq!(server.take_seen().iter().filter(|seen| seen.path == path).count(), 2, "once more, not for ever");
            let chunk = session.block_on(array.read_chunk(&[0, 1, 2])).unwrap_err();
            assert!(chunk.is_damage() && chunk.chunk().is_some(), "{chunk}");
        }
        server.heal(path);
        assert!(read(&session, array).is_ok(), "{name}");
    }
}

#[test]
fn what_did_not_come_over_a_network_is_not_fetched_again() {
    let session = session();
    let mut file = image(&source(1));
    file[40] ^= 1; // in the first tile
    session.block_on(session.put_memory("memory://m/a.tif", file.into())).unwrap();
    let level = session.block_on(session.open_cog("memory://m/a.tif")).unwrap().level(0).unwrap();
    let once = level.with_options(read_options(|o| o.max_requests = Some(1)));
    assert!(read(&session, &once).unwrap_err().is_damage(), "not that a second request is not allowed");
}

// ---- consistency

#[test]
fn the_level_is_what_the_store_tells() {
    let table = [
        ("strong", None, Consistency::Strong),
        ("weak", Some(Fault::WeakEtag), Consistency::LastModified),
        ("last modified", Some(Fault::LastModified("Wed, 21 Oct 2015 07:28:00 GMT".into())), Consistency::LastModified),
        ("nothing", Some(Fault::NoValidator), Consistency::None),
    ];
    for (name, fault, expected) in table {
        let session = session();
        let server = Server::start();
        server.put("/a.tif", image(&source(1)));
        if let Some(fault) = fault {
            server.fault("/a.tif", fault);
        }
        let cog = cog(&session, &server);
        let level = cog.level(0).unwrap();
        assert_eq!((cog.consistency(), level.consistency()), (expected, expected), "{name}");
        server.take_seen();
        assert_eq!(read(&session, &level).unwrap().0, elements(&source(1)), "{name}");
        let conditional = server.take_seen().iter().all(|seen| seen.header("if-match").is_some());
        assert_eq!(conditional, expected == Consistency::Strong, "{name}");
    }
    let session = session();
    let (_server, _, arrays) = forms(&session);
    for (name, array) in &arrays[1..] {
        assert_eq!(array.consistency(), Consistency::None, "{name}: nothing ties objects to each other");
    }
}

// ---- plans

/// What a plan and what a read came to.
fn assert_foretold(name: &str, plan: &ReadPlan, stats: &ReadStats) {
    assert_eq!(stats.requests, plan.requests.len() as u64 + plan.page_requests, "{name}: {plan:?} {stats:?}");
    assert_eq!(stats.chunks, plan.chunks, "{name}");
    if plan.exact {
        assert_eq!(stats.bytes, plan.bytes + plan.page_bytes, "{name}: {plan:?} {stats:?}");
    }
    assert!(stats.bytes <= plan.bytes_at_most + plan.page_bytes, "{name}: {plan:?} {stats:?}");
}

#[test]
fn reads_do_what_their_plans_told() {
    let session = session();
    let (_server, _, arrays) = forms(&session);
    for (name, array) in arrays {
        for region in [(0..1, 0..128, 0..128), (0..1, 20..70, 40..41), (0..1, 0..0, 0..128)] {
            let plan = session.block_on(array.plan(region.clone())).unwrap();
            let (_, stats) = session.block_on(array.read_with_stats::<u32, Ix3>(region)).unwrap();
            assert_foretold(name, &plan, &stats);
        }
        assert_eq!(session.block_on(array.plan(..)).unwrap().exact, name != "plain", "{name}: objects of unknown length are bounded");
    }
}

#[test]
fn plans_of_masked_reads_count_the_mask() {
    let session = session();
    let server = Server::start();
    for name in ["mask_nodata.tif", "mask_alpha.tif", "three_bands_alpha.tif", "nodata_f32.tif"] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/masked").join(name);
        server.put("/a.tif", std::fs::read(path).unwrap());
        let level = session.block_on(cog(&session, &server).reopen()).unwrap().level(0).unwrap();
        let plain = session.block_on(level.plan(..)).unwrap();
        let valid = session.block_on(level.plan_valid(..)).unwrap();
        let (_, stats) = session.block_on(level.read_valid_with_stats::<IxDyn>(..)).unwrap();
        let masked = matches!(level.mask(), Ok(Some(swath::Mask::Array(_))));
        assert_eq!(valid.requests.len() > plain.requests.len(), masked, "{name}: {plain} {valid}");
        if masked {
            assert_foretold(name, &valid, &stats);
            let plan = session.block_on(level.plan_masked(..)).unwrap();
            assert_eq!(plan.requests, valid.requests, "{name}");
        }
    }
}

#[test]
fn arrays_made_by_hand_are_not_reopened() {
    let session = session();
    let (server, _, arrays) = forms(&session);
    let own = session.array(arrays[0].1.meta().clone()).unwrap().with_options(read_options(|o| o.on_change = OnChange::Reopen));
    server.put("/a.tif", image(&source(2)));
    assert!(read(&session, &own).unwrap_err().is_changed());
}
