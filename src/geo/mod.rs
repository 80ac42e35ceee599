//! Where pixels are, and what their numbers mean: geotransforms, coordinate reference systems, GDAL's metadata and nodata.

mod affine;
mod auxiliary;
mod crs;
mod gdal_metadata;
mod geokeys;
mod nodata;
mod rpc;
mod xml;

pub use affine::{ControlPoint, GeoTransform};
pub use auxiliary::AuxiliaryMetadata;
pub use crs::{CompoundCrs, Crs, CrsKind, CrsText, ParametricCrs, TextCrs, Unit, UnitKind, UserCrs};
pub(crate) use crs::{Frame, key as geokey, methods};
pub use gdal_metadata::{GdalItem, GdalMetadata, Statistics};
pub use geokeys::{GeoKeys, KeyValue};
pub use nodata::Nodata;
pub use rpc::Rpc;
