//! Values of the corpus, decoded by the plainest means: proof of grids, axis orders, shards and byte order.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::corpus::{array, corpus, get, open};
use super::*;
use crate::model::{Endian, Got, Location, Page, PageId, PagePlace, Want};

/// The elements behind a chain; `None` for codecs beyond the plainest.
fn decode(chain: &[CodecSpec], stored: Bytes, size: usize, unit: usize) -> Option<Vec<u8>> {
    let mut bytes = stored.to_vec();
    for step in chain {
        bytes = match step {
            CodecSpec::Zlib | CodecSpec::Gzip | CodecSpec::Deflate => {
                let window_bits = if *step == CodecSpec::Zlib {
                    15
                } else if *step == CodecSpec::Gzip {
                    31
                } else {
                    -15
                };
                let mut output = vec![0; size + 64];
                let (done, code) = zlib_rs::decompress_slice(&mut output, &bytes, zlib_rs::InflateConfig { window_bits });
                assert_eq!(code, zlib_rs::ReturnCode::Ok);
                done.to_vec()
            }
            CodecSpec::Zstd => {
                let mut output = Vec::new();
                ruzstd::decoding::StreamingDecoder::new(bytes.as_slice()).unwrap().read_to_end(&mut output).unwrap();
                output
            }
            CodecSpec::Crc32c { at_start: false } => bytes[..bytes.len() - 4].to_vec(),
            CodecSpec::ByteOrder(Endian::Little) => bytes,
            CodecSpec::ByteOrder(Endian::Big) => {
                bytes.chunks_exact_mut(unit).for_each(<[u8]>::reverse);
                bytes
            }
            CodecSpec::Lz4 => lz4_flex::block::decompress(&bytes[4..], size + 64).unwrap(),
            CodecSpec::Shuffle { element } => {
                let count = bytes.len() / element;
                let shuffled = bytes[..count * element].to_vec();
                (0..count * element).map(|i| shuffled[i % element * count + i / element]).chain(bytes.split_off(count * element)).collect()
            }
            CodecSpec::Delta { stored, decoded } if stored == decoded && !decoded.is_float() => sums(&bytes, decoded.size()?),
            _ => return None,
        };
    }
    Some(bytes)
}

/// Running sums of integers of this width.
fn sums(bytes: &[u8], width: usize) -> Vec<u8> {
    let mut sum = 0_u64;
    let mut out = Vec::new();
    for number in bytes.chunks_exact(width) {
        let mut wide = [0; 8];
        wide[..width].copy_from_slice(number);
        sum = sum.wrapping_add(u64::from_le_bytes(wide));
        out.extend_from_slice(&sum.to_le_bytes()[..width]);
    }
    out
}

fn fetch(want: &Want) -> Option<Bytes> {
    match get(want) {
        Got::Bytes { bytes, .. } => Some(bytes),
        _ => None,
    }
}

/// A chunk's stored bytes and the chain that they go through; `None` where it is absent.
fn stored(meta: &ArrayMeta, index: &[u64], pages: &mut HashMap<PageId, Arc<Page>>, limits: &Limits) -> Option<Option<(Bytes, u16)>> {
    loop {
        let id = match meta.manifest.locate(index, &meta.grid, &*pages).unwrap() {
            Location::Absent => return Some(None),
            Location::Inline(bytes) => return Some(Some((bytes, 0))),
            Location::At { span, chain } => return Some(Some((fetch(&Want::Range(span)).unwrap(), chain))),
            Location::Whole { key, .. } => return Some(fetch(&Want::Whole { object: key, most: u64::MAX }).map(|b| (b, 0))),
            Location::Unread(id) => id,
        };
        let spec = meta.manifest.page(id, &*pages, limits).unwrap();
        let part = match spec.place {
            PagePlace::Unread(_) => panic!("locate named a page that waits for another"),
            PagePlace::Absent => None,
            PagePlace::Inline(parts) => Some(parts[0].clone()),
            PagePlace::Wants(wants) => fetch(&wants[0]),
        };
        let page = match part {
            None => Page::Absent,
            Some(part) => {
                let part = part.slice(..part.len() - usize::try_from(spec.trim_end).unwrap());
                let numbers = decode(&spec.chain, part, 0, 8)?;
                meta.manifest.parse_page(id, &[numbers.into()]).unwrap()
            }
        };
        pages.insert(id, Arc::new(page));
    }
}

/// The whole array in C order.
fn read(meta: &ArrayMeta, limits: &Limits) -> Option<Vec<u8>> {
    let size = meta.data_type.size()?;
    let count = |shape: &[u64]| usize::try_from(shape.iter().product::<u64>()).unwrap();
    let mut output = vec![0; count(meta.shape()) * size];
    let zeros = vec![0; size];
    let fill = if meta.fill_value.is_zero() { &zeros } else { meta.fill_value.bytes() };
    let mut pages = HashMap::new();
    for number in 0..meta.grid.chunk_count() {
        let index = meta.grid.index(number);
        let shape = meta.grid.stored_shape(&index);
        let elements = match stored(meta, &index, &mut pages, limits)? {
            Some((bytes, chain)) => decode(&meta.chains[usize::from(chain)], bytes, count(&shape) * size, meta.data_type.swap_unit())?,
            None => fill.repeat(count(&shape)),
        };
        assert_eq!(elements.len(), count(&shape) * size);
        let in_storage = meta.order.permute(&shape);
        for (mut at, element) in elements.chunks_exact(size).enumerate() {
            // Where this element is along each axis of the array.
            let mut place = vec![0_u64; shape.len()];
            for (axis, length) in meta.order.axes().iter().zip(&in_storage).rev() {
                let length = usize::try_from(*length).unwrap();
                place[*axis] = meta.grid.extent(*axis, index[*axis]).start + (at % length) as u64;
                at /= length;
            }
            if place.iter().zip(meta.shape()).all(|(p, n)| p < n) {
                let linear = place.iter().zip(meta.shape()).fold(0, |at, (p, n)| at * n + p);
                let start = usize::try_from(linear).unwrap() * size;
                output[start..start + size].copy_from_slice(element);
            }
        }
    }
    Some(output)
}

#[test]
fn values_are_those_of_the_oracle() {
    let Some(corpus) = corpus() else { return };
    let manifest: Value = serde_json::from_slice(&std::fs::read(corpus.join("MANIFEST.json")).unwrap()).unwrap();
    let limits = Limits::default();
    let (mut right, mut sharded, mut wrong) = (0, 0, Vec::new());
    for record in manifest["files"].as_array().unwrap().iter().filter(|r| r["kind"] == "zarr") {
        let path = record["path"].as_str().unwrap();
        for expected in record["arrays"].as_array().into_iter().flatten() {
            let oracle = &expected["oracle"];
            if oracle["bytes"].as_u64().is_none_or(|n| n > 4 << 20) || record["hostile"] == true {
                continue;
            }
            let name = expected["path"].as_str().unwrap();
            let Ok(meta) = open(&corpus.join(path), &limits).and_then(|store| array(&store, name, &limits)) else { continue };
            let Some(values) = read(&meta, &limits) else { continue };
            if format!("{:08x}", crc32fast::hash(&values)) == oracle["crc32"].as_str().unwrap() {
                right += 1;
                sharded += u32::from(matches!(meta.manifest, ChunkManifest::Shards(_)));
            } else {
                wrong.push(format!("{path} {name:?} {:?}", meta.chains[0].iter().map(CodecSpec::name).collect::<Vec<_>>()));
            }
        }
    }
    println!("{right} right, {sharded} of them sharded");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(right > 300 && sharded > 50);
}
