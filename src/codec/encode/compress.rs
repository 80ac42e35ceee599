//! gzip, zlib and Zstandard.

use super::Encode;
use crate::codec::{ChunkContext, Scratch};
use crate::error::{Error, Result};
use crate::model::{CodecSpec, Compression};

/// The compressor of a spec, with the level that the compression says, or a usual one.
pub(super) fn of(spec: &CodecSpec, compression: &Compression) -> Result<Box<dyn Encode>> {
    let deflate = |level: u8| match level {
        0..=9 => Ok(level),
        _ => Err(Error::usage(format!("deflate has levels 0 to 9, not {level}"))),
    };
    Ok(match (spec, compression) {
        (CodecSpec::Gzip, Compression::Gzip { level }) => Box::new(Gzip { level: deflate(*level)? }),
        (CodecSpec::Gzip, _) => Box::new(Gzip { level: 5 }),
        (CodecSpec::Zlib, Compression::Zlib { level }) => Box::new(Zlib { level: deflate(*level)? }),
        (CodecSpec::Zlib, _) => Box::new(Zlib { level: 5 }),
        (_, Compression::Zstd { level, .. }) if *level > 22 => return Err(Error::usage(format!("zstd has levels up to 22, not {level}"))),
        (_, Compression::Zstd { level, checksum }) => Box::new(Zstd { level: *level, checksum: *checksum }),
        _ => Box::new(Zstd { level: 3, checksum: false }),
    })
}

#[derive(Debug)]
struct Gzip {
    level: u8,
}

impl Encode for Gzip {
    fn encode(&self, input: Vec<u8>, _: &ChunkContext<'_>, _: &mut Scratch) -> Result<Vec<u8>> {
        // No name, no time, the system unknown (RFC 1952, section 2.3.1).
        let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
        deflate(&input, self.level, false, &mut out)?;
        out.extend_from_slice(&crc32fast::hash(&input).to_le_bytes());
        out.extend_from_slice(&((input.len() as u64 & 0xffff_ffff) as u32).to_le_bytes());
        Ok(out)
    }
}

#[derive(Debug)]
struct Zlib {
    level: u8,
}

impl Encode for Zlib {
    fn encode(&self, input: Vec<u8>, _: &ChunkContext<'_>, _: &mut Scratch) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        deflate(&input, self.level, true, &mut out)?;
        Ok(out)
    }
}

/// Appends a stream, wrapped by zlib or raw.
#[cfg(feature = "deflate")]
pub(super) fn deflate(input: &[u8], level: u8, zlib: bool, out: &mut Vec<u8>) -> Result<()> {
    use libdeflater::{CompressionLvl, Compressor};
    let level = CompressionLvl::new(i32::from(level)).map_err(|_| Error::usage("deflate: the level"))?;
    let mut compressor = Compressor::new(level);
    let most = if zlib { compressor.zlib_compress_bound(input.len()) } else { compressor.deflate_compress_bound(input.len()) };
    let start = out.len();
    crate::codec::output::resize(out, start.saturating_add(most))?;
    let room = out.get_mut(start..).unwrap_or_default();
    let done = if zlib { compressor.zlib_compress(input, room) } else { compressor.deflate_compress(input, room) };
    let given = done.map_err(|e| Error::codec("deflate", e.to_string()))?;
    out.truncate(start.saturating_add(given));
    Ok(())
}

/// Appends a stream, wrapped by zlib or raw.
#[cfg(not(feature = "deflate"))]
pub(super) fn deflate(input: &[u8], level: u8, zlib: bool, out: &mut Vec<u8>) -> Result<()> {
    use zlib_rs::{Deflate, DeflateFlush, Status};
    let mut encoder = Deflate::new(i32::from(level), zlib, 15);
    // Stored blocks, the worst case, add five bytes to each 16 KiB.
    let most = input.len().saturating_add(input.len() >> 11).saturating_add(64);
    let start = out.len();
    crate::codec::output::resize(out, start.saturating_add(most))?;
    let room = out.get_mut(start..).unwrap_or_default();
    match encoder.compress(input, room, DeflateFlush::Finish) {
        Ok(Status::StreamEnd) => {}
        Ok(_) => return Err(Error::codec("deflate", "the stream does not end")),
        Err(e) => return Err(Error::codec("deflate", e.as_str())),
    }
    let given = usize::try_from(encoder.total_out()).unwrap_or(usize::MAX);
    out.truncate(start.saturating_add(given));
    Ok(())
}

#[derive(Debug)]
struct Zstd {
    level: i8,
    checksum: bool,
}

impl Encode for Zstd {
    fn encode(&self, input: Vec<u8>, _: &ChunkContext<'_>, _: &mut Scratch) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        zstd(&input, self.level, self.checksum, &mut out)?;
        Ok(out)
    }
}

/// Appends a frame that tells its size.
#[cfg(feature = "zstd")]
pub(super) fn zstd(input: &[u8], level: i8, checksum: bool, out: &mut Vec<u8>) -> Result<()> {
    use zstd_safe::{CCtx, CParameter, compress_bound, get_error_name};
    let failed = |code| Error::codec("zstd", get_error_name(code));
    let mut context = CCtx::try_create().ok_or_else(|| Error::limit("memory", 0, 0))?;
    context.set_parameter(CParameter::CompressionLevel(i32::from(level))).map_err(failed)?;
    context.set_parameter(CParameter::ChecksumFlag(checksum)).map_err(failed)?;
    let start = out.len();
    crate::codec::output::resize(out, start.saturating_add(compress_bound(input.len())))?;
    let room = out.get_mut(start..).unwrap_or_default();
    let given = context.compress2(room, input).map_err(failed)?;
    out.truncate(start.saturating_add(given));
    Ok(())
}

/// Appends a frame. The pure encoder has one level, and always a checksum.
#[cfg(not(feature = "zstd"))]
pub(super) fn zstd(input: &[u8], _: i8, _: bool, out: &mut Vec<u8>) -> Result<()> {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    out.extend_from_slice(&compress_to_vec(input, CompressionLevel::Fastest));
    Ok(())
}
