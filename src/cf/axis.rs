//! Coordinates at equal steps.

/// A coordinate variable whose values lie at equal steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegularAxis {
    /// The first value: the centre of the first cell.
    pub first: f64,
    /// From one value to the next; not 0.
    pub step: f64,
    /// How many values.
    pub length: usize,
}

/// How far a value may lie from where equal steps put it, in steps. Coordinates are often stored as 32-bit floats, of which degrees at 180
/// are exact to 1/65,000.
const TOLERANCE: f64 = 0.01;

impl RegularAxis {
    /// Of at least two values that lie within a hundredth of a step of where equal steps from the first to the last put them; `None`
    /// for all others.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let (first, last) = (*values.first()?, *values.last()?);
        let length = values.len();
        let step = (last - first) / (length.checked_sub(1).filter(|n| *n > 0)? as f64);
        let is_regular = |(n, value): (usize, &f64)| (value - (first + n as f64 * step)).abs() <= TOLERANCE * step.abs();
        let fits = step != 0.0 && step.is_finite() && values.iter().enumerate().all(is_regular);
        fits.then_some(Self { first, step, length })
    }
    /// The outer edge of the first cell.
    #[must_use]
    pub fn edge(&self) -> f64 {
        self.first - 0.5 * self.step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_equal_within_the_tolerance() {
        let float = |n: usize| f64::from(179.0_f32 + 0.01 * n as f32);
        let wide: Vec<f64> = (0..100).map(float).collect();
        let axis = RegularAxis::of(&wide).unwrap();
        assert!((axis.step - 0.01).abs() < 1e-6 && axis.length == 100);
        assert_eq!(RegularAxis::of(&[3.0, 2.0, 1.0]).unwrap().edge(), 3.5);
        for irregular in [&[1.0, 2.0, 4.0][..], &[1.0], &[], &[1.0, 1.0], &[1.0, f64::NAN], &[0.0, 1.02, 2.0, 3.0], &[f64::NEG_INFINITY, 0.0]] {
            assert_eq!(RegularAxis::of(irregular), None, "{irregular:?}");
        }
    }
}
