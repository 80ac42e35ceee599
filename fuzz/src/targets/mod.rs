//! The bodies of all targets, for the fuzzers and for `tests/replay.rs`. Whatever the bytes: a body returns, and holds little on its way.

mod command;
mod differential;
mod kernels;
mod network;
mod read;

use swath::model::Selection;
use swath::{codec, format};

use crate::heap::peak_of;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// A body, and what it may hold.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    body: fn(&[u8]),
    /// The most bytes of the heap at once, for these bytes of input.
    heap: fn(&[u8]) -> usize,
}

impl Target {
    const fn new(name: &'static str, body: fn(&[u8]), heap: fn(&[u8]) -> usize) -> Self {
        Self { name, body, heap }
    }

    /// Runs the body; a panic where it holds more than it may.
    pub(crate) fn run(&self, data: &[u8]) {
        let ((), peak) = peak_of(|| (self.body)(data));
        let bound = (self.heap)(data);
        assert!(peak <= bound, "{}: {peak} bytes of heap for an input of {}, where {bound} are allowed", self.name, data.len());
    }
}

/// `targets.tsv` has the same names, with what the fuzzer is told of each.
pub(crate) const TARGETS: &[Target] = &[
    Target::new("archive", format::zarr::fuzzing::archive, document),
    Target::new("auxiliary", format::tiff::fuzzing::auxiliary, document),
    Target::new("chain", codec::fuzzing::chain, chunk),
    Target::new("codec", |data| one_codec(false, data), |data| chunk_of_codec(false, data)),
    Target::new("codec_image", |data| one_codec(true, data), |data| chunk_of_codec(true, data)),
    Target::new("command_line", command::line, command::bound),
    Target::new("conventions", format::zarr::fuzzing::conventions, document),
    #[cfg(fuzzing)]
    Target::new("differential_blosc", differential::blosc, chunk),
    Target::new("differential_deflate", differential::deflate, chunk),
    Target::new("differential_lerc", differential::lerc, chunk),
    Target::new("differential_lz4", differential::lz4, chunk),
    Target::new("differential_lzw", differential::lzw, chunk),
    Target::new("differential_zstd", differential::zstd, chunk),
    Target::new("gdal_metadata", format::tiff::fuzzing::gdal_metadata, document),
    Target::new("geokeys", format::tiff::fuzzing::geokeys, document),
    Target::new("http_head", network::head, document),
    Target::new("kernels", kernels::body, document),
    Target::new("names", network::names, document),
    Target::new("query_merge", network::merge, document),
    Target::new("ranges", network::ranges, network::ranges_bound),
    Target::new("read", read::object, read::bound),
    Target::new("reference_tables", reference_tables, chunk),
    Target::new("references", format::zarr::fuzzing::references, document),
    Target::new("round_trip", codec::fuzzing::round_trip, chunk),
    Target::new("selection", selection, document),
    Target::new("shard_index", format::zarr::fuzzing::shard_index, document),
    Target::new("tiff_open", format::tiff::fuzzing::open, header),
    Target::new("token_answer", network::token_answer, document),
    Target::new("wkt", format::tiff::fuzzing::wkt, document),
    Target::new("zarr_consolidated", format::zarr::fuzzing::consolidated, document),
    Target::new("zarr_read", read::array, read::bound),
    Target::new("zarr_v2", format::zarr::fuzzing::v2, document),
    Target::new("zarr_v3", format::zarr::fuzzing::v3, document),
];

/// What is made of a document is in proportion to it.
fn document(data: &[u8]) -> usize {
    256 * KIB + 64 * data.len()
}

/// `max_metadata_bytes` of `format::tiff::fuzzing`, and what is made of them.
fn header(data: &[u8]) -> usize {
    4 * MIB + document(data)
}

/// A chunk, what stands between the steps of its chain (64 KiB each, as the limits of `codec::fuzzing` are), and the decoders' tables.
fn chunk(data: &[u8]) -> usize {
    2 * MIB + 16 * data.len()
}

/// The same, and the memory that the codec may have.
fn chunk_of_codec(is_image: bool, data: &[u8]) -> usize {
    chunk(data) + data.first().map_or(0, |which| codec::fuzzing::working_memory(codec::fuzzing::place(is_image, *which)))
}

/// One codec, chosen by the first byte, on the rest.
fn one_codec(is_image: bool, data: &[u8]) {
    if let Some((which, rest)) = data.split_first() {
        codec::fuzzing::codec(codec::fuzzing::place(is_image, *which), rest);
    }
}

/// The text of a region.
fn selection(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _any = Selection::parse(text).and_then(|s| s.region(&[4, 100, 50]));
    }
}

/// References in Parquet. The library stops panics of the crate that reads it, so they are no finds.
fn reference_tables(data: &[u8]) {
    #[cfg(fuzzing)]
    {
        static QUIET: std::sync::Once = std::sync::Once::new();
        QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    }
    format::zarr::fuzzing::reference_tables(data);
}
