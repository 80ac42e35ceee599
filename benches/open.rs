//! Opening: from the bytes of the headers to an array that can be read. Everything is in memory, nothing waits.

#[path = "common/mod.rs"]
mod common;

use std::hint::black_box;
use std::sync::Arc;

use common::tiff::{Image, Packing};
use common::zarr;
use criterion::{Criterion, criterion_group, criterion_main};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use swath::{Session, SessionOptions};

fn open(c: &mut Criterion) {
    let image = Image { pixels: common::terrain_u16(1024), size: 1024, tile: 256, element: 2, packing: Packing::Deflate, predictor: 2, overviews: 2 };
    let many = Image { tile: 16, ..image.clone() };
    let array = zarr::Array { elements: image.pixels.clone(), size: 1024, chunk: 256, element: 2, packing: zarr::Packing::BloscZstd };

    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let mut objects = vec![("image.tif".to_owned(), image.write()), ("many.tif".to_owned(), many.write())];
    objects.extend(array.write_v2().into_iter().map(|(key, bytes)| (format!("v2.zarr/{key}"), bytes)));
    objects.extend(array.write_v3().into_iter().map(|(key, bytes)| (format!("v3.zarr/{key}"), bytes)));
    // The header is parsed each time, not found in a cache of bytes.
    let mut options = SessionOptions::default();
    options.cache_stored = false;
    let session = Session::builder(options).with_store("bench://", store.clone()).build().unwrap();
    session.block_on(async {
        for (key, bytes) in objects {
            store.put(&Path::from(key), bytes.into()).await.unwrap();
        }
    });

    let mut group = c.benchmark_group("open");
    for (name, url) in [("cog", "bench://image.tif"), ("cog of 5376 tiles", "bench://many.tif")] {
        group.bench_function(name, |b| b.iter(|| black_box(session.block_on(session.open_cog(url)).unwrap().level(0).unwrap())));
    }
    for (name, url) in [("zarr v2, consolidated", "bench://v2.zarr"), ("zarr v3, consolidated", "bench://v3.zarr")] {
        let open = async || session.open_zarr(url).await.unwrap().array("data").await.unwrap();
        group.bench_function(name, |b| b.iter(|| black_box(session.block_on(open()))));
    }
    group.finish();
}

criterion_group!(benches, open);
criterion_main!(benches);
