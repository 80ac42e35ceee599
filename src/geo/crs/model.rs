//! What a coordinate reference system is made of (ISO 19111), as far as GeoTIFF and CF can say it.

use super::CrsKind;
use super::methods::Method;

/// What a unit measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitKind {
    /// Lengths.
    Length,
    /// Angles.
    Angle,
    /// Ratios.
    Scale,
}

/// A unit of measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// Its name in the EPSG register, else `unknown`.
    pub name: String,
    /// What it measures.
    pub kind: UnitKind,
    /// How many metres, radians or ones it is.
    pub factor: f64,
    /// Its code in the EPSG register.
    pub epsg: Option<u32>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ellipsoid {
    pub(super) name: String,
    pub(super) epsg: Option<u32>,
    /// In metres.
    pub(super) semi_major: f64,
    /// 0 of a sphere.
    pub(super) inverse_flattening: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct PrimeMeridian {
    pub(super) name: String,
    pub(super) epsg: Option<u32>,
    /// East of Greenwich.
    pub(super) longitude: f64,
    pub(super) unit: Unit,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Datum {
    pub(super) name: String,
    pub(super) epsg: Option<u32>,
    pub(super) ellipsoid: Ellipsoid,
    pub(super) meridian: PrimeMeridian,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GeodeticKind {
    Geographic2D,
    Geographic3D,
    Geocentric,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct GeodeticCrs {
    pub(super) name: String,
    pub(super) epsg: Option<u32>,
    pub(super) kind: GeodeticKind,
    pub(super) datum: Datum,
    /// Of its angles, of its lengths where it is geocentric.
    pub(super) unit: Unit,
}

/// A map projection with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Conversion {
    pub(super) name: String,
    pub(super) epsg: Option<u32>,
    pub(super) method: &'static Method,
    /// One for each of the method's parameters, in their order.
    pub(super) values: Vec<(f64, Unit)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct ProjectedCrs {
    pub(super) name: String,
    pub(super) epsg: Option<u32>,
    pub(super) base: GeodeticCrs,
    pub(super) conversion: Conversion,
    pub(super) unit: Unit,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct RotatedCrs {
    pub(super) name: String,
    pub(super) base: GeodeticCrs,
    pub(super) conversion: Conversion,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct VerticalCrs {
    pub(super) name: String,
    pub(super) epsg: Option<u32>,
    pub(super) datum: String,
    pub(super) datum_epsg: Option<u32>,
    pub(super) unit: Unit,
    pub(super) down: bool,
}

/// A whole system.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Definition {
    Geodetic(GeodeticCrs),
    Projected(ProjectedCrs),
    /// Latitudes and longitudes of a grid that is turned against those of the earth.
    Rotated(RotatedCrs),
    Vertical(VerticalCrs),
    Compound {
        name: String,
        epsg: Option<u32>,
        components: Vec<Definition>,
    },
    /// One whose way to WGS 84 is told: three shifts in metres, three rotations in arc-seconds (of the position vector) and a scale in
    /// parts per million.
    Bound {
        source: Box<Definition>,
        parameters: [f64; 7],
    },
}

impl Unit {
    pub(super) fn metre() -> Self {
        Self { name: "metre".into(), kind: UnitKind::Length, factor: 1.0, epsg: Some(9001) }
    }
    pub(super) fn degree() -> Self {
        Self { name: "degree".into(), kind: UnitKind::Angle, factor: std::f64::consts::PI / 180.0, epsg: Some(9102) }
    }
    pub(super) fn unity() -> Self {
        Self { name: "unity".into(), kind: UnitKind::Scale, factor: 1.0, epsg: Some(9201) }
    }
    /// How many metres it is; `None` unless it is one of length.
    #[must_use]
    pub fn metres(&self) -> Option<f64> {
        (self.kind == UnitKind::Length).then_some(self.factor)
    }
}

impl Ellipsoid {
    /// In metres.
    pub(super) fn semi_minor(&self) -> f64 {
        if self.inverse_flattening == 0.0 { self.semi_major } else { self.semi_major * (1.0 - 1.0 / self.inverse_flattening) }
    }
}

impl Definition {
    pub(super) fn compound(epsg: Option<u32>, horizontal: Self, vertical: VerticalCrs) -> Self {
        let name = format!("{} + {}", horizontal.name(), vertical.name);
        Self::Compound { name, epsg, components: vec![horizontal, Self::Vertical(vertical)] }
    }
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Geodetic(crs) => &crs.name,
            Self::Projected(crs) => &crs.name,
            Self::Rotated(crs) => &crs.name,
            Self::Vertical(crs) => &crs.name,
            Self::Compound { name, .. } => name,
            Self::Bound { source, .. } => source.name(),
        }
    }
    /// What the horizontal axes are.
    pub(super) fn kind(&self) -> CrsKind {
        match self {
            Self::Geodetic(crs) if crs.kind == GeodeticKind::Geocentric => CrsKind::Geocentric,
            Self::Geodetic(_) | Self::Rotated(_) => CrsKind::Geographic,
            Self::Projected(_) => CrsKind::Projected,
            Self::Vertical(_) => CrsKind::Unknown,
            Self::Compound { components, .. } => components.first().map_or(CrsKind::Unknown, Self::kind),
            Self::Bound { source, .. } => source.kind(),
        }
    }
    /// The unit of the horizontal axes.
    pub(super) fn unit(&self) -> Option<&Unit> {
        match self {
            Self::Geodetic(crs) => Some(&crs.unit),
            Self::Projected(crs) => Some(&crs.unit),
            Self::Rotated(crs) => Some(&crs.base.unit),
            Self::Vertical(_) => None,
            Self::Compound { components, .. } => components.first()?.unit(),
            Self::Bound { source, .. } => source.unit(),
        }
    }
}
