//! Where the bytes of answers go: each span into a buffer of its own size, so that none keeps a larger one alive.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};

use super::request::{Sink, Told};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{grow_exactly, reserve, zeroed};

/// What is allocated on the word of a head: longer bodies make their buffer grow as they come.
const BELIEVED: usize = 8 << 20;

/// A buffer being filled. Bytes that come in one piece are handed on as they are.
#[derive(Default)]
struct Filling {
    piece: Bytes,
    joined: Option<Vec<u8>>,
}

impl Filling {
    /// Takes the next bytes of `length` in all.
    fn take(&mut self, piece: Bytes, length: usize) -> Result<()> {
        if self.len() == 0 && piece.len() == length {
            self.piece = piece;
            return Ok(());
        }
        let buffer = match &mut self.joined {
            Some(buffer) => buffer,
            None => {
                let mut buffer = reserve::<u8>(length.min(BELIEVED).max(self.piece.len()))?;
                buffer.extend_from_slice(&std::mem::take(&mut self.piece));
                self.joined.insert(buffer)
            }
        };
        // Twice as much each time, and never more than will come.
        let more = buffer.len().min(length.saturating_sub(buffer.len())).max(piece.len());
        if buffer.capacity().saturating_sub(buffer.len()) < piece.len() {
            grow_exactly(buffer, more)?;
        }
        buffer.extend_from_slice(&piece);
        Ok(())
    }
    fn len(&self) -> usize {
        self.joined.as_ref().map_or(self.piece.len(), Vec::len)
    }
    fn finish(self) -> Bytes {
        self.joined.map_or(self.piece, |mut whole| {
            whole.shrink_to_fit();
            Bytes::from(whole)
        })
    }
}

/// All bytes of an answer in one buffer.
#[derive(Default)]
pub(super) struct One {
    filling: Filling,
    length: Option<u64>,
}

impl One {
    pub(super) fn finish(self) -> Bytes {
        self.filling.finish()
    }
}

impl Sink for One {
    fn begin(&mut self, _: u64, length: Option<u64>, _: &Told) -> Result<()> {
        self.length = length;
        Ok(())
    }
    fn piece(&mut self, piece: Bytes) -> Result<()> {
        let length = self.length.and_then(|n| usize::try_from(n).ok()).unwrap_or(piece.len());
        self.filling.take(piece, length)
    }
    fn rewind(&mut self) -> u64 {
        self.filling = Filling::default();
        0
    }
}

/// One buffer that several answers fill: made when the first of them tells how long the object is, for a table may claim any length.
pub(super) struct Slab {
    ranges: Vec<Range<u64>>,
    cut: Mutex<Option<(Told, Vec<BytesMut>)>>,
}

impl Slab {
    /// For answers to these ranges, each of which begins where the one before ends.
    pub(super) fn of(ranges: &[Range<u64>]) -> Arc<Self> {
        Arc::new(Self { ranges: ranges.to_vec(), cut: Mutex::default() })
    }

    /// A share for each of the ranges.
    pub(super) fn shares(self: &Arc<Self>) -> Vec<Share> {
        (0..self.ranges.len()).map(|number| Share { slab: self.clone(), number, buffer: BytesMut::new(), filled: 0 }).collect()
    }

    /// The buffer of a range, as far as the object goes.
    fn take(&self, number: usize, told: &Told) -> Result<BytesMut> {
        let mut cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, parts) = match &mut *cut {
            Some(cut) => cut,
            None => cut.insert((told.clone(), self.cut(told)?)),
        };
        if (of.size, &of.version) != (told.size, &told.version) {
            let name = |told: &Told| told.version.as_deref().unwrap_or("unknown").to_owned();
            return Err(Error::new(ErrorKind::ObjectChanged { old: name(of), new: name(told) }));
        }
        Ok(parts.get_mut(number).map(std::mem::take).unwrap_or_default())
    }

    fn cut(&self, told: &Told) -> Result<Vec<BytesMut>> {
        let end = told.size.unwrap_or(u64::MAX);
        let length = |range: &Range<u64>| usize::try_from(range.end.min(end) - range.start.min(end)).unwrap_or(usize::MAX);
        let total = self.ranges.iter().try_fold(0_usize, |sum, range| sum.checked_add(length(range))).unwrap_or(usize::MAX);
        let mut rest = BytesMut::from(Bytes::from(zeroed::<u8>(total)?));
        Ok(self.ranges.iter().map(|range| rest.split_to(length(range))).collect())
    }
}

/// A part of a [`Slab`].
pub(super) struct Share {
    slab: Arc<Slab>,
    number: usize,
    buffer: BytesMut,
    filled: usize,
}

impl Share {
    /// The shares as one again, up to the first that is not full.
    ///
    /// # Errors
    /// A share that has something behind one that is not full.
    pub(super) fn join(shares: Vec<Self>) -> Result<Bytes> {
        let mut whole = BytesMut::new();
        let mut filled = 0;
        let mut is_open = true;
        for share in shares {
            if !is_open && share.filled > 0 {
                return Err(Error::storage("a gap between the parts of a range"));
            }
            filled += share.filled;
            is_open &= share.filled == share.buffer.len();
            whole.unsplit(share.buffer);
        }
        whole.truncate(filled);
        Ok(whole.freeze())
    }
}

impl Sink for Share {
    fn begin(&mut self, _: u64, length: Option<u64>, told: &Told) -> Result<()> {
        self.buffer = self.slab.take(self.number, told)?;
        match length {
            Some(length) if length <= self.buffer.len() as u64 => Ok(()),
            _ => Err(Error::storage("more bytes than were asked for")),
        }
    }
    fn piece(&mut self, piece: Bytes) -> Result<()> {
        let end = self.filled + piece.len();
        let place = self.buffer.get_mut(self.filled..end).ok_or_else(|| Error::storage("more bytes than were asked for"))?;
        place.copy_from_slice(&piece);
        self.filled = end;
        Ok(())
    }
    fn rewind(&mut self) -> u64 {
        self.filled = 0;
        0
    }
}

/// Spans of one answer, each handed on as soon as it is whole.
pub(super) struct Spans<F> {
    /// By their start.
    spans: Vec<Span>,
    /// All spans before this one have been handed on.
    first: usize,
    at: u64,
    start: u64,
    told: Told,
    views: bool,
    hand_on: F,
}

struct Span {
    /// Which of the wants it is.
    number: usize,
    range: Range<u64>,
    filling: Filling,
    done: bool,
}

impl<F: FnMut(usize, Bytes, &Told) + Send> Spans<F> {
    /// `views`: whether a span may be a part of a larger buffer.
    pub(super) fn new(ranges: impl IntoIterator<Item = Range<u64>>, views: bool, hand_on: F) -> Self {
        let span = |(number, range)| Span { number, range, filling: Filling::default(), done: false };
        let mut spans: Vec<Span> = ranges.into_iter().enumerate().map(span).collect();
        spans.sort_by_key(|span| (span.range.start, span.range.end));
        Self { spans, first: 0, at: 0, start: 0, told: Told::default(), views, hand_on }
    }

    /// Hands on what the object's end cuts short.
    pub(super) fn finish(mut self) {
        for span in self.spans.iter_mut().filter(|span| !span.done) {
            (self.hand_on)(span.number, std::mem::take(&mut span.filling).finish(), &self.told);
        }
    }
}

impl<F: FnMut(usize, Bytes, &Told) + Send> Sink for Spans<F> {
    fn begin(&mut self, start: u64, _: Option<u64>, told: &Told) -> Result<()> {
        (self.start, self.at, self.told) = (start, start, told.clone());
        Ok(())
    }

    fn piece(&mut self, piece: Bytes) -> Result<()> {
        let (from, to) = (self.at, self.at + piece.len() as u64);
        self.at = to;
        for span in self.spans.iter_mut().skip(self.first) {
            if span.range.start >= to {
                break;
            }
            if span.done {
                continue;
            }
            // What a span has of an earlier answer it does not take twice.
            let has = span.range.start + span.filling.len() as u64;
            let (start, end) = (from.max(has), to.min(span.range.end));
            if start < end {
                let cut = |at: u64| usize::try_from(at - from).unwrap_or(usize::MAX).min(piece.len());
                let length = usize::try_from(span.range.end - span.range.start).unwrap_or(usize::MAX);
                let part = piece.slice(cut(start)..cut(end));
                let whole = part.len() == length;
                // A span that would keep more than its own size alive is copied.
                if whole && !self.views && part.len() < piece.len() / 2 {
                    span.filling.piece = Bytes::copy_from_slice(&part);
                } else {
                    span.filling.take(part, length)?;
                }
            }
            if span.range.end <= to {
                span.done = true;
                (self.hand_on)(span.number, std::mem::take(&mut span.filling).finish(), &self.told);
            }
        }
        while self.spans.get(self.first).is_some_and(|span| span.done) {
            self.first += 1;
        }
        Ok(())
    }

    fn rewind(&mut self) -> u64 {
        let open = self.spans.iter_mut().skip(self.first).filter(|span| !span.done && span.filling.len() > 0);
        let mut at = self.at;
        for span in open {
            span.filling = Filling::default();
            at = at.min(span.range.start);
        }
        self.at = at.max(self.start);
        self.at - self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told() -> Told {
        Told::default()
    }

    fn sized(size: u64) -> Told {
        Told { size: Some(size), ..Told::default() }
    }

    /// Gives shares of these ranges these bytes, of an object of this size.
    fn filled(size: u64, ranges: &[Range<u64>], all: &[&'static [u8]]) -> Result<Vec<Share>> {
        let mut shares = Slab::of(ranges).shares();
        for ((share, range), bytes) in shares.iter_mut().zip(ranges).zip(all) {
            share.begin(range.start, Some(bytes.len() as u64), &sized(size))?;
            share.piece(Bytes::from_static(bytes))?;
        }
        Ok(shares)
    }

    #[test]
    fn shares_of_one_buffer_are_joined_without_a_copy() {
        let ranges = [10..13, 13..16, 16..18];
        let shares = filled(100, &ranges, &[b"abc", b"def", b"gh"]).unwrap();
        let first = shares[0].buffer.as_ptr();
        let joined = Share::join(shares).unwrap();
        assert_eq!((&joined[..], joined.as_ptr()), (&b"abcdefgh"[..], first));

        assert_eq!(Share::join(filled(14, &ranges, &[b"abc", b"d", b""]).unwrap()).unwrap(), "abcd", "up to the end of the object");
        assert!(Share::join(filled(100, &ranges, &[b"abc", b"d", b"gh"]).unwrap()).is_err(), "a gap");
        assert!(filled(100, &ranges, &[b"abcd", b"", b""]).is_err(), "more than was asked for");
    }

    #[test]
    fn a_buffer_is_as_long_as_the_object() {
        let mut shares = Slab::of(&[0..1 << 40, 1 << 40..1 << 41]).shares();
        shares[0].begin(0, Some(5), &sized(5)).unwrap();
        assert_eq!(shares[0].buffer.len(), 5);
        let changed = shares[1].begin(5, Some(0), &sized(6)).unwrap_err();
        assert!(matches!(changed.kind(), ErrorKind::ObjectChanged { .. }), "{changed}");
    }

    #[test]
    fn a_small_span_keeps_no_large_answer_alive() {
        let answer = Bytes::from(vec![7_u8; 1000]);
        for (views, is_view) in [(false, false), (true, true)] {
            let mut small = None;
            let mut spans = Spans::new(std::iter::once(10..20), views, |_, bytes: Bytes, _: &Told| small = Some(bytes));
            spans.begin(0, Some(1000), &told()).unwrap();
            spans.piece(answer.clone()).unwrap();
            spans.finish();
            let small = small.unwrap();
            assert_eq!(answer.as_ptr_range().contains(&small.as_ptr()), is_view);
            assert_eq!(&small[..], &[7; 10]);
        }
    }

    proptest! {
        #[test]
        fn every_span_is_handed_on_once_and_right(
            ranges in proptest::collection::vec((0_u64..200, 1_u64..60), 1..12),
            cuts in proptest::collection::vec(1_usize..40, 1..40),
            breaks in proptest::collection::vec(0_usize..40, 0..4),
            size in 100_u64..300,
        ) {
            let object: Vec<u8> = (0..size).map(|i| (i * 7 + i / 13) as u8).collect();
            let ranges: Vec<Range<u64>> = ranges.into_iter().map(|(start, length)| start..start + length).collect();
            let start = ranges.iter().map(|r| r.start).min().unwrap().min(size);
            let end = ranges.iter().map(|r| r.end).max().unwrap().min(size);
            let mut got: Vec<Option<Bytes>> = vec![None; ranges.len()];
            let mut twice = false;
            let mut spans = Spans::new(ranges.clone(), false, |number, bytes, _: &Told| twice |= got[number].replace(bytes).is_some());
            spans.begin(start, Some(end - start), &told()).unwrap();
            let mut at = start;
            let mut step = 0;
            while at < end {
                let next = (at + cuts[step % cuts.len()] as u64).min(end);
                spans.piece(Bytes::copy_from_slice(&object[at as usize..next as usize])).unwrap();
                at = next;
                if breaks.contains(&step) {
                    at = start + spans.rewind();
                }
                step += 1;
            }
            spans.finish();
            prop_assert!(!twice);
            for (range, got) in ranges.iter().zip(got) {
                let expected = &object[range.start.min(size) as usize..range.end.min(size) as usize];
                prop_assert_eq!(&got.unwrap()[..], expected);
            }
        }
    }
}
