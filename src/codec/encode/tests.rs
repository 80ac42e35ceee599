//! What is encoded is decoded again by the chain of the same specs; that others decode it too is held by `tests/interop`.

use super::*;
use crate::codec::{Chain, Registry};
use crate::model::{BloscCompressor, BloscShuffle, FillValue, Limits};

fn round_trip(specs: &[CodecSpec], compression: &Compression, data_type: &DataType, shape: &[u64], plain: &[u8]) -> usize {
    let limits = Limits::default();
    let chunk = ChunkContext::new(shape, data_type, &limits);
    let mut scratch = Scratch::default();
    let encoded = Encoder::compile(specs, data_type, compression).unwrap().encode(plain.to_vec(), &chunk, &mut scratch).unwrap();
    let chain = Chain::compile(specs, data_type, &FillValue::ZERO, &Registry::default(), &limits).unwrap();
    let mut back = vec![0; plain.len()];
    chain.decode(&encoded, &chunk, &mut scratch, &mut Output::Exact(&mut back)).unwrap();
    assert!(back == plain, "{specs:?} {compression:?}");
    encoded.len()
}

/// Slow waves of `u16` and noise in turns.
fn data(elements: usize) -> Vec<u8> {
    let value = |i: usize| if i % 4096 < 3000 { (i / 7) as u16 } else { (i as u32).wrapping_mul(2_654_435_761) as u16 };
    (0..elements).flat_map(|i| value(i).to_ne_bytes()).collect()
}

#[test]
fn compressors() {
    let table = [
        (CodecSpec::Gzip, Compression::Gzip { level: 1 }),
        (CodecSpec::Gzip, Compression::Gzip { level: 0 }),
        (CodecSpec::Zlib, Compression::Zlib { level: 9 }),
        (CodecSpec::Zstd, Compression::Zstd { level: 5, checksum: true }),
        (CodecSpec::Zstd, Compression::Zstd { level: -5, checksum: false }),
    ];
    for (spec, compression) in table {
        for elements in [0, 1, 1000, 200_000] {
            let plain = data(elements);
            let specs = [CodecSpec::Crc32c { at_start: false }, spec.clone(), CodecSpec::Shuffle { element: 2 }];
            let stored = round_trip(&specs, &compression, &DataType::U16, &[elements as u64], &plain);
            let small = elements < 200_000 || stored < plain.len() || compression == Compression::Gzip { level: 0 };
            assert!(small, "{compression:?} {elements}: {stored} bytes");
        }
    }
    let noisy = Compression::Zstd { level: 23, checksum: false };
    assert!(Encoder::compile(&[CodecSpec::Zstd], &DataType::U8, &noisy).is_err());
    assert!(Encoder::compile(&[CodecSpec::Bzip2], &DataType::U8, &Compression::None).unwrap_err().is_unsupported());
}

#[cfg(feature = "blosc")]
#[test]
fn blosc_containers() {
    for compressor in [BloscCompressor::Lz4, BloscCompressor::Zlib, BloscCompressor::Zstd] {
        for shuffle in [BloscShuffle::None, BloscShuffle::Bytes, BloscShuffle::Bits] {
            for (elements, level) in [(0, 5), (1, 5), (7, 5), (8, 5), (200_003, 5), (300_000, 9), (5000, 0)] {
                let plain = data(elements);
                let compression = Compression::Blosc { compressor, level, shuffle };
                let stored = round_trip(&[CodecSpec::Blosc], &compression, &DataType::U16, &[elements as u64], &plain);
                assert!(stored <= plain.len() + 16, "{compression:?} {elements}: {stored} bytes");
            }
        }
    }
}

#[test]
fn axes_and_byte_order() {
    let plain: Vec<u8> = (0..2 * 3 * 4 * 4).collect();
    let specs = [CodecSpec::ByteOrder(Endian::Big), CodecSpec::Transpose(AxisOrder::new(vec![1, 2, 0]).unwrap())];
    round_trip(&specs, &Compression::None, &DataType::F32, &[2, 3, 4], &plain);
}

#[test]
fn shards() {
    let mut plain = data(8 * 12);
    // One inner chunk is the fill value throughout.
    for row in 0..4 {
        plain[row * 24..][..6].fill(0);
    }
    for index_at_start in [false, true] {
        let little = CodecSpec::ByteOrder(Endian::Little);
        let spec = CodecSpec::Shard {
            chunk: vec![4, 3],
            chain: vec![CodecSpec::Zstd, CodecSpec::ByteOrder(Endian::Big)],
            index_chain: vec![CodecSpec::Crc32c { at_start: false }, little],
            index_at_start,
            fill: bytes::Bytes::new(),
        };
        round_trip(&[spec], &Compression::None, &DataType::U16, &[8, 12], &plain);
    }
}
