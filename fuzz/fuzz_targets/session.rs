//! The session of the targets that read: small limits, one thread, nothing kept from one input to the next.

use std::sync::LazyLock;

use swath::model::Limits;
use swath::{Session, SessionOptions};

pub(crate) static SESSION: LazyLock<Session> = LazyLock::new(|| {
    let mut limits = Limits::default();
    limits.max_chunk_bytes = 4 << 20;
    limits.max_output_bytes = 1 << 20;
    limits.max_read_chunks = 4096;
    let mut options = SessionOptions::default();
    (options.limits, options.threads, options.cache_stored, options.cache_decoded) = (limits, 1, false, false);
    Session::with_options(options).expect("threads")
});
