//! A Zarr hierarchy: its arrays and attributes.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};
use swath::model::{ArrayMeta, RawJson};
use swath::{ChunkedArray, Group, Session};

use super::{array, line, opened, plain, times};
use crate::failure::Result;

/// Arrays listed for people; JSON has all.
const MOST_ROWS: usize = 200;
/// Characters of an attribute shown to people.
const MOST_TEXT: usize = 100;

pub(super) fn as_json(session: &Session, group: &Group) -> Result<Value> {
    let (names, listed) = names(session, group)?;
    let describe = |name: &String| match session.block_on(group.array(name)) {
        Ok(array) => {
            let mut known = of(array.meta());
            known["consistency"] = json!(array.consistency().to_string());
            known
        }
        Err(e) => json!({ "error": e.to_string() }),
    };
    let arrays: BTreeMap<&str, Value> = names.iter().map(|name| (name.as_str(), describe(name))).collect();
    let stats = group.open_stats();
    Ok(json!({
        "kind": "zarr",
        "format": group.format(),
        "arrays": arrays,
        "complete": listed,
        "attributes": attributes(group),
        "requests": stats.requests,
        "bytes": stats.bytes,
    }))
}

/// Prints the same for people.
pub(super) fn print(out: &mut impl Write, session: &Session, group: &Group) -> Result<()> {
    let (names, listed) = names(session, group)?;
    line(out, "store", group.source().url())?;
    line(out, "format", group.format())?;
    let rows: Vec<[String; 5]> = names.iter().take(MOST_ROWS).map(|name| row(name, session.block_on(group.array(name)))).collect();
    line(out, "opened in", &opened(group.open_stats()))?;
    if !rows.is_empty() {
        table(out, &rows)?;
    }
    if names.len() > MOST_ROWS {
        writeln!(out, "… {} more", names.len() - MOST_ROWS)?;
    }
    if !listed {
        writeln!(out, "\nthe store cannot list what is in it: there may be more arrays, which --array names")?;
    }
    if let Value::Object(attributes) = attributes(group)
        && !attributes.is_empty()
    {
        writeln!(out, "\nattributes")?;
        for (name, value) in &attributes {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let short: String = text.chars().take(MOST_TEXT).collect();
            let more = if short.len() < text.len() { "…" } else { "" };
            writeln!(out, "  {}: {}{more}", plain(name), plain(&short))?;
        }
    }
    Ok(())
}

/// The arrays, and whether these are all: a store without consolidated metadata may not be able to list what is in it.
fn names(session: &Session, group: &Group) -> Result<(Vec<String>, bool)> {
    match session.block_on(group.arrays()) {
        Ok(names) => Ok((names, true)),
        Err(e) if e.is_unsupported() => Ok((group.known_arrays(), false)),
        Err(e) => Err(e.into()),
    }
}

fn attributes(group: &Group) -> Value {
    group.attributes("").and_then(|json| json.parse()).unwrap_or_else(|_| json!({}))
}

fn of(meta: &ArrayMeta) -> Value {
    let parsed = |json: &RawJson| json.parse::<Value>().unwrap_or(Value::Null);
    json!({
        "shape": meta.shape(),
        "chunks": meta.grid.chunk_shape(),
        "dtype": meta.data_type.to_string(),
        "written_shape": array::written_shape(meta),
        "fill_value": array::fill_value(meta),
        "codecs": array::codecs(meta),
        "dims": array::names(meta),
        "shards": array::shard(meta),
        "attributes": parsed(&meta.attributes),
    })
}

fn row(name: &str, array: swath::Result<ChunkedArray>) -> [String; 5] {
    let name = if name.is_empty() { "''".to_owned() } else { plain(name) };
    let array = match array {
        Ok(array) => array,
        Err(e) => return [name, "unreadable".into(), String::new(), String::new(), plain(&e.to_string())],
    };
    let meta = array.meta();
    let shape: Vec<String> =
        meta.dims.iter().map(|d| if d.name.is_empty() { d.length.to_string() } else { format!("{} {}", plain(&d.name), d.length) }).collect();
    let chunks = times(&meta.grid.chunk_shape());
    let chunks = array::shard(meta).map_or(chunks.clone(), |shard| format!("{chunks} in {}", times(&shard)));
    [name, meta.data_type.to_string(), shape.join(", "), chunks, plain(&array::codecs(meta).join(", "))]
}

/// Columns as wide as what is in them, up to a bound.
fn table(out: &mut impl Write, rows: &[[String; 5]]) -> io::Result<()> {
    let heads = ["array", "type", "shape", "chunks", "codecs"];
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).max(heads[column].len()).min(48);
    let widths: Vec<usize> = (0..4).map(width).collect();
    let heads = heads.map(str::to_owned);
    writeln!(out)?;
    for row in std::iter::once(&heads).chain(rows) {
        for (cell, width) in row.iter().zip(&widths) {
            write!(out, "{cell:<width$}  ")?;
        }
        writeln!(out, "{}", row[4])?;
    }
    Ok(())
}
