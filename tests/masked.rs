//! Which pixels are valid, and the quantities they stand for: what GDAL says of them, in every way a file can say it (`MASKED.json`).
#![cfg(feature = "read")]
#![allow(clippy::cast_possible_truncation, reason = "test arrays are small")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use ndarray::{Array3, ArrayD, Ix3};
use serde::Deserialize;
use swath::model::{DataType, Region};
use swath::{ChunkedArray, Cog, ErrorKind, Mask, Masked, Session, SessionOptions};

/// What `MASKED.json` says of a level: CRC-32 of the flags, a byte each, and of the quantities as little-endian f64.
#[derive(Debug, Deserialize)]
struct Expected {
    shape: Vec<usize>,
    invalid: usize,
    valid: String,
    scaled: Option<String>,
}

fn testdata() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

fn open(session: &Session, name: &str) -> Cog {
    session.block_on(session.open_cog(testdata().join(name).to_str().unwrap())).unwrap()
}

fn table() -> BTreeMap<String, BTreeMap<String, Expected>> {
    serde_json::from_str(&std::fs::read_to_string(testdata().join("MASKED.json")).unwrap()).unwrap()
}

/// Levels of the table that this build can read.
fn levels(session: &Session) -> Vec<(String, ChunkedArray, Expected)> {
    let mut found = Vec::new();
    for (name, levels) in table() {
        let cog = open(session, &name);
        for (level, expected) in levels {
            match cog.level(level.parse().unwrap()) {
                Ok(array) => found.push((format!("{name} {level}"), array, expected)),
                Err(e) => assert!(e.is_unsupported() && !cfg!(all(feature = "webp", feature = "lerc")), "{name}: {e}"),
            }
        }
    }
    assert!(found.len() > 20, "{}", found.len());
    found
}

fn crc(bytes: impl IntoIterator<Item = u8>) -> String {
    format!("{:08x}", crc32fast::hash(&bytes.into_iter().collect::<Vec<_>>()))
}

fn of_flags(valid: &Array3<bool>) -> String {
    crc(valid.iter().map(|v| u8::from(*v)))
}

/// Every not-a-number as NumPy's.
fn of_quantities(values: &Array3<f64>) -> String {
    crc(values.iter().flat_map(|v| if v.is_nan() { f64::NAN } else { *v }.to_le_bytes()))
}

#[test]
fn validity_and_quantities_are_gdals() {
    let mut uncached = SessionOptions::default();
    uncached.cache_decoded = false;
    for session in [Session::new(), Session::with_options(uncached).unwrap()] {
        for (name, level, expected) in levels(&session) {
            // Twice: the second time chunks come out of the cache.
            for _ in 0..2 {
                let valid: Array3<bool> = session.block_on(level.read_valid(..)).unwrap();
                assert_eq!(valid.shape(), expected.shape, "{name}");
                assert_eq!(valid.iter().filter(|v| !**v).count(), expected.invalid, "{name}");
                assert_eq!(of_flags(&valid), expected.valid, "{name}");
                if let Some(scaled) = &expected.scaled {
                    let read: Array3<f64> = session.block_on(level.read_scaled(..)).unwrap();
                    assert_eq!(of_quantities(&read), *scaled, "{name}");
                    let masked: Masked<f64, Ix3> = session.block_on(level.read_masked(..)).unwrap();
                    assert_eq!(of_flags(&masked.valid), expected.valid, "{name}");
                    let stored: Array3<f64> = session.block_on(level.read_as(..)).unwrap();
                    let same = |a: &f64, b: &f64| a == b || (a.is_nan() && b.is_nan());
                    assert!(masked.data.iter().zip(&stored).all(|(a, b)| same(a, b)), "{name}: masked data are the stored data");
                }
            }
        }
    }
}

#[test]
fn regions_are_parts_of_the_whole() {
    let session = Session::new();
    for (name, level, expected) in levels(&session) {
        let valid: Array3<bool> = session.block_on(level.read_valid(..)).unwrap();
        let [bands, height, width] = [0, 1, 2].map(|axis| expected.shape[axis] as u64);
        let regions = [
            [0..bands, height / 3..height - 1, 3..width / 2 + 1],
            [bands - 1..bands, 0..height, width - 1..width],
            [0..1, height / 2..height / 2 + 1, 0..width],
            [0..bands, 5..5, 0..width],
        ];
        for region in regions {
            let part = valid.slice(ndarray::s![
                region[0].start as usize..region[0].end as usize,
                region[1].start as usize..region[1].end as usize,
                region[2].start as usize..region[2].end as usize
            ]);
            let region = Region::new(region.to_vec());
            assert_eq!(session.block_on(level.read_valid::<Ix3>(&region)).unwrap(), part, "{name} {region}");
            if expected.scaled.is_some() {
                let masked: Masked<f64, Ix3> = session.block_on(level.read_masked(&region)).unwrap();
                assert_eq!(masked.valid, part, "{name} {region}");
                let quantities: Array3<f32> = session.block_on(level.read_scaled(&region)).unwrap();
                assert!(quantities.iter().zip(&part).all(|(q, v)| q.is_nan() != *v), "{name} {region}");
            }
        }
    }
}

#[test]
fn a_mask_says_where_it_comes_from() {
    let session = Session::new();
    let kinds = [
        ("masked/grey_alpha.tif", "band 1"),
        ("masked/rgba_u16_planes.tif", "band 3"),
        ("masked/three_bands_alpha.tif", "none"),
        ("masked/alpha_i16.tif", "none"),
        ("masked/mask_alpha.tif", "array"),
        ("masked/nodata_f32.tif", "none"),
    ];
    for (name, kind) in kinds {
        let level = open(&session, name).level(0).unwrap();
        let found = match level.mask().unwrap() {
            None => "none".to_owned(),
            Some(Mask::Band(band)) => format!("band {band}"),
            Some(Mask::Array(mask)) => {
                assert_eq!(mask.shape()[1..], level.shape()[1..]);
                "array".to_owned()
            }
            Some(other) => panic!("{other:?}"),
        };
        assert_eq!(found, kind, "{name}");
    }
    let cog = open(&session, "tiff/cog_mask_overviews.tif");
    let shapes: Vec<_> = (0..2).map(|level| cog.mask(level).unwrap().unwrap().shape()[1..].to_vec()).collect();
    assert_eq!(shapes, [[144, 208], [72, 104]]);
}

#[test]
fn masks_of_the_callers_own() {
    let session = Session::new();
    let scene = open(&session, "masked/scales_sparse.tif").level(0).unwrap();
    let flat = open(&session, "masked/mask_nodata.tif").level(0).unwrap();
    // Any array of the same rows and columns, for all bands; nodata counts for nothing then.
    let masked = scene.clone().with_mask(Mask::Array(flat.clone())).unwrap();
    let read: Masked<i16, Ix3> = session.block_on(masked.read_masked(..)).unwrap();
    let says: Array3<u16> = session.block_on(flat.read(..)).unwrap();
    assert!(read.valid.outer_iter().all(|band| band.iter().zip(&says).all(|(valid, said)| *valid == (*said != 0))));
    for (mask, fits) in [
        (Mask::Band(2), true),
        (Mask::Band(3), false),
        (Mask::Array(scene.clone()), true),
        (Mask::Array(open(&session, "terrain.tif").level(0).unwrap()), false),
    ] {
        let given = scene.clone().with_mask(mask);
        assert_eq!(given.is_ok(), fits);
        assert!(given.err().is_none_or(|e| matches!(e.kind(), ErrorKind::Usage(_))));
    }
}

#[test]
fn what_has_no_quantities_is_refused() {
    let session = Session::new();
    let complex = open(&session, "masked/nodata_complex.tif").level(0).unwrap();
    let e = session.block_on(complex.read_scaled::<f32, Ix3>(..)).unwrap_err();
    assert!(matches!(e.kind(), ErrorKind::DataType(_)), "{e}");
    let e = session.block_on(complex.read_masked::<u8, Ix3>(..)).unwrap_err();
    assert!(matches!(e.kind(), ErrorKind::DataType(_)), "{e}");
    let e = session.block_on(complex.read_valid::<ndarray::Ix2>(..)).unwrap_err();
    assert!(matches!(e.kind(), ErrorKind::Region(_)), "{e}");
}

#[test]
fn bands_in_any_order() {
    let session = Session::new();
    // Three bands in chunks of their own, five that share theirs.
    for (name, bands) in [("masked/scales_sparse.tif", 3_u64), ("tiff/bands_5_u16_pixel.tif", 5)] {
        let level = open(&session, name).level(0).unwrap();
        let all: ArrayD<f64> = session.block_on(level.read_as((.., 2..9, 3..19))).unwrap();
        for wanted in [vec![], vec![0], vec![bands - 1, 0], vec![1, 2, 0, 0], (0..bands).collect()] {
            let read: Array3<f64> = session.block_on(level.read_bands(&wanted, (2..9, 3..19))).unwrap();
            assert_eq!(read.shape(), [wanted.len(), 7, 16]);
            for (band, plane) in wanted.iter().zip(read.outer_iter()) {
                assert_eq!(plane.into_dyn(), all.index_axis(ndarray::Axis(0), *band as usize), "{name} {wanted:?}");
            }
        }
        let e = session.block_on(level.read_bands::<f64, Ix3>(&[0, bands], ..)).unwrap_err();
        assert!(matches!(e.kind(), ErrorKind::Region(_)), "{e}");
    }
}

#[test]
fn scale_and_offset_of_the_main_image_are_those_of_its_overviews() {
    let session = Session::new();
    let cog = open(&session, "masked/scales_sparse.tif");
    let levels: Vec<ChunkedArray> = cog.levels().collect::<Result<_, _>>().unwrap();
    assert_eq!(levels.len(), 2);
    for level in levels {
        let scaling = &level.meta().scaling;
        assert_eq!(scaling.line(0).apply(100.0), 274.15);
        assert_eq!((scaling.line(1).scale, scaling.line(1).offset, scaling.line(2).is_identity()), (0.5, -3.0, true));
        assert_eq!(*level.data_type(), DataType::I16);
        assert_eq!(scaling.nodata[0].bytes(), i16::MIN.to_ne_bytes());
    }
}

/// Bounds, and the rows and columns of level 0 that they touch; the transforms are those that GDAL told of the files.
#[test]
fn coordinates_to_pixels_and_back() {
    let session = Session::new();
    let cog = open(&session, "scene.tif");
    let [left, bottom, right, top] = cog.bounds().unwrap();
    assert_eq!([left, bottom, right, top], [600_000.0, 5_289_800.0, 610_240.0, 5_300_040.0]);
    let region = |level, bounds| cog.region_of(level, bounds).map(|r| r.to_string());
    assert_eq!(region(0, [left, bottom, right, top]).unwrap(), "0:4,0:1024,0:1024");
    assert_eq!(region(0, [600_010.0, 5_299_990.0, 600_030.0, 5_300_020.0]).unwrap(), "0:4,2:5,1:3");
    // A hair beyond an edge is the edge, a tenth of a pixel is not.
    assert_eq!(region(0, [600_009.999_999, 5_299_990.0, 600_030.000_001, 5_300_020.0]).unwrap(), "0:4,2:5,1:3");
    assert_eq!(region(0, [600_009.0, 5_299_989.0, 600_031.0, 5_300_021.0]).unwrap(), "0:4,1:6,0:4");
    assert_eq!(region(1, [600_010.0, 5_299_990.0, 600_030.0, 5_300_020.0]).unwrap(), "0:4,1:3,0:2");
    assert_eq!(region(2, [left - 1e9, bottom - 1e9, left + 40.0, top + 1e9]).unwrap(), "0:4,0:256,0:1");
    for outside in [[0.0, 0.0, 1.0, 1.0], [right, bottom, right + 10.0, top], [left, top, right, bottom], [left, bottom, f64::NAN, top]] {
        let e = cog.region_of(0, outside).unwrap_err();
        assert!(matches!(e.kind(), ErrorKind::Region(_)), "{e}");
    }
    for level in 0..3 {
        let (x, y) = cog.coordinates(level, 3.5, 7.25).unwrap();
        let (column, row) = cog.pixel(level, x, y).unwrap();
        assert!((column - 3.5).abs() < 1e-6 && (row - 7.25).abs() < 1e-6, "{column} {row}");
    }
    assert_eq!(cog.coordinates(1, 0.5, 0.5).unwrap(), (600_010.0, 5_300_030.0));
    assert!(matches!(cog.coordinates(3, 0.0, 0.0).unwrap_err().kind(), ErrorKind::Usage(_)));

    // Where tags give the coordinates of centres, corners are half a pixel further out: GDAL's transform of the file is 600000, 5300000.
    let point = open(&session, "tiff/geo_point.tif");
    assert!(point.georeference().pixel_is_point);
    assert_eq!(point.coordinates(0, 0.5, 0.5).unwrap(), (600_005.0, 5_299_995.0));
    assert_eq!(point.region_of(0, [600_010.0, 5_299_970.0, 600_020.0, 5_299_990.0]).unwrap().to_string(), "0:1,1:3,1:2");

    let rotated = open(&session, "tiff/geo_rotated.tif");
    let (x, y) = rotated.coordinates(0, 20.0, 10.0).unwrap();
    assert_eq!((x, y), (500_190.0, 4_599_980.0));
    let around = rotated.region_of(0, [x - 0.1, y - 0.1, x + 0.1, y + 0.1]).unwrap();
    assert_eq!(around.to_string(), "0:1,9:11,19:21");

    let nowhere = open(&session, "tiff/geo_none.tif");
    assert!(matches!(nowhere.bounds().unwrap_err().kind(), ErrorKind::Crs(_)));
    assert!(matches!(nowhere.region_of(0, [0.0, 0.0, 1.0, 1.0]).unwrap_err().kind(), ErrorKind::Crs(_)));
}
