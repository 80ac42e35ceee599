//! Entropy-coded data as bits (ITU-T T.81, F.2.2.5), up to the next marker.

use super::failed;
use crate::error::Result;

/// Bits of the entropy-coded data at the start of a slice, most significant first, the stuffed zeros left out.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    rest: &'a [u8],
    /// The next bits, from the top down; zeros behind them.
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { rest: data, held: 0, count: 0 }
    }

    fn fill(&mut self) {
        while self.count <= 56 {
            let (byte, rest) = match self.rest {
                [0xff, 0x00, rest @ ..] => (0xff, rest),
                // A marker, which ends the data.
                [0xff, ..] | [] => return,
                [byte, rest @ ..] => (*byte, rest),
            };
            self.rest = rest;
            self.held |= u64::from(byte) << 56_u32.saturating_sub(self.count);
            self.count = self.count.saturating_add(8);
        }
    }

    /// The next 16 bits, zeros where the data has ended.
    pub(super) fn peek(&mut self) -> u16 {
        if self.count < 16 {
            self.fill();
        }
        let [high, low, ..] = self.held.to_be_bytes();
        u16::from_be_bytes([high, low])
    }

    /// Leaves out up to 16 bits.
    pub(super) fn skip(&mut self, bits: u32) -> Result<()> {
        self.count = self.count.checked_sub(bits).ok_or_else(|| failed("the data ends early"))?;
        self.held <<= bits;
        Ok(())
    }

    /// The next bits, at most 16, as a difference or a coefficient of this category (F.2.2.1, figure F.12).
    pub(super) fn signed(&mut self, category: u32) -> Result<i32> {
        if category == 0 {
            return Ok(0);
        }
        let value = i32::from(self.peek()) >> 16_u32.saturating_sub(category);
        self.skip(category)?;
        let half = 1_i32 << category.saturating_sub(1);
        Ok(if value < half { value.wrapping_sub(half.wrapping_mul(2)).wrapping_add(1) } else { value })
    }

    /// Goes behind the restart marker that has to come next.
    pub(super) fn restart(&mut self) -> Result<()> {
        match self.at_marker() {
            [0xff, 0xd0..=0xd7, rest @ ..] => {
                *self = Self::new(rest);
                Ok(())
            }
            _ => Err(failed("no restart marker where one is due")),
        }
    }

    /// From the next marker on, data in between left out; nothing where the stream ends.
    pub(super) fn at_marker(&self) -> &'a [u8] {
        let mut rest = self.rest;
        loop {
            match rest {
                [0xff, 0x01..=0xfe, ..] | [] => return rest,
                [_, after @ ..] => rest = after,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_stop_at_a_marker() {
        let mut bits = Bits::new(&[0xff, 0x00, 0x0f, 0xff, 0xff, 0xd3, 0b1010_0000, 0xff, 0xd9]);
        assert_eq!(bits.peek(), 0xff0f);
        assert_eq!(bits.signed(4).unwrap(), 15);
        assert_eq!(bits.signed(8).unwrap(), 0xf0);
        assert_eq!(bits.peek(), 0xf000);
        bits.skip(4).unwrap();
        assert!(bits.skip(1).is_err());
        bits.restart().unwrap();
        // 101 is 5, 00 is -3.
        assert_eq!((bits.signed(3).unwrap(), bits.signed(2).unwrap()), (5, -3));
        assert!(bits.restart().is_err());
        assert_eq!(bits.at_marker(), [0xff, 0xd9]);
    }
}
