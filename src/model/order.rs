//! The order of the axes inside a chunk.

use crate::error::{Error, Result};

/// In which order the axes of an array are stored inside its chunks, outermost first.
///
/// Chunky TIFF stores y, x, band of an array that is band, y, x: `[1, 2, 0]`. Zarr's F order is the reverse.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AxisOrder(Vec<usize>);

impl AxisOrder {
    /// As the array's own: C order.
    #[must_use]
    pub fn c(rank: usize) -> Self {
        Self((0..rank).collect())
    }
    /// The reverse of the array's: F order.
    #[must_use]
    pub fn f(rank: usize) -> Self {
        Self((0..rank).rev().collect())
    }
    /// From the array's axes in stored order, outermost first.
    ///
    /// # Errors
    /// `Malformed` where it is not a permutation.
    pub fn new(axes: Vec<usize>) -> Result<Self> {
        let mut seen = vec![false; axes.len()];
        for axis in &axes {
            match seen.get_mut(*axis) {
                Some(s) if !*s => *s = true,
                _ => return Err(Error::malformed("the order of axes is not a permutation")),
            }
        }
        Ok(Self(axes))
    }
    /// The array's axes in stored order, outermost first.
    #[must_use]
    pub fn axes(&self) -> &[usize] {
        &self.0
    }
    /// Whether it is C order.
    #[must_use]
    pub fn is_c(&self) -> bool {
        self.0.iter().enumerate().all(|(i, a)| i == *a)
    }
    /// What is given per axis of the array, in stored order.
    #[must_use]
    pub fn permute<T: Copy>(&self, per_axis: &[T]) -> Vec<T> {
        self.0.iter().filter_map(|a| per_axis.get(*a).copied()).collect()
    }
    /// This order inside of another: the stored axes are permuted once more.
    #[must_use]
    pub fn then(&self, further: &Self) -> Self {
        Self(further.permute(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_compose() {
        let chunky = AxisOrder::new(vec![1, 2, 0]).unwrap();
        assert_eq!(chunky.permute(&[3, 100, 200]), [100, 200, 3]);
        assert_eq!(chunky.then(&AxisOrder::f(3)).axes(), [0, 2, 1]);
        assert!(AxisOrder::new(vec![0, 0]).is_err());
        assert!(AxisOrder::c(3).is_c() && AxisOrder::f(1).is_c() && !AxisOrder::f(2).is_c());
    }
}
