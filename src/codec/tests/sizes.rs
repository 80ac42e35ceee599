//! Streams of more, and of fewer, bytes than their chunk holds: the table of docs/limits.md.

use super::*;
use crate::model::LogLuvCoding;

/// What becomes of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Refused,
    /// What both hold is read.
    Read,
    /// Something else came of it.
    Wrong,
}
use Outcome::{Read, Refused};

/// What becomes of a stream that holds a row more than its chunk, of one that lacks a row, of zeros behind it, and of other bytes behind it; by the
/// beginnings of the vectors' names. The first that fits counts.
const TABLE: [(&[&str], [Outcome; 4]); 6] = [
    // The end of a page may be missing: rows without a change.
    (&["ccittfax4"], [Read, Read, Read, Read]),
    // An image of more rows than either chunk has.
    (
        &["jpeg2000, a short strip", "jpegxl, a short strip", "jpegxl with more, a short strip", "png, a short strip", "jpeg grey, a short strip"],
        [Read; 4],
    ),
    // What TIFF alone has: strips may be longer than the rows that they are for, and bytes are padded.
    (
        &["ccitt", "lzw", "packbits", "thunderscan", "next", "sgilog", "jpeg", "lossless jpeg", "deep jpeg", "own jpeg", "webp", "png", "lerc"],
        [Read, Refused, Read, Read],
    ),
    // Streams that know their end, in formats that pad.
    (
        &["zlib", "deflate", "blosc", "lzma alone", "raw lzma", "raw delta and lzma", "pcodec", "zfpy", "transpose over zlib"],
        [Refused, Refused, Read, Read],
    ),
    // RFC 1952 has members one after the other; zeros behind the last are padding.
    (&["gzip"], [Refused, Refused, Read, Refused]),
    (&[""], [Refused; 4]),
];

/// The shape with a row more or fewer.
fn resized(shape: &[u64], longer: bool) -> Vec<u64> {
    let mut shape = shape.to_vec();
    let rows = shape.iter_mut().find(|n| **n > 1).unwrap();
    *rows = if longer { *rows + 1 } else { *rows - 1 };
    shape
}

/// What a codec without a vector reads.
fn by_hand() -> [Vector; 3] {
    let vector = |name: &str, spec, data_type, shape: [u64; 2], encoded, decoded| Vector {
        name: name.to_owned(),
        chain: vec![spec],
        data_type,
        shape: shape.to_vec(),
        encoded: hex(encoded),
        decoded,
    };
    let log = [0x3a01_u16, 0x3a02, 0x3b00, 0x3b00].into_iter().flat_map(u16::to_ne_bytes).collect();
    [
        vector("thunderscan", CodecSpec::ThunderScan, DataType::U8, [2, 3], "c70203", vec![7, 7, 7, 0, 0, 0]),
        vector("next", CodecSpec::Next, DataType::U8, [2, 6], "42c18342c183", vec![1, 1, 3, 2, 2, 2, 1, 1, 3, 2, 2, 2]),
        vector("sgilog", CodecSpec::LogLuv(LogLuvCoding::L16), DataType::I16, [2, 2], "ff3a020102803bff00", log),
    ]
}

#[test]
fn surplus_and_shortage_are_as_documented() {
    let (limits, mut scratch) = (Limits::default(), Scratch::default());
    let mut other = Vec::new();
    let vectors = vectors().into_iter().chain(by_hand()).filter(|vector| vector.shape.iter().any(|n| *n > 1));
    for vector in vectors {
        let exactly = vector.decode(&vector.compile(&limits), &vector.encoded, 0, &mut scratch).unwrap();
        let mut outcome = |shape: Vec<u64>, behind: &[u8]| {
            let asked = Vector { shape, ..vector.clone() };
            let input = [&vector.encoded, behind].concat();
            // In buffers of two contents: what is not written shows.
            let mut decode = |before| asked.decode(&asked.compile(&limits), &input, before, &mut scratch);
            match (decode(0), decode(0xff)) {
                (Ok(a), Ok(b)) if a == b && a.iter().zip(&exactly).all(|(a, b)| a == b) => Read,
                (Err(a), Err(b)) if a.is_damage() && a.kind() == b.kind() => Refused,
                _ => Outcome::Wrong,
            }
        };
        let met = [
            outcome(resized(&vector.shape, false), b""),
            outcome(resized(&vector.shape, true), b""),
            outcome(vector.shape.clone(), &[0; 9]),
            outcome(vector.shape.clone(), b"and so on"),
        ];
        let (_, documented) = TABLE.iter().find(|(names, _)| names.iter().any(|name| vector.name.starts_with(name))).unwrap();
        if met != *documented {
            other.push(format!("{}: {met:?}, where {documented:?} is documented", vector.name));
        }
    }
    assert!(other.is_empty(), "{}", other.join("\n"));
}
