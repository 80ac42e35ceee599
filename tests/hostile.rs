//! What hostile files may make a session hold: the formula of [`swath::model::Limits::peak_memory`], and no more than 32 MiB beside what they
//! are asked for.
//!
//! The malformed files of `testdata/bad`, and, where `SWATH_CORPUS` names a corpus, those of its folder `hostile` and of the archive
//! `made.zip` in it. An allocator that counts stands under the whole binary, so the tests run one after the other.

#[path = "../benches/common/mod.rs"]
mod common;
#[path = "support/heap.rs"]
mod heap;
#[path = "support/unzip.rs"]
mod unzip;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use heap::{Counting, peak_of};
use swath::model::Region;
use swath::{ChunkedArray, Dataset, Error, ErrorKind, Session, SessionOptions};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const MIB: u64 = 1 << 20;
const THREADS: usize = 2;
/// What one file may make a session hold, beside its results and its largest chunk, decoded and stored.
const BESIDE: u64 = 32 * MIB;
/// Nothing takes as long: what is slower than this hangs.
const HANG: Duration = Duration::from_secs(20);

/// The default limits; without caches, which stand beside the formula.
fn session() -> Session {
    let mut options = SessionOptions::default();
    options.threads = THREADS;
    options.cache_bytes = 0;
    Session::with_options(options).unwrap()
}

/// Arrays of one file that are looked at.
const ARRAYS: usize = 16;
/// Elements of a result along each axis, at most: a part of the first chunk.
const ALONG: u64 = 256;

async fn open(session: &Session, path: &Path) -> Result<Vec<ChunkedArray>, Error> {
    let mut arrays = Vec::new();
    match session.open(path.to_str().unwrap()).await? {
        Dataset::Cog(cog) => arrays.extend(cog.directories().iter().take(ARRAYS).filter_map(|path| cog.directory(path).ok())),
        Dataset::Group(group) => {
            for name in group.arrays().await?.iter().take(ARRAYS) {
                arrays.extend(group.array(name).await.ok());
            }
        }
        other => panic!("{other:?} is neither image nor group"),
    }
    Ok(arrays)
}

/// The part of its first chunk that is read.
fn corner(array: &ChunkedArray) -> Region {
    let chunk = array.meta().grid.chunk_shape();
    // Elements in all are bounded, too: there may be many axes.
    let mut left = 1 << 20;
    let along = |(length, chunk): (&u64, &u64)| {
        let n = (*length).min(*chunk).min(ALONG).min(left);
        left /= n.max(1);
        0..n
    };
    Region::new(array.shape().iter().zip(&chunk).map(along).collect::<Vec<_>>())
}

/// All bytes of a file or store.
fn stored(path: &Path) -> u64 {
    if path.is_dir() { std::fs::read_dir(path).unwrap().map(|entry| stored(&entry.unwrap().path())).sum() } else { path.metadata().unwrap().len() }
}

struct Seen {
    peak: u64,
    time: Duration,
    told: String,
}

/// Opens a file, and reads of the first chunk of each of its arrays; what breaks a bound is told in `failures`.
fn examine(path: &Path, name: &str, failures: &mut Vec<String>) -> Seen {
    let session = session();
    let metadata = stored(path);
    let start = Instant::now();
    let mut most = 0;
    let mut check = |what: &str, peak: usize, formula: u64, beside: u64| {
        let peak = peak as u64;
        most = most.max(peak);
        if peak > formula {
            failures.push(format!("{name}: {what} held {peak} bytes, and the formula gives {formula}"));
        }
        if peak > BESIDE + beside {
            failures.push(format!("{name}: {what} held {:.1} MiB, {:.1} allowed", peak as f64 / MIB as f64, (BESIDE + beside) as f64 / MIB as f64));
        }
    };
    let (opened, peak) = peak_of(|| session.block_on(open(&session, path)));
    check("opening", peak, session.limits().peak_memory(&swath::model::Footprint { metadata, ..Default::default() }), metadata);
    let mut told = Vec::new();
    for array in opened.as_ref().into_iter().flatten() {
        let region = corner(array);
        let element = array.data_type().size().unwrap_or(16) as u64;
        let output = region.len().saturating_mul(element);
        let (read, peak) = peak_of(|| session.block_on(array.read_dyn(&region)));
        let chunk = array.meta().grid.chunk_shape().iter().fold(element, |n, m| n.saturating_mul(*m));
        let chunks = array.meta().grid.chunks_of(&region).iter().map(|r| r.end - r.start).product();
        // A chunk that was never there takes no memory, whatever its size is said to be.
        let beside = output + if read.is_ok() { chunk.min(session.limits().max_chunk_bytes) } else { 0 } + metadata;
        check("a read", peak, array.peak_memory(output, chunks, metadata), beside);
        told.push(read.map_or_else(|e| e.to_string(), |_| "read".to_owned()));
    }
    let told = opened.map_or_else(|e| e.to_string(), |_| told.join("; "));
    let time = start.elapsed();
    if time > HANG {
        failures.push(format!("{name}: took {time:?}"));
    }
    Seen { peak: most, time, told }
}

fn run(folder: &str, files: &[PathBuf]) {
    let mut failures = Vec::new();
    let mut largest = (0, String::new());
    let mut slowest = (Duration::ZERO, String::new());
    for path in files {
        let name = path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned();
        let Seen { peak, time, told } = examine(path, &name, &mut failures);
        if std::env::var_os("SWATH_HOSTILE_TELL").is_some() {
            eprintln!("{:7.1} MiB {:6} ms  {name}: {told}", peak as f64 / MIB as f64, time.as_millis());
        }
        largest = largest.max((peak, name.clone()));
        slowest = slowest.max((time, name));
    }
    eprintln!("{} files; at most {:.1} MiB ({}) and {:?} ({})", files.len(), largest.0 as f64 / MIB as f64, largest.1, slowest.0, slowest.1);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Files that are opened each by itself, and folders that are one store.
fn files_below(folder: &Path, into: &mut Vec<PathBuf>) {
    let is_store = |path: &Path| {
        path.extension().is_some_and(|e| e == "zarr") || [".zarray", ".zgroup", "zarr.json", ".zmetadata"].iter().any(|n| path.join(n).exists())
    };
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if path.is_dir() && !is_store(&path) {
            files_below(&path, into);
        } else if !["md", "txt", "bin"].contains(&extension) {
            into.push(path);
        }
    }
}

#[test]
fn malformed_files_keep_to_the_formula() {
    let _alone = alone();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/bad");
    let mut files = Vec::new();
    files_below(Path::new(folder), &mut files);
    assert!(files.len() > 30, "the malformed files of testdata are not there");
    run(folder, &files);
}

#[test]
fn hostile_files_of_a_corpus_keep_to_the_formula() {
    let _alone = alone();
    let Some(corpus) = std::env::var_os("SWATH_CORPUS").map(|folder| PathBuf::from(folder).join("hostile")) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI is set and SWATH_CORPUS is not");
        eprintln!("SKIPPED: SWATH_CORPUS names no corpus");
        return;
    };
    let mut files = Vec::new();
    for folder in ["tiff", "zarr"] {
        files_below(&corpus.join(folder), &mut files);
    }
    assert!(files.len() > 300, "{} files in the corpus", files.len());
    run(corpus.to_str().unwrap(), &files);
    let made = common::scratch("hostile-made");
    let count = unzip::unzip(&std::fs::read(corpus.join("made.zip")).unwrap(), &made);
    assert!(count > 100, "{count} files in made.zip");
    let mut files = Vec::new();
    files_below(&made, &mut files);
    run(made.to_str().unwrap(), &files);
}

/// A little-endian TIFF of one band of bytes in square tiles, with what stands behind its directory.
fn tiff(size: u32, tile: u32, compression: u32, length: u32, behind: &[u8]) -> Vec<u8> {
    const DATA_AT: u32 = 8 + 2 + 10 * 12 + 4;
    let tiles = size.div_ceil(tile).pow(2);
    assert_eq!(tiles, 1);
    let rows = [(256, size), (257, size), (258, 8), (259, compression), (262, 1), (277, 1), (322, tile), (323, tile), (324, DATA_AT), (325, length)];
    let mut file = b"II*\0\x08\0\0\0\x0a\0".to_vec();
    for (tag, value) in rows {
        file.extend(u16::try_from(tag).unwrap().to_le_bytes());
        file.extend([4, 0, 1, 0, 0, 0]);
        file.extend(u32::to_le_bytes(value));
    }
    file.extend([0; 4]);
    file.extend(behind);
    file
}

/// What the corner of an image or array gives, and the most that was held meanwhile.
fn read_first(path: &Path) -> (Result<Vec<u8>, Error>, usize) {
    let session = session();
    peak_of(|| {
        session.block_on(async {
            let array = match session.open(path.to_str().unwrap()).await? {
                Dataset::Cog(cog) => cog.level(0)?,
                Dataset::Group(group) => group.array("").await?,
                other => panic!("{other:?}"),
            };
            let first = Region::new(array.shape().iter().map(|n| 0..(*n).min(1)).collect::<Vec<_>>());
            Ok(array.read_dyn(&first).await?.into_little_endian())
        })
    })
}

/// Where its length is missing or too long, a stream is read as far as its codec can need: what stands behind it belongs to others.
#[test]
fn a_length_up_to_the_end_of_the_file_is_no_error() {
    let _alone = alone();
    let path = common::scratch("hostile-length").join("a.tif");
    // PackBits: 128 times 7, and again.
    let mut behind = vec![0x81, 7, 0x81, 7];
    behind.resize(20 << 20, 0x55);
    for length in [4, 20 << 20, 1 << 30] {
        std::fs::write(&path, tiff(16, 16, 32_773, length, &behind)).unwrap();
        let (read, peak) = read_first(&path);
        assert_eq!(read.unwrap(), [7], "{length}");
        assert!((peak as u64) < 8 * MIB, "{length}: {peak} bytes");
    }
}

/// A tile of 1 GiB is within the limits, and there is no memory for it before its stream is known to be able to fill it.
#[test]
fn a_large_tile_of_a_few_bytes_takes_no_memory() {
    let _alone = alone();
    let folder = common::scratch("hostile-large");
    // Codecs that this build has not are refused, which is as it should be.
    let streams: [(&str, u32, &[u8]); 12] = [
        ("plain", 1, &[7; 64]),
        ("lzw", 5, &[0x80, 0x0b, 0x60, 0x50, 0x22, 0x0c, 0x0c, 0x85, 0x01]),
        ("deflate", 8, &[0x78, 0x9c, 0x63, 0, 0, 0, 1, 0, 1]),
        ("packbits", 32_773, &[129, 7]),
        ("zstd", 50_000, &[0x28, 0xb5, 0x2f, 0xfd, 0, 0x88, 0x01, 0, 0]),
        ("lzma", 34_925, &[0xfd, b'7', b'z', b'X', b'Z', 0, 0, 1, 0x69, 0x22]),
        ("jpeg", 7, &[0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 16, 0, 16, 1, 1, 0x11, 0, 0xff, 0xda]),
        ("lerc", 34_887, b"Lerc2 \x04\0\0\0not a blob"),
        // Refused whatever it holds: pixels of one sample.
        ("webp", 50_001, b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\x0f\xc0\x03\0\0\0\0\0\0\0\0\0"),
        ("jxl", 50_002, &[0xff, 0x0a, 0x41, 0x10, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("jpeg2000", 34_712, &[0xff, 0x4f, 0xff, 0x51, 0, 41, 0, 0, 0, 0, 0, 16, 0, 0, 0, 16]),
        ("png", 34_933, b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x10\0\0\0\x10\x08\0\0\0\0"),
    ];
    let mut failures = Vec::new();
    for (name, compression, stream) in streams {
        let path = folder.join(name).with_extension("tif");
        std::fs::write(&path, tiff(1 << 15, 1 << 15, compression, u32::try_from(stream.len()).unwrap(), stream)).unwrap();
        let (read, peak) = read_first(&path);
        let told = read.as_ref().map_or_else(ToString::to_string, |_| "read".to_owned());
        eprintln!("{:6.2} MiB  {name}: {told}", peak as f64 / MIB as f64);
        if read.is_ok() || peak as u64 > 4 * MIB {
            failures.push(format!("{name}: {peak} bytes held, {told}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A chunk above `max_chunk_bytes` that is not stored holds the fill value, and one that is stored is refused before it is read.
#[test]
fn a_chunk_too_large_to_decode_may_be_missing() {
    const CHUNK: u64 = 8 << 30;
    let _alone = alone();
    for version in [2, 3] {
        for codecs in [false, true] {
            let folder = common::scratch("hostile-absent").join(format!("v{version}-{codecs}.zarr"));
            let (document, object) = if version == 2 {
                let compressor = codecs.then(|| serde_json::json!({"id": "zlib", "level": 1}));
                let document = serde_json::json!({
                    "zarr_format": 2, "shape": [CHUNK], "chunks": [CHUNK], "dtype": "|u1", "compressor": compressor, "fill_value": 7,
                    "order": "C", "filters": null,
                });
                ((".zarray", document), "0")
            } else {
                let gzip = serde_json::json!({"name": "gzip", "configuration": {"level": 1}});
                let chain: Vec<_> = std::iter::once(serde_json::json!({"name": "bytes"})).chain(codecs.then_some(gzip)).collect();
                let document = serde_json::json!({
                    "zarr_format": 3, "node_type": "array", "shape": [CHUNK], "data_type": "uint8", "fill_value": 7, "codecs": chain,
                    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [CHUNK]}}, "chunk_key_encoding": {"name": "default"},
                });
                (("zarr.json", document), "c/0")
            };
            std::fs::create_dir_all(folder.join(object).parent().unwrap()).unwrap();
            std::fs::write(folder.join(document.0), document.1.to_string()).unwrap();
            let name = format!("version {version}, codecs {codecs}");
            let (read, peak) = read_first(&folder);
            assert_eq!(read.unwrap(), [7], "{name}");
            assert!((peak as u64) < MIB, "{name}: {peak}");
            // As it should be, as a file without blocks, and far too short.
            for length in [CHUNK, 10] {
                std::fs::File::create(folder.join(object)).unwrap().set_len(length).unwrap();
                let (read, peak) = read_first(&folder);
                let error = read.unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::Limit { what: "max_chunk_bytes", asked: CHUNK, .. }), "{name}, {length}: {error}");
                assert!((peak as u64) < MIB, "{name}, {length}: {peak}");
            }
        }
    }
}
