//! Where an image's pixels are, from its tags.

use super::directory::{Directory, GeoTags};
use crate::geo::{ControlPoint, Crs, GdalMetadata, GeoKeys, GeoTransform};

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
        Georeference { transform, control_points, crs: Crs::from_geokeys(&keys), pixel_is_point }
    }
    /// GDAL's metadata; empty where there is none.
    #[must_use]
    pub fn metadata(&self) -> GdalMetadata {
        self.gdal_metadata.as_deref().map(GdalMetadata::parse).unwrap_or_default()
    }
}
