//! The output of a read whose elements differ in length.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::output::zeroed;
use crate::codec::Elements;
use crate::error::{Error, Result};
use crate::model::{AxisOrder, Region};

/// Collects elements from many threads; each chunk's are views of one buffer.
pub(crate) struct TextSink {
    region: Region,
    elements: Mutex<Vec<Option<Bytes>>>,
    fill: Bytes,
}

impl TextSink {
    pub(crate) fn new(region: &Region, fill: &[u8], most: u64) -> Result<Self> {
        let count = crate::model::Limits::check("max_output_bytes", region.len().saturating_mul(size_of::<Option<Bytes>>() as u64), most)?;
        drop(zeroed::<u8>(count)?); // the memory can be had
        let count = usize::try_from(region.len()).unwrap_or(usize::MAX);
        Ok(Self { region: region.clone(), elements: Mutex::new(vec![None; count]), fill: Bytes::copy_from_slice(fill) })
    }

    /// Takes the elements of a chunk that starts at `origin` and has this stored shape along the array's axes.
    pub(crate) fn place(&self, part: &Region, decoded: Elements, origin: &[u64], shape: &[u64], order: &AxisOrder) -> Result<()> {
        let bytes = Bytes::from(decoded.bytes);
        let part = part.intersection(&self.region);
        if part.is_empty() {
            return Ok(());
        }
        let mut strides = vec![0_u64; shape.len()];
        let mut stride = 1;
        for axis in order.axes().iter().rev() {
            strides[*axis] = stride;
            stride *= shape[*axis];
        }
        let lengths = part.shape();
        let mut index: Vec<u64> = part.ranges().iter().map(|r| r.start).collect();
        let mut elements = self.elements.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..part.len() {
            let at: u64 = index.iter().zip(origin).zip(&strides).map(|((i, o), s)| (i - o) * s).sum();
            let place = index.iter().zip(self.region.ranges()).fold(0, |n, (i, r)| n * (r.end - r.start) + (i - r.start));
            let offset = |n: u64| usize::try_from(n).ok().and_then(|n| decoded.offsets.get(n)).and_then(|o| usize::try_from(*o).ok());
            let (Some(start), Some(end)) = (offset(at), offset(at + 1)) else {
                return Err(Error::codec("vlen", "fewer elements than the chunk has"));
            };
            if let Some(slot) = usize::try_from(place).ok().and_then(|p| elements.get_mut(p)) {
                *slot = Some(bytes.slice(start..end));
            }
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                if index[axis] < part.ranges()[axis].start + lengths[axis] {
                    break;
                }
                index[axis] = part.ranges()[axis].start;
            }
        }
        Ok(())
    }

    /// The elements in C order; those never placed are the fill value.
    pub(crate) fn take(&self) -> Vec<Bytes> {
        let elements = std::mem::take(&mut *self.elements.lock().unwrap_or_else(PoisonError::into_inner));
        elements.into_iter().map(|e| e.unwrap_or_else(|| self.fill.clone())).collect()
    }
}
