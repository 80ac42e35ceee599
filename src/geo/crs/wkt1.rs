//! WKT 1: what ESRI's programs and GDAL write into citations where GeoTIFF has no code for a projection, and into sidecars and attributes.

use super::geodetic;
use super::methods::{self, Method};
use super::model::{Definition, Ellipsoid, GeodeticCrs, PrimeMeridian, ProjectedCrs, Unit, UnitKind};
use super::node::Node;
use super::{key, projected, register};
use crate::error::{Error, Result};

/// The system of a text.
pub(super) fn definition(text: &str) -> Result<Definition> {
    let root = Node::parse(text)?;
    match root.keyword() {
        "PROJCS" => projected(&root),
        "GEOGCS" => bound(Definition::Geodetic(geodetic_of(&root)?), &root),
        other => Err(Error::unsupported(format!("crs {other} of well-known text"))),
    }
}

/// With its way to WGS 84, if the text has one.
fn bound(source: Definition, geogcs: &Node) -> Result<Definition> {
    let Some(told) = geogcs.need("DATUM")?.child("TOWGS84") else { return Ok(source) };
    let mut parameters = [0.0; 7];
    match told.numbers().len() {
        count @ (3 | 7) => parameters[..count].copy_from_slice(told.numbers()),
        _ => return Err(Error::malformed("a transformation to WGS 84 that is not of 3 or 7 numbers")),
    }
    Ok(Definition::Bound { source: Box::new(source), parameters })
}

fn geodetic_of(node: &Node) -> Result<GeodeticCrs> {
    let datum = node.need("DATUM")?;
    let spheroid = datum.need("SPHEROID")?;
    let (semi_major, inverse_flattening) = (spheroid.number(0)?, spheroid.number(1)?);
    let ellipsoid = Ellipsoid { name: spheroid.name().to_owned(), epsg: None, semi_major, inverse_flattening };
    if !(semi_major > 0.0 && ellipsoid.semi_minor() > 0.0) {
        return Err(Error::malformed(format!("an ellipsoid of {semi_major}, flattened by 1 / {inverse_flattening}")));
    }
    let unit = unit(node.need("UNIT")?, UnitKind::Angle)?;
    let meridian = match node.child("PRIMEM") {
        Some(m) if m.number(0)? != 0.0 => PrimeMeridian { name: m.name().to_owned(), epsg: None, longitude: m.number(0)?, unit: unit.clone() },
        _ => geodetic::greenwich()?,
    };
    Ok(geodetic::by_parts(node.name(), datum.name(), ellipsoid, meridian, unit))
}

/// The unit of a node, in either version.
pub(super) fn unit(node: &Node, kind: UnitKind) -> Result<Unit> {
    let factor = node.number(0)?;
    if factor <= 0.0 {
        return Err(Error::malformed(format!("a unit of {factor}")));
    }
    Ok(register::unit_by_size(node.name(), kind, factor))
}

fn projected(root: &Node) -> Result<Definition> {
    let geogcs = root.need("GEOGCS")?;
    let base = geodetic_of(geogcs)?;
    let unit = unit(root.need("UNIT")?, UnitKind::Length)?;
    let projection = root.need("PROJECTION")?.name();
    let extension = root.child("EXTENSION").and_then(|e| e.texts().get(1).copied());
    let value = |name: &str| -> Result<Option<f64>> {
        let named = |n: &&Node| n.is(&["PARAMETER"]) && n.name().eq_ignore_ascii_case(name);
        root.nodes().iter().find(named).map(|n| n.number(0)).transpose()
    };
    let method = method(projection, extension, &|name| value(name).ok().flatten())?;
    // ESRI's polar projections have the latitude among the parallels.
    let esri_pole = projection.to_ascii_lowercase().ends_with("_pole");
    let by_key = |key: u16| -> Result<Option<f64>> {
        for (_, name) in PARAMETERS.iter().filter(|(of, name)| *of == key && !(esri_pole && name.starts_with("latitude"))) {
            if let Some(told) = value(name)? {
                return Ok(Some(told));
            }
        }
        if esri_pole && key == key::NATURAL_ORIGIN_LATITUDE { value("standard_parallel_1") } else { Ok(None) }
    };
    let angles = base.unit.clone();
    let conversion = projected::conversion(method, &angles, &unit, &by_key)?;
    bound(Definition::Projected(ProjectedCrs { name: root.name().to_owned(), epsg: root.epsg(), base, conversion, unit }), geogcs)
}

/// What parameters are called, and the keys that GeoTIFF has for them.
const PARAMETERS: &[(u16, &str)] = &[
    (key::NATURAL_ORIGIN_LATITUDE, "latitude_of_origin"),
    (key::NATURAL_ORIGIN_LATITUDE, "latitude_of_center"),
    (key::NATURAL_ORIGIN_LONGITUDE, "central_meridian"),
    (key::NATURAL_ORIGIN_LONGITUDE, "longitude_of_center"),
    (key::NATURAL_ORIGIN_LONGITUDE, "longitude_of_origin"),
    (key::STANDARD_PARALLEL_1, "standard_parallel_1"),
    (key::STANDARD_PARALLEL_2, "standard_parallel_2"),
    (key::SCALE_AT_NATURAL_ORIGIN, "scale_factor"),
    (key::FALSE_EASTING, "false_easting"),
    (key::FALSE_NORTHING, "false_northing"),
    (key::AZIMUTH, "azimuth"),
    (key::RECTIFIED_GRID_ANGLE, "rectified_grid_angle"),
    (key::SATELLITE_HEIGHT, "satellite_height"),
];

/// The method of a projection by the name that ESRI or OGC has for it. Some names of ESRI's leave open which, but for the parameters.
fn method(name: &str, extension: Option<&str>, value: &dyn Fn(&str) -> Option<f64>) -> Result<&'static Method> {
    let refused = || Error::unsupported(format!("projection {name} of well-known text"));
    let lower = name.to_ascii_lowercase();
    if extension.is_some() && lower != "geostationary_satellite" {
        return Err(Error::unsupported("projection that is told as a PROJ string"));
    }
    Ok(match lower.as_str() {
        "transverse_mercator" | "gauss_kruger" => &methods::TRANSVERSE_MERCATOR,
        "transverse_mercator_south_orientated" => &methods::TRANSVERSE_MERCATOR_SOUTH,
        "hotine_oblique_mercator" | "hotine_oblique_mercator_azimuth_natural_origin" => &methods::OBLIQUE_MERCATOR_A,
        "hotine_oblique_mercator_azimuth_center" => &methods::OBLIQUE_MERCATOR_B,
        "mercator_1sp" | "mercator_2sp" | "mercator" => &methods::MERCATOR_A,
        "lambert_conformal_conic_1sp" => &methods::LAMBERT_CONIC_1SP,
        "lambert_conformal_conic_2sp" => &methods::LAMBERT_CONIC_2SP,
        "lambert_conformal_conic" if value("standard_parallel_2").is_some() && value("scale_factor").is_none_or(|k| k == 1.0) => {
            &methods::LAMBERT_CONIC_2SP
        }
        "lambert_conformal_conic" if value("standard_parallel_2").is_none() && value("standard_parallel_1") == value("latitude_of_origin") => {
            &methods::LAMBERT_CONIC_1SP
        }
        "lambert_azimuthal_equal_area" => &methods::LAMBERT_AZIMUTHAL,
        "albers" | "albers_conic_equal_area" => &methods::ALBERS,
        "azimuthal_equidistant" => &methods::AZIMUTHAL_EQUIDISTANT,
        "equidistant_conic" => &methods::EQUIDISTANT_CONIC,
        "stereographic" => &methods::STEREOGRAPHIC,
        "polar_stereographic" => &methods::POLAR_STEREOGRAPHIC_A,
        "stereographic_north_pole" | "stereographic_south_pole" => &methods::POLAR_STEREOGRAPHIC_A,
        "oblique_stereographic" | "double_stereographic" => &methods::OBLIQUE_STEREOGRAPHIC,
        "equirectangular" | "equidistant_cylindrical" => &methods::EQUIDISTANT_CYLINDRICAL,
        "cassini_soldner" | "cassini" => &methods::CASSINI,
        "gnomonic" => &methods::GNOMONIC,
        "miller_cylindrical" => &methods::MILLER,
        "orthographic" => &methods::ORTHOGRAPHIC,
        "polyconic" => &methods::POLYCONIC,
        "robinson" => &methods::ROBINSON,
        "sinusoidal" => &methods::SINUSOIDAL,
        "vandergrinten" | "van_der_grinten_i" => &methods::VAN_DER_GRINTEN,
        "new_zealand_map_grid" => &methods::NEW_ZEALAND,
        "cylindrical_equal_area" => &methods::CYLINDRICAL_EQUAL_AREA,
        "mollweide" => &methods::MOLLWEIDE,
        "eckert_iv" => &methods::ECKERT_IV,
        "eckert_vi" => &methods::ECKERT_VI,
        "natural_earth" => &methods::NATURAL_EARTH,
        "equal_earth" => &methods::EQUAL_EARTH,
        "goode_homolosine" if value("option").is_none() => &methods::GOODE_HOMOLOSINE,
        "interrupted_goode_homolosine" => &methods::INTERRUPTED_GOODE_HOMOLOSINE,
        // Which axis the mirror sweeps about is told only there.
        "geostationary_satellite" if extension.is_some_and(|e| e.contains("+sweep=x")) => &methods::GEOSTATIONARY_X,
        "geostationary_satellite" => &methods::GEOSTATIONARY_Y,
        _ => return Err(refused()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_none() {
        let deep = "A[".repeat(100_000);
        for text in ["", "PROJCS", "PROJCS[", "PROJCS[\"a", "PROJCS[\"a\"", "PROJCS[\"a\"]", "GEOGCS[\"a\",DATUM[\"b\"]]", "[[[]]]", &deep] {
            assert!(definition(text).is_err(), "{text:.20}");
        }
    }

    #[test]
    fn esri_names() {
        let of = |projection: &str, parameters: &str| {
            let base = "GEOGCS[\"GCS_WGS_1984\",DATUM[\"D_WGS_1984\",SPHEROID[\"WGS_1984\",6378137.0,298.257223563]],PRIMEM[\"Greenwich\",0.0],\
                        UNIT[\"Degree\",0.0174532925199433]]";
            definition(&format!("PROJCS[\"a\",{base},PROJECTION[\"{projection}\"],{parameters},UNIT[\"Meter\",1.0]]"))
        };
        let north = "PARAMETER[\"Central_Meridian\",-45.0],PARAMETER[\"Standard_Parallel_1\",70.0]";
        let Definition::Projected(polar) = of("Stereographic_North_Pole", north).unwrap() else { panic!() };
        assert_eq!(polar.base.epsg, Some(4326));
        assert_eq!(polar.conversion.method.name, "Polar Stereographic (variant B)");
        assert_eq!(polar.conversion.values.iter().map(|v| v.0).collect::<Vec<_>>(), [70.0, -45.0, 0.0, 0.0]);
        let two = "PARAMETER[\"Standard_Parallel_1\",30.0],PARAMETER[\"Standard_Parallel_2\",40.0]";
        let Definition::Projected(conic) = of("Lambert_Conformal_Conic", two).unwrap() else { panic!() };
        assert_eq!(conic.conversion.method.epsg, Some(9802));
        for (projection, parameters) in [("Krovak", two), ("Mercator_Auxiliary_Sphere", two), ("Albers", "EXTENSION[\"PROJ4\",\"+proj=aea\"]")] {
            assert!(of(projection, parameters).unwrap_err().is_unsupported());
        }
    }
}
