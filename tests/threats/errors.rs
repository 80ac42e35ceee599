//! Every kind of error, raised by a real input through the public interface.

use std::sync::Arc;
use std::time::Duration;

use ndarray::{Ix1, Ix3};
use swath::codec::{ChunkContext, Codec, Output, Size};
use swath::model::{DataType, RawJson, Region};
use swath::{Error, ErrorKind, Result, Session, SessionOptions, StaticToken};

use crate::common::tiff;
use crate::common::{Fill, Source, zarr};
use crate::support::server::{Fault, Server};
use crate::{STORE, Scratch, World, v2, v3};

/// What stands in the query of every URL here.
const QUERY: &str = "?sig=CANARY";

fn session() -> Session {
    let mut options = SessionOptions::default();
    (options.threads, options.network.attempts) = (1, 1);
    Session::with_options(options).unwrap()
}

/// Reads a Zarr array of a server whose answers for its one chunk have this fault.
fn by_fault(fault: Fault) -> Error {
    let server = Server::start();
    server.put("/a/zarr.json", v3(&[]));
    server.put("/a/c/0", [1, 2, 3, 4]);
    server.fault("/a/c/0", fault);
    let session = session();
    session
        .block_on(async { session.open_zarr(&(server.url("/a") + QUERY)).await?.array("").await?.read::<u8, Ix1>(..).await })
        .expect_err("a faulty answer")
}

/// Reads an image of a server, whose answers have this fault once it was opened.
fn image_by_fault(change: impl FnOnce(&Server)) -> Error {
    let server = Server::start();
    server.put("/image.tif", image(1));
    let session = session();
    let url = server.url("/image.tif") + QUERY;
    let level = session.block_on(async { session.open_cog(&url).await?.level(0) }).unwrap();
    change(&server);
    session.block_on(level.read::<u16, Ix3>(..)).expect_err("a faulty answer")
}

fn image(seed: u64) -> Vec<u8> {
    tiff::write(&Source::new(DataType::U16, &[1, 32, 32], seed), &[1, 16, 16], &tiff::Layout::default(), &|_| false)
}

/// Reads an array of these documents and chunks.
fn of_objects(objects: &[(&str, Vec<u8>)]) -> Error {
    let world = World::new();
    objects.iter().for_each(|(name, bytes)| world.put(&format!("a/{name}"), bytes.clone()));
    world.first("a").expect_err("a bad object")
}

#[derive(Debug)]
struct Panics;

impl Codec for Panics {
    fn name(&self) -> &str {
        "panics"
    }
    fn input_size(&self, output: Size, _: &ChunkContext<'_>) -> Size {
        output
    }
    fn decode(&self, _: &[u8], _: &ChunkContext<'_>, _: &mut swath::codec::Scratch, _: &mut Output<'_>) -> Result<()> {
        panic!("a codec of the caller's")
    }
}

fn by_a_codec_of_the_callers() -> Error {
    let store = Arc::new(object_store::memory::InMemory::new());
    let codecs = r#"[{"name":"bytes"},{"name":"panics"}]"#;
    crate::common::store::put(&store, "a/zarr.json", v3(&[("codecs", codecs)]).into_bytes());
    crate::common::store::put(&store, "a/c/0", vec![1, 2, 3, 4]);
    let make = Arc::new(|_: &RawJson, _: &DataType| Ok(Arc::new(Panics) as Arc<dyn Codec>));
    let session = Session::builder(SessionOptions::default()).with_store(STORE, store).with_codec("panics", make).build().unwrap();
    session
        .block_on(async { session.open_zarr(&format!("{STORE}a")).await?.array("").await?.read::<u8, Ix1>(..).await })
        .expect_err("a codec that panics")
}

fn checksum() -> Error {
    let form = zarr::Form { checksum: true, ..zarr::Form::new(3, 1) };
    let mut objects = zarr::write(&Source::new(DataType::U8, &[4], 1), &[4], &form, Fill::Seven, &|_| false);
    objects.last_mut().unwrap().1[0] ^= 1;
    let objects: Vec<(&str, Vec<u8>)> = objects.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    of_objects(&objects)
}

fn changed() -> Error {
    let scratch = Scratch::new();
    scratch.write("image.tif", image(1));
    let session = session();
    let path = scratch.path("image.tif");
    let level = session.block_on(async { session.open_cog(path.to_str().unwrap()).await?.level(0) }).unwrap();
    scratch.write("image.tif", [image(2), vec![0]].concat());
    session.block_on(level.read::<u16, Ix3>(..)).expect_err("another file")
}

/// Reads a part of a good array.
fn of_a_good_array(read: impl AsyncFnOnce(swath::Group) -> Result<()>) -> Error {
    let world = World::new();
    world.put("a/zarr.json", v3(&[]));
    world.session.block_on(async { read(world.session.open_zarr(&world.url("a")).await?).await }).expect_err("a wrong call")
}

fn without_coordinates() -> Error {
    let world = World::new();
    world.put("image.tif", image(1));
    world.session.block_on(async { world.session.open_cog(&world.url("image.tif")).await?.level_for(10.0).map(drop) }).expect_err("no transform")
}

fn refused_by_a_signer() -> Error {
    let server = Server::start();
    server.fault("/a/zarr.json", Fault::Status(403));
    let mut options = SessionOptions::default();
    options.network.attempts = 1;
    let signer = StaticToken::new().with_token(&server.url("/"), swath::model::Secret::new("token=CANARY")).unwrap();
    let session = Session::builder(options).with_signer(Arc::new(signer)).build().unwrap();
    session.block_on(session.open_zarr(&server.url("/a"))).expect_err("refused")
}

fn late() -> Error {
    let server = Server::start();
    server.put("/a/zarr.json", v3(&[]));
    server.put("/a/c/0", [1, 2, 3, 4]);
    server.fault("/a/c/0", Fault::Stall(None));
    let mut options = SessionOptions::default();
    options.read.deadline = Some(Duration::from_millis(300));
    let session = Session::with_options(options).unwrap();
    session
        .block_on(async { session.open_zarr(&(server.url("/a") + QUERY)).await?.array("").await?.read::<u8, Ix1>(..).await })
        .expect_err("no answer")
}

fn led_elsewhere() -> Error {
    let world = World::new();
    world.put("d/refs.json", r#"{"zarr.json":["https://other.net/x?sig=CANARY"]}"#);
    world.look("d/refs.json").expect_err("another host")
}

/// A way to an error, and whether the error is about an object.
type Raise = (&'static str, bool, fn() -> Error);

/// By the names of the kinds. A test of `src/error.rs`, which the compiler holds to be complete, looks for each kind in this table.
const KINDS: &[Raise] = &[
    ("NotFound", true, || session().block_on(session().open("memory://nothing")).unwrap_err()),
    ("Storage", true, || by_fault(Fault::Status(500))),
    ("Denied", true, || by_fault(Fault::Status(403))),
    ("Denied", true, refused_by_a_signer),
    ("RangeUnsupported", true, || image_by_fault(|server| server.fault("/image.tif", Fault::Endless { told: true }))),
    ("Encoded", true, || by_fault(Fault::Header("Content-Encoding".into(), "gzip".into()))),
    ("Deadline", true, late),
    ("ObjectChanged", true, changed),
    ("ObjectChanged", true, || image_by_fault(|server| server.put("/image.tif", image(2)))),
    ("Malformed", true, || of_objects(&[("zarr.json", v3(&[("shape", "[-4]")]).into_bytes())])),
    ("Unsupported", true, || of_objects(&[("zarr.json", v3(&[("data_type", "\"int2\"")]).into_bytes())])),
    ("Codec", true, || of_objects(&[(".zarray", v2(&[("compressor", r#"{"id":"zlib"}"#)]).into_bytes()), ("0", vec![9; 9])])),
    ("Checksum", true, checksum),
    ("Limit", true, || {
        let huge = r#"{"name":"regular","configuration":{"chunk_shape":[9000000000]}}"#;
        of_objects(&[("zarr.json", v3(&[("shape", "[9000000000]"), ("chunk_grid", huge)]).into_bytes()), ("c/0", vec![0; 9])])
    }),
    ("Region", false, || of_a_good_array(async |group| group.array("").await?.read::<u8, Ix1>(Region::all(&[5])).await.map(drop))),
    ("DataType", false, || of_a_good_array(async |group| group.array("").await?.read::<u16, Ix1>(..).await.map(drop))),
    ("Crs", true, without_coordinates),
    ("Usage", true, led_elsewhere),
    ("Panicked", true, by_a_codec_of_the_callers),
];

#[test]
fn every_kind() {
    for (name, has_object, raise) in KINDS {
        let error = raise();
        let kind = error.kind();
        let said = format!("{kind:?}");
        assert!(said == *name || said.starts_with(&format!("{name}(")) || said.starts_with(&format!("{name} {{")), "{name}: {said}");
        let text = error.to_string();
        if *has_object {
            let object = error.object().unwrap_or_else(|| panic!("{name} names no object: {text}"));
            assert!(text.starts_with(object), "{name}: {text}");
        }
        let mut all = format!("{error:?} {error:#?} {said} {text}");
        let mut cause = std::error::Error::source(&error);
        while let Some(source) = cause {
            all += &format!("{source} {source:?}");
            cause = source.source();
        }
        assert!(!all.contains("CANARY") && !all.contains("sig="), "{name}: {all}");
        assert_eq!(error.is_not_found(), *name == "NotFound");
        assert_eq!(error.is_damage(), matches!(*name, "Codec" | "Checksum"));
        assert_eq!(error.is_changed(), *name == "ObjectChanged");
        assert_eq!(error.is_unsupported(), *name == "Unsupported");
        // A clone is the same answer for another reader.
        assert_eq!((error.clone().kind(), error.clone().to_string()), (kind, text));
        assert!(!matches!(kind, ErrorKind::Limit { asked, allowed, .. } if asked <= allowed));
    }
}
