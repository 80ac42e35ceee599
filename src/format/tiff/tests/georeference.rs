//! Fixtures whose coordinate reference systems have no code, against what pyproj says of them (`testdata/CRS.json`); control points.

use std::path::Path;

use bytes::Bytes;
use serde_json::Value;

use crate::format::tiff::{Georeference, fuzzing};
use crate::model::Limits;

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

fn georeference(path: &str) -> Georeference {
    let data = Bytes::from(std::fs::read(fixtures().join(path)).unwrap());
    fuzzing::parse(&data, &Limits::default()).unwrap().directories[0].georeference()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

/// How many degrees, metres or ones a unit of PROJJSON is.
fn factor(unit: &Value) -> f64 {
    match unit {
        Value::String(_) => 1.0,
        unit if unit["type"] == "AngularUnit" => unit["conversion_factor"].as_f64().unwrap().to_degrees(),
        unit => unit["conversion_factor"].as_f64().unwrap(),
    }
}

/// What a system and the record of it do not agree on.
fn differences(written: &Value, said: &Value) -> Vec<String> {
    let mut out = Vec::new();
    let bound = written["type"] == "BoundCRS";
    if bound != said["towgs84"].is_array() {
        out.push(format!("bound: {bound}"));
    }
    let shifts = written["transformation"]["parameters"].as_array().into_iter().flatten();
    let theirs = said["towgs84"].as_array().into_iter().flatten();
    if !shifts.map(|p| &p["value"]).zip(theirs).all(|(a, b)| close(a.as_f64().unwrap(), b.as_f64().unwrap())) {
        out.push("shifts to WGS 84".into());
    }
    let mut crs = if bound { &written["source_crs"] } else { written };
    if crs["type"] == "CompoundCRS" {
        if crs["components"][1]["id"]["code"] != said["vertical"] {
            out.push(format!("heights: {}", crs["components"][1]));
        }
        crs = &crs["components"][0];
    } else if !said["vertical"].is_null() {
        out.push("no heights".into());
    }
    let ellipsoid = &crs["base_crs"]["datum"]["ellipsoid"];
    let semi_major = ellipsoid["semi_major_axis"].as_f64().or(ellipsoid["radius"].as_f64()).unwrap();
    let semi_minor = ellipsoid["inverse_flattening"].as_f64().map_or(semi_major, |f| semi_major * (1.0 - 1.0 / f));
    if !close(semi_major, said["axes"][0].as_f64().unwrap()) || !close(semi_minor, said["axes"][1].as_f64().unwrap()) {
        out.push(format!("ellipsoid: {ellipsoid}"));
    }
    if !close(factor(&crs["coordinate_system"]["axis"][0]["unit"]), said["unit"].as_f64().unwrap()) {
        out.push(format!("unit: {}", crs["coordinate_system"]));
    }
    // A sphere has a method of its own for what is the same on it.
    let method = said["method"].as_str().unwrap().trim_end_matches(" (Spherical)");
    if crs["conversion"]["method"]["name"] != method {
        out.push(format!("method: {}", crs["conversion"]["method"]));
    }
    let parameters = crs["conversion"]["parameters"].as_array().unwrap();
    for (name, value) in said["parameters"].as_object().unwrap() {
        let value = value.as_f64().unwrap();
        // One that is zero may be left out.
        let ours = parameters.iter().find(|p| p["name"] == *name).map_or(0.0, |p| p["value"].as_f64().unwrap() * factor(&p["unit"]));
        if !close(ours, value) {
            out.push(format!("{name}: {ours} here, {value} there"));
        }
    }
    out
}

#[test]
fn systems_are_what_pyproj_says() {
    let said: Value = serde_json::from_slice(&std::fs::read(fixtures().join("CRS.json")).unwrap()).unwrap();
    let said = said.as_object().unwrap();
    assert!(said.len() > 10);
    for (path, said) in said {
        let crs = georeference(path).crs.unwrap();
        assert_eq!(crs.epsg(), None, "{path}");
        assert_eq!(Value::from(crs.is_geographic()), said["geographic"], "{path}");
        assert!(close(crs.metres_per_unit().unwrap(), said["unit"].as_f64().unwrap()), "{path}");
        let written = crs.to_projjson().unwrap_or_else(|e| panic!("{path}: {e}"));
        assert_eq!(differences(&written, said), Vec::<String>::new(), "{path}");
        let wkt = crs.to_wkt().unwrap();
        assert_eq!(wkt.matches('[').count(), wkt.matches(']').count(), "{path}");
    }
}

#[test]
fn tie_points_without_a_scale_are_control_points() {
    let geo = georeference("tiff/geo_points.tif");
    assert_eq!((geo.transform, geo.crs.map(|c| c.to_string()).as_deref()), (None, Some("EPSG:4326")));
    let told: Vec<[f64; 5]> = geo.control_points.iter().map(|p| [p.column, p.row, p.x, p.y, p.z]).collect();
    let expected: Vec<[f64; 5]> = [0.0, 8.0]
        .iter()
        .flat_map(|row| [0.0, 4.0, 8.0].map(|column| [column, *row, 7.0 + column / 100.0 + row / 1000.0, 47.0 - row / 100.0, *row]))
        .collect();
    assert_eq!(told.len(), expected.len());
    assert!(told.iter().flatten().zip(expected.iter().flatten()).all(|(a, b)| close(*a, *b)), "{told:?}");
}
