//! Every finish, order of axes, region and kind of output beside one element at a time.

use ndarray::{ArrayD, IxDyn, Slice};

use super::*;
use crate::engine::element::converter;
use crate::model::{Axis as GridAxis, DataType, Edge, FillValue, Linear, Scaling};

/// Numbers that repeat with each seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

/// A chunk as it stands before its finish, and its elements after it, in stored order.
fn unfinished(finish: Finish, elements: &[u32], width: usize) -> Vec<u8> {
    let bytes = |swap: bool, n: u32| if swap { n.swap_bytes().to_ne_bytes() } else { n.to_ne_bytes() };
    match finish {
        Finish::Nothing => elements.iter().flat_map(|n| n.to_ne_bytes()).collect(),
        Finish::Swap { .. } => elements.iter().flat_map(|n| bytes(true, *n)).collect(),
        Finish::Predictor { stride, swap, .. } => {
            let row = |row: &[u32]| -> Vec<u8> {
                (0..row.len()).flat_map(|i| bytes(swap, row[i].wrapping_sub(if i < stride { 0 } else { row[i - stride] }))).collect()
            };
            elements.chunks(width).flat_map(row).collect()
        }
        Finish::FloatPredictor { stride, .. } => {
            let row = |row: &[u32]| -> Vec<u8> {
                let planes: Vec<u8> = (0..4).flat_map(|i| row.iter().map(move |n| n.to_be_bytes()[i])).collect();
                (0..planes.len()).map(|i| planes[i].wrapping_sub(if i < stride { 0 } else { planes[i - stride] })).collect()
            };
            elements.chunks(width).flat_map(row).collect()
        }
        Finish::Unshuffle { swap, .. } => (0..4).flat_map(|i| elements.iter().map(move |n| bytes(swap, *n)[i])).collect(),
    }
}

fn finishes(row: usize, stride: usize) -> [Finish; 7] {
    [
        Finish::Nothing,
        Finish::Swap { unit: 4 },
        Finish::Predictor { sample: 4, row, stride, swap: false },
        Finish::Predictor { sample: 4, row, stride, swap: true },
        Finish::FloatPredictor { sample: 4, row, stride },
        Finish::Unshuffle { element: 4, swap: false },
        Finish::Unshuffle { element: 4, swap: true },
    ]
}

/// Reads a region of an array by placing all of its chunks, and holds every element against its index.
fn check(grid: &ChunkGrid, order: &AxisOrder, finish_of: impl Fn(usize, usize) -> Finish, region: &Region, random: &mut Random) {
    let value = |index: &[u64]| index.iter().fold(7_u32, |n, i| n.wrapping_mul(1_000_003).wrapping_add(*i as u32));
    let shape: Vec<usize> = region.shape().iter().map(|n| *n as usize).collect();
    // Sometimes every second element of a larger array along each axis, sometimes backwards.
    let (step, spread) = ([1_isize, 1, 2, -1][random.below(4)], 1 + random.below(2));
    let outer: Vec<usize> = shape.iter().map(|n| n * 2 * spread).collect();
    let convert = random.below(3) == 0;
    let meaning = random.below(3);
    let mut out = ArrayD::<f64>::from_elem(IxDyn(&outer), -1.0);
    let mut copied = ArrayD::<u32>::from_elem(IxDyn(&outer), 0xdead_beef);
    let chunks = ChunkBox::of(grid, region);
    let (mut place, mut scratch) = (PlaceScratch::default(), Scratch::default());
    let mut run = |sink: Arc<FixedSink>| {
        for number in 0..chunks.len() {
            let index = chunks.index(number);
            let stored = order.permute(&grid.stored_shape(&index));
            let count: u64 = stored.iter().product();
            let elements: Vec<u32> = (0..count)
                .map(|n| {
                    let mut rest = n;
                    let mut at = vec![0; index.len()];
                    for (axis, length) in order.axes().iter().zip(&stored).rev() {
                        at[*axis] = grid.extent(*axis, index[*axis]).start + rest % length;
                        rest /= length;
                    }
                    value(&at)
                })
                .collect();
            let width: u64 = stored[1.min(stored.len() - 1)..].iter().product();
            let stride = if stored.len() > 1 { *stored.last().unwrap() } else { 1 };
            let finish = finish_of(width as usize * 4, if width.is_multiple_of(stride) && width > stride { stride as usize } else { 1 });
            let bytes = unfinished(finish, &elements, width as usize);
            let mut claim = sink.claim(number, order, &mut place).unwrap();
            let wanted = claim.wanted().map(|elements| elements.start * 4..elements.end * 4).and_then(|wanted| finish.source(wanted));
            let bytes = match wanted {
                // What is not wanted is not there.
                Some(wanted) => (0..bytes.len()).map(|i| if wanted.contains(&i) { bytes[i] } else { 0x55 }).collect(),
                None => bytes,
            };
            if finish == Finish::Nothing
                && let Some(done) = claim.lend(|target| {
                    target.copy_from_slice(&bytes);
                    Ok(())
                })
            {
                done.unwrap();
                continue;
            }
            if finish == Finish::Nothing && random.below(2) == 0 {
                let length = 4 * (1 + random.below(bytes.len() / 4));
                match claim.in_pieces(order, length) {
                    Ok(pieces) => {
                        // Those that hold nothing that is wanted may be left out, and the order is anybody's.
                        for piece in (0..bytes.len().div_ceil(length)).rev() {
                            let range = piece * length..((piece + 1) * length).min(bytes.len());
                            pieces.place(piece, &bytes[range.clone()]).unwrap();
                            assert!(pieces.place(piece, &bytes[range]).is_err(), "each piece once");
                        }
                        pieces.done();
                        continue;
                    }
                    Err(back) => claim = back,
                }
            }
            claim.place(&Decoded { bytes: &bytes, finish: &finish, order, validity: None }, &mut scratch).unwrap();
            assert!(sink.claim(number, order, &mut place).is_err(), "each part once");
        }
    };
    if meaning > 0 {
        // As each index of the first axis has its own line, or one value of the array stands for nothing.
        let lines = (0..grid.shape()[0]).map(|n| Linear { scale: 2.0, offset: n as f64 }).collect();
        let start: Vec<u64> = region.ranges().iter().map(|r| r.start).collect();
        let nothing = vec![FillValue::new(value(&start).to_ne_bytes().to_vec())];
        let scaling = Scaling { lines, ..Scaling::default() };
        let count = shape.iter().product();
        let (sink, values, marks) = if meaning == 1 {
            let rule = Meaning::scaled(&DataType::U32, &scaling, &[], &DataType::F64).unwrap();
            let sink = FixedSink::owned::<f64>(grid, region, count, 8, Rule::Meaning(rule)).unwrap();
            run(sink.clone());
            (sink.clone(), sink.take::<f64>().unwrap(), None)
        } else {
            let rule = Meaning::masked(&DataType::U32, &nothing, converter(&DataType::U32, &DataType::F64)).unwrap();
            let sink = FixedSink::masked::<f64>(grid, region, count, rule).unwrap();
            run(sink.clone());
            (sink.clone(), sink.take::<f64>().unwrap(), sink.take_marks())
        };
        drop(sink);
        for (n, got) in values.iter().enumerate() {
            let mut rest = n;
            let mut index = start.clone();
            for (i, length) in index.iter_mut().zip(&shape).rev() {
                *i += (rest % length) as u64;
                rest /= length;
            }
            let stored = f64::from(value(&index));
            let wanted = if meaning == 1 { stored * 2.0 + index[0] as f64 } else { stored };
            assert_eq!(*got, wanted, "at {index:?} of {region}, {order:?}");
            assert!(marks.as_ref().is_none_or(|marks| (marks[n] == 0) == (value(&index) == value(&start))), "at {index:?} of {region}, {order:?}");
        }
        return;
    }
    let slice = |n: usize| Slice::new(0, Some((n * step.unsigned_abs()) as isize), step);
    if convert {
        let mut view = out.view_mut();
        for (axis, n) in shape.iter().enumerate() {
            view.slice_axis_inplace(ndarray::Axis(axis), slice(*n));
        }
        FixedSink::scoped(view, grid, region, Rule::Convert(converter(&DataType::U32, &DataType::F64).unwrap(), 4), &mut run).unwrap();
    } else {
        let mut view = copied.view_mut();
        for (axis, n) in shape.iter().enumerate() {
            view.slice_axis_inplace(ndarray::Axis(axis), slice(*n));
        }
        FixedSink::scoped(view, grid, region, Rule::Copy, &mut run).unwrap();
    }
    let reach = step.unsigned_abs();
    for (index, got) in copied.indexed_iter() {
        let index = index.as_array_view().to_vec();
        let inside = index.iter().zip(&shape).all(|(i, n)| i / reach < *n && i % reach == 0);
        let at = index
            .iter()
            .zip(region.ranges())
            .zip(&shape)
            .map(|((i, r), n)| r.start + if step < 0 { n - 1 - i.min(&(n - 1)) } else { i / reach } as u64);
        let wanted = value(&at.collect::<Vec<_>>());
        match (inside, convert) {
            (true, false) => assert_eq!(*got, wanted, "at {index:?} of {region}, {order:?}, step {step}"),
            (true, true) => assert_eq!(out[IxDyn(&index)], f64::from(wanted), "at {index:?} of {region}, {order:?}, step {step}"),
            (false, _) => assert!(*got == 0xdead_beef && out[IxDyn(&index)] == -1.0, "written outside at {index:?}"),
        }
    }
}

#[test]
fn every_finish_puts_every_element_in_its_place() {
    let mut random = Random(11);
    let orders: [(&[u64], &[u64], &[usize]); 8] = [
        (&[40, 50], &[16, 20], &[0, 1]),
        (&[40, 50], &[16, 20], &[1, 0]),
        (&[3, 20, 30], &[3, 8, 7], &[1, 2, 0]),
        (&[3, 20, 30], &[1, 8, 7], &[0, 1, 2]),
        (&[3, 20, 30], &[2, 8, 30], &[2, 1, 0]),
        (&[700], &[100], &[0]),
        (&[2, 3, 9, 11], &[1, 2, 4, 11], &[0, 1, 2, 3]),
        (&[1, 33, 64], &[1, 16, 64], &[1, 2, 0]),
    ];
    for (shape, chunk, order) in orders {
        for edge in [Edge::Padded, Edge::Clipped] {
            let axes = chunk.iter().map(|n| (GridAxis::Regular(*n), edge)).collect();
            let grid = ChunkGrid::new(shape.to_vec(), axes).unwrap();
            let order = AxisOrder::new(order.to_vec()).unwrap();
            for round in 0..6 {
                let some = |n: &u64| {
                    let start = random.below(*n as usize) as u64;
                    start..start + 1 + random.below((n - start) as usize) as u64
                };
                let region = if round == 0 { Region::all(shape) } else { Region::new(shape.iter().map(some).collect()) };
                for finish in 0..7 {
                    check(&grid, &order, |row, stride| finishes(row, stride)[finish], &region, &mut random);
                }
            }
        }
    }
}

#[test]
fn what_was_not_written_may_be_claimed_again() {
    let grid = ChunkGrid::regular(&[4], &[4]).unwrap();
    let (order, mut place) = (AxisOrder::c(1), PlaceScratch::default());
    let mut out = ArrayD::<u8>::zeros(IxDyn(&[4]));
    FixedSink::scoped(out.view_mut(), &grid, &Region::all(&[4]), Rule::Copy, |sink| {
        let mut claim = sink.claim(0, &order, &mut place).unwrap();
        assert!(claim.lend(|_| Err::<(), _>(Error::codec("none", "damaged"))).unwrap().is_err());
        drop(claim);
        drop(sink.claim(0, &order, &mut place).unwrap());
        let mut claim = sink.claim(0, &order, &mut place).unwrap();
        claim
            .lend(|target| {
                target.fill(9);
                Ok(())
            })
            .unwrap()
            .unwrap();
        drop(claim);
        assert!(sink.claim(0, &order, &mut place).is_err());
    })
    .unwrap();
    assert_eq!(out.as_slice().unwrap(), [9; 4]);
}

#[test]
fn rows_of_another_length_are_refused() {
    let grid = ChunkGrid::regular(&[4, 6], &[4, 6]).unwrap();
    let (order, mut place, mut scratch) = (AxisOrder::c(2), PlaceScratch::default(), Scratch::default());
    let mut out = ArrayD::<u8>::zeros(IxDyn(&[4, 6]));
    FixedSink::scoped(out.view_mut(), &grid, &Region::all(&[4, 6]), Rule::Copy, |sink| {
        for (row, bytes) in [(5, 24), (6, 23)] {
            let finish = Finish::Predictor { sample: 1, row, stride: 1, swap: false };
            let claim = sink.claim(0, &order, &mut place).unwrap();
            assert!(claim.place(&Decoded { bytes: &vec![0; bytes], finish: &finish, order: &order, validity: None }, &mut scratch).is_err());
        }
    })
    .unwrap();
}

#[test]
fn blocks_are_whole_elements() {
    for element in [1, 3, 4, 12, BLOCK, BLOCK + 4] {
        let end = element * 9000;
        let mut at = 0;
        in_blocks(false, element, 0..end, |block, done| {
            assert_eq!((block.start, done), (at, at));
            assert!(block.len().is_multiple_of(element) && !block.is_empty() && (block.len() <= BLOCK || block.len() == element));
            at = block.end;
            Ok(block.len())
        })
        .unwrap();
        assert_eq!(at, end);
    }
}
