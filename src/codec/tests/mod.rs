//! Every codec against what other implementations encoded (`vectors.txt`, written by `vectors.py`), whole, cut short and damaged.

use std::sync::Arc;

use super::*;
use crate::model::{AxisOrder, CodecSpec, Endian, FaxCoding, Field, FillValue, JpegColor, LzwBits, RawJson};

mod chains;
mod fax;
mod historic;
mod lz4;
mod lzw;
mod parts;
mod sizes;

/// A line of the table.
#[derive(Clone)]
struct Vector {
    name: String,
    chain: Vec<CodecSpec>,
    data_type: DataType,
    shape: Vec<u64>,
    encoded: Vec<u8>,
    decoded: Vec<u8>,
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap()).collect()
}

fn wave(bytes: u64) -> Vec<u8> {
    (0..bytes / 2).flat_map(|i| ((i * i / 61 + 3 * (i % 5)) as u16).to_le_bytes()).collect()
}

fn record() -> DataType {
    let field = |name: &str, data_type, shape: &[u64], offset| Field { name: name.into(), data_type, shape: shape.into(), offset };
    let fields = [field("f0", DataType::I16, &[], 0), field("f1", DataType::F64, &[], 2), field("f2", DataType::U32, &[2], 10)];
    DataType::Record(Arc::from(fields), 18)
}

fn data_type(name: &str) -> DataType {
    match name {
        "bool" => DataType::Bool,
        "i8" => DataType::I8,
        "u8" => DataType::U8,
        "i16" => DataType::I16,
        "u16" => DataType::U16,
        "i32" => DataType::I32,
        "u32" => DataType::U32,
        "i64" => DataType::I64,
        "u64" => DataType::U64,
        "f16" => DataType::F16,
        "f32" => DataType::F32,
        "f64" => DataType::F64,
        "c64" => DataType::ComplexF32,
        "U3" => DataType::FixedUtf32(3),
        "record" => record(),
        "text" => DataType::Text,
        "bytes" => DataType::VariableBytes,
        other => panic!("{other}"),
    }
}

fn spec(text: &str) -> CodecSpec {
    let mut words = text.split_whitespace();
    let name = words.next().unwrap();
    let words: Vec<&str> = words.collect();
    let n = |i: usize| words[i].parse::<u64>().unwrap();
    let endian = || if words[0] == "big" { Endian::Big } else { Endian::Little };
    match name {
        "zlib" => CodecSpec::Zlib,
        "deflate" => CodecSpec::Deflate,
        "gzip" => CodecSpec::Gzip,
        "zstd" => CodecSpec::Zstd,
        "lz4" => CodecSpec::Lz4,
        "blosc" => CodecSpec::Blosc,
        "bzip2" => CodecSpec::Bzip2,
        "xz" => CodecSpec::Xz,
        "lzmaraw" => CodecSpec::LzmaRaw(RawJson::of(&serde_json::from_str(words[0]).unwrap())),
        "lzw" => CodecSpec::Lzw(LzwBits::Msb),
        "packbits" => CodecSpec::PackBits,
        "crc32" => CodecSpec::Crc32 { at_start: words.is_empty() },
        "crc32c" => CodecSpec::Crc32c { at_start: false },
        "adler32" => CodecSpec::Adler32 { at_start: words.is_empty() },
        "fletcher32" => CodecSpec::Fletcher32,
        "shuffle" => CodecSpec::Shuffle { element: n(0) as usize },
        "big" => CodecSpec::ByteOrder(Endian::Big),
        "predictor" => CodecSpec::Predictor { row: n(0), stride: n(1) as u16 },
        "floatpredictor" => CodecSpec::FloatPredictor { row: n(0), stride: n(1) as u16 },
        "bits" => CodecSpec::UnpackBits { bits: n(0) as u8, row: n(1) },
        "float24" => CodecSpec::Float24(endian()),
        "int24" => CodecSpec::Int24(endian()),
        "boolbits" => CodecSpec::BoolBits,
        "delta" => CodecSpec::Delta { stored: data_type(words[0]), decoded: data_type(words[1]) },
        "cast" => CodecSpec::Cast { stored: data_type(words[0]), decoded: data_type(words[1]) },
        "scale" => CodecSpec::FixedScaleOffset {
            stored: data_type(words[0]),
            decoded: data_type(words[1]),
            scale: words[2].parse::<f64>().unwrap().to_bits(),
            offset: words[3].parse::<f64>().unwrap().to_bits(),
        },
        "transpose" => CodecSpec::Transpose(AxisOrder::new(words.iter().map(|w| w.parse().unwrap()).collect()).unwrap()),
        "field" => CodecSpec::Field { record: 18, field: record().fields().unwrap()[1].clone() },
        "vlen" => CodecSpec::Vlen,
        "jpeg" => CodecSpec::Jpeg {
            tables: None,
            color: if words[1] == "rgb" { JpegColor::ToRgb } else { JpegColor::AsStored },
            samples: n(0) as u16,
            bits: words.get(2).map_or(8, |bits| bits.parse().unwrap()),
        },
        "webp" => CodecSpec::Webp { samples: n(0) as u16 },
        "jpegxl" => CodecSpec::JpegXl { samples: n(0) as u16 },
        "jpeg2000" => CodecSpec::Jpeg2000 { samples: n(0) as u16 },
        "png" => CodecSpec::Png { samples: n(0) as u16 },
        "pcodec" => CodecSpec::Other { name: "numcodecs.pcodec".into(), configuration: RawJson::default() },
        "zfpy" => CodecSpec::Other { name: "zfpy".into(), configuration: RawJson::default() },
        "lerc" => CodecSpec::Lerc { samples: n(0) as u16 },
        "ccittrle" => CodecSpec::Fax(FaxCoding::Rle),
        "ccittfax3" => CodecSpec::Fax(FaxCoding::Group3 { two_dimensional: false }),
        "ccittfax4" => CodecSpec::Fax(FaxCoding::Group4),
        other => panic!("{other}"),
    }
}

/// Whether this build has the codec.
fn built(line: &str) -> bool {
    let lacks = |feature: bool, name: &str| !feature && line.contains(name);
    !(lacks(cfg!(feature = "blosc"), "blosc")
        || lacks(cfg!(feature = "bzip2"), "bzip2")
        || lacks(cfg!(feature = "lzma"), "xz")
        || lacks(cfg!(feature = "lzma"), "lzma")
        || lacks(cfg!(feature = "jpeg"), "jpeg ")
        || lacks(cfg!(feature = "jxl"), "jpegxl ")
        || lacks(cfg!(feature = "jpeg2000"), "jpeg2000 ")
        || lacks(cfg!(feature = "png"), "png ")
        || lacks(cfg!(feature = "webp"), "webp")
        || lacks(cfg!(feature = "pcodec"), "pcodec")
        || lacks(cfg!(feature = "lerc"), "lerc"))
}

fn vectors() -> Vec<Vector> {
    let table = include_str!("vectors.txt");
    let parse = |line: &str| {
        let columns: Vec<&str> = line.split(" | ").collect();
        let decoded = columns[5];
        Vector {
            name: columns[0].into(),
            chain: columns[1].split("; ").map(spec).collect(),
            data_type: data_type(columns[2]),
            shape: columns[3].split(',').map(|n| n.parse().unwrap()).collect(),
            encoded: hex(columns[4]),
            decoded: match decoded.strip_prefix("wave ") {
                Some(n) => wave(n.parse().unwrap()),
                None => hex(decoded.strip_prefix("hex ").unwrap()),
            },
        }
    };
    table.lines().filter(|l| built(l)).map(parse).collect()
}

impl Vector {
    fn compile(&self, limits: &Limits) -> Chain {
        Chain::compile(&self.chain, &self.data_type, &FillValue::ZERO, &Registry::default(), limits).unwrap()
    }
    /// What `input` decodes to, in a buffer that held `before`; texts are joined, each with a line end.
    fn decode(&self, chain: &Chain, input: &[u8], before: u8, scratch: &mut Scratch) -> Result<Vec<u8>> {
        let limits = Limits::default();
        let chunk = ChunkContext::new(&self.shape, &self.data_type, &limits);
        if let Some(size) = chunk.bytes()? {
            let mut out = vec![before; size];
            chain.decode(input, &chunk, scratch, &mut Output::Exact(&mut out))?;
            return Ok(out);
        }
        let mut out = Elements::default();
        chain.decode(input, &chunk, scratch, &mut Output::Variable(&mut out))?;
        Ok((0..out.len()).flat_map(|i| [out.get(i).unwrap(), b"\n"].concat()).collect())
    }
}

#[test]
fn every_codec_decodes_what_others_encoded() {
    let (limits, mut scratch) = (Limits::default(), Scratch::default());
    let mut failed = Vec::new();
    for vector in vectors() {
        let chain = vector.compile(&limits);
        // Lossy decoders round in their own ways.
        let tolerance = if vector.name.starts_with("jpeg ") || vector.name.contains("lossy") { 2 } else { 0 };
        match vector.decode(&chain, &vector.encoded, 0xaa, &mut scratch) {
            Ok(out) if out.len() == vector.decoded.len() && out.iter().zip(&vector.decoded).all(|(a, b)| a.abs_diff(*b) <= tolerance) => {}
            Ok(out) => {
                let at = out.iter().zip(&vector.decoded).position(|(a, b)| a.abs_diff(*b) > tolerance);
                failed.push(format!("{}: {} of {} bytes, differs at {at:?}", vector.name, out.len(), vector.decoded.len()));
            }
            Err(error) => failed.push(format!("{}: {error}", vector.name)),
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn what_is_cut_short_is_an_error_or_whole() {
    let (limits, mut scratch) = (Limits::default(), Scratch::default());
    for vector in vectors() {
        let chain = vector.compile(&limits);
        let step = 1 + vector.encoded.len() / 200;
        for length in (0..vector.encoded.len()).step_by(step) {
            let cut = &vector.encoded[..length];
            let (a, b) = (vector.decode(&chain, cut, 0, &mut scratch), vector.decode(&chain, cut, 0xff, &mut scratch));
            if let (Ok(a), Ok(b)) = (a, b) {
                assert_eq!(a, b, "{} cut at {length}: memory shows through", vector.name);
                // Image decoders guess what is missing, a page of Group 4 may end with any row; what ends before a checksum or padding is whole.
                let lenient = ["jpeg ", "webp", "ccittfax4"].iter().any(|name| vector.name.starts_with(name));
                assert!(lenient || a == vector.decoded, "{} cut at {length} gives other data", vector.name);
            }
        }
    }
}

#[test]
fn damage_never_panics_and_shows_no_memory() {
    let (limits, mut scratch) = (Limits::default(), Scratch::default());
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for vector in vectors() {
        let chain = vector.compile(&limits);
        // These take a hundred times as long as others.
        let is_slow = vector.name.starts_with("jpegxl") || vector.name.starts_with("jpeg2000");
        for _ in 0..if is_slow { 100 } else { 500 } {
            let mut damaged = vector.encoded.clone();
            for _ in 0..1 + random() % 4 {
                // Headers more often than the rest.
                let span = if random() % 2 == 0 { damaged.len().min(40) } else { damaged.len() };
                let at = (random() % span as u64) as usize;
                damaged[at] = match random() % 4 {
                    0 => 0,
                    1 => 0xff,
                    2 => damaged[at] ^ 1 << (random() % 8),
                    _ => random() as u8,
                };
            }
            let a = vector.decode(&chain, &damaged, 0, &mut scratch);
            let b = vector.decode(&chain, &damaged, 0xff, &mut scratch);
            assert_eq!(a.is_ok(), b.is_ok(), "{}", vector.name);
            if let (Ok(a), Ok(b)) = (a, b) {
                assert_eq!(a, b, "{}: memory shows through", vector.name);
            }
        }
    }
}
