//! Entries for fuzz targets: any bytes, no panic.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{ZarrParser, ZarrStore};
use crate::model::{Got, Limits, ObjectKey, ObjectMap, Parser, Reference, Step};

fn open(name: &str, data: &[u8]) -> Option<ZarrStore> {
    let map = HashMap::from([(name.to_owned(), Reference::Inline(Bytes::copy_from_slice(data)))]);
    let mut parser = ZarrParser::new(&ObjectMap::References(Arc::new(map)), ObjectKey::new("memory://fuzz"), &limits());
    loop {
        match parser.step().ok()? {
            Step::Done(store) => return Some(store),
            Step::Need(wants) => {
                for want in wants {
                    parser.supply(&want, Got::Missing).ok()?;
                }
            }
        }
    }
}

fn limits() -> Limits {
    Limits { max_metadata_bytes: 1 << 20, max_references: 1 << 16, ..Limits::default() }
}

fn read_all(name: &str, data: &[u8]) {
    let Some(store) = open(name, data) else { return };
    for path in store.paths() {
        let _any = store.attributes(path);
        if let Ok(meta) = store.array(path, &limits()) {
            let first = vec![0; meta.grid.rank()];
            if meta.grid.contains(&first) {
                let pages = HashMap::new();
                let _any = meta.manifest.locate(&first, &meta.grid, &pages);
            }
        }
    }
}

/// A `.zarray`.
pub fn v2(data: &[u8]) {
    read_all(".zarray", data);
}

/// A `zarr.json`.
pub fn v3(data: &[u8]) {
    read_all("zarr.json", data);
}

/// A `.zmetadata`.
pub fn consolidated(data: &[u8]) {
    read_all(".zmetadata", data);
}
