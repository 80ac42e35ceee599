//! The whole path: an object in memory is opened by its content, and the start of its first arrays is read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use session::SESSION;
use swath::Dataset;
use swath::model::{DimSelection, Selection};

#[path = "session.rs"]
mod session;

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
