//! One row: its changes of colour, from codes and from the row above.

use super::codes::{BLACK, LONGEST, Mode, Symbol, Table, WHITE, mode};
use super::reader::Reader;
use crate::error::Result;
use crate::model::reserve;

/// Why a row ends before its last pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// An end-of-line code, which is not yet read.
    EndOfLine,
    /// No code begins so, or it leads back.
    BadCode,
    EndOfData,
    /// Uncompressed mode.
    Extension,
}

impl Stop {
    /// Where no code of a row begins.
    fn at(bits: &mut Reader<'_>) -> Self {
        match (bits.peek(11), bits.is_zero()) {
            (0, true) => Self::EndOfData,
            (0, false) => Self::EndOfLine,
            _ => Self::BadCode,
        }
    }
}

/// A row in work, and the row above.
///
/// Rows are kept as their changing elements: at an odd place of the list stands the column where black begins, at an even one where white
/// does; column 0 at place 0 stands for the white before the first. Columns rise, so a list is no longer than its row.
#[derive(Debug)]
pub(super) struct Row {
    width: u32,
    changes: Vec<u32>,
    above: Vec<u32>,
    /// The column decoded up to, `a0` in T.4.
    at: u32,
}

impl Row {
    /// A first row below a white one. A list is never longer than the data has bits, whatever the width is said to be.
    pub(super) fn new(width: u32, bits: usize) -> Result<Self> {
        let most = crate::codec::size(width).min(bits).saturating_add(8);
        let (mut changes, mut above) = (reserve(most)?, reserve(most)?);
        changes.push(0);
        above.push(0);
        Ok(Self { width, changes, above, at: 0 })
    }

    /// The next row, this one above it.
    pub(super) fn next(&mut self) {
        std::mem::swap(&mut self.changes, &mut self.above);
        self.changes.truncate(0);
        self.changes.push(0);
        self.at = 0;
    }

    /// Writes a 1 for each black pixel.
    pub(super) fn paint(&self, row: &mut [u8]) {
        for black in self.changes.get(1..).unwrap_or_default().chunks(2) {
            let column = |i: usize| black.get(i).map_or(row.len(), |c| crate::codec::size(*c).min(row.len()));
            let (start, end) = (column(0), column(1));
            row.get_mut(start..end).unwrap_or_default().fill(1);
        }
    }

    /// Whether nothing of it was decoded.
    pub(super) fn is_blank(&self) -> bool {
        self.at == 0
    }

    fn is_black(&self) -> bool {
        self.changes.len().is_multiple_of(2)
    }

    /// The colour changes here. Where it did already, it does not.
    fn change(&mut self) {
        if self.changes.len() > 1 && self.changes.last() == Some(&self.at) {
            self.changes.pop();
        } else {
            self.changes.push(self.at);
        }
    }

    /// What was decoded of a row stays; a run that leads over its end does not, and the rest is white (so libtiff).
    fn finish(&mut self) {
        if self.at == self.width {
            return;
        }
        if self.changes.last().is_some_and(|last| *last < self.at) {
            self.change();
        }
        while self.changes.len() > 1 && self.changes.last().is_some_and(|last| *last > self.width) {
            self.changes.pop();
        }
        if self.is_black() {
            self.changes.pop();
        }
    }

    /// A run and the change at its end.
    fn run(&mut self, bits: &mut Reader<'_>) -> Result<(), Stop> {
        let table: &Table = if self.is_black() { &BLACK } else { &WHITE };
        loop {
            let next = bits.peek(LONGEST);
            if bits.is_empty() {
                return Err(Stop::EndOfData);
            }
            let Some(code) = table.get(next) else { return Err(Stop::BadCode) };
            bits.skip(u32::from(code.bits));
            match code.symbol {
                Symbol::MakeUp(pixels) => self.at = self.at.saturating_add(u32::from(pixels)),
                Symbol::Last(pixels) => {
                    self.at = self.at.saturating_add(u32::from(pixels));
                    self.change();
                    return Ok(());
                }
                Symbol::None => return Err(Stop::at(bits)),
            }
        }
    }

    /// A row told by its runs.
    pub(super) fn one_dimensional(&mut self, bits: &mut Reader<'_>) -> Result<(), Stop> {
        let done = self.runs(bits);
        self.finish();
        done
    }

    fn runs(&mut self, bits: &mut Reader<'_>) -> Result<(), Stop> {
        while self.at < self.width {
            self.run(bits)?;
        }
        Ok(())
    }

    /// A row told by its differences from the one above.
    pub(super) fn two_dimensional(&mut self, bits: &mut Reader<'_>) -> Result<(), Stop> {
        let done = self.modes(bits);
        self.finish();
        done
    }

    fn modes(&mut self, bits: &mut Reader<'_>) -> Result<(), Stop> {
        // The place of `b1` in the list of the row above: the first change behind `a0` that is to the other colour.
        let mut place = 1usize;
        while self.at < self.width {
            let next = bits.peek(7);
            if bits.is_empty() {
                return Err(Stop::EndOfData);
            }
            let (mode, length) = mode(next);
            bits.skip(length);
            // A first pixel may be a change too: nothing is left of it.
            while !(self.at == 0 && self.changes.len() == 1) && self.above(place) <= self.at {
                place = place.saturating_add(2);
            }
            match mode {
                Mode::Pass => {
                    self.at = self.above(place.saturating_add(1));
                    place = place.saturating_add(2);
                }
                Mode::Horizontal => {
                    self.run(bits)?;
                    self.run(bits)?;
                }
                Mode::Vertical(distance) => {
                    let to = self.above(place).saturating_add_signed(i32::from(distance));
                    if to < self.at {
                        return Err(Stop::BadCode);
                    }
                    self.at = to;
                    self.change();
                    place = if distance < 0 { place.saturating_sub(1) } else { place.saturating_add(1) };
                }
                Mode::Extension => return Err(Stop::Extension),
                Mode::None => return Err(Stop::at(bits)),
            }
        }
        Ok(())
    }

    /// A change of the row above; behind the last there is one at the end.
    fn above(&self, place: usize) -> u32 {
        self.above.get(place).copied().unwrap_or(self.width)
    }
}
