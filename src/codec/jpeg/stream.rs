//! The tables and the scans of a stream (ITU-T T.81, B.2).

use super::failed;
use super::huffman::Huffman;
use crate::error::{Error, Result};
use crate::model::jpeg::{Frame, SCAN, Segments};

/// Where the coefficients of a block stand, in the order of the stream (figure A.6).
#[rustfmt::skip]
pub(super) const ZIGZAG: [usize; 64] = [
     0,  1,  8, 16,  9,  2,  3, 10, 17, 24, 32, 25, 18, 11,  4,  5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,  6,  7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// What the segments before a scan have set.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// Quantization, in the order of the stream.
    pub(super) quantization: [Option<[u16; 64]>; 4],
    dc: [Option<Huffman>; 4],
    ac: [Option<Huffman>; 4],
    /// MCUs between two restart markers, 0 where there are none.
    pub(super) restart: usize,
}

/// One component of a scan.
#[derive(Debug)]
pub(super) struct ScanComponent {
    /// Its place in the frame.
    pub(super) place: usize,
    dc: usize,
    ac: usize,
}

/// A scan header.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) components: Vec<ScanComponent>,
    /// The first coefficient; in lossless coding the predictor.
    pub(super) start: u8,
    /// The last coefficient.
    pub(super) end: u8,
    /// Successive approximation: the bits before.
    pub(super) high: u8,
    /// Successive approximation: the bits left out; in lossless coding the point transform.
    pub(super) low: u8,
}

impl Scan {
    fn parse(body: &[u8], frame: &Frame<'_>) -> Result<Self> {
        let ends_early = || failed("a scan header ends early");
        let (count, rest) = body.split_first().ok_or_else(ends_early)?;
        let (selectors, rest) = rest.split_at_checked(usize::from(*count).saturating_mul(2)).ok_or_else(ends_early)?;
        let [start, end, approximation, ..] = rest else { return Err(ends_early()) };
        let (selectors, _) = selectors.as_chunks::<2>();
        let component = |[id, tables]: &[u8; 2]| {
            let place = frame.components.iter().position(|[known, ..]| known == id);
            let place = place.ok_or_else(|| failed("a scan of a component that the frame does not have"))?;
            Ok(ScanComponent { place, dc: usize::from(tables >> 4), ac: usize::from(tables & 15) })
        };
        let components = selectors.iter().map(component).collect::<Result<Vec<_>>>()?;
        if !matches!(components.len(), 1..=4) {
            return Err(failed("a scan of none or of too many components"));
        }
        Ok(Self { components, start: *start, end: *end, high: approximation >> 4, low: approximation & 15 })
    }
}

impl Tables {
    pub(super) fn dc(&self, component: &ScanComponent) -> Result<&Huffman> {
        self.dc.get(component.dc).and_then(Option::as_ref).ok_or_else(|| failed("no DC table"))
    }
    pub(super) fn ac(&self, component: &ScanComponent) -> Result<&Huffman> {
        self.ac.get(component.ac).and_then(Option::as_ref).ok_or_else(|| failed("no AC table"))
    }

    fn set_quantization(&mut self, mut body: &[u8]) -> Result<()> {
        let wrong = || failed("a quantization table that is none");
        while let [kind, rest @ ..] = body {
            let slot = self.quantization.get_mut(usize::from(kind & 15)).ok_or_else(wrong)?;
            let mut table = [0; 64];
            body = if kind >> 4 == 0 {
                let (values, rest) = rest.split_at_checked(64).ok_or_else(wrong)?;
                table.iter_mut().zip(values).for_each(|(to, value)| *to = u16::from(*value));
                rest
            } else {
                let (values, rest) = rest.split_at_checked(128).ok_or_else(wrong)?;
                table.iter_mut().zip(values.as_chunks::<2>().0).for_each(|(to, value)| *to = u16::from_be_bytes(*value));
                rest
            };
            *slot = Some(table);
        }
        Ok(())
    }

    fn set_huffman(&mut self, mut body: &[u8]) -> Result<()> {
        let wrong = || failed("a huffman table that is none");
        while let [kind, rest @ ..] = body {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or_else(wrong)?;
            let symbols = counts.iter().map(|n| usize::from(*n)).sum();
            let (symbols, rest) = rest.split_at_checked(symbols).ok_or_else(wrong)?;
            let of_kind = match kind >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return Err(wrong()),
            };
            *of_kind.get_mut(usize::from(kind & 15)).ok_or_else(wrong)? = Some(Huffman::new(counts, symbols)?);
            body = rest;
        }
        Ok(())
    }

    /// Takes in the segments of a stream, and calls `decode` on each scan's header and data; it gives back what follows the data. Ends when
    /// each component has been in a scan.
    pub(super) fn read<'a>(
        &mut self,
        stream: &'a [u8],
        frame: &Frame<'_>,
        mut decode: impl FnMut(&Self, &Scan, &'a [u8]) -> Result<&'a [u8]>,
    ) -> Result<()> {
        let mut missing: Vec<bool> = frame.components.iter().map(|_| true).collect();
        let mut segments = Segments::new(stream);
        while missing.contains(&true) {
            let (marker, body) = segments.next().ok_or_else(|| failed("the data ends before all components are there"))?;
            match marker {
                0xc4 => self.set_huffman(body)?,
                0xdb => self.set_quantization(body)?,
                0xdd => {
                    self.restart = body.first_chunk().map(|n| usize::from(u16::from_be_bytes(*n))).ok_or_else(|| failed("no restart interval"))?
                }
                0xdc => return Err(Error::unsupported("JPEG whose height stands behind its first scan")),
                SCAN => {
                    let scan = Scan::parse(body, frame)?;
                    for component in &scan.components {
                        // Each scan reads as many bits as it has samples or more, so what a stream costs is in proportion to its length.
                        match missing.get_mut(component.place) {
                            Some(missing @ true) => *missing = false,
                            _ => return Err(failed("a component in two scans")),
                        }
                    }
                    segments = Segments::new(decode(self, &scan, segments.rest)?);
                }
                _ => {}
            }
        }
        Ok(())
    }
}
