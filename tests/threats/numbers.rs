//! T7 and T20: numbers that are none, end nowhere, or do not fit. What is read is the number that was written, or there is an error:
//! never one that a conversion made of it.

use std::time::Duration;

use ndarray::Ix1;
use swath::format::reference::parse_references;
use swath::geo::{AuxiliaryMetadata, GdalMetadata, Nodata};
use swath::model::{DataType, Limits, Reference};
use swath::{Error, ErrorKind, Result};

use crate::common::tiff::of_tags;
use crate::common::watch::within;
use crate::{World, object, v2, v3};

/// What may stand in the place of a number of JSON.
const ODD: [&str; 22] = [
    "0",
    "-1",
    "1",
    "1.5",
    "1e2",
    "1E400",
    "1e-400",
    "-0",
    "NaN",
    "Infinity",
    "-Infinity",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "\"4\"",
    "null",
    "true",
    "[]",
    "{}",
];

/// Of the above: what is no count of elements.
const NO_COUNT: [&str; 13] = [
    "-1",
    "1.5",
    "1e2",
    "1E400",
    "NaN",
    "Infinity",
    "-Infinity",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "\"4\"",
    "true",
    "[]",
    "{}",
];

fn shards(inner: &str) -> String {
    format!(
        r#"[{{"name":"sharding_indexed","configuration":{{"chunk_shape":[{inner}],"codecs":[{{"name":"bytes"}}],"index_codecs":[{{"name":"bytes","configuration":{{"endian":"little"}}}}]}}}}]"#
    )
}

fn codec(name: &str, configuration: &str) -> String {
    format!(r#"[{{"name":"bytes"}},{{"name":"{name}","configuration":{configuration}}}]"#)
}

/// A number in each place of a document; whether it is one of elements.
fn places(n: &str) -> Vec<(bool, &'static str, String)> {
    let list = format!("[{n}]");
    let regular = |n: &str| format!(r#"{{"name":"regular","configuration":{{"chunk_shape":[{n}]}}}}"#);
    let rectilinear = |n: &str| format!(r#"{{"name":"rectilinear","configuration":{{"kind":"inline","chunk_shapes":{n}}}}}"#);
    let three = "zarr.json";
    let two = ".zarray";
    vec![
        (true, three, v3(&[("shape", &list)])),
        (true, three, v3(&[("chunk_grid", &regular(n))])),
        (true, three, v3(&[("codecs", &shards(n))])),
        (true, two, v2(&[("shape", &list)])),
        (true, two, v2(&[("chunks", &list)])),
        (false, three, v3(&[("chunk_grid", &rectilinear(&format!("[[{n}]]")))])),
        (false, three, v3(&[("chunk_grid", &rectilinear(&format!("[[[{n},4]]]")))])),
        (false, three, v3(&[("chunk_grid", &rectilinear(&format!("[[[1,{n}]]]")))])),
        (false, three, v3(&[("zarr_format", n)])),
        (false, three, v3(&[("dimension_names", &list)])),
        (false, three, v3(&[("codecs", &codec("gzip", &format!(r#"{{"level":{n}}}"#)))])),
        (false, three, v3(&[("codecs", &codec("zstd", &format!(r#"{{"level":{n},"checksum":{n}}}"#)))])),
        (
            false,
            three,
            v3(&[("codecs", &codec("blosc", &format!(r#"{{"cname":"lz4","clevel":{n},"shuffle":"shuffle","typesize":{n},"blocksize":{n}}}"#)))]),
        ),
        (false, three, v3(&[("codecs", &format!(r#"[{{"name":"transpose","configuration":{{"order":[{n}]}}}},{{"name":"bytes"}}]"#))])),
        (false, two, v2(&[("zarr_format", n)])),
        (false, two, v2(&[("compressor", &format!(r#"{{"id":"lzma","format":{n},"check":{n},"preset":{n},"filters":[{{"id":{n},"dist":{n}}}]}}"#))])),
        (false, two, v2(&[("filters", &format!(r#"[{{"id":"shuffle","elementsize":{n}}}]"#))])),
        (false, two, v2(&[("filters", &format!(r#"[{{"id":"delta","dtype":"|u1","astype":{n}}}]"#))])),
        (false, two, v2(&[("filters", &format!(r#"[{{"id":"fixedscaleoffset","scale":{n},"offset":{n},"dtype":"|u1","astype":"|u1"}}]"#))])),
        (false, two, v2(&[("filters", &format!(r#"[{{"id":"quantize","digits":{n},"dtype":"<f4","astype":"<f4"}}]"#))])),
        (false, two, v2(&[("compressor", &format!(r#"{{"id":"blosc","cname":"lz4","clevel":{n},"shuffle":{n},"blocksize":{n}}}"#))])),
    ]
}

#[test]
fn odd_numbers_in_every_place_of_a_document() {
    within("odd numbers", Duration::from_secs(300), || {
        let world = World::new();
        for n in ODD {
            for (of_elements, document, text) in places(n) {
                // A chunk that is stored, so that codecs run.
                for chunk in [Some(vec![0_u8; 4]), Some(vec![0xff; 300])] {
                    let name = format!("a/{document}");
                    world.put(&name, text.clone());
                    for key in ["a/c/0", "a/0"] {
                        match &chunk {
                            Some(bytes) => world.put(key, bytes.clone()),
                            None => remove(&world, key),
                        }
                    }
                    let looked = world.look("a");
                    if of_elements && NO_COUNT.contains(&n) {
                        let refused = looked.as_ref().map_or(true, |found| found.iter().all(Result::is_err));
                        assert!(refused, "{n} was taken for a count of elements: {text}");
                    }
                    remove(&world, &name);
                    world.session.block_on(world.session.forget(&world.url("a"))).unwrap();
                }
            }
        }
    });
}

fn remove(world: &World, name: &str) {
    use object_store::ObjectStoreExt;
    let _ = world.session.block_on(async { world.store.delete(&name.into()).await });
}

/// The bits of the first element of an array of a type whose fill value is this text.
fn filled(data_type: &str, fill: &str) -> Result<u64> {
    let world = World::new();
    let codecs = r#"[{"name":"bytes","configuration":{"endian":"little"}}]"#;
    world.put("a/zarr.json", v3(&[("data_type", &format!("\"{data_type}\"")), ("fill_value", fill), ("codecs", codecs)]));
    let element = world.first("a")?;
    let bytes = element.bytes().unwrap();
    // To 64 bits, by the sign where there is one.
    let negative = data_type.starts_with("int") && bytes[if cfg!(target_endian = "big") { 0 } else { bytes.len() - 1 }] >= 0x80;
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    let at = if cfg!(target_endian = "big") { 8 - bytes.len() } else { 0 };
    wide[at..at + bytes.len()].copy_from_slice(bytes);
    Ok(u64::from_ne_bytes(wide))
}

#[test]
fn fill_values_are_what_was_written() {
    let integers: [(&str, i128, i128); 8] = [
        ("uint8", 0, u8::MAX as i128),
        ("int8", i8::MIN as i128, i8::MAX as i128),
        ("uint16", 0, u16::MAX as i128),
        ("int16", i16::MIN as i128, i16::MAX as i128),
        ("uint32", 0, u32::MAX as i128),
        ("int32", i32::MIN as i128, i32::MAX as i128),
        ("uint64", 0, u64::MAX as i128),
        ("int64", i64::MIN as i128, i64::MAX as i128),
    ];
    for (data_type, least, most) in integers {
        for (value, fits) in [(least, true), (least - 1, false), (most, true), (most + 1, false), (0, true), (100, true), (i128::MAX, false)] {
            match filled(data_type, &value.to_string()) {
                Ok(bits) => assert!(fits && i128::from(bits) == value & 0xffff_ffff_ffff_ffff, "{data_type} {value}: {bits:x}"),
                Err(error) => assert!(!fits && matches!(error.kind(), ErrorKind::Malformed(_)), "{data_type} {value}: {error}"),
            }
        }
        // Whole numbers, however they are written.
        for text in ["1e2", "100.0", "1.00E+2"] {
            assert_eq!(filled(data_type, text).unwrap(), 100, "{data_type} {text}");
        }
        for text in [
            "1.5",
            "NaN",
            "Infinity",
            "-Infinity",
            "1e400",
            "-1e400",
            "1e30",
            "[]",
            "{}",
            "[1]",
            "\"x\"",
            "\"1.5\"",
            "\"1e400\"",
            "\"NaN\"",
            "1e-400x",
        ] {
            assert!(filled(data_type, text).is_err(), "{data_type} {text}");
        }
    }
    let doubles: [(&str, Option<f64>); 14] = [
        ("0.1", Some(0.1)),
        ("-0.0", Some(-0.0)),
        ("1.7976931348623157e308", Some(f64::MAX)),
        ("5e-324", Some(5e-324)),
        ("\"NaN\"", Some(f64::NAN)),
        ("NaN", Some(f64::NAN)),
        ("Infinity", Some(f64::INFINITY)),
        ("\"-Infinity\"", Some(f64::NEG_INFINITY)),
        ("\"0x7ff8000000000001\"", Some(f64::from_bits(0x7ff8_0000_0000_0001))),
        ("1e400", None),
        ("\"1e400\"", None),
        ("\"0x7ff80000000000011\"", None),
        ("\"0x\"", None),
        ("[1,2]", None),
    ];
    for (text, expected) in doubles {
        match (filled("float64", text), expected) {
            (Ok(bits), Some(value)) => assert_eq!(bits, value.to_bits(), "{text}"),
            (Err(_), None) => {}
            (result, _) => panic!("{text}: {result:?}"),
        }
    }
    // What single precision does not hold is rounded, as the specification has it, by IEEE's rule.
    assert_eq!(filled("float32", "0.1").unwrap(), u64::from(0.1_f32.to_bits()));
    assert_eq!(filled("float32", "-1.7976931348623157e308").unwrap(), u64::from(f32::NEG_INFINITY.to_bits()));
}

#[test]
fn attributes_that_scale() {
    let world = World::new();
    let expected = |attribute: &str, name: &str| -> Vec<f64> {
        let n = match name.trim_matches('"') {
            "2" => 2.0,
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            _ => return vec![1.0, 2.0, 3.0, 4.0],
        };
        let quantity = |stored: f64| match attribute {
            "scale_factor" => stored * n,
            "add_offset" => stored + n,
            "_FillValue" | "missing_value" if stored == n => f64::NAN,
            _ => stored,
        };
        [1.0, 2.0, 3.0, 4.0].map(quantity).to_vec()
    };
    for name in ["1e400", "NaN", "Infinity", "\"x\"", "{}", "true", "2", "null", "\"NaN\"", "\"Infinity\""] {
        for attribute in ["scale_factor", "add_offset", "_FillValue", "missing_value", "valid_min", "valid_range"] {
            let attributes = format!(r#"{{"{attribute}":{name}}}"#);
            world.put("a/zarr.json", v3(&[("attributes", &attributes)]));
            world.put("a/c/0", [1, 2, 3, 4]);
            let scaled = world.session.block_on(async {
                let group = world.session.open_zarr(&world.url("a")).await?;
                let _ = (group.packing("").await, group.time_units("").await);
                group.array("").await?.read_scaled::<f64, Ix1>(..).await
            });
            let same = |a: &f64, b: &f64| a == b || a.is_nan() && b.is_nan();
            let is_right = scaled.as_ref().is_ok_and(|s| s.iter().zip(&expected(attribute, name)).all(|(a, b)| same(a, b)));
            // Numbers that JSON lacks are taken, as Zarr's names of them and as Python writes them.
            let is_number = ["2", "null", "NaN", "Infinity"].contains(&name.trim_matches('"')) && (attribute != "valid_range" || name == "null");
            assert!(if is_number { is_right } else { scaled.is_err() }, "{attributes}: {scaled:?}");
            world.session.block_on(world.session.forget(&world.url("a"))).unwrap();
        }
    }
}

#[test]
fn ranges_of_references() {
    let parse = |offset: &str, length: &str| {
        let text = format!(r#"{{"x/0":["a",{offset},{length}]}}"#);
        parse_references(text.as_bytes(), "https://h.net/r.json", &Limits::default(), &|_| false)
    };
    for n in ODD {
        for (offset, length) in [(n, "4"), ("4", n), (n, n)] {
            let exact = |text: &str| text.parse::<u64>().ok();
            match parse(offset, length) {
                Ok(map) => match &map["x/0"] {
                    Reference::Range(span) => assert_eq!((Some(span.start), Some(span.length)), (exact(offset), exact(length)), "{offset} {length}"),
                    Reference::Whole(_) => assert_eq!((offset, length), ("null", "null")),
                    other => panic!("{other:?}"),
                },
                Err(error) => {
                    let fits = exact(offset).zip(exact(length)).is_some_and(|(a, b)| a.checked_add(b).is_some());
                    assert!(!fits && matches!(error.kind(), ErrorKind::Malformed(_)), "{offset} {length}: {error}");
                }
            }
        }
    }
    // Where tables stand, and how many rows they have.
    let world = World::new();
    for n in ODD {
        let array = v2(&[]);
        world.put("p/.zmetadata", format!(r#"{{"metadata":{{".zgroup":{{"zarr_format":2}},"x/.zarray":{array}}},"record_size":{n}}}"#));
        let _ = world.look("p");
        world.session.block_on(world.session.forget(&world.url("p"))).unwrap();
    }
}

#[test]
fn texts_of_gdal() {
    let transform = |text: &str| AuxiliaryMetadata::parse(&format!("<PAMDataset><GeoTransform>{text}</GeoTransform></PAMDataset>")).transform;
    assert_eq!(transform("1, 2, 0, 3, 0, -2").unwrap().coefficients(), [1.0, 2.0, 0.0, 3.0, 0.0, -2.0]);
    for bad in ["1,2,0,3,0", "1,2,0,3,0,-2,9", "1,2,0,x,3,0,-2", "1,nan,0,3,0,-2", "1,inf,0,3,0,-2", "1,1e400,0,3,0,-2", "", ",,,,,"] {
        assert!(transform(bad).is_none(), "{bad}");
    }
    let scale = |text: &str| {
        let xml = format!(r#"<GDALMetadata><Item name="SCALE" sample="0" role="scale">{text}</Item></GDALMetadata>"#);
        let metadata = GdalMetadata::parse(&xml);
        (metadata.scale(0), metadata.lines(1).first().map(|line| line.scale))
    };
    assert_eq!(scale("0.01"), (Some(0.01), Some(0.01)));
    for bad in ["x", "", "0x10", "1,5"] {
        assert_eq!(scale(bad), (None, None), "{bad}");
    }
    // What is no quantity is no scale; a number that no double holds is none either.
    for bad in ["nan", "inf", "-inf", "1e400", "infinity"] {
        assert_eq!(scale(bad), (None, None), "{bad}");
    }
    for sample in ["-1", "4294967296", "1e2", "x", "18446744073709551616"] {
        let xml = format!(r#"<GDALMetadata><Item name="SCALE" sample="{sample}" role="scale">2</Item></GDALMetadata>"#);
        assert!(GdalMetadata::parse(&xml).lines(3).is_empty(), "{sample}");
    }
    // No element of a type is a value that the type does not hold.
    for (text, data_type, held) in [
        ("256", DataType::U8, false),
        ("-1", DataType::U8, false),
        ("1.5", DataType::U8, false),
        ("nan", DataType::I16, false),
        ("1e400", DataType::I64, false),
        ("18446744073709551615", DataType::U64, true),
        ("18446744073709551616", DataType::U64, false),
        ("1e300", DataType::F32, false),
        ("nan", DataType::F32, true),
        ("340282366920938463463374607431768211456", DataType::U64, false),
    ] {
        let found = Nodata::parse(text).and_then(|n| n.fill_value(&data_type));
        assert_eq!(found.is_some(), held, "{text} as {data_type}");
    }
}

/// No axes is a number; more than are allowed are an error, and so are as many as there is room for in a document.
#[test]
fn ranks() {
    let world = World::new();
    for rank in [0, 1, 32, 33, 65, 100_000] {
        let ones = format!("[{}]", vec!["1"; rank].join(","));
        let grid = format!(r#"{{"name":"regular","configuration":{{"chunk_shape":{ones}}}}}"#);
        world.put("three/zarr.json", v3(&[("shape", &ones), ("chunk_grid", &grid)]));
        world.put("two/.zarray", v2(&[("shape", &ones), ("chunks", &ones)]));
        for name in ["three", "two"] {
            match world.first(name) {
                Ok(array) => assert!(rank <= 32 && array.shape().len() == rank, "{name} {rank}"),
                Err(error) => assert!(
                    rank > 32 && matches!(error.kind(), ErrorKind::Limit { what: "max_rank", .. } | ErrorKind::Limit { .. }),
                    "{name} {rank}: {error}"
                ),
            }
            world.session.block_on(world.session.forget(&world.url(name))).unwrap();
        }
    }
    let unknown: Error = world.look("nowhere").unwrap_err();
    assert!(unknown.is_not_found());
    assert_eq!(object(&[("a", "1")], &[("a", "2")]), "{\"a\":2}", "a change replaces what was plain");
}

/// An image of 4 x 4 bytes in one tile or strip, with every tag that counts or measures something.
fn tags(strips: bool, big: bool) -> Vec<(u64, u64, Vec<u64>)> {
    let data = if big { 16 } else { 8 };
    let mut tags = vec![
        (254, 4, vec![0]),
        (256, 4, vec![16]),
        (257, 4, vec![16]),
        (258, 3, vec![8]),
        (259, 3, vec![1]),
        (262, 3, vec![1]),
        (266, 3, vec![1]),
        (277, 3, vec![1]),
        (284, 3, vec![1]),
        (317, 3, vec![1]),
        (320, 3, vec![0; 768]),
        (338, 3, vec![]),
        (339, 3, vec![1]),
        (340, 3, vec![0]),
        (341, 3, vec![255]),
        (347, 7, vec![0xff, 0xd8, 0xff, 0xd9]),
        (512, 3, vec![1]),
        (513, 4, vec![8]),
        (514, 4, vec![100]),
        (530, 3, vec![2, 2]),
        (531, 3, vec![1]),
        (532, 4, vec![0, 0, 255, 0, 128, 0]),
        (33550, 12, vec![0, 0, 0]),
        (33922, 12, vec![0, 0, 0, 0, 0, 0]),
        (34735, 3, vec![1, 1, 0, 1, 1024, 0, 1, 2]),
        (42113, 2, vec![48, 0]),
        (50674, 4, vec![4, 1]),
    ];
    if strips {
        tags.extend([(273, 4, vec![data]), (278, 4, vec![16]), (279, 4, vec![256])]);
    } else {
        tags.extend([(322, 4, vec![16]), (323, 4, vec![16]), (324, 4, vec![data]), (325, 4, vec![256])]);
    }
    tags.sort();
    tags
}

/// Every count, size and offset of a TIFF, at the ends of its type and of other types; also the number of values of each tag.
#[test]
fn every_tag_at_its_ends() {
    within("tags", Duration::from_secs(300), || {
        let world = World::with(|o| o.limits.max_chunk_bytes = 64 << 20);
        let data = vec![7_u8; 256];
        let (mut answers, mut errors) = (0, 0);
        for (strips, big) in [(false, false), (true, false), (false, true), (true, true)] {
            let plain = tags(strips, big);
            // Compressions whose parameters are tags: none, CCITT, LZW, old JPEG, JPEG, deflate, LERC.
            for compression in [1, 3, 5, 6, 7, 8, 34887] {
                for at in 0..plain.len() {
                    for (kind, value) in [
                        (None, vec![0]),
                        (None, vec![1]),
                        (None, vec![u64::MAX]),
                        (None, vec![]),
                        (None, vec![0; 9]),
                        (Some(3), vec![0x7fff, 0x8000]),
                        (Some(4), vec![0x8000_0000]),
                        (Some(16), vec![1 << 63]),
                        (Some(16), vec![u64::MAX, u64::MAX]),
                        (Some(12), vec![f64::NAN.to_bits(), f64::INFINITY.to_bits(), f64::NEG_INFINITY.to_bits()]),
                        (Some(5), vec![1 << 32, 0]),
                    ] {
                        let mut changed = plain.clone();
                        changed.iter_mut().filter(|t| t.0 == 259).for_each(|t| t.2 = vec![compression]);
                        changed[at].1 = kind.unwrap_or(changed[at].1);
                        changed[at].2.clone_from(&value);
                        let tag = changed[at].0;
                        world.put("t.tif", of_tags(big, &data, &changed));
                        let looked = world.look("t.tif");
                        let first = looked.and_then(|found| found.into_iter().next().unwrap_or_else(|| Err(Error::malformed("nothing"))));
                        let must_fail = matches!(tag, 256 | 257 | 322 | 323) && matches!(value[..], [0]);
                        match first {
                            Ok(array) => {
                                assert!(!must_fail || array.shape().contains(&0), "tag {tag} of 0");
                                answers += 1;
                            }
                            Err(error) => {
                                let lost = matches!(error.kind(), ErrorKind::Storage(_) | ErrorKind::NotFound);
                                assert!(!lost, "tag {tag}, {value:x?}: {error}");
                                errors += 1;
                            }
                        }
                        world.session.block_on(world.session.forget(&world.url("t.tif"))).unwrap();
                    }
                }
            }
        }
        assert!(answers > 500 && errors > 500, "{answers} {errors}");
    });
}
