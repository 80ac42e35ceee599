//! One element as JSON: what `fill_value` of a document holds.

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::format::zarr::base64;
use crate::format::zarr::store::Version;
use crate::model::{DataType, FillValue};

/// The JSON of a fill value (v3 core, section "Fill value"; v2, section "Fill value encoding").
pub(super) fn json(fill: &FillValue, data_type: &DataType, version: Version) -> Result<Value> {
    let zeros;
    let bytes = match data_type.size() {
        Some(size) if fill.is_zero() => {
            zeros = vec![0; size];
            zeros.as_slice()
        }
        _ => fill.bytes(),
    };
    element(bytes, data_type, version).ok_or_else(|| Error::data_type(format!("the fill value is not one element of {data_type}")))
}

fn number<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

fn element(bytes: &[u8], data_type: &DataType, version: Version) -> Option<Value> {
    Some(match data_type {
        DataType::Bool => (*bytes.first()? != 0).into(),
        DataType::I8 => i8::from_ne_bytes(number(bytes)?).into(),
        DataType::U8 => u8::from_ne_bytes(number(bytes)?).into(),
        DataType::I16 => i16::from_ne_bytes(number(bytes)?).into(),
        DataType::U16 => u16::from_ne_bytes(number(bytes)?).into(),
        DataType::I32 => i32::from_ne_bytes(number(bytes)?).into(),
        DataType::U32 => u32::from_ne_bytes(number(bytes)?).into(),
        DataType::I64 | DataType::DateTime64 { .. } | DataType::TimeDelta64 { .. } => i64::from_ne_bytes(number(bytes)?).into(),
        DataType::U64 => u64::from_ne_bytes(number(bytes)?).into(),
        DataType::F16 | DataType::BF16 | DataType::F32 | DataType::F64 => float(bytes, data_type, version)?,
        DataType::ComplexF16 => parts(bytes, &DataType::F16, version)?,
        DataType::ComplexF32 => parts(bytes, &DataType::F32, version)?,
        DataType::ComplexF64 => parts(bytes, &DataType::F64, version)?,
        DataType::FixedBytes(_) | DataType::VariableBytes => base64::encode(bytes).into(),
        DataType::FixedUtf32(_) => {
            let points = bytes.as_chunks::<4>().0.iter().map(|b| u32::from_ne_bytes(*b));
            let text: String = points.map(char::from_u32).collect::<Option<_>>()?;
            text.trim_end_matches('\0').into()
        }
        DataType::Text => std::str::from_utf8(bytes).ok()?.into(),
        _ => return None,
    })
}

fn parts(bytes: &[u8], part: &DataType, version: Version) -> Option<Value> {
    let (re, im) = bytes.split_at_checked(bytes.len() / 2)?;
    Some(json!([float(re, part, version)?, float(im, part, version)?]))
}

/// A number or one of the three names; in version 3 the bits of a NaN that is not the usual one.
fn float(bytes: &[u8], data_type: &DataType, version: Version) -> Option<Value> {
    let (value, bits, usual, digits) = match data_type {
        DataType::F16 => {
            let bits = u16::from_ne_bytes(number(bytes)?);
            (half::f16::from_bits(bits).to_f64(), u64::from(bits), 0x7e00, 4)
        }
        DataType::BF16 => {
            let bits = u16::from_ne_bytes(number(bytes)?);
            (half::bf16::from_bits(bits).to_f64(), u64::from(bits), 0x7fc0, 4)
        }
        DataType::F32 => {
            let bits = u32::from_ne_bytes(number(bytes)?);
            (f64::from(f32::from_bits(bits)), u64::from(bits), 0x7fc0_0000, 8)
        }
        _ => {
            let bits = u64::from_ne_bytes(number(bytes)?);
            (f64::from_bits(bits), bits, 0x7ff8_0000_0000_0000, 16)
        }
    };
    Some(if value.is_nan() {
        let named = version == Version::V2 || bits == usual;
        if named { "NaN".into() } else { format!("0x{bits:0digits$x}").into() }
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity".into() } else { "-Infinity".into() }
    } else {
        value.into()
    })
}
