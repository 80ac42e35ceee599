//! What a read cost, added up over its slabs.

use std::time::Duration;

use serde_json::{Value, json};
use swath::{OpenStats, ReadStats};

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
    pub(crate) fn add(&mut self, slab: &ReadStats) {
        let sum = &mut self.sum;
        if self.slabs == 0 {
            sum.first_chunk_time = slab.first_chunk_time;
        }
        self.slabs += 1;
        sum.requests += slab.requests;
        sum.bytes += slab.bytes;
        sum.cache_hits += slab.cache_hits;
        sum.shared += slab.shared;
        sum.chunks += slab.chunks;
        sum.absent += slab.absent;
        sum.chunk_cache_hits += slab.chunk_cache_hits;
        sum.pages += slab.pages;
        sum.plan_time += slab.plan_time;
        sum.fetch_time += slab.fetch_time;
        sum.decode_time += slab.decode_time;
        sum.place_time += slab.place_time;
    }
    /// Requests and bytes are those of the read; those of opening stand beside them. Times of decoding and placing are sums over threads.
    pub(crate) fn as_json(&self) -> Value {
        let sum = &self.sum;
        let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        json!({
            "requests": sum.requests,
            "bytes": sum.bytes,
            "open_requests": self.opened.requests,
            "open_bytes": self.opened.bytes,
            "cache_hits": sum.cache_hits,
            "shared": sum.shared,
            "chunks": sum.chunks,
            "absent": sum.absent,
            "chunk_cache_hits": sum.chunk_cache_hits,
            "pages": sum.pages,
            "slabs": self.slabs,
            "output_bytes": self.output_bytes,
            "plan_ms": ms(sum.plan_time),
            "fetch_ms": ms(sum.fetch_time),
            "decode_ms": ms(sum.decode_time),
            "place_ms": ms(sum.place_time),
            "first_chunk_ms": ms(sum.first_chunk_time),
            "total_ms": ms(self.total),
        })
    }
}
