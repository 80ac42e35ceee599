//! From numbers to the 8 bits of a picture.

/// Share of the pixels that a stretch leaves out at each end.
const TAIL: f64 = 0.02;

/// How the numbers of a band become tones.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tone {
    /// From this number (black) to that (white).
    Linear {
        /// Becomes 0.
        black: f64,
        /// Becomes 255.
        white: f64,
    },
    /// Indexes of colours.
    Palette(Vec<[u8; 3]>),
}

impl Tone {
    /// 8-bit numbers as they are.
    pub(crate) const AS_IS: Self = Self::Linear { black: 0.0, white: 255.0 };

    /// From the 2nd to the 98th percentile of a sample.
    pub(crate) fn stretch(sample: &mut [f64]) -> Self {
        let Some(last) = sample.len().checked_sub(1) else { return Self::AS_IS };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length, between 0 and it")]
        let tail = (last as f64 * TAIL).round() as usize;
        let black = *sample.select_nth_unstable_by(tail, f64::total_cmp).1;
        let white = *sample.select_nth_unstable_by(last - tail, f64::total_cmp).1;
        Self::Linear { black, white }
    }
    /// The colour of a number.
    pub(crate) fn color(&self, value: f64) -> [u8; 3] {
        match self {
            Self::Linear { black, white } => [tone(value, *black, *white); 3],
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, and what is outside has no colour")]
            Self::Palette(colors) => colors.get(value as usize).copied().unwrap_or_default(),
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates; NaN becomes 0")]
fn tone(value: f64, black: f64, white: f64) -> u8 {
    if black == white {
        // A flat picture is grey; what stands out of it is black or white.
        return if value < black {
            0
        } else if value > white {
            255
        } else {
            128
        };
    }
    ((value - black) / (white - black) * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches() {
        let mut sample: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        let tone = Tone::stretch(&mut sample);
        assert_eq!(tone, Tone::Linear { black: 2.0, white: 98.0 });
        assert_eq!([0.0, 2.0, 50.0, 98.0, 1e9, f64::NAN].map(|v| tone.color(v)[0]), [0, 0, 128, 255, 255, 0]);
        assert_eq!((0..=255_u8).map(|v| Tone::AS_IS.color(f64::from(v))[1]).collect::<Vec<_>>(), (0..=255).collect::<Vec<u8>>());
        let flat = Tone::stretch(&mut [7.0, 7.0]);
        assert_eq!([6.0, 7.0, 8.0].map(|v| flat.color(v)[0]), [0, 128, 255]);
        assert_eq!(Tone::stretch(&mut []), Tone::AS_IS);
        let bilevel = Tone::Linear { black: 1.0, white: 0.0 };
        assert_eq!([0.0, 1.0].map(|v| bilevel.color(v)[0]), [255, 0]);
        let palette = Tone::Palette(vec![[1, 2, 3], [4, 5, 6]]);
        assert_eq!([0.0, 1.0, 2.0, -1.0].map(|v| palette.color(v)), [[1, 2, 3], [4, 5, 6], [0, 0, 0], [1, 2, 3]]);
    }
}
