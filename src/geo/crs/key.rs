//! The numbers of the keys that define a system (OGC GeoTIFF 1.1, annex B; TOWGS84 is libgeotiff's).

pub(super) const GEODETIC_DATUM: u16 = 2050;
pub(super) const PRIME_MERIDIAN: u16 = 2051;
pub(super) const GEOG_LINEAR_UNITS: u16 = 2052;
pub(super) const ANGULAR_UNITS: u16 = 2054;
pub(super) const ANGULAR_UNIT_SIZE: u16 = 2055;
pub(super) const ELLIPSOID: u16 = 2056;
pub(super) const SEMI_MAJOR_AXIS: u16 = 2057;
pub(super) const SEMI_MINOR_AXIS: u16 = 2058;
pub(super) const INVERSE_FLATTENING: u16 = 2059;
pub(super) const PRIME_MERIDIAN_LONGITUDE: u16 = 2061;
pub(super) const TO_WGS84: u16 = 2062;

pub(super) const PROJECTION: u16 = 3074;
pub(super) const METHOD: u16 = 3075;
pub(super) const LINEAR_UNITS: u16 = 3076;
pub(super) const LINEAR_UNIT_SIZE: u16 = 3077;
pub(super) const STANDARD_PARALLEL_1: u16 = 3078;
pub(super) const STANDARD_PARALLEL_2: u16 = 3079;
pub(super) const NATURAL_ORIGIN_LONGITUDE: u16 = 3080;
pub(super) const NATURAL_ORIGIN_LATITUDE: u16 = 3081;
pub(super) const FALSE_EASTING: u16 = 3082;
pub(super) const FALSE_NORTHING: u16 = 3083;
pub(super) const FALSE_ORIGIN_LONGITUDE: u16 = 3084;
pub(super) const FALSE_ORIGIN_LATITUDE: u16 = 3085;
pub(super) const FALSE_ORIGIN_EASTING: u16 = 3086;
pub(super) const FALSE_ORIGIN_NORTHING: u16 = 3087;
pub(super) const CENTER_LONGITUDE: u16 = 3088;
pub(super) const CENTER_LATITUDE: u16 = 3089;
pub(super) const CENTER_EASTING: u16 = 3090;
pub(super) const CENTER_NORTHING: u16 = 3091;
pub(super) const SCALE_AT_NATURAL_ORIGIN: u16 = 3092;
pub(super) const SCALE_AT_CENTER: u16 = 3093;
pub(super) const AZIMUTH: u16 = 3094;
pub(super) const STRAIGHT_VERTICAL_POLE_LONGITUDE: u16 = 3095;
pub(super) const RECTIFIED_GRID_ANGLE: u16 = 3096;
/// Of no standard: texts have it.
pub(super) const SATELLITE_HEIGHT: u16 = 0;

pub(super) const VERTICAL: u16 = 4096;
pub(super) const VERTICAL_CITATION: u16 = 4097;
pub(super) const VERTICAL_DATUM: u16 = 4098;
pub(super) const VERTICAL_UNITS: u16 = 4099;

/// The code that says that there is no code.
pub(super) const USER_DEFINED: u16 = 32767;
