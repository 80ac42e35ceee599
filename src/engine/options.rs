//! What one read may cost.

use std::time::Duration;

/// What a read, or an opening, may cost. The default bounds nothing but what [`Limits`](crate::model::Limits) bound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadOptions {
    /// From the call to its end; `Deadline` after. Default none.
    pub deadline: Option<Duration>,
    /// Requests, repeated ones counted; `Limit` before one more is sent. Default none.
    pub max_requests: Option<u64>,
    /// Bytes asked for, gaps counted; `Limit` before more are. Default none.
    pub max_bytes: Option<u64>,
    /// Bytes of memory: output, stored and decoded chunks in flight. Default none.
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
