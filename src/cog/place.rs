//! From coordinates to pixels and back, on any level.
//!
//! Pixels are counted from the outer corner of the first, column first: a pixel's centre is half a pixel further. So it is too where a
//! file gives the coordinates of centres (PixelIsPoint): the transform is moved by half a pixel when the file is opened.

use super::Cog;
use crate::error::{Error, Result};
use crate::geo::GeoTransform;
use crate::model::Region;

/// Parts of a pixel by which bounds may miss a pixel's edge and still mean it: coordinates are rounded where they are written.
const EDGE: f64 = 1e-6;

impl Cog {
    /// Least x, least y, greatest x, greatest y of the image, in units of the CRS; of a rotated image those around it.
    ///
    /// # Errors
    /// `Crs` where the image has no transform.
    pub fn bounds(&self) -> Result<[f64; 4]> {
        let main = self.level_directory(0)?;
        Ok(self.georeferenced(0)?.bounds(main.width, main.height))
    }

    /// The coordinates of a place in pixels of a level.
    ///
    /// # Errors
    /// `Crs` where the image has no transform, `Usage` where there is no such level.
    pub fn coordinates(&self, level: usize, column: f64, row: f64) -> Result<(f64, f64)> {
        Ok(self.georeferenced(level)?.apply(column, row))
    }

    /// The place of coordinates in pixels of a level, column and row; outside of the image too.
    ///
    /// # Errors
    /// `Crs` where the image has no transform or one that cannot be turned around, `Usage` where there is no such level.
    pub fn pixel(&self, level: usize, x: f64, y: f64) -> Result<(f64, f64)> {
        Ok(self.inverse(level)?.apply(x, y))
    }

    /// The pixels of a level that bounds in units of the CRS touch, in all bands: least x, least y, greatest x, greatest y.
    ///
    /// Rounded outward to whole pixels (bounds that miss a pixel's edge by a millionth of a pixel mean it), then cut to the image. On a
    /// rotated image, the box of pixels around the bounds.
    ///
    /// # Errors
    /// `Region` where the bounds are no area or lie outside of the image, `Crs` where the image has no transform or one that cannot be
    /// turned around, `Usage` where there is no such level.
    pub fn region_of(&self, level: usize, bounds: [f64; 4]) -> Result<Region> {
        let named = |e: Error| e.in_object(self.file.object.url());
        let directory = self.level_directory(level)?;
        let [left, bottom, right, top] = bounds;
        if !bounds.iter().all(|n| n.is_finite()) || left >= right || bottom >= top {
            return Err(named(Error::region(format!("{left},{bottom},{right},{top} are no bounds: least x, least y, greatest x, greatest y"))));
        }
        let inverse = self.inverse(level)?;
        let corners = [(left, bottom), (left, top), (right, bottom), (right, top)].map(|(x, y)| inverse.apply(x, y));
        let pixels = |of: fn(&(f64, f64)) -> f64, length: u64| {
            let (least, most) = corners.iter().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), n| (a.min(n), b.max(n)));
            // A cast of a float saturates: what is left of the image is 0, what is right of it its length.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the image")]
            let whole = |n: f64| n.clamp(0.0, length as f64) as u64;
            whole((least + EDGE).floor())..whole((most - EDGE).ceil())
        };
        let (columns, rows) = (pixels(|c| c.0, directory.width), pixels(|c| c.1, directory.height));
        if columns.is_empty() || rows.is_empty() {
            return Err(named(Error::region(format!("the bounds {left},{bottom},{right},{top} lie outside of the image"))));
        }
        let bands = 0..u64::from(directory.samples);
        // A volume has an axis of planes between bands and rows.
        let planes = self.level(level)?.shape().get(1..).and_then(|rest| if let [planes, _, _] = rest { Some(0..*planes) } else { None });
        Ok(Region::new([bands].into_iter().chain(planes).chain([rows, columns]).collect()))
    }

    fn georeferenced(&self, level: usize) -> Result<GeoTransform> {
        self.level_directory(level)?;
        self.transform(level).ok_or_else(|| Error::crs("no transform from pixels to coordinates").in_object(self.file.object.url()))
    }

    fn inverse(&self, level: usize) -> Result<GeoTransform> {
        let none = || Error::crs("the transform from pixels to coordinates cannot be turned around").in_object(self.file.object.url());
        self.georeferenced(level)?.inverse().ok_or_else(none)
    }
}
