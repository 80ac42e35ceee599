//! A small writer of Zarr: version 2 and 3, both orders, plain and sharded.

use serde_json::{Value, json};
use swath::model::{DataType, Region};

use super::pack;
use super::source::{Fill, Source, swapped};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    /// zlib in version 2, gzip in version 3.
    Deflate,
    Zstd,
    /// Version 2 only.
    Lz4,
}

#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub(crate) version: u8,
    /// Axes of a chunk as they are stored, outermost first; version 2 has C and F order only.
    pub(crate) order: Vec<usize>,
    pub(crate) big_endian: bool,
    pub(crate) compression: Compression,
    /// A CRC-32C behind each chunk; version 3 only.
    pub(crate) checksum: bool,
    /// Chunks of a shard along each axis, and whether the index stands at the start; version 3 only.
    pub(crate) shards: Option<(Vec<u64>, bool)>,
}

impl Form {
    pub(crate) fn new(version: u8, rank: usize) -> Self {
        Self { version, order: (0..rank).collect(), big_endian: false, compression: Compression::None, checksum: false, shards: None }
    }
}

fn numpy_kind(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::U8 | DataType::U16 | DataType::U32 | DataType::U64 => "u",
        DataType::I8 | DataType::I16 | DataType::I32 | DataType::I64 => "i",
        DataType::F16 | DataType::F32 | DataType::F64 => "f",
        DataType::ComplexF32 | DataType::ComplexF64 => "c",
        other => panic!("{other} is not a type of Zarr here"),
    }
}

fn fill_json(fill: Fill, data_type: &DataType) -> Value {
    let text = fill.text(data_type);
    let one: Value = if text == "NaN" { json!("NaN") } else { serde_json::from_str(&text).expect("a number") };
    if data_type.is_complex() { json!([one, 0]) } else { one }
}

/// Writes an array in chunks of this shape: names of objects below its folder, and their bytes. Chunks that `missing` names by their index
/// are not written.
pub(crate) fn write(source: &Source, chunk: &[u64], form: &Form, fill: Fill, missing: &dyn Fn(&[u64]) -> bool) -> Vec<(String, Vec<u8>)> {
    let shape = &source.shape;
    let counts: Vec<u64> = shape.iter().zip(chunk).map(|(n, c)| n.div_ceil(*c)).collect();
    let encoded = |index: &[u64]| encode(source, chunk, form, index);
    let mut objects = vec![document(source, chunk, form, fill)];
    let Some((inner, index_at_start)) = &form.shards else {
        Source::for_each(&Region::all(&counts), |index| {
            if !missing(index) {
                let numbers: Vec<String> = index.iter().map(u64::to_string).collect();
                let name =
                    if form.version == 2 { numbers.join(".") } else { ["c".to_owned()].into_iter().chain(numbers).collect::<Vec<_>>().join("/") };
                objects.push((name, encoded(index)));
            }
        });
        return objects;
    };
    let shards: Vec<u64> = counts.iter().zip(inner).map(|(n, i)| n.div_ceil(*i)).collect();
    Source::for_each(&Region::all(&shards), |shard| {
        let index_length = inner.iter().product::<u64>() * 16 + 4;
        let (mut body, mut table) = (Vec::new(), Vec::new());
        let before = if *index_at_start { index_length } else { 0 };
        Source::for_each(&Region::all(inner), |within| {
            let index: Vec<u64> = shard.iter().zip(inner).zip(within).map(|((s, i), w)| s * i + w).collect();
            let outside = index.iter().zip(&counts).any(|(i, n)| i >= n);
            let (offset, length) = if outside || missing(&index) {
                (u64::MAX, u64::MAX)
            } else {
                let bytes = encoded(&index);
                let place = (before + body.len() as u64, bytes.len() as u64);
                body.extend(bytes);
                place
            };
            table.extend([offset.to_le_bytes(), length.to_le_bytes()].concat());
        });
        if body.is_empty() {
            return;
        }
        table.extend(crc32c::crc32c(&table).to_le_bytes());
        let bytes = if *index_at_start { [table, body].concat() } else { [body, table].concat() };
        let numbers: Vec<String> = shard.iter().map(u64::to_string).collect();
        objects.push((format!("c/{}", numbers.join("/")), bytes));
    });
    objects
}

fn encode(source: &Source, chunk: &[u64], form: &Form, index: &[u64]) -> Vec<u8> {
    let ranges = index.iter().zip(chunk).map(|(i, c)| i * c..(i + 1) * c).collect();
    let mut bytes = source.chunk(&Region::new(ranges), &form.order);
    if form.big_endian {
        bytes = swapped(bytes, &source.data_type);
    }
    let mut bytes = match (form.compression, form.version) {
        (Compression::None, _) => bytes,
        (Compression::Deflate, 2) => pack::zlib(&bytes),
        (Compression::Deflate, _) => pack::gzip(&bytes),
        (Compression::Zstd, _) => pack::zstd(&bytes),
        (Compression::Lz4, _) => pack::lz4(&bytes),
    };
    if form.checksum {
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    }
    bytes
}

fn document(source: &Source, chunk: &[u64], form: &Form, fill: Fill) -> (String, Vec<u8>) {
    let (data_type, rank) = (&source.data_type, chunk.len());
    let fill = fill_json(fill, data_type);
    if form.version == 2 {
        let order = if form.order == (0..rank).collect::<Vec<_>>() { "C" } else { "F" };
        assert!(order == "C" || form.order == (0..rank).rev().collect::<Vec<_>>(), "version 2 has two orders");
        let size = source.element_size();
        let endian = if size == 1 {
            '|'
        } else if form.big_endian {
            '>'
        } else {
            '<'
        };
        let compressor = match form.compression {
            Compression::None => Value::Null,
            Compression::Deflate => json!({"id": "zlib", "level": 3}),
            Compression::Zstd => json!({"id": "zstd", "level": 1}),
            Compression::Lz4 => json!({"id": "lz4", "acceleration": 1}),
        };
        let document = json!({
            "zarr_format": 2, "shape": source.shape, "chunks": chunk, "dtype": format!("{endian}{}{size}", numpy_kind(data_type)),
            "compressor": compressor, "filters": null, "fill_value": fill, "order": order,
        });
        return (".zarray".into(), document.to_string().into_bytes());
    }
    let mut codecs = Vec::new();
    if form.order != (0..rank).collect::<Vec<_>>() {
        codecs.push(json!({"name": "transpose", "configuration": {"order": form.order}}));
    }
    let endian = if form.big_endian { "big" } else { "little" };
    codecs.push(if source.element_size() == 1 { json!({"name": "bytes"}) } else { json!({"name": "bytes", "configuration": {"endian": endian}}) });
    match form.compression {
        Compression::None => {}
        Compression::Deflate => codecs.push(json!({"name": "gzip", "configuration": {"level": 3}})),
        Compression::Zstd => codecs.push(json!({"name": "zstd", "configuration": {"level": 1, "checksum": false}})),
        Compression::Lz4 => panic!("no lz4 in version 3"),
    }
    if form.checksum {
        codecs.push(json!({"name": "crc32c"}));
    }
    let mut outer = chunk.to_vec();
    if let Some((inner, index_at_start)) = &form.shards {
        outer.iter_mut().zip(inner).for_each(|(c, i)| *c *= i);
        codecs = vec![json!({"name": "sharding_indexed", "configuration": {
            "chunk_shape": chunk, "codecs": codecs, "index_location": if *index_at_start { "start" } else { "end" },
            "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
        }})];
    }
    let document = json!({
        "zarr_format": 3, "node_type": "array", "shape": source.shape, "data_type": data_type.to_string(),
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": outer}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": fill, "codecs": codecs, "attributes": {},
    });
    ("zarr.json".into(), document.to_string().into_bytes())
}
