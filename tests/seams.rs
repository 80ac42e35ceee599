//! What callers bring along: their own store, codec, array, output, executor, pool.
#![cfg(feature = "read")]
#![allow(clippy::cast_possible_truncation, reason = "test arrays are small")]

mod common;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use bytes::Bytes;
use common::pack;
use common::store::Watched;
use common::watch::{LONG, poll_for, until, within};
use ndarray::{Array1, Array2, Ix1, Ix2, s};
use rayon::prelude::*;
use swath::codec::{ChunkContext, Codec, MakeCodec, Output, Scratch};
use swath::model::{
    ArrayMeta, AxisOrder, ByteSpan, ChunkGrid, ChunkManifest, CodecSpec, DataType, Dim, Endian, FillValue, Location, Missing, ObjectKey, RawJson,
    Scaling,
};
use swath::{ChunkedArray, ErrorKind, Session, SessionBuilder, SessionOptions};

const PREFIX: &str = "mine://x";

fn key(name: &str) -> ObjectKey {
    ObjectKey::new(format!("{PREFIX}/{name}"))
}

fn at(name: &str, start: usize, length: usize, chain: u16) -> Location {
    Location::At { span: ByteSpan::new(&key(name), start as u64, length as u64).unwrap(), chain }
}

/// An array of two axes whose chunks are listed.
fn listed(data_type: DataType, shape: [u64; 2], chunk: [u64; 2], chains: Vec<Vec<CodecSpec>>, chunks: Vec<Location>) -> ArrayMeta {
    let dims = ["y", "x"].into_iter().zip(shape).map(|(name, length)| Dim { name: name.into(), length }).collect();
    ArrayMeta {
        source: key("array"),
        dims,
        grid: ChunkGrid::regular(&shape, &chunk).unwrap(),
        data_type,
        fill_value: FillValue::ZERO,
        order: AxisOrder::c(2),
        chains,
        manifest: ChunkManifest::Listed(Arc::new((0..).zip(chunks).collect::<HashMap<_, _>>())),
        scaling: Scaling::default(),
        attributes: RawJson::default(),
    }
}

fn options() -> SessionOptions {
    let mut options = SessionOptions::default();
    options.threads = 2;
    options
}

fn builder(store: &Arc<Watched>, options: SessionOptions) -> SessionBuilder {
    Session::builder(options).with_store(PREFIX, store.clone())
}

fn session(store: &Arc<Watched>) -> Session {
    builder(store, options()).build().unwrap()
}

fn u16s(numbers: impl IntoIterator<Item = u16>) -> Vec<u8> {
    numbers.into_iter().flat_map(u16::to_ne_bytes).collect()
}

// ---- the caller's own array

/// Chunks of one array in every kind of place, packed in two ways.
#[test]
fn own_array_with_two_chains() {
    let store = Arc::new(Watched::default());
    let zipped = pack::zlib(&u16s(300..304));
    store.put("a", [vec![0xEE; 5], u16s(100..104), u16s(200..204)].concat());
    store.put("b", [vec![0xEE; 3], zipped.clone()].concat());
    store.put("c", u16s(500..504));
    let chunks = vec![
        at("a", 5, 8, 0),
        at("a", 13, 8, 0),
        at("b", 3, zipped.len(), 1),
        Location::Inline(u16s(400..404).into()),
        Location::Whole { key: key("c"), missing: Missing::Error },
        Location::Whole { key: key("nothing"), missing: Missing::Fill },
        Location::Absent,
    ];
    let mut meta = listed(DataType::U16, [4, 8], [2, 2], vec![vec![], vec![CodecSpec::Zlib]], chunks);
    meta.fill_value = FillValue::new(9_u16.to_ne_bytes().to_vec());
    let session = session(&store);
    let array = session.array(meta.clone()).unwrap();
    let read: Array2<u16> = session.block_on(array.read(..)).unwrap();
    let expected = ndarray::array![
        [100, 101, 200, 201, 300, 301, 400, 401],
        [102, 103, 202, 203, 302, 303, 402, 403],
        [500, 501, 9, 9, 9, 9, 9, 9],
        [502, 503, 9, 9, 9, 9, 9, 9_u16],
    ];
    assert_eq!(read, expected);
    let part: Array2<u16> = session.block_on(array.read((1..3, 1..7))).unwrap();
    assert_eq!(part, expected.slice(s![1..3, 1..7]));

    let mut lost = vec![Location::Absent; 7];
    lost.push(Location::Whole { key: key("nothing"), missing: Missing::Error });
    let lost = session.array(listed(DataType::U16, [4, 8], [2, 2], vec![vec![]], lost)).unwrap();
    assert!(session.block_on(lost.read::<u16, Ix2>((0..2, ..))).is_ok(), "the lost chunk is not touched");
    let e = session.block_on(lost.read::<u16, Ix2>(..)).unwrap_err();
    assert!(e.is_not_found(), "{e}");

    let mut third = vec![at("a", 5, 8, 2)];
    third.push(at("a", 5, 8, 0));
    let third = session.array(listed(DataType::U16, [4, 8], [2, 2], vec![vec![]], third)).unwrap();
    let e = session.block_on(third.read::<u16, Ix2>(..)).unwrap_err();
    assert!(matches!(e.kind(), ErrorKind::Malformed(_)), "a chain that is not there: {e}");
}

#[test]
fn a_description_that_contradicts_itself_is_refused() {
    let store = Arc::new(Watched::default());
    let session = session(&store);
    let good = listed(DataType::U16, [4, 8], [2, 2], vec![vec![]], vec![]);
    assert!(session.array(good.clone()).is_ok());
    let bad = [
        ArrayMeta { order: AxisOrder::c(3), ..good.clone() },
        ArrayMeta { chains: vec![], ..good.clone() },
        ArrayMeta { dims: vec![], ..good.clone() },
        ArrayMeta { fill_value: FillValue::new(vec![1, 2, 3]), ..good.clone() },
        ArrayMeta { grid: ChunkGrid::regular(&[4, 8], &[1 << 40, 8]).unwrap(), ..good },
    ];
    for meta in bad {
        let e = session.array(meta).unwrap_err();
        assert!(matches!(e.kind(), ErrorKind::Malformed(_) | ErrorKind::Limit { .. }), "{e}");
    }
}

/// Typed, converting and type-erased reads, and what they refuse.
#[test]
fn typed_converted_and_erased() {
    let store = Arc::new(Watched::default());
    let session = session(&store);
    let chunk = Location::Inline(u16s([0, 255, 256, 65535]).into());
    let array = session.array(listed(DataType::U16, [2, 2], [2, 2], vec![vec![]], vec![chunk])).unwrap();
    let e = session.block_on(array.read::<i16, Ix2>(..)).unwrap_err();
    assert!(matches!(e.kind(), ErrorKind::DataType(_)), "{e}");
    assert_eq!(e.object(), Some("mine://x/array"));
    let bytes: Array2<u8> = session.block_on(array.read_as(..)).unwrap();
    assert_eq!(bytes, ndarray::array![[0, 255], [255, 255]]);
    let floats: Array2<f32> = session.block_on(array.read_as(..)).unwrap();
    assert_eq!(floats, ndarray::array![[0.0, 255.0], [256.0, 65535.0]]);
    let erased = session.block_on(array.read_dyn((1, ..))).unwrap();
    assert_eq!((erased.data_type(), erased.shape()), (&DataType::U16, &[1, 2][..]));
    assert_eq!(erased.as_slice::<u16>().unwrap(), [256, 65535]);
    assert!(matches!(erased.as_slice::<f64>().unwrap_err().kind(), ErrorKind::DataType(_)));
    assert_eq!(erased.to_array::<u16, Ix2>().unwrap(), ndarray::array![[256, 65535]]);

    // Texts: two in a chunk, one chunk not stored.
    let texts = [&2_u32.to_le_bytes()[..], &1_u32.to_le_bytes(), b"a", &4_u32.to_le_bytes(), "ö€".as_bytes().get(..4).unwrap_or_default()].concat();
    let mut meta = listed(DataType::VariableBytes, [1, 4], [1, 2], vec![vec![CodecSpec::Vlen]], vec![Location::Inline(texts.into())]);
    meta.fill_value = FillValue::new(&b"none"[..]);
    let array = session.array(meta).unwrap();
    let erased = session.block_on(array.read_dyn((.., 1..4))).unwrap();
    assert_eq!(erased.elements().unwrap(), [&"ö€".as_bytes()[..4], b"none", b"none"]);
    assert!(erased.bytes().is_none());
    let e = session.block_on(array.read_as::<u8, Ix2>(..)).unwrap_err();
    assert!(matches!(e.kind(), ErrorKind::DataType(_)), "{e}");
    let e = session.block_on(array.read_chunk(&[0, 0])).unwrap_err();
    assert!(matches!(e.kind(), ErrorKind::DataType(_)), "{e}");
}

#[test]
fn outputs_of_any_stride() {
    let store = Arc::new(Watched::default());
    let session = session(&store);
    let chunks = (0..6).map(|i| Location::Inline(u16s((0..6).map(|n| i * 10 + n)).into())).collect();
    let array = session.array(listed(DataType::U16, [4, 9], [2, 3], vec![vec![]], chunks)).unwrap();
    let plain: Array2<u16> = session.block_on(array.read(..)).unwrap();

    let mut backwards = Array2::<u16>::zeros((4, 9));
    array.blocking_read_into(.., backwards.slice_mut(s![..;-1, ..;-1])).unwrap();
    assert_eq!(backwards.slice(s![..;-1, ..;-1]), plain);

    let mut sparse = Array2::<u16>::from_elem((12, 18), 7777);
    array.blocking_read_into(.., sparse.slice_mut(s![1..;3, ..;2])).unwrap();
    assert_eq!(sparse.slice(s![1..;3, ..;2]), plain);
    assert_eq!(sparse.iter().filter(|n| **n == 7777).count(), 12 * 18 - 4 * 9);

    let mut turned = Array2::<u16>::zeros((9, 4));
    array.blocking_read_into(.., turned.view_mut().reversed_axes()).unwrap();
    assert_eq!(turned.t(), plain);

    let mut wide = Array2::<f64>::zeros((2, 5));
    array.blocking_read_into((1..3, 2..7), wide.slice_mut(s![..;-1, ..])).unwrap();
    assert_eq!(wide.slice(s![..;-1, ..]), plain.slice(s![1..3, 2..7]).mapv(f64::from));

    for shape in [(4, 8), (9, 4), (0, 0)] {
        let e = array.blocking_read_into(.., Array2::<u16>::zeros(shape).view_mut()).unwrap_err();
        assert!(matches!(e.kind(), ErrorKind::Region(_)), "{e}");
    }
    let e = array.blocking_read_into(.., Array1::<u16>::zeros(36).view_mut()).unwrap_err();
    assert!(matches!(e.kind(), ErrorKind::Region(_)), "{e}");
    let mut nothing = Array2::<u16>::zeros((0, 9));
    array.blocking_read_into((2..2, ..), nothing.view_mut()).unwrap();
}

// ---- the caller's own codec

/// Every byte in exclusive or with a key.
#[derive(Debug)]
struct Xor(u8);

impl Codec for Xor {
    fn name(&self) -> &str {
        "xor"
    }
    fn decode(&self, input: &[u8], _: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> swath::Result<()> {
        let clear = input.iter().map(|b| b ^ self.0);
        match output {
            Output::Exact(bytes) | Output::Prefix(bytes) if bytes.len() == input.len() => {
                bytes.iter_mut().zip(clear).for_each(|(b, c)| *b = c);
                Ok(())
            }
            Output::Bounded { bytes, most } if input.len() <= *most => {
                bytes.clear();
                bytes.extend(clear);
                Ok(())
            }
            _ => Err(swath::Error::codec("xor", "another length than the chunk")),
        }
    }
}

fn xor() -> MakeCodec {
    Arc::new(|configuration: &RawJson, _: &DataType| {
        let key = configuration.get("key").and_then(|k| k.as_u64()).ok_or_else(|| swath::Error::malformed("xor without a key"))?;
        Ok(Arc::new(Xor(key as u8)) as Arc<dyn Codec>)
    })
}

fn other(name: &str, configuration: &serde_json::Value) -> CodecSpec {
    CodecSpec::Other { name: name.into(), configuration: RawJson::of(configuration) }
}

#[test]
fn own_codec() {
    let store = Arc::new(Watched::default());
    let session = builder(&store, options()).with_codec("xor", xor()).build().unwrap();
    let masked = |bytes: Vec<u8>| bytes.iter().map(|b| b ^ 0x5A).collect::<Vec<u8>>();
    let spec = || other("xor", &serde_json::json!({"key": 0x5A}));
    let big: Vec<u8> = (1..5_u16).flat_map(u16::to_be_bytes).collect();
    // Alone, before a byte order, and around a compressor of the library's.
    let chains =
        vec![vec![spec()], vec![spec(), CodecSpec::ByteOrder(Endian::Big)], vec![spec(), CodecSpec::Zlib, CodecSpec::ByteOrder(Endian::Big)]];
    let stored = [masked(u16s(1..5)), masked(big.clone()), masked(pack::zlib(&big))];
    store.put("masked", stored.concat());
    let mut start = 0;
    let places = stored.iter().enumerate().map(|(chain, bytes)| {
        start += bytes.len();
        at("masked", start - bytes.len(), bytes.len(), chain as u16)
    });
    let array = session.array(listed(DataType::U16, [2, 6], [2, 2], chains, places.collect())).unwrap();
    let read: Array2<u16> = session.block_on(array.read(..)).unwrap();
    assert_eq!(read, ndarray::array![[1, 2, 1, 2, 1, 2], [3, 4, 3, 4, 3, 4]]);

    let of = |spec| session.array(listed(DataType::U16, [2, 6], [2, 2], vec![vec![spec]], vec![]));
    assert!(of(other("rot13", &serde_json::json!({}))).unwrap_err().is_unsupported());
    let e = of(other("xor", &serde_json::json!({}))).unwrap_err();
    assert!(matches!(e.kind(), ErrorKind::Malformed(_)), "{e}");
}

/// The same codec, named by a document of the format.
#[test]
fn own_codec_in_a_document() {
    let store = Arc::new(Watched::default());
    let session = builder(&store, options()).with_codec("xor", xor()).build().unwrap();
    let masked: Vec<u8> = u16s(1..5).iter().map(|b| b ^ 0x21).collect();
    store.put(
        "two/.zarray",
        r#"{"zarr_format": 2, "shape": [2, 2], "chunks": [2, 2], "dtype": "<u2", "order": "C", "fill_value": 0,
            "filters": null, "compressor": {"id": "xor", "key": 33}}"#,
    );
    store.put("two/0.0", masked.clone());
    store.put(
        "three/zarr.json",
        r#"{"zarr_format": 3, "node_type": "array", "shape": [2, 2], "data_type": "uint16", "fill_value": 0, "attributes": {},
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 2]}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "xor", "configuration": {"key": 33}}]}"#,
    );
    store.put("three/c/0/0", masked);
    for folder in ["two", "three"] {
        let read: Array2<u16> =
            session.block_on(async { session.open_zarr(&format!("{PREFIX}/{folder}")).await?.array("").await?.read(..).await }).unwrap();
        assert_eq!(read, ndarray::array![[1, 2], [3, 4]], "{folder}");
    }
}

/// Panics on chunks that start with the byte 255; takes its time over others.
#[derive(Debug)]
struct Mined {
    running: Arc<AtomicUsize>,
    done: Arc<AtomicUsize>,
}

struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Codec for Mined {
    fn name(&self) -> &str {
        "mined"
    }
    fn decode(&self, input: &[u8], _: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> swath::Result<()> {
        self.running.fetch_add(1, Ordering::SeqCst);
        let _running = Running(self.running.clone());
        assert!(input.first() != Some(&255), "stepped on a mine");
        std::thread::sleep(Duration::from_millis(30));
        if let Output::Exact(bytes) | Output::Prefix(bytes) = output {
            bytes.copy_from_slice(input);
        }
        self.done.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[test]
fn a_panic_in_a_decode_task_is_an_error_once_all_have_ended() {
    within("the reads", LONG, || {
        let store = Arc::new(Watched::default());
        let (running, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let make: MakeCodec = {
            let (running, done) = (running.clone(), done.clone());
            Arc::new(move |_: &RawJson, _: &DataType| Ok(Arc::new(Mined { running: running.clone(), done: done.clone() }) as Arc<dyn Codec>))
        };
        let mut options = options();
        options.threads = 4;
        options.cache_decoded = false;
        let session = builder(&store, options).with_codec("mined", make).build().unwrap();
        let chunk = |i: u8| Location::Inline(vec![if i == 7 { 255 } else { i }; 4].into());
        let chain = vec![other("mined", &serde_json::json!({}))];
        let array = session.array(listed(DataType::U8, [2, 32], [2, 2], vec![chain], (0..16).map(chunk).collect())).unwrap();
        let is_panic = |e: swath::Error| assert!(matches!(e.kind(), ErrorKind::Panicked(m) if m.contains("stepped on a mine")), "{e}");

        is_panic(session.block_on(array.read::<u8, Ix2>(..)).unwrap_err());
        assert_eq!(running.load(Ordering::SeqCst), 0, "a task was still running when an async read ended");
        is_panic(session.block_on(array.read_dyn(..)).unwrap_err());
        assert_eq!(running.load(Ordering::SeqCst), 0);
        let mut out = Array2::<u8>::zeros((2, 32));
        is_panic(array.blocking_read_into(.., out.view_mut()).unwrap_err());
        assert_eq!(running.load(Ordering::SeqCst), 0, "a task was still running when a blocking read ended");
        session.pool().install(|| is_panic(array.blocking_read_into(.., out.view_mut()).unwrap_err()));
        is_panic(session.block_on(array.read_chunk(&[0, 7])).unwrap_err());
        assert_eq!(running.load(Ordering::SeqCst), 0);

        // The session, its threads and its budgets are as good as before.
        let before = done.load(Ordering::SeqCst);
        let read: Array2<u8> = session.block_on(array.read((.., 16..32))).unwrap();
        assert_eq!(read.row(0).to_vec(), (8..16).flat_map(|i| [i, i]).collect::<Vec<u8>>());
        assert_eq!(done.load(Ordering::SeqCst) - before, 8);
    });
}

// ---- giving up

/// An array of one object that answers and one that never does.
fn half_hanging(store: &Arc<Watched>, session: &Session) -> (ChunkedArray, ChunkedArray) {
    store.put("good", u16s(0..64));
    store.put("hang", u16s(0..64));
    let places = |name: &str| (0..16).map(|i| at(name, i * 8, 8, 0)).collect();
    let array = |name| session.array(listed(DataType::U16, [4, 16], [2, 2], vec![vec![]], places(name))).unwrap();
    (array("good"), array("hang"))
}

#[test]
fn a_dropped_read_stops_asking_and_lets_others_go_on() {
    within("the reads", LONG, || {
        let store = Arc::new(Watched::default());
        let mut options = options();
        // One connection and one chunk's budget: what a dropped read does not give back, nobody else gets.
        options.network.connections_per_host = 1;
        options.limits.decoded_in_flight = 8;
        options.limits.stored_in_flight = 8;
        options.cache_stored = false;
        options.cache_decoded = false;
        let session = builder(&store, options).build().unwrap();
        let (good, hanging) = half_hanging(&store, &session);
        for _ in 0..3 {
            let read = poll_for(hanging.read::<u16, Ix2>(..), Duration::from_millis(100));
            assert!(read.is_none(), "the store does not answer");
            until("the request is given up", LONG, || store.open() == 0);
            let read: Array2<u16> = session.block_on(good.read(..)).unwrap();
            assert_eq!(read.len(), 64);
        }
        // While one read hangs another is waiting for its turn; it goes on as soon as the first is dropped.
        let mut first = Box::pin(hanging.read::<u16, Ix2>(..));
        assert!(poll_for(&mut first, Duration::from_millis(50)).is_none());
        let second = std::thread::spawn(move || poll_for(good.read::<u16, Ix2>(..), LONG).expect("its turn").unwrap());
        std::thread::sleep(Duration::from_millis(50));
        drop(first);
        assert_eq!(second.join().unwrap()[[0, 0]], 0);
        let asked = store.gets();
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(store.gets(), asked, "nobody waits for these");
        // A plan and a chunk are dropped alike.
        assert!(poll_for(hanging.read_chunk(&[0, 0]), Duration::from_millis(50)).is_none());
        until("the chunk is given up", LONG, || store.open() == 0);
    });
}

#[test]
fn readers_beside_a_dropped_one_keep_what_they_share() {
    within("the reads", LONG, || {
        let store = Arc::new(Watched::default());
        let session = session(&store);
        let (good, hanging) = half_hanging(&store, &session);
        let mut stays = Box::pin(hanging.read::<u16, Ix2>(..));
        assert!(poll_for(&mut stays, Duration::from_millis(50)).is_none());
        let asked = store.gets();
        assert!(poll_for(hanging.read::<u16, Ix2>(..), Duration::from_millis(50)).is_none());
        assert_eq!(store.gets(), asked, "the second waits for the first one's requests");
        assert!(store.open() > 0, "the first one's requests live on");
        let read: Array2<u16> = session.block_on(good.read(..)).unwrap();
        assert_eq!(read.len(), 64);
        drop(stays);
        until("the requests are given up", LONG, || store.open() == 0);
    });
}

// ---- no lock-up

/// Chunks larger than any budget, so that each is admitted alone, packed so that there is work to do.
fn crowded() -> (Arc<Watched>, Session, ChunkedArray, Array2<u16>) {
    let store = Arc::new(Watched::default());
    let packed: Vec<Vec<u8>> = (0..32_u16).map(|i| pack::zlib(&u16s((0..1024).map(|n| n ^ i)))).collect();
    store.put("packed", packed.concat());
    let mut start = 0;
    let places = packed.iter().map(|bytes| {
        start += bytes.len();
        at("packed", start - bytes.len(), bytes.len(), 0)
    });
    let places = places.collect();
    let mut options = options();
    options.limits.decoded_in_flight = 100;
    options.limits.stored_in_flight = 100;
    options.network.connections_per_host = 2;
    options.cache_stored = false;
    options.cache_decoded = false;
    let session = builder(&store, options).build().unwrap();
    let array = session.array(listed(DataType::U16, [256, 128], [32, 32], vec![vec![CodecSpec::Zlib]], places)).unwrap();
    let expected = Array2::from_shape_fn((256, 128), |(y, x)| {
        let (chunk, within) = (y / 32 * 4 + x / 32, y % 32 * 32 + x % 32);
        within as u16 ^ chunk as u16
    });
    (store, session, array, expected)
}

fn read_into(array: &ChunkedArray, expected: &Array2<u16>) {
    let mut out = Array2::<u16>::zeros(expected.dim());
    array.blocking_read_into(.., out.view_mut()).unwrap();
    assert_eq!(out, expected);
}

#[test]
fn no_lock_up_inside_the_sessions_own_pool() {
    within("blocking reads inside the session's pool", LONG, || {
        let (_store, session, array, expected) = crowded();
        let tasks = session.pool().current_num_threads() * 4;
        session.pool().install(|| (0..tasks).into_par_iter().for_each(|_| read_into(&array, &expected)));
    });
}

#[test]
fn no_lock_up_inside_a_foreign_pool() {
    within("blocking reads inside another pool", LONG, || {
        let (_store, session, array, expected) = crowded();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
        let tasks = session.pool().current_num_threads() * 4;
        pool.install(|| (0..tasks).into_par_iter().for_each(|_| read_into(&array, &expected)));
    });
}

#[test]
fn no_lock_up_from_tokio() {
    within("blocking and async reads from tokio", LONG, || {
        let (_store, session, array, expected) = crowded();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let expected = Arc::new(expected);
        runtime.block_on(async {
            let mut tasks = Vec::new();
            for i in 0..session.pool().current_num_threads() * 4 {
                let (array, expected) = (array.clone(), expected.clone());
                tasks.push(if i % 2 == 0 {
                    tokio::task::spawn_blocking(move || read_into(&array, &expected))
                } else {
                    tokio::spawn(async move { assert_eq!(array.read::<u16, Ix2>(..).await.unwrap(), *expected) })
                });
            }
            for task in tasks {
                task.await.unwrap();
            }
        });
    });
}

#[test]
fn no_lock_up_on_an_executor_of_nobodys() {
    within("async reads without a runtime", LONG, || {
        let (_store, session, array, expected) = crowded();
        std::thread::scope(|scope| {
            for i in 0..8 {
                let (session, array, expected) = (&session, &array, &expected);
                scope.spawn(move || {
                    let read =
                        if i % 2 == 0 { poll_for(array.read::<u16, Ix2>(..), LONG).unwrap() } else { session.block_on(array.read::<u16, Ix2>(..)) };
                    assert_eq!(read.unwrap(), *expected);
                });
            }
        });
    });
}

/// A thread of the pool that waits for an async read does what that read needs.
#[test]
fn no_lock_up_of_an_async_read_inside_the_pool() {
    within("async reads inside the session's pool", LONG, || {
        let (_store, session, array, expected) = crowded();
        session.pool().broadcast(|_| {
            assert_eq!(session.block_on(array.read::<u16, Ix2>(..)).unwrap(), expected);
            assert_eq!(session.block_on(array.read_chunk(&[0, 0])).unwrap().bytes.unwrap().len(), 2048);
        });
    });
}

/// All of them at once, in one session, with budgets that only one chunk fits.
#[test]
fn no_lock_up_in_a_crowd() {
    within("reads from everywhere", LONG, || {
        for _ in 0..4 {
            let (_store, session, array, expected) = crowded();
            let foreign = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
            let tasks = session.pool().current_num_threads() * 4;
            std::thread::scope(|scope| {
                let (session, array, expected, foreign, runtime) = (&session, &array, &expected, &foreign, &runtime);
                let start = Arc::new(Barrier::new(4));
                let started = || start.clone();
                let (a, b, c, d) = (started(), started(), started(), started());
                scope.spawn(move || {
                    a.wait();
                    session.pool().install(|| (0..tasks).into_par_iter().for_each(|_| read_into(array, expected)));
                });
                scope.spawn(move || {
                    b.wait();
                    foreign.install(|| (0..tasks).into_par_iter().for_each(|_| read_into(array, expected)));
                });
                scope.spawn(move || {
                    c.wait();
                    for _ in 0..tasks {
                        assert_eq!(poll_for(array.read::<u16, Ix2>(..), LONG).unwrap().unwrap(), *expected);
                    }
                });
                scope.spawn(move || {
                    d.wait();
                    runtime.block_on(async {
                        let spawn = |_| {
                            let (array, expected) = (array.clone(), expected.clone());
                            tokio::task::spawn_blocking(move || read_into(&array, &expected))
                        };
                        for task in (0..tasks).map(spawn).collect::<Vec<_>>() {
                            task.await.unwrap();
                        }
                    });
                });
            });
        }
    });
}

/// Every thread of the pool waits in a read for what an async read holds, whose tasks stand in the pool's queue.
#[test]
fn no_lock_up_when_the_pool_waits_for_tasks_in_its_own_queue() {
    #[derive(Debug)]
    struct Gate(Arc<AtomicBool>);
    impl Codec for Gate {
        fn name(&self) -> &str {
            "gate"
        }
        fn decode(&self, input: &[u8], _: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> swath::Result<()> {
            self.0.store(true, Ordering::SeqCst);
            if let Output::Exact(bytes) | Output::Prefix(bytes) = output {
                bytes.copy_from_slice(input);
            }
            Ok(())
        }
    }
    within("the reads", LONG, || {
        let store = Arc::new(Watched::default());
        let decoded = Arc::new(AtomicBool::new(false));
        let make: MakeCodec = {
            let decoded = decoded.clone();
            Arc::new(move |_: &RawJson, _: &DataType| Ok(Arc::new(Gate(decoded.clone())) as Arc<dyn Codec>))
        };
        let mut options = options();
        options.limits.decoded_in_flight = 4;
        options.cache_decoded = false;
        let session = builder(&store, options).with_codec("gate", make).build().unwrap();
        let chunks = (0..4).map(|i| Location::Inline(vec![i; 4].into())).collect();
        let chain = vec![other("gate", &serde_json::json!({}))];
        let array = session.array(listed(DataType::U8, [2, 8], [2, 2], vec![chain], chunks)).unwrap();
        let threads = session.pool().current_num_threads();
        let held = Arc::new(Barrier::new(threads + 1));
        let pool_is_busy = {
            let (session, array, held) = (session.clone(), array.clone(), held.clone());
            std::thread::spawn(move || {
                session.pool().broadcast(|_| {
                    held.wait();
                    std::thread::sleep(Duration::from_millis(100));
                    let mut out = Array2::<u8>::zeros((2, 8));
                    array.blocking_read_into(.., out.view_mut()).unwrap();
                    assert_eq!(out.row(0).to_vec(), [0, 0, 1, 1, 2, 2, 3, 3]);
                });
            })
        };
        held.wait();
        // The pool's threads sleep: this read is admitted, and its task is queued behind them.
        let read = poll_for(array.read::<u8, Ix2>(..), LONG).expect("an end").unwrap();
        assert_eq!(read.row(1).to_vec(), [0, 0, 1, 1, 2, 2, 3, 3]);
        pool_is_busy.join().unwrap();
        assert!(decoded.load(Ordering::SeqCst));
    });
}

// ---- zero copy, shown by addresses

fn lies_in(part: &[u8], whole: &[u8]) -> bool {
    let (part, whole) = (part.as_ptr_range(), whole.as_ptr_range());
    part.start >= whole.start && part.end <= whole.end
}

/// A file of uncompressed tiles in the machine's byte order, and a folder of chunks likewise.
fn native_files() -> (common::Source, Bytes, Vec<(String, Vec<u8>)>) {
    let source = common::Source::new(DataType::U16, &[1, 64, 64], 3);
    let big_endian = cfg!(target_endian = "big");
    let layout = common::tiff::Layout { big_endian, ..Default::default() };
    let tiff = common::tiff::write(&source, &[1, 32, 32], &layout, &|_| false);
    let form = common::zarr::Form { big_endian, ..common::zarr::Form::new(3, 3) };
    let zarr = common::zarr::write(&source, &[1, 32, 32], &form, common::Fill::Zero, &|_| false);
    (source, tiff.into(), zarr)
}

const CHUNKS: [[u64; 3]; 4] = [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1]];

#[test]
fn chunks_are_views_of_the_stores_bytes() {
    let (source, tiff, zarr) = native_files();
    let store = Arc::new(Watched::default());
    store.put("a.tif", tiff.clone());
    let mut objects = HashMap::new();
    for (name, bytes) in zarr {
        let bytes = Bytes::from(bytes);
        store.put(&format!("a.zarr/{name}"), bytes.clone());
        objects.insert(name, bytes);
    }
    let mut options = options();
    options.cache_stored = false;
    let session = builder(&store, options).build().unwrap();
    let level = session.block_on(session.open_cog(&format!("{PREFIX}/a.tif"))).unwrap().level(0).unwrap();
    let array = session.block_on(async { session.open_zarr(&format!("{PREFIX}/a.zarr")).await?.array("").await }).unwrap();
    for index in CHUNKS {
        let expected = source.chunk(&level.meta().grid.chunk_region(&index), &[0, 1, 2]);
        let chunk = session.block_on(level.read_chunk(&index)).unwrap().bytes.unwrap();
        assert_eq!(chunk, common::source::native::<u16>(&expected, &source.data_type).iter().flat_map(|n| n.to_ne_bytes()).collect::<Vec<u8>>());
        assert!(lies_in(&chunk, &tiff), "a tile was copied");
        let chunk = session.block_on(array.read_chunk(&index)).unwrap().bytes.unwrap();
        let object = &objects[&format!("c/{}/{}/{}", index[0], index[1], index[2])];
        assert!(lies_in(&chunk, object), "a chunk was copied");
    }
    // So are those of a chunk in a shard.
    let form = common::zarr::Form { shards: Some((vec![1, 2, 2], false)), ..common::zarr::Form::new(3, 3) };
    let chunk: Vec<u64> = array.meta().grid.chunk_shape();
    let mut shards = HashMap::new();
    for (name, bytes) in common::zarr::write(&source, &chunk, &form, common::Fill::Zero, &|_| false) {
        let bytes = Bytes::from(bytes);
        store.put(&format!("s.zarr/{name}"), bytes.clone());
        shards.insert(name, bytes);
    }
    let sharded = session.block_on(async { session.open_zarr(&format!("{PREFIX}/s.zarr")).await?.array("").await }).unwrap();
    for index in CHUNKS {
        let chunk = session.block_on(sharded.read_chunk(&index)).unwrap().bytes.unwrap();
        assert_eq!(chunk, session.block_on(array.read_chunk(&index)).unwrap().bytes.unwrap());
        let shard = &shards[&format!("c/{}/{}/{}", index[0], index[1] / 2, index[2] / 2)];
        assert!(lies_in(&chunk, shard), "a chunk of a shard was copied");
    }
    // Inline bytes are handed out as they are.
    let inline = Bytes::from(u16s(0..4));
    let own = session.array(listed(DataType::U16, [2, 2], [2, 2], vec![vec![]], vec![Location::Inline(inline.clone())])).unwrap();
    assert_eq!(session.block_on(own.read_chunk(&[0, 0])).unwrap().bytes.unwrap().as_ptr(), inline.as_ptr());
    // What has to be decoded is not a view.
    let swapped = vec![vec![CodecSpec::ByteOrder(if cfg!(target_endian = "big") { Endian::Little } else { Endian::Big })]];
    let own = session.array(listed(DataType::U16, [2, 2], [2, 2], swapped, vec![Location::Inline(inline.clone())])).unwrap();
    assert!(!lies_in(&session.block_on(own.read_chunk(&[0, 0])).unwrap().bytes.unwrap(), &inline));
}

#[test]
fn chunks_are_views_of_the_cached_response() {
    let (_, tiff, _) = native_files();
    let store = Arc::new(Watched::default());
    store.put("a.tif", tiff);
    let session = session(&store);
    let level = session.block_on(session.open_cog(&format!("{PREFIX}/a.tif"))).unwrap().level(0).unwrap();
    for index in CHUNKS {
        let chunk = || session.block_on(level.read_chunk(&index)).unwrap().bytes.unwrap();
        let first = chunk();
        let asked = store.gets();
        let (second, third) = (chunk(), chunk());
        assert_eq!(store.gets(), asked, "the response was kept");
        assert_eq!(second.as_ptr(), third.as_ptr(), "both are views of the response in the cache");
        assert_eq!(first, second);
    }
}

#[cfg(feature = "mmap")]
#[test]
fn chunks_are_views_of_the_mapped_file() {
    let (source, tiff, _) = native_files();
    let path = std::env::temp_dir().join(format!("swath-mapped-{}.tif", std::process::id()));
    std::fs::write(&path, &tiff).unwrap();
    let session = Session::builder(options()).with_trusted_mmap().build().unwrap();
    let level = session.block_on(session.open_cog(path.to_str().unwrap())).unwrap().level(0).unwrap();
    let meta = level.meta();
    let place = |index: &[u64; 3]| match meta.manifest.locate(index, &meta.grid, &HashMap::new()).unwrap() {
        Location::At { span, .. } => span.start as usize,
        other => panic!("{other:?}"),
    };
    let chunks = CHUNKS.map(|index| session.block_on(level.read_chunk(&index)).unwrap().bytes.unwrap());
    let starts: Vec<usize> = chunks.iter().zip(&CHUNKS).map(|(chunk, index)| chunk.as_ptr() as usize - place(index)).collect();
    assert!(starts.iter().all(|start| *start == starts[0]), "the chunks lie as far apart as in the file");
    assert!(chunks.iter().all(|chunk| chunk.len() == 32 * 32 * 2));
    assert_eq!(starts[0] % 4096, 0, "the file begins at a page");
    #[cfg(target_os = "linux")]
    {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let begins = format!("{:x}-", starts[0]);
        assert!(maps.lines().any(|line| line.starts_with(&begins) && line.ends_with(name)), "no mapping of the file at {begins}");
    }
    let read: ndarray::Array3<u16> = session.block_on(level.read(..)).unwrap();
    assert_eq!(read.into_raw_vec_and_offset().0, common::source::native::<u16>(&source.bytes, &source.data_type));
    drop((chunks, level, session));
    std::fs::remove_file(path).unwrap();
}

/// A chunk that is not stored, and a rank that is not the array's.
#[test]
fn small_print() {
    let store = Arc::new(Watched::default());
    let session = session(&store);
    let array = session.array(listed(DataType::U16, [3, 3], [2, 2], vec![vec![]], vec![])).unwrap();
    assert!(session.block_on(array.read_chunk(&[1, 1])).unwrap().bytes.is_none());
    for index in [&[2, 0][..], &[0], &[0, 0, 0], &[]] {
        assert!(matches!(session.block_on(array.read_chunk(index)).unwrap_err().kind(), ErrorKind::Region(_)));
    }
    assert!(matches!(session.block_on(array.read::<u16, Ix1>(..)).unwrap_err().kind(), ErrorKind::Region(_)));
    assert_eq!(store.gets(), 0);
}
