//! Steps that move whole elements: axes transposed, a field taken out of records, texts told apart.

use super::filters::expect;
use super::{ChunkContext, Codec, Elements, Output, Scratch, Size, array, size};
use crate::error::{Error, Result};
use crate::model::{AxisOrder, Limits, reserve};

/// Axes stored in another order.
#[derive(Debug)]
pub(super) struct Transpose {
    pub(super) order: AxisOrder,
    pub(super) element: usize,
}

impl Codec for Transpose {
    fn name(&self) -> &str {
        "transpose"
    }
    fn input_size(&self, output: Size, _: &ChunkContext<'_>) -> Size {
        output
    }
    fn most_output(&self, input: usize) -> Option<usize> {
        Some(input)
    }
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let rank = chunk.shape.len();
        if self.order.axes().len() != rank {
            return Err(Error::malformed(format!("transpose of {} axes in a chunk of {rank}", self.order.axes().len())));
        }
        let bytes = chunk.elements()?.saturating_mul(self.element);
        expect("transpose", input, bytes)?;
        let target = output.sized("transpose", bytes)?;
        // Distances in the input, in bytes, of neighbours along each axis of the output.
        let mut strides = vec![0usize; rank];
        let mut distance = self.element;
        for axis in self.order.axes().iter().rev() {
            if let (Some(stride), Some(length)) = (strides.get_mut(*axis), chunk.shape.get(*axis)) {
                *stride = distance;
                distance = distance.saturating_mul(usize::try_from(*length).unwrap_or(usize::MAX));
            }
        }
        let (Some(inner), Some(length)) = (strides.pop(), chunk.shape.last()) else {
            target.copy_from_slice(input);
            return Ok(());
        };
        let outer = chunk.shape.get(..strides.len()).unwrap_or_default();
        let row = usize::try_from(*length).unwrap_or(usize::MAX).saturating_mul(self.element);
        let mut index = vec![0u64; strides.len()];
        let mut start = 0usize;
        for row in target.chunks_exact_mut(row.max(1)) {
            let mut from = start;
            for element in row.chunks_exact_mut(self.element.max(1)) {
                let end = from.saturating_add(self.element);
                element.copy_from_slice(input.get(from..end).ok_or_else(|| Error::codec("transpose", "outside the chunk"))?);
                from = from.saturating_add(inner);
            }
            for ((i, n), stride) in index.iter_mut().zip(outer).zip(&strides).rev() {
                *i = i.saturating_add(1);
                start = start.saturating_add(*stride);
                if *i < *n {
                    break;
                }
                *i = 0;
                start = start.saturating_sub(stride.saturating_mul(usize::try_from(*n).unwrap_or(usize::MAX)));
            }
        }
        Ok(())
    }
}

/// One field of each record.
#[derive(Debug)]
pub(super) struct TakeField {
    pub(super) record: usize,
    pub(super) offset: usize,
    pub(super) size: usize,
}

impl Codec for TakeField {
    fn name(&self) -> &str {
        "field"
    }
    fn input_size(&self, output: Size, _: &ChunkContext<'_>) -> Size {
        output.scaled(self.record, self.size, 0)
    }
    fn most_output(&self, input: usize) -> Option<usize> {
        Some(input)
    }
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let count = chunk.elements()?;
        expect("field", input, count.saturating_mul(self.record))?;
        let target = output.sized("field", count.saturating_mul(self.size))?;
        let end = self.offset.saturating_add(self.size);
        for (record, field) in input.chunks_exact(self.record.max(1)).zip(target.chunks_exact_mut(self.size.max(1))) {
            field.copy_from_slice(record.get(self.offset..end).unwrap_or_default());
        }
        Ok(())
    }
}

/// numcodecs `vlen-utf8` and `vlen-bytes`: the count of elements, then each behind its length; 32-bit little-endian numbers.
#[derive(Debug)]
pub(super) struct Vlen {
    pub(super) text: bool,
}

impl Codec for Vlen {
    fn name(&self) -> &str {
        "vlen"
    }
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let Output::Variable(Elements { offsets, bytes }) = output else {
            return Err(Error::codec("vlen", "gives elements of different lengths, where bytes are wanted"));
        };
        let early = || Error::codec("vlen", "the data ends early");
        let (count, mut rest) = input.split_first_chunk::<4>().ok_or_else(early)?;
        let count = u32::from_le_bytes(*count);
        if count as usize != chunk.elements()? {
            return Err(Error::codec("vlen", format!("{count} elements in a chunk of {}", chunk.elements()?)));
        }
        // Each element takes four bytes at least, so a claimed count cannot outgrow the input.
        if size(count) > rest.len() / 4 {
            return Err(early());
        }
        offsets.clear();
        bytes.clear();
        let wanted = Limits::check("max_chunk_bytes", rest.len() as u64, chunk.limits.max_chunk_bytes)?;
        if offsets.capacity() <= size(count) {
            *offsets = reserve(size(count).saturating_add(1))?;
        }
        if bytes.capacity() < wanted {
            *bytes = reserve(wanted)?;
        }
        offsets.push(0);
        for _ in 0..count {
            let length = array(rest, 0).map(u32::from_le_bytes).map(size).ok_or_else(early)?;
            let end = length.checked_add(4).ok_or_else(early)?;
            let element = rest.get(4..end).ok_or_else(early)?;
            if self.text && std::str::from_utf8(element).is_err() {
                return Err(Error::codec("vlen", "the text is not UTF-8"));
            }
            bytes.extend_from_slice(element);
            offsets.push(bytes.len() as u64);
            rest = rest.get(end..).unwrap_or_default();
        }
        if rest.is_empty() { Ok(()) } else { Err(super::surplus("vlen")) }
    }
}
