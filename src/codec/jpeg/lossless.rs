//! Lossless coding (ITU-T T.81, annex H): each sample is told from its neighbours, and the difference is stored.

use super::bits::Bits;
use super::failed;
use super::huffman::Huffman;
use super::stream::{Scan, ScanComponent, Tables};
use crate::error::{Error, Result};
use crate::model::jpeg::Frame;

/// The samples of a stream, those of a pixel together. `samples` is as long as width x height x components.
pub(super) fn decode(stream: &[u8], frame: &Frame<'_>, samples: &mut [u16]) -> Result<()> {
    if frame.components.iter().any(|[_, sampling, _]| *sampling != 0x11) {
        return Err(Error::unsupported("lossless JPEG whose components differ in resolution"));
    }
    if !matches!(frame.bits, 2..=16) {
        return Err(failed(format!("lossless JPEG of {} bits a sample", frame.bits)));
    }
    Tables::default().read(stream, frame, |tables, scan, data| decode_scan(tables, scan, frame, samples, data))
}

/// One component of a scan.
struct Coded<'a> {
    place: usize,
    table: &'a Huffman,
    /// The sample to the left, and the one above that.
    left: i32,
    above_left: i32,
}

fn decode_scan<'a>(tables: &Tables, scan: &Scan, frame: &Frame<'_>, samples: &mut [u16], data: &'a [u8]) -> Result<&'a [u8]> {
    let (predictor, shift) = (scan.start, u32::from(scan.low));
    if !matches!(predictor, 1..=7) || scan.low >= frame.bits {
        return Err(failed(format!("lossless predictor {predictor} with point transform {shift}")));
    }
    let coded = |component: &ScanComponent| Ok(Coded { place: component.place, table: tables.dc(component)?, left: 0, above_left: 0 });
    let mut coded = scan.components.iter().map(coded).collect::<Result<Vec<_>>>()?;
    let (width, components) = (usize::from(frame.width), frame.components.len());
    let row_length = width.saturating_mul(components);
    let rows_of_interval = match tables.restart.checked_rem(width) {
        Some(0) => tables.restart.checked_div(width).unwrap_or(0),
        // H.1.1: an interval has whole rows.
        _ => return Err(failed(format!("a restart interval of {} samples in rows of {width}", tables.restart))),
    };
    let first = 1_i32 << u32::from(frame.bits).saturating_sub(shift).saturating_sub(1);
    let mut source = Bits::new(data);
    let mut above: &mut [u16] = &mut [];
    let mut until_restart = rows_of_interval;
    for row in samples.chunks_exact_mut(row_length.max(1)) {
        let mut starts = above.is_empty();
        if rows_of_interval > 0 {
            if until_restart == 0 {
                source.restart()?;
                (until_restart, starts) = (rows_of_interval, true);
            }
            until_restart = until_restart.saturating_sub(1);
        }
        if starts {
            coded.iter_mut().for_each(|component| component.left = first);
            for pixel in row.chunks_exact_mut(components.max(1)) {
                for component in &mut coded {
                    component.left = add(component.left, difference(component.table, &mut source)?);
                    store(pixel, component.place, component.left, shift);
                }
            }
        } else {
            let pixels = row.chunks_exact_mut(components.max(1)).zip(above.chunks_exact(components.max(1)));
            for (x, (pixel, above)) in pixels.enumerate() {
                for component in &mut coded {
                    let above = i32::from(above.get(component.place).copied().unwrap_or(0) >> shift);
                    let predicted = if x == 0 { above } else { predict(predictor, component.left, above, component.above_left) };
                    component.left = add(predicted, difference(component.table, &mut source)?);
                    component.above_left = above;
                    store(pixel, component.place, component.left, shift);
                }
            }
        }
        above = row;
    }
    Ok(source.at_marker())
}

/// The next difference: category 16 is 32,768, without bits of its own (H.1.2.2).
fn difference(table: &Huffman, bits: &mut Bits<'_>) -> Result<i32> {
    match table.decode(bits)? {
        16 => Ok(32_768),
        category @ 0..=15 => bits.signed(u32::from(category)),
        _ => Err(failed("a difference of too many bits")),
    }
}

/// Samples are added modulo 2^16.
fn add(predicted: i32, difference: i32) -> i32 {
    predicted.wrapping_add(difference) & 0xffff
}

fn store(pixel: &mut [u16], place: usize, sample: i32, shift: u32) {
    if let Some(to) = pixel.get_mut(place) {
        *to = u16::try_from(sample).unwrap_or(0) << shift;
    }
}

/// Table H.1, of the samples to the left, above, and to the left above.
fn predict(predictor: u8, left: i32, above: i32, above_left: i32) -> i32 {
    match predictor {
        1 => left,
        2 => above,
        3 => above_left,
        4 => left.wrapping_add(above).wrapping_sub(above_left),
        5 => left.wrapping_add(above.wrapping_sub(above_left) >> 1),
        6 => above.wrapping_add(left.wrapping_sub(above_left) >> 1),
        _ => left.wrapping_add(above) >> 1,
    }
}
