//! T19: what has a checksum is never read wrong.

use swath::model::{DataType, Region};
use swath::{ChunkedArray, ErrorKind, Result, Session};

use crate::World;
use crate::common::source::{native, scramble};
use crate::common::{Fill, Source, tiff, zarr};

const SHAPE: [u64; 3] = [1, 24, 24];

fn source() -> Source {
    Source::new(DataType::U16, &SHAPE, 5)
}

async fn read(array: &ChunkedArray) -> Result<Vec<u16>> {
    Ok(array.read::<u16, ndarray::Ix3>(Region::all(&SHAPE)).await?.into_iter().collect())
}

async fn open(session: &Session, url: &str, is_tiff: bool) -> Result<ChunkedArray> {
    if is_tiff { session.open_cog(url).await?.level(0) } else { session.open_zarr(url).await?.array("").await }
}

/// Bytes of an object that are changed one after the other.
fn reads(world: &World, name: &str, object: &str, bytes: &[u8], at: usize, is_tiff: bool) -> Result<Vec<u16>> {
    let mut bad = bytes.to_vec();
    // Any of the eight bits, or all of them.
    bad[at] ^= if scramble(at as u64).is_multiple_of(9) { 0xff } else { 1 << (scramble(at as u64) % 8) };
    world.put(object, bad);
    let url = world.url(name);
    let result = world.session.block_on(async { read(&open(&world.session, &url, is_tiff).await?).await });
    world.session.block_on(world.session.forget(&url)).unwrap();
    result
}

#[test]
fn every_byte_of_a_shard_index() {
    let world = World::new();
    let truth: Vec<u16> = native(&source().bytes, &DataType::U16);
    for at_start in [false, true] {
        let form = zarr::Form { shards: Some((vec![1, 3, 3], at_start)), ..zarr::Form::new(3, 3) };
        let objects = zarr::write(&source(), &[1, 8, 8], &form, Fill::Seven, &|_| false);
        objects.iter().for_each(|(name, bytes)| world.put(&format!("s/{name}"), bytes.clone()));
        let (name, shard) = objects.iter().find(|(name, _)| name.starts_with("c/")).unwrap();
        let length = 9 * 16 + 4;
        let index = if at_start { 0..length } else { shard.len() - length..shard.len() };
        for at in index {
            let error = reads(&world, "s", &format!("s/{name}"), shard, at, false).expect_err("an index with a wrong byte");
            assert!(matches!(error.kind(), ErrorKind::Checksum { codec: "crc32c" }), "byte {at}: {error}");
        }
        world.put(&format!("s/{name}"), shard.clone());
        assert_eq!(world.session.block_on(async { read(&open(&world.session, "own://s", false).await?).await }).unwrap(), truth);
        world.session.block_on(world.session.forget("own://s")).unwrap();
    }
}

/// A hundredth of the bytes of a chunk, at least a hundred of them.
fn some(length: usize) -> impl Iterator<Item = usize> {
    let count = (length / 100).max(100).min(length);
    (0..count).map(move |i| i * length / count)
}

#[test]
fn chunks_with_checksums() {
    let world = World::new();
    let truth: Vec<u16> = native(&source().bytes, &DataType::U16);
    let chunk = [1, 24, 24];
    let form = |version, compression, checksum| zarr::Form { compression, checksum, ..zarr::Form::new(version, 3) };
    // All of a chunk is under the sum, or a header beside it is not: then what is read is right, or it is an error.
    let forms = [
        ("crc32c", form(3, zarr::Compression::None, true), true),
        ("crc32c over zstd", form(3, zarr::Compression::Zstd, true), true),
        ("gzip", form(3, zarr::Compression::Deflate, false), false),
        ("zlib", form(2, zarr::Compression::Deflate, false), false),
    ];
    for (what, form, all) in forms {
        let objects = zarr::write(&source(), &chunk, &form, Fill::Seven, &|_| false);
        objects.iter().for_each(|(name, bytes)| world.put(&format!("a/{name}"), bytes.clone()));
        let (name, stored) = objects.iter().find(|(name, _)| !name.contains("zarr")).unwrap();
        let mut found = 0;
        for at in some(stored.len()) {
            match reads(&world, "a", &format!("a/{name}"), stored, at, false) {
                Ok(elements) => assert!(!all && elements == truth, "{what}: byte {at} is read wrong"),
                Err(error) => {
                    assert!(error.is_damage(), "{what}: byte {at}: {error}");
                    found += 1;
                }
            }
        }
        assert!(found >= 90, "{what}: {found}");
        world.store_is_emptied("a", &objects);
    }
    // The sum of zlib in a TIFF.
    let layout = tiff::Layout { compression: tiff::Compression::Deflate, ..tiff::Layout::default() };
    let file = tiff::write(&source(), &[1, 32, 32], &layout, &|_| false);
    let mut found = 0;
    // The tile stands behind the header.
    for at in some(800).map(|at| at + 8) {
        match reads(&world, "t.tif", "t.tif", &file, at, true) {
            Ok(elements) => assert_eq!(elements, truth, "byte {at}"),
            Err(error) => {
                assert!(error.is_damage(), "byte {at}: {error}");
                found += 1;
            }
        }
    }
    assert!(found >= 90, "{found}");
}

impl World {
    fn store_is_emptied(&self, folder: &str, objects: &[(String, Vec<u8>)]) {
        use object_store::ObjectStoreExt;
        for (name, _) in objects {
            self.session.block_on(async { self.store.delete(&format!("{folder}/{name}").into()).await.unwrap() });
        }
    }
}
