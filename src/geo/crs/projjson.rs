//! PROJJSON, schema 0.7.

use serde_json::{Map, Value, json};

use super::axes::{self, Axis};
use super::model::{
    Conversion, Datum, Definition, Ellipsoid, GeodeticCrs, GeodeticKind, PrimeMeridian, ProjectedCrs, RotatedCrs, Unit, UnitKind, VerticalCrs,
};
use super::{TO_WGS84_METHOD, TO_WGS84_PARAMETERS, wgs84};

const SCHEMA: &str = "https://proj.org/schemas/v0.7/projjson.schema.json";

pub(super) fn write(definition: &Definition) -> Value {
    let mut value = definition_value(definition);
    if let Value::Object(object) = &mut value {
        object.insert("$schema".into(), SCHEMA.into());
    }
    value
}

fn definition_value(definition: &Definition) -> Value {
    match definition {
        Definition::Geodetic(crs) => geodetic(crs),
        Definition::Projected(crs) => projected(crs),
        Definition::Rotated(crs) => rotated(crs),
        Definition::Vertical(crs) => vertical(crs),
        Definition::Compound { name, epsg, components } => {
            let components: Vec<Value> = components.iter().map(definition_value).collect();
            identified(json!({"type": "CompoundCRS", "name": name, "components": components}), *epsg)
        }
        Definition::Bound { source, parameters } => bound(source, parameters),
    }
}

/// With its code, if it has one.
fn identified(mut value: Value, epsg: Option<u32>) -> Value {
    if let (Value::Object(object), Some(code)) = (&mut value, epsg) {
        object.insert("id".into(), id(code));
    }
    value
}

fn id(code: u32) -> Value {
    json!({"authority": "EPSG", "code": code})
}

fn geodetic(crs: &GeodeticCrs) -> Value {
    let (kind, subtype) = match crs.kind {
        GeodeticKind::Geocentric => ("GeodeticCRS", "Cartesian"),
        _ => ("GeographicCRS", "ellipsoidal"),
    };
    let value = json!({
        "type": kind,
        "name": crs.name,
        "datum": datum(&crs.datum),
        "coordinate_system": {"subtype": subtype, "axis": axes::geodetic(crs).iter().map(axis).collect::<Vec<_>>()},
    });
    identified(value, crs.epsg)
}

fn projected(crs: &ProjectedCrs) -> Value {
    let value = json!({
        "type": "ProjectedCRS",
        "name": crs.name,
        "base_crs": geodetic(&crs.base),
        "conversion": conversion(&crs.conversion),
        "coordinate_system": {"subtype": "Cartesian", "axis": axes::projected(crs).iter().map(axis).collect::<Vec<_>>()},
    });
    identified(value, crs.epsg)
}

fn rotated(crs: &RotatedCrs) -> Value {
    json!({
        "type": "DerivedGeographicCRS",
        "name": crs.name,
        "base_crs": geodetic(&crs.base),
        "conversion": conversion(&crs.conversion),
        "coordinate_system": {"subtype": "ellipsoidal", "axis": axes::geodetic(&crs.base).iter().map(axis).collect::<Vec<_>>()},
    })
}

fn vertical(crs: &VerticalCrs) -> Value {
    let value = json!({
        "type": "VerticalCRS",
        "name": crs.name,
        "datum": identified(json!({"type": "VerticalReferenceFrame", "name": crs.datum}), crs.datum_epsg),
        "coordinate_system": {"subtype": "vertical", "axis": [axis(&axes::vertical(crs))]},
    });
    identified(value, crs.epsg)
}

fn bound(source: &Definition, parameters: &[f64; 7]) -> Value {
    let (method, code) = TO_WGS84_METHOD;
    let list: Vec<Value> = TO_WGS84_PARAMETERS
        .iter()
        .zip(parameters)
        .map(|((name, code, unit), value)| json!({"name": name, "value": value, "unit": to_wgs84_unit(unit), "id": id(*code)}))
        .collect();
    json!({
        "type": "BoundCRS",
        "source_crs": definition_value(source),
        "target_crs": geodetic(&wgs84()),
        "transformation": {
            "name": format!("Transformation from {} to WGS 84", source.name()),
            "method": {"name": method, "id": id(code)},
            "parameters": list,
        },
    })
}

fn to_wgs84_unit(name: &str) -> Value {
    match name {
        "arc-second" => json!({"type": "AngularUnit", "name": name, "conversion_factor": 4.848_136_811_095_355e-6}),
        "parts per million" => json!({"type": "ScaleUnit", "name": name, "conversion_factor": 1e-6}),
        other => other.into(),
    }
}

fn datum(datum: &Datum) -> Value {
    let mut value = json!({"type": "GeodeticReferenceFrame", "name": datum.name, "ellipsoid": ellipsoid(&datum.ellipsoid)});
    if datum.meridian.epsg != Some(8901)
        && let Value::Object(object) = &mut value
    {
        object.insert("prime_meridian".into(), meridian(&datum.meridian));
    }
    identified(value, datum.epsg)
}

fn ellipsoid(ellipsoid: &Ellipsoid) -> Value {
    let mut value = Map::new();
    value.insert("name".into(), ellipsoid.name.as_str().into());
    if ellipsoid.inverse_flattening == 0.0 {
        value.insert("radius".into(), ellipsoid.semi_major.into());
    } else {
        value.insert("semi_major_axis".into(), ellipsoid.semi_major.into());
        value.insert("inverse_flattening".into(), ellipsoid.inverse_flattening.into());
    }
    identified(Value::Object(value), ellipsoid.epsg)
}

fn meridian(meridian: &PrimeMeridian) -> Value {
    let longitude = match unit(&meridian.unit) {
        Value::String(_) => meridian.longitude.into(),
        unit => json!({"value": meridian.longitude, "unit": unit}),
    };
    identified(json!({"name": meridian.name, "longitude": longitude}), meridian.epsg)
}

fn conversion(conversion: &Conversion) -> Value {
    let method = &conversion.method;
    let parameters: Vec<Value> = method
        .parameters
        .iter()
        .zip(&conversion.values)
        .map(|(p, (value, of))| identified(json!({"name": p.name, "value": value, "unit": unit(of)}), p.epsg))
        .collect();
    let value = json!({"name": conversion.name, "method": identified(json!({"name": method.name}), method.epsg), "parameters": parameters});
    identified(value, conversion.epsg)
}

fn axis(axis: &Axis) -> Value {
    let mut value = json!({"name": axis.name, "abbreviation": axis.abbreviation, "direction": axis.direction, "unit": unit(&axis.unit)});
    if let (Some(longitude), Value::Object(object)) = (axis.meridian, &mut value) {
        object.insert("meridian".into(), json!({"longitude": longitude}));
    }
    value
}

/// Three units go by their names.
fn unit(unit: &Unit) -> Value {
    if matches!(unit.epsg, Some(9001 | 9102 | 9201)) {
        return unit.name.as_str().into();
    }
    let kind = match unit.kind {
        UnitKind::Length => "LinearUnit",
        UnitKind::Angle => "AngularUnit",
        UnitKind::Scale => "ScaleUnit",
    };
    identified(json!({"type": kind, "name": unit.name, "conversion_factor": unit.factor}), unit.epsg)
}
