//! The output of a read whose elements differ in length.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::codec::Elements;
use crate::error::{Error, Result};
use crate::model::{AxisOrder, Limits, Region, reserve};

/// Collects elements from many threads; each chunk's are views of one buffer.
pub(crate) struct TextSink {
    region: Region,
    elements: Mutex<Vec<Option<Bytes>>>,
    fill: Bytes,
    /// Bytes of the elements held, and the most that may be.
    held: AtomicU64,
    most: u64,
}

impl TextSink {
    pub(crate) fn new(region: &Region, fill: &[u8], most: u64) -> Result<Self> {
        let count = Limits::check("max_output_bytes", region.len().saturating_mul(size_of::<Option<Bytes>>() as u64), most)?;
        let mut elements = reserve(count / size_of::<Option<Bytes>>())?;
        elements.resize(elements.capacity(), None);
        let held = AtomicU64::new(0);
        Ok(Self { region: region.clone(), elements: Mutex::new(elements), fill: Bytes::copy_from_slice(fill), held, most })
    }

    /// Takes the elements of a chunk that starts at `origin` and has this stored shape along the array's axes.
    pub(crate) fn place(&self, part: &Region, decoded: Elements, origin: &[u64], shape: &[u64], order: &AxisOrder) -> Result<()> {
        let part = part.intersection(&self.region);
        if part.is_empty() {
            return Ok(());
        }
        // Elements are views of their chunk's buffer, and keep all of it.
        let held = self.held.fetch_add(decoded.bytes.len() as u64, Ordering::Relaxed).saturating_add(decoded.bytes.len() as u64);
        Limits::check("max_output_bytes", held, self.most)?;
        let bytes = Bytes::from(decoded.bytes);
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
