//! Rational polynomial coefficients: how a satellite's image maps to the ground (RPC00B, as in GDAL's and GeoTIFF's RPCCoefficientTag).

/// From longitude, latitude and height to a pixel, as two fractions of polynomials of the third degree over normalized coordinates.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs, reason = "the names say it; the order of the coefficients is that of RPC00B")]
pub struct Rpc {
    /// Metres; `None` where it is not told.
    pub error_bias: Option<f64>,
    /// Metres; `None` where it is not told.
    pub error_random: Option<f64>,
    pub line_offset: f64,
    pub sample_offset: f64,
    pub latitude_offset: f64,
    pub longitude_offset: f64,
    pub height_offset: f64,
    pub line_scale: f64,
    pub sample_scale: f64,
    pub latitude_scale: f64,
    pub longitude_scale: f64,
    pub height_scale: f64,
    pub line_numerator: [f64; 20],
    pub line_denominator: [f64; 20],
    pub sample_numerator: [f64; 20],
    pub sample_denominator: [f64; 20],
}

/// The domain of GDAL's metadata that they stand in.
pub(super) const DOMAIN: &str = "RPC";

impl Rpc {
    /// From the 92 numbers of the tag; `None` where there are fewer.
    #[must_use]
    pub fn from_tag(numbers: &[f64]) -> Option<Self> {
        let (head, coefficients) = numbers.split_first_chunk::<12>()?;
        let (sets, _) = coefficients.as_chunks::<20>();
        // Two errors, five offsets, five scales.
        let &[bias, random, line, sample, latitude, longitude, height, line_by, sample_by, latitude_by, longitude_by, height_by] = head;
        let &[line_numerator, line_denominator, sample_numerator, sample_denominator, ..] = sets else { return None };
        Some(Self {
            error_bias: told(bias),
            error_random: told(random),
            line_offset: line,
            sample_offset: sample,
            latitude_offset: latitude,
            longitude_offset: longitude,
            height_offset: height,
            line_scale: line_by,
            sample_scale: sample_by,
            latitude_scale: latitude_by,
            longitude_scale: longitude_by,
            height_scale: height_by,
            line_numerator,
            line_denominator,
            sample_numerator,
            sample_denominator,
        })
    }

    /// From the items of GDAL's domain `RPC`; `None` where one of them is missing, but for the errors.
    pub(super) fn from_items<'a>(item: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        // Some writers put the unit behind the number.
        let number = |name: &str| item(name)?.split_whitespace().next()?.parse::<f64>().ok();
        let list = |name: &str| -> Option<[f64; 20]> {
            let numbers: Option<Vec<f64>> = item(name)?.split_whitespace().take(21).map(|n| n.parse().ok()).collect();
            numbers?.try_into().ok()
        };
        Some(Self {
            error_bias: number("ERR_BIAS").and_then(told),
            error_random: number("ERR_RAND").and_then(told),
            line_offset: number("LINE_OFF")?,
            sample_offset: number("SAMP_OFF")?,
            latitude_offset: number("LAT_OFF")?,
            longitude_offset: number("LONG_OFF")?,
            height_offset: number("HEIGHT_OFF")?,
            line_scale: number("LINE_SCALE")?,
            sample_scale: number("SAMP_SCALE")?,
            latitude_scale: number("LAT_SCALE")?,
            longitude_scale: number("LONG_SCALE")?,
            height_scale: number("HEIGHT_SCALE")?,
            line_numerator: list("LINE_NUM_COEFF")?,
            line_denominator: list("LINE_DEN_COEFF")?,
            sample_numerator: list("SAMP_NUM_COEFF")?,
            sample_denominator: list("SAMP_DEN_COEFF")?,
        })
    }
}

/// An error; -1 stands for one that is not known.
fn told(error: f64) -> Option<f64> {
    (error >= 0.0).then_some(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_and_items_say_the_same() {
        let numbers: Vec<f64> = (0..92).map(|n| f64::from(n) - 1.0).collect();
        let tag = Rpc::from_tag(&numbers).unwrap();
        assert_eq!((tag.error_bias, tag.error_random, tag.line_offset, tag.height_scale), (None, Some(0.0), 1.0, 10.0));
        assert_eq!((tag.line_numerator[0], tag.sample_denominator[19]), (11.0, 90.0));
        assert!(Rpc::from_tag(&numbers[..91]).is_none() && Rpc::from_tag(&[]).is_none());
        let names = ["ERR_BIAS", "ERR_RAND", "LINE_OFF", "SAMP_OFF", "LAT_OFF", "LONG_OFF", "HEIGHT_OFF"];
        let scales = ["LINE_SCALE", "SAMP_SCALE", "LAT_SCALE", "LONG_SCALE", "HEIGHT_SCALE"];
        let mut items: Vec<(String, String)> =
            names.iter().chain(&scales).zip(&numbers).map(|(name, n)| ((*name).to_owned(), format!("{n} meters"))).collect();
        for (name, part) in ["LINE_NUM", "LINE_DEN", "SAMP_NUM", "SAMP_DEN"].iter().zip(numbers[12..].chunks(20)) {
            items.push((format!("{name}_COEFF"), part.iter().map(|n| format!(" {n}")).collect()));
        }
        let read = |items: &[(String, String)]| Rpc::from_items(|name| items.iter().find(|(n, _)| n == name).map(|(_, text)| text.as_str()));
        assert_eq!(read(&items), Some(tag));
        assert_eq!(read(&items[1..]).map(|rpc| rpc.error_bias), Some(None));
        assert!(read(&items[..15]).is_none(), "a set of coefficients is missing");
    }
}
