//! What Swath writes, Swath reads; and the same arrays into a folder, where `SWATH_WRITTEN` names one, for `tests/interop/read.py` to
//! hold against zarr-python and TensorStore.

#![allow(clippy::cast_possible_truncation, reason = "numbers of the tests' own")]

use std::fmt::Write as _;
use std::path::PathBuf;

use ndarray::{Array2, ArrayD, IxDyn};
use swath::format::zarr::{NewArray, Version};
use swath::model::{AxisOrder, BloscCompressor, BloscShuffle, Compression, DataType, Endian, FillValue, RawJson, TimeUnit};
use swath::{ErrorKind, Session, ZarrWriter};

const SHAPE: [u64; 2] = [10, 13];
const CHUNKS: [u64; 2] = [4, 5];

/// Element `i` of every array, in the type's own bytes: small numbers, so that every type holds them. `tests/interop/read.py` has the same
/// rule.
fn element(i: u64, data_type: &DataType) -> Vec<u8> {
    let n = (i * 7 % 101) as u8;
    let float = f32::from(n) + 0.5;
    match data_type {
        DataType::Bool => vec![n % 2],
        DataType::I8 | DataType::U8 => vec![n],
        DataType::I16 | DataType::U16 => u16::from(n).to_ne_bytes().into(),
        DataType::I32 | DataType::U32 => u32::from(n).to_ne_bytes().into(),
        DataType::I64 | DataType::U64 | DataType::DateTime64 { .. } | DataType::TimeDelta64 { .. } => u64::from(n).to_ne_bytes().into(),
        DataType::F16 => half::f16::from_f32(float).to_ne_bytes().into(),
        DataType::F32 => float.to_ne_bytes().into(),
        DataType::F64 => f64::from(float).to_ne_bytes().into(),
        DataType::ComplexF32 => [float.to_ne_bytes(), (-float).to_ne_bytes()].concat(),
        DataType::ComplexF64 => [f64::from(float).to_ne_bytes(), f64::from(-float).to_ne_bytes()].concat(),
        DataType::FixedBytes(size) => padded(format!("{n}").into_bytes(), *size),
        DataType::FixedUtf32(length) => padded(format!("é{n}").chars().flat_map(|c| u32::from(c).to_ne_bytes()).collect(), 4 * length),
        other => panic!("no rule for {other}"),
    }
}

fn padded(mut bytes: Vec<u8>, size: usize) -> Vec<u8> {
    assert!(bytes.len() <= size);
    bytes.resize(size, 0);
    bytes
}

fn types() -> Vec<DataType> {
    vec![
        DataType::Bool,
        DataType::I8,
        DataType::U8,
        DataType::I16,
        DataType::U16,
        DataType::I32,
        DataType::U32,
        DataType::I64,
        DataType::U64,
        DataType::F16,
        DataType::F32,
        DataType::F64,
        DataType::ComplexF32,
        DataType::ComplexF64,
        DataType::DateTime64 { unit: TimeUnit::Nanosecond, scale: 1 },
        DataType::TimeDelta64 { unit: TimeUnit::Second, scale: 10 },
        DataType::FixedBytes(5),
        DataType::FixedUtf32(4),
    ]
}

/// Names and descriptions of what is written in a version, all of them of `SHAPE`.
fn arrays(version: Version) -> Vec<(String, NewArray)> {
    let mut all = Vec::new();
    for data_type in types() {
        for endian in [Endian::Little, Endian::Big] {
            let name = format!("types/{}_{endian:?}", data_type.to_string().replace(['[', ']'], "_"));
            let fill = FillValue::new(element(3, &data_type));
            let new = NewArray::new(SHAPE, data_type.clone(), CHUNKS).byte_order(endian).fill_value(fill);
            all.push((name, new.compression(Compression::None)));
        }
    }
    let base = || NewArray::new(SHAPE, DataType::U16, CHUNKS).dimension_names(["y", "x"]).attribute("units", "m");
    let mut codecs = vec![
        ("none", Compression::None),
        ("gzip", Compression::Gzip { level: 6 }),
        ("zstd", Compression::Zstd { level: 3, checksum: false }),
        ("zstd_checksum", Compression::Zstd { level: -3, checksum: true }),
    ];
    if version == Version::V2 {
        codecs.push(("zlib", Compression::Zlib { level: 9 }));
    }
    for (name, compression) in codecs {
        all.push((format!("codecs/{name}"), base().compression(compression)));
        all.push((format!("codecs/{name}_shuffled"), base().compression(compression).shuffle()));
        if version == Version::V3 {
            all.push((format!("codecs/{name}_crc32c"), base().compression(compression).checksum()));
        }
    }
    for compressor in [BloscCompressor::Lz4, BloscCompressor::Zlib, BloscCompressor::Zstd] {
        for shuffle in [BloscShuffle::None, BloscShuffle::Bytes, BloscShuffle::Bits] {
            let compression = Compression::Blosc { compressor, level: 5, shuffle };
            all.push((format!("codecs/blosc_{}_{shuffle:?}", compressor.name()), base().compression(compression)));
        }
    }
    all.push(("layout/f_order".into(), base().axis_order(AxisOrder::f(2))));
    all.push(("layout/other_separator".into(), base().separator(if version == Version::V2 { '/' } else { '.' })));
    if version == Version::V3 {
        all.push(("layout/sharded".into(), base().shards([8, 15]).checksum()));
        all.push(("layout/sharded_f".into(), base().shards([8, 10]).axis_order(AxisOrder::f(2))));
    }
    all
}

fn data(data_type: &DataType) -> Vec<u8> {
    (0..SHAPE[0] * SHAPE[1]).flat_map(|i| element(i, data_type)).collect()
}

async fn write_all(store: &ZarrWriter, version: Version) -> swath::Result<()> {
    store.group("", &RawJson::of(&serde_json::json!({ "title": "made by Swath" }))).await?;
    for (name, new) in arrays(version) {
        let array = store.array(&name, &new).await?;
        let bytes = data(array.array().data_type());
        array.write_bytes(.., &bytes).await?;
        let back = array.array().read_dyn(..).await?;
        assert_eq!(back.bytes(), Some(bytes.as_slice()), "{name}");
    }
    let texts = ArrayD::from_shape_fn(IxDyn(&[10, 13]), |at| "é".repeat((at[0] * 13 + at[1]) % 5));
    let new = NewArray::new(SHAPE, DataType::Text, CHUNKS).fill_value(FillValue::new(&b"none"[..]));
    let array = store.array("texts", &new).await?;
    array.write_texts(.., &texts).await?;
    assert!(array.array().read_dyn(..).await?.elements().unwrap().iter().zip(&texts).all(|(a, b)| a == b.as_bytes()));
    store.finish().await
}

#[test]
fn every_type_and_codec() {
    let session = Session::new();
    let folder = std::env::var_os("SWATH_WRITTEN").map(PathBuf::from);
    for (version, name) in [(Version::V2, "v2"), (Version::V3, "v3")] {
        let url = folder.as_ref().map_or_else(|| format!("memory://{name}"), |folder| folder.join(name).display().to_string());
        session
            .block_on(async {
                write_all(&session.create_zarr(&url, version).await?, version).await?;
                // Once more through the consolidated documents.
                let group = session.open_zarr(&url).await?;
                let mut failed = String::new();
                for (name, _) in arrays(version) {
                    let array = group.array(&name).await?;
                    if array.read_dyn(..).await?.bytes() != Some(data(array.data_type()).as_slice()) {
                        writeln!(failed, "{name}").unwrap();
                    }
                }
                assert_eq!(failed, "");
                assert_eq!(group.attributes("")?.get("title").unwrap(), "made by Swath");
                assert_eq!(group.array("codecs/gzip").await?.dims()[1].name, "x");
                Ok::<(), swath::Error>(())
            })
            .unwrap();
    }
}

/// zarr-python does not open a hierarchy that has such an array.
#[test]
fn bfloat16_in_a_hierarchy_of_its_own() {
    let session = Session::new();
    let folder = std::env::var_os("SWATH_WRITTEN").map(PathBuf::from);
    let url = folder.map_or_else(|| "memory://bfloat16".into(), |folder| folder.join("bfloat16").display().to_string());
    session
        .block_on(async {
            let store = session.create_zarr(&url, Version::V3).await?;
            for endian in [Endian::Little, Endian::Big] {
                let new = NewArray::new(SHAPE, DataType::BF16, CHUNKS).byte_order(endian).fill_value(FillValue::of(half::bf16::NAN));
                let array = store.array(&format!("types/bfloat16_{endian:?}"), &new).await?;
                let values = Array2::from_shape_fn((10, 13), |(y, x)| half::bf16::from_f32(((y * 13 + x) * 7 % 101) as f32));
                array.write(.., &values).await?;
                let back: Array2<half::bf16> = array.array().read(..).await?;
                assert_eq!(back, values);
            }
            assert!(session.create_zarr("memory://v2", Version::V2).await?.array("x", &NewArray::new(SHAPE, DataType::BF16, CHUNKS)).await.is_err());
            store.finish().await
        })
        .unwrap();
}

#[test]
fn regions_of_whole_chunks() {
    let session = Session::new();
    session
        .block_on(async {
            let store = session.create_zarr("memory://regions", Version::V3).await?;
            let new = NewArray::new(SHAPE, DataType::I32, CHUNKS).fill_value(FillValue::of(-1i32));
            let array = store.array("a", &new).await?;
            // A view whose axes are swapped.
            let data = Array2::from_shape_fn((13, 6), |(x, y)| (y * 100 + x) as i32);
            array.write((4.., ..), data.t()).await?;
            let back: Array2<i32> = array.array().read(..).await?;
            assert!(back.indexed_iter().all(|((y, x), v)| *v == if y < 4 { -1 } else { ((y - 4) * 100 + x) as i32 }));
            // Over what was written, in another part.
            array.write((8..10, 0..5), &Array2::<i32>::from_elem((2, 5), 7)).await?;
            let back: Array2<i32> = array.array().read((7..10, 4..6)).await?;
            assert_eq!(back, ndarray::arr2(&[[304, 305], [7, 405], [7, 505]]));

            let kind = |e: swath::Error| e.kind().clone();
            let wrong = Array2::<i32>::zeros((3, 13));
            assert!(matches!(kind(array.write((4..7, ..), &wrong).await.unwrap_err()), ErrorKind::Region(_)));
            assert!(matches!(kind(array.write((1..4, ..), &wrong).await.unwrap_err()), ErrorKind::Region(_)));
            assert!(matches!(kind(array.write((0..4, ..), &wrong).await.unwrap_err()), ErrorKind::Region(_)));
            assert!(matches!(kind(array.write((0..4, ..), &Array2::<f32>::zeros((4, 13))).await.unwrap_err()), ErrorKind::DataType(_)));
            assert!(matches!(kind(array.write_bytes(.., &[0; 3]).await.unwrap_err()), ErrorKind::Region(_)));
            assert!(matches!(kind(array.write_texts(.., &Array2::<String>::default((10, 13))).await.unwrap_err()), ErrorKind::DataType(_)));
            assert!(matches!(kind(session.create_zarr("memory://regions", Version::V2).await.unwrap_err()), ErrorKind::Usage(_)));
            assert!(matches!(kind(store.array("a", &new).await.unwrap_err()), ErrorKind::Usage(_)));
            Ok::<(), swath::Error>(())
        })
        .unwrap();
}

#[test]
fn files_appear_whole() {
    let folder = std::env::temp_dir().join(format!("swath-write-{}", std::process::id()));
    let session = Session::new();
    let store = session.block_on(session.create_zarr(folder.to_str().unwrap(), Version::V2)).unwrap();
    let array = session.block_on(store.array("", &NewArray::new(SHAPE, DataType::U8, CHUNKS))).unwrap();
    array.blocking_write(.., &Array2::<u8>::ones((10, 13))).unwrap();
    let mut names: Vec<String> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(names, [".zarray", "0.0", "0.1", "0.2", "1.0", "1.1", "1.2", "2.0", "2.1", "2.2"]);
}
