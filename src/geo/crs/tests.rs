//! Keys to systems. Expected codes, methods and parameters are those of the EPSG register and its Guidance Note 7-2.

use serde_json::Value;

use super::*;

/// A value of a key in the tables below.
enum V {
    N(u16),
    D(&'static [f64]),
    T(&'static str),
}
use V::{D, N, T};

fn keys_of(revision: u16, all: &[(u16, V)]) -> GeoKeys {
    let (mut doubles, mut text) = (Vec::new(), String::new());
    let mut directory = vec![1, 1, revision, u16::try_from(all.len()).unwrap()];
    for (key, value) in all {
        directory.push(*key);
        match value {
            N(code) => directory.extend([0, 1, *code]),
            D(numbers) => {
                directory.extend([34736, numbers.len() as u16, doubles.len() as u16]);
                doubles.extend_from_slice(numbers);
            }
            T(words) => {
                directory.extend([34737, words.len() as u16 + 1, text.len() as u16]);
                text += words;
                text += "|";
            }
        }
    }
    GeoKeys::parse(&directory, &doubles, &text)
}

fn crs(all: &[(u16, V)]) -> Option<Crs> {
    Crs::from_geokeys(&keys_of(0, all))
}

/// A user-defined projection over WGS 84.
fn projection(more: Vec<(u16, V)>) -> Result<Value> {
    let mut all = vec![(1024, N(1)), (2048, N(4326)), (3072, N(32767)), (3074, N(32767))];
    all.extend(more);
    crs(&all).unwrap().to_projjson()
}

#[test]
fn codes() {
    for (all, epsg) in [
        (vec![(1024, N(1)), (3072, N(32633))], 32633),
        (vec![(1024, N(2)), (2048, N(4326))], 4326),
        (vec![(1024, N(3)), (2048, N(4978))], 4978),
        (vec![(1024, N(1)), (2048, N(4326)), (3072, N(3857))], 3857),
        // No model type, or one that is none.
        (vec![(3072, N(3857))], 3857),
        (vec![(1024, N(32767)), (3072, N(32633))], 32633),
        // The units of the register, spelled out.
        (vec![(1024, N(1)), (3072, N(2263)), (3076, N(9003))], 2263),
        (vec![(1024, N(1)), (3072, N(2263)), (3076, N(32767)), (3077, D(&[0.3048006096]))], 2263),
        // A zone of UTM over a geodetic system: the codes of two halves.
        (vec![(1024, N(1)), (2048, N(4326)), (3072, N(32767)), (3074, N(16033))], 32633),
        (vec![(1024, N(1)), (2048, N(4326)), (3072, N(32767)), (3074, N(16133)), (3076, N(9001))], 32733),
        (vec![(1024, N(1)), (2048, N(4269)), (3072, N(32767)), (3074, N(16011))], 26911),
        (vec![(1024, N(1)), (2048, N(4267)), (3072, N(32767)), (3074, N(16011))], 26711),
        (vec![(1024, N(1)), (2048, N(4258)), (3072, N(32767)), (3074, N(16033))], 25833),
        // Heights that have no code of their own here are left out before revision 1.1.
        (vec![(1024, N(1)), (3072, N(28992)), (4096, N(5709))], 28992),
        (vec![(1024, N(2)), (2048, N(4326)), (4096, N(5030))], 4979),
        // Names that stand for one system, with its ellipsoid.
        (
            vec![
                (1024, N(2)),
                (2048, N(32767)),
                (2049, T("GCS Name = GCS_North_American_1983|Datum = D_North_American_1983|Primem = Greenwich|")),
                (2057, D(&[6_378_137.0])),
                (2059, D(&[298.257222101])),
            ],
            4269,
        ),
        (vec![(1024, N(32767)), (3073, T("ESRI PE String = PROJCS[\"WGS_1984_Web_Mercator_Auxiliary_Sphere\",GEOGCS[\"a\"]]"))], 3857),
    ] {
        assert_eq!(crs(&all).unwrap(), Crs::Epsg(epsg));
    }
    // The code of a datum is that of no system.
    let datum = crs(&[(1024, N(2)), (2048, N(6326))]).unwrap();
    assert!(datum.epsg().is_none() && datum.is_geographic() && datum.to_projjson().unwrap_err().is_unsupported());
    assert_eq!(crs(&[(1025, N(1))]), None);
    assert_eq!(crs(&[]), None);
}

#[test]
fn what_has_no_code() {
    for all in [
        // A zone of UTM in feet, with an ellipsoid of its own, outside of the rows of the register.
        vec![(1024, N(1)), (2048, N(4326)), (3072, N(32767)), (3074, N(16033)), (3076, N(9002))],
        vec![(1024, N(1)), (2048, N(4326)), (3072, N(32767)), (3074, N(16033)), (2057, D(&[6_378_140.0]))],
        vec![(1024, N(1)), (2048, N(4269)), (3072, N(32767)), (3074, N(16033))],
        // Other units than the register's.
        vec![(1024, N(1)), (3072, N(32633)), (3076, N(9002))],
        // The name of one system with the ellipsoid of another.
        vec![(1024, N(2)), (2048, N(32767)), (2049, T("WGS 84")), (2057, D(&[6_378_137.0])), (2059, D(&[298.0]))],
    ] {
        let crs = crs(&all).unwrap();
        assert_eq!(crs.epsg(), None);
        assert!(crs.to_projjson().is_ok() && crs.to_wkt().is_ok());
    }
    let named = crs(&[(1024, N(1)), (3072, N(32767)), (3073, T("My map"))]).unwrap();
    assert_eq!(named.to_string(), "user-defined: My map");
}

#[test]
fn methods_with_the_keys_of_every_writer() {
    let origin = || vec![(3080, D(&[10.0])), (3081, D(&[20.0])), (3082, D(&[5.0])), (3083, D(&[6.0]))];
    let false_origin = || vec![(3084, D(&[10.0])), (3085, D(&[20.0])), (3086, D(&[5.0])), (3087, D(&[6.0]))];
    let centre = || vec![(3088, D(&[10.0])), (3089, D(&[20.0])), (3090, D(&[5.0])), (3091, D(&[6.0]))];
    let parallels = || vec![(3078, D(&[30.0])), (3079, D(&[40.0]))];
    /// GeoTIFF's code, keys besides the origin, the method and its code, its parameters.
    type Case = (u16, Vec<(u16, V)>, &'static str, Option<u32>, Vec<f64>);
    let cases: Vec<Case> = vec![
        (1, vec![(3092, D(&[0.9]))], "Transverse Mercator", Some(9807), vec![20.0, 10.0, 0.9, 5.0, 6.0]),
        (1, vec![(3093, D(&[0.9]))], "Transverse Mercator", Some(9807), vec![20.0, 10.0, 0.9, 5.0, 6.0]),
        (27, vec![], "Transverse Mercator (South Orientated)", Some(9808), vec![20.0, 10.0, 1.0, 5.0, 6.0]),
        (3, vec![(3094, D(&[35.0]))], "Hotine Oblique Mercator (variant A)", Some(9812), vec![20.0, 10.0, 35.0, 90.0, 1.0, 5.0, 6.0]),
        (
            9815,
            vec![(3094, D(&[35.0])), (3096, D(&[36.0]))],
            "Hotine Oblique Mercator (variant B)",
            Some(9815),
            vec![20.0, 10.0, 35.0, 36.0, 1.0, 5.0, 6.0],
        ),
        (5, vec![], "Hotine Oblique Mercator (variant B)", Some(9815), vec![20.0, 10.0, 90.0, 90.0, 1.0, 5.0, 6.0]),
        (4, vec![(3094, D(&[18.9]))], "Laborde Oblique Mercator", Some(9813), vec![20.0, 10.0, 18.9, 1.0, 5.0, 6.0]),
        (7, vec![(3092, D(&[0.9]))], "Mercator (variant A)", Some(9804), vec![20.0, 10.0, 0.9, 5.0, 6.0]),
        (8, parallels(), "Lambert Conic Conformal (2SP)", Some(9802), vec![20.0, 10.0, 30.0, 40.0, 5.0, 6.0]),
        (9, vec![], "Lambert Conic Conformal (1SP)", Some(9801), vec![20.0, 10.0, 1.0, 5.0, 6.0]),
        (10, vec![], "Lambert Azimuthal Equal Area", Some(9820), vec![20.0, 10.0, 5.0, 6.0]),
        (11, parallels(), "Albers Equal Area", Some(9822), vec![20.0, 10.0, 30.0, 40.0, 5.0, 6.0]),
        (12, vec![], "Azimuthal Equidistant", Some(1125), vec![20.0, 10.0, 5.0, 6.0]),
        (13, parallels(), "Equidistant Conic", Some(1119), vec![20.0, 10.0, 30.0, 40.0, 5.0, 6.0]),
        (14, vec![], "Stereographic", None, vec![20.0, 10.0, 1.0, 5.0, 6.0]),
        (15, vec![(3095, D(&[-45.0]))], "Polar Stereographic (variant B)", Some(9829), vec![20.0, -45.0, 5.0, 6.0]),
        (16, vec![], "Oblique Stereographic", Some(9809), vec![20.0, 10.0, 1.0, 5.0, 6.0]),
        (17, vec![(3078, D(&[30.0]))], "Equidistant Cylindrical", Some(1028), vec![30.0, 20.0, 10.0, 5.0, 6.0]),
        (18, vec![], "Cassini-Soldner", Some(9806), vec![20.0, 10.0, 5.0, 6.0]),
        (19, vec![], "Gnomonic", None, vec![20.0, 10.0, 5.0, 6.0]),
        (20, vec![], "Miller Cylindrical", None, vec![10.0, 5.0, 6.0]),
        (21, vec![], "Orthographic", Some(9840), vec![20.0, 10.0, 5.0, 6.0]),
        (22, vec![], "American Polyconic", Some(9818), vec![20.0, 10.0, 5.0, 6.0]),
        (23, vec![], "Robinson", None, vec![10.0, 5.0, 6.0]),
        (24, vec![], "Sinusoidal", None, vec![10.0, 5.0, 6.0]),
        (25, vec![], "Van Der Grinten", None, vec![10.0, 5.0, 6.0]),
        (26, vec![], "New Zealand Map Grid", Some(9811), vec![20.0, 10.0, 5.0, 6.0]),
        (28, vec![(3078, D(&[30.0]))], "Lambert Cylindrical Equal Area", Some(9835), vec![30.0, 10.0, 5.0, 6.0]),
    ];
    for (code, more, name, epsg, values) in &cases {
        for place in [origin(), false_origin(), centre()] {
            let mut all = vec![(3075, N(*code))];
            all.extend(place);
            all.extend(more.iter().map(|(k, v)| (*k, if let D(d) = v { D(d) } else { N(0) })));
            let written = projection(all).unwrap();
            let conversion = &written["conversion"];
            assert_eq!(conversion["method"]["name"], *name);
            assert_eq!(conversion["method"]["id"]["code"].as_u64(), epsg.map(u64::from), "{name}");
            let ours: Vec<f64> = conversion["parameters"].as_array().unwrap().iter().map(|p| p["value"].as_f64().unwrap()).collect();
            assert_eq!(ours, *values, "{name}");
        }
    }
}

#[test]
fn variants() {
    let name = |more: Vec<(u16, V)>| projection(more).map(|w| w["conversion"]["method"]["name"].as_str().unwrap().to_owned());
    assert_eq!(name(vec![(3075, N(7)), (3078, D(&[30.0]))]).unwrap(), "Mercator (variant B)");
    assert_eq!(name(vec![(3075, N(15)), (3081, D(&[-90.0])), (3092, D(&[0.994]))]).unwrap(), "Polar Stereographic (variant A)");
    assert_eq!(name(vec![(3075, N(15)), (3081, D(&[-71.0])), (3092, D(&[1.0]))]).unwrap(), "Polar Stereographic (variant B)");
    for refused in [
        vec![(3075, N(7)), (3078, D(&[30.0])), (3081, D(&[5.0]))],
        vec![(3075, N(15)), (3081, D(&[70.0])), (3092, D(&[0.99]))],
        vec![(3075, N(15)), (3092, D(&[0.994]))],
        vec![(3075, N(2))],
        vec![(3075, N(6))],
        vec![(3075, N(999))],
        vec![(3076, N(9001))],
        vec![(3075, N(1)), (3076, N(9102))],
    ] {
        assert!(name(refused).unwrap_err().is_unsupported());
    }
    for broken in [vec![(3075, N(1)), (3080, D(&[f64::NAN]))], vec![(3075, N(1)), (3077, D(&[0.0]))]] {
        assert!(matches!(name(broken).unwrap_err().kind(), crate::error::ErrorKind::Malformed(_)));
    }
}

#[test]
fn axes_at_the_poles_and_in_the_south() {
    let axes = |more: Vec<(u16, V)>| {
        let written = projection(more).unwrap();
        let axes = written["coordinate_system"]["axis"].as_array().unwrap().clone();
        axes.iter().map(|a| (a["direction"].as_str().unwrap().to_owned(), a["meridian"]["longitude"].as_f64())).collect::<Vec<_>>()
    };
    let of = |a: (&str, Option<f64>), b: (&str, Option<f64>)| vec![(a.0.to_owned(), a.1), (b.0.to_owned(), b.1)];
    // As EPSG:3413 and EPSG:3031 have them.
    let north = vec![(3075, N(15)), (3081, D(&[70.0])), (3095, D(&[-45.0]))];
    assert_eq!(axes(north), of(("south", Some(45.0)), ("south", Some(135.0))));
    assert_eq!(axes(vec![(3075, N(15)), (3081, D(&[-71.0]))]), of(("north", Some(90.0)), ("north", Some(0.0))));
    assert_eq!(axes(vec![(3075, N(10)), (3089, D(&[52.0]))]), of(("east", None), ("north", None)));
    assert_eq!(axes(vec![(3075, N(27))]), of(("west", None), ("south", None)));
}

#[test]
fn units() {
    let metres = |more: Vec<(u16, V)>| {
        let mut all = vec![(1024, N(1)), (2048, N(4326)), (3072, N(32767)), (3075, N(1)), (3082, D(&[5.0]))];
        all.extend(more);
        let crs = crs(&all).unwrap();
        let easting = crs.to_projjson().unwrap()["conversion"]["parameters"][3].clone();
        assert_eq!(easting["value"], 5.0);
        (crs.metres_per_unit().unwrap(), easting["unit"]["name"].as_str().map(str::to_owned))
    };
    assert_eq!(metres(vec![]), (1.0, None));
    assert_eq!(metres(vec![(3076, N(9002))]), (0.3048, Some("foot".into())));
    assert_eq!(metres(vec![(3076, N(32767)), (3077, D(&[1000.0]))]), (1000.0, Some("unknown".into())));
    assert!((metres(vec![(2052, N(9003))]).0 - 1200.0 / 3937.0).abs() < 1e-15);
    let grads = projection(vec![(3075, N(1)), (2054, N(9105)), (3080, D(&[10.0]))]).unwrap();
    assert_eq!(grads["conversion"]["parameters"][1]["unit"]["name"], "grad");
    assert_eq!((Crs::Epsg(4326).metres_per_unit(), Crs::Epsg(32633).metres_per_unit()), (None, Some(1.0)));
    assert!(Crs::Epsg(4326).is_geographic() && !Crs::Epsg(32633).is_geographic());
}

#[test]
fn datums_by_code_and_by_parts() {
    let datum = |more: Vec<(u16, V)>| {
        let mut all = vec![(1024, N(2)), (2048, N(32767))];
        all.extend(more);
        crs(&all).unwrap().to_projjson()
    };
    let amersfoort = datum(vec![(2050, N(6289))]).unwrap();
    assert_eq!(amersfoort["datum"]["name"], "Amersfoort");
    assert_eq!(amersfoort["datum"]["ellipsoid"]["semi_major_axis"], 6_377_397.155);
    let clarke = datum(vec![(2050, N(32767)), (2056, N(7011)), (2061, D(&[2.33722917]))]).unwrap();
    assert_eq!(clarke["datum"]["ellipsoid"]["id"]["code"], 7011);
    assert_eq!(clarke["datum"]["prime_meridian"]["longitude"], 2.33722917);
    let sphere = datum(vec![(2057, D(&[6_371_007.181])), (2058, D(&[6_371_007.181]))]).unwrap();
    assert_eq!(sphere["datum"]["ellipsoid"]["radius"], 6_371_007.181);
    let bound = datum(vec![(2056, N(7004)), (2062, D(&[598.1, 73.7, 418.2, 0.202, 0.045, -2.455, 6.7]))]).unwrap();
    assert_eq!((&bound["type"], &bound["transformation"]["parameters"][6]["value"]), (&"BoundCRS".into(), &6.7.into()));
    for refused in [vec![], vec![(2050, N(6000))], vec![(2057, D(&[6_378_137.0]))], vec![(2056, N(7030)), (2054, N(9107))]] {
        assert!(datum(refused).unwrap_err().is_unsupported());
    }
    for broken in [
        vec![(2057, D(&[6_378_137.0])), (2058, D(&[-1.0]))],
        vec![(2057, D(&[f64::INFINITY])), (2059, D(&[300.0]))],
        vec![(2056, N(7030)), (2062, D(&[1.0, 2.0]))],
    ] {
        assert!(matches!(datum(broken).unwrap_err().kind(), crate::error::ErrorKind::Malformed(_)));
    }
}

#[test]
fn heights() {
    let of = |all: &[(u16, V)]| Crs::from_geokeys(&keys_of(1, all)).unwrap();
    assert_eq!(of(&[(1024, N(1)), (3072, N(28992)), (4096, N(5709))]), Crs::Epsg(7415));
    // All three axes where the vertical one stands; of another datum it is no height of this system.
    assert_eq!(of(&[(1024, N(2)), (2048, N(4326)), (4096, N(4979))]), Crs::Epsg(4979));
    assert_eq!(of(&[(1024, N(2)), (2048, N(4258)), (4096, N(4979))]).epsg(), None);
    let pair = of(&[(1024, N(1)), (3072, N(32632)), (4096, N(5773))]);
    assert_eq!((pair.epsg(), pair.horizontal().epsg(), pair.to_string().as_str()), (None, Some(32632), "EPSG:32632+5773"));
    // Codes of pairs: WGS 84 with EGM96 heights, New York in feet with NAVD88 heights.
    assert!(Crs::Epsg(9707).is_geographic() && Crs::Epsg(9707).to_projjson().unwrap()["id"]["code"] == 9707);
    assert_eq!((Crs::Epsg(8767).horizontal(), Crs::Epsg(8767).unit().unwrap().epsg), (Crs::Epsg(2263), Some(9003)));
    let own = of(&[(1024, N(2)), (2048, N(4326)), (4096, N(32767)), (4097, T("Tide gauge")), (4099, N(9002))]);
    let written = own.to_projjson().unwrap();
    assert_eq!((&written["type"], &written["components"][1]["name"]), (&"CompoundCRS".into(), &"Tide gauge".into()));
    assert_eq!(written["components"][1]["coordinate_system"]["axis"][0]["unit"]["conversion_factor"], 0.3048);
}

#[test]
fn wkt_quotes_what_is_quoted() {
    let all = [(1024, N(1)), (1026, T("the \"old\" grid")), (2048, N(4326)), (3072, N(32767)), (3075, N(11)), (3078, D(&[30.0]))];
    let wkt = crs(&all).unwrap().to_wkt().unwrap();
    assert!(wkt.starts_with("PROJCRS[\"the \"\"old\"\" grid\",BASEGEOGCRS[\"WGS 84\",DATUM[\"World Geodetic System 1984\","), "{wkt}");
    assert!(wkt.contains("METHOD[\"Albers Equal Area\",ID[\"EPSG\",9822]],PARAMETER[\"Latitude of false origin\",0,ANGLEUNIT[\"degree\","));
}
