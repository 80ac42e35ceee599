//! LZW as in TIFF (TIFF 6.0, section 13), and as writers before TIFF 6.0 had it.
//!
//! A table's entry holds a string of up to seven bytes itself, which goes out as one store of eight; what is behind its end is written over
//! by the next. A longer string stands in the output already, as what its code's predecessor gave and one byte more: its entry says where.
//! Codes come in groups of four, whose 48 bits at most are one load, as long as they have one width and both ends are far enough away.

use super::{ChunkContext, Codec, Output, Scratch, output::resize, shortage};
use crate::error::{Error, Result};
use crate::model::LzwBits;

const CLEAR: usize = 256;
const END: usize = 257;
const FIRST: usize = 258;
const CODES: usize = 4096;
/// Bytes that a group may write beyond its strings.
const BEYOND: usize = 64;

/// A string: its length in the highest byte and itself in the seven others, the first byte lowest. Above seven: [`Entry::LONG`], the length
/// in two bytes, its place in the output in four, and its first byte. All zero: none, as the two codes that give nothing have.
#[derive(Clone, Copy)]
struct Entry(u64);

impl Entry {
    const NONE: Self = Self(0);
    const ONE: u64 = 1 << 56;
    const LONG: u64 = 8 << 56;

    const fn literal(byte: u8) -> Self {
        Self(byte as u64 | Self::ONE)
    }
    fn tag(self) -> u8 {
        (self.0 >> 56 & 0xff) as u8
    }
    /// The length of a string that stands here.
    #[inline]
    fn short(self) -> Option<usize> {
        let length = self.tag();
        if length.wrapping_sub(1) < 7 { Some(usize::from(length)) } else { None }
    }
    fn is_none(self) -> bool {
        self.tag() == 0
    }
    fn first(self) -> u8 {
        self.0.to_le_bytes()[0]
    }
    /// Place and length of a string that stands in the output.
    fn long(self) -> (usize, usize) {
        (super::size((self.0 >> 8 & 0xffff_ffff) as u32), usize::from((self.0 >> 40 & 0xffff) as u16))
    }
    /// The string, that stands at `start` of the output, and one byte more.
    #[inline]
    fn and(self, byte: u8, start: usize) -> Self {
        let tag = self.tag();
        if tag < 7 {
            return Self(self.0.wrapping_add(Self::ONE) | u64::from(byte).wrapping_shl(u32::from(tag) << 3));
        }
        let length = if tag == 7 { 8 } else { (self.0 >> 40 & 0xffff).wrapping_add(1) };
        Self(self.0 & 0xff | (start as u64 & 0xffff_ffff) << 8 | length << 40 | Self::LONG)
    }
}

/// The string of each code.
pub(super) struct Table(Box<Strings>);

struct Strings([Entry; CODES]);

impl Default for Table {
    fn default() -> Self {
        Self(Box::new(Strings(std::array::from_fn(|code| u8::try_from(code).map_or(Entry::NONE, Entry::literal)))))
    }
}

impl Strings {
    // Codes have twelve bits at most: a mask in place of a check.
    #[inline]
    fn get(&self, code: usize) -> Entry {
        self.0.get(code & 0xfff).copied().unwrap_or(Entry::NONE)
    }
    #[inline]
    fn set(&mut self, code: usize, entry: Entry) {
        if let Some(place) = self.0.get_mut(code & 0xfff) {
            *place = entry;
        }
    }
}

#[derive(Debug)]
pub(super) struct Lzw(pub(super) LzwBits);

impl Codec for Lzw {
    fn name(&self) -> &str {
        "lzw"
    }
    fn gives_prefix(&self) -> bool {
        true
    }
    /// A code takes nine bits at least, and a string is shorter than the table is long.
    fn most_output(&self, input: usize) -> Option<usize> {
        Some(input.saturating_mul(4096))
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
    input: &'a [u8],
    /// The place of the next byte to be read.
    at: usize,
    /// The next bits, from its highest or lowest on. There may be more of them than `have` says.
    window: u64,
    have: u32,
}

impl<const MSB: bool> Codes<'_, MSB> {
    /// Fills the window up to 56 bits or more; `None` where that takes more bytes than there are.
    #[inline]
    fn fill(&mut self) -> Option<()> {
        let eight = *self.input.get(self.at..)?.first_chunk::<8>()?;
        // What of the last byte does not fit is read again, into the same place.
        self.window |= if MSB { u64::from_be_bytes(eight).wrapping_shr(self.have) } else { u64::from_le_bytes(eight).wrapping_shl(self.have) };
        self.at = self.at.wrapping_add((63usize.wrapping_sub(self.have as usize)) >> 3);
        self.have |= 56;
        Some(())
    }

    /// The same at the end of the input.
    fn fill_bytes(&mut self) {
        while self.have <= 56
            && let Some(byte) = self.input.get(self.at)
        {
            self.window |= u64::from(*byte).wrapping_shl(if MSB { 56u32.wrapping_sub(self.have) } else { self.have });
            self.have = self.have.wrapping_add(8);
            self.at = self.at.wrapping_add(1);
        }
    }

    /// The next code; its bits must be there.
    #[inline]
    fn take(&mut self, bits: u32) -> usize {
        self.have = self.have.wrapping_sub(bits);
        let code = if MSB { self.window.wrapping_shr(64u32.wrapping_sub(bits)) } else { self.window & (1u64 << bits).wrapping_sub(1) };
        self.window = if MSB { self.window << bits } else { self.window >> bits };
        usize::from((code & 0xffff) as u16)
    }
}

/// Decodes until the output is full, the end code, or the end of the input; says how much there is.
fn run<const MSB: bool>(input: &[u8], out: &mut [u8], table: &mut Table) -> Result<usize> {
    let damaged = || Error::codec("lzw", "a code that is not in the table");
    if u32::try_from(out.len()).is_err() {
        return Err(Error::limit("lzw chunk", out.len() as u64, u64::from(u32::MAX)));
    }
    let table = &mut *table.0;
    let early = usize::from(MSB);
    let mut codes = Codes::<MSB> { input, at: 0, window: 0, have: 0 };
    let (mut at, mut next, mut bits) = (0usize, FIRST, 9u32);
    // The string before and where it stands; none at the beginning and behind a clear.
    let (mut before, mut start) = (Entry::NONE, 0usize);
    'codes: while at < out.len() {
        if next.wrapping_add(early) >= 1 << bits && bits < 12 {
            bits = bits.wrapping_add(1);
        }
        let limit = (1usize << bits).wrapping_sub(early);
        while !before.is_none() && next.wrapping_add(4) <= limit && at.saturating_add(BEYOND) <= out.len() && codes.fill().is_some() {
            for _ in 0..4 {
                let code = codes.take(bits);
                let entry = match code {
                    code if code < next => table.get(code),
                    // The string that begins here: the one before and its own first byte.
                    code if code == next => before.and(before.first(), start),
                    _ => return Err(damaged()),
                };
                if let Some(length) = entry.short() {
                    if let Some(to) = out.get_mut(at..at.wrapping_add(8)) {
                        to.copy_from_slice(&entry.0.to_le_bytes());
                    }
                    table.set(next, before.and(entry.first(), start));
                    next = next.wrapping_add(1);
                    (before, start, at) = (entry, at, at.wrapping_add(length));
                    continue;
                }
                if code == CLEAR {
                    (next, bits, before) = (FIRST, 9, Entry::NONE);
                    continue 'codes;
                }
                if entry.is_none() {
                    return Ok(at);
                }
                table.set(next, before.and(entry.first(), start));
                next = next.wrapping_add(1);
                let length = copy(out, entry, at);
                (before, start, at) = (entry, at, at.wrapping_add(length));
                if at.saturating_add(BEYOND) > out.len() {
                    continue 'codes;
                }
            }
        }
        if next >= limit && bits < 12 {
            continue;
        }
        codes.fill_bytes();
        if codes.have < bits {
            break;
        }
        let code = codes.take(bits);
        if code == CLEAR {
            (next, bits, before) = (FIRST, 9, Entry::NONE);
            continue;
        }
        if code == END {
            break;
        }
        if !before.is_none() && next < CODES {
            let first = if code == next { before.first() } else { table.get(code).first() };
            table.set(next, before.and(first, start));
            next = next.wrapping_add(1);
        }
        if code >= next {
            return Err(damaged());
        }
        let entry = table.get(code);
        let length = match entry.short() {
            Some(length) => {
                let room = out.get_mut(at..).unwrap_or_default();
                room.iter_mut().zip(entry.0.to_le_bytes().iter().take(length)).for_each(|(to, byte)| *to = *byte);
                length.min(room.len())
            }
            None => copy(out, entry, at),
        };
        (before, start, at) = (entry, at, at.wrapping_add(length));
    }
    Ok(at)
}

/// Copies a string that stands in the output, as much of it as there is room for; it ends behind the target's first byte at most.
#[inline(never)]
fn copy(out: &mut [u8], entry: Entry, at: usize) -> usize {
    let (from, length) = entry.long();
    let length = length.min(out.len().saturating_sub(at));
    let end = from.saturating_add(length);
    // So the byte that it may end with is there before it is read.
    if let Some(first) = out.get_mut(at) {
        *first = entry.first();
    }
    if length <= 32 && at.saturating_add(32) <= out.len() && end <= at.saturating_add(1) {
        out.copy_within(from..from.saturating_add(16), at);
        if length > 16 {
            out.copy_within(from.saturating_add(16)..from.saturating_add(32), at.saturating_add(16));
        }
    } else if end <= out.len() {
        out.copy_within(from..end, at);
    }
    length
}
