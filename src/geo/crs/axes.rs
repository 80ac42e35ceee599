//! The axes of a system.

use super::methods::{
    AZIMUTHAL_EQUIDISTANT, LAMBERT_AZIMUTHAL, Method, POLAR_STEREOGRAPHIC_A, POLAR_STEREOGRAPHIC_B, STEREOGRAPHIC, TRANSVERSE_MERCATOR_SOUTH,
};
use super::model::{Conversion, GeodeticCrs, GeodeticKind, ProjectedCrs, Unit, VerticalCrs};

/// An axis, as WKT 2 and PROJJSON have it.
pub(super) struct Axis {
    pub(super) name: &'static str,
    pub(super) abbreviation: &'static str,
    pub(super) direction: &'static str,
    /// The meridian that it runs along from a pole, in degrees.
    pub(super) meridian: Option<f64>,
    pub(super) unit: Unit,
}

/// Methods around a point, which may be a pole.
static AZIMUTHAL: &[&Method] = &[&POLAR_STEREOGRAPHIC_A, &POLAR_STEREOGRAPHIC_B, &STEREOGRAPHIC, &LAMBERT_AZIMUTHAL, &AZIMUTHAL_EQUIDISTANT];

pub(super) fn geodetic(crs: &GeodeticCrs) -> Vec<Axis> {
    let axis = |name, abbreviation, direction, unit: &Unit| Axis { name, abbreviation, direction, meridian: None, unit: unit.clone() };
    match crs.kind {
        GeodeticKind::Geocentric => vec![
            axis("Geocentric X", "X", "geocentricX", &crs.unit),
            axis("Geocentric Y", "Y", "geocentricY", &crs.unit),
            axis("Geocentric Z", "Z", "geocentricZ", &crs.unit),
        ],
        kind => {
            let mut axes = vec![axis("Geodetic latitude", "Lat", "north", &crs.unit), axis("Geodetic longitude", "Lon", "east", &crs.unit)];
            if kind == GeodeticKind::Geographic3D {
                axes.push(axis("Ellipsoidal height", "h", "up", &Unit::metre()));
            }
            axes
        }
    }
}

pub(super) fn projected(crs: &ProjectedCrs) -> Vec<Axis> {
    let axis = |name, abbreviation, direction, meridian| Axis { name, abbreviation, direction, meridian, unit: crs.unit.clone() };
    if let Some((south, longitude)) = pole(&crs.conversion) {
        // Eastings grow along the meridian a quarter further east, northings away from the one below or towards the one above.
        let along = |degrees: f64| Some((longitude + degrees + 180.0).rem_euclid(360.0) - 180.0);
        let (direction, up) = if south { ("north", 0.0) } else { ("south", 180.0) };
        return vec![axis("Easting", "E", direction, along(90.0)), axis("Northing", "N", direction, along(up))];
    }
    if crs.conversion.method == &TRANSVERSE_MERCATOR_SOUTH {
        return vec![axis("Westing", "Y", "west", None), axis("Southing", "X", "south", None)];
    }
    vec![axis("Easting", "E", "east", None), axis("Northing", "N", "north", None)]
}

pub(super) fn vertical(crs: &VerticalCrs) -> Axis {
    let (name, abbreviation, direction) = if crs.down { ("Depth", "D", "down") } else { ("Gravity-related height", "H", "up") };
    Axis { name, abbreviation, direction, meridian: None, unit: crs.unit.clone() }
}

/// Of a projection around a pole: whether that is the southern one, and the longitude of origin in degrees.
fn pole(conversion: &Conversion) -> Option<(bool, f64)> {
    if !AZIMUTHAL.contains(&conversion.method) {
        return None;
    }
    let degrees = |epsg: &[u32]| {
        let at = epsg.iter().find_map(|e| conversion.method.position(*e))?;
        conversion.values.get(at).map(|(value, unit)| (value * unit.factor).to_degrees())
    };
    let latitude = degrees(&[8801, 8832])?;
    let around = conversion.method == &POLAR_STEREOGRAPHIC_B || (latitude.abs() - 90.0).abs() < 1e-9;
    around.then_some((latitude < 0.0, degrees(&[8802, 8833])?))
}
