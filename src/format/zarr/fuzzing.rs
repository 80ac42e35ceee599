//! Entries for fuzz targets: any bytes, no panic.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{Multiscales, Spatial, ZarrParser, ZarrStore};
use crate::cf::{GridMapping, Packing, TimeUnits};
use crate::format::archive::ArchiveParser;
use crate::model::{DataType, Got, Limits, ObjectKey, ObjectMap, PageId, Parser, RawJson, Reference, Step, Want};

fn open(name: &str, data: &[u8]) -> Option<ZarrStore> {
    let map = HashMap::from([(name.to_owned(), Reference::Inline(Bytes::copy_from_slice(data)))]);
    let mut parser = ZarrParser::new(ObjectMap::References(Arc::new(map)), ObjectKey::new("memory://fuzz"), &limits());
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
    for path in &store.paths() {
        let _any = (store.kind_of(path), store.children(path));
        if let Ok(attributes) = store.attributes(path) {
            told_by(&attributes);
        }
        if let Ok(meta) = store.array(path, &limits()) {
            let first = vec![0; meta.grid.rank()];
            if meta.grid.contains(&first) {
                let pages = HashMap::new();
                let _any = meta.manifest.locate(&first, &meta.grid, &pages);
            }
        }
    }
}

/// What attributes say by the conventions.
fn told_by(attributes: &RawJson) {
    if let Ok(Some(scales)) = Multiscales::of(attributes) {
        let _any: Vec<_> = (0..scales.levels.len().min(16)).map(|level| scales.factors(level)).collect();
    }
    if let Ok(Some(time)) = TimeUnits::of(attributes) {
        for steps in [0.0, -0.1, -1.5, 1e9, 1e18, 1e27, f64::MAX, f64::NAN] {
            let _any = (time.date_time(steps).map(|date| time.steps(&date)), time.unix_nanoseconds(steps));
        }
        let _any = (time.date_time_exact(i64::MIN), time.date_time_exact(i64::MAX));
    }
    for data_type in [DataType::U8, DataType::I16, DataType::I64, DataType::F32, DataType::F64] {
        if let Ok(packing) = Packing::of(attributes, &data_type) {
            let _any = (packing.unpack(-1.0), packing.unpack(f64::NAN), packing.missing_elements(&data_type));
        }
    }
    if let Ok(Spatial { crs: Some(crs), .. }) = Spatial::of(attributes) {
        let _any = (crs.to_projjson(), crs.to_wkt(), crs.is_geographic(), crs.unit());
    }
    if let Ok(mapping) = GridMapping::of(attributes) {
        for units in ["", "km", "rad"] {
            let _any = mapping.crs(units).map(|crs| (crs.to_projjson(), crs.to_wkt(), crs.is_geographic()));
        }
    }
}

/// The attributes of a node.
pub fn conventions(data: &[u8]) {
    if let Ok(json) = serde_json::from_slice(data) {
        told_by(&RawJson::new(json));
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

/// A `.zmetadata`, or a `zarr.json` with the nodes inline.
pub fn consolidated(data: &[u8]) {
    read_all(".zmetadata", data);
    read_all("zarr.json", data);
}

/// A reference file.
pub fn references(data: &[u8]) {
    let _any = crate::format::reference::parse_references(data, "https://fuzz.net/a/refs.json", &limits(), &|_| false);
}

/// A table of references in Parquet, of as many rows as the first byte says.
#[cfg(feature = "parquet")]
pub fn reference_tables(data: &[u8]) {
    let Some((rows, data)) = data.split_first() else { return };
    let limits = Limits { max_page_bytes: 64 << 10, ..limits() };
    let tables = crate::format::reference::ParquetReferences::new("https://fuzz.net/a", "v", Arc::default(), &limits);
    let _any = crate::model::ReadReferences::read(&tables, &Bytes::copy_from_slice(data), usize::from(*rows));
}

/// A ZIP archive.
pub fn archive(data: &[u8]) {
    let mut parser = ArchiveParser::new(ObjectKey::new("memory://fuzz.zip"), &limits());
    let data = Bytes::copy_from_slice(data);
    let size = data.len() as u64;
    while let Ok(Step::Need(wants)) = parser.step() {
        for want in wants {
            let (start, length) = match &want {
                Want::Range(span) => (span.start, span.length),
                Want::Suffix { length, .. } => (size.saturating_sub(*length), *length),
                Want::Whole { .. } | Want::List { .. } => return,
            };
            let start = usize::try_from(start.min(size)).unwrap_or(0);
            let end = start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX)).min(data.len());
            let got = Got::Bytes { bytes: data.slice(start..end), size: Some(size), version: None };
            if parser.supply(&want, got).is_err() {
                return;
            }
        }
    }
}

/// The index of a shard of 4 inner chunks, with a chunk looked up in it.
pub fn shard_index(data: &[u8]) {
    let document = br#"{"zarr_format":3,"node_type":"array","shape":[4,4],"data_type":"uint16","fill_value":0,
        "chunk_grid":{"name":"regular","configuration":{"chunk_shape":[4,4]}},"chunk_key_encoding":{"name":"default"},
        "codecs":[{"name":"sharding_indexed","configuration":{"chunk_shape":[2,2],"codecs":["bytes"],"index_codecs":["bytes"]}}]}"#;
    let Some(meta) = open("zarr.json", document).and_then(|store| store.array("", &limits()).ok()) else { return };
    let id = PageId { level: 0, number: 0 };
    if let Ok(page) = meta.manifest.parse_page(id, &[Bytes::copy_from_slice(data)]) {
        let pages = HashMap::from([(id, Arc::new(page))]);
        for index in 0..4 {
            let _any = meta.manifest.locate(&meta.grid.index(index), &meta.grid, &pages);
        }
    }
}
