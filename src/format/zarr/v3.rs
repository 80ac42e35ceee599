//! Arrays of version 3: `zarr.json` with `node_type` array.

use std::collections::HashMap;

use serde_json::Value;
use serde_json::value::RawValue;
use zarrs_metadata::v3::{FillValueMetadataV3, MetadataV3};

use super::codecs::Pipeline;
use super::dtype::{self, Stored};
use super::fill::fill_value;
use super::grid::{self, Keys};
use super::json::{self, Text};
use super::sharding;
use super::{Context, MAX_MEMBERS};
use crate::error::{Error, Result};
use crate::model::{ArrayMeta, ChunkManifest};

/// Members with a meaning here; others must say that they need not be understood.
const MEMBERS: [&str; 12] = [
    "zarr_format",
    "node_type",
    "shape",
    "data_type",
    "chunk_grid",
    "chunk_key_encoding",
    "fill_value",
    "codecs",
    "attributes",
    "storage_transformers",
    "dimension_names",
    "consolidated_metadata",
];

pub(super) fn array(document: &Text, context: &Context<'_>) -> Result<ArrayMeta> {
    let mut members: HashMap<String, &RawValue> = HashMap::new();
    json::for_each_member(document.get(), MAX_MEMBERS, |name, value| {
        members.insert(name, value);
        Ok(())
    })?;
    let required = |name: &str| members.get(name).copied().ok_or_else(|| Error::malformed(format!("no {name} in zarr.json")));
    let optional = |name: &str| members.get(name).copied().filter(|v| v.get() != "null");

    check_extensions(&members)?;
    if json::parse::<u64>("zarr_format", required("zarr_format")?)? != 3 || json::parse::<String>("node_type", required("node_type")?)? != "array" {
        return Err(Error::malformed("zarr.json is not that of an array of format 3"));
    }
    let shape: Vec<u64> = json::parse("shape", required("shape")?)?;
    context.check_rank(shape.len())?;
    let data_type = dtype::v3(&json::parse("data_type", required("data_type")?)?)?;
    let grid = grid::v3(&json::parse("chunk_grid", required("chunk_grid")?)?, &shape)?;
    let keys = Keys::v3(&json::parse("chunk_key_encoding", required("chunk_key_encoding")?)?)?;
    let fill: FillValueMetadataV3 = json::parse("fill_value", required("fill_value")?)?;
    let fill = fill_value(Some(&fill), &Stored::native(data_type.clone()))?;
    let list: Vec<MetadataV3> = match members.get("codecs") {
        Some(list) => json::parse("codecs", list)?,
        // Writers from before the specification was final left the list out for raw bytes.
        None if data_type.size() == Some(1) => vec![MetadataV3::new("bytes")],
        None => return Err(Error::malformed("no codecs in zarr.json")),
    };
    context.check_codecs(list.len())?;
    let names = dimension_names(optional("dimension_names"), shape.len())?;
    let attributes = optional("attributes").map(|a| document.part(a));

    let rank = shape.len();
    let keys = ChunkManifest::Keys(keys.names(context.objects, context.path, rank));
    let pipeline = Pipeline { data_type: &data_type, fill: fill.bytes(), limits: context.limits };
    let layout = sharding::layout(&list, &pipeline, grid, keys, context.whole_shards || context.has_compressed_members())?;
    context.array(shape, names, layout.grid, fill, layout.order, layout.chain, layout.manifest, data_type.clone(), attributes.as_ref())
}

fn check_extensions(members: &HashMap<String, &RawValue>) -> Result<()> {
    if let Some(transformers) = members.get("storage_transformers").filter(|v| v.get() != "null") {
        let list: Vec<MetadataV3> = json::parse("storage_transformers", transformers)?;
        if let Some(first) = list.first() {
            return Err(Error::unsupported(format!("storage transformer {}", first.name())));
        }
    }
    for (name, value) in members.iter().filter(|(name, _)| !MEMBERS.contains(&name.as_str())) {
        // The drafts of the specification had `extensions`, a list.
        let is_empty = matches!(value.get(), "null" | "[]" | "{}");
        let optional = || json::parse::<Value>(name, value).ok().and_then(|v| v.get("must_understand")?.as_bool()) == Some(false);
        if !is_empty && !optional() {
            return Err(Error::unsupported(format!("metadata member {}", name.chars().take(80).collect::<String>())));
        }
    }
    Ok(())
}

fn dimension_names(value: Option<&RawValue>, rank: usize) -> Result<Vec<String>> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let names: Vec<Option<String>> = json::parse("dimension_names", value)?;
    if names.len() != rank {
        return Err(Error::malformed("dimension_names has another length than shape"));
    }
    Ok(names.into_iter().map(Option::unwrap_or_default).collect())
}
