//! What no reader can be faster than, of the files that are read.

use std::fs::File;
use std::io::BufReader;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rayon::prelude::*;
use serde_json::Value;
use tiff::decoder::Decoder;
use tiff::tags::Tag;

use crate::common::limits::{Limit, Stream};
use crate::job::{Job, Kept, Kind, Read, Result, line};
use crate::ours;

/// Stored chunks in C order of their grid.
struct Stored {
    stream: Stream,
    /// Rows and columns of one, and bytes of one that is decoded.
    sides: (usize, usize),
    length: usize,
    chunks: Vec<Vec<u8>>,
}

impl Stored {
    fn of(job: &Job) -> Result<Self> {
        match job.kind {
            Kind::Array => Self::of_array(job),
            Kind::InMemory => {
                let image = ours::differences(job)?;
                let length = image.tile * image.tile * image.element;
                Ok(Self { stream: Stream::Plain, sides: (image.tile, image.tile), length, chunks: image.tiles() })
            }
            _ => Self::of_image(job),
        }
    }

    fn of_image(job: &Job) -> Result<Self> {
        let file = File::open(&job.path).map_err(line)?;
        let mut decoder =
            Decoder::new(BufReader::new(file.try_clone().map_err(line)?)).map_err(line)?.with_limits(tiff::decoder::Limits::unlimited());
        let stream = match decoder.get_tag_u32(Tag::Compression).map_err(line)? {
            1 => Stream::Plain,
            8 => Stream::Zlib,
            50_000 => Stream::Zstd,
            other => return Err(format!("no raw decompressor of compression {other}")),
        };
        let (columns, rows) = decoder.chunk_dimensions();
        let sides = (rows as usize, columns as usize);
        let offsets = decoder.get_tag_u64_vec(Tag::TileOffsets).map_err(line)?;
        let lengths = decoder.get_tag_u64_vec(Tag::TileByteCounts).map_err(line)?;
        let chunk = |(offset, length): (u64, u64)| {
            let mut bytes = vec![0; usize::try_from(length).map_err(line)?];
            file.read_exact_at(&mut bytes, offset).map_err(line)?;
            Ok(bytes)
        };
        let chunks = offsets.into_iter().zip(lengths).map(chunk).collect::<Result<Vec<_>>>()?;
        Ok(Self { stream, sides, length: sides.0 * sides.1 * job.sides().2 * job.element(), chunks })
    }

    /// Of the arrays that `data.py` writes: version 3, all chunks there, and whole.
    fn of_array(job: &Job) -> Result<Self> {
        let folder = Path::new(&job.path).join(&job.array);
        let document = std::fs::read(folder.join("zarr.json")).map_err(|_| "no raw decompressor of this store")?;
        let document: Value = serde_json::from_slice(&document).map_err(line)?;
        let sides = |value: &Value| Some((usize::try_from(value[0].as_u64()?).ok()?, usize::try_from(value[1].as_u64()?).ok()?));
        let outer = sides(&document["chunk_grid"]["configuration"]["chunk_shape"]).ok_or("no shape of chunks")?;
        let first = &document["codecs"][0];
        let inner = sides(&first["configuration"]["chunk_shape"]);
        let codecs = if inner.is_some() { &first["configuration"]["codecs"] } else { &document["codecs"] };
        let stream = match codecs[1]["name"].as_str() {
            None => Stream::Plain,
            Some("gzip") => Stream::Gzip,
            Some("zstd") => Stream::Zstd,
            Some(other) => return Err(format!("no raw decompressor of {other}")),
        };
        let (down, across) = (job.shape[0] / outer.0, job.shape[1] / outer.1);
        let mut chunks = Vec::new();
        for number in 0..down * across {
            let object = std::fs::read(folder.join(format!("c/{}/{}", number / across, number % across))).map_err(line)?;
            match inner {
                Some(inner) => chunks.extend(shard(&object, (outer.0 / inner.0) * (outer.1 / inner.1)).ok_or("no index of a shard")?),
                None => chunks.push(object),
            }
        }
        let sides = inner.unwrap_or(outer);
        Ok(Self { stream, sides, length: sides.0 * sides.1 * job.element(), chunks })
    }
}

/// The chunks of a shard whose index stands at its end, with its CRC-32C.
fn shard(object: &[u8], count: usize) -> Option<Vec<Vec<u8>>> {
    let index = object.get(object.len().checked_sub(count * 16 + 4)?..)?;
    let numbers: Vec<usize> = index.chunks_exact(8).map(|n| usize::try_from(u64::from_le_bytes(n.try_into().ok()?)).ok()).collect::<Option<_>>()?;
    numbers.chunks_exact(2).map(|at| Some(object.get(at[0]..at[0] + at[1])?.to_vec())).collect()
}

/// The decompressor alone, into memory of one chunk for each thread.
pub(crate) fn raw(job: &Job) -> Result<Read> {
    let stored = Stored::of(job)?;
    let pool = job.pool()?;
    let mut shares: Vec<Vec<Vec<u8>>> = (0..job.threads()).map(|_| Vec::new()).collect();
    let count = shares.len();
    for (number, chunk) in stored.chunks.into_iter().enumerate() {
        shares[number % count].push(chunk);
    }
    let mut limits: Vec<Limit> = shares.into_iter().map(|share| Limit::of_chunks(stored.stream, share, stored.length)).collect();
    Ok(Box::new(move |_, _| {
        pool.install(|| limits.par_iter_mut().for_each(|limit| _ = std::hint::black_box(limit.run())));
        Ok(Box::new(()) as Kept)
    }))
}

/// The rows of uncompressed chunks, from memory to their place.
pub(crate) fn copy(job: &Job) -> Result<Read> {
    let Stored { stream, sides: (rows, columns), chunks, .. } = Stored::of(job)?;
    if stream != Stream::Plain {
        return Err("only what is stored uncompressed is copied".to_owned());
    }
    let pool = job.pool()?;
    let (_, width, bands) = job.sides();
    let pixel = bands * job.element();
    Ok(Box::new(move |out, seen| {
        let across = width.div_ceil(columns);
        pool.install(|| {
            out.par_chunks_mut(rows * width * pixel).zip(chunks.par_chunks(across)).for_each(|(out, chunks)| {
                for (number, chunk) in chunks.iter().enumerate() {
                    let left = number * columns * pixel;
                    let bytes = (columns * pixel).min(width * pixel - left);
                    for (out, row) in out.chunks_exact_mut(width * pixel).zip(chunk.chunks_exact(columns * pixel)) {
                        out[left..left + bytes].copy_from_slice(&row[..bytes]);
                    }
                }
            });
        });
        seen(out);
        Ok(Box::new(()) as Kept)
    }))
}
