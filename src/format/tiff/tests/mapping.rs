//! Directories to arrays.

use bytes::Bytes;

use super::build::{FLAVOURS, Flavour, Tag, image, parse, with, without};
use crate::error::ErrorKind;
use crate::model::{
    ArrayMeta, ChunkManifest, CodecSpec as C, Column, DataType as T, Edge, Endian, FaxCoding, JpegColor, Limits, LogLuvCoding, LzwBits,
};

const LITTLE: Flavour = FLAVOURS[0];
const BIG: Flavour = FLAVOURS[1];

fn array_of(flavour: Flavour, tags: &[Tag]) -> crate::Result<ArrayMeta> {
    let file = parse(flavour.file(tags))?;
    file.directories[0].array(&file, &Limits::default())
}

fn lengths(meta: &ArrayMeta) -> Vec<u64> {
    match &meta.manifest {
        ChunkManifest::Table(table) => match &table.lengths {
            Column::Loaded(n) => n.to_vec(),
            Column::Stored { .. } => panic!("not loaded"),
        },
        _ => panic!("no table"),
    }
}

#[test]
fn chains() {
    let lzw = C::Lzw(LzwBits::Msb);
    let (big, little) = (C::ByteOrder(Endian::Big), C::ByteOrder(Endian::Little));
    // (bits, format, compression, predictor, further tags, flavour, type, chain) of an image 30 columns wide
    #[allow(clippy::type_complexity, reason = "a table of cases")]
    let cases: Vec<(u64, u64, u64, u64, Vec<Tag>, Flavour, T, Vec<C>)> = vec![
        (8, 1, 1, 1, vec![], LITTLE, T::U8, vec![C::LeaveSurplus]),
        (16, 1, 5, 2, vec![], BIG, T::U16, vec![lzw.clone(), C::LeaveSurplus, big.clone(), C::Predictor { row: 30, stride: 1 }]),
        (16, 2, 8, 1, vec![], LITTLE, T::I16, vec![C::Zlib, C::LeaveSurplus, little.clone()]),
        (32, 3, 32946, 3, vec![], BIG, T::F32, vec![C::Zlib, C::LeaveSurplus, C::FloatPredictor { row: 30, stride: 1 }]),
        (16, 3, 50000, 3, vec![], LITTLE, T::F16, vec![C::Zstd, C::LeaveSurplus, C::FloatPredictor { row: 30, stride: 1 }]),
        (12, 1, 34926, 1, vec![], BIG, T::U16, vec![C::Zstd, C::LeaveSurplus, C::UnpackBits { bits: 12, row: 30 }]),
        (
            1,
            1,
            32773,
            1,
            vec![(266, 3, vec![2])],
            LITTLE,
            T::U8,
            vec![C::ReverseBits, C::PackBits, C::LeaveSurplus, C::UnpackBits { bits: 1, row: 30 }],
        ),
        (5, 2, 1, 1, vec![], LITTLE, T::U8, vec![C::LeaveSurplus, C::UnpackBits { bits: 5, row: 30 }]),
        (1, 1, 2, 1, vec![], LITTLE, T::U8, vec![C::Fax(FaxCoding::Rle)]),
        (1, 1, 32771, 1, vec![], LITTLE, T::U8, vec![C::Fax(FaxCoding::RleWords)]),
        (1, 1, 3, 1, vec![], BIG, T::U8, vec![C::Fax(FaxCoding::Group3 { two_dimensional: false })]),
        (1, 1, 3, 1, vec![(292, 4, vec![5])], BIG, T::U8, vec![C::Fax(FaxCoding::Group3 { two_dimensional: true })]),
        (1, 1, 4, 1, vec![(266, 3, vec![2])], LITTLE, T::U8, vec![C::ReverseBits, C::Fax(FaxCoding::Group4)]),
        (2, 1, 32766, 1, vec![], LITTLE, T::U8, vec![C::Next]),
        (4, 1, 32809, 1, vec![], LITTLE, T::U8, vec![C::ThunderScan]),
        (16, 2, 34676, 1, vec![(262, 3, vec![32844])], BIG, T::I16, vec![C::LogLuv(LogLuvCoding::L16)]),
        (24, 3, 1, 1, vec![], BIG, T::F32, vec![C::LeaveSurplus, C::Float24(Endian::Big)]),
        (24, 2, 1, 1, vec![], LITTLE, T::U32, vec![C::LeaveSurplus, C::UnpackBits { bits: 24, row: 30 }]),
        (24, 1, 5, 1, vec![], BIG, T::U32, vec![lzw.clone(), C::LeaveSurplus, C::Int24(Endian::Little)]),
        (32, 5, 1, 1, vec![], BIG, T::ComplexI16, vec![C::LeaveSurplus, big.clone()]),
        (128, 6, 34925, 1, vec![], LITTLE, T::ComplexF64, vec![C::Xz, C::LeaveSurplus, little.clone()]),
        (64, 3, 34887, 1, vec![(50674, 4, vec![4, 2])], BIG, T::F64, vec![C::Zstd, C::Lerc { samples: 1 }, big.clone()]),
        (16, 2, 33004, 2, vec![(266, 3, vec![2])], BIG, T::I16, vec![C::Jpeg2000 { samples: 1 }]),
        (12, 1, 34712, 1, vec![], BIG, T::U16, vec![C::Jpeg2000 { samples: 1 }]),
        (32, 3, 52546, 3, vec![], BIG, T::F32, vec![C::JpegXl { samples: 1 }]),
        (16, 1, 34933, 1, vec![], BIG, T::U16, vec![C::Png { samples: 1 }]),
        (16, 1, 50013, 2, vec![], LITTLE, T::U16, vec![C::Zlib, C::LeaveSurplus, little.clone(), C::Predictor { row: 30, stride: 1 }]),
        // A predictor means nothing to codecs that libtiff reads without one.
        (16, 1, 32773, 2, vec![], LITTLE, T::U16, vec![C::PackBits, C::LeaveSurplus, little]),
    ];
    for (bits, format, compression, predictor, more, flavour, data_type, chain) in cases {
        let mut tags = with(image(30, 10), &[(258, 3, vec![bits]), (259, 3, vec![compression]), (317, 3, vec![predictor]), (339, 3, vec![format])]);
        tags = with(tags, &more);
        let meta = array_of(flavour, &tags).unwrap_or_else(|e| panic!("{bits} {format} {compression}: {e}"));
        assert_eq!((&meta.data_type, &meta.chains[0]), (&data_type, &chain), "{bits} {format} {compression} {predictor}");
    }
}

#[test]
fn jpeg_color() {
    let tables = Bytes::from_static(&[0xff, 0xd8, 0xff, 0xd9]);
    let jpeg = |photometric, planar, subsampling| {
        let tags = [
            (258, 3, vec![8; 3]),
            (259, 3, vec![7]),
            (262, 3, vec![photometric]),
            (277, 3, vec![3]),
            (284, 3, vec![planar]),
            (347, 7, vec![0xff, 0xd8, 0xff, 0xd9]),
            (530, 3, vec![subsampling; 2]),
        ];
        array_of(BIG, &with(image(30, 10), &tags)).map(|meta| meta.chains[0].clone())
    };
    let of = |color, samples| vec![C::Jpeg { tables: Some(tables.clone()), color, samples, bits: 8 }];
    assert_eq!(jpeg(6, 1, 2).unwrap(), of(JpegColor::ToRgb, 3));
    assert_eq!(jpeg(2, 1, 1).unwrap(), of(JpegColor::AsStored, 3));
    assert_eq!(jpeg(6, 2, 1).unwrap(), of(JpegColor::AsStored, 1));
    assert!(jpeg(6, 2, 2).unwrap_err().is_unsupported());
}

#[test]
fn refusals_have_names() {
    let cases: &[(&[Tag], &str)] = &[
        (&[(259, 3, vec![4])], "tiff compression ccitt-group4 on pixels of 1 samples of 8 bits"),
        (&[(259, 3, vec![3]), (258, 3, vec![1]), (277, 3, vec![3])], "tiff compression ccitt-group3 on pixels of 3 samples of 1 bits"),
        (&[(259, 3, vec![34677]), (262, 3, vec![32844])], "tiff compression sgilog24 on pixels of 1 samples of photometric interpretation 32844"),
        (&[(259, 3, vec![34676]), (262, 3, vec![32844])], "tiff compression sgilog on samples of 8 bits in sample format 1"),
        (&[(259, 3, vec![32909])], "tiff compression pixarlog (32909)"),
        (&[(259, 3, vec![34934])], "tiff compression jpeg xr (34934)"),
        (&[(259, 3, vec![34933]), (258, 3, vec![4])], "tiff compression png (34933) on samples of 4 bits in sample format 1"),
        (&[(259, 3, vec![50002]), (258, 3, vec![32])], "tiff compression jpegxl (50002) on samples of 32 bits in sample format 1"),
        (
            &[(259, 3, vec![34712]), (258, 3, vec![32]), (339, 3, vec![3])],
            "tiff compression jpeg2000 (34712) on samples of 32 bits in sample format 3",
        ),
        (&[(259, 3, vec![6]), (512, 3, vec![14])], "old-style jpeg without loss"),
        (&[(259, 3, vec![999])], "tiff compression unknown (999)"),
        (&[(258, 3, vec![33])], "tiff samples of 33 bits in sample format 1"),
        (&[(258, 3, vec![8, 8, 16]), (277, 3, vec![3])], "tiff samples of differing bit depths"),
        (&[(339, 3, vec![1, 2]), (277, 3, vec![2])], "tiff samples of differing formats"),
        (&[(262, 3, vec![6]), (277, 3, vec![3])], "tiff ycbcr with chroma subsampled 2x2 outside of jpeg"),
        (&[(259, 3, vec![5]), (258, 3, vec![4]), (317, 3, vec![2])], "tiff predictor 2 on samples of 4 bits in sample format 1"),
        (&[(259, 3, vec![5]), (317, 3, vec![3])], "tiff predictor 3 on samples of 8 bits in sample format 1"),
        (&[(259, 3, vec![34887]), (50674, 4, vec![4, 9])], "tiff lerc with additional compression 9"),
    ];
    for (changes, name) in cases {
        let error = array_of(LITTLE, &with(image(30, 10), changes)).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Unsupported((*name).to_owned()));
    }
    let malformed: &[&[Tag]] = &[
        &[(256, 4, vec![0])],
        &[(257, 4, vec![0])],
        &[(258, 3, vec![0])],
        &[(277, 3, vec![0])],
        &[(284, 3, vec![3])],
        &[(322, 3, vec![0]), (323, 3, vec![16])],
        &[(322, 3, vec![16])],
        &[(259, 3, vec![5]), (317, 3, vec![7])],
    ];
    for changes in malformed {
        let error = array_of(LITTLE, &with(image(30, 10), changes)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Malformed(_)), "{changes:?} {error}");
    }
    let huge = with(image(1 << 20, 60_000), &[(273, 4, vec![8]), (278, 4, vec![60_000]), (279, 4, vec![8])]);
    assert!(matches!(array_of(LITTLE, &huge).unwrap_err().kind(), ErrorKind::Limit { what: "max_chunk_bytes", .. }));
}

#[test]
fn grids() {
    let names = |meta: &ArrayMeta| meta.dims.iter().map(|d| d.name.clone()).collect::<Vec<_>>();
    let strips = array_of(LITTLE, &image(30, 10)).unwrap();
    assert_eq!(
        (strips.shape(), strips.grid.counts(), names(&strips)),
        (&[1, 10, 30][..], &[1, 3, 1][..], vec!["band".into(), "y".into(), "x".into()])
    );
    assert_eq!(strips.grid.stored_shape(&[0, 2, 0]), [1, 2, 30]);
    assert!(strips.order.is_c());

    let tiles: &[Tag] = &[(322, 3, vec![16]), (323, 3, vec![16]), (277, 3, vec![3]), (324, 4, (1..=6).collect()), (325, 4, vec![768; 6])];
    let chunky = array_of(LITTLE, &with(image(30, 17), tiles)).unwrap();
    assert_eq!((chunky.grid.counts(), chunky.grid.chunk_shape(), chunky.order.axes()), (&[1, 2, 2][..], vec![3, 16, 16], &[1, 2, 0][..]));
    assert_eq!(chunky.grid.stored_shape(&[0, 1, 1]), [3, 16, 16]);
    assert!(chunky.grid.axes().iter().all(|(_, edge)| *edge == Edge::Padded));

    let planes = array_of(LITTLE, &with(with(image(30, 17), tiles), &[(284, 3, vec![2])])).unwrap();
    assert_eq!((planes.grid.counts(), planes.grid.chunk_shape(), planes.order.is_c()), (&[3, 2, 2][..], vec![1, 16, 16], true));

    let volume = array_of(LITTLE, &with(with(image(30, 17), tiles), &[(32997, 4, vec![5]), (32998, 4, vec![2])])).unwrap();
    assert_eq!((volume.shape(), volume.grid.chunk_shape(), volume.order.axes()), (&[3, 5, 17, 30][..], vec![3, 2, 16, 16], &[1, 2, 3, 0][..]));
    assert_eq!(names(&volume), ["band", "z", "y", "x"]);
}

#[test]
fn byte_counts_are_mended() {
    let image = || image(30, 10);
    let one = || with(image(), &[(278, 4, vec![10]), (273, 4, vec![500])]);
    // (tags, lengths)
    let cases: Vec<(Vec<Tag>, Vec<u64>)> = vec![
        (image(), vec![120, 120, 60]),
        // Missing, or not lengths at all.
        (without(image(), 279), vec![120, 120, 60]),
        (with(image(), &[(279, 4, vec![1000, 1120, 1240])]), vec![120, 120, 60]),
        // Padding is no pixels.
        (with(image(), &[(279, 4, vec![128, 128, 128])]), vec![120, 120, 60]),
        // Sparse.
        (with(image(), &[(273, 4, vec![0, 1120, 0]), (279, 4, vec![0, 120, 0])]), vec![0, 120, 0]),
        (with(without(image(), 279), &[(273, 4, vec![0, 1120, 1240])]), vec![0, 120, 60]),
        // An only strip.
        (with(one(), &[(279, 4, vec![0])]), vec![300]),
        (with(one(), &[(279, 4, vec![7])]), vec![300]),
        (with(one(), &[(279, 4, vec![1 << 30])]), vec![300]),
        (with(without(one(), 278), &[(279, 4, vec![300])]), vec![300]),
        (with(with(one(), &[(278, 4, vec![0])]), &[(279, 4, vec![300])]), vec![300]),
    ];
    for (tags, expected) in cases {
        assert_eq!(lengths(&array_of(LITTLE, &tags).unwrap()), expected, "{tags:?}");
    }
    // A compressed one reaches to the end of the file.
    let tags = with(without(one(), 279), &[(259, 3, vec![5]), (273, 4, vec![20])]);
    let size = LITTLE.file(&tags).len() as u64;
    assert_eq!(lengths(&array_of(LITTLE, &tags).unwrap()), [size - 20]);
    assert!(array_of(LITTLE, &with(without(image(), 279), &[(259, 3, vec![5])])).is_err());
    assert!(array_of(LITTLE, &without(image(), 273)).is_err());
}

#[test]
fn sparse_chunks_hold_nodata_where_the_type_does() {
    let text = |text: &str| (42113, 2, text.bytes().chain([0]).map(u64::from).collect());
    let fill = |nodata: &str| array_of(LITTLE, &with(image(30, 10), &[text(nodata)])).unwrap().fill_value.bytes().to_vec();
    assert_eq!(fill("255"), [255]);
    assert!(fill("-9999").is_empty());
    assert!(fill("nan").is_empty());
}

#[test]
fn pyramids() {
    let sizes: [(u64, u64, u64); 8] =
        [(1000, 600, 0), (1000, 600, 4), (500, 300, 1), (500, 300, 5), (250, 150, 1), (64, 64, 1), (1000, 600, 2), (500, 300, 1)];
    let mut data = LITTLE.header(8);
    for (i, (width, height, kind)) in sizes.into_iter().enumerate() {
        let tags = with(image(width, height), &[(254, 4, vec![kind]), (273, 4, vec![8]), (279, 4, vec![8])]);
        let at = data.len() as u64;
        let size = LITTLE.directory(at, &tags, 0).len() as u64;
        data.extend(LITTLE.directory(at, &tags, if i == 7 { 0 } else { at + size }));
    }
    let pyramids = parse(data).unwrap().pyramids();
    let levels: Vec<_> = pyramids.iter().map(|p| p.levels.clone()).collect();
    assert_eq!(levels, [vec![0, 2, 4], vec![5], vec![6, 7]]);
    assert_eq!(pyramids[0].masks, [Some(1), Some(3), None]);
}
