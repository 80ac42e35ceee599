//! Sizes, surplus and shortage, order of types and axes, and what is refused.

use super::*;
use crate::ErrorKind;
use crate::model::Compression;

fn compile(chain: &[CodecSpec], data_type: &DataType) -> Result<Chain> {
    Chain::compile(chain, data_type, &FillValue::ZERO, &Registry::default(), &Limits::default())
}

fn decode(chain: &[CodecSpec], data_type: &DataType, shape: &[u64], input: &[u8]) -> Result<Vec<u8>> {
    let limits = Limits::default();
    let chunk = ChunkContext::new(shape, data_type, &limits);
    let mut out = vec![0xaa; chunk.bytes()?.unwrap()];
    compile(chain, data_type)?.decode(input, &chunk, &mut Scratch::default(), &mut Output::Exact(&mut out))?;
    Ok(out)
}

fn vector(name: &str) -> Vector {
    vectors().into_iter().find(|v| v.name == name).unwrap()
}

/// Chains whose stream holds the 2000 bytes of `wave`.
const STREAMS: [&str; 8] = ["zlib", "zlib without its header", "gzip", "gzip, two members", "zstd", "zstd, two frames", "lzw", "packbits"];

#[test]
fn surplus_is_an_error_unless_it_is_to_be_left() {
    for name in STREAMS {
        let v = vector(name);
        for length in [0, 1, 100, 500, 999] {
            let strict = decode(&v.chain, &DataType::U16, &[length], &v.encoded);
            // These two are of TIFF alone.
            assert_eq!(strict.is_ok(), matches!(name, "lzw" | "packbits"), "{name} of {length}: {strict:?}");
            let left: Vec<_> = v.chain.iter().cloned().chain([CodecSpec::LeaveSurplus]).collect();
            let out = decode(&left, &DataType::U16, &[length], &v.encoded).unwrap();
            assert_eq!(out, v.decoded[..length as usize * 2], "{name} of {length}");
            let predicted: Vec<_> = left.iter().cloned().chain([CodecSpec::Predictor { row: length.max(1), stride: 1 }]).collect();
            assert_eq!(decode(&predicted, &DataType::U16, &[length], &v.encoded).unwrap().len(), length as usize * 2);
        }
    }
}

/// Where surplus is left, decoding may end before the checksum is reached; what ends where the chunk does is held against it all the same.
#[test]
fn a_wrong_bit_is_found_where_surplus_would_be_left() {
    let v = vector("zlib");
    let left: Vec<_> = v.chain.iter().cloned().chain([CodecSpec::LeaveSurplus]).collect();
    for place in 0..v.encoded.len() * 8 {
        let mut damaged = v.encoded.clone();
        damaged[place / 8] ^= 1 << (place % 8);
        match decode(&left, &DataType::U16, &[1000], &damaged) {
            Ok(decoded) => assert!(decoded == v.decoded, "bit {place}"),
            Err(e) => assert!(matches!(e.kind(), ErrorKind::Checksum { .. } | ErrorKind::Codec { .. }), "bit {place}: {e}"),
        }
    }
    let cut = &v.encoded[..v.encoded.len() - 4];
    assert_eq!(decode(&left, &DataType::U16, &[1000], cut).unwrap(), v.decoded, "without its checksum");
}

#[test]
fn shortage_is_an_error() {
    for name in STREAMS {
        let v = vector(name);
        for length in [1001u64, 5000] {
            assert!(decode(&v.chain, &DataType::U16, &[length], &v.encoded).is_err(), "{name}");
            let left: Vec<_> = v.chain.iter().cloned().chain([CodecSpec::LeaveSurplus]).collect();
            assert!(decode(&left, &DataType::U16, &[length], &v.encoded).is_err(), "{name}");
        }
    }
}

/// Of a chunk of 24 x 50 elements, so many along each axis lie inside of the array; the stream ends after 20 rows.
#[test]
fn what_lies_outside_of_the_array_may_be_missing() {
    let inside = |chain: &[CodecSpec], data_type: &DataType, input: &[u8], inside: [u64; 2]| -> Result<Vec<u8>> {
        let limits = Limits::default();
        let chunk = ChunkContext::new(&[24, 50], data_type, &limits).inside(inside.iter().copied());
        let mut out = vec![0xaa; chunk.bytes()?.unwrap()];
        compile(chain, data_type)?.decode(input, &chunk, &mut Scratch::default(), &mut Output::Exact(&mut out))?;
        Ok(out)
    };
    let stored = vector("zlib").decoded;
    let streams = STREAMS.iter().map(|name| (*name, vector(name).chain, vector(name).encoded));
    let streams = streams.chain([("stored", vec![], stored.clone())]);
    let predictors = [
        vec![],
        vec![CodecSpec::ByteOrder(Endian::Big)],
        vec![CodecSpec::Predictor { row: 50, stride: 1 }],
        vec![CodecSpec::FloatPredictor { row: 50, stride: 1 }],
    ];
    for (name, stream, encoded) in streams {
        for then in &predictors {
            let chain: Vec<_> = stream.iter().cloned().chain([CodecSpec::LeaveSurplus]).chain(then.iter().cloned()).collect();
            // What the rows that are there become on their own.
            let whole = decode(&chain, &DataType::U16, &[20, 50], &encoded).unwrap();
            for lengths in [[20, 50], [20, 1], [7, 50]] {
                let out = inside(&chain, &DataType::U16, &encoded, lengths).unwrap_or_else(|e| panic!("{name} {then:?} {lengths:?}: {e}"));
                let needed = (lengths[0] as usize - 1) * 100 + lengths[1] as usize * 2;
                assert!(out[..needed] == whole[..needed], "{name} {then:?} {lengths:?}");
                assert!(out[2000..].iter().all(|b| *b == 0), "{name} {then:?} {lengths:?}");
            }
            for lengths in [[21, 1], [21, 50], [24, 50]] {
                assert!(inside(&chain, &DataType::U16, &encoded, lengths).is_err(), "{name} {then:?} {lengths:?}");
            }
            let strict: Vec<_> = stream.iter().cloned().chain(then.iter().cloned()).collect();
            assert!(inside(&strict, &DataType::U16, &encoded, [20, 50]).is_err(), "{name} {then:?}");
        }
    }
    // Within a row: 50 samples of 12 bits are 75 bytes; 10 rows and 7 samples need 761 bytes and no byte less.
    let bits = [CodecSpec::LeaveSurplus, CodecSpec::UnpackBits { bits: 12, row: 50 }];
    assert!(inside(&bits, &DataType::U16, &stored[..761], [11, 7]).is_ok());
    assert!(inside(&bits, &DataType::U16, &stored[..760], [11, 7]).is_err());
    let bits = [CodecSpec::LeaveSurplus, CodecSpec::Float24(Endian::Little)];
    assert!(inside(&bits, &DataType::F32, &stored[..(10 * 50 + 7) * 3], [11, 7]).is_ok());
    assert!(inside(&bits, &DataType::F32, &stored[..(10 * 50 + 7) * 3 - 1], [11, 7]).is_err());
}

#[test]
fn stored_bytes_have_the_chunks_length() {
    let none = &[];
    assert!(compile(none, &DataType::U16).unwrap().is_identity());
    assert_eq!(decode(none, &DataType::U16, &[2], &[1, 2, 3, 4]).unwrap(), [1, 2, 3, 4]);
    assert!(decode(none, &DataType::U16, &[2], &[1, 2, 3]).is_err());
    assert!(decode(none, &DataType::U16, &[2], &[1, 2, 3, 4, 5]).is_err());
    let left = &[CodecSpec::LeaveSurplus];
    assert!(!compile(left, &DataType::U16).unwrap().is_identity());
    assert_eq!(decode(left, &DataType::U16, &[2], &[1, 2, 3, 4, 5]).unwrap(), [1, 2, 3, 4]);
    assert!(decode(left, &DataType::U16, &[2], &[1, 2, 3]).is_err());
    let big = &[CodecSpec::ByteOrder(Endian::Big), CodecSpec::ReverseBits];
    assert!(decode(big, &DataType::U16, &[2], &[1, 2, 3]).is_err());
    assert!(decode(big, &DataType::U16, &[2], &[1, 2, 3, 4, 5]).is_err());
    assert!(compile(&[CodecSpec::ByteOrder(Endian::native()), CodecSpec::Shuffle { element: 1 }], &DataType::U8).unwrap().is_identity());
    assert!(compile(&[CodecSpec::ByteOrder(Endian::Big)], &DataType::U8).unwrap().is_identity());
}

#[test]
fn a_checksum_that_differs_is_told_apart() {
    for name in ["crc32", "crc32 end", "adler32", "fletcher32"] {
        let mut v = vector(name);
        let at = v.encoded.len() / 2;
        v.encoded[at] ^= 0x10;
        let error = decode(&v.chain, &v.data_type, &v.shape, &v.encoded).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Checksum { .. }), "{name}: {error}");
    }
}

#[test]
fn a_leader_cuts_what_follows() {
    let chain = [CodecSpec::SizeLeader];
    assert_eq!(decode(&chain, &DataType::U8, &[3], &[3, 0, 0, 0, 7, 8, 9, 1, 2]).unwrap(), [7, 8, 9]);
    assert!(decode(&chain, &DataType::U8, &[3], &[6, 0, 0, 0, 7, 8, 9, 1, 2]).is_err());
    assert!(decode(&chain, &DataType::U8, &[3], &[3, 0]).is_err());
}

/// What old writers gave: 9 to 12 bits a code, the least significant bit first, widened when the table is full.
fn old_lzw(data: &[u8]) -> Vec<u8> {
    let (mut out, mut window, mut have) = (Vec::new(), 0u64, 0);
    let mut put = |code: u64, bits: u32| {
        window |= code << have;
        have += bits;
        while have >= 8 {
            out.push(window as u8);
            window >>= 8;
            have -= 8;
        }
    };
    put(256, 9);
    let mut table = std::collections::HashMap::new();
    let (mut next, mut bits) = (258u64, 9);
    let mut current: Vec<u8> = Vec::new();
    let code = |s: &[u8], table: &std::collections::HashMap<Vec<u8>, u64>| if s.len() == 1 { u64::from(s[0]) } else { table[s] };
    for byte in data {
        let longer = [current.as_slice(), &[*byte]].concat();
        if longer.len() == 1 || table.contains_key(&longer) {
            current = longer;
            continue;
        }
        put(code(&current, &table), bits);
        if next < 4096 {
            table.insert(longer, next);
        }
        next += 1;
        // The decoder is one string behind.
        if next > 1 << bits && bits < 12 {
            bits += 1;
        }
        current = vec![*byte];
    }
    put(code(&current, &table), bits);
    put(257, bits);
    put(0, 16);
    out
}

#[test]
fn lzw_of_the_old_form_is_known_by_its_first_code() {
    let data = wave(1000);
    let encoded = old_lzw(&data);
    for bits in [LzwBits::Msb, LzwBits::Old] {
        assert_eq!(decode(&[CodecSpec::Lzw(bits)], &DataType::U8, &[1000], &encoded).unwrap(), data);
    }
}

#[test]
fn a_whole_shard_with_an_absent_chunk() {
    // Two by two inner chunks of 2 x 3 bytes; chunk 2 is absent; the index, with its checksum, at the end and at the start.
    let chunk = |n: u8| (0..6).map(|i| n * 10 + i).collect::<Vec<u8>>();
    let stored = [chunk(1), chunk(2), chunk(4)].concat();
    for at_start in [false, true] {
        let base = if at_start { 68 } else { 0 };
        let mut index: Vec<u8> = [base, 6, base + 6, 6, u64::MAX, u64::MAX, base + 12, 6].iter().flat_map(|n: &u64| n.to_le_bytes()).collect();
        index.extend(crc32c::crc32c(&index).to_le_bytes());
        let shard = if at_start { [index, stored.clone()].concat() } else { [stored.clone(), index].concat() };
        let spec = CodecSpec::Shard {
            chunk: vec![2, 3],
            chain: vec![],
            index_chain: vec![CodecSpec::Crc32c { at_start: false }, CodecSpec::ByteOrder(Endian::Little)],
            index_at_start: at_start,
            fill: bytes::Bytes::from_static(&[9]),
        };
        let wanted = [10, 11, 12, 20, 21, 22, 13, 14, 15, 23, 24, 25, 9, 9, 9, 40, 41, 42, 9, 9, 9, 43, 44, 45];
        assert_eq!(decode(std::slice::from_ref(&spec), &DataType::U8, &[4, 6], &shard).unwrap(), wanted);
        assert!(decode(std::slice::from_ref(&spec), &DataType::U8, &[5, 6], &shard).is_err());
        let step = &[spec.clone(), CodecSpec::Transpose(AxisOrder::f(2))];
        let turned = decode(step, &DataType::U8, &[6, 4], &shard).unwrap();
        assert_eq!(turned[..4], [10, 13, 9, 9]);
        for at in 0..shard.len() {
            let mut damaged = shard.clone();
            damaged[at] ^= 0x81;
            let result = decode(std::slice::from_ref(&spec), &DataType::U8, &[4, 6], &damaged);
            assert_eq!(result.is_err(), if at_start { at < 68 } else { at >= 18 }, "at {at}");
        }
        assert!(decode(std::slice::from_ref(&spec), &DataType::U8, &[4, 6], &shard[..60]).is_err());
    }
}

#[test]
fn a_stream_of_zeros_cannot_outgrow_its_chunk() {
    // A mebibyte of zeros over Blosc: what is between the two steps is bounded by the chunk.
    let mut bomb = vec![0u8; 2000];
    let mut encoder = zlib_rs::Deflate::new(9, true, 15);
    encoder.compress(&vec![0; 1 << 20], &mut bomb, zlib_rs::DeflateFlush::Finish).unwrap();
    if cfg!(feature = "blosc") {
        let error = decode(&[CodecSpec::Zlib, CodecSpec::Blosc], &DataType::U8, &[100], &bomb).unwrap_err();
        assert!(error.to_string().contains("more data than the chunk holds"), "{error}");
    }
    assert!(decode(&[CodecSpec::Zlib], &DataType::U8, &[100], &bomb).is_err());
}

#[test]
#[cfg(feature = "jpeg")]
fn a_jpeg_that_claims_more_than_its_chunk_is_refused_unread() {
    let mut v = vector("jpeg grey");
    let at = v.encoded.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    v.encoded[at + 5..at + 9].fill(0xff);
    let error = decode(&v.chain, &v.data_type, &v.shape, &v.encoded).unwrap_err();
    assert!(error.to_string().contains("65535 x 65535"), "{error}");
}

#[test]
#[cfg(feature = "jpeg")]
fn jpeg_tables_kept_apart() {
    let v = vector("jpeg grey");
    // Everything up to the frame header, and the Huffman tables behind it, become the tables.
    let (mut tables, mut rest, mut at) = (vec![0xff, 0xd8], vec![0xff, 0xd8], 2);
    while v.encoded[at + 1] != 0xda {
        let end = at + 2 + usize::from(u16::from_be_bytes([v.encoded[at + 2], v.encoded[at + 3]]));
        if matches!(v.encoded[at + 1], 0xdb | 0xc4) { &mut tables } else { &mut rest }.extend(&v.encoded[at..end]);
        at = end;
    }
    tables.extend([0xff, 0xd9]);
    rest.extend(&v.encoded[at..]);
    let spec = |tables: Option<Vec<u8>>| CodecSpec::Jpeg { tables: tables.map(Into::into), color: JpegColor::AsStored, samples: 1, bits: 8 };
    let whole = decode(&v.chain, &v.data_type, &v.shape, &v.encoded).unwrap();
    assert_eq!(decode(&[spec(Some(tables.clone()))], &v.data_type, &v.shape, &rest).unwrap(), whole);
    assert!(decode(&[spec(None)], &v.data_type, &v.shape, &rest).is_err());
    // Without Huffman tables anywhere the standard ones are meant, and this encoder used them.
    let (mut quantization, mut at) = (vec![0xff, 0xd8], 2);
    while tables.get(at + 1).is_some_and(|m| *m != 0xd9) {
        let end = at + 2 + usize::from(u16::from_be_bytes([tables[at + 2], tables[at + 3]]));
        if tables[at + 1] == 0xdb {
            quantization.extend(&tables[at..end]);
        }
        at = end;
    }
    assert_eq!(decode(&[spec(Some(quantization))], &v.data_type, &v.shape, &rest).unwrap(), whole);
}

/// A stream up to the data of its scan, and the data.
#[cfg(feature = "jpeg")]
fn parted(stream: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut segments = crate::model::jpeg::Segments::new(stream);
    assert_eq!(segments.by_ref().last().unwrap().0, 0xda);
    let (headers, data) = stream.split_at(stream.len() - segments.rest.len());
    (headers.to_vec(), data.to_vec())
}

#[test]
#[cfg(feature = "jpeg")]
fn jpeg_headers_kept_apart() {
    for (name, bits) in [("jpeg grey", 8), ("jpeg grey with restarts", 8), ("deep jpeg grey", 12), ("lossless jpeg, predictor 1", 12)] {
        let v = vector(name);
        let (mut headers, data) = parted(&v.encoded);
        // The height is that of the image, of which the chunk is a strip.
        let frame = headers.windows(2).position(|w| matches!(w, [0xff, 0xc0 | 0xc1 | 0xc3])).unwrap();
        headers[frame + 5..frame + 7].fill(0x70);
        let spec = CodecSpec::Jpeg { tables: Some(headers.into()), color: JpegColor::AsStored, samples: 1, bits };
        assert_eq!(decode(&[spec], &v.data_type, &v.shape, &data).unwrap(), v.decoded, "{name}");
    }
}

#[test]
#[cfg(feature = "jpeg")]
fn jpeg_with_a_height_beyond_the_chunk() {
    for (name, mark) in [("deep jpeg grey", 0xc1), ("lossless jpeg, predictor 4", 0xc3)] {
        let v = vector(name);
        let whole = decode(&v.chain, &v.data_type, &v.shape, &v.encoded).unwrap();
        assert_eq!(decode(&v.chain, &v.data_type, &[10, 27], &v.encoded).unwrap(), whole[..10 * 27 * 2], "{name}");
        let mut large = v.encoded.clone();
        let frame = large.windows(2).position(|w| w == [0xff, mark]).unwrap();
        large[frame + 5..frame + 7].fill(0xff);
        let limits = Limits { max_chunk_bytes: 1 << 20, ..Limits::default() };
        let decoded = v.decode(&v.compile(&limits), &large, 0, &mut Scratch::default());
        // Of a lossless stream no row is decoded that is not wanted; the other one has to end before its frame does.
        assert_eq!(decoded.is_ok(), mark == 0xc3, "{name}");
    }
}

#[test]
#[cfg(feature = "jpeg")]
fn jpeg_of_pairs_of_pixels() {
    // Camera raw files: 26 columns of one sample as 13 columns of two components are the same samples in the same order.
    let v = vector("lossless jpeg of two components");
    let spec = [CodecSpec::Jpeg { tables: None, color: JpegColor::AsStored, samples: 1, bits: 16 }];
    assert_eq!(decode(&spec, &v.data_type, &[19, 26], &v.encoded).unwrap(), v.decoded);
    assert!(decode(&spec, &v.data_type, &[19, 13], &v.encoded).is_err());
}

#[test]
#[cfg(feature = "jpeg")]
fn jpeg_that_is_not_read_is_refused_by_name() {
    let changed = |name: &str, mark: u8, at: usize, to: u8| {
        let mut v = vector(name);
        let place = v.encoded.windows(2).position(|w| w == [0xff, mark]).unwrap();
        v.encoded[place + at] = to;
        decode(&v.chain, &v.data_type, &v.shape, &v.encoded).unwrap_err().to_string()
    };
    // (stream, marker, byte behind it, changed to, message)
    let cases = [
        ("deep jpeg grey", 0xc1, 1, 0xc2, "progressive JPEG of 12 bits a sample"),
        ("deep jpeg grey", 0xc1, 1, 0xc9, "JPEG with arithmetic coding"),
        ("deep jpeg grey", 0xc1, 1, 0xc5, "hierarchical JPEG"),
        ("deep jpeg grey", 0xc1, 4, 10, "10 bits a sample"),
        ("deep jpeg grey", 0xc1, 4, 8, "samples of 8 bits where the chunk has 12"),
        ("deep jpeg grey", 0xc1, 11, 0x51, "sampling factors of 5 x 1"),
        ("deep jpeg grey", 0xc1, 12, 3, "no quantization table"),
        ("deep jpeg grey", 0xda, 6, 0x22, "no DC table"),
        ("deep jpeg grey", 0xda, 7, 1, "a sequential scan of part of the coefficients"),
        ("deep jpeg grey", 0xda, 5, 9, "a scan of a component that the frame does not have"),
        ("deep jpeg 420", 0xc1, 14, 0x33, "JPEG whose components differ in resolution by a fraction"),
        ("deep jpeg 420", 0xda, 7, 1, "a component in two scans"),
        ("lossless jpeg, predictor 1", 0xda, 7, 8, "lossless predictor 8 with point transform 0"),
        ("lossless jpeg of 16 bits", 0xc3, 11, 0x21, "lossless JPEG whose components differ in resolution"),
    ];
    for (name, mark, at, to, message) in cases {
        let error = changed(name, mark, at, to);
        assert!(error.contains(message), "{name}: {error}, not {message}");
    }
}

#[test]
#[cfg(feature = "lerc")]
fn a_lerc_mask_is_given_beside_the_values() {
    let (v, limits, mut scratch) = (vector("lerc with a mask"), Limits::default(), Scratch::default());
    v.decode(&v.compile(&limits), &v.encoded, 0, &mut scratch).unwrap();
    let validity = scratch.validity.clone().unwrap();
    let valid: Vec<u8> = v.decoded.as_chunks::<4>().0.iter().map(|b| u8::from(!f32::from_ne_bytes(*b).is_nan())).collect();
    assert_eq!(validity, valid);
    let v = vector("lerc f4");
    v.decode(&v.compile(&limits), &v.encoded, 0, &mut scratch).unwrap();
    assert!(scratch.validity.is_none());
}

#[test]
fn the_callers_own_codec() {
    #[derive(Debug)]
    struct Invert;
    impl Codec for Invert {
        fn name(&self) -> &str {
            "invert"
        }
        fn input_size(&self, output: Size, _: &ChunkContext<'_>) -> Size {
            output
        }
        fn decode(&self, input: &[u8], _: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
            match output {
                Output::Exact(out) if out.len() == input.len() => out.iter_mut().zip(input).for_each(|(o, i)| *o = !i),
                _ => return Err(Error::codec("invert", "another size")),
            }
            Ok(())
        }
    }
    let other = CodecSpec::Other { name: "invert".into(), configuration: RawJson::default() };
    let chain = [CodecSpec::Zstd, other.clone(), CodecSpec::ByteOrder(Endian::Big)];
    let registry = Registry::default().with("invert", Arc::new(|_: &RawJson, _: &DataType| Ok(Arc::new(Invert) as Arc<dyn Codec>)));
    let compiled = Chain::compile(&chain, &DataType::U16, &FillValue::ZERO, &registry, &Limits::default()).unwrap();
    assert_eq!(compiled.names(), ["zstd", "invert", "byte-order"]);
    assert!(compile(&[other], &DataType::U16).unwrap_err().is_unsupported());
}

#[test]
fn contradictions_are_refused_when_compiled() {
    let unknown = CodecSpec::Other { name: "json2".into(), configuration: RawJson::default() };
    let table: [(&[CodecSpec], DataType); 9] = [
        (&[CodecSpec::Zlib], DataType::Text),
        (&[CodecSpec::Vlen], DataType::U8),
        (&[unknown], DataType::U8),
        (&[CodecSpec::Predictor { row: 4, stride: 3 }], DataType::U8),
        (&[CodecSpec::Predictor { row: 4, stride: 1 }], DataType::ComplexF64),
        (&[CodecSpec::FloatPredictor { row: u64::MAX, stride: 1 }], DataType::F32),
        (&[CodecSpec::UnpackBits { bits: 12, row: 5 }], DataType::U8),
        (&[CodecSpec::UnpackBits { bits: 0, row: 5 }], DataType::U8),
        (&[CodecSpec::Cast { stored: DataType::U8, decoded: DataType::F64 }], DataType::F32),
    ];
    for (chain, data_type) in table {
        assert!(compile(chain, &data_type).is_err(), "{chain:?} of {data_type}");
    }
    let many = vec![CodecSpec::Zlib; 33];
    assert!(matches!(compile(&many, &DataType::U8).unwrap_err().kind(), ErrorKind::Limit { .. }));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_as_any_codec(which: u8, data in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        fuzzing::codec(which, &data);
    }

    #[test]
    fn any_chain_over_any_bytes(data in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        fuzzing::chain(&data);
    }
}

#[test]
fn what_this_build_lacks_is_refused_by_its_feature() {
    let jpeg = CodecSpec::Jpeg { tables: None, color: JpegColor::AsStored, samples: 3, bits: 8 };
    let pcodec = CodecSpec::Other { name: "pcodec".into(), configuration: RawJson::default() };
    let table = [
        (CodecSpec::Blosc, "blosc", "blosc", cfg!(feature = "blosc")),
        (CodecSpec::Bzip2, "bzip2", "bzip2", cfg!(feature = "bzip2")),
        (CodecSpec::Xz, "lzma", "lzma", cfg!(feature = "lzma")),
        (jpeg, "jpeg", "jpeg", cfg!(feature = "jpeg")),
        (CodecSpec::Webp { samples: 3 }, "webp", "webp", cfg!(feature = "webp")),
        (CodecSpec::JpegXl { samples: 3 }, "jpegxl", "jxl", cfg!(feature = "jxl")),
        (CodecSpec::Jpeg2000 { samples: 3 }, "jpeg2000", "jpeg2000", cfg!(feature = "jpeg2000")),
        (CodecSpec::Png { samples: 3 }, "png", "png", cfg!(feature = "png")),
        (CodecSpec::Lerc { samples: 3 }, "lerc", "lerc", cfg!(feature = "lerc")),
        (pcodec, "pcodec", "pcodec", cfg!(feature = "pcodec")),
    ];
    for (spec, name, feature, is_on) in table {
        let data_type = if name == "pcodec" { DataType::F32 } else { DataType::U8 };
        match compile(&[spec], &data_type) {
            Ok(_) => assert!(is_on, "{name}"),
            Err(error) => {
                assert!(!is_on, "{name}: {error}");
                let told = format!("codec {name}: built without the feature \"{feature}\"");
                assert_eq!(error.kind(), &ErrorKind::Unsupported(told));
            }
        }
    }
}

/// What a run of one byte becomes where compressors do their best stays within what their codecs are said to give.
#[test]
fn no_stream_gives_more_than_its_codec_can() {
    const LENGTH: usize = 8 << 20;
    let limits = Limits::default();
    let shape = [LENGTH as u64];
    let chunk = ChunkContext::new(&shape, &DataType::U8, &limits);
    let run = vec![7_u8; LENGTH];
    for (spec, compression) in [
        (CodecSpec::Zlib, Compression::Zlib { level: 9 }),
        (CodecSpec::Gzip, Compression::Gzip { level: 9 }),
        (CodecSpec::Zstd, Compression::Zstd { level: 9, checksum: false }),
    ] {
        let encoder = crate::codec::Encoder::compile(std::slice::from_ref(&spec), &DataType::U8, &compression).unwrap();
        let stored = encoder.encode(run.clone(), &chunk, &mut Scratch::default()).unwrap();
        let chain = Chain::compile(&[spec], &DataType::U8, &FillValue::ZERO, &Registry::default(), &limits).unwrap();
        chain.check_stored(&stored, &chunk).unwrap();
        // One that is far too short is refused, though a decoder was never asked.
        assert!(chain.check_stored(&stored[..stored.len() / 40], &chunk).is_err(), "{:?}", chain.names());
    }
    // As they are, and with all that is needed of them where the rest lies outside of the array.
    let plain = Chain::compile(&[], &DataType::U8, &FillValue::ZERO, &Registry::default(), &limits).unwrap();
    assert!(plain.check_stored(&run, &chunk).is_ok() && plain.check_stored(&run[1..], &chunk).is_err());
    let tolerant = Chain::compile(&[CodecSpec::LeaveSurplus], &DataType::U8, &FillValue::ZERO, &Registry::default(), &limits).unwrap();
    let inside = chunk.clone().inside([100].into_iter());
    assert!(tolerant.check_stored(&run[..100], &inside).is_ok() && tolerant.check_stored(&run[..99], &inside).is_err());
}
