//! A shard decoded whole (Zarr v3 `sharding_indexed`), where what surrounds it leaves its inner ranges without meaning.

use bytes::Bytes;

use super::{Chain, ChunkContext, Codec, Output, Scratch, Size, array, parallel};
use crate::error::{Error, Result};
use crate::model::{DataType, Limits};

#[derive(Debug)]
pub(super) struct Shard {
    pub(super) chunk: Vec<u64>,
    pub(super) chain: Chain,
    pub(super) index_chain: Chain,
    pub(super) index_at_start: bool,
    /// One element; empty for zeros.
    pub(super) fill: Bytes,
    pub(super) element: usize,
}

fn damaged(message: &str) -> Error {
    Error::codec("sharding_indexed", message)
}

impl Codec for Shard {
    fn name(&self) -> &str {
        "sharding_indexed"
    }
    fn input_size(&self, output: Size, chunk: &ChunkContext<'_>) -> Size {
        // Each inner chunk may be larger than it is decoded, by what its own chain may add; the index has 16 bytes for each.
        let inner: u64 = self.chunk.iter().fold(1u64, |n, m| n.saturating_mul(*m)).saturating_mul(self.element as u64);
        let count = usize::try_from((output.most() as u64).checked_div(inner).unwrap_or(0)).unwrap_or(usize::MAX);
        Size::AtMost(super::bound(output.most(), chunk.limits).saturating_add(count.saturating_mul(1 << 10)))
    }
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let counts = counts(chunk.shape, &self.chunk)?;
        let mut index_shape = counts.clone();
        index_shape.push(2);
        let index_chunk = ChunkContext::new(&index_shape, &DataType::U64, chunk.limits);
        let index_bytes = index_chunk.bytes()?.unwrap_or(0);
        Limits::check("max_page_bytes", index_bytes as u64, chunk.limits.max_page_bytes)?;
        let Size::Exact(stored) = self.index_chain.input_size(&index_chunk)? else {
            return Err(Error::malformed("a shard index of unknown size"));
        };
        let stored = match input.len().checked_sub(stored) {
            Some(_) if self.index_at_start => input.get(..stored),
            Some(start) => input.get(start..),
            None => None,
        };
        let stored = stored.ok_or_else(|| damaged("the shard has no room for its index"))?;
        let total = chunk.elements()?.saturating_mul(self.element);
        let target = output.sized("sharding_indexed", total)?;
        let mut index = scratch.take(index_bytes)?;
        let table = index.get_mut(..index_bytes).unwrap_or_default();
        let mut done = self.index_chain.decode(stored, &index_chunk, scratch, &mut Output::Exact(table));
        if done.is_ok() {
            done = self.inner(input, table, &counts, chunk, scratch, target);
        }
        scratch.give(index);
        done
    }
}

impl Shard {
    /// Decodes all inner chunks, or those of the wanted rows. The inner chunks of one place along the first axis that has several lie in one
    /// stretch of the shard: that is what threads share out.
    fn inner(&self, input: &[u8], index: &[u8], counts: &[u64], chunk: &ChunkContext<'_>, scratch: &mut Scratch, target: &mut [u8]) -> Result<()> {
        let inner = ChunkContext::new(&self.chunk, chunk.data_type, chunk.limits);
        let bytes = inner.bytes()?.ok_or_else(|| Error::unsupported("a whole shard of elements that differ in length"))?;
        let axis = chunk.shape.iter().position(|n| *n != 1).unwrap_or(0);
        let all = counts.get(axis).copied().unwrap_or(1).max(1);
        // Both divide without a remainder.
        let of_slab = |whole: usize| (whole as u64).checked_div(all).and_then(|part| usize::try_from(part).ok()).unwrap_or(whole).max(1);
        let mut shape = chunk.shape.to_vec();
        if let (Some(length), Some(part)) = (shape.get_mut(axis), self.chunk.get(axis)) {
            *length = *part;
        }
        let mut counts = counts.to_vec();
        if let Some(count) = counts.get_mut(axis) {
            *count = 1;
        }
        let entries = index.as_chunks::<16>().0;
        let total = target.len();
        let slabs = target.chunks_mut(of_slab(total)).zip(entries.chunks(of_slab(entries.len())));
        let wanted = chunk.wanted_bytes().unwrap_or(0..total);
        let (first, behind) = (wanted.start.checked_div(of_slab(total)).unwrap_or(0), wanted.end.div_ceil(of_slab(total)));
        let slabs = slabs.skip(first).take(behind.saturating_sub(first));
        parallel::for_each(slabs, total, scratch, |(slab, entries), scratch| {
            let mut buffer = scratch.take(bytes)?;
            let decoded = buffer.get_mut(..bytes).unwrap_or_default();
            let done = self.slab(input, entries, &counts, &shape, &inner, decoded, scratch, slab);
            scratch.give(buffer);
            done
        })
    }

    #[allow(clippy::too_many_arguments, reason = "split from `inner`, which gives the buffer back whatever happens here")]
    fn slab(
        &self,
        input: &[u8],
        entries: &[[u8; 16]],
        counts: &[u64],
        shape: &[u64],
        inner: &ChunkContext<'_>,
        decoded: &mut [u8],
        scratch: &mut Scratch,
        slab: &mut [u8],
    ) -> Result<()> {
        let mut at = vec![0u64; counts.len()];
        for entry in entries {
            match (array(entry, 0).map(u64::from_ne_bytes), array(entry, 8).map(u64::from_ne_bytes)) {
                (Some(u64::MAX), Some(u64::MAX)) => self.fill(decoded),
                (Some(offset), Some(length)) => {
                    let stored = part(input, offset, length)?;
                    self.chain.decode(stored, inner, scratch, &mut Output::Exact(&mut *decoded))?;
                }
                _ => {}
            }
            place(decoded, &self.chunk, &at, shape, self.element, slab);
            for (i, n) in at.iter_mut().zip(counts).rev() {
                *i = i.saturating_add(1);
                if *i < *n {
                    break;
                }
                *i = 0;
            }
        }
        Ok(())
    }

    fn fill(&self, decoded: &mut [u8]) {
        if self.fill.len() == self.element {
            decoded.chunks_exact_mut(self.element.max(1)).for_each(|e| e.copy_from_slice(&self.fill));
        } else {
            decoded.fill(0);
        }
    }
}

fn part(input: &[u8], offset: u64, length: u64) -> Result<&[u8]> {
    let range = usize::try_from(offset).ok().zip(offset.checked_add(length).and_then(|end| usize::try_from(end).ok()));
    range.and_then(|(start, end)| input.get(start..end)).ok_or_else(|| damaged("an inner chunk outside of the shard"))
}

/// Inner chunks along each axis of a shard.
pub(super) fn counts(shard: &[u64], chunk: &[u64]) -> Result<Vec<u64>> {
    let divides = |(n, m): (&u64, &u64)| if n.checked_rem(*m) == Some(0) { n.checked_div(*m) } else { None };
    let counts: Option<Vec<u64>> = shard.iter().zip(chunk).map(divides).collect();
    match counts {
        Some(counts) if shard.len() == chunk.len() => Ok(counts),
        _ => Err(Error::malformed(format!("inner chunks of {chunk:?} in a shard of {shard:?}"))),
    }
}

/// Copies the rows of inner chunk `at` to their places in the shard.
fn place(decoded: &[u8], inner: &[u64], at: &[u64], shape: &[u64], element: usize, target: &mut [u8]) {
    let row = row_bytes(inner, element);
    let mut rows = decoded.chunks_exact(row.max(1));
    each_row(inner, at, shape, element, |start| {
        if let (Some(to), Some(source)) = (target.get_mut(start..start.saturating_add(row)), rows.next()) {
            to.copy_from_slice(source);
        }
    });
}

/// Copies the rows of inner chunk `at` out of the shard: what undoes [`place`].
pub(super) fn take(shard: &[u8], inner: &[u64], at: &[u64], shape: &[u64], element: usize, target: &mut [u8]) {
    let row = row_bytes(inner, element);
    let mut rows = target.chunks_exact_mut(row.max(1));
    each_row(inner, at, shape, element, |start| {
        if let (Some(source), Some(to)) = (shard.get(start..start.saturating_add(row)), rows.next()) {
            to.copy_from_slice(source);
        }
    });
}

fn row_bytes(inner: &[u64], element: usize) -> usize {
    usize::try_from(inner.last().copied().unwrap_or(1)).unwrap_or(usize::MAX).saturating_mul(element)
}

/// Calls `each` with the place in the shard, in bytes, of each row of inner chunk `at`, in their order.
fn each_row(inner: &[u64], at: &[u64], shape: &[u64], element: usize, mut each: impl FnMut(usize)) {
    let outer = inner.split_last().map_or(inner, |(_, outer)| outer);
    let count = outer.iter().fold(1u64, |n, m| n.saturating_mul(*m));
    let mut position = vec![0u64; outer.len()];
    for _ in 0..count {
        let mut start = 0u64;
        for (axis, length) in shape.iter().enumerate() {
            let origin = at.get(axis).zip(inner.get(axis)).map_or(0, |(i, n)| i.saturating_mul(*n));
            let inside = position.get(axis).copied().unwrap_or(0);
            start = start.saturating_mul(*length).saturating_add(origin).saturating_add(inside);
        }
        each(usize::try_from(start).unwrap_or(usize::MAX).saturating_mul(element));
        for (i, n) in position.iter_mut().zip(outer).rev() {
            *i = i.saturating_add(1);
            if *i < *n {
                break;
            }
            *i = 0;
        }
    }
}
