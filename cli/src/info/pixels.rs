//! What the numbers of an image mean: its mask, colours and statistics, and where they lie where no transform says it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use swath::format::tiff::Directory;
use swath::geo::{ControlPoint, GdalMetadata, Rpc};
use swath::model::DataType;
use swath::{Cog, Sidecar};

/// GDAL's kinds of masks, by its rules, in the order in which one goes before another.
pub(super) fn mask(cog: &Cog) -> &'static str {
    let main = cog.level_directory(0).ok();
    let data_type = main.and_then(|d| d.data_type().ok());
    if matches!(cog.mask(0), Ok(Some(_)) | Err(_)) {
        "per_dataset"
    } else if cog.nodata().is_some() {
        "nodata"
    } else if matches!(data_type, Some(DataType::U8 | DataType::U16)) && main.is_some_and(is_last_alpha) {
        "alpha"
    } else {
        "none"
    }
}

/// Whether the last of 2 or 4 samples is the opacity of the others.
fn is_last_alpha(directory: &Directory) -> bool {
    matches!(directory.samples, 2 | 4) && matches!(directory.extra_samples.last(), Some(1 | 2))
}

/// PhotometricInterpretation by its name.
pub(super) fn photometric(directory: &Directory) -> Option<&'static str> {
    Some(match directory.photometric? {
        0 => "min_is_white",
        1 => "min_is_black",
        2 => "rgb",
        3 => "palette",
        4 => "mask",
        5 => "separated",
        6 => "ycbcr",
        8 => "cielab",
        9 => "icclab",
        10 => "itulab",
        32803 => "color_filter_array",
        32844 => "log_l",
        32845 => "log_luv",
        34892 => "linear_raw",
        _ => "other",
    })
}

/// ExtraSamples by their names.
pub(super) fn extra_samples(directory: &Directory) -> Vec<&'static str> {
    let name = |kind: &u16| match kind {
        1 => "associated_alpha",
        2 => "unassociated_alpha",
        _ => "unspecified",
    };
    directory.extra_samples.iter().map(name).collect()
}

/// Statistics by band, counted from 1; bands without any are left out.
pub(super) fn statistics(metadata: &GdalMetadata, bands: u16) -> BTreeMap<u64, Value> {
    let of_band = |band: u16| {
        let s = metadata.statistics(u32::from(band));
        let numbers = [
            ("minimum", s.minimum),
            ("maximum", s.maximum),
            ("mean", s.mean),
            ("standard_deviation", s.standard_deviation),
            ("valid_percent", s.valid_percent),
        ];
        let told: BTreeMap<&str, f64> = numbers.into_iter().filter_map(|(name, number)| Some((name, number?))).collect();
        (!told.is_empty()).then(|| (u64::from(band) + 1, json!(told)))
    };
    (0..bands).filter_map(of_band).collect()
}

pub(super) fn control_point(point: &ControlPoint) -> Value {
    json!({ "column": point.column, "row": point.row, "x": point.x, "y": point.y, "z": point.z })
}

/// The keys are those of GDAL's metadata.
pub(super) fn rpc(rpc: &Rpc) -> Value {
    json!({
        "ERR_BIAS": rpc.error_bias,
        "ERR_RAND": rpc.error_random,
        "LINE_OFF": rpc.line_offset,
        "SAMP_OFF": rpc.sample_offset,
        "LAT_OFF": rpc.latitude_offset,
        "LONG_OFF": rpc.longitude_offset,
        "HEIGHT_OFF": rpc.height_offset,
        "LINE_SCALE": rpc.line_scale,
        "SAMP_SCALE": rpc.sample_scale,
        "LAT_SCALE": rpc.latitude_scale,
        "LONG_SCALE": rpc.longitude_scale,
        "HEIGHT_SCALE": rpc.height_scale,
        "LINE_NUM_COEFF": rpc.line_numerator,
        "LINE_DEN_COEFF": rpc.line_denominator,
        "SAMP_NUM_COEFF": rpc.sample_numerator,
        "SAMP_DEN_COEFF": rpc.sample_denominator,
    })
}

pub(super) fn sidecar(sidecar: &Sidecar) -> Value {
    json!({
        "file": sidecar.object.url(),
        "kind": sidecar.kind.suffix(),
        "error": sidecar.error.as_ref().map(ToString::to_string),
    })
}
