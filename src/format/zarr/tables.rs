//! Chunks behind tables of references in Parquet: a `.zmetadata` that names the rows of a table (fsspec, `LazyReferenceMapper`).

use std::sync::Arc;

use super::Context;
use crate::error::{Error, Result};
use crate::model::{ChunkGrid, ChunkManifest, ObjectKey};

/// Tables `refs.0.parq`, `refs.1.parq` … in the folder of each array.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "no table is read without the feature"))]
pub(super) struct Tables {
    record_size: u64,
    allowed: Arc<[String]>,
}

impl Tables {
    pub(super) fn new(record_size: u64, allowed: Arc<[String]>) -> Result<Self> {
        if record_size == 0 {
            return Err(Error::malformed("record_size is 0"));
        }
        Ok(Self { record_size, allowed })
    }

    /// Where the chunks of an array are. Names of chunks have no part in it: a row's place is the chunk's in C order.
    #[cfg(feature = "parquet")]
    pub(super) fn manifest(&self, context: &Context<'_>, root: &ObjectKey, grid: &ChunkGrid) -> Result<ChunkManifest> {
        use crate::format::reference::ParquetReferences;
        use crate::model::{ObjectMap, ReferenceTables};

        if matches!(context.objects, ObjectMap::References(_)) {
            return Err(Error::unsupported("references in Parquet inside of an archive or of other references"));
        }
        Ok(ChunkManifest::References(ReferenceTables {
            objects: context.objects.clone(),
            prefix: super::path::join(context.path, "refs."),
            suffix: ".parq".to_owned(),
            rows: grid.chunk_count(),
            page_rows: self.record_size,
            reader: Arc::new(ParquetReferences::new(root.url(), context.path, self.allowed.clone(), context.limits)),
        }))
    }
    #[cfg(not(feature = "parquet"))]
    #[allow(clippy::unused_self, reason = "the signature of the one above")]
    pub(super) fn manifest(&self, _: &Context<'_>, _: &ObjectKey, _: &ChunkGrid) -> Result<ChunkManifest> {
        Err(Error::unsupported("references in Parquet: built without the feature \"parquet\""))
    }
}
