//! Swath.

use std::sync::Arc;

use ndarray::{ArrayViewMut3, ArrayViewMutD, Ix3, IxDyn};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use swath::format::zarr::{NewArray, Version};
use swath::model::{CodecSpec, DataType};
use swath::{ChunkedArray, Element, Session, SessionOptions};

use crate::common::tiff::{Image, Packing};
use crate::job::{Job, Kept, Kind, Read, Result, by_type, cast_mut, line};

/// `swath` keeps no decoded chunks, `swath-cached` has all defaults, `swath-new` reads into memory of its own.
pub(crate) fn open(job: &Job, reader: &str) -> Result<Read> {
    let job = job.clone();
    let mut options = SessionOptions::default();
    options.threads = job.threads;
    options.cache_decoded = reader == "swath-cached";
    let is_new = reader == "swath-new";
    if job.kind == Kind::Plan {
        return plan(&job, options);
    }
    if job.kind == Kind::InMemory {
        return in_memory(job, options);
    }
    let session = Session::with_options(options).map_err(line)?;
    match job.kind {
        Kind::Windows => by_type!(job, windows(job, &session)),
        Kind::Array => Ok(by_type!(job, array(job, session, is_new))),
        _ => Ok(by_type!(job, image(job, session, is_new))),
    }
}

fn view<'a, T: Element + bytemuck::Pod>(job: &Job, out: &'a mut [u8]) -> Result<ArrayViewMut3<'a, T>> {
    let (rows, columns, bands) = job.sides();
    if job.bands_last {
        let view = ArrayViewMut3::from_shape((rows, columns, bands), cast_mut::<T>(out)).map_err(line)?;
        return Ok(view.permuted_axes([2, 0, 1]));
    }
    ArrayViewMut3::from_shape((bands, rows, columns), cast_mut::<T>(out)).map_err(line)
}

fn image<T: Element + bytemuck::Pod>(job: Job, session: Session, is_new: bool) -> Read {
    Box::new(move |out, seen| {
        let level = session.block_on(session.open_cog(&job.path)).and_then(|cog| cog.level(0)).map_err(line)?;
        if is_new {
            let read = session.block_on(level.read::<T, Ix3>(..)).map_err(line)?;
            seen(bytemuck::cast_slice(read.as_slice().unwrap_or_default()));
            return Ok(Box::new(read) as Kept);
        }
        level.blocking_read_into(.., view::<T>(&job, out)?).map_err(line)?;
        seen(out);
        Ok(Box::new(()))
    })
}

/// Uncompressed tiles with predictor 2. In a TIFF the predictor of such tiles means nothing, so it is put into the chain here.
fn in_memory(job: Job, options: SessionOptions) -> Result<Read> {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let session = Session::builder(options).with_store("bench://", store.clone()).build().map_err(line)?;
    let file = differences(&job)?.write();
    session.block_on(store.put(&Path::from("image.tif"), file.into())).map_err(line)?;
    let level = session.block_on(session.open_cog("bench://image.tif")).and_then(|cog| cog.level(0)).map_err(line)?;
    let mut meta = level.meta().clone();
    meta.chains[0].push(CodecSpec::Predictor { row: TILE as u64, stride: 1 });
    let array = session.array(meta).map_err(line)?;
    Ok(Box::new(move |out, seen| {
        array.blocking_read_into(.., view::<u16>(&job, out)?).map_err(line)?;
        seen(out);
        Ok(Box::new(()) as Kept)
    }))
}

const TILE: usize = 512;

/// The job's image of `u16` as such tiles.
pub(crate) fn differences(job: &Job) -> Result<Image> {
    let job = Job { kind: Kind::Image, threads: 0, ..job.clone() };
    let mut pixels = job.output()?;
    open(&job, "swath")?(&mut pixels, &mut |_| {})?;
    Ok(Image { pixels: pixels.to_vec(), size: job.shape[0], tile: TILE, element: 2, packing: Packing::None, predictor: 2, overviews: 0 })
}

fn windows<T: Element + bytemuck::Pod>(job: Job, session: &Session) -> Result<Read> {
    let level = session.block_on(session.open_cog(&job.path)).and_then(|cog| cog.level(0)).map_err(line)?;
    let (rows, columns) = (job.shape[0] as u64, job.shape[1] as u64);
    let session = session.clone();
    Ok(Box::new(move |out, seen| {
        for [y, x] in &job.windows {
            let (y, x) = (*y as u64, *x as u64);
            level.blocking_read_into((.., y..y + rows, x..x + columns), view::<T>(&job, out)?).map_err(line)?;
            seen(out);
        }
        // The session lives as long as what it opened.
        let _ = &session;
        Ok(Box::new(()))
    }))
}

fn array<T: Element + bytemuck::Pod>(job: Job, session: Session, is_new: bool) -> Read {
    Box::new(move |out, seen| {
        let open = async || session.open_zarr(&job.path).await?.array(&job.array).await;
        let array: ChunkedArray = session.block_on(open()).map_err(line)?;
        if is_new {
            let read = session.block_on(array.read::<T, IxDyn>(..)).map_err(line)?;
            seen(bytemuck::cast_slice(read.as_slice().unwrap_or_default()));
            return Ok(Box::new(read) as Kept);
        }
        let view = ArrayViewMutD::from_shape(job.shape.as_slice(), cast_mut::<T>(out)).map_err(line)?;
        array.blocking_read_into(.., view).map_err(line)?;
        seen(out);
        Ok(Box::new(()))
    })
}

/// A plan of a whole array whose chunks are objects of their own, one an element; none of them is there.
fn plan(job: &Job, options: SessionOptions) -> Result<Read> {
    let session = Session::builder(options).with_store("bench://", Arc::new(InMemory::new())).build().map_err(line)?;
    let shape: Vec<u64> = job.shape.iter().map(|n| *n as u64).collect();
    let ones = vec![1; shape.len()];
    let made = async {
        let store = session.create_zarr("bench://plan.zarr", Version::V3).await?;
        store.array("data", &NewArray::new(shape, DataType::U8, ones)).await?;
        store.finish().await?;
        session.open_zarr("bench://plan.zarr").await?.array("data").await
    };
    let array = session.block_on(made).map_err(line)?;
    Ok(Box::new(move |_, _| Ok(Box::new(session.block_on(array.plan(..)).map_err(line)?) as Kept)))
}
