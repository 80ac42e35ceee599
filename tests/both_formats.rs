//! One array written as TIFF and as Zarr: every check runs on both, through one table.
#![cfg(feature = "read")]
#![allow(clippy::cast_possible_truncation, clippy::float_cmp, reason = "test arrays are small; reads are exact")]

mod common;

use common::pair::{Case, FORMATS, Format, PREFIX, Pair, TYPES, forms, layouts, session};
use common::source::{Widen, native, scramble};
use common::{Fill, Source, of_type, tiff, zarr};
use ndarray::{Array, Array3, ArrayD, Ix2, Ix3, IxDyn, Slice};
use num_complex::Complex;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use swath::model::{ChunkGrid, DataType, Region};
use swath::{ChunkedArray, ErrorKind, Session, SessionOptions};

/// What a check is given: an array as it was opened, and what it must hold.
struct Subject<'a> {
    session: &'a Session,
    array: ChunkedArray,
    format: Format,
    pair: &'a Pair,
}

type Check = fn(&Subject<'_>);

const CHECKS: [(&str, Check); 9] = [
    ("description", description),
    ("whole", whole),
    ("regions", regions),
    ("any type", any_type),
    ("converted", converted),
    ("chunks", chunks),
    ("plan", plan),
    ("into the caller's array", into_views),
    ("refusals", refusals),
];

fn run(pairs: &[Pair], session: &Session) {
    for pair in pairs {
        for format in FORMATS {
            let array = pair.open(session, PREFIX, format).unwrap_or_else(|e| panic!("{format:?} {:?}: {e}", pair.case));
            let subject = Subject { session, array, format, pair };
            for (name, check) in CHECKS {
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&subject)));
                assert!(result.is_ok(), "check {name:?} failed for {format:?} of {:?}", pair.case);
            }
        }
    }
}

impl Subject<'_> {
    fn source(&self) -> &Source {
        &self.pair.source
    }
    fn expected<T: bytemuck::Pod>(&self, region: &Region) -> Vec<T> {
        native(&self.source().region(region), &self.source().data_type)
    }
    /// Regions worth a look: an element, a row, the middle over the chunks' borders, the last corner, nothing.
    fn some_regions(&self) -> Vec<Region> {
        let shape = &self.source().shape;
        let chunk = &self.pair.case.chunk;
        let region = |f: &dyn Fn(u64, u64) -> std::ops::Range<u64>| Region::new(shape.iter().zip(chunk).map(|(n, c)| f(*n, *c)).collect());
        vec![
            region(&|n, _| n / 2..n / 2 + 1),
            region(&|n, c| c.min(n).saturating_sub(1)..(c + 1).min(n)),
            region(&|n, _| n / 4..n - n / 4),
            region(&|n, c| (n - 1) / c * c..n),
            region(&|n, _| n..n),
        ]
    }
}

fn description(s: &Subject<'_>) {
    assert_eq!(s.array.shape(), s.source().shape);
    assert_eq!(*s.array.data_type(), s.source().data_type);
    let [band, rows, x] = s.pair.case.chunk;
    // A strip is never taller than its image.
    let rows = if s.format == Format::Tiff && !s.pair.case.layout.tiles { rows.min(s.source().shape[1]) } else { rows };
    assert_eq!(s.array.meta().grid.chunk_shape(), [band, rows, x]);
    assert_eq!(s.array.meta().fill_value.is_zero(), s.pair.case.fill == Fill::Zero);
}

fn whole(s: &Subject<'_>) {
    let all = Region::all(&s.source().shape);
    of_type!(s.source().data_type, T => {
        let read: Array3<T> = s.session.block_on(s.array.read(..)).unwrap();
        assert_eq!(bytemuck::cast_slice::<T, u8>(read.as_slice().unwrap()), bytemuck::cast_slice::<T, u8>(&s.expected::<T>(&all)));
    });
}

fn regions(s: &Subject<'_>) {
    for region in s.some_regions() {
        of_type!(s.source().data_type, T => {
            let read: Array3<T> = s.session.block_on(s.array.read(&region)).unwrap();
            assert_eq!(read.shape(), region.shape().iter().map(|n| *n as usize).collect::<Vec<_>>(), "{region}");
            assert_eq!(bytemuck::cast_slice::<T, u8>(read.as_slice().unwrap()), bytemuck::cast_slice::<T, u8>(&s.expected::<T>(&region)), "{region}");
        });
    }
}

fn any_type(s: &Subject<'_>) {
    for region in s.some_regions().into_iter().chain([Region::all(&s.source().shape)]) {
        let read = s.session.block_on(s.array.read_dyn(&region)).unwrap();
        assert_eq!(*read.data_type(), s.source().data_type);
        assert_eq!(read.shape(), region.shape());
        of_type!(s.source().data_type, T => {
            let typed: Array3<T> = read.to_array().unwrap();
            assert_eq!(bytemuck::cast_slice::<T, u8>(typed.as_slice().unwrap()), read.bytes().unwrap());
        });
        assert!(read.elements().is_none());
        assert_eq!(read.into_little_endian(), s.source().region(&region), "{region}");
    }
}

fn converted(s: &Subject<'_>) {
    let all = Region::all(&s.source().shape);
    let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
    of_type!(s.source().data_type, T => {
        let source: Vec<T> = s.expected(&all);
        if s.source().data_type.is_complex() {
            let read: ArrayD<Complex<f64>> = s.session.block_on(s.array.read_as(..)).unwrap();
            assert!(read.iter().zip(&source).all(|(a, b)| same(a.re, b.real()) && same(a.im, b.imaginary())));
            let real = s.session.block_on(s.array.read_as::<f64, Ix3>(..)).unwrap_err();
            assert!(matches!(real.kind(), ErrorKind::DataType(_)), "{real}");
        } else {
            let read: ArrayD<f64> = s.session.block_on(s.array.read_as(..)).unwrap();
            assert!(read.iter().zip(&source).all(|(a, b)| same(*a, b.real())));
            let read: ArrayD<i16> = s.session.block_on(s.array.read_as(..)).unwrap();
            assert!(read.iter().zip(&source).all(|(a, b)| *a == b.to_i16()));
        }
    });
}

fn chunks(s: &Subject<'_>) {
    let grid = &s.array.meta().grid;
    let mut absent = 0;
    for linear in 0..grid.chunk_count() {
        let index = grid.index(linear);
        let chunk = s.session.block_on(s.array.read_chunk(&index)).unwrap();
        assert_eq!(chunk.region, grid.chunk_region(&index));
        assert_eq!(chunk.bytes.is_none(), s.pair.case.missing(&index), "{index:?}");
        let Some(bytes) = chunk.bytes else {
            absent += 1;
            continue;
        };
        let size = s.source().element_size();
        assert_eq!(bytes.len() as u64, chunk.shape.iter().product::<u64>() * size as u64);
        // The chunk's elements through its own order, against the array's.
        let mut held = Vec::new();
        Source::for_each(&chunk.region, |at| {
            let place = chunk.order.axes().iter().fold(0, |n, axis| n * chunk.shape[*axis] + at[*axis] - chunk.region.ranges()[*axis].start) as usize;
            held.extend_from_slice(&bytes[place * size..(place + 1) * size]);
        });
        of_type!(s.source().data_type, T => {
            assert_eq!(held, bytemuck::cast_slice::<T, u8>(&s.expected::<T>(&chunk.region)), "{index:?}");
        });
    }
    assert_eq!(absent, s.pair.absent);
    let outside = s.session.block_on(s.array.read_chunk(grid.counts())).unwrap_err();
    assert!(matches!(outside.kind(), ErrorKind::Region(_)), "{outside}");
}

fn plan(s: &Subject<'_>) {
    let grid = ChunkGrid::regular(&s.source().shape, &s.pair.case.chunk).unwrap();
    for region in s.some_regions().into_iter().chain([Region::all(&s.source().shape)]) {
        let plan = s.session.block_on(s.array.plan(&region)).unwrap();
        let touched: u64 = grid.chunks_of(&region).iter().map(|r| r.end - r.start).product();
        assert_eq!(plan.chunks as u64, touched, "{region}");
        assert_eq!(plan.output_bytes, region.len() * s.source().element_size() as u64);
        assert!(plan.to_string().contains("chunk"), "{plan}");
        if s.format == Format::Tiff && region.len() == Region::all(&s.source().shape).len() {
            // A table tells what is absent; names of objects do not.
            assert!(plan.cached > 0 || plan.absent == s.pair.absent, "{plan:?}");
        }
        let (_, stats) = s.session.block_on(s.array.read_dyn_with_stats(&region)).unwrap();
        assert_eq!(stats.chunks, plan.chunks, "{stats:?}");
        assert_eq!(stats.chunk_cache_hits, plan.cached, "{stats:?}");
        assert_eq!(stats.requests, plan.requests.len() as u64, "{plan:?} {stats:?}");
        let answered = plan.requests.iter().map(|r| r.chunks).sum::<usize>() + plan.absent + plan.cached + stats.cache_hits as usize;
        assert_eq!(answered, plan.chunks, "{plan:?} {stats:?}");
        if plan.exact {
            assert_eq!(stats.bytes, plan.bytes, "{plan:?} {stats:?}");
        }
    }
}

/// Outputs of every stride: every second element, backwards, axes in another order.
fn into_views(s: &Subject<'_>) {
    let region = s.some_regions().swap_remove(2);
    let shape: Vec<usize> = region.shape().iter().map(|n| *n as usize).collect();
    of_type!(s.source().data_type, T => {
        let zero = <T as bytemuck::Zeroable>::zeroed();
        let expected = Array::from_shape_vec(IxDyn(&shape), s.expected::<T>(&region)).unwrap().into_dimensionality::<Ix3>().unwrap();
        let bits = |a: &Array3<T>| bytemuck::cast_slice::<T, u8>(a.as_standard_layout().as_slice().unwrap()).to_vec();
        let mut wide = Array3::from_elem((shape[0] * 2, shape[1], shape[2] * 3), zero);
        let mut view = wide.slice_each_axis_mut(|axis| Slice::new(0, None, [-2, -1, 3][axis.axis.index()]));
        s.array.blocking_read_into(&region, view.view_mut()).unwrap();
        assert_eq!(bits(&view.to_owned()), bits(&expected));
        let mut turned = Array3::from_elem((shape[2], shape[0], shape[1]), zero);
        let mut view = turned.view_mut().permuted_axes([1, 2, 0]);
        view.invert_axis(ndarray::Axis(2));
        s.array.blocking_read_into(&region, view.view_mut()).unwrap();
        assert_eq!(bits(&view.to_owned()), bits(&expected));
        // What lies between is untouched.
        assert!(wide.indexed_iter().filter(|((_, _, x), _)| x % 3 != 0).all(|(_, v)| *v == zero));
    });
}

fn refusals(s: &Subject<'_>) {
    let wrong = if s.source().data_type == DataType::U8 {
        s.session.block_on(s.array.read::<i16, Ix3>(..)).unwrap_err()
    } else {
        s.session.block_on(s.array.read::<u8, Ix3>(..)).unwrap_err()
    };
    assert!(matches!(wrong.kind(), ErrorKind::DataType(_)), "{wrong}");
    let n = s.source().shape[2];
    let outside = s.session.block_on(s.array.read_dyn((.., .., n..n + 1))).unwrap_err();
    assert!(matches!(outside.kind(), ErrorKind::Region(_)), "{outside}");
    of_type!(s.source().data_type, T => {
        let rank = s.session.block_on(s.array.read::<T, Ix2>(..)).unwrap_err();
        assert!(matches!(rank.kind(), ErrorKind::Region(_)), "{rank}");
    });
}

/// Shape, chunk, and whether the chunks are tiles.
const GEOMETRIES: [([u64; 3], [u64; 3], bool); 12] = [
    ([2, 32, 48], [2, 16, 16], true),
    ([2, 32, 48], [1, 16, 16], true),
    ([3, 37, 53], [3, 16, 32], true),
    ([3, 37, 53], [1, 32, 16], true),
    ([1, 11, 13], [1, 16, 16], true),
    ([2, 5, 3], [2, 32, 16], true),
    ([4, 16, 17], [1, 16, 16], true),
    ([1, 30, 17], [1, 10, 17], false),
    ([2, 23, 19], [1, 5, 19], false),
    ([2, 23, 19], [2, 5, 19], false),
    ([1, 9, 7], [1, 64, 7], false),
    ([1, 1, 1], [1, 1, 1], false),
];

/// Every type in every geometry with every fill; the encodings of both formats take turns.
fn shapes() -> Vec<Case> {
    let mut cases = Vec::new();
    let forms = forms();
    for data_type in &TYPES {
        let layouts = layouts(data_type);
        for (shape, chunk, tiles) in GEOMETRIES {
            for (holes, fill) in [(false, Fill::Zero), (true, Fill::Zero), (true, Fill::Seven), (true, Fill::Extreme)] {
                if data_type.is_complex() && fill != Fill::Zero {
                    continue; // GDAL's nodata is one real number
                }
                let seed = cases.len() as u64;
                let pick = scramble(seed) as usize;
                let nodata = (fill != Fill::Zero).then(|| fill.text(data_type).to_lowercase());
                let layout = tiff::Layout { tiles, nodata, ..layouts[pick % layouts.len()].clone() };
                let form = forms[pick / 1024 % forms.len()].clone();
                cases.push(Case { data_type: data_type.clone(), shape, chunk, holes, fill, layout, form, seed });
            }
        }
    }
    cases
}

/// Every type in every encoding, with edges and holes.
fn encodings() -> Vec<Case> {
    let mut cases = Vec::new();
    for data_type in &TYPES {
        let (layouts, forms) = (layouts(data_type), forms());
        for i in 0..layouts.len().max(forms.len()) {
            let (layout, form) = (layouts[i % layouts.len()].clone(), forms[i % forms.len()].clone());
            let chunk = [if i % 2 == 0 { 1 } else { 2 }, 16, 16];
            cases.push(Case {
                data_type: data_type.clone(),
                shape: [2, 21, 37],
                chunk,
                holes: i % 4 > 1,
                fill: Fill::Zero,
                layout,
                form,
                seed: i as u64,
            });
        }
    }
    cases
}

fn write_all(cases: Vec<Case>, store: &object_store::memory::InMemory) -> Vec<Pair> {
    cases.into_iter().enumerate().map(|(i, case)| case.write(store, &format!("case{i}"))).collect()
}

#[test]
fn every_type_shape_edge_and_fill() {
    let (store, session) = session(SessionOptions::default());
    run(&write_all(shapes(), &store), &session);
}

#[test]
fn every_type_in_every_encoding() {
    let (store, session) = session(without_caches());
    run(&write_all(encodings(), &store), &session);
}

fn without_caches() -> SessionOptions {
    let mut options = SessionOptions::default();
    options.cache_stored = false;
    options.cache_decoded = false;
    options
}

fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

fn any_region(shape: &[u64]) -> impl Strategy<Value = Region> + use<> {
    let axes: Vec<_> = shape.iter().map(|n| (0..=*n, 0..=*n).prop_map(|(a, b)| a.min(b)..a.max(b))).collect();
    axes.prop_map(Region::new)
}

/// An array of any type, shape, chunk shape and encoding.
fn any_case() -> impl Strategy<Value = Case> {
    let chunk = (1..4_u64, 1..4_u64, 1..40_u64, any::<bool>(), any::<bool>());
    (0..TYPES.len(), (1..4_u64, 1..70_u64, 1..70_u64), chunk, any::<u32>(), any::<bool>()).prop_map(
        |(of_type, (bands, height, width), (tall, wide, rows, tiles, chunky), pick, holes)| {
            let data_type = TYPES[of_type].clone();
            let (layouts, forms) = (layouts(&data_type), forms());
            let band = if chunky { bands } else { 1 };
            let chunk = if tiles { [band, tall * 16, wide * 16] } else { [band, rows, width] };
            let layout = tiff::Layout { tiles, ..layouts[pick as usize % layouts.len()].clone() };
            let form: zarr::Form = forms[pick as usize / 64 % forms.len()].clone();
            Case { data_type, shape: [bands, height, width], chunk, holes, fill: Fill::Zero, layout, form, seed: u64::from(pick) }
        },
    )
}

#[test]
fn any_region_of_any_array() {
    let (store, cached) = session(SessionOptions::default());
    let mut tight = without_caches();
    tight.limits.decoded_in_flight = 3000;
    tight.limits.stored_in_flight = 2000;
    tight.network.merge_gap = Some(16);
    tight.network.request_bytes = 1500;
    let tight = Session::builder(tight).with_store(PREFIX, store.clone()).build().unwrap();
    let case = any_case().prop_flat_map(|case| {
        let regions = proptest::collection::vec(any_region(&case.shape), 12);
        (Just(case), regions)
    });
    let written = std::cell::Cell::new(0);
    runner(160)
        .run(&case, |(case, regions)| {
            written.set(written.get() + 1);
            let pair = case.write(&store, &format!("any{}", written.get()));
            for format in FORMATS {
                for session in [&cached, &tight] {
                    let array = pair.open(session, PREFIX, format).unwrap();
                    for region in &regions {
                        let read = session.block_on(array.read_dyn(region)).map_err(|e| TestCaseError::fail(format!("{format:?} {region}: {e}")))?;
                        prop_assert!(read.into_little_endian() == pair.source.region(region), "{:?} {}: other elements", format, region);
                    }
                }
            }
            Ok(())
        })
        .unwrap();
}

/// A fill value of two parts, which only one of the formats can say.
#[test]
fn complex_fill_values() {
    let (store, session) = session(SessionOptions::default());
    for data_type in [DataType::ComplexF32, DataType::ComplexF64] {
        for version in [2, 3] {
            for fill in [Fill::Seven, Fill::Extreme] {
                let form = zarr::Form::new(version, 3);
                let case = Case {
                    data_type: data_type.clone(),
                    shape: [1, 40, 40],
                    chunk: [1, 16, 16],
                    holes: true,
                    fill,
                    layout: tiff::Layout::default(),
                    form,
                    seed: 5,
                };
                let pair = case.write(&store, &format!("{data_type}{version}{fill:?}"));
                assert!(pair.absent > 0);
                let array = pair.open(&session, PREFIX, Format::Zarr).unwrap();
                let read = session.block_on(array.read_dyn(..)).unwrap();
                assert_eq!(read.into_little_endian(), pair.source.bytes, "{data_type} {version} {fill:?}");
            }
        }
    }
}
