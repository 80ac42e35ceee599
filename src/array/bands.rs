//! Reads of some indexes of the first axis: bands of an image.

use std::ops::Range;
use std::sync::Arc;

use futures_util::future::try_join_all;
use ndarray::{Array, ArrayD, Axis, Dimension, IxDyn, Slice};

use super::ChunkedArray;
use crate::engine::{Call, Element, ReadStats, output_bytes};
use crate::error::{Error, Result};
use crate::model::{IntoSelection, Region};

/// Bands that are read for each that is asked for, at most.
const CLOSE: u64 = 4;

impl ChunkedArray {
    /// Reads some bands (indexes of the first axis), in this order and as often as they are named; `selection` is of the other axes:
    /// `level.read_bands::<u16, Ix3>(&[3, 0], (0..512, 0..512))`.
    ///
    /// Shape: the number of bands, then the lengths of the selection. Of bands in chunks of their own only those named are fetched. Where
    /// they share their chunks, those are decoded once for bands that stand close together (then the bands between are held in memory too),
    /// else once for each run of bands. Converts as [`read_as`](Self::read_as).
    ///
    /// # Errors
    /// As [`read_as`](Self::read_as); `Region` where there is no such band.
    pub async fn read_bands<T: Element, D: Dimension>(&self, bands: &[u64], selection: impl IntoSelection) -> Result<Array<T, D>> {
        let named = |e: Error| e.in_object(self.inner.meta.source.url());
        let shape = self.shape();
        self.check_rank::<D>()?;
        let (count, lengths) = shape.split_first().ok_or_else(|| named(Error::region("an array without axes has no bands")))?;
        if let Some(band) = bands.iter().find(|band| *band >= count) {
            return Err(named(Error::region(format!("no band {band} among {count}"))));
        }
        let rest = selection.into_selection(lengths.len()).region(lengths).map_err(named)?;
        Ok(self.call(|array, call| array.bands_once(bands, rest.clone(), call)).await?.0)
    }

    async fn bands_once<T: Element, D: Dimension>(self, bands: &[u64], rest: Region, call: Arc<Call>) -> Result<(Array<T, D>, ReadStats)> {
        let mut output_shape = vec![bands.len() as u64];
        output_shape.extend(rest.shape());
        let bytes = output_bytes(&output_shape, size_of::<T>(), self.inner.limits())? as u64;
        let region = |first: Range<u64>| Region::new([&[first], rest.ranges()].concat());
        let runs = runs(bands);
        if let [(_, run)] = runs.as_slice() {
            return self.elements(region(run.clone()), &call, &call.memory(bytes)?).await;
        }
        let chunks_of = |first: &Range<u64>| self.inner.meta.grid.chunks_of(&region(first.clone())).first().cloned().unwrap_or(0..0);
        let mut output = ArrayD::<T>::from_elem(IxDyn(&lengths_of(&output_shape)?), T::zeroed());
        let (least, most) = (bands.iter().min().copied().unwrap_or(0), bands.iter().max().copied().unwrap_or(0));
        let close = most - least < CLOSE * bands.len() as u64;
        let mut stats = ReadStats::default();
        if close && share_chunks(runs.iter().map(|(_, run)| chunks_of(run)).collect()) {
            let all = region(least..most + 1);
            let memory = call.memory(bytes.saturating_add(all.len().saturating_mul(size_of::<T>() as u64)))?;
            let (all, of_all) = self.elements::<T, IxDyn>(all, &call, &memory).await?;
            stats = of_all;
            for (band, mut plane) in bands.iter().zip(output.axis_iter_mut(Axis(0))) {
                plane.assign(&all.index_axis(Axis(0), usize::try_from(band - least).unwrap_or(usize::MAX)));
            }
        } else {
            let memory = call.memory(bytes.saturating_mul(2))?;
            let parts = try_join_all(runs.iter().map(|(_, run)| self.elements::<T, IxDyn>(region(run.clone()), &call, &memory))).await?;
            for ((at, _), (part, of_part)) in runs.iter().zip(parts) {
                stats.add(&of_part);
                let end = at + part.len_of(Axis(0));
                output.slice_axis_mut(Axis(0), Slice::from(*at..end)).assign(&part);
            }
        }
        Ok((output.into_dimensionality().map_err(|e| Error::region(e.to_string()))?, stats))
    }
}

/// Runs of bands that follow each other: the place of the first in the output, and the bands.
fn runs(bands: &[u64]) -> Vec<(usize, Range<u64>)> {
    let mut runs: Vec<(usize, Range<u64>)> = Vec::new();
    for (at, band) in bands.iter().enumerate() {
        match runs.last_mut() {
            Some((_, run)) if run.end == *band => run.end += 1,
            _ => runs.push((at, *band..band + 1)),
        }
    }
    runs
}

/// Whether any chunk is in two of the ranges.
fn share_chunks(mut ranges: Vec<Range<u64>>) -> bool {
    ranges.sort_by_key(|r| r.start);
    ranges.windows(2).any(|pair| pair[1].start < pair[0].end)
}

fn lengths_of(shape: &[u64]) -> Result<Vec<usize>> {
    shape.iter().map(|n| usize::try_from(*n).map_err(|_| Error::limit("axis", *n, usize::MAX as u64))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_in_runs() {
        assert_eq!(runs(&[]), []);
        assert_eq!(runs(&[3, 4, 5, 0, 1, 1]), [(0, 3..6), (3, 0..2), (5, 1..2)]);
        assert!(share_chunks(vec![0..1, 2..3, 0..1]) && !share_chunks(vec![4..6, 0..4]));
    }
}
