//! CCITT fax: Modified Huffman rows (TIFF 6.0, section 10), Group 3 (ITU-T T.4) and Group 4 (T.6), into elements of 0 (white) and 1 (black).
//!
//! Damage is taken as libtiff takes it, as far as that invents nothing. A run that leads over the end of its row is left out, and so is
//! what follows an end-of-line code: the row is white from there on. Group 3 goes on at the next end-of-line code, which is what these are
//! for; elsewhere a code that does not exist is an error. Rows that are missing at the end are white where the data say that the page ends,
//! and where Group 4 ends with a row, as its writers often leave the end out; elsewhere they are an error.

mod codes;
mod reader;
mod row;

use reader::Reader;
use row::{Row, Stop};

use super::{ChunkContext, Codec, Output, Scratch, size};
use crate::error::{Error, Result};
use crate::model::FaxCoding;

const NAME: &str = "ccitt";

#[derive(Debug)]
pub(super) struct Fax(pub(super) FaxCoding);

impl Codec for Fax {
    fn name(&self) -> &str {
        match self.0 {
            FaxCoding::Rle | FaxCoding::RleWords => "ccitt-rle",
            FaxCoding::Group3 { .. } => "ccitt-group3",
            FaxCoding::Group4 => "ccitt-group4",
        }
    }
    /// The changes of colour in a row and in the one above it, four bytes each.
    fn working_memory(&self, output: usize) -> usize {
        output.saturating_mul(8).saturating_add(1 << 10)
    }
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let elements = chunk.elements()?;
        let columns = chunk.shape.last().copied().unwrap_or(0);
        let width = u32::try_from(columns).map_err(|_| Error::limit("fax row", columns, u64::from(u32::MAX)))?;
        let target = output.sized(NAME, elements)?;
        target.fill(0);
        if target.is_empty() {
            return Ok(());
        }
        let page = Page { row: Row::new(width, input.len().saturating_mul(8))?, bits: Reader::new(input), whole: 0 };
        let rows = target.chunks_exact_mut(size(width).max(1));
        match self.0 {
            FaxCoding::Rle => page.huffman(rows, 8),
            FaxCoding::RleWords => page.huffman(rows, 16),
            FaxCoding::Group4 => page.group4(rows),
            FaxCoding::Group3 { two_dimensional } => {
                // Some writers leave the end-of-line codes out.
                let lines = Reader::new(input).sync();
                page.group3(rows, lines, two_dimensional)
            }
        }
    }
}

type Rows<'a> = std::slice::ChunksExactMut<'a, u8>;

struct Page<'a> {
    row: Row,
    bits: Reader<'a>,
    /// Rows without damage.
    whole: usize,
}

fn damaged(stop: Stop, row: usize) -> Error {
    match stop {
        Stop::Extension => Error::unsupported("ccitt uncompressed mode"),
        Stop::BadCode => Error::codec(NAME, format!("a code that does not exist in row {row}")),
        Stop::EndOfLine | Stop::EndOfData => Error::codec(NAME, format!("the data ends in row {row}")),
    }
}

impl Page<'_> {
    fn huffman(mut self, rows: Rows<'_>, align: u64) -> Result<()> {
        for (i, to) in rows.enumerate() {
            match self.row.one_dimensional(&mut self.bits) {
                Ok(()) => {}
                Err(Stop::EndOfLine) => {
                    self.bits.sync();
                }
                Err(stop) => return Err(damaged(stop, i)),
            }
            self.row.paint(to);
            self.row.next();
            self.bits.align(align);
        }
        Ok(())
    }

    fn group4(mut self, rows: Rows<'_>) -> Result<()> {
        for (i, to) in rows.enumerate() {
            // The end of the page, or the zeros that fill its last byte.
            if i > 0 && self.bits.peek(11) == 0 {
                return Ok(());
            }
            self.row.two_dimensional(&mut self.bits).map_err(|stop| damaged(stop, i))?;
            self.row.paint(to);
            self.row.next();
        }
        Ok(())
    }

    fn group3(mut self, rows: Rows<'_>, lines: bool, two_dimensional: bool) -> Result<()> {
        // Whether the row before was nothing but its end-of-line code: two of these end a page.
        let mut ended = false;
        for (i, to) in rows.enumerate() {
            if lines && !self.bits.sync() {
                return if ended { self.any_whole() } else { Err(damaged(Stop::EndOfData, i)) };
            }
            let by_runs = !two_dimensional || self.bits.peek(1) == 1;
            if two_dimensional {
                self.bits.skip(1);
            }
            let done = if by_runs { self.row.one_dimensional(&mut self.bits) } else { self.row.two_dimensional(&mut self.bits) };
            let before = std::mem::replace(&mut ended, done == Err(Stop::EndOfLine) && self.row.is_blank());
            match done {
                Ok(()) => self.whole = self.whole.saturating_add(1),
                Err(Stop::EndOfLine | Stop::BadCode) if lines => {}
                Err(Stop::EndOfData) if before && self.row.is_blank() => return self.any_whole(),
                Err(stop) => return Err(damaged(stop, i)),
            }
            self.row.paint(to);
            self.row.next();
        }
        self.any_whole()
    }

    /// A page of which every row is damaged is none.
    fn any_whole(self) -> Result<()> {
        if self.whole > 0 { Ok(()) } else { Err(Error::codec(NAME, "no row without damage")) }
    }
}
