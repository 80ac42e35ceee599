//! What opening one array of many holds in memory: the bytes of the document, a number a member, and what was touched.

#[path = "../benches/common/mod.rs"]
mod common;
#[path = "support/heap.rs"]
mod heap;

use common::metadata;
use heap::{Counting, peak_of};
use swath::{Session, SessionOptions};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MIB: usize = 1 << 20;

/// Numbers of 32 bits, three for two members as a list that grows holds old and new at once, for two members an array of version 2.
fn index(arrays: usize) -> usize {
    2 * arrays * 4 * 3
}

#[test]
fn opening_one_array_of_many_holds_the_document_and_little_more() {
    const ARRAYS: usize = 60_000;
    let folder = common::scratch("zarr-memory");
    for (version, name, document) in [("v2", ".zmetadata", metadata::v2(ARRAYS)), ("v3", "zarr.json", metadata::v3(ARRAYS))] {
        let root = folder.join(version);
        std::fs::create_dir_all(&root).unwrap();
        std::fs::write(root.join(name), &document).unwrap();
        let length = document.len();
        drop(document);
        assert!(length > 24 * MIB, "{version}: {length}");
        let ((), peak) = peak_of(|| {
            let mut options = SessionOptions::default();
            options.threads = 1;
            let session = Session::with_options(options).unwrap();
            session.block_on(async {
                let group = session.open_zarr(root.to_str().unwrap()).await.unwrap();
                let n = ARRAYS / 2 + 7;
                let array = group.array(&metadata::path(n)).await.unwrap();
                assert_eq!(array.shape(), [n as u64 + 1, 360, 720], "{version}");
                assert_eq!(array.dims()[0].name, "time", "{version}");
                assert_eq!(array.attributes().get("_FillValue"), Some("NaN".into()), "{version}");
                assert_eq!(group.group("group000003").await.unwrap().children().await.unwrap().len(), 100, "{version}");
                assert!(group.array("group000003/none").await.unwrap_err().is_not_found(), "{version}");
            });
        });
        let beside = peak.saturating_sub(length);
        eprintln!("{version}: {:.1} MiB beside a document of {:.1} MiB", beside as f64 / MIB as f64, length as f64 / MIB as f64);
        assert!(peak <= length + index(ARRAYS) + 2 * MIB, "{version}: {beside} bytes beside the document");
    }
}
