//! The projected part of GeoTIFF's keys.

use super::super::GeoKeys;
use super::geodetic::{angular_unit, code, geodetic, number, unit};
use super::methods::{
    EQUIDISTANT_CYLINDRICAL, EQUIDISTANT_CYLINDRICAL_FROM, LATITUDES, MERCATOR_A, MERCATOR_B, Method, POLAR_STEREOGRAPHIC_A, POLAR_STEREOGRAPHIC_B,
    Quantity, SCALES, TRANSVERSE_MERCATOR,
};
use super::model::{Conversion, ProjectedCrs, Unit, UnitKind};
use super::{citation, key, register};
use crate::error::{Error, Result};

/// The system that the keys define by its parts.
pub(super) fn projected(keys: &GeoKeys) -> Result<ProjectedCrs> {
    let base = geodetic(keys)?;
    let unit = linear_unit(keys)?.unwrap_or_else(Unit::metre);
    let conversion = match (keys.code(key::METHOD), code(keys, key::PROJECTION)) {
        (Some(method), _) if method != key::USER_DEFINED => by_method(keys, method, &unit)?,
        (_, Some(projection)) => {
            let known = utm(projection).or_else(|| register::conversion(projection));
            known.ok_or_else(|| Error::unsupported(format!("projection EPSG:{projection}")))?
        }
        _ => return Err(Error::unsupported("projected crs without a projection")),
    };
    let name = citation::projected_name(keys).unwrap_or("unnamed").to_owned();
    Ok(ProjectedCrs { name, epsg: None, base, conversion, unit })
}

/// The unit of the coordinates.
pub(super) fn linear_unit(keys: &GeoKeys) -> Result<Option<Unit>> {
    match unit(keys, key::LINEAR_UNITS, Some(key::LINEAR_UNIT_SIZE), UnitKind::Length)? {
        // Some writers give only the one of the geodetic keys.
        None if keys.get(key::LINEAR_UNITS).is_none() => match code(keys, key::GEOG_LINEAR_UNITS) {
            Some(code) => Ok(register::unit(code).filter(|u| u.kind == UnitKind::Length)),
            None => Ok(None),
        },
        other => Ok(other),
    }
}

/// The zone of a code of the projections `16001..=16060` and `16101..=16160`: its number, and whether it is south of the equator.
fn utm_zone(projection: u32) -> Option<(u32, bool)> {
    match projection {
        16001..=16060 => Some((projection - 16000, false)),
        16101..=16160 => Some((projection - 16100, true)),
        _ => None,
    }
}

fn utm(projection: u32) -> Option<Conversion> {
    let (zone, south) = utm_zone(projection)?;
    let name = format!("UTM zone {zone}{}", if south { 'S' } else { 'N' });
    let northing = if south { 10_000_000.0 } else { 0.0 };
    let values = vec![
        (0.0, Unit::degree()),
        (f64::from(zone) * 6.0 - 183.0, Unit::degree()),
        (0.9996, Unit::unity()),
        (500_000.0, Unit::metre()),
        (northing, Unit::metre()),
    ];
    Some(Conversion { name, epsg: Some(projection), method: &TRANSVERSE_MERCATOR, values })
}

/// Rows of zones of UTM over one geodetic system: its code, whether they are south of the equator, the first and the last zone, and what
/// is added to a zone for its code.
const UTM: [(u32, bool, u32, u32, u32); 8] = [
    (4326, false, 1, 60, 32600),
    (4326, true, 1, 60, 32700),
    (4322, false, 1, 60, 32200),
    (4322, true, 1, 60, 32300),
    (4269, false, 1, 23, 26900),
    (4267, false, 1, 22, 26700),
    (4258, false, 28, 37, 25800),
    (4230, false, 28, 38, 23000),
];

/// The code of a system that is told as the codes of its two halves: a zone of UTM over a geodetic system.
pub(super) fn epsg_of_parts(keys: &GeoKeys) -> Option<u32> {
    if keys.code(key::METHOD).is_some_and(|m| m != key::USER_DEFINED) {
        return None;
    }
    let (zone, south) = utm_zone(code(keys, key::PROJECTION)?)?;
    let metres = linear_unit(keys).ok()?.is_none_or(|u| u.factor == 1.0);
    // Axes of its own make the geodetic system another one, without a code.
    let base = geodetic(keys).ok()?.epsg.filter(|_| metres)?;
    let row = UTM.iter().find(|(of, side, first, last, _)| (*of, *side) == (base, south) && (*first..=*last).contains(&zone))?;
    Some(row.4 + zone)
}

/// The system of a code, if that is a zone of UTM.
pub(super) fn of_epsg(epsg: u32) -> Option<ProjectedCrs> {
    let (base, south, zone) = UTM.iter().find_map(|(base, south, first, last, offset)| {
        let zone = epsg.checked_sub(*offset)?;
        (*first..=*last).contains(&zone).then_some((*base, *south, zone))
    })?;
    let base = register::geodetic(base)?;
    let conversion = utm(zone + if south { 16100 } else { 16000 })?;
    Some(ProjectedCrs { name: format!("{} / {}", base.name, conversion.name), epsg: Some(epsg), base, conversion, unit: Unit::metre() })
}

fn by_method(keys: &GeoKeys, method: u16, unit: &Unit) -> Result<Conversion> {
    let general = Method::of_geotiff(method).ok_or_else(|| Error::unsupported(format!("projection {}", Method::unsupported_name(method))))?;
    let of_base = || Some(register::geodetic(code(keys, GeoKeys::GEODETIC_CRS)?)?.unit);
    let angles = angular_unit(keys)?.or_else(of_base).filter(|u| u.kind == UnitKind::Angle).unwrap_or_else(Unit::degree);
    conversion(general, &angles, unit, &|key| number(keys, key))
}

/// A projection with what `value` has of its parameters, by their keys.
pub(super) fn conversion(general: &'static Method, angles: &Unit, unit: &Unit, value: &dyn Fn(u16) -> Result<Option<f64>>) -> Result<Conversion> {
    let method = variant(general, angles, value)?;
    let mut values = Vec::with_capacity(method.parameters.len());
    for parameter in method.parameters {
        let told = first(parameter.keys, value)?;
        values.push(match (parameter.quantity, told) {
            // The default of an angle is in degrees.
            (Quantity::Angle, None) => (parameter.default, Unit::degree()),
            (Quantity::Angle, Some(told)) => (told, angles.clone()),
            (Quantity::Length, told) => (told.unwrap_or(parameter.default), unit.clone()),
            (Quantity::Scale, told) => (told.unwrap_or(parameter.default), Unit::unity()),
        });
    }
    Ok(Conversion { name: "unnamed".into(), epsg: None, method, values })
}

/// The value of the first key that has one.
fn first(keys: &[u16], value: &dyn Fn(u16) -> Result<Option<f64>>) -> Result<Option<f64>> {
    for key in keys {
        if let Some(told) = value(*key)? {
            return Ok(Some(told));
        }
    }
    Ok(None)
}

/// Which variant of a method the parameters mean.
fn variant(general: &'static Method, angles: &Unit, value: &dyn Fn(u16) -> Result<Option<f64>>) -> Result<&'static Method> {
    let latitude = || Ok::<f64, Error>((first(LATITUDES, value)?.unwrap_or(0.0) * angles.factor).to_degrees());
    if general == &MERCATOR_A && value(key::STANDARD_PARALLEL_1)?.is_some() {
        return if latitude()? == 0.0 { Ok(&MERCATOR_B) } else { Err(Error::unsupported("projection Mercator with a parallel and an origin")) };
    }
    if general == &POLAR_STEREOGRAPHIC_A {
        let latitude = latitude()?.abs();
        if (latitude - 90.0).abs() < 1e-9 {
            return Ok(general);
        }
        // Variant B has a parallel instead of a scale; which of the two would hold is not told.
        let scale = first(SCALES, value)?.unwrap_or(1.0);
        return if latitude > 0.0 && latitude < 90.0 && scale == 1.0 {
            Ok(&POLAR_STEREOGRAPHIC_B)
        } else {
            Err(Error::unsupported("projection Polar Stereographic with a parallel and a scale"))
        };
    }
    if general == &EQUIDISTANT_CYLINDRICAL && latitude()? != 0.0 {
        return Ok(&EQUIDISTANT_CYLINDRICAL_FROM);
    }
    Ok(general)
}
