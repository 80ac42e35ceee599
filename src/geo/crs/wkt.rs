//! WKT 2 (ISO 19162:2019).

use std::fmt::{self, Display, Formatter};

use super::axes::{self, Axis};
use super::model::{Conversion, Datum, Definition, GeodeticCrs, GeodeticKind, PrimeMeridian, ProjectedCrs, RotatedCrs, Unit, UnitKind, VerticalCrs};
use super::{TO_WGS84_METHOD, TO_WGS84_PARAMETERS, wgs84};

pub(super) fn write(definition: &Definition) -> String {
    node(definition)
}

fn node(definition: &Definition) -> String {
    match definition {
        Definition::Geodetic(crs) => {
            let keyword = if crs.kind == GeodeticKind::Geocentric { "GEODCRS" } else { "GEOGCRS" };
            let subtype = if crs.kind == GeodeticKind::Geocentric { "Cartesian" } else { "ellipsoidal" };
            format!("{keyword}[{},{}{}]", frame(crs), system(subtype, &axes::geodetic(crs)), Id(crs.epsg))
        }
        Definition::Projected(crs) => projected(crs),
        Definition::Rotated(crs) => rotated(crs),
        Definition::Vertical(crs) => vertical(crs),
        Definition::Compound { name, epsg, components } => {
            format!("COMPOUNDCRS[{},{}{}]", Quoted(name), components.iter().map(node).collect::<Vec<_>>().join(","), Id(*epsg))
        }
        Definition::Bound { source, parameters } => bound(source, parameters),
    }
}

/// Name, datum and prime meridian of a geodetic system.
fn frame(crs: &GeodeticCrs) -> String {
    format!("{},{},{}", Quoted(&crs.name), datum(&crs.datum), meridian(&crs.datum.meridian))
}

fn datum(datum: &Datum) -> String {
    let e = &datum.ellipsoid;
    format!(
        "DATUM[{},ELLIPSOID[{},{},{},LENGTHUNIT[\"metre\",1]{}]{}]",
        Quoted(&datum.name),
        Quoted(&e.name),
        Number(e.semi_major),
        Number(e.inverse_flattening),
        Id(e.epsg),
        Id(datum.epsg)
    )
}

fn meridian(m: &PrimeMeridian) -> String {
    format!("PRIMEM[{},{},{}{}]", Quoted(&m.name), Number(m.longitude), unit(&m.unit), Id(m.epsg))
}

fn projected(crs: &ProjectedCrs) -> String {
    format!(
        "PROJCRS[{},BASEGEOGCRS[{}{}],{},{}{}]",
        Quoted(&crs.name),
        frame(&crs.base),
        Id(crs.base.epsg),
        conversion("CONVERSION", &crs.conversion),
        system("Cartesian", &axes::projected(crs)),
        Id(crs.epsg)
    )
}

fn rotated(crs: &RotatedCrs) -> String {
    format!(
        "GEOGCRS[{},BASEGEOGCRS[{}{}],{},{}]",
        Quoted(&crs.name),
        frame(&crs.base),
        Id(crs.base.epsg),
        conversion("DERIVINGCONVERSION", &crs.conversion),
        system("ellipsoidal", &axes::geodetic(&crs.base))
    )
}

fn conversion(keyword: &str, conversion: &Conversion) -> String {
    let method = conversion.method;
    let mut text = format!("{keyword}[{},METHOD[{}{}]", Quoted(&conversion.name), Quoted(method.name), Id(method.epsg));
    for (p, (value, of)) in method.parameters.iter().zip(&conversion.values) {
        text += &format!(",PARAMETER[{},{},{}{}]", Quoted(p.name), Number(*value), unit(of), Id(p.epsg));
    }
    format!("{text}{}]", Id(conversion.epsg))
}

fn vertical(crs: &VerticalCrs) -> String {
    let system = system("vertical", &[axes::vertical(crs)]);
    format!("VERTCRS[{},VDATUM[{}{}],{system}{}]", Quoted(&crs.name), Quoted(&crs.datum), Id(crs.datum_epsg), Id(crs.epsg))
}

fn bound(source: &Definition, parameters: &[f64; 7]) -> String {
    let (method, code) = TO_WGS84_METHOD;
    let name = format!("Transformation from {} to WGS 84", source.name());
    let mut text = format!("METHOD[{}{}]", Quoted(method), Id(Some(code)));
    for ((name, code, unit), value) in TO_WGS84_PARAMETERS.iter().zip(parameters) {
        // Their units are fixed there, and the scale is the ratio itself.
        let value = if *unit == "parts per million" { 1.0 + value * 1e-6 } else { *value };
        text += &format!(",PARAMETER[{},{}{}]", Quoted(name), Number(value), Id(Some(*code)));
    }
    let target = node(&Definition::Geodetic(wgs84()));
    format!("BOUNDCRS[SOURCECRS[{}],TARGETCRS[{target}],ABRIDGEDTRANSFORMATION[{},{text}]]", node(source), Quoted(&name))
}

fn system(subtype: &str, axes: &[Axis]) -> String {
    let mut text = format!("CS[{subtype},{}]", axes.len());
    for (index, axis) in axes.iter().enumerate() {
        let name = format!("{} ({})", axis.name.to_ascii_lowercase(), axis.abbreviation);
        let name = if axis.name.starts_with("Geocentric") { format!("({})", axis.abbreviation) } else { name };
        text += &format!(",AXIS[{},{}", Quoted(&name), axis.direction);
        if let Some(longitude) = axis.meridian {
            text += &format!(",MERIDIAN[{},{}]", Number(longitude), unit(&Unit::degree()));
        }
        if axes.len() > 1 {
            text += &format!(",ORDER[{}]", index + 1);
        }
        text += &format!(",{}]", unit(&axis.unit));
    }
    text
}

fn unit(unit: &Unit) -> String {
    let keyword = match unit.kind {
        UnitKind::Length => "LENGTHUNIT",
        UnitKind::Angle => "ANGLEUNIT",
        UnitKind::Scale => "SCALEUNIT",
    };
    format!("{keyword}[{},{}]", Quoted(&unit.name), Number(unit.factor))
}

/// Text in quotes; one within is doubled.
struct Quoted<'a>(&'a str);

/// A number, with an exponent where it is far from one.
struct Number(f64);

/// A code of the EPSG register behind a comma, or nothing.
struct Id(Option<u32>);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.abs() {
            size if size == 0.0 || (1e-4..1e15).contains(&size) => write!(f, "{}", self.0),
            _ => write!(f, "{:E}", self.0),
        }
    }
}

impl Display for Id {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |code| write!(f, ",ID[\"EPSG\",{code}]"))
    }
}
