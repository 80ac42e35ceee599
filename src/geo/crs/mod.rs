//! Coordinate reference systems.
//!
//! GeoTIFF names a system by a code of the EPSG register, or spells it out in keys: a projection method with parameters over a geodetic
//! system, which again is a code, or a datum, or no more than an ellipsoid. Spelled out ones become a small model of ISO 19111
//! ([`model`]), and two writers hand that on: PROJJSON and WKT 2. What the keys only hint at is refused by name: no system is better than
//! a wrong one. Metadata elsewhere tells a system as a code, as a text, which is kept as it is ([`text`]), or by named parameters
//! ([`parts`]).

mod axes;
mod citation;
mod geodetic;
pub(crate) mod key;
pub(crate) mod methods;
mod model;
mod node;
mod parts;
mod projected;
mod projjson;
mod register;
#[cfg(test)]
mod tests;
mod text;
mod vertical;
mod wkt;
mod wkt1;

use std::fmt;

use serde_json::Value;

use super::{GeoKeys, KeyValue};
use crate::error::{Error, Result};
use key::USER_DEFINED;
use model::{Definition, GeodeticCrs, GeodeticKind, ProjectedCrs};
pub use model::{Unit, UnitKind};
pub(crate) use parts::Frame;
pub use parts::ParametricCrs;
pub use text::{CrsText, TextCrs};

/// A coordinate reference system: by its EPSG code, or by what the file says of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Crs {
    /// Its code in the EPSG register.
    Epsg(u32),
    /// One without a code, by the keys of a GeoTIFF.
    UserDefined(Box<UserCrs>),
    /// A horizontal system with one of heights, where the pair has no code.
    Compound(Box<CompoundCrs>),
    /// One that is spelled out as a text, with a code or without.
    Text(Box<TextCrs>),
    /// One that is told by the parameters of its projection and its figure of the earth.
    Parametric(Box<ParametricCrs>),
}

/// A coordinate reference system that a file defines itself.
#[derive(Debug, Clone, PartialEq)]
pub struct UserCrs {
    /// Its name, as far as it has one.
    pub name: String,
    /// What its coordinates are.
    pub kind: CrsKind,
    /// The keys that define it.
    pub keys: GeoKeys,
}

/// A horizontal system and one of heights.
#[derive(Debug, Clone, PartialEq)]
pub struct CompoundCrs {
    /// Of the plane.
    pub horizontal: Crs,
    /// The code of the system of heights in the EPSG register, if it has one.
    pub vertical_epsg: Option<u32>,
    /// The keys that define both.
    pub keys: GeoKeys,
}

/// What the coordinates of a system are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrsKind {
    /// Lengths on a map.
    Projected,
    /// Angles.
    Geographic,
    /// Lengths from the centre of the earth.
    Geocentric,
    /// Not known.
    Unknown,
}

const TO_WGS84_METHOD: (&str, u32) = ("Position Vector transformation (geog2D domain)", 9606);
const TO_WGS84_PARAMETERS: [(&str, u32, &str); 7] = [
    ("X-axis translation", 8605, "metre"),
    ("Y-axis translation", 8606, "metre"),
    ("Z-axis translation", 8607, "metre"),
    ("X-axis rotation", 8608, "arc-second"),
    ("Y-axis rotation", 8609, "arc-second"),
    ("Z-axis rotation", 8610, "arc-second"),
    ("Scale difference", 8611, "parts per million"),
];

impl Crs {
    /// From GeoTIFF's keys; `None` where they name no horizontal system.
    #[must_use]
    pub fn from_geokeys(keys: &GeoKeys) -> Option<Self> {
        let horizontal = Self::horizontal_of(keys)?;
        if horizontal == Self::Epsg(4326) && vertical::is_wgs84_height(keys) {
            return Some(Self::Epsg(4979));
        }
        if !vertical::is_present(keys) {
            return Some(horizontal);
        }
        let vertical_epsg = vertical::epsg(keys);
        if let (Some(horizontal), Some(vertical)) = (horizontal.epsg(), vertical_epsg)
            && register::is_in_three_dimensions(horizontal, vertical)
        {
            return Some(Self::Epsg(vertical));
        }
        if let (Some(horizontal), Some(vertical)) = (horizontal.epsg(), vertical_epsg)
            && let Some(code) = register::compound(horizontal, vertical)
        {
            return Some(Self::Epsg(code));
        }
        Some(Self::Compound(Box::new(CompoundCrs { horizontal, vertical_epsg, keys: keys.clone() })))
    }

    fn horizontal_of(keys: &GeoKeys) -> Option<Self> {
        let projected = keys.code(GeoKeys::PROJECTED_CRS).filter(|c| *c != 0);
        let geodetic = keys.code(GeoKeys::GEODETIC_CRS).filter(|c| *c != 0);
        let spelled_out = geodetic::code(keys, key::PROJECTION).is_some() || geodetic::code(keys, key::METHOD).is_some();
        let kind = match keys.code(GeoKeys::MODEL_TYPE) {
            Some(1) => CrsKind::Projected,
            Some(2) => CrsKind::Geographic,
            Some(3) => CrsKind::Geocentric,
            _ if projected.is_some() || spelled_out => CrsKind::Projected,
            _ if geodetic.is_some() => CrsKind::Geographic,
            _ => CrsKind::Unknown,
        };
        let code = match kind {
            CrsKind::Projected => projected,
            CrsKind::Geographic | CrsKind::Geocentric => geodetic,
            CrsKind::Unknown => None,
        };
        if let Some(code) = code.filter(|c| *c != USER_DEFINED).map(u32::from) {
            let believed = match kind {
                // Other units than the register's make it another system; feet differ by 2e-6.
                CrsKind::Projected => {
                    let register = register::projected_unit(code).factor;
                    projected::linear_unit(keys).ok().flatten().is_none_or(|u| (u.factor / register - 1.0).abs() < 1e-7)
                }
                // The codes of datums and ellipsoids are found here too.
                _ => register::geodetic_kind(code).is_some(),
            };
            if believed {
                return Some(Self::Epsg(code));
            }
        } else if kind == CrsKind::Projected
            && let Some(code) = projected::epsg_of_parts(keys)
        {
            return Some(Self::Epsg(code));
        } else if let Some(text) = citation::esri_wkt(keys) {
            return Some(Self::of_esri_wkt(text, keys));
        } else if kind == CrsKind::Geographic
            && let Some(code) = geodetic::geodetic(keys).ok().and_then(|crs| crs.epsg)
        {
            return Some(Self::Epsg(code));
        } else if kind == CrsKind::Unknown && keys.text(GeoKeys::CITATION).is_none() {
            return None;
        }
        let name = if kind == CrsKind::Projected { citation::projected_name(keys) } else { citation::geodetic_name(keys) };
        let name = name.or_else(|| keys.text(GeoKeys::CITATION)).unwrap_or_default().to_owned();
        Some(Self::UserDefined(Box::new(UserCrs { name, kind, keys: keys.clone() })))
    }

    fn of_esri_wkt(text: &str, keys: &GeoKeys) -> Self {
        let root = node::Node::parse(text).unwrap_or_default();
        // The one name of ESRI's that stands for a code without exception.
        let web_mercator = (root.name() == "WGS_1984_Web_Mercator_Auxiliary_Sphere").then_some(3857);
        if let Some(code) = root.epsg().or(web_mercator) {
            return Self::Epsg(code);
        }
        let kind = text::kind_of_node(&root);
        Self::UserDefined(Box::new(UserCrs { name: root.name().to_owned(), kind, keys: keys.clone() }))
    }

    /// Its code in the EPSG register, if it has one.
    #[must_use]
    pub fn epsg(&self) -> Option<u32> {
        match self {
            Self::Epsg(code) => Some(*code),
            Self::Text(text) => text.epsg,
            Self::UserDefined(_) | Self::Compound(_) | Self::Parametric(_) => None,
        }
    }
    /// Without its heights.
    #[must_use]
    pub fn horizontal(&self) -> Self {
        match self {
            Self::Epsg(code) => Self::Epsg(register::components(*code).map_or(*code, |(horizontal, _)| horizontal)),
            Self::UserDefined(_) | Self::Parametric(_) => self.clone(),
            Self::Compound(compound) => compound.horizontal.clone(),
            Self::Text(text) => text.horizontal().unwrap_or_else(|| self.clone()),
        }
    }
    /// Its name, where the file or the tables here have one; not of most projected systems that are told by their code.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        match self {
            Self::Epsg(_) => self.definition().ok().map(|d| d.name().to_owned()),
            Self::UserDefined(user) => Some(user.name.clone()).filter(|n| !n.is_empty()),
            Self::Compound(compound) => compound.horizontal.name(),
            Self::Text(text) => Some(text.name.clone()).filter(|n| !n.is_empty()),
            Self::Parametric(crs) => Some(crs.definition().name().to_owned()).filter(|n| !n.is_empty()),
        }
    }
    /// What its coordinates are. A code that is of no geodetic system counts as one of a projected one.
    #[must_use]
    pub fn kind(&self) -> CrsKind {
        match self.horizontal() {
            Self::Epsg(code) => match register::geodetic_kind(code) {
                Some(GeodeticKind::Geocentric) => CrsKind::Geocentric,
                Some(_) => CrsKind::Geographic,
                None => CrsKind::Projected,
            },
            Self::UserDefined(user) => user.kind,
            Self::Compound(_) => CrsKind::Unknown,
            Self::Text(text) => text.kind,
            Self::Parametric(crs) => crs.definition().kind(),
        }
    }
    /// Whether its coordinates are angles.
    #[must_use]
    pub fn is_geographic(&self) -> bool {
        self.kind() == CrsKind::Geographic
    }
    /// The unit of its horizontal axes; `None` where the file does not make it clear.
    #[must_use]
    pub fn unit(&self) -> Option<Unit> {
        match self.horizontal() {
            Self::Epsg(code) => Some(register::geodetic(code).map_or_else(|| register::projected_unit(code), |crs| crs.unit)),
            Self::UserDefined(user) => user.unit(),
            Self::Compound(_) => None,
            Self::Text(text) => text.unit(),
            Self::Parametric(crs) => crs.definition().unit().cloned(),
        }
    }
    /// How many metres the unit of its coordinates is; `None` of angles.
    #[must_use]
    pub fn metres_per_unit(&self) -> Option<f64> {
        self.unit()?.metres()
    }
    /// How many metres the unit of its coordinates is, angles as on the equator of WGS 84; `None` where nothing tells what they are.
    #[must_use]
    pub fn metres_on_equator(&self) -> Option<f64> {
        /// Metres of a radian.
        const RADIUS: f64 = 6_378_137.0;
        match (self.unit(), self.kind()) {
            (Some(unit), _) if unit.kind == UnitKind::Angle => Some(unit.factor * RADIUS),
            (Some(unit), _) => Some(unit.factor),
            (None, CrsKind::Geographic) => Some(Unit::degree().factor * RADIUS),
            (None, CrsKind::Projected | CrsKind::Geocentric) => Some(1.0),
            (None, CrsKind::Unknown) => None,
        }
    }
    /// The whole system as PROJJSON (schema 0.7), or as the metadata holds it where that is PROJJSON.
    ///
    /// # Errors
    /// `Unsupported` of a projected system that is told by its code alone, of one that is told in version 2 of well-known text, unless the
    /// tables here have its code, and of a system whose keys or text name a method, a datum or a unit that is not known here or leave one of
    /// them open; `Malformed` where a number among them makes no sense.
    pub fn to_projjson(&self) -> Result<Value> {
        if let Self::Text(text) = self
            && let CrsText::Projjson(json) = &text.text
        {
            return json.parse();
        }
        self.definition().map(|d| projjson::write(&d))
    }
    /// The whole system as WKT: version 2 (ISO 19162:2019), or as the file holds it where that is well-known text of either version.
    ///
    /// # Errors
    /// As of [`to_projjson`](Self::to_projjson), but that PROJJSON takes the place of well-known text.
    pub fn to_wkt(&self) -> Result<String> {
        if let Self::Text(text) = self
            && let CrsText::Wkt(wkt) = &text.text
        {
            return Ok(wkt.clone());
        }
        if let Self::UserDefined(user) = self
            && let Some(text) = citation::esri_wkt(&user.keys)
        {
            return Ok(text.to_owned());
        }
        self.definition().map(|d| wkt::write(&d))
    }

    fn definition(&self) -> Result<Definition> {
        match self {
            Self::Epsg(code) => definition_of(*code),
            Self::UserDefined(user) => user.definition(),
            Self::Compound(compound) => Ok(Definition::compound(None, compound.horizontal.definition()?, vertical::vertical(&compound.keys)?)),
            Self::Text(text) => text.definition(),
            Self::Parametric(crs) => Ok(crs.definition().clone()),
        }
    }
}

/// What the tables have of a code.
fn definition_of(code: u32) -> Result<Definition> {
    if let Some((horizontal, vertical)) = register::components(code) {
        let heights = register::vertical(vertical).ok_or_else(|| Error::unsupported(format!("vertical crs EPSG:{vertical}")))?;
        return Ok(Definition::compound(Some(code), definition_of(horizontal)?, heights));
    }
    let known = register::geodetic(code).map(Definition::Geodetic).or_else(|| projected::of_epsg(code).map(Definition::Projected));
    known.ok_or_else(|| Error::unsupported(format!("definition of EPSG:{code}, of which only the code is known")))
}

impl UserCrs {
    /// The value of one of the keys that define it.
    #[must_use]
    pub fn key(&self, key: u16) -> Option<&KeyValue> {
        self.keys.get(key)
    }

    fn unit(&self) -> Option<Unit> {
        if let Some(text) = citation::esri_wkt(&self.keys) {
            return wkt1::definition(text).ok()?.unit().cloned();
        }
        match self.kind {
            CrsKind::Projected => projected::linear_unit(&self.keys).ok().map(|u| u.unwrap_or_else(Unit::metre)),
            CrsKind::Geographic | CrsKind::Geocentric => geodetic::geodetic(&self.keys).ok().map(|crs| crs.unit),
            CrsKind::Unknown => projected::linear_unit(&self.keys).ok().flatten(),
        }
    }
    fn definition(&self) -> Result<Definition> {
        let keys = &self.keys;
        if let Some(text) = citation::esri_wkt(keys) {
            return wkt1::definition(text);
        }
        let definition = match self.kind {
            CrsKind::Projected => match geodetic::code(keys, GeoKeys::PROJECTED_CRS) {
                Some(code) => {
                    let crs = projected::of_epsg(code).zip(projected::linear_unit(keys)?);
                    let (crs, unit) = crs.ok_or_else(|| Error::unsupported(format!("definition of EPSG:{code} in units that are not its own")))?;
                    Definition::Projected(ProjectedCrs { epsg: None, unit, ..crs })
                }
                None => Definition::Projected(projected::projected(keys)?),
            },
            CrsKind::Geographic | CrsKind::Geocentric => Definition::Geodetic(geodetic::geodetic(keys)?),
            CrsKind::Unknown => return Err(Error::unsupported("crs without a model type")),
        };
        Ok(match to_wgs84(keys)? {
            Some(parameters) => Definition::Bound { source: Box::new(definition), parameters },
            None => definition,
        })
    }
}

/// The way to WGS 84, of a geodetic system that has no code: one with a code has better ones.
fn to_wgs84(keys: &GeoKeys) -> Result<Option<[f64; 7]>> {
    let Some(KeyValue::Doubles(told)) = keys.get(key::TO_WGS84) else { return Ok(None) };
    if geodetic::code(keys, GeoKeys::GEODETIC_CRS).is_some() {
        return Ok(None);
    }
    let mut parameters = [0.0; 7];
    match told.len() {
        3 | 7 if told.iter().all(|n| n.is_finite()) => parameters[..told.len()].copy_from_slice(told),
        _ => return Err(Error::malformed("a transformation to WGS 84 that is not of 3 or 7 numbers")),
    }
    Ok(Some(parameters))
}

fn wgs84() -> GeodeticCrs {
    register::geodetic(4326).unwrap_or_else(|| unreachable!("the table has WGS 84"))
}

impl fmt::Display for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Epsg(code) => write!(f, "EPSG:{code}"),
            Self::Text(_) | Self::Parametric(_) => match (self.epsg(), self.name()) {
                (Some(code), _) => write!(f, "EPSG:{code}"),
                (None, Some(name)) => write!(f, "user-defined: {name}"),
                (None, None) => f.write_str("user-defined"),
            },
            Self::UserDefined(user) if user.name.is_empty() => f.write_str("user-defined"),
            Self::UserDefined(user) => write!(f, "user-defined: {}", user.name),
            Self::Compound(compound) => match compound.vertical_epsg {
                // PROJ reads two codes in this form.
                Some(code) => write!(f, "{}+{code}", compound.horizontal),
                None => write!(f, "{} + heights", compound.horizontal),
            },
        }
    }
}
