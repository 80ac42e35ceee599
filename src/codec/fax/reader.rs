//! Bits, most significant first.

use crate::codec::array;

/// The bits of a chunk. Beyond the last byte there are zeros.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    /// The next bits, at the top.
    window: u64,
    have: u32,
    length: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { rest: data, window: 0, have: 0, length: data.len() }
    }

    fn refill(&mut self) {
        if let (true, Some(four)) = (self.have <= 32, array::<4>(self.rest, 0)) {
            self.window |= u64::from(u32::from_be_bytes(four)) << 32u32.wrapping_sub(self.have);
            self.have = self.have.wrapping_add(32);
            self.rest = self.rest.get(4..).unwrap_or_default();
            return;
        }
        while self.have <= 56
            && let Some((byte, rest)) = self.rest.split_first()
        {
            self.window |= u64::from(*byte) << 56u32.wrapping_sub(self.have);
            self.have = self.have.wrapping_add(8);
            self.rest = rest;
        }
    }

    /// The next 1 to 16 bits; they stay.
    #[inline]
    pub(super) fn peek(&mut self, bits: u32) -> usize {
        if self.have < bits {
            self.refill();
        }
        usize::from((self.window >> 64u32.wrapping_sub(bits) & 0xffff) as u16)
    }

    /// Leaves up to 16 bits behind.
    #[inline]
    pub(super) fn skip(&mut self, bits: u32) {
        if self.have < bits {
            self.refill();
        }
        self.window <<= bits;
        self.have = self.have.saturating_sub(bits);
    }

    /// Whether every bit was read.
    pub(super) fn is_empty(&self) -> bool {
        self.have == 0 && self.rest.is_empty()
    }

    /// Whether nothing but zeros is left, with which writers fill what they end.
    pub(super) fn is_zero(&self) -> bool {
        self.window == 0 && self.rest.iter().all(|byte| *byte == 0)
    }

    /// On to the next multiple of this many bits (8 or 16) from the start.
    pub(super) fn align(&mut self, bits: u64) {
        let loaded = (self.length.saturating_sub(self.rest.len()) as u64).saturating_mul(8);
        let position = loaded.saturating_sub(u64::from(self.have));
        let over = position.checked_rem(bits).unwrap_or(0);
        if over > 0 {
            self.skip(u32::try_from(bits.saturating_sub(over)).unwrap_or(0));
        }
    }

    /// Behind the next end-of-line code: 11 zeros or more, and a one. False where there is none, and then all is read.
    pub(super) fn sync(&mut self) -> bool {
        while self.peek(11) != 0 {
            self.skip(1);
        }
        while !self.is_empty() {
            if self.peek(1) == 1 {
                self.skip(1);
                return true;
            }
            self.skip(1);
        }
        false
    }
}
