//! What a read cost, added up over its slabs.

use std::time::Duration;

use serde_json::{Value, json};
use swath::{OpenStats, ReadStats};

use crate::failure::{Failure, Result};

pub(crate) struct Totals {
    opened: OpenStats,
    sum: ReadStats,
    slabs: u64,
    pub(crate) output_bytes: u64,
    pub(crate) total: Duration,
}

impl Totals {
    pub(crate) fn new(opened: OpenStats) -> Self {
        Self { opened, sum: ReadStats::default(), slabs: 0, output_bytes: 0, total: Duration::ZERO }
    }
    pub(crate) fn sum(&self) -> &ReadStats {
        &self.sum
    }
    /// # Errors
    /// What was written before would be of another generation than this slab.
    pub(crate) fn add(&mut self, slab: &ReadStats) -> Result<()> {
        if slab.reopened && self.slabs > 0 {
            return Err(Failure::refused("the dataset was replaced while it was read: a part of it is of the old one; run again"));
        }
        self.slabs += 1;
        self.sum.add(slab);
        Ok(())
    }
    /// Requests and bytes are those of the read; those of opening stand beside them. Times of decoding and placing are sums over threads.
    pub(crate) fn as_json(&self) -> Value {
        let sum = &self.sum;
        let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        json!({
            "requests": sum.requests,
            "retries": sum.retries,
            "bytes": sum.bytes,
            "stored_bytes": sum.stored_bytes,
            "open_requests": self.opened.requests,
            "open_retries": self.opened.retries,
            "open_bytes": self.opened.bytes,
            "open_cache_hits": self.opened.cache_hits,
            "cache_hits": sum.cache_hits,
            "shared": sum.shared,
            "chunks": sum.chunks,
            "absent": sum.absent,
            "chunk_cache_hits": sum.chunk_cache_hits,
            "refetched": sum.refetched,
            "reopened": sum.reopened,
            "pages": sum.pages,
            "slabs": self.slabs,
            "output_bytes": self.output_bytes,
            "decoded_bytes": sum.decoded_bytes,
            "plan_ms": ms(sum.plan_time),
            "fetch_ms": ms(sum.fetch_time),
            "decode_ms": ms(sum.decode_time),
            "place_ms": ms(sum.place_time),
            "first_chunk_ms": ms(sum.first_chunk_time),
            "total_ms": ms(self.total),
        })
    }
}
