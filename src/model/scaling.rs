//! What stored numbers stand for.

use super::{DataType, FillValue};
use crate::error::{Error, Result};

/// A straight line: `stored * scale + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Linear {
    /// What a stored number is multiplied with.
    pub scale: f64,
    /// What is added then.
    pub offset: f64,
}

/// How the stored numbers of an array become the quantities they stand for, and which of them stand for nothing.
///
/// `Scaling::default()`: every number stands for itself. GDAL's SCALE, OFFSET and nodata of each band are one; so are CF's `scale_factor`,
/// `add_offset`, `_FillValue` and `missing_value`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scaling {
    /// None: as stored. One: of all elements. Else one for each index of the first axis (the bands of an image), of an array of two axes
    /// or more.
    pub lines: Vec<Linear>,
    /// Elements that stand for "nothing here", each of the stored type. Floats are compared as numbers, not-a-number with each of its forms.
    pub nodata: Vec<FillValue>,
    /// Whether the numbers meant are the unsigned integers of the same bits, as netCDF's `_Unsigned` says of signed ones.
    pub is_unsigned: bool,
    /// Why it is not known what numbers stand for, as where an attribute is damaged: then only reads of what is stored succeed.
    pub unclear: Option<String>,
}

/// The most values that may stand for "nothing here": each element is held against all of them.
const MOST_NODATA: usize = 8;

impl Default for Linear {
    fn default() -> Self {
        Self { scale: 1.0, offset: 0.0 }
    }
}

impl Linear {
    /// Whether it leaves numbers as they are.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.scale == 1.0 && self.offset == 0.0
    }
    /// The quantity that a stored number stands for.
    #[must_use]
    pub fn apply(&self, stored: f64) -> f64 {
        stored * self.scale + self.offset
    }
}

impl Scaling {
    /// The line of an index of the first axis.
    #[must_use]
    pub fn line(&self, first: u64) -> Linear {
        let of_index = || self.lines.get(usize::try_from(first).ok()?);
        let one = if let [only] = self.lines.as_slice() { Some(only) } else { of_index() };
        one.copied().unwrap_or_default()
    }
    /// Whether elements differ in their lines along the first axis.
    #[must_use]
    pub fn is_by_index(&self) -> bool {
        self.lines.windows(2).any(|pair| pair[0] != pair[1])
    }

    /// Holds it against an array of this type and shape.
    pub(crate) fn check(&self, data_type: &DataType, shape: &[u64]) -> Result<()> {
        match (self.lines.len(), shape) {
            (0 | 1, _) => {}
            (n, [first, _, ..]) if n as u64 == *first => {}
            (n, _) => return Err(Error::malformed(format!("{n} pairs of scale and offset for an array of shape {shape:?}"))),
        }
        if self.nodata.len() > MOST_NODATA {
            return Err(Error::malformed(format!("{} values of no data, more than {MOST_NODATA}", self.nodata.len())));
        }
        if self.nodata.iter().any(|value| !value.is_zero() && data_type.size().is_none_or(|size| size != value.bytes().len())) {
            return Err(Error::malformed("a value of no data is not one element"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_one_for_all_or_one_an_index() {
        let line = |scale| Linear { scale, offset: 1.0 };
        let of = |lines: &[f64]| Scaling { lines: lines.iter().map(|n| line(*n)).collect(), ..Scaling::default() };
        assert_eq!(of(&[]).line(7).apply(3.0), 3.0);
        assert_eq!(of(&[2.0]).line(7).apply(3.0), 7.0);
        assert_eq!(of(&[2.0, 4.0]).line(1).apply(3.0), 13.0);
        assert!(of(&[2.0, 4.0]).is_by_index() && !of(&[2.0, 2.0]).is_by_index() && !of(&[2.0]).is_by_index());
        for (lines, shape, fits) in [(0, &[][..], true), (1, &[3][..], true), (2, &[2], false), (2, &[2, 5], true), (3, &[2, 5], false)] {
            assert_eq!(of(&vec![2.0; lines]).check(&DataType::U8, shape).is_ok(), fits, "{lines} {shape:?}");
        }
    }

    #[test]
    fn values_of_no_data_are_elements() {
        let with = |bytes: &[&[u8]]| Scaling { nodata: bytes.iter().map(|b| FillValue::new(b.to_vec())).collect(), ..Scaling::default() };
        assert!(with(&[&[7, 0], &[0, 0]]).check(&DataType::U16, &[4]).is_ok());
        assert!(with(&[&[7]]).check(&DataType::U16, &[4]).is_err());
        assert!(with(&[&[7]]).check(&DataType::Text, &[4]).is_err());
        assert!(with(&[&[7][..]; 9]).check(&DataType::U8, &[4]).is_err());
    }
}
