//! Elements as numbers for a picture.

use half::{bf16, f16};
use swath::model::DataType;

/// A row of elements as numbers: complex ones as their magnitude, times that are none as NaN. `false` where the type is not numeric.
pub(crate) fn numbers(bytes: &[u8], data_type: &DataType, out: &mut Vec<f64>) -> bool {
    out.clear();
    macro_rules! real {
        ($t:ty) => {
            out.extend(units(bytes).map(|b| <$t>::from_ne_bytes(b) as f64))
        };
    }
    macro_rules! complex {
        ($t:ty, $to:expr) => {{
            let mut parts = units(bytes).map(<$t>::from_ne_bytes).map($to);
            while let (Some(re), Some(im)) = (parts.next(), parts.next()) {
                out.push(f64::hypot(re, im));
            }
        }};
    }
    match data_type {
        DataType::Bool | DataType::U8 => real!(u8),
        DataType::I8 => real!(i8),
        DataType::U16 => real!(u16),
        DataType::I16 => real!(i16),
        DataType::U32 => real!(u32),
        DataType::I32 => real!(i32),
        DataType::U64 => real!(u64),
        DataType::I64 => real!(i64),
        DataType::F32 => real!(f32),
        DataType::F64 => real!(f64),
        DataType::F16 => out.extend(units(bytes).map(|b| f16::from_ne_bytes(b).to_f64())),
        DataType::BF16 => out.extend(units(bytes).map(|b| bf16::from_ne_bytes(b).to_f64())),
        DataType::ComplexI8 => complex!(i8, f64::from),
        DataType::ComplexI16 => complex!(i16, f64::from),
        DataType::ComplexI32 => complex!(i32, f64::from),
        DataType::ComplexF16 => complex!(f16, f16::to_f64),
        DataType::ComplexF32 => complex!(f32, f64::from),
        DataType::ComplexF64 => complex!(f64, f64::from),
        DataType::DateTime64 { .. } | DataType::TimeDelta64 { .. } => {
            out.extend(units(bytes).map(i64::from_ne_bytes).map(|t| if t == i64::MIN { f64::NAN } else { t as f64 }));
        }
        _ => return false,
    }
    true
}

fn units<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.chunks_exact(N).filter_map(|unit| unit.try_into().ok())
}

/// A value as an element of a float type would hold it, so that it can be compared with elements.
pub(crate) fn as_stored(value: f64, data_type: &DataType) -> f64 {
    match data_type {
        #[allow(clippy::cast_possible_truncation, reason = "the rounding is the point")]
        DataType::F32 => f64::from(value as f32),
        DataType::F16 => f16::from_f64(value).to_f64(),
        DataType::BF16 => bf16::from_f64(value).to_f64(),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_numeric_type_has_numbers() {
        let of = |data_type: DataType, bytes: &[u8]| {
            let mut out = Vec::new();
            assert!(numbers(bytes, &data_type, &mut out), "{data_type}");
            out
        };
        assert_eq!(of(DataType::Bool, &[0, 1]), [0.0, 1.0]);
        assert_eq!(of(DataType::I8, &[255]), [-1.0]);
        assert_eq!(of(DataType::I16, &(-300_i16).to_ne_bytes()), [-300.0]);
        assert_eq!(of(DataType::U64, &7_u64.to_ne_bytes()), [7.0]);
        assert_eq!(of(DataType::F16, &f16::from_f64(1.5).to_ne_bytes()), [1.5]);
        assert_eq!(of(DataType::BF16, &bf16::from_f64(-2.0).to_ne_bytes()), [-2.0]);
        assert_eq!(of(DataType::ComplexI8, &[3, 4, 0, 255]), [5.0, 1.0]);
        let complex: Vec<u8> = [6.0_f32, 8.0].iter().flat_map(|v| v.to_ne_bytes()).collect();
        assert_eq!(of(DataType::ComplexF32, &complex), [10.0]);
        let time = DataType::DateTime64 { unit: swath::model::TimeUnit::Day, scale: 1 };
        assert!(of(time, &i64::MIN.to_ne_bytes())[0].is_nan());
        assert!(!numbers(&[1, 2], &DataType::FixedBytes(2), &mut Vec::new()));
        assert_eq!(as_stored(-3.4e38, &DataType::F32), f64::from(-3.4e38_f32));
    }
}
