//! ThunderScan: 4-bit samples as runs and differences, row by row (as libtiff reads it; no specification was published).

use super::{ChunkContext, Codec, Output, Scratch};
use crate::error::{Error, Result};

const NAME: &str = "thunderscan";

#[derive(Debug)]
pub(super) struct ThunderScan;

impl Codec for ThunderScan {
    fn name(&self) -> &str {
        NAME
    }
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let target = output.sized(NAME, chunk.elements()?)?;
        let columns = chunk.shape.last().and_then(|n| usize::try_from(*n).ok()).unwrap_or(usize::MAX);
        let mut data = input.iter();
        for (i, to) in target.chunks_exact_mut(columns.max(1)).enumerate() {
            row(&mut data, to).ok_or_else(|| Error::codec(NAME, format!("row {i} does not end with its data")))?;
        }
        Ok(())
    }
}

/// One row: two bits say what the other six are.
fn row(data: &mut std::slice::Iter<'_, u8>, row: &mut [u8]) -> Option<()> {
    let mut pixels = Pixels { rest: row, last: 0 };
    while !pixels.rest.is_empty() {
        let byte = *data.next()?;
        match byte >> 6 {
            0 => pixels.run(usize::from(byte))?,
            1 => [4, 2, 0].into_iter().for_each(|at| match byte >> at & 3 {
                2 => {}
                code => pixels.add([0, 1, 0, 15].get(usize::from(code))),
            }),
            2 => [3, 0].into_iter().for_each(|at| match byte >> at & 7 {
                4 => {}
                code => pixels.add([0, 1, 2, 3, 0, 13, 14, 15].get(usize::from(code))),
            }),
            _ => pixels.push(byte),
        }
    }
    Some(())
}

struct Pixels<'a> {
    rest: &'a mut [u8],
    last: u8,
}

impl Pixels<'_> {
    fn push(&mut self, value: u8) {
        self.last = value & 15;
        // What is told beyond the row is left out.
        if let Some(pixel) = self.rest.split_off_first_mut() {
            *pixel = self.last;
        }
    }

    /// A difference, modulo 16.
    fn add(&mut self, difference: Option<&u8>) {
        self.push(self.last.wrapping_add(difference.copied().unwrap_or(0)));
    }

    fn run(&mut self, length: usize) -> Option<()> {
        self.rest.split_off_mut(..length)?.fill(self.last);
        Some(())
    }
}
