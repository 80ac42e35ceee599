//! CCITT fax against streams put together by hand from the tables of T.4 and T.6.

use super::*;
use crate::error::ErrorKind;
use crate::model::FaxCoding;

const RLE: FaxCoding = FaxCoding::Rle;
const WORDS: FaxCoding = FaxCoding::RleWords;
const G3: FaxCoding = FaxCoding::Group3 { two_dimensional: false };
const G3_2D: FaxCoding = FaxCoding::Group3 { two_dimensional: true };
const G4: FaxCoding = FaxCoding::Group4;

/// Bits as bytes, the last filled with zeros; `|` fills one before its time.
fn bits(text: &str) -> Vec<u8> {
    let (mut out, mut used) = (Vec::new(), 8);
    for c in text.chars() {
        match c {
            '|' => used = 8,
            '0' | '1' => {
                if used == 8 {
                    out.push(0u8);
                    used = 0;
                }
                *out.last_mut().unwrap() |= u8::from(c == '1') << (7 - used);
                used += 1;
            }
            ' ' => {}
            other => panic!("{other}"),
        }
    }
    out
}

fn decode(coding: FaxCoding, width: usize, rows: usize, stream: &str) -> Result<String> {
    let limits = Limits::default();
    let shape = [1, rows as u64, width as u64];
    let chunk = ChunkContext::new(&shape, &DataType::U8, &limits);
    let chain = Chain::compile(&[CodecSpec::Fax(coding)], &DataType::U8, &FillValue::ZERO, &Registry::default(), &limits)?;
    let mut out = vec![0xaa; width * rows];
    chain.decode(&bits(stream), &chunk, &mut Scratch::default(), &mut Output::Exact(&mut out))?;
    let line = |row: &[u8]| row.iter().map(|pixel| if *pixel < 2 { char::from(b'0' + pixel) } else { '?' }).collect::<String>();
    Ok(out.chunks(width).map(line).collect::<Vec<_>>().join(" "))
}

/// Name, coding, stream, rows.
const STREAMS: &[(&str, FaxCoding, &str, &str)] = &[
    // White 2, black 4, white 2; all white; black 4, white 4.
    ("runs, by bytes", RLE, "0111 011 0111 | 10011 | 00110101 011 1011", "00111100 00000000 11110000"),
    ("runs, by words", WORDS, "0111 011 0111 | 10011 | 00000000 | 00110101 011 1011", "00111100 00000000 11110000"),
    // White 64 and 6; white 64 and 0, black 6.
    (
        "make-up codes",
        RLE,
        "11011 1110 | 11011 00110101 0010",
        "0000000000000000000000000000000000000000000000000000000000000000000000 0000000000000000000000000000000000000000000000000000000000000000111111",
    ),
    ("lines", G3, "000000000001 0111 011 0111 000000000001 10011 000000000001 00110101 000101", "00111100 00000000 11111111"),
    (
        "lines that end on bytes",
        G3,
        "0000 000000000001 0111 011 0111 | 0000 000000000001 10011 | 0000 000000000001 00110101 000101",
        "00111100 00000000 11111111",
    ),
    ("lines without their codes", G3, "0111 011 0111 10011 00110101 000101", "00111100 00000000 11111111"),
    ("lines behind something else", G3, "1010 000000000001 0111 011 0111", "00111100"),
    // One to the right, straight, straight; a pass, straight.
    ("two dimensions", G3_2D, "0000000000011 0111 011 0111 0000000000010 011 1 1 0000000000010 0001 1", "00111100 00011100 00000000"),
    ("two dimensions, only lines", G3_2D, "0000000000011 0111 011 0111 0000000000011 10011", "00111100 00000000"),
    // Horizontal white 2, black 4; then as above; horizontal white 0, black 2; straight at once, one to the left twice.
    (
        "group 4",
        G4,
        "001 0111 011 1  011 1 1  0001 1  001 00110101 11 1  1 010 010 1  000000000001 000000000001",
        "00111100 00011100 00000000 11000000 10000001",
    ),
    ("group 4 without its end", G4, "001 0111 011 1  011 1 1", "00111100 00011100"),
    // Two and three to the right, three and two to the left.
    ("group 4, further", G4, "001 1100 0010 1  000011 0000011 1  0000010 000010 1", "0000011111100000 0000000111111100 0000111111110000"),
    ("group 4, a pass behind others", G4, "001 1000 11 001 1000 10 1  1 1 0001 1", "000110001110 000110000000"),
    // Black first: horizontal from black is black, then white.
    ("group 4, horizontal from black", G4, "001 0111 011 1  011 001 10 000111 1", "00111100 00011101"),
    // Damage.
    ("group 4 ends early", G4, "001 0111 011 1  000000000001 000000000001", "00111100 00000000 00000000"),
    ("group 4 ends early, and without its end", G4, "001 0111 011 1", "00111100 00000000"),
    ("lines end early", G3, "000000000001 0111 011 0111 000000000001 000000000001 000000000001", "00111100 00000000 00000000 00000000 00000000"),
    ("a run is too long", RLE, "0111 00001101000 | 10011 | 0111 011 10011", "00000000 00000000 00111100"),
    ("a line ends early", G3, "000000000001 0111 011 000000000001 0111 011 0111", "00111100 00111100"),
    ("a line is damaged", G3, "000000000001 0111 011 0111 000000000001 0111 000000001 1 000000000001 0111 011 0111", "00111100 00000000 00111100"),
];

#[test]
fn streams_by_hand() {
    for (name, coding, stream, rows) in STREAMS {
        let width = rows.find(' ').unwrap_or(rows.len());
        let count = rows.split(' ').count();
        assert_eq!(decode(*coding, width, count, stream).unwrap(), *rows, "{name}");
    }
}

#[test]
fn a_row_ends_with_its_pixels_whatever_their_number() {
    for width in [1, 7, 8, 9, 63, 64, 65] {
        // Straight down: every row is the white one above the first.
        let rows = decode(G4, width, 3, "111").unwrap();
        assert_eq!(rows, vec!["0".repeat(width); 3].join(" "));
    }
}

#[test]
fn what_is_refused() {
    let codec = |message: &str| ErrorKind::Codec { codec: "ccitt", message: message.into() };
    let table = [
        (RLE, "", codec("the data ends in row 0")),
        (RLE, "0111 011 0111", codec("the data ends in row 1")),
        (RLE, "0111 000000001", codec("a code that does not exist in row 0")),
        (G3, "000000000001 0111 011 0111", codec("the data ends in row 1")),
        (G3, "000000000001 000000000001 000000000001", codec("no row without damage")),
        (G4, "", codec("the data ends in row 0")),
        (G4, "000000000001 000000000001", codec("the data ends in row 0")),
        (G4, "001 0111 011 1  001 0111", codec("the data ends in row 1")),
        (G4, "001 0111 011 1  001 0111 000000001", codec("a code that does not exist in row 1")),
        // To the left of where the row is.
        (G4, "001 0111 011 1  001 1100 010 0000010 1", codec("a code that does not exist in row 1")),
        (G4, "001 0111 011 1  0000001 111", ErrorKind::Unsupported("ccitt uncompressed mode".into())),
    ];
    for (coding, stream, kind) in table {
        let error = decode(coding, 8, 2, stream).unwrap_err();
        assert_eq!(*error.kind(), kind, "{coding:?} {stream}");
    }
}
