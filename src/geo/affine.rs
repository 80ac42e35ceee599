//! Affine maps from pixels to coordinates.

/// The affine map from (column, row) to (x, y), with its six coefficients in GDAL's order:
/// `x = c[0] + column * c[1] + row * c[2]`, `y = c[3] + column * c[4] + row * c[5]`.
///
/// Columns and rows count from the outer corner of the first pixel: its centre is at (0.5, 0.5).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeoTransform([f64; 6]);

/// A pixel whose coordinates are known (a ground control point).
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct ControlPoint {
    pub column: f64,
    pub row: f64,
    pub x: f64,
    pub y: f64,
    pub z: f64,
}

impl GeoTransform {
    /// From its coefficients.
    #[must_use]
    pub const fn new(coefficients: [f64; 6]) -> Self {
        Self(coefficients)
    }
    /// Its coefficients.
    #[must_use]
    pub const fn coefficients(&self) -> [f64; 6] {
        self.0
    }

    /// From the tags of GeoTIFF: a scale with a tie point, else a matrix. `None` where neither is complete.
    ///
    /// As GDAL has it: rows go down whatever the sign of the scale, and where a tie point means the centre of a pixel
    /// (`pixel_is_point`) the result is moved by half a pixel, so that it means the corner.
    #[must_use]
    pub fn from_tags(pixel_scale: &[f64], tiepoints: &[f64], transformation: &[f64], pixel_is_point: bool) -> Option<Self> {
        let c = if let [sx, sy, ..] = *pixel_scale
            && sx != 0.0
            && sy != 0.0
        {
            let &[column, row, _, x, y, _, ..] = tiepoints else { return None };
            let sy = -sy.abs();
            [x - column * sx, sx, 0.0, y - row * sy, 0.0, sy]
        } else if let [a, b, _, x, d, e, _, y, _, _, _, _, _, _, _, _] = *transformation {
            [x, a, b, y, d, e]
        } else {
            return None;
        };
        let shifted = |at: f64, along: f64, across: f64| at - 0.5 * along - 0.5 * across;
        let c = if pixel_is_point { [shifted(c[0], c[1], c[2]), c[1], c[2], shifted(c[3], c[4], c[5]), c[4], c[5]] } else { c };
        c.iter().all(|n| n.is_finite()).then_some(Self(c))
    }

    /// Where a place in pixels is.
    #[must_use]
    pub fn apply(&self, column: f64, row: f64) -> (f64, f64) {
        let c = &self.0;
        (c[0] + column * c[1] + row * c[2], c[3] + column * c[4] + row * c[5])
    }
    /// The map from coordinates to pixels; `None` where the pixels are not spread over an area.
    #[must_use]
    pub fn inverse(&self) -> Option<Self> {
        let [x, a, b, y, d, e] = self.0;
        let determinant = a * e - b * d;
        if determinant == 0.0 || !determinant.is_finite() {
            return None;
        }
        let (ia, ib, id, ie) = (e / determinant, -b / determinant, -d / determinant, a / determinant);
        let inverse = [-(x * ia + y * ib), ia, ib, -(x * id + y * ie), id, ie];
        inverse.iter().all(|n| n.is_finite()).then_some(Self(inverse))
    }
    /// The same area in pixels that are this many times as long along x and y: the transform of an overview.
    #[must_use]
    pub fn scaled(&self, columns: f64, rows: f64) -> Self {
        let [x, a, b, y, d, e] = self.0;
        Self([x, a * columns, b * rows, y, d * columns, e * rows])
    }
    /// The same area in fewer pixels: of an overview, by the ratio of its columns and rows to those of the full image.
    #[must_use]
    pub fn reduced(&self, full: (u64, u64), reduced: (u64, u64)) -> Self {
        let ratio = |full: u64, reduced: u64| full as f64 / reduced.max(1) as f64;
        self.scaled(ratio(full.0, reduced.0), ratio(full.1, reduced.1))
    }
    /// The coarsest of some levels, finest first, whose pixels are not larger than `resolution` (or a millionth of it more), else the
    /// finest; `None` where that has no transform.
    pub fn level_for(levels: impl Iterator<Item = Option<Self>>, resolution: f64) -> Option<usize> {
        let levels: Vec<Option<Self>> = levels.collect();
        levels.first()?.as_ref()?;
        let fits = |level: &Option<Self>| {
            level.is_some_and(|transform| {
                let (x, y) = transform.pixel_size();
                x.abs().max(y.abs()) <= resolution * (1.0 + 1e-6)
            })
        };
        Some(levels.iter().rposition(fits).unwrap_or(0))
    }
    /// The same pixels counted from another corner: the transform of a part of the image.
    #[must_use]
    pub fn moved(&self, columns: f64, rows: f64) -> Self {
        let (x, y) = self.apply(columns, rows);
        let [_, a, b, _, d, e] = self.0;
        Self([x, a, b, y, d, e])
    }
    /// The lengths of a pixel's sides.
    #[must_use]
    pub fn pixel_size(&self) -> (f64, f64) {
        let [_, a, b, _, d, e] = self.0;
        (a.hypot(d), b.hypot(e))
    }
    /// Whether columns go along x and rows along y.
    #[must_use]
    pub fn is_axis_aligned(&self) -> bool {
        self.0[2] == 0.0 && self.0[4] == 0.0
    }
    /// Least x, least y, greatest x, greatest y of an image of this many pixels.
    #[must_use]
    pub fn bounds(&self, width: u64, height: u64) -> [f64; 4] {
        let (w, h) = (width as f64, height as f64);
        let corners = [self.apply(0.0, 0.0), self.apply(w, 0.0), self.apply(0.0, h), self.apply(w, h)];
        let start = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
        corners.iter().fold(start, |b, (x, y)| [b[0].min(*x), b[1].min(*y), b[2].max(*x), b[3].max(*y)])
    }
}

impl ControlPoint {
    /// The tie points of GeoTIFF, six numbers each; what is incomplete is left out.
    #[must_use]
    pub fn from_tiepoints(tiepoints: &[f64]) -> Vec<Self> {
        let point = |p: &[f64]| Self { column: p[0], row: p[1], x: p[3], y: p[4], z: p[5] };
        tiepoints.chunks_exact(6).map(point).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_to_transform() {
        let area = GeoTransform::from_tags(&[10.0, 20.0, 0.0], &[1.0, 2.0, 0.0, 500.0, 4000.0, 0.0], &[], false).unwrap();
        assert_eq!(area.coefficients(), [490.0, 10.0, 0.0, 4040.0, 0.0, -20.0]);
        let point = GeoTransform::from_tags(&[10.0, -20.0, 0.0], &[1.0, 2.0, 0.0, 500.0, 4000.0, 0.0], &[], true).unwrap();
        assert_eq!(point.coefficients(), [485.0, 10.0, 0.0, 4050.0, 0.0, -20.0]);
        let matrix = [1.0, 2.0, 0.0, 100.0, 3.0, 4.0, 0.0, 200.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0];
        assert_eq!(GeoTransform::from_tags(&[], &[], &matrix, false).unwrap().coefficients(), [100.0, 1.0, 2.0, 200.0, 3.0, 4.0]);
        assert_eq!(GeoTransform::from_tags(&[0.0, 0.0], &[], &matrix, false).unwrap().pixel_size().0, 1.0_f64.hypot(3.0));
        for (scale, tie, matrix) in
            [(&[1.0][..], &[][..], &[][..]), (&[1.0, 1.0], &[0.0; 5], &[]), (&[], &[0.0; 6], &[0.0; 15]), (&[f64::NAN, 1.0], &[0.0; 6], &[])]
        {
            assert!(GeoTransform::from_tags(scale, tie, matrix, false).is_none());
        }
    }

    #[test]
    fn levels_by_resolution() {
        let full = GeoTransform::new([0.0, 10.0, 0.0, 0.0, 0.0, -10.0]);
        let levels = [Some(full), Some(full.reduced((100, 60), (50, 30))), Some(full.reduced((100, 60), (25, 15))), None];
        assert_eq!(levels[2].unwrap().pixel_size(), (40.0, 40.0));
        for (resolution, expected) in [(5.0, 0), (10.0, 0), (19.9, 0), (20.0, 1), (39.999_99, 2), (1e9, 2)] {
            assert_eq!(GeoTransform::level_for(levels.into_iter(), resolution), Some(expected), "{resolution}");
        }
        assert_eq!(GeoTransform::level_for([None, Some(full)].into_iter(), 10.0), None);
        assert_eq!(GeoTransform::level_for([].into_iter(), 10.0), None);
    }

    #[test]
    fn there_and_back() {
        let t = GeoTransform::new([100.0, 1.5, 0.25, 200.0, -0.5, -3.0]);
        let (x, y) = t.apply(17.0, 5.5);
        let (column, row) = t.inverse().unwrap().apply(x, y);
        assert!((column - 17.0).abs() < 1e-9 && (row - 5.5).abs() < 1e-9);
        assert!(GeoTransform::new([0.0, 1.0, 2.0, 0.0, 2.0, 4.0]).inverse().is_none());
        assert_eq!(t.moved(2.0, 0.0).apply(0.0, 1.0), t.apply(2.0, 1.0));
        assert_eq!(t.scaled(2.0, 4.0).apply(1.0, 1.0), t.apply(2.0, 4.0));
        assert_eq!(GeoTransform::new([0.0, 1.0, 0.0, 10.0, 0.0, -1.0]).bounds(4, 10), [0.0, 0.0, 4.0, 10.0]);
    }
}
