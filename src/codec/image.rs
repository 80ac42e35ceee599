//! What the image codecs (JPEG, WebP, LERC) have in common: an image inside of a chunk.

use super::ChunkContext;
use crate::error::{Error, Result};

/// The rows of a chunk that an image of this size fills. Its width and samples must be the chunk's; it may have more rows, as the image of a
/// short last strip does. Asked before anything is decoded, so that a header's claims cost nothing.
pub(super) fn rows(codec: &'static str, chunk: &ChunkContext<'_>, width: usize, height: usize, samples: usize) -> Result<usize> {
    let wrong = || Error::codec(codec, format!("an image of {width} x {height} x {samples} in a chunk of {:?}", chunk.shape));
    let row = width.checked_mul(samples).filter(|row| *row > 0).ok_or_else(wrong)?;
    let elements = chunk.elements()?;
    let rows = elements.checked_div(row).filter(|rows| *rows <= height && rows.checked_mul(row) == Some(elements)).ok_or_else(wrong)?;
    // Axes of length 1 stand where the format has them: the band first or last.
    let image = [rows, width, samples].map(|n| n as u64);
    if image.iter().filter(|n| **n != 1).eq(chunk.shape.iter().filter(|n| **n != 1)) { Ok(rows) } else { Err(wrong()) }
}
