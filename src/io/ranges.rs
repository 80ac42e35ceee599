//! Which requests serve a set of byte spans: pure functions.
//!
//! A request costs a round trip whatever its size, so spans with a small gap between them share one. A connection is slower than
//! the link, so a long run is cut: at the borders of its spans, into about as many pieces as there are connections, none smaller
//! than `least` and none larger than `most`. A run is not cut for the sake of latency, as each span is handed on when its last
//! byte came. A single span above `most` is fetched in parts and joined.
//!
//! Both bounds follow from one number, the bytes that a connection moves in the time of one round trip (*D*, latency times
//! bandwidth). A piece of *D* keeps its connection waiting for half of the time, a smaller one for most of it: `least` is *D*. Reading over a
//! gap of *g* bytes takes *g / D* of the round trip that it saves, but the bytes are paid for, and take from the link that other
//! requests share, where a round trip only leaves it idle, and does not even do so while other connections work: `gap` is *D / 32*,
//! a saving that is paid for with a thirty-second of itself at most.

use std::ops::Range;

/// How byte ranges of one object become requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MergePolicy {
    /// Spans not further apart than this, in bytes, may share a request. Default 64 KiB.
    pub(crate) gap: u64,
    /// A run of spans is not cut into pieces smaller than this, in bytes. Default 2 MiB.
    pub(crate) least: u64,
    /// No request is larger than this, in bytes. Default 8 MiB.
    pub(crate) most: u64,
    /// Requests at once. Default 16.
    pub(crate) connections: usize,
}

impl Default for MergePolicy {
    fn default() -> Self {
        Self::of_round_trip(2 << 20, 8 << 20, 16)
    }
}

impl MergePolicy {
    /// For connections that move so many bytes in the time of one round trip.
    pub(super) fn of_round_trip(bytes: u64, most: u64, connections: usize) -> Self {
        Self { gap: bytes / 32, least: bytes, most, connections }
    }

    /// For local files: a read costs next to nothing, so only neighbours share one, up to what a core's cache holds.
    pub(super) fn local(&self) -> Self {
        Self { gap: 0, least: 1 << 20, most: 1 << 20, connections: self.connections }
    }

    /// The size pieces aim at when `total` bytes are wanted.
    pub(super) fn target(&self, total: u64) -> u64 {
        let share = total.div_ceil(u64::try_from(self.connections).unwrap_or(1).max(1));
        share.max(self.least).min(self.most).max(1)
    }
}

/// What is fetched together: one request for one or more spans, or several requests for one long span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// Indexes of the spans it serves, by their start.
    pub(crate) spans: Vec<usize>,
    /// The requests. More than one only where there is one span.
    pub(crate) requests: Vec<Range<u64>>,
}

/// The runs that serve these spans of one object, by their start. Empty spans need none.
pub(crate) fn merge_and_split(spans: &[Range<u64>], policy: &MergePolicy) -> Vec<Run> {
    let mut order: Vec<usize> = (0..spans.len()).filter(|&i| spans[i].start < spans[i].end).collect();
    order.sort_by_key(|&i| (spans[i].start, spans[i].end));

    let total = order.iter().fold(0_u64, |sum, &i| sum.saturating_add(spans[i].end - spans[i].start));
    let target = policy.target(total);

    let mut runs: Vec<Run> = Vec::new();
    let mut open: Option<(Range<u64>, Vec<usize>)> = None;
    let close = |open: &mut Option<(Range<u64>, Vec<usize>)>, runs: &mut Vec<Run>| {
        if let Some((range, spans)) = open.take() {
            runs.push(Run { spans, requests: vec![range] });
        }
    };
    for index in order {
        let span = spans[index].clone();
        if span.end - span.start > policy.most.max(1) {
            close(&mut open, &mut runs);
            runs.push(Run { spans: vec![index], requests: split(span, target) });
            continue;
        }
        if let Some((range, members)) = &mut open {
            let end = range.end.max(span.end);
            let near = span.start <= range.end.saturating_add(policy.gap);
            if near && (end - range.start <= target || end == range.end) {
                range.end = end;
                members.push(index);
                continue;
            }
        }
        close(&mut open, &mut runs);
        open = Some((span, vec![index]));
    }
    close(&mut open, &mut runs);
    runs
}

/// Cuts a range into equal parts not above `target` bytes.
fn split(range: Range<u64>, target: u64) -> Vec<Range<u64>> {
    let length = range.end - range.start;
    let part = length.div_ceil(length.div_ceil(target));
    let mut parts = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let end = start.saturating_add(part).min(range.end);
        parts.push(start..end);
        start = end;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policy(gap: u64, least: u64, most: u64, connections: usize) -> MergePolicy {
        MergePolicy { gap, least, most, connections }
    }

    #[test]
    #[allow(clippy::single_range_in_vec_init, reason = "one span, one request")]
    fn request_counts() {
        let mib = 1 << 20;
        let tiles = |count: u64, size: u64| (0..count).map(|i| i * size..(i + 1) * size).collect::<Vec<_>>();
        let table: Vec<(&str, Vec<Range<u64>>, MergePolicy, usize)> = vec![
            ("nothing", vec![], MergePolicy::default(), 0),
            ("an empty span", vec![5..5], MergePolicy::default(), 0),
            ("one", vec![0..100], MergePolicy::default(), 1),
            ("neighbours", tiles(16, 100_000), MergePolicy::default(), 1),
            ("a gap of 64 KiB", vec![0..10, 65_546..65_600], MergePolicy::default(), 1),
            ("a gap one byte wider", vec![0..10, 65_547..65_600], MergePolicy::default(), 2),
            ("119 MiB of tiles use every connection", tiles(256, 119 * mib / 256), MergePolicy::default(), 16),
            ("1 GiB of tiles is cut at 8 MiB", tiles(1024, mib), MergePolicy::default(), 128),
            ("a span of 20 MiB", vec![0..20 * mib], MergePolicy::default(), 10),
            ("a span of 8 MiB", vec![0..8 * mib], MergePolicy::default(), 1),
            ("the same span twice", vec![7..9, 7..9], MergePolicy::default(), 1),
            ("no merging", tiles(4, 10), policy(0, 1, 1, 1), 4 * 10),
            ("a host near by: pieces of 128 KiB", tiles(16, 64 << 10), MergePolicy::of_round_trip(128 << 10, 8 << 20, 16), 8),
            ("a host far away: one piece", tiles(16, 512 << 10), MergePolicy::of_round_trip(8 << 20, 8 << 20, 16), 1),
            ("a cap below the round trip", tiles(16, 512 << 10), MergePolicy::of_round_trip(8 << 20, 1 << 20, 16), 8),
            ("a round trip that costs nothing", tiles(16, 10), MergePolicy::of_round_trip(0, 8 << 20, 16), 16),
            ("no cap, no connections", tiles(16, 10), policy(0, 0, 0, 0), 160),
        ];
        for (name, spans, policy, expected) in table {
            let count: usize = merge_and_split(&spans, &policy).iter().map(|r| r.requests.len()).sum();
            assert_eq!(count, expected, "{name}");
        }
    }

    #[test]
    fn the_end_of_the_number_line() {
        let runs = merge_and_split(&[u64::MAX - 9..u64::MAX, 0..u64::MAX], &policy(u64::MAX, 1 << 60, 1 << 62, 16));
        assert_eq!(runs.iter().flat_map(|r| r.spans.clone()).count(), 2);
    }

    proptest! {
        #[test]
        fn what_is_read_over_is_bounded(
            spans in proptest::collection::vec((0_u64..1 << 40, 1_u64..1 << 21), 0..40),
            exponent in 0_u32..24, most in 1_u64..1 << 24, connections in 1_usize..20,
        ) {
            let spans: Vec<_> = spans.into_iter().map(|(start, length)| start..start + length).collect();
            let policy = MergePolicy::of_round_trip(1 << exponent, most, connections);
            let runs = merge_and_split(&spans, &policy);
            let wanted: u64 = spans.iter().map(|s| s.end - s.start).sum();
            let asked: u64 = runs.iter().flat_map(|r| &r.requests).map(|r| r.end - r.start).sum();
            let merged: u64 = runs.iter().map(|r| r.spans.len() as u64 - 1).sum();
            prop_assert!(asked <= wanted + merged * policy.gap);
            let whole = runs.iter().filter(|r| r.requests.len() == 1).count();
            prop_assert!(whole <= spans.len());
            for run in runs.iter().filter(|r| r.requests.len() > 1) {
                let span = &spans[run.spans[0]];
                prop_assert!(span.end - span.start > most, "only what is above the cap is cut");
            }
        }

        #[test]
        fn every_span_is_served_within_the_caps(
            spans in proptest::collection::vec((0_u64..50_000, 0_u64..3_000), 0..60),
            gap in 0_u64..2_000, least in 1_u64..1_500, most in 1_u64..4_000, connections in 1_usize..20,
        ) {
            let spans: Vec<_> = spans.into_iter().map(|(start, length)| start..start + length).collect();
            let policy = policy(gap, least, most, connections);
            let runs = merge_and_split(&spans, &policy);

            let mut served: Vec<usize> = runs.iter().flat_map(|r| r.spans.clone()).collect();
            served.sort_unstable();
            let wanted: Vec<usize> = (0..spans.len()).filter(|&i| !spans[i].is_empty()).collect();
            prop_assert_eq!(served, wanted);

            let mut last = 0;
            for run in &runs {
                prop_assert!(run.requests.len() == 1 || run.spans.len() == 1);
                let whole = run.requests[0].start..run.requests[run.requests.len() - 1].end;
                prop_assert!(whole.start >= last);
                last = whole.start;
                for pair in run.requests.windows(2) {
                    prop_assert_eq!(pair[0].end, pair[1].start);
                }
                let mut reached = whole.start;
                for &i in &run.spans {
                    prop_assert!(whole.start <= spans[i].start && spans[i].end <= whole.end);
                    prop_assert!(spans[i].start <= reached.saturating_add(gap));
                    reached = reached.max(spans[i].end);
                }
                prop_assert_eq!(reached, whole.end);
                for request in &run.requests {
                    prop_assert!(request.start < request.end && request.end - request.start <= most);
                }
            }
        }
    }
}
