//! One chunked array, whatever it comes from.

use serde_json::{Value, json};
use swath::model::{ArrayMeta, ChunkManifest, CodecSpec, DataType};

use super::number;
use crate::pairs;

/// Names of the codecs of the usual chain, in the order of decoding; a mark that decodes nothing is none.
pub(super) fn codecs(meta: &ArrayMeta) -> Vec<&str> {
    let chain = meta.chains.first().map_or(&[][..], Vec::as_slice);
    chain.iter().filter(|step| **step != CodecSpec::LeaveSurplus).map(CodecSpec::name).collect()
}

/// The shape of a shard, for arrays that have them.
pub(super) fn shard(meta: &ArrayMeta) -> Option<Vec<u64>> {
    match &meta.manifest {
        ChunkManifest::Shards(shards) => Some(shards.outer_grid.chunk_shape()),
        _ => None,
    }
}

/// The shape of the numbers that elements of a complex type are written as, which is what `--region` counts; `None` of other types.
pub(super) fn written_shape(meta: &ArrayMeta) -> Option<Vec<u64>> {
    pairs::written(&meta.data_type, meta.dims.len()).then(|| pairs::shape(meta.shape()))
}

/// Names of the dimensions; `None` where no dimension has one.
pub(super) fn names(meta: &ArrayMeta) -> Option<Vec<&str>> {
    meta.dims.iter().any(|d| !d.name.is_empty()).then(|| meta.dims.iter().map(|d| d.name.as_str()).collect())
}

/// What stands where nothing was stored. Records are given as the hexadecimal digits of their bytes.
pub(super) fn fill_value(meta: &ArrayMeta) -> Value {
    let bytes = meta.fill_value.bytes();
    let zeros = vec![0; if bytes.is_empty() { meta.data_type.size().filter(|size| *size <= 4096).unwrap_or(0) } else { 0 }];
    element(if bytes.is_empty() { &zeros } else { bytes }, &meta.data_type)
}

fn element(bytes: &[u8], data_type: &DataType) -> Value {
    macro_rules! of {
        ($t:ty, $show:expr) => {
            bytes.try_into().map_or(Value::Null, |b| $show(<$t>::from_ne_bytes(b)))
        };
    }
    let half = |part: DataType| match bytes.split_at_checked(bytes.len() / 2) {
        Some((re, im)) => json!([element(re, &part), element(im, &part)]),
        None => Value::Null,
    };
    match data_type {
        DataType::Bool => json!(bytes.first().is_some_and(|b| *b != 0)),
        DataType::I8 => of!(i8, |v| json!(v)),
        DataType::U8 => of!(u8, |v| json!(v)),
        DataType::I16 => of!(i16, |v| json!(v)),
        DataType::U16 => of!(u16, |v| json!(v)),
        DataType::I32 => of!(i32, |v| json!(v)),
        DataType::U32 => of!(u32, |v| json!(v)),
        DataType::I64 | DataType::DateTime64 { .. } | DataType::TimeDelta64 { .. } => of!(i64, |v| json!(v)),
        DataType::U64 => of!(u64, |v| json!(v)),
        DataType::F16 => of!(half::f16, |v: half::f16| number(v.to_f64())),
        DataType::BF16 => of!(half::bf16, |v: half::bf16| number(v.to_f64())),
        DataType::F32 => of!(f32, |v| number(f64::from(v))),
        DataType::F64 => of!(f64, number),
        DataType::ComplexI8 => half(DataType::I8),
        DataType::ComplexI16 => half(DataType::I16),
        DataType::ComplexI32 => half(DataType::I32),
        DataType::ComplexF16 => half(DataType::F16),
        DataType::ComplexF32 => half(DataType::F32),
        DataType::ComplexF64 => half(DataType::F64),
        DataType::FixedBytes(_) | DataType::Text | DataType::VariableBytes => json!(String::from_utf8_lossy(bytes).trim_end_matches('\0')),
        DataType::FixedUtf32(_) => {
            let points = bytes.chunks_exact(4).filter_map(|b| b.try_into().ok()).map(u32::from_ne_bytes);
            json!(points.map(|p| char::from_u32(p).unwrap_or('\u{fffd}')).collect::<String>().trim_end_matches('\0'))
        }
        _ => json!(bytes.iter().map(|b| format!("{b:02x}")).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_as_json() {
        assert_eq!(element(&(-7_i16).to_ne_bytes(), &DataType::I16), json!(-7));
        assert_eq!(element(&f32::NAN.to_ne_bytes(), &DataType::F32), json!("NaN"));
        let complex: Vec<u8> = [1.5_f64, -2.0].iter().flat_map(|v| v.to_ne_bytes()).collect();
        assert_eq!(element(&complex, &DataType::ComplexF64), json!([1.5, -2.0]));
        assert_eq!(element(b"ab\0\0", &DataType::FixedBytes(4)), json!("ab"));
        let utf32: Vec<u8> = ['ä', '\0'].iter().flat_map(|c| u32::from(*c).to_ne_bytes()).collect();
        assert_eq!(element(&utf32, &DataType::FixedUtf32(2)), json!("ä"));
        assert_eq!(element(b"", &DataType::Text), json!(""));
        assert_eq!(element(&[1, 171], &DataType::Record(std::sync::Arc::from([]), 2)), json!("01ab"));
    }
}
