//! The whole path, from an object in memory to elements.

use std::sync::LazyLock;

use swath::model::{DimSelection, Limits, Selection};
use swath::{ChunkedArray, Dataset, Session, SessionOptions};

use super::{KIB, MIB};

const OUTPUT: usize = 256 * KIB;
const CHUNK: usize = 64 * KIB;
const METADATA: usize = MIB;
/// The most that any decoder asks for.
const CODECS: usize = 66 * MIB;

/// Small limits, one thread, nothing kept from one input to the next.
static SESSION: LazyLock<Session> = LazyLock::new(|| {
    let mut limits = Limits::default();
    limits.max_chunk_bytes = CHUNK as u64;
    limits.max_stored_bytes = CHUNK as u64;
    limits.decoded_in_flight = 2 * CHUNK as u64;
    limits.stored_in_flight = 2 * CHUNK as u64;
    limits.max_output_bytes = OUTPUT as u64;
    limits.max_page_bytes = CHUNK as u64;
    limits.max_metadata_bytes = METADATA as u64;
    limits.max_tag_bytes = METADATA as u64;
    limits.max_directories = 256;
    limits.max_references = 1 << 12;
    limits.max_read_chunks = 256;
    let mut options = SessionOptions::default();
    (options.limits, options.threads, options.cache_stored, options.cache_decoded) = (limits, 1, false, false);
    Session::with_options(options).expect("threads")
});

/// The formula of `docs/limits.md`: output, decoded and stored chunks in flight, metadata, the codecs' memory, 16 MiB.
pub(super) fn bound(data: &[u8]) -> usize {
    OUTPUT + 4 * CHUNK + METADATA + CODECS + 16 * MIB + data.len()
}

/// The start of an array.
async fn read(array: &ChunkedArray) {
    let start = array.shape().iter().map(|n| DimSelection::Range(0..(*n).min(64))).collect();
    let _an_error_will_do = array.read_dyn(Selection(start)).await;
}

/// An object is opened by its content, and its first arrays are read.
pub(super) fn object(data: &[u8]) {
    SESSION.block_on(async {
        SESSION.put_memory("memory://fuzz/object", data.to_vec().into()).await.expect("memory takes everything");
        match SESSION.open("memory://fuzz/object").await {
            Ok(Dataset::Cog(cog)) => {
                for directory in cog.directories().iter().take(4) {
                    if let Ok(array) = cog.directory(directory) {
                        read(&array).await;
                    }
                }
            }
            Ok(Dataset::Group(group)) => {
                for path in group.known_arrays().iter().take(4) {
                    if let Ok(array) = group.array(path).await {
                        read(&array).await;
                    }
                }
            }
            _ => {}
        }
    });
}

/// An array and its chunks: the document up to the first NUL, then the bytes of each chunk.
pub(super) fn array(data: &[u8]) {
    let Some(end) = data.iter().position(|byte| *byte == 0) else { return };
    let (document, chunk) = (&data[..end], &data[end + 1..]);
    SESSION.block_on(async {
        for key in ["c", "c/0", "c/0/0", "c/0/0/0"] {
            let url = format!("memory://fuzz/array.zarr/{key}");
            SESSION.put_memory(&url, chunk.to_vec().into()).await.expect("memory takes everything");
        }
        SESSION.put_memory("memory://fuzz/array.zarr/zarr.json", document.to_vec().into()).await.expect("memory takes everything");
        let Ok(Dataset::Group(group)) = SESSION.open("memory://fuzz/array.zarr").await else { return };
        if let Ok(array) = group.array("").await {
            read(&array).await;
        }
    });
}
