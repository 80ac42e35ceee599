//! What stored numbers stand for: packed and missing data (CF 1.11, sections 2.5.1 and 8.1).

use serde_json::Value;

use super::{not_in_json, number, numbers};
use crate::error::{Error, Result};
use crate::model::{DataType, FillValue, Linear, RawJson};

/// How the stored numbers of a variable become the quantities that they stand for.
///
/// The value of an element is `stored * scale + offset`; it is missing where `stored` is one of [`missing`](Self::missing), lies outside
/// of [`valid`](Self::valid), or is not a number. All of these are told in stored numbers, as CF has it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Packing {
    /// `scale_factor`; 1 where there is none.
    pub scale: f64,
    /// `add_offset`; 0 where there is none.
    pub offset: f64,
    /// `_FillValue`, then `missing_value`, as stored.
    pub missing: Vec<f64>,
    /// `valid_range`, or `valid_min` and `valid_max`: the least and the greatest stored number that is valid.
    pub valid: [Option<f64>; 2],
    /// Those of `missing` that an `f64` is not exact for.
    exact: Vec<i128>,
    /// Bits of a signed integer that `_Unsigned` says is to be taken for an unsigned one (NetCDF Users' Guide, appendix A).
    pub unsigned_bits: Option<u32>,
}

impl Default for Packing {
    fn default() -> Self {
        Self { scale: 1.0, offset: 0.0, missing: Vec::new(), exact: Vec::new(), valid: [None; 2], unsigned_bits: None }
    }
}

/// Values that may stand for "missing", of one variable.
const MOST_MISSING: usize = 7;

impl Packing {
    /// From the attributes of a variable of this type.
    ///
    /// `_FillValue` may also be written as xarray writes it into version 3: a float as base64 of eight bytes, little-endian.
    ///
    /// # Errors
    /// `Malformed` where one of the attributes is no number, or `valid_range` no pair.
    pub fn of(attributes: &RawJson, data_type: &DataType) -> Result<Self> {
        let attributes: serde_json::Map<String, Value> = attributes.parse()?;
        let get = |name: &str| attributes.get(name).filter(|v| !v.is_null());
        let wrong = |name: &str| Error::malformed(format!("the attribute {name} is no number"));
        let one = |name: &str| get(name).map(|v| number(v).ok_or_else(|| wrong(name))).transpose();

        let mut missing = Vec::new();
        let mut integers = Vec::new();
        // A text stands for missing text, which is not what is reckoned with here.
        if is_number(data_type) {
            if let Some(fill) = get("_FillValue") {
                missing.push(number(fill).or_else(|| encoded(fill)).ok_or_else(|| wrong("_FillValue"))?);
                integers.extend(integers_of(fill));
            }
            if let Some(values) = get("missing_value") {
                missing.extend(numbers(values).filter(|v| v.len() <= MOST_MISSING).ok_or_else(|| wrong("missing_value"))?);
                integers.extend(integers_of(values));
            }
        }
        let mut valid = [one("valid_min")?, one("valid_max")?];
        if let Some(range) = get("valid_range") {
            let Some([least, greatest]) = numbers(range).and_then(|v| <[f64; 2]>::try_from(v).ok()) else {
                return Err(Error::malformed("the attribute valid_range is no pair of numbers"));
            };
            valid = [Some(least), Some(greatest)];
        }
        let says_unsigned =
            get("_Unsigned").is_some_and(|v| v.as_str().is_some_and(|text| text.eq_ignore_ascii_case("true")) || v == &Value::Bool(true));
        let unsigned_bits = if says_unsigned { signed_bits(data_type) } else { None };
        let scale = one("scale_factor")?.unwrap_or(1.0);
        let offset = one("add_offset")?.unwrap_or(0.0);
        let mut packing = Self { scale, offset, missing, exact: Vec::new(), valid, unsigned_bits };
        // Attributes are of the stored type, or already of the unsigned one.
        let wrap = |value: i128| match unsigned_bits {
            Some(bits) if value < 0 => value.saturating_add(1 << bits),
            _ => value,
        };
        packing.exact = integers.into_iter().map(wrap).filter(|value| value.unsigned_abs() as f64 >= EXACT).collect();
        let missing = std::mem::take(&mut packing.missing);
        for value in missing {
            packing.add_missing(value);
        }
        packing.valid = packing.valid.map(|bound| bound.map(|value| packing.as_unsigned(value)));
        Ok(packing)
    }
    /// Adds a stored number that stands for "missing"; no number is held twice.
    pub fn add_missing(&mut self, stored: f64) {
        let stored = self.as_unsigned(stored);
        let same = |known: &f64| *known == stored || (known.is_nan() && stored.is_nan());
        if !self.missing.iter().any(same) {
            self.missing.push(stored);
        }
    }
    /// Whether every number stands for itself and none is missing.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        *self == Self::default()
    }
    fn as_unsigned(&self, stored: f64) -> f64 {
        match self.unsigned_bits {
            Some(bits) if stored < 0.0 => stored + 2_f64.powi(i32::try_from(bits).unwrap_or(0)),
            _ => stored,
        }
    }

    /// The quantity that a stored number stands for; `None` where it is missing.
    ///
    /// Of 64-bit integers beyond 2^53 it is that of the nearest `f64`.
    #[must_use]
    pub fn unpack(&self, stored: f64) -> Option<f64> {
        let stored = self.as_unsigned(stored);
        let [least, greatest] = self.valid;
        let is_missing = stored.is_nan()
            || self.missing.contains(&stored)
            || least.is_some_and(|bound| stored < bound)
            || greatest.is_some_and(|bound| stored > bound);
        (!is_missing).then_some(stored * self.scale + self.offset)
    }

    /// Scale and offset, of elements that were taken for unsigned integers where `unsigned_bits` says so.
    #[must_use]
    pub fn line(&self) -> Linear {
        Linear { scale: self.scale, offset: self.offset }
    }
    /// The missing values as elements of the stored type, for those that it holds.
    #[must_use]
    pub fn missing_elements(&self, data_type: &DataType) -> Vec<FillValue> {
        let unsigned = if self.unsigned_bits.is_some() { data_type.unsigned() } else { None };
        let data_type = unsigned.as_ref().unwrap_or(data_type);
        let is_integer = element(0.5, data_type).is_none();
        let of_floats = self.missing.iter().filter(|value| !is_integer || value.abs() < EXACT).filter_map(|value| element(*value, data_type));
        let of_integers = self.exact.iter().filter_map(|value| wide_element(*value, data_type));
        of_floats.chain(of_integers).collect()
    }
}

/// From here on not every integer is an `f64`.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The integers among these numbers, without a way through floats where they are written so.
fn integers_of(value: &Value) -> impl Iterator<Item = i128> {
    let all = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    all.iter().filter_map(|value| value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from)).or_else(|| whole(value.as_f64()?)))
}

/// A float that is an integer.
fn whole(value: f64) -> Option<i128> {
    #[allow(clippy::cast_possible_truncation, reason = "it is within the bounds")]
    (value.fract() == 0.0 && value.abs() < 2_f64.powi(65)).then_some(value as i128)
}

/// An integer as an element of a type of 64 bits; `None` where that does not hold it.
fn wide_element(value: i128, data_type: &DataType) -> Option<FillValue> {
    let bytes = match data_type {
        DataType::I64 => i64::try_from(value).ok()?.to_ne_bytes(),
        DataType::U64 => u64::try_from(value).ok()?.to_ne_bytes(),
        _ => return None,
    };
    Some(FillValue::new(bytes.to_vec()))
}

fn is_number(data_type: &DataType) -> bool {
    element(0.0, data_type).is_some()
}

fn signed_bits(data_type: &DataType) -> Option<u32> {
    u32::try_from(data_type.unsigned()?.size()?).ok()?.checked_mul(8)
}

/// A number as an element; `None` where the type does not hold it, or is not one of numbers.
pub(crate) fn element(value: f64, data_type: &DataType) -> Option<FillValue> {
    macro_rules! integer {
        ($type:ty) => {{
            let fits = value.fract() == 0.0 && value >= <$type>::MIN as f64 && value <= <$type>::MAX as f64;
            #[allow(clippy::cast_possible_truncation, reason = "it was held against the type's bounds")]
            fits.then(|| (value as $type).to_ne_bytes().to_vec())
        }};
    }
    let bytes = match data_type {
        DataType::I8 => integer!(i8),
        DataType::I16 => integer!(i16),
        DataType::I32 => integer!(i32),
        DataType::I64 => integer!(i64),
        DataType::U8 => integer!(u8),
        DataType::U16 => integer!(u16),
        DataType::U32 => integer!(u32),
        DataType::U64 => integer!(u64),
        DataType::F16 => Some(half::f16::from_f64(value).to_ne_bytes().to_vec()),
        #[allow(clippy::cast_possible_truncation, reason = "the nearest float of the stored type is what is stored")]
        DataType::F32 => Some((value as f32).to_ne_bytes().to_vec()),
        DataType::F64 => Some(value.to_ne_bytes().to_vec()),
        _ => None,
    };
    bytes.map(FillValue::new)
}

/// The number that an element is; `None` where its type is not one of numbers.
#[cfg(feature = "read")]
pub(crate) fn number_of(element: &[u8], data_type: &DataType) -> Option<f64> {
    macro_rules! read {
        ($type:ty) => {
            <$type>::from_ne_bytes(element.try_into().ok()?)
        };
    }
    Some(match data_type {
        DataType::I8 => read!(i8).into(),
        DataType::I16 => read!(i16).into(),
        DataType::I32 => read!(i32).into(),
        DataType::I64 => read!(i64) as f64,
        DataType::U8 => read!(u8).into(),
        DataType::U16 => read!(u16).into(),
        DataType::U32 => read!(u32).into(),
        DataType::U64 => read!(u64) as f64,
        DataType::F16 => read!(half::f16).into(),
        DataType::F32 => read!(f32).into(),
        DataType::F64 => read!(f64),
        _ => return None,
    })
}

/// A float of xarray's: base64 of eight bytes.
fn encoded(value: &Value) -> Option<f64> {
    let text = value.as_str()?;
    if let Some(number) = not_in_json(text) {
        return Some(number);
    }
    let digits = text.strip_suffix('=').filter(|digits| digits.len() == 11)?;
    let mut bits = 0_u128;
    for byte in digits.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u128::from(digit);
    }
    // Eleven digits are 66 bits, of which the last two are padding.
    let bits = u64::try_from(bits >> 2).ok()?;
    Some(f64::from_be_bytes(bits.to_le_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str, data_type: &DataType) -> Result<Packing> {
        Packing::of(&RawJson::of(&serde_json::from_str(json).unwrap()), data_type)
    }

    #[test]
    fn stored_numbers_stand_for_quantities() {
        type Row<'a> = (&'a str, DataType, &'a [(f64, Option<f64>)]);
        let table: [Row<'_>; 9] = [
            ("{}", DataType::I16, &[(5.0, Some(5.0)), (f64::NAN, None)]),
            (
                r#"{"scale_factor":0.01,"add_offset":273.15,"_FillValue":-32767}"#,
                DataType::I16,
                &[(-32767.0, None), (0.0, Some(273.15)), (100.0, Some(274.15))],
            ),
            (r#"{"missing_value":[-1,-2],"_FillValue":9}"#, DataType::I32, &[(-1.0, None), (-2.0, None), (9.0, None), (-3.0, Some(-3.0))]),
            // The valid range is told in stored numbers (section 2.5.1).
            (r#"{"scale_factor":2,"valid_range":[0,100]}"#, DataType::U8, &[(100.0, Some(200.0)), (101.0, None), (-1.0, None)]),
            (r#"{"valid_min":1.5}"#, DataType::F32, &[(1.5, Some(1.5)), (1.0, None), (1e30, Some(1e30))]),
            (r#"{"_FillValue":"NaN"}"#, DataType::F32, &[(f64::NAN, None), (0.0, Some(0.0))]),
            (r#"{"_FillValue":"AAAAAAAA+H8="}"#, DataType::F64, &[(f64::NAN, None), (1.0, Some(1.0))]),
            (r#"{"_FillValue":"AAAAAACI08A="}"#, DataType::F64, &[(-20000.0, None)]),
            // -1 and -56 are the bytes 255 and 200.
            (
                r#"{"_Unsigned":"true","_FillValue":-1,"valid_range":[0,-56]}"#,
                DataType::I8,
                &[(-1.0, None), (-56.0, Some(200.0)), (-50.0, None), (7.0, Some(7.0))],
            ),
        ];
        for (json, data_type, pairs) in table {
            let packing = of(json, &data_type).unwrap();
            for (stored, expected) in pairs {
                assert_eq!(packing.unpack(*stored), *expected, "{json} {stored}");
            }
        }
        assert!(of("{}", &DataType::F32).unwrap().is_identity());
        assert!(of(r#"{"_FillValue":"none"}"#, &DataType::Text).unwrap().is_identity());
    }

    #[test]
    fn attributes_that_are_no_numbers() {
        for bad in
            [r#"{"scale_factor":"x"}"#, r#"{"valid_range":[1]}"#, r#"{"_FillValue":"????"}"#, r#"{"missing_value":{}}"#, r#"{"add_offset":[1,2]}"#]
        {
            assert!(of(bad, &DataType::F32).is_err(), "{bad}");
        }
    }

    #[test]
    fn missing_values_as_elements() {
        let packing = of(r#"{"_FillValue":-5,"missing_value":[70000,1.5]}"#, &DataType::I16).unwrap();
        assert_eq!(packing.missing_elements(&DataType::I16), [FillValue::new((-5_i16).to_ne_bytes().to_vec())]);
        assert_eq!(packing.missing_elements(&DataType::F32).len(), 3);
        // The last three are no floats of 64 bits; 2^63 is not of the type.
        let packing =
            of(r#"{"_FillValue":-9223372036854775808,"missing_value":[9223372036854775807,9007199254740993,9223372036854775808,1]}"#, &DataType::I64);
        let expected = [1, i64::MIN, i64::MAX, 9_007_199_254_740_993].map(|n: i64| FillValue::new(n.to_ne_bytes().to_vec()));
        assert_eq!(packing.unwrap().missing_elements(&DataType::I64), expected);
        let packing = of(r#"{"_FillValue":-1,"missing_value":18446744073709551614,"_Unsigned":"true"}"#, &DataType::I64).unwrap();
        assert_eq!(packing.missing_elements(&DataType::I64), [u64::MAX, u64::MAX - 1].map(|n| FillValue::new(n.to_ne_bytes().to_vec())));
        let packing = of(r#"{"_FillValue":-1,"missing_value":[200,300],"_Unsigned":"true"}"#, &DataType::I8).unwrap();
        assert_eq!(packing.missing_elements(&DataType::I8), [vec![255], vec![200]].map(FillValue::new));
    }
}
