//! Entry points for fuzzing: they take any bytes and must return.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{TiffFile, TiffParser};
use crate::error::Result;
use crate::geo::{AuxiliaryMetadata, Crs, GdalMetadata, GeoKeys, Nodata};
use crate::model::{ArrayMeta, ByteSpan, Got, Limits, Location, ObjectKey, Page, PageId, PagePlace, PageSpec, Parser, Step, Want};

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
            let bytes = slice(data, span);
            parser.supply(&want, Got::Bytes { bytes, size: Some(data.len() as u64), version: None })?;
        }
    }
}

/// Opens a file and describes each of its directories as an array; with tables loaded, and with tables left to be read by pages.
pub fn open(data: &[u8]) {
    let data = Bytes::copy_from_slice(data);
    for table_page_bytes in [256 << 10, 64] {
        open_with(&data, &Limits { max_metadata_bytes: 4 << 20, max_directories: 4096, table_page_bytes, ..Limits::default() });
    }
}

/// Finds the first and the last chunk of an array, reading pages of its table on the way.
fn locate(data: &Bytes, array: &ArrayMeta, limits: &Limits) {
    let mut pages: HashMap<PageId, Arc<Page>> = HashMap::new();
    for chunk in [0, array.grid.chunk_count().saturating_sub(1)] {
        let index = array.grid.index(chunk);
        for _hop in 0..4 {
            let Ok(Location::Unread(id)) = array.manifest.locate(&index, &array.grid, &pages) else { break };
            let Ok(PageSpec { place: PagePlace::Wants(wants), .. }) = array.manifest.page(id, &pages, limits) else { break };
            let parts: Vec<Bytes> =
                wants.iter().filter_map(|want| if let Want::Range(span) = want { Some(slice(data, span)) } else { None }).collect();
            let Ok(page) = array.manifest.parse_page(id, &parts) else { break };
            pages.insert(id, Arc::new(page));
        }
    }
}

/// What of a span there is.
fn slice(data: &Bytes, span: &ByteSpan) -> Bytes {
    let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(data.len());
    data.slice(at(span.start)..at(span.end()))
}

fn open_with(data: &Bytes, limits: &Limits) {
    let Ok(file) = parse(data, limits) else { return };
    for directory in &file.directories {
        if let Ok(array) = directory.array(&file, limits) {
            locate(data, &array, limits);
        }
        let _any = (directory.georeference(), directory.metadata(), directory.nodata_value());
    }
    let pyramids = file.pyramids();
    debug_assert!(pyramids.iter().all(|p| p.levels.len() == p.masks.len()));
}

/// Parses a directory of keys, the first half as its numbers, the second as its text, and spells out its coordinate reference system.
pub fn geokeys(data: &[u8]) {
    let (numbers, text) = data.split_at(data.len() / 2);
    let shorts: Vec<u16> = numbers.chunks_exact(2).filter_map(|b| Some(u16::from_le_bytes(b.try_into().ok()?))).collect();
    let doubles: Vec<f64> = numbers.chunks_exact(8).filter_map(|b| Some(f64::from_le_bytes(b.try_into().ok()?))).collect();
    let keys = GeoKeys::parse(&shorts, &doubles, &String::from_utf8_lossy(text));
    Crs::from_geokeys(&keys).iter().for_each(spell_out);
}

/// Parses GDAL's metadata as the value of its tag, and nodata.
pub fn gdal_metadata(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let metadata = GdalMetadata::parse(&text);
    let _any = (metadata.scale(0), metadata.statistics(0), metadata.rpc(), Nodata::parse(&text));
}

/// Parses GDAL's metadata as the file beside an image.
pub fn auxiliary(data: &[u8]) {
    let aux = AuxiliaryMetadata::parse(&String::from_utf8_lossy(data));
    aux.crs.as_ref().into_iter().for_each(spell_out);
    let _any = (aux.metadata.rpc(), aux.metadata.statistics(0), aux.transform.map(|t| t.inverse()));
}

/// Parses well-known text as ESRI writes it into a key, and as the definition that it is elsewhere.
pub fn wkt(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    [Crs::from_wkt(&text), Crs::from_code(&text)].iter().flatten().for_each(spell_out);
    let citation = format!("ESRI PE String = {text}|");
    let Ok(length) = u16::try_from(citation.len()) else { return };
    let shorts = [1, 1, 0, 2, GeoKeys::MODEL_TYPE, 0, 1, 32767, GeoKeys::PROJECTED_CITATION, 34737, length, 0];
    Crs::from_geokeys(&GeoKeys::parse(&shorts, &[], &citation)).iter().for_each(spell_out);
}

fn spell_out(crs: &Crs) {
    let _shown = (crs.to_string(), crs.name(), crs.to_projjson(), crs.to_wkt(), crs.metres_per_unit());
}
