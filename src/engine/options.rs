//! What one read may cost.

use std::time::Duration;

/// What a read, or an opening, may cost. The default bounds nothing but what [`Limits`](crate::model::Limits) bound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadOptions {
    /// From the call to its end; [`Deadline`](crate::ErrorKind::Deadline) after. What was under way is given up, and nothing of it is handed
    /// on. Default none.
    pub deadline: Option<Duration>,
    /// Requests, repeated ones counted; [`Limit`](crate::ErrorKind::Limit) before one more is sent, and before the first where the plan tells
    /// that they will not do. Default none.
    pub max_requests: Option<u64>,
    /// Bytes asked for, gaps between chunks counted; `Limit` before more are. Default none.
    pub max_bytes: Option<u64>,
    /// Bytes of memory: the output, and stored and decoded chunks in flight, of which fewer are at once then. `Limit` before anything is
    /// fetched where the output and one chunk are more. Caches, and what codecs need to work, are not counted; openings are bounded by
    /// [`max_metadata_bytes`](crate::model::Limits::max_metadata_bytes) instead. Default none.
    pub max_memory: Option<u64>,
    /// What is done where the object changed since it was opened. Default [`OnChange::Error`].
    pub on_change: OnChange,
}

/// What a read does where its object is not the one that was opened any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnChange {
    /// It fails with [`ErrorKind::ObjectChanged`](crate::ErrorKind::ObjectChanged).
    #[default]
    Error,
    /// It opens the object once more, and reads all of its result from the new generation, where shape and data type are the same.
    Reopen,
}
