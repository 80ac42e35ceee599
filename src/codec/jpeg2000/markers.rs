//! What the marker segments of a codestream claim (ISO/IEC 15444-1, annex A), looked at before the decoder allocates for it.
//!
//! A decoder keeps something for each inner tile, precinct and code block, and a header of a hundred bytes can claim one of them a pixel. Real
//! streams have few, so that what a stream makes the decoder hold stays in proportion to its pixels.

use crate::codec::{array, size};
use crate::error::{Error, Result};

const SOC: u16 = 0xff4f;
const CAP: u16 = 0xff50;
const SIZ: u16 = 0xff51;
const COD: u16 = 0xff52;
const COC: u16 = 0xff53;
const QCD: u16 = 0xff5c;
const QCC: u16 = 0xff5d;
const RGN: u16 = 0xff5e;
const SOT: u16 = 0xff90;
const SOD: u16 = 0xff93;
const EOC: u16 = 0xffd9;

/// Inner tiles of one stream. A stream is itself a tile of the file around it, and has one or a few.
const MOST_TILES: u64 = 4096;
/// The least side of a precinct, in pixels of the image: two to this power.
const LEAST_PRECINCT: u8 = 3;
/// The most layers that the decoder tells apart.
const MOST_LAYERS: u16 = 32;

/// What is known of the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Bits of a sample.
    pub(super) depth: u8,
    pub(super) signed: bool,
}

fn early() -> Error {
    Error::codec("jpeg2000", "the data ends early")
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16> {
    array(bytes, at).map(u16::from_be_bytes).ok_or_else(early)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32> {
    array(bytes, at).map(u32::from_be_bytes).ok_or_else(early)
}

fn byte_at(bytes: &[u8], at: usize) -> Result<u8> {
    bytes.get(at).copied().ok_or_else(early)
}

/// The codestream: the input itself, or what its first box `jp2c` holds (annex I).
pub(super) fn codestream(input: &[u8]) -> Result<&[u8]> {
    if input.starts_with(&SOC.to_be_bytes()) {
        return Ok(input);
    }
    if !input.starts_with(b"\0\0\0\x0cjP  ") {
        return Err(Error::codec("jpeg2000", "not a JPEG 2000 stream"));
    }
    let mut rest = input;
    loop {
        let kind: [u8; 4] = array(rest, 4).ok_or_else(early)?;
        let (head, length) = match u32_at(rest, 0)? {
            // To the end of the input.
            0 => (8, rest.len()),
            1 => (16, array(rest, 8).map(u64::from_be_bytes).and_then(|n| usize::try_from(n).ok()).ok_or_else(early)?),
            n => (8, size(n)),
        };
        let content = rest.get(head..length).ok_or_else(early)?;
        if &kind == b"jp2c" {
            return Ok(content);
        }
        rest = rest.get(length..).unwrap_or_default();
    }
}

/// Width and height of what a codestream says it holds.
///
/// # Errors
/// `Codec` where it does not begin with its size.
pub(super) fn size_of_image(stream: &[u8]) -> Result<(usize, usize)> {
    let mut segments = Segments { rest: stream.get(2..).unwrap_or_default() };
    let Some(Segment { marker: SIZ, body }) = segments.next()? else { return Err(Error::codec("jpeg2000", "no image size")) };
    let along = |end: usize, start: usize| -> Result<usize> { Ok(size(u32_at(body, end)?.saturating_sub(u32_at(body, start)?))) };
    Ok((along(2, 10)?, along(6, 14)?))
}

/// Walks all headers of a codestream of `samples` components.
///
/// # Errors
/// `Codec` where they break the rules or end early, `Unsupported` for what the decoder does not read or could not hold in proportion.
pub(super) fn check(stream: &[u8], samples: usize) -> Result<Header> {
    let mut segments = Segments { rest: stream.get(2..).unwrap_or_default() };
    let Some(Segment { marker: SIZ, body }) = segments.next()? else { return Err(Error::codec("jpeg2000", "no image size")) };
    let (header, tiles) = image_size(body, samples)?;
    let mut style = Style { components: samples, layers: 1, block: u32::MAX };
    let mut first_parts = 0u64;
    while let Some(segment) = segments.next()? {
        style.see(&segment)?;
    }
    // The tile-parts: a header each, and data up to the length that stands in its first segment.
    while u16_at(segments.rest, 0)? != EOC {
        let part = segments.rest;
        if u16_at(part, 0)? != SOT || u16_at(part, 2)? != 10 {
            return Err(Error::codec("jpeg2000", "no tile-part where one should start"));
        }
        let length = match u32_at(part, 6)? {
            0 => part.len().checked_sub(2).ok_or_else(early)?,
            n => size(n),
        };
        first_parts = first_parts.saturating_add(u64::from(byte_at(part, 10)? == 0));
        let mut headers = Segments { rest: part.get(12..length).ok_or_else(early)? };
        while let Some(segment) = headers.next()? {
            style.see(&segment)?;
        }
        segments.rest = part.get(length..).ok_or_else(early)?;
    }
    if first_parts != tiles {
        return Err(Error::codec("jpeg2000", format!("{first_parts} of {tiles} inner tiles")));
    }
    Ok(header)
}

/// A marker segment without its length.
struct Segment<'a> {
    marker: u16,
    body: &'a [u8],
}

/// The marker segments of a header.
struct Segments<'a> {
    rest: &'a [u8],
}

impl<'a> Segments<'a> {
    /// The next one; `None` where tile-parts or data begin.
    fn next(&mut self) -> Result<Option<Segment<'a>>> {
        loop {
            let marker = u16_at(self.rest, 0)?;
            let body = self.rest.get(2..).unwrap_or_default();
            match marker {
                SOT | SOD | EOC => return Ok(None),
                // Markers without a segment.
                0xff30..=0xff3f => self.rest = body,
                _ => {
                    let length = usize::from(u16_at(body, 0)?);
                    self.rest = body.get(length..).ok_or_else(early)?;
                    let body = body.get(2..length).ok_or_else(|| Error::codec("jpeg2000", "a marker segment shorter than its length"))?;
                    return Ok(Some(Segment { marker, body }));
                }
            }
        }
    }
}

/// The samples and the number of inner tiles (A.5.1).
fn image_size(body: &[u8], samples: usize) -> Result<(Header, u64)> {
    let components = usize::from(u16_at(body, 34)?);
    if components != samples {
        return Err(Error::codec("jpeg2000", format!("{components} components where the chunk has {samples} samples")));
    }
    let (each, rest) = body.get(36..).unwrap_or_default().as_chunks::<3>();
    if each.len() != components || !rest.is_empty() {
        return Err(Error::codec("jpeg2000", "the image size is not as long as its components need"));
    }
    let kind = each.first().map(|c| c[0]).ok_or_else(early)?;
    if each.iter().any(|c| c[0] != kind) {
        return Err(Error::unsupported("JPEG 2000 of components that differ in depth"));
    }
    let along = |size: usize, tile: usize, offset: usize| -> Result<u64> {
        let span = u32_at(body, size)?.checked_sub(u32_at(body, offset)?);
        span.zip(Some(u32_at(body, tile)?).filter(|n| *n > 0))
            .map(|(span, tile)| u64::from(span.div_ceil(tile)))
            .ok_or_else(|| Error::codec("jpeg2000", "inner tiles without a size"))
    };
    let tiles = along(2, 18, 26)?.saturating_mul(along(6, 22, 30)?);
    if tiles > MOST_TILES {
        return Err(Error::unsupported(format!("JPEG 2000 of {tiles} inner tiles")));
    }
    Ok((Header { depth: (kind & 0x7f).saturating_add(1), signed: kind & 0x80 != 0 }, tiles))
}

/// How finely the stream is divided, at the worst of all its headers.
struct Style {
    components: usize,
    layers: u16,
    /// Samples of the smallest code block.
    block: u32,
}

impl Style {
    /// Looks at one segment. Its length must be what its content needs, so that the decoder sees the same segments.
    fn see(&mut self, Segment { marker, body }: &Segment<'_>) -> Result<()> {
        let index = if self.components < 257 { 1usize } else { 2 };
        let exactly = |length: usize| {
            if body.len() == length { Ok(()) } else { Err(Error::codec("jpeg2000", format!("marker {marker:x} of {} bytes", body.len()))) }
        };
        match *marker {
            COD => {
                self.layers = self.layers.max(u16_at(body, 2)?);
                exactly(self.coding(byte_at(body, 0)?, body.get(5..).unwrap_or_default())?.saturating_add(5))
            }
            COC => {
                let head = index.saturating_add(1);
                exactly(self.coding(byte_at(body, index)?, body.get(head..).unwrap_or_default())?.saturating_add(head))
            }
            QCD => exactly(quantization(body)),
            QCC => exactly(quantization(body.get(index..).unwrap_or_default()).saturating_add(index)),
            RGN => exactly(index.saturating_add(2)),
            CAP => Err(Error::unsupported("High-Throughput JPEG 2000")),
            SIZ => Err(Error::codec("jpeg2000", "a second image size")),
            _ => Ok(()),
        }?;
        if self.layers > MOST_LAYERS {
            return Err(Error::unsupported(format!("JPEG 2000 of {} layers", self.layers)));
        }
        if u32::from(self.layers) > self.block {
            return Err(Error::unsupported(format!("JPEG 2000 of {} layers and code blocks of {} samples", self.layers, self.block)));
        }
        Ok(())
    }

    /// The parameters of table A.20: levels, code blocks, precincts. Gives their length.
    fn coding(&mut self, flags: u8, parameters: &[u8]) -> Result<usize> {
        let (levels, width, height) = (byte_at(parameters, 0)?, byte_at(parameters, 1)?, byte_at(parameters, 2)?);
        let has_precincts = flags & 1 != 0;
        let count = if has_precincts { usize::from(levels).saturating_add(1) } else { 0 };
        let precincts = parameters.get(5..).and_then(|p| p.get(..count)).ok_or_else(early)?;
        let (mut width, mut height) = (width.saturating_add(2), height.saturating_add(2));
        for (resolution, sides) in (0u8..).zip(precincts) {
            // A low resolution has as many fewer samples as its precincts may be smaller.
            let reduced = levels.saturating_sub(resolution);
            let (x, y) = (sides & 15, sides >> 4);
            if x.min(y).saturating_add(reduced) < LEAST_PRECINCT {
                return Err(Error::unsupported(format!("JPEG 2000 with precincts of 2^{x} x 2^{y}")));
            }
            if reduced == 0 {
                (width, height) = (width.min(x.saturating_sub(1)), height.min(y.saturating_sub(1)));
            }
        }
        let sides = u32::from(width).saturating_add(u32::from(height));
        self.block = self.block.min(1u32.checked_shl(sides).unwrap_or(u32::MAX));
        Ok(count.saturating_add(5))
    }
}

/// The length that a quantization's parameters need (A.6.4), as long as they are or different.
fn quantization(body: &[u8]) -> usize {
    match body.split_first() {
        Some((style, _)) if style & 0x1f == 1 => 3,
        Some((style, steps)) if style & 0x1f == 2 => (steps.len() & !1).saturating_add(1),
        _ => body.len(),
    }
}
