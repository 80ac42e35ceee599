//! The geodetic part of GeoTIFF's keys: ellipsoid, prime meridian, datum, angles.

use super::super::GeoKeys;
use super::model::{Datum, Ellipsoid, GeodeticCrs, GeodeticKind, PrimeMeridian, Unit, UnitKind};
use super::{citation, key, register};
use crate::error::{Error, Result};

/// A code that is one: neither missing nor "undefined" nor "user-defined".
pub(super) fn code(keys: &GeoKeys, key: u16) -> Option<u32> {
    keys.code(key).filter(|c| *c != 0 && *c != key::USER_DEFINED).map(u32::from)
}

/// A number that is one.
pub(super) fn number(keys: &GeoKeys, key: u16) -> Result<Option<f64>> {
    match keys.number(key) {
        Some(n) if !n.is_finite() => Err(Error::malformed(format!("geokey {key} is {n}"))),
        other => Ok(other),
    }
}

/// A unit by its code, else by its size.
pub(super) fn unit(keys: &GeoKeys, code_key: u16, size_key: Option<u16>, kind: UnitKind) -> Result<Option<Unit>> {
    if let Some(code) = code(keys, code_key) {
        let known = register::unit(code).filter(|u| u.kind == kind);
        return known.map(Some).ok_or_else(|| Error::unsupported(format!("crs unit EPSG:{code}")));
    }
    let Some(size_key) = size_key else { return Ok(None) };
    let Some(factor) = number(keys, size_key)? else { return Ok(None) };
    if factor <= 0.0 {
        return Err(Error::malformed(format!("geokey {size_key}: a unit of {factor}")));
    }
    let common = if kind == UnitKind::Length { Unit::metre() } else { Unit::degree() };
    let same = (factor / common.factor - 1.0).abs() < 1e-12;
    Ok(Some(if same { common } else { Unit { name: "unknown".into(), kind, factor, epsg: None } }))
}

/// The unit of all angles among the keys.
pub(super) fn angular_unit(keys: &GeoKeys) -> Result<Option<Unit>> {
    unit(keys, key::ANGULAR_UNITS, Some(key::ANGULAR_UNIT_SIZE), UnitKind::Angle)
}

/// The geodetic system, by its code or by its parts.
pub(super) fn geodetic(keys: &GeoKeys) -> Result<GeodeticCrs> {
    let mut crs = match code(keys, GeoKeys::GEODETIC_CRS) {
        Some(code) => register::geodetic(code).ok_or_else(|| Error::unsupported(format!("geodetic crs EPSG:{code}")))?,
        None => user_defined(keys)?,
    };
    let ellipsoid = ellipsoid(keys, Some(&crs.datum.ellipsoid))?;
    if crs.epsg.is_some() && ellipsoid != crs.datum.ellipsoid {
        // Then it is not the register's any more.
        (crs.epsg, crs.datum.epsg) = (None, None);
        crs.datum.ellipsoid = ellipsoid;
    }
    Ok(crs)
}

fn user_defined(keys: &GeoKeys) -> Result<GeodeticCrs> {
    let name = citation::geodetic_name(keys);
    if let Some(named) = name.and_then(register::geodetic_by_name)
        && is_this(keys, &named)?
    {
        return Ok(named);
    }
    let cited = citation::part(keys, GeoKeys::GEODETIC_CITATION, "Datum");
    let mut datum = match code(keys, key::GEODETIC_DATUM) {
        Some(code) => register::datum(code).ok_or_else(|| Error::unsupported(format!("geodetic datum EPSG:{code}")))?,
        None => {
            let ellipsoid = ellipsoid(keys, None)?;
            let known = cited.and_then(well_known_datum).filter(|d| close(d.ellipsoid.semi_minor(), ellipsoid.semi_minor()));
            let meridian = greenwich()?;
            known.unwrap_or_else(|| Datum { name: cited.unwrap_or("unknown").to_owned(), epsg: None, ellipsoid, meridian })
        }
    };
    let ellipsoid = ellipsoid(keys, Some(&datum.ellipsoid))?;
    let meridian = meridian(keys, &datum.meridian)?;
    if ellipsoid != datum.ellipsoid || meridian != datum.meridian {
        datum = Datum { epsg: None, ellipsoid, meridian, ..datum };
    }
    let geocentric = keys.code(GeoKeys::MODEL_TYPE) == Some(3);
    let (kind, unit) = if geocentric {
        (GeodeticKind::Geocentric, unit(keys, key::GEOG_LINEAR_UNITS, Some(key::LINEAR_UNIT_SIZE), UnitKind::Length)?.unwrap_or_else(Unit::metre))
    } else {
        (GeodeticKind::Geographic2D, angular_unit(keys)?.unwrap_or_else(Unit::degree))
    };
    Ok(GeodeticCrs { name: name.unwrap_or("unknown").to_owned(), epsg: None, kind, datum, unit })
}

/// Whether a system that the keys only name is the one that the register has by that name.
fn is_this(keys: &GeoKeys, named: &GeodeticCrs) -> Result<bool> {
    let told = keys.get(key::SEMI_MAJOR_AXIS).is_some() || code(keys, key::ELLIPSOID).is_some();
    if !told || keys.code(GeoKeys::MODEL_TYPE) == Some(3) || keys.get(key::TO_WGS84).is_some() {
        return Ok(false);
    }
    let (own, theirs) = (ellipsoid(keys, None)?, &named.datum.ellipsoid);
    Ok(close(own.semi_major, theirs.semi_major)
        && close(own.semi_minor(), theirs.semi_minor())
        && code(keys, key::GEODETIC_DATUM).is_none_or(|code| named.datum.epsg == Some(code))
        && meridian(keys, &named.datum.meridian)? == named.datum.meridian
        && angular_unit(keys)?.is_none_or(|unit| unit.factor == named.unit.factor))
}

/// By its code or that of its datum (`known`); axes that differ from it count for more.
fn ellipsoid(keys: &GeoKeys, known: Option<&Ellipsoid>) -> Result<Ellipsoid> {
    let coded = match code(keys, key::ELLIPSOID) {
        Some(code) => Some(register::ellipsoid(code).ok_or_else(|| Error::unsupported(format!("ellipsoid EPSG:{code}")))?),
        None => None,
    };
    let known = coded.as_ref().or(known);
    let semi_major = number(keys, key::SEMI_MAJOR_AXIS)?.or(known.map(|e| e.semi_major));
    // Axes are in metres whatever the linear unit of the keys: so do writers, whatever the standard says.
    let semi_major = semi_major.ok_or_else(|| Error::unsupported("geodetic crs without an ellipsoid"))?;
    let semi_minor = match (number(keys, key::INVERSE_FLATTENING)?, number(keys, key::SEMI_MINOR_AXIS)?, known) {
        (Some(0.0), ..) => semi_major,
        (Some(flattening), ..) => semi_major * (1.0 - 1.0 / flattening),
        (None, Some(semi_minor), _) => semi_minor,
        (None, None, Some(known)) => known.semi_minor(),
        (None, None, None) => return Err(Error::unsupported("geodetic crs without an ellipsoid")),
    };
    if !(semi_minor > 0.0 && semi_minor <= semi_major * 1.000_001) {
        return Err(Error::malformed(format!("an ellipsoid of {semi_major} by {semi_minor}")));
    }
    if let Some(known) = known
        && close(known.semi_major, semi_major)
        && close(known.semi_minor(), semi_minor)
    {
        return Ok(known.clone());
    }
    let round = close(semi_major, semi_minor);
    let told = number(keys, key::INVERSE_FLATTENING)?;
    let inverse_flattening = if round { 0.0 } else { told.unwrap_or(semi_major / (semi_major - semi_minor)) };
    let name = citation::part(keys, GeoKeys::GEODETIC_CITATION, "Ellipsoid").unwrap_or("unknown");
    Ok(Ellipsoid { name: name.to_owned(), epsg: None, semi_major, inverse_flattening })
}

/// Equal but for the digits that writers cut: within a few micrometres of an earth.
pub(super) fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * a.abs().max(b.abs())
}

fn meridian(keys: &GeoKeys, known: &PrimeMeridian) -> Result<PrimeMeridian> {
    if let Some(code) = code(keys, key::PRIME_MERIDIAN) {
        return register::prime_meridian(code).ok_or_else(|| Error::unsupported(format!("prime meridian EPSG:{code}")));
    }
    let Some(longitude) = number(keys, key::PRIME_MERIDIAN_LONGITUDE)? else { return Ok(known.clone()) };
    let unit = angular_unit(keys)?.unwrap_or_else(Unit::degree);
    if (longitude * unit.factor - known.longitude * known.unit.factor).abs() < 1e-12 {
        return Ok(known.clone());
    }
    let name = citation::part(keys, GeoKeys::GEODETIC_CITATION, "Primem").unwrap_or("unknown");
    Ok(PrimeMeridian { name: name.to_owned(), epsg: None, longitude, unit })
}

/// A system by its parts in words: the register's, or over a datum of the register's, where names and numbers agree with it.
pub(super) fn by_parts(name: &str, datum: &str, ellipsoid: Ellipsoid, meridian: PrimeMeridian, unit: Unit) -> GeodeticCrs {
    let same = |known: &Ellipsoid| close(known.semi_major, ellipsoid.semi_major) && close(known.semi_minor(), ellipsoid.semi_minor());
    let is_this = |known: &GeodeticCrs| same(&known.datum.ellipsoid) && known.datum.meridian == meridian && known.unit.factor == unit.factor;
    if let Some(named) = register::geodetic_by_name(name).filter(is_this) {
        return named;
    }
    let known = well_known_datum(datum).filter(|d| same(&d.ellipsoid) && d.meridian == meridian);
    let datum = known.unwrap_or_else(|| Datum { name: datum.to_owned(), epsg: None, ellipsoid, meridian });
    GeodeticCrs { name: name.to_owned(), epsg: None, kind: GeodeticKind::Geographic2D, datum, unit }
}

pub(super) fn greenwich() -> Result<PrimeMeridian> {
    register::prime_meridian(8901).ok_or_else(|| Error::unsupported("prime meridian"))
}

/// The datums that writers mean when they spell a name of ESRI's or OGC's instead of giving a code.
pub(super) fn well_known_datum(name: &str) -> Option<Datum> {
    let letters: String = name.trim_start_matches("D_").chars().filter(char::is_ascii_alphanumeric).collect();
    let code = match letters.to_ascii_lowercase().as_str() {
        "wgs1984" | "wgs84" | "worldgeodeticsystem1984" => 6326,
        "wgs1972" | "worldgeodeticsystem1972" => 6322,
        "northamerican1983" | "northamericandatum1983" | "nad83" => 6269,
        "northamerican1927" | "northamericandatum1927" | "nad27" => 6267,
        "etrs1989" | "europeanterrestrialreferencesystem1989" => 6258,
        _ => return None,
    };
    register::datum(code)
}
