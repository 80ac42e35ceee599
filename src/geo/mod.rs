//! Where pixels are, and what their numbers mean: geotransforms, coordinate reference systems, GDAL's metadata and nodata.

mod affine;
mod crs;
mod definition;
mod gdal_metadata;
mod geokeys;
mod nodata;

pub use affine::{ControlPoint, GeoTransform};
pub use crs::{Crs, CrsKind, UserCrs};
pub use definition::CrsDefinition;
pub use gdal_metadata::{GdalItem, GdalMetadata, Statistics};
pub use geokeys::{GeoKeys, KeyValue};
pub use nodata::Nodata;
