//! How an array is cut into chunks.

use std::ops::Range;
use std::sync::Arc;

use super::Region;
use crate::error::{Error, Result};

/// How long the chunks are along an axis.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Axis {
    /// All alike.
    Regular(u64),
    /// Where each chunk ends, ascending; the last is at or past the axis' end (a rectilinear grid).
    Ends(Arc<[u64]>),
}

/// What is stored of a chunk that reaches over the array's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Edge {
    /// The whole chunk; what is outside has no meaning.
    Padded,
    /// Only what is inside.
    Clipped,
}

/// An array's shape and how it is cut into chunks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChunkGrid {
    shape: Vec<u64>,
    axes: Vec<(Axis, Edge)>,
    counts: Vec<u64>,
}

impl ChunkGrid {
    /// Chunks all of one shape, padded at the edges.
    ///
    /// # Errors
    /// `Malformed` for a chunk length of 0, ranks that differ, or more than 2^63 chunks.
    pub fn regular(shape: &[u64], chunk: &[u64]) -> Result<Self> {
        if shape.len() != chunk.len() {
            return Err(Error::malformed("the chunk shape has another rank than the array"));
        }
        Self::new(shape.to_vec(), chunk.iter().map(|c| (Axis::Regular(*c), Edge::Padded)).collect())
    }

    /// Each axis cut its own way.
    ///
    /// # Errors
    /// `Malformed` for a chunk length of 0, ends that do not ascend or do not reach the end, or more than 2^63 chunks.
    pub fn new(shape: Vec<u64>, axes: Vec<(Axis, Edge)>) -> Result<Self> {
        if shape.len() != axes.len() {
            return Err(Error::malformed("the chunk grid has another rank than the array"));
        }
        let mut counts = Vec::with_capacity(shape.len());
        let mut total: u64 = 1;
        for (length, (axis, _)) in shape.iter().zip(&axes) {
            let count = match axis {
                Axis::Regular(0) => return Err(Error::malformed("a chunk of length 0")),
                Axis::Regular(chunk) => length.div_ceil(*chunk),
                Axis::Ends(ends) => {
                    let ascending = ends.first().is_none_or(|e| *e > 0) && ends.windows(2).all(|w| w[0] < w[1]);
                    if !ascending || ends.last().copied().unwrap_or(0) < *length {
                        return Err(Error::malformed("the ends of the chunks do not ascend to the array's end"));
                    }
                    ends.partition_point(|e| e < length) as u64 + u64::from(*length > 0)
                }
            };
            counts.push(count);
            total = total.checked_mul(count.max(1)).filter(|t| *t < 1 << 63).ok_or_else(|| Error::malformed("more chunks than can be counted"))?;
        }
        Ok(Self { shape, axes, counts })
    }

    /// The array's shape.
    #[must_use]
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }
    /// The number of axes.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.shape.len()
    }
    /// How each axis is cut.
    #[must_use]
    pub fn axes(&self) -> &[(Axis, Edge)] {
        &self.axes
    }
    /// How many chunks there are along each axis.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }
    /// How many chunks there are in all.
    #[must_use]
    pub fn chunk_count(&self) -> u64 {
        self.counts.iter().product()
    }
    /// The shape of the usual chunk (of a rectilinear axis: its longest).
    #[must_use]
    pub fn chunk_shape(&self) -> Vec<u64> {
        self.axes
            .iter()
            .map(|(axis, _)| match axis {
                Axis::Regular(n) => *n,
                Axis::Ends(ends) => {
                    let starts = std::iter::once(0).chain(ends.iter().copied());
                    ends.iter().zip(starts).map(|(e, s)| e - s).max().unwrap_or(1)
                }
            })
            .collect()
    }
    /// Where a chunk of an axis starts and ends, without regard to the array's end.
    #[must_use]
    pub fn extent(&self, axis: usize, index: u64) -> Range<u64> {
        match &self.axes[axis].0 {
            Axis::Regular(n) => index.saturating_mul(*n)..index.saturating_add(1).saturating_mul(*n),
            Axis::Ends(ends) => {
                let at = usize::try_from(index).unwrap_or(usize::MAX);
                let start = at.checked_sub(1).and_then(|i| ends.get(i)).copied().unwrap_or(0);
                start..ends.get(at).copied().unwrap_or(start)
            }
        }
    }
    /// The part of the array that a chunk holds, clipped at the array's end.
    #[must_use]
    pub fn chunk_region(&self, index: &[u64]) -> Region {
        let ranges = index.iter().enumerate().map(|(axis, i)| {
            let extent = self.extent(axis, *i);
            extent.start.min(self.shape[axis])..extent.end.min(self.shape[axis])
        });
        Region::new(ranges.collect())
    }
    /// The length in which a chunk at this index of an axis is stored: clipped or padded as its edge says.
    #[must_use]
    pub fn stored_length(&self, axis: usize, index: u64) -> u64 {
        let extent = self.extent(axis, index);
        match (&self.axes[axis], extent.end.min(self.shape[axis])) {
            // Also of a chunk that ends behind what can be counted.
            ((Axis::Regular(length), Edge::Padded), _) => *length,
            ((Axis::Ends(_), Edge::Padded), _) => extent.end.saturating_sub(extent.start),
            ((_, Edge::Clipped), end) => end.saturating_sub(extent.start),
        }
    }
    /// The shape in which a chunk is stored: clipped or padded as its edges say.
    #[must_use]
    pub fn stored_shape(&self, index: &[u64]) -> Vec<u64> {
        index.iter().enumerate().map(|(axis, i)| self.stored_length(axis, *i)).collect()
    }
    /// The chunks that a region touches, as ranges of their indexes.
    #[must_use]
    pub fn chunks_of(&self, region: &Region) -> Vec<Range<u64>> {
        let touched = |(axis, range): (usize, &Range<u64>)| {
            if range.is_empty() {
                return 0..0;
            }
            match &self.axes[axis].0 {
                Axis::Regular(n) => range.start / n..range.end.div_ceil(*n),
                Axis::Ends(ends) => ends.partition_point(|e| *e <= range.start) as u64..ends.partition_point(|e| *e < range.end) as u64 + 1,
            }
        };
        region.ranges().iter().enumerate().map(touched).collect()
    }
    /// A chunk's place in C order among all chunks.
    #[must_use]
    pub fn linear(&self, index: &[u64]) -> u64 {
        index.iter().zip(&self.counts).fold(0, |at, (i, n)| at.wrapping_mul(*n).wrapping_add(*i))
    }
    /// The index of the chunk at a place in C order.
    #[must_use]
    pub fn index(&self, linear: u64) -> Vec<u64> {
        let mut rest = linear;
        let mut index = vec![0; self.counts.len()];
        for (i, n) in index.iter_mut().zip(&self.counts).rev() {
            *i = rest % (*n).max(1);
            rest /= (*n).max(1);
        }
        index
    }
    /// Whether a chunk with this index exists.
    #[must_use]
    pub fn contains(&self, index: &[u64]) -> bool {
        index.len() == self.counts.len() && index.iter().zip(&self.counts).all(|(i, n)| i < n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_and_rectilinear() {
        let grid = ChunkGrid::new(vec![10, 7], vec![(Axis::Regular(4), Edge::Clipped), (Axis::Ends(Arc::from([3, 5, 9])), Edge::Padded)]).unwrap();
        assert_eq!(grid.counts(), [3, 3]);
        assert_eq!(grid.chunk_region(&[2, 2]).ranges(), [8..10, 5..7]);
        assert_eq!(grid.stored_shape(&[2, 2]), [2, 4]);
        assert_eq!(grid.chunks_of(&Region::new(vec![3..9, 3..5])), [0..3, 1..2]);
        assert_eq!(grid.chunks_of(&Region::new(vec![3..3, 0..7])), [0..0, 0..3]);
        for i in 0..grid.chunk_count() {
            assert_eq!(grid.linear(&grid.index(i)), i);
        }
        assert!(ChunkGrid::regular(&[4], &[0]).is_err());
        assert!(ChunkGrid::regular(&[u64::MAX, u64::MAX], &[1, 1]).is_err());
        assert_eq!(ChunkGrid::regular(&[], &[]).unwrap().chunk_count(), 1);
        assert_eq!(ChunkGrid::regular(&[0, 5], &[2, 2]).unwrap().chunk_count(), 0);
    }
}
