//! What twice as long an input takes, in instructions: `.ci/counts scaling` runs each job under Callgrind with n and with 2n, and no job may take more than
//! 2.5 times as many. What is quadratic takes four times.
//!
//! `scaling --list` names the jobs, `scaling --job NAME N` runs one. Without a name all run with a small n, not counted.

#![allow(missing_docs, clippy::cast_possible_truncation, reason = "numbers of the benchmark's own")]

#[path = "common/callgrind.rs"]
mod callgrind;
#[path = "common/mod.rs"]
mod common;
#[allow(dead_code, reason = "one of its writers is used here")]
#[path = "../tests/common/pack.rs"]
mod pack;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use swath::geo::{AuxiliaryMetadata, Crs, GdalMetadata};
use swath::model::{
    ArrayMeta, AxisOrder, ByteSpan, ChunkGrid, ChunkManifest, CodecSpec, DataType, Dim, FillValue, Location, LzwBits, ObjectKey, RawJson, Scaling,
};
use swath::{Dataset, Session, SessionOptions};

type Run = Box<dyn FnOnce()>;
type Make = fn(usize) -> Run;

/// A job, the most that its n may be by a format's own bound, and what makes its work.
const JOBS: [(&str, usize, Make); 19] = [
    ("json-equal-keys", usize::MAX, |n| attributes(&format!("{{{}}}", repeated(n, "\"a\":1")))),
    ("json-keys", usize::MAX, |n| attributes(&format!("{{{}}}", numbered(n, |i| format!("\"key{i}\":{i}"), ",")))),
    ("json-deep", usize::MAX, |n| attributes(&format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n)))),
    ("json-text-of-escapes", usize::MAX, |n| attributes(&format!("{{\"a\":\"{}\"}}", "\\u00e9\\\"".repeat(n)))),
    ("zarr-consolidated-v2", 100_000, |n| zarr(".zmetadata", common::metadata::v2(n))),
    ("zarr-consolidated-v3", 100_000, |n| zarr("zarr.json", common::metadata::v3(n))),
    ("references", usize::MAX, references),
    ("references-by-templates", usize::MAX, templates),
    ("archive-members", 65_535, archive),
    ("tiff-directories", 65_535, directories),
    ("tiff-tags", 65_000, tags),
    ("gdal-metadata-items", usize::MAX, |n| gdal(&numbered(n, |i| format!("<Item name=\"k{i}\" sample=\"{i}\" role=\"scale\">2</Item>"), ""))),
    ("gdal-metadata-attributes", usize::MAX, |n| gdal(&format!("<Item {}>1</Item>", numbered(n, |i| format!("a{i}=\"1\""), " ")))),
    ("gdal-metadata-nested", usize::MAX, |n| gdal(&format!("{}{}", "<Item name=\"a\">".repeat(n), "</Item>".repeat(n)))),
    ("auxiliary-bands", usize::MAX, auxiliary),
    ("wkt-nodes", usize::MAX, |n| wkt(format!("GEOGCS[\"a\",{}]", numbered(n, |i| format!("AXIS[\"a{i}\",EAST]"), ",")))),
    ("wkt-deep", usize::MAX, |n| wkt(format!("{}{}", "A[".repeat(n), "]".repeat(n)))),
    ("lzw", usize::MAX, lzw),
    ("plan-overlapping-spans", usize::MAX, overlapping),
];

fn repeated(n: usize, text: &str) -> String {
    numbered(n, |_| text.to_owned(), ",")
}
fn numbered(n: usize, text: impl Fn(usize) -> String, between: &str) -> String {
    (0..n).map(text).collect::<Vec<_>>().join(between)
}

fn session() -> Session {
    let mut options = SessionOptions::default();
    (options.threads, options.cache_bytes) = (1, 0);
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    Session::builder(options).with_store("bench://", store).build().unwrap()
}

/// Opens a dataset of these objects, in memory, and all arrays it names up to a few.
fn open(name: &'static str, objects: Vec<(String, Vec<u8>)>) -> Run {
    let session = session();
    session.block_on(async {
        for (key, bytes) in objects {
            session.put_memory(&format!("memory://data/{name}{key}"), bytes.into()).await.unwrap();
        }
    });
    Box::new(move || {
        let work = async {
            match session.open(&format!("memory://data/{name}")).await? {
                Dataset::Group(group) => {
                    for array in group.arrays().await?.iter().take(2) {
                        group.array(array).await?.attributes().parse::<serde_json::Value>()?;
                    }
                }
                Dataset::Cog(cog) => drop(cog.level(0)?),
                other => panic!("{other:?}"),
            }
            Ok::<(), swath::Error>(())
        };
        // A refusal is as good an end, as long as it comes in time.
        let _any_end = black_box(session.block_on(work));
    })
}

fn zarr(document: &str, bytes: Vec<u8>) -> Run {
    open("a.zarr", vec![(format!("/{document}"), bytes)])
}

/// A version 3 array with these attributes.
fn attributes(json: &str) -> Run {
    let document = format!(
        r#"{{"zarr_format":3,"node_type":"array","shape":[4],"data_type":"uint8","fill_value":0,"codecs":[{{"name":"bytes"}}],"chunk_grid":{{"name":"regular","configuration":{{"chunk_shape":[4]}}}},"chunk_key_encoding":{{"name":"default"}},"attributes":{json}}}"#
    );
    zarr("zarr.json", document.into_bytes())
}

const ARRAY: &str =
    r#"{\"zarr_format\":2,\"shape\":[4],\"chunks\":[4],\"dtype\":\"|u1\",\"compressor\":null,\"fill_value\":0,\"order\":\"C\",\"filters\":null}"#;

fn references(n: usize) -> Run {
    let rows = numbered(n, |i| format!("\"v{}/{i}\":[\"memory://data/other\",{i},100]", i % 7), ",");
    let json = format!(r#"{{"version":1,"refs":{{".zgroup":"{{\"zarr_format\":2}}","v0/.zarray":"{ARRAY}",{rows}}}}}"#);
    open("refs.json", vec![(String::new(), json.into_bytes())])
}

fn templates(n: usize) -> Run {
    let rows = numbered(n, |i| format!("\"v0/{i}\":[\"{{{{u}}}}/{i}\"]"), ",");
    let json =
        format!(r#"{{"version":1,"templates":{{"u":"memory://data"}},"refs":{{".zgroup":"{{\"zarr_format\":2}}","v0/.zarray":"{ARRAY}",{rows}}}}}"#);
    open("refs.json", vec![(String::new(), json.into_bytes())])
}

/// A ZIP archive of stored members.
fn archive(n: usize) -> Run {
    let mut members = vec![(".zgroup".to_owned(), b"{\"zarr_format\":2}".to_vec())];
    members.push(("v/.zarray".to_owned(), ARRAY.replace('\\', "").into_bytes()));
    members.extend((0..n.saturating_sub(2)).map(|i| (format!("v/{i}"), vec![7])));
    let (mut file, mut central) = (Vec::new(), Vec::new());
    for (name, bytes) in &members {
        let mut rest = vec![0; 22];
        rest[..2].copy_from_slice(&20_u16.to_le_bytes());
        rest[10..14].copy_from_slice(&crc32fast::hash(bytes).to_le_bytes());
        rest[14..18].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        rest[18..22].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        rest.extend((name.len() as u16).to_le_bytes());
        rest.extend([0, 0]);
        central.extend(b"PK\x01\x02\x14\0");
        central.extend(&rest);
        central.extend([0; 10]);
        central.extend((file.len() as u32).to_le_bytes());
        central.extend(name.as_bytes());
        file.extend(b"PK\x03\x04");
        file.extend(rest);
        file.extend(name.as_bytes());
        file.extend(bytes);
    }
    let (count, at, length) = (members.len() as u16, file.len() as u32, central.len() as u32);
    file.extend(central);
    file.extend(b"PK\x05\x06\0\0\0\0");
    for n in [count, count] {
        file.extend(n.to_le_bytes());
    }
    file.extend(length.to_le_bytes());
    file.extend(at.to_le_bytes());
    file.extend([0, 0]);
    open("a.zip", vec![(String::new(), file)])
}

/// A directory of one tile of 16 x 16 bytes, which stands at 8, and further tags.
fn directory(further: impl Iterator<Item = u16>, next: u32) -> Vec<u8> {
    let mut rows = vec![(256, 16), (257, 16), (258, 8), (259, 1), (262, 1), (277, 1), (322, 16), (323, 16), (324, 8), (325, 256)];
    rows.extend(further.map(|tag| (tag, 1)));
    let mut out = (rows.len() as u16).to_le_bytes().to_vec();
    for (tag, value) in rows {
        out.extend(tag.to_le_bytes());
        out.extend([4, 0, 1, 0, 0, 0]);
        out.extend(u32::to_le_bytes(value));
    }
    out.extend(next.to_le_bytes());
    out
}

fn tiff(directories: impl Iterator<Item = Vec<u8>>) -> Run {
    let mut file = b"II*\0\x08\x01\0\0".to_vec();
    file.extend([7; 256]);
    directories.for_each(|directory| file.extend(directory));
    open("a.tif", vec![(String::new(), file)])
}

fn directories(n: usize) -> Run {
    let length = directory(std::iter::empty(), 0).len();
    tiff((0..n).map(move |i| directory(std::iter::empty(), if i + 1 == n { 0 } else { (264 + (i + 1) * length) as u32 })))
}

fn tags(n: usize) -> Run {
    tiff(std::iter::once(directory((0..n).map(|i| (500 + i) as u16), 0)))
}

fn gdal(items: &str) -> Run {
    let xml = format!("<GDALMetadata>{items}</GDALMetadata>");
    Box::new(move || drop(black_box(GdalMetadata::parse(&xml))))
}

fn auxiliary(n: usize) -> Run {
    let bands = numbered(n, |i| format!("<PAMRasterBand band=\"{i}\"><Metadata><MDI key=\"k\">1</MDI></Metadata></PAMRasterBand>"), "");
    let xml = format!("<PAMDataset>{bands}</PAMDataset>");
    Box::new(move || drop(black_box(AuxiliaryMetadata::parse(&xml))))
}

fn wkt(text: String) -> Run {
    Box::new(move || drop(black_box(Crs::from_wkt(&text).map(|crs| (crs.to_wkt(), crs.epsg(), crs.name())))))
}

/// A read of these chunks of an array of one axis, each of 64 bytes.
fn array(chunks: impl Iterator<Item = Location>, chain: Vec<CodecSpec>, length: u64) -> ArrayMeta {
    let chunks: HashMap<u64, Location> = (0..).zip(chunks).collect();
    let shape = [chunks.len() as u64 * length];
    ArrayMeta {
        source: ObjectKey::new("bench://array"),
        dims: vec![Dim { name: String::new(), length: shape[0] }],
        grid: ChunkGrid::regular(&shape, &[length]).unwrap(),
        data_type: DataType::U8,
        fill_value: FillValue::ZERO,
        order: AxisOrder::c(1),
        chains: vec![chain],
        manifest: ChunkManifest::Listed(Arc::new(chunks)),
        scaling: Scaling::default(),
        attributes: RawJson::default(),
    }
}

/// One chunk of n bytes that hold every string of the table several times.
fn lzw(n: usize) -> Run {
    let bytes: Vec<u8> = (0..n).map(|i| (i * i / 7 % 61) as u8).collect();
    let packed = pack::lzw(&bytes);
    let session = session();
    let array = session.array(array(std::iter::once(Location::Inline(packed.into())), vec![CodecSpec::Lzw(LzwBits::Msb)], n as u64)).unwrap();
    Box::new(move || drop(black_box(session.block_on(array.read_dyn(..)).unwrap())))
}

/// Chunks whose spans all lie over each other, in no order.
fn overlapping(n: usize) -> Run {
    let span = |i: usize| ByteSpan { object: ObjectKey::new("bench://object"), start: (i as u64).wrapping_mul(7919) % 4096, length: 4096 };
    let session = session();
    let array = session.array(array((0..n).map(|i| Location::At { span: span(i), chain: 0 }), vec![], 4096)).unwrap();
    Box::new(move || drop(black_box(session.block_on(array.plan(..)).unwrap())))
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|a| a == "--list") {
        let mut out = String::new();
        JOBS.iter().for_each(|(name, most, _)| writeln!(out, "{name}\t{most}").unwrap());
        return print!("{out}");
    }
    if let Some(at) = arguments.iter().position(|a| a == "--job") {
        let name = arguments.get(at + 1).expect("the name of a job");
        let n = arguments.get(at + 2).and_then(|n| n.parse().ok()).expect("a size");
        let (_, _, make) = JOBS.iter().find(|(job, ..)| job == name).expect("a job of this name");
        return callgrind::counted(make(n));
    }
    for (name, _, make) in JOBS {
        make(1000)();
        println!("{name}: ran");
    }
}
