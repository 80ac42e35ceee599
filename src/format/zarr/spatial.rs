//! The conventions `spatial:` and `proj:` of GeoZarr (zarr-conventions, version 1): where the cells of an array are.

use serde_json::{Map, Value};

use crate::error::Result;
use crate::geo::{Crs, GeoTransform};
use crate::model::RawJson;

/// What the attributes of one node, or one level of a layout, say of where its cells are.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Spatial {
    /// `spatial:dimensions`: names of the dimensions, y before x.
    pub dimensions: Vec<String>,
    /// `spatial:shape`: the lengths of these dimensions.
    pub shape: Vec<u64>,
    /// `spatial:transform`, or what `spatial:bbox` and `spatial:shape` make: from the corners of cells to coordinates, whichever of corner
    /// and centre `spatial:registration` says that the numbers are of.
    pub transform: Option<GeoTransform>,
    /// `spatial:bbox`: least x, least y, greatest x, greatest y.
    pub bounds: Option<[f64; 4]>,
    /// `proj:code`, `proj:wkt2`, `proj:projjson`; also `proj:epsg` of drafts, and GDAL's `_CRS`.
    pub crs: Option<Crs>,
}

impl Spatial {
    /// From the attributes of a node. What is not as the conventions say is left out.
    ///
    /// # Errors
    /// `Malformed` where the attributes are no JSON object.
    pub fn of(attributes: &RawJson) -> Result<Self> {
        Ok(Self::of_members(&attributes.parse()?))
    }
    pub(super) fn of_members(members: &Map<String, Value>) -> Self {
        let texts =
            |name: &str| members.get(name).and_then(Value::as_array).map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        let shape: Vec<u64> =
            members.get("spatial:shape").and_then(Value::as_array).map(|list| list.iter().filter_map(Value::as_u64).collect()).unwrap_or_default();
        let bounds = floats(members.get("spatial:bbox")).and_then(|b| match b.as_slice() {
            [x0, y0, x1, y1] | [x0, y0, _, x1, y1, _] => Some([*x0, *y0, *x1, *y1]),
            _ => None,
        });
        let is_affine = members.get("spatial:transform_type").is_none_or(|kind| kind == "affine");
        let of_nodes = members.get("spatial:registration").is_some_and(|kind| kind == "node");
        let told = floats(members.get("spatial:transform")).filter(|_| is_affine).and_then(|t| match t.as_slice() {
            // The order of rows of a matrix, a last row of 0, 0, 1 left out or not.
            [a, b, c, d, e, f] | [a, b, c, d, e, f, ..] if matches!(t.len(), 6 | 9) => Some(GeoTransform::new([*c, *a, *b, *f, *d, *e])),
            _ => None,
        });
        let from_bounds = || match (bounds?, shape.as_slice(), of_nodes || !is_affine) {
            ([x0, y0, x1, y1], [.., height, width], false) if *height > 0 && *width > 0 => {
                Some(GeoTransform::new([x0, (x1 - x0) / *width as f64, 0.0, y1, 0.0, (y0 - y1) / *height as f64]))
            }
            _ => None,
        };
        // The centre of the first cell is at half a cell of the map from corners.
        let transform = told.map(|t| if of_nodes { t.moved(-0.5, -0.5) } else { t }).or_else(from_bounds);
        Self {
            dimensions: texts("spatial:dimensions").unwrap_or_default(),
            transform: transform.filter(|t| t.inverse().is_some()),
            shape,
            bounds,
            crs: crs(members),
        }
    }
}

fn floats(value: Option<&Value>) -> Option<Vec<f64>> {
    value?.as_array()?.iter().map(|n| n.as_f64().filter(|n| n.is_finite())).collect()
}

fn crs(members: &Map<String, Value>) -> Option<Crs> {
    let get = |name: &str| members.get(name).filter(|v| !v.is_null());
    let code = |value: &Value| Crs::from_code(value.as_str()?);
    let wkt = |value: &Value| Crs::from_wkt(value.as_str()?);
    let number = |value: &Value| u32::try_from(value.as_u64()?).ok().map(Crs::Epsg);
    let by_proj = get("proj:code").and_then(code).or_else(|| get("proj:wkt2").and_then(wkt));
    let by_proj = by_proj.or_else(|| get("proj:projjson").and_then(Crs::from_projjson)).or_else(|| get("proj:epsg").and_then(number));
    by_proj.or_else(|| {
        let gdal = get("_CRS")?;
        let of = |name: &str| gdal.get(name);
        of("url").and_then(code).or_else(|| of("wkt").and_then(wkt)).or_else(|| of("projjson").and_then(Crs::from_projjson))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Spatial {
        Spatial::of(&RawJson::of(&serde_json::from_str(json).unwrap())).unwrap()
    }

    /// The examples of the conventions' own pages.
    #[test]
    fn cells_and_coordinates() {
        let plain = of(r#"{"spatial:dimensions":["y","x"],"spatial:shape":[1024,1024],"spatial:transform":[1.0,0.0,0.0,0.0,-1.0,1024.0],
            "spatial:bbox":[0.0,0.0,1024.0,1024.0],"spatial:registration":"pixel"}"#);
        assert_eq!(plain.transform, Some(GeoTransform::new([0.0, 1.0, 0.0, 1024.0, 0.0, -1.0])));
        assert_eq!((plain.dimensions.len(), plain.shape.as_slice()), (2, &[1024, 1024][..]));
        // The first node lies in the middle of the first cell.
        let nodes = of(r#"{"spatial:transform":[0.5,0,-180,0,-0.5,90],"spatial:registration":"node"}"#);
        assert_eq!(nodes.transform.map(|t| t.apply(0.5, 0.5)), Some((-180.0, 90.0)));
        let bounds = of(r#"{"spatial:bbox":[0,0,10,20],"spatial:shape":[10,5]}"#);
        assert_eq!(bounds.transform, Some(GeoTransform::new([0.0, 2.0, 0.0, 20.0, 0.0, -2.0])));
        for nothing in [
            "{}",
            r#"{"spatial:transform":[1,2,3]}"#,
            r#"{"spatial:transform":[1,0,0,0,1,"x"]}"#,
            r#"{"spatial:transform":[0,0,0,0,0,0]}"#,
            r#"{"spatial:transform":[1,0,0,0,1,0],"spatial:transform_type":"rpc"}"#,
            r#"{"spatial:bbox":[0,0,1,1],"spatial:shape":[0,0]}"#,
            r#"{"spatial:bbox":[0,0,1,1],"spatial:shape":[4,4],"spatial:transform_type":"rpc"}"#,
            r#"{"spatial:bbox":[0,0,1,1],"spatial:shape":[4,4],"spatial:registration":"node"}"#,
        ] {
            assert_eq!(of(nothing).transform, None, "{nothing}");
        }
    }

    #[test]
    fn systems() {
        let table = [
            (r#"{"proj:code":"EPSG:3857"}"#, Some(3857)),
            (r#"{"proj:code":null,"proj:wkt2":"GEOGCRS[\"WGS 84\",ID[\"EPSG\",4326]]"}"#, Some(4326)),
            (r#"{"proj:projjson":{"type":"ProjectedCRS","id":{"authority":"EPSG","code":32631}}}"#, Some(32631)),
            (r#"{"proj:epsg":32633}"#, Some(32633)),
            (r#"{"_CRS":{"url":"http://www.opengis.net/def/crs/EPSG/0/26711"}}"#, Some(26711)),
            ("{}", None),
        ];
        for (json, code) in table {
            assert_eq!(of(json).crs.and_then(|crs| crs.epsg()), code, "{json}");
        }
    }
}
