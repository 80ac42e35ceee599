//! What the conventions of CF and GeoZarr say of an array in a group: what its numbers mean, and where its cells are.

use ndarray::Ix1;
use serde_json::Value;

use crate::array::ChunkedArray;
use crate::cf::{GridMapping, Packing, RegularAxis, TimeUnits, number_of};
use crate::error::Result;
use crate::format::zarr::Spatial;
use crate::geo::{Crs, CrsKind, GeoTransform};
use crate::group::Group;

/// Where the cells of an array are.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ArrayGeoreference {
    /// Which axis of the array goes along x, counted from the outermost.
    pub x_axis: usize,
    /// Which axis goes along y.
    pub y_axis: usize,
    /// From the corners of cells, (index along x, index along y), to coordinates; `None` where they are not told, or not at equal steps.
    pub transform: Option<GeoTransform>,
    /// The coordinate reference system.
    pub crs: Option<Crs>,
    /// The grid mapping of CF, where the array names one.
    pub grid_mapping: Option<GridMapping>,
}

impl ArrayGeoreference {
    /// Whether coordinates are angles; `None` where nothing tells it.
    #[must_use]
    pub fn is_geographic(&self) -> Option<bool> {
        let kind = self.crs.as_ref()?.kind();
        (kind != CrsKind::Unknown).then_some(kind == CrsKind::Geographic)
    }
}

/// What a dimension's coordinates say that it goes along.
#[derive(Clone, Copy, PartialEq)]
enum Along {
    X,
    Y,
}

impl Group {
    /// How the stored numbers of an array become quantities (CF 1.11, sections 2.5.1 and 8.1). Of version 2 the fill value stands for
    /// "missing" where no attribute says otherwise, as xarray writes it.
    ///
    /// # Errors
    /// As [`array`](Self::array); `Malformed` where an attribute is no number.
    pub async fn packing(&self, path: &str) -> Result<Packing> {
        let array = self.array(path).await?;
        let meta = array.meta();
        let mut packing = Packing::of(&meta.attributes, &meta.data_type).map_err(|e| e.in_object(meta.source.url()))?;
        for element in &meta.scaling.nodata {
            if let Some(stored) = number_of(element.bytes(), &meta.data_type) {
                packing.add_missing(stored);
            }
        }
        Ok(packing)
    }

    /// What the numbers of an array mean as times; `None` where its units are not those of time (CF 1.11, section 4.4).
    ///
    /// # Errors
    /// As [`array`](Self::array) and [`TimeUnits::parse`].
    pub async fn time_units(&self, path: &str) -> Result<Option<TimeUnits>> {
        let array = self.array(path).await?;
        TimeUnits::of(array.attributes()).map_err(|e| e.in_object(array.meta().source.url()))
    }

    /// Where the cells of an array are.
    ///
    /// The transform is that of `spatial:transform` of the array; else of the groups that it is in, where they mean the array's dimensions
    /// and lengths; else made of the coordinates of the two axes, which are read, if they lie at equal steps (within a hundredth of one);
    /// else the `GeoTransform` of the grid mapping. The system is that of `proj:` of the array or the groups that it is in, else of the
    /// grid mapping.
    ///
    /// # Errors
    /// As [`array`](Self::array), and what reading coordinates may fail with. What is not told is `None`.
    pub async fn georeference(&self, path: &str) -> Result<ArrayGeoreference> {
        let array = self.array(path).await?;
        let told = self.spatial_of(&self.absolute(path), &array)?;
        let parent = path.trim_matches('/').rsplit_once('/').map_or("", |(parent, _)| parent);
        let (x, y) = self.axes(parent, &array, &told).await?;
        let grid_mapping = self.grid_mapping(parent, &array).await?;
        let mut transform = told.transform;
        if transform.is_none()
            && x.0 != y.0
            && let (Some(x), Some(y)) = (&x.1, &y.1)
        {
            transform = regular(x, y).await?;
        }
        let by_mapping = || grid_mapping.as_ref()?.transform;
        let units = || x.1.as_ref().and_then(|array| array.attributes().get("units")?.as_str().map(str::to_owned)).unwrap_or_default();
        Ok(ArrayGeoreference {
            x_axis: x.0,
            y_axis: y.0,
            transform: transform.or_else(by_mapping),
            crs: told.crs.or_else(|| grid_mapping.as_ref()?.crs(&units())),
            grid_mapping,
        })
    }

    /// What `spatial:` and `proj:` say of an array, the nearest node first.
    fn spatial_of(&self, path: &str, array: &ChunkedArray) -> Result<Spatial> {
        let mut told = Spatial::of(array.attributes())?;
        let mut at = path;
        while !at.is_empty() {
            at = at.rsplit_once('/').map_or("", |(parent, _)| parent);
            let Ok(above) = self.known(|store| store.attributes(at)) else { continue };
            let above = Spatial::of(&above)?;
            if told.dimensions.is_empty() {
                told.dimensions.clone_from(&above.dimensions);
            }
            if told.transform.is_none() && means(&above, array) {
                told.transform = above.transform;
            }
            told.crs = told.crs.or(above.crs);
        }
        Ok(told)
    }

    /// The axes along x and y, and their coordinate arrays.
    async fn axes(&self, parent: &str, array: &ChunkedArray, told: &Spatial) -> Result<(Axis, Axis)> {
        let dims = array.dims();
        let mut coordinates: Vec<Option<ChunkedArray>> = Vec::new();
        for dim in dims {
            coordinates.push(if dim.name.is_empty() { None } else { self.coordinate_of(parent, &dim.name, dim.length).await? });
        }
        let named = |name: &String| dims.iter().position(|dim| dim.name == *name);
        let by_meaning = |along: Along| {
            let is = |n: &usize| meaning(&dims[*n].name, coordinates[*n].as_ref()) == Some(along);
            (0..dims.len()).rev().find(is)
        };
        let (x, y) = match told.dimensions.as_slice() {
            [.., y, x] => (named(x), named(y)),
            _ => (by_meaning(Along::X), by_meaning(Along::Y)),
        };
        let last = |n: usize| dims.len().saturating_sub(n);
        let (x, y) = match (x, y) {
            (Some(x), Some(y)) if x != y => (x, y),
            _ => (last(1), last(2)),
        };
        let take = |n: usize| (n, coordinates.get(n).cloned().flatten());
        Ok((take(x), take(y)))
    }

    /// The coordinate array of a dimension: of one axis, named as it is, as long as it.
    async fn coordinate_of(&self, parent: &str, name: &str, length: u64) -> Result<Option<ChunkedArray>> {
        let path = if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") };
        let known = self.is_array(&path);
        if name.contains('/') || (self.is_complete() && known != Some(true)) {
            return Ok(None);
        }
        match self.array(&path).await {
            Ok(array) if array.shape() == [length] => Ok(Some(array)),
            Ok(_) => Ok(None),
            Err(e) if e.is_not_found() || e.is_unsupported() => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The grid mapping that an array names, or the variable `spatial_ref` beside it, which is what most writers call it.
    async fn grid_mapping(&self, parent: &str, array: &ChunkedArray) -> Result<Option<GridMapping>> {
        let told = array.attributes().get("grid_mapping");
        // The extended form names several: `crsOSGB: x y crsWGS84: latitude longitude`. The first is that of the cells.
        let name = told.as_ref().and_then(Value::as_str).and_then(|text| text.split_whitespace().next()).map(|name| name.trim_end_matches(':'));
        let name = name.unwrap_or("spatial_ref");
        let path = if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") };
        if self.is_complete() && self.is_array(&path).is_none() {
            return Ok(None);
        }
        match self.array(&path).await {
            Ok(variable) => GridMapping::of(variable.attributes()).map(Some).map_err(|e| e.in_object(variable.meta().source.url())),
            Err(e) if e.is_not_found() || e.is_unsupported() => Ok(None),
            Err(e) => Err(e),
        }
    }
}

type Axis = (usize, Option<ChunkedArray>);

/// Whether what a group says is meant for an array: its dimensions are the array's, and so are their lengths.
fn means(above: &Spatial, array: &ChunkedArray) -> bool {
    let dims = array.dims();
    let named: Vec<u64> = above.dimensions.iter().filter_map(|name| dims.iter().find(|dim| dim.name == *name)).map(|dim| dim.length).collect();
    let last_two: Vec<u64> = dims.iter().rev().take(2).rev().map(|dim| dim.length).collect();
    let lengths = if above.dimensions.is_empty() { last_two } else { named };
    lengths.len() >= 2 && (above.shape.is_empty() || above.shape == lengths)
}

fn meaning(name: &str, coordinate: Option<&ChunkedArray>) -> Option<Along> {
    let attribute =
        |name: &str| coordinate.and_then(|array| array.attributes().get(name)).and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    match (attribute("axis").as_str(), attribute("standard_name").as_str(), attribute("units").as_str()) {
        ("X", ..) | (_, "projection_x_coordinate" | "longitude" | "grid_longitude", _) => return Some(Along::X),
        ("Y", ..) | (_, "projection_y_coordinate" | "latitude" | "grid_latitude", _) => return Some(Along::Y),
        (.., "degrees_east" | "degree_east" | "degree_E" | "degrees_E") => return Some(Along::X),
        (.., "degrees_north" | "degree_north" | "degree_N" | "degrees_N") => return Some(Along::Y),
        _ => {}
    }
    match name.to_ascii_lowercase().as_str() {
        "x" | "lon" | "longitude" | "easting" | "rlon" => Some(Along::X),
        "y" | "lat" | "latitude" | "northing" | "rlat" => Some(Along::Y),
        _ => None,
    }
}

/// The transform of two coordinate arrays, read at once; `None` where one is not at equal steps.
async fn regular(x: &ChunkedArray, y: &ChunkedArray) -> Result<Option<GeoTransform>> {
    let is_number = |array: &ChunkedArray| number_of(&vec![0; array.data_type().size().unwrap_or(0)], array.data_type()).is_some();
    if !is_number(x) || !is_number(y) {
        return Ok(None);
    }
    let (xs, ys) = futures_util::future::try_join(x.read_as::<f64, Ix1>(..), y.read_as::<f64, Ix1>(..)).await?;
    let unpacked = |array: &ChunkedArray, values: Vec<f64>| {
        let packing = Packing::of(array.attributes(), array.data_type()).ok()?;
        values.into_iter().map(|value| packing.unpack(value)).collect::<Option<Vec<f64>>>()
    };
    let axis = |array, values| RegularAxis::of(&unpacked(array, values)?);
    let (xs, ys) = (xs.into_raw_vec_and_offset().0, ys.into_raw_vec_and_offset().0);
    let (Some(x), Some(y)) = (axis(x, xs), axis(y, ys)) else { return Ok(None) };
    Ok(Some(GeoTransform::new([x.edge(), x.step, 0.0, y.edge(), 0.0, y.step])))
}
