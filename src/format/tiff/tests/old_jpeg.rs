//! Old-style JPEG: the stream that is put together from tags and strips.

use super::build::{FLAVOURS, Flavour, Tag, image, parse, with, without};
use crate::model::jpeg::{Frame, Segments};
use crate::model::{ArrayMeta, ChunkManifest, CodecSpec, Column, JpegColor, Limits};

const BIG: Flavour = FLAVOURS[1];

/// The file with these bytes at these places.
fn file(flavour: Flavour, tags: &[Tag], blobs: &[(usize, &[u8])]) -> Vec<u8> {
    let mut out = flavour.file(tags);
    for (at, blob) in blobs {
        assert!(out.len() <= *at, "blobs behind the directory and in order");
        out.resize(*at, 0);
        out.extend_from_slice(blob);
    }
    out.resize(out.len() + 4000, 0);
    out
}

fn array(flavour: Flavour, tags: &[Tag], blobs: &[(usize, &[u8])]) -> crate::Result<ArrayMeta> {
    let file = parse(file(flavour, tags, blobs))?;
    file.directories[0].array(&file, &Limits::default())
}

fn jpeg(meta: &ArrayMeta) -> (Option<Vec<u8>>, JpegColor, u16) {
    match meta.chains[0].as_slice() {
        [CodecSpec::Jpeg { tables, color, samples, bits: 8 }] => (tables.as_ref().map(|t| t.to_vec()), *color, *samples),
        other => panic!("{other:?}"),
    }
}

fn spans(meta: &ArrayMeta) -> Vec<(u64, u64)> {
    match &meta.manifest {
        ChunkManifest::Table(table) => match (&table.offsets, &table.lengths) {
            (Column::Loaded(offsets), Column::Loaded(lengths)) => offsets.iter().copied().zip(lengths.iter().copied()).collect(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn markers(stream: &[u8]) -> Vec<u8> {
    Segments::new(stream).map(|(marker, _)| marker).collect()
}

/// A frame of 30 x 10 pixels, 3 components of 2 x 1.
const FRAME: [u8; 19] = [0xff, 0xc0, 0, 17, 8, 0, 10, 0, 30, 3, 1, 0x21, 0, 2, 0x11, 1, 3, 0x11, 1];
const SCAN: [u8; 14] = [0xff, 0xda, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0];

fn color(more: &[Tag]) -> Vec<Tag> {
    let tags = [(258, 3, vec![8; 3]), (259, 3, vec![6]), (262, 3, vec![6]), (277, 3, vec![3]), (530, 3, vec![2, 1])];
    with(with(image(30, 10), &tags), more)
}

#[test]
fn tables_of_tags() {
    let (dc, ac) = ([[0, 2].as_slice(), &[0; 14], &[4, 5]].concat(), [[1].as_slice(), &[0; 15], &[0x11]].concat());
    let tags = color(&[(515, 3, vec![7]), (519, 4, vec![500, 600, 600]), (520, 4, vec![700, 740, 740]), (521, 4, vec![780, 800, 800])]);
    let blobs: &[(usize, &[u8])] = &[(500, &[3; 64]), (600, &[9; 64]), (700, &dc), (740, &dc), (780, &ac), (800, &ac), (1000, &[0x55; 8])];
    for flavour in FLAVOURS {
        let meta = array(flavour, &tags, blobs).unwrap();
        let (tables, color, samples) = jpeg(&meta);
        let tables = tables.unwrap();
        assert_eq!((color, samples), (JpegColor::ToRgb, 3));
        assert_eq!(markers(&tables), [0xdb, 0xdb, 0xdb, 0xc4, 0xc4, 0xc4, 0xc4, 0xc4, 0xc4, 0xdd, 0xc0, 0xda]);
        let frame = Frame::find(&tables).unwrap();
        assert_eq!((frame.width, frame.height, frame.bits), (30, 4, 8), "of a strip");
        assert_eq!(frame.components, [[0, 0x21, 0], [1, 0x11, 1], [2, 0x11, 2]]);
        let huffman: Vec<&[u8]> = Segments::new(&tables).filter(|(marker, _)| *marker == 0xc4).map(|(_, body)| body).collect();
        assert_eq!((huffman[1], huffman[3]), ([&[1], dc.as_slice()].concat().as_slice(), [&[0x10], ac.as_slice()].concat().as_slice()));
        assert_eq!(spans(&meta), [(1000, 120), (1120, 120), (1240, 60)]);
    }
}

#[test]
fn headers_before_the_strips() {
    let headers = [[0xff, 0xd8, 0xff, 0xdb, 0, 4, 1, 2].as_slice(), &FRAME].concat();
    // The scan header stands in the first strip, or with the others.
    let strip = [SCAN.as_slice(), &[0x55; 8]].concat();
    let tags = |length| color(&[(513, 4, vec![600]), (514, 4, vec![length])]);
    let meta = array(BIG, &tags(27), &[(600, &headers), (1000, &strip)]).unwrap();
    let all = [headers.as_slice(), &SCAN].concat();
    assert_eq!(jpeg(&meta).0.unwrap(), all);
    assert_eq!(spans(&meta), [(1014, 106), (1120, 120), (1240, 60)]);
    let within = [&headers[8..], strip.as_slice()].concat();
    let meta = array(BIG, &tags(8), &[(600, &headers[..8]), (1000, &within)]).unwrap();
    assert_eq!(jpeg(&meta).0.unwrap(), all, "the frame header too");
    assert_eq!(spans(&meta)[0], (1033, 87));
    let near = 1000 - all.len();
    let meta = array(BIG, &with(tags(9999), &[(513, 4, vec![near as u64])]), &[(near, &all), (1000, &[0x55; 8])]).unwrap();
    assert_eq!(jpeg(&meta).0.unwrap(), all);
    assert_eq!(spans(&meta), [(1000, 120), (1120, 120), (1240, 60)]);
    // A stream that its strips do not follow is complete.
    let meta = array(BIG, &tags(99), &[(600, &all)]).unwrap();
    assert_eq!((jpeg(&meta).0, spans(&meta)), (None, vec![(600, 99)]));
    // Strips that are streams need no headers, whatever the tags say.
    let meta = array(BIG, &tags(99), &[(1000, &[0xff, 0xd8])]).unwrap();
    assert_eq!((jpeg(&meta).0, spans(&meta)), (None, vec![(1000, 120), (1120, 120), (1240, 60)]));
}

#[test]
fn thumbnails_say_nothing_of_themselves() {
    let stream = [[0xff, 0xd8].as_slice(), &FRAME, &SCAN, &[0x55; 8]].concat();
    let tags = [(259, 3, vec![6]), (513, 4, vec![600]), (514, 4, vec![43])];
    let meta = array(BIG, &tags, &[(600, &stream)]).unwrap();
    assert_eq!(meta.grid.shape(), [3, 10, 30]);
    assert_eq!((jpeg(&meta), spans(&meta)), ((None, JpegColor::ToRgb, 3), vec![(600, 43)]));
    // Without its length it reaches to the end of the file.
    assert_eq!(spans(&array(BIG, &tags[..2], &[(600, &stream)]).unwrap()), [(600, 4043)]);
}

#[test]
fn reference_black_and_white() {
    let tags = color(&[(513, 4, vec![600]), (514, 4, vec![99]), (532, 3, vec![16, 235, 128, 240, 128, 240])]);
    let stream: &[(usize, &[u8])] = &[(1000, &[0xff, 0xd8])];
    let meta = array(BIG, &tags, stream).unwrap();
    assert_eq!(jpeg(&meta).1, JpegColor::ToRgbWithin([16, 235, 128, 240, 128, 240]));
    let whole = with(tags, &[(532, 3, vec![0, 255, 128, 255, 128, 255])]);
    assert_eq!(jpeg(&array(BIG, &whole, stream).unwrap()).1, JpegColor::ToRgb);
}

#[test]
fn what_is_refused() {
    let refusal = |tags: &[Tag], blobs: &[(usize, &[u8])]| array(BIG, tags, blobs).unwrap_err().to_string();
    let stream = color(&[(513, 4, vec![600]), (514, 4, vec![19])]);
    let cases: &[(Vec<Tag>, &str)] = &[
        (with(stream.clone(), &[(512, 3, vec![14])]), "old-style jpeg without loss"),
        (with(stream.clone(), &[(284, 3, vec![2])]), "old-style jpeg in planes"),
        (with(stream.clone(), &[(322, 3, vec![16]), (323, 3, vec![16])]), "old-style jpeg whose tiles are in one stream"),
        (stream.clone(), "old-style jpeg without a scan header"),
        (color(&[]), "old-style jpeg without its tables"),
        (color(&[(519, 4, vec![500; 3]), (520, 4, vec![500; 3])]), "old-style jpeg without its tables"),
        (color(&[(519, 4, vec![1 << 30; 3]), (520, 4, vec![500; 3]), (521, 4, vec![500; 3])]), "reaches past the end of the file"),
        (without(without(color(&[]), 273), 279), "old-style jpeg without strips and without a stream"),
    ];
    for (tags, name) in cases {
        let error = refusal(tags, &[(600, &FRAME)]);
        assert!(error.contains(name), "{error}, not {name}");
    }
    assert!(refusal(&with(stream, &[(513, 4, vec![700])]), &[(1000, &SCAN)]).contains("old-style jpeg without a frame header"));
    let much = [0xff; 16];
    let tags = color(&[(519, 4, vec![500; 3]), (520, 4, vec![600; 3]), (521, 4, vec![600; 3])]);
    assert!(refusal(&tags, &[(600, &much)]).contains("more than 256 symbols"));
}
