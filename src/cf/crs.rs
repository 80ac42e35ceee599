//! Grid mappings as coordinate reference systems.

use super::{GridMapping, Projection, TrueScale};
use crate::geo::geokey as key;
use crate::geo::methods::{self, Method};
use crate::geo::{Crs, Frame};

/// What one projection says: its method, and parameters by their keys.
type Parameters = (&'static Method, Vec<(u16, f64)>);

impl GridMapping {
    /// The system of the coordinates: that of its text, else that which its attributes define. `units` are those of the coordinates along x,
    /// empty where there are none: those of a projection count as metres then, and radians of a geostationary one as seen from its height.
    ///
    /// Where no figure of the earth is told it is that of the datum's name, else of WGS 84.
    ///
    /// `None` where the projection is not known, or its parameters or the units make no system.
    #[must_use]
    pub fn crs(&self, units: &str) -> Option<Crs> {
        if let Some(told) = &self.told {
            return Some(told.clone());
        }
        let projection = self.projection.as_ref()?;
        let text = |name: &str| self.attributes.get(name).and_then(|v| v.as_str().map(str::to_owned)).filter(|text| !text.is_empty());
        let or_unknown = |name: &str| text(name).unwrap_or_else(|| "unknown".to_owned());
        let (geographic, datum) = (or_unknown("geographic_crs_name"), or_unknown("horizontal_datum_name"));
        let (ellipsoid, meridian) = (or_unknown("reference_ellipsoid_name"), or_unknown("prime_meridian_name"));
        let frame = Frame {
            name: &geographic,
            datum: &datum,
            ellipsoid: &ellipsoid,
            figure: self.ellipsoid.map(|e| (e.semi_major, e.inverse_flattening)),
            meridian: &meridian,
            longitude: self.prime_meridian,
        };
        let name = text("projected_crs_name").unwrap_or_else(|| "unnamed".to_owned());
        match projection {
            Projection::LatitudeLongitude => Crs::geographic(&frame).ok(),
            Projection::RotatedLatitudeLongitude { grid_north_pole_latitude, grid_north_pole_longitude, north_pole_grid_longitude } => {
                Crs::rotated(&name, &frame, [*grid_north_pole_latitude, *grid_north_pole_longitude, *north_pole_grid_longitude]).ok()
            }
            map => {
                let (method, values) = parameters(map)?;
                Crs::projected(&name, &frame, method, metres(units, map)?, &values).ok()
            }
        }
    }
}

/// How many metres one of the units of map coordinates is.
fn metres(units: &str, projection: &Projection) -> Option<f64> {
    Some(match (units.trim(), projection) {
        ("" | "m" | "metre" | "metres" | "meter" | "meters", _) => 1.0,
        ("km" | "kilometre" | "kilometres" | "kilometer" | "kilometers", _) => 1000.0,
        ("ft" | "foot" | "feet" | "international_foot" | "international_feet", _) => 0.3048,
        ("US_survey_foot" | "US_survey_feet", _) => 1200.0 / 3937.0,
        ("rad" | "radian" | "radians", Projection::Geostationary { height, .. }) => *height,
        _ => return None,
    })
}

/// Appendix F by the parameters of Guidance Note 7-2.
fn parameters(projection: &Projection) -> Option<Parameters> {
    let origin = |longitude: f64, latitude: f64| vec![(key::NATURAL_ORIGIN_LONGITUDE, longitude), (key::NATURAL_ORIGIN_LATITUDE, latitude)];
    let meridian = |longitude: f64| vec![(key::NATURAL_ORIGIN_LONGITUDE, longitude)];
    let (method, mut values, [easting, northing]) = match projection {
        Projection::LatitudeLongitude | Projection::RotatedLatitudeLongitude { .. } => return None,
        Projection::TransverseMercator { scale_factor, longitude, latitude, false_easting, false_northing } => {
            let mut values = origin(*longitude, *latitude);
            values.push((key::SCALE_AT_NATURAL_ORIGIN, *scale_factor));
            (&methods::TRANSVERSE_MERCATOR, values, [false_easting, false_northing])
        }
        Projection::LambertConformalConic { standard_parallels, longitude, latitude, false_easting, false_northing } => {
            let mut values = origin(*longitude, *latitude);
            // One parallel that is not the origin's is the same as two that are equal.
            let touches_at_origin = standard_parallels.as_slice() == [*latitude];
            if !touches_at_origin {
                values.extend(parallels(standard_parallels)?);
            }
            let method = if touches_at_origin { &methods::LAMBERT_CONIC_1SP } else { &methods::LAMBERT_CONIC_2SP };
            (method, values, [false_easting, false_northing])
        }
        Projection::AlbersConicalEqualArea { standard_parallels, longitude, latitude, false_easting, false_northing } => {
            let mut values = origin(*longitude, *latitude);
            values.extend(parallels(standard_parallels)?);
            (&methods::ALBERS, values, [false_easting, false_northing])
        }
        Projection::LambertAzimuthalEqualArea { longitude, latitude, false_easting, false_northing } => {
            (&methods::LAMBERT_AZIMUTHAL, origin(*longitude, *latitude), [false_easting, false_northing])
        }
        Projection::Mercator { longitude, scale, false_easting, false_northing } => {
            let mut values = meridian(*longitude);
            values.push(match scale {
                TrueScale::StandardParallel(parallel) => (key::STANDARD_PARALLEL_1, *parallel),
                TrueScale::AtOrigin(factor) => (key::SCALE_AT_NATURAL_ORIGIN, *factor),
            });
            (&methods::MERCATOR_A, values, [false_easting, false_northing])
        }
        Projection::PolarStereographic { longitude, latitude, scale, false_easting, false_northing } => {
            if latitude.abs() != 90.0 {
                return None;
            }
            let values = match scale {
                // The one of the pole's own half, whatever its sign; at the pole itself it is no more than the scale 1.
                TrueScale::StandardParallel(parallel) => origin(*longitude, parallel.copysign(*latitude)),
                TrueScale::AtOrigin(factor) => [origin(*longitude, *latitude), vec![(key::SCALE_AT_NATURAL_ORIGIN, *factor)]].concat(),
            };
            (&methods::POLAR_STEREOGRAPHIC_A, values, [false_easting, false_northing])
        }
        Projection::Geostationary { longitude, height, sweep_is_x, false_easting, false_northing } => {
            let mut values = meridian(*longitude);
            values.push((key::SATELLITE_HEIGHT, *height));
            let method = if *sweep_is_x { &methods::GEOSTATIONARY_X } else { &methods::GEOSTATIONARY_Y };
            (method, values, [false_easting, false_northing])
        }
        Projection::Sinusoidal { longitude, false_easting, false_northing } => {
            (&methods::SINUSOIDAL, meridian(*longitude), [false_easting, false_northing])
        }
    };
    values.extend([(key::FALSE_EASTING, *easting), (key::FALSE_NORTHING, *northing)]);
    Some((method, values))
}

/// Both parallels of a cone; one stands for two.
fn parallels(told: &[f64]) -> Option<[(u16, f64); 2]> {
    let (first, last) = (*told.first()?, *told.last()?);
    Some([(key::STANDARD_PARALLEL_1, first), (key::STANDARD_PARALLEL_2, last)])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::geo::CrsKind;
    use crate::model::RawJson;

    fn crs(attributes: &Value, units: &str) -> Option<Crs> {
        GridMapping::of(&RawJson::of(attributes)).unwrap().crs(units)
    }

    /// Parameters of appendix F against those of the EPSG register's methods, or PROJ's where it has none.
    #[test]
    fn appendix_f() {
        let table = [
            (
                json!({"grid_mapping_name": "transverse_mercator", "scale_factor_at_central_meridian": 0.9996, "longitude_of_central_meridian": 15,
                    "latitude_of_projection_origin": 1, "false_easting": 500000, "false_northing": 7}),
                "Transverse Mercator",
                vec![1.0, 15.0, 0.9996, 500_000.0, 7.0],
            ),
            (
                json!({"grid_mapping_name": "lambert_conformal_conic", "standard_parallel": [30, 60], "longitude_of_central_meridian": 265,
                    "latitude_of_projection_origin": 25, "false_easting": 1}),
                "Lambert Conic Conformal (2SP)",
                vec![25.0, 265.0, 30.0, 60.0, 1.0, 0.0],
            ),
            (
                json!({"grid_mapping_name": "lambert_conformal_conic", "standard_parallel": 25, "longitude_of_central_meridian": 265,
                    "latitude_of_projection_origin": 25}),
                "Lambert Conic Conformal (1SP)",
                vec![25.0, 265.0, 1.0, 0.0, 0.0],
            ),
            (
                json!({"grid_mapping_name": "lambert_conformal_conic", "standard_parallel": [38.5], "longitude_of_central_meridian": -97.5,
                    "latitude_of_projection_origin": 21}),
                "Lambert Conic Conformal (2SP)",
                vec![21.0, -97.5, 38.5, 38.5, 0.0, 0.0],
            ),
            (
                json!({"grid_mapping_name": "lambert_azimuthal_equal_area", "longitude_of_projection_origin": 10,
                    "latitude_of_projection_origin": 52, "false_easting": 4321000, "false_northing": 3210000}),
                "Lambert Azimuthal Equal Area",
                vec![52.0, 10.0, 4_321_000.0, 3_210_000.0],
            ),
            (
                json!({"grid_mapping_name": "albers_conical_equal_area", "standard_parallel": [29.5, 45.5], "longitude_of_central_meridian": -96,
                    "latitude_of_projection_origin": 23}),
                "Albers Equal Area",
                vec![23.0, -96.0, 29.5, 45.5, 0.0, 0.0],
            ),
            (
                json!({"grid_mapping_name": "mercator", "longitude_of_projection_origin": 110, "scale_factor_at_projection_origin": 0.997}),
                "Mercator (variant A)",
                vec![0.0, 110.0, 0.997, 0.0, 0.0],
            ),
            (
                json!({"grid_mapping_name": "mercator", "longitude_of_projection_origin": 51, "standard_parallel": 42}),
                "Mercator (variant B)",
                vec![42.0, 51.0, 0.0, 0.0],
            ),
            (
                json!({"grid_mapping_name": "polar_stereographic", "straight_vertical_longitude_from_pole": -45, "standard_parallel": 70,
                    "latitude_of_projection_origin": 90}),
                "Polar Stereographic (variant B)",
                vec![70.0, -45.0, 0.0, 0.0],
            ),
            (
                json!({"grid_mapping_name": "polar_stereographic", "straight_vertical_longitude_from_pole": 0, "standard_parallel": -71}),
                "Polar Stereographic (variant B)",
                vec![-71.0, 0.0, 0.0, 0.0],
            ),
            (
                json!({"grid_mapping_name": "polar_stereographic", "straight_vertical_longitude_from_pole": 5,
                    "scale_factor_at_projection_origin": 0.994, "latitude_of_projection_origin": -90, "false_easting": 2000000}),
                "Polar Stereographic (variant A)",
                vec![-90.0, 5.0, 0.994, 2_000_000.0, 0.0],
            ),
            (
                json!({"grid_mapping_name": "geostationary", "longitude_of_projection_origin": -75, "perspective_point_height": 35786023,
                    "sweep_angle_axis": "x"}),
                "Geostationary Satellite (Sweep X)",
                vec![-75.0, 35_786_023.0, 0.0, 0.0],
            ),
            (
                json!({"grid_mapping_name": "geostationary", "longitude_of_projection_origin": 9.5, "perspective_point_height": 35785831,
                    "fixed_angle_axis": "x"}),
                "Geostationary Satellite (Sweep Y)",
                vec![9.5, 35_785_831.0, 0.0, 0.0],
            ),
            (
                json!({"grid_mapping_name": "sinusoidal", "longitude_of_central_meridian": 11, "earth_radius": 6371007.181}),
                "Sinusoidal",
                vec![11.0, 0.0, 0.0],
            ),
            (
                json!({"grid_mapping_name": "rotated_latitude_longitude", "grid_north_pole_latitude": 32.5, "grid_north_pole_longitude": 170,
                    "north_pole_grid_longitude": 5}),
                "Pole rotation (netCDF CF convention)",
                vec![32.5, 170.0, 5.0],
            ),
        ];
        for (attributes, method, values) in table {
            let crs = crs(&attributes, "").unwrap_or_else(|| panic!("{attributes}"));
            let json = crs.to_projjson().unwrap();
            assert_eq!(json.pointer("/conversion/method/name"), Some(&Value::from(method)), "{attributes}");
            let parameters = json.pointer("/conversion/parameters").unwrap().as_array().unwrap();
            let found: Vec<f64> = parameters.iter().map(|p| p["value"].as_f64().unwrap()).collect();
            assert_eq!(found, values, "{attributes}");
            let is_rotated = method.starts_with("Pole");
            assert_eq!(crs.kind(), if is_rotated { CrsKind::Geographic } else { CrsKind::Projected }, "{attributes}");
            assert_eq!(crs.metres_per_unit(), (!is_rotated).then_some(1.0), "{attributes}");
            // Its own text says the same.
            let again = Crs::from_wkt(&crs.to_wkt().unwrap()).unwrap();
            assert_eq!((again.kind(), again.unit(), again.name()), (crs.kind(), crs.unit(), crs.name()), "{attributes}");
        }
    }

    #[test]
    fn figures_of_the_earth() {
        let of = |more: &Value| {
            let mut attributes = json!({"grid_mapping_name": "latitude_longitude"});
            attributes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            crs(&attributes, "degrees_east")
        };
        let wgs84 = json!({"geographic_crs_name": "WGS 84", "semi_major_axis": 6378137.0, "inverse_flattening": 298.257223563});
        assert_eq!(of(&wgs84), Some(Crs::Epsg(4326)));
        let shown = |crs: Option<Crs>| crs.unwrap().to_projjson().unwrap()["datum"].clone();
        let by_name = shown(of(&json!({"horizontal_datum_name": "North_American_Datum_1927"})));
        assert_eq!((&by_name["id"]["code"], &by_name["ellipsoid"]["name"]), (&json!(6267), &json!("Clarke 1866")));
        let sphere = shown(of(&json!({"earth_radius": 6371229.0, "longitude_of_prime_meridian": 2.5})));
        assert_eq!((&sphere["ellipsoid"]["radius"], &sphere["prime_meridian"]["longitude"]), (&json!(6371229.0), &json!(2.5)));
        let untold = shown(of(&json!({})));
        assert_eq!((&untold["ellipsoid"]["name"], &untold["name"]), (&json!("WGS 84"), &json!("unknown")));
        // A figure longer between the poles than at the equator.
        assert_eq!(of(&json!({"semi_major_axis": 6.0e6, "semi_minor_axis": 7.0e6})), None);
    }

    #[test]
    fn units_of_coordinates() {
        let of = |name: &str, units: &str| {
            let attributes = json!({"grid_mapping_name": name, "longitude_of_projection_origin": 0, "perspective_point_height": 3.0e7,
                "sweep_angle_axis": "y", "longitude_of_central_meridian": 0});
            crs(&attributes, units)
        };
        for (name, units, metres) in [
            ("sinusoidal", "km", Some(1000.0)),
            ("sinusoidal", "US_survey_foot", Some(1200.0 / 3937.0)),
            ("sinusoidal", "rad", None),
            ("sinusoidal", "degrees", None),
            ("geostationary", "rad", Some(3.0e7)),
            ("geostationary", "m", Some(1.0)),
        ] {
            let metres_found = of(name, units).and_then(|crs| crs.metres_per_unit());
            let close = metres_found.zip(metres).is_some_and(|(a, b)| (a / b - 1.0).abs() < 1e-9);
            assert!(close || (metres_found, metres) == (None, None), "{name} {units}: {metres_found:?}");
        }
        let json = of("geostationary", "rad").unwrap().to_projjson().unwrap();
        assert_eq!(json["conversion"]["parameters"][1]["unit"], "metre");
    }

    #[test]
    fn mappings_that_are_none() {
        for attributes in [
            json!({}),
            json!({"grid_mapping_name": "oblique_mercator"}),
            json!({"grid_mapping_name": "polar_stereographic", "straight_vertical_longitude_from_pole": 0, "latitude_of_projection_origin": 60}),
        ] {
            assert_eq!(crs(&attributes, ""), None, "{attributes}");
        }
    }
}
