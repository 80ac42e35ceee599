//! Attacks that are made of several of the features at once. Each ends in time, in what is right or an error, and asks for no more than
//! its share of memory and requests.

use std::time::Duration;

use swath::geo::{AuxiliaryMetadata, GdalMetadata};
use swath::model::Sidecars;
use swath::{DynArray, ErrorKind, Result};

use crate::common::tiff::of_tags;
use crate::common::watch::within;
use crate::{Scratch, World, look, v2, v3};

/// Long enough for any of these on a slow machine; a hang is what is meant.
const GUARD: Duration = Duration::from_secs(120);

fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn error(result: Result<DynArray>) -> swath::Error {
    result.expect_err("an attack")
}

fn first(world: &World, name: &str) -> Result<DynArray> {
    world.look(name)?.into_iter().next().expect("an array")
}

/// An image of one tile of 16 x 16 bytes at this place.
fn one_tile(changes: &[(u64, u64, Vec<u64>)]) -> Vec<(u64, u64, Vec<u64>)> {
    let mut tags = vec![
        (256, 4, vec![16]),
        (257, 4, vec![16]),
        (258, 3, vec![8]),
        (259, 3, vec![1]),
        (262, 3, vec![1]),
        (277, 3, vec![1]),
        (322, 4, vec![16]),
        (323, 4, vec![16]),
        (324, 4, vec![8]),
        (325, 4, vec![256]),
    ];
    for change in changes {
        tags.retain(|tag| tag.0 != change.0);
        tags.push(change.clone());
    }
    tags.sort();
    tags
}

#[test]
fn a_reference_file_that_names_itself() {
    let world = World::new();
    let array = json(&v3(&[]));
    // As a chunk: its bytes are what they are, and too many. As a document: it is no document of an array.
    for refs in [
        format!(r#"{{"zarr.json":{array},"c/0":["refs.json"]}}"#),
        r#"{"zarr.json":["refs.json"]}"#.to_owned(),
        r#"{".zmetadata":["refs.json"],".zgroup":["refs.json"],".zarray":["refs.json"]}"#.to_owned(),
    ] {
        world.put("d/refs.json", refs.clone());
        let looked = world.look("d/refs.json");
        assert!(looked.map_or(true, |found| found.iter().all(Result::is_err)), "{refs}");
        world.session.block_on(world.session.forget(&world.url("d/refs.json"))).unwrap();
    }
    // A part of itself that is as long as a chunk is that part.
    let refs = format!(r#"{{"c/0":["refs.json",0,4],"zarr.json":{array}}}"#);
    world.put("d/refs.json", refs);
    assert_eq!(first(&world, "d/refs.json").unwrap().as_slice::<u8>().unwrap(), b"{");
}

#[test]
fn an_archive_inside_of_references_and_references_inside_of_an_archive() {
    let world = World::new();
    world.put("refs.json", r#"{"zarr.json":["inner.zip"],".zarray":["inner.zip"]}"#);
    world.put("inner.zip", [b"PK\x05\x06".as_slice(), &[0; 18]].concat());
    assert!(world.look("refs.json").is_err());
    // An archive of nothing holds nothing.
    assert!(world.look("inner.zip").is_err());
}

/// 10^5 references, each with an end of its own behind one long template.
#[test]
fn templates_that_multiply() {
    within("templates", GUARD, || {
        let world = World::new();
        let refs: Vec<String> = (0..100_000).map(|i| format!(r#""x/{i}":["{{{{u}}}}{i}"]"#)).collect();
        let text = format!(r#"{{"version":1,"templates":{{"u":"{}"}},"refs":{{{}}}}}"#, "u/".repeat(30_000), refs.join(","));
        world.put("refs.json", text);
        let error = world.look("refs.json").unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Limit { what: "max_metadata_bytes", .. }), "{error}");
        world.session.block_on(world.session.forget(&world.url("refs.json"))).unwrap();
        // Templates are not filled into templates.
        world.put("refs.json", r#"{"version":1,"templates":{"a":"{{b}}{{b}}","b":"{{a}}{{a}}"},"refs":{"x/0":["{{a}}"]}}"#);
        assert!(world.look("refs.json").unwrap_err().is_unsupported());
    });
}

#[test]
fn consolidated_members_without_end() {
    within("consolidated metadata", GUARD, || {
        let world = World::with(|o| o.limits.max_references = 100_000);
        let array = v2(&[]);
        let members = |n: usize| (0..n).map(|i| format!(r#""a{i}/.zarray":{array}"#)).collect::<Vec<_>>().join(",");
        let document = |n: usize| format!(r#"{{"zarr_consolidated_format":1,"metadata":{{".zgroup":{{"zarr_format":2}},{}}}}}"#, members(n));
        world.put("few/.zmetadata", document(1000));
        assert_eq!(world.look("few").unwrap().len(), 1000);
        world.put("many/.zmetadata", document(100_001));
        let error = world.look("many").unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Limit { what: "max_references", .. }), "{error}");
        // One name a hundred thousand times: the last counts.
        let same = format!(r#"{{"metadata":{{".zgroup":{{"zarr_format":2}},{}"a/.zarray":{array}}}}}"#, r#""a/.zarray":{},"#.repeat(90_000));
        world.put("same/.zmetadata", same);
        assert_eq!(world.look("same").unwrap().len(), 1);
    });
}

/// A sidecar of a million nested elements, one of a million entities, and entities that stand for each other.
#[test]
fn sidecars_of_xml() {
    within("sidecars", GUARD, || {
        let scratch = Scratch::new();
        let session = World::with(|o| o.sidecars = Sidecars::Local).session;
        scratch.write("i.tif", of_tags(false, &[5; 256], &one_tile(&[])));
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]>\
                    <PAMDataset><Metadata><MDI key=\"k\">&c;&c;</MDI></Metadata></PAMDataset>";
        let file = "<!DOCTYPE x [<!ENTITY f SYSTEM \"file:///etc/passwd\">]><PAMDataset><Metadata><MDI key=\"k\">&f;</MDI></Metadata></PAMDataset>";
        let texts = [
            "<Metadata>".repeat(1_000_000),
            format!("<PAMDataset>{}</PAMDataset>", "<MDI key=\"a\">b</MDI>".repeat(200_000)),
            "&amp;".repeat(1_000_000),
            "&".repeat(1_000_000),
            "<a b=\"".repeat(200_000),
            "<!--".repeat(200_000),
            "<![CDATA[".repeat(200_000),
            format!("<PAMDataset {}>", "a=\"b\" ".repeat(200_000)),
            format!("<GCPList>{}</GCPList>", "<GCP Pixel=\"1\" Line=\"1\" X=\"nan\" Y=\"1e400\"/>".repeat(100_000)),
            bomb.to_owned(),
            file.to_owned(),
        ];
        for text in texts {
            scratch.write("i.tif.aux.xml", &text);
            let looked = look(&session, scratch.path("i.tif").to_str().unwrap()).unwrap();
            assert!(looked[0].is_ok(), "the image is as good without it");
            let parsed = AuxiliaryMetadata::parse(&text);
            assert!(parsed.metadata.items.len() <= 1 << 16 && parsed.control_points.len() <= 1 << 16);
            let _ = GdalMetadata::parse(&text);
        }
        // Entities of a document's own are text.
        let kept = |xml: &str| AuxiliaryMetadata::parse(xml).metadata.get("k", None).unwrap().to_owned();
        assert_eq!((kept(bomb).as_str(), kept(file).as_str()), ("&c;&c;", "&f;"));
    });
}

/// Overviews of overviews of overviews: one file beside an image is looked for, and none beside that.
#[test]
fn overviews_of_overviews() {
    let scratch = Scratch::new();
    let session = World::with(|o| o.sidecars = Sidecars::Local).session;
    let image = of_tags(false, &[5; 256], &one_tile(&[]));
    let mut name = "i.tif".to_owned();
    for _ in 0..20 {
        scratch.write(&name, &image);
        name += ".ovr";
    }
    let cog = session.block_on(session.open_cog(scratch.path("i.tif").to_str().unwrap())).unwrap();
    assert!(cog.sidecars().len() <= 4 && cog.level_count() <= 2, "{:?}", cog.sidecars());
}

/// A mask of 2^31 x 2^31 pixels beside an image of 16 x 16, and one that is the image itself.
#[test]
fn masks_that_do_not_fit() {
    let world = World::new();
    let image = of_tags(false, &[5; 256], &one_tile(&[]));
    for mask in [
        one_tile(&[(254, 4, vec![4]), (256, 4, vec![1 << 31]), (257, 4, vec![1 << 31])]),
        one_tile(&[(254, 4, vec![4]), (256, 4, vec![1 << 31]), (257, 4, vec![1 << 31]), (322, 4, vec![1 << 31]), (323, 4, vec![1 << 31])]),
        one_tile(&[(254, 4, vec![4]), (322, 4, vec![1 << 16]), (323, 4, vec![1 << 16])]),
    ] {
        let second = of_tags(false, &[], &mask);
        let mut file = image.clone();
        file.resize(file.len().next_multiple_of(8), 0);
        // The link of the first directory is its last number; the offsets of the second are from its own beginning.
        let at = u32::try_from(file.len()).unwrap();
        let link = image.len() - 4;
        file[link..link + 4].copy_from_slice(&at.to_le_bytes());
        file.extend(&second[8..]);
        world.put("i.tif", file);
        let masked = world.session.block_on(async {
            let level = world.session.open_cog(&world.url("i.tif")).await?.level(0)?;
            level.read_masked::<u8, ndarray::Ix3>(..).await
        });
        // The mask is of another image, or it cannot be read: of that much, at least, the reader is told.
        if let Ok(masked) = masked {
            assert_eq!((masked.data.len(), masked.valid.len()), (256, 256));
        }
        world.session.block_on(world.session.forget(&world.url("i.tif"))).unwrap();
    }
    // A directory whose link is itself is an image once.
    let mut circle = image.clone();
    let link = circle.len() - 4;
    let own = circle[4..8].to_vec();
    circle[link..].copy_from_slice(&own);
    world.put("i.tif", circle);
    assert_eq!(world.look("i.tif").unwrap().iter().filter(|r| r.is_ok()).count(), 2, "the level and its directory");
}

/// Tiles that all name the same bytes, of which each says that it is 1 GiB.
#[test]
fn tiles_that_all_name_one_range() {
    within("tiles", GUARD, || {
        let world = World::new();
        let count = 200 * 200;
        let tags = one_tile(&[
            (256, 4, vec![16 * 200]),
            (257, 4, vec![16 * 200]),
            (259, 3, vec![8]),
            (324, 4, vec![8; count]),
            (325, 4, vec![1 << 30; count]),
        ]);
        world.put("i.tif", of_tags(false, &[0; 512], &tags));
        let level = world.session.block_on(async { world.session.open_cog(&world.url("i.tif")).await?.level(0) }).unwrap();
        let plan = world.session.block_on(level.plan(..)).unwrap();
        assert!(plan.to_string().len() < 10_000);
        // Of each no more is asked for than its codec can need, and what is there is no stream.
        assert!(world.session.block_on(level.read_dyn(..)).is_err());
    });
}

#[test]
fn transformers_and_codecs_without_end() {
    within("codecs", GUARD, || {
        let world = World::new();
        let many = |one: &str, n: usize| format!("[{}]", vec![one; n].join(","));
        let named = r#"{"name":"gzip","configuration":{"level":1}}"#;
        for (what, document) in [
            ("storage transformers", v3(&[("storage_transformers", &many(r#"{"name":"t"}"#, 100_000))])),
            ("codecs", v3(&[("codecs", &many(named, 100_000))])),
            (
                "codecs of an index",
                v3(&[(
                    "codecs",
                    &format!(
                        r#"[{{"name":"sharding_indexed","configuration":{{"chunk_shape":[4],"codecs":[{{"name":"bytes"}}],"index_codecs":{}}}}}]"#,
                        many(named, 100_000)
                    ),
                )]),
            ),
        ] {
            world.put("a/zarr.json", document);
            let error = error(world.first("a"));
            assert!(matches!(error.kind(), ErrorKind::Limit { .. } | ErrorKind::Unsupported(_) | ErrorKind::Malformed(_)), "{what}: {error}");
            world.session.block_on(world.session.forget(&world.url("a"))).unwrap();
        }
        world.put("b/.zarray", v2(&[("filters", &many(r#"{"id":"zlib"}"#, 100_000))]));
        assert!(matches!(error(world.first("b")).kind(), ErrorKind::Limit { .. }));
    });
}

/// Chains that are as long as is allowed, of codecs that each make much of little.
#[test]
fn compression_inside_of_compression() {
    use crate::common::pack;
    within("nested compression", GUARD, || {
        let world = World::new();
        let depth = 16;
        let mut stored = vec![0; 32 << 20];
        for _ in 0..depth {
            stored = pack::gzip(&stored);
        }
        let codecs = format!(r#"[{{"name":"bytes"}}{}]"#, r#",{"name":"gzip","configuration":{"level":1}}"#.repeat(depth));
        world.put("a/zarr.json", v3(&[("codecs", &codecs)]));
        world.put("a/c/0", stored);
        let error = error(world.first("a"));
        assert!(error.is_damage() || matches!(error.kind(), ErrorKind::Limit { .. }), "{error}");
    });
}

/// A chunk of this codec and these bytes, which claims to be 4 bytes.
fn chunk_of(world: &World, compressor: &str, bytes: Vec<u8>) -> Result<DynArray> {
    world.put("z/.zarray", v2(&[("compressor", compressor)]));
    world.put("z/0", bytes);
    let read = world.first("z");
    world.session.block_on(world.session.forget(&world.url("z"))).unwrap();
    read
}

#[test]
fn members_and_frames_without_end() {
    use crate::common::pack;
    within("members and frames", GUARD, || {
        let world = World::new();
        // A million members of nothing, then the chunk.
        let empty = pack::gzip(&[]);
        let good = pack::gzip(&[1, 2, 3, 4]);
        let members = [empty.repeat(1_000_000), good].concat();
        let read = chunk_of(&world, r#"{"id":"gzip","level":1}"#, members);
        assert!(read.map_or(true, |array| array.as_slice::<u8>().unwrap() == [1]));

        // Skippable frames: one that says that it is 4 GiB, and a million of nothing.
        let skipped = |length: u32| [0x184D_2A50_u32.to_le_bytes(), length.to_le_bytes()].concat();
        let frame = pack::zstd(&[1, 2, 3, 4]);
        let zstd = r#"{"id":"zstd","level":1}"#;
        assert!(chunk_of(&world, zstd, [skipped(u32::MAX), frame.clone()].concat()).is_err());
        let _ = chunk_of(&world, zstd, [skipped(0).repeat(1_000_000), frame.clone()].concat());
        assert!(chunk_of(&world, zstd, [frame.clone(), frame.repeat(100_000)].concat()).is_err(), "more than the chunk");

        // A frame whose window is the largest there is.
        let window = [&[0x28, 0xB5, 0x2F, 0xFD, 0x00, 0xFF][..], &[0x21, 0, 0], &[1, 2, 3, 4]].concat();
        let _ = chunk_of(&world, zstd, window);

        // LZ4 that says that it is 4 GiB, or less than nothing.
        for length in [u32::MAX, i32::MAX as u32, 1 << 31, 0] {
            assert!(chunk_of(&world, r#"{"id":"lz4"}"#, [length.to_le_bytes().to_vec(), vec![0x10, 1]].concat()).is_err());
        }
    });
}

/// Headers of Blosc: as many blocks as bytes, tables that lie over the header, sizes that do not fit each other.
#[cfg(feature = "blosc")]
#[test]
fn blocks_of_a_byte() {
    within("blosc", GUARD, || {
        let world = World::new();
        let blosc = r#"{"id":"blosc","cname":"lz4","clevel":1,"shuffle":0,"blocksize":0}"#;
        for flags in [0x00, 0x01, 0x02, 0x04, 0x10, 0x20, 0x33, 0xff] {
            for size in [0, 1, 4, 5, i32::MAX as u32, 1 << 31, u32::MAX] {
                for block in [0, 1, 2, 4, i32::MAX as u32, u32::MAX] {
                    for stored in [0, 15, 16, 20, 400, u32::MAX] {
                        let header = [&[2, 1, flags, 1][..], &u32::to_le_bytes(size), &u32::to_le_bytes(block), &u32::to_le_bytes(stored)].concat();
                        for table in [0_u32, 16, u32::MAX] {
                            let bytes = [header.clone(), table.to_le_bytes().repeat(96)].concat();
                            // A chunk of 4 bytes, or none: what was told is never more than that.
                            let _ = chunk_of(&world, blosc, bytes);
                        }
                    }
                }
            }
        }
    });
}

#[test]
fn a_shard_that_names_itself() {
    let world = World::new();
    let index = |offset: u64, length: u64| [offset.to_le_bytes(), length.to_le_bytes()].concat();
    let document = |inner: &str| {
        let codecs = format!(
            r#"[{{"name":"sharding_indexed","configuration":{{"chunk_shape":[2],"codecs":{inner},"index_codecs":[{{"name":"bytes","configuration":{{"endian":"little"}}}}]}}}}]"#
        );
        v3(&[("codecs", &codecs)])
    };
    let sharded = r#"[{"name":"sharding_indexed","configuration":{"chunk_shape":[1],"codecs":[{"name":"bytes"}],"index_codecs":[{"name":"bytes","configuration":{"endian":"little"}}]}}]"#;
    for inner in [r#"[{"name":"bytes"}]"#, sharded] {
        for (offset, length) in
            [(0, 32), (0, 16), (16, 16), (0, u64::MAX), (u64::MAX, 0), (u64::MAX - 1, 1), (1 << 63, 1 << 63), (32, 0), (31, 2), (0, 1 << 40)]
        {
            world.put("s/zarr.json", document(inner));
            world.put("s/c/0", [index(offset, length), index(offset, length)].concat());
            let read = world.first("s");
            if let Ok(array) = read {
                assert_eq!(array.shape(), [1]);
                // Inside of the shard there is nothing but its index.
                assert!(offset.checked_add(length).is_some_and(|end| end <= 32), "{offset} {length}");
            }
            world.session.block_on(world.session.forget(&world.url("s"))).unwrap();
        }
    }
}

/// Members of an archive that lie over each other, over the directory, or outside; directories that claim more than there is.
#[test]
fn archives_that_lie() {
    within("archives", GUARD, || {
        let world = World::new();
        let document = v3(&[]);
        let n16 = |n: usize| u16::try_from(n).unwrap().to_le_bytes();
        let local = [b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0".as_slice(), &[0; 8], &n16(9), &[0, 0], b"zarr.json"].concat();
        let archive = |at: u32, size: u32, count: u16, start: u32, copies: usize| {
            let entry = [
                b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0\0\0\0\0".as_slice(),
                &size.to_le_bytes(),
                &size.to_le_bytes(),
                &n16(9),
                &[0; 12],
                &at.to_le_bytes(),
                b"zarr.json",
            ]
            .concat();
            let body = [&local[..], document.as_bytes()].concat();
            let list = entry.repeat(copies);
            let start = if start == 0 { u32::try_from(body.len()).unwrap() } else { start };
            let end = [
                b"PK\x05\x06\0\0\0\0".as_slice(),
                &count.to_le_bytes(),
                &count.to_le_bytes(),
                &u32::try_from(list.len()).unwrap().to_le_bytes(),
                &start.to_le_bytes(),
                &[0, 0],
            ]
            .concat();
            [body, list, end].concat()
        };
        let size = u32::try_from(document.len()).unwrap();
        world.put("good.zip", archive(0, size, 1, 0, 1));
        assert_eq!(world.look("good.zip").unwrap().len(), 1);
        for (at, size, count, start, copies) in [
            (0, u32::MAX - 1, 1, 0, 1),
            (u32::MAX - 1, size, 1, 0, 1),
            (0, size, u16::MAX, 0, 1),
            (0, size, 1, u32::MAX - 1, 1),
            (1, size, 1, 0, 1),
            (0, 1 << 31, 1, 0, 1),
            (0, 0, 1, 0, 1),
        ] {
            world.put("bad.zip", archive(at, size, count, start, copies));
            let looked = world.look("bad.zip");
            assert!(looked.map_or(true, |found| found.iter().all(Result::is_err)), "{at} {size} {count} {start}");
            world.session.block_on(world.session.forget(&world.url("bad.zip"))).unwrap();
        }
        // One name 60,000 times.
        world.put("same.zip", archive(0, size, 60_000, 0, 60_000));
        let _ = world.look("same.zip");
    });
}

/// The objects of a hierarchy are of each other's kind: an image where a document is expected, a document where an image is.
#[test]
fn everything_in_the_place_of_everything() {
    within("kinds of objects", GUARD, || {
        let world = World::new();
        let image = of_tags(false, &[5; 256], &one_tile(&[]));
        let kinds: [Vec<u8>; 7] = [
            image,
            v3(&[]).into_bytes(),
            v2(&[]).into_bytes(),
            br#"{"zarr.json":"{}"}"#.to_vec(),
            [b"PK\x05\x06".as_slice(), &[0; 18]].concat(),
            vec![0; 1000],
            Vec::new(),
        ];
        for bytes in &kinds {
            for name in ["x", "x.tif", "x.zip", "x.json", "g/zarr.json", "g/.zarray", "g/.zgroup", "g/.zattrs", "g/.zmetadata", "g/c/0", "g/0"] {
                let world = World::new();
                world.put("g/zarr.json", v3(&[]));
                world.put(name, bytes.clone());
                for url in ["x", "x.tif", "x.zip", "x.json", "g", "g/zarr.json", "g/c/0", "g/c"] {
                    let _ = world.look(url);
                }
            }
        }
        drop(world);
    });
}

/// Names that are as long as a document can hold, and as many as there is room for.
#[test]
fn names_of_great_length() {
    within("names", GUARD, || {
        let world = World::new();
        let long = "n".repeat(10 << 20);
        for document in [
            v3(&[("dimension_names", &format!("[{}]", json(&long)))]),
            v3(&[("data_type", &json(&long))]),
            v3(&[("codecs", &format!(r#"[{{"name":{}}}]"#, json(&long)))]),
            v3(&[("attributes", &format!("{{{}:1}}", json(&long)))]),
            v3(&[(&long, "{}")]),
        ] {
            world.put("a/zarr.json", document);
            if let Err(error) = world.first("a") {
                assert!(error.to_string().len() < 10_000, "an error of {} bytes", error.to_string().len());
            }
            world.session.block_on(world.session.forget(&world.url("a"))).unwrap();
        }
        for path in [long.as_str(), &"a/".repeat(100_000), &".".repeat(5000)] {
            let group = world.session.block_on(world.session.open_zarr(&world.url("a"))).unwrap();
            let error = world.session.block_on(group.array(path)).unwrap_err();
            assert!(error.to_string().len() < 10_000, "an error of {} bytes", error.to_string().len());
        }
    });
}

/// Axes of time and space whose numbers are extreme: cells, steps, calendars.
#[test]
fn coordinates_at_their_ends() {
    within("coordinates", GUARD, || {
        let world = World::new();
        let units = [
            "days since 0001-01-01",
            "days since 9999999999-01-01",
            "seconds since 1970-13-45",
            "1e400 since x",
            "months since -1",
            "nanoseconds since 1970-01-01T99:99:99",
        ];
        for units in units {
            for calendar in ["standard", "noleap", "360_day", "x"] {
                let attributes = format!(r#"{{"units":{},"calendar":"{calendar}","scale_factor":1e308,"add_offset":1e308}}"#, json(units));
                world.put(
                    "t/zarr.json",
                    v3(&[
                        ("attributes", &attributes),
                        ("data_type", "\"float64\""),
                        ("fill_value", "1e308"),
                        ("codecs", r#"[{"name":"bytes","configuration":{"endian":"little"}}]"#),
                    ]),
                );
                let _ = world.look("t");
                world.session.block_on(async {
                    let group = world.session.open_zarr(&world.url("t")).await.unwrap();
                    if let Ok(Some(units)) = group.time_units("").await {
                        for steps in [f64::NAN, f64::INFINITY, f64::MAX, f64::MIN, -0.0, 1e18, -1e18, 9e15] {
                            let _ = units.date_time(steps);
                        }
                    }
                });
                world.session.block_on(world.session.forget(&world.url("t"))).unwrap();
            }
        }
        // Where the pixels are: numbers that are none, and boxes that reach over everything.
        let bits = |n: f64| n.to_bits();
        for scale in [0.0, f64::NAN, f64::INFINITY, 1e308, 5e-324, -1.0] {
            let tags = one_tile(&[(33550, 12, vec![bits(scale), bits(scale), 0]), (33922, 12, vec![0, 0, 0, bits(1e308), bits(-1e308), 0])]);
            world.put("i.tif", of_tags(false, &[5; 256], &tags));
            let cog = world.session.block_on(world.session.open_cog(&world.url("i.tif"))).unwrap();
            for n in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e308, -1e308, 0.0] {
                let _ = (cog.pixel(0, n, n), cog.coordinates(0, n, n), cog.level_for(n), cog.level_for_metres(n));
                for region in
                    [cog.region_of(0, [n, n, n, n]), cog.region_of(0, [-n, -n, n, n]), cog.region_of(0, [n, n, -n, -n])].into_iter().flatten()
                {
                    let inside = region.ranges()[1..].iter().all(|range| range.start <= range.end && range.end <= 16);
                    assert!(inside, "{scale} {n}: {region}");
                }
            }
            world.session.block_on(world.session.forget(&world.url("i.tif"))).unwrap();
        }
    });
}
