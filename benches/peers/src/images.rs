//! The peers that read TIFF.

use std::fs::File;
use std::io::BufReader;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use async_geotiff::io::{BlockCache, CacheConfig, CogReader, ReaderConfig, SnapshotPolicy};
use async_geotiff::pixel::{ImageData, PixelData};
use async_geotiff::resource::WorkBudget;
use async_tiff::metadata::TiffMetadataReader;
use async_tiff::metadata::cache::ReadaheadMetadataCache;
use async_tiff::reader::ObjectReader;
use async_tiff::{ImageFileDirectory, TypedArray};
use geotiff_reader::GeoTiffFile;
use object_store::local::LocalFileSystem;
use rayon::prelude::*;
use tiff::decoder::{Decoder, Limits};
use tokio::runtime::Runtime;

use crate::job::{Job, Kept, Kind, Read, Result, by_type, cast_mut, line};

/// Elements that the peers hand out.
pub trait Sample: bytemuck::Pod + Send + Sync + tiff_reader::TiffSample {
    fn of_tile(tile: &TypedArray) -> Option<&[Self]>;
    fn of_pixels(pixels: &PixelData) -> Option<&[Self]>;
}

macro_rules! sample {
    ($type:ty, $tile:ident, $pixels:ident) => {
        impl Sample for $type {
            fn of_tile(tile: &TypedArray) -> Option<&[Self]> {
                if let TypedArray::$tile(values) = tile { Some(values) } else { None }
            }
            fn of_pixels(pixels: &PixelData) -> Option<&[Self]> {
                if let PixelData::$pixels(values) = pixels { values.as_slice() } else { None }
            }
        }
    };
}
sample!(u8, UInt8, U8);
sample!(u16, UInt16, U16);
sample!(f32, Float32, F32);

pub(crate) fn open(job: &Job, reader: &str) -> Result<Read> {
    let job = job.clone();
    match (reader, job.kind) {
        ("tiff", Kind::Image) => tiff_whole(job),
        ("tiff", Kind::Windows) => tiff_windows(job),
        ("async-tiff", Kind::Image) => by_type!(job, async_tiff_whole(job)),
        ("geotiff-reader", Kind::Image | Kind::Windows) => by_type!(job, geotiff_reader(job)),
        ("async-geotiff", Kind::Image | Kind::Windows) => by_type!(job, async_geotiff(job)),
        _ => Err(format!("{reader} does not do this")),
    }
}

fn runtime(job: &Job) -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(job.threads()).enable_all().build().map_err(line)
}

// ---------------------------------------------------------------- tiff

type TiffDecoder = Decoder<BufReader<File>>;

fn decoder(path: &str) -> Result<TiffDecoder> {
    let file = BufReader::new(File::open(path).map_err(line)?);
    Ok(Decoder::new(file).map_err(line)?.with_limits(Limits::unlimited()))
}

/// Tiles of an image: rows, columns of one; how many stand in a row of the grid.
fn tiling(decoder: &mut TiffDecoder) -> Result<(usize, usize, usize)> {
    let (columns, rows) = decoder.chunk_dimensions();
    let (width, _) = decoder.dimensions().map_err(line)?;
    Ok((rows as usize, columns as usize, width.div_ceil(columns) as usize))
}

/// By `read_image_bytes` on one thread; on several each has a decoder of its own and takes rows of tiles.
fn tiff_whole(job: Job) -> Result<Read> {
    let pool = job.pool()?;
    Ok(Box::new(move |out, seen| {
        if job.threads() == 1 {
            decoder(&job.path)?.read_image_bytes(out).map_err(line)?;
        } else {
            let (rows, ..) = tiling(&mut decoder(&job.path)?)?;
            let (_, width, bands) = job.sides();
            let row = width * bands * job.element();
            pool.install(|| {
                let bands_of_rows = out.par_chunks_mut(rows * row).enumerate();
                bands_of_rows.try_for_each_init(
                    || (decoder(&job.path), Vec::new()),
                    |(decoder, tile), (number, out)| {
                        let decoder = decoder.as_mut().map_err(|e| e.clone())?;
                        let first = number * rows;
                        place(decoder, tile, job.element() * bands, first..first + out.len() / row, 0..width, out)
                    },
                )
            })?;
        }
        seen(out);
        Ok(Box::new(()) as Kept)
    }))
}

fn tiff_windows(job: Job) -> Result<Read> {
    let mut decoder = decoder(&job.path)?;
    let mut tile = Vec::new();
    let (rows, columns, bands) = job.sides();
    Ok(Box::new(move |out, seen| {
        for [y, x] in &job.windows {
            place(&mut decoder, &mut tile, job.element() * bands, *y..y + rows, *x..x + columns, out)?;
            seen(out);
        }
        Ok(Box::new(()) as Kept)
    }))
}

/// Decodes the tiles of a window, and copies their rows.
fn place(decoder: &mut TiffDecoder, tile: &mut Vec<u8>, pixel: usize, rows: Range<usize>, columns: Range<usize>, out: &mut [u8]) -> Result<()> {
    let (tile_rows, tile_columns, across) = tiling(decoder)?;
    for down in rows.start / tile_rows..rows.end.div_ceil(tile_rows) {
        for right in columns.start / tile_columns..columns.end.div_ceil(tile_columns) {
            let number = u32::try_from(down * across + right).map_err(line)?;
            let (width, height) = decoder.chunk_data_dimensions(number);
            let (width, height) = (width as usize, height as usize);
            tile.resize(width * height * pixel, 0);
            decoder.read_chunk_bytes(number, tile).map_err(line)?;
            let from = Window { rows: down * tile_rows..down * tile_rows + height, columns: right * tile_columns..right * tile_columns + width };
            from.copy(tile, &Window { rows: rows.clone(), columns: columns.clone() }, out, pixel);
        }
    }
    Ok(())
}

/// A part of an image.
struct Window {
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Window {
    /// Copies what two windows share, from one with these pixels to the other.
    fn copy<T: Copy>(&self, from: &[T], to: &Self, out: &mut [T], pixel: usize) {
        let columns = self.columns.start.max(to.columns.start)..self.columns.end.min(to.columns.end);
        let at = |window: &Self, y: usize| ((y - window.rows.start) * window.columns.len() + columns.start - window.columns.start) * pixel;
        for y in self.rows.start.max(to.rows.start)..self.rows.end.min(to.rows.end) {
            let (source, target) = (at(self, y), at(to, y));
            out[target..target + columns.len() * pixel].copy_from_slice(&from[source..source + columns.len() * pixel]);
        }
    }
}

// ---------------------------------------------------------------- async-tiff

/// An image opened by `async-tiff`.
pub struct AsyncTiff {
    reader: ObjectReader,
    directory: ImageFileDirectory,
}

impl AsyncTiff {
    /// Reads the first directory of an object.
    pub async fn open(reader: ObjectReader) -> Result<Self> {
        let cache = ReadaheadMetadataCache::new(reader.clone());
        let mut metadata = TiffMetadataReader::try_open(&cache).await.map_err(line)?;
        let directory = metadata.read_next_ifd(&cache).await.map_err(line)?.ok_or("no directory")?;
        Ok(Self { reader, directory })
    }

    /// As its documentation does: all tiles fetched by one call, then decoded side by side (in the caller's rayon pool); each row of tiles is
    /// copied into its place.
    pub fn read<T: Sample>(&self, runtime: &Runtime, out: &mut [T]) -> Result<()> {
        let (across, down) = self.directory.tile_count().ok_or("no tiles")?;
        let (Some(tile_rows), Some(tile_columns)) = (self.directory.tile_height(), self.directory.tile_width()) else {
            return Err("no tiles".to_owned());
        };
        let (tile_rows, tile_columns) = (tile_rows as usize, tile_columns as usize);
        let (width, bands) = (self.directory.image_width() as usize, usize::from(self.directory.samples_per_pixel()));
        let all: Vec<(usize, usize)> = (0..down).flat_map(|y| (0..across).map(move |x| (x, y))).collect();
        let mut rows: Vec<Vec<_>> = (0..down).map(|_| Vec::new()).collect();
        for tile in runtime.block_on(self.directory.fetch_tiles(&all, &self.reader)).map_err(line)? {
            rows[tile.y()].push(tile);
        }
        out.par_chunks_mut(tile_rows * width * bands).zip(rows).enumerate().try_for_each(|(number, (out, tiles))| {
            let first = number * tile_rows;
            let to = Window { rows: first..first + out.len() / width / bands, columns: 0..width };
            tiles.into_iter().try_for_each(|tile| {
                let left = tile.x() * tile_columns;
                let from = Window { rows: first..first + tile_rows, columns: left..left + tile_columns };
                let decoded = tile.decode(&Default::default()).map_err(line)?;
                from.copy(T::of_tile(decoded.data()).ok_or("another type was expected")?, &to, out, bands);
                Ok(())
            })
        })
    }
}

fn local(path: &str) -> Result<ObjectReader> {
    let path = object_store::path::Path::from_absolute_path(Path::new(path)).map_err(line)?;
    Ok(ObjectReader::new(Arc::new(LocalFileSystem::new()), path))
}

fn async_tiff_whole<T: Sample>(job: Job) -> Result<Read> {
    let (runtime, pool) = (runtime(&job)?, job.pool()?);
    Ok(Box::new(move |out, seen| {
        let file = runtime.block_on(AsyncTiff::open(local(&job.path)?))?;
        pool.install(|| file.read::<T>(&runtime, cast_mut(out)))?;
        seen(out);
        Ok(Box::new(()) as Kept)
    }))
}

// ---------------------------------------------------------------- geotiff-reader

/// Its arrays are new ones; its cache of blocks is off where files are kept open.
fn geotiff_reader<T: Sample>(job: Job) -> Result<Read> {
    let pool = job.pool()?;
    let (rows, columns, bands) = job.sides();
    if job.kind == Kind::Image {
        return Ok(Box::new(move |_, seen| {
            let file = GeoTiffFile::open(&job.path).map_err(line)?;
            let read = pool.install(|| if bands > 1 { file.read_decoded_raster::<T>() } else { file.read_raster::<T>() }).map_err(line)?;
            seen(bytemuck::cast_slice(read.as_slice().unwrap_or_default()));
            Ok(Box::new(read) as Kept)
        }));
    }
    let options = geotiff_reader::GeoTiffOpenOptions { block_cache_bytes: 0, ..Default::default() };
    let file = GeoTiffFile::open_with_options(&job.path, options).map_err(line)?;
    Ok(Box::new(move |_, seen| {
        for [y, x] in &job.windows {
            let read = pool.install(|| file.read_window::<T>(*y, *x, rows, columns)).map_err(line)?;
            seen(bytemuck::cast_slice(read.as_slice().unwrap_or_default()));
        }
        Ok(Box::new(()) as Kept)
    }))
}

// ---------------------------------------------------------------- async-geotiff

/// Its images are new ones; its cache of blocks is off, its bounds are above the size of the image.
fn async_geotiff<T: Sample>(job: Job) -> Result<Read> {
    let runtime = runtime(&job)?;
    let (rows, columns, _) = job.sides();
    let opened = {
        let (path, threads) = (job.path.clone(), job.threads());
        move || {
            let mut config = ReaderConfig::default();
            config.snapshot_policy = SnapshotPolicy::AssumeImmutable;
            (config.max_window_pixels, config.max_window_bytes, config.max_window_blocks) = (u64::MAX, u64::MAX, usize::MAX);
            config.work_budget = WorkBudget::new(u64::MAX);
            config.max_decode_tasks = threads;
            config.block_cache = Arc::new(BlockCache::new(CacheConfig { max_bytes: 0, ttl: None }));
            let reader = local(&path)?;
            Ok::<_, String>(CogReader::builder().reader_config(config).open(reader))
        }
    };
    let show = |read: &Arc<ImageData>, seen: &mut dyn FnMut(&[u8])| {
        seen(bytemuck::cast_slice(T::of_pixels(&read.pixels).ok_or("another type was expected")?));
        Ok::<_, String>(())
    };
    if job.kind == Kind::Image {
        return Ok(Box::new(move |_, seen| {
            let read =
                runtime.block_on(async { opened()?.await.map_err(line)?.read_window(0, 0, 0, columns as u64, rows as u64).await.map_err(line) })?;
            show(&read, seen)?;
            Ok(Box::new(read) as Kept)
        }));
    }
    let file = runtime.block_on(opened()?).map_err(line)?;
    Ok(Box::new(move |_, seen| {
        for [y, x] in &job.windows {
            let (y, x) = (i64::try_from(*y).map_err(line)?, i64::try_from(*x).map_err(line)?);
            show(&runtime.block_on(file.read_window(0, x, y, columns as u64, rows as u64)).map_err(line)?, seen)?;
        }
        Ok(Box::new(()) as Kept)
    }))
}
