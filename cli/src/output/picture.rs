//! A picture for people: 8 bits, grey or RGB, transparent where there is no value; written row by row.

use std::io::{BufWriter, Write};
use std::ops::Range;

use png::{BitDepth, ColorType, Compression};
use swath::model::{ChunkGrid, DataType, Limits, Region};
use swath::{DynArray, Session};

use super::PartFile;
use super::look::Look;
use super::tone::Tone;
use super::values::numbers;
use crate::failure::{Failure, Result};
use crate::open::Chosen;
use crate::progress::Progress;
use crate::slabs::BUDGET;
use crate::stats::Totals;

/// Pixels of the sample that a stretch is found from.
const SAMPLE: u64 = 1_000_000;
/// A row of chunks above this many bytes is read in parts, though its chunks are then decoded more than once.
const MOST_SLAB: u64 = 96 << 20;

/// Writes the picture of a region.
pub(crate) fn write(session: &Session, chosen: &Chosen, file: &PartFile, totals: &mut Totals) -> Result<()> {
    let picture = Picture::new(session, chosen)?;
    let mut progress = Progress::new(u64::from(picture.height) * if picture.look.tone.is_some() { 1 } else { 2 });
    let mut kept = None;
    let tones = match &picture.look.tone {
        Some(tone) => vec![tone.clone(); picture.look.colors.len()],
        None => {
            let (tones, slab) = picture.stretch(totals, &mut progress)?;
            kept = slab;
            tones
        }
    };

    let mut encoder = png::Encoder::new(BufWriter::with_capacity(1 << 20, file.file()), picture.width, picture.height);
    encoder.set_color(picture.color_type());
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fast);
    let mut writer = encoder.write_header().map_err(|e| file.failure(&e))?;
    let mut stream = writer.stream_writer().map_err(|e| file.failure(&e))?;
    let mut row = Vec::new();
    for slab in picture.slabs() {
        let (values, mask) = match kept.take() {
            Some(kept) => kept,
            None => picture.read(&slab, totals)?,
        };
        for y in 0..slab.rows() {
            picture.row(&values, mask.as_ref(), y, slab.rows(), &tones, &mut row)?;
            stream.write_all(&row).map_err(|e| file.failure(&e))?;
        }
        progress.add(slab.rows() as u64);
    }
    stream.finish().map_err(|e| file.failure(&e))?;
    writer.finish().map_err(|e| file.failure(&e))?;
    totals.output_bytes = file.file().metadata().map_err(|e| file.failure(&e))?.len();
    Ok(())
}

/// The values of a slab and, where there is one, its mask.
type Slab = (DynArray, Option<DynArray>);

/// What is to be shown of an array.
struct Picture<'a> {
    session: &'a Session,
    chosen: &'a Chosen,
    look: Look,
    /// The bands that are read: all from the first to the last that are shown.
    bands: Range<u64>,
    rows: Range<u64>,
    columns: Range<u64>,
    width: u32,
    height: u32,
    transparent: bool,
}

/// A range of the array's rows.
struct Rows(Range<u64>);

impl Rows {
    fn rows(&self) -> usize {
        usize::try_from(self.0.end.saturating_sub(self.0.start)).unwrap_or(usize::MAX)
    }
}

impl<'a> Picture<'a> {
    fn new(session: &'a Session, chosen: &'a Chosen) -> Result<Self> {
        if chosen.region.is_empty() {
            return Err(Failure::refused("an empty region has no picture"));
        }
        let look = Look::of(chosen)?;
        let ranges = chosen.region.ranges();
        let [.., rows, columns] = ranges else { return Err(Failure::refused("a picture needs two axes")) };
        let (rows, columns) = (rows.clone(), columns.clone());
        let side = |range: &Range<u64>| {
            let most = u64::from(u32::MAX >> 1);
            Limits::check("pixels of a picture's side", range.end - range.start, most).map(|n| u32::try_from(n).unwrap_or(u32::MAX))
        };
        let (width, height) = (side(&columns)?, side(&rows)?);
        let shown = || look.colors.iter().chain(&look.alpha).copied();
        let bands = shown().min().unwrap_or(0)..shown().max().unwrap_or(0) + 1;
        let data_type = chosen.array.data_type();
        let may_lack = data_type.is_float()
            || matches!(data_type, DataType::ComplexF16 | DataType::ComplexF32 | DataType::ComplexF64)
            || matches!(data_type, DataType::DateTime64 { .. } | DataType::TimeDelta64 { .. });
        let transparent = may_lack || look.nodata.is_some() || look.alpha.is_some() || look.mask.is_some();
        Ok(Self { session, chosen, look, bands, rows, columns, width, height, transparent })
    }

    fn color_type(&self) -> ColorType {
        match (self.colored(), self.transparent) {
            (true, true) => ColorType::Rgba,
            (true, false) => ColorType::Rgb,
            (false, true) => ColorType::GrayscaleAlpha,
            (false, false) => ColorType::Grayscale,
        }
    }
    fn colored(&self) -> bool {
        self.look.colors.len() == 3 || matches!(self.look.tone, Some(Tone::Palette(_)))
    }
    fn element(&self) -> usize {
        self.chosen.array.data_type().size().unwrap_or(1)
    }

    fn slabs(&self) -> impl Iterator<Item = Rows> + use<'_> {
        let bands = if self.look.band_axis.is_some() { self.bands.end - self.bands.start } else { 1 };
        let row_bytes = bands.saturating_mul(u64::from(self.width)).saturating_mul(self.element() as u64).max(1);
        let axis = self.chosen.region.ranges().len().saturating_sub(2);
        row_slabs(&self.chosen.array.meta().grid, axis, self.rows.clone(), row_bytes)
    }

    fn read(&self, rows: &Rows, totals: &mut Totals) -> Result<Slab> {
        let mut ranges = self.chosen.region.ranges().to_vec();
        let axis = ranges.len().saturating_sub(2);
        ranges[axis] = rows.0.clone();
        if let Some(axis) = self.look.band_axis {
            ranges[axis] = self.bands.clone();
        }
        let (values, stats) = self.session.block_on(self.chosen.array.read_dyn_with_stats(&Region::new(ranges)))?;
        totals.add(&stats)?;
        let Some(mask) = &self.look.mask else { return Ok((values, None)) };
        let region = Region::new(vec![0..1, rows.0.clone(), self.columns.clone()]);
        let (mask, stats) = self.session.block_on(mask.read_dyn_with_stats(&region))?;
        totals.add(&stats)?;
        Ok((values, Some(mask)))
    }

    /// The elements of one row of one band of a slab.
    fn row_bytes<'v>(&self, values: &'v DynArray, band: u64, y: usize, rows: usize) -> &'v [u8] {
        let length = self.columns_len() * self.element();
        let plane = usize::try_from(band.saturating_sub(self.bands.start)).unwrap_or(usize::MAX);
        let start = if self.look.band_axis.is_some() { plane.saturating_mul(rows) + y } else { y }.saturating_mul(length);
        values.bytes().and_then(|bytes| bytes.get(start..start.saturating_add(length))).unwrap_or_default()
    }
    fn columns_len(&self) -> usize {
        self.width as usize
    }
    fn has_value(&self, value: f64) -> bool {
        value.is_finite() && self.look.nodata != Some(value)
    }

    /// Finds each band's tones from a sample of its pixels; also gives the values back where one slab held all.
    fn stretch(&self, totals: &mut Totals, progress: &mut Progress) -> Result<(Vec<Tone>, Option<Slab>)> {
        let step = step(u64::from(self.width), u64::from(self.height));
        let mut samples = vec![Vec::new(); self.look.colors.len()];
        let mut row = Vec::new();
        let mut kept = None;
        for slab in self.slabs() {
            let (values, mask) = self.read(&slab, totals)?;
            for y in 0..slab.rows() {
                if !(slab.0.start - self.rows.start + y as u64).is_multiple_of(step as u64) {
                    continue;
                }
                let mask = mask.as_ref().map(|mask| self.mask_row(mask, y));
                let seen = |x: usize| mask.is_none_or(|m| m.get(x).is_none_or(|m| *m != 0));
                for (sample, band) in samples.iter_mut().zip(&self.look.colors) {
                    numbers(self.row_bytes(&values, *band, y, slab.rows()), self.chosen.array.data_type(), &mut row);
                    let picked = row.iter().enumerate().step_by(step).filter(|(x, value)| seen(*x) && self.has_value(**value));
                    sample.extend(picked.map(|(_, value)| *value));
                }
            }
            progress.add(slab.rows() as u64);
            kept = (slab.0 == self.rows).then_some((values, mask));
        }
        Ok((samples.iter_mut().map(|sample| Tone::stretch(sample)).collect(), kept))
    }

    fn mask_row<'v>(&self, mask: &'v DynArray, y: usize) -> &'v [u8] {
        let start = y.saturating_mul(self.columns_len());
        mask.bytes().and_then(|bytes| bytes.get(start..start.saturating_add(self.columns_len()))).unwrap_or_default()
    }

    /// One row of the picture.
    fn row(&self, values: &DynArray, mask: Option<&DynArray>, y: usize, rows: usize, tones: &[Tone], out: &mut Vec<u8>) -> Result<()> {
        let data_type = self.chosen.array.data_type();
        let channels = self.color_type().samples();
        out.clear();
        out.resize(self.columns_len() * channels, 0);
        let mut opaque = vec![0_u8; self.columns_len()];
        let mut row = Vec::new();
        let grey_alone = self.look.colors.len() == 1;
        for (channel, (band, tone)) in self.look.colors.iter().zip(tones).enumerate() {
            numbers(self.row_bytes(values, *band, y, rows), data_type, &mut row);
            if row.len() != self.columns_len() {
                return Err(Failure::refused("a read gave less than its region"));
            }
            for ((pixel, value), opaque) in out.chunks_exact_mut(channels).zip(&row).zip(&mut opaque) {
                if !self.has_value(*value) {
                    continue;
                }
                *opaque = 255;
                let color = tone.color(*value);
                if grey_alone && self.colored() {
                    pixel[..3].copy_from_slice(&color);
                } else {
                    pixel[channel] = color[channel];
                }
            }
        }
        if !self.transparent {
            return Ok(());
        }
        if let Some(band) = self.look.alpha {
            numbers(self.row_bytes(values, band, y, rows), data_type, &mut row);
            let most = if *data_type == DataType::U16 { 65535.0 } else { 255.0 };
            let tone = Tone::Linear { black: 0.0, white: most };
            opaque.iter_mut().zip(&row).for_each(|(opaque, value)| *opaque = (*opaque).min(tone.color(*value)[0]));
        }
        if let Some(mask) = mask {
            opaque.iter_mut().zip(self.mask_row(mask, y)).filter(|(_, m)| **m == 0).for_each(|(opaque, _)| *opaque = 0);
        }
        for (pixel, opaque) in out.chunks_exact_mut(channels).zip(&opaque) {
            pixel[channels - 1] = *opaque;
        }
        Ok(())
    }
}

/// Each how many pixels along both axes one is sampled.
fn step(width: u64, height: u64) -> usize {
    let mut step = 1;
    while width.div_ceil(step).saturating_mul(height.div_ceil(step)) > SAMPLE {
        step += 1;
    }
    usize::try_from(step).unwrap_or(usize::MAX)
}

/// Rows in slabs that end between chunks, but for rows of chunks that are very large.
fn row_slabs(grid: &ChunkGrid, axis: usize, rows: Range<u64>, row_bytes: u64) -> impl Iterator<Item = Rows> + use<'_> {
    let mut at = rows.start;
    std::iter::from_fn(move || {
        if at >= rows.end {
            return None;
        }
        let mut one = vec![0..1; grid.rank()];
        one[axis] = at..at + 1;
        let mut chunk = grid.chunks_of(&Region::new(one)).get(axis).map_or(0, |r| r.start);
        let mut end = grid.extent(axis, chunk).end.min(rows.end).max(at + 1);
        while end < rows.end {
            chunk += 1;
            let next = grid.extent(axis, chunk).end.min(rows.end);
            if next <= end || (next - at).saturating_mul(row_bytes) > BUDGET {
                break;
            }
            end = next;
        }
        if (end - at).saturating_mul(row_bytes) > MOST_SLAB {
            end = at + (BUDGET / row_bytes).clamp(1, end - at);
        }
        let slab = Rows(at..end);
        at = end;
        Some(slab)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slabs_of_rows() {
        let grid = ChunkGrid::regular(&[3, 1000, 500], &[3, 256, 256]).unwrap();
        let slabs = |row_bytes: u64| row_slabs(&grid, 1, 10..1000, row_bytes).map(|r| r.0).collect::<Vec<_>>();
        assert_eq!(slabs(1), std::iter::once(10..1000).collect::<Vec<_>>());
        assert_eq!(slabs(BUDGET / 256), [10..256, 256..512, 512..768, 768..1000]);
        assert_eq!(slabs(BUDGET / 512), [10..512, 512..1000]);
        let parts = slabs(BUDGET / 4);
        assert_eq!((parts[0].clone(), parts[1].clone()), (10..14, 14..18));
        assert_eq!(parts.iter().map(|r| r.end - r.start).sum::<u64>(), 990);
        assert_eq!(slabs(BUDGET * 10).len(), 990);
    }

    #[test]
    fn samples_are_bounded() {
        assert_eq!((step(10, 10), step(1000, 1000), step(1001, 1000), step(1 << 31, 1)), (1, 1, 2, 2148));
    }
}
