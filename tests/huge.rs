//! Datasets of ten million chunks, opened and read with the default limits: how many requests that takes, and how much memory.
//!
//! An allocator that counts stands under the whole binary, so the tests run one after the other.
#![cfg(feature = "read")]

#[path = "support/heap.rs"]
mod heap;
#[path = "support/sparse.rs"]
mod sparse;

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use heap::{Counting, peak_of};
use ndarray::{Ix2, Ix3};
use sparse::{Sparse, SparseStore};
use swath::{Dataset, ReadStats, Session, SessionOptions};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const MIB: usize = 1 << 20;
/// Chunks along each axis: 10,004,569 of them.
const ACROSS: u64 = 3163;
/// Elements of a chunk along each axis.
const SIDE: u64 = 64;
/// The chunk that is read, along each axis.
const AT: u64 = 2000;

fn session(store: &Arc<SparseStore>) -> Session {
    Session::builder(SessionOptions::default()).with_store("huge://", store.clone()).build().unwrap()
}

/// Opens a dataset, reads one chunk of its array `name` (or of its image), and tells what was asked at opening and at reading.
fn one_chunk(store: SparseStore, url: &str, name: &str, value: u8) -> ([usize; 2], ReadStats, usize) {
    let store = Arc::new(store);
    let ((stats, requests), peak) = peak_of(|| {
        let session = session(&store);
        let region = (AT * SIDE..(AT + 1) * SIDE, AT * SIDE..(AT + 1) * SIDE);
        session.block_on(async {
            let array = match session.open(url).await.unwrap() {
                Dataset::Cog(cog) => cog.level(0).unwrap(),
                Dataset::Group(group) => group.array(name).await.unwrap(),
                other => panic!("{other:?}"),
            };
            let opening = store.take_asked().len();
            let (elements, stats) = match array.shape().len() {
                2 => array.read_with_stats::<u8, Ix2>(region).await.map(|(read, stats)| (read.into_raw_vec_and_offset().0, stats)).unwrap(),
                _ => array
                    .read_with_stats::<u8, Ix3>((.., region.0, region.1))
                    .await
                    .map(|(read, stats)| (read.into_raw_vec_and_offset().0, stats))
                    .unwrap(),
            };
            assert_eq!(elements, vec![value; elements.len()]);
            (stats, [opening, store.take_asked().len()])
        })
    });
    (requests, stats, peak)
}

/// A BigTIFF of these many tiles, of which one is stored; offsets of eight bytes and lengths of four, in a row behind the directory.
fn cog() -> SparseStore {
    let tiles = ACROSS * ACROSS;
    let (directory, entries) = (16_u64, 10_u64);
    let offsets = directory + 8 + entries * 20 + 8;
    let lengths = offsets + tiles * 8;
    let data = lengths + tiles * 4;
    let (short, long, long8) = (3_u16, 4_u16, 16_u16);
    let rows: [(u16, u16, u64, u64); 10] = [
        (256, long, 1, ACROSS * SIDE),
        (257, long, 1, ACROSS * SIDE),
        (258, short, 1, 8),
        (259, short, 1, 1),
        (262, short, 1, 1),
        (277, short, 1, 1),
        (322, long, 1, SIDE),
        (323, long, 1, SIDE),
        (324, long8, tiles, offsets),
        (325, long, tiles, lengths),
    ];
    let mut head = b"II\x2b\0\x08\0\0\0".to_vec();
    head.extend(directory.to_le_bytes());
    head.extend(entries.to_le_bytes());
    for (tag, kind, count, value) in rows {
        head.extend(tag.to_le_bytes());
        head.extend(kind.to_le_bytes());
        head.extend(count.to_le_bytes());
        head.extend(value.to_le_bytes());
    }
    let mut object = Sparse::default();
    object.put(0, head);
    let tile = AT * ACROSS + AT;
    object.put(offsets + tile * 8, data.to_le_bytes());
    object.put(lengths + tile * 4, 4096_u32.to_le_bytes());
    object.put(data, [9; 4096]);
    SparseStore::of([("huge.tif", object)])
}

#[test]
fn a_cog_of_ten_million_tiles() {
    let _alone = alone();
    let ([opening, reading], stats, peak) = one_chunk(cog(), "huge://huge.tif", "", 9);
    // The header; a page of offsets and one of lengths; the tile.
    assert_eq!((opening, reading, stats.pages, stats.chunks), (1, 3, 2, 1), "{stats}");
    assert!(peak < 2 * MIB, "{peak}");
}

fn whole(bytes: impl Into<Vec<u8>>) -> Sparse {
    let mut object = Sparse::default();
    object.put(0, bytes);
    object
}

fn v3(chunk: u64, codecs: &serde_json::Value) -> Sparse {
    let document = serde_json::json!({
        "zarr_format": 3, "node_type": "array", "shape": [ACROSS * SIDE, ACROSS * SIDE], "data_type": "uint8", "fill_value": 0, "codecs": codecs,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [chunk, chunk]}}, "chunk_key_encoding": {"name": "default"},
    });
    whole(document.to_string())
}

#[test]
fn a_zarr_array_of_ten_million_chunks() {
    let _alone = alone();
    let store =
        SparseStore::of([("huge.zarr/zarr.json", v3(SIDE, &serde_json::json!([{"name": "bytes"}]))), ("huge.zarr/c/2000/2000", whole([9; 4096]))]);
    let ([opening, reading], stats, peak) = one_chunk(store, "huge://huge.zarr", "", 9);
    assert!(opening <= 6, "{opening}");
    assert_eq!((reading, stats.chunks), (1, 1), "{stats}");
    assert!(peak < 2 * MIB, "{peak}");
}

/// In shards of 100 x 100 chunks, and in shards of 1000 x 1000, whose indexes have 16 MB.
#[test]
fn a_sharded_array_of_ten_million_chunks() {
    let _alone = alone();
    for across in [100_u64, 1000] {
        let bytes = serde_json::json!([{"name": "bytes"}]);
        let index = serde_json::json!([{"name": "bytes", "configuration": {"endian": "little"}}]);
        let configuration = serde_json::json!({"chunk_shape": [SIDE, SIDE], "codecs": bytes, "index_codecs": index});
        let document = v3(across * SIDE, &serde_json::json!([{"name": "sharding_indexed", "configuration": configuration}]));
        // Its data first, then the index, of which one entry is set: all others are at 0, of no bytes.
        let mut shard = whole([9; 4096]);
        let (outer, inner) = (AT / across, AT % across);
        let entry = 4096 + (inner * across + inner) * 16;
        shard.put(entry, [0; 8]);
        shard.put(entry + 8, 4096_u64.to_le_bytes());
        shard.length = 4096 + across * across * 16;
        let name: &'static str = if outer == 20 { "huge.zarr/c/20/20" } else { "huge.zarr/c/2/2" };
        let store = SparseStore::of([("huge.zarr/zarr.json", document), (name, shard)]);
        let ([opening, reading], stats, peak) = one_chunk(store, "huge://huge.zarr", "", 9);
        assert!(opening <= 6, "{opening}");
        // The index, and the chunk.
        assert_eq!((reading, stats.pages, stats.chunks), (2, 1, 1), "{across}: {stats}");
        let index = usize::try_from(across * across * 16).unwrap();
        eprintln!("shards of {across} x {across}: {:.1} MiB", peak as f64 / MIB as f64);
        assert!(peak < 3 * index + 2 * MIB, "{across}: {peak}");
    }
}

/// A reference file of a million keys, 34 MB: a chunk of 1024 along each axis each.
#[test]
fn references_of_a_million_chunks() {
    const ROWS: u64 = 1000;
    let _alone = alone();
    let array = format!(
        r#"{{\"zarr_format\":2,\"shape\":[{0},{0}],\"chunks\":[{SIDE},{SIDE}],\"dtype\":\"|u1\",\"compressor\":null,\"fill_value\":0,\"order\":\"C\",\"filters\":null}}"#,
        4 * ROWS * SIDE
    );
    let mut json = format!(r#"{{"version":1,"refs":{{".zgroup":"{{\"zarr_format\":2}}","v/.zarray":"{array}""#);
    // Around the chunk that is read.
    for y in 0..ROWS {
        for x in 0..ROWS {
            let number = y * ROWS + x;
            write!(json, ",\"v/{}.{}\":[\"huge://cube/data\",{},4096]", AT - ROWS / 2 + y, AT - ROWS / 2 + x, number * 4096).unwrap();
        }
    }
    json.push_str("}}");
    let document = json.len();
    let number = (ROWS / 2) * ROWS + ROWS / 2;
    let mut data = Sparse::default();
    data.put(number * 4096, [9; 4096]);
    data.length = ROWS * ROWS * 4096;
    let store = SparseStore::of([("cube/refs.json", whole(json)), ("cube/data", data)]);
    let ([opening, reading], stats, peak) = one_chunk(store, "huge://cube/refs.json", "v", 9);
    assert!(opening <= 4, "{opening}");
    assert_eq!((reading, stats.chunks), (1, 1), "{stats}");
    eprintln!("references of {document} bytes: {:.1} MiB", peak as f64 / MIB as f64);
    assert!(peak < 12 * document, "{peak} for a document of {document}");
}
