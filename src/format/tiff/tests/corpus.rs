//! Real files against what other readers say of them. `SWATH_CORPUS` names the folder with `MANIFEST.json`.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::Value;

use crate::format::tiff::{Directory, Layout, TiffFile, fuzzing};
use crate::model::{DataType, Limits};

pub(super) fn corpus() -> Option<PathBuf> {
    let path = std::env::var_os("SWATH_CORPUS").map(PathBuf::from);
    if path.is_none() {
        eprintln!("SKIPPED: SWATH_CORPUS is not set, no real file was read");
    }
    path
}

fn numbers(v: &Value) -> Vec<u64> {
    match v {
        Value::Array(list) => list.iter().filter_map(Value::as_u64).collect(),
        other => other.as_u64().into_iter().collect(),
    }
}

fn numpy_name(t: &DataType) -> Option<String> {
    t.numpy().map(|n| n.trim_start_matches(['<', '|']).to_owned())
}

/// Differences that are known: file, start of the difference, why.
const EXPLAINED: &[(&str, &str, &str)] = &[
    ("tiff/python-pillow-test-images/string_dimension.tiff", ": memory://fuzz: limit max_tag_bytes", "RowsPerStrip is broken; GDAL refuses it too"),
    ("tiff/lqh2307-gdal/block_width_above_32bit.tif", "0 array: memory://fuzz: limit max_chunk_bytes", "a chunk of 2 GiB is above the default limit"),
    ("tiff/python-pillow-pillow/child_ifd.tiff", "overviews", "GDAL does not look into sub-directories"),
    ("tiff/transcoded/i64_deflate_p2.tif", "nodata", "GDAL reads -9.2233720368547758e+18 as the integer -9"),
];

/// What a directory and the record of it do not agree on.
fn directory_differences(file: &TiffFile, record: &Value) -> Vec<String> {
    let index = record["ifd"].as_str().map_or_else(|| record["ifd"].to_string(), str::to_owned);
    let place = match file.find(&index.parse().unwrap()) {
        Ok(place) => place,
        Err(_) if record.get("error").is_some() => return vec![],
        Err(error) => return vec![format!("{index}: {error}")],
    };
    let d: &Directory = &file.directories[place];
    let mut out = Vec::new();
    let mut same = |what: &str, ours: Vec<u64>, theirs: &Value| {
        if !theirs.is_null() && ours != numbers(theirs) {
            out.push(format!("{index} {what}: {ours:?} here, {theirs} there"));
        }
    };
    same("offset", vec![d.offset], &record["offset"]);
    same("width", vec![d.width], &record["width"]);
    same("height", vec![d.height], &record["height"]);
    same("bands", vec![d.samples.into()], &record["bands"]);
    let mut bits: Vec<u64> = d.bits.iter().map(|b| u64::from(*b)).collect();
    bits.dedup();
    same("bits", bits, &record["bits"]);
    same("sample format", vec![d.sample_formats[0].into()], &record["sample_format"]);
    same("compression", vec![d.compression.into()], &record["compression"]);
    same("predictor", vec![d.predictor.into()], &record["predictor"]);
    same("planar", vec![d.planar.into()], &record["planar"]);
    same("fill order", vec![d.fill_order.into()], &record["fill_order"]);
    same("subfile type", vec![d.subfile_type.into()], &record["subfile_type"]);
    // Where the tag is missing the other readers take 0.
    same("photometric", d.photometric.or(Some(0)).into_iter().map(u64::from).collect(), &record["photometric"]);
    let (tiled, block) = match d.layout {
        Layout::Strips { rows } => (false, vec![d.width, rows]),
        Layout::Tiles { width, height, .. } => (true, vec![width, height]),
    };
    same("block", block, &record["block"]);
    if tiled != (record["layout"] == "tiled") {
        out.push(format!("{index} layout: tiled {tiled} here, {} there", record["layout"]));
    }
    if let Some(nodata) = record["gdal_nodata"].as_str()
        && d.nodata.as_deref().map(str::trim) != Some(nodata.trim_matches(['\0', ' ']))
    {
        out.push(format!("{index} nodata: {:?} here, {nodata:?} there", d.nodata));
    }
    if let Some(keys) = record["geokeys"].as_object() {
        let ours = d.geo.geokeys();
        for (key, value) in keys {
            let key: u16 = key.parse().unwrap();
            if value.is_u64() && ours.code(key).map(u64::from) != value.as_u64() && ours.number(key) != value.as_f64() {
                out.push(format!("{index} key {key}: {:?} here, {value} there", ours.get(key)));
            }
        }
    }
    match d.array(file, &Limits::default()) {
        Ok(array) => {
            if let Some(segments) = record["segments"].as_u64()
                && array.grid.chunk_count() != segments
                && record["depth"].is_null()
            {
                out.push(format!("{index} chunks: {} here, {segments} there", array.grid.chunk_count()));
            }
            let oracle = &record["oracle"];
            if oracle.is_object() {
                let mut shape = array.shape().to_vec();
                if let Some(x) = shape.last_mut() {
                    *x *= array.data_type.numpy_parts() as u64;
                }
                if shape != numbers(&oracle["shape"]) {
                    out.push(format!("{index} shape: {shape:?} here, {} there", oracle["shape"]));
                }
                let theirs = oracle["dtype"].as_str().map(|t| if t == "uint8" { "u1".to_owned() } else { t.to_owned() });
                if numpy_name(&array.data_type) != theirs {
                    out.push(format!("{index} type: {} here, {theirs:?} there", array.data_type));
                }
            }
        }
        // What no chain is for is refused by name; anything else must be read if another reader could.
        Err(error) if error.is_unsupported() && error.to_string().contains("tiff compression") => {}
        Err(error) if record["oracle"].is_object() => out.push(format!("{index} array: {error}")),
        Err(_) => {}
    }
    out
}

/// What the file and GDAL's view of it do not agree on.
fn dataset_differences(file: &TiffFile, gdal: &Value, has_sidecar: bool) -> Vec<String> {
    let mut out = Vec::new();
    let pyramids = file.pyramids();
    let Some(main) = pyramids.first() else { return vec!["no image".into()] };
    let d = &file.directories[main.levels[0]];
    if (Some(d.width), Some(d.height)) != (gdal["width"].as_u64(), gdal["height"].as_u64()) {
        return vec![format!("size: {} x {} here, {} x {} there", d.width, d.height, gdal["width"], gdal["height"])];
    }
    let geo = d.georeference();
    let has_gcps = gdal["gcps"].as_u64().unwrap_or(0) > 0;
    let epsg = geo.crs.as_ref().and_then(crate::geo::Crs::epsg).map(u64::from);
    // GDAL keeps the system of control points apart.
    if has_gcps {
        if geo.control_points.len() as u64 != gdal["gcps"].as_u64().unwrap() {
            out.push(format!("control points: {} here, {} there", geo.control_points.len(), gdal["gcps"]));
        }
    } else if epsg != gdal["epsg"].as_u64() {
        out.push(format!("epsg: {:?} here, {} ({}) there", geo.crs.as_ref().map(ToString::to_string), gdal["epsg"], gdal["crs_name"]));
    }
    let theirs: Option<Vec<f64>> = gdal["transform"].as_array().map(|a| a.iter().filter_map(Value::as_f64).collect());
    let identity = vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    // Theirs is in the order a, b, c, d, e, f.
    let ours = geo.transform.map(|t| t.coefficients()).map_or(identity.clone(), |[c, a, b, f, d, e]| vec![a, b, c, d, e, f]);
    if ours.iter().zip(theirs.as_ref().unwrap_or(&identity)).any(|(a, b)| (a - b).abs() > 1e-9 * a.abs().max(b.abs())) {
        out.push(format!("transform: {ours:?} here, {theirs:?} there"));
    }
    // GDAL rounds its factors by rules of its own, does not sort, and reads a sidecar too.
    let shrunk = |place: &usize| (d.width as f64 / file.directories[*place].width.max(1) as f64).round() as u64;
    let ours: Vec<u64> = main.levels.iter().skip(1).map(shrunk).collect();
    let mut theirs = numbers(&gdal["overviews"][0]);
    theirs.sort_unstable();
    if !has_sidecar && (ours.len() != theirs.len() || ours.iter().zip(&theirs).any(|(a, b)| a.abs_diff(*b) > 1)) {
        out.push(format!("overviews: {ours:?} here, {theirs:?} there"));
    }
    let masked = gdal["mask_flags"][0].as_array().is_some_and(|flags| flags == &[Value::from("per_dataset")]);
    if main.masks[0].is_some() != masked {
        out.push(format!("mask: {:?} here, {} there", main.masks, gdal["mask_flags"]));
    }
    let theirs = match &gdal["nodata"][0] {
        Value::String(s) => crate::geo::Nodata::parse(s).map(crate::geo::Nodata::as_f64),
        other => other.as_f64(),
    };
    // GDAL gives the value as the type has it, and none where the type does not.
    let data_type = d.data_type().ok();
    let held =
        d.nodata_value().filter(|n| data_type.as_ref().is_none_or(|t| t.is_complex() || n.fill_value(t).is_some())).map(crate::geo::Nodata::as_f64);
    let single = |n: f64| f64::from(n as f32);
    let ours = held.map(|n| if data_type == Some(DataType::F32) { single(n) } else { n });
    if ours != theirs && !(ours.is_some_and(f64::is_nan) && theirs.is_some_and(f64::is_nan)) {
        out.push(format!("nodata: {ours:?} here, {theirs:?} there"));
    }
    out
}

pub(super) fn read(path: &Path) -> Option<Bytes> {
    std::fs::read(path).ok().map(Bytes::from)
}

#[test]
fn real_files() {
    let Some(corpus) = corpus() else { return };
    let manifest: Value = serde_json::from_slice(&std::fs::read(corpus.join("MANIFEST.json")).unwrap()).unwrap();
    let (mut files, mut directories, mut differences) = (0, 0, Vec::new());
    for record in manifest["files"].as_array().unwrap() {
        let path = record["path"].as_str().unwrap();
        if record["kind"] != "tiff" || record["hostile"] == true {
            continue;
        }
        let Some(data) = read(&corpus.join(path)) else { continue };
        files += 1;
        let file = match fuzzing::parse(&data, &Limits::default()) {
            Ok(file) => file,
            Err(error) => {
                if record["ifds"].as_array().is_some_and(|ifds| ifds.iter().any(|i| i["oracle"].is_object())) {
                    differences.push(format!("{path}: {error}"));
                }
                continue;
            }
        };
        for ifd in record["ifds"].as_array().into_iter().flatten() {
            directories += 1;
            differences.extend(directory_differences(&file, ifd).into_iter().map(|d| format!("{path} {d}")));
        }
        if record["gdal"]["width"].is_u64() {
            differences.extend(
                dataset_differences(&file, &record["gdal"], corpus.join(format!("{path}.ovr")).exists()).into_iter().map(|d| format!("{path} {d}")),
            );
        }
        if let Some(count) = record["ifd_count"].as_u64()
            && file.directories.iter().filter(|d| d.index.depth() == 1).count() as u64 != count
        {
            differences.push(format!("{path} directories: {} here, {count} there", file.directories.len()));
        }
    }
    eprintln!("{files} files, {directories} directories, {} differences", differences.len());
    for difference in &differences {
        eprintln!("{difference}");
    }
    differences.retain(|d| !EXPLAINED.iter().any(|(path, start, _)| d.strip_prefix(path).is_some_and(|d| d.trim_start().starts_with(start))));
    for difference in &differences {
        eprintln!("UNEXPLAINED {difference}");
    }
    assert!(files > 0);
    assert!(differences.is_empty());
}

/// A reason, and whether it is that of a directory.
type Reason = (&'static str, fn(&Value) -> bool);

/// Why two readers decode a directory to different values: as the rows of "Where readers disagree" in docs/formats.md start.
const DISAGREEMENTS: &[Reason] = &[
    ("a volume", |d| d["depth"].as_u64() > Some(1)),
    ("a chunk that is not stored", |d| d["sparse_segments"].as_u64() > Some(0) && d["compression"] == 1),
    ("a predictor with a compression that has none", |d| d["predictor"] != 1 && matches!(d["compression"].as_u64(), Some(1 | 7 | 32773))),
    ("a float that LERC marks as invalid", |d| d["compression"] == 34887 && d["sample_format"] == 3),
    ("YCbCr JPEG with subsampled chroma", |d| d["compression"] == 7 && d["photometric"] == 6),
    ("old-style JPEG", |d| d["compression"] == 6),
    ("damaged CCITT group 3 lines", |d| d["compression"] == 3),
];

#[test]
fn every_disagreement_of_readers_is_documented() {
    let Some(corpus) = corpus() else { return };
    let document = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/formats.md")).unwrap();
    for (reason, _) in DISAGREEMENTS {
        assert!(document.contains(&format!("\n| {reason}")), "{reason}");
    }
    let manifest: Value = serde_json::from_slice(&std::fs::read(corpus.join("MANIFEST.json")).unwrap()).unwrap();
    let mut counts = std::collections::BTreeMap::<&str, usize>::new();
    for record in manifest["files"].as_array().unwrap().iter().filter(|r| r["kind"] == "tiff" && r["hostile"] != true) {
        for directory in record["ifds"].as_array().into_iter().flatten().filter(|d| d["agree"] == false) {
            let reason = DISAGREEMENTS.iter().find(|(_, holds)| holds(directory)).map(|(reason, _)| *reason);
            *counts.entry(reason.unwrap_or_else(|| panic!("{} {}: readers disagree", record["path"], directory["ifd"]))).or_default() += 1;
        }
    }
    eprintln!("{counts:#?}");
}

fn walk(folder: &Path, visit: &mut dyn FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => walk(&path, visit),
            path => visit(&path),
        }
    }
}

#[test]
fn hostile_files() {
    let Some(corpus) = corpus() else { return };
    let mut count = 0;
    for folder in ["tiff", "made/tiff"] {
        walk(&corpus.join("hostile").join(folder), &mut |path| {
            let Some(data) = read(path) else { return };
            let start = std::time::Instant::now();
            fuzzing::open(&data);
            fuzzing::geokeys(&data);
            fuzzing::gdal_metadata(&data);
            count += 1;
            assert!(start.elapsed().as_secs() < 5, "{}", path.display());
        });
    }
    eprintln!("{count} hostile files");
    assert!(count > 0);
}

/// How many requests opening takes, and of how many bytes.
fn requests(data: &Bytes) -> (usize, usize, u64) {
    use crate::format::tiff::TiffParser;
    use crate::model::{Got, ObjectKey, Parser, Step, Want};
    let mut parser = TiffParser::new(ObjectKey::new("memory://t"), &Limits::default());
    let (mut rounds, mut count, mut bytes) = (0, 0, 0);
    while let Ok(Step::Need(wants)) = parser.step() {
        rounds += 1;
        for want in wants {
            let Want::Range(span) = &want else { continue };
            count += 1;
            bytes += span.length;
            let at = |n: u64| usize::try_from(n).unwrap().min(data.len());
            let part = data.slice(at(span.start)..at(span.end()));
            parser.supply(&want, Got::Bytes { bytes: part, size: Some(data.len() as u64), version: None }).unwrap();
        }
    }
    (rounds, count, bytes)
}

#[test]
fn a_cog_is_opened_in_one_request() {
    let Some(corpus) = corpus() else { return };
    let manifest: Value = serde_json::from_slice(&std::fs::read(corpus.join("MANIFEST.json")).unwrap()).unwrap();
    let mut cogs = 0;
    let mut more = Vec::new();
    for record in manifest["files"].as_array().unwrap().iter().filter(|r| r["cog_ghost"].is_object()) {
        let path = record["path"].as_str().unwrap();
        let Some(data) = read(&corpus.join(path)) else { continue };
        let (rounds, count, bytes) = requests(&data);
        cogs += 1;
        let promised = fuzzing::parse(&data, &Limits::default()).is_ok_and(|f| f.structure.is_some_and(|g| g.directories_first()));
        // A header beyond the first request takes a second one, never a third.
        if promised && rounds > if bytes < 64 << 10 { 1 } else { 2 } {
            more.push(format!("{path}: {rounds} rounds, {count} ranges, {bytes} bytes"));
        }
    }
    eprintln!("{cogs} cogs");
    for line in &more {
        eprintln!("{line}");
    }
    assert!(cogs > 0 && more.is_empty());
}
