//! The whole numbers of a block, of as many bits as the largest needs.

use super::header::Bytes;
use super::{size, wrong};
use crate::error::Result;
use crate::model::grow;

/// The numbers of one block; the room is used again for the next.
#[derive(Debug, Default)]
pub(super) struct Quants {
    groups: Vec<[u32; 8]>,
    count: usize,
    /// None is above this.
    bound: u32,
}

impl Quants {
    pub(super) fn values(&self) -> &[u32] {
        self.groups.as_flattened().get(..self.count).unwrap_or_default()
    }
    /// Whether a number that may be among these is one that `is` says. The bound of the bits answers in most cases, the numbers else.
    pub(super) fn any(&self, is: impl Fn(u32) -> bool) -> bool {
        is(self.bound) && self.values().iter().max().is_some_and(|most| is(*most))
    }

    /// Reads the numbers of a block of no more than `most` pixels.
    pub(super) fn read(&mut self, from: &mut Bytes<'_>, most: usize) -> Result<()> {
        let head = from.byte()?;
        self.count = match head >> 6 {
            0 => size(u32::from_le_bytes(from.array()?)),
            1 => usize::from(u16::from_le_bytes(from.array()?)),
            2 => usize::from(from.byte()?),
            _ => return Err(wrong("a count of no bytes")),
        };
        if self.count > most {
            return Err(wrong(format!("{} values in a block of {most}", self.count)));
        }
        let (bits, by_table) = (u32::from(head & 31), head & 32 != 0);
        match (bits, by_table) {
            (0, false) => {
                self.room()?.fill([0; 8]);
                self.bound = 0;
                Ok(())
            }
            (_, false) => self.unpack(from, bits),
            (_, true) => self.look_up(from, bits),
        }
    }

    /// A table of up to 254 numbers beside 0, and an index for each value.
    fn look_up(&mut self, from: &mut Bytes<'_>, bits: u32) -> Result<()> {
        let entries = usize::from(from.byte()?);
        let (count, indices) = (self.count, entries.saturating_sub(1));
        if bits == 0 || indices == 0 {
            return Err(wrong("a table of no entries"));
        }
        self.count = indices;
        self.unpack(from, bits)?;
        let mut table = [0u32; 256];
        for (to, value) in table.iter_mut().skip(1).zip(self.values()) {
            *to = *value;
        }
        self.count = count;
        self.unpack(from, usize::BITS.wrapping_sub(indices.leading_zeros()))?;
        if self.values().iter().any(|index| size(*index) > indices) {
            return Err(wrong("an index beyond its table"));
        }
        for value in self.groups.as_flattened_mut().iter_mut().take(self.count) {
            *value = table.get(size(*value)).copied().unwrap_or(0);
        }
        self.bound = table.into_iter().max().unwrap_or(0);
        Ok(())
    }

    /// `count` numbers of 1 to 31 bits each, the lowest bits of the first byte first.
    fn unpack(&mut self, from: &mut Bytes<'_>, bits: u32) -> Result<()> {
        if self.count == 0 {
            return Err(wrong("a block of no values"));
        }
        let behind = from.0;
        from.take(self.count.saturating_mul(size(bits)).div_ceil(8))?;
        let groups = self.room()?;
        let bound = 1u32.wrapping_shl(bits).wrapping_sub(1);
        macro_rules! of_bits {
            ($($n:literal)*) => {
                match bits {
                    $($n => unpack::<$n>(behind, groups),)*
                    _ => return Err(wrong(format!("{bits} bits a value"))),
                }
            };
        }
        of_bits!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
        self.bound = bound;
        Ok(())
    }

    /// The groups that hold `count` numbers.
    fn room(&mut self) -> Result<&mut [[u32; 8]]> {
        let groups = self.count.div_ceil(8);
        let more = groups.saturating_sub(self.groups.len());
        if more > 0 {
            grow(&mut self.groups, more)?;
            self.groups.resize(groups, [0; 8]);
        }
        Ok(self.groups.get_mut(..groups).unwrap_or_default())
    }
}

/// Eight numbers of `BITS` bits are as many bytes. What the bytes lack counts as zeros; what they hold beyond is not looked at.
fn unpack<const BITS: usize>(mut bytes: &[u8], groups: &mut [[u32; 8]]) {
    for group in groups {
        match BITS {
            1..=8 => one_word::<BITS>(&chunk::<8>(bytes), group),
            9..=16 => two_words::<BITS>(&chunk::<16>(bytes), group),
            _ => eight_words::<BITS>(&chunk::<40>(bytes), group),
        }
        bytes = bytes.get(BITS..).unwrap_or_default();
    }
}

#[inline(always)]
fn chunk<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk::<N>().copied().unwrap_or_else(|| {
        let mut padded = [0; N];
        for (to, byte) in padded.iter_mut().zip(bytes) {
            *to = *byte;
        }
        padded
    })
}

#[inline(always)]
fn word<const N: usize>(bytes: &[u8; N], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u64::from_le_bytes(*word))
}

#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "the lowest bits are what is wanted")]
fn number<const BITS: usize>(word: u64, at: usize) -> u32 {
    (word >> at) as u32 & (u32::MAX >> 32usize.wrapping_sub(BITS))
}

#[inline(always)]
fn one_word<const BITS: usize>(bytes: &[u8; 8], group: &mut [u32; 8]) {
    let word = word(bytes, 0);
    for (k, to) in group.iter_mut().enumerate() {
        *to = number::<BITS>(word, k.wrapping_mul(BITS));
    }
}

/// The first four numbers, and the other four.
#[inline(always)]
fn two_words<const BITS: usize>(bytes: &[u8; 16], group: &mut [u32; 8]) {
    let half = BITS.wrapping_mul(4);
    let words = [(word(bytes, 0), 0), (word(bytes, half / 8), half % 8)];
    for ((word, start), four) in words.into_iter().zip(group.as_chunks_mut::<4>().0) {
        for (k, to) in four.iter_mut().enumerate() {
            *to = number::<BITS>(word, k.wrapping_mul(BITS).wrapping_add(start));
        }
    }
}

#[inline(always)]
fn eight_words<const BITS: usize>(bytes: &[u8; 40], group: &mut [u32; 8]) {
    for (k, to) in group.iter_mut().enumerate() {
        let bit = k.wrapping_mul(BITS);
        *to = number::<BITS>(word(bytes, bit / 8), bit % 8);
    }
}
