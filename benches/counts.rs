//! What a decode, an opening and a plan take, in instructions: `.ci/counts` runs each job under callgrind and holds it to
//! `benches/counts.tsv`. A count is the same on a busy machine and on an idle one, where a time is not.
//!
//! `counts --list` names the jobs, `counts --job NAME` runs one: once to warm up, once counted. It prints the level of instructions
//! that the machine (or Valgrind) says it has, and how many parts the work has. Without a name all jobs run, not counted.

#![allow(missing_docs, clippy::cast_possible_truncation, reason = "numbers of the benchmark's own")]

#[path = "common/callgrind.rs"]
mod callgrind;
#[path = "common/mod.rs"]
mod common;
#[allow(dead_code, reason = "one of its writers is used here")]
#[path = "../tests/common/pack.rs"]
mod pack;

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use common::tiff::{Image, Packing};
use common::{metadata, terrain_f32, terrain_u16, zlib, zstd};
use ndarray::Array3;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use swath::codec::{ChunkContext, Encoder, Scratch};
use swath::model::{
    ArrayMeta, AxisOrder, BloscCompressor, BloscShuffle, ChunkGrid, ChunkManifest, ChunkTable, CodecSpec, Column, Compression, DataType, Dim,
    FillValue, JpegColor, Limits, Location, LzwBits, ObjectKey, RawJson, Reach, Scaling,
};
use swath::{Element, Session, SessionOptions};

/// Pixels of a side of a chunk, and of an array of four.
const CHUNK: usize = 256;
const SIDE: usize = 512;

/// What is counted, and how many parts it has.
struct Job {
    parts: u64,
    run: Box<dyn FnMut()>,
}

type Make = fn() -> Job;

/// Plans of growing arrays stand together: `.ci/counts` holds what they take a chunk to that of the first.
const JOBS: [(&str, Make); 12] = [
    ("read-deflate-u16-predictor2", || chunks::<u16>(&[CodecSpec::Zlib, PREDICTOR_2], &differences(), |tile| zlib(tile, 6))),
    ("read-zstd-f32-predictor3", || chunks::<f32>(&[CodecSpec::Zstd, PREDICTOR_3], &planes(), |tile| zstd(tile, 3))),
    ("read-lzw-u16-predictor2", || chunks::<u16>(&[CodecSpec::Lzw(LzwBits::Msb), PREDICTOR_2], &differences(), pack::lzw)),
    ("read-blosc-lz4-f32", blosc_lz4),
    ("read-jpeg-rgb", jpeg),
    ("read-lerc-f32", lerc_tolerance),
    ("read-cog", read_cog),
    ("open-cog", open_cog),
    ("open-zarr", open_zarr),
    ("plan-100000", || plan(100, 1_000)),
    ("plan-1000000", || plan(1_000, 1_000)),
    ("plan-10000000", || plan(1_000, 10_000)),
];

const PREDICTOR_2: CodecSpec = CodecSpec::Predictor { row: CHUNK as u64, stride: 1 };
const PREDICTOR_3: CodecSpec = CodecSpec::FloatPredictor { row: CHUNK as u64, stride: 1 };

fn options() -> SessionOptions {
    let mut options = SessionOptions::default();
    // Everything is decoded and parsed each time.
    (options.threads, options.cache_stored, options.cache_decoded) = (1, false, false);
    options
}

fn meta(shape: &[u64], chunk: &[u64], data_type: DataType, chain: &[CodecSpec], manifest: ChunkManifest) -> ArrayMeta {
    ArrayMeta {
        source: ObjectKey::new("bench://array"),
        dims: shape.iter().map(|length| Dim { name: String::new(), length: *length }).collect(),
        grid: ChunkGrid::regular(shape, chunk).unwrap(),
        data_type,
        fill_value: FillValue::ZERO,
        order: AxisOrder::c(shape.len()),
        chains: vec![chain.to_vec()],
        manifest,
        scaling: Scaling::default(),
        attributes: RawJson::default(),
    }
}

/// The same chunk four times, in memory, into an array of the caller's: `samples` values a pixel, pixel by pixel.
fn stored<T: Element>(chain: &[CodecSpec], samples: usize, chunk: Vec<u8>) -> Job {
    let chunk = bytes::Bytes::from(chunk);
    let chunks: HashMap<u64, Location> = (0..4).map(|n| (n, Location::Inline(chunk.clone()))).collect();
    let (shape, of_chunk) = ([SIDE as u64, SIDE as u64, samples as u64], [CHUNK as u64, CHUNK as u64, samples as u64]);
    let meta = meta(&shape, &of_chunk, T::DATA_TYPE, chain, ChunkManifest::Listed(Arc::new(chunks)));
    let array = session(Vec::new()).array(meta).unwrap();
    let mut out = Array3::from_elem((SIDE, SIDE, samples), T::zeroed());
    let run = Box::new(move || _ = black_box(array.blocking_read_into(.., out.view_mut()).unwrap()));
    Job { parts: (SIDE * SIDE) as u64, run }
}

fn chunks<T: Element>(chain: &[CodecSpec], tile: &[u8], pack: impl Fn(&[u8]) -> Vec<u8>) -> Job {
    stored::<T>(chain, 1, pack(tile))
}

/// A tile that TIFF's predictor was applied to.
fn predicted(pixels: Vec<u8>, element: usize, predictor: u16) -> Vec<u8> {
    let image = Image { pixels, size: CHUNK, tile: CHUNK, element, packing: Packing::None, predictor, overviews: 0 };
    image.tiles().remove(0)
}
fn differences() -> Vec<u8> {
    predicted(terrain_u16(CHUNK), 2, 2)
}
fn planes() -> Vec<u8> {
    predicted(terrain_f32(CHUNK), 4, 3)
}

fn blosc_lz4() -> Job {
    let compression = Compression::Blosc { compressor: BloscCompressor::Lz4, level: 5, shuffle: BloscShuffle::Bytes };
    let encoder = Encoder::compile(&[CodecSpec::Blosc], &DataType::F32, &compression).unwrap();
    let (shape, limits) = ([CHUNK as u64, CHUNK as u64], Limits::default());
    let context = ChunkContext::new(&shape, &DataType::F32, &limits);
    let chunk = encoder.encode(terrain_f32(CHUNK), &context, &mut Scratch::default()).unwrap();
    stored::<f32>(&[CodecSpec::Blosc], 1, chunk)
}

/// Three bands that are different shades of the same terrain, chroma at half the resolution.
fn jpeg() -> Job {
    let heights = common::terrain(CHUNK);
    let pixels: Vec<u8> = heights.iter().flat_map(|h| [h / 16.0, h / 20.0 + 20.0, 180.0 - h / 30.0].map(|shade| shade as u8)).collect();
    let mut chunk = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut chunk, 85);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
    encoder.encode(&pixels, CHUNK as u16, CHUNK as u16, jpeg_encoder::ColorType::Rgb).unwrap();
    stored::<u8>(&[CodecSpec::Jpeg { tables: None, color: JpegColor::ToRgb, samples: 3, bits: 8 }], 3, chunk)
}

fn lerc_tolerance() -> Job {
    let chunk = lerc::encode_slice(CHUNK as u32, CHUNK as u32, &common::terrain(CHUNK), lerc::Precision::Tolerance(0.01)).unwrap();
    stored::<f32>(&[CodecSpec::Lerc { samples: 1 }], 1, chunk)
}

/// A session over objects in memory.
fn session(objects: Vec<(&str, Vec<u8>)>) -> Session {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let session = Session::builder(options()).with_store("bench://", store.clone()).build().unwrap();
    session.block_on(async {
        for (key, bytes) in objects {
            store.put(&Path::from(key), bytes.into()).await.unwrap();
        }
    });
    session
}

fn cog() -> Session {
    let image = Image { pixels: terrain_u16(1024), size: 1024, tile: CHUNK, element: 2, packing: Packing::Deflate, predictor: 2, overviews: 2 };
    session(vec![("image.tif", image.write())])
}

/// All of an image of 1024 x 1024, from the request to the last pixel.
fn read_cog() -> Job {
    let session = cog();
    let level = session.block_on(session.open_cog("bench://image.tif")).unwrap().level(0).unwrap();
    let mut out = Array3::<u16>::zeros((1, 1024, 1024));
    Job { parts: 1024 * 1024, run: Box::new(move || _ = black_box(level.blocking_read_into(.., out.view_mut()).unwrap())) }
}

fn open_cog() -> Job {
    let session = cog();
    let run = move || drop(black_box(session.block_on(session.open_cog("bench://image.tif")).unwrap().level(0).unwrap()));
    Job { parts: 1, run: Box::new(run) }
}

/// One array of a thousand.
fn open_zarr() -> Job {
    let session = session(vec![("wide.zarr/.zmetadata", metadata::v2(1_000))]);
    let path = metadata::path(500);
    let run = move || drop(black_box(session.block_on(async { session.open_zarr("bench://wide.zarr").await.unwrap().array(&path).await.unwrap() })));
    Job { parts: 1, run: Box::new(run) }
}

/// All of an array whose table of chunks is at hand. Chunks differ in length and follow each other, as in a file written in one go.
fn plan(down: u64, across: u64) -> Job {
    let lengths: Vec<u64> = (0..down * across).map(|n| 30_000 + n * 7919 % 20_000).collect();
    let offsets: Vec<u64> = lengths.iter().scan(1 << 16, |at, n| Some(std::mem::replace(at, *at + n))).collect();
    let table = ChunkTable {
        object: ObjectKey::new("bench://large.tif"),
        rows: down * across,
        offsets: Column::Loaded(offsets.into()),
        lengths: Column::Loaded(lengths.into()),
        page_rows: 4096,
        reach: Reach::Lengths,
    };
    let side = CHUNK as u64;
    let meta = meta(&[down * side, across * side], &[side, side], DataType::U16, &[CodecSpec::Zlib], ChunkManifest::Table(table));
    let session = session(Vec::new());
    let array = session.array(meta).unwrap();
    let run = move || assert_eq!(session.block_on(array.plan(..)).unwrap().chunks as u64, down * across);
    Job { parts: down * across, run: Box::new(run) }
}

fn level() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    return if is_x86_feature_detected!("avx512f") {
        "x86-64-avx512"
    } else if is_x86_feature_detected!("avx2") {
        "x86-64-avx2"
    } else {
        "x86-64"
    };
    #[cfg(not(target_arch = "x86_64"))]
    std::env::consts::ARCH
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|a| a == "--list") {
        return JOBS.iter().for_each(|(name, _)| println!("{name}"));
    }
    if let Some(at) = arguments.iter().position(|a| a == "--job") {
        let name = arguments.get(at + 1).expect("the name of a job");
        let (_, make) = JOBS.iter().find(|(job, _)| job == name).expect("a job of this name");
        let mut job = make();
        // Twice: some of what a session keeps is made at the second use.
        (job.run)();
        (job.run)();
        callgrind::counted(|| (job.run)());
        return println!("{}\t{}", level(), job.parts);
    }
    for (name, make) in JOBS.iter().filter(|(name, _)| !name.ends_with("0000000")) {
        (make().run)();
        println!("{name}: ran");
    }
}
