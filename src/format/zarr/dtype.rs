//! Data types: NumPy's type strings (v2) and names with configurations (v3).

use std::sync::Arc;

use serde_json::Value;
use zarrs_metadata::v3::MetadataV3;

use crate::error::{Error, Result};
use crate::model::{DataType, Endian, Field, Limits, TimeUnit};

/// Bytes of the largest element.
const MAX_ELEMENT_BYTES: u64 = 16 << 20;

/// A type and the byte order in which its elements are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) data_type: DataType,
    pub(super) endian: Endian,
    /// Where the fields of a record differ in byte order: records of the same size that have those of one order only. `endian` has no meaning then.
    pub(super) mixed: Option<Box<[(DataType, Endian); 2]>>,
}

impl Stored {
    /// Of elements in memory.
    pub(super) fn native(data_type: DataType) -> Self {
        Self { data_type, endian: Endian::native(), mixed: None }
    }
}

/// Whether byte order makes a difference to elements of this type.
pub(super) fn is_swapped(data_type: &DataType) -> bool {
    match data_type.fields() {
        Some(fields) => fields.iter().any(|field| is_swapped(&field.data_type)),
        None => data_type.swap_unit() > 1,
    }
}

fn unsupported(name: &str) -> Error {
    Error::unsupported(format!("data type {}", name.chars().take(80).collect::<String>()))
}

fn element_size(bytes: u64) -> Result<usize> {
    if bytes == 0 {
        return Err(Error::unsupported("data type of zero bytes"));
    }
    Limits::check("bytes of an element", bytes, MAX_ELEMENT_BYTES)
}

/// A NumPy type string, or the list of a record's fields. `|O` must have been dealt with: only its codec says what it is.
pub(super) fn v2(value: &Value) -> Result<Stored> {
    match value {
        Value::String(name) => {
            let (data_type, endian) = simple(name)?;
            Ok(Stored { data_type, endian: endian.unwrap_or(Endian::Little), mixed: None })
        }
        Value::Array(fields) => {
            let (data_type, [little, big]) = record(fields)?;
            let (is_little, is_big) = (is_swapped(&little), is_swapped(&big));
            let mixed = (is_little && is_big).then(|| Box::new([(little, Endian::Little), (big, Endian::Big)]));
            Ok(Stored { data_type, endian: if is_big { Endian::Big } else { Endian::Little }, mixed })
        }
        other => Err(Error::malformed(format!("dtype: {}", other.to_string().chars().take(80).collect::<String>()))),
    }
}

/// The type, and the byte order where it matters.
fn simple(name: &str) -> Result<(DataType, Option<Endian>)> {
    let (endian, body) = match name.strip_prefix(['<', '|', '=']) {
        Some(body) => (Endian::Little, body),
        None => name.strip_prefix('>').map_or((Endian::Little, name), |body| (Endian::Big, body)),
    };
    let mut rest = body.chars();
    let kind = rest.next().ok_or_else(|| unsupported(name))?;
    let rest = rest.as_str();
    if matches!(kind, 'M' | 'm') {
        let (unit, scale) = time(rest.strip_prefix('8').unwrap_or(rest)).ok_or_else(|| unsupported(name))?;
        let data_type = if kind == 'M' { DataType::DateTime64 { unit, scale } } else { DataType::TimeDelta64 { unit, scale } };
        return Ok((data_type, Some(endian)));
    }
    let Ok(size) = rest.parse::<u64>() else {
        // NumPy also takes the names of its types, as few writers write them.
        return Ok((by_name(body).ok_or_else(|| unsupported(name))?, Some(endian)));
    };
    let data_type = match (kind, size) {
        ('b', 1) => DataType::Bool,
        ('i', 1) => DataType::I8,
        ('i', 2) => DataType::I16,
        ('i', 4) => DataType::I32,
        ('i', 8) => DataType::I64,
        ('u', 1) => DataType::U8,
        ('u', 2) => DataType::U16,
        ('u', 4) => DataType::U32,
        ('u', 8) => DataType::U64,
        ('f', 2) => DataType::F16,
        ('f', 4) => DataType::F32,
        ('f', 8) => DataType::F64,
        ('c', 8) => DataType::ComplexF32,
        ('c', 16) => DataType::ComplexF64,
        ('S' | 'a' | 'V', n) => DataType::FixedBytes(element_size(n)?),
        ('U', n) => DataType::FixedUtf32(element_size(n.saturating_mul(4))?.div_ceil(4)),
        _ => return Err(unsupported(name)),
    };
    let endian = is_swapped(&data_type).then_some(endian);
    Ok((data_type, endian))
}

/// `[ns]`, `[10us]`, or nothing for the generic unit.
fn time(text: &str) -> Option<(TimeUnit, u32)> {
    if text.is_empty() {
        return Some((TimeUnit::Generic, 1));
    }
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let digits = inner.bytes().take_while(u8::is_ascii_digit).count();
    let (scale, unit) = inner.split_at_checked(digits)?;
    let scale = if scale.is_empty() { 1 } else { scale.parse().ok().filter(|s| *s > 0)? };
    Some((TimeUnit::from_code(unit)?, scale))
}

/// A record, and records of the same size of its little-endian fields and of its big-endian ones.
fn record(list: &[Value]) -> Result<(DataType, [DataType; 2])> {
    let bad = || Error::malformed("dtype: a field is not [name, type] or [name, type, shape]");
    let mut fields = Vec::new();
    let (mut little, mut big) = (Vec::new(), Vec::new());
    for item in list {
        let Value::Array(item) = item else { return Err(bad()) };
        let (name, data_type, shape) = match item.as_slice() {
            [Value::String(name), data_type] => (name, data_type, Vec::new()),
            [Value::String(name), data_type, Value::Array(shape)] => {
                (name, data_type, shape.iter().map(Value::as_u64).collect::<Option<Vec<_>>>().ok_or_else(bad)?)
            }
            [Value::String(name), data_type, Value::Number(length)] => (name, data_type, vec![length.as_u64().ok_or_else(bad)?]),
            _ => return Err(bad()),
        };
        let data_type = match data_type {
            Value::String(name) => {
                let (data_type, endian) = simple(name)?;
                little.push((endian == Some(Endian::Little)).then(|| data_type.clone()));
                big.push((endian == Some(Endian::Big)).then(|| data_type.clone()));
                data_type
            }
            Value::Array(inner) => {
                let (data_type, [inner_little, inner_big]) = record(inner)?;
                little.push(Some(inner_little));
                big.push(Some(inner_big));
                data_type
            }
            _ => return Err(bad()),
        };
        fields.push((name.clone(), data_type, shape));
    }
    let (fields, size) = packed(fields)?;
    let only = |types: Vec<Option<DataType>>| {
        let kept = fields.iter().zip(types).filter_map(|(field, data_type)| Some(Field { data_type: data_type?, ..field.clone() }));
        DataType::Record(kept.collect(), size)
    };
    let of_order = [little, big].map(only);
    Ok((DataType::Record(fields, size), of_order))
}

/// Lays fields out without gaps.
fn packed(fields: Vec<(String, DataType, Vec<u64>)>) -> Result<(Arc<[Field]>, usize)> {
    let mut placed = Vec::new();
    let mut offset: u64 = 0;
    for (name, data_type, shape) in fields {
        let size = data_type.size().ok_or_else(|| Error::unsupported("data type: variable length in a record"))?;
        let bytes = shape.iter().try_fold(size as u64, |n, m| n.checked_mul(*m)).unwrap_or(u64::MAX);
        placed.push(Field { name, data_type, shape, offset: usize::try_from(offset).unwrap_or(usize::MAX) });
        offset = offset.saturating_add(bytes);
        Limits::check("bytes of an element", offset, MAX_ELEMENT_BYTES)?;
    }
    Ok((Arc::from(placed), element_size(offset)?))
}

/// The types without configuration (v3 core, section "Data types", and zarr-extensions).
fn by_name(name: &str) -> Option<DataType> {
    Some(match name {
        "bool" => DataType::Bool,
        "int8" => DataType::I8,
        "int16" => DataType::I16,
        "int32" => DataType::I32,
        "int64" => DataType::I64,
        "uint8" => DataType::U8,
        "uint16" => DataType::U16,
        "uint32" => DataType::U32,
        "uint64" => DataType::U64,
        "float16" => DataType::F16,
        "bfloat16" => DataType::BF16,
        "float32" => DataType::F32,
        "float64" => DataType::F64,
        "complex_float16" => DataType::ComplexF16,
        "complex64" | "complex_float32" => DataType::ComplexF32,
        "complex128" | "complex_float64" => DataType::ComplexF64,
        "string" => DataType::Text,
        "bytes" | "binary" | "variable_length_bytes" => DataType::VariableBytes,
        _ => return None,
    })
}

/// A type of v3.
pub(super) fn v3(metadata: &MetadataV3) -> Result<DataType> {
    let name = metadata.name();
    if let Some(data_type) = by_name(name) {
        return Ok(data_type);
    }
    let parameter = |key: &str| metadata.configuration().and_then(|c| c.get(key));
    let length = || {
        let bytes = parameter("length_bytes").and_then(Value::as_u64);
        element_size(bytes.ok_or_else(|| Error::malformed(format!("data type {name} without its length")))?)
    };
    match name {
        "numpy.datetime64" | "numpy.timedelta64" => {
            let unit = parameter("unit").and_then(Value::as_str).and_then(TimeUnit::from_code);
            let scale = parameter("scale_factor").map_or(Some(1), |s| u32::try_from(s.as_u64()?).ok()).filter(|s| *s > 0);
            let (Some(unit), Some(scale)) = (unit, scale) else { return Err(Error::malformed(format!("data type {name}: its unit"))) };
            Ok(if name == "numpy.datetime64" { DataType::DateTime64 { unit, scale } } else { DataType::TimeDelta64 { unit, scale } })
        }
        "fixed_length_utf32" => {
            let bytes = length()?;
            if bytes % 4 != 0 {
                return Err(Error::malformed("data type fixed_length_utf32: its length is not a multiple of 4"));
            }
            Ok(DataType::FixedUtf32(bytes.div_ceil(4)))
        }
        "null_terminated_bytes" | "raw_bytes" | "fixed_length_bytes" => Ok(DataType::FixedBytes(length()?)),
        "struct" | "structured" => v3_record(parameter("fields").ok_or_else(|| Error::malformed("data type struct without fields"))?),
        _ => match name.strip_prefix('r').and_then(|bits| bits.parse::<u64>().ok()) {
            Some(bits) if bits % 8 == 0 => Ok(DataType::FixedBytes(element_size(bits.div_ceil(8))?)),
            _ => Err(unsupported(name)),
        },
    }
}

fn v3_record(fields: &Value) -> Result<DataType> {
    let bad = || Error::malformed("data type struct: a field is not a name and a data type");
    let mut list = Vec::new();
    for field in fields.as_array().ok_or_else(bad)? {
        let (name, data_type) = match field {
            Value::Array(pair) => match pair.as_slice() {
                [Value::String(name), data_type] => (name, data_type),
                _ => return Err(bad()),
            },
            Value::Object(object) => match (object.get("name"), object.get("data_type")) {
                (Some(Value::String(name)), Some(data_type)) => (name, data_type),
                _ => return Err(bad()),
            },
            _ => return Err(bad()),
        };
        let data_type: MetadataV3 = serde_json::from_value(data_type.clone()).map_err(|_| bad())?;
        list.push((name.clone(), v3(&data_type)?, Vec::new()));
    }
    let (fields, size) = packed(list)?;
    Ok(DataType::Record(fields, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numpy_strings() {
        let table = [
            ("<f4", Some("float32"), Endian::Little),
            (">i2", Some("int16"), Endian::Big),
            ("|b1", Some("bool"), Endian::Little),
            (">u1", Some("uint8"), Endian::Little),
            ("|S7", Some("bytes7"), Endian::Little),
            (">U13", Some("utf32_13"), Endian::Big),
            ("<M8[ns]", Some("datetime64[ns]"), Endian::Little),
            (">m8[25s]", Some("timedelta64[25s]"), Endian::Big),
            ("<M8", Some("datetime64"), Endian::Little),
            ("<c16", Some("complex128"), Endian::Little),
            ("float32", Some("float32"), Endian::Little),
            ("|V5", Some("bytes5"), Endian::Little),
            ("f16", None, Endian::Little),
            ("<i3", None, Endian::Little),
            ("|O", None, Endian::Little),
            ("", None, Endian::Little),
            ("<", None, Endian::Little),
            ("|S0", None, Endian::Little),
            ("|S99999999999", None, Endian::Little),
            ("<U18446744073709551615", None, Endian::Little),
            ("<M8[0s]", None, Endian::Little),
            ("<M8[parsec]", None, Endian::Little),
        ];
        for (text, name, endian) in table {
            let found = v2(&Value::from(text)).ok();
            assert_eq!(found.as_ref().map(|f| f.data_type.to_string()).as_deref(), name, "{text}");
            if let Some(found) = found {
                assert_eq!(found.endian, endian, "{text}");
            }
        }
    }

    #[test]
    fn records() {
        let of = |text: &str| v2(&serde_json::from_str(text).unwrap());
        let nested = of(r#"[["a",">u2"],["b",[["c","|u1"],["d",">f8",[2,3]]]],["e","|S3"]]"#).unwrap();
        assert_eq!(nested.data_type.size(), Some(2 + 1 + 48 + 3));
        assert_eq!(nested.endian, Endian::Big);
        assert_eq!(nested.data_type.fields().unwrap()[2].offset, 51);
        assert!(nested.mixed.is_none());
        let both = of(r#"[["a","<u2"],["b",[["c",">u4"],["d","<f8",[2]]]],["e","|S3"]]"#).unwrap();
        let [(little, _), (big, _)] = *both.mixed.unwrap();
        assert_eq!(little.to_string(), "record25{a: uint16, b: record20{d: float64}}");
        assert_eq!(big.to_string(), "record25{b: record20{c: uint32}}");
        for bad in [r#"[["a"]]"#, r#"[]"#, r#"[["a","<u2",[99999999999]]]"#, "7", "null", r#"[["a","|O"]]"#] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn v3_names() {
        let table = [
            (r#""float32""#, Some("float32")),
            (r#"{"name":"numpy.datetime64","configuration":{"unit":"us","scale_factor":10}}"#, Some("datetime64[10us]")),
            (r#"{"name":"fixed_length_utf32","configuration":{"length_bytes":36}}"#, Some("utf32_9")),
            (
                r#"{"name":"struct","configuration":{"fields":[{"name":"a","data_type":"int16"},{"name":"b","data_type":"r16"}]}}"#,
                Some("record4{a: int16, b: bytes2}"),
            ),
            (r#"{"name":"structured","configuration":{"fields":[["a","int16"],["b","float32"]]}}"#, Some("record6{a: int16, b: float32}")),
            (r#""r24""#, Some("bytes3")),
            (r#""r7""#, None),
            (r#""int2""#, None),
            (r#"{"name":"optional","configuration":{"name":"uint8","configuration":{}}}"#, None),
            (r#"{"name":"fixed_length_utf32","configuration":{"length_bytes":3}}"#, None),
        ];
        for (text, name) in table {
            let metadata: MetadataV3 = serde_json::from_str(text).unwrap();
            assert_eq!(v3(&metadata).ok().map(|t| t.to_string()).as_deref(), name, "{text}");
        }
    }
}
