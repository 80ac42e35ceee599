//! Sequential DCT with Huffman coding (ITU-T T.81, F.2), of 8 and of 12 bits: what zune-jpeg leaves out.

use super::bits::Bits;
use super::huffman::Huffman;
use super::stream::{Scan, ScanComponent, Tables, ZIGZAG};
use super::{failed, idct};
use crate::error::{Error, Result};
use crate::model::jpeg::Frame;
use crate::model::{Limits, zeroed};

/// A component as decoded, at its own resolution.
#[derive(Debug)]
pub(super) struct Plane {
    /// How many of its samples stand for the largest number of samples of any component: along x, along y.
    pub(super) horizontal: usize,
    pub(super) vertical: usize,
    /// Columns and rows that belong to the image; what is stored is padded to whole MCUs.
    pub(super) width: usize,
    pub(super) height: usize,
    /// Blocks of an MCU.
    across: usize,
    down: usize,
    quantization: usize,
    stride: usize,
    samples: Vec<u16>,
}

impl Plane {
    /// A row, the last one for those beyond.
    pub(super) fn row(&self, y: usize) -> &[u16] {
        let start = y.min(self.height.saturating_sub(1)).saturating_mul(self.stride);
        self.samples.get(start..).and_then(|rest| rest.get(..self.width)).unwrap_or_default()
    }

    fn put(&mut self, column: usize, row: usize, block: &[[u16; 8]; 8]) {
        let start = row.saturating_mul(8).saturating_mul(self.stride).saturating_add(column.saturating_mul(8));
        let rows = self.samples.get_mut(start..).unwrap_or_default().chunks_mut(self.stride.max(1));
        for (to, samples) in rows.zip(block) {
            to.iter_mut().zip(samples).for_each(|(to, sample)| *to = *sample);
        }
    }
}

/// The components of a stream.
///
/// # Errors
/// `Limit` where they take more than `max_chunk_bytes`.
pub(super) fn decode(stream: &[u8], frame: &Frame<'_>, limits: &Limits) -> Result<Vec<Plane>> {
    let layout = Layout::new(frame)?;
    let mut planes = layout.planes(frame, limits)?;
    Tables::default().read(stream, frame, |tables, scan, data| {
        if (scan.start, scan.end, scan.high, scan.low) != (0, 63, 0, 0) {
            return Err(failed("a sequential scan of part of the coefficients"));
        }
        layout.scan(tables, scan, &mut planes, frame.bits, data)
    })?;
    Ok(planes)
}

/// How the MCUs of a frame lie.
struct Layout {
    columns: usize,
    rows: usize,
    horizontal: usize,
    vertical: usize,
}

/// The sampling factors of a component.
fn factors([_, sampling, _]: &[u8; 3]) -> (usize, usize) {
    (usize::from(sampling >> 4), usize::from(sampling & 15))
}

impl Layout {
    fn new(frame: &Frame<'_>) -> Result<Self> {
        let (mut horizontal, mut vertical) = (1, 1);
        for component in frame.components {
            let (h, v) = factors(component);
            if !matches!((h, v), (1..=4, 1..=4)) {
                return Err(failed(format!("sampling factors of {h} x {v}")));
            }
            (horizontal, vertical) = (horizontal.max(h), vertical.max(v));
        }
        let along = |length: u16, factor: usize| usize::from(length).div_ceil(factor.saturating_mul(8));
        Ok(Self { columns: along(frame.width, horizontal), rows: along(frame.height, vertical), horizontal, vertical })
    }

    fn planes(&self, frame: &Frame<'_>, limits: &Limits) -> Result<Vec<Plane>> {
        let of_component = |component: &[u8; 3]| {
            let [_, _, table] = component;
            let (h, v) = factors(component);
            if !self.horizontal.is_multiple_of(h) || !self.vertical.is_multiple_of(v) {
                return Err(Error::unsupported("JPEG whose components differ in resolution by a fraction"));
            }
            let stride = self.columns.saturating_mul(h).saturating_mul(8);
            let size = stride.saturating_mul(self.rows).saturating_mul(v).saturating_mul(8);
            Ok(Plane {
                horizontal: self.horizontal.checked_div(h).unwrap_or(1),
                vertical: self.vertical.checked_div(v).unwrap_or(1),
                width: usize::from(frame.width).saturating_mul(h).div_ceil(self.horizontal),
                height: usize::from(frame.height).saturating_mul(v).div_ceil(self.vertical),
                across: h,
                down: v,
                quantization: usize::from(*table),
                stride,
                samples: zeroed(size)?,
            })
        };
        let mcu: usize = frame.components.iter().map(factors).map(|(h, v)| h.saturating_mul(v)).sum();
        let samples = self.columns.saturating_mul(self.rows).saturating_mul(mcu).saturating_mul(64);
        Limits::check("max_chunk_bytes", (samples as u64).saturating_mul(2), limits.max_chunk_bytes)?;
        frame.components.iter().map(of_component).collect()
    }

    fn scan<'a>(&self, tables: &Tables, scan: &Scan, planes: &mut [Plane], bits: u8, data: &'a [u8]) -> Result<&'a [u8]> {
        let mut coded = Vec::with_capacity(scan.components.len());
        for component in &scan.components {
            coded.push(Coded::new(tables, component, planes.get(component.place))?);
        }
        // A scan of one component has its blocks row by row, without the padding to whole MCUs (A.2.2).
        let (columns, rows) = match (coded.as_mut_slice(), scan.components.as_slice()) {
            ([alone], [component]) => {
                (alone.across, alone.down) = (1, 1);
                planes.get(component.place).map_or((0, 0), |plane| (plane.width.div_ceil(8), plane.height.div_ceil(8)))
            }
            _ => (self.columns, self.rows),
        };
        let mut source = Bits::new(data);
        let mut until_restart = tables.restart;
        for row in 0..rows {
            for column in 0..columns {
                if tables.restart > 0 {
                    if until_restart == 0 {
                        source.restart()?;
                        coded.iter_mut().for_each(|component| component.previous = 0);
                        until_restart = tables.restart;
                    }
                    until_restart = until_restart.saturating_sub(1);
                }
                for component in &mut coded {
                    for y in 0..component.down {
                        for x in 0..component.across {
                            let block = component.block(&mut source)?;
                            let samples = idct::inverse(&block, bits);
                            if let Some(plane) = planes.get_mut(component.place) {
                                let column = column.saturating_mul(component.across).saturating_add(x);
                                plane.put(column, row.saturating_mul(component.down).saturating_add(y), &samples);
                            }
                        }
                    }
                }
            }
        }
        Ok(source.at_marker())
    }
}

/// A component of a scan, with all that decodes its blocks.
struct Coded<'a> {
    place: usize,
    /// Blocks of an MCU.
    across: usize,
    down: usize,
    quantization: &'a [u16; 64],
    dc: &'a Huffman,
    ac: &'a Huffman,
    /// The first coefficient of the block before.
    previous: i32,
}

impl<'a> Coded<'a> {
    fn new(tables: &'a Tables, component: &ScanComponent, plane: Option<&Plane>) -> Result<Self> {
        let plane = plane.ok_or_else(|| failed("a scan of a component that the frame does not have"))?;
        let quantization = tables.quantization.get(plane.quantization).and_then(Option::as_ref).ok_or_else(|| failed("no quantization table"))?;
        Ok(Self {
            place: component.place,
            across: plane.across,
            down: plane.down,
            quantization,
            dc: tables.dc(component)?,
            ac: tables.ac(component)?,
            previous: 0,
        })
    }

    /// The next block, dequantized.
    fn block(&mut self, bits: &mut Bits<'_>) -> Result<[[i32; 8]; 8]> {
        let mut block = [[0; 8]; 8];
        let mut put = |place: usize, value: i32| {
            let step = self.quantization.get(place).copied().unwrap_or(0);
            let place = ZIGZAG.get(place).and_then(|place| block.as_flattened_mut().get_mut(*place));
            place.map(|to| *to = value.wrapping_mul(i32::from(step))).ok_or_else(|| failed("more coefficients than a block has"))
        };
        let category = self.dc.decode(bits)?;
        if category > 15 {
            return Err(failed("a coefficient of too many bits"));
        }
        self.previous = self.previous.wrapping_add(bits.signed(u32::from(category))?);
        put(0, self.previous)?;
        let mut place = 1_usize;
        while place < 64 {
            let symbol = self.ac.decode(bits)?;
            let (zeros, category) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            if category == 0 && zeros < 15 {
                break;
            }
            place = place.saturating_add(zeros);
            if category > 0 {
                put(place, bits.signed(category)?)?;
            }
            place = place.saturating_add(1);
        }
        Ok(block)
    }
}
