//! `sharding_indexed`: chunks inside of chunks (codec specification, version 1.0).
//!
//! Where nothing but transposes stands before it and nothing but checksums behind it, inner chunks can be read alone: the shards become a
//! manifest. Else the shard is decoded as a whole, as by any codec.

use serde_json::Value;
use zarrs_metadata::v3::MetadataV3;

use super::chain::{Parameters, Step};
use super::codecs::{self, Codec, Pipeline};
use super::grid::lengths;
use crate::error::{Error, Result};
use crate::model::{Axis, AxisOrder, ChunkGrid, ChunkManifest, CodecSpec, DataType, Limits, Shards};

/// Shards inside of shards.
const MAX_NESTING: u8 = 8;

/// The configuration of the codec.
pub(super) struct Sharding {
    /// Shape of an inner chunk, axes as the codec sees them.
    chunk: Vec<u64>,
    codecs: Vec<MetadataV3>,
    index_codecs: Vec<MetadataV3>,
    index_at_start: bool,
}

impl Sharding {
    pub(super) fn new(parameters: &Parameters, rank: usize, limits: &Limits) -> Result<Self> {
        let bad = |what: &str| Error::malformed(format!("codec sharding_indexed: {what}"));
        let chunk = parameters.get("chunk_shape").and_then(lengths).ok_or_else(|| bad("chunk_shape"))?;
        if chunk.len() != rank || chunk.contains(&0) {
            return Err(bad("chunk_shape"));
        }
        let list = |name: &str| -> Result<Vec<MetadataV3>> {
            let list: Vec<MetadataV3> = match parameters.get(name) {
                Some(value) => serde_json::from_value(value.clone()).map_err(|_| bad(name))?,
                None => return Err(bad(name)),
            };
            Limits::check("max_codecs", list.len() as u64, limits.max_codecs)?;
            Ok(list)
        };
        let index_at_start = match parameters.get("index_location").map(Value::as_str) {
            None | Some(Some("end")) => false,
            Some(Some("start")) => true,
            Some(_) => return Err(bad("index_location")),
        };
        Ok(Self { chunk, codecs: list("codecs")?, index_codecs: list("index_codecs")?, index_at_start })
    }

    /// The codec for a whole shard of elements of this type.
    pub(super) fn spec(&self, data_type: &DataType, pipeline: &Pipeline<'_>) -> Result<CodecSpec> {
        if data_type != pipeline.data_type {
            return Err(Error::unsupported("codec sharding_indexed behind one that changes the data type"));
        }
        let (order, mut chain) = codecs::chain(&self.codecs, self.chunk.len(), pipeline)?;
        if !order.is_c() {
            chain.push(CodecSpec::Transpose(order));
        }
        Ok(CodecSpec::Shard {
            chunk: self.chunk.clone(),
            chain,
            index_chain: self.index(pipeline.limits)?.0,
            index_at_start: self.index_at_start,
            fill: pipeline.fill.to_vec().into(),
        })
    }

    /// The chain of the index, and the bytes that it adds; `None` where the index has no fixed length.
    fn index(&self, limits: &Limits) -> Result<(Vec<CodecSpec>, Option<u64>)> {
        let rank = self.chunk.len().saturating_add(1);
        let pipeline = Pipeline { data_type: &DataType::U64, fill: &[], limits };
        let (order, chain) = codecs::chain(&self.index_codecs, rank, &pipeline)?;
        if !order.is_c() {
            return Err(Error::unsupported("codec sharding_indexed with a transposed index"));
        }
        let mut added = Some(0_u64);
        for step in &chain {
            added = match step {
                CodecSpec::ByteOrder(_) => added,
                step if is_checksum(step) => added.and_then(|n| n.checked_add(4)),
                _ => None,
            };
        }
        Ok((chain, added))
    }
}

/// Whether it only adds 4 bytes.
fn is_checksum(step: &CodecSpec) -> bool {
    matches!(step, CodecSpec::Crc32c { .. } | CodecSpec::Crc32 { .. } | CodecSpec::Adler32 { .. } | CodecSpec::Fletcher32)
}

/// Whether it only adds 4 bytes at the end.
fn is_tail(step: &CodecSpec) -> bool {
    is_checksum(step)
        && !matches!(step, CodecSpec::Crc32c { at_start: true } | CodecSpec::Crc32 { at_start: true } | CodecSpec::Adler32 { at_start: true })
}

/// A list that leaves inner chunks readable: transposes, sharding, checksums at the end.
struct Outer {
    order: AxisOrder,
    sharding: Box<Sharding>,
    tail: u64,
}

fn outer(list: &[MetadataV3], rank: usize, pipeline: &Pipeline<'_>) -> Result<Option<Outer>> {
    let mut order = AxisOrder::c(rank);
    let mut found: Option<Box<Sharding>> = None;
    let mut tail: u64 = 0;
    for metadata in list {
        match Codec::new(metadata, pipeline.data_type, rank, pipeline.limits)? {
            Codec::Transpose(further) if found.is_none() => order = order.then(&further),
            Codec::Sharding(sharding) if found.is_none() => found = Some(sharding),
            Codec::Compressed(step) if found.is_some() && is_tail(&step) => tail = tail.saturating_add(4),
            Codec::Nothing | Codec::Elements(Step::Nothing) => {}
            _ => return Ok(None),
        }
    }
    Ok(found.map(|sharding| Outer { order, sharding, tail }))
}

/// Where the chunks of an array are and how they are decoded.
pub(super) struct Layout {
    pub(super) grid: ChunkGrid,
    pub(super) order: AxisOrder,
    pub(super) chain: Vec<CodecSpec>,
    pub(super) manifest: ChunkManifest,
}

/// Follows a codec list from the chunks of the outermost grid, named by `manifest`, down to those that are decoded.
/// `whole` keeps shards together.
pub(super) fn layout(list: &[MetadataV3], pipeline: &Pipeline<'_>, grid: ChunkGrid, manifest: ChunkManifest, whole: bool) -> Result<Layout> {
    let rank = grid.rank();
    let mut layout = Layout { grid, order: AxisOrder::c(rank), chain: Vec::new(), manifest };
    let mut list = list.to_vec();
    for level in 0..=MAX_NESTING {
        let regular = layout.grid.axes().iter().all(|(axis, _)| matches!(axis, Axis::Regular(_)));
        let outer = if regular && !whole { outer(&list, rank, pipeline)? } else { None };
        let Some(Outer { order, sharding, tail }) = outer else { break };
        if level == MAX_NESTING {
            return Err(Error::limit("nested shards", u64::from(level).saturating_add(1), u64::from(MAX_NESTING)));
        }
        let (index_chain, Some(added)) = sharding.index(pipeline.limits)? else { break };
        layout.order = layout.order.then(&order);
        // The codec counts axes as they are stored.
        let mut chunk = vec![1; rank];
        for (axis, length) in layout.order.axes().iter().zip(&sharding.chunk) {
            if let Some(place) = chunk.get_mut(*axis) {
                *place = *length;
            }
        }
        let inner_counts = counts(&layout.grid.chunk_shape(), &chunk)?;
        let entries = inner_counts.iter().try_fold(1_u64, |n, m| n.checked_mul(*m)).and_then(|n| n.checked_mul(16));
        let index_length = entries.and_then(|n| n.checked_add(added)).ok_or_else(|| Error::limit("max_page_bytes", u64::MAX, 0))?;
        Limits::check("max_page_bytes", index_length, pipeline.limits.max_page_bytes)?;
        let inner = ChunkGrid::regular(layout.grid.shape(), &chunk)?;
        layout.manifest = ChunkManifest::Shards(Box::new(Shards {
            outer: layout.manifest,
            outer_grid: std::mem::replace(&mut layout.grid, inner),
            inner_counts,
            index_axes: layout.order.axes().to_vec(),
            index_chain,
            index_length,
            index_at_start: sharding.index_at_start,
            tail,
            level,
        }));
        list = sharding.codecs;
    }
    let (order, chain) = codecs::chain(&list, rank, pipeline)?;
    layout.order = layout.order.then(&order);
    layout.chain = chain;
    Ok(layout)
}

/// How many inner chunks a shard has along each axis.
fn counts(shard: &[u64], chunk: &[u64]) -> Result<Vec<u64>> {
    let count = |(shard, chunk): (&u64, &u64)| shard.checked_rem(*chunk).filter(|r| *r == 0).and(shard.checked_div(*chunk));
    let counts: Option<Vec<u64>> = shard.iter().zip(chunk).map(count).collect();
    counts.ok_or_else(|| Error::malformed("the shape of a shard is not a multiple of that of its chunks"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Endian, KeyNames, Missing, ObjectKey, ObjectMap};

    const INDEX: &str = r#"[{"name":"bytes","configuration":{"endian":"little"}},"crc32c"]"#;

    fn sharded(chunk: &str, codecs: &str, index: &str) -> String {
        format!(r#"{{"name":"sharding_indexed","configuration":{{"chunk_shape":{chunk},"codecs":{codecs},"index_codecs":{index}}}}}"#)
    }

    fn build(list: &str, whole: bool) -> Result<Layout> {
        let list: Vec<MetadataV3> = serde_json::from_str(list).unwrap();
        let pipeline = Pipeline { data_type: &DataType::I16, fill: &[], limits: &Limits::default() };
        let objects = ObjectMap::Prefix(ObjectKey::new("memory://s"));
        let keys = KeyNames { objects, prefix: "c/".into(), separator: '/', scalar: "c".into(), missing: Missing::Fill };
        layout(&list, &pipeline, ChunkGrid::regular(&[100, 60], &[40, 30])?, ChunkManifest::Keys(keys), whole)
    }

    #[test]
    fn shards_become_a_manifest() {
        let plain = sharded("[10,5]", r#"["bytes","zstd"]"#, INDEX);
        let found = build(&format!(r#"[{plain},"crc32c"]"#), false).unwrap();
        let ChunkManifest::Shards(shards) = &found.manifest else { panic!() };
        assert_eq!((shards.inner_counts.as_slice(), shards.index_length, shards.tail, shards.level), (&[4, 6][..], 24 * 16 + 4, 4, 0));
        assert_eq!(found.grid.chunk_shape(), [10, 5]);
        assert_eq!(found.chain, [CodecSpec::Zstd, CodecSpec::ByteOrder(Endian::Little)]);

        let transposed = sharded("[5,10]", r#"[{"name":"transpose","configuration":{"order":[1,0]}},"bytes"]"#, INDEX);
        let found = build(&format!(r#"[{{"name":"transpose","configuration":{{"order":[1,0]}}}},{transposed}]"#), false).unwrap();
        let ChunkManifest::Shards(shards) = &found.manifest else { panic!() };
        assert_eq!((shards.inner_counts.as_slice(), shards.index_axes.as_slice()), (&[4, 6][..], &[1, 0][..]));
        assert_eq!(found.grid.chunk_shape(), [10, 5]);
        assert!(found.order.is_c());

        let nested = sharded("[20,15]", &format!("[{}]", sharded("[10,5]", r#"["bytes"]"#, INDEX)), INDEX);
        let found = build(&format!("[{nested}]"), false).unwrap();
        let ChunkManifest::Shards(inner) = &found.manifest else { panic!() };
        let ChunkManifest::Shards(outer) = &inner.outer else { panic!() };
        assert_eq!((inner.level, outer.level), (1, 0));
        assert_eq!((inner.outer_grid.chunk_shape(), outer.outer_grid.chunk_shape()), (vec![20, 15], vec![40, 30]));
        assert_eq!((inner.inner_counts.as_slice(), outer.inner_counts.as_slice()), (&[2, 3][..], &[2, 2][..]));
    }

    #[test]
    fn what_hides_inner_chunks_makes_it_a_codec() {
        let plain = sharded("[10,5]", r#"["bytes","zstd"]"#, INDEX);
        let packed_index = sharded("[10,5]", r#"["bytes"]"#, r#"["bytes","gzip"]"#);
        for (list, whole) in [(format!(r#"[{plain},"gzip"]"#), false), (format!("[{packed_index}]"), false), (format!("[{plain}]"), true)] {
            let found = build(&list, whole).unwrap();
            assert!(matches!(found.manifest, ChunkManifest::Keys(_)), "{list}");
            assert_eq!(found.grid.chunk_shape(), [40, 30]);
            assert_eq!(found.chain.last().map(CodecSpec::name), Some("sharding_indexed"));
        }
        for bad in [
            sharded("[7,5]", r#"["bytes"]"#, INDEX),
            sharded("[0,5]", r#"["bytes"]"#, INDEX),
            sharded("[10]", r#"["bytes"]"#, INDEX),
            sharded("[10,5]", "[]", INDEX),
        ] {
            assert!(build(&format!("[{bad}]"), false).is_err(), "{bad}");
        }
    }
}
