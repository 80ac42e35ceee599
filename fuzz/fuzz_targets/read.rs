//! The whole path: an object in memory is opened by its content, and the start of its first arrays is read.
#![no_main]
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use swath::model::{DimSelection, Limits, Selection};
use swath::{Dataset, Session, SessionOptions};

static SESSION: LazyLock<Session> = LazyLock::new(|| {
    let mut limits = Limits::default();
    limits.max_chunk_bytes = 4 << 20;
    limits.max_output_bytes = 1 << 20;
    limits.max_read_chunks = 4096;
    let mut options = SessionOptions::default();
    (options.limits, options.threads, options.cache_stored, options.cache_decoded) = (limits, 1, false, false);
    Session::with_options(options).expect("threads")
});

fuzz_target!(|data: &[u8]| {
    SESSION.block_on(async {
        SESSION.put_memory("memory://fuzz/object", data.to_vec().into()).await.expect("memory takes everything");
        let arrays = match SESSION.open("memory://fuzz/object").await {
            Ok(Dataset::Cog(cog)) => cog.directories().iter().take(4).filter_map(|d| cog.directory(d).ok()).collect(),
            Ok(Dataset::Group(group)) => {
                let mut arrays = Vec::new();
                for path in group.known_arrays().iter().take(4) {
                    arrays.extend(group.array(path).await);
                }
                arrays
            }
            _ => Vec::new(),
        };
        for array in arrays {
            let start = array.shape().iter().map(|n| DimSelection::Range(0..(*n).min(64))).collect();
            let _an_error_will_do = array.read_dyn(Selection(start)).await;
        }
    });
});
