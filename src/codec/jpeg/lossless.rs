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

#[cfg(test)]
mod tests {
    use super::*;

    /// Bits with stuffed zeros, filled up with ones.
    #[derive(Default)]
    struct Writer(Vec<bool>);

    impl Writer {
        fn put(&mut self, value: u32, count: u32) {
            self.0.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        }
        fn finish(&mut self, out: &mut Vec<u8>) {
            for byte in std::mem::take(&mut self.0).chunks(8) {
                let byte = (0..8).fold(0_u8, |n, bit| n << 1 | u8::from(byte.get(bit).copied().unwrap_or(true)));
                out.extend(if byte == 0xff { vec![0xff, 0] } else { vec![byte] });
            }
        }
    }

    /// Rows of one component with predictor 1, a restart marker behind each row if wanted. Categories are codes of 5 bits.
    fn encode(rows: &[Vec<u16>], bits: u8, shift: u8, restarts: bool) -> Vec<u8> {
        let width = rows[0].len() as u16;
        let [w1, w0] = width.to_be_bytes();
        let mut out = vec![0xff, 0xd8, 0xff, 0xc4, 0, 19 + 17, 0, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        out.extend(0..17);
        out.extend([0xff, 0xdd, 0, 4, if restarts { w1 } else { 0 }, if restarts { w0 } else { 0 }]);
        out.extend([0xff, 0xc3, 0, 11, bits, 0, rows.len() as u8, w1, w0, 1, 7, 0x11, 0, 0xff, 0xda, 0, 8, 1, 7, 0, 1, 0, shift]);
        let mut writer = Writer::default();
        for (y, row) in rows.iter().enumerate() {
            let start = if y == 0 || restarts { 1 << (bits - shift - 1) } else { rows[y - 1][0] >> shift };
            let mut before = start;
            for sample in row.iter().map(|n| n >> shift) {
                let difference = i32::from(sample.wrapping_sub(before) as i16);
                before = sample;
                let category = 32 - difference.unsigned_abs().leading_zeros();
                writer.put(category, 5);
                match difference {
                    -32_768 => {}
                    ..0 => writer.put((difference - 1) as u32, category),
                    _ => writer.put(difference as u32, category),
                }
            }
            if restarts && y + 1 < rows.len() {
                writer.finish(&mut out);
                out.extend([0xff, 0xd0 + y as u8 % 8]);
            }
        }
        writer.finish(&mut out);
        out.extend([0xff, 0xd9]);
        out
    }

    #[test]
    fn restarts_shifts_and_the_largest_difference() {
        let rows: Vec<Vec<u16>> = (0..9_u32).map(|y| (0..13_u32).map(|x| (y * 9_000 + x * x * 700) as u16 & 0xfffc).collect()).collect();
        let far: Vec<Vec<u16>> = vec![vec![0, 32_768, 0, 65_535, 32_767, 1], vec![32_768, 0, 32_768, 0, 3, 4]];
        for (rows, bits, shift) in [(&rows, 16, 0), (&rows, 16, 2), (&far, 16, 0)] {
            for restarts in [false, true] {
                let stream = encode(rows, bits, shift, restarts);
                let frame = Frame::find(&stream).unwrap();
                let mut samples = vec![0; rows.concat().len()];
                decode(&stream, &frame, &mut samples).unwrap();
                assert_eq!(samples, rows.concat(), "{bits} bits, shift {shift}, restarts {restarts}");
                // A restart interval that is no number of rows.
                let at = stream.windows(2).position(|w| w == [0xff, 0xdd]).unwrap();
                let mut odd = stream.clone();
                odd[at + 5] = 5;
                assert!(decode(&odd, &frame, &mut samples).is_err());
            }
        }
    }
}
