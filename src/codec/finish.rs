//! What is left of decoding on the way into the output: the last pass over the elements, made where they are put in their places.

use std::ops::Range;

use super::{Scratch, shortage};
use crate::error::Result;
use crate::simd;

/// The steps at a chain's end that are one pass over decompressed bytes. None of them changes how many bytes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// Elements stand as they are wanted.
    Nothing,
    /// Units of so many bytes are in the other byte order.
    Swap {
        /// Bytes of a unit.
        unit: usize,
    },
    /// Rows of differences (TIFF 6.0, section 14).
    Predictor {
        /// Bytes of a sample.
        sample: usize,
        /// Bytes of a row.
        row: usize,
        /// Samples from one to the one it was subtracted from.
        stride: usize,
        /// Whether samples are in the other byte order.
        swap: bool,
    },
    /// Rows of differences of bytes, the most significant ones of all samples first (Adobe Photoshop TIFF technical note 3).
    FloatPredictor {
        /// Bytes of a sample.
        sample: usize,
        /// Bytes of a row.
        row: usize,
        /// Samples from one to the one it was subtracted from.
        stride: usize,
    },
    /// The first bytes of all elements stand first.
    Unshuffle {
        /// Bytes of an element.
        element: usize,
        /// Whether elements are in the other byte order.
        swap: bool,
    },
}

impl Finish {
    /// Bytes of the rows that the pass is made in, each for itself; `None` where every element is for itself.
    #[must_use]
    pub fn row(&self) -> Option<usize> {
        match self {
            Self::Predictor { row, .. } | Self::FloatPredictor { row, .. } => Some(*row),
            Self::Nothing | Self::Swap { .. } | Self::Unshuffle { .. } => None,
        }
    }

    /// The unfinished bytes that these finished ones are made of; `None` where they are spread over the chunk.
    pub(crate) fn source(&self, bytes: Range<usize>) -> Option<Range<usize>> {
        match self {
            Self::Unshuffle { .. } => None,
            Self::Nothing | Self::Swap { .. } => Some(bytes),
            Self::Predictor { row, .. } => Some(floor(bytes.start, *row)..bytes.end),
            Self::FloatPredictor { row, .. } => Some(floor(bytes.start, *row)..bytes.end.checked_next_multiple_of(*row)?),
        }
    }

    /// Makes the elements of `target` out of a whole unfinished chunk: those from byte `at` on. Where there are [rows](Self::row), `at` is the
    /// start of one, and the target is not longer than it.
    ///
    /// # Errors
    /// `Codec` where the chunk is shorter.
    pub fn run(&self, chunk: &[u8], at: usize, target: &mut [u8], scratch: &mut Scratch) -> Result<()> {
        let length = target.len();
        let short = || shortage("chunk", chunk.len(), at.saturating_add(length));
        let from = |length: usize| chunk.get(at..at.saturating_add(length)).ok_or_else(short);
        match *self {
            Self::Nothing => target.copy_from_slice(from(length)?),
            Self::Swap { unit } => simd::swap_bytes_to(from(length)?, unit, target),
            Self::Predictor { sample, stride, swap, .. } => {
                simd::undo_predictor_to(from(length)?, sample, stride, swap, target);
            }
            Self::FloatPredictor { sample, row, stride } => {
                let planes = from(row)?;
                let mut work = scratch.take(row.saturating_mul(2))?;
                if let Some((sums, whole)) = work.get_mut(..row.saturating_mul(2)).and_then(|w| w.split_at_mut_checked(row)) {
                    if length == row {
                        simd::undo_float_predictor_to(planes, sample, stride, sums, target);
                    } else {
                        simd::undo_float_predictor_to(planes, sample, stride, sums, whole);
                        target.copy_from_slice(whole.get(..length).unwrap_or_default());
                    }
                }
                scratch.give(work);
            }
            Self::Unshuffle { element, swap } => {
                let first = at.checked_div(element).unwrap_or(0);
                if at.saturating_add(length) > chunk.len() {
                    return Err(short());
                }
                simd::unshuffle_part(chunk, element, first, swap, target);
            }
        }
        Ok(())
    }
}

fn floor(n: usize, row: usize) -> usize {
    n.saturating_sub(n.checked_rem(row).unwrap_or(0))
}
