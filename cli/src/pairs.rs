//! Complex elements of types that NumPy lacks: they are written as plain numbers, (re, im) along the last axis.

use std::ops::Range;

use swath::model::{DataType, Region, Selection};
use swath::{Error, Result};

/// Numbers of a pair.
const PAIR: u64 = 2;

/// Which numbers along the last axis of an output are written, where each element of the array is two of them.
///
/// The first and the last may be halves of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pairs(Range<u64>);

/// Whether arrays of this type and rank are written as pairs.
pub(crate) fn written(data_type: &DataType, rank: usize) -> bool {
    rank > 0 && data_type.numpy_parts() > 1
}

/// The shape of the numbers that elements are written as.
pub(crate) fn shape(elements: &[u64]) -> Vec<u64> {
    let mut shape = elements.to_vec();
    if let Some(last) = shape.last_mut() {
        *last = last.saturating_mul(PAIR);
    }
    shape
}

impl Pairs {
    /// The numbers that a selection of them means, and the elements that hold these.
    pub(crate) fn select(selection: &Selection, elements: &[u64]) -> Result<(Region, Self)> {
        let numbers = selection.region(&shape(elements))?;
        let last = numbers.ranges().last().cloned().ok_or_else(|| Error::region("pairs are of arrays of one dimension or more"))?;
        let first = last.start / PAIR;
        let end = if last.is_empty() { first } else { last.end.div_ceil(PAIR) };
        Ok((with_last(&numbers, first..end), Self(last)))
    }
    /// All numbers of these elements.
    pub(crate) fn all(elements: &Region) -> Self {
        Self(elements.ranges().last().map_or(0..0, doubled))
    }
    /// The numbers that are written of a box of elements.
    pub(crate) fn of(&self, elements: &Region) -> Region {
        let all = elements.ranges().last().map_or(0..0, doubled);
        let start = all.start.max(self.0.start);
        with_last(elements, start..all.end.min(self.0.end).max(start))
    }
    /// The bytes that are written of those of a box of elements; `number`: bytes of one. `None` where it is all of them.
    pub(crate) fn crop(&self, elements: &Region, bytes: &[u8], number: u64) -> Option<Vec<u8>> {
        let whole = elements.ranges().last().map(doubled)?;
        let kept = self.of(elements).ranges().last().cloned()?;
        if kept == whole {
            return None;
        }
        let size = |numbers: u64| usize::try_from(numbers.saturating_mul(number)).unwrap_or(usize::MAX);
        let row = size(whole.end.saturating_sub(whole.start)).max(1);
        let part = size(kept.start.saturating_sub(whole.start))..size(kept.end.saturating_sub(whole.start));
        Some(bytes.chunks_exact(row).filter_map(|row| row.get(part.clone())).flatten().copied().collect())
    }
}

fn doubled(range: &Range<u64>) -> Range<u64> {
    range.start.saturating_mul(PAIR)..range.end.saturating_mul(PAIR)
}

fn with_last(region: &Region, range: Range<u64>) -> Region {
    let mut ranges = region.ranges().to_vec();
    if let Some(last) = ranges.last_mut() {
        *last = range;
    }
    Region::new(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_elements() {
        // Numbers asked for along an axis of 6 elements, elements read.
        let table = [("0:12", 0..6), (":", 0..6), ("1:12", 0..6), ("3:5", 1..3), ("4:6", 2..3), ("5", 2..3), ("5:5", 2..2)];
        for (words, elements) in table {
            let (region, pairs) = Pairs::select(&Selection::parse(&format!("1:3,{words}")).unwrap(), &[4, 6]).unwrap();
            assert_eq!(region.ranges(), [1..3, elements], "{words}");
            let bytes: Vec<u8> = (0..2 * region.shape()[1] * 2).map(|n| u8::try_from(n).unwrap()).collect();
            let written = pairs.crop(&region, &bytes, 1).unwrap_or(bytes);
            assert_eq!(written.len() as u64, pairs.of(&region).len(), "{words}");
        }
        assert!(Pairs::select(&Selection::parse("0,0:13").unwrap(), &[4, 6]).is_err());
    }

    #[test]
    fn rows_are_cropped() {
        let (region, pairs) = Pairs::select(&Selection::parse("0:2,1:6").unwrap(), &[2, 4]).unwrap();
        let bytes: Vec<u8> = (0..12).collect();
        assert_eq!(pairs.crop(&region, &bytes, 1).unwrap(), [1, 2, 3, 4, 5, 7, 8, 9, 10, 11]);
        // A slab that ends before the region does.
        let slab = Region::new(vec![1..2, 0..2]);
        assert_eq!(pairs.crop(&slab, &bytes[..8], 2).unwrap(), [2, 3, 4, 5, 6, 7]);
        assert_eq!(pairs.crop(&Region::new(vec![0..1, 1..3]), &bytes[..4], 1), None);
    }
}
