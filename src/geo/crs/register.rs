//! What the EPSG register says of the codes that GeoTIFF's keys name. `register/make.py` writes the tables.

use std::sync::LazyLock;

use super::methods::{Method, Quantity};
use super::model::{Conversion, Datum, Ellipsoid, GeodeticCrs, GeodeticKind, PrimeMeridian, Unit, UnitKind, VerticalCrs};

const UNITS: &str = include_str!("register/unit.txt");
const ELLIPSOIDS: &str = include_str!("register/ellipsoid.txt");
const MERIDIANS: &str = include_str!("register/prime_meridian.txt");
const DATUMS: &str = include_str!("register/datum.txt");
const GEODETIC: &str = include_str!("register/geodetic.txt");
const VERTICAL: &str = include_str!("register/vertical.txt");
const COMPOUND: &str = include_str!("register/compound.txt");
const CONVERSIONS: &str = include_str!("register/conversion.txt");
/// Ranges of codes of projected systems that are not in metres.
const PROJECTED_UNITS: &str = include_str!("register/projected_unit.txt");

/// A row's fields after its code.
type Fields = std::str::Split<'static, char>;

fn rows(table: &'static str) -> impl Iterator<Item = (u32, Fields)> {
    table.lines().filter_map(|line| {
        let (code, rest) = line.split_once('|')?;
        Some((code.parse().ok()?, rest.split('|')))
    })
}

/// The row of a code.
fn row(table: &'static str, code: u32) -> Option<Fields> {
    row_before(table, code).and_then(|(own, fields)| (own == code).then_some(fields))
}

/// The last row whose code is not above this one; rows are in the order of their codes.
fn row_before(table: &'static str, code: u32) -> Option<(u32, Fields)> {
    let mut rest = table;
    let mut found = None;
    while !rest.is_empty() {
        let (before, behind) = rest.as_bytes().split_at(rest.len() / 2);
        let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let end = behind.iter().position(|b| *b == b'\n').map_or(rest.len(), |at| before.len() + at);
        let (own, fields) = rest[start..end].split_once('|')?;
        let own = own.parse().ok()?;
        if own <= code {
            found = Some((own, fields.split('|')));
            rest = rest.get(end + 1..).unwrap_or_default();
        } else {
            rest = &rest[..start];
        }
    }
    found
}

fn next<T: std::str::FromStr>(fields: &mut Fields) -> Option<T> {
    fields.next()?.parse().ok()
}

pub(super) fn unit(code: u32) -> Option<Unit> {
    let mut fields = row(UNITS, code)?;
    let name = next(&mut fields)?;
    let kind = if fields.next()? == "a" { UnitKind::Angle } else { UnitKind::Length };
    Some(Unit { name, kind, factor: next(&mut fields)?, epsg: Some(code) })
}

/// A unit by its size: the register's where a common one is as long, else one of this name.
pub(super) fn unit_by_size(name: &str, kind: UnitKind, factor: f64) -> Unit {
    let known = match kind {
        UnitKind::Length => [Some(Unit::metre()), unit(9002), unit(9003), unit(9036)],
        _ => [Some(Unit::degree()), unit(9105), None, None],
    };
    let same = |u: &Unit| (u.factor / factor - 1.0).abs() < 1e-9;
    known.into_iter().flatten().find(same).unwrap_or_else(|| Unit { name: name.to_owned(), kind, factor, epsg: None })
}

pub(super) fn ellipsoid(code: u32) -> Option<Ellipsoid> {
    let mut fields = row(ELLIPSOIDS, code)?;
    let name = next(&mut fields)?;
    Some(Ellipsoid { name, epsg: Some(code), semi_major: next(&mut fields)?, inverse_flattening: next(&mut fields)? })
}

pub(super) fn prime_meridian(code: u32) -> Option<PrimeMeridian> {
    let mut fields = row(MERIDIANS, code)?;
    let name = next(&mut fields)?;
    let longitude = next(&mut fields)?;
    Some(PrimeMeridian { name, epsg: Some(code), longitude, unit: unit(next(&mut fields)?)? })
}

pub(super) fn datum(code: u32) -> Option<Datum> {
    let mut fields = row(DATUMS, code)?;
    let name = next(&mut fields)?;
    let ellipsoid = ellipsoid(next(&mut fields)?)?;
    Some(Datum { name, epsg: Some(code), ellipsoid, meridian: prime_meridian(next(&mut fields)?)? })
}

/// Which kind of geodetic system a code is of; `None` if it is of none.
pub(super) fn geodetic_kind(code: u32) -> Option<GeodeticKind> {
    kind(&mut row(GEODETIC, code)?)
}

fn kind(fields: &mut Fields) -> Option<GeodeticKind> {
    Some(match fields.next()? {
        "2" => GeodeticKind::Geographic2D,
        "3" => GeodeticKind::Geographic3D,
        _ => GeodeticKind::Geocentric,
    })
}

pub(super) fn geodetic(code: u32) -> Option<GeodeticCrs> {
    let mut fields = row(GEODETIC, code)?;
    let kind = kind(&mut fields)?;
    let name = next(&mut fields)?;
    let datum = datum(next(&mut fields)?)?;
    Some(GeodeticCrs { name, epsg: Some(code), kind, datum, unit: unit(next(&mut fields)?)? })
}

/// Whether one geographic system is another with heights over its ellipsoid: writers give the code of all three axes where a vertical one stands.
pub(super) fn is_in_three_dimensions(flat: u32, with_heights: u32) -> bool {
    let (Some(flat), Some(with_heights)) = (geodetic(flat), geodetic(with_heights)) else { return false };
    (flat.kind, with_heights.kind) == (GeodeticKind::Geographic2D, GeodeticKind::Geographic3D) && flat.datum == with_heights.datum
}

pub(super) fn vertical(code: u32) -> Option<VerticalCrs> {
    let mut fields = row(VERTICAL, code)?;
    let name = next(&mut fields)?;
    let datum_epsg = next(&mut fields);
    let datum = next(&mut fields)?;
    let unit = unit(next(&mut fields)?)?;
    Some(VerticalCrs { name, epsg: Some(code), datum, datum_epsg, unit, down: fields.next()? == "down" })
}

/// The geographic system that goes by this name, in the register or at ESRI.
pub(super) fn geodetic_by_name(name: &str) -> Option<GeodeticCrs> {
    // Of two systems of one name, the first.
    static CODES: LazyLock<Vec<(&str, u32)>> = LazyLock::new(|| {
        let names = |(code, mut fields): (u32, Fields)| {
            let geographic = fields.next() == Some("2");
            let own = fields.next().filter(|_| geographic);
            let esri = fields.nth(2).filter(|_| geographic);
            [own, esri].into_iter().flatten().map(move |name| (name, code))
        };
        let mut codes: Vec<_> = rows(GEODETIC).flat_map(names).collect();
        codes.sort_unstable();
        codes.dedup_by_key(|(name, _)| *name);
        codes
    });
    let at = CODES.binary_search_by_key(&name, |(name, _)| name).ok()?;
    geodetic(CODES[at].1)
}

/// The name of a datum of heights.
pub(super) fn vertical_datum(code: u32) -> Option<String> {
    rows(VERTICAL).find_map(|(_, mut fields)| {
        let _name = fields.next()?;
        (next::<u32>(&mut fields)? == code).then(|| next(&mut fields))?
    })
}

/// The code of a compound system of two codes.
pub(super) fn compound(horizontal: u32, vertical: u32) -> Option<u32> {
    let parts = |fields: &mut Fields| Some((next::<u32>(fields)?, next::<u32>(fields)?));
    rows(COMPOUND).find_map(|(code, mut fields)| (parts(&mut fields)? == (horizontal, vertical)).then_some(code))
}

/// The codes of the two systems of a compound one.
pub(super) fn components(code: u32) -> Option<(u32, u32)> {
    let mut fields = row(COMPOUND, code)?;
    Some((next(&mut fields)?, next(&mut fields)?))
}

/// The projection of a code, with lengths in metres.
pub(super) fn conversion(code: u32) -> Option<Conversion> {
    let mut fields = row(CONVERSIONS, code)?;
    let name = next(&mut fields)?;
    let method = Method::of_epsg(next(&mut fields)?)?;
    let values: Vec<(f64, Unit)> = method
        .parameters
        .iter()
        .map_while(|p| {
            let unit = match p.quantity {
                Quantity::Angle => Unit::degree(),
                Quantity::Length => Unit::metre(),
                Quantity::Scale => Unit::unity(),
            };
            Some((next(&mut fields)?, unit))
        })
        .collect();
    (values.len() == method.parameters.len()).then_some(Conversion { name, epsg: Some(code), method, values })
}

/// The unit of a projected system; the register is silent of codes that it does not have, so they count as metres.
pub(super) fn projected_unit(code: u32) -> Unit {
    let of_range = |(_, mut fields): (u32, Fields)| {
        let (last, unit) = (next::<u32>(&mut fields)?, next(&mut fields)?);
        (code <= last).then_some(unit)
    };
    row_before(PROJECTED_UNITS, code).and_then(of_range).and_then(unit).unwrap_or_else(Unit::metre)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_whole() {
        let all = |table, whole: &dyn Fn(u32) -> bool| {
            let mut last = 0;
            for (code, _) in rows(table) {
                assert!(code > last && whole(code), "{code}");
                last = code;
            }
            assert!(last > 0);
        };
        all(UNITS, &|c| unit(c).is_some_and(|u| u.factor > 0.0));
        all(ELLIPSOIDS, &|c| ellipsoid(c).is_some_and(|e| e.semi_major > 6.3e6 && e.semi_minor() > 6.3e6));
        all(MERIDIANS, &|c| prime_meridian(c).is_some());
        all(DATUMS, &|c| datum(c).is_some());
        all(GEODETIC, &|c| geodetic(c).is_some());
        all(VERTICAL, &|c| vertical(c).is_some());
        all(CONVERSIONS, &|c| conversion(c).is_some());
    }

    #[test]
    fn well_known_rows() {
        let wgs84 = geodetic(4326).unwrap();
        assert_eq!((wgs84.name.as_str(), wgs84.datum.ellipsoid.inverse_flattening), ("WGS 84", 298.257223563));
        let paris = geodetic(4807).unwrap();
        assert_eq!((paris.unit.name.as_str(), paris.datum.meridian.longitude), ("grad", 2.5969213));
        assert_eq!((projected_unit(2263).epsg, projected_unit(32633).epsg, projected_unit(2222).epsg), (Some(9003), Some(9001), Some(9002)));
        assert_eq!((compound(28992, 5709), compound(32633, 5773)), (Some(7415), None));
        assert_eq!(components(7415), Some((28992, 5709)));
        let alabama = conversion(10131).unwrap();
        assert_eq!(alabama.values.iter().map(|v| v.0).collect::<Vec<_>>(), [30.5, -85.833333333333, 0.99996, 200_000.0, 0.0]);
        assert_eq!(geodetic_kind(4978), Some(GeodeticKind::Geocentric));
        assert_eq!(geodetic_kind(32633), None);
        assert_eq!(geodetic_by_name("GCS_WGS_1984"), geodetic(4326));
        assert_eq!(geodetic_by_name("NAD83"), geodetic(4269));
        assert_eq!((geodetic_by_name("unknown"), vertical_datum(5171).as_deref()), (None, Some("EGM96 geoid")));
    }
}
