//! Where pixels are, and what their numbers mean: geotransforms, coordinate reference systems, GDAL's metadata and nodata.

mod affine;
mod auxiliary;
mod crs;
mod definition;
mod gdal_metadata;
mod geokeys;
mod nodata;
mod rpc;
mod xml;

pub use affine::{ControlPoint, GeoTransform};
pub use auxiliary::AuxiliaryMetadata;
pub use crs::{CompoundCrs, Crs, CrsKind, Unit, UnitKind, UserCrs};
pub use definition::CrsDefinition;
pub use gdal_metadata::{GdalItem, GdalMetadata, Statistics};
pub use geokeys::{GeoKeys, KeyValue};
pub use nodata::Nodata;
pub use rpc::Rpc;
