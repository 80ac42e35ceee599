//! LZW as in TIFF (TIFF 6.0, section 13), and as writers before TIFF 6.0 had it.
//!
//! A string of the table stands in the output already: it is what its code's predecessor gave, and one byte more. So the table holds
//! places in the output, and a code is a copy inside of it.

use super::{ChunkContext, Codec, Output, Scratch, array, output::resize, shortage};
use crate::error::{Error, Result};
use crate::model::LzwBits;

const CLEAR: usize = 256;
const END: usize = 257;
const FIRST: usize = 258;
const CODES: usize = 4096;

/// Where each code's string stands in the output, and its length.
pub(super) struct Table(Box<[(u32, u32); CODES]>);

impl Default for Table {
    fn default() -> Self {
        Self(Box::new([(0, 0); CODES]))
    }
}

#[derive(Debug)]
pub(super) struct Lzw(pub(super) LzwBits);

impl Codec for Lzw {
    fn name(&self) -> &str {
        "lzw"
    }
    fn decode(&self, input: &[u8], _: &ChunkContext<'_>, scratch: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        // A first code "clear" with the least significant bit first: what libtiff takes as the sign of the old form.
        let old = self.0 == LzwBits::Old || matches!(input, [0, second, ..] if second & 1 == 1);
        let decode = |out: &mut [u8], table: &mut Table| if old { run::<false>(input, out, table) } else { run::<true>(input, out, table) };
        match output {
            Output::Exact(out) | Output::Prefix(out) => match decode(out, &mut scratch.lzw)? {
                given if given == out.len() => Ok(()),
                given => Err(shortage("lzw", given, out.len())),
            },
            Output::Bounded { bytes, most } => {
                // A code of nine bits or more gives 4096 bytes at most.
                resize(bytes, (*most).min(input.len().saturating_mul(4096)))?;
                let given = decode(bytes, &mut scratch.lzw)?;
                bytes.truncate(given);
                Ok(())
            }
            Output::Variable(_) => output.copy("lzw", &[]),
        }
    }
}

/// Codes out of bytes.
struct Codes<'a, const MSB: bool> {
    rest: &'a [u8],
    window: u64,
    have: u32,
}

impl<const MSB: bool> Codes<'_, MSB> {
    #[inline]
    fn next(&mut self, bits: u32) -> Option<usize> {
        if self.have < bits {
            if let (true, Some(four)) = (self.have < 32, array::<4>(self.rest, 0)) {
                self.push(u64::from(if MSB { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }), 32);
                self.rest = self.rest.get(4..).unwrap_or_default();
            } else {
                while self.have < bits {
                    let (byte, rest) = self.rest.split_first()?;
                    self.push(u64::from(*byte), 8);
                    self.rest = rest;
                }
            }
        }
        let mask = (1u64 << bits).wrapping_sub(1);
        self.have = self.have.wrapping_sub(bits);
        let code = if MSB {
            self.window >> self.have & mask
        } else {
            let code = self.window & mask;
            self.window >>= bits;
            code
        };
        Some(usize::from((code & 0xffff) as u16))
    }

    #[inline]
    fn push(&mut self, value: u64, bits: u32) {
        self.window = if MSB { self.window << bits | value } else { self.window | value << self.have };
        self.have = self.have.wrapping_add(bits);
    }
}

/// Decodes until the output is full, the end code, or the end of the input; says how much there is.
fn run<const MSB: bool>(input: &[u8], out: &mut [u8], table: &mut Table) -> Result<usize> {
    let damaged = || Error::codec("lzw", "a code that is not in the table");
    if u32::try_from(out.len()).is_err() {
        return Err(Error::limit("lzw chunk", out.len() as u64, u64::from(u32::MAX)));
    }
    let early = usize::from(MSB);
    let mut codes = Codes::<MSB> { rest: input, window: 0, have: 0 };
    let (mut at, mut next, mut bits) = (0usize, FIRST, 9u32);
    let mut before: Option<(usize, usize)> = None;
    while at < out.len() {
        let Some(code) = codes.next(bits) else { break };
        if code == CLEAR {
            (next, bits, before) = (FIRST, 9, None);
            continue;
        }
        if code == END {
            break;
        }
        if let Some((start, length)) = before
            && next < CODES
        {
            if let Some(entry) = table.0.get_mut(next) {
                // Both are below the output's length, which fits.
                *entry = (u32::try_from(start).unwrap_or(0), u32::try_from(length.wrapping_add(1)).unwrap_or(0));
            }
            next = next.wrapping_add(1);
            if next.wrapping_add(early) >= 1 << bits && bits < 12 {
                bits = bits.wrapping_add(1);
            }
        }
        let length = if let Ok(byte) = u8::try_from(code) {
            *out.get_mut(at).ok_or_else(damaged)? = byte;
            1
        } else {
            if code >= next {
                return Err(damaged());
            }
            let (start, length) = table.0.get(code).copied().ok_or_else(damaged)?;
            let (start, length) = (super::size(start), super::size(length).min(out.len().saturating_sub(at)));
            copy(out, start, at, length);
            length
        };
        before = Some((at, length));
        at = at.saturating_add(length);
    }
    Ok(at)
}

/// Copies `length` bytes forward, the source ending at most one byte behind the start of the target.
#[inline]
fn copy(out: &mut [u8], start: usize, at: usize, length: usize) {
    let end = start.saturating_add(length);
    if length <= 8 && at.saturating_add(8) <= out.len() && end <= at {
        // What is copied beyond the string is written again by the next.
        out.copy_within(start..start.saturating_add(8), at);
    } else if end <= at {
        out.copy_within(start..end, at);
    } else {
        // The string is the one before and its own first byte.
        out.copy_within(start..end.saturating_sub(1), at);
        if let (Some(first), Some(last)) = (out.get(start).copied(), out.get_mut(at.saturating_add(length).saturating_sub(1))) {
            *last = first;
        }
    }
}
