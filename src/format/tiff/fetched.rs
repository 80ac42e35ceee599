//! The bytes of an object that were fetched so far.

use std::ops::Range;

use bytes::Bytes;

use crate::error::Result;
use crate::model::reserve;

/// Disjoint pieces of an object, ascending, and where the object ends as far as that is known.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    pieces: Vec<(u64, Bytes)>,
    end: Option<u64>,
    total: u64,
}

/// What is known of a range.
pub(super) enum Look {
    Here(Bytes),
    Missing,
    /// The object ends before the range does.
    Past,
}

fn end_of((start, bytes): &(u64, Bytes)) -> u64 {
    start.saturating_add(bytes.len() as u64)
}

fn cut(bytes: &Bytes, from: u64, range: &Range<u64>) -> Bytes {
    let at = |place: u64| usize::try_from(place.saturating_sub(from)).unwrap_or(usize::MAX).min(bytes.len());
    let (start, end) = (at(range.start), at(range.end));
    bytes.slice(start.min(end)..end)
}

impl Fetched {
    /// Where the object ends, if that is known.
    pub(super) fn end(&self) -> Option<u64> {
        self.end
    }
    pub(super) fn ends_at(&mut self, end: u64) {
        self.end = Some(self.end.map_or(end, |e| e.min(end)));
    }
    /// Bytes held.
    pub(super) fn total(&self) -> u64 {
        self.total
    }
    /// Takes bytes that stand at `start`; what is held already is kept as it is.
    pub(super) fn put(&mut self, start: u64, bytes: &Bytes) {
        let range = start..start.saturating_add(bytes.len() as u64);
        for gap in self.missing(&range) {
            let piece = cut(bytes, start, &gap);
            self.total = self.total.saturating_add(piece.len() as u64);
            let place = self.pieces.partition_point(|(s, _)| *s < gap.start);
            self.pieces.insert(place, (gap.start, piece));
        }
    }
    /// The parts of a range that are not held.
    pub(super) fn missing(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut at = range.start;
        let first = self.pieces.partition_point(|piece| end_of(piece) <= range.start);
        for piece in self.pieces.iter().skip(first).take_while(|(start, _)| *start < range.end) {
            if piece.0 > at {
                gaps.push(at..piece.0);
            }
            at = at.max(end_of(piece));
        }
        if at < range.end {
            gaps.push(at..range.end);
        }
        gaps
    }
    /// A range's bytes. Copies only where it spans pieces.
    ///
    /// # Errors
    /// `Limit` where there is no memory for the copy; the range is held in pieces then, so it is never larger than those.
    pub(super) fn look(&self, range: &Range<u64>) -> Result<Look> {
        if range.is_empty() {
            return Ok(Look::Here(Bytes::new()));
        }
        if self.end.is_some_and(|end| range.end > end) {
            return Ok(Look::Past);
        }
        let first = self.pieces.partition_point(|piece| end_of(piece) <= range.start);
        if let Some((start, bytes)) = self.pieces.get(first).filter(|piece| piece.0 <= range.start && end_of(piece) >= range.end) {
            return Ok(Look::Here(cut(bytes, *start, range)));
        }
        if !self.missing(range).is_empty() {
            return Ok(Look::Missing);
        }
        let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        let mut joined = reserve::<u8>(length)?;
        for (start, bytes) in self.pieces.iter().skip(first).take_while(|(start, _)| *start < range.end) {
            joined.extend_from_slice(&cut(bytes, *start, &(range.start.max(*start)..range.end)));
        }
        Ok(Look::Here(joined.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(fetched: &Fetched, range: Range<u64>) -> Option<Vec<u8>> {
        match fetched.look(&range).unwrap() {
            Look::Here(bytes) => Some(bytes.to_vec()),
            _ => None,
        }
    }

    #[test]
    fn pieces_join_and_overlaps_are_kept_once() {
        let mut fetched = Fetched::default();
        fetched.put(10, &Bytes::from_static(&[10, 11, 12]));
        fetched.put(15, &Bytes::from_static(&[15, 16]));
        assert_eq!(fetched.missing(&(8..20)), [8..10, 13..15, 17..20]);
        assert!(here(&fetched, 10..16).is_none());
        fetched.put(12, &Bytes::from_static(&[99, 13, 14, 99]));
        assert_eq!(here(&fetched, 11..17), Some(vec![11, 12, 13, 14, 15, 16]));
        assert_eq!(here(&fetched, 15..17), Some(vec![15, 16]));
        assert_eq!(fetched.total(), 7);
        fetched.ends_at(17);
        assert!(matches!(fetched.look(&(16..18)).unwrap(), Look::Past));
        assert_eq!(here(&fetched, 40..40), Some(vec![]));
    }
}
