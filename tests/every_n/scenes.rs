//! Ten reads from end to end, each of a small dataset.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use ndarray::Ix3;
use serde_json::json;
use swath::model::{DataType, Region};
use swath::{Dataset, Result, Session};

use crate::common::{Fill, Source, tiff, watch, zarr};

/// The bytes of what was read, little-endian.
pub(crate) type Reading = Pin<Box<dyn Future<Output = Result<Vec<u8>>> + Send>>;

/// Where the objects of a scene are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a store of the caller's.
    Store,
    /// On a server, with a cache on disk before it.
    Disk,
    /// On a server that wants signatures, with an endpoint for tokens.
    Signed,
}

pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    /// By their names.
    pub(crate) objects: Vec<(String, Vec<u8>)>,
    /// Opens the dataset below a URL, and reads of it.
    pub(crate) read: fn(Session, String) -> Reading,
    pub(crate) truth: Vec<u8>,
}

const SIZE: u64 = 96;
const CHUNK: u64 = 32;

fn source(seed: u64) -> Source {
    Source::new(DataType::U16, &[1, SIZE, SIZE], seed)
}

/// Touches all chunks; most of them in part.
fn window() -> Region {
    Region::new(vec![0..1, 5..90, 7..81])
}

fn cog(name: &'static str, place: Place, seed: u64, chunk: [u64; 3], layout: &tiff::Layout) -> Scene {
    let source = source(seed);
    Scene {
        name,
        place,
        objects: vec![("image.tif".to_owned(), tiff::write(&source, &chunk, layout, &|_| false))],
        read: |session, base| {
            Box::pin(async move {
                let level = session.open_cog(&format!("{base}/image.tif")).await?.level(0)?;
                Ok(level.read_dyn(&window()).await?.into_little_endian())
            })
        },
        truth: source.region(&window()),
    }
}

fn zarr(name: &'static str, place: Place, seed: u64, form: &zarr::Form) -> Scene {
    let source = source(seed);
    // One chunk is not stored.
    let missing = |index: &[u64]| index[1..] == [1, 2];
    let objects = zarr::write(&source, &[1, CHUNK, CHUNK], form, Fill::Seven, &missing);
    let mut filled = source;
    filled.fill(&Region::new(vec![0..1, CHUNK..2 * CHUNK, 2 * CHUNK..SIZE]), &Fill::Seven.element(&DataType::U16));
    Scene {
        name,
        place,
        objects: objects.into_iter().map(|(name, bytes)| (format!("data.zarr/{name}"), bytes)).collect(),
        read: |session, base| {
            Box::pin(async move {
                let array = session.open_zarr(&format!("{base}/data.zarr")).await?.array("").await?;
                Ok(array.read_dyn(&window()).await?.into_little_endian())
            })
        },
        truth: filled.region(&window()),
    }
}

/// Chunks as ranges of one object, and one of them in the file of references itself.
fn references() -> Scene {
    let source = source(8);
    let form = zarr::Form { compression: zarr::Compression::Deflate, ..zarr::Form::new(2, 3) };
    let (mut refs, mut packed) = (serde_json::Map::new(), Vec::new());
    refs.insert(".zgroup".to_owned(), json!("{\"zarr_format\": 2}"));
    for (name, bytes) in zarr::write(&source, &[1, CHUNK, CHUNK], &form, Fill::Seven, &|_| false) {
        let reference = if name == ".zarray" {
            json!(String::from_utf8(bytes).unwrap())
        } else {
            packed.extend_from_slice(&bytes);
            json!(["packed.bin", packed.len() - bytes.len(), bytes.len()])
        };
        refs.insert(format!("data/{name}"), reference);
    }
    let document = json!({"version": 1, "refs": refs}).to_string().into_bytes();
    Scene {
        name: "references",
        place: Place::Store,
        objects: vec![("refs.json".to_owned(), document), ("packed.bin".to_owned(), packed)],
        read: |session, base| {
            Box::pin(async move {
                let Dataset::Group(group) = session.open(&format!("{base}/refs.json")).await? else { panic!("not a group") };
                Ok(group.array("data").await?.read_dyn(&window()).await?.into_little_endian())
            })
        },
        truth: source.region(&window()),
    }
}

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// Of a file that other tests hold against GDAL: what is read of it where it lies is the truth.
fn of_file(name: &'static str, file: &str, read: fn(Session, String) -> Reading) -> Scene {
    let path = testdata(file);
    let folder = path.parent().unwrap().to_str().unwrap().to_owned();
    let truth = watch::poll_for(read(Session::new(), folder), watch::LONG).expect("files do not wait").unwrap();
    assert!(truth.iter().any(|byte| *byte != truth[0]), "{name}");
    let object = path.file_name().unwrap().to_str().unwrap().to_owned();
    Scene { name, place: Place::Store, objects: vec![(object, std::fs::read(&path).unwrap())], read, truth }
}

fn masked() -> Scene {
    of_file("masked", "masked/mask_nodata.tif", |session, base| {
        Box::pin(async move {
            let level = session.open_cog(&format!("{base}/mask_nodata.tif")).await?.level(0)?;
            let masked = level.read_masked::<f64, Ix3>(..).await?;
            Ok(masked.data.iter().flat_map(|n| n.to_le_bytes()).chain(masked.valid.iter().map(|v| u8::from(*v))).collect())
        })
    })
}

fn overview() -> Scene {
    of_file("overview", "scene.tif", |session, base| {
        Box::pin(async move {
            let level = session.open_cog(&format!("{base}/scene.tif")).await?.level(1)?;
            let [y, x] = [1, 2].map(|axis| level.shape()[axis]);
            let part = Region::new(vec![0..1, y / 3..y / 2, x / 3..x / 2]);
            Ok(level.read_dyn(&part).await?.into_little_endian())
        })
    })
}

/// All of them.
pub(crate) fn scenes() -> Vec<Scene> {
    let tiles = [1, CHUNK, CHUNK];
    let deflate = tiff::Layout { compression: tiff::Compression::Deflate, predictor: 2, ..tiff::Layout::default() };
    // The last strip is short.
    let strips = tiff::Layout { tiles: false, compression: tiff::Compression::Lzw, predictor: 2, big_endian: true, ..tiff::Layout::default() };
    let zstd = zarr::Form { compression: zarr::Compression::Zstd, ..zarr::Form::new(3, 3) };
    vec![
        cog("window", Place::Store, 1, tiles, &deflate),
        masked(),
        overview(),
        cog("strips", Place::Store, 2, [1, 20, SIZE], &strips),
        zarr("zarr v2", Place::Store, 3, &zarr::Form { compression: zarr::Compression::Deflate, big_endian: true, ..zarr::Form::new(2, 3) }),
        zarr("zarr v3", Place::Store, 4, &zarr::Form { order: vec![0, 2, 1], ..zstd.clone() }),
        zarr("sharded", Place::Store, 5, &zarr::Form { shards: Some((vec![1, 2, 2], false)), checksum: true, ..zstd.clone() }),
        references(),
        cog("disk cache", Place::Disk, 6, tiles, &deflate),
        zarr("signing", Place::Signed, 7, &zstd),
    ]
}
