//! T11: names that lead out of the store they were built for. A canary stands beside each store; what is read is never the canary.

use std::process::Command;

use ndarray::Ix1;
use swath::model::Sidecars;
use swath::{Session, SessionOptions};

use crate::support::server::Server;
use crate::{Scratch, v2, v3};

/// Every byte of the canary.
const CANARY: u8 = 0xC7;

/// Names that climb, by whoever reads them: file systems of two families, URL parsers, decoders of percent signs. `{root}` is the path of
/// the folder above the store.
const CLIMBING: [&str; 27] = [
    "../canary",
    "../../{top}/canary",
    "c/../../canary",
    "./../canary",
    "x/./../../canary",
    "/{root}/canary",
    "//{root}/canary",
    "file://{root}/canary",
    "C:\\canary",
    "C:/canary",
    "\\\\?\\C:\\canary",
    "..\\canary",
    "c\\..\\..\\canary",
    "%2e%2e/canary",
    "%2E%2E%2Fcanary",
    "..%2fcanary",
    ".%2e/canary",
    "%252e%252e/canary",
    "%2e%2e%5ccanary",
    "..\u{0}/canary",
    "..%00/canary",
    ".\t./canary",
    ".\n./canary",
    ".\r./canary",
    "..;/canary",
    "\u{ff0e}\u{ff0e}/canary",
    "~/canary",
];

/// A folder `store` beside a file `canary`.
fn beside_the_canary() -> (Scratch, Session) {
    let scratch = Scratch::new();
    scratch.write("canary", [CANARY; 4]);
    scratch.write("canary.zarr/c/0", [CANARY; 4]);
    scratch.write("canary.zarr/zarr.json", v3(&[]));
    scratch.write("store/zarr.json", r#"{"zarr_format":3,"node_type":"group"}"#);
    let mut options = SessionOptions::default();
    (options.threads, options.sidecars) = (1, Sidecars::Always);
    (scratch, Session::with_options(options).unwrap())
}

fn written(name: &str, scratch: &Scratch) -> String {
    let root = scratch.0.to_str().unwrap().trim_start_matches('/');
    let top = scratch.0.file_name().unwrap().to_str().unwrap();
    name.replace("{root}", root).replace("{top}", top)
}

fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// The elements of an array, which are not those of the canary.
fn holds_no_canary(session: &Session, url: &str, path: &str, what: &str) {
    let read = session.block_on(async {
        let swath::Dataset::Group(group) = session.open(url).await? else { panic!("{what}: not a group") };
        group.array(path).await?.read::<u8, Ix1>(..).await
    });
    if let Ok(elements) = read {
        assert!(elements.iter().all(|e| *e != CANARY), "{what}: the canary was read");
    }
}

#[test]
fn the_canary_is_there_to_be_read() {
    let (scratch, session) = beside_the_canary();
    let url = scratch.path("canary.zarr");
    let elements = session.block_on(async { session.open_zarr(url.to_str().unwrap()).await?.array("").await?.read::<u8, Ix1>(..).await });
    assert_eq!(elements.unwrap().to_vec(), [CANARY; 4]);
}

#[test]
fn paths_of_nodes_stay_in_the_store() {
    let (scratch, session) = beside_the_canary();
    let group = session.block_on(session.open_zarr(scratch.path("store").to_str().unwrap())).unwrap();
    for name in CLIMBING {
        // A node of its own stands where the name leads to.
        let name = written(name, &scratch) + ".zarr";
        assert!(session.block_on(group.array(&name)).is_err(), "{name:?} is an array");
        assert!(session.block_on(group.group(&name)).is_err(), "{name:?} is a group");
    }
}

#[test]
fn consolidated_names_stay_in_the_store() {
    let (scratch, session) = beside_the_canary();
    for name in CLIMBING {
        let name = written(name, &scratch) + ".zarr";
        let store = scratch.path("consolidated");
        let _ = std::fs::remove_dir_all(&store);
        let v2_members = format!(
            "{{\"zarr_consolidated_format\":1,\"metadata\":{{\".zgroup\":{{\"zarr_format\":2}},{}:{}}}}}",
            json(&format!("{name}/.zarray")),
            v2(&[])
        );
        scratch.write("consolidated/.zmetadata", v2_members);
        holds_no_canary(&session, store.to_str().unwrap(), &name, &name);
        let _ = std::fs::remove_dir_all(&store);
        let inner = format!("{{\"kind\":\"inline\",\"must_understand\":false,\"metadata\":{{{}:{}}}}}", json(&name), v3(&[]));
        scratch.write("consolidated/zarr.json", format!("{{\"zarr_format\":3,\"node_type\":\"group\",\"consolidated_metadata\":{inner}}}"));
        holds_no_canary(&session, store.to_str().unwrap(), &name, &name);
    }
}

/// Dimension separators and key encodings: what stands in a document becomes a part of every chunk's name.
#[test]
fn chunk_names_stay_in_the_store() {
    let (scratch, session) = beside_the_canary();
    for name in CLIMBING {
        let name = written(name, &scratch);
        let text = json(&name);
        let documents = [
            ("zarr.json", v3(&[("chunk_key_encoding", &format!(r#"{{"name":"default","configuration":{{"separator":{text}}}}}"#))])),
            ("zarr.json", v3(&[("chunk_key_encoding", &format!(r#"{{"name":"v2","configuration":{{"separator":{text}}}}}"#))])),
            ("zarr.json", v3(&[("chunk_key_encoding", &format!(r#"{{"name":{text}}}"#))])),
            (".zarray", v2(&[("dimension_separator", &text)])),
        ];
        for (document, bytes) in documents {
            let store = scratch.path("separated");
            let _ = std::fs::remove_dir_all(&store);
            scratch.write(&format!("separated/{document}"), &bytes);
            let opened = session.block_on(async { session.open_zarr(store.to_str().unwrap()).await?.array("").await });
            assert!(opened.is_err(), "{name:?} was taken for a part of names: {bytes}");
        }
    }
}

#[test]
fn references_stay_below_their_folder() {
    let (scratch, session) = beside_the_canary();
    for name in CLIMBING {
        let name = written(name, &scratch);
        let array = json(&v3(&[]));
        for refs in [
            format!(r#"{{"zarr.json":{array},"c/0":[{}]}}"#, json(&name)),
            format!(r#"{{"zarr.json":{array},"c/0":[{},0,4]}}"#, json(&name)),
            format!(r#"{{"version":1,"templates":{{"u":{}}},"refs":{{"zarr.json":{array},"c/0":["{{{{u}}}}",0,4]}}}}"#, json(&name)),
            format!(r#"{{"zarr.json":[{}]}}"#, json(&format!("{name}.zarr/zarr.json"))),
            format!(r#"{{{}:{array}}}"#, json(&format!("{name}.zarr/zarr.json"))),
        ] {
            scratch.write("store/refs.json", &refs);
            holds_no_canary(&session, scratch.path("store/refs.json").to_str().unwrap(), "", &refs);
        }
    }
}

/// A stored member of a zip archive, named by an attacker.
fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut list) = (Vec::new(), Vec::new());
    let n16 = |n: usize| u16::try_from(n).unwrap().to_le_bytes();
    let n32 = |n: usize| u32::try_from(n).unwrap().to_le_bytes();
    for (name, data) in members {
        let (at, sizes) = (out.len(), [n32(data.len()), n32(data.len())].concat());
        out.extend([b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0".as_slice(), &sizes, &n16(name.len()), &[0, 0], name.as_bytes(), data].concat());
        list.extend(
            [b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0\0\0\0\0".as_slice(), &sizes, &n16(name.len()), &[0; 12], &n32(at), name.as_bytes()].concat(),
        );
    }
    let (start, length) = (out.len(), list.len());
    out.extend(list);
    out.extend([b"PK\x05\x06\0\0\0\0".as_slice(), &n16(members.len()), &n16(members.len()), &n32(length), &n32(start), &[0, 0]].concat());
    out
}

#[test]
fn members_of_archives_stay_in_them() {
    let (scratch, session) = beside_the_canary();
    let good = v3(&[]);
    scratch.write("store/good.zip", zip(&[("zarr.json", good.as_bytes()), ("c/0", &[1, 2, 3, 4])]));
    let url = scratch.path("store/good.zip");
    let read = session.block_on(async { session.open(url.to_str().unwrap()).await });
    assert!(matches!(read.unwrap(), swath::Dataset::Group(_)), "a good archive is read");
    for name in CLIMBING {
        let name = written(name, &scratch);
        let document = format!("{name}.zarr/zarr.json");
        scratch.write("store/bad.zip", zip(&[("zarr.json", good.as_bytes()), (&document, good.as_bytes()), (&name, &[1; 4])]));
        let url = scratch.path("store/bad.zip");
        for path in ["", name.as_str(), document.trim_end_matches("/zarr.json")] {
            holds_no_canary(&session, url.to_str().unwrap(), path, &name);
        }
    }
}

/// What one tenant may be made to ask a server for: nothing above the folder that was opened, and nothing beside it with its signature.
#[test]
fn requests_stay_below_the_url() {
    let server = Server::start();
    let session = Session::new();
    server.put("/tenant/store/zarr.json", r#"{"zarr_format":3,"node_type":"group"}"#);
    let group = session.block_on(session.open_zarr(&(server.url("/tenant/store") + "?sig=CANARY"))).unwrap();
    server.take_seen();
    for name in CLIMBING {
        let name = name.replace("{root}", "other").replace("{top}", "tenant");
        let _ = session.block_on(group.array(&name));
        let refs = format!(r#"{{"zarr.json":{},"c/0":[{}]}}"#, json(&v3(&[])), json(&name));
        server.put("/tenant/store/refs.json", refs);
        let url = server.url("/tenant/store/refs.json") + "?sig=CANARY";
        let _ = session.block_on(async {
            let swath::Dataset::Group(group) = session.open(&url).await? else { panic!() };
            group.array("").await?.read::<u8, Ix1>(..).await
        });
        session.block_on(session.forget(&server.url("/tenant/store/refs.json"))).unwrap();
        for seen in server.take_seen() {
            let inside = seen.path.starts_with("/tenant/store/");
            let decoded = seen.path.to_ascii_lowercase();
            let climbs = ["/../", "%2e%2e", "..%2f", "%5c.."].iter().any(|part| decoded.contains(part)) || decoded.ends_with("/..");
            assert!(!climbs, "{name:?} made a request for {}", seen.path);
            assert!(inside || seen.query.is_none(), "{name:?} took the signature to {}", seen.path);
        }
    }
}

/// Whoever may write links into a folder decides what is in it: links are followed, as every reader of files does. What is no regular
/// file is never opened: a pipe would hang, a device has no end.
#[cfg(unix)]
#[test]
fn links_are_followed_and_devices_are_not_opened() {
    let (scratch, session) = beside_the_canary();
    scratch.write("store/linked/zarr.json", v3(&[]));
    let chunk = scratch.path("store/linked/c/0");
    std::fs::create_dir_all(chunk.parent().unwrap()).unwrap();
    let read = || {
        session
            .block_on(async { session.open_zarr(scratch.path("store/linked").to_str().unwrap()).await?.array("").await?.read::<u8, Ix1>(..).await })
    };
    std::os::unix::fs::symlink(scratch.path("canary"), &chunk).unwrap();
    assert_eq!(read().unwrap().to_vec(), [CANARY; 4]);
    for device in ["/dev/zero", "/dev/stdin"] {
        std::fs::remove_file(&chunk).unwrap();
        std::os::unix::fs::symlink(device, &chunk).unwrap();
        assert!(read().unwrap_err().is_unsupported(), "{device}");
    }
    std::fs::remove_file(&chunk).unwrap();
    assert!(Command::new("mkfifo").arg(&chunk).status().unwrap().success());
    assert!(read().unwrap_err().is_unsupported(), "a pipe");
    // A link in a circle is an error, and no fill value.
    std::fs::remove_file(&chunk).unwrap();
    std::os::unix::fs::symlink(&chunk, &chunk).unwrap();
    assert!(read().is_err(), "a circle");
}
