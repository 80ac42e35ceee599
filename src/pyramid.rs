//! The levels of one image in a group: what `multiscales` names, asked as a COG is.

use std::fmt;
use std::sync::Arc;

use crate::array::ChunkedArray;
use crate::error::{Error, Result};
use crate::format::zarr::Multiscales;
use crate::geo::{Crs, GeoTransform};
use crate::georeference::ArrayGeoreference;
use crate::group::Group;
use crate::model::ObjectKey;

/// A variable at several resolutions, finest first; 0 is full resolution.
#[derive(Clone)]
pub struct ZarrPyramid {
    source: ObjectKey,
    levels: Arc<[Level]>,
    crs: Option<Crs>,
}

struct Level {
    path: String,
    array: ChunkedArray,
    x_axis: usize,
    y_axis: usize,
    transform: Option<GeoTransform>,
}

impl Group {
    /// The levels that the attribute `multiscales` of this group names: of zarr-conventions, OME-Zarr or GeoZarr's tile matrices. Where
    /// levels are groups, `variable` is the path of the array in each; it may be left out where there is only one of two axes or more.
    ///
    /// A level's transform is its own where it tells one, else by the factors from the level that it was made from, else by the ratio of
    /// lengths to the finest level, as overviews of a COG have it.
    ///
    /// # Errors
    /// `Usage` where the group has no `multiscales`, or a level several variables and none was named; `NotFound` where a level is not
    /// there; what opening arrays and reading coordinates may fail with.
    pub async fn pyramid(&self, variable: Option<&str>) -> Result<ZarrPyramid> {
        let named = |e: Error| e.in_object(self.source().url());
        let scales = Multiscales::of(&self.attributes("")?).map_err(named)?;
        let scales = scales.ok_or_else(|| named(Error::usage("a group without multiscales")))?;
        let mut found = Vec::new();
        for (n, level) in scales.levels.iter().enumerate() {
            let path = self.variable_in(&level.path, variable).await?;
            let array = self.array(&path).await?;
            if array.shape().len() < 2 {
                return Err(named(Error::unsupported(format!("a level of fewer than two axes: {path}"))));
            }
            let placed = self.georeference(&path).await?;
            found.push((n, path, array, placed));
        }
        // The finest level has the most cells.
        let cells =
            |array: &ChunkedArray, placed: &ArrayGeoreference| u128::from(array.shape()[placed.x_axis]) * u128::from(array.shape()[placed.y_axis]);
        found.sort_by_key(|(_, _, array, placed)| std::cmp::Reverse(cells(array, placed)));

        let mut levels: Vec<Level> = Vec::new();
        let root = found.iter().find(|(n, ..)| scales.levels[*n].derived_from.is_none());
        let root = root.map(|(n, _, _, placed)| scales.levels[*n].transform.or(placed.transform));
        let placed = found.first().map(|(.., placed)| placed.clone());
        for (n, path, array, placed) in found {
            let told = scales.levels[n].transform.or(placed.transform);
            let by_factors = || {
                let [y, x] = scales.factors(n).filter(|_| scales.levels[n].derived_from.is_some())?;
                Some(root.flatten()?.scaled(x, y))
            };
            let by_lengths = || {
                let finest = levels.first()?;
                let full = (finest.array.shape()[finest.x_axis], finest.array.shape()[finest.y_axis]);
                Some(finest.transform?.reduced(full, (array.shape()[placed.x_axis], array.shape()[placed.y_axis])))
            };
            let transform = told.or_else(by_factors).or_else(by_lengths);
            levels.push(Level { path, x_axis: placed.x_axis, y_axis: placed.y_axis, array, transform });
        }
        let crs = placed.and_then(|placed| placed.crs).or(scales.crs);
        Ok(ZarrPyramid { source: self.source().clone(), levels: levels.into(), crs })
    }

    /// The path of the array of a level.
    async fn variable_in(&self, level: &str, variable: Option<&str>) -> Result<String> {
        let known = self.is_array(level);
        let is_array = match known {
            Some(is_array) => is_array,
            None if self.is_complete() => return Err(Error::not_found(&format!("{}/{}", self.source().url(), self.absolute(level)))),
            None => match self.group(level).await {
                Ok(_) => false,
                Err(_) if self.is_array(level) == Some(true) => true,
                Err(e) => return Err(e),
            },
        };
        match (is_array, variable) {
            (true, _) => Ok(level.to_owned()),
            (false, Some(variable)) => Ok(format!("{level}/{}", variable.trim_matches('/'))),
            (false, None) => {
                let group = self.group(level).await?;
                let mut names = Vec::new();
                for child in group.children().await?.into_iter().filter(|child| child.is_array) {
                    if group.array(&child.name).await?.shape().len() > 1 {
                        names.push(child.name);
                    }
                }
                match names.as_slice() {
                    [only] => Ok(format!("{level}/{only}")),
                    [] => Err(Error::usage(format!("no variable of two axes or more in level {level}"))),
                    several => Err(Error::usage(format!("which of the variables of level {level}: {}", several.join(", ")))),
                }
                .map_err(|e| e.in_object(self.source().url()))
            }
        }
    }
}

impl ZarrPyramid {
    /// How many levels there are.
    #[must_use]
    pub fn level_count(&self) -> usize {
        self.levels.len()
    }
    fn at(&self, level: usize) -> Result<&Level> {
        let missing = || Error::usage(format!("no level {level} among {}", self.level_count())).in_object(self.source.url());
        self.levels.get(level).ok_or_else(missing)
    }
    /// A level as an array; 0 is full resolution.
    ///
    /// # Errors
    /// `Usage` where there is no such level.
    pub fn level(&self, level: usize) -> Result<ChunkedArray> {
        self.at(level).map(|level| level.array.clone())
    }
    /// The path of a level's array from the group of the pyramid.
    ///
    /// # Errors
    /// `Usage` where there is no such level.
    pub fn level_path(&self, level: usize) -> Result<&str> {
        self.at(level).map(|level| level.path.as_str())
    }
    /// Which axes of a level's array go along x and y.
    ///
    /// # Errors
    /// `Usage` where there is no such level.
    pub fn axes(&self, level: usize) -> Result<(usize, usize)> {
        self.at(level).map(|level| (level.x_axis, level.y_axis))
    }
    /// The coarsest level whose cells are not larger than `resolution`, in units of the CRS; full resolution where none is.
    ///
    /// # Errors
    /// `Crs` where the levels have no transform.
    pub fn level_for(&self, resolution: f64) -> Result<ChunkedArray> {
        let no_transform = || Error::crs("no transform from cells to coordinates").in_object(self.source.url());
        let transforms = self.levels.iter().map(|level| level.transform);
        self.level(GeoTransform::level_for(transforms, resolution).ok_or_else(no_transform)?)
    }
    /// The coarsest level whose cells are not larger than this many metres; degrees count as on the equator.
    ///
    /// # Errors
    /// `Crs` where the levels have no transform, or nothing tells whether coordinates are lengths or angles.
    pub fn level_for_metres(&self, metres: f64) -> Result<ChunkedArray> {
        let none = || Error::crs("no coordinate reference system").in_object(self.source.url());
        let unit = self.crs.as_ref().and_then(Crs::metres_on_equator).ok_or_else(none)?;
        self.level_for(metres / unit)
    }
    /// From the corners of a level's cells to coordinates of the CRS.
    #[must_use]
    pub fn transform(&self, level: usize) -> Option<GeoTransform> {
        self.levels.get(level)?.transform
    }
    /// The coordinate reference system.
    #[must_use]
    pub fn crs(&self) -> Option<&Crs> {
        self.crs.as_ref()
    }
}

impl fmt::Debug for ZarrPyramid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths: Vec<&str> = self.levels.iter().map(|level| level.path.as_str()).collect();
        write!(f, "ZarrPyramid({}, {})", self.source, paths.join(", "))
    }
}
