//! Systems by their parts, for conventions that tell projections in their own words.

use super::geodetic::{self, well_known_datum};
use super::methods::{Method, POLE_ROTATION};
use super::model::{Conversion, Definition, Ellipsoid, GeodeticCrs, PrimeMeridian, ProjectedCrs, RotatedCrs, Unit};
use super::{Crs, projected, register, wgs84};
use crate::error::{Error, Result};

/// A coordinate reference system that is told by parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct ParametricCrs {
    definition: Definition,
}

impl ParametricCrs {
    pub(super) fn definition(&self) -> &Definition {
        &self.definition
    }
}

/// The geodetic part of a system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) name: &'a str,
    pub(crate) datum: &'a str,
    pub(crate) ellipsoid: &'a str,
    /// Half the diameter at the equator in metres, and the inverse flattening, 0 of a sphere. Where it is not told it is that of the datum,
    /// else that of WGS 84.
    pub(crate) figure: Option<(f64, f64)>,
    pub(crate) meridian: &'a str,
    /// Degrees east of Greenwich.
    pub(crate) longitude: f64,
}

impl Frame<'_> {
    fn geodetic(&self) -> Result<GeodeticCrs> {
        let ellipsoid = match self.figure {
            Some((semi_major, inverse_flattening)) => Ellipsoid { name: self.ellipsoid.to_owned(), epsg: None, semi_major, inverse_flattening },
            None => well_known_datum(self.datum).map_or_else(|| wgs84().datum.ellipsoid, |datum| datum.ellipsoid),
        };
        if !(ellipsoid.semi_major > 0.0 && ellipsoid.semi_minor() > 0.0 && ellipsoid.semi_minor() <= ellipsoid.semi_major) {
            return Err(Error::malformed(format!("an ellipsoid of {}, flattened by 1 / {}", ellipsoid.semi_major, ellipsoid.inverse_flattening)));
        }
        let meridian = match self.longitude {
            0.0 => geodetic::greenwich()?,
            longitude => PrimeMeridian { name: self.meridian.to_owned(), epsg: None, longitude, unit: Unit::degree() },
        };
        Ok(geodetic::by_parts(self.name, self.datum, ellipsoid, meridian, Unit::degree()))
    }
}

impl Crs {
    fn parametric(definition: Definition) -> Self {
        Self::Parametric(Box::new(ParametricCrs { definition }))
    }
    /// Latitudes and longitudes.
    pub(crate) fn geographic(frame: &Frame<'_>) -> Result<Self> {
        let crs = frame.geodetic()?;
        Ok(crs.epsg.map_or_else(|| Self::parametric(Definition::Geodetic(crs.clone())), Self::Epsg))
    }
    /// Those of a grid: latitude and longitude of its north pole, and the longitude of the earth's north pole in the grid, in degrees.
    pub(crate) fn rotated(name: &str, frame: &Frame<'_>, pole: [f64; 3]) -> Result<Self> {
        let values = pole.map(|angle| (angle, Unit::degree())).to_vec();
        let conversion = Conversion { name: POLE_ROTATION.name.into(), epsg: None, method: &POLE_ROTATION, values };
        Ok(Self::parametric(Definition::Rotated(RotatedCrs { name: name.to_owned(), base: frame.geodetic()?, conversion })))
    }
    /// A map. Values go by the keys that GeoTIFF has for parameters: degrees, and lengths of so many metres.
    pub(crate) fn projected(name: &str, frame: &Frame<'_>, method: &'static Method, metres: f64, values: &[(u16, f64)]) -> Result<Self> {
        let unit = register::unit_by_size("unknown", super::UnitKind::Length, metres);
        let value = |key: u16| Ok(values.iter().find(|(of, _)| *of == key).map(|(_, value)| *value));
        let mut conversion = projected::conversion(method, &Unit::degree(), &unit, &value)?;
        // Heights are metres whatever the coordinates are.
        for ((_, unit), parameter) in conversion.values.iter_mut().zip(conversion.method.parameters) {
            if parameter.keys == [super::key::SATELLITE_HEIGHT] {
                *unit = Unit::metre();
            }
        }
        Ok(Self::parametric(Definition::Projected(ProjectedCrs { name: name.to_owned(), epsg: None, base: frame.geodetic()?, conversion, unit })))
    }
}
