//! Codecs on a tile of 512 x 512, in bytes of output per second. The tile is a fractal surface, as compressible as a scene is.

#![allow(missing_docs, clippy::cast_possible_truncation, reason = "numbers of the benchmark's own")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use swath::codec::{Chain, ChunkContext, Output, Registry, Scratch};
use swath::model::{CodecSpec, DataType, Endian, FaxCoding, FillValue, Limits, LzwBits};

const SIDE: usize = 512;

/// A surface of several waves and some noise.
fn surface() -> Vec<u16> {
    let mut state = 1u32;
    let mut noise = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 24) / 32.0
    };
    (0..SIDE * SIDE)
        .map(|i| {
            let (x, y) = ((i % SIDE) as f64, (i / SIDE) as f64);
            let waves = (x / 90.0).sin() * 900.0 + (y / 50.0 + x / 31.0).cos() * 300.0 + (x * y / 9000.0).sin() * 100.0;
            (2000.0 + waves + noise()) as u16
        })
        .collect()
}

/// What TIFF's predictor 2 makes of it.
fn differences(samples: &[u16]) -> Vec<u8> {
    let before = |i: usize| if i.is_multiple_of(SIDE) { 0 } else { samples[i - 1] };
    samples.iter().enumerate().flat_map(|(i, s)| s.wrapping_sub(before(i)).to_ne_bytes()).collect()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0; data.len() + 1024];
    let mut encoder = zlib_rs::Deflate::new(6, true, 15);
    encoder.compress(data, &mut out, zlib_rs::DeflateFlush::Finish).unwrap();
    out.truncate(encoder.total_out() as usize);
    out
}

fn lz4(data: &[u8]) -> Vec<u8> {
    lz4_flex::block::compress_prepend_size(data)
}

/// LZW that only ever sends literals and clears its table in time: the decoder's slowest diet.
fn lzw_literals(data: &[u8]) -> Vec<u8> {
    let (mut out, mut window, mut have) = (Vec::new(), 0u32, 0);
    let mut put = |code: u32| {
        window = window << 9 | code;
        have += 9;
        while have >= 8 {
            out.push((window >> (have - 8)) as u8);
            have -= 8;
        }
    };
    for part in data.chunks(250) {
        put(256);
        part.iter().for_each(|b| put(u32::from(*b)));
    }
    put(257);
    put(0);
    out
}

fn codecs(criterion: &mut Criterion) {
    let samples = surface();
    let plain: &[u8] = bytemuck::cast_slice(&samples);
    let predicted = differences(&samples);
    let predictor = CodecSpec::Predictor { row: SIDE as u64, stride: 1 };
    let planes: Vec<u8> = (0..2).flat_map(|b| plain.iter().skip(b).step_by(2).copied()).collect();
    let table: Vec<(&str, Vec<CodecSpec>, Vec<u8>)> = vec![
        ("none", vec![], plain.to_vec()),
        ("byte order", vec![CodecSpec::ByteOrder(Endian::Big)], plain.to_vec()),
        ("predictor 2", vec![predictor.clone()], predicted.clone()),
        ("shuffle", vec![CodecSpec::Shuffle { element: 2 }], planes.clone()),
        ("zlib, predictor 2", vec![CodecSpec::Zlib, predictor.clone()], zlib(&predicted)),
        ("zlib, shuffle", vec![CodecSpec::Zlib, CodecSpec::Shuffle { element: 2 }], zlib(&planes)),
        ("lz4, shuffle", vec![CodecSpec::Lz4, CodecSpec::Shuffle { element: 2 }], lz4(&planes)),
        ("lzw of literals", vec![CodecSpec::Lzw(LzwBits::Msb)], lzw_literals(plain)),
        ("bits, 12", vec![CodecSpec::UnpackBits { bits: 12, row: SIDE as u64 }], plain[..SIDE * SIDE * 3 / 2].to_vec()),
    ];
    let (limits, mut scratch, mut out) = (Limits::default(), Scratch::default(), vec![0; plain.len()]);
    let mut group = criterion.benchmark_group("codecs");
    group.throughput(Throughput::Bytes(plain.len() as u64));
    for (name, specs, encoded) in table {
        let chain = Chain::compile(&specs, &DataType::U16, &FillValue::ZERO, &Registry::default(), &limits).unwrap();
        let shape = [SIDE as u64, SIDE as u64];
        let chunk = ChunkContext::new(&shape, &DataType::U16, &limits);
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| chain.decode(black_box(&encoded), &chunk, &mut scratch, &mut Output::Exact(&mut out)).unwrap());
        });
    }
    group.finish();
}

/// A tile of bytes, as smooth as the scene of `testdata/streams`.
#[cfg(feature = "png")]
fn png(side: usize, samples: &[u16]) -> Vec<u8> {
    let bytes: Vec<u8> = (0..side * side).map(|i| (samples[i / side * SIDE + i % side] >> 4) as u8).collect();
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, side as u32, side as u32);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().and_then(|mut writer| writer.write_image_data(&bytes)).unwrap();
    out
}

/// Tiles of 256 x 256 bytes that are images in themselves, in bytes of output per second.
fn images(criterion: &mut Criterion) {
    const SIDE: usize = 256;
    #[allow(unused_mut, reason = "a build may have none of these codecs")]
    let mut table: Vec<(&str, CodecSpec, Vec<u8>)> = Vec::new();
    #[cfg(any(feature = "jxl", feature = "jpeg2000"))]
    let stream = |name| std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/streams").join(name)).unwrap();
    #[cfg(feature = "jxl")]
    table.push(("jpeg xl, lossy", CodecSpec::JpegXl { samples: 1 }, stream("scene.jxl")));
    #[cfg(feature = "jpeg2000")]
    table.push(("jpeg 2000, lossy", CodecSpec::Jpeg2000 { samples: 1 }, stream("scene.j2k")));
    #[cfg(feature = "png")]
    table.push(("png", CodecSpec::Png { samples: 1 }, png(SIDE, &surface())));
    let (limits, mut scratch, mut out) = (Limits::default(), Scratch::default(), vec![0; SIDE * SIDE]);
    let mut group = criterion.benchmark_group("images");
    group.throughput(Throughput::Bytes(out.len() as u64));
    for (name, spec, encoded) in table {
        let chain = Chain::compile(&[spec], &DataType::U8, &FillValue::ZERO, &Registry::default(), &limits).unwrap();
        let shape = [SIDE as u64, SIDE as u64];
        let chunk = ChunkContext::new(&shape, &DataType::U8, &limits);
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| chain.decode(black_box(&encoded), &chunk, &mut scratch, &mut Output::Exact(&mut out)).unwrap());
        });
    }
    group.finish();
}

/// Group 4 of stripes of 8 columns, whose every edge goes to the right by one and back from row to row.
fn fax_stripes() -> Vec<u8> {
    let runs = "00110011000101".repeat(SIDE / 16);
    let edges = |code: &str| code.repeat(SIDE / 8 - 1) + "1";
    let bits = runs + &(edges("011") + &edges("010")).repeat(SIDE / 2 - 1) + &edges("011");
    bits.as_bytes().chunks(8).map(|digits| digits.iter().enumerate().fold(0, |byte, (i, digit)| byte | (digit - b'0') << (7 - i))).collect()
}

fn fax(criterion: &mut Criterion) {
    let (encoded, shape) = (fax_stripes(), [SIDE as u64, SIDE as u64]);
    let (limits, mut scratch, mut out) = (Limits::default(), Scratch::default(), vec![0; SIDE * SIDE]);
    let chain = Chain::compile(&[CodecSpec::Fax(FaxCoding::Group4)], &DataType::U8, &FillValue::ZERO, &Registry::default(), &limits).unwrap();
    let chunk = ChunkContext::new(&shape, &DataType::U8, &limits);
    let mut group = criterion.benchmark_group("codecs");
    group.throughput(Throughput::Bytes(out.len() as u64));
    group.bench_function("fax, group 4", |bencher| {
        bencher.iter(|| chain.decode(black_box(&encoded), &chunk, &mut scratch, &mut Output::Exact(&mut out)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, codecs, fax, images);
criterion_main!(benches);
