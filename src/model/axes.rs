//! A number, or the like, for each axis: in place for as many axes as arrays usually have.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// Axes that are held in place; a longer list is allocated.
const IN_PLACE: usize = 8;

/// One value an axis. What is found for every chunk of a read (its index, its origin) is such a list, and takes no allocation up to 8 axes.
#[derive(Clone)]
pub(crate) struct PerAxis<T> {
    few: [T; IN_PLACE],
    /// How many of `few` count, where `many` is empty.
    count: usize,
    many: Vec<T>,
}

impl<T: Copy + Default> FromIterator<T> for PerAxis<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut all = Self { few: [T::default(); IN_PLACE], count: 0, many: Vec::new() };
        for value in values {
            if !all.many.is_empty() {
                all.many.push(value);
            } else if let Some(free) = all.few.get_mut(all.count) {
                *free = value;
                all.count += 1;
            } else {
                all.many.extend_from_slice(&all.few);
                all.many.push(value);
            }
        }
        all
    }
}

impl<T> Deref for PerAxis<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        if self.many.is_empty() { self.few.get(..self.count).unwrap_or(&self.few) } else { &self.many }
    }
}

impl<T> DerefMut for PerAxis<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        let count = self.count.min(IN_PLACE);
        if self.many.is_empty() { &mut self.few[..count] } else { &mut self.many }
    }
}

impl<T> AsRef<[T]> for PerAxis<T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

impl<T: fmt::Debug> fmt::Debug for PerAxis<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: PartialEq, S: AsRef<[T]>> PartialEq<S> for PerAxis<T> {
    fn eq(&self, other: &S) -> bool {
        **self == *other.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_axes() {
        for rank in [0, 1, 3, 7, 8, 9, 32] {
            let plain: Vec<u64> = (0..rank).collect();
            let mut axes: PerAxis<u64> = plain.iter().copied().collect();
            assert_eq!(axes, plain);
            assert_eq!(axes.many.is_empty(), rank <= 8);
            axes.iter_mut().for_each(|n| *n += 1);
            assert_eq!(axes.iter().sum::<u64>(), plain.iter().sum::<u64>() + rank);
        }
    }
}
