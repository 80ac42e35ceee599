//! T1: products and sums of sizes from outside, at the ends of what can be counted, held against arithmetic that does not overflow.

use proptest::prelude::*;
use swath::ErrorKind;
use swath::codec::ChunkContext;
use swath::model::{Axis, ByteSpan, ChunkGrid, DataType, Edge, Limits, ObjectKey, Region};

use crate::{World, v2, v3};

/// Where types end, and their neighbours.
const EXTREMES: [u64; 17] = [
    0,
    1,
    2,
    3,
    0xff,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    (1 << 53) + 1,
    i64::MAX as u64,
    1 << 63,
    (1 << 63) + 1,
    u64::MAX - 1,
    u64::MAX,
];

fn extreme() -> impl Strategy<Value = u64> {
    prop_oneof![3 => prop::sample::select(&EXTREMES[..]), 1 => any::<u64>(), 1 => 0_u64..100]
}

fn holds_of(grid: &ChunkGrid) {
    let counts: Vec<u128> = grid.counts().iter().map(|n| u128::from(*n)).collect();
    assert_eq!(u128::from(grid.chunk_count()), counts.iter().product::<u128>());
    if grid.chunk_count() == 0 {
        return;
    }
    for linear in [0, grid.chunk_count() / 2, grid.chunk_count() - 1] {
        let index = grid.index(linear);
        assert!(grid.contains(&index));
        assert_eq!(grid.linear(&index), linear);
        let region = grid.chunk_region(&index);
        assert!(!region.is_empty() && region.is_inside(&Region::all(grid.shape())), "{grid:?} {index:?}");
        let touched = grid.chunks_of(&region);
        assert!(touched.iter().zip(&index).all(|(range, i)| *range == (*i..i + 1)), "{grid:?} {index:?}: {touched:?}");
        for (axis, i) in index.iter().enumerate() {
            let (kind, edge) = &grid.axes()[axis];
            if let (Axis::Regular(length), Edge::Padded) = (kind, edge) {
                assert_eq!(grid.stored_length(axis, *i), *length, "a padded chunk is whole, {grid:?} {index:?}");
            }
            assert!(grid.stored_length(axis, *i) >= region.shape()[axis]);
        }
    }
}

#[test]
fn grids_of_one_axis() {
    for length in EXTREMES {
        for chunk in EXTREMES {
            match ChunkGrid::regular(&[length], &[chunk]) {
                Ok(grid) => {
                    assert_eq!(u128::from(grid.chunk_count()), u128::from(length).div_ceil(u128::from(chunk)));
                    holds_of(&grid);
                }
                Err(_) => assert!(chunk == 0 || length.div_ceil(chunk) >= 1 << 63, "{length} by {chunk}"),
            }
        }
    }
}

proptest! {
    #[test]
    fn grids(axes in prop::collection::vec((extreme(), extreme(), any::<bool>()), 0..5)) {
        let shape: Vec<u64> = axes.iter().map(|(length, ..)| *length).collect();
        let cut = |(_, chunk, padded): &(u64, u64, bool)| (Axis::Regular(*chunk), if *padded { Edge::Padded } else { Edge::Clipped });
        let exact = axes.iter().try_fold(1_u128, |n, (length, chunk, _)| {
            n.checked_mul(u128::from(length.checked_div(*chunk)? + u64::from(length % chunk > 0)).max(1))
        });
        match ChunkGrid::new(shape, axes.iter().map(cut).collect()) {
            Ok(grid) => holds_of(&grid),
            Err(_) => prop_assert!(exact.is_none_or(|n| n >= 1 << 63)),
        }
    }

    #[test]
    fn regions(ranges in prop::collection::vec((extreme(), extreme()), 0..5)) {
        let region = Region::new(ranges.iter().map(|(a, b)| *a..*b).collect());
        let exact = ranges.iter().try_fold(1_u128, |n, (a, b)| n.checked_mul(u128::from(b.saturating_sub(*a))));
        let exact = exact.and_then(|n| u64::try_from(n).ok());
        // Too many elements to be counted are told as the most that can be.
        prop_assert!(region.len() == exact.unwrap_or(u64::MAX) || ranges.iter().any(|(a, b)| a >= b));
        prop_assert!(region.intersection(&region) == region || region.is_empty());
    }

    #[test]
    fn spans(start in extreme(), length in extreme()) {
        let span = ByteSpan::new(&ObjectKey::new("memory://x"), start, length);
        prop_assert_eq!(span.is_some(), start.checked_add(length).is_some());
        prop_assert_eq!(span.map(|s| s.end()), start.checked_add(length));
    }

    #[test]
    fn chunks(shape in prop::collection::vec(extreme(), 0..6)) {
        let limits = Limits::default();
        for data_type in [DataType::U8, DataType::F64, DataType::ComplexF64, DataType::FixedBytes(usize::MAX), DataType::FixedUtf32(1 << 40)] {
            // An axis of no length makes the chunk empty, whatever stands beside it.
            let exact = shape.iter().try_fold(1_u128, |n, m| n.checked_mul(u128::from(*m)));
            let size = data_type.size().map_or(u128::MAX, |n| n as u128);
            match ChunkContext::new(&shape, &data_type, &limits).bytes() {
                Ok(bytes) => prop_assert_eq!(bytes.map(|n| n as u128), exact.and_then(|n| n.checked_mul(size))),
                Err(error) => {
                    let is_limit = matches!(error.kind(), ErrorKind::Limit { what: "max_chunk_bytes", .. });
                    prop_assert!(is_limit, "{}", error);
                    prop_assert!(exact.is_none_or(|n| n.saturating_mul(size) > u128::from(limits.max_chunk_bytes)) || shape.contains(&0));
                }
            }
        }
    }
}

/// Documents of such sizes, opened, planned and read in both corners.
#[test]
fn documents_of_extreme_shapes() {
    let world = World::new();
    let mut opened = 0;
    for length in EXTREMES {
        for chunk in EXTREMES {
            let grid = format!(r#"{{"name":"regular","configuration":{{"chunk_shape":[{chunk},1]}}}}"#);
            let sharded = r#"[{"name":"sharding_indexed","configuration":{"chunk_shape":[1,1],"codecs":[{"name":"bytes"}],
                "index_codecs":[{"name":"bytes","configuration":{"endian":"little"}}]}}]"#;
            let shape = format!("[{length},3]");
            world.put("a/zarr.json", v3(&[("shape", &shape), ("chunk_grid", &grid)]));
            world.put("b/.zarray", v2(&[("shape", &shape), ("chunks", &format!("[{chunk},1]"))]));
            world.put("c/zarr.json", v3(&[("shape", &shape), ("chunk_grid", &grid), ("codecs", sharded)]));
            for name in ["a", "b", "c"] {
                let read: swath::Result<()> = world.session.block_on(async {
                    let array = world.session.open_zarr(&world.url(name)).await?.array("").await?;
                    let last = length.saturating_sub(1);
                    for at in [0..length.min(1), last..length] {
                        let region = Region::new(vec![at, 2..3]);
                        array.plan(region.clone()).await?;
                        array.read_dyn(region).await?;
                    }
                    Ok(())
                });
                match read {
                    Ok(()) => opened += 1,
                    Err(error) => {
                        let refused = matches!(
                            error.kind(),
                            ErrorKind::Limit { .. } | ErrorKind::Malformed(_) | ErrorKind::Region(_) | ErrorKind::Unsupported(_)
                        );
                        assert!(refused, "{name} {length} by {chunk}: {error}");
                    }
                }
                let _ = world.session.block_on(world.session.forget(&world.url(name)));
            }
        }
    }
    assert!(opened > 100, "{opened}");
}
