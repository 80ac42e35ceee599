//! Fill values: from each form that JSON gives them to one element in the machine's byte order.

use zarrs_metadata::v3::FillValueMetadataV3 as Json;

use super::base64;
use super::dtype::Stored;
use crate::error::{Error, Result};
use crate::model::{DataType, Endian, FillValue};

/// NumPy's "not a time", of dates and of time spans.
const NOT_A_TIME: i64 = i64::MIN;

/// The fill value. `None` and `null` are zeros, of times "not a time": what an unwritten chunk holds is then not specified, and this is what
/// readers agree on.
pub(super) fn fill_value(json: Option<&Json>, stored: &Stored) -> Result<FillValue> {
    let mut bytes = Vec::new();
    let Some(json) = json.filter(|j| !j.is_null()) else {
        return Ok(match stored.data_type {
            DataType::DateTime64 { .. } | DataType::TimeDelta64 { .. } => FillValue::new(NOT_A_TIME.to_ne_bytes().to_vec()),
            _ => FillValue::ZERO,
        });
    };
    if let (Some(orders), Json::String(_)) = (&stored.mixed, json) {
        encode(json, &stored.data_type, Endian::native(), &mut bytes)?;
        orders.iter().for_each(|(fields, endian)| record_to_native(&mut bytes, fields, *endian));
        return Ok(FillValue::new(bytes));
    }
    encode(json, &stored.data_type, stored.endian, &mut bytes)?;
    Ok(FillValue::new(bytes))
}

fn encode(json: &Json, data_type: &DataType, endian: Endian, out: &mut Vec<u8>) -> Result<()> {
    let refuse = || Error::malformed(format!("fill value {} is not of type {data_type}", shortened(json)));
    macro_rules! integer {
        ($t:ty) => {{
            let value = integer(json).and_then(|i| <$t>::try_from(i).ok()).ok_or_else(refuse)?;
            out.extend_from_slice(&value.to_ne_bytes());
        }};
    }
    match data_type {
        DataType::Bool => out.push(match integer(json) {
            Some(0) => 0,
            Some(1) => 1,
            _ => return Err(refuse()),
        }),
        DataType::I8 => integer!(i8),
        DataType::U8 => integer!(u8),
        DataType::I16 => integer!(i16),
        DataType::U16 => integer!(u16),
        DataType::I32 => integer!(i32),
        DataType::U32 => integer!(u32),
        DataType::I64 => integer!(i64),
        DataType::U64 => integer!(u64),
        DataType::DateTime64 { .. } | DataType::TimeDelta64 { .. } => match json {
            Json::String(text) if text.eq_ignore_ascii_case("nat") => out.extend_from_slice(&NOT_A_TIME.to_ne_bytes()),
            _ => integer!(i64),
        },
        DataType::F16 | DataType::BF16 | DataType::F32 | DataType::F64 => float(json, data_type, out).ok_or_else(refuse)?,
        DataType::ComplexF16 => complex(json, &DataType::F16, endian, out).ok_or_else(refuse)?,
        DataType::ComplexF32 => complex(json, &DataType::F32, endian, out).ok_or_else(refuse)?,
        DataType::ComplexF64 => complex(json, &DataType::F64, endian, out).ok_or_else(refuse)?,
        DataType::FixedBytes(size) => pad(opaque(json).ok_or_else(refuse)?, *size, out).ok_or_else(refuse)?,
        DataType::FixedUtf32(length) => {
            let text = text(json, "").ok_or_else(refuse)?;
            let points: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_ne_bytes()).collect();
            pad(points, length.saturating_mul(4), out).ok_or_else(refuse)?;
        }
        DataType::Text => out.extend_from_slice(text(json, "0").ok_or_else(refuse)?.as_bytes()),
        DataType::VariableBytes => out.extend_from_slice(&opaque(json).ok_or_else(refuse)?),
        DataType::Record(..) => record(json, data_type, endian, out)?,
        _ => return Err(Error::unsupported(format!("fill value of type {data_type}"))),
    }
    Ok(())
}

fn shortened(json: &Json) -> String {
    json.to_string().chars().take(60).collect()
}

/// Integers, as numbers without a fraction, as bools, or as text (as netCDF's writers of v2 do).
fn integer(json: &Json) -> Option<i128> {
    match json {
        Json::Bool(value) => Some(i128::from(*value)),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(n), _, _) => Some(i128::from(n)),
            (_, Some(n), _) => Some(i128::from(n)),
            (_, _, Some(n)) => whole(n),
            _ => None,
        },
        Json::String(text) => text.parse().ok().or_else(|| whole(text.parse().ok()?)),
        _ => None,
    }
}

#[allow(clippy::cast_possible_truncation, reason = "within the bounds that are checked before")]
fn whole(number: f64) -> Option<i128> {
    // What is below the integers of 64 bits is rounded to the least of them by the parser of JSON.
    let within = number > -9_223_372_036_854_775_808.0 && number <= 18_446_744_073_709_551_616.0;
    (number.fract() == 0.0 && within).then_some(number as i128)
}

/// A number, one of the three names, the bits in hexadecimal (v3), or a number as text.
fn float(json: &Json, data_type: &DataType, out: &mut Vec<u8>) -> Option<()> {
    let value = match json {
        Json::Number(number) => number.as_f64()?,
        Json::Bool(value) => f64::from(u8::from(*value)),
        Json::String(text) => match text.as_str() {
            "NaN" | "nan" => f64::NAN,
            "Infinity" | "inf" => f64::INFINITY,
            "-Infinity" | "-inf" => f64::NEG_INFINITY,
            text => match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
                Some(digits) => return bits(u64::from_str_radix(digits, 16).ok()?, digits.len(), data_type, out),
                // What overflows is no number; what says that it is infinite has no digit.
                None => text.parse().ok().filter(|n: &f64| n.is_finite() || !text.contains(|c: char| c.is_ascii_digit()))?,
            },
        },
        _ => return None,
    };
    // Writers that do not know the type give it the nodata of another (-1.797e308 of single precision): IEEE's rounding makes that infinite.
    #[allow(clippy::cast_possible_truncation, reason = "rounded to the nearest value of the type, as the specification has it")]
    match data_type {
        DataType::F16 => out.extend_from_slice(&half::f16::from_f64(value).to_ne_bytes()),
        DataType::BF16 => out.extend_from_slice(&half::bf16::from_f64(value).to_ne_bytes()),
        DataType::F32 => out.extend_from_slice(&(value as f32).to_ne_bytes()),
        _ => out.extend_from_slice(&value.to_ne_bytes()),
    }
    Some(())
}

fn bits(bits: u64, digits: usize, data_type: &DataType, out: &mut Vec<u8>) -> Option<()> {
    let size = data_type.size()?;
    if digits != size.checked_mul(2)? {
        return None;
    }
    match size {
        2 => out.extend_from_slice(&u16::try_from(bits).ok()?.to_ne_bytes()),
        4 => out.extend_from_slice(&u32::try_from(bits).ok()?.to_ne_bytes()),
        _ => out.extend_from_slice(&bits.to_ne_bytes()),
    }
    Some(())
}

/// A pair, a real number, or the element's bytes in base 64 (v2).
fn complex(json: &Json, half: &DataType, endian: Endian, out: &mut Vec<u8>) -> Option<()> {
    match json {
        Json::Array(pair) => {
            let [re, im] = pair.as_slice() else { return None };
            float(re, half, out)?;
            float(im, half, out)
        }
        Json::Number(_) => {
            float(json, half, out)?;
            out.resize(out.len().checked_add(half.size()?)?, 0);
            Some(())
        }
        Json::String(text) => {
            let mut bytes = base64::decode(text).filter(|b| Some(b.len()) == half.size().and_then(|n| n.checked_mul(2)))?;
            to_native(&mut bytes, half.size()?, endian);
            out.extend_from_slice(&bytes);
            Some(())
        }
        _ => None,
    }
}

/// Text. Writers of v2 give 0 by default: the empty text of a fixed length, and an object that becomes its digits where text is of any.
fn text<'a>(json: &'a Json, zero: &'a str) -> Option<&'a str> {
    match json {
        Json::String(text) => Some(text),
        _ => (integer(json) == Some(0)).then_some(zero),
    }
}

/// Bytes in base 64 or one by one; writers of v2 give 0 for none.
fn opaque(json: &Json) -> Option<Vec<u8>> {
    match json {
        Json::String(text) => base64::decode(text),
        Json::Array(_) => json.as_bytes(),
        _ => (integer(json) == Some(0)).then(Vec::new),
    }
}

fn pad(mut bytes: Vec<u8>, size: usize, out: &mut Vec<u8>) -> Option<()> {
    if bytes.len() > size {
        return None;
    }
    bytes.resize(size, 0);
    out.append(&mut bytes);
    Some(())
}

/// The record's bytes in base 64, a value for each field by name (v3) or in order, or 0 for zeros.
fn record(json: &Json, data_type: &DataType, endian: Endian, out: &mut Vec<u8>) -> Result<()> {
    let refuse = || Error::malformed(format!("fill value {} is not of type {data_type}", shortened(json)));
    let size = data_type.size().ok_or_else(refuse)?;
    let fields = data_type.fields().ok_or_else(refuse)?;
    match json {
        Json::String(text) => {
            let mut bytes = base64::decode(text).filter(|b| b.len() == size).ok_or_else(refuse)?;
            record_to_native(&mut bytes, data_type, endian);
            out.append(&mut bytes);
        }
        Json::Object(values) => {
            for field in fields.iter() {
                encode(values.get(&field.name).ok_or_else(refuse)?, &field.data_type, endian, out)?;
            }
        }
        Json::Array(values) if values.len() == fields.len() => {
            for (value, field) in values.iter().zip(fields) {
                encode(value, &field.data_type, endian, out)?;
            }
        }
        _ if integer(json) == Some(0) => out.resize(out.len().saturating_add(size), 0),
        _ => return Err(refuse()),
    }
    Ok(())
}

fn to_native(bytes: &mut [u8], unit: usize, endian: Endian) {
    if endian != Endian::native() {
        bytes.chunks_exact_mut(unit.max(1)).for_each(<[u8]>::reverse);
    }
}

fn record_to_native(bytes: &mut [u8], data_type: &DataType, endian: Endian) {
    for field in data_type.fields().unwrap_or_default() {
        let Some(size) = field.data_type.size().filter(|s| *s > 0) else { continue };
        let count = field.shape.iter().fold(1, |n: u64, m| n.saturating_mul(*m));
        let elements = bytes.get_mut(field.offset..).unwrap_or_default().chunks_exact_mut(size);
        for element in elements.take(usize::try_from(count).unwrap_or(usize::MAX)) {
            match field.data_type {
                DataType::Record(..) => record_to_native(element, &field.data_type, endian),
                _ => to_native(element, field.data_type.swap_unit(), endian),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::zarr::dtype;

    fn fill(data_type: &str, json: &str) -> Option<Vec<u8>> {
        let stored = dtype::v2(&serde_json::from_str(data_type).unwrap()).unwrap();
        let json: Json = serde_json::from_str(json).unwrap();
        let value = fill_value(Some(&json), &stored).ok()?;
        Some(if value.is_zero() { Vec::new() } else { value.bytes().to_vec() })
    }

    #[test]
    fn every_form() {
        let bytes = |b: &[u8]| Some(b.to_vec());
        let table = [
            (r#""<i2""#, "-7", bytes(&(-7_i16).to_ne_bytes())),
            (r#"">i2""#, "7.0", bytes(&7_i16.to_ne_bytes())),
            (r#""|i1""#, r#""3""#, bytes(&[3])),
            (r#""<i2""#, "40000", None),
            (r#""<i2""#, "1.5", None),
            (r#""|u1""#, "-1", None),
            (r#""<u8""#, "18446744073709551615", bytes(&u64::MAX.to_ne_bytes())),
            (r#""<u8""#, "18446744073709551616", None),
            (r#""|b1""#, "true", bytes(&[1])),
            (r#""|b1""#, "2", None),
            (r#""<f4""#, r#""NaN""#, bytes(&f32::NAN.to_ne_bytes())),
            (r#""<f4""#, r#""-Infinity""#, bytes(&f32::NEG_INFINITY.to_ne_bytes())),
            (r#""<f4""#, r#""0x7fc00001""#, bytes(&f32::from_bits(0x7fc0_0001).to_ne_bytes())),
            (r#""<f4""#, r#""0x7fc0""#, None),
            (r#""<f2""#, "1.5", bytes(&half::f16::from_f32(1.5).to_ne_bytes())),
            (r#""<f8""#, "9.969209968386869e36", bytes(&9.969_209_968_386_869e36_f64.to_ne_bytes())),
            (r#""<f8""#, "null", Some(Vec::new())),
            (r#""<f8""#, "[]", None),
            (r#""<c8""#, r#"[1.5, "NaN"]"#, bytes(&[1.5_f32.to_ne_bytes(), f32::NAN.to_ne_bytes()].concat())),
            (r#""<c8""#, "[1.5]", None),
            (r#""<M8[s]""#, r#""NaT""#, bytes(&i64::MIN.to_ne_bytes())),
            (r#"">M8[s]""#, "null", bytes(&i64::MIN.to_ne_bytes())),
            (r#""<M8[s]""#, "5", bytes(&5_i64.to_ne_bytes())),
            (r#""|S3""#, r#""YWI=""#, bytes(b"ab\0")),
            (r#""|S3""#, r#""""#, Some(Vec::new())),
            (r#""|S1""#, r#""YWI=""#, None),
            (r#"">U2""#, r#""0""#, bytes(&[u32::from('0').to_ne_bytes(), [0; 4]].concat())),
            (r#""<U1""#, "0", Some(Vec::new())),
            (r#""<U1""#, r#""ab""#, None),
            (r#"[["a",">u2"],["b","|u1"]]"#, r#""AAEC""#, bytes(&[1_u16.to_ne_bytes().as_slice(), &[2]].concat())),
            (r#"[["a",">u2"],["b","<u2"]]"#, r#""AAECAA==""#, bytes(&[1_u16.to_ne_bytes(), 2_u16.to_ne_bytes()].concat())),
            (r#"[["a",">u2"],["b","|u1"]]"#, r#"{"a":1,"b":2}"#, bytes(&[1_u16.to_ne_bytes().as_slice(), &[2]].concat())),
            (r#"[["a",">u2"],["b","|u1"]]"#, r#""AAE=""#, None),
        ];
        for (data_type, json, expected) in table {
            assert_eq!(fill(data_type, json), expected, "{data_type} {json}");
        }
    }
}
