//! Data types and codecs as the documents name them.

use serde_json::{Value, json};

use super::NewArray;
use crate::error::{Error, Result};
use crate::format::zarr::dtype::is_swapped;
use crate::model::{BloscShuffle, Compression, DataType, Endian};

fn untold(data_type: &DataType, version: u8) -> Error {
    Error::unsupported(format!("writing {data_type} as Zarr version {version}"))
}

/// A NumPy type string; texts are objects.
pub(super) fn v2_type(data_type: &DataType, endian: Endian) -> Result<Value> {
    let name = match data_type {
        DataType::Text | DataType::VariableBytes => "|O".to_owned(),
        DataType::BF16 => return Err(untold(data_type, 2)),
        other if other.numpy_parts() > 1 => return Err(untold(data_type, 2)),
        other => other.numpy().ok_or_else(|| untold(data_type, 2))?,
    };
    Ok(match endian {
        Endian::Big if is_swapped(data_type) => name.replace('<', ">").into(),
        _ => name.into(),
    })
}

/// A name, or a name and a configuration.
pub(super) fn v3_type(data_type: &DataType) -> Result<Value> {
    let time = |name: &str, unit: &str, scale: u32| json!({ "name": name, "configuration": { "unit": unit, "scale_factor": scale } });
    Ok(match data_type {
        DataType::ComplexI8 | DataType::ComplexI16 | DataType::ComplexI32 | DataType::Record(..) => return Err(untold(data_type, 3)),
        DataType::DateTime64 { unit, scale } => time("numpy.datetime64", unit.code(), *scale),
        DataType::TimeDelta64 { unit, scale } => time("numpy.timedelta64", unit.code(), *scale),
        DataType::FixedBytes(size) => json!({ "name": "null_terminated_bytes", "configuration": { "length_bytes": size } }),
        DataType::FixedUtf32(length) => json!({ "name": "fixed_length_utf32", "configuration": { "length_bytes": length.saturating_mul(4) } }),
        DataType::Text => "string".into(),
        DataType::VariableBytes => "variable_length_bytes".into(),
        other => other.to_string().into(),
    })
}

/// The compressor and the filters of version 2.
pub(super) fn v2(array: &NewArray) -> Result<(Value, Value)> {
    if array.checksum {
        return Err(Error::unsupported("a checksum behind chunks of version 2"));
    }
    let compressor = match array.compression {
        Compression::None => Value::Null,
        Compression::Gzip { level } => json!({ "id": "gzip", "level": level }),
        Compression::Zlib { level } => json!({ "id": "zlib", "level": level }),
        // Of the checksum frames tell themselves, and not every reader knows the member.
        Compression::Zstd { level, .. } => json!({ "id": "zstd", "level": level }),
        Compression::Blosc { compressor, level, shuffle } => {
            let shuffle = match shuffle {
                BloscShuffle::None => 0,
                BloscShuffle::Bytes => 1,
                BloscShuffle::Bits => 2,
            };
            json!({ "id": "blosc", "cname": compressor.name(), "clevel": level, "shuffle": shuffle, "blocksize": 0 })
        }
    };
    let mut filters = Vec::new();
    match array.data_type {
        DataType::Text => filters.push(json!({ "id": "vlen-utf8" })),
        DataType::VariableBytes => filters.push(json!({ "id": "vlen-bytes" })),
        _ => {}
    }
    if array.shuffle {
        filters.push(json!({ "id": "shuffle", "elementsize": array.data_type.size().unwrap_or(1) }));
    }
    Ok((compressor, if filters.is_empty() { Value::Null } else { filters.into() }))
}

/// The codecs of version 3, with those of shards around them.
pub(super) fn v3(array: &NewArray) -> Result<Value> {
    let element = array.data_type.size();
    let mut list = Vec::new();
    if let Some(order) = array.order.as_ref().filter(|order| !order.is_c()) {
        list.push(json!({ "name": "transpose", "configuration": { "order": order.axes() } }));
    }
    let endian = match array.endian {
        Endian::Little => "little",
        Endian::Big => "big",
    };
    list.push(match array.data_type {
        DataType::Text => json!({ "name": "vlen-utf8" }),
        DataType::VariableBytes => json!({ "name": "vlen-bytes" }),
        ref other if is_swapped(other) => json!({ "name": "bytes", "configuration": { "endian": endian } }),
        _ => json!({ "name": "bytes" }),
    });
    if array.shuffle {
        list.push(json!({ "name": "numcodecs.shuffle", "configuration": { "elementsize": element.unwrap_or(1) } }));
    }
    match array.compression {
        Compression::None => {}
        Compression::Gzip { level } => list.push(json!({ "name": "gzip", "configuration": { "level": level } })),
        Compression::Zlib { .. } => return Err(Error::unsupported("zlib in version 3, which has gzip in its place")),
        Compression::Zstd { level, checksum } => list.push(json!({ "name": "zstd", "configuration": { "level": level, "checksum": checksum } })),
        Compression::Blosc { compressor, level, shuffle } => {
            let shuffle = match shuffle {
                BloscShuffle::None => "noshuffle",
                BloscShuffle::Bytes => "shuffle",
                BloscShuffle::Bits => "bitshuffle",
            };
            list.push(json!({ "name": "blosc", "configuration": {
                "cname": compressor.name(), "clevel": level, "shuffle": shuffle, "typesize": element.unwrap_or(1), "blocksize": 0
            } }));
        }
    }
    if array.checksum {
        list.push(json!({ "name": "crc32c" }));
    }
    if array.shards.is_none() {
        return Ok(list.into());
    }
    if element.is_none() {
        return Err(Error::unsupported(format!("shards of {}", array.data_type)));
    }
    Ok(json!([{ "name": "sharding_indexed", "configuration": {
        "chunk_shape": array.chunks,
        "codecs": list,
        "index_codecs": [{ "name": "bytes", "configuration": { "endian": "little" } }, { "name": "crc32c" }],
        "index_location": "end",
    } }]))
}
