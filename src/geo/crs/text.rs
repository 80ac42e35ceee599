//! Systems that metadata spells out as a text. The text stays as it is; what is asked of it is read from its outermost elements.

use serde_json::Value;

use super::model::{Definition, Unit, UnitKind};
use super::node::Node;
use super::{Crs, CrsKind, definition_of, register, wkt1};
use crate::error::{Error, Result};
use crate::model::RawJson;

/// A coordinate reference system that is spelled out as a text.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TextCrs {
    /// The name that the text gives it.
    pub name: String,
    /// What its coordinates are, those of the plane where it has heights too.
    pub kind: CrsKind,
    /// The code of the whole system in the EPSG register, where the text tells it.
    pub epsg: Option<u32>,
    /// The text.
    pub text: CrsText,
}

/// The text of a system, as it was found.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum CrsText {
    /// Well-known text, version 1 or 2.
    Wkt(String),
    /// PROJJSON.
    Projjson(RawJson),
}

/// No system is made of more layers: bound, compound.
const MAX_LAYERS: usize = 4;

impl Crs {
    /// From a code of an authority, `EPSG:4326`; also as a URN or a URL of the OGC. `None` where the authority is another.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        let code = code.trim();
        let number = code.rsplit([':', '/']).next()?;
        match code.to_ascii_uppercase().contains("EPSG") {
            true => number.parse().ok().map(Self::Epsg),
            // Longitude first, as arrays have it.
            false => (number == "CRS84").then_some(Self::Epsg(4326)),
        }
    }
    /// From well-known text of version 1 or 2 (ISO 19162), which is kept; `None` where it is none.
    #[must_use]
    pub fn from_wkt(wkt: &str) -> Option<Self> {
        let root = Node::parse(wkt).ok()?;
        let (name, kind) = (root.name().replace("\"\"", "\""), kind_of_node(plane_of_node(&root)));
        Some(Self::Text(Box::new(TextCrs { name, kind, epsg: root.epsg(), text: CrsText::Wkt(wkt.trim().to_owned()) })))
    }
    /// From PROJJSON, which is kept; `None` where it is none.
    #[must_use]
    pub fn from_projjson(projjson: &Value) -> Option<Self> {
        projjson.get("type")?.as_str()?;
        let name = projjson.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let text = CrsText::Projjson(RawJson::of(projjson));
        Some(Self::Text(Box::new(TextCrs { name, kind: kind_of_json(plane_of_json(projjson)), epsg: epsg_of_json(projjson), text })))
    }
}

impl TextCrs {
    /// Without its heights.
    pub(super) fn horizontal(&self) -> Option<Crs> {
        match &self.text {
            CrsText::Wkt(text) => Crs::from_wkt(component(&Node::parse(text).ok()?)?.text()),
            CrsText::Projjson(json) => Crs::from_projjson(json.parse::<Value>().ok()?.get("components")?.get(0)?),
        }
    }
    /// The unit of its axes.
    pub(super) fn unit(&self) -> Option<Unit> {
        let kind = if self.kind == CrsKind::Geographic { UnitKind::Angle } else { UnitKind::Length };
        match &self.text {
            CrsText::Wkt(text) => {
                let root = Node::parse(text).ok()?;
                let plane = plane_of_node(&root);
                let own = |node: &Node| {
                    let unit = node.nodes().iter().find(|n| n.is(&["UNIT", "LENGTHUNIT", "ANGLEUNIT"]))?;
                    wkt1::unit(unit, kind).ok()
                };
                own(plane).or_else(|| own(plane.child("AXIS")?))
            }
            CrsText::Projjson(json) => {
                let root: Value = json.parse().ok()?;
                match plane_of_json(&root).pointer("/coordinate_system/axis/0/unit")? {
                    Value::String(name) if name == "metre" => Some(Unit::metre()),
                    Value::String(name) if name == "degree" => Some(Unit::degree()),
                    unit => {
                        let factor = unit.get("conversion_factor")?.as_f64().filter(|factor| *factor > 0.0)?;
                        Some(register::unit_by_size(unit.get("name")?.as_str()?, kind, factor))
                    }
                }
            }
        }
    }
    /// What the tables have of its code, else what version 1 of well-known text says.
    pub(super) fn definition(&self) -> Result<Definition> {
        if let Some(known) = self.epsg.and_then(|code| definition_of(code).ok()) {
            return Ok(known);
        }
        match &self.text {
            CrsText::Wkt(text) => wkt1::definition(text),
            CrsText::Projjson(_) => Err(Error::unsupported("well-known text of a crs that is told in PROJJSON")),
        }
    }
}

/// The first system of a compound one.
fn component<'a, 'b>(node: &'b Node<'a>) -> Option<&'b Node<'a>> {
    node.is(&["COMPD_CS", "COMPOUNDCRS"]).then(|| node.nodes().first())?
}

/// The system of the plane.
fn plane_of_node<'a, 'b>(root: &'b Node<'a>) -> &'b Node<'a> {
    let mut node = root;
    for _ in 0..MAX_LAYERS {
        let source = || node.child("SOURCECRS").filter(|_| node.is(&["BOUNDCRS"]))?.nodes().first();
        let Some(inner) = component(node).or_else(source) else { break };
        node = inner;
    }
    node
}

fn plane_of_json(root: &Value) -> &Value {
    let mut value = root;
    for _ in 0..MAX_LAYERS {
        let inner = match value.get("type").and_then(Value::as_str) {
            Some("CompoundCRS") => value.pointer("/components/0"),
            Some("BoundCRS") => value.get("source_crs"),
            _ => None,
        };
        let Some(inner) = inner else { break };
        value = inner;
    }
    value
}

pub(super) fn kind_of_node(node: &Node) -> CrsKind {
    let is_ellipsoidal = || node.child("CS").is_some_and(|system| system.text().to_ascii_lowercase().contains("ellipsoidal"));
    match node.keyword().to_ascii_uppercase().as_str() {
        "PROJCS" | "PROJCRS" | "PROJECTEDCRS" | "DERIVEDPROJCRS" => CrsKind::Projected,
        "GEOGCS" | "GEOGCRS" | "GEOGRAPHICCRS" => CrsKind::Geographic,
        "GEODCRS" | "GEODETICCRS" if is_ellipsoidal() => CrsKind::Geographic,
        "GEOCCS" | "GEODCRS" | "GEODETICCRS" => CrsKind::Geocentric,
        _ => CrsKind::Unknown,
    }
}

fn kind_of_json(value: &Value) -> CrsKind {
    match value.get("type").and_then(Value::as_str).unwrap_or_default() {
        "ProjectedCRS" | "DerivedProjectedCRS" => CrsKind::Projected,
        "GeographicCRS" | "DerivedGeographicCRS" => CrsKind::Geographic,
        "GeodeticCRS" | "DerivedGeodeticCRS" => match value.pointer("/coordinate_system/subtype").and_then(Value::as_str) {
            Some("ellipsoidal") => CrsKind::Geographic,
            _ => CrsKind::Geocentric,
        },
        _ => CrsKind::Unknown,
    }
}

fn epsg_of_json(value: &Value) -> Option<u32> {
    let own = |id: &Value| {
        let code = id.get("code").filter(|_| id.get("authority").and_then(Value::as_str) == Some("EPSG"))?;
        u32::try_from(code.as_u64().or_else(|| code.as_str()?.parse().ok())?).ok()
    };
    value.get("id").and_then(own).or_else(|| value.get("ids")?.as_array()?.iter().find_map(own))
}

#[cfg(test)]
mod tests {
    use super::CrsKind::{Geocentric, Geographic, Projected, Unknown};
    use super::*;

    const UTM1: &str = r#"PROJCS["WGS 84 / UTM zone 31N",GEOGCS["WGS 84",AUTHORITY["EPSG","4326"]],UNIT["metre",1,AUTHORITY["EPSG","9001"]],AUTHORITY["EPSG","32631"]]"#;
    const BASE: &str = r#"BASEGEOGCRS["WGS 84",DATUM["D",ELLIPSOID["E",6378137,298.257223563,LENGTHUNIT["metre",1]]],ID["EPSG",4326]]"#;

    #[test]
    fn texts_answer_for_themselves() {
        let feet =
            format!(r#"PROJCRS["x, ID[""a"" ",{BASE},CONVERSION["c",ID["EPSG",16031]],CS[Cartesian,2],AXIS["e",east],LENGTHUNIT["foot",0.3048]]"#);
        let axes = format!(
            r#"PROJCRS["k",{BASE},CONVERSION["c"],CS[Cartesian,2],AXIS["e (E)",east,ORDER[1],LENGTHUNIT["kilometre",1000]],ID["EPSG",32631]]"#
        );
        let compound = format!(r#"COMPD_CS["both",{UTM1},VERT_CS["EGM96 height",AUTHORITY["EPSG","5773"]]]"#);
        let bound = format!(r#"BOUNDCRS[SOURCECRS[{axes}],TARGETCRS[GEOGCRS["WGS 84",ID["EPSG",4326]]]]"#);
        type Row<'a> = (&'a str, &'a str, Option<u32>, CrsKind, Option<f64>);
        let table: [Row<'_>; 12] = [
            (UTM1, "WGS 84 / UTM zone 31N", Some(32631), Projected, Some(1.0)),
            (&feet, "x, ID[\"a\" ", None, Projected, Some(0.3048)),
            (&axes, "k", Some(32631), Projected, Some(1000.0)),
            (&compound, "both", None, Projected, Some(1.0)),
            (&bound, "", None, Projected, Some(1000.0)),
            (r#" GEOGCRS ( "WGS 84", ID("EPSG", 4326) ) "#, "WGS 84", Some(4326), Geographic, None),
            (r#"GEODCRS["g",CS[ellipsoidal,2],ANGLEUNIT["degree",0.0174532925199433],ID["EPSG","4326"]]"#, "g", Some(4326), Geographic, None),
            (r#"GEODCRS["c",CS[Cartesian,3],LENGTHUNIT["metre",1]]"#, "c", None, Geocentric, Some(1.0)),
            (r#"GEOCCS["c",UNIT["metre",1]]"#, "c", None, Geocentric, Some(1.0)),
            (r#"PROJCS["mine",UNIT["metre",1,AUTHORITY["EPSG","9001"]]]"#, "mine", None, Projected, Some(1.0)),
            (r#"PROJCRS["e",ID["ESRI",102001]]"#, "e", None, Projected, None),
            (r#"LOCAL_CS["arbitrary"]"#, "arbitrary", None, Unknown, None),
        ];
        for (wkt, name, epsg, kind, metres) in table {
            let crs = Crs::from_wkt(wkt).unwrap_or_else(|| panic!("{wkt}"));
            assert_eq!((crs.name().unwrap_or_default().as_str(), crs.epsg(), crs.kind(), crs.metres_per_unit()), (name, epsg, kind, metres), "{wkt}");
            assert_eq!(crs.to_wkt().unwrap(), wkt.trim());
        }
        assert_eq!(Crs::from_wkt(&compound).unwrap().horizontal(), Crs::from_wkt(UTM1).unwrap());
        let deep = "A[".repeat(100_000);
        for text in ["", "  ", "EPSG:4326", "ID[[[\"", "[[[]]]", "PROJCS[\"a", "+proj=longlat", &deep] {
            assert_eq!(Crs::from_wkt(text), None, "{text:.20}");
        }
    }

    #[test]
    fn texts_become_json_where_the_tables_or_version_1_tell_them() {
        let of = |wkt: &str| Crs::from_wkt(wkt).unwrap().to_projjson();
        assert_eq!(of(UTM1).unwrap()["conversion"]["method"]["name"], "Transverse Mercator");
        let own = r#"PROJCS["own",GEOGCS["g",DATUM["d",SPHEROID["s",6370000,0]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Sinusoidal"],PARAMETER["longitude_of_center",7],UNIT["metre",1]]"#;
        let json = of(own).unwrap();
        assert_eq!((&json["name"], &json["conversion"]["parameters"][0]["value"]), (&Value::from("own"), &Value::from(7.0)));
        assert!(of(&format!(r#"PROJCRS["own",{BASE}]"#)).unwrap_err().is_unsupported());
    }

    #[test]
    fn json_answers_for_itself() {
        let degrees = serde_json::json!({"type": "GeographicCRS", "name": "ETRS89", "id": {"authority": "EPSG", "code": 4258},
            "coordinate_system": {"subtype": "ellipsoidal", "axis": [{"unit": "degree"}]}});
        let crs = Crs::from_projjson(&degrees).unwrap();
        assert_eq!((crs.epsg(), crs.is_geographic(), crs.name().as_deref()), (Some(4258), true, Some("ETRS89")));
        assert_eq!(crs.unit(), Some(Unit::degree()));
        assert_eq!(crs.to_projjson().unwrap(), degrees);
        assert!(crs.to_wkt().unwrap().starts_with("GEOGCRS[\"ETRS89\""));
        let feet = serde_json::json!({"type": "CompoundCRS", "name": "c", "components": [
            {"type": "ProjectedCRS", "name": "p", "coordinate_system": {"axis": [{"unit": {"type": "LinearUnit", "name": "foot", "conversion_factor": 0.3048}}]}},
            {"type": "VerticalCRS", "name": "v"}]});
        let crs = Crs::from_projjson(&feet).unwrap();
        assert_eq!((crs.epsg(), crs.kind(), crs.metres_per_unit(), crs.horizontal().name().as_deref()), (None, Projected, Some(0.3048), Some("p")));
        assert!(crs.to_wkt().unwrap_err().is_unsupported());
        for broken in [serde_json::json!({}), serde_json::json!(7), serde_json::json!({"type": 1})] {
            assert_eq!(Crs::from_projjson(&broken), None, "{broken}");
        }
    }

    #[test]
    fn codes() {
        let table = [
            ("EPSG:4326", Some(4326)),
            ("epsg:32631", Some(32631)),
            ("urn:ogc:def:crs:EPSG::3857", Some(3857)),
            ("http://www.opengis.net/def/crs/EPSG/0/3857", Some(3857)),
            ("OGC:CRS84", Some(4326)),
            ("ESRI:102001", None),
            ("EPSG:", None),
        ];
        for (code, epsg) in table {
            assert_eq!(Crs::from_code(code).and_then(|crs| crs.epsg()), epsg, "{code}");
        }
    }
}
