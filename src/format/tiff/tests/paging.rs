//! Real files with their tables read by pages: every chunk must be where the loaded table has it.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::corpus::{corpus, read};
use crate::format::tiff::fuzzing;
use crate::model::{ArrayMeta, Limits, Location, Page, PageId, PagePlace, Want};

fn locate(data: &Bytes, array: &ArrayMeta, index: &[u64], pages: &mut HashMap<PageId, Arc<Page>>) -> crate::Result<Location> {
    loop {
        let location = array.manifest.locate(index, &array.grid, pages)?;
        let Location::Unread(id) = location else { return Ok(location) };
        let PagePlace::Wants(wants) = array.manifest.page(id, pages, &Limits::default())?.place else { panic!("no wants") };
        let at = |n: u64| usize::try_from(n).unwrap().min(data.len());
        let part = |want: &Want| match want {
            Want::Range(span) => data.slice(at(span.start)..at(span.end())),
            other => panic!("{other:?}"),
        };
        let parts: Vec<Bytes> = wants.iter().map(part).collect();
        pages.insert(id, Arc::new(array.manifest.parse_page(id, &parts)?));
    }
}

/// Chunks compared, those with leaders among them, and what differs.
fn compare(data: &Bytes, loaded: &ArrayMeta, paged: &ArrayMeta) -> (u64, u64, Vec<String>) {
    let (mut count, mut leaders, mut differences) = (0, 0, Vec::new());
    let mut pages = HashMap::new();
    for place in 0..loaded.grid.chunk_count().min(3000) {
        let index = loaded.grid.index(place);
        let expected = locate(data, loaded, &index, &mut HashMap::new()).unwrap();
        let found = locate(data, paged, &index, &mut pages).unwrap();
        count += 1;
        match (&expected, &found) {
            (Location::At { span: whole, .. }, Location::At { span, chain: 1 }) => {
                leaders += 1;
                let start = span.start as usize;
                let told = u64::from(u32::from_le_bytes(data[start..start + 4].try_into().unwrap()));
                // What lies between this chunk and the next, as a chunk of a mask, is in its span too.
                if whole.start != span.start + 4 || told != whole.length || span.length < told + 4 {
                    differences.push(format!("{index:?}: {whole:?} loaded, {span:?} by its leader, which says {told}"));
                }
            }
            // A loaded length of an uncompressed chunk is cut to its pixels.
            (Location::At { span: a, .. }, Location::At { span: b, chain: 0 }) if a.start == b.start && a.length <= b.length => {}
            (a, b) if a == b => {}
            (a, b) => differences.push(format!("{index:?}: {a:?} loaded, {b:?} paged")),
        }
    }
    (count, leaders, differences)
}

#[test]
fn pages_and_leaders_say_what_the_table_says() {
    let Some(corpus) = corpus() else { return };
    let manifest: Value = serde_json::from_slice(&std::fs::read(corpus.join("MANIFEST.json")).unwrap()).unwrap();
    let small = Limits { table_page_bytes: 64, ..Limits::default() };
    let (mut chunks, mut leaders, mut differences) = (0, 0, Vec::new());
    for record in manifest["files"].as_array().unwrap().iter().filter(|r| r["kind"] == "tiff" && r["hostile"] != true) {
        let path = record["path"].as_str().unwrap();
        let Some(data) = read(&corpus.join(path)) else { continue };
        let (Ok(loaded), Ok(paged)) = (fuzzing::parse(&data, &Limits::default()), fuzzing::parse(&data, &small)) else { continue };
        for (a, b) in loaded.directories.iter().zip(&paged.directories) {
            let (Ok(a), Ok(b)) = (a.array(&loaded, &Limits::default()), b.array(&paged, &small)) else { continue };
            let (count, of_leaders, more) = compare(&data, &a, &b);
            chunks += count;
            leaders += of_leaders;
            differences.extend(more.into_iter().map(|d| format!("{path} {d}")));
        }
    }
    eprintln!("{chunks} chunks, {leaders} by their leaders, {} differences", differences.len());
    for difference in differences.iter().take(40) {
        eprintln!("{difference}");
    }
    assert!(leaders > 0 && differences.is_empty());
}
