//! Which bands of an array make its picture, and what is known of their meaning.

use swath::format::tiff::Directory;
use swath::model::{ArrayMeta, DataType, Region};
use swath::{ChunkedArray, Cog};

use super::tone::Tone;
use super::values::{as_stored, numbers};
use crate::failure::{Failure, Result};
use crate::open::{Chosen, Origin};

/// PhotometricInterpretation: 0 is white.
const WHITE_IS_ZERO: u16 = 0;
/// PhotometricInterpretation: indexes of a ColorMap.
const PALETTE: u16 = 3;

/// How an array is shown.
pub(crate) struct Look {
    /// The axis of the bands; `None` where the picture has one band.
    pub(crate) band_axis: Option<usize>,
    /// The bands that are red, green and blue, or the one that is grey.
    pub(crate) colors: Vec<u64>,
    /// The band that says how opaque a pixel is.
    pub(crate) alpha: Option<u64>,
    /// The tones where the type says them; else they are found from the pixels.
    pub(crate) tone: Option<Tone>,
    /// The value that stands for no value.
    pub(crate) nodata: Option<f64>,
    /// 0 where a pixel has no value, of the same height and width.
    pub(crate) mask: Option<ChunkedArray>,
}

impl Look {
    pub(crate) fn of(chosen: &Chosen) -> Result<Self> {
        let meta = chosen.array.meta();
        let data_type = &meta.data_type;
        if !numbers(&[], data_type, &mut Vec::new()) {
            return Err(Failure::refused(format!("a picture cannot be made of {data_type}")));
        }
        let rank = meta.shape().len();
        let Some(leading) = rank.checked_sub(2) else {
            return Err(Failure::refused(format!("a picture needs two axes, and the array has {rank}")));
        };
        let (directory, mask) = match &chosen.origin {
            Origin::Level(cog, level) => (cog.level_directory(*level).ok(), cog.mask(*level)?),
            Origin::Directory(cog, path) => (find(cog, path), None),
            Origin::Zarr => (None, None),
        };
        let is_tiff = !matches!(chosen.origin, Origin::Zarr);
        let band_axis = (0..leading).find(|axis| (is_tiff && *axis == 0) || is_band(&meta.dims[*axis].name));
        check_leading(meta, &chosen.region, leading, band_axis)?;

        let bands = band_axis.map_or(0..1, |axis| chosen.region.ranges()[axis].clone());
        let alpha = directory.and_then(alpha_band).filter(|band| bands.contains(band) && matches!(data_type, DataType::U8 | DataType::U16));
        let colors: Vec<u64> = bands.filter(|band| Some(*band) != alpha).take(3).collect();
        let colors = match colors.as_slice() {
            [] => return Err(Failure::refused("an empty region has no picture")),
            [_, _, _] => colors,
            [one, ..] => vec![*one],
        };
        let nodata = match &chosen.origin {
            Origin::Level(cog, _) => cog.nodata(),
            Origin::Directory(..) => directory.and_then(Directory::nodata_value).map(|nodata| nodata.as_f64()),
            Origin::Zarr => zarr_nodata(meta),
        };
        let tone = match data_type {
            DataType::Bool => Some(Tone::Linear { black: 0.0, white: 1.0 }),
            _ => directory.and_then(|d| tone_of(d, data_type)).or_else(|| (*data_type == DataType::U8).then_some(Tone::AS_IS)),
        };
        Ok(Self { band_axis, colors, alpha, tone, nodata: nodata.map(|value| as_stored(value, data_type)), mask })
    }
}

/// Axes that are neither of the picture nor bands hold one index.
fn check_leading(meta: &ArrayMeta, region: &Region, leading: usize, band_axis: Option<usize>) -> Result<()> {
    let wide = |axis: &usize| Some(*axis) != band_axis && region.shape()[*axis] > 1;
    let Some(axis) = (0..leading).find(wide) else { return Ok(()) };
    let name = match meta.dims[axis].name.as_str() {
        "" => format!("axis {axis}"),
        name => format!("axis {axis} ({name})"),
    };
    let example: Vec<&str> = (0..meta.dims.len()).map(|a| if a < leading && Some(a) != band_axis { "0" } else { ":" }).collect();
    let shape: Vec<String> = meta.shape().iter().map(u64::to_string).collect();
    Err(Failure::refused(format!(
        "a picture has one index of {name}: pick it with --region, such as {}, of the shape {}",
        example.join(","),
        shape.join(" x ")
    )))
}

fn is_band(name: &str) -> bool {
    ["band", "bands", "channel", "channels", "c"].contains(&name.to_ascii_lowercase().as_str())
}

fn find<'a>(cog: &'a Cog, path: &str) -> Option<&'a Directory> {
    cog.file().directories.iter().find(|d| d.index.to_string() == path)
}

/// ExtraSamples are the last samples of a pixel; 1 and 2 are alpha.
fn alpha_band(directory: &Directory) -> Option<u64> {
    let extra = &directory.extra_samples;
    let at = extra.iter().position(|kind| matches!(kind, 1 | 2))?;
    let first = usize::from(directory.samples).checked_sub(extra.len())?;
    (first > 0).then_some((first + at) as u64)
}

fn tone_of(directory: &Directory, data_type: &DataType) -> Option<Tone> {
    let bits = directory.bits.first().copied().unwrap_or(8);
    match directory.photometric {
        Some(PALETTE) if !directory.color_map.is_empty() && directory.samples == 1 => Some(palette(&directory.color_map)),
        photometric if *data_type == DataType::U8 && bits < 8 => {
            let most = f64::from((1_u16 << bits) - 1);
            let inverted = photometric == Some(WHITE_IS_ZERO);
            Some(if inverted { Tone::Linear { black: most, white: 0.0 } } else { Tone::Linear { black: 0.0, white: most } })
        }
        _ => None,
    }
}

/// A ColorMap has 16 bits a colour; some writers left the values at 8 bits, which shows where none is larger.
fn palette(map: &[u16]) -> Tone {
    let shift = if map.iter().all(|v| *v < 256) { 0 } else { 8 };
    let third = map.len() / 3;
    let byte = |at: usize| map.get(at).map_or(0, |v| (v >> shift).to_le_bytes()[0]);
    Tone::Palette((0..third).map(|i| [byte(i), byte(third + i), byte(2 * third + i)]).collect())
}

/// The CF conventions' attributes; else a fill value that is not 0, which is what xarray keeps it as.
fn zarr_nodata(meta: &ArrayMeta) -> Option<f64> {
    let attribute = |name: &str| meta.attributes.get(name).and_then(|value| value.as_f64());
    attribute("_FillValue").or_else(|| attribute("missing_value")).or_else(|| {
        let mut value = Vec::new();
        numbers(meta.fill_value.bytes(), &meta.data_type, &mut value);
        value.first().copied()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn palettes_of_16_and_of_8_bits() {
        assert_eq!(palette(&[0, 0xff00, 0x1234, 0, 0, 0xffff]), Tone::Palette(vec![[0, 0x12, 0], [255, 0, 255]]));
        assert_eq!(palette(&[1, 2, 3, 4, 5, 6]), Tone::Palette(vec![[1, 3, 5], [2, 4, 6]]));
    }
}
