//! PackBits (TIFF 6.0, section 9). Decoding ends when the chunk is full, as in libtiff.

use super::{ChunkContext, Codec, Output, Scratch, output::resize, shortage};
use crate::error::{Error, Result};

#[derive(Debug)]
pub(super) struct PackBits;

impl Codec for PackBits {
    fn name(&self) -> &str {
        "packbits"
    }
    fn gives_prefix(&self) -> bool {
        true
    }
    /// 128 bytes take two.
    fn most_output(&self, input: usize) -> Option<usize> {
        Some(input.saturating_mul(64))
    }
    fn decode(&self, input: &[u8], _: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        match output {
            Output::Exact(out) | Output::Prefix(out) => match run(input, out)? {
                given if given == out.len() => Ok(()),
                given => Err(shortage("packbits", given, out.len())),
            },
            Output::Bounded { bytes, most } => {
                // Two bytes give 128 at most.
                resize(bytes, (*most).min(input.len().saturating_mul(64)))?;
                let given = run(input, bytes)?;
                bytes.truncate(given);
                Ok(())
            }
            Output::Variable(_) => output.copy("packbits", &[]),
        }
    }
}

fn run(mut input: &[u8], out: &mut [u8]) -> Result<usize> {
    let mut at = 0usize;
    while at < out.len()
        && let Some((control, rest)) = input.split_first()
    {
        let room = out.get_mut(at..).unwrap_or_default();
        let control = control.cast_signed();
        let given = if control >= 0 {
            let length = usize::from(control.unsigned_abs()).wrapping_add(1).min(room.len());
            let literal = rest.get(..length).ok_or_else(|| Error::codec("packbits", "a run of literals ends early"))?;
            room.split_at_mut(length).0.copy_from_slice(literal);
            input = rest.get(length..).unwrap_or_default();
            length
        } else if control == i8::MIN {
            input = rest;
            0
        } else {
            let (byte, rest) = rest.split_first().ok_or_else(|| Error::codec("packbits", "a run ends early"))?;
            let length = usize::from(control.unsigned_abs()).wrapping_add(1).min(room.len());
            room.split_at_mut(length).0.fill(*byte);
            input = rest;
            length
        };
        at = at.saturating_add(given);
    }
    Ok(at)
}
