//! What reads hold in memory: the output, the two budgets, metadata, the codecs' working memory, and 16 MiB.
//!
//! An allocator that counts stands under the whole binary, so the tests run one after the other.

#[path = "../benches/common/mod.rs"]
mod common;
#[path = "support/heap.rs"]
mod heap;
#[path = "support/paged.rs"]
mod paged;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::tiff::{Image, Packing};
use common::zarr;
use heap::{Counting, allocations_of, peak_of};
use ndarray::{Array2, Array3, Ix3};
use swath::model::Region;
use swath::{ChunkedArray, Dataset, Session, SessionOptions};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const MIB: usize = 1 << 20;
const DECODED: usize = 4 * MIB;
const STORED: usize = 2 * MIB;
const THREADS: usize = 2;

/// A session of small budgets and no caches.
fn session() -> Session {
    let mut options = SessionOptions::default();
    options.threads = THREADS;
    options.cache_stored = false;
    options.cache_decoded = false;
    options.limits.decoded_in_flight = DECODED as u64;
    options.limits.stored_in_flight = STORED as u64;
    Session::with_options(options).unwrap()
}

/// The formula, for an array of so many chunks whose header and table were read.
fn bound(array: &ChunkedArray, output: usize, chunks: usize) -> usize {
    let metadata = 4096 + 16 * chunks;
    usize::try_from(array.peak_memory(output as u64, chunks as u64, metadata as u64)).unwrap()
}

fn open(session: &Session, path: &Path) -> ChunkedArray {
    session.block_on(async {
        match session.open(path.to_str().unwrap()).await.unwrap() {
            Dataset::Cog(cog) => cog.level(0).unwrap(),
            Dataset::Group(group) => group.array("data").await.unwrap(),
            other => panic!("{other:?} is neither image nor group"),
        }
    })
}

/// Large enough that a second copy of it, stored or decoded, breaks the bound.
const SIZE: usize = 4096;
const CHUNK: usize = 256;
const CHUNKS: usize = (SIZE / CHUNK) * (SIZE / CHUNK);

/// 64 MiB decoded in each of these; noise, so that they are about as large stored.
fn files(folder: &Path) -> Vec<(&'static str, std::path::PathBuf)> {
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let [.., low, middle, high] = state.to_le_bytes();
        [low, middle, high, 0x3f]
    })
    .take(SIZE * SIZE)
    .flatten()
    .collect();
    let image = Image { pixels: noise.clone(), size: SIZE, tile: CHUNK, element: 4, packing: Packing::None, predictor: 1, overviews: 0 };
    let array = zarr::Array { elements: noise, size: SIZE, chunk: CHUNK, element: 4, packing: zarr::Packing::Zstd };
    let mut all = Vec::new();
    for (name, packing, predictor) in [("none", Packing::None, 1), ("deflate", Packing::Deflate, 1), ("zstd", Packing::Zstd, 3)] {
        let path = folder.join(name).with_extension("tif");
        std::fs::write(&path, Image { packing, predictor, ..image.clone() }.write()).unwrap();
        all.push((name, path));
    }
    for (name, packing) in [("zarr none", zarr::Packing::None), ("zarr blosc", zarr::Packing::BloscZstd)] {
        let path = folder.join(name);
        zarr::to_folder(&zarr::Array { packing, ..array.clone() }.write_v2(), &path);
        all.push((name, path));
    }
    let path = folder.join("sharded");
    zarr::to_folder(&array.write_v3_sharded(8), &path);
    all.push(("sharded", path));
    all
}

#[test]
fn a_whole_read_keeps_to_the_formula() {
    let _alone = alone();
    let folder = common::scratch("memory");
    for (name, path) in files(&folder) {
        let (mut plane, mut space) = (Array2::<f32>::zeros((SIZE, SIZE)), Array3::<f32>::zeros((1, SIZE, SIZE)));
        let (bound_beside, peak) = peak_of(|| {
            let session = session();
            let array = open(&session, &path);
            let stats = match array.shape().len() {
                2 => array.blocking_read_into(.., plane.view_mut()),
                _ => array.blocking_read_into(.., space.view_mut()),
            };
            assert_eq!(stats.unwrap().chunks, CHUNKS, "{name}");
            bound(&array, 0, CHUNKS)
        });
        assert!(plane.iter().chain(&space).any(|v| *v != 0.0), "{name}: nothing was read");
        eprintln!("{name:<12} into the caller's array: {:.1} MiB beside it", peak as f64 / MIB as f64);
        assert!(peak <= bound_beside, "{name}: {peak} bytes, {bound_beside} allowed");
        // A second copy of the output would be seen.
        assert!(bound_beside < SIZE * SIZE * 3, "{bound_beside}");
        drop((plane, space));

        let output = SIZE * SIZE * 4;
        let (allowed, peak) = peak_of(|| {
            let session = session();
            let array = open(&session, &path);
            let read = session.block_on(array.read_dyn(..)).unwrap();
            assert_eq!(read.bytes().unwrap().len(), output, "{name}");
            bound(&array, output, CHUNKS)
        });
        eprintln!("{name:<12} into an array of its own: {:.1} MiB beside it", peak.saturating_sub(output) as f64 / MIB as f64);
        assert!(peak <= allowed, "{name}: {peak} bytes, {allowed} allowed");
    }
}

/// Allocations that indexes of 48 more shards take.
const INDEXES: usize = 96;

/// The same files with `across` chunks along each side.
fn of_chunks(folder: &Path, across: usize) -> Vec<(&'static str, std::path::PathBuf)> {
    const CHUNK: usize = 64;
    let size = across * CHUNK;
    let pixels = common::terrain_u16(size);
    let image = Image { pixels: pixels.clone(), size, tile: CHUNK, element: 2, packing: Packing::None, predictor: 1, overviews: 0 };
    let array = zarr::Array { elements: pixels, size, chunk: CHUNK, element: 2, packing: zarr::Packing::None };
    let folder = folder.join(across.to_string());
    std::fs::create_dir_all(&folder).unwrap();
    let mut all = Vec::new();
    for (name, packing, predictor) in [("none", Packing::None, 1), ("deflate", Packing::Deflate, 2)] {
        let path = folder.join(name).with_extension("tif");
        std::fs::write(&path, Image { packing, predictor, ..image.clone() }.write()).unwrap();
        all.push((name, path));
    }
    let zstd = zarr::Array { packing: zarr::Packing::Zstd, ..array.clone() };
    for (name, objects) in [("sharded", zstd.write_v3_sharded(8)), ("files", array.write_v2())] {
        let path = folder.join(name);
        zarr::to_folder(&objects, &path);
        all.push((name, path));
    }
    all
}

/// A whole read of local files asks for memory as often whether it has 256 chunks or 1024: reading and decoding a chunk takes none, nor does the
/// name of a file that holds one.
#[test]
fn a_chunk_more_is_no_allocation_more() {
    let _alone = alone();
    let folder = common::scratch("memory-allocations");
    let session = session();
    let counts = [16, 32].map(|across| {
        of_chunks(&folder, across)
            .into_iter()
            .map(|(name, path)| {
                let array = open(&session, &path);
                let shape: Vec<usize> = array.shape().iter().map(|n| usize::try_from(*n).unwrap()).collect();
                let mut output = ndarray::ArrayD::<u16>::zeros(shape);
                // The least of several: a thread of the pool that took no part before finds its buffers, and reads of other things end late.
                let counts = (0..8).map(|_| {
                    let (stats, count) = allocations_of(|| array.blocking_read_into(.., output.view_mut()).unwrap());
                    assert_eq!(stats.chunks, across * across, "{name}");
                    count
                });
                (name, counts.min().unwrap())
            })
            .collect::<Vec<_>>()
    });
    let [few, many] = counts;
    for ((name, few), (_, many)) in few.into_iter().zip(many) {
        let more = many.saturating_sub(few);
        eprintln!("{name:<12} {few} allocations of 256 chunks, {many} of 1024: {:.2} a chunk", more as f64 / 768.0);
        assert!(more <= INDEXES, "{name}: {few} allocations of 256 chunks, {many} of 1024");
    }
}

/// Reads side by side share the budgets.
#[test]
fn eight_reads_share_one_budget() {
    let _alone = alone();
    let folder = common::scratch("memory-shared");
    let (name, path) = files(&folder).swap_remove(1);
    let rows = SIZE / 8;
    let output = SIZE * SIZE * 4;
    let (allowed, peak) = peak_of(|| {
        let session = session();
        let array = open(&session, &path);
        let strip = |n: usize| array.read::<f32, Ix3>((.., (n * rows) as u64..((n + 1) * rows) as u64, ..));
        let all = session.block_on(futures_util::future::try_join_all((0..8).map(strip))).unwrap();
        assert_eq!(all.iter().map(|a| a.len() * 4).sum::<usize>(), output);
        bound(&array, output, CHUNKS)
    });
    eprintln!("{name:<12} in eight reads at once: {:.1} MiB beside the outputs", peak.saturating_sub(output) as f64 / MIB as f64);
    assert!(peak <= allowed, "{peak} bytes, {allowed} allowed");
}

/// The most that anything malformed may make the library hold.
const HOSTILE: usize = 32 * MIB;

/// A table of 3.2 million tiles is never loaded: 38 MB as it is stored, 51 MB as numbers.
#[test]
fn one_tile_of_millions_holds_a_page_of_the_table() {
    use paged::{ACROSS, Paged, TILE, paged};
    let _alone = alone();
    let path = std::env::temp_dir().join(format!("swath-memory-paged-{}.tif", std::process::id()));
    for kind in [Paged::Raw, Paged::Leaders, Paged::PackBits] {
        std::fs::write(&path, paged(1_000 * ACROSS + 700, kind)).unwrap();
        let session = session();
        let (y, x) = (1_000 * TILE, 700 * TILE);
        let (tile, peak) = peak_of(|| {
            let array = open(&session, &path);
            session.block_on(array.read::<u8, Ix3>((.., y..y + TILE, x..x + TILE))).unwrap()
        });
        assert!(tile.iter().all(|v| *v == 9), "{kind:?}");
        // 32 KiB of header, 64 KiB of offsets, and 128 KiB of spans made of them.
        assert!(peak < MIB, "{kind:?}: {peak}");
    }
    std::fs::remove_file(&path).unwrap();
}

/// Opens it and reads a corner of all it holds, and then the whole; the first error.
async fn read_all(session: &Session, path: &Path) -> Result<(), swath::Error> {
    let mut arrays = Vec::new();
    match session.open(path.to_str().unwrap()).await? {
        Dataset::Cog(cog) => {
            for path in cog.directories().iter().take(8) {
                arrays.push(cog.directory(path)?);
            }
        }
        Dataset::Group(group) => {
            for name in group.arrays().await? {
                arrays.push(group.array(&name).await?);
            }
        }
        other => panic!("{other:?}"),
    }
    for array in arrays {
        let corner: Vec<_> = array.shape().iter().map(|n| 0..(*n).min(16)).collect();
        array.read_dyn(&Region::new(corner)).await?;
        array.read_dyn(..).await?;
    }
    Ok(())
}

/// A little-endian TIFF of one directory; values above 4 bytes stand behind it.
fn small_tiff(entries: &[(u16, u16, u32, u32)], behind: &[u8]) -> Vec<u8> {
    let mut file = b"II*\0\x08\0\0\0".to_vec();
    file.extend(u16::try_from(entries.len()).unwrap().to_le_bytes());
    for (tag, kind, count, value) in entries {
        file.extend(tag.to_le_bytes());
        file.extend(kind.to_le_bytes());
        file.extend(count.to_le_bytes());
        file.extend(value.to_le_bytes());
    }
    file.extend([0; 4]);
    file.extend(behind);
    file
}

/// One band of bytes in square tiles.
fn image(size: u32, tile: u32, compression: u32, tiles: u32, offset: u32, length: u32) -> Vec<(u16, u16, u32, u32)> {
    let one = |tag, value| (tag, 4, 1, value);
    vec![
        one(256, size),
        one(257, size),
        one(258, 8),
        one(259, compression),
        one(262, 1),
        one(277, 1),
        one(322, tile),
        one(323, tile),
        (324, 4, tiles, offset),
        (325, 4, tiles, length),
    ]
}

/// Objects of a v3 array with these shapes and codecs, and its first chunk.
fn small_zarr(shape: &[u64], chunk: &[u64], codecs: &serde_json::Value, first: &[u8]) -> zarr::Objects {
    let document = serde_json::json!({
        "zarr_format": 3, "node_type": "array", "shape": shape, "data_type": "uint8", "fill_value": 0, "codecs": codecs,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}}, "chunk_key_encoding": {"name": "default"},
    });
    let name = format!("c/{}", vec!["0"; shape.len()].join("/"));
    vec![("zarr.json".to_owned(), document.to_string().into_bytes()), (name, first.to_vec())]
}

/// The header of a JPEG XL codestream of 2^18 x 2^18 pixels.
fn jpegxl_claim() -> Vec<u8> {
    // Not small, 18 bits of height, as wide as high, default metadata: from the lowest bit on.
    let bits = (0b10 << 1) | (((1_u64 << 18) - 1) << 3) | (1 << 21) | (1 << 24);
    [&[0xff, 0x0a][..], &bits.to_le_bytes(), &[0; 64]].concat()
}

/// What a JPEG 2000 codestream claims before an empty tile-part.
struct Jpeg2000Claim {
    side: u32,
    tile: u32,
    components: u16,
    layers: u16,
    /// Exponents of a code block's sides, less 2.
    block: u8,
    /// Exponents of a precinct's sides.
    precinct: u8,
}

impl Jpeg2000Claim {
    fn stream(&self) -> Vec<u8> {
        let mut out = vec![0xff, 0x4f, 0xff, 0x51];
        out.extend((38 + 3 * self.components).to_be_bytes());
        out.extend([0, 0]);
        for n in [self.side, self.side, 0, 0, self.tile, self.tile, 0, 0] {
            out.extend(n.to_be_bytes());
        }
        out.extend(self.components.to_be_bytes());
        out.extend([7, 1, 1].repeat(self.components.into()));
        // One resolution, with a precinct of its own.
        out.extend([0xff, 0x52, 0, 13, 1, 0]);
        out.extend(self.layers.to_be_bytes());
        out.extend([0, 0, self.block, self.block, 0, 1, self.precinct << 4 | self.precinct]);
        out.extend([0xff, 0x5c, 0, 4, 0x40, 0x40]);
        let tiles = u64::from(self.side.div_ceil(self.tile)).pow(2);
        for tile in 0..u8::try_from(tiles).unwrap_or(1) {
            out.extend([0xff, 0x90, 0, 10, 0, tile, 0, 0, 0, 14, 0, 1, 0xff, 0x93]);
        }
        out.extend([0xff, 0xd9]);
        out
    }
}

/// A PNG header of 2^31 - 1 pixels a side.
fn png_claim() -> Vec<u8> {
    let header = [&b"IHDR"[..], &[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 8, 0, 0, 0, 0]].concat();
    let sum = crc32fast::hash(&header);
    [&b"\x89PNG\r\n\x1a\n\0\0\0\x0d"[..], &header, &sum.to_be_bytes()].concat()
}

/// Tiles of 256 x 256 bytes whose own headers claim other things.
fn hostile_images() -> Vec<(&'static str, u32, Vec<u8>)> {
    let usual = || Jpeg2000Claim { side: 256, tile: 256, components: 1, layers: 1, block: 4, precinct: 15 };
    let jpeg2000 = |claim: Jpeg2000Claim| claim.stream();
    vec![
        ("a JPEG XL of 2^36 pixels", 50_002, jpegxl_claim()),
        ("a PNG of 2^62 pixels", 34_933, png_claim()),
        ("a JPEG 2000 of 2^62 pixels", 34_712, jpeg2000(Jpeg2000Claim { side: 1 << 31, tile: 1 << 31, ..usual() })),
        ("a JPEG 2000 of 65,536 inner tiles", 34_712, jpeg2000(Jpeg2000Claim { tile: 1, ..usual() })),
        ("a JPEG 2000 of 16,384 components", 34_712, jpeg2000(Jpeg2000Claim { components: 16_384, ..usual() })),
        ("a JPEG 2000 with a precinct a pixel", 34_712, jpeg2000(Jpeg2000Claim { precinct: 0, ..usual() })),
        ("a JPEG 2000 of 32 layers in the smallest blocks", 34_712, jpeg2000(Jpeg2000Claim { layers: 32, block: 0, ..usual() })),
        ("a JPEG 2000 of 65,535 layers", 34_712, jpeg2000(Jpeg2000Claim { layers: u16::MAX, ..usual() })),
    ]
}

/// Files and stores whose sizes are not what they hold, and whether they must be refused: libtiff reads a tile whose stream goes on
/// behind its end, and the directories up to one that was there before.
fn hostile(folder: &Path) -> Vec<(String, std::path::PathBuf, bool)> {
    const DATA_AT: u32 = 8 + 2 + 10 * 12 + 4;
    // 256 MiB for a tile of 64 KiB.
    let bomb = common::zlib(&vec![0; 256 * MIB], 1);
    let bomb_length = u32::try_from(bomb.len()).unwrap();
    let mut cycle = small_tiff(&image(64, 64, 1, 1, DATA_AT, 4096), &[7; 4096]);
    cycle[(DATA_AT - 4) as usize..DATA_AT as usize].copy_from_slice(&8_u32.to_le_bytes());
    let tiffs = [
        ("a tile of 60000 x 60000", true, small_tiff(&image(60_000, 60_000, 8, 1, DATA_AT, 20), &[0; 20])),
        ("2^32 - 1 tiles in 198 bytes", true, small_tiff(&image(u32::MAX, 16, 1, u32::MAX, DATA_AT, DATA_AT), &[0; 64])),
        ("a deflate bomb", false, small_tiff(&image(256, 256, 8, 1, DATA_AT, bomb_length), &bomb)),
        ("a directory that follows itself", false, cycle),
        ("a tile of 2 GiB stored", true, small_tiff(&image(256, 256, 8, 1, DATA_AT, 2 << 30), &[0; 64])),
    ];
    let bytes = serde_json::json!({"name": "bytes"});
    let plain = serde_json::json!([bytes]);
    let gzip = serde_json::json!([bytes, {"name": "gzip", "configuration": {"level": 1}}]);
    let shard = |chunk: &[u64]| {
        let index = serde_json::json!([{"name": "bytes", "configuration": {"endian": "little"}}]);
        serde_json::json!([{"name": "sharding_indexed", "configuration": {"chunk_shape": chunk, "codecs": [bytes], "index_codecs": index}}])
    };
    let claims = |rows: &[(u64, u64)]| -> Vec<u8> { rows.iter().flat_map(|(o, n)| [o.to_le_bytes(), n.to_le_bytes()]).flatten().collect() };
    let zarrs = [
        ("a chunk of 2^40", small_zarr(&[1 << 40], &[1 << 40], &plain, &[0; 10])),
        ("a gzip chunk of 2^30 in 20 bytes", small_zarr(&[1 << 31], &[1 << 31], &gzip, &[0; 20])),
        ("a shard of 2^40 inner chunks", small_zarr(&[1 << 40], &[1 << 40], &shard(&[1]), &[0; 64])),
        ("an inner chunk of 2^62 bytes", small_zarr(&[4], &[4], &shard(&[2]), &claims(&[(0, 1 << 62), (0, 2)]))),
        ("an inner chunk of 1 GiB", small_zarr(&[4], &[4], &shard(&[2]), &claims(&[(0, 1 << 30), (0, 2)]))),
        ("an inner chunk behind 2^64", small_zarr(&[4], &[4], &shard(&[2]), &claims(&[(u64::MAX - 1, 4), (0, 2)]))),
    ];
    let mut all = Vec::new();
    for (name, compression, stream) in hostile_images() {
        let length = u32::try_from(stream.len()).unwrap();
        let path = folder.join(name).with_extension("tif");
        std::fs::write(&path, small_tiff(&image(256, 256, compression, 1, DATA_AT, length), &stream)).unwrap();
        all.push((name.to_owned(), path, true));
    }
    for (name, is_refused, file) in tiffs {
        let path = folder.join(name).with_extension("tif");
        std::fs::write(&path, file).unwrap();
        all.push((name.to_owned(), path, is_refused));
    }
    for (name, objects) in zarrs {
        let path = folder.join(name);
        zarr::to_folder(&objects, &path);
        all.push((name.to_owned(), path, true));
    }
    all
}

#[test]
fn malformed_sizes_hold_no_memory() {
    let _alone = alone();
    let folder = common::scratch("memory-hostile");
    let mut cases = hostile(&folder);
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/bad")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e != "md") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_refused = name == "gzip_bomb.zarr";
            cases.push((name, path, is_refused));
        }
    }
    assert!(cases.len() > 40, "the malformed files of testdata are not there");
    let mut options = SessionOptions::default();
    options.threads = THREADS;
    // So that the output itself is within the bound.
    options.limits.max_output_bytes = 8 * MIB as u64;
    let mut failures = Vec::new();
    for (name, path, is_refused) in cases {
        let start = std::time::Instant::now();
        let (result, peak) = peak_of(|| {
            let session = Session::with_options(options.clone()).unwrap();
            session.block_on(read_all(&session, &path))
        });
        let told = result.as_ref().map_or_else(ToString::to_string, |()| "read".to_owned());
        eprintln!("{:5.1} MiB  {name}: {told}", peak as f64 / MIB as f64);
        if peak > HOSTILE {
            failures.push(format!("{name}: {peak} bytes held"));
        }
        if is_refused && result.is_ok() {
            failures.push(format!("{name}: was read"));
        }
        if start.elapsed().as_secs() > 20 {
            failures.push(format!("{name}: took {:?}", start.elapsed()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
