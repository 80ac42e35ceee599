//! Coordinate reference systems as metadata tells them: a code, a text, or both.

use serde_json::Value;

use super::Crs;
use crate::model::RawJson;

/// A coordinate reference system by whatever of its definitions were found.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct CrsDefinition {
    /// Its code in the EPSG register.
    pub epsg: Option<u32>,
    /// Well-known text, version 1 or 2.
    pub wkt: Option<String>,
    /// PROJJSON.
    pub projjson: Option<RawJson>,
}

impl CrsDefinition {
    /// From a code of an authority, `EPSG:4326`; also as a URN or a URL of the OGC.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        let code = code.trim();
        let number = code.rsplit([':', '/']).next()?;
        let is_epsg = code.to_ascii_uppercase().contains("EPSG");
        match (is_epsg, number) {
            (true, number) => Some(Self { epsg: Some(number.parse().ok()?), ..Self::default() }),
            // Longitude first, as arrays have it.
            (false, "CRS84") => Some(Self { epsg: Some(4326), ..Self::default() }),
            _ => None,
        }
    }
    /// From well-known text; the code is that which the text gives the whole system.
    #[must_use]
    pub fn from_wkt(wkt: &str) -> Self {
        Self { epsg: epsg_of_wkt(wkt), wkt: Some(wkt.to_owned()), projjson: None }
    }
    /// From PROJJSON; the code is its `id`.
    #[must_use]
    pub fn from_projjson(projjson: &Value) -> Self {
        let id = projjson.get("id").filter(|id| id.get("authority").and_then(Value::as_str) == Some("EPSG"));
        let code = id.and_then(|id| id.get("code"));
        let number = code.and_then(|code| code.as_u64().or_else(|| code.as_str()?.parse().ok()));
        Self { epsg: number.and_then(|n| u32::try_from(n).ok()), wkt: None, projjson: Some(RawJson::of(projjson)) }
    }
    /// The system, where its code is known.
    #[must_use]
    pub fn crs(&self) -> Option<Crs> {
        self.epsg.map(Crs::Epsg)
    }
    /// Whether its coordinates are angles; `None` where nothing tells it.
    #[must_use]
    pub fn is_geographic(&self) -> Option<bool> {
        if let Some(wkt) = &self.wkt {
            let start: String = wkt.trim_start().chars().take(8).collect::<String>().to_ascii_uppercase();
            return Some(["GEOGCS", "GEOGCRS", "GEODCRS", "GEOGRAPH", "GEODETIC"].iter().any(|word| start.starts_with(word)));
        }
        if let Some(kind) = self.projjson.as_ref().and_then(|json| json.get("type")) {
            return Some(kind == "GeographicCRS" || kind == "GeodeticCRS");
        }
        // The register keeps its geographic systems together.
        self.epsg.map(|code| (4000..5000).contains(&code))
    }
}

/// The EPSG code that well-known text gives its whole system: `ID["EPSG",32631]`, `AUTHORITY["EPSG","32631"]` of the outermost.
fn epsg_of_wkt(wkt: &str) -> Option<u32> {
    let (mut depth, mut in_quotes, mut word) = (0_u32, false, 0);
    let mut found = None;
    for (at, c) in wkt.char_indices() {
        match c {
            '"' => in_quotes = !in_quotes,
            _ if in_quotes => {}
            '[' | '(' => {
                let name = wkt.get(word..at).unwrap_or_default().trim();
                if depth == 1 && (name.eq_ignore_ascii_case("ID") || name.eq_ignore_ascii_case("AUTHORITY")) {
                    found = code(wkt.get(at + 1..).unwrap_or_default()).or(found);
                }
                depth = depth.saturating_add(1);
                word = at + 1;
            }
            ']' | ')' => depth = depth.saturating_sub(1),
            ',' => word = at + 1,
            _ => {}
        }
    }
    found
}

/// `"EPSG",32631]…`
fn code(inside: &str) -> Option<u32> {
    let inside = inside.split([']', ')']).next()?;
    let mut parts = inside.split(',').map(|part| part.trim().trim_matches('"'));
    let is_epsg = parts.next()?.eq_ignore_ascii_case("EPSG");
    let code = parts.next()?.parse().ok()?;
    is_epsg.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_texts() {
        let table = [
            (
                r#"PROJCS["WGS 84 / UTM zone 31N",GEOGCS["WGS 84",AUTHORITY["EPSG","4326"]],UNIT["metre",1,AUTHORITY["EPSG","9001"]],AUTHORITY["EPSG","32631"]]"#,
                Some(32631),
                false,
            ),
            (r#"PROJCRS["x, ID[",BASEGEOGCRS["WGS 84",ID["EPSG",4326]],CONVERSION["c",ID["EPSG",16031]],ID["EPSG",32631]]"#, Some(32631), false),
            (r#"GEOGCRS["WGS 84",ID["EPSG",4326]]"#, Some(4326), true),
            (r#"PROJCRS["own",BASEGEOGCRS["WGS 84",ID["EPSG",4326]]]"#, None, false),
            (r#"PROJCRS["e",ID["ESRI",102001]]"#, None, false),
            ("", None, false),
            ("ID[[[\"", None, false),
        ];
        for (wkt, code, geographic) in table {
            let definition = CrsDefinition::from_wkt(wkt);
            assert_eq!((definition.epsg, definition.is_geographic()), (code, Some(geographic)), "{wkt}");
        }
    }

    #[test]
    fn codes_of_authorities_and_json() {
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
            assert_eq!(CrsDefinition::from_code(code).and_then(|d| d.epsg), epsg, "{code}");
        }
        let json = serde_json::json!({"type": "GeographicCRS", "id": {"authority": "EPSG", "code": 4258}});
        let definition = CrsDefinition::from_projjson(&json);
        assert_eq!((definition.epsg, definition.is_geographic()), (Some(4258), Some(true)));
    }
}
