//! Bands of 8-bit values as Huffman codes, of the values or of their differences.

use super::band::Target;
use super::header::{Bytes, Header};
use super::mask::Mask;
use super::quants::Quants;
use super::{size, wrong};
use crate::error::Result;

/// Codes of so many bits or fewer are looked up.
const LOOKED_UP: u32 = 12;

/// The codes, and what each stands for.
struct Codes {
    /// By the next bits: a code's length and its symbol; length 0 where no code is that short.
    short: Box<[(u8, u8); 1 << LOOKED_UP]>,
    /// The longer ones by their bits, from the highest bit of 32 down: bits, length, symbol.
    long: Vec<(u32, u32, u8)>,
}

impl Codes {
    fn read(from: &mut Bytes<'_>) -> Result<Self> {
        let version = from.count("version of a code table")?;
        let (symbols, first, end) = (from.count("number of symbols")?, from.count("first symbol")?, from.count("last symbol")?);
        let count = end.saturating_sub(first);
        // Behind the last symbol comes the first.
        if version < 2 || symbols > 1 << 15 || count == 0 || count > symbols || end > symbols.saturating_mul(2) {
            return Err(wrong(format!("codes for {first} to {end} of {symbols} symbols")));
        }
        let mut lengths = Quants::default();
        lengths.read(from, count)?;
        if lengths.values().len() != count {
            return Err(wrong("a code table of fewer lengths than symbols"));
        }
        let mut codes = Self { short: Box::new([(0, 0); 1 << LOOKED_UP]), long: Vec::new() };
        let mut bits = Bits::new(from.0);
        let mut used = 0usize;
        for (k, length) in lengths.values().iter().enumerate().filter(|(_, length)| **length > 0) {
            if *length > 32 {
                return Err(wrong(format!("a code of {length} bits")));
            }
            bits.refill();
            let code = bits.top();
            bits.skip(*length);
            used = used.saturating_add(size(*length));
            // Modulo 256, as is all that is done with a symbol.
            let symbol = first.saturating_add(k);
            let symbol = symbol.checked_sub(symbols).unwrap_or(symbol).to_le_bytes()[0];
            let [length8, ..] = length.to_le_bytes();
            let unused = 32u32.saturating_sub(*length);
            let code = code & u32::MAX.wrapping_shl(unused);
            if *length > LOOKED_UP {
                codes.long.push((code, *length, symbol));
                continue;
            }
            let from = size(code >> 32u32.wrapping_sub(LOOKED_UP));
            let count = 1usize << LOOKED_UP.wrapping_sub(*length);
            if let Some(entries) = codes.short.get_mut(from..from.saturating_add(count)) {
                entries.fill((length8, symbol));
            }
        }
        if bits.is_beyond() {
            return Err(wrong("a code table of fewer codes than lengths"));
        }
        codes.long.sort_unstable();
        from.take(used.div_ceil(32).saturating_mul(4))?;
        Ok(codes)
    }

    #[inline(always)]
    fn next(&self, bits: &mut Bits<'_>) -> Result<u8> {
        bits.refill();
        let (length, symbol) = self.short.get(size(bits.top() >> 32u32.wrapping_sub(LOOKED_UP))).copied().unwrap_or((0, 0));
        if length == 0 {
            return self.next_long(bits);
        }
        bits.skip(u32::from(length));
        Ok(symbol)
    }

    #[cold]
    fn next_long(&self, bits: &mut Bits<'_>) -> Result<u8> {
        let window = bits.top();
        let after = self.long.partition_point(|(code, ..)| *code <= window);
        let code = after
            .checked_sub(1)
            .and_then(|at| self.long.get(at))
            .filter(|(code, length, _)| code ^ window < 1u32.wrapping_shl(32u32.wrapping_sub(*length)));
        let (_, length, symbol) = code.ok_or_else(|| wrong("bits of no code"))?;
        bits.skip(*length);
        Ok(*symbol)
    }
}

/// Bits of little-endian words, the highest first. Behind the end are zeros.
struct Bits<'a> {
    rest: &'a [u8],
    /// What comes next is at the top.
    window: u64,
    have: u32,
    /// Bits of the window, or before it, that the input did not have.
    made_up: u32,
}

impl<'a> Bits<'a> {
    fn new(rest: &'a [u8]) -> Self {
        Self { rest, window: 0, have: 0, made_up: 0 }
    }
    /// 32 bits or more.
    #[inline(always)]
    fn refill(&mut self) {
        if self.have >= 32 {
            return;
        }
        let word = if let Some((word, rest)) = self.rest.split_first_chunk() {
            self.rest = rest;
            u32::from_le_bytes(*word)
        } else {
            self.made_up = self.made_up.saturating_add(32);
            0
        };
        self.window |= u64::from(word) << 32u32.wrapping_sub(self.have);
        self.have = self.have.wrapping_add(32);
    }
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "the upper half")]
    fn top(&self) -> u32 {
        (self.window >> 32) as u32
    }
    /// No more than 32.
    #[inline(always)]
    fn skip(&mut self, bits: u32) {
        self.window <<= bits;
        self.have = self.have.saturating_sub(bits);
    }
    /// Whether more was taken than there was.
    fn is_beyond(&self) -> bool {
        self.made_up > self.have
    }
}

/// Decodes values of 8 bits: `zero` is what the symbol of the value 0 is. By differences a band is one depth after the other.
pub(super) fn decode(header: &Header, from: &mut Bytes<'_>, mask: &Mask, zero: u8, differences: bool, target: &mut Target<'_>) -> Result<()> {
    let codes = Codes::read(from)?;
    let mut bits = Bits::new(from.0);
    let (width, step) = (header.width, target.pixel.max(1));
    let rows = header.height.min(target.rows);
    for depth in 0..if differences { header.depth } else { 1 } {
        let mut last = 0u8;
        for row in 0..rows {
            let first = row.saturating_mul(width);
            // Of the row above only what stands over a pixel without a valid one before it is asked for.
            let (above, line) = target.two_lines(row, depth);
            if !differences {
                for (k, pixel) in line.chunks_mut(step).enumerate() {
                    if mask.is_valid(first.saturating_add(k)) {
                        for value in pixel.iter_mut().take(header.depth) {
                            *value = codes.next(&mut bits)?.wrapping_sub(zero);
                        }
                    }
                }
            } else if mask.is_all() {
                last = above.first().copied().unwrap_or(last);
                for value in line.iter_mut().step_by(step) {
                    last = last.wrapping_add(codes.next(&mut bits)?).wrapping_sub(zero);
                    *value = last;
                }
            } else {
                let mut follows = false;
                for (k, value) in line.iter_mut().step_by(step).enumerate() {
                    let pixel = first.saturating_add(k);
                    let valid = mask.is_valid(pixel);
                    if valid {
                        let over = pixel.checked_sub(width).filter(|over| !follows && mask.is_valid(*over));
                        if let Some(over) = over.and_then(|_| above.get(k.saturating_mul(step))) {
                            last = *over;
                        }
                        last = last.wrapping_add(codes.next(&mut bits)?).wrapping_sub(zero);
                        *value = last;
                    }
                    follows = valid;
                }
            }
            if bits.is_beyond() {
                return Err(wrong("fewer codes than values"));
            }
        }
    }
    Ok(())
}
