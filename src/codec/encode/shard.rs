//! A whole shard (Zarr v3 `sharding_indexed`): inner chunks one after the other, and where each is.

use bytes::Bytes;

use super::{Encode, Encoder};
use crate::codec::{ChunkContext, Scratch};
use crate::error::{Error, Result};
use crate::model::DataType;

#[derive(Debug)]
pub(super) struct Shard {
    pub(super) chunk: Vec<u64>,
    pub(super) inner: Encoder,
    pub(super) index: Encoder,
    pub(super) index_at_start: bool,
    /// One element; empty for zeros.
    pub(super) fill: Bytes,
    pub(super) data_type: DataType,
}

impl Shard {
    /// Whether all elements are the fill value: then the inner chunk is left out.
    fn is_fill(&self, elements: &[u8], element: usize) -> bool {
        if self.fill.len() == element { elements.chunks_exact(element.max(1)).all(|e| e == self.fill) } else { elements.iter().all(|b| *b == 0) }
    }
}

impl Encode for Shard {
    fn encode(&self, input: Vec<u8>, chunk: &ChunkContext<'_>, scratch: &mut Scratch) -> Result<Vec<u8>> {
        let counts = crate::codec::shard::counts(chunk.shape, &self.chunk)?;
        let element = self.data_type.size().ok_or_else(|| Error::unsupported("a shard of elements that differ in length"))?;
        let inner = ChunkContext::new(&self.chunk, &self.data_type, chunk.limits);
        let bytes = inner.bytes()?.unwrap_or(0);
        let mut index_shape = counts.clone();
        index_shape.push(2);
        let index_context = ChunkContext::new(&index_shape, &DataType::U64, chunk.limits);
        let number = index_context.elements()? / 2;
        let mut index: Vec<u64> = Vec::with_capacity(number.saturating_mul(2));
        let mut body = Vec::new();
        let mut at = vec![0u64; counts.len()];
        for _ in 0..number {
            let mut elements = vec![0; bytes];
            crate::codec::shard::take(&input, &self.chunk, &at, chunk.shape, element, &mut elements);
            if self.is_fill(&elements, element) {
                index.extend([u64::MAX, u64::MAX]);
            } else {
                let stored = self.inner.encode(elements, &inner, scratch)?;
                index.extend([body.len() as u64, stored.len() as u64]);
                body.extend_from_slice(&stored);
            }
            for (i, n) in at.iter_mut().zip(&counts).rev() {
                *i = i.saturating_add(1);
                if *i < *n {
                    break;
                }
                *i = 0;
            }
        }
        if !self.index_at_start {
            body.extend_from_slice(&self.index.encode(bytemuck::cast_slice(&index).to_vec(), &index_context, scratch)?);
            return Ok(body);
        }
        // Offsets count from the start of the shard, so behind the index, whose length does not depend on them.
        let length = self.index.encode(bytemuck::cast_slice(&index).to_vec(), &index_context, scratch)?.len() as u64;
        for offset in index.iter_mut().step_by(2).filter(|o| **o != u64::MAX) {
            *offset = offset.saturating_add(length);
        }
        let mut out = self.index.encode(bytemuck::cast_slice(&index).to_vec(), &index_context, scratch)?;
        out.extend_from_slice(&body);
        Ok(out)
    }
}
