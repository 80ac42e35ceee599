//! A TIFF: its image, levels, masks, directories, and where its pixels are.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};
use swath::format::tiff::{Directory, Layout};
use swath::geo::{Crs, GdalMetadata, GeoTransform};
use swath::{ChunkedArray, Cog};

use super::{array, bytes, line, number, opened, pixels, times};

/// Directories and bands that are listed for people; JSON has all.
const MOST_ROWS: usize = 30;

/// The keys are those of GDAL's view where it has the thing too; blocks and shapes are rows first, sizes are width first, the transform is
/// `[a, b, c, d, e, f]` with `x = a column + b row + c`, `y = d column + e row + f`.
pub(super) fn as_json(cog: &Cog) -> Value {
    let full = cog.level(0);
    let meta = full.as_ref().ok().map(ChunkedArray::meta);
    let main = cog.level_directory(0).ok();
    let (width, height) = main.map_or((0, 0), |d| (d.width, d.height));
    let bands = main.map_or(0, |d| d.samples);
    let stats = cog.open_stats();
    let metadata = cog.metadata();
    let mut info = json!({
        "kind": "tiff",
        "format": format(cog),
        "size": [width, height],
        "bands": bands,
        "dtype": main.and_then(|d| d.data_type().ok()).map(|t| t.to_string()),
        "written_shape": meta.and_then(array::written_shape),
        "nodata": cog.nodata().map(number),
        "epsg": cog.crs().and_then(Crs::epsg),
        "crs_name": cog.crs().and_then(crs_name),
        "projjson": cog.crs().filter(|crs| crs.epsg().is_none()).and_then(|crs| crs.to_projjson().ok()),
        "transform": cog.transform(0).map(in_order),
        "bounds": cog.transform(0).map(|t| t.bounds(width, height)),
        "area_or_point": main.map(|d| d.geo.geokeys()).filter(|keys| !keys.is_empty()).map(|keys| if keys.pixel_is_point() { "Point" } else { "Area" }),
        "control_points": cog.control_points().iter().map(pixels::control_point).collect::<Vec<_>>(),
        "rpc": cog.rpc().map(pixels::rpc),
        "block": main.map(block),
        "interleave": main.map(|d| if d.samples > 1 && !d.is_separate() { "PIXEL" } else { "BAND" }),
        "compression": main.map(compression),
        "predictor": main.map(|d| d.predictor),
        "codecs": meta.map(array::codecs),
        "photometric": main.and_then(pixels::photometric),
        "extra_samples": main.map(pixels::extra_samples),
        "color_table": main.and_then(Directory::color_table),
        "levels": (0..cog.level_count()).map(|n| level(cog, n)).collect::<Vec<_>>(),
        "overviews": (1..cog.level_count()).map(|n| factor(cog, n)).collect::<Vec<_>>(),
        "mask": pixels::mask(cog),
        "cloud_optimized": cog.file().structure.as_ref().is_some_and(|s| s.directories_first()),
        "descriptions": texts(&metadata, "description"),
        "units": texts(&metadata, "unittype"),
        "scales": texts(&metadata, "scale"),
        "offsets": texts(&metadata, "offset"),
        "statistics": pixels::statistics(&metadata, bands),
        "metadata": items(&metadata),
        "directories": cog.file().directories.iter().map(|d| directory(cog, d)).collect::<Vec<_>>(),
        "broken": cog.file().broken.iter().map(|b| json!({ "ifd": b.index.to_string(), "error": b.error.to_string() })).collect::<Vec<_>>(),
        "sidecars": cog.sidecars().iter().map(pixels::sidecar).collect::<Vec<_>>(),
        "consistency": cog.consistency().to_string(),
        "requests": stats.requests,
        "bytes": stats.bytes,
    });
    if let (Err(e), Some(info)) = (&full, info.as_object_mut()) {
        info.insert("error".into(), json!(e.to_string()));
    }
    info
}

/// Prints the same for people.
pub(super) fn print(out: &mut impl Write, cog: &Cog) -> io::Result<()> {
    let main = cog.level_directory(0).ok();
    let full = cog.level(0);
    let size = main.map(|d| format!("{} x {} pixels, {} band{}", d.width, d.height, d.samples, if d.samples == 1 { "" } else { "s" }));
    line(out, "file", cog.file().object.url())?;
    line(out, "format", &format!("{}{}", format(cog), cog.file().size.map(|n| format!(", {}", bytes(n))).unwrap_or_default()))?;
    line(out, "size", &size.unwrap_or_default())?;
    match &full {
        Ok(full) => {
            line(out, "type", &full.data_type().to_string())?;
            line(
                out,
                "written as",
                &array::written_shape(full.meta()).map(|shape| format!("{} numbers, (re, im) along x", times(&shape))).unwrap_or_default(),
            )?;
            line(out, "codecs", &array::codecs(full.meta()).join(", "))?;
        }
        Err(e) => line(out, "unreadable", &e.to_string())?,
    }
    line(out, "compression", &main.map(compression).unwrap_or_default())?;
    line(out, "nodata", &cog.nodata().map(|v| v.to_string()).unwrap_or_default())?;
    line(out, "mask", pixels::mask(cog))?;
    for sidecar in cog.sidecars() {
        let failed = sidecar.error.as_ref().map(|e| format!(", which cannot be read: {e}")).unwrap_or_default();
        line(out, "beside it", &format!("{}{failed}", sidecar.object.url()))?;
    }
    line(out, "CRS", &cog.crs().map(ToString::to_string).unwrap_or_default())?;
    if let (Some(transform), Some(main)) = (cog.transform(0), main) {
        let coefficients = in_order(transform).map(|c| c.to_string());
        let (x, y) = transform.pixel_size();
        let [left, bottom, right, top] = transform.bounds(main.width, main.height);
        line(out, "pixel size", &format!("{x} x {y}"))?;
        line(out, "transform", &coefficients.join(", "))?;
        line(out, "bounds", &format!("x {left} to {right}, y {bottom} to {top}"))?;
    }
    let metadata = cog.metadata();
    for (band, text) in texts(&metadata, "description").into_iter().take(MOST_ROWS) {
        line(out, &format!("band {band}"), &text)?;
    }
    line(out, "consistency", &cog.consistency().to_string())?;
    line(out, "opened in", &opened(cog.open_stats()))?;

    writeln!(out, "\n{:<8}{:<22}{:<20}{:>8}  mask", "level", "shape", "chunks", "factor")?;
    for n in 0..cog.level_count().min(MOST_ROWS) {
        let (shape, chunks) = match cog.level(n) {
            Ok(level) => (times(level.shape()), times(&level.meta().grid.chunk_shape())),
            Err(e) => (super::plain(&e.to_string()), String::new()),
        };
        let masked = if matches!(cog.mask(n), Ok(Some(_))) { "yes" } else { "" };
        writeln!(out, "{n:<8}{shape:<22}{chunks:<20}{:>8}  {masked}", factor(cog, n))?;
    }
    let directories = &cog.file().directories;
    let levels = (0..cog.level_count()).filter_map(|n| cog.level_directory(n).ok()).count();
    if directories.len() > levels {
        writeln!(out, "\n{:<8}{:<22}{:<8}{:<10}compression", "ifd", "size", "bands", "kind")?;
        for d in directories.iter().take(MOST_ROWS) {
            let (ifd, size) = (d.index.to_string(), times(&[d.width, d.height]));
            writeln!(out, "{ifd:<8}{size:<22}{:<8}{:<10}{}", d.samples, kind(d), compression(d))?;
        }
        if directories.len() > MOST_ROWS {
            writeln!(out, "… {} more", directories.len() - MOST_ROWS)?;
        }
    }
    for broken in cog.file().broken.iter().take(MOST_ROWS) {
        writeln!(out, "directory {} cannot be read: {}", broken.index, super::plain(&broken.error.to_string()))?;
    }
    Ok(())
}

fn format(cog: &Cog) -> String {
    let file = cog.file();
    let promised = file.structure.as_ref().is_some_and(|s| s.directories_first());
    let order = match file.endian {
        swath::model::Endian::Little => "little-endian",
        swath::model::Endian::Big => "big-endian",
    };
    format!("{}, {order}{}", if file.big { "BigTIFF" } else { "TIFF" }, if promised { ", cloud optimized" } else { "" })
}

fn level(cog: &Cog, n: usize) -> Value {
    let ifd = cog.level_directory(n).map(|d| d.index.to_string()).ok();
    match cog.level(n) {
        Ok(level) => json!({
            "ifd": ifd,
            "file": Some(level.meta().source.url()).filter(|url| *url != cog.file().object.url()),
            "shape": level.shape(),
            "chunks": level.meta().grid.chunk_shape(),
            "factor": factor(cog, n),
            "codecs": array::codecs(level.meta()),
            "transform": cog.transform(n).map(in_order),
            "mask": matches!(cog.mask(n), Ok(Some(_))),
        }),
        Err(e) => json!({ "ifd": ifd, "factor": factor(cog, n), "error": e.to_string() }),
    }
}

/// How many times narrower than the full resolution a level is, rounded as GDAL does.
fn factor(cog: &Cog, n: usize) -> u64 {
    let width = |n: usize| cog.level_directory(n).map_or(1, |d| d.width).max(1);
    // Halves go to the even number, as other programs print it.
    let (whole, rest) = (width(0) / width(n), width(0) % width(n));
    whole + u64::from(rest * 2 > width(n) || rest * 2 == width(n) && whole % 2 == 1)
}

fn block(directory: &Directory) -> [u64; 2] {
    match directory.layout {
        Layout::Tiles { width, height, .. } => [height, width],
        Layout::Strips { rows } => [rows, directory.width],
    }
}

fn in_order(transform: GeoTransform) -> [f64; 6] {
    let [c, a, b, f, d, e] = transform.coefficients();
    [a, b, c, d, e, f]
}

/// The name of a system that has no code.
fn crs_name(crs: &Crs) -> Option<String> {
    crs.name().filter(|_| crs.epsg().is_none() && !matches!(crs, Crs::Compound(_)))
}

fn kind(directory: &Directory) -> &'static str {
    match (directory.is_mask(), directory.is_reduced()) {
        (true, _) => "mask",
        (false, true) => "overview",
        (false, false) => "image",
    }
}

fn directory(cog: &Cog, directory: &Directory) -> Value {
    let ifd = directory.index.to_string();
    let mut value = json!({
        "ifd": ifd,
        "kind": kind(directory),
        "size": [directory.width, directory.height],
        "bands": directory.samples,
        "block": block(directory),
        "compression": compression(directory),
        "photometric": directory.photometric,
        "notes": directory.notes,
    });
    let said = match cog.directory(&ifd) {
        Ok(array) => ("dtype", json!(array.data_type().to_string())),
        Err(e) => ("error", json!(e.to_string())),
    };
    if let Some(value) = value.as_object_mut() {
        value.insert(said.0.into(), said.1);
    }
    value
}

/// Texts of one role by band, counted from 1 as GDAL does.
fn texts(metadata: &GdalMetadata, role: &str) -> BTreeMap<u64, String> {
    let of_role = metadata.items.iter().filter(|item| item.role.as_deref() == Some(role) && item.domain.is_empty());
    of_role.filter_map(|item| Some((u64::from(item.sample?) + 1, item.text.clone()))).collect()
}

/// The items of the image's usual domain.
fn items(metadata: &GdalMetadata) -> BTreeMap<&str, &str> {
    let plain = metadata.items.iter().filter(|item| item.sample.is_none() && item.domain.is_empty());
    plain.map(|item| (item.name.as_str(), item.text.as_str())).collect()
}

/// The compression by GDAL's name.
fn compression(directory: &Directory) -> String {
    const YCBCR: u16 = 6;
    let name = match directory.compression {
        1 => "NONE",
        2 => "CCITTRLE",
        3 => "CCITTFAX3",
        4 => "CCITTFAX4",
        5 => "LZW",
        6 => "OJPEG",
        7 if directory.photometric == Some(YCBCR) => "YCbCr JPEG",
        7 => "JPEG",
        8 | 32946 => "DEFLATE",
        32766 => "NEXT",
        32773 => "PACKBITS",
        32809 => "THUNDERSCAN",
        34676 => "SGILOG",
        34677 => "SGILOG24",
        34712 | 33003 | 33004 | 33005 => "JPEG2000",
        34887 => match directory.lerc_parameters.get(1) {
            Some(1) => "LERC_DEFLATE",
            Some(2) => "LERC_ZSTD",
            _ => "LERC",
        },
        34925 => "LZMA",
        50000 | 34926 => "ZSTD",
        50001 | 34927 => "WEBP",
        50002 | 52546 => "JXL",
        other => return other.to_string(),
    };
    name.to_owned()
}
