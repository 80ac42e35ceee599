//! Arrays described by hand, of no format: their quantities, what their codecs call invalid, chunks without the end that nobody needs.
#![cfg(feature = "read")]
#![allow(clippy::cast_possible_truncation, clippy::float_cmp, reason = "test arrays are small; the numbers are exact")]

use std::collections::HashMap;
use std::sync::Arc;

use ndarray::{Array2, Array3, Ix2, array};
use swath::codec::{ChunkContext, Codec, MakeCodec, Output, Scratch};
use swath::model::{
    ArrayMeta, AxisOrder, ChunkGrid, ChunkManifest, CodecSpec, DataType, Dim, FillValue, Linear, Location, ObjectKey, RawJson, Scaling,
};
use swath::{ErrorKind, Masked, Session, SessionOptions};

/// An array whose chunks are at hand; `None` is one that is not stored.
fn inline(data_type: DataType, shape: &[u64], chunk: &[u64], order: AxisOrder, chunks: Vec<Option<Vec<u8>>>) -> ArrayMeta {
    let located = chunks.into_iter().map(|c| c.map_or(Location::Absent, |bytes| Location::Inline(bytes.into())));
    ArrayMeta {
        source: ObjectKey::new("memory://array"),
        dims: shape.iter().map(|length| Dim { name: String::new(), length: *length }).collect(),
        grid: ChunkGrid::regular(shape, chunk).unwrap(),
        data_type,
        fill_value: FillValue::ZERO,
        order,
        chains: vec![vec![]],
        manifest: ChunkManifest::Listed(Arc::new((0..).zip(located).collect::<HashMap<_, _>>())),
        scaling: Scaling::default(),
        attributes: RawJson::default(),
    }
}

fn bytes(numbers: &[i16]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_ne_bytes()).collect()
}

fn element(n: i16) -> FillValue {
    FillValue::new(n.to_ne_bytes().to_vec())
}

const NAN: f64 = f64::NAN;

fn same(a: &Array2<f64>, b: &Array2<f64>) -> bool {
    a.shape() == b.shape() && a.iter().zip(b).all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
}

#[test]
fn one_line_for_all_and_several_values_of_nodata() {
    let session = Session::new();
    // Columns first inside a chunk; the second chunk is not stored and holds the fill value.
    let chunks = vec![Some(bytes(&[1, 4, -1, 5, 3, -9])), None];
    let mut meta = inline(DataType::I16, &[2, 5], &[2, 3], AxisOrder::f(2), chunks);
    meta.scaling = Scaling { lines: vec![Linear { scale: 0.5, offset: 10.0 }], nodata: vec![element(-1), element(-9)], ..Scaling::default() };
    meta.fill_value = element(7);
    let read = |meta: &ArrayMeta| {
        let array = session.array(meta.clone()).unwrap();
        session.block_on(array.read_scaled::<f64, Ix2>(..)).unwrap()
    };
    assert!(same(&read(&meta), &array![[10.5, NAN, 11.5, 13.5, 13.5], [12.0, 12.5, NAN, 13.5, 13.5]]));
    meta.fill_value = element(-9);
    assert!(same(&read(&meta), &array![[10.5, NAN, 11.5, NAN, NAN], [12.0, 12.5, NAN, NAN, NAN]]));
    let array = session.array(meta.clone()).unwrap();
    let masked: Masked<i32, Ix2> = session.block_on(array.read_masked((.., 1..4))).unwrap();
    assert_eq!(masked.data, array![[-1, 3, -9], [5, -9, -9]]);
    assert_eq!(masked.valid, array![[false, true, false], [true, false, false]]);
    // Untyped, in both widths.
    let (single, _) = session.block_on(array.read_scaled_dyn(&DataType::F32, (0, 0..3))).unwrap();
    assert_eq!(single.as_slice::<f32>().unwrap().iter().map(|n| n.to_bits()).collect::<Vec<_>>(), [10.5, f32::NAN, 11.5].map(f32::to_bits));
    let (flags, _) = session.block_on(array.read_valid_dyn((0, 0..3))).unwrap();
    assert_eq!((flags.data_type(), flags.bytes().unwrap()), (&DataType::Bool, &[1, 0, 1][..]));
    let e = session.block_on(array.read_scaled_dyn(&DataType::U8, ..)).unwrap_err();
    assert!(matches!(e.kind(), ErrorKind::DataType(_)), "{e}");
}

#[test]
fn a_line_for_each_index_of_the_first_axis() {
    let session = Session::new();
    let chunks = vec![Some(bytes(&[1, 10, 100, 2, 20, 200])), None];
    let order = AxisOrder::new(vec![1, 2, 0]).unwrap();
    let mut meta = inline(DataType::I16, &[3, 1, 4], &[3, 1, 2], order, chunks);
    let line = |scale, offset| Linear { scale, offset };
    meta.scaling.lines = vec![line(1.0, 1.0), line(2.0, 0.0), line(0.5, -1.0)];
    let array = session.array(meta.clone()).unwrap();
    let all: Array3<f64> = session.block_on(array.read_scaled(..)).unwrap();
    assert_eq!(all.into_raw_vec_and_offset().0, [2.0, 3.0, 1.0, 1.0, 20.0, 40.0, 0.0, 0.0, 49.0, 99.0, -1.0, -1.0]);
    let last: Array3<f32> = session.block_on(array.read_scaled((1.., 0, 1..3))).unwrap();
    assert_eq!(last.into_raw_vec_and_offset().0, [40.0, 0.0, 99.0, -1.0]);
    meta.scaling.lines.pop();
    assert!(session.array(meta).is_err());
}

/// Copies, and calls odd elements invalid.
#[derive(Debug)]
struct EvenOnly;

impl Codec for EvenOnly {
    fn name(&self) -> &str {
        "even-only"
    }
    fn decode(&self, input: &[u8], _: &ChunkContext<'_>, scratch: &mut Scratch, output: &mut Output<'_>) -> swath::Result<()> {
        let Output::Exact(out) = output else { return Err(swath::Error::codec("even-only", "of known length only")) };
        out.copy_from_slice(input);
        let odd = |pair: &[u8]| i16::from_ne_bytes([pair[0], pair[1]]) % 2 != 0;
        scratch.validity = input.chunks_exact(2).any(odd).then(|| input.chunks_exact(2).map(|pair| u8::from(!odd(pair))).collect());
        Ok(())
    }
}

#[test]
fn what_a_codec_calls_invalid_is() {
    let make: MakeCodec = Arc::new(|_, _| Ok(Arc::new(EvenOnly)));
    for cache in [false, true] {
        let mut options = SessionOptions::default();
        options.cache_decoded = cache;
        let session = Session::builder(options).with_codec("even-only", make.clone()).build().unwrap();
        let chunks = vec![Some(bytes(&[2, 3, 4, 5])), Some(bytes(&[6, 8, 10, 12]))];
        let mut meta = inline(DataType::I16, &[2, 4], &[2, 2], AxisOrder::f(2), chunks);
        meta.chains = vec![vec![CodecSpec::Other { name: "even-only".into(), configuration: RawJson::default() }]];
        let array = session.array(meta).unwrap();
        let expected = array![[true, true, true, true], [false, false, true, true]];
        for _ in 0..2 {
            let stored: Array2<i16> = session.block_on(array.read(..)).unwrap();
            assert_eq!(stored, array![[2, 4, 6, 10], [3, 5, 8, 12]]);
            assert_eq!(session.block_on(array.read_valid::<Ix2>(..)).unwrap(), expected);
            let quantities = session.block_on(array.read_scaled::<f64, Ix2>(..)).unwrap();
            assert!(same(&quantities, &array![[2.0, 4.0, 6.0, 10.0], [NAN, NAN, 8.0, 12.0]]));
        }
    }
}

/// The last chunks lack the padding that lies outside of the array, and one lacks more.
#[test]
fn chunks_may_end_where_the_array_ends() {
    let numbers: Vec<i16> = (1..=16).collect();
    // 3 rows of the first chunk lie inside, and of the second 3 rows of 2 columns: 12 and 10 elements are needed.
    for (first, second, fits) in [(16, 16, true), (12, 10, true), (12, 12, true), (11, 10, false), (12, 9, false)] {
        for chain in [vec![CodecSpec::LeaveSurplus], vec![]] {
            let chunks = [first, second].map(|n| Some(bytes(&numbers[..n]))).to_vec();
            let mut meta = inline(DataType::I16, &[3, 6], &[4, 4], AxisOrder::c(2), chunks);
            let tolerant = !chain.is_empty();
            meta.chains = vec![chain];
            let session = Session::new();
            let array = session.array(meta).unwrap();
            let read = session.block_on(array.read::<i16, Ix2>(..));
            let expected = fits && (tolerant || (first, second) == (16, 16));
            assert_eq!(read.is_ok(), expected, "{first} {second} {tolerant}: {read:?}");
            if let Ok(read) = read {
                assert_eq!(read, array![[1, 2, 3, 4, 1, 2], [5, 6, 7, 8, 5, 6], [9, 10, 11, 12, 9, 10]]);
            }
            // What is needed of a chunk does not depend on what is asked for: a region does not succeed where the whole fails.
            let corner = Session::new().block_on(array.read::<i16, Ix2>((0..1, 4..5)));
            assert_eq!(corner.is_ok(), second >= 10 && (tolerant || second == 16), "{first} {second} {tolerant}: {corner:?}");
        }
    }
}
