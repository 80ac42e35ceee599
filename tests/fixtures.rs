//! Every file of `testdata/` holds what its writer read back from it, and every malformed one ends in an error or in data.
#![cfg(feature = "read")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "test arrays are small")]

mod common;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use common::Source;
use common::source::scramble;
use common::watch::{LONG, within};
use serde::Deserialize;
use std::collections::BTreeMap;
use swath::model::{DataType, Region};
use swath::{ChunkedArray, Dataset, DynArray, Error, Session, SessionOptions};

/// What `EXPECTED.json` says of a part of a fixture.
#[derive(Debug, Clone, Deserialize)]
struct Expected {
    shape: Vec<u64>,
    bytes: usize,
    crc32: Option<String>,
    #[serde(default)]
    tolerance: f64,
    /// Of lossy codecs: band, y, x, and the value there.
    #[serde(default)]
    pixels: Vec<(Vec<u64>, f64)>,
}

fn testdata() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

fn url(name: &str) -> String {
    testdata().join(name).to_str().expect("a path in UTF-8").to_owned()
}

fn fixtures() -> BTreeMap<String, BTreeMap<String, Expected>> {
    let text = std::fs::read_to_string(testdata().join("EXPECTED.json")).expect("testdata/EXPECTED.json");
    serde_json::from_str(&text).expect("its JSON")
}

/// What this build does without, by its features; nothing else may be refused.
fn left_out(e: &Error) -> bool {
    let features = [
        (cfg!(feature = "blosc"), "blosc"),
        (cfg!(feature = "jpeg"), "jpeg"),
        (cfg!(feature = "webp"), "webp"),
        (cfg!(feature = "jxl"), "jxl"),
        (cfg!(feature = "jpeg2000"), "jpeg2000"),
        (cfg!(feature = "png"), "png"),
        (cfg!(feature = "lerc"), "lerc"),
        (cfg!(feature = "lzma"), "lzma"),
        (cfg!(feature = "bzip2"), "bzip2"),
        (cfg!(feature = "parquet"), "parquet"),
    ];
    let told = e.to_string();
    e.is_unsupported() && features.iter().any(|(there, name)| !there && told.ends_with(&format!("built without the feature \"{name}\"")))
}

async fn open(session: &Session, name: &str, part: &str) -> swath::Result<ChunkedArray> {
    match session.open(&url(name)).await? {
        Dataset::Cog(cog) => cog.directory(part),
        Dataset::Group(group) => group.array(part).await,
        other => panic!("{other:?}"),
    }
}

fn check(expected: &Expected, read: &DynArray, canonical: &[u8]) -> Result<(), String> {
    // Complex integers are told as pairs along x.
    let mut shape = read.shape().to_vec();
    if matches!(read.data_type(), DataType::ComplexI8 | DataType::ComplexI16 | DataType::ComplexI32)
        && let Some(x) = shape.last_mut()
    {
        *x *= 2;
    }
    if shape != expected.shape {
        return Err(format!("shape {shape:?}, not {:?}", expected.shape));
    }
    if canonical.len() != expected.bytes {
        return Err(format!("{} bytes, not {}", canonical.len(), expected.bytes));
    }
    if let Some(crc) = &expected.crc32 {
        let found = format!("{:08x}", crc32fast::hash(canonical));
        return if found == *crc { Ok(()) } else { Err(format!("crc32 {found}, not {crc}")) };
    }
    assert!(!expected.pixels.is_empty(), "neither a checksum nor pixels");
    for (index, value) in &expected.pixels {
        let place = index.iter().zip(&shape).fold(0, |at, (i, n)| at * n + i) as usize;
        let found = f64::from(canonical[place]);
        if (found - value).abs() > expected.tolerance {
            return Err(format!("{found} at {index:?}, not {value} by {}", expected.tolerance));
        }
    }
    Ok(())
}

#[test]
fn every_fixture_holds_what_its_writer_read_back() {
    hold(&Session::new());
}

/// With every table of tiles left where it is, chunks end where the next one starts, and decoders see what stands behind theirs.
#[test]
fn tables_read_by_pages_lead_to_the_same() {
    let mut options = SessionOptions::default();
    options.limits.table_page_bytes = 16;
    hold(&Session::with_options(options).unwrap());
}

fn hold(session: &Session) {
    let mut wrong = Vec::new();
    let (mut right, mut refused) = (0, 0);
    for (name, parts) in fixtures() {
        for (part, expected) in parts {
            let read = session.block_on(async { open(session, &name, &part).await?.read_dyn(..).await });
            match read {
                Ok(read) => match check(&expected, &read, &read.clone().into_little_endian()) {
                    Ok(()) => right += 1,
                    Err(e) => wrong.push(format!("{name} {part:?}: {e}")),
                },
                Err(e) if left_out(&e) => refused += 1,
                Err(e) => wrong.push(format!("{name} {part:?}: {e}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} parts:\n{}", wrong.len(), right + refused + wrong.len(), wrong.join("\n"));
    assert!(right > 150, "only {right} parts were read");
}

/// The elements of a region of a whole that was read, in the same form.
fn part_of(whole: &DynArray, region: &Region) -> Vec<Vec<u8>> {
    let place = |index: &[u64]| index.iter().zip(whole.shape()).fold(0, |at, (i, n)| at * n + i) as usize;
    let mut elements = Vec::new();
    Source::for_each(region, |index| {
        elements.push(match (whole.bytes(), whole.elements(), whole.data_type().size()) {
            (Some(bytes), _, Some(size)) => bytes[place(index) * size..][..size].to_vec(),
            (_, Some(texts), _) => texts[place(index)].to_vec(),
            _ => panic!("neither bytes nor texts"),
        });
    });
    elements
}

#[test]
fn every_region_is_a_part_of_the_whole() {
    let mut options = SessionOptions::default();
    options.cache_decoded = false;
    options.limits.decoded_in_flight = 64 << 10;
    let session = Session::with_options(options).unwrap();
    let mut wrong = Vec::new();
    for (name, parts) in fixtures() {
        for (part, expected) in parts {
            let Ok(array) = session.block_on(open(&session, &name, &part)) else { continue };
            let Ok(whole) = session.block_on(array.read_dyn(..)) else { continue };
            for n in 0..4 {
                let axis = |(axis, length): (usize, &u64)| {
                    let noise = scramble(n * 31 + axis as u64 + expected.bytes as u64);
                    let (a, b) = (noise % (length + 1), (noise >> 32) % (length + 1));
                    // Regions of at most 64 along an axis: it is their borders that matter.
                    a.min(b)..a.max(b).min(a.min(b) + 64)
                };
                let region = Region::new(array.shape().iter().enumerate().map(axis).collect());
                match session.block_on(array.read_dyn(&region)) {
                    Ok(read) => {
                        let all = Region::all(read.shape());
                        if part_of(&read, &all) != part_of(&whole, &region) {
                            wrong.push(format!("{name} {part:?} {region}: other elements than in the whole"));
                        }
                    }
                    Err(e) => wrong.push(format!("{name} {part:?} {region}: {e}")),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Reads whatever can be found in a file.
async fn read_all(session: &Session, name: &str) -> swath::Result<usize> {
    let mut bytes = 0;
    let mut read = async |array: ChunkedArray| -> swath::Result<()> {
        array.plan(..).await?;
        bytes += array.read_dyn(..).await?.bytes().map_or(0, <[u8]>::len);
        Ok(())
    };
    match session.open(&url(name)).await? {
        Dataset::Cog(cog) => {
            for directory in cog.directories() {
                read(cog.directory(&directory)?).await?;
            }
        }
        Dataset::Group(group) => {
            for array in group.arrays().await? {
                read(group.array(&array).await?).await?;
            }
        }
        other => panic!("{other:?}"),
    }
    Ok(bytes)
}

#[test]
fn every_malformed_file_ends_in_an_error_or_in_data() {
    let mut names: Vec<String> = std::fs::read_dir(testdata().join("bad"))
        .expect("testdata/bad")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name in UTF-8"))
        .filter(|name| name != "INDEX.md")
        .collect();
    names.sort();
    assert!(names.len() >= 36, "{names:?}");
    let mut options = SessionOptions::default();
    // A declared size is not yet a bad one: what a result may take is the caller's to say.
    options.limits.max_output_bytes = 256 << 20;
    options.limits.max_chunk_bytes = 128 << 20;
    let session = Session::with_options(options).unwrap();
    let mut panicked = Vec::new();
    for name in names {
        let start = Instant::now();
        let result = within(&name.clone(), LONG, {
            let (session, name) = (session.clone(), format!("bad/{name}"));
            move || session.block_on(read_all(&session, &name))
        });
        let took = start.elapsed();
        if took > Duration::from_secs(10) {
            panicked.push(format!("{name} took {took:?}"));
        }
        if let Err(e) = result
            && matches!(e.kind(), swath::ErrorKind::Panicked(_))
        {
            panicked.push(format!("{name}: {e}"));
        }
    }
    assert!(panicked.is_empty(), "{}", panicked.join("\n"));
}

/// Files that must be refused, and the kind of error that says why.
#[test]
fn malformed_files_are_refused_for_what_they_are() {
    let session = Session::new();
    for (name, kinds) in [
        ("empty.tif", &["unsupported", "malformed"][..]),
        ("tile_width_zero.tif", &["malformed"]),
        ("no_tables.tif", &["malformed"]),
        ("deflate_bomb.tif", &["zlib", "deflate"]),
        ("chunk_zero.zarr", &["malformed"]),
        ("shape_negative.zarr", &["malformed"]),
        ("rank_mismatch.zarr", &["malformed"]),
        ("deep_json.zarr", &["malformed", "limit"]),
        ("shards_nested_deep.zarr", &["malformed", "limit"]),
        ("zstd_frame_1tib.zarr", &["zstd"]),
        ("lz4_negative.zarr", &["lz4"]),
        ("gzip_bomb.zarr", &["gzip"]),
    ] {
        // A bomb in a TIFF is cut off where the chunk is full, as libtiff has it.
        let result = session.block_on(read_all(&session, &format!("bad/{name}")));
        match result {
            Err(e) => assert!(kinds.iter().any(|kind| e.kind().to_string().starts_with(kind)), "{name}: {e}"),
            Ok(bytes) => assert_eq!((name, bytes), ("deflate_bomb.tif", 256)),
        }
    }
}
