//! The segments of a JPEG stream (ITU-T T.81, annex B): what parsers of containers and decoders both look at.

/// SOI.
pub(crate) const START: [u8; 2] = [0xff, 0xd8];
/// The code of SOS.
pub(crate) const SCAN: u8 = 0xda;

/// The segments of a stream or of tables up to a scan, that included: each marker's code, and what stands behind its length. What is not
/// a segment before a marker is left out, as in libjpeg.
#[derive(Debug, Clone)]
pub(crate) struct Segments<'a> {
    /// What follows the last segment; behind a scan, its data.
    pub(crate) rest: &'a [u8],
    scan: bool,
}

impl<'a> Segments<'a> {
    pub(crate) fn new(stream: &'a [u8]) -> Self {
        Self { rest: stream, scan: false }
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = (u8, &'a [u8]);
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let start = self.rest.iter().position(|b| *b == 0xff).filter(|_| !self.scan)?;
            // A marker is 0xff, any fill bytes of 0xff, and its code.
            let fill = self.rest.get(start..)?;
            let code = fill.iter().position(|b| *b != 0xff)?;
            let (marker, segment) = fill.get(code..)?.split_first()?;
            match *marker {
                0x00 | 0x01 | 0xd0..=0xd8 => self.rest = segment,
                0xd9 => return None,
                marker => {
                    let (length, body) = segment.split_first_chunk::<2>()?;
                    let (body, rest) = body.split_at_checked(usize::from(u16::from_be_bytes(*length)).checked_sub(2)?)?;
                    self.rest = rest;
                    self.scan = marker == SCAN;
                    return Some((marker, body));
                }
            }
        }
    }
}

/// A frame header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// The code of its marker, which is the kind of coding: 0xc0 to 0xcf.
    #[cfg_attr(not(feature = "jpeg"), allow(dead_code, reason = "only the decoder asks"))]
    pub(crate) marker: u8,
    /// Bits of a sample.
    pub(crate) bits: u8,
    pub(crate) height: u16,
    pub(crate) width: u16,
    /// Of each component: its identifier, its sampling factors (4 bits each, horizontal first), its quantization table.
    pub(crate) components: &'a [[u8; 3]],
}

impl<'a> Frame<'a> {
    /// The frame header that a segment is, if it is one.
    pub(crate) fn parse(marker: u8, body: &'a [u8]) -> Option<Self> {
        if !matches!(marker, 0xc0..=0xcf) || matches!(marker, 0xc4 | 0xc8 | 0xcc) {
            return None;
        }
        let ([bits, h1, h0, w1, w0, count], rest) = body.split_first_chunk::<6>()?;
        let (components, _) = rest.as_chunks::<3>();
        let components = components.get(..usize::from(*count))?;
        Some(Self { marker, bits: *bits, height: u16::from_be_bytes([*h1, *h0]), width: u16::from_be_bytes([*w1, *w0]), components })
    }

    /// The first frame header of a stream.
    pub(crate) fn find(stream: &'a [u8]) -> Option<Self> {
        Segments::new(stream).find_map(|(marker, body)| Self::parse(marker, body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_up_to_the_scan() {
        let stream =
            [0xff, 0xd8, 0xff, 0xdd, 0, 4, 1, 2, 7, 0xff, 0xff, 0xc3, 0, 11, 12, 0, 3, 1, 0, 1, 9, 0x21, 2, 0xff, 0xda, 0, 3, 5, 0xff, 0xdd, 0, 2];
        let mut segments = Segments::new(&stream);
        assert_eq!(segments.next(), Some((0xdd, &[1, 2][..])));
        assert_eq!(segments.next().map(|(marker, _)| marker), Some(0xc3));
        assert_eq!(segments.next(), Some((SCAN, &[5][..])));
        assert_eq!((segments.next(), segments.rest), (None, &[0xff, 0xdd, 0, 2][..]), "data of a scan");
        let frame = Frame::find(&stream).unwrap();
        assert_eq!((frame.marker, frame.bits, frame.height, frame.width), (0xc3, 12, 3, 256));
        assert_eq!(frame.components, [[9, 0x21, 2]]);
        for cut in 0..23 {
            assert!(Frame::find(&stream[..cut]).is_none(), "{cut}");
        }
    }
}
