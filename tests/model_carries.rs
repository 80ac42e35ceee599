//! The model carries more than a grid of files: shards in shards, what lies around a shard, texts, references into several objects.
#![cfg(feature = "read")]
#![allow(clippy::cast_possible_truncation, reason = "test arrays are small")]

mod common;

use std::sync::Arc;

use common::store::Watched;
use common::{Fill, Source, pack, zarr};
use ndarray::Array2;
use serde_json::json;
use swath::model::{ChunkManifest, DataType, Location, Region};
use swath::{ChunkedArray, Dataset, Session, SessionOptions};

const PREFIX: &str = "mine://m";

fn session(store: &Arc<Watched>) -> Session {
    let mut options = SessionOptions::default();
    options.threads = 2;
    options.cache_decoded = false;
    options.cache_stored = false;
    Session::builder(options).with_store(PREFIX, store.clone()).build().unwrap()
}

fn document(shape: &[u64], chunk: &[u64], data_type: &str, fill: &serde_json::Value, codecs: &serde_json::Value) -> String {
    json!({
        "zarr_format": 3, "node_type": "array", "shape": shape, "data_type": data_type, "fill_value": fill, "attributes": {},
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "codecs": codecs,
    })
    .to_string()
}

fn array(session: &Session, name: &str) -> ChunkedArray {
    session.block_on(async { session.open_zarr(&format!("{PREFIX}/{name}")).await?.array("").await }).unwrap()
}

fn shard(chunk: &[u64], codecs: &serde_json::Value, index_codecs: &serde_json::Value, at_start: bool) -> serde_json::Value {
    json!({"name": "sharding_indexed", "configuration": {
        "chunk_shape": chunk, "codecs": codecs, "index_codecs": index_codecs, "index_location": if at_start { "start" } else { "end" },
    }})
}

fn bytes_codec() -> serde_json::Value {
    json!({"name": "bytes", "configuration": {"endian": "little"}})
}

/// A shard of these parts; `None` is an inner chunk that is not stored.
fn pack_shard(parts: &[Option<Vec<u8>>], checksum: bool, at_start: bool) -> Vec<u8> {
    let index_length = parts.len() * 16 + if checksum { 4 } else { 0 };
    let (mut body, mut index) = (Vec::new(), Vec::new());
    for part in parts {
        let (start, length) = match part {
            Some(bytes) => (body.len() + if at_start { index_length } else { 0 }, bytes.len()),
            None => (usize::MAX, usize::MAX),
        };
        index.extend([(start as u64).to_le_bytes(), (length as u64).to_le_bytes()].concat());
        body.extend(part.iter().flatten());
    }
    if checksum {
        index.extend(crc32c::crc32c(&index).to_le_bytes());
    }
    if at_start { [index, body].concat() } else { [body, index].concat() }
}

/// Reads the whole and some parts, and holds them against the source.
fn check(session: &Session, array: &ChunkedArray, source: &Source) {
    let n = source.shape[0];
    for region in [Region::all(&source.shape), Region::new(vec![n / 2..n, 3..4]), Region::new(vec![1..n - 1, 1..source.shape[1] - 1])] {
        let read = session.block_on(array.read_dyn(&region)).unwrap();
        assert_eq!(read.into_little_endian(), source.region(&region), "{region}");
    }
}

/// Shards of 8 x 8, in them shards of 4 x 4, in them chunks of 2 x 2; one of each is not stored.
#[test]
fn a_shard_in_a_shard() {
    for (outer_start, inner_start) in [(false, false), (true, false), (false, true)] {
        let store = Arc::new(Watched::default());
        let session = session(&store);
        let mut source = Source::new(DataType::U16, &[14, 16], 1);
        let fill = 77_u16.to_le_bytes();
        let missing = [Region::new(vec![8..14, 8..16]), Region::new(vec![0..4, 4..8]), Region::new(vec![4..6, 0..2])];
        missing.iter().for_each(|region| source.fill(region, &fill));
        let stored = |y: u64, x: u64, n: u64| {
            let part = Region::new(vec![y..y + n, x..x + n]).intersection(&Region::all(&source.shape));
            !part.is_empty() && !missing.iter().any(|m| part.is_inside(m))
        };
        let chunk = |y: u64, x: u64| stored(y, x, 2).then(|| pack::gzip(&source.chunk(&Region::new(vec![y..y + 2, x..x + 2]), &[0, 1])));
        let inner = |y: u64, x: u64| {
            let parts: Vec<_> = [(0, 0), (0, 2), (2, 0), (2, 2)].iter().map(|(dy, dx)| chunk(y + dy, x + dx)).collect();
            stored(y, x, 4).then(|| pack_shard(&parts, true, inner_start))
        };
        for (i, j) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let parts: Vec<_> = [(0, 0), (0, 4), (4, 0), (4, 4)].iter().map(|(dy, dx)| inner(i * 8 + dy, j * 8 + dx)).collect();
            if stored(i * 8, j * 8, 8) {
                store.put(&format!("a/c/{i}/{j}"), pack_shard(&parts, false, outer_start));
            }
        }
        let packed = json!([bytes_codec(), {"name": "gzip", "configuration": {"level": 3}}]);
        let within = shard(&[2, 2], &packed, &json!([bytes_codec(), {"name": "crc32c"}]), inner_start);
        let codecs = json!([shard(&[4, 4], &json!([within]), &json!([bytes_codec()]), outer_start)]);
        store.put("a/zarr.json", document(&[14, 16], &[8, 8], "uint16", &json!(77), &codecs));
        let array = array(&session, "a");
        check(&session, &array, &source);
        // Both tables are pages: the chunks of the innermost shards are the array's own.
        assert_eq!(array.meta().grid.chunk_shape(), [2, 2]);
        assert!(matches!(&array.meta().manifest, ChunkManifest::Shards(shards) if matches!(shards.outer, ChunkManifest::Shards(_))));
        let plan = session.block_on(array.plan((0..2, 0..2))).unwrap();
        assert_eq!((plan.chunks, plan.requests.len(), plan.exact), (1, 1, true), "{plan:?}");
        assert!(plan.requests[0].length.is_some_and(|n| n < 64), "an inner chunk, not a shard: {plan:?}");
    }
}

/// A checksum behind the shard: its ranges keep their meaning, and are asked for alone.
#[test]
fn a_checksum_behind_a_shard() {
    for at_start in [false, true] {
        let store = Arc::new(Watched::default());
        let session = session(&store);
        let source = Source::new(DataType::I32, &[12, 8], 2);
        for i in 0..3 {
            let chunk = |x: u64| Some(pack::zstd(&source.chunk(&Region::new(vec![i * 4..i * 4 + 4, x..x + 4]), &[0, 1])));
            let mut bytes = pack_shard(&[chunk(0), chunk(4)], true, at_start);
            bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
            store.put(&format!("a/c/{i}/0"), bytes);
        }
        let packed = json!([bytes_codec(), {"name": "zstd", "configuration": {"level": 1, "checksum": false}}]);
        let codecs = json!([shard(&[4, 4], &packed, &json!([bytes_codec(), {"name": "crc32c"}]), at_start), {"name": "crc32c"}]);
        store.put("a/zarr.json", document(&[12, 8], &[4, 8], "int32", &json!(0), &codecs));
        let array = array(&session, "a");
        check(&session, &array, &source);
        assert_eq!(array.meta().grid.chunk_shape(), [4, 4]);
        assert!(matches!(array.meta().manifest, ChunkManifest::Shards(_)), "the shard is a manifest");
        let (_, stats) = session.block_on(array.read_dyn_with_stats((4..8, 4..8))).unwrap();
        assert_eq!((stats.requests, stats.chunks), (1, 1), "the index was read before: {stats:?}");
    }
}

/// What surrounds these shards takes the meaning from their ranges: the shard is a codec.
#[test]
fn a_shard_inside_a_compressor_is_decoded_whole() {
    let store = Arc::new(Watched::default());
    let session = session(&store);
    let mut source = Source::new(DataType::F32, &[8, 8], 3);
    source.fill(&Region::new(vec![4..8, 4..8]), &2.5_f32.to_le_bytes());
    let chunk = |y: u64, x: u64| Some(source.chunk(&Region::new(vec![y..y + 4, x..x + 4]), &[0, 1]));
    let parts = [chunk(0, 0), chunk(0, 4), chunk(4, 0), None];
    store.put("a/c/0/0", pack::gzip(&pack_shard(&parts, true, false)));
    let codecs = json!([
        shard(&[4, 4], &json!([bytes_codec()]), &json!([bytes_codec(), {"name": "crc32c"}]), false),
        {"name": "gzip", "configuration": {"level": 3}},
    ]);
    store.put("a/zarr.json", document(&[8, 8], &[8, 8], "float32", &json!(2.5), &codecs));
    check(&session, &array(&session, "a"), &source);
}

fn vlen(texts: &[&str]) -> Vec<u8> {
    let mut bytes = (texts.len() as u32).to_le_bytes().to_vec();
    for text in texts {
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// Texts of any length, with padding at the edges, in versions 2 and 3, plain and behind a compressor; one chunk is not stored.
#[test]
fn texts_of_any_length() {
    let words = ["", "a", "żółw", "二つの", "longer than the others by far", "b", "c", "d", "e"];
    let store = Arc::new(Watched::default());
    let session = session(&store);
    let text = |y: usize, x: usize| if y < 3 && x < 3 { words[y * 3 + x] } else { "padding" };
    let chunk = |y: usize, x: usize| vlen(&[text(y, x), text(y, x + 1), text(y + 1, x), text(y + 1, x + 1)]);
    for (i, j) in [(0, 0), (0, 1), (1, 0)] {
        store.put(&format!("two/{i}.{j}"), pack::zstd(&chunk(i * 2, j * 2)));
        store.put(&format!("three/c/{i}/{j}"), chunk(i * 2, j * 2));
    }
    let two = json!({
        "zarr_format": 2, "shape": [3, 3], "chunks": [2, 2], "dtype": "|O", "fill_value": "none", "order": "C",
        "filters": [{"id": "vlen-utf8"}], "compressor": {"id": "zstd", "level": 1},
    });
    store.put("two/.zarray", two.to_string());
    store.put("three/zarr.json", document(&[3, 3], &[2, 2], "string", &json!("none"), &json!([{"name": "vlen-utf8"}])));
    for name in ["two", "three"] {
        let array = array(&session, name);
        assert_eq!(*array.data_type(), DataType::Text, "{name}");
        let read = session.block_on(array.read_dyn(..)).unwrap();
        let texts: Vec<&str> = read.elements().unwrap().iter().map(|t| std::str::from_utf8(t).unwrap()).collect();
        assert_eq!(texts[..8], words[..8], "{name}");
        assert_eq!(texts[8], "none", "{name}");
        let part = session.block_on(array.read_dyn((1..3, 1..3))).unwrap();
        assert_eq!(part.elements().unwrap(), [words[4], words[5], words[7], "none"].map(str::as_bytes), "{name}");
        let canonical = part.into_little_endian();
        let expected = vlen(&[words[4], words[5], words[7], "none"]).split_off(4);
        assert_eq!(canonical, expected, "{name}");
    }
}

/// A file of references over two objects: ranges of both, an inline chunk, one that is not there.
#[test]
fn references_into_two_objects() {
    let store = Arc::new(Watched::default());
    let session = session(&store);
    let mut source = Source::new(DataType::I32, &[4, 6], 4);
    source.fill(&Region::new(vec![3..4, 0..6]), &(-1_i32).to_le_bytes());
    let row = |y: u64| pack::zlib(&source.chunk(&Region::new(vec![y..y + 1, 0..6]), &[0, 1]));
    let rows = [row(0), row(1), row(2)];
    store.put("data/first.bin", [&b"head"[..], &rows[0], b"between"].concat());
    store.put("data/second.bin", [&b"other head"[..], &rows[1]].concat());
    store.put("third.bin", rows[2].clone());
    let meta = json!({
        "zarr_format": 2, "shape": [4, 6], "chunks": [1, 6], "dtype": "<i4", "fill_value": -1, "order": "C", "filters": null,
        "compressor": {"id": "zlib", "level": 3},
    });
    let references = json!({"version": 1, "templates": {"u": format!("{PREFIX}/data")}, "refs": {
        ".zgroup": "{\"zarr_format\": 2}",
        "v/.zarray": meta.to_string(),
        "v/0.0": ["{{u}}/first.bin", 4, rows[0].len()],
        "v/1.0": [format!("{PREFIX}/data/second.bin"), 10, rows[1].len()],
        "v/2.0": [format!("{PREFIX}/third.bin")],
        "plain/.zarray": meta.to_string(),
        "plain/0.0": [format!("{PREFIX}/data/second.bin"), 10, rows[1].len()],
    }});
    store.put("refs.json", references.to_string());
    let Dataset::Group(group) = session.block_on(session.open(&format!("{PREFIX}/refs.json"))).unwrap() else { panic!("a group") };
    let mut arrays = session.block_on(group.arrays()).unwrap();
    arrays.sort();
    assert_eq!(arrays, ["plain", "v"]);
    let array = session.block_on(group.array("v")).unwrap();
    check(&session, &array, &source);
    let read: Array2<i32> = session.block_on(array.read((3, ..))).unwrap();
    assert!(read.iter().all(|n| *n == -1));
    let meta = array.meta();
    let pages = std::collections::HashMap::new();
    let place = |index: u64| meta.manifest.locate(&[index, 0], &meta.grid, &pages).unwrap();
    assert!(matches!(place(0), Location::At { span, .. } if span.object.url().ends_with("data/first.bin") && span.start == 4));
    assert!(matches!(place(1), Location::At { span, .. } if span.object.url().ends_with("data/second.bin") && span.start == 10));
    assert!(matches!(place(2), Location::Whole { .. }));
    assert_eq!(place(3), Location::Absent);
    let plan = session.block_on(array.plan((0..2, ..))).unwrap();
    assert_eq!((plan.requests.len(), plan.exact), (2, true), "{plan:?}");
    assert_eq!(plan.bytes, (rows[0].len() + rows[1].len()) as u64);
}

/// The order of axes is permuted before the shard: the index counts in the permuted order.
#[test]
fn a_transpose_before_a_shard() {
    let store = Arc::new(Watched::default());
    let session = session(&store);
    let source = Source::new(DataType::U16, &[8, 12], 6);
    // Stored axes are x, y: a shard of 8 x 12 is stored as 12 x 8, its chunks as 4 x 2 of x, y.
    let mut parts = Vec::new();
    for x in 0..3 {
        for y in 0..4 {
            parts.push(Some(source.chunk(&Region::new(vec![y * 2..y * 2 + 2, x * 4..x * 4 + 4]), &[1, 0])));
        }
    }
    store.put("a/c/0/0", pack_shard(&parts, true, false));
    let codecs = json!([
        {"name": "transpose", "configuration": {"order": [1, 0]}},
        shard(&[4, 2], &json!([bytes_codec()]), &json!([bytes_codec(), {"name": "crc32c"}]), false),
    ]);
    store.put("a/zarr.json", document(&[8, 12], &[8, 12], "uint16", &json!(0), &codecs));
    let array = array(&session, "a");
    check(&session, &array, &source);
    assert_eq!(array.meta().grid.chunk_shape(), [2, 4]);
}

/// The writer of the tests is held to the same: a plain array read through its manifest of names.
#[test]
fn names_of_objects() {
    let store = Arc::new(Watched::default());
    let session = session(&store);
    let source = Source::new(DataType::U16, &[5, 7], 5);
    for (name, objects) in [2, 3].map(|v| (format!("v{v}"), zarr::write(&source, &[2, 3], &zarr::Form::new(v, 2), Fill::Zero, &|_| false))) {
        for (object, bytes) in objects {
            store.put(&format!("{name}/{object}"), bytes);
        }
        let array = array(&session, &name);
        check(&session, &array, &source);
        assert!(matches!(array.meta().manifest, ChunkManifest::Keys(_)));
    }
}

/// The index of a shard is kept; when the shard is written anew, inner chunks are not cut out of the new object by the old index.
#[test]
fn a_shard_written_anew_is_not_read_by_its_old_index() {
    let session = Session::new();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/zarr/v3/sharded_none.zarr");
    let put = |name: &str| {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        session.block_on(session.put_memory(&format!("memory://shards/{name}"), bytes.into())).unwrap();
    };
    for name in ["zarr.json", "c/0/0/0", "c/0/0/1"] {
        put(name);
    }
    let array = session.block_on(async { session.open_zarr("memory://shards").await?.array("").await }).unwrap();
    let corner = Region::new(array.shape().iter().map(|_| 0..1).collect());
    session.block_on(array.read_dyn(&corner)).unwrap();
    put("c/0/0/0"); // the same bytes are another generation all the same
    let error = session.block_on(array.read_chunk(&vec![0; corner.ranges().len()])).unwrap_err();
    assert!(matches!(error.kind(), swath::ErrorKind::ObjectChanged { .. }), "{error}");
    let again = session.block_on(async { session.open_zarr("memory://shards").await?.array("").await }).unwrap();
    session.block_on(again.read_dyn(&corner)).unwrap();
}
