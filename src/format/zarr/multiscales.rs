//! The attribute `multiscales`: which nodes are levels of one image, in the forms that are written.
//!
//! | form | looks like | level 0 of the list |
//! | --- | --- | --- |
//! | zarr-conventions, version 1 and its drafts | `{"layout": [{"asset": "0"}, {"asset": "1", "derived_from": "0", "transform": {"scale": [2, 2]}}]}` | any |
//! | OME-Zarr 0.1 to 0.5, ndpyramid | `[{"datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [...]}]}]}]` | any |
//! | GeoZarr of tile matrices | `{"tile_matrix_set": {"tileMatrices": [{"id": "0", "cellSize": 4.0, "pointOfOrigin": [0, 0]}]}}` | any |

use serde_json::{Map, Value};

use super::path::check_name;
use super::spatial::Spatial;
use crate::error::{Error, Result};
use crate::geo::{Crs, GeoTransform};
use crate::model::{Limits, RawJson};

/// Levels of one image.
const MAX_LEVELS: u64 = 1024;

/// The levels that `multiscales` names.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Multiscales {
    /// In the order of the document.
    pub levels: Vec<ScaleLevel>,
    /// The system of a tile matrix set.
    pub crs: Option<Crs>,
}

/// A level: a group or an array.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ScaleLevel {
    /// Its path from the group that has the attribute.
    pub path: String,
    /// The path of the level that it was made from.
    pub derived_from: Option<String>,
    /// Factors along the axes, the last two y and x: its cells in those of [`derived_from`](Self::derived_from). Empty where they are not told.
    pub scale: Vec<f64>,
    /// From the corners of its cells to coordinates, where the level itself tells it.
    pub transform: Option<GeoTransform>,
}

impl Multiscales {
    /// From the attributes of a group; `None` where it has no `multiscales`.
    ///
    /// # Errors
    /// `Malformed` where the attribute has none of the known forms, or a path leads out of the store; `Limit`.
    pub fn of(attributes: &RawJson) -> Result<Option<Self>> {
        let members: Map<String, Value> = attributes.parse()?;
        let inside = |name: &str| members.get(name)?.get("multiscales");
        let Some(found) = members.get("multiscales").or_else(|| inside("ome")).or_else(|| inside("geo")) else { return Ok(None) };
        let unknown = || Error::malformed("multiscales of no known form");
        let (entries, read): (_, fn(&Map<_, _>) -> _) = match found {
            Value::Object(object) => match (object.get("layout"), object.get("tile_matrix_set")) {
                (Some(Value::Array(layout)), _) => (layout, of_layout),
                (_, Some(set)) => return tile_matrices(set).ok_or_else(unknown)?.check().map(Some),
                _ => return Err(unknown()),
            },
            Value::Array(images) => match images.first().and_then(|image| image.get("datasets")) {
                Some(Value::Array(datasets)) => (datasets, of_dataset),
                _ => return Err(unknown()),
            },
            _ => return Err(unknown()),
        };
        Limits::check("levels of an image", entries.len() as u64, MAX_LEVELS)?;
        let levels: Option<Vec<ScaleLevel>> = entries.iter().map(|entry| read(entry.as_object()?)).collect();
        Self { levels: levels.ok_or_else(unknown)?, crs: None }.check().map(Some)
    }

    fn check(self) -> Result<Self> {
        Limits::check("levels of an image", self.levels.len() as u64, MAX_LEVELS)?;
        if self.levels.is_empty() {
            return Err(Error::malformed("multiscales without a level"));
        }
        for level in &self.levels {
            check_name(&level.path)?;
        }
        Ok(self)
    }

    /// The factors of a level's cells, along y and x, from the first level that was made from none: the product along `derived_from`.
    #[must_use]
    pub fn factors(&self, level: usize) -> Option<[f64; 2]> {
        let mut factors = [1.0, 1.0];
        let mut at = self.levels.get(level)?;
        for _ in 0..=self.levels.len() {
            let Some(from) = &at.derived_from else { return Some(factors) };
            let [.., y, x] = at.scale.as_slice() else { return None };
            factors = [factors[0] * y, factors[1] * x];
            at = self.levels.iter().find(|level| level.path == *from)?;
        }
        // They were made from each other in a circle.
        None
    }
}

fn text(members: &Map<String, Value>, names: [&str; 2]) -> Option<String> {
    names.iter().find_map(|name| members.get(*name)?.as_str()).map(|path| path.trim_matches('/').to_owned())
}

fn floats(value: &Value) -> Option<Vec<f64>> {
    value.as_array()?.iter().map(|n| n.as_f64().filter(|n| n.is_finite() && *n > 0.0)).collect()
}

/// `group`, `from_group` and `factors` are names of drafts.
fn of_layout(entry: &Map<String, Value>) -> Option<ScaleLevel> {
    let scale = entry.get("transform").and_then(|t| t.get("scale")).or_else(|| entry.get("scale")).or_else(|| entry.get("factors"));
    Some(ScaleLevel {
        path: text(entry, ["asset", "group"])?,
        derived_from: text(entry, ["derived_from", "from_group"]),
        scale: scale.and_then(floats).unwrap_or_default(),
        transform: Spatial::of_members(entry).transform,
    })
}

/// The transform of OME-Zarr is of the centres of cells, in the units of its axes, of which the last two are y and x.
fn of_dataset(entry: &Map<String, Value>) -> Option<ScaleLevel> {
    let transforms = entry.get("coordinateTransformations").and_then(Value::as_array);
    let of = |wanted: &str| transforms?.iter().find(|t| t.get("type").is_some_and(|kind| kind == wanted))?.get(wanted)?.as_array();
    let number = |list: Option<&Vec<Value>>, from_end: usize| {
        let list = list?;
        list.get(list.len().checked_sub(from_end)?)?.as_f64().filter(|n| n.is_finite())
    };
    let (scale, translation) = (of("scale"), of("translation"));
    let cell = number(scale, 1).zip(number(scale, 2)).filter(|(x, y)| *x > 0.0 && *y > 0.0);
    let transform = cell.map(|(x, y)| {
        let (left, top) = (number(translation, 1).unwrap_or(0.0), number(translation, 2).unwrap_or(0.0));
        GeoTransform::new([left - 0.5 * x, x, 0.0, top - 0.5 * y, 0.0, y])
    });
    Some(ScaleLevel { path: text(entry, ["path", "path"])?, transform, ..ScaleLevel::default() })
}

/// The identifier of a matrix is the path of its group.
fn tile_matrices(set: &Value) -> Option<Multiscales> {
    let matrices = set.get("tileMatrices").or_else(|| set.get("tileMatrix"))?.as_array()?;
    let level = |matrix: &Value| {
        let cell = matrix.get("cellSize").and_then(Value::as_f64).filter(|n| n.is_finite() && *n > 0.0);
        let corner = matrix.get("pointOfOrigin").and_then(Value::as_array);
        let at = |n: usize| corner?.get(n)?.as_f64().filter(|n| n.is_finite());
        let transform = cell.zip(at(0).zip(at(1))).map(|(cell, (x, y))| GeoTransform::new([x, cell, 0.0, y, 0.0, -cell]));
        Some(ScaleLevel { path: matrix.get("id")?.as_str()?.trim_matches('/').to_owned(), transform, ..ScaleLevel::default() })
    };
    let levels: Option<Vec<ScaleLevel>> = matrices.iter().map(level).collect();
    let crs = set.get("crs").or_else(|| set.get("supportedCRS"));
    let code = crs.and_then(|crs| crs.as_str().or_else(|| crs.get("uri")?.as_str()));
    Some(Multiscales { levels: levels?, crs: code.and_then(Crs::from_code) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Result<Option<Multiscales>> {
        Multiscales::of(&RawJson::of(&serde_json::from_str(json).unwrap()))
    }

    #[test]
    fn the_forms_that_are_written() {
        let paths = |json: &str| of(json).unwrap().unwrap().levels.into_iter().map(|l| l.path).collect::<Vec<_>>();
        assert_eq!(
            paths(r#"{"multiscales":{"layout":[{"asset":"0"},{"asset":"1/data","derived_from":"0","transform":{"scale":[2.0,2.0]}}]}}"#),
            ["0", "1/data"]
        );
        assert_eq!(paths(r#"{"multiscales":{"layout":[{"group":"r10m"},{"group":"r20m","from_group":"r10m","factors":[2,2]}]}}"#), ["r10m", "r20m"]);
        assert_eq!(
            paths(
                r#"{"multiscales":[{"version":"0.4","datasets":[{"path":"s0","coordinateTransformations":[{"type":"scale","scale":[1,0.5,0.5]}]},{"path":"s1"}]}]}"#
            ),
            ["s0", "s1"]
        );
        let ome = of(
            r#"{"multiscales":[{"datasets":[{"path":"0","coordinateTransformations":[{"type":"scale","scale":[1,0.5,0.25]},{"type":"translation","translation":[0,10,20]}]}]}]}"#,
        );
        assert_eq!(ome.unwrap().unwrap().levels[0].transform.map(|t| t.apply(0.5, 0.5)), Some((20.0, 10.0)));
        assert_eq!(paths(r#"{"ome":{"version":"0.5","multiscales":[{"datasets":[{"path":"0"}]}]}}"#), ["0"]);
        let tiles = of(
            r#"{"multiscales":{"resampling_method":"average","tile_matrix_set":{"id":"own","crs":"http://www.opengis.net/def/crs/EPSG/0/32631",
            "tileMatrices":[{"id":"0","cellSize":10,"pointOfOrigin":[300000,5000000]},{"id":"1","cellSize":20,"pointOfOrigin":[300000,5000000]}]}}}"#,
        );
        let tiles = tiles.unwrap().unwrap();
        assert_eq!(tiles.levels[1].transform.map(|t| t.pixel_size()), Some((20.0, 20.0)));
        assert_eq!(tiles.crs.and_then(|crs| crs.epsg()), Some(32631));
        assert_eq!(of("{}").unwrap(), None);
    }

    #[test]
    fn factors_multiply_along_the_chain() {
        let layout = of(
            r#"{"multiscales":{"layout":[{"asset":"2","derived_from":"1","transform":{"scale":[2,3]}},{"asset":"1","derived_from":"0","transform":{"scale":[2,2]}},
            {"asset":"0"},{"asset":"x","derived_from":"y","transform":{"scale":[2,2]}},{"asset":"y","derived_from":"x","transform":{"scale":[2,2]}},
            {"asset":"z","derived_from":"0"}]}}"#,
        );
        let layout = layout.unwrap().unwrap();
        let factors: Vec<_> = (0..7).map(|n| layout.factors(n)).collect();
        assert_eq!(factors, [Some([4.0, 6.0]), Some([2.0, 2.0]), Some([1.0, 1.0]), None, None, None, None]);
    }

    #[test]
    fn other_forms_are_errors() {
        for bad in [
            r#"{"multiscales":5}"#,
            r#"{"multiscales":[]}"#,
            r#"{"multiscales":{}}"#,
            r#"{"multiscales":{"layout":[]}}"#,
            r#"{"multiscales":{"layout":[{}]}}"#,
            r#"{"multiscales":{"layout":[{"asset":"../x"}]}}"#,
            r#"{"multiscales":{"tile_matrix_set":"WebMercatorQuad"}}"#,
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
