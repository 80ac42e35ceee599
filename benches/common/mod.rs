//! What the benchmarks read: terrain-like noise from a fixed seed, written as GeoTIFF and Zarr.
//!
//! The writers are as small as they can be, and not the reader's: they know one layout each.

#![allow(dead_code, reason = "each benchmark uses its part")]

pub(crate) mod limits;
pub(crate) mod metadata;
pub(crate) mod tiff;
pub(crate) mod zarr;

use std::path::PathBuf;

/// Heights of `size` x `size` pixels, about 0 to 4000: five octaves of smooth noise, and a little sensor noise.
pub(crate) fn terrain(size: usize) -> Vec<f32> {
    let mut heights = vec![0_f32; size * size];
    for (octave, amplitude) in [(256, 2000.0), (64, 700.0), (16, 150.0), (4, 20.0), (1, 2.0_f32)] {
        for (y, row) in heights.chunks_exact_mut(size).enumerate() {
            let (y0, fy) = (y / octave, smooth((y % octave) as f32 / octave as f32));
            for (x, height) in row.iter_mut().enumerate() {
                let (x0, fx) = (x / octave, smooth((x % octave) as f32 / octave as f32));
                let corner = |dx: usize, dy: usize| noise(x0 + dx, y0 + dy, octave);
                let top = corner(0, 0) + fx * (corner(1, 0) - corner(0, 0));
                let bottom = corner(0, 1) + fx * (corner(1, 1) - corner(0, 1));
                *height += amplitude * (top + fy * (bottom - top));
            }
        }
    }
    heights
}

fn smooth(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

/// A number of 0 to 1 for a place: the finaliser of SplitMix64.
fn noise(x: usize, y: usize, octave: usize) -> f32 {
    let mut z = (x as u64) << 40 ^ (y as u64) << 16 ^ octave as u64;
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ z >> 31) >> 40) as f32 / (1_u64 << 24) as f32
}

/// Terrain as little-endian `f32`.
pub(crate) fn terrain_f32(size: usize) -> Vec<u8> {
    terrain(size).iter().flat_map(|h| h.to_le_bytes()).collect()
}

/// Terrain as little-endian `u16`, whole metres.
#[allow(clippy::cast_possible_truncation, reason = "heights are within 0 to 4000")]
pub(crate) fn terrain_u16(size: usize) -> Vec<u8> {
    terrain(size).iter().flat_map(|h| (*h as u16).to_le_bytes()).collect()
}

/// Terrain as three bytes a pixel, in steps of 12, 14 and 16 metres.
#[allow(clippy::cast_possible_truncation, reason = "heights are within 0 to 3000")]
pub(crate) fn terrain_rgb(size: usize) -> Vec<u8> {
    terrain(size).iter().flat_map(|h| [12.0, 14.0, 16.0].map(|step| (h / step) as u8)).collect()
}

/// Every second pixel of every second row: an overview.
pub(crate) fn halved(pixels: &[u8], size: usize, element: usize) -> Vec<u8> {
    let rows = pixels.chunks_exact(size * element).step_by(2);
    rows.flat_map(|row| row.chunks_exact(element).step_by(2).flatten().copied()).collect()
}

/// A folder of this name for files of a test or benchmark, empty.
pub(crate) fn scratch(name: &str) -> PathBuf {
    // Told to benchmarks, not to the library of `benches/peers`, which makes no files here.
    let folder = option_env!("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from).join(name);
    let _fresh = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A zlib stream (RFC 1950).
pub(crate) fn zlib(bytes: &[u8], level: i32) -> Vec<u8> {
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::new(level).unwrap());
    let mut out = vec![0; compressor.zlib_compress_bound(bytes.len())];
    let length = compressor.zlib_compress(bytes, &mut out).unwrap();
    out.truncate(length);
    out
}

/// A Zstandard frame (RFC 8878).
pub(crate) fn zstd(bytes: &[u8], level: i32) -> Vec<u8> {
    let mut out = Vec::with_capacity(zstd_safe::compress_bound(bytes.len()));
    zstd_safe::compress(&mut out, bytes, level).unwrap();
    out
}
