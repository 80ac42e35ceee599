//! Huffman tables (ITU-T T.81, annex C and F.2.2.3).

use super::bits::Bits;
use super::failed;
use crate::error::Result;

/// Bits that the fast table looks at.
const FAST: u32 = 9;

/// A table that decodes symbols.
#[derive(Debug, Clone)]
pub(super) struct Huffman {
    /// Length and symbol of the code that these bits begin with; a length of 0 where it is longer.
    fast: Vec<(u8, u8)>,
    /// For each length from 1 on: the first 16 bits that are beyond its codes, its first code, and its first symbol's place.
    longer: [(u32, u32, u32); 16],
    symbols: Vec<u8>,
}

impl Huffman {
    /// The table with these many codes of each length, and these symbols (at least as many) in the order of their codes.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Result<Self> {
        let mut fast = vec![(0, 0); 1 << FAST];
        let mut longer = [(0, 0, 0); 16];
        let (mut code, mut place) = (0_u32, 0_u32);
        for ((length, count), entry) in (1_u32..).zip(counts).zip(&mut longer) {
            let (first, count) = (code, u32::from(*count));
            code = code.saturating_add(count);
            if code > 1 << length {
                return Err(failed("a huffman table of more codes than there can be"));
            }
            let beyond = code.checked_shl(16_u32.saturating_sub(length)).unwrap_or(0);
            *entry = (beyond, first, place);
            if length <= FAST {
                let shift = FAST.saturating_sub(length);
                let start = usize::try_from(first << shift).unwrap_or(0);
                let of_length = symbols.iter().skip(usize::try_from(place).unwrap_or(0)).take(usize::try_from(count).unwrap_or(0));
                let slots = fast.get_mut(start..).unwrap_or_default().chunks_mut(1 << shift);
                for (symbol, slots) in of_length.zip(slots) {
                    slots.fill((u8::try_from(length).unwrap_or(0), *symbol));
                }
            }
            place = place.saturating_add(count);
            code <<= 1;
        }
        let symbols = symbols.get(..usize::try_from(place).unwrap_or(usize::MAX)).ok_or_else(|| failed("a huffman table ends early"))?;
        Ok(Self { fast, longer, symbols: symbols.to_vec() })
    }

    /// The next symbol.
    pub(super) fn decode(&self, bits: &mut Bits<'_>) -> Result<u8> {
        let next = bits.peek();
        let (length, symbol) = self.fast.get(usize::from(next >> (16 - FAST))).copied().unwrap_or_default();
        if length > 0 {
            bits.skip(u32::from(length))?;
            return Ok(symbol);
        }
        let next = u32::from(next);
        let (length, (_, first, place)) =
            (1_u32..).zip(&self.longer).find(|(_, (beyond, ..))| next < *beyond).ok_or_else(|| failed("a code that is in no huffman table"))?;
        bits.skip(length)?;
        let code = next >> 16_u32.saturating_sub(length);
        let place = code.saturating_sub(*first).saturating_add(*place);
        let symbol = usize::try_from(place).ok().and_then(|at| self.symbols.get(at));
        symbol.copied().ok_or_else(|| failed("a code that is in no huffman table"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_all_lengths() {
        // One code of each length: 0, 10, 110, ... and 16 bits that end in 0.
        let symbols: Vec<u8> = (100..116).collect();
        let table = Huffman::new(&[1; 16], &symbols).unwrap();
        for (length, symbol) in (1_u32..).zip(&symbols) {
            let code = !(1_u16 << (16 - length)) & !((1_u16 << (16 - length)) - 1);
            let [a, b] = code.to_be_bytes();
            // A byte of 0xff is followed by a stuffed zero.
            let data: Vec<u8> = [a, b].iter().flat_map(|n| if *n == 0xff { vec![*n, 0] } else { vec![*n] }).collect();
            assert_eq!(table.decode(&mut Bits::new(&data)).unwrap(), *symbol, "{length}");
        }
        assert!(table.decode(&mut Bits::new(&[0xff, 0, 0xff, 0])).is_err(), "all ones");
        assert!(table.decode(&mut Bits::new(&[])).is_err(), "no data");
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(Huffman::new(&counts, &[1, 2, 3]).is_err(), "three codes of one bit");
        assert!(Huffman::new(&[1; 16], &symbols[..15]).is_err(), "a symbol is missing");
    }
}
