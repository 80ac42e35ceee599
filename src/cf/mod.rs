//! The Climate and Forecast metadata conventions (CF 1.11 to 1.13), as far as they say what numbers mean and where they are.
//!
//! | what | attributes | section |
//! | --- | --- | --- |
//! | [`Packing`] | `_FillValue`, `missing_value`, `valid_range`, `valid_min`, `valid_max`, `scale_factor`, `add_offset` | 2.5.1, 8.1 |
//! | [`TimeUnits`], [`Calendar`], [`DateTime`] | `units`, `calendar` of time | 4.4 |
//! | [`GridMapping`] | `grid_mapping` and what it names, `crs_wkt`, `spatial_ref`, `GeoTransform` | 5.6, appendix F |
//! | [`RegularAxis`] | coordinate variables at equal steps | 5 |
//!
//! Plain values from attributes; nothing here fetches. [`Group`](crate::Group) finds the arrays that they speak of.

mod axis;
mod calendar;
mod crs;
mod grid_mapping;
mod packing;
mod time;

pub use axis::RegularAxis;
pub use calendar::{Calendar, DateTime};
pub use grid_mapping::{Ellipsoid, GridMapping, Projection, TrueScale};
pub use packing::Packing;
pub(crate) use packing::element;
#[cfg(feature = "read")]
pub(crate) use packing::number_of;
pub use time::{TimeStep, TimeUnits};

use serde_json::Value;

/// An attribute as one number: itself, the only one of a list, or the text of a number that JSON lacks.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::Array(list) if list.len() == 1 => number(list.first()?),
        Value::String(text) => not_in_json(text),
        _ => None,
    }
}

/// An attribute as numbers: one, or a list.
fn numbers(value: &Value) -> Option<Vec<f64>> {
    match value {
        Value::Array(list) => list.iter().map(number).collect(),
        one => Some(vec![number(one)?]),
    }
}

/// The numbers that JSON lacks, as Zarr writes them.
fn not_in_json(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}
