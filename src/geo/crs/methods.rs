//! Map projections: their names and parameters in the EPSG register (Guidance Note 7-2), and the keys that GeoTIFF's writers put them in.

use super::key;

/// What a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantity {
    Angle,
    Length,
    Scale,
}

/// A parameter of a projection.
#[derive(Debug, PartialEq)]
pub(crate) struct Parameter {
    pub(super) name: &'static str,
    pub(super) epsg: Option<u32>,
    pub(super) quantity: Quantity,
    /// Keys that may hold it; the first that is there does.
    pub(super) keys: &'static [u16],
    /// Where no key is there.
    pub(super) default: f64,
}

/// A method of projection.
#[derive(Debug, PartialEq)]
pub(crate) struct Method {
    /// As the register has it; else as PROJ has it.
    pub(super) name: &'static str,
    pub(super) epsg: Option<u32>,
    pub(super) parameters: &'static [Parameter],
}

// Writers differ in which of three keys they take for an origin; libgeotiff reads them in this order, and so does everyone.
pub(super) const LATITUDES: &[u16] = &[key::NATURAL_ORIGIN_LATITUDE, key::FALSE_ORIGIN_LATITUDE, key::CENTER_LATITUDE];
const LONGITUDES: &[u16] = &[key::NATURAL_ORIGIN_LONGITUDE, key::FALSE_ORIGIN_LONGITUDE, key::CENTER_LONGITUDE];
const POLE_LONGITUDES: &[u16] =
    &[key::STRAIGHT_VERTICAL_POLE_LONGITUDE, key::NATURAL_ORIGIN_LONGITUDE, key::FALSE_ORIGIN_LONGITUDE, key::CENTER_LONGITUDE];
const EASTINGS: &[u16] = &[key::FALSE_EASTING, key::CENTER_EASTING, key::FALSE_ORIGIN_EASTING];
const NORTHINGS: &[u16] = &[key::FALSE_NORTHING, key::CENTER_NORTHING, key::FALSE_ORIGIN_NORTHING];
pub(super) const SCALES: &[u16] = &[key::SCALE_AT_NATURAL_ORIGIN, key::SCALE_AT_CENTER];

const fn angle(name: &'static str, epsg: u32, keys: &'static [u16]) -> Parameter {
    Parameter { name, epsg: Some(epsg), quantity: Quantity::Angle, keys, default: 0.0 }
}
const fn length(name: &'static str, epsg: u32, keys: &'static [u16]) -> Parameter {
    Parameter { name, epsg: Some(epsg), quantity: Quantity::Length, keys, default: 0.0 }
}
const fn scale(name: &'static str, epsg: u32) -> Parameter {
    Parameter { name, epsg: Some(epsg), quantity: Quantity::Scale, keys: SCALES, default: 1.0 }
}

const LATITUDE: Parameter = angle("Latitude of natural origin", 8801, LATITUDES);
const LONGITUDE: Parameter = angle("Longitude of natural origin", 8802, LONGITUDES);
const SCALE: Parameter = scale("Scale factor at natural origin", 8805);
const EASTING: Parameter = length("False easting", 8806, EASTINGS);
const NORTHING: Parameter = length("False northing", 8807, NORTHINGS);
const CENTRE_LATITUDE: Parameter = angle("Latitude of projection centre", 8811, LATITUDES);
const CENTRE_LONGITUDE: Parameter = angle("Longitude of projection centre", 8812, LONGITUDES);
const AZIMUTH: Parameter = angle("Azimuth at projection centre", 8813, &[key::AZIMUTH]);
const GRID_ANGLE: Parameter = Parameter { default: 90.0, ..angle("Angle from Rectified to Skew Grid", 8814, &[key::RECTIFIED_GRID_ANGLE]) };
const CENTRE_SCALE: Parameter = scale("Scale factor at projection centre", 8815);
const CENTRE_EASTING: Parameter = length("Easting at projection centre", 8816, EASTINGS);
const CENTRE_NORTHING: Parameter = length("Northing at projection centre", 8817, NORTHINGS);
const FALSE_LATITUDE: Parameter = angle("Latitude of false origin", 8821, LATITUDES);
const FALSE_LONGITUDE: Parameter = angle("Longitude of false origin", 8822, LONGITUDES);
const PARALLEL_1: Parameter = angle("Latitude of 1st standard parallel", 8823, &[key::STANDARD_PARALLEL_1]);
const PARALLEL_2: Parameter = angle("Latitude of 2nd standard parallel", 8824, &[key::STANDARD_PARALLEL_2]);
const FALSE_ORIGIN_EASTING: Parameter = length("Easting at false origin", 8826, EASTINGS);
const FALSE_ORIGIN_NORTHING: Parameter = length("Northing at false origin", 8827, NORTHINGS);
const POLAR_PARALLEL: Parameter = angle("Latitude of standard parallel", 8832, LATITUDES);
const POLAR_LONGITUDE: Parameter = angle("Longitude of origin", 8833, POLE_LONGITUDES);

const HEIGHT: Parameter = Parameter { epsg: None, ..length("Satellite Height", 0, &[key::SATELLITE_HEIGHT]) };

const SCALED: &[Parameter] = &[LATITUDE, LONGITUDE, SCALE, EASTING, NORTHING];
const CENTRED: &[Parameter] = &[LATITUDE, LONGITUDE, EASTING, NORTHING];
const CYLINDRICAL: &[Parameter] = &[LONGITUDE, EASTING, NORTHING];
const CONIC: &[Parameter] = &[FALSE_LATITUDE, FALSE_LONGITUDE, PARALLEL_1, PARALLEL_2, FALSE_ORIGIN_EASTING, FALSE_ORIGIN_NORTHING];
const ONE_PARALLEL: &[Parameter] = &[PARALLEL_1, LONGITUDE, EASTING, NORTHING];
/// Where the azimuth is left out it is that of the Swiss grid.
const EASTWARD: Parameter = Parameter { default: 90.0, ..AZIMUTH };

macro_rules! methods {
    ($($id:ident = $name:literal, $epsg:expr, $parameters:expr;)*) => {
        $(pub(crate) static $id: Method = Method { name: $name, epsg: $epsg, parameters: $parameters };)*
        /// Every method.
        static ALL: &[&Method] = &[$(&$id),*];
    };
}

methods! {
    TRANSVERSE_MERCATOR = "Transverse Mercator", Some(9807), SCALED;
    TRANSVERSE_MERCATOR_SOUTH = "Transverse Mercator (South Orientated)", Some(9808), SCALED;
    OBLIQUE_MERCATOR_A = "Hotine Oblique Mercator (variant A)", Some(9812),
        &[CENTRE_LATITUDE, CENTRE_LONGITUDE, AZIMUTH, GRID_ANGLE, CENTRE_SCALE, EASTING, NORTHING];
    OBLIQUE_MERCATOR_B = "Hotine Oblique Mercator (variant B)", Some(9815),
        &[CENTRE_LATITUDE, CENTRE_LONGITUDE, AZIMUTH, GRID_ANGLE, CENTRE_SCALE, CENTRE_EASTING, CENTRE_NORTHING];
    SWISS_OBLIQUE_MERCATOR = "Hotine Oblique Mercator (variant B)", Some(9815),
        &[CENTRE_LATITUDE, CENTRE_LONGITUDE, EASTWARD, GRID_ANGLE, CENTRE_SCALE, CENTRE_EASTING, CENTRE_NORTHING];
    OBLIQUE_MERCATOR_LABORDE = "Laborde Oblique Mercator", Some(9813),
        &[CENTRE_LATITUDE, CENTRE_LONGITUDE, AZIMUTH, CENTRE_SCALE, EASTING, NORTHING];
    MERCATOR_A = "Mercator (variant A)", Some(9804), SCALED;
    MERCATOR_B = "Mercator (variant B)", Some(9805), ONE_PARALLEL;
    LAMBERT_CONIC_1SP = "Lambert Conic Conformal (1SP)", Some(9801), SCALED;
    LAMBERT_CONIC_2SP = "Lambert Conic Conformal (2SP)", Some(9802), CONIC;
    LAMBERT_AZIMUTHAL = "Lambert Azimuthal Equal Area", Some(9820), CENTRED;
    ALBERS = "Albers Equal Area", Some(9822), CONIC;
    AZIMUTHAL_EQUIDISTANT = "Azimuthal Equidistant", Some(1125), CENTRED;
    EQUIDISTANT_CONIC = "Equidistant Conic", Some(1119), CONIC;
    STEREOGRAPHIC = "Stereographic", None, SCALED;
    POLAR_STEREOGRAPHIC_A = "Polar Stereographic (variant A)", Some(9810),
        &[LATITUDE, Parameter { keys: POLE_LONGITUDES, ..LONGITUDE }, SCALE, EASTING, NORTHING];
    POLAR_STEREOGRAPHIC_B = "Polar Stereographic (variant B)", Some(9829), &[POLAR_PARALLEL, POLAR_LONGITUDE, EASTING, NORTHING];
    OBLIQUE_STEREOGRAPHIC = "Oblique Stereographic", Some(9809), SCALED;
    EQUIDISTANT_CYLINDRICAL = "Equidistant Cylindrical", Some(1028), ONE_PARALLEL;
    // The register's has no such latitude, PROJ's has.
    EQUIDISTANT_CYLINDRICAL_FROM = "Equidistant Cylindrical", Some(1028), &[PARALLEL_1, LATITUDE, LONGITUDE, EASTING, NORTHING];
    CASSINI = "Cassini-Soldner", Some(9806), CENTRED;
    GNOMONIC = "Gnomonic", None, CENTRED;
    MILLER = "Miller Cylindrical", None, CYLINDRICAL;
    ORTHOGRAPHIC = "Orthographic", Some(9840), CENTRED;
    POLYCONIC = "American Polyconic", Some(9818), CENTRED;
    ROBINSON = "Robinson", None, CYLINDRICAL;
    SINUSOIDAL = "Sinusoidal", None, CYLINDRICAL;
    VAN_DER_GRINTEN = "Van Der Grinten", None, CYLINDRICAL;
    NEW_ZEALAND = "New Zealand Map Grid", Some(9811), CENTRED;
    // Without a code in GeoTIFF; texts have them.
    MOLLWEIDE = "Mollweide", None, CYLINDRICAL;
    ECKERT_IV = "Eckert IV", None, CYLINDRICAL;
    ECKERT_VI = "Eckert VI", None, CYLINDRICAL;
    NATURAL_EARTH = "Natural Earth", None, CYLINDRICAL;
    EQUAL_EARTH = "Equal Earth", Some(1078), CYLINDRICAL;
    GOODE_HOMOLOSINE = "Goode Homolosine", None, CYLINDRICAL;
    INTERRUPTED_GOODE_HOMOLOSINE = "Interrupted Goode Homolosine", None, CYLINDRICAL;
    GEOSTATIONARY_X = "Geostationary Satellite (Sweep X)", None, &[LONGITUDE, HEIGHT, EASTING, NORTHING];
    GEOSTATIONARY_Y = "Geostationary Satellite (Sweep Y)", None, &[LONGITUDE, HEIGHT, EASTING, NORTHING];
    CYLINDRICAL_EQUAL_AREA = "Lambert Cylindrical Equal Area", Some(9835), ONE_PARALLEL;
}

/// Parameters of no code and no key: they are in the order of the attributes.
const fn turn(name: &'static str) -> Parameter {
    Parameter { name, epsg: None, quantity: Quantity::Angle, keys: &[], default: 0.0 }
}
/// As PROJ has CF's `rotated_latitude_longitude`; it makes no map, so it is not among the others.
pub(super) static POLE_ROTATION: Method = Method {
    name: "Pole rotation (netCDF CF convention)",
    epsg: None,
    parameters: &[
        turn("Grid north pole latitude (netCDF CF convention)"),
        turn("Grid north pole longitude (netCDF CF convention)"),
        turn("North pole grid longitude (netCDF CF convention)"),
    ],
};

impl Method {
    /// By its code in the register.
    pub(super) fn of_epsg(code: u32) -> Option<&'static Self> {
        ALL.iter().copied().find(|m| m.epsg == Some(code))
    }

    /// By its code in GeoTIFF (OGC GeoTIFF 1.1, annex C.6.3, and libgeotiff's two since). Of methods with variants it is the one with a
    /// scale at the origin.
    pub(super) fn of_geotiff(code: u16) -> Option<&'static Self> {
        Some(match code {
            1 => &TRANSVERSE_MERCATOR,
            3 => &OBLIQUE_MERCATOR_A,
            4 => &OBLIQUE_MERCATOR_LABORDE,
            5 => &SWISS_OBLIQUE_MERCATOR,
            7 => &MERCATOR_A,
            8 => &LAMBERT_CONIC_2SP,
            9 => &LAMBERT_CONIC_1SP,
            10 => &LAMBERT_AZIMUTHAL,
            11 => &ALBERS,
            12 => &AZIMUTHAL_EQUIDISTANT,
            13 => &EQUIDISTANT_CONIC,
            14 => &STEREOGRAPHIC,
            15 => &POLAR_STEREOGRAPHIC_A,
            16 => &OBLIQUE_STEREOGRAPHIC,
            17 => &EQUIDISTANT_CYLINDRICAL,
            18 => &CASSINI,
            19 => &GNOMONIC,
            20 => &MILLER,
            21 => &ORTHOGRAPHIC,
            22 => &POLYCONIC,
            23 => &ROBINSON,
            24 => &SINUSOIDAL,
            25 => &VAN_DER_GRINTEN,
            26 => &NEW_ZEALAND,
            27 => &TRANSVERSE_MERCATOR_SOUTH,
            28 => &CYLINDRICAL_EQUAL_AREA,
            9815 => &OBLIQUE_MERCATOR_B,
            _ => return None,
        })
    }
    /// What GeoTIFF calls a method that has no definition here.
    pub(super) fn unsupported_name(code: u16) -> String {
        match code {
            2 => "Transverse Mercator, modified for Alaska".into(),
            6 => "Oblique Mercator, spherical".into(),
            other => format!("of code {other}"),
        }
    }
    /// Where a parameter stands among the others.
    pub(super) fn position(&self, epsg: u32) -> Option<usize> {
        self.parameters.iter().position(|p| p.epsg == Some(epsg))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_lead_to_methods() {
        for method in ALL {
            assert!(method.epsg.is_none_or(|code| Method::of_epsg(code).is_some_and(|m| m.name == method.name)), "{}", method.name);
            assert!(method.parameters.iter().all(|p| !p.keys.is_empty()));
        }
        assert_eq!((1..=28).filter(|c| Method::of_geotiff(*c).is_none()).collect::<Vec<_>>(), [2, 6]);
    }
}
