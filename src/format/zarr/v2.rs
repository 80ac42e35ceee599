//! Arrays of version 2: `.zarray` and `.zattrs`.

use std::collections::HashMap;

use serde_json::Value;
use serde_json::value::RawValue;
use zarrs_metadata::ChunkKeySeparator;
use zarrs_metadata::v2::{ArrayMetadataV2Order, FillValueMetadataV2, MetadataV2};

use super::chain::{self, Builder};
use super::dtype::{self, Stored};
use super::fill::fill_value;
use super::grid::{self, Keys};
use super::json::{self, Text};
use super::{Context, MAX_MEMBERS};
use crate::cf::{self, Packing};
use crate::error::{Error, Result};
use crate::model::{ArrayMeta, AxisOrder, ChunkManifest, CodecSpec, DataType, Endian, FillValue};

pub(super) fn array(document: &Text, attributes: Option<&Text>, context: &Context<'_>) -> Result<ArrayMeta> {
    let mut members: HashMap<String, &RawValue> = HashMap::new();
    json::for_each_member(document.get(), MAX_MEMBERS, |name, value| {
        members.insert(name, value);
        Ok(())
    })?;
    let required = |name: &str| members.get(name).copied().ok_or_else(|| Error::malformed(format!("no {name} in .zarray")));
    // A member that may be left out or null.
    let optional = |name: &str| members.get(name).copied().filter(|v| v.get() != "null");

    if json::parse::<u64>("zarr_format", required("zarr_format")?)? != 2 {
        return Err(Error::malformed(".zarray with another zarr_format than 2"));
    }
    let shape: Vec<u64> = json::parse("shape", required("shape")?)?;
    context.check_rank(shape.len())?;
    let chunk: Vec<u64> = json::parse("chunks", required("chunks")?)?;
    let data_type: Value = json::parse("dtype", required("dtype")?)?;
    let compressor: Option<MetadataV2> = optional("compressor").map(|c| json::parse("compressor", c)).transpose()?;
    let filters: Vec<MetadataV2> = optional("filters").map_or(Ok(Vec::new()), |f| json::parse("filters", f))?;
    let order = optional("order").map_or(Ok(ArrayMetadataV2Order::C), |o| json::parse("order", o))?;
    let fill: Option<FillValueMetadataV2> = optional("fill_value").map(|f| json::parse("fill_value", f)).transpose()?;
    let separator = optional("dimension_separator").map_or(Ok(ChunkKeySeparator::Dot), |s| json::parse("dimension_separator", s))?;
    context.check_codecs(filters.len().saturating_add(1))?;

    let stored = match data_type.as_str() {
        Some("|O" | "O" | "object") => object_type(&filters)?,
        _ => dtype::v2(&data_type)?,
    };
    let rank = shape.len();
    let grid = grid::regular(&shape, &chunk)?;
    let manifest = match context.tables {
        Some((tables, root)) => tables.manifest(context, root, &grid)?,
        None => ChunkManifest::Keys(Keys { prefixed: false, separator: separator.into() }.names(context.objects, context.path, rank)),
    };
    let mut meta = context.array(
        shape.clone(),
        dimension_names(attributes, &members, rank),
        grid,
        fill_value(fill.as_ref(), &stored)?,
        match order {
            // Its lists are nested by axes, whatever order was asked for.
            ArrayMetadataV2Order::F if filters.first().is_none_or(|f| f.id() != "json2") => AxisOrder::f(rank),
            _ => AxisOrder::c(rank),
        },
        chain(compressor.as_ref(), &filters, &stored)?,
        manifest,
        stored.data_type,
        attributes,
    )?;
    // xarray writes `_FillValue` as the fill value, and nowhere else; so a value that was told stands for "missing".
    if fill.is_some() && Packing::of(&meta.attributes, &meta.data_type).is_ok_and(|p| p.missing.is_empty()) {
        meta.scaling.nodata.extend(whole_element(&meta));
    }
    Ok(meta)
}

/// The fill value, spelled out; `None` where elements are no numbers.
fn whole_element(meta: &ArrayMeta) -> Option<FillValue> {
    let zero = cf::element(0.0, &meta.data_type)?;
    Some(if meta.fill_value.is_zero() { zero } else { meta.fill_value.clone() })
}

/// What objects are is said by the first of the filters.
fn object_type(filters: &[MetadataV2]) -> Result<Stored> {
    let data_type = match filters.first().map(MetadataV2::id) {
        Some("vlen-utf8" | "json2") => DataType::Text,
        Some("vlen-bytes") => DataType::VariableBytes,
        Some(id) => return Err(Error::unsupported(format!("objects of codec {id}"))),
        None => return Err(Error::unsupported("objects without a codec")),
    };
    Ok(Stored { data_type, endian: Endian::Little, mixed: None })
}

/// The compressor is undone first, then the filters from the last to the first.
fn chain(compressor: Option<&MetadataV2>, filters: &[MetadataV2], stored: &Stored) -> Result<Vec<CodecSpec>> {
    let mut builder = Builder::new();
    for codec in compressor.into_iter().chain(filters.iter().rev()) {
        let id = codec.id().strip_prefix("numcodecs.").unwrap_or(codec.id());
        builder.push(id, chain::numcodecs(id, codec.configuration(), stored)?)?;
    }
    builder.finish(stored)
}

/// xarray's `_ARRAY_DIMENSIONS`, else the references of NCZarr.
fn dimension_names(attributes: Option<&Text>, members: &HashMap<String, &RawValue>, rank: usize) -> Vec<String> {
    let names = |value: &RawValue| json::parse::<Vec<String>>("names", value).ok().filter(|names| names.len() == rank);
    let attribute = |name: &str| attributes.and_then(|a| a.member(name).ok().flatten());
    if let Some(names) = attribute("_ARRAY_DIMENSIONS").and_then(names) {
        return names;
    }
    let nczarr = attribute("_nczarr_array").or_else(|| members.get("_NCZARR_ARRAY").or_else(|| members.get("_nczarr_array")).copied());
    let references = nczarr.and_then(|value| json::parse::<Value>("nczarr", value).ok()).and_then(|value| {
        let list = value.get("dimrefs").or_else(|| value.get("dimension_references"))?.as_array()?.clone();
        list.iter().map(|r| Some(r.as_str()?.rsplit('/').next()?.to_owned())).collect::<Option<Vec<_>>>()
    });
    references.filter(|names| names.len() == rank).unwrap_or_default()
}
