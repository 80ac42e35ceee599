//! Old-style JPEG (TIFF 6.0, section 22): one stream for the whole image, whose headers stand apart from its strips or in tags of their own.
//!
//! What comes out is the start of a stream, which the chunks go on with as if it were their JPEGTables. Each strip begins anew, as behind a
//! restart marker (libtiff has it so too). Thumbnails (Exif 2.3, 4.5.4) have no strips at all: what their tags leave out, the frame header
//! says.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::directory::{Directory, Layout, Table};
use super::tag::{self, Values};
use crate::error::{Error, Result};
use crate::model::Column;
use crate::model::jpeg::{Frame, SCAN, START, Segments};

/// Bytes that are looked through for headers.
const HEADERS: u64 = 64 << 10;
/// Components, and so tables, of an image.
const COMPONENTS: usize = 4;

/// The bytes of a range, `None` where they are still to be fetched.
pub(super) type Fetch<'a> = dyn FnMut(Range<u64>) -> Result<Option<Bytes>> + 'a;

/// Completes a directory; `None` where bytes are still to be fetched.
pub(super) fn complete(directory: &mut Directory, tags: &BTreeMap<u16, Values>, size: Option<u64>, fetch: &mut Fetch<'_>) -> Result<Option<()>> {
    let number = |tag: u16| tags.get(&tag).and_then(Values::first).filter(|n| *n > 0);
    if number(tag::JPEG_PROC) == Some(14) {
        return Err(Error::unsupported("old-style jpeg without loss"));
    }
    let length = number(tag::JPEG_INTERCHANGE_LENGTH);
    let interchange = number(tag::JPEG_INTERCHANGE_FORMAT).map(|start| start..length.map_or(u64::MAX, |length| start.saturating_add(length)));
    let Some(strip) = first_strip(directory)? else {
        let stream = interchange.ok_or_else(|| Error::malformed("old-style jpeg without strips and without a stream"))?;
        return whole_stream(directory, tags, stream, size, fetch);
    };
    let Some(start) = fetch(strip..strip.saturating_add(2))? else { return Ok(None) };
    if *start == START {
        return describe(directory, tags, strip..u64::MAX, size, fetch);
    }
    if directory.is_separate() {
        return Err(Error::unsupported("old-style jpeg in planes"));
    }
    let headers = match interchange {
        Some(_) if many_tiles(directory) => return Err(Error::unsupported("old-style jpeg whose tiles are in one stream")),
        Some(stream) if stream.start < strip => {
            let end = stream.end.min(strip);
            let Some(bytes) = fetch(stream.start..end.min(stream.start.saturating_add(HEADERS)))? else { return Ok(None) };
            let headers = Headers::parse(&bytes);
            let data = stream.start.saturating_add(headers.bytes.len() as u64);
            if headers.has_scan && data != strip {
                return whole_stream(directory, tags, stream, size, fetch);
            }
            headers
        }
        Some(stream) => return whole_stream(directory, tags, stream, size, fetch),
        None => match from_tables(directory, tags, fetch)? {
            Some(headers) => headers,
            None => return Ok(None),
        },
    };
    with_headers(directory, tags, headers, strip, fetch)
}

/// Segments at the start of a stream.
struct Headers {
    bytes: Vec<u8>,
    has_scan: bool,
}

impl Headers {
    fn parse(bytes: &[u8]) -> Self {
        let mut segments = Segments::new(bytes);
        let has_scan = segments.by_ref().any(|(marker, _)| marker == SCAN);
        let length = bytes.len().saturating_sub(segments.rest.len());
        Self { bytes: bytes.get(..length).unwrap_or_default().to_vec(), has_scan }
    }
}

fn many_tiles(directory: &Directory) -> bool {
    matches!(directory.layout, Layout::Tiles { width, height, .. } if width < directory.width || height < directory.height)
}

fn numbers(table: Option<&Table>) -> Result<&[u64]> {
    match table.map(|table| &table.column) {
        Some(Column::Loaded(numbers)) => Ok(numbers),
        None => Ok(&[]),
        Some(Column::Stored { .. }) => Err(Error::unsupported("old-style jpeg of so many strips that their table is read by pages")),
    }
}

fn first_strip(directory: &Directory) -> Result<Option<u64>> {
    Ok(numbers(directory.offsets.as_ref())?.first().copied().filter(|start| *start > 0))
}

/// Makes these bytes the only strip; a length that is not known is left to the end of the file.
fn one_strip(directory: &mut Directory, stream: Range<u64>) {
    let table = |n: u64| Some(Table { column: Column::Loaded(Arc::from([n])), count: 1 });
    directory.offsets = table(stream.start);
    directory.lengths = if stream.end == u64::MAX { None } else { table(stream.end.saturating_sub(stream.start)) };
    if let Layout::Strips { rows } = &mut directory.layout {
        *rows = directory.height.max(1);
    }
}

/// The stream is complete and stands where the tags say, whatever the strips are.
fn whole_stream(
    directory: &mut Directory,
    tags: &BTreeMap<u16, Values>,
    stream: Range<u64>,
    size: Option<u64>,
    fetch: &mut Fetch<'_>,
) -> Result<Option<()>> {
    if many_tiles(directory) {
        return Err(Error::unsupported("old-style jpeg whose tiles are in one stream"));
    }
    let described = describe(directory, tags, stream.clone(), size, fetch)?;
    if described.is_some() {
        one_strip(directory, stream);
    }
    Ok(described)
}

/// Fills in what the tags leave out from the frame header of a stream.
fn describe(
    directory: &mut Directory,
    tags: &BTreeMap<u16, Values>,
    stream: Range<u64>,
    size: Option<u64>,
    fetch: &mut Fetch<'_>,
) -> Result<Option<()>> {
    let told = |tag: u16| tags.contains_key(&tag);
    if [tag::IMAGE_WIDTH, tag::IMAGE_LENGTH, tag::BITS_PER_SAMPLE, tag::SAMPLES_PER_PIXEL, tag::PHOTOMETRIC].into_iter().all(told) {
        return Ok(Some(()));
    }
    let end = stream.end.min(stream.start.saturating_add(HEADERS)).min(size.unwrap_or(u64::MAX));
    let Some(bytes) = fetch(stream.start..end.max(stream.start))? else { return Ok(None) };
    let frame = Frame::find(&bytes).ok_or_else(|| Error::malformed("old-style jpeg without a frame header"))?;
    say(directory, tags, frame);
    Ok(Some(()))
}

fn say(directory: &mut Directory, tags: &BTreeMap<u16, Values>, frame: Frame<'_>) {
    let told = |tag: u16| tags.contains_key(&tag);
    if !told(tag::IMAGE_WIDTH) {
        directory.width = frame.width.into();
    }
    if !told(tag::IMAGE_LENGTH) {
        directory.height = frame.height.into();
        if let Layout::Strips { rows } = &mut directory.layout
            && !told(tag::ROWS_PER_STRIP)
        {
            *rows = directory.height.max(1);
        }
    }
    if !told(tag::BITS_PER_SAMPLE) {
        directory.bits = vec![frame.bits.into()];
    }
    if !told(tag::SAMPLES_PER_PIXEL) {
        directory.samples = u16::try_from(frame.components.len()).unwrap_or(u16::MAX);
    }
    if !told(tag::PHOTOMETRIC) {
        directory.photometric = Some(if frame.components.len() == 3 { 6 } else { 1 });
    }
}

/// Puts headers before the data of the strips.
fn with_headers(
    directory: &mut Directory,
    tags: &BTreeMap<u16, Values>,
    mut headers: Headers,
    strip: u64,
    fetch: &mut Fetch<'_>,
) -> Result<Option<()>> {
    let mut starts = numbers(directory.offsets.as_ref())?.to_vec();
    let mut lengths = numbers(directory.lengths.as_ref())?.to_vec();
    if !headers.has_scan {
        // The first strip begins with the headers that are missing, the scan's at least, which all other strips need too.
        let length = lengths.first().copied().unwrap_or(0).clamp(16, 1 << 10);
        let Some(start) = fetch(strip..strip.saturating_add(length))? else { return Ok(None) };
        let further = Headers::parse(&start);
        if !further.has_scan || !matches!(*start, [0xff, 0xc0..=0xfe, ..]) {
            return Err(Error::unsupported("old-style jpeg without a scan header"));
        }
        let size = further.bytes.len() as u64;
        headers.bytes.extend(further.bytes);
        if let Some(start) = starts.first_mut() {
            *start = start.saturating_add(size);
        }
        if let Some(length) = lengths.first_mut() {
            *length = length.saturating_sub(size);
        }
    }
    let frame = Frame::find(&headers.bytes).ok_or_else(|| Error::malformed("old-style jpeg without a frame header"))?;
    say(directory, tags, frame);
    match (starts.as_slice(), lengths.as_slice()) {
        ([start], [0] | []) => one_strip(directory, *start..u64::MAX),
        _ => {
            let table = |numbers: Vec<u64>| Some(Table { count: numbers.len() as u64, column: Column::Loaded(numbers.into()) });
            (directory.offsets, directory.lengths) = (table(starts), table(lengths));
        }
    }
    directory.jpeg_tables = Some(headers.bytes.into());
    Ok(Some(()))
}

/// Headers from the tables that tags point at.
fn from_tables(directory: &Directory, tags: &BTreeMap<u16, Values>, fetch: &mut Fetch<'_>) -> Result<Option<Headers>> {
    let listed = |tag: u16| tags.get(&tag).map(|v| v.unsigned().take(COMPONENTS).collect::<Vec<_>>()).unwrap_or_default();
    let (quantization, dc, ac) = (listed(tag::JPEG_Q_TABLES), listed(tag::JPEG_DC_TABLES), listed(tag::JPEG_AC_TABLES));
    let samples = usize::from(directory.samples);
    if samples > COMPONENTS || quantization.len() < samples || dc.len() < samples || ac.len() < samples {
        return Err(Error::malformed("old-style jpeg without its tables"));
    }
    let mut segments = Vec::new();
    let mut complete = true;
    let mut add = |marker: u8, kind: u8, table: Option<Bytes>| match table {
        Some(table) => segments.extend(segment(marker, &[&[kind], &table])),
        None => complete = false,
    };
    for (kind, start) in (0..).zip(&quantization) {
        add(0xdb, kind, fetch(*start..start.saturating_add(64))?);
    }
    for (class, starts) in [(0_u8, &dc), (0x10, &ac)] {
        for (slot, start) in (0_u8..).zip(starts) {
            add(0xc4, class | slot, huffman(*start, fetch)?);
        }
    }
    if !complete {
        return Ok(None);
    }
    let restart = tags.get(&tag::JPEG_RESTART_INTERVAL).and_then(Values::first).and_then(|n| u16::try_from(n).ok()).unwrap_or(0);
    let (width, height) = match directory.layout {
        Layout::Strips { rows } => (directory.width, rows.min(directory.height)),
        Layout::Tiles { width, height, .. } => (width, height),
    };
    let short =
        |n: u64| u16::try_from(n).map(u16::to_be_bytes).map_err(|_| Error::malformed("an old-style jpeg of more than 65,535 columns or rows"));
    let (width, height) = (short(width)?, short(height)?);
    let count = u8::try_from(samples).unwrap_or(0);
    let (h, v) = directory.ycbcr_subsampling;
    let luma = if directory.photometric == Some(6) && samples == 3 { u8::try_from((h << 4) | v).unwrap_or(0) } else { 0x11 };
    let of_frame: Vec<u8> = (0..count).flat_map(|i| [i, if i == 0 { luma } else { 0x11 }, i]).collect();
    let of_scan: Vec<u8> = (0..count).flat_map(|i| [i, (i << 4) | i]).collect();
    let mut bytes = START.to_vec();
    bytes.extend(segments);
    bytes.extend(segment(0xdd, &[&restart.to_be_bytes()]));
    bytes.extend(segment(0xc0, &[&[8], &height, &width, &[count], &of_frame]));
    bytes.extend(segment(SCAN, &[&[count], &of_scan, &[0, 63, 0]]));
    Ok(Some(Headers { bytes, has_scan: true }))
}

/// A Huffman table: 16 counts, and as many symbols.
fn huffman(start: u64, fetch: &mut Fetch<'_>) -> Result<Option<Bytes>> {
    let Some(counts) = fetch(start..start.saturating_add(16))? else { return Ok(None) };
    let symbols: u64 = counts.iter().map(|n| u64::from(*n)).sum();
    if symbols > 256 {
        return Err(Error::malformed("a huffman table of more than 256 symbols"));
    }
    fetch(start..start.saturating_add(16).saturating_add(symbols))
}

fn segment(marker: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>().saturating_add(2);
    let length = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    [&[0xff, marker], length.as_slice()].into_iter().chain(parts.iter().copied()).flatten().copied().collect()
}
