//! Entry points for fuzzing: they take any bytes and must return.

use bytes::Bytes;

use super::{TiffFile, TiffParser};
use crate::error::Result;
use crate::geo::{Crs, GdalMetadata, GeoKeys, Nodata};
use crate::model::{Got, Limits, ObjectKey, Parser, Step, Want};

/// Parses a file that is at hand.
///
/// # Errors
/// As the parser's.
pub fn parse(data: &Bytes, limits: &Limits) -> Result<TiffFile> {
    let mut parser = TiffParser::new(ObjectKey::new("memory://fuzz"), limits);
    loop {
        let wants = match parser.step()? {
            Step::Done(file) => return Ok(file),
            Step::Need(wants) => wants,
        };
        for want in wants {
            let Want::Range(span) = &want else { continue };
            let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(data.len());
            let bytes = data.slice(at(span.start)..at(span.end()));
            parser.supply(&want, Got::Bytes { bytes, size: Some(data.len() as u64), version: None })?;
        }
    }
}

/// Opens a file and describes each of its directories as an array.
pub fn open(data: &[u8]) {
    let limits = Limits { max_metadata_bytes: 4 << 20, max_directories: 4096, ..Limits::default() };
    let Ok(file) = parse(&Bytes::copy_from_slice(data), &limits) else { return };
    for directory in &file.directories {
        let _either = directory.array(&file, &limits);
        let _any = (directory.georeference(), directory.metadata(), directory.nodata_value());
    }
    let pyramids = file.pyramids();
    debug_assert!(pyramids.iter().all(|p| p.levels.len() == p.masks.len()));
}

/// Parses a directory of keys: the first half as its numbers, the second as its text.
pub fn geokeys(data: &[u8]) {
    let (numbers, text) = data.split_at(data.len() / 2);
    let shorts: Vec<u16> = numbers.chunks_exact(2).filter_map(|b| Some(u16::from_le_bytes(b.try_into().ok()?))).collect();
    let doubles: Vec<f64> = numbers.chunks_exact(8).filter_map(|b| Some(f64::from_le_bytes(b.try_into().ok()?))).collect();
    let keys = GeoKeys::parse(&shorts, &doubles, &String::from_utf8_lossy(text));
    if let Some(crs) = Crs::from_geokeys(&keys) {
        let _shown = crs.to_string();
    }
}

/// Parses GDAL's metadata and nodata.
pub fn gdal_metadata(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let metadata = GdalMetadata::parse(&text);
    let _any = (metadata.scale(0), metadata.statistics(0), Nodata::parse(&text));
}
