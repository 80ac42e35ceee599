//! Parts of an array, by index.

use std::fmt;
use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo};

use crate::error::{Error, Result};

/// A half-open box of an array: one range an axis, inside the array.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Region(Vec<Range<u64>>);

impl Region {
    /// From a range an axis.
    #[must_use]
    pub fn new(ranges: Vec<Range<u64>>) -> Self {
        Self(ranges)
    }
    /// All of an array of this shape.
    #[must_use]
    pub fn all(shape: &[u64]) -> Self {
        Self(shape.iter().map(|n| 0..*n).collect())
    }
    /// The range of each axis.
    #[must_use]
    pub fn ranges(&self) -> &[Range<u64>] {
        &self.0
    }
    /// The length of each axis.
    #[must_use]
    pub fn shape(&self) -> Vec<u64> {
        self.0.iter().map(|r| r.end.saturating_sub(r.start)).collect()
    }
    /// How many elements it has.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.shape().iter().fold(1, |n: u64, m| n.saturating_mul(*m))
    }
    /// Whether it has no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// What it has in common with another; empty axes where nothing.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let both = self.0.iter().zip(&other.0).map(|(a, b)| {
            let start = a.start.max(b.start);
            start..a.end.min(b.end).max(start)
        });
        Self(both.collect())
    }
    /// Whether all of it lies in another.
    #[must_use]
    pub fn is_inside(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| a.is_empty() || (a.start >= b.start && a.end <= b.end))
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, r) in self.0.iter().enumerate() {
            write!(f, "{}{}:{}", if i == 0 { "" } else { "," }, r.start, r.end)?;
        }
        Ok(())
    }
}

/// What is wanted of one axis.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DimSelection {
    /// All of it.
    All,
    /// A half-open range.
    Range(Range<u64>),
    /// From here to the end.
    From(u64),
    /// One index, kept as a length of 1.
    Index(u64),
}

/// What is wanted of each axis, not yet held against a shape.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Selection(pub Vec<DimSelection>);

impl Selection {
    /// Parses `0,2048:4096,:`: an index, or a half-open range, an axis.
    ///
    /// # Errors
    /// `Region` naming the part that is neither.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let number =
            |s: &str, part: &str| s.trim().parse::<u64>().map_err(|_| Error::region(format!("{part:?} is neither an index nor a range a:b")));
        let one = |part: &str| -> Result<DimSelection> {
            Ok(match part.split_once(':') {
                None => DimSelection::Index(number(part, part)?),
                Some((a, b)) => match (a.trim(), b.trim()) {
                    ("", "") => DimSelection::All,
                    (a, "") => DimSelection::From(number(a, part)?),
                    ("", b) => DimSelection::Range(0..number(b, part)?),
                    (a, b) => DimSelection::Range(number(a, part)?..number(b, part)?),
                },
            })
        };
        Ok(Self(text.split(',').map(one).collect::<Result<_>>()?))
    }

    /// The region it is of an array of this shape.
    ///
    /// # Errors
    /// `Region` where the rank differs, a range is reversed or reaches outside.
    pub fn region(&self, shape: &[u64]) -> Result<Region> {
        if self.0.len() != shape.len() {
            return Err(Error::region(format!("{} axes selected of an array of {}", self.0.len(), shape.len())));
        }
        let ranges = self.0.iter().zip(shape).enumerate().map(|(axis, (selection, length))| {
            let range = match selection {
                DimSelection::All => 0..*length,
                DimSelection::Range(r) => r.clone(),
                DimSelection::From(start) => *start..*length,
                DimSelection::Index(i) => *i..i.saturating_add(1),
            };
            if range.start > range.end || range.end > *length {
                return Err(Error::region(format!("{}:{} is not inside axis {axis} of length {length}", range.start, range.end)));
            }
            Ok(range)
        });
        Ok(Region(ranges.collect::<Result<_>>()?))
    }
}

/// What can say a [`Selection`]: a tuple of ranges and indexes, a [`Region`], `..` for everything.
pub trait IntoSelection {
    /// The selection for an array of this rank.
    fn into_selection(self, rank: usize) -> Selection;
}

impl IntoSelection for Selection {
    fn into_selection(self, _: usize) -> Selection {
        self
    }
}
impl IntoSelection for Region {
    fn into_selection(self, _: usize) -> Selection {
        Selection(self.0.into_iter().map(DimSelection::Range).collect())
    }
}
impl IntoSelection for &Region {
    fn into_selection(self, rank: usize) -> Selection {
        self.clone().into_selection(rank)
    }
}
impl IntoSelection for RangeFull {
    fn into_selection(self, rank: usize) -> Selection {
        Selection(vec![DimSelection::All; rank])
    }
}

impl From<RangeFull> for DimSelection {
    fn from(_: RangeFull) -> Self {
        Self::All
    }
}
impl From<Range<u64>> for DimSelection {
    fn from(range: Range<u64>) -> Self {
        Self::Range(range)
    }
}
impl From<RangeInclusive<u64>> for DimSelection {
    fn from(range: RangeInclusive<u64>) -> Self {
        Self::Range(*range.start()..range.end().saturating_add(1))
    }
}
impl From<RangeFrom<u64>> for DimSelection {
    fn from(range: RangeFrom<u64>) -> Self {
        Self::From(range.start)
    }
}
impl From<RangeTo<u64>> for DimSelection {
    fn from(range: RangeTo<u64>) -> Self {
        Self::Range(0..range.end)
    }
}
impl From<u64> for DimSelection {
    fn from(index: u64) -> Self {
        Self::Index(index)
    }
}

macro_rules! tuples {
    ($(($($t:ident $v:ident),*))*) => {$(
        impl<$($t: Into<DimSelection>),*> IntoSelection for ($($t,)*) {
            fn into_selection(self, _: usize) -> Selection {
                let ($($v,)*) = self;
                Selection(vec![$($v.into()),*])
            }
        }
    )*};
}
tuples! {
    (A a) (A a, B b) (A a, B b, C c) (A a, B b, C c, D d) (A a, B b, C c, D d, E e) (A a, B b, C c, D d, E e, F f)
}
impl IntoSelection for () {
    fn into_selection(self, _: usize) -> Selection {
        Selection(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuples_and_text_say_the_same() {
        let shape = [4, 100, 50];
        let a = (2, 10..20, ..).into_selection(3).region(&shape).unwrap();
        assert_eq!(a, Selection::parse("2,10:20,:").unwrap().region(&shape).unwrap());
        assert_eq!(a.shape(), [1, 10, 50]);
        assert_eq!((..3, 99.., 0..=4).into_selection(3).region(&shape).unwrap().shape(), [3, 1, 5]);
        assert_eq!((..).into_selection(3).region(&shape).unwrap().len(), 20_000);
        for bad in ["4,:,:", ":,:", ":,9:3,:", ":,:,:51", "x,:,:", "-1,:,:", ":,18446744073709551615,:"] {
            assert!(Selection::parse(bad).and_then(|s| s.region(&shape)).is_err(), "{bad}");
        }
        assert_eq!(().into_selection(0).region(&[]).unwrap().len(), 1);
    }
}
