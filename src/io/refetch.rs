//! Bytes that were not what was written, asked for once more.

use std::sync::Arc;

use super::Io;
use super::counters::Counters;
use super::store::Kind;
use crate::error::Result;
use crate::model::{Got, ObjectKey, Want};

impl Io {
    /// Whether an object comes over a network, where a line or a cache on the way may have spoilt it.
    pub(crate) fn is_remote(&self, key: &ObjectKey) -> bool {
        !matches!(self.0.stores.kind(key), Kind::Local | Kind::Memory)
    }

    /// Whether an object is a file, which anybody may write to at any time.
    pub(crate) fn is_file(&self, key: &ObjectKey) -> bool {
        self.0.stores.kind(key) == Kind::Local
    }

    /// Fetches a want past every cache, and drops what they hold of its object.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(crate) async fn refetch(&self, want: &Want, counters: &Arc<Counters>) -> Result<Got> {
        self.0.forget(want.object()).await?;
        self.get(want, counters).await
    }
}
