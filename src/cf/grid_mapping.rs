//! Grid mappings (CF 1.11, section 5.6 and appendix F): the variable that says where coordinates lie on the earth.

use serde_json::{Map, Value};

use super::{number, numbers};
use crate::error::Result;
use crate::geo::{Crs, GeoTransform};
use crate::model::RawJson;

/// What a grid mapping variable says, in its own terms: degrees, and the units of the coordinates for false easting and northing.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct GridMapping {
    /// `grid_mapping_name`; empty where there is only a text of it.
    pub name: String,
    /// The projection by its attributes; `None` where they name none that is known here: then [`attributes`](Self::attributes) tell it.
    pub projection: Option<Projection>,
    /// The figure of the earth, as far as it is told.
    pub ellipsoid: Option<Ellipsoid>,
    /// `longitude_of_prime_meridian`, in degrees east of Greenwich; 0 where it is not told.
    pub prime_meridian: f64,
    /// `crs_wkt`, or `spatial_ref` as GDAL writes it; [`crs`](Self::crs) is the system by whichever there is, text or attributes.
    pub told: Option<Crs>,
    /// `GeoTransform` as GDAL writes it: from pixels to coordinates.
    pub transform: Option<GeoTransform>,
    /// All attributes of the variable.
    pub attributes: RawJson,
}

/// A figure of the earth, in metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ellipsoid {
    /// Half the diameter at the equator.
    pub semi_major: f64,
    /// Half the diameter between the poles; the same for a sphere.
    pub semi_minor: f64,
    /// How many times `semi_major` is the difference of the two; 0 of a sphere.
    pub inverse_flattening: f64,
}

/// The projections of appendix F that are read here. Angles in degrees; `false_easting` and `false_northing` are 0 where they are left out.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are those of the attributes")]
pub enum Projection {
    LatitudeLongitude,
    RotatedLatitudeLongitude {
        grid_north_pole_latitude: f64,
        grid_north_pole_longitude: f64,
        north_pole_grid_longitude: f64,
    },
    TransverseMercator {
        scale_factor: f64,
        longitude: f64,
        latitude: f64,
        false_easting: f64,
        false_northing: f64,
    },
    /// One or two standard parallels.
    LambertConformalConic {
        standard_parallels: Vec<f64>,
        longitude: f64,
        latitude: f64,
        false_easting: f64,
        false_northing: f64,
    },
    LambertAzimuthalEqualArea {
        longitude: f64,
        latitude: f64,
        false_easting: f64,
        false_northing: f64,
    },
    /// One or two standard parallels.
    AlbersConicalEqualArea {
        standard_parallels: Vec<f64>,
        longitude: f64,
        latitude: f64,
        false_easting: f64,
        false_northing: f64,
    },
    Mercator {
        longitude: f64,
        scale: TrueScale,
        false_easting: f64,
        false_northing: f64,
    },
    /// `latitude` is 90 or -90.
    PolarStereographic {
        longitude: f64,
        latitude: f64,
        scale: TrueScale,
        false_easting: f64,
        false_northing: f64,
    },
    /// The satellite is so many metres above the ellipsoid; `sweep_is_x` tells the axis of its mirror.
    Geostationary {
        longitude: f64,
        height: f64,
        sweep_is_x: bool,
        false_easting: f64,
        false_northing: f64,
    },
    Sinusoidal {
        longitude: f64,
        false_easting: f64,
        false_northing: f64,
    },
}

/// Where a projection keeps lengths.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TrueScale {
    /// On this parallel.
    StandardParallel(f64),
    /// On none: they are so many times as long at the origin.
    AtOrigin(f64),
}

impl GridMapping {
    /// From the attributes of a grid mapping variable.
    ///
    /// # Errors
    /// `Malformed` where the attributes are no JSON object. What is missing or no number leaves its field `None`.
    pub fn of(attributes: &RawJson) -> Result<Self> {
        let map: Map<String, Value> = attributes.parse()?;
        let text = |name: &str| map.get(name).and_then(Value::as_str).map(str::to_owned).filter(|text| !text.is_empty());
        let name = text("grid_mapping_name").unwrap_or_default();
        let wkt = text("crs_wkt").or_else(|| text("spatial_ref"));
        let transform = text("GeoTransform").and_then(|text| {
            let numbers: Option<Vec<f64>> = text.split_whitespace().map(|n| n.parse().ok()).collect();
            let six = <[f64; 6]>::try_from(numbers?).ok()?;
            six.iter().all(|n| n.is_finite()).then(|| GeoTransform::new(six))
        });
        Ok(Self {
            projection: projection(&name, &map),
            ellipsoid: ellipsoid(&map),
            prime_meridian: map.get("longitude_of_prime_meridian").and_then(number).unwrap_or(0.0),
            told: wkt.as_deref().and_then(|text| Crs::from_wkt(text).or_else(|| Crs::from_code(text))),
            name,
            transform,
            attributes: attributes.clone(),
        })
    }
}

fn projection(name: &str, map: &Map<String, Value>) -> Option<Projection> {
    let get = |name: &str| map.get(name).and_then(number).filter(|n| n.is_finite());
    let or_zero = |name: &str| get(name).unwrap_or(0.0);
    let (false_easting, false_northing) = (or_zero("false_easting"), or_zero("false_northing"));
    let latitude = || get("latitude_of_projection_origin");
    let central = || get("longitude_of_central_meridian");
    let origin = || get("longitude_of_projection_origin");
    let parallels = || map.get("standard_parallel").and_then(numbers).filter(|list| (1..=2).contains(&list.len()));
    let one_parallel = || parallels().and_then(|list| list.first().copied());
    Some(match name {
        "latitude_longitude" => Projection::LatitudeLongitude,
        "rotated_latitude_longitude" => Projection::RotatedLatitudeLongitude {
            grid_north_pole_latitude: get("grid_north_pole_latitude")?,
            grid_north_pole_longitude: get("grid_north_pole_longitude")?,
            north_pole_grid_longitude: or_zero("north_pole_grid_longitude"),
        },
        "transverse_mercator" => Projection::TransverseMercator {
            scale_factor: get("scale_factor_at_central_meridian").unwrap_or(1.0),
            longitude: central()?,
            latitude: latitude().unwrap_or(0.0),
            false_easting,
            false_northing,
        },
        "lambert_conformal_conic" => Projection::LambertConformalConic {
            standard_parallels: parallels()?,
            longitude: central()?,
            latitude: latitude()?,
            false_easting,
            false_northing,
        },
        "albers_conical_equal_area" => Projection::AlbersConicalEqualArea {
            standard_parallels: parallels()?,
            longitude: central()?,
            latitude: latitude()?,
            false_easting,
            false_northing,
        },
        "lambert_azimuthal_equal_area" => {
            Projection::LambertAzimuthalEqualArea { longitude: origin()?, latitude: latitude()?, false_easting, false_northing }
        }
        "mercator" => Projection::Mercator {
            longitude: origin()?,
            scale: match (one_parallel(), get("scale_factor_at_projection_origin")) {
                (Some(parallel), _) => TrueScale::StandardParallel(parallel),
                (None, factor) => TrueScale::AtOrigin(factor.unwrap_or(1.0)),
            },
            false_easting,
            false_northing,
        },
        "polar_stereographic" => {
            let parallel = one_parallel();
            let latitude = latitude().or_else(|| parallel.map(|parallel| 90_f64.copysign(parallel)))?;
            Projection::PolarStereographic {
                longitude: get("straight_vertical_longitude_from_pole").or_else(origin)?,
                latitude,
                scale: parallel
                    .map_or_else(|| TrueScale::AtOrigin(get("scale_factor_at_projection_origin").unwrap_or(1.0)), TrueScale::StandardParallel),
                false_easting,
                false_northing,
            }
        }
        "geostationary" => Projection::Geostationary {
            longitude: origin()?,
            height: get("perspective_point_height")?,
            // Either axis may be told; the other one is meant by what is left.
            sweep_is_x: match (map.get("sweep_angle_axis").and_then(Value::as_str), map.get("fixed_angle_axis").and_then(Value::as_str)) {
                (Some(sweep), _) => sweep == "x",
                (None, Some(fixed)) => fixed == "y",
                (None, None) => return None,
            },
            false_easting,
            false_northing,
        },
        "sinusoidal" => Projection::Sinusoidal { longitude: central().or_else(origin)?, false_easting, false_northing },
        _ => return None,
    })
}

fn ellipsoid(map: &Map<String, Value>) -> Option<Ellipsoid> {
    let get = |name: &str| map.get(name).and_then(number).filter(|n| n.is_finite() && *n > 0.0);
    let radius = get("earth_radius");
    let semi_major = get("semi_major_axis").or(radius)?;
    let told = get("inverse_flattening").filter(|inverse| *inverse > 1.0);
    let semi_minor = get("semi_minor_axis").or_else(|| told.map(|inverse| semi_major * (1.0 - 1.0 / inverse))).unwrap_or(semi_major);
    let is_round = semi_minor == semi_major;
    let inverse_flattening = if is_round { 0.0 } else { told.unwrap_or(semi_major / (semi_major - semi_minor)) };
    Some(Ellipsoid { semi_major, semi_minor, inverse_flattening })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> GridMapping {
        GridMapping::of(&RawJson::of(&serde_json::from_str(json).unwrap())).unwrap()
    }

    /// The examples of CF 1.11, 5.6 to 5.12.
    #[test]
    fn the_examples_of_the_conventions() {
        let rotated = of(r#"{"grid_mapping_name":"rotated_latitude_longitude","grid_north_pole_latitude":32.5,"grid_north_pole_longitude":170.0}"#);
        assert_eq!(
            rotated.projection,
            Some(Projection::RotatedLatitudeLongitude {
                grid_north_pole_latitude: 32.5,
                grid_north_pole_longitude: 170.0,
                north_pole_grid_longitude: 0.0
            })
        );
        let lambert = of(
            r#"{"grid_mapping_name":"lambert_conformal_conic","standard_parallel":25.0,"longitude_of_central_meridian":265.0,"latitude_of_projection_origin":25.0}"#,
        );
        let expected = Projection::LambertConformalConic {
            standard_parallels: vec![25.0],
            longitude: 265.0,
            latitude: 25.0,
            false_easting: 0.0,
            false_northing: 0.0,
        };
        assert_eq!((lambert.projection, lambert.ellipsoid), (Some(expected), None));
        let degrees = of(
            r#"{"grid_mapping_name":"latitude_longitude","longitude_of_prime_meridian":0.0,"semi_major_axis":6378137.0,"inverse_flattening":298.257223563}"#,
        );
        assert_eq!(degrees.projection, Some(Projection::LatitudeLongitude));
        assert!((degrees.ellipsoid.unwrap().semi_minor - 6_356_752.314_245).abs() < 1e-3);
        let british = of(
            r#"{"grid_mapping_name":"transverse_mercator","semi_major_axis":6377563.396,"semi_minor_axis":6356256.910,"inverse_flattening":299.3249646,
            "latitude_of_projection_origin":49.0,"longitude_of_central_meridian":-2.0,"false_easting":400000.0,"false_northing":-100000.0,
            "scale_factor_at_central_meridian":0.9996012717}"#,
        );
        let expected = Projection::TransverseMercator {
            scale_factor: 0.9996012717,
            longitude: -2.0,
            latitude: 49.0,
            false_easting: 400_000.0,
            false_northing: -100_000.0,
        };
        assert_eq!((british.projection, british.ellipsoid.map(|e| e.semi_minor)), (Some(expected), Some(6_356_256.910)));
    }

    #[test]
    fn other_projections() {
        let polar = of(
            r#"{"grid_mapping_name":"polar_stereographic","straight_vertical_longitude_from_pole":-45,"standard_parallel":70,"latitude_of_projection_origin":90}"#,
        );
        let Some(Projection::PolarStereographic { longitude, latitude, scale, .. }) = polar.projection else { panic!("{polar:?}") };
        assert_eq!((longitude, latitude, scale), (-45.0, 90.0, TrueScale::StandardParallel(70.0)));
        let south = of(r#"{"grid_mapping_name":"polar_stereographic","straight_vertical_longitude_from_pole":0,"standard_parallel":-71}"#);
        assert!(matches!(south.projection, Some(Projection::PolarStereographic { latitude: -90.0, .. })));
        let names = [
            (
                r#"{"grid_mapping_name":"albers_conical_equal_area","standard_parallel":[29.5,45.5],"longitude_of_central_meridian":-96,"latitude_of_projection_origin":23}"#,
                true,
            ),
            (r#"{"grid_mapping_name":"lambert_azimuthal_equal_area","longitude_of_projection_origin":10,"latitude_of_projection_origin":52}"#, true),
            (r#"{"grid_mapping_name":"mercator","longitude_of_projection_origin":0,"standard_parallel":0}"#, true),
            (
                r#"{"grid_mapping_name":"geostationary","longitude_of_projection_origin":0,"perspective_point_height":35785831,"sweep_angle_axis":"y"}"#,
                true,
            ),
            (r#"{"grid_mapping_name":"sinusoidal","longitude_of_central_meridian":0}"#, true),
            (r#"{"grid_mapping_name":"mercator"}"#, false),
            (r#"{"grid_mapping_name":"oblique_mercator"}"#, false),
            (r#"{"grid_mapping_name":"albers_conical_equal_area","standard_parallel":"x"}"#, false),
            ("{}", false),
        ];
        for (json, known) in names {
            assert_eq!(of(json).projection.is_some(), known, "{json}");
        }
    }

    #[test]
    fn texts_and_transforms() {
        let mapping = of(r#"{"spatial_ref":"GEOGCS[\"WGS 84\",AUTHORITY[\"EPSG\",\"4326\"]]","GeoTransform":"-180.0 0.5 0 90 0 -0.5 "}"#);
        let crs = mapping.crs("").unwrap();
        assert_eq!((crs.epsg(), crs.is_geographic()), (Some(4326), true));
        assert_eq!(mapping.transform.unwrap().apply(1.0, 1.0), (-179.5, 89.5));
        assert_eq!(of(r#"{"GeoTransform":"1 2 3"}"#).transform, None);
    }
}
