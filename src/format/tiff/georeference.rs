//! Where an image's pixels are, from its tags.

use super::directory::{Directory, GeoTags};
use crate::geo::{AuxiliaryMetadata, ControlPoint, Crs, GdalMetadata, GeoKeys, GeoTransform, Rpc};

/// Where an image's pixels are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Georeference {
    /// From pixels, counted from the outer corner of the first, to coordinates.
    pub transform: Option<GeoTransform>,
    /// Tie points, where there is no transform.
    pub control_points: Vec<ControlPoint>,
    /// The system of the coordinates.
    pub crs: Option<Crs>,
    /// Whether the file gives the coordinates of the centres of pixels (the transform is corrected for it, tie points are not).
    pub pixel_is_point: bool,
    /// Rational polynomial coefficients.
    pub rpc: Option<Rpc>,
}

impl Georeference {
    /// With what a sidecar says in its place: a transform or control points with their system, and coefficients.
    #[must_use]
    pub fn under(mut self, aux: &AuxiliaryMetadata) -> Self {
        if aux.transform.is_some() || !aux.control_points.is_empty() {
            self.transform = aux.transform;
            self.control_points = if aux.transform.is_none() { aux.control_points.clone() } else { Vec::new() };
        }
        self.crs = aux.crs.clone().or(self.crs);
        self.rpc = aux.metadata.rpc().or(self.rpc);
        self
    }
}

impl GeoTags {
    /// The keys.
    #[must_use]
    pub fn geokeys(&self) -> GeoKeys {
        GeoKeys::parse(&self.keys, &self.doubles, &self.ascii)
    }
}

impl Directory {
    /// Where its pixels are.
    #[must_use]
    pub fn georeference(&self) -> Georeference {
        let keys = self.geo.geokeys();
        let pixel_is_point = keys.pixel_is_point();
        let transform = GeoTransform::from_tags(&self.geo.pixel_scale, &self.geo.tiepoints, &self.geo.transformation, pixel_is_point);
        let control_points = if transform.is_none() { ControlPoint::from_tiepoints(&self.geo.tiepoints) } else { Vec::new() };
        let rpc = Rpc::from_tag(&self.geo.rpc).or_else(|| self.metadata().rpc());
        Georeference { transform, control_points, crs: Crs::from_geokeys(&keys), pixel_is_point, rpc }
    }
    /// GDAL's metadata; empty where there is none.
    #[must_use]
    pub fn metadata(&self) -> GdalMetadata {
        self.gdal_metadata.as_deref().map(GdalMetadata::parse).unwrap_or_default()
    }
}
