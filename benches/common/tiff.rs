//! A writer of tiled GeoTIFF: little-endian, directories and tables before the tiles.

#![allow(clippy::cast_possible_truncation, reason = "files are far below 4 GiB")]

use super::{halved, zlib, zstd};

/// How tiles are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    None,
    Deflate,
    Zstd,
}

/// Where the samples of a pixel stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bands {
    /// So many side by side.
    Interleaved(usize),
    /// So many, each in tiles of its own.
    Planar(usize),
}

/// A square image, and how it is to be written.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// Little-endian pixels, row by row; of several bands, their samples side by side.
    pub(crate) pixels: Vec<u8>,
    /// Pixels of a side.
    pub(crate) size: usize,
    /// Pixels of a side of a tile.
    pub(crate) tile: usize,
    /// Bytes of a sample: 1 is `u8`, 2 is `u16`, 4 is `f32`.
    pub(crate) element: usize,
    pub(crate) packing: Packing,
    /// 1, 2 or 3.
    pub(crate) predictor: u16,
    /// Overviews, each half the size of the one before.
    pub(crate) overviews: usize,
}

struct Level {
    size: usize,
    tiles: Vec<Vec<u8>>,
}

const SHORT: u16 = 3;
const LONG: u16 = 4;
const ENTRIES: usize = 14;

impl Bands {
    fn count(self) -> usize {
        match self {
            Self::Interleaved(bands) | Self::Planar(bands) => bands,
        }
    }
}

impl Image {
    /// The file, of one band.
    pub(crate) fn write(&self) -> Vec<u8> {
        self.write_bands(Bands::Interleaved(1))
    }

    /// The file, of several bands. Three are red, green and blue.
    pub(crate) fn write_bands(&self, bands: Bands) -> Vec<u8> {
        let mut levels = vec![self.level(&self.pixels, self.size, bands)];
        let (mut pixels, mut size) = (self.pixels.clone(), self.size);
        for _ in 0..self.overviews {
            pixels = halved(&pixels, size, self.element * bands.count());
            size = size.div_ceil(2);
            levels.push(self.level(&pixels, size, bands));
        }
        // A table of one value stands in its entry.
        let tables = |level: &Level| if level.tiles.len() > 1 { level.tiles.len() * 8 } else { 0 };
        let directory = |level: &Level| 2 + ENTRIES * 12 + 4 + bands.count() * 4 + tables(level);
        let mut data_at = 8 + levels.iter().map(directory).sum::<usize>();
        let mut file = b"II*\0\x08\0\0\0".to_vec();
        for (number, level) in levels.iter().enumerate() {
            let next = if number + 1 < levels.len() { file.len() + directory(level) } else { 0 };
            self.directory(&mut file, level, number, data_at, next, bands);
            data_at += level.tiles.iter().map(Vec::len).sum::<usize>();
        }
        levels.iter().flat_map(|l| &l.tiles).for_each(|t| file.extend_from_slice(t));
        file
    }

    /// The tiles of the first level of one band, as stored.
    pub(crate) fn tiles(&self) -> Vec<Vec<u8>> {
        self.level(&self.pixels, self.size, Bands::Interleaved(1)).tiles
    }

    fn directory(&self, file: &mut Vec<u8>, level: &Level, number: usize, data_at: usize, next: usize, bands: Bands) {
        let count = level.tiles.len();
        // Behind the entries: bits of a sample, kinds of a sample, the tables of tiles.
        let bits_at = file.len() + 2 + ENTRIES * 12 + 4;
        let kinds_at = bits_at + bands.count() * 2;
        let tables_at = kinds_at + bands.count() * 2;
        let lengths: Vec<usize> = level.tiles.iter().map(Vec::len).collect();
        let offsets: Vec<usize> = lengths.iter().scan(data_at, |at, n| Some(std::mem::replace(at, *at + n))).collect();
        let (offsets_at, lengths_at) = if count > 1 { (tables_at, tables_at + 4 * count) } else { (offsets[0], lengths[0]) };
        let compression = match self.packing {
            Packing::None => 1,
            Packing::Deflate => 8,
            Packing::Zstd => 50_000,
        };
        let (bits, kind) = (self.element * 8, if self.element == 4 { 3 } else { 1 });
        let (bits_of, kinds_of) = if bands.count() > 1 { (bits_at, kinds_at) } else { (bits, kind) };
        let entries: [(u16, u16, usize, usize); ENTRIES] = [
            (254, LONG, 1, usize::from(number > 0)),
            (256, LONG, 1, level.size),
            (257, LONG, 1, level.size),
            (258, SHORT, bands.count(), bits_of),
            (259, SHORT, 1, compression),
            (262, SHORT, 1, if bands.count() == 3 { 2 } else { 1 }),
            (277, SHORT, 1, bands.count()),
            (284, SHORT, 1, if matches!(bands, Bands::Planar(_)) { 2 } else { 1 }),
            (317, SHORT, 1, usize::from(self.predictor)),
            (322, LONG, 1, self.tile),
            (323, LONG, 1, self.tile),
            (324, LONG, count, offsets_at),
            (325, LONG, count, lengths_at),
            (339, SHORT, bands.count(), kinds_of),
        ];
        file.extend([ENTRIES as u8, 0]);
        for (tag, kind, count, value) in entries {
            file.extend(tag.to_le_bytes());
            file.extend(kind.to_le_bytes());
            file.extend((count as u32).to_le_bytes());
            file.extend((value as u32).to_le_bytes());
        }
        file.extend((next as u32).to_le_bytes());
        for value in [bits, kind] {
            (0..bands.count()).for_each(|_| file.extend((value as u16).to_le_bytes()));
        }
        if count > 1 {
            offsets.iter().chain(&lengths).for_each(|n| file.extend((*n as u32).to_le_bytes()));
        }
    }

    fn level(&self, pixels: &[u8], size: usize, bands: Bands) -> Level {
        let across = size.div_ceil(self.tile);
        let tiles =
            |pixels: &[u8], side_by_side| (0..across * across).map(|n| self.tile(pixels, size, n % across, n / across, side_by_side)).collect();
        let tiles = match bands {
            Bands::Interleaved(bands) => tiles(pixels, bands),
            Bands::Planar(bands) => {
                let plane = |band| -> Vec<u8> { pixels.chunks_exact(self.element).skip(band).step_by(bands).flatten().copied().collect() };
                (0..bands).flat_map(|band| -> Vec<_> { tiles(&plane(band), 1) }).collect()
            }
        };
        Level { size, tiles }
    }

    fn tile(&self, pixels: &[u8], size: usize, column: usize, row: usize, bands: usize) -> Vec<u8> {
        let (tile, pixel) = (self.tile, self.element * bands);
        let mut bytes = vec![0; tile * tile * pixel];
        let width = tile.min(size - column * tile) * pixel;
        for (y, out) in bytes.chunks_exact_mut(tile * pixel).enumerate() {
            let at = row * tile + y;
            if at < size {
                let from = (at * size + column * tile) * pixel;
                out[..width].copy_from_slice(&pixels[from..from + width]);
            }
            match (self.predictor, self.element) {
                (2, 1) => differences_of_bytes(out, bands),
                (2, _) => differences(out),
                (3, _) => planes(out),
                _ => {}
            }
        }
        match self.packing {
            Packing::None => bytes,
            Packing::Deflate => zlib(&bytes, 6),
            Packing::Zstd => zstd(&bytes, 3),
        }
    }
}

/// Predictor 2 on a row of `u8`.
fn differences_of_bytes(row: &mut [u8], bands: usize) {
    for at in (bands..row.len()).rev() {
        row[at] = row[at].wrapping_sub(row[at - bands]);
    }
}

/// Predictor 2 on a row of `u16`, one band.
fn differences(row: &mut [u8]) {
    for at in (2..row.len()).step_by(2).rev() {
        let number = |at: usize| u16::from_le_bytes([row[at], row[at + 1]]);
        let difference = number(at).wrapping_sub(number(at - 2)).to_le_bytes();
        row[at..at + 2].copy_from_slice(&difference);
    }
}

/// Predictor 3 on a row of `f32`: the most significant bytes of all first, then differences of bytes.
fn planes(row: &mut [u8]) {
    let pixels = row.len() / 4;
    let mut out: Vec<u8> = (0..row.len()).map(|i| row[i % pixels * 4 + 3 - i / pixels]).collect();
    for at in (1..out.len()).rev() {
        out[at] = out[at].wrapping_sub(out[at - 1]);
    }
    row.copy_from_slice(&out);
}
