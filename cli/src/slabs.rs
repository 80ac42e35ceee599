//! A region cut into slabs that are read one after the other, so that memory does not depend on the region's size.

use swath::ChunkedArray;
use swath::model::{ChunkGrid, Region};

/// Bytes of a slab that are aimed at. A slab may be larger where one chunk is.
pub(crate) const BUDGET: u64 = 32 << 20;
/// What is taken for the length of an element where elements differ.
pub(crate) const TYPICAL_TEXT: u64 = 64;
/// Chunks of a slab: planning keeps a record of each.
const MOST_CHUNKS: u64 = 1 << 16;

/// The slabs of a region in the order of their first elements, found one at a time.
///
/// Cuts lie between chunks, so that no chunk is decoded twice; they run through the outermost axes that have chunks to part, since the
/// outer an axis is, the longer are the runs of bytes that a slab is in the output.
pub(crate) struct Slabs<'a> {
    grid: &'a ChunkGrid,
    element: u64,
    budget: u64,
    /// Boxes that are still to be cut, the next one last.
    open: Vec<Region>,
    in_order: bool,
}

impl<'a> Slabs<'a> {
    /// `element`: bytes of one.
    pub(crate) fn new(grid: &'a ChunkGrid, region: Region, element: u64, budget: u64) -> Self {
        Self { grid, element: element.max(1), budget, open: vec![region], in_order: false }
    }
    /// The slabs that a part of an array is read by.
    pub(crate) fn of(array: &'a ChunkedArray, part: Region, budget: u64) -> Self {
        let grid = &array.meta().grid;
        match array.data_type().size() {
            Some(element) => Self::new(grid, part, element as u64, budget),
            None => Self::new(grid, part, TYPICAL_TEXT, budget).in_order(),
        }
    }
    /// Only slabs whose elements follow each other in the output, for outputs that are appended to.
    pub(crate) fn in_order(mut self) -> Self {
        self.in_order = true;
        self
    }

    /// The axis to cut through and how many chunks along it fit the budget; `None` where nothing is to be cut.
    fn cut(&self, region: &Region) -> Option<(usize, u64)> {
        let touched = self.grid.chunks_of(region);
        let all = touched.iter().fold(1_u64, |n, r| n.saturating_mul(r.end.saturating_sub(r.start)));
        let bytes = region.len().saturating_mul(self.element);
        if bytes <= self.budget && all <= MOST_CHUNKS {
            return None;
        }
        let shape = region.shape();
        for (axis, chunks) in touched.into_iter().enumerate() {
            let count = chunks.end.saturating_sub(chunks.start);
            if count > 1 {
                let fit = (self.budget / (bytes / count).max(1)).min(MOST_CHUNKS / (all / count).max(1));
                return Some((axis, fit.clamp(1, count - 1)));
            }
            if self.in_order && shape.get(axis).is_some_and(|n| *n > 1) {
                return None;
            }
        }
        None
    }
}

impl Iterator for Slabs<'_> {
    type Item = Region;

    fn next(&mut self) -> Option<Region> {
        loop {
            let region = self.open.pop()?;
            let Some((axis, chunks)) = self.cut(&region) else { return Some(region) };
            let first = self.grid.chunks_of(&region).get(axis).map_or(0, |r| r.start);
            let border = self.grid.extent(axis, first.saturating_add(chunks)).start;
            let (mut before, mut behind) = (region.ranges().to_vec(), region.ranges().to_vec());
            if let (Some(a), Some(b)) = (before.get_mut(axis), behind.get_mut(axis)) {
                a.end = border;
                b.start = border;
            }
            self.open.push(Region::new(behind));
            self.open.push(Region::new(before));
        }
    }
}

/// The runs of bytes that a slab is in an output of all of `region`: for each its place there, all of one length.
///
/// Gives the length and the places, in the order of the slab's elements.
pub(crate) fn runs(region: &Region, slab: &Region, element: u64) -> (u64, impl Iterator<Item = u64> + use<>) {
    let (whole, part) = (region.shape(), slab.shape());
    // Axes from here on are one run: all but the outermost of them are whole.
    let mut inner = part.len();
    while inner > 0 && (inner == part.len() || part.get(inner) == whole.get(inner)) {
        inner -= 1;
    }
    let length = part.iter().skip(inner).fold(element, |n, m| n.saturating_mul(*m));
    let mut strides = vec![element; whole.len()];
    for axis in (1..whole.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(whole[axis]);
    }
    let starts = slab.ranges().iter().zip(region.ranges()).map(|(s, r)| s.start.saturating_sub(r.start));
    let base: u64 = starts.zip(&strides).map(|(start, stride)| start.saturating_mul(*stride)).sum();
    let outer: Vec<(u64, u64)> = part.iter().copied().zip(strides).take(inner).collect();
    let count = if slab.is_empty() { 0 } else { outer.iter().map(|(n, _)| n).product() };
    let place = move |number: u64| {
        let mut rest = number;
        let mut at = base;
        for (n, stride) in outer.iter().rev() {
            at += rest % n * stride;
            rest /= n;
        }
        at
    };
    (length, (0..count).map(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(grid: &ChunkGrid, region: &Region, budget: u64, in_order: bool) -> Vec<Region> {
        let slabs = Slabs::new(grid, region.clone(), 1, budget);
        if in_order { slabs.in_order().collect() } else { slabs.collect() }
    }

    /// Each element of the region lies in one slab, at the place that `runs` says.
    fn check(grid: &ChunkGrid, region: &Region, slabs: &[Region], budget: u64) {
        let shape = region.shape();
        let mut seen = vec![false; usize::try_from(region.len()).unwrap()];
        for slab in slabs {
            let one_chunk = grid.chunks_of(slab).iter().all(|r| r.end - r.start <= 1);
            assert!(slab.len() <= budget || one_chunk, "{slab}");
            let (length, places) = runs(region, slab, 1);
            let mut got = 0;
            for place in places {
                for at in place..place + length {
                    let mut rest = at;
                    let mut index = vec![0; shape.len()];
                    for (i, n) in index.iter_mut().zip(&shape).rev() {
                        *i = rest % n;
                        rest /= n;
                    }
                    let inside = index.iter().zip(region.ranges()).zip(slab.ranges()).all(|((i, r), s)| s.contains(&(i + r.start)));
                    assert!(inside, "{slab} {at}");
                    assert!(!std::mem::replace(&mut seen[usize::try_from(at).unwrap()], true));
                }
                got += length;
            }
            assert_eq!(got, slab.len());
        }
        assert!(seen.iter().all(|s| *s));
    }

    #[test]
    fn slabs_cover_the_region_once() {
        let shapes: [(&[u64], &[u64]); 6] = [
            (&[3, 40, 50], &[3, 8, 16]),
            (&[3, 40, 50], &[1, 8, 16]),
            (&[7], &[2]),
            (&[], &[]),
            (&[5, 1, 9, 4], &[2, 1, 4, 4]),
            (&[1, 64, 64], &[1, 64, 64]),
        ];
        for (shape, chunk) in shapes {
            let grid = ChunkGrid::regular(shape, chunk).unwrap();
            let all = Region::all(shape);
            let inner = Region::new(shape.iter().map(|n| n / 4..n - n / 5).collect());
            for region in [all, inner] {
                for budget in [1, 10, 100, 1000, 1_000_000] {
                    check(&grid, &region, &whole(&grid, &region, budget, false), budget);
                }
            }
        }
    }

    #[test]
    fn cuts_lie_between_chunks_of_the_outermost_axis() {
        let grid = ChunkGrid::regular(&[3, 40, 50], &[3, 8, 16]).unwrap();
        let region = Region::new(vec![0..3, 3..40, 0..50]);
        let slabs = whole(&grid, &region, 3 * 16 * 50, false);
        let rows: Vec<_> = slabs.iter().map(|s| s.ranges()[1].clone()).collect();
        assert_eq!(rows, [3..16, 16..32, 32..40]);
        assert!(slabs.iter().all(|s| s.ranges()[2] == (0..50)));
    }

    #[test]
    fn appended_outputs_are_cut_in_order_only() {
        let grid = ChunkGrid::regular(&[1, 6, 50], &[1, 2, 5]).unwrap();
        let region = Region::all(&[1, 6, 50]);
        let slabs = whole(&grid, &region, 20, true);
        assert_eq!(slabs.iter().map(|s| s.ranges()[1].clone()).collect::<Vec<_>>(), [0..2, 2..4, 4..6]);
        let (length, places) = runs(&region, &slabs[1], 4);
        assert_eq!((length, places.collect::<Vec<_>>()), (400, vec![400]));
    }

    #[test]
    fn slabs_of_tiny_chunks_have_few_of_them() {
        let grid = ChunkGrid::regular(&[1000, 1000], &[1, 1]).unwrap();
        let slabs = whole(&grid, &Region::all(&[1000, 1000]), BUDGET, false);
        assert!(slabs.len() > 1 && slabs.iter().all(|s| s.len() <= MOST_CHUNKS));
        assert_eq!(slabs.iter().map(Region::len).sum::<u64>(), 1_000_000);
    }

    #[test]
    fn empty_regions_have_no_runs() {
        let grid = ChunkGrid::regular(&[4, 4], &[2, 2]).unwrap();
        let region = Region::new(vec![1..1, 0..4]);
        let slabs = whole(&grid, &region, 1, false);
        assert_eq!(slabs.len(), 1);
        assert_eq!(runs(&region, &slabs[0], 8).1.count(), 0);
    }
}
