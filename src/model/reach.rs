//! How far a chunk reaches, told by where the others start: its length is then better left unread.

use super::{collected, reserve};
use crate::error::Result;

/// What tells how far a chunk reaches in a table whose columns are both left where they are.
///
/// A chunk is believed to end where the next larger offset of its page stands. Its length is read after all where that cannot be told:
/// nothing stands behind it, the gap is out of all proportion (something was moved), or too small for what it would hold. Chunks that
/// start at one place share their bytes, or are not stored and only have a length that says so, and their lengths are read too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// Nothing: lengths are read together with the offsets.
    #[default]
    Lengths,
    /// The 4 bytes before a chunk, which hold its length, where the file promises that, and that chunks ascend. The number is that of the
    /// chain that takes such a chunk: from its leader up to the leader of the next.
    Leader(u16),
    /// The next chunk, if it stands at most this many bytes behind the start of this one. The chain must leave what a chunk does not need.
    Next(u64),
    /// The shape: each chunk has this many bytes.
    Exactly(u64),
}

/// Bytes of a leader: the length as a 32-bit number.
pub(super) const LEADER: u64 = 4;
/// The length of a chunk of which only the lengths column knows it.
pub(super) const UNKNOWN: u64 = u64::MAX;
/// The most bytes up to the next chunk that are believed to be one chunk: with more, something was moved.
const MOST: u64 = 4 << 20;
/// A gap below this is that between two marks, not a compressed chunk.
const LEAST: u64 = 16;

impl Reach {
    /// Offset and length of chunks that start at these offsets; [`UNKNOWN`] where the length must be read. `behind` is the offset after
    /// the last of them. An offset of 0 is a chunk that is not stored, or an end that is not known.
    ///
    /// # Errors
    /// `Limit` where there is no memory for them; so too of the two below.
    pub(super) fn spans(self, offsets: &[u64], behind: u64) -> Result<Vec<(u64, u64)>> {
        match self {
            Self::Leader(_) => up_to_next_stored(offsets, behind),
            _ => self.up_to_next_larger(offsets, behind),
        }
    }

    fn up_to_next_larger(self, offsets: &[u64], behind: u64) -> Result<Vec<(u64, u64)>> {
        let mut sorted: Vec<u64> = reserve(offsets.len() + 1)?;
        sorted.extend(offsets.iter().copied().chain([behind]).filter(|offset| *offset != 0));
        sorted.sort_unstable();
        let length = |offset: u64| {
            let after = sorted.partition_point(|other| *other <= offset);
            let shared = after >= 2 && sorted.get(after - 2) == Some(&offset);
            let gap = sorted.get(after).filter(|_| !shared).map(|next| next - offset)?;
            match self {
                Self::Next(most) => (LEAST..=most.min(MOST)).contains(&gap).then_some(gap),
                Self::Exactly(length) => (gap >= length).then_some(length),
                Self::Lengths | Self::Leader(_) => None,
            }
        };
        let span = |offset: &u64| if *offset == 0 { (0, 0) } else { (*offset, length(*offset).unwrap_or(UNKNOWN)) };
        collected(offsets.iter().map(span))
    }
}

/// From a chunk's leader to the leader of the next one stored: the promise is that they ascend.
fn up_to_next_stored(offsets: &[u64], behind: u64) -> Result<Vec<(u64, u64)>> {
    let mut next = behind;
    let mut spans = collected(offsets.iter().rev().map(|offset| {
        let length = next.checked_sub(*offset).filter(|n| *offset >= LEADER && *n > LEADER && *n <= MOST);
        match *offset {
            0 => (0, 0),
            offset => {
                next = offset;
                (offset, length.unwrap_or(UNKNOWN))
            }
        }
    }))?;
    spans.reverse();
    Ok(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_ends_where_the_next_larger_offset_stands() {
        type Case = (&'static str, Reach, &'static [u64], u64, &'static [u64]);
        let cases: [Case; 8] = [
            ("ascending", Reach::Next(500), &[100, 200, 450], 500, &[100, 250, 50]),
            ("in any order", Reach::Next(500), &[450, 100, 200], 0, &[UNKNOWN, 100, 250]),
            ("sparse between", Reach::Next(500), &[100, 0, 0, 200], 300, &[100, 0, 0, 100]),
            ("a hole behind", Reach::Next(500), &[100, 601], 1200, &[UNKNOWN, UNKNOWN]),
            ("shared, or a length of 0 at the place of the next", Reach::Next(500), &[100, 200, 200], 300, &[100, UNKNOWN, UNKNOWN]),
            ("marks, not chunks", Reach::Next(500), &[8, 9, 100], 200, &[UNKNOWN, 91, 100]),
            ("of one size, aligned", Reach::Exactly(90), &[100, 200, 290], 380, &[90, 90, 90]),
            ("of one size, no room", Reach::Exactly(90), &[100, 189, 300], 0, &[UNKNOWN, 90, UNKNOWN]),
        ];
        for (name, reach, offsets, behind, lengths) in cases {
            let spans = reach.spans(offsets, behind).unwrap();
            assert_eq!(spans.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), offsets, "{name}");
            assert_eq!(spans.iter().map(|(_, length)| *length).collect::<Vec<_>>(), lengths, "{name}");
        }
        assert_eq!(Reach::Next(u64::MAX).spans(&[1, MOST + 2], 0).unwrap(), [(1, UNKNOWN), (MOST + 2, UNKNOWN)]);
    }
}
