//! Chunk grids, and the names of chunks.

use serde_json::Value;
use zarrs_metadata::v3::MetadataV3;

use super::path::join;
use crate::error::{Error, Result};
use crate::model::{Axis, ChunkGrid, Edge, KeyNames, Missing, ObjectMap, grow};

/// Lengths of chunks of a rectilinear grid, all axes together.
const MAX_RECTILINEAR_CHUNKS: u64 = 1 << 20;

/// A regular grid. A chunk length of 0 is taken where the axis has no elements.
pub(super) fn regular(shape: &[u64], chunk: &[u64]) -> Result<ChunkGrid> {
    let fits = |(i, n): (usize, &u64)| if *n == 0 && shape.get(i) == Some(&0) { 1 } else { *n };
    let chunk: Vec<u64> = chunk.iter().enumerate().map(fits).collect();
    ChunkGrid::regular(shape, &chunk)
}

/// A grid of v3: `regular` (core, section "Regular grids") or `rectilinear` (zarr-extensions).
pub(super) fn v3(metadata: &MetadataV3, shape: &[u64]) -> Result<ChunkGrid> {
    let parameter = |key: &str| metadata.configuration().and_then(|c| c.get(key));
    match metadata.name() {
        "regular" => {
            let chunk = parameter("chunk_shape").and_then(lengths).ok_or_else(|| Error::malformed("chunk_grid: chunk_shape"))?;
            regular(shape, &chunk)
        }
        "rectilinear" => {
            if parameter("kind").is_some_and(|kind| kind != "inline") {
                return Err(Error::unsupported("chunk grid rectilinear of another kind than inline"));
            }
            rectilinear(parameter("chunk_shapes"), shape)
        }
        "rectangular" => rectilinear(parameter("chunk_shape"), shape),
        name => Err(Error::unsupported(format!("chunk grid {name}"))),
    }
}

/// A list of non-negative integers.
pub(super) fn lengths(value: &Value) -> Option<Vec<u64>> {
    value.as_array()?.iter().map(Value::as_u64).collect()
}

/// Per axis one length for all chunks, or a list of lengths and `[length, count]` runs.
fn rectilinear(axes: Option<&Value>, shape: &[u64]) -> Result<ChunkGrid> {
    let bad = || Error::malformed("chunk_grid: the chunk shapes of a rectilinear grid");
    let axes = axes.and_then(Value::as_array).ok_or_else(bad)?;
    if axes.len() != shape.len() {
        return Err(Error::malformed("the chunk grid has another rank than the array"));
    }
    let mut left = MAX_RECTILINEAR_CHUNKS;
    let mut list = Vec::new();
    for axis in axes {
        let axis = match axis {
            Value::Number(length) => Axis::Regular(length.as_u64().ok_or_else(bad)?),
            Value::Array(runs) => Axis::Ends(ends(runs, &mut left)?.into()),
            _ => return Err(bad()),
        };
        list.push((axis, Edge::Padded));
    }
    ChunkGrid::new(shape.to_vec(), list)
}

/// Where the chunks of an axis end; takes their number from `left`.
fn ends(runs: &[Value], left: &mut u64) -> Result<Vec<u64>> {
    let bad = || Error::malformed("chunk_grid: the chunk shapes of a rectilinear grid");
    let mut ends = Vec::new();
    let mut end: u64 = 0;
    for run in runs {
        let (length, count) = match run {
            Value::Array(pair) => match pair.as_slice() {
                [length, count] => (length.as_u64(), count.as_u64()),
                _ => (None, None),
            },
            length => (length.as_u64(), Some(1)),
        };
        let (Some(length), Some(count)) = (length, count) else { return Err(bad()) };
        *left = left.checked_sub(count).ok_or_else(|| Error::limit("chunks of a rectilinear grid", count, *left))?;
        grow(&mut ends, usize::try_from(count).unwrap_or(usize::MAX))?;
        for _ in 0..count {
            end = end.checked_add(length).ok_or_else(bad)?;
            ends.push(end);
        }
    }
    Ok(ends)
}

/// Names of the chunks of the array at `path`.
pub(super) struct Keys {
    /// Whether `c` stands before the index (the encoding `default` of v3).
    pub(super) prefixed: bool,
    /// What stands between its numbers.
    pub(super) separator: char,
}

impl Keys {
    /// A chunk key encoding of v3 (core, section "Chunk key encoding").
    pub(super) fn v3(metadata: &MetadataV3) -> Result<Self> {
        let separator = match metadata.configuration().and_then(|c| c.get("separator")) {
            None => None,
            Some(Value::String(s)) if s == "/" => Some('/'),
            Some(Value::String(s)) if s == "." => Some('.'),
            Some(_) => return Err(Error::malformed("chunk_key_encoding: the separator is neither / nor .")),
        };
        match metadata.name() {
            "default" => Ok(Self { prefixed: true, separator: separator.unwrap_or('/') }),
            "v2" => Ok(Self { prefixed: false, separator: separator.unwrap_or('.') }),
            name => Err(Error::unsupported(format!("chunk key encoding {name}"))),
        }
    }

    pub(super) fn names(&self, objects: &ObjectMap, path: &str, rank: usize) -> KeyNames {
        let (prefix, scalar) = match (self.prefixed, rank) {
            (true, 0) => (join(path, ""), "c"),
            (true, _) => (join(path, &format!("c{}", self.separator)), "c"),
            (false, _) => (join(path, ""), "0"),
        };
        KeyNames { objects: objects.clone(), prefix, separator: self.separator, scalar: scalar.to_owned(), missing: Missing::Fill }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(text: &str) -> MetadataV3 {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn grids() {
        let regular = v3(&metadata(r#"{"name":"regular","configuration":{"chunk_shape":[4,0]}}"#), &[10, 0]).unwrap();
        assert_eq!(regular.counts(), [3, 0]);
        let text = r#"{"name":"rectilinear","configuration":{"kind":"inline","chunk_shapes":[4,[[2,3],5,[1,2]]]}}"#;
        let grid = v3(&metadata(text), &[10, 13]).unwrap();
        assert_eq!(grid.counts(), [3, 6]);
        assert_eq!(grid.extent(1, 3), 6..11);
        let bad = [
            r#"{"name":"regular","configuration":{"chunk_shape":[0,4]}}"#,
            r#"{"name":"regular","configuration":{"chunk_shape":[4]}}"#,
            r#"{"name":"regular"}"#,
            r#"{"name":"rectilinear","configuration":{"kind":"inline","chunk_shapes":[4,[2,3]]}}"#,
            r#"{"name":"rectilinear","configuration":{"kind":"inline","chunk_shapes":[4,[[1,99999999999]]]}}"#,
            r#"{"name":"hexagonal"}"#,
        ];
        for bad in bad {
            assert!(v3(&metadata(bad), &[10, 13]).is_err(), "{bad}");
        }
    }

    #[test]
    fn chunk_names() {
        let objects = ObjectMap::Prefix(crate::model::ObjectKey::new("memory://s"));
        let table: [(&str, &str, &[u64], &str); 8] = [
            (r#""default""#, "a", &[1, 2], "a/c/1/2"),
            (r#""default""#, "", &[1, 2], "c/1/2"),
            (r#""default""#, "a", &[], "a/c"),
            (r#"{"name":"default","configuration":{"separator":"."}}"#, "a", &[1, 2], "a/c.1.2"),
            (r#""v2""#, "a", &[1, 2], "a/1.2"),
            (r#""v2""#, "", &[], "0"),
            (r#"{"name":"v2","configuration":{"separator":"/"}}"#, "a/b", &[1, 2], "a/b/1/2"),
            (r#""v2""#, "a", &[], "a/0"),
        ];
        for (text, path, index, name) in table {
            let names = Keys::v3(&metadata(text)).unwrap().names(&objects, path, index.len());
            assert_eq!(names.name(index), name, "{text}");
        }
    }
}
