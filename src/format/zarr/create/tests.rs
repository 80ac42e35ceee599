use super::*;
use crate::format::zarr::fill::fill_value;
use crate::format::zarr::{ZarrStore, dtype};
use crate::model::{BloscCompressor, BloscShuffle, CodecSpec, TimeUnit};

fn hierarchy(version: Version) -> NewHierarchy {
    NewHierarchy::new(ObjectKey::new("memory://s"), version)
}

fn steps(meta: &ArrayMeta) -> Vec<&str> {
    meta.chains[0].iter().map(CodecSpec::name).collect()
}

#[test]
fn a_hierarchy_reads_as_it_was_described() {
    for version in [Version::V2, Version::V3] {
        let mut new = hierarchy(version);
        let array = NewArray::new([10, 20], DataType::I16, [4, 5]).dimension_names(["y", "x"]).attribute("units", "K").byte_order(Endian::Big);
        let added = new.array("a/b/c", &array.fill_value(FillValue::of(-3i16)), &Limits::default()).unwrap();
        let names: Vec<_> = added.documents.iter().map(|(key, _)| key.url().strip_prefix("memory://s/").unwrap()).collect();
        let expected: &[&str] = match version {
            Version::V2 => &[".zgroup", "a/.zgroup", "a/b/.zgroup", "a/b/c/.zattrs", "a/b/c/.zarray"],
            Version::V3 => &["zarr.json", "a/zarr.json", "a/b/zarr.json", "a/b/c/zarr.json"],
        };
        assert_eq!(names, expected);
        assert_eq!(added.array.dims.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["y", "x"]);
        assert_eq!(added.array.attributes.get("units").unwrap(), "K");
        assert_eq!(added.array.fill_value, FillValue::of(-3i16));
        assert_eq!(steps(&added.array), ["zstd", "big-endian"]);
        assert_eq!(new.group("a", &RawJson::of(&json!({ "title": "x" }))).unwrap().len(), if version == Version::V2 { 2 } else { 1 });
        let (key, consolidated) = new.consolidated().unwrap().unwrap();
        let document: Value = serde_json::from_slice(&consolidated).unwrap();
        let all = match version {
            Version::V2 => document["metadata"].as_object().unwrap(),
            Version::V3 => document["consolidated_metadata"]["metadata"].as_object().unwrap(),
        };
        let expected: &[&str] = match version {
            Version::V2 => &[".zgroup", "a/.zattrs", "a/.zgroup", "a/b/.zgroup", "a/b/c/.zarray", "a/b/c/.zattrs"],
            Version::V3 => &["a", "a/b", "a/b/c"],
        };
        let mut found: Vec<_> = all.keys().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, expected);
        assert!(key.url().ends_with(if version == Version::V2 { ".zmetadata" } else { "zarr.json" }));
        // What a reader would have of the node is the same array.
        let mut store = ZarrStore::unknown(ObjectMap::Prefix(new.root().clone()), new.root().clone());
        store.insert("a/b/c", new.node("a/b/c").unwrap()).unwrap();
        assert_eq!(store.array("a/b/c", &Limits::default()).unwrap().chains, added.array.chains);
    }
}

#[test]
fn codecs_become_their_own_decoders() {
    let blosc = Compression::Blosc { compressor: BloscCompressor::Lz4, level: 5, shuffle: BloscShuffle::Bits };
    let base = || NewArray::new([8, 6], DataType::F32, [2, 3]);
    let table: [(NewArray, &[&str], &[&str]); 5] = [
        (base().compression(Compression::None), &["little-endian"], &["little-endian"]),
        (base().compression(blosc), &["blosc", "little-endian"], &["blosc", "little-endian"]),
        (base().compression(Compression::Gzip { level: 1 }).shuffle(), &["gzip", "shuffle", "little-endian"], &["gzip", "shuffle", "little-endian"]),
        (base().checksum(), &[], &["crc32c", "zstd", "little-endian"]),
        (base().shards([4, 6]), &[], &["sharding_indexed"]),
    ];
    for (array, v2, v3) in table {
        for (version, expected) in [(Version::V2, v2), (Version::V3, v3)] {
            match hierarchy(version).array("x", &array, &Limits::default()) {
                Ok(added) => assert_eq!(steps(&added.stored), expected, "{array:?}"),
                Err(e) => assert!(expected.is_empty() && e.is_unsupported(), "{array:?}: {e}"),
            }
        }
    }
    let sharded = hierarchy(Version::V3).array("x", &base().shards([4, 6]), &Limits::default()).unwrap();
    assert_eq!(sharded.stored.grid.chunk_shape(), [4, 6]);
    assert_eq!(sharded.array.grid.chunk_shape(), [2, 3]);
}

#[test]
fn fill_values_survive_their_json() {
    let table = [
        (DataType::Bool, FillValue::of(1u8)),
        (DataType::I64, FillValue::of(i64::MIN)),
        (DataType::U64, FillValue::of(u64::MAX)),
        (DataType::F16, FillValue::of(half::f16::NEG_INFINITY)),
        (DataType::F32, FillValue::of(0.1f32)),
        (DataType::F32, FillValue::of(f32::NAN)),
        (DataType::F64, FillValue::of(9.969_209_968_386_869e36f64)),
        (DataType::ComplexF32, FillValue::of([1.5f32, f32::INFINITY])),
        (DataType::DateTime64 { unit: TimeUnit::Second, scale: 1 }, FillValue::of(i64::MIN)),
        (DataType::FixedBytes(3), FillValue::new(&b"ab\0"[..])),
        (DataType::FixedUtf32(2), FillValue::of([u32::from('é'), 0])),
        (DataType::Text, FillValue::new(&b"none"[..])),
        (DataType::U16, FillValue::ZERO),
    ];
    for (data_type, value) in table {
        for version in [Version::V2, Version::V3] {
            let json = fill::json(&value, &data_type, version).unwrap();
            let back = fill_value(Some(&serde_json::from_value(json).unwrap()), &dtype::Stored::native(data_type.clone())).unwrap();
            assert_eq!(back, value, "{data_type}");
        }
    }
    // Bits of a NaN that is not the usual one are kept where the version can say them.
    let odd = FillValue::of(0x7fc0_0001u32);
    assert_eq!(fill::json(&odd, &DataType::F32, Version::V3).unwrap(), "0x7fc00001");
}

#[test]
fn what_is_refused() {
    let base = || NewArray::new([8, 6], DataType::F32, [2, 3]);
    let arrays = [
        NewArray::new([8, 6], DataType::F32, [2]),
        NewArray::new([8, 6], DataType::F32, [2, 0]),
        base().dimension_names(["x"]),
        base().fill_value(FillValue::of(1u8)),
        base().shards([3, 6]),
        base().separator('-'),
        base().axis_order(AxisOrder::c(3)),
        NewArray::new([8], DataType::ComplexI16, [2]),
    ];
    for array in arrays {
        for version in [Version::V2, Version::V3] {
            assert!(hierarchy(version).array("x", &array, &Limits::default()).is_err(), "{array:?}");
        }
    }
    let mut new = hierarchy(Version::V3);
    new.array("x", &base(), &Limits::default()).unwrap();
    for path in ["x", "x/y", "../y", "a/../y", "__y", "a/zarr.json", "a//b"] {
        assert!(new.array(path, &base(), &Limits::default()).is_err(), "{path}");
    }
    assert!(new.group("g", &RawJson::of(&json!([1]))).is_err());
}

/// Groups above an array that was refused, or not put, have no documents yet: the next array's writing brings them.
#[test]
fn what_was_refused_or_withdrawn_is_not_there() {
    let good = NewArray::new([8], DataType::F32, [2]);
    let bad = NewArray::new([8], DataType::ComplexI16, [2]);
    for version in [Version::V2, Version::V3] {
        let mut new = hierarchy(version);
        assert!(new.array("a/b", &bad, &Limits::default()).is_err());
        assert!(new.consolidated().unwrap().is_none());
        for _ in 0..2 {
            let added = new.array("a/b", &good, &Limits::default()).unwrap();
            assert_eq!(added.documents.len(), 3);
            assert_eq!(added.paths, ["a", "", "a/b"]);
            new.withdraw(&added.paths);
        }
        new.array("a/c", &good, &Limits::default()).unwrap();
        let added = new.array("a/b", &good, &Limits::default()).unwrap();
        assert_eq!((added.documents.len(), added.paths), (1, vec!["a/b".to_owned()]));
    }
}
