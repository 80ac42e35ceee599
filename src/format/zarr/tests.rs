//! Opening, driven by slices.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::error::ErrorKind;
use crate::model::{Got, Location, ObjectMap, Parser, Step, Want};

const V2: &str =
    r#"{"zarr_format":2,"shape":[5,3],"chunks":[2,2],"dtype":">i2","compressor":{"id":"zlib","level":1},"fill_value":-1,"order":"F","filters":null}"#;
const V3: &str = r#"{"zarr_format":3,"node_type":"array","shape":[5,3],"data_type":"int16","chunk_grid":{"name":"regular","configuration":{"chunk_shape":[2,2]}},
    "chunk_key_encoding":{"name":"default"},"fill_value":-1,"codecs":[{"name":"transpose","configuration":{"order":[1,0]}},{"name":"bytes","configuration":{"endian":"big"}},"gzip"],
    "dimension_names":["y",null],"attributes":{"a":1}}"#;

/// Opens objects below `memory://s`; gives the result and the names asked for, a list a step.
fn open(objects: &[(&str, &str)]) -> (Result<ZarrStore>, Vec<Vec<String>>) {
    let mut parser = ZarrParser::new(ObjectMap::Prefix(ObjectKey::new("memory://s")), ObjectKey::new("memory://s"), &Limits::default());
    let asked = std::cell::RefCell::new(Vec::new());
    (drive(&mut parser, objects, &asked), asked.into_inner())
}

fn drive<P: Parser>(parser: &mut P, objects: &[(&str, &str)], asked: &std::cell::RefCell<Vec<Vec<String>>>) -> Result<P::Output> {
    loop {
        match parser.step()? {
            Step::Done(output) => return Ok(output),
            Step::Need(wants) => {
                let name = |want: &Want| want.object().url().strip_prefix("memory://s").unwrap().trim_start_matches('/').to_owned();
                asked.borrow_mut().push(wants.iter().map(name).collect());
                for want in wants {
                    let found = objects.iter().find(|(n, _)| *n == name(&want));
                    let got = match (&want, found) {
                        (Want::List { .. }, _) => {
                            let prefix = if name(&want).is_empty() { String::new() } else { name(&want) + "/" };
                            let below = objects.iter().filter_map(|(n, _)| n.strip_prefix(&prefix));
                            let mut names: Vec<String> =
                                below.map(|n| n.split_once('/').map_or_else(|| n.to_owned(), |(folder, _)| format!("{folder}/"))).collect();
                            names.sort();
                            names.dedup();
                            Got::Names(Some(names))
                        }
                        (_, Some((_, text))) => Got::Bytes { bytes: Bytes::copy_from_slice(text.as_bytes()), size: None, version: None },
                        (_, None) => Got::Missing,
                    };
                    parser.supply(&want, got)?;
                }
            }
        }
    }
}

#[test]
fn both_versions_race_and_the_newer_wins() {
    let consolidated = format!(
        r#"{{"metadata":{{".zgroup":{{"zarr_format":2}},"a/.zarray":{V2},"a/.zattrs":{{"_ARRAY_DIMENSIONS":["y","x"],"_FillValue":NaN}}}}}}"#
    );
    let inline = format!(
        r#"{{"zarr_format":3,"node_type":"group","consolidated_metadata":{{"kind":"inline","must_understand":false,"metadata":{{"b":{V3}}}}}}}"#
    );
    let group = r#"{"zarr_format":3,"node_type":"group","consolidated_metadata":null}"#;
    type Expected<'a> = Option<(Version, &'a [&'a str], bool)>;
    type Objects<'a> = &'a [(&'a str, &'a str)];
    let table: [(Objects<'_>, usize, Expected<'_>); 7] = [
        (&[(".zmetadata", &consolidated)], 1, Some((Version::V2, &["a"], true))),
        (&[("zarr.json", &inline), (".zmetadata", &consolidated)], 1, Some((Version::V3, &["b"], true))),
        (&[("zarr.json", V3)], 1, Some((Version::V3, &[""], true))),
        (&[("zarr.json", group)], 1, Some((Version::V3, &[], false))),
        (&[(".zarray", V2)], 2, Some((Version::V2, &[""], true))),
        (&[(".zgroup", "{\"zarr_format\":2}")], 2, Some((Version::V2, &[], false))),
        (&[(".zattrs", "{}")], 2, None),
    ];
    for (objects, steps, expected) in table {
        let (store, asked) = open(objects);
        assert_eq!(asked[0], ["zarr.json", ".zmetadata"]);
        assert_eq!(asked.len(), steps, "{asked:?}");
        match (store, expected) {
            (Ok(store), Some((version, arrays, complete))) => {
                assert_eq!(store.version(), Some(version));
                assert_eq!(store.arrays(), arrays);
                assert_eq!(store.is_complete(), complete);
            }
            (Err(e), None) => assert!(e.is_not_found(), "{e}"),
            (store, expected) => panic!("{store:?} for {expected:?}"),
        }
    }
}

#[test]
fn an_array_of_each_version() {
    let (store, _) = open(&[(".zarray", V2), (".zattrs", r#"{"_ARRAY_DIMENSIONS":["y","x"],"_FillValue":NaN}"#)]);
    let meta = store.unwrap().array("", &Limits::default()).unwrap();
    assert_eq!(meta.dims.iter().map(|d| (d.name.as_str(), d.length)).collect::<Vec<_>>(), [("y", 5), ("x", 3)]);
    assert_eq!(meta.chains, [vec![CodecSpec::Zlib, CodecSpec::ByteOrder(crate::model::Endian::Big)]]);
    assert_eq!(meta.fill_value.bytes(), (-1_i16).to_ne_bytes());
    assert_eq!(meta.order, AxisOrder::f(2));
    assert_eq!(meta.attributes.get("_FillValue"), Some("NaN".into()));
    let at = |meta: &ArrayMeta| match meta.manifest.locate(&[2, 1], &meta.grid, &HashMap::new()).unwrap() {
        Location::Whole { key, .. } => key.url().to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(at(&meta), "memory://s/2.1");

    let (store, _) = open(&[("zarr.json", V3)]);
    let meta = store.unwrap().array("", &Limits::default()).unwrap();
    assert_eq!(meta.dims[0].name, "y");
    assert_eq!(meta.chains, [vec![CodecSpec::Gzip, CodecSpec::ByteOrder(crate::model::Endian::Big)]]);
    assert_eq!(meta.order.axes(), [1, 0]);
    assert_eq!(at(&meta), "memory://s/c/2/1");
    assert_eq!(meta.attributes.text(), r#"{"a":1}"#);
}

#[test]
fn what_a_document_must_not_say() {
    let v3 = |from: &str, to: &str| (true, V3.replacen(from, to, 1));
    let v2 = |from: &str, to: &str| (false, V2.replacen(from, to, 1));
    let unsupported = [
        v3(r#""attributes""#, r#""storage_transformers":[{"name":"t"}],"attributes""#),
        v3(r#""attributes""#, r#""new":{"must_understand":true},"attributes""#),
        v3(r#""attributes""#, r#""new":5,"attributes""#),
        v3("regular", "spiral"),
        v3(r#""default""#, r#""hilbert""#),
        v3("int16", "int2"),
        v2(">i2", "|O"),
        v2(">i2", "<f16"),
    ];
    let malformed = [
        v3("[5,3]", "[5,-3]"),
        v3("[5,3]", "[5,3,1]"),
        v3("[5,3]", "[5,18446744073709551616]"),
        v3("[2,2]", "[0,2]"),
        v3("-1", "70000"),
        v3(r#""y",null"#, r#""y""#),
        v3(r#""zarr_format":3"#, r#""zarr_format":4"#),
        v2(r#""order":"F""#, r#""order":"Z""#),
        v2(r#""zarr_format":2"#, r#""zarr_format":9"#),
        v2(r#""shape":[5,3],"#, ""),
        v2("null}", r#"null,"dimension_separator":"-"}"#),
    ];
    let error = |(is_v3, text): &(bool, String)| {
        let name = if *is_v3 { "zarr.json" } else { ".zarray" };
        open(&[(name, text)]).0.and_then(|store| store.array("", &Limits::default())).unwrap_err()
    };
    for document in &unsupported {
        assert!(error(document).is_unsupported(), "{}: {}", document.1, error(document));
    }
    for document in &malformed {
        assert!(matches!(error(document).kind(), ErrorKind::Malformed(_)), "{}: {}", document.1, error(document));
    }
    let ignored = v3(r#""attributes""#, r#""new":{"must_understand":false},"extensions":[],"attributes""#).1;
    assert!(open(&[("zarr.json", &ignored)]).0.unwrap().array("", &Limits::default()).is_ok());
    // A chunk that is not there may have any size. The one that is there is refused when it is read: `tests/hostile.rs`.
    let large = v3("[2,2]", "[100000,100000]").1;
    assert!(open(&[("zarr.json", &large)]).0.unwrap().array("", &Limits::default()).is_ok());
}

#[test]
fn names_that_climb_are_refused() {
    for name in ["../a", "a/../../b", "/a", "a//b", "a\\\\b", "%2e%2e/a"] {
        let v2 = format!(r#"{{"metadata":{{"{name}/.zarray":{V2}}}}}"#);
        assert!(open(&[(".zmetadata", &v2)]).0.is_err(), "{name}");
        let store = open(&[(".zgroup", "{}")]).0.unwrap();
        assert!(store.node_parser(&name.replace("\\\\", "\\"), &Limits::default()).is_err(), "{name}");
    }
}

#[test]
fn nodes_are_found_by_name_and_by_listing() {
    let group = r#"{"zarr_format":3,"node_type":"group"}"#;
    let objects =
        [("zarr.json", group), ("g/zarr.json", group), ("g/a/zarr.json", V3), ("g/a/c/0/0", "x"), ("plain/b/zarr.json", V3), ("plain/readme", "x")];
    let (store, _) = open(&objects);
    let mut store = store.unwrap();
    let asked = std::cell::RefCell::new(Vec::new());
    let node = drive(&mut store.node_parser("g/a", &Limits::default()).unwrap(), &objects, &asked).unwrap().unwrap();
    assert_eq!(asked.take(), [["g/a/zarr.json"]]);
    assert!(store.array_of("g/a", &node, &Limits::default()).is_ok());
    assert!(drive(&mut store.node_parser("none", &Limits::default()).unwrap(), &objects, &asked).unwrap().is_none());

    for (path, node) in drive(&mut store.children_parser("", &Limits::default()).unwrap(), &objects, &asked).unwrap() {
        store.insert(&path, node).unwrap();
    }
    assert_eq!(store.arrays(), ["g/a", "plain/b"]);
    assert!(!asked.take().concat().contains(&"g/a/c".to_owned()), "arrays are not looked into");
    assert_eq!(store.kind_of("plain"), Some(NodeKind::Group));
    assert_eq!(store.kind_of("plai"), None);

    let mut parser = store.children_parser("", &Limits::default()).unwrap();
    let Ok(Step::Need(wants)) = parser.step() else { panic!() };
    assert!(parser.supply(&wants[0], Got::Names(None)).unwrap_err().is_unsupported());
}

#[test]
fn listed_names_tell_all_nodes() {
    let inline = |text: &str| Reference::Inline(Bytes::copy_from_slice(text.as_bytes()));
    let object = ObjectKey::new("memory://archive");
    let deflated = Reference::Deflated { span: crate::model::ByteSpan::new(&object, 7, 9).unwrap(), size: 8 };
    let map = HashMap::from([
        ("top/.zgroup".to_owned(), inline("{}")),
        ("top/a/.zarray".to_owned(), inline(V2)),
        ("top/a/0.0".to_owned(), deflated),
        ("top/a/1.0".to_owned(), Reference::Whole(object)),
        ("top/b/zarr.json".to_owned(), Reference::Whole(ObjectKey::new("memory://s/elsewhere"))),
    ]);
    let objects = ObjectMap::References(Arc::new(map));
    let mut parser = ZarrParser::new(objects, ObjectKey::new("memory://archive"), &Limits::default());
    let asked = std::cell::RefCell::new(Vec::new());
    let store = drive(&mut parser, &[("elsewhere", V3)], &asked).unwrap();
    assert_eq!(asked.take(), [["elsewhere"]]);
    assert_eq!(store.arrays(), ["top/a", "top/b"]);
    assert_eq!(store.groups(), ["top"]);
    let meta = store.array("top/a", &Limits::default()).unwrap();
    assert_eq!(meta.chains[1].first(), Some(&CodecSpec::Deflate));
    assert!(matches!(meta.manifest.locate(&[0, 0], &meta.grid, &HashMap::new()), Ok(Location::At { chain: 1, .. })));
    assert!(matches!(meta.manifest.locate(&[0, 1], &meta.grid, &HashMap::new()), Ok(Location::Absent)));
    let lost = meta.manifest.locate(&[1, 0], &meta.grid, &HashMap::new());
    assert!(matches!(lost, Ok(Location::Whole { missing: crate::model::Missing::Error, .. })));
}

#[test]
fn documents_are_bounded() {
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    for (name, text) in [("zarr.json", format!(r#"{{"a":{deep}}}"#)), (".zmetadata", deep.clone())] {
        assert!(matches!(open(&[(name, &text)]).0.unwrap_err().kind(), ErrorKind::Limit { what: "max_json_depth", .. }), "{name}");
    }
    let mut parser = ZarrParser::new(
        ObjectMap::Prefix(ObjectKey::new("memory://s")),
        ObjectKey::new("memory://s"),
        &Limits { max_metadata_bytes: 10, ..Limits::default() },
    );
    let asked = std::cell::RefCell::new(Vec::new());
    assert!(matches!(drive(&mut parser, &[("zarr.json", V3)], &asked).unwrap_err().kind(), ErrorKind::Limit { .. }));
}

/// Members need not be sorted; names may be escaped, stand twice (the last counts), and begin with a slash; what is not touched need not be
/// understood.
#[test]
fn consolidated_members_are_found_in_any_order() {
    let array = |length: u32| V3.replacen("[5,3]", &format!("[{length},3]"), 1);
    let group = r#"{"zarr_format":3,"node_type":"group"}"#;
    let (twice, escaped, slash) = (array(7), array(8), array(9));
    let document = format!(
        r#"{{"zarr_format":3,"attributes":{{"title":"t"}},"consolidated_metadata":{{"must_understand":false,"metadata":{{
        "z":{group},"z/b":{V3},"b":{group},"b\/c":{escaped},"/b/a":{slash},"twice":{V3},"b/a-":{V3},"broken":{{"node_type":5,,}},"twice":{twice},"é/ü":{V3}
        }},"kind":"inline"}},"node_type":"group"}}"#
    );
    let store = open(&[("zarr.json", &document)]).0.unwrap();
    assert!(store.is_complete());
    assert_eq!(store.paths(), ["", "b", "b/a", "b/a-", "b/c", "broken", "twice", "z", "z/b", "é/ü"]);
    assert_eq!(store.attributes("").unwrap().text(), r#"{"title":"t"}"#);
    for (path, length) in [("twice", 7), ("b/c", 8), ("b/a", 9), ("z/b", 5), ("é/ü", 5)] {
        assert_eq!(store.array(path, &Limits::default()).unwrap().shape()[0], length, "{path}");
    }
    assert!(store.array("broken", &Limits::default()).is_err());
    let children = |path: &str| store.children(path).into_iter().map(|(name, kind)| (name, kind == NodeKind::Array)).collect::<Vec<_>>();
    let named = |names: &[(&str, bool)]| names.iter().map(|(name, array)| ((*name).to_owned(), *array)).collect::<Vec<_>>();
    assert_eq!(children(""), named(&[("b", false), ("broken", true), ("twice", true), ("z", false), ("é", false)]));
    assert_eq!(children("b"), named(&[("a", true), ("a-", true), ("c", true)]));
    assert_eq!((store.kind_of("é"), store.kind_of("b/"), children("none")), (Some(NodeKind::Group), None, vec![]));

    let v2 =
        format!(r#"{{"metadata":{{"g/.zgroup":{{}},".zgroup":{{}},"g-/x/.zarray":{V2},"g/x\/.zarray":{V2},"g/x/.zattrs":{{"a":NaN}},"readme":1}}}}"#);
    let store = open(&[(".zmetadata", &v2)]).0.unwrap();
    assert_eq!(
        (store.paths(), store.arrays()),
        (vec![String::new(), "g".into(), "g-/x".into(), "g/x".into()], vec!["g-/x".to_owned(), "g/x".into()])
    );
    assert_eq!(store.attributes("g/x").unwrap().text(), r#"{"a":"NaN"}"#);
    let names: Vec<String> = store.children("").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["g", "g-"]);
    for cut in [".zgroup\":{}", "{\"metadata\":{"] {
        let broken = &v2[..v2.find(cut).unwrap() + cut.len()];
        assert!(open(&[(".zmetadata", broken)]).0.is_err(), "{broken}");
    }
}
