//! The LZW decoder against one as plain as the definition.

use super::*;
use crate::codec::lzw::Lzw;

/// Codes with their widths, packed.
struct Bits {
    bytes: Vec<u8>,
    have: usize,
    msb: bool,
}

impl Bits {
    fn put(&mut self, code: usize, width: usize) {
        for i in 0..width {
            let bit = code >> if self.msb { width - 1 - i } else { i } & 1;
            if self.have.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= (bit as u8) << if self.msb { 7 - self.have % 8 } else { self.have % 8 };
            self.have += 1;
        }
    }
}

/// Clears the table when it has `full` codes.
fn encode(data: &[u8], msb: bool, full: usize) -> Vec<u8> {
    let mut out = Bits { bytes: Vec::new(), have: 0, msb };
    let (early, mut width, mut given) = (usize::from(msb), 9, 258);
    out.put(256, 9);
    let mut table = std::collections::HashMap::new();
    let mut string: Vec<u8> = Vec::new();
    let code = |table: &std::collections::HashMap<Vec<u8>, usize>, s: &[u8]| if s.len() == 1 { s[0].into() } else { table[s] };
    for byte in data {
        let longer = [&string[..], &[*byte]].concat();
        if longer.len() == 1 || table.contains_key(&longer) {
            string = longer;
            continue;
        }
        out.put(code(&table, &string), width);
        if given < 4096 {
            table.insert(longer, given);
            given += 1;
        }
        // The decoder is one code behind.
        if given - 1 + early >= 1 << width && width < 12 {
            width += 1;
        }
        if given == full {
            out.put(256, width);
            (width, given) = (9, 258);
            table.clear();
        }
        string = vec![*byte];
    }
    if !string.is_empty() {
        out.put(code(&table, &string), width);
    }
    out.put(257, width);
    out.bytes
}

/// As the definition has it: a table of strings, bit by bit. `None` where a code is not in the table.
fn decode(input: &[u8], room: usize, msb: bool) -> Option<Vec<u8>> {
    let bit = |at: usize| usize::from(input[at / 8] >> if msb { 7 - at % 8 } else { at % 8 } & 1);
    let literals: Vec<Vec<u8>> = (0..258).map(|c| if c < 256 { vec![c as u8] } else { vec![] }).collect();
    let (mut table, mut width, mut at, mut out) = (literals.clone(), 9, 0, Vec::new());
    let mut before: Option<Vec<u8>> = None;
    while out.len() < room && at + width <= input.len() * 8 {
        let code = (0..width).fold(0, |code, i| if msb { code << 1 | bit(at + i) } else { code | bit(at + i) << i });
        at += width;
        match code {
            256 => (table, width, before) = (literals.clone(), 9, None),
            257 => break,
            code => {
                if let Some(before) = before
                    && table.len() < 4096
                {
                    let first = if code == table.len() { before[0] } else { table.get(code)?[0] };
                    table.push([&before[..], &[first]].concat());
                    if table.len() + usize::from(msb) >= 1 << width && width < 12 {
                        width += 1;
                    }
                }
                let string = table.get(code)?;
                out.extend_from_slice(string);
                before = Some(string.clone());
            }
        }
    }
    out.truncate(room);
    Some(out)
}

#[test]
fn lzw_is_as_its_definition() {
    let (limits, mut scratch) = (Limits::default(), Scratch::default());
    let chunk = ChunkContext::new(&[], &DataType::U8, &limits);
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut random = move |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % n
    };
    let mut check = |input: &[u8], room: usize, bits: LzwBits| {
        let msb = bits == LzwBits::Msb && !matches!(input, [0, second, ..] if second & 1 == 1);
        let plain = decode(input, room, msb);
        let mut out = vec![0x55; room];
        let exact = Lzw(bits).decode(input, &chunk, &mut scratch, &mut Output::Exact(&mut out));
        let told = plain.as_ref().map(|plain| plain.len() == room);
        assert_eq!(exact.is_ok(), told == Some(true), "{exact:?}");
        if exact.is_ok() {
            assert_eq!(Some(out), plain);
        }
        let mut out = Vec::new();
        let bounded = Lzw(bits).decode(input, &chunk, &mut scratch, &mut Output::Bounded { bytes: &mut out, most: room });
        assert_eq!(bounded.ok().map(|()| out), plain);
    };
    for round in 0..80usize {
        // Noise of few values, runs, and strings that come again: short and long codes, codes that are used at once.
        let length = if round < 40 { round } else { random(12_000) };
        let values = [1, 2, 3, 16, 256][random(5)];
        let mut data: Vec<u8> = Vec::new();
        while data.len() < length {
            match random(3) {
                0 => data.extend((0..1 + random(200)).map(|_| random(values) as u8)),
                1 => data.extend(vec![random(values) as u8; 1 + random(1000)]),
                _ => data.extend_from_within(random(data.len() + 1)..),
            }
            data.truncate(length);
        }
        for (bits, msb) in [(LzwBits::Msb, true), (LzwBits::Old, false)] {
            let full = [4094, 4095, 4096, 600, usize::MAX][random(5)];
            let encoded = encode(&data, msb, full);
            check(&encoded, length, bits);
            for _ in 0..3 {
                check(&encoded, random(length + 100), bits);
                check(&encoded[..random(encoded.len() + 1)], length, bits);
                let mut damaged = encoded.clone();
                for _ in 0..1 + random(3) {
                    let at = random(damaged.len());
                    damaged[at] = random(256) as u8;
                }
                check(&damaged, length + random(100), bits);
            }
        }
    }
}
