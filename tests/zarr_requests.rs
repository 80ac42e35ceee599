//! Which requests Zarr takes: counted by the server, which answers late, told by the plan.

#[path = "../benches/common/mod.rs"]
mod common;
mod support;

use std::collections::HashMap;
use std::time::Duration;

use common::zarr;
use ndarray::Ix2;
use serde_json::{Value, json};
use support::server::{Fault, Seen, Server};
use swath::{Cost, Session, SessionOptions};

const LATENCY: Duration = Duration::from_millis(60);
const VARIABLES: usize = 30;
/// Lengths of time, y and x.
const SHAPE: [usize; 3] = [6, 40, 50];
const NAMES: [&str; 3] = ["time", "y", "x"];

fn session(change: impl FnOnce(&mut SessionOptions)) -> Session {
    let mut options = SessionOptions::default();
    options.network.cost = Cost::TYPICAL; // numbers of requests are the same on any machine
    options.threads = 2;
    options.cache_stored = false;
    options.cache_decoded = false;
    change(&mut options);
    Session::with_options(options).unwrap()
}

fn serve(objects: zarr::Objects) -> (Server, HashMap<String, u64>) {
    let server = Server::start();
    let sizes = objects.iter().map(|(key, bytes)| (format!("/cube.zarr/{key}"), bytes.len() as u64)).collect();
    objects.into_iter().for_each(|(key, bytes)| server.put(&format!("/cube.zarr/{key}"), bytes));
    server.set_latency(LATENCY);
    (server, sizes)
}

fn paths(seen: &[Seen]) -> Vec<String> {
    let mut paths: Vec<String> = seen.iter().map(|s| s.path.trim_start_matches("/cube.zarr/").to_owned()).collect();
    paths.sort();
    paths
}

fn v2_array(shape: &[usize], chunks: &[usize], data_type: &str) -> Value {
    json!({"zarr_format": 2, "shape": shape, "chunks": chunks, "dtype": data_type, "compressor": null, "fill_value": null, "order": "C", "filters": null})
}

fn v3_array(shape: &[usize], chunks: &[usize], data_type: &str, names: &[&str], attributes: &Value) -> Value {
    json!({
        "zarr_format": 3, "node_type": "array", "shape": shape, "data_type": data_type, "fill_value": 0, "attributes": attributes,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunks}}, "dimension_names": names,
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
    })
}

/// Attributes of the coordinates and of a variable, as xarray writes them.
fn attributes(name: &str) -> Value {
    match name {
        "time" => json!({"units": "days since 2001-01-01", "calendar": "noleap"}),
        "y" => json!({"standard_name": "projection_y_coordinate", "units": "m"}),
        "x" => json!({"standard_name": "projection_x_coordinate", "units": "m"}),
        _ => json!({"scale_factor": 0.5, "_FillValue": 9, "grid_mapping": "crs"}),
    }
}

/// A cube of 30 variables of `u16` in chunks of 1 x 20 x 25, and three coordinates of `f8`.
fn cube(version: u8) -> zarr::Objects {
    let mut documents = serde_json::Map::new();
    let mut objects = zarr::Objects::new();
    let mut add = |name: &str, shape: &[usize], chunks: &[usize], types: [&str; 2], names: &[&str]| {
        let mut attributes = attributes(name);
        if version == 2 {
            attributes["_ARRAY_DIMENSIONS"] = json!(names);
            documents.insert(format!("{name}/.zarray"), v2_array(shape, chunks, types[0]));
            documents.insert(format!("{name}/.zattrs"), attributes);
        } else {
            documents.insert(name.to_owned(), v3_array(shape, chunks, types[1], names, &attributes));
        }
    };
    for (name, length) in NAMES.into_iter().zip(SHAPE) {
        add(name, &[length], &[length], ["<f8", "float64"], &[name]);
        let key = if version == 2 { format!("{name}/0") } else { format!("{name}/c/0") };
        let value = |n: usize| if name == "y" { 5000.0 - 10.0 * n as f64 } else { 100.0 + 10.0 * n as f64 };
        objects.push((key, (0..length).flat_map(|n| value(n).to_le_bytes()).collect()));
    }
    for n in 0..VARIABLES {
        let name = format!("v{n:02}");
        add(&name, &SHAPE, &[1, 20, 25], ["<u2", "uint16"], &NAMES);
        for chunk in 0..SHAPE[0] * 4 {
            let (t, y, x) = (chunk / 4, chunk / 2 % 2, chunk % 2);
            let key = if version == 2 { format!("{name}/{t}.{y}.{x}") } else { format!("{name}/c/{t}/{y}/{x}") };
            objects.push((key, (0..500_u16).flat_map(|n| n.to_le_bytes()).collect()));
        }
    }
    let mapping = json!({"grid_mapping_name": "transverse_mercator", "crs_wkt": "PROJCRS[\"WGS 84 / UTM zone 31N\",ID[\"EPSG\",32631]]"});
    let document = if version == 2 {
        documents.insert("crs/.zarray".into(), v2_array(&[], &[], "<i4"));
        documents.insert("crs/.zattrs".into(), mapping);
        documents.insert(".zgroup".into(), json!({"zarr_format": 2}));
        documents.insert(".zattrs".into(), json!({"title": "a cube"}));
        (".zmetadata", json!({"zarr_consolidated_format": 1, "metadata": documents}))
    } else {
        documents.insert("crs".into(), v3_array(&[], &[], "int32", &[], &mapping));
        let consolidated = json!({"kind": "inline", "must_understand": false, "metadata": documents});
        ("zarr.json", json!({"zarr_format": 3, "node_type": "group", "attributes": {"title": "a cube"}, "consolidated_metadata": consolidated}))
    };
    objects.push((document.0.to_owned(), document.1.to_string().into_bytes()));
    objects
}

/// Two round trips: the documents of both versions at once, then all coordinates at once.
#[test]
fn a_cube_opens_with_its_coordinates_in_two_waves() {
    for version in [2, 3] {
        let (server, _) = serve(cube(version));
        let session = session(|_| {});
        session.block_on(async {
            let group = session.open_zarr(&server.url("/cube.zarr")).await.unwrap();
            let opened = server.take_seen();
            assert_eq!(paths(&opened), [".zmetadata", "zarr.json"], "v{version}");
            let coordinates = group.coordinates().await.unwrap();
            let second = server.take_seen();
            let key = if version == 2 { "0" } else { "c/0" };
            assert_eq!(paths(&second), [format!("time/{key}"), format!("x/{key}"), format!("y/{key}")], "v{version}");
            assert!(opened.len() + second.len() <= 6, "v{version}");
            assert!(server.most_at_once() >= 3, "v{version}: coordinates are fetched at once");
            assert_eq!(coordinates.keys().collect::<Vec<_>>(), ["time", "x", "y"], "v{version}");
            assert_eq!(coordinates["x"].as_slice::<f64>().unwrap()[..2], [100.0, 110.0], "v{version}");

            let names: Vec<String> = group.children().await.unwrap().into_iter().map(|child| child.name).collect();
            assert_eq!(names.len(), VARIABLES + 4, "v{version}");
            assert_eq!(group.attributes("").unwrap().get("title"), Some("a cube".into()), "v{version}");
            assert_eq!(server.count(), 0, "v{version}: all nodes are at hand");
        });
    }
}

#[test]
fn a_slice_of_four_chunks_is_four_requests() {
    for version in [2, 3] {
        let (server, sizes) = serve(cube(version));
        let session = session(|_| {});
        session.block_on(async {
            let array = session.open_zarr(&server.url("/cube.zarr")).await.unwrap().array("v07").await.unwrap();
            server.take_seen();
            let plan = array.plan((2, .., ..)).await.unwrap();
            assert_eq!(server.count(), 0, "v{version}");
            let (_, stats) = array.read_dyn_with_stats((2, .., ..)).await.unwrap();
            let seen = server.take_seen();
            let key = |y: usize, x: usize| if version == 2 { format!("v07/2.{y}.{x}") } else { format!("v07/c/2/{y}/{x}") };
            assert_eq!(paths(&seen), [key(0, 0), key(0, 1), key(1, 0), key(1, 1)], "v{version}");
            assert_eq!((plan.requests.len(), stats.requests, plan.chunks), (4, 4, 4), "v{version}");
            let sent: u64 = seen.iter().map(|s| sizes[&s.path]).sum();
            assert_eq!((stats.bytes, plan.exact), (sent, false), "v{version}");
            assert!(plan.bytes_at_most >= sent && plan.bytes <= sent, "v{version}: {plan:?}");
        });
    }
}

/// Bytes are told exactly where the index of a shard holds their lengths, and bounded where only the object itself does.
#[test]
fn plans_bound_the_bytes() {
    let elements = common::terrain_u16(512);
    let array = |packing| zarr::Array { elements: elements.clone(), size: 512, chunk: 64, element: 2, packing };
    let stores = [
        ("none", array(zarr::Packing::None).write_v2(), false),
        ("zstd", array(zarr::Packing::Zstd).write_v3(), false),
        ("blosc", array(zarr::Packing::BloscZstd).write_v2(), false),
        ("sharded", array(zarr::Packing::Zstd).write_v3_sharded(4), true),
    ];
    for (name, objects, exact) in stores {
        let (server, _) = serve(objects);
        server.set_latency(Duration::ZERO);
        let session = session(|_| {});
        session.block_on(async {
            let array = session.open_zarr(&server.url("/cube.zarr")).await.unwrap().array("data").await.unwrap();
            for region in [(0..512, 0..512), (60..130, 200..300), (0..1, 0..1)] {
                let plan = array.plan(region.clone()).await.unwrap();
                server.take_seen();
                let (_, stats) = array.read_with_stats::<u16, Ix2>(region.clone()).await.unwrap();
                assert_eq!(server.count(), plan.requests.len(), "{name} {region:?}");
                assert_eq!(plan.exact, exact, "{name} {region:?}");
                if exact {
                    assert_eq!((plan.bytes, plan.bytes_at_most), (stats.bytes, stats.bytes), "{name} {region:?}");
                }
                assert!(plan.bytes <= stats.bytes && stats.bytes <= plan.bytes_at_most, "{name} {region:?}: {} {plan:?}", stats.bytes);
            }
        });
    }
}

/// Where the server serves no suffix range, the size is asked for once more.
#[test]
fn a_shard_of_a_server_without_suffix_ranges() {
    let array = zarr::Array { elements: common::terrain_u16(512), size: 512, chunk: 64, element: 2, packing: zarr::Packing::Zstd };
    let (server, _) = serve(array.write_v3_sharded(8));
    server.set_latency(Duration::ZERO);
    server.fault("/cube.zarr/data/c/0/0", Fault::NoSuffix(416));
    let session = session(|o| o.network.merge_gap = Some(0));
    session.block_on(async {
        let array = session.open_zarr(&server.url("/cube.zarr")).await.unwrap().array("data").await.unwrap();
        server.take_seen();
        // Neighbours in the shard: one range.
        array.read::<u16, Ix2>((0..64, 0..256)).await.unwrap();
        let seen = server.take_seen();
        let how: Vec<(&str, bool)> = seen.iter().map(|s| (s.method.as_str(), s.range.as_deref().is_some_and(|r| r.starts_with("bytes=-")))).collect();
        assert_eq!(how, [("GET", true), ("HEAD", false), ("GET", false), ("GET", false)], "{seen:?}");
        // The index is kept.
        array.read::<u16, Ix2>((64..128, 0..256)).await.unwrap();
        assert_eq!(server.take_seen().len(), 1);
    });
}

/// Conventions cost what they read, and no more.
#[test]
fn what_the_conventions_say_of_a_variable() {
    for version in [2, 3] {
        let (server, _) = serve(cube(version));
        let session = session(|_| {});
        session.block_on(async {
            let group = session.open_zarr(&server.url("/cube.zarr")).await.unwrap();
            server.take_seen();
            let packing = group.packing("v03").await.unwrap();
            assert_eq!((packing.unpack(9.0), packing.unpack(8.0)), (None, Some(4.0)), "v{version}");
            let time = group.time_units("time").await.unwrap().unwrap();
            assert_eq!(time.date_time(1154.0).unwrap().to_string(), "2004-03-01T00:00:00", "v{version}: no leap day");
            assert_eq!(group.time_units("x").await.unwrap(), None, "v{version}");
            assert_eq!(server.count(), 0, "v{version}");
            let placed = group.georeference("v03").await.unwrap();
            assert_eq!(server.take_seen().len(), 2, "v{version}: x and y");
            assert_eq!((placed.x_axis, placed.y_axis), (2, 1), "v{version}");
            assert_eq!(placed.transform.unwrap().coefficients(), [95.0, 10.0, 0.0, 5005.0, 0.0, -10.0], "v{version}");
            assert_eq!(placed.crs.as_ref().and_then(|crs| crs.epsg()), Some(32631), "v{version}");
        });
    }
}

/// A store that cannot list, and has no consolidated metadata: nodes are found by name, and a list of them is refused with its reason.
#[test]
fn without_a_list_nodes_are_found_by_name() {
    let group = json!({"zarr_format": 3, "node_type": "group", "attributes": {"depth": 1}});
    let array = v3_array(&[2], &[2], "uint8", &["n"], &json!({}));
    let documents = [("zarr.json", &group), ("a/zarr.json", &group), ("a/b/zarr.json", &group), ("a/b/n/zarr.json", &array)];
    let (server, _) = serve(documents.into_iter().map(|(key, text)| (key.to_owned(), text.to_string().into_bytes())).collect());
    let session = session(|_| {});
    session.block_on(async {
        let root = session.open_zarr(&server.url("/cube.zarr")).await.unwrap();
        let refused = root.children().await.unwrap_err();
        assert!(refused.is_unsupported() && refused.to_string().contains("cannot list"), "{refused}");
        server.take_seen();
        let below = root.group("a/b").await.unwrap();
        assert_eq!(below.attributes("").unwrap().get("depth"), Some(1.into()));
        assert_eq!(below.array("n").await.unwrap().shape(), [2]);
        assert_eq!(paths(&server.take_seen()), ["a/b/n/zarr.json", "a/b/zarr.json"]);
        assert_eq!((below.path(), root.is_array("a/b/n"), below.is_array("n")), ("a/b", Some(true), Some(true)));
        assert!(root.group("a/none").await.unwrap_err().is_not_found());
        assert!(root.group("a/b/n").await.is_err() && root.group("a/../b").await.is_err() && root.array("a").await.is_err());
    });
}

/// A pyramid answers as a COG does, however its levels are told.
#[test]
fn pyramids_choose_levels() {
    let array = |length: usize, attributes: Value| v3_array(&[2, length, length], &[1, length, length], "uint8", &["band", "y", "x"], &attributes);
    let group = |attributes: Value| json!({"zarr_format": 3, "node_type": "group", "attributes": attributes});
    let spatial = |cell: f64| json!({"spatial:dimensions": ["y", "x"], "spatial:transform": [cell, 0, 500_000, 0, -cell, 4_000_000]});
    let layout = json!([{"asset": "0"}, {"asset": "1", "derived_from": "0", "transform": {"scale": [2, 2]}}, {"asset": "2", "derived_from": "1", "transform": {"scale": [2, 2]}}]);
    let in_groups = |attributes: fn(usize) -> Value| {
        let level = |n: usize| {
            [
                (n.to_string(), json!({"zarr_format": 3, "node_type": "group"})),
                (format!("{n}/data"), v3_array(&[2, 64 >> n, 64 >> n], &[1, 8, 8], "uint8", &["band", "y", "x"], &attributes(n))),
            ]
        };
        (0..3).flat_map(level).collect::<Vec<_>>()
    };
    let own = |n: usize| json!({"spatial:transform": [10 << n, 0, 500_000, 0, -(10 << n), 4_000_000]});
    let first = |n: usize| if n == 0 { json!({"spatial:transform": [10, 0, 500_000, 0, -10, 4_000_000]}) } else { json!({}) };
    let matrices: Vec<Value> = (0..3).map(|n| json!({"id": n.to_string(), "cellSize": 10 << n, "pointOfOrigin": [500_000, 4_000_000]})).collect();
    let arrays = vec![("0".to_owned(), array(64, spatial(10.0))), ("1".to_owned(), array(32, json!({}))), ("2".to_owned(), array(16, json!({})))];
    let crs = json!("EPSG:32631");
    let stores = [
        ("each level tells its own", json!({"proj:code": crs, "multiscales": {"layout": layout}}), in_groups(own)),
        ("by factors", json!({"proj:code": crs, "multiscales": {"layout": layout}}), in_groups(first)),
        ("arrays, by lengths", json!({"proj:code": crs, "multiscales": [{"datasets": [{"path": "2"}, {"path": "1"}, {"path": "0"}]}]}), arrays),
        (
            "tile matrices",
            json!({"multiscales": {"tile_matrix_set": {"crs": "http://www.opengis.net/def/crs/EPSG/0/32631", "tileMatrices": matrices}}}),
            in_groups(|_| json!({})),
        ),
    ];
    for (name, attributes, nodes) in stores {
        let mut root = group(attributes);
        root["consolidated_metadata"] =
            json!({"kind": "inline", "must_understand": false, "metadata": nodes.into_iter().collect::<serde_json::Map<_, _>>()});
        let (server, _) = serve(vec![("zarr.json".to_owned(), root.to_string().into_bytes())]);
        let session = session(|_| {});
        session.block_on(async {
            let pyramid = session.open_zarr(&server.url("/cube.zarr")).await.unwrap().pyramid(None).await.unwrap();
            assert_eq!(server.take_seen().len(), 2, "{name}: no request of its own");
            assert_eq!(pyramid.level_count(), 3, "{name}");
            assert_eq!(pyramid.transform(2).unwrap().coefficients(), [500_000.0, 40.0, 0.0, 4_000_000.0, 0.0, -40.0], "{name}");
            for (resolution, length) in [(1.0, 64), (10.0, 64), (19.9, 64), (20.0, 32), (40.0, 16), (1e6, 16)] {
                assert_eq!(pyramid.level_for(resolution).unwrap().shape()[2], length, "{name} {resolution}");
            }
            assert_eq!(pyramid.level_for_metres(25.0).unwrap().shape()[1], 32, "{name}");
            assert_eq!(pyramid.crs().and_then(|crs| crs.epsg()), Some(32631), "{name}");
            assert_eq!((pyramid.axes(1).unwrap(), pyramid.level(3).is_err()), ((2, 1), true), "{name}");
        });
    }
}
