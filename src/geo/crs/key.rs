//! The numbers of the keys that define a system (OGC GeoTIFF 1.1, annex B; TOWGS84 is libgeotiff's).

pub(crate) const GEODETIC_DATUM: u16 = 2050;
pub(crate) const PRIME_MERIDIAN: u16 = 2051;
pub(crate) const GEOG_LINEAR_UNITS: u16 = 2052;
pub(crate) const ANGULAR_UNITS: u16 = 2054;
pub(crate) const ANGULAR_UNIT_SIZE: u16 = 2055;
pub(crate) const ELLIPSOID: u16 = 2056;
pub(crate) const SEMI_MAJOR_AXIS: u16 = 2057;
pub(crate) const SEMI_MINOR_AXIS: u16 = 2058;
pub(crate) const INVERSE_FLATTENING: u16 = 2059;
pub(crate) const PRIME_MERIDIAN_LONGITUDE: u16 = 2061;
pub(crate) const TO_WGS84: u16 = 2062;

pub(crate) const PROJECTION: u16 = 3074;
pub(crate) const METHOD: u16 = 3075;
pub(crate) const LINEAR_UNITS: u16 = 3076;
pub(crate) const LINEAR_UNIT_SIZE: u16 = 3077;
pub(crate) const STANDARD_PARALLEL_1: u16 = 3078;
pub(crate) const STANDARD_PARALLEL_2: u16 = 3079;
pub(crate) const NATURAL_ORIGIN_LONGITUDE: u16 = 3080;
pub(crate) const NATURAL_ORIGIN_LATITUDE: u16 = 3081;
pub(crate) const FALSE_EASTING: u16 = 3082;
pub(crate) const FALSE_NORTHING: u16 = 3083;
pub(crate) const FALSE_ORIGIN_LONGITUDE: u16 = 3084;
pub(crate) const FALSE_ORIGIN_LATITUDE: u16 = 3085;
pub(crate) const FALSE_ORIGIN_EASTING: u16 = 3086;
pub(crate) const FALSE_ORIGIN_NORTHING: u16 = 3087;
pub(crate) const CENTER_LONGITUDE: u16 = 3088;
pub(crate) const CENTER_LATITUDE: u16 = 3089;
pub(crate) const CENTER_EASTING: u16 = 3090;
pub(crate) const CENTER_NORTHING: u16 = 3091;
pub(crate) const SCALE_AT_NATURAL_ORIGIN: u16 = 3092;
pub(crate) const SCALE_AT_CENTER: u16 = 3093;
pub(crate) const AZIMUTH: u16 = 3094;
pub(crate) const STRAIGHT_VERTICAL_POLE_LONGITUDE: u16 = 3095;
pub(crate) const RECTIFIED_GRID_ANGLE: u16 = 3096;
/// Of no standard: texts have it.
pub(crate) const SATELLITE_HEIGHT: u16 = 0;

pub(crate) const VERTICAL: u16 = 4096;
pub(crate) const VERTICAL_CITATION: u16 = 4097;
pub(crate) const VERTICAL_DATUM: u16 = 4098;
pub(crate) const VERTICAL_UNITS: u16 = 4099;

/// The code that says that there is no code.
pub(crate) const USER_DEFINED: u16 = 32767;
