//! The codes of runs and of modes (ITU-T T.4, tables 2 and 3; T.6, table 1).

/// What a prefix of the data says of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbol {
    /// Pixels, and more of the same colour to come.
    MakeUp(u16),
    /// The last pixels of a run.
    Last(u16),
    /// No code begins so.
    None,
}

/// A symbol and the bits of its code.
#[derive(Debug, Clone, Copy)]
pub(super) struct Code {
    pub(super) symbol: Symbol,
    pub(super) bits: u8,
}

/// Bits of the longest code of a run.
pub(super) const LONGEST: u32 = 13;

/// The code at the start of each possible [`LONGEST`] bits.
pub(super) type Table = [Code; 1 << LONGEST];

pub(super) static WHITE: Table = table(&WHITE_LAST, &WHITE_MAKE_UP);
pub(super) static BLACK: Table = table(&BLACK_LAST, &BLACK_MAKE_UP);

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_possible_truncation, reason = "computed by the compiler")]
const fn table(last: &[&str; 64], make_up: &[&str; 27]) -> Table {
    let mut table = [Code { symbol: Symbol::None, bits: 0 }; 1 << LONGEST];
    let mut i = 0;
    while i < last.len() {
        enter(&mut table, last[i], Symbol::Last(i as u16));
        i += 1;
    }
    i = 0;
    while i < make_up.len() {
        enter(&mut table, make_up[i], Symbol::MakeUp(64 * (i as u16 + 1)));
        i += 1;
    }
    i = 0;
    while i < EXTENDED.len() {
        enter(&mut table, EXTENDED[i], Symbol::MakeUp(1792 + 64 * i as u16));
        i += 1;
    }
    table
}

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_possible_truncation, reason = "computed by the compiler")]
const fn enter(table: &mut Table, code: &str, symbol: Symbol) {
    let digits = code.as_bytes();
    let (mut value, mut i) = (0, 0);
    while i < digits.len() {
        value = value << 1 | (digits[i] - b'0') as usize;
        i += 1;
    }
    let unused = LONGEST as usize - digits.len();
    let (mut at, end) = (value << unused, (value + 1) << unused);
    while at < end {
        table[at] = Code { symbol, bits: digits.len() as u8 };
        at += 1;
    }
}

/// Runs of 0 to 63 pixels.
#[rustfmt::skip]
const WHITE_LAST: [&str; 64] = [
    "00110101", "000111", "0111", "1000", "1011", "1100", "1110", "1111",
    "10011", "10100", "00111", "01000", "001000", "000011", "110100", "110101",
    "101010", "101011", "0100111", "0001100", "0001000", "0010111", "0000011", "0000100",
    "0101000", "0101011", "0010011", "0100100", "0011000", "00000010", "00000011", "00011010",
    "00011011", "00010010", "00010011", "00010100", "00010101", "00010110", "00010111", "00101000",
    "00101001", "00101010", "00101011", "00101100", "00101101", "00000100", "00000101", "00001010",
    "00001011", "01010010", "01010011", "01010100", "01010101", "00100100", "00100101", "01011000",
    "01011001", "01011010", "01011011", "01001010", "01001011", "00110010", "00110011", "00110100",
];

/// 64 to 1728 pixels in steps of 64.
#[rustfmt::skip]
const WHITE_MAKE_UP: [&str; 27] = [
    "11011", "10010", "010111", "0110111", "00110110", "00110111", "01100100", "01100101",
    "01101000", "01100111", "011001100", "011001101", "011010010", "011010011", "011010100", "011010101",
    "011010110", "011010111", "011011000", "011011001", "011011010", "011011011", "010011000", "010011001",
    "010011010", "011000", "010011011",
];

#[rustfmt::skip]
const BLACK_LAST: [&str; 64] = [
    "0000110111", "010", "11", "10", "011", "0011", "0010", "00011",
    "000101", "000100", "0000100", "0000101", "0000111", "00000100", "00000111", "000011000",
    "0000010111", "0000011000", "0000001000", "00001100111", "00001101000", "00001101100", "00000110111", "00000101000",
    "00000010111", "00000011000", "000011001010", "000011001011", "000011001100", "000011001101", "000001101000", "000001101001",
    "000001101010", "000001101011", "000011010010", "000011010011", "000011010100", "000011010101", "000011010110", "000011010111",
    "000001101100", "000001101101", "000011011010", "000011011011", "000001010100", "000001010101", "000001010110", "000001010111",
    "000001100100", "000001100101", "000001010010", "000001010011", "000000100100", "000000110111", "000000111000", "000000100111",
    "000000101000", "000001011000", "000001011001", "000000101011", "000000101100", "000001011010", "000001100110", "000001100111",
];

#[rustfmt::skip]
const BLACK_MAKE_UP: [&str; 27] = [
    "0000001111", "000011001000", "000011001001", "000001011011", "000000110011", "000000110100", "000000110101", "0000001101100",
    "0000001101101", "0000001001010", "0000001001011", "0000001001100", "0000001001101", "0000001110010", "0000001110011", "0000001110100",
    "0000001110101", "0000001110110", "0000001110111", "0000001010010", "0000001010011", "0000001010100", "0000001010101", "0000001011010",
    "0000001011011", "0000001100100", "0000001100101",
];

/// 1792 to 2560 pixels of either colour.
#[rustfmt::skip]
const EXTENDED: [&str; 13] = [
    "00000001000", "00000001100", "00000001101", "000000010010", "000000010011", "000000010100", "000000010101",
    "000000010110", "000000010111", "000000011100", "000000011101", "000000011110", "000000011111",
];

/// How the next change of colour is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It is beyond the next run of the row above.
    Pass,
    /// As two runs.
    Horizontal,
    /// Up to three pixels from the change in the row above.
    Vertical(i8),
    /// Uncompressed data, or another extension.
    Extension,
    /// No mode begins so.
    None,
}

/// The mode that 7 bits begin with, and the bits of its code.
pub(super) fn mode(bits: usize) -> (Mode, u32) {
    match bits {
        0 => (Mode::None, 0),
        1 => (Mode::Extension, 7),
        2 => (Mode::Vertical(-3), 7),
        3 => (Mode::Vertical(3), 7),
        4..=5 => (Mode::Vertical(-2), 6),
        6..=7 => (Mode::Vertical(2), 6),
        8..=15 => (Mode::Pass, 4),
        16..=31 => (Mode::Horizontal, 3),
        32..=47 => (Mode::Vertical(-1), 3),
        48..=63 => (Mode::Vertical(1), 3),
        _ => (Mode::Vertical(0), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_begins_another() {
        for (name, last, make_up) in [("white", &WHITE_LAST, &WHITE_MAKE_UP), ("black", &BLACK_LAST, &BLACK_MAKE_UP)] {
            let codes: Vec<&str> = last.iter().chain(make_up).chain(&EXTENDED).copied().collect();
            for (i, a) in codes.iter().enumerate() {
                for (j, b) in codes.iter().enumerate() {
                    assert!(i == j || !b.starts_with(a), "{name}: {a} begins {b}");
                }
            }
        }
    }
}
