//! Names out of citations. Besides plain names there are three habits: `GCS Name = A|Datum = B|...` (GDAL, after ESRI), several lines
//! behind a notice of copyright (IMAGINE), and a whole system as WKT 1 (ESRI).

use super::super::GeoKeys;
use super::geodetic::code;
use super::key;

const ESRI: &str = "ESRI PE String = ";
const IMAGINE: &str = "IMAGINE GeoTIFF";

/// The text of a system that stands in a citation as WKT 1, where nothing else defines one.
pub(super) fn esri_wkt(keys: &GeoKeys) -> Option<&str> {
    let geodetic = matches!(keys.code(GeoKeys::MODEL_TYPE), Some(2 | 3));
    if geodetic || code(keys, key::PROJECTION).is_some() || code(keys, key::METHOD).is_some() {
        return None;
    }
    [GeoKeys::PROJECTED_CITATION, GeoKeys::CITATION, GeoKeys::GEODETIC_CITATION].iter().find_map(|k| {
        let (_, wkt) = keys.text(*k)?.split_once(ESRI)?;
        Some(wkt.trim()).filter(|wkt| wkt.contains('['))
    })
}

/// The value behind `label =` in a citation of parts.
pub(super) fn part<'a>(keys: &'a GeoKeys, key: u16, label: &str) -> Option<&'a str> {
    let text = keys.text(key)?;
    let value = |part: &'a str| {
        let (name, value) = part.split_once('=')?;
        (name.trim() == label).then(|| value.trim())
    };
    text.split(['|', '\n']).find_map(value).filter(|v| !v.is_empty())
}

/// What a citation says in plain words, without parts.
pub(super) fn plain(keys: &GeoKeys, key: u16) -> Option<&str> {
    let text = keys.text(key)?;
    let first = text.split('|').next().unwrap_or_default().trim();
    (!first.is_empty() && !text.contains(IMAGINE) && !first.contains(" = ") && !first.contains('\n')).then_some(first)
}

/// The name of the projected system, or of the file's whole model.
pub(super) fn projected_name(keys: &GeoKeys) -> Option<&str> {
    let of = |key| part(keys, key, "PCS Name").or_else(|| part(keys, key, "Projection Name")).or_else(|| plain(keys, key));
    of(GeoKeys::PROJECTED_CITATION).or_else(|| of(GeoKeys::CITATION))
}

/// The name of the geodetic system.
pub(super) fn geodetic_name(keys: &GeoKeys) -> Option<&str> {
    let key = GeoKeys::GEODETIC_CITATION;
    part(keys, key, "GCS Name").or_else(|| plain(keys, key)).or_else(|| part(keys, key, "Datum"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> GeoKeys {
        let count = u16::try_from(text.len()).unwrap();
        GeoKeys::parse(&[1, 1, 0, 2, 2049, 34737, count, 0, 3073, 34737, count, 0], &[], text)
    }

    #[test]
    fn names() {
        for (text, projected, geodetic) in [
            ("WGS 84|", Some("WGS 84"), Some("WGS 84")),
            ("GCS Name = GCS_MARS|Datum = D_MARS|Primem = Airy||", None, Some("GCS_MARS")),
            ("PCS Name = Grid|", Some("Grid"), None),
            (
                "IMAGINE GeoTIFF Support\nCopyright\n@(#)$Revision: 10.0 $\nProjection Name = Monte_Mario\nUnits = meters\nDatum = Rome|",
                Some("Monte_Mario"),
                Some("Rome"),
            ),
            ("IMAGINE GeoTIFF Support\nCopyright 1991|", None, None),
            ("|", None, None),
        ] {
            assert_eq!((projected_name(&keys(text)), geodetic_name(&keys(text))), (projected, geodetic), "{text}");
        }
        assert_eq!(esri_wkt(&keys("ESRI PE String = PROJCS[\"a\",UNIT[\"m\",1]]|")), Some("PROJCS[\"a\",UNIT[\"m\",1]]"));
        assert_eq!(esri_wkt(&keys("ESRI PE String = |")), None);
    }
}
