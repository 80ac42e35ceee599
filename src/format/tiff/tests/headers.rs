//! The parser on hand-built files.

use std::sync::Arc;

use bytes::Bytes;

use super::build::{FLAVOURS, Flavour, image, parse, with};
use crate::error::ErrorKind;
use crate::format::tiff::{Layout, TiffParser, fuzzing};
use crate::model::{Column, Got, Limits, ObjectKey, Parser, Step, Want};

const LITTLE: Flavour = FLAVOURS[0];

fn indexes(file: &crate::format::tiff::TiffFile) -> Vec<String> {
    file.directories.iter().map(|d| d.index.to_string()).collect()
}

#[test]
fn every_flavour_reads_the_same() {
    for flavour in FLAVOURS {
        let file = parse(flavour.file(&with(image(30, 10), &[(65000, 3, vec![1]), (65001, 77, vec![])]))).unwrap();
        assert_eq!((file.endian, file.big), (flavour.endian, flavour.big));
        let d = &file.directories[0];
        assert_eq!((d.width, d.height, d.samples, &d.bits[..], d.layout), (30, 10, 1, &[8][..], Layout::Strips { rows: 4 }));
        let loaded = |t: &Option<crate::format::tiff::Table>| match &t.as_ref().unwrap().column {
            Column::Loaded(n) => n.to_vec(),
            Column::Stored { .. } => panic!("{flavour:?}"),
        };
        assert_eq!(loaded(&d.offsets), [1000, 1120, 1240]);
        assert_eq!(loaded(&d.lengths), [120, 120, 60]);
        assert!(d.notes.is_empty());
    }
}

#[test]
fn chains_and_sub_directories() {
    for flavour in FLAVOURS {
        let mut data = flavour.header(5000);
        data.resize(20_000, 0);
        let mut put = |at: u64, tags: &[super::build::Tag], next: u64| {
            let bytes = flavour.directory(at, tags, next);
            data[at as usize..at as usize + bytes.len()].copy_from_slice(&bytes);
        };
        put(5000, &with(image(30, 10), &[(330, 4, vec![9000, 10_000])]), 1000);
        put(9000, &with(image(15, 5), &[(254, 4, vec![1])]), 0);
        put(10_000, &with(image(8, 3), &[(254, 4, vec![1]), (330, 13, vec![12_000])]), 5000);
        put(12_000, &image(1, 1), 0);
        put(1000, &image(99, 99), 0);
        let file = parse(data).unwrap();
        assert_eq!(indexes(&file), ["0", "0.0", "0.1", "0.1.0", "1"]);
        assert!(file.broken.is_empty());
        assert_eq!(file.directories[3].width, 1);
    }
}

#[test]
fn circles_end() {
    for flavour in FLAVOURS {
        let at = flavour.header_size();
        let mut once = flavour.header(at);
        once.extend(flavour.directory(at, &image(4, 4), at));
        let file = parse(once).unwrap();
        assert_eq!(indexes(&file), ["0"]);
        assert_eq!(file.broken.len(), 1);
        assert!(matches!(file.find(&"1".parse().unwrap()).unwrap_err().kind(), ErrorKind::Malformed(_)));
        assert!(matches!(file.find(&"7".parse().unwrap()).unwrap_err().kind(), ErrorKind::Malformed(_)));
        let mut own_child = flavour.header(at);
        own_child.extend(flavour.directory(at, &with(image(4, 4), &[(330, 4, vec![at, at])]), 0));
        let file = parse(own_child).unwrap();
        assert_eq!((indexes(&file).len(), file.broken.len()), (1, 2));
    }
}

#[test]
fn what_is_broken_later_leaves_the_first_readable() {
    let first = |next: u64| {
        let mut data = LITTLE.header(8);
        data.extend(LITTLE.directory(8, &image(4, 4), next));
        data
    };
    let size = first(0).len() as u64;
    for (next, behind) in [
        (u64::from(u32::MAX), vec![]),
        (size, vec![]),
        (size, vec![0]),
        (size, vec![0, 0, 0, 0, 0, 0]),
        (size, vec![255, 255, 0, 0]),
        // Bits per sample past the end.
        (size, LITTLE.directory(size, &with(image(4, 4), &[(258, 3, vec![8; 5])]), 0)[..120].to_vec()),
    ] {
        let mut data = first(next);
        data.extend(&behind);
        let file = parse(data).unwrap();
        assert_eq!(indexes(&file), ["0"], "{next} {behind:?}");
        assert!(matches!(file.find(&"1".parse().unwrap()).unwrap_err().kind(), ErrorKind::Malformed(_)), "{next}");
    }
}

#[test]
fn what_is_broken_at_the_start_is_an_error() {
    let good = LITTLE.file(&image(4, 4));
    let malformed = |data: Vec<u8>| matches!(parse(data).unwrap_err().kind(), ErrorKind::Malformed(_));
    assert!(parse(good.clone()).is_ok());
    for length in 0..good.len() - 4 {
        assert!(malformed(good[..length].to_vec()), "{length}");
    }
    for bad in [
        &b"II*\0\0\0\0\0"[..],
        b"II*\0\xff\xff\xff\xff",
        b"IIU\0\x08\0\0\0",
        b"MM*\0\0\0\0\x08",
        b"PK\x03\x04abcdefgh",
        b"II+\0\x04\0\0\0\x10\0\0\0\0\0\0\0",
    ] {
        assert!(malformed(bad.to_vec()), "{bad:?}");
    }
    // A last offset that is cut off is one of 0.
    let file = parse(good[..good.len() - 4].to_vec()).unwrap();
    assert_eq!(indexes(&file), ["0"]);
}

#[test]
fn huge_counts_cost_nothing() {
    let tags = with(image(1 << 31, 60_000), &[(273, 4, vec![]), (279, 4, vec![]), (42112, 2, vec![]), (34735, 3, vec![]), (320, 3, vec![])]);
    for flavour in FLAVOURS {
        let mut data = flavour.file(&tags);
        // Counts of the emptied tags become huge.
        let (first, entry, at) = if flavour.big { (24, 20, 4) } else { (10, 12, 4) };
        for (i, (_, _, values)) in tags.iter().enumerate() {
            if values.is_empty() {
                let start = first + i * entry + at;
                let size = if flavour.big { 8 } else { 4 };
                data[start..start + size].copy_from_slice(&flavour.uint(if flavour.big { u64::MAX } else { u64::from(u32::MAX) }, size));
            }
        }
        match parse(data) {
            Ok(file) => {
                let d = &file.directories[0];
                assert!(d.gdal_metadata.is_none() && d.color_map.is_empty());
                assert!(d.array(&file, &Limits::default()).is_err() || !flavour.big);
            }
            Err(error) => panic!("{flavour:?}: {error}"),
        }
    }
}

#[test]
fn numbers_are_bounded_as_they_are_held() {
    let points = |count| {
        fuzzing::parse(
            &Bytes::from(LITTLE.file(&with(image(4, 4), &[(33922, 1, vec![1; count])]))),
            &Limits { max_tag_bytes: 64, ..Limits::default() },
        )
    };
    // Eight bytes a value, where one is stored.
    assert_eq!(points(8).unwrap().directories[0].geo.tiepoints, [1.0; 8]);
    let over = points(9);
    let held = |file: &crate::format::tiff::TiffFile| file.directories.iter().map(|d| d.geo.tiepoints.len()).sum::<usize>();
    assert!(over.as_ref().map_or(true, |file| held(file) == 0), "{over:?}");
}

#[test]
fn many_directories_and_shared_bytes_are_bounded() {
    // Each directory starts two bytes behind the one before and has thousands of entries: they all lie over each other.
    let mut data = LITTLE.header(8);
    data.resize(900_000, 0);
    for at in (8..60_000).step_by(2) {
        data[at..at + 2].copy_from_slice(&65_535_u16.to_le_bytes());
    }
    fuzzing::open(&data);
    // A chain as long as the file allows.
    let mut data = LITTLE.header(8);
    for i in 0..70_000_u32 {
        data.extend([1, 0, 0, 1, 3, 0, 1, 0, 0, 0, 7, 0, 0, 0]);
        data.extend((8 + (i + 1) * 18).to_le_bytes());
    }
    let file = fuzzing::parse(&Bytes::from(data), &Limits::default()).unwrap();
    assert_eq!(file.directories.len(), 65_536);
    assert!(matches!(file.broken[0].error.kind(), ErrorKind::Limit { what: "max_directories", .. }));
}

/// What a driver saw: (start, length) of each want, by step.
fn traffic(data: &[u8], limits: &Limits, size: bool) -> (Vec<Vec<(u64, u64)>>, crate::Result<crate::format::tiff::TiffFile>) {
    let mut parser = TiffParser::new(ObjectKey::new("memory://t"), limits);
    let mut seen = Vec::new();
    loop {
        let wants = match parser.step() {
            Ok(Step::Need(wants)) => wants,
            Ok(Step::Done(file)) => return (seen, Ok(file)),
            Err(error) => return (seen, Err(error)),
        };
        assert!(!wants.is_empty() && seen.len() < 1000);
        let mut asked = Vec::new();
        for want in wants {
            let Want::Range(span) = &want else { panic!("{want:?}") };
            assert_eq!(span.object.version().is_some(), !seen.is_empty());
            asked.push((span.start, span.length));
            let at = |n: u64| (n as usize).min(data.len());
            let bytes = Bytes::copy_from_slice(&data[at(span.start)..at(span.end())]);
            parser.supply(&want, Got::Bytes { bytes, size: size.then_some(data.len() as u64), version: Some(Arc::from("v1")) }).unwrap();
        }
        seen.push(asked);
    }
}

#[test]
fn requests() {
    let limits = Limits::default();
    // Directories in front: one request, whatever is known of the size.
    for flavour in FLAVOURS {
        let mut data = flavour.file(&image(30, 10));
        data.resize(100_000, 0);
        for size in [true, false] {
            let (seen, file) = traffic(&data, &limits, size);
            assert_eq!(seen, [[(0, 32 << 10)]]);
            assert_eq!(file.unwrap().object.version().map(|v| &**v), Some("v1"));
        }
    }
    // A short object needs no second request either.
    assert_eq!(traffic(&LITTLE.file(&image(30, 10)), &limits, false).0.len(), 1);
    // At the end of a large file: one more, and only to the end.
    let mut data = LITTLE.header(1_000_000);
    data.resize(1_000_000, 0);
    data.extend(LITTLE.directory(1_000_000, &image(30, 10_000), 0));
    let (seen, file) = traffic(&data, &limits, true);
    assert_eq!(seen, [vec![(0, 32 << 10)], vec![(1_000_000, 16 << 10)], vec![(1_016_384, data.len() as u64 - 1_016_384)]]);
    assert!(file.is_ok());
    // No more than the limit: tables are left where they are then.
    let few = Limits { max_metadata_bytes: 40 << 10, ..Limits::default() };
    let (seen, file) = traffic(&data, &few, true);
    assert!(seen.iter().flatten().map(|(_, length)| length).sum::<u64>() <= 40 << 10, "{seen:?}");
    assert!(matches!(file.unwrap().directories[0].offsets.as_ref().unwrap().column, Column::Stored { .. }));
    let none = Limits { max_metadata_bytes: 32 << 10, ..Limits::default() };
    let error = traffic(&data, &none, true).1.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Limit { what: "max_metadata_bytes", .. }));
}

#[test]
fn large_tables_are_left_where_they_are() {
    let limits = Limits { table_page_bytes: 1000, ..Limits::default() };
    let data = LITTLE.file(&image(30, 10_000));
    let file = fuzzing::parse(&Bytes::from(data), &limits).unwrap();
    let table = file.directories[0].offsets.as_ref().unwrap();
    assert!(matches!(table.column, Column::Stored { width: 4, .. }));
    assert_eq!(table.count, 2500);
    assert!(file.directories[0].array(&file, &limits).is_ok());
}

#[test]
fn another_version_is_noticed() {
    let mut data = LITTLE.header(100_000);
    data.resize(100_000, 0);
    data.extend(LITTLE.file(&image(3, 3)));
    let mut parser = TiffParser::new(ObjectKey::new("memory://t"), &Limits::default());
    let mut answer = |version: &str| {
        let Step::Need(wants) = parser.step().unwrap() else { panic!("done") };
        let Want::Range(span) = &wants[0] else { panic!("no range") };
        let end = (span.end() as usize).min(data.len());
        let bytes = Bytes::copy_from_slice(&data[span.start as usize..end]);
        parser.supply(&wants[0], Got::Bytes { bytes, size: None, version: Some(Arc::from(version)) })
    };
    answer("a").unwrap();
    assert!(matches!(answer("b").unwrap_err().kind(), ErrorKind::ObjectChanged { .. }));
    let mut parser = TiffParser::new(ObjectKey::new("memory://t"), &Limits::default());
    let Step::Need(wants) = parser.step().unwrap() else { panic!("done") };
    assert!(parser.supply(&wants[0], Got::Missing).unwrap_err().is_not_found());
}

#[test]
fn no_change_of_a_byte_is_fatal() {
    // Every byte of small headers in every flavour, set to what makes trouble; then several at once by a fixed sequence.
    let tiles = [(322, 3, vec![16]), (323, 3, vec![16]), (324, 4, vec![8; 2]), (325, 4, vec![8; 2]), (330, 4, vec![8]), (42113, 2, vec![45, 57, 0])];
    for flavour in FLAVOURS {
        for good in [flavour.file(&image(30, 10)), flavour.file(&with(image(30, 10), &tiles))] {
            for at in 0..good.len() {
                for value in [0, 1, 2, 3, 16, 0x7f, 0x80, 0xff] {
                    let mut data = good.clone();
                    data[at] = value;
                    fuzzing::open(&data);
                }
            }
            let mut state = 0x9e37_79b9_7f4a_7c15_u64;
            for _ in 0..3000 {
                let mut data = good.clone();
                for _ in 0..1 + state % 5 {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let at = (state >> 33) as usize % data.len();
                    data[at] = (state >> 20) as u8;
                }
                fuzzing::open(&data);
                fuzzing::geokeys(&data);
            }
        }
    }
}
