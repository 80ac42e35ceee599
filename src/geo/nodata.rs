//! The value that means "no data" (GDAL's GDAL_NODATA tag).

use std::fmt;

use bytes::Bytes;
use half::f16;

use crate::model::{DataType, FillValue};

/// The value that means "no data". Integers are kept exactly, as those of 64 bits do not fit a floating point number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Nodata {
    /// A whole number.
    Integer(i128),
    /// Any other, not-a-number and the infinities too.
    Float(f64),
}

impl Nodata {
    /// Parses the tag's text; what stands behind the number does not count. `None` where there is no number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '"');
        let lower = text.get(..text.len().min(64)).unwrap_or_default().to_ascii_lowercase();
        let (negative, digits) = match lower.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, lower.strip_prefix('+').unwrap_or(&lower)),
        };
        // The spellings of C libraries, Windows' among them.
        if ["nan", "1.#qnan", "1.#snan", "1.#ind", "1.#nan"].iter().any(|name| digits.starts_with(name)) {
            return Some(Self::Float(f64::NAN));
        }
        if digits.starts_with("inf") || digits.starts_with("1.#inf") {
            return Some(Self::Float(if negative { f64::NEG_INFINITY } else { f64::INFINITY }));
        }
        let number = &lower[..number_length(&lower)];
        if let Ok(integer) = number.parse::<i128>() {
            return Some(Self::Integer(integer));
        }
        number.parse::<f64>().ok().map(Self::Float)
    }

    /// As a floating point number.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Integer(n) => n as f64,
            Self::Float(n) => n,
        }
    }

    fn as_integer(self) -> Option<i128> {
        match self {
            Self::Integer(n) => Some(n),
            #[allow(clippy::cast_possible_truncation, reason = "whole and below 2^100")]
            Self::Float(n) => (n.fract() == 0.0 && n.abs() < 1e30).then_some(n as i128),
        }
    }

    /// The value as a type has it, rounded where that is coarser; `None` where the type does not hold it, so that no pixel can be it.
    #[must_use]
    pub fn of_type(self, data_type: &DataType) -> Option<f64> {
        self.fill_value(data_type)?;
        let value = self.as_f64();
        #[allow(clippy::cast_possible_truncation, reason = "rounding to the nearest is what is wanted")]
        let single = f64::from(value as f32);
        Some(match data_type {
            DataType::F16 | DataType::ComplexF16 => f16::from_f64(value).to_f64(),
            DataType::F32 | DataType::ComplexF32 => single,
            _ => value,
        })
    }

    /// One element of a type; `None` where the type does not hold the value. Of complex types it is the real part.
    #[must_use]
    pub fn fill_value(self, data_type: &DataType) -> Option<FillValue> {
        fn integer<T: TryFrom<i128>, const N: usize>(nodata: Nodata, bytes: fn(T) -> [u8; N]) -> Option<Vec<u8>> {
            T::try_from(nodata.as_integer()?).ok().map(|n| bytes(n).to_vec())
        }
        let value = self.as_f64();
        #[allow(clippy::cast_possible_truncation, reason = "rounding to the nearest is what is wanted")]
        let single = value as f32;
        let half = f16::from_f64(value);
        let kept = |finite: bool| finite || !value.is_finite();
        let mut bytes = match data_type {
            DataType::U8 | DataType::Bool => integer(self, u8::to_ne_bytes),
            DataType::I8 | DataType::ComplexI8 => integer(self, i8::to_ne_bytes),
            DataType::U16 => integer(self, u16::to_ne_bytes),
            DataType::I16 | DataType::ComplexI16 => integer(self, i16::to_ne_bytes),
            DataType::U32 => integer(self, u32::to_ne_bytes),
            DataType::I32 | DataType::ComplexI32 => integer(self, i32::to_ne_bytes),
            DataType::U64 => integer(self, u64::to_ne_bytes),
            DataType::I64 => integer(self, i64::to_ne_bytes),
            DataType::F16 | DataType::ComplexF16 => kept(half.is_finite()).then(|| half.to_ne_bytes().to_vec()),
            DataType::F32 | DataType::ComplexF32 => kept(single.is_finite()).then(|| single.to_ne_bytes().to_vec()),
            DataType::F64 | DataType::ComplexF64 => Some(value.to_ne_bytes().to_vec()),
            _ => None,
        }?;
        bytes.resize(data_type.size()?, 0);
        Some(FillValue::new(Bytes::from(bytes)))
    }
}

/// Bytes of the number that a text starts with.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes.iter().skip(from).take_while(|b| b.is_ascii_digit()).count();
    let sign = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let mut at = sign + digits(sign);
    if bytes.get(at) == Some(&b'.') {
        at += 1 + digits(at + 1);
    }
    if bytes.get(at) == Some(&b'e') {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'-' | b'+')));
        match digits(at + 1 + sign) {
            0 => {}
            n => at += 1 + sign + n,
        }
    }
    at
}

impl fmt::Display for Nodata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(n) => write!(f, "{n}"),
            Self::Float(n) if n.is_nan() => f.write_str("nan"),
            Self::Float(n) => write!(f, "{n}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let cases = [
            ("-9999", Some(Nodata::Integer(-9999))),
            (" 255 ", Some(Nodata::Integer(255))),
            ("+7", Some(Nodata::Integer(7))),
            ("18446744073709551615", Some(Nodata::Integer(i128::from(u64::MAX)))),
            ("-3.40282346638528898e+38", Some(Nodata::Float(-3.402_823_466_385_289e38))),
            ("1e3x", Some(Nodata::Float(1000.0))),
            ("12 metres", Some(Nodata::Integer(12))),
            ("5.", Some(Nodata::Float(5.0))),
            (".5", Some(Nodata::Float(0.5))),
            ("2e", Some(Nodata::Integer(2))),
            ("-inf", Some(Nodata::Float(f64::NEG_INFINITY))),
            ("1.#INF", Some(Nodata::Float(f64::INFINITY))),
            ("", None),
            ("none", None),
            ("-", None),
            (".", None),
            ("é", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Nodata::parse(text), expected, "{text:?}");
        }
        for text in ["nan", "NaN", "-nan", "nan(ind)", "-1.#IND", "1.#QNAN"] {
            assert!(Nodata::parse(text).unwrap().as_f64().is_nan(), "{text}");
        }
    }

    #[test]
    fn what_a_type_does_not_hold_is_no_fill_value() {
        let fill = |text: &str, t: DataType| Nodata::parse(text).unwrap().fill_value(&t).map(|f| f.bytes().to_vec());
        assert_eq!(fill("255", DataType::U8), Some(vec![255]));
        assert_eq!(fill("255.0", DataType::U8), Some(vec![255]));
        assert_eq!(fill("0", DataType::U8), Some(vec![]));
        for (text, t) in [
            ("-1", DataType::U8),
            ("256", DataType::U8),
            ("0.5", DataType::I16),
            ("nan", DataType::I32),
            ("1e300", DataType::F32),
            ("70000", DataType::F16),
        ] {
            assert_eq!(fill(text, t), None, "{text}");
        }
        let held = |text: &str, t: DataType| Nodata::parse(text).unwrap().of_type(&t);
        assert_eq!((held("-3.4e38", DataType::F32), held("0.1", DataType::F64)), (Some(f64::from(-3.4e38_f32)), Some(0.1)));
        assert_eq!((held("-9999", DataType::U8), held("-9999", DataType::I16), held("1e300", DataType::F32)), (None, Some(-9999.0), None));
        assert_eq!(fill("18446744073709551615", DataType::U64), Some(vec![255; 8]));
        assert_eq!(fill("-inf", DataType::F32), Some(f32::NEG_INFINITY.to_ne_bytes().to_vec()));
        assert_eq!(fill("1.5", DataType::ComplexF32), Some([1.5_f32.to_ne_bytes(), [0; 4]].concat()));
        assert!(fill("nan", DataType::F64).is_some());
    }
}
