//! The peer that reads Zarr.

use std::sync::Arc;

use zarrs::array::{Array, ArrayBytesDecodeIntoTarget, ArrayBytesFixedDisjointView, ArraySubset, CodecOptions};
use zarrs::filesystem::FilesystemStore;

use crate::job::{Job, Kept, Kind, Read, Result, line};

/// `zarrs`, into a buffer.
pub(crate) fn zarrs(job: &Job) -> Result<Read> {
    if job.kind != Kind::Array {
        return Err("zarrs does not do this".to_owned());
    }
    let (job, pool) = (job.clone(), job.pool()?);
    Ok(Box::new(move |out, seen| {
        let store = Arc::new(FilesystemStore::new(&job.path).map_err(line)?);
        let array = Array::open(store, &format!("/{}", job.array)).map_err(line)?;
        let options = CodecOptions::default().with_concurrent_target(job.threads());
        let shape = array.shape().to_vec();
        let all = ArraySubset::new_with_shape(shape.clone());
        {
            let bytes = unsafe_cell_slice::UnsafeCellSlice::new(out);
            // SAFETY: it is the only view of the buffer.
            let mut view = unsafe { ArrayBytesFixedDisjointView::new(bytes, job.element(), &shape, all.clone()) }.map_err(line)?;
            pool.install(|| array.retrieve_array_subset_into_opt(&all, ArrayBytesDecodeIntoTarget::Fixed(&mut view), &options)).map_err(line)?;
        }
        seen(out);
        Ok(Box::new(()) as Kept)
    }))
}
