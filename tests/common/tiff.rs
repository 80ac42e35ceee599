//! A small writer of TIFF: classic and BigTIFF, both byte orders, tiles and strips, chunky and planar.

use swath::model::{DataType, Region};

use super::pack;
use super::source::{Source, swapped};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Deflate,
    Lzw,
    PackBits,
    Zstd,
}

#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Chunks as tiles, else as strips (which are as wide as the image).
    pub(crate) tiles: bool,
    pub(crate) big_endian: bool,
    pub(crate) big_tiff: bool,
    pub(crate) compression: Compression,
    /// 1 none, 2 horizontal, 3 floating point.
    pub(crate) predictor: u16,
    pub(crate) nodata: Option<String>,
}

impl Default for Layout {
    fn default() -> Self {
        Self { tiles: true, big_endian: false, big_tiff: false, compression: Compression::None, predictor: 1, nodata: None }
    }
}

/// Whether a predictor is defined for a type.
pub(crate) fn predicts(predictor: u16, data_type: &DataType) -> bool {
    match predictor {
        1 => true,
        2 => !data_type.is_complex() && !data_type.is_float(),
        _ => matches!(data_type, DataType::F16 | DataType::F32 | DataType::F64),
    }
}

/// Differences to the sample before (TIFF 6.0, section 14), over the elements' little-endian bytes.
fn horizontal(bytes: &mut [u8], size: usize, row: usize, stride: usize) {
    for row in bytes.chunks_exact_mut(row * size) {
        for at in (stride..row.len() / size).rev() {
            let value = |at: usize| {
                let mut number = [0; 8];
                number[..size].copy_from_slice(&row[at * size..(at + 1) * size]);
                u64::from_le_bytes(number)
            };
            let difference = value(at).wrapping_sub(value(at - stride)).to_le_bytes();
            row[at * size..(at + 1) * size].copy_from_slice(&difference[..size]);
        }
    }
}

/// The bytes of a row by significance, then differences of bytes (Adobe Photoshop TIFF technical note 3).
fn floating(bytes: &mut [u8], size: usize, row: usize, stride: usize) {
    for row_bytes in bytes.chunks_exact_mut(row * size) {
        let elements = row_bytes.to_vec();
        for (i, element) in elements.chunks_exact(size).enumerate() {
            for (significance, byte) in element.iter().rev().enumerate() {
                row_bytes[significance * row + i] = *byte;
            }
        }
        for at in (stride..row_bytes.len()).rev() {
            row_bytes[at] = row_bytes[at].wrapping_sub(row_bytes[at - stride]);
        }
    }
}

struct Out {
    bytes: Vec<u8>,
    big_endian: bool,
}

impl Out {
    fn number(&self, value: u64, width: usize) -> Vec<u8> {
        match self.big_endian {
            true => value.to_be_bytes()[8 - width..].to_vec(),
            false => value.to_le_bytes()[..width].to_vec(),
        }
    }
    fn push(&mut self, value: u64, width: usize) {
        let number = self.number(value, width);
        self.bytes.extend(number);
    }
}

/// Writes an array of band, y, x in chunks of this shape; `chunk[0]` is 1 (planar) or all bands (chunky). Chunks that `missing` names by
/// their index are sparse.
pub(crate) fn write(source: &Source, chunk: &[u64; 3], layout: &Layout, missing: &dyn Fn(&[u64]) -> bool) -> Vec<u8> {
    let [bands, height, width] = source.shape[..] else { panic!("band, y, x") };
    let planar = chunk[0] != bands;
    assert!(!planar || chunk[0] == 1, "chunks of all bands or of one");
    assert!(layout.tiles || chunk[2] == width, "strips are as wide as the image");
    let size = source.element_size();
    let offset_width = if layout.big_tiff { 8 } else { 4 };
    let mut out = Out { bytes: Vec::new(), big_endian: layout.big_endian };
    out.bytes.extend(if layout.big_endian { b"MM" } else { b"II" });
    if layout.big_tiff {
        [43, 8, 0].into_iter().for_each(|n| out.push(n, 2));
    } else {
        out.push(42, 2);
    }
    let first_directory_at = out.bytes.len();
    out.push(0, offset_width);

    let (mut offsets, mut counts) = (Vec::new(), Vec::new());
    let grid = [bands.div_ceil(chunk[0]), height.div_ceil(chunk[1]), width.div_ceil(chunk[2])];
    Source::for_each(&Region::all(&grid), |index| {
        if missing(index) {
            offsets.push(0);
            counts.push(0);
            return;
        }
        let ranges = (0..3).map(|axis| {
            let end = (index[axis] + 1) * chunk[axis];
            let clipped = axis == 0 || (axis == 1 && !layout.tiles);
            index[axis] * chunk[axis]..if clipped { end.min(source.shape[axis]) } else { end }
        });
        let order: &[usize] = if planar { &[0, 1, 2] } else { &[1, 2, 0] };
        let mut bytes = source.chunk(&Region::new(ranges.collect()), order);
        let stride = if planar { 1 } else { bands as usize };
        let row = chunk[2] as usize * stride;
        match layout.predictor {
            2 => horizontal(&mut bytes, size, row, stride),
            3 => floating(&mut bytes, size, row, stride),
            _ => {}
        }
        if layout.big_endian && layout.predictor != 3 {
            bytes = swapped(bytes, &source.data_type);
        }
        let bytes = match layout.compression {
            Compression::None => bytes,
            Compression::Deflate => pack::zlib(&bytes),
            Compression::Lzw => pack::lzw(&bytes),
            Compression::PackBits => pack::pack_bits(&bytes, row * size),
            Compression::Zstd => pack::zstd(&bytes),
        };
        offsets.push(out.bytes.len() as u64);
        counts.push(bytes.len() as u64);
        out.bytes.extend(bytes);
    });

    const SHORT: u64 = 3;
    const LONG: u64 = 4;
    let wide = if layout.big_tiff { 16 } else { LONG };
    let samples = vec![1; bands as usize];
    let format = match source.data_type {
        DataType::U8 | DataType::U16 | DataType::U32 | DataType::U64 => 1,
        DataType::I8 | DataType::I16 | DataType::I32 | DataType::I64 => 2,
        DataType::F16 | DataType::F32 | DataType::F64 => 3,
        DataType::ComplexI16 | DataType::ComplexI32 => 5,
        _ => 6,
    };
    let compression = match layout.compression {
        Compression::None => 1,
        Compression::Lzw => 5,
        Compression::Deflate => 8,
        Compression::PackBits => 32773,
        Compression::Zstd => 50000,
    };
    let per_band = |value: u64| samples.iter().map(|one| one * value).collect::<Vec<u64>>();
    let mut tags = vec![
        (256, LONG, vec![width]),
        (257, LONG, vec![height]),
        (258, SHORT, per_band(size as u64 * 8)),
        (259, SHORT, vec![compression]),
        (262, SHORT, vec![1]),
        (277, SHORT, vec![bands]),
        (284, SHORT, vec![if planar { 2 } else { 1 }]),
        (339, SHORT, per_band(format)),
    ];
    if layout.tiles {
        tags.extend([(322, LONG, vec![chunk[2]]), (323, LONG, vec![chunk[1]]), (324, wide, offsets), (325, wide, counts)]);
    } else {
        tags.extend([(273, wide, offsets), (278, LONG, vec![chunk[1]]), (279, wide, counts)]);
    }
    if layout.predictor != 1 {
        tags.push((317, SHORT, vec![u64::from(layout.predictor)]));
    }
    if bands > 1 {
        tags.push((338, SHORT, vec![0; bands as usize - 1]));
    }
    if let Some(nodata) = &layout.nodata {
        tags.push((42113, 2, nodata.bytes().chain([0]).map(u64::from).collect()));
    }
    tags.sort();
    write_directory(&mut out, &tags, first_directory_at, offset_width);
    out.bytes
}

/// A little-endian file of these tags (number, type, values, sorted by number), whatever they say. `data` stands behind the header, at 8 (16
/// in BigTIFF).
pub(crate) fn of_tags(big_tiff: bool, data: &[u8], tags: &[(u64, u64, Vec<u64>)]) -> Vec<u8> {
    let (header, link_at, width): (&[u8], _, _) = if big_tiff { (b"II+\0\x08\0\0\0", 8, 8) } else { (b"II*\0", 4, 4) };
    let mut out = Out { bytes: [header, &vec![0; width], data].concat(), big_endian: false };
    write_directory(&mut out, tags, link_at, width);
    out.bytes
}

fn write_directory(out: &mut Out, tags: &[(u64, u64, Vec<u64>)], link_at: usize, offset_width: usize) {
    let mut entries = Vec::new();
    for (tag, kind, values) in tags {
        let width = match kind {
            2 => 1,
            3 => 2,
            4 => 4,
            _ => 8,
        };
        let mut value: Vec<u8> = values.iter().flat_map(|v| out.number(*v, width)).collect();
        if value.len() > offset_width {
            out.bytes.resize(out.bytes.len().next_multiple_of(8), 0);
            let place = out.number(out.bytes.len() as u64, offset_width);
            out.bytes.extend(value);
            value = place;
        }
        value.resize(offset_width, 0);
        entries.push((*tag, *kind, values.len() as u64, value));
    }
    out.bytes.resize(out.bytes.len().next_multiple_of(8), 0);
    let link = out.number(out.bytes.len() as u64, offset_width);
    out.bytes[link_at..link_at + offset_width].copy_from_slice(&link);
    out.push(entries.len() as u64, if offset_width == 8 { 8 } else { 2 });
    for (tag, kind, count, value) in entries {
        out.push(tag, 2);
        out.push(kind, 2);
        out.push(count, offset_width);
        out.bytes.extend(value);
    }
    out.push(0, offset_width);
}
