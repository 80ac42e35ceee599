//! T8: what is nested ten thousand deep ends in an error, on a stack of 256 KiB.

use std::collections::HashMap;

use bytes::Bytes;
use swath::format::reference::parse_references;
use swath::format::tiff::TiffParser;
use swath::format::zarr::{ZarrParser, ZarrStore};
use swath::geo::{AuxiliaryMetadata, Crs, GdalMetadata};
use swath::model::{Got, Limits, ObjectKey, ObjectMap, Parser, Step, Want};
use swath::{ErrorKind, Result};

use crate::common::tiff::of_tags;
use crate::{v2, v3};

const DEPTH: usize = 10_000;
const STACK: usize = 256 << 10;

/// Runs on a thread of a small stack: an overflow ends the process, and so the test.
fn on_a_small_stack<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    std::thread::Builder::new().stack_size(STACK).spawn(work).unwrap().join().unwrap()
}

fn nested(open: &str, inner: &str, close: &str) -> String {
    [open.repeat(DEPTH), inner.to_owned(), close.repeat(DEPTH)].concat()
}

/// Drives a parser over objects that are all at hand.
fn drive<P: Parser>(mut parser: P, objects: &HashMap<String, Bytes>) -> Result<P::Output> {
    loop {
        let wants = match parser.step()? {
            Step::Done(done) => return Ok(done),
            Step::Need(wants) => wants,
        };
        for want in wants {
            let got = match objects.get(want.object().url()) {
                None => Got::Missing,
                Some(bytes) => {
                    let end = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(bytes.len());
                    let part = match &want {
                        Want::Range(span) => end(span.start)..end(span.end()),
                        Want::Suffix { length, .. } => bytes.len() - end(*length)..bytes.len(),
                        Want::Whole { .. } => 0..bytes.len(),
                        Want::List { .. } => 0..0,
                    };
                    Got::Bytes { bytes: bytes.slice(part), size: Some(bytes.len() as u64), version: None }
                }
            };
            parser.supply(&want, got)?;
        }
    }
}

fn zarr(documents: &[(&str, String)]) -> Result<ZarrStore> {
    let objects = documents.iter().map(|(name, text)| (format!("memory://z/{name}"), Bytes::from(text.clone()))).collect();
    let root = ObjectKey::new("memory://z");
    drive(ZarrParser::new(ObjectMap::Prefix(root.clone()), root, &Limits::default()), &objects)
}

/// Opens the array at the root, and all that is parsed of it later.
fn array(documents: &[(&str, String)]) -> Result<()> {
    let meta = zarr(documents)?.array("", &Limits::default())?;
    meta.attributes.parse::<serde_json::Value>().map(drop)
}

#[test]
fn json_in_every_place() {
    let deep = [nested("[", "1", "]"), nested("{\"a\":", "1", "}"), "[".repeat(DEPTH), "{\"a\":[".repeat(DEPTH)];
    for deep in deep {
        let places: Vec<Vec<(&str, String)>> = vec![
            vec![("zarr.json", deep.clone())],
            vec![(".zarray", deep.clone())],
            vec![(".zgroup", deep.clone())],
            vec![(".zmetadata", deep.clone())],
            vec![("zarr.json", v3(&[("attributes", &format!("{{\"a\":{deep}}}"))]))],
            vec![("zarr.json", v3(&[("codecs", &deep)]))],
            vec![("zarr.json", v3(&[("chunk_grid", &deep)]))],
            vec![("zarr.json", v3(&[("fill_value", &deep)]))],
            vec![("zarr.json", v3(&[("data_type", &deep)]))],
            vec![("zarr.json", v3(&[("more", &deep)]))],
            vec![(".zarray", v2(&[("filters", &deep)]))],
            vec![(".zarray", v2(&[("dtype", &deep)]))],
            vec![(".zarray", v2(&[])), (".zattrs", deep.clone())],
            vec![(".zmetadata", format!(r#"{{"zarr_consolidated_format":1,"metadata":{{".zarray":{deep}}}}}"#))],
            vec![("zarr.json", format!(r#"{{"zarr_format":3,"node_type":"group","consolidated_metadata":{{"metadata":{{"a":{deep}}}}}}}"#))],
        ];
        for place in places {
            let text = place.last().unwrap().1.chars().take(60).collect::<String>();
            let error = on_a_small_stack(move || array(&place)).expect_err(&text);
            assert!(
                matches!(error.kind(), ErrorKind::Limit { what: "max_json_depth", .. } | ErrorKind::Malformed(_) | ErrorKind::Usage(_)),
                "{text}: {error}"
            );
        }
        for text in [
            deep.clone(),
            format!(r#"{{"a":{deep}}}"#),
            format!(r#"{{"version":1,"refs":{deep}}}"#),
            format!(r#"{{"version":1,"templates":{deep},"refs":{{}}}}"#),
        ] {
            assert!(on_a_small_stack(move || parse_references(text.as_bytes(), "memory://r.json", &Limits::default(), &|_| false)).is_err());
        }
    }
}

/// The limit of depth raised by name: the JSON may be deep then, and codecs are still bounded.
#[test]
fn codecs_inside_of_codecs() {
    let open = r#"{"name":"sharding_indexed","configuration":{"chunk_shape":[4],"index_codecs":[{"name":"bytes","configuration":{"endian":"little"}}],"codecs":["#;
    let limits = Limits::default();
    for depth in [usize::try_from(limits.max_codecs).unwrap(), 100, DEPTH] {
        let codecs = format!("[{}{}{}]", open.repeat(depth), r#"{"name":"bytes"}"#, "]}}".repeat(depth));
        let error = on_a_small_stack(move || array(&[("zarr.json", v3(&[("codecs", &codecs)]))])).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Limit { .. } | ErrorKind::Malformed(_)), "{depth}: {error}");
    }
    // As many in a row.
    let row = format!("[{}{{\"name\":\"bytes\"}}]", r#"{"name":"transpose","configuration":{"order":[0]}},"#.repeat(100_000));
    let error = on_a_small_stack(move || array(&[("zarr.json", v3(&[("codecs", &row)]))])).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Limit { .. }), "{error}");
}

#[test]
fn groups_inside_of_groups() {
    let path = vec!["a"; DEPTH].join("/");
    let store = zarr(&[("zarr.json", r#"{"zarr_format":3,"node_type":"group"}"#.to_owned())]).unwrap();
    on_a_small_stack(move || {
        assert!(store.node_parser(&path, &Limits::default()).is_err());
        assert!(store.children_parser(&path, &Limits::default()).is_err());
    });
}

#[test]
fn directories_inside_of_directories() {
    for big in [false, true] {
        // Each names the next as its sub-directory.
        let tags = |next: u64| vec![(256, 4, vec![4]), (257, 4, vec![4]), (330, if big { 16 } else { 4 }, vec![next])];
        let one = of_tags(big, &[], &tags(0));
        let header = if big { 16 } else { 8 };
        let (length, field) = ((one.len() - header).next_multiple_of(8), if big { 8 } else { 4 });
        let mut file = one[..header].to_vec();
        for end in (1..=DEPTH).map(|number| header + number * length) {
            let next = end as u64;
            let directory = of_tags(big, &[], &tags(next));
            file.extend(&directory[header..]);
            file.resize(end, 0);
        }
        assert_eq!(usize::from(file[header - field]), header, "the first directory stands behind the header");
        let parsed = on_a_small_stack(move || {
            drive(TiffParser::new(ObjectKey::new("memory://t"), &Limits::default()), &HashMap::from([("memory://t".to_owned(), Bytes::from(file))]))
        });
        let broken = parsed.unwrap().broken;
        assert!(broken.iter().any(|b| matches!(b.error.kind(), ErrorKind::Limit { .. })), "big {big}: {broken:?}");
    }
}

/// Texts that have no error to return answer with what they could make of it.
#[test]
fn texts_of_coordinates_and_metadata() {
    let wkt = nested("PROJCRS[\"a\",", "1", "]");
    assert!(on_a_small_stack(move || Crs::from_wkt(&wkt)).is_none_or(|crs| format!("{crs:?}").len() < 10 << 20));
    let open = "PROJCS[\"a\",".repeat(DEPTH);
    let _ = on_a_small_stack(move || Crs::from_wkt(&open));
    let xml = nested("<Metadata>", "<MDI key=\"a\">1</MDI>", "</Metadata>");
    assert_eq!(on_a_small_stack(move || AuxiliaryMetadata::parse(&xml)).metadata.items.len(), 1);
    let xml = nested("<GDALMetadata>", "<Item name=\"a\">1</Item>", "</GDALMetadata>");
    assert_eq!(on_a_small_stack(move || GdalMetadata::parse(&xml)).items.len(), 1);
    // A PROJJSON of the attributes: deeper than it is read.
    let deep = nested("{\"base_crs\":", "{}", "}");
    assert!(serde_json::from_str::<serde_json::Value>(&deep).is_err());
    let mut value = serde_json::json!({});
    for _ in 0..120 {
        value = serde_json::json!({ "base_crs": value, "type": "ProjectedCRS", "components": [value] });
        if value.to_string().len() > 1 << 20 {
            break;
        }
    }
    let _ = on_a_small_stack(move || Crs::from_projjson(&value));
}
