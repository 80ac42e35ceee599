//! `swath info --json` against GDAL's view of the same files: size, bands, type, nodata, EPSG code, transform, blocks, overviews, mask.
//!
//! `SWATH_CORPUS` names a folder with a `MANIFEST.json` whose records carry that view as `gdal`. Without it there is nothing to compare,
//! which is said. Where the two differ by a choice, a rule below says so; a rule is a condition on what the file is, never its name.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde_json::Value;

/// A file: what is told here, what GDAL tells, and the record of its first directory.
struct File<'a> {
    ours: &'a Value,
    gdal: &'a Value,
    ifd: &'a Value,
}

/// A difference by choice: what it is in, why, and where.
struct Rule {
    of: &'static str,
    why: &'static str,
    holds: fn(&File<'_>) -> bool,
}

const RULES: &[Rule] = &[
    Rule { of: "dtype", why: "half floats are kept, GDAL widens them", holds: |f| f.ours["dtype"] == "float16" && f.theirs("dtypes") == "float32" },
    Rule {
        of: "dtype",
        why: "GDAL has a type for complex numbers of two 32-bit integers, of which its Python reader makes floats",
        holds: |f| f.ours["dtype"] == "complex_int32" && f.theirs("dtypes") == "complex64",
    },
    Rule {
        of: "nodata",
        why: "GDAL reads the nodata of 64-bit integers as an integer, up to the decimal point of what may be a number with an exponent",
        holds: |f| f.is_64_bit_integer() && f.ifd["gdal_nodata"].as_str().is_some_and(|t| t.contains(['.', 'e', 'E'])),
    },
    Rule {
        of: "nodata",
        why: "complex integers cannot hold the value, which GDAL's Python reader asks of floats",
        holds: |f| f.ours["nodata"].is_null() && f.ours["dtype"].as_str().is_some_and(|t| t.starts_with("complex_int")),
    },
    Rule {
        of: "epsg",
        why: "GDAL keeps the system of control points apart from that of the image",
        holds: |f| f.gdal["epsg"].is_null() && f.gdal["gcps"].as_u64() > Some(0) && f.ours["transform"].is_null(),
    },
    Rule {
        of: "epsg",
        why: "a user-defined model, whose system an ESRI string in a citation tells",
        holds: |f| f.ours["epsg"].is_null() && f.ifd["geokeys"]["1024"] == 32767,
    },
    Rule { of: "bands", why: "GDAL makes RGBA of CMYK with an extra sample and of Lab", holds: |f| f.is_made_rgba() },
    Rule { of: "mask", why: "GDAL makes RGBA of CMYK and Lab, whose alpha is opaque", holds: |f| f.is_made_rgba() },
    Rule {
        of: "block",
        why: "libtiff cuts an uncompressed image of one strip into strips of 8 KiB",
        holds: |f| f.is_one_strip() && f.ifd["compression"] == 1 && f.theirs("blocks")[0].as_u64() == f.rows_in(8192),
    },
    Rule {
        of: "block",
        why: "GDAL reads an image of one strip and more than 2,000 rows line by line",
        holds: |f| f.is_one_strip() && f.ifd["height"].as_u64() > Some(2000) && f.theirs("blocks")[0] == 1,
    },
    Rule {
        of: "overviews",
        why: "GDAL lists overviews in the order of the file, not by size",
        holds: |f| sorted(&f.ours["overviews"]) == sorted(f.theirs("overviews")),
    },
    Rule {
        of: "overviews",
        why: "GDAL takes sub-directories for overviews only where NewSubfileType says that they are",
        holds: |f| f.theirs("overviews").as_array().is_some_and(Vec::is_empty) && f.levels_are_unmarked_children(),
    },
];

fn sorted(list: &Value) -> Vec<u64> {
    let mut numbers: Vec<u64> = list.as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    numbers.sort_unstable();
    numbers
}

impl File<'_> {
    /// What GDAL tells of the first band.
    fn theirs(&self, key: &str) -> &Value {
        &self.gdal[key][0]
    }
    fn number(&self, key: &str) -> u64 {
        match &self.ifd[key] {
            Value::Array(list) => list.first().and_then(Value::as_u64).unwrap_or(0),
            other => other.as_u64().unwrap_or(0),
        }
    }
    fn is_64_bit_integer(&self) -> bool {
        self.number("bits") == 64 && matches!(self.number("sample_format"), 1 | 2)
    }
    /// Separated colours and the three kinds of Lab.
    fn is_made_rgba(&self) -> bool {
        matches!(self.number("photometric"), 5 | 8 | 9 | 10) && self.gdal["count"] == 4
    }
    fn is_one_strip(&self) -> bool {
        self.ifd["layout"] != "tiled" && self.ours["block"][0] == self.ifd["height"]
    }
    /// Rows that fit into this many bytes, as libtiff counts them.
    fn rows_in(&self, bytes: u64) -> Option<u64> {
        let samples = if self.number("planar") == 2 { 1 } else { self.number("bands") };
        let row = (self.number("width") * samples * self.number("bits")).div_ceil(8);
        Some((bytes.checked_div(row)?).max(1))
    }
    fn levels_are_unmarked_children(&self) -> bool {
        let levels = self.ours["levels"].as_array().into_iter().flatten().skip(1).filter_map(|level| level["ifd"].as_str());
        let directories = self.ours["directories"].as_array();
        let kind = |ifd: &str| directories.into_iter().flatten().find(|d| d["ifd"] == ifd).map(|d| d["kind"] == "overview");
        levels.into_iter().all(|ifd| ifd.contains('.') && kind(ifd) == Some(false))
    }
}

/// A number, or the name of one that JSON has not.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.replace("Infinity", "inf").parse().ok())
}

fn same_number(a: f64, b: f64) -> bool {
    a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

/// What the two do not agree on: the thing, and both answers.
fn differences(file: &File<'_>) -> Vec<(&'static str, String)> {
    let File { ours, gdal, .. } = file;
    let identity = serde_json::json!([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    let or_identity = |transform: &Value| if transform.is_null() { identity.clone() } else { transform.clone() };
    let (transform, their_transform) = (or_identity(&ours["transform"]), or_identity(&gdal["transform"]));
    let pairs = transform.as_array().into_iter().flatten().zip(their_transform.as_array().into_iter().flatten());
    let same_transform = pairs.filter(|(a, b)| !number(a).zip(number(b)).is_some_and(|(a, b)| same_number(a, b))).count() == 0;
    let nodata = (number(&ours["nodata"]), number(file.theirs("nodata")));
    let same_nodata = match nodata {
        (Some(a), Some(b)) => same_number(a, b),
        (a, b) => a.is_none() && b.is_none(),
    };
    let flags: Vec<&str> = file.theirs("mask_flags").as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let their_mask = match flags.as_slice() {
        ["all_valid"] => "none",
        ["per_dataset", "alpha"] => "alpha",
        [one] => one,
        _ => "?",
    };
    let size = serde_json::json!([gdal["width"], gdal["height"]]);
    [
        ("size", ours["size"] == size, &ours["size"], &size),
        ("bands", ours["bands"] == gdal["count"], &ours["bands"], &gdal["count"]),
        ("dtype", ours["dtype"] == *file.theirs("dtypes"), &ours["dtype"], file.theirs("dtypes")),
        ("nodata", same_nodata, &ours["nodata"], file.theirs("nodata")),
        ("epsg", ours["epsg"] == gdal["epsg"], &ours["epsg"], &gdal["epsg"]),
        ("transform", same_transform, &transform, &their_transform),
        ("area_or_point", ours["area_or_point"] == gdal["area_or_point"], &ours["area_or_point"], &gdal["area_or_point"]),
        ("block", ours["block"] == *file.theirs("blocks"), &ours["block"], file.theirs("blocks")),
        ("overviews", ours["overviews"] == *file.theirs("overviews"), &ours["overviews"], file.theirs("overviews")),
        ("mask", ours["mask"] == their_mask, &ours["mask"], file.theirs("mask_flags")),
    ]
    .into_iter()
    .filter(|(_, same, ..)| !same)
    .map(|(of, _, here, there)| (of, format!("{here} here, {there} there")))
    .collect()
}

fn info(path: &str) -> Result<Value, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_swath")).args(["info", "--json", path]).output().map_err(|e| e.to_string())?;
    serde_json::from_slice(&output.stdout).map_err(|_| String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

#[test]
fn info_agrees_with_gdal() {
    let Some(corpus) = std::env::var_os("SWATH_CORPUS").map(PathBuf::from) else {
        eprintln!("SKIPPED: SWATH_CORPUS is not set, no real file was compared");
        return;
    };
    let manifest: Value = serde_json::from_slice(&std::fs::read(corpus.join("MANIFEST.json")).unwrap()).unwrap();
    let seen_by_gdal = |r: &&Value| r["kind"] == "tiff" && r["hostile"] != true && r["gdal"]["width"].is_u64();
    let records: Vec<&Value> = manifest["files"].as_array().unwrap().iter().filter(seen_by_gdal).collect();
    let (explained, unexplained) = (Mutex::new(BTreeMap::<&str, usize>::new()), Mutex::new(Vec::new()));
    let (next, files) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                while let Some(record) = records.get(next.fetch_add(1, Relaxed)) {
                    let name = record["path"].as_str().unwrap();
                    let path = corpus.join(name);
                    if !path.exists() {
                        continue;
                    }
                    files.fetch_add(1, Relaxed);
                    let ours = match info(path.to_str().unwrap()) {
                        Ok(ours) => ours,
                        Err(e) => {
                            unexplained.lock().unwrap().push(format!("{name}: {e}"));
                            continue;
                        }
                    };
                    let file = File { ours: &ours, gdal: &record["gdal"], ifd: &record["ifds"][0] };
                    for (of, what) in differences(&file) {
                        match RULES.iter().find(|rule| rule.of == of && (rule.holds)(&file)) {
                            Some(rule) => *explained.lock().unwrap().entry(rule.why).or_default() += 1,
                            None => unexplained.lock().unwrap().push(format!("{name}: {of}: {what}")),
                        }
                    }
                }
            });
        }
    });
    let (explained, unexplained) = (explained.into_inner().unwrap(), unexplained.into_inner().unwrap());
    eprintln!("{} files", files.load(Relaxed));
    explained.iter().for_each(|(why, count)| eprintln!("{count:5} differ by choice: {why}"));
    unexplained.iter().for_each(|what| eprintln!("UNEXPLAINED {what}"));
    assert!(files.load(Relaxed) > 0);
    assert!(unexplained.is_empty(), "{} differences", unexplained.len());
}
