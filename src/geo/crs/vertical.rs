//! The vertical part of GeoTIFF's keys.

use super::super::GeoKeys;
use super::geodetic::{code, unit};
use super::model::{Unit, UnitKind, VerticalCrs};
use super::{citation, key, register};
use crate::error::{Error, Result};

/// Whether the keys name a system of heights.
///
/// Files before revision 1.1 have codes from lists of their own there, of ellipsoids among them: like GDAL, Swath does not believe them.
pub(super) fn is_present(keys: &GeoKeys) -> bool {
    keys.revision() >= (1, 1) && (code(keys, key::VERTICAL).is_some() || keys.code(key::VERTICAL) == Some(key::USER_DEFINED))
}

/// The code of the system of heights.
pub(super) fn epsg(keys: &GeoKeys) -> Option<u32> {
    code(keys, key::VERTICAL).filter(|_| is_present(keys))
}

/// Whether the heights are those over the ellipsoid of WGS 84, by the code that GeoTIFF 1.0 had for it.
pub(super) fn is_wgs84_height(keys: &GeoKeys) -> bool {
    code(keys, key::VERTICAL) == Some(5030)
}

/// The system of heights, by its code or by its parts.
pub(super) fn vertical(keys: &GeoKeys) -> Result<VerticalCrs> {
    if let Some(code) = code(keys, key::VERTICAL) {
        return register::vertical(code).ok_or_else(|| Error::unsupported(format!("vertical crs EPSG:{code}")));
    }
    let datum_epsg = code(keys, key::VERTICAL_DATUM);
    let datum = match datum_epsg {
        Some(code) => register::vertical_datum(code).ok_or_else(|| Error::unsupported(format!("vertical datum EPSG:{code}")))?,
        None => "unknown".to_owned(),
    };
    let unit = unit(keys, key::VERTICAL_UNITS, None, UnitKind::Length)?.unwrap_or_else(Unit::metre);
    let named = citation::part(keys, key::VERTICAL_CITATION, "VCS Name");
    let name = named.or_else(|| citation::plain(keys, key::VERTICAL_CITATION)).unwrap_or("unknown").to_owned();
    Ok(VerticalCrs { name, epsg: None, datum, datum_epsg, unit, down: false })
}
