//! Predictors of TIFF: horizontal differences (TIFF 6.0, section 14) and floating point (Adobe Photoshop TIFF technical note 3).

use super::{ChunkContext, InPlace, Scratch};
use crate::error::{Error, Result};
use crate::simd;

/// Predictor 2.
#[derive(Debug)]
pub(super) struct Predictor {
    pub(super) sample: usize,
    pub(super) row_bytes: usize,
    pub(super) stride: usize,
}

/// Predictor 3.
#[derive(Debug)]
pub(super) struct FloatPredictor {
    pub(super) sample: usize,
    pub(super) row_bytes: usize,
    pub(super) stride: usize,
}

fn whole_rows(codec: &'static str, data: &[u8], row_bytes: usize) -> Result<()> {
    match data.len().checked_rem(row_bytes) {
        Some(0) => Ok(()),
        _ if data.is_empty() => Ok(()),
        _ => Err(Error::codec(codec, format!("{} bytes are not whole rows of {row_bytes}", data.len()))),
    }
}

impl InPlace for Predictor {
    fn name(&self) -> &'static str {
        "predictor-2"
    }
    fn apply(&self, data: &mut [u8], _: &ChunkContext<'_>, _: &mut Scratch) -> Result<()> {
        whole_rows(self.name(), data, self.row_bytes)?;
        for row in data.chunks_exact_mut(self.row_bytes.max(1)) {
            if !simd::undo_predictor(row, self.sample, self.stride) {
                return Err(Error::unsupported(format!("predictor 2 of {}-byte samples", self.sample)));
            }
        }
        Ok(())
    }
}

impl InPlace for FloatPredictor {
    fn name(&self) -> &'static str {
        "predictor-3"
    }
    /// The bytes of a number are spread over the whole row.
    fn input_prefix(&self, output: usize) -> Option<usize> {
        output.checked_next_multiple_of(self.row_bytes)
    }
    fn apply(&self, data: &mut [u8], _: &ChunkContext<'_>, scratch: &mut Scratch) -> Result<()> {
        whole_rows(self.name(), data, self.row_bytes)?;
        let mut planes = scratch.take(self.row_bytes)?;
        if let Some(planes) = planes.get_mut(..self.row_bytes) {
            for row in data.chunks_exact_mut(self.row_bytes.max(1)) {
                planes.copy_from_slice(row);
                simd::undo_float_predictor(planes, self.sample, self.stride, row);
            }
        }
        scratch.give(planes);
        Ok(())
    }
}
