//! An array and its chunks: the document up to the first NUL, then the bytes of each chunk.
#![no_main]

use libfuzzer_sys::fuzz_target;
use session::SESSION;
use swath::Dataset;
use swath::model::{DimSelection, Selection};

#[path = "session.rs"]
mod session;

fuzz_target!(|data: &[u8]| {
    let Some(end) = data.iter().position(|byte| *byte == 0) else { return };
    let (document, chunk) = (&data[..end], &data[end + 1..]);
    SESSION.block_on(async {
        for key in ["c", "c/0", "c/0/0", "c/0/0/0"] {
            let url = format!("memory://fuzz/array.zarr/{key}");
            SESSION.put_memory(&url, chunk.to_vec().into()).await.expect("memory takes everything");
        }
        SESSION.put_memory("memory://fuzz/array.zarr/zarr.json", document.to_vec().into()).await.expect("memory takes everything");
        let Ok(Dataset::Group(group)) = SESSION.open("memory://fuzz/array.zarr").await else { return };
        let Ok(array) = group.array("").await else { return };
        let start = array.shape().iter().map(|n| DimSelection::Range(0..(*n).min(64))).collect();
        let _an_error_will_do = array.read_dyn(Selection(start)).await;
    });
});
