//! Kernels of `src/simd`: plain loops and the best level of this machine, on a row of 16 KiB, in bytes of output per second.

#![allow(missing_docs, reason = "a benchmark")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use swath::simd::{Level, copy_streaming, fill, streaming_fence};

/// A whole number of pixels of all the sizes below.
const LENGTH: usize = 16_128;

/// A kernel from a row to a row, with a row of work.
type Kernel = Box<dyn Fn(Level, &[u8], &mut [u8], &mut [u8])>;

fn table() -> Vec<(String, Kernel)> {
    let mut table: Vec<(String, Kernel)> = Vec::new();
    let mut add = |name: String, kernel: Kernel| table.push((name, kernel));
    for (bytes, stride) in [(1, 1), (1, 3), (1, 4), (1, 7), (2, 1), (2, 3), (2, 4), (2, 13), (4, 1), (4, 3), (8, 1)] {
        let of = format!("{stride} of {bytes} bytes");
        let in_place = move |level: Level, _: &[u8], to: &mut [u8], _: &mut [u8]| assert!(level.undo_predictor(to, bytes, stride));
        add(format!("undo_predictor, {of}"), Box::new(in_place));
        let swapped = move |level: Level, from: &[u8], to: &mut [u8], _: &mut [u8]| assert!(level.undo_predictor_to(from, bytes, stride, true, to));
        add(format!("undo_predictor_to, {of}, swapped"), Box::new(swapped));
    }
    for bytes in [2, 4, 8] {
        add(
            format!("undo_float_predictor_to, {bytes} bytes"),
            Box::new(move |level, from, to, work| level.undo_float_predictor_to(from, bytes, 1, work, to)),
        );
        add(format!("unshuffle, {bytes} bytes"), Box::new(move |level, from, to, _| level.unshuffle(from, bytes, to)));
        add(format!("bit_unshuffle, {bytes} bytes"), Box::new(move |level, from, to, _| level.bit_unshuffle(from, bytes, to)));
        add(format!("swap_bytes, {bytes} bytes"), Box::new(move |level, _, to, _| level.swap_bytes(to, bytes)));
        add(format!("swap_bytes_to, {bytes} bytes"), Box::new(move |level, from, to, _| level.swap_bytes_to(from, bytes, to)));
    }
    for bits in [1, 4, 10, 12, 14] {
        add(format!("unpack_bits, {bits} bits"), Box::new(move |level, from, to, _| level.unpack_bits(from, bits, to)));
    }
    for (element, samples) in [(1, 2), (1, 3), (1, 4), (2, 2), (2, 3), (2, 4), (4, 3)] {
        let all = move |level: Level, from: &[u8], to: &mut [u8], _: &mut [u8]| {
            let mut targets: Vec<&mut [u8]> = to.chunks_mut(LENGTH / samples).collect();
            level.deinterleave_all(from, element, &mut targets);
        };
        add(format!("deinterleave_all, {samples} of {element} bytes"), Box::new(all));
    }
    table
}

fn kernels(criterion: &mut Criterion) {
    let source: Vec<u8> = (0..LENGTH).map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let (mut target, mut work) = (source.clone(), source.clone());
    let mut group = criterion.benchmark_group("kernels");
    group.throughput(Throughput::Bytes(LENGTH as u64));
    for (name, kernel) in table() {
        for level in Level::all() {
            group.bench_function(BenchmarkId::new(&name, format!("{level:?}")), |bencher| {
                bencher.iter(|| kernel(level, black_box(&source), black_box(&mut target), &mut work));
            });
        }
    }
    group.bench_function("fill, 4 bytes", |bencher| bencher.iter(|| fill(black_box(&mut target), black_box(&[1, 2, 3, 4]))));
    group.finish();

    // What is larger than the cache.
    let source = vec![7; 64 << 20];
    let mut target = source.clone();
    let mut group = criterion.benchmark_group("copies");
    group.throughput(Throughput::Bytes(source.len() as u64)).sample_size(10);
    group.bench_function("plain", |bencher| bencher.iter(|| target.copy_from_slice(black_box(&source))));
    group.bench_function("streaming", |bencher| {
        bencher.iter(|| {
            copy_streaming(black_box(&source), &mut target);
            streaming_fence();
        });
    });
    group.finish();
}

criterion_group!(benches, kernels);
criterion_main!(benches);
