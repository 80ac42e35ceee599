//! Whole arrays read from a local folder, by Swath and by `zarrs`, in turns of one run: what counts is the ratio.
//!
//! `cargo bench --manifest-path benches/peers/Cargo.toml`; with `--test` once each, and only the values are compared.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ndarray::Array2;
use swath::format::zarr::{NewArray, Version};
use swath::model::{BloscCompressor, BloscShuffle, Compression, DataType};
use swath::{ChunkedArray, Session, SessionOptions};
use zarrs::array::{Array, ArraySubset, CodecOptions};
use zarrs::filesystem::FilesystemStore;

const SIZE: usize = 2048;
const CHUNK: u64 = 256;

/// Waves and noise, as heights in metres.
fn heights() -> Array2<u16> {
    Array2::from_shape_fn((SIZE, SIZE), |(y, x)| {
        let wave = (x as f32 / 97.0).sin() * 700.0 + (y as f32 / 61.0).cos() * 500.0 + 1500.0;
        let noise = (((y * SIZE + x) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 61) as f32;
        (wave + noise) as u16
    })
}

fn kinds() -> Vec<(&'static str, NewArray)> {
    let base = || NewArray::new([SIZE as u64; 2], DataType::U16, [CHUNK; 2]);
    let lz4 = Compression::Blosc { compressor: BloscCompressor::Lz4, level: 5, shuffle: BloscShuffle::Bytes };
    let zstd = Compression::Zstd { level: 3, checksum: false };
    let inner = |compression| NewArray::new([SIZE as u64; 2], DataType::U16, [64; 2]).shards([CHUNK * 2; 2]).compression(compression);
    vec![
        ("none", base().compression(Compression::None)),
        ("gzip", base().compression(Compression::Gzip { level: 5 })),
        ("zstd", base().compression(zstd)),
        ("blosc-lz4", base().compression(lz4)),
        ("sharded, none", inner(Compression::None)),
        ("sharded, zstd", inner(zstd)),
    ]
}

fn session(threads: usize) -> Session {
    let mut options = SessionOptions::default();
    (options.threads, options.cache_stored, options.cache_decoded) = (threads, false, false);
    Session::with_options(options).unwrap()
}

fn write(folder: &Path, values: &Array2<u16>) {
    let session = session(0);
    session.block_on(async {
        let store = session.create_zarr(folder.to_str().unwrap(), Version::V3).await.unwrap();
        for (name, new) in kinds() {
            store.array(name, &new).await.unwrap().write(.., values).await.unwrap();
        }
        store.finish().await.unwrap();
    });
}

fn swath(session: &Session, array: &ChunkedArray) -> Array2<u16> {
    session.block_on(array.read(..)).unwrap()
}

fn zarrs(array: &Array<FilesystemStore>, options: &CodecOptions) -> Vec<u16> {
    array.retrieve_array_subset_opt(&ArraySubset::new_with_shape(array.shape().to_vec()), options).unwrap()
}

/// The medians of both, run in turns.
fn medians(mut a: impl FnMut(), mut b: impl FnMut()) -> (Duration, Duration) {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    while first.len() < 11 || begun.elapsed() < Duration::from_secs(3) && first.len() < 101 {
        let start = Instant::now();
        a();
        first.push(start.elapsed());
        let start = Instant::now();
        b();
        second.push(start.elapsed());
    }
    first.sort();
    second.sort();
    (first[first.len() / 2], second[second.len() / 2])
}

fn main() {
    let test = std::env::args().any(|a| a == "--test");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("zarr_read");
    let _fresh = std::fs::remove_dir_all(&folder);
    let values = heights();
    write(&folder, &values);
    let store = Arc::new(FilesystemStore::new(&folder).unwrap());
    println!("{:16} {:>8} {:>10} {:>10} {:>8}", "", "threads", "Swath", "zarrs", "ratio");
    for threads in [1, 2] {
        let session = session(threads);
        let group = session.block_on(session.open_zarr(folder.to_str().unwrap())).unwrap();
        let options = CodecOptions::default().with_concurrent_target(threads);
        let pool = rayon(threads);
        for (name, _) in kinds() {
            let ours = session.block_on(group.array(name)).unwrap();
            let theirs = Array::open(store.clone(), &format!("/{name}")).unwrap();
            assert_eq!(swath(&session, &ours), values);
            assert_eq!(zarrs(&theirs, &options), values.as_slice().unwrap());
            if test {
                continue;
            }
            let (a, b) = medians(|| drop(swath(&session, &ours)), || pool.install(|| drop(zarrs(&theirs, &options))));
            let (a, b) = (a.as_secs_f64() * 1e3, b.as_secs_f64() * 1e3);
            println!("{name:16} {threads:>8} {a:>7.2} ms {b:>7.2} ms {:>8.2}", a / b);
        }
    }
    let _leftover = std::fs::remove_dir_all(&folder);
}

fn rayon(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}
