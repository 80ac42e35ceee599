//! Entry points of the fuzz targets: whatever the bytes, no panic, and nothing larger than 64 KiB comes out.

use super::{Chain, ChunkContext, Elements, Encoder, Output, Registry, Scratch};
use crate::model::{
    AxisOrder, BloscCompressor, BloscShuffle, CodecSpec, Compression, DataType, Endian, FaxCoding, FillValue, JpegColor, Limits, LogLuvCoding,
    LzwBits, RawJson,
};

const MOST: u64 = 64 << 10;

fn limits() -> Limits {
    Limits { max_chunk_bytes: MOST, max_stored_bytes: MOST << 4, max_page_bytes: MOST, ..Limits::default() }
}

/// Decodes a chunk, and parts of it: where all of it can be had, the parts are as they are in the whole.
fn run(specs: &[CodecSpec], data_type: &DataType, shape: &[u64], data: &[u8]) {
    let limits = limits();
    let Ok(chain) = Chain::compile(specs, data_type, &FillValue::ZERO, &Registry::default(), &limits) else { return };
    let mut scratch = Scratch::default();
    let whole = ChunkContext::new(shape, data_type, &limits);
    let bytes = match whole.bytes() {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            let _any = chain.decode(data, &whole, &mut scratch, &mut Output::Variable(&mut Elements::default()));
            return;
        }
        Err(_) => return,
    };
    // What stood in the output before is in no result.
    let mut decode = |chunk: &ChunkContext<'_>, before: u8| {
        let mut out = vec![before; bytes];
        chain.decode(data, chunk, &mut scratch, &mut Output::Exact(&mut out)).map(|()| out)
    };
    let all = decode(&whole, 0xa5);
    let size = data_type.size().unwrap_or(1);
    let count = bytes.checked_div(size).unwrap_or(0);
    let half: Vec<u64> = shape.iter().map(|n| n.div_ceil(2)).collect();
    let inside = whole.clone().inside(half.iter().copied());
    let middle = count / 3..count.div_ceil(2);
    let wanted = ChunkContext { wanted: Some(middle.clone()), trusted: true, ..whole.clone() };
    for (chunk, elements) in [(&inside, 0..inside.needed.unwrap_or(count)), (&wanted, middle)] {
        let part = decode(chunk, 0x5a);
        let Ok(all) = &all else { continue };
        let range = elements.start.saturating_mul(size)..elements.end.saturating_mul(size);
        let is_same = part.as_ref().is_ok_and(|part| part.get(range.clone()) == all.get(range.clone()));
        assert!(is_same, "{specs:?} of {data_type}, {shape:?}: elements {elements:?} differ from those of the whole: {:?}", part.err());
    }
    if let (Ok(all), Ok(Some(blocks))) = (&all, chain.blocks(data, &whole)) {
        let same = |block: usize, bytes: &[u8]| {
            let start = block.saturating_mul(blocks.block());
            assert!(all.get(start..start.saturating_add(bytes.len())) == Some(bytes), "{specs:?}: block {block} differs");
            Ok(())
        };
        assert!(blocks.decode(0..bytes, &mut Scratch::default(), same).is_ok());
    }
}

/// So many of the table are of images, by decoders of others for the most part: slow, and a target of their own.
const IMAGES: u8 = 18;
/// Of all of it.
const ALL: u8 = 50;

/// Codec number `which` of the table, the type of its elements, and the samples of a pixel.
fn of_table(which: u8) -> Option<(CodecSpec, DataType, u64)> {
    let jpeg = |samples, bits| CodecSpec::Jpeg { tables: None, color: JpegColor::ToRgb, samples, bits };
    let other = |name: &str| CodecSpec::Other { name: name.into(), configuration: RawJson::default() };
    let table: [_; ALL as usize] = [
        // `fuzz/seeds` counts on these being the first.
        (CodecSpec::JpegXl { samples: 1 }, DataType::U8, 1),
        (CodecSpec::JpegXl { samples: 1 }, DataType::U16, 1),
        (CodecSpec::JpegXl { samples: 4 }, DataType::U8, 4),
        (CodecSpec::JpegXl { samples: 1 }, DataType::F32, 1),
        (CodecSpec::Jpeg2000 { samples: 1 }, DataType::U8, 1),
        (CodecSpec::Jpeg2000 { samples: 1 }, DataType::I16, 1),
        (CodecSpec::Jpeg2000 { samples: 3 }, DataType::U8, 3),
        (CodecSpec::Png { samples: 1 }, DataType::U16, 1),
        (CodecSpec::Png { samples: 3 }, DataType::U8, 3),
        (jpeg(1, 8), DataType::U8, 1),
        (jpeg(3, 8), DataType::U8, 3),
        (jpeg(4, 8), DataType::U8, 4),
        // Extended of 12 bits, and lossless.
        (jpeg(1, 12), DataType::U16, 1),
        (jpeg(3, 12), DataType::U16, 3),
        (jpeg(1, 16), DataType::U16, 1),
        (jpeg(2, 16), DataType::U16, 2),
        (CodecSpec::Webp { samples: 3 }, DataType::U8, 3),
        (CodecSpec::Webp { samples: 4 }, DataType::U8, 4),
        (CodecSpec::Lerc { samples: 1 }, DataType::F32, 1),
        (CodecSpec::Lerc { samples: 3 }, DataType::U8, 3),
        (CodecSpec::Fax(FaxCoding::Rle), DataType::U8, 1),
        (CodecSpec::Fax(FaxCoding::Group3 { two_dimensional: false }), DataType::U8, 1),
        (CodecSpec::Fax(FaxCoding::Group4), DataType::U8, 1),
        (other("zfpy"), DataType::F32, 1),
        (other("zfpy"), DataType::I32, 1),
        (other("numcodecs.pcodec"), DataType::U16, 1),
        (other("numcodecs.pcodec"), DataType::F64, 1),
        (CodecSpec::Zlib, DataType::U16, 1),
        (CodecSpec::Deflate, DataType::U16, 1),
        (CodecSpec::Gzip, DataType::U16, 1),
        (CodecSpec::Zstd, DataType::U16, 1),
        (CodecSpec::Lz4, DataType::U16, 1),
        (CodecSpec::Blosc, DataType::U16, 1),
        (CodecSpec::Bzip2, DataType::U16, 1),
        (CodecSpec::Xz, DataType::U16, 1),
        (CodecSpec::Lzw(LzwBits::Msb), DataType::U16, 1),
        (CodecSpec::PackBits, DataType::U16, 1),
        // Without seeds of their own.
        (CodecSpec::Lzw(LzwBits::Old), DataType::U8, 1),
        (CodecSpec::BoolBits, DataType::Bool, 1),
        (CodecSpec::Vlen, DataType::Text, 1),
        (CodecSpec::Vlen, DataType::VariableBytes, 1),
        (CodecSpec::Fax(FaxCoding::RleWords), DataType::U8, 1),
        (CodecSpec::Fax(FaxCoding::Group3 { two_dimensional: true }), DataType::U8, 1),
        (CodecSpec::ThunderScan, DataType::U8, 1),
        (CodecSpec::Next, DataType::U8, 1),
        (CodecSpec::LogLuv(LogLuvCoding::L16), DataType::I16, 1),
        (CodecSpec::LogLuv(LogLuvCoding::Luv32), DataType::I16, 3),
        (CodecSpec::LogLuv(LogLuvCoding::Luv24), DataType::I16, 3),
        (other("zfpy"), DataType::I64, 1),
        (other("json2"), DataType::Text, 1),
    ];
    table.into_iter().nth(usize::from(which))
}

/// The place in the table of codec number `which`, modulo their count: of images, or of all else.
#[must_use]
pub fn place(is_image: bool, which: u8) -> u8 {
    let (first, count) = if is_image { (0, IMAGES) } else { (IMAGES, ALL.saturating_sub(IMAGES)) };
    first.saturating_add(which.checked_rem(count).unwrap_or(0))
}

/// The most bytes that the decoder of codec number `which` of the table may hold beside the input and a chunk of these targets.
#[must_use]
pub fn working_memory(which: u8) -> usize {
    match of_table(which) {
        // The caps that `jpegxl.rs`, `webp.rs` and `lzma.rs` set.
        Some((CodecSpec::JpegXl { .. } | CodecSpec::Webp { .. } | CodecSpec::Xz, ..)) => 66 << 20,
        // Blocks of 900,000 bytes, four times.
        Some((CodecSpec::Bzip2, ..)) => 5 << 20,
        Some((CodecSpec::Jpeg2000 { .. } | CodecSpec::Png { .. }, ..)) => 16 << 20,
        _ => 1 << 20,
    }
}

/// Codec number `which` of the table on these bytes, of which the first two say how long the chunk is.
pub fn codec(which: u8, data: &[u8]) {
    let Some((length, data)) = data.split_first_chunk::<2>() else { return };
    let length = u64::from(u16::from_le_bytes(*length));
    let Some((spec, data_type, samples)) = of_table(which) else { return };
    let image = matches!(
        spec,
        CodecSpec::Jpeg { .. }
            | CodecSpec::Webp { .. }
            | CodecSpec::JpegXl { .. }
            | CodecSpec::Jpeg2000 { .. }
            | CodecSpec::Png { .. }
            | CodecSpec::Lerc { .. }
            | CodecSpec::LogLuv(_)
    );
    let planes = matches!((&spec, &data_type), (CodecSpec::Other { .. }, DataType::I32 | DataType::I64));
    let rows = planes || matches!(spec, CodecSpec::Fax(_) | CodecSpec::ThunderScan | CodecSpec::Next | CodecSpec::LogLuv(LogLuvCoding::L16));
    let shape = if rows {
        vec![length >> 8, length & 0xff]
    } else if image {
        // As large as the seeds. Decoders of images take time in proportion to their pixels, and their rules are as many for a few.
        vec![length >> 8 & 0x3f, length & 0x3f, samples]
    } else {
        vec![length]
    };
    run(&[spec], &data_type, &shape, data);
}

/// A chain whose steps, type and shape the first bytes say.
pub fn chain(data: &[u8]) {
    let Some(([count, type_, rows, columns], mut data)) = data.split_first_chunk::<4>() else { return };
    let types = [DataType::U8, DataType::I16, DataType::U32, DataType::F32, DataType::F64, DataType::Text, DataType::FixedUtf32(2), DataType::Bool];
    let Some(data_type) = types.get(usize::from(type_ & 7)).cloned() else { return };
    let row = u64::from(*columns);
    let mut specs = Vec::new();
    for _ in 0..count & 7 {
        let Some((step, rest)) = data.split_first() else { return };
        data = rest;
        let stride = u16::from(step >> 5).saturating_add(1);
        specs.push(match step & 31 {
            0 => CodecSpec::Zlib,
            1 => CodecSpec::Gzip,
            2 => CodecSpec::Zstd,
            3 => CodecSpec::Lz4,
            4 => CodecSpec::Blosc,
            5 => CodecSpec::Lzw(LzwBits::Msb),
            6 => CodecSpec::PackBits,
            7 => CodecSpec::Crc32c { at_start: step & 32 != 0 },
            8 => CodecSpec::Adler32 { at_start: step & 32 != 0 },
            9 => CodecSpec::Fletcher32,
            10 => CodecSpec::SizeLeader,
            11 => CodecSpec::Shuffle { element: usize::from(stride) },
            12 => CodecSpec::ReverseBits,
            13 => CodecSpec::LeaveSurplus,
            14 => CodecSpec::ByteOrder(Endian::Big),
            15 => CodecSpec::UnpackBits { bits: step >> 5, row },
            16 => CodecSpec::Float24(Endian::Big),
            17 => CodecSpec::Int24(Endian::Little),
            18 => CodecSpec::BoolBits,
            19 => CodecSpec::Vlen,
            20 => CodecSpec::Predictor { row, stride },
            21 => CodecSpec::FloatPredictor { row, stride },
            22 => CodecSpec::Delta { stored: DataType::I16, decoded: data_type.clone() },
            23 => CodecSpec::FixedScaleOffset { stored: DataType::U8, decoded: data_type.clone(), scale: 4.0f64.to_bits(), offset: 0 },
            24 => CodecSpec::Cast { stored: DataType::F64, decoded: data_type.clone() },
            25 => CodecSpec::Transpose(AxisOrder::f(2)),
            _ => CodecSpec::Shard {
                chunk: vec![u64::from(step >> 5), u64::from(stride)],
                chain: vec![],
                index_chain: vec![CodecSpec::ByteOrder(Endian::Little)],
                index_at_start: step & 1 == 0,
                fill: bytes::Bytes::new(),
            },
        });
    }
    run(&specs, &data_type, &[u64::from(*rows), row], data);
}

/// Elements are encoded, and decoded to the same: the first bytes say the codecs, the type and the shape, the others are the elements, over
/// and over.
pub fn round_trip(data: &[u8]) {
    let Some(([how, steps, type_, level, rows, columns, inner_rows, inner_columns], data)) = data.split_first_chunk::<8>() else { return };
    let types = [DataType::U8, DataType::I16, DataType::F32, DataType::F64, DataType::ComplexF64, DataType::FixedBytes(3)];
    let Some(data_type) = types.into_iter().cycle().nth(usize::from(*type_)) else { return };
    let element = data_type.size().unwrap_or(1);
    let (inner_rows, inner_columns) = (u64::from(inner_rows & 15), u64::from(inner_columns & 15));
    let shape = [inner_rows.saturating_mul(u64::from(rows & 7)), inner_columns.saturating_mul(u64::from(columns & 7))];
    let blosc = |compressor| {
        let shuffle = [BloscShuffle::None, BloscShuffle::Bytes, BloscShuffle::Bits].into_iter().cycle().nth(usize::from(*steps >> 5));
        (Some(CodecSpec::Blosc), Compression::Blosc { compressor, level: level & 15, shuffle: shuffle.unwrap_or(BloscShuffle::None) })
    };
    let (compressor, compression) = match how & 7 {
        0 => (None, Compression::None),
        1 => (Some(CodecSpec::Gzip), Compression::Gzip { level: level & 15 }),
        2 => (Some(CodecSpec::Zlib), Compression::Zlib { level: level & 15 }),
        3 => (Some(CodecSpec::Zstd), Compression::Zstd { level: i8::from_ne_bytes([*level]).min(5), checksum: steps & 32 != 0 }),
        4 => blosc(BloscCompressor::Lz4),
        5 => blosc(BloscCompressor::Zlib),
        _ => blosc(BloscCompressor::Zstd),
    };
    let given = |bit: u8, spec: CodecSpec| (steps & bit != 0).then_some(spec);
    let mut specs: Vec<CodecSpec> = given(1, CodecSpec::Crc32c { at_start: false }).into_iter().chain(compressor).collect();
    specs.extend(given(2, CodecSpec::Shuffle { element }));
    specs.extend(given(4, CodecSpec::ByteOrder(Endian::Big)));
    specs.extend(given(8, CodecSpec::Transpose(AxisOrder::f(2))));
    if steps & 16 != 0 {
        specs = vec![CodecSpec::Shard {
            chunk: vec![inner_rows, inner_columns],
            chain: specs,
            index_chain: vec![CodecSpec::Crc32c { at_start: false }, CodecSpec::ByteOrder(Endian::Little)],
            index_at_start: how & 8 != 0,
            fill: bytes::Bytes::copy_from_slice(data.get(..element).unwrap_or_default()),
        }];
    }
    let limits = limits();
    let chunk = ChunkContext::new(&shape, &data_type, &limits);
    let Ok(Some(length)) = chunk.bytes() else { return };
    let plain: Vec<u8> = if data.is_empty() { vec![0; length] } else { data.iter().copied().cycle().take(length).collect() };
    let mut scratch = Scratch::default();
    let Ok(encoder) = Encoder::compile(&specs, &data_type, &compression) else { return };
    let Ok(stored) = encoder.encode(plain.clone(), &chunk, &mut scratch) else { return };
    let mut back = vec![0xaa; length];
    let decoded = Chain::compile(&specs, &data_type, &FillValue::ZERO, &Registry::default(), &limits)
        .and_then(|chain| chain.decode(&stored, &chunk, &mut scratch, &mut Output::Exact(&mut back)));
    assert!(decoded.is_ok() && back == plain, "{specs:?} {compression:?} {data_type} {shape:?}: {decoded:?}");
}
