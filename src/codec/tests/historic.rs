//! ThunderScan, NeXT and SGILog against streams put together by hand; what they decode to was read with libtiff too.

use super::*;
use crate::model::LogLuvCoding;

const L16: CodecSpec = CodecSpec::LogLuv(LogLuvCoding::L16);
const LUV32: CodecSpec = CodecSpec::LogLuv(LogLuvCoding::Luv32);
const LUV24: CodecSpec = CodecSpec::LogLuv(LogLuvCoding::Luv24);

fn decode(codec: &CodecSpec, shape: &[u64], stream: &str) -> Result<Vec<u16>> {
    let limits = Limits::default();
    let data_type = if matches!(codec, CodecSpec::LogLuv(_)) { DataType::I16 } else { DataType::U8 };
    let chunk = ChunkContext::new(shape, &data_type, &limits);
    let chain = Chain::compile(std::slice::from_ref(codec), &data_type, &FillValue::ZERO, &Registry::default(), &limits)?;
    let mut out = vec![0xaa; chunk.bytes()?.unwrap()];
    chain.decode(&hex(&stream.replace(' ', "")), &chunk, &mut Scratch::default(), &mut Output::Exact(&mut out))?;
    Ok(match data_type {
        DataType::U8 => out.iter().map(|n| u16::from(*n)).collect(),
        _ => out.as_chunks::<2>().0.iter().map(|n| u16::from_ne_bytes(*n)).collect(),
    })
}

/// A name, the codec, the chunk's shape, the stream in hexadecimal, the elements.
type Case<'a> = (&'a str, &'a CodecSpec, &'a [u64], &'a str, &'a [u16]);

#[test]
fn streams_by_hand() {
    let table: &[Case<'_>] = &[
        // A pixel of 5 and two more; one up, none, one down; three up, three down; a pixel of 15.
        ("thunderscan", &CodecSpec::ThunderScan, &[1, 8], "c5 02 5b 9d cf", &[5, 5, 5, 6, 5, 8, 5, 15]),
        ("thunderscan begins each row with 0", &CodecSpec::ThunderScan, &[2, 3], "c7 02 03", &[7, 7, 7, 0, 0, 0]),
        ("thunderscan counts modulo 16", &CodecSpec::ThunderScan, &[1, 3], "cf 89", &[15, 0, 1]),
        ("thunderscan leaves what is beyond the row", &CodecSpec::ThunderScan, &[2, 2], "c4 55 c1 c2", &[4, 5, 1, 2]),
        ("next: runs", &CodecSpec::Next, &[1, 6], "42 c1 83", &[1, 1, 3, 2, 2, 2]),
        ("next: a last run beyond the row", &CodecSpec::Next, &[1, 6], "42 bf", &[1, 1, 2, 2, 2, 2]),
        ("next: a row", &CodecSpec::Next, &[1, 6], "00 1b 90", &[0, 1, 2, 3, 2, 1]),
        ("next: a part of a row", &CodecSpec::Next, &[2, 6], "40 0001 0001 1b 06 83 43", &[3, 3, 3, 3, 0, 1, 0, 0, 0, 0, 0, 0]),
        // The high bytes as a run of three, the low ones as they are.
        ("sgilog", &L16, &[1, 3], "81 3a 03 010203", &[0x3a01, 0x3a02, 0x3a03]),
        ("sgilog: a run beyond the row", &L16, &[2, 2], "ff 3a 02 0102 80 3b ff 00", &[0x3a01, 0x3a02, 0x3b00, 0x3b00]),
        // (200 + 1/2) / 410 and 1/2 / 410, times 2^15.
        ("sgilog of colour", &LUV32, &[1, 2, 3], "80 3a 80 10 80 c8 80 00", &[0x3a10, 16024, 39, 0x3a10, 16024, 39]),
        // The first square, the last, and a code of none.
        ("sgilog24", &LUV24, &[1, 3, 3], "400000 403fa0 403fff", &[14338, 8172, 612, 14339, 3126, 19191, 14339, 6898, 15521]),
    ];
    for (name, codec, shape, stream, expected) in table {
        assert_eq!(decode(codec, shape, stream).unwrap(), *expected, "{name}");
    }
}

#[test]
fn what_is_refused() {
    let table: &[(&CodecSpec, &[u64], &str)] = &[
        (&CodecSpec::ThunderScan, &[1, 3], "c5 01"),
        (&CodecSpec::ThunderScan, &[1, 3], "c5 03"),
        (&CodecSpec::ThunderScan, &[2, 2], "c5 01"),
        (&CodecSpec::Next, &[1, 6], "42 c1"),
        (&CodecSpec::Next, &[1, 6], "00 1b"),
        (&CodecSpec::Next, &[1, 6], "40 0001 0002 1b1b"),
        (&CodecSpec::Next, &[1, 6], "40 0001"),
        (&CodecSpec::Next, &[2, 6], "46"),
        (&L16, &[1, 3], "81 3a 02 0102"),
        (&L16, &[1, 3], "81"),
        (&LUV32, &[1, 2, 3], "80 3a 80 10 80 c8"),
        (&LUV24, &[1, 2, 3], "4000000000"),
        // Colour where there is one sample.
        (&LUV24, &[1, 6], "400000 400000"),
    ];
    for (codec, shape, stream) in table {
        assert!(decode(codec, shape, stream).is_err(), "{codec:?} {stream}");
    }
    // An empty run does not lead on for ever.
    assert!(decode(&L16, &[1, 3], &"00".repeat(1000)).is_err());
}
