//! One band of a LERC2 blob, straight to where the chunk has it.

use super::header::{Bytes, Header, Kind};
use super::mask::Mask;
use super::quants::Quants;
use super::value::Value;
use super::{Decoded, huffman, wrong};
use crate::error::{Error, Result};

/// Where a band's values stand in the chunk: pixels of `pixel` bytes, of which those from `start` on are this band's.
#[derive(Debug)]
pub(super) struct Target<'a> {
    pub(super) bytes: &'a mut [u8],
    pub(super) width: usize,
    /// The chunk may have fewer than the blob.
    pub(super) rows: usize,
    pub(super) pixel: usize,
    pub(super) start: usize,
}

impl Target<'_> {
    /// The bytes of a row's pixels from the band's first, and so many more, on: what belongs together is a `pixel` apart.
    fn line(&mut self, row: usize, left: usize, width: usize, before: usize) -> &mut [u8] {
        let at = row.saturating_mul(self.width).saturating_add(left).saturating_mul(self.pixel);
        let line = self.bytes.get_mut(at..).and_then(|rest| rest.get_mut(..width.saturating_mul(self.pixel)));
        line.and_then(|line| line.get_mut(self.start.saturating_add(before)..)).unwrap_or_default()
    }

    /// The row above, where there is one, and this one, as [`line`](Self::line) gives them. For values of one byte.
    pub(super) fn two_lines(&mut self, row: usize, depth: usize) -> (&[u8], &mut [u8]) {
        let (row_bytes, start) = (self.width.saturating_mul(self.pixel), self.start.saturating_add(depth));
        let at = row.saturating_mul(row_bytes);
        let (before, after) = self.bytes.split_at_mut_checked(at).unwrap_or_default();
        let above = before.get(at.saturating_sub(row_bytes)..).and_then(|line| line.get(start..)).unwrap_or_default();
        let line = after.get_mut(..row_bytes).and_then(|line| line.get_mut(start..)).unwrap_or_default();
        (above, line)
    }

    /// Values of a block whose pixels are all valid.
    fn fill<T: Value>(&mut self, block: &Block, quants: &[u32], value: impl Fn(u32) -> T) {
        let before = block.depth.saturating_mul(size_of::<T>());
        let (pixel, width) = (self.pixel, block.width);
        for (row, quants) in (block.top..self.rows).zip(quants.chunks_exact(width.max(1))) {
            let line = self.line(row, block.left, width, before);
            if pixel != size_of::<T>() {
                for (to, quant) in line.chunks_mut(pixel.max(1)).zip(quants) {
                    put(to, 0, value(*quant));
                }
            } else if let (Ok(eight), Some((to, _))) = (<&[u32; 8]>::try_from(quants), line.split_at_mut_checked(size_of::<T>().wrapping_mul(8))) {
                // Most blocks are 8 x 8: of a length known to the compiler this is a few vectors.
                to.copy_from_slice(bytemuck::bytes_of(&eight.map(&value)));
            } else {
                for (to, quant) in line.chunks_exact_mut(size_of::<T>()).zip(quants) {
                    put(to, 0, value(*quant));
                }
            }
        }
    }

    /// The stored values of all pixels of a block.
    fn copy<T: Value>(&mut self, block: &Block, values: &[u8]) {
        let (pixel, before) = (self.pixel, block.depth.saturating_mul(size_of::<T>()));
        let row_bytes = block.width.saturating_mul(size_of::<T>());
        for (row, values) in (block.top..self.rows).zip(values.chunks_exact(row_bytes.max(1))) {
            let line = self.line(row, block.left, block.width, before);
            if pixel == size_of::<T>() && cfg!(target_endian = "little") {
                if let Some(to) = line.get_mut(..row_bytes) {
                    to.copy_from_slice(values);
                }
            } else {
                for (to, value) in line.chunks_mut(pixel.max(1)).zip(values.chunks_exact(size_of::<T>())) {
                    put(to, 0, T::le(value));
                }
            }
        }
    }

    /// One value for all pixels of a block.
    fn constant<T: Value>(&mut self, block: &Block, value: T) {
        let (pixel, before) = (self.pixel, block.depth.saturating_mul(size_of::<T>()));
        for row in block.top..block.top.saturating_add(block.height).min(self.rows) {
            let line = self.line(row, block.left, block.width, before);
            if pixel == size_of::<T>() {
                line.chunks_exact_mut(size_of::<T>()).for_each(|to| put(to, 0, value));
            } else {
                line.chunks_mut(pixel.max(1)).for_each(|to| put(to, 0, value));
            }
        }
    }

    /// Each valid pixel of a block, as its bytes from this band's first on.
    fn each(&mut self, block: &Block, mask: &Mask, mut pixel: impl FnMut(&mut [u8]) -> Result<()>) -> Result<()> {
        let (step, width) = (self.pixel.max(1), self.width);
        for row in block.top..block.top.saturating_add(block.height).min(self.rows) {
            let line = self.line(row, block.left, block.width, 0);
            let first = row.saturating_mul(width).saturating_add(block.left);
            for (k, to) in line.chunks_mut(step).enumerate() {
                if mask.is_valid(first.saturating_add(k)) {
                    pixel(to)?;
                }
            }
        }
        Ok(())
    }
}

/// The value at this depth of a pixel.
fn get<T: Value>(pixel: &[u8], depth: usize) -> T {
    let at = depth.saturating_mul(size_of::<T>());
    let bytes = pixel.get(at..).and_then(|rest| rest.get(..size_of::<T>()));
    bytes.map_or_else(T::zeroed, bytemuck::pod_read_unaligned)
}

#[inline(always)]
fn put<T: Value>(pixel: &mut [u8], depth: usize, value: T) {
    let at = depth.saturating_mul(size_of::<T>());
    if let Some(to) = pixel.get_mut(at..).and_then(|rest| rest.get_mut(..size_of::<T>())) {
        to.copy_from_slice(bytemuck::bytes_of(&value));
    }
}

/// A block of pixels, and which of their values.
#[derive(Debug, Clone, Copy)]
struct Block {
    top: usize,
    left: usize,
    height: usize,
    width: usize,
    depth: usize,
}

impl Block {
    fn pixels(&self) -> usize {
        self.height.saturating_mul(self.width)
    }
    fn valid(&self, mask: &Mask, width: usize) -> usize {
        if mask.is_all() {
            return self.pixels();
        }
        let row = |row: usize| {
            let first = row.saturating_mul(width).saturating_add(self.left);
            (first..first.saturating_add(self.width)).filter(|k| mask.is_valid(*k)).count()
        };
        (self.top..self.top.saturating_add(self.height)).map(row).fold(0, usize::saturating_add)
    }
}

/// How a blob says that it is a coding of whole bands: 8-bit values by differences, 8-bit values, floats.
const DIFFERENCES: u8 = 1;
const PLAIN: u8 = 2;
const FLOATS: u8 = 3;

/// Decodes a band. Only valid values are written, and the mask is given; [`Decoded::Elsewhere`] where this decoder lacks the coding.
pub(super) fn decode<T: Value>(header: &Header, blob: &[u8], before: Option<&Mask>, target: &mut Target<'_>) -> Result<Decoded> {
    if header.stands_for || header.version < 3 {
        return Ok(Decoded::Elsewhere);
    }
    let mut from = header.content(blob)?;
    let mask = Mask::read(header, &mut from, before)?;
    let whole = Block { top: 0, left: 0, height: header.height, width: header.width, depth: 0 };
    let constant = |target: &mut Target<'_>, values: &[f64]| {
        target.each(&whole, &mask, |pixel| {
            values.iter().enumerate().for_each(|(depth, value)| put(pixel, depth, T::of(*value)));
            Ok(())
        })
    };
    if header.valid == 0 {
        return Ok(Decoded::Here(mask));
    }
    if header.least == header.most {
        let mut values = crate::model::reserve(header.depth)?;
        values.resize(header.depth, header.least);
        constant(target, &values)?;
        return Ok(Decoded::Here(mask));
    }
    let mut tops = vec![header.most];
    if header.version >= 4 {
        let bytes = header.depth.saturating_mul(size_of::<T>());
        let mut range = |values: &mut Vec<f64>| {
            values.extend(from.take(bytes)?.chunks_exact(size_of::<T>()).map(|b| T::le(b).wide()));
            Ok::<(), Error>(())
        };
        let (mut least, mut most) = (Vec::new(), Vec::new());
        range(&mut least)?;
        range(&mut most)?;
        if least == most {
            if let [least] = least.as_mut_slice() {
                *least = header.least;
            }
            constant(target, &least)?;
            return Ok(Decoded::Here(mask));
        }
        if header.depth > 1 {
            tops = most;
        }
    }
    if from.byte()? != 0 {
        let bytes = header.depth.saturating_mul(size_of::<T>());
        if mask.is_all() && header.depth == 1 {
            let values = from.take(header.pixels().saturating_mul(bytes))?;
            target.copy::<T>(&whole, values);
            return Ok(Decoded::Here(mask));
        }
        target.each(&whole, &mask, |pixel| {
            let values = from.take(bytes)?.chunks_exact(size_of::<T>());
            values.enumerate().for_each(|(depth, value)| put(pixel, depth, T::le(value)));
            Ok(())
        })?;
        return Ok(Decoded::Here(mask));
    }
    let coded = match T::KIND {
        Kind::I8 | Kind::U8 => header.max_error == 0.5,
        Kind::F32 | Kind::F64 => header.version >= 6 && header.max_error == 0.0,
        _ => false,
    };
    match if coded { from.byte()? } else { 0 } {
        0 => Tiles { header, mask: &mask, tops: &tops, quants: Quants::default() }.read::<T>(&mut from, target)?,
        FLOATS if T::KIND.is_float() => return Ok(Decoded::Elsewhere),
        // One depth follows the other, so none may end early.
        DIFFERENCES if !T::KIND.is_float() && header.depth > 1 && target.rows < header.height => return Ok(Decoded::Elsewhere),
        coding @ (DIFFERENCES | PLAIN) if !T::KIND.is_float() && (header.version >= 4 || coding == DIFFERENCES) => {
            let zero = if T::KIND == Kind::I8 { 128 } else { 0 };
            huffman::decode(header, &mut from, &mask, zero, coding == DIFFERENCES, target)?;
        }
        other => return Err(wrong(format!("coding {other} of {:?}", T::KIND))),
    }
    Ok(Decoded::Here(mask))
}

/// The blocks of a band.
struct Tiles<'a> {
    header: &'a Header,
    mask: &'a Mask,
    /// The largest value of each depth: nothing decodes to more.
    tops: &'a [f64],
    quants: Quants,
}

/// The most rows of a block, as the reference has it: what is kept of one is bounded by it.
const MOST: usize = 32;

impl Tiles<'_> {
    fn read<T: Value>(&mut self, from: &mut Bytes<'_>, target: &mut Target<'_>) -> Result<()> {
        let Header { height, width, block, .. } = *self.header;
        if block > MOST {
            return Err(wrong(format!("blocks of {block} x {block}")));
        }
        for top in (0..height.min(target.rows)).step_by(block.max(1)) {
            for left in (0..width).step_by(block.max(1)) {
                for depth in 0..self.header.depth {
                    let rect =
                        Block { top, left, height: block.min(height.saturating_sub(top)), width: block.min(width.saturating_sub(left)), depth };
                    self.block::<T>(rect, from, target)?;
                }
            }
        }
        Ok(())
    }

    fn block<T: Value>(&mut self, block: Block, from: &mut Bytes<'_>, target: &mut Target<'_>) -> Result<()> {
        let Block { depth, left, .. } = block;
        let head = from.byte()?;
        let (by_difference, place) = if self.header.version >= 5 { (head & 4 != 0, 0b1110) } else { (false, 0b1111) };
        if usize::from(head >> 2) & place != left >> 3 & place {
            return Err(wrong(format!("a block that is not the one of column {left}")));
        }
        let before = depth.checked_sub(1).filter(|_| by_difference);
        if by_difference && before.is_none() {
            return Err(wrong("differences from no values"));
        }
        match head & 3 {
            0 if by_difference => return Err(wrong("differences of stored values")),
            0 => {
                let bytes = block.valid(self.mask, target.width).saturating_mul(size_of::<T>());
                let values = from.take(bytes)?;
                if self.mask.is_all() {
                    target.copy::<T>(&block, values);
                    return Ok(());
                }
                let mut values = values.chunks_exact(size_of::<T>());
                return target.each(&block, self.mask, |pixel| {
                    put(pixel, depth, values.next().map_or_else(T::zeroed, T::le));
                    Ok(())
                });
            }
            2 if before.is_none() && self.mask.is_all() => {
                target.constant(&block, T::zeroed());
                return Ok(());
            }
            2 => {
                return target.each(&block, self.mask, |pixel| {
                    put(pixel, depth, before.map_or_else(T::zeroed, |before| get::<T>(pixel, before)));
                    Ok(())
                });
            }
            _ => {}
        }
        let kind = if by_difference && !T::KIND.is_float() { Kind::I32 } else { T::KIND };
        let kind = kind.reduced(head >> 6).ok_or_else(|| wrong("an offset of no type"))?;
        let offset = kind.read(from)?;
        let top = self.tops.get(depth).copied().unwrap_or(self.header.most);
        if head & 3 == 3 && before.is_none() && self.mask.is_all() {
            target.constant(&block, T::of(offset));
            return Ok(());
        }
        if head & 3 == 3 {
            return target.each(&block, self.mask, |pixel| {
                put(pixel, depth, T::of(before.map_or(offset, |before| (offset + get::<T>(pixel, before).wide()).min(top))));
                Ok(())
            });
        }

        self.quants.read(from, block.pixels())?;
        let step = 2.0 * self.header.max_error;
        let values = self.quants.values();
        if let Some(before) = before {
            let mask = if values.len() == block.pixels() { &Mask::All } else { self.mask };
            let mut values = values.iter();
            return target.each(&block, mask, |pixel| {
                let quant = values.next().ok_or_else(|| wrong("fewer values than valid pixels"))?;
                put(pixel, depth, T::of((offset + f64::from(*quant) * step + get::<T>(pixel, before).wide()).min(top)));
                Ok(())
            });
        }
        let clamped = self.quants.any(|quant| offset + f64::from(quant) * step > top);
        if values.len() != block.pixels() {
            let mut values = values.iter();
            return target.each(&block, self.mask, |pixel| {
                let quant = values.next().ok_or_else(|| wrong("fewer values than valid pixels"))?;
                put(pixel, depth, T::of((offset + f64::from(*quant) * step).min(top)));
                Ok(())
            });
        }
        // A number of 31 bits converts as a signed one in fewer instructions.
        let wide = |quant: u32| f64::from(quant.cast_signed());
        if clamped {
            target.fill(&block, values, |quant| T::of((offset + wide(quant) * step).min(top)));
        } else if !T::KIND.is_float() && step >= 0.0 && T::of(top).wide() == top && T::of(step).wide() == step {
            // Whole numbers, none above `top`, which the type has: the same result without a way through floats.
            let (offset, step) = (T::of(offset), T::of(step));
            target.fill(&block, values, |quant| T::step(offset, step, quant));
        } else {
            target.fill(&block, values, |quant| T::of(offset + wide(quant) * step));
        }
        Ok(())
    }
}
