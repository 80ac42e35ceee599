//! NeXT: 2-bit samples, row by row (as libtiff reads it; no specification was published).

use super::{ChunkContext, Codec, Output, Scratch, array};
use crate::error::{Error, Result};

const NAME: &str = "next";

#[derive(Debug)]
pub(super) struct Next;

impl Codec for Next {
    fn name(&self) -> &str {
        NAME
    }
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let target = output.sized(NAME, chunk.elements()?)?;
        let columns = chunk.shape.last().and_then(|n| usize::try_from(*n).ok()).unwrap_or(usize::MAX);
        let mut data = input;
        for (i, to) in target.chunks_exact_mut(columns.max(1)).enumerate() {
            // What a row does not tell is white.
            to.fill(3);
            data = row(data, to).ok_or_else(|| Error::codec(NAME, format!("row {i} does not fit its data")))?;
        }
        Ok(())
    }
}

/// One row; what follows it.
fn row<'a>(data: &'a [u8], row: &mut [u8]) -> Option<&'a [u8]> {
    let bytes = row.len().div_ceil(4);
    let (kind, mut data) = data.split_first()?;
    let mut byte = *kind;
    match byte {
        // All of it, four pixels a byte.
        0 => {
            unpack(data.get(..bytes)?, row);
            data.get(bytes..)
        }
        // A part of it: the bytes before, the bytes given.
        0x40 => {
            let [before, count] = [0, 2].map(|at| array(data, at).map(u16::from_be_bytes).map(usize::from));
            let (before, end) = (before?, count?.checked_add(4)?);
            let given = data.get(4..end)?;
            if before.checked_add(given.len())? > bytes {
                return None;
            }
            unpack(given, row.get_mut(before.saturating_mul(4)..).unwrap_or_default());
            data.get(end..)
        }
        // Runs: two bits of value, six of length. What leads over the end of the row is left out.
        _ => {
            let mut rest = row;
            loop {
                let length = usize::from(byte & 63).min(rest.len());
                rest.split_off_mut(..length)?.fill(byte >> 6);
                if rest.is_empty() {
                    return Some(data);
                }
                (byte, data) = data.split_first().map(|(byte, rest)| (*byte, rest))?;
            }
        }
    }
}

fn unpack(bytes: &[u8], pixels: &mut [u8]) {
    for (pixels, byte) in pixels.chunks_mut(4).zip(bytes) {
        for (pixel, shift) in pixels.iter_mut().zip([6, 4, 2, 0]) {
            *pixel = byte >> shift & 3;
        }
    }
}
