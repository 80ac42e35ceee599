//! Uncompressed real files decoded by the letter of their chains: what the mapping says must give the oracle's pixels.

use bytes::Bytes;
use serde_json::Value;

use super::corpus::{corpus, read};
use crate::format::tiff::fuzzing;
use crate::model::{ArrayMeta, CodecSpec, DataType, Endian, Limits, Location, PageId, Pages};

struct NoPages;
impl Pages for NoPages {
    fn get(&self, _: PageId) -> Option<std::sync::Arc<crate::model::Page>> {
        None
    }
}

fn bits(bytes: &[u8], bits: usize, row: usize, count: usize, size: usize) -> Vec<u8> {
    let row_bytes = (row * bits).div_ceil(8);
    let mut out = Vec::new();
    for i in 0..count {
        let first = i / row * row_bytes * 8 + i % row * bits;
        let value = (first..first + bits).fold(0_u32, |n, bit| n << 1 | u32::from(bytes[bit / 8] >> (7 - bit % 8) & 1));
        out.extend_from_slice(&value.to_le_bytes()[..size]);
    }
    out
}

fn float24(n: u32) -> f32 {
    let (sign, exponent, fraction) = (n >> 23 << 31, n >> 16 & 0x7f, n & 0xffff);
    match (exponent, fraction) {
        (0, _) => f32::from_bits(sign) + if sign == 0 { 1.0 } else { -1.0 } * fraction as f32 * 2_f32.powi(-62 - 16),
        (0x7f, _) => f32::from_bits(sign | 0x7f80_0000 | fraction << 7),
        _ => f32::from_bits(sign | (exponent + 127 - 63) << 23 | fraction << 7),
    }
}

/// The elements of a chunk in little-endian order; `None` where the chain has a compression.
fn decode(chain: &[CodecSpec], stored: &[u8], data_type: &DataType, count: usize) -> Option<Vec<u8>> {
    let size = data_type.size()?;
    let three = |b: &[u8], endian: Endian| match endian {
        Endian::Little => u32::from_le_bytes([b[0], b[1], b[2], 0]),
        Endian::Big => u32::from_be_bytes([0, b[0], b[1], b[2]]),
    };
    let mut bytes = stored.to_vec();
    for step in chain {
        bytes = match step {
            CodecSpec::ReverseBits => bytes.iter().map(|b| b.reverse_bits()).collect(),
            CodecSpec::LeaveSurplus | CodecSpec::ByteOrder(Endian::Little) => bytes,
            CodecSpec::ByteOrder(Endian::Big) => bytes.chunks(data_type.swap_unit()).flat_map(|unit| unit.iter().rev().copied()).collect(),
            CodecSpec::UnpackBits { bits: n, row } => self::bits(&bytes, usize::from(*n), *row as usize, count, size),
            CodecSpec::Int24(endian) => bytes.chunks_exact(3).flat_map(|b| three(b, *endian).to_le_bytes()).collect(),
            CodecSpec::Float24(endian) => bytes.chunks_exact(3).flat_map(|b| float24(three(b, *endian)).to_le_bytes()).collect(),
            _ => return None,
        };
    }
    Some(bytes)
}

/// The whole array in canonical bytes; `None` where it is compressed.
fn pixels(data: &Bytes, array: &ArrayMeta) -> Option<Result<Vec<u8>, String>> {
    let size = array.data_type.size()?;
    let shape = array.shape();
    let mut out = vec![0; usize::try_from(shape.iter().product::<u64>()).ok()? * size];
    let axes = array.order.axes();
    for place in 0..array.grid.chunk_count() {
        let index = array.grid.index(place);
        let stored = array.grid.stored_shape(&index);
        let count = stored.iter().product::<u64>() as usize;
        let bytes = match array.manifest.locate(&index, &array.grid, &NoPages).ok()? {
            Location::Absent if array.fill_value.is_zero() => vec![0; count * size],
            // The fill value is in the machine's order, as is this for the little-endian machines that tests run on.
            Location::Absent => array.fill_value.bytes().repeat(count),
            Location::At { span, .. } => {
                let Some(part) = data.get(span.start as usize..(span.end() as usize).min(data.len())) else {
                    return Some(Err("past the end".into()));
                };
                let needed = array.chains[0].iter().all(|c| matches!(c, CodecSpec::LeaveSurplus | CodecSpec::ByteOrder(_))).then_some(count * size);
                if needed.is_some_and(|n| n > part.len()) {
                    return Some(Err(format!("chunk {place} is short: {} of {needed:?} bytes", part.len())));
                }
                decode(&array.chains[0], part, &array.data_type, count)?
            }
            other => return Some(Err(format!("{other:?}"))),
        };
        let region = array.grid.chunk_region(&index);
        let stored_in_order = array.order.permute(&stored);
        for element in 0..count {
            let (mut rest, mut at) = (element as u64, vec![0; stored.len()]);
            for (axis, length) in axes.iter().zip(&stored_in_order).rev() {
                at[*axis] = rest % length;
                rest /= length;
            }
            if at.iter().zip(region.ranges()).any(|(a, r)| r.start + a >= r.end) {
                continue;
            }
            let to = at.iter().zip(region.ranges()).zip(shape).fold(0, |n, ((a, r), length)| n * length + r.start + a) as usize;
            let (Some(to), Some(from)) = (out.get_mut(to * size..(to + 1) * size), bytes.get(element * size..(element + 1) * size)) else {
                return Some(Err(format!("chunk {place} ends early")));
            };
            to.copy_from_slice(from);
        }
    }
    Some(Ok(out))
}

#[test]
fn uncompressed_files() {
    let Some(corpus) = corpus() else { return };
    let manifest: Value = serde_json::from_slice(&std::fs::read(corpus.join("MANIFEST.json")).unwrap()).unwrap();
    let (mut right, mut wrong) = (0, Vec::new());
    for record in manifest["files"].as_array().unwrap().iter().filter(|r| r["kind"] == "tiff" && r["hostile"] != true) {
        let path = record["path"].as_str().unwrap();
        let raw = |ifd: &Value| ifd["compression"] == 1 && ifd["oracle"]["bytes"].as_u64().is_some_and(|n| n < 64 << 20);
        let ifds: Vec<&Value> = record["ifds"].as_array().into_iter().flatten().filter(|i| raw(i)).collect();
        if ifds.is_empty() {
            continue;
        }
        let Some(data) = read(&corpus.join(path)) else { continue };
        let file = fuzzing::parse(&data, &Limits::default()).unwrap();
        for ifd in ifds {
            let index = ifd["ifd"].as_str().unwrap();
            let d = &file.directories[file.find(&index.parse().unwrap()).unwrap()];
            let Ok(array) = d.array(&file, &Limits::default()) else { continue };
            match pixels(&data, &array) {
                Some(Ok(bytes)) => {
                    let crc = format!("{:08x}", crc32fast::hash(&bytes));
                    if [&ifd["oracle"]["crc32"], &ifd["oracle_b"]["crc32"]].contains(&&Value::from(crc.as_str())) {
                        right += 1;
                    } else {
                        wrong.push(format!("{path} {index}: {crc} here, {} there, by {}", ifd["oracle"]["crc32"], ifd["oracle"]["by"]));
                    }
                }
                Some(Err(why)) => wrong.push(format!("{path} {index}: {why}")),
                None => wrong.push(format!("{path} {index}: not decoded: {:?}", array.chains)),
            }
        }
    }
    eprintln!("{right} right, {} not", wrong.len());
    for line in &wrong {
        eprintln!("{line}");
    }
    assert!(right > 0 && wrong.is_empty());
}
