//! LZMA: .xz and .lzma streams, and raw LZMA1 or LZMA2 behind filters that the metadata names.

use std::io::Read;

use lzma_rust2::filter::delta::DeltaReader;
use lzma_rust2::{Lzma2Reader, LzmaReader, XzReader};

use super::{ChunkContext, Codec, Output, Scratch};
use crate::error::{Error, Result};
use crate::model::RawJson;

/// Memory of a decoder: the largest dictionary of the presets, 64 MiB, and what it needs beside it.
const MEMORY_KIB: u32 = 96 << 10;

/// An .xz stream, or an .lzma stream.
#[derive(Debug)]
pub(super) struct Xz;

impl Codec for Xz {
    fn name(&self) -> &str {
        "lzma"
    }
    /// 273 bytes take a third of a bit where nothing else was ever seen.
    fn most_output(&self, input: usize) -> Option<usize> {
        Some(input.saturating_mul(1 << 14))
    }
    /// The window, and the coders of literals: 1,536 bytes for each of up to 2^12 contexts.
    fn working_memory(&self, output: usize) -> usize {
        output.saturating_mul(2).saturating_add(8 << 20)
    }
    fn decode(&self, input: &[u8], _: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        if input.starts_with(&[0xfd, b'7', b'z', b'X', b'Z', 0]) {
            output.fill_from("lzma", XzReader::new_mem_limit(input, true, MEMORY_KIB))
        } else {
            output.fill_from("lzma", LzmaReader::new_mem_limit(input, MEMORY_KIB, None).map_err(failed)?)
        }
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::codec("lzma", error.to_string())
}

/// A raw stream: one compressor, and differences of bytes before it.
#[derive(Debug)]
pub(super) struct Raw {
    compressor: Compressor,
    /// Distances of delta filters, in the order of decoding.
    deltas: Vec<usize>,
}

#[derive(Debug)]
enum Compressor {
    Lzma1 { dictionary: u32, lc: u32, lp: u32, pb: u32 },
    Lzma2 { dictionary: u32 },
}

impl Raw {
    pub(super) fn new(filters: &RawJson) -> Result<Self> {
        let filters: Vec<serde_json::Map<String, serde_json::Value>> = filters.parse()?;
        let Some((last, before)) = filters.split_last() else {
            return Err(Error::malformed("lzma: a raw stream without filters"));
        };
        let id = |f: &serde_json::Map<String, serde_json::Value>| f.get("id").and_then(serde_json::Value::as_u64);
        let number = |f: &serde_json::Map<String, serde_json::Value>, name: &str, default: u32| match f.get(name) {
            None | Some(serde_json::Value::Null) => Ok(default),
            Some(value) => {
                let value = value.as_u64().and_then(|n| u32::try_from(n).ok());
                value.ok_or_else(|| Error::malformed(format!("lzma: {name} is not a number")))
            }
        };
        let preset = number(last, "preset", 6)? & 0x1f;
        let dictionary = match preset {
            0 => 256 << 10,
            1 => 1 << 20,
            2 => 2 << 20,
            3 | 4 => 4 << 20,
            5 | 6 => 8 << 20,
            7 => 16 << 20,
            8 => 32 << 20,
            9 => 64 << 20,
            other => return Err(Error::malformed(format!("lzma: preset {other}"))),
        };
        let dictionary = number(last, "dict_size", dictionary)?;
        if dictionary >> 10 > MEMORY_KIB {
            return Err(Error::limit("lzma dictionary", u64::from(dictionary), u64::from(MEMORY_KIB) << 10));
        }
        let (lc, lp, pb) = (number(last, "lc", 3)?, number(last, "lp", 0)?, number(last, "pb", 2)?);
        if lc > 8 || lp > 4 || pb > 4 {
            return Err(Error::malformed("lzma: lc, lp or pb out of range"));
        }
        let compressor = match id(last) {
            Some(0x4000_0000_0000_0001 | 0x4000_0000_0000_0002) => Compressor::Lzma1 { dictionary, lc, lp, pb },
            Some(0x21) => Compressor::Lzma2 { dictionary },
            other => return Err(Error::unsupported(format!("lzma filter {other:?}"))),
        };
        let mut deltas = Vec::new();
        for filter in before.iter().rev() {
            match (id(filter), number(filter, "dist", 1)?) {
                (Some(3), distance @ 1..=256) => deltas.push(super::size(distance)),
                (other, _) => return Err(Error::unsupported(format!("lzma filter {other:?}"))),
            }
        }
        if deltas.len() > 3 {
            return Err(Error::malformed("lzma: more than four filters"));
        }
        Ok(Self { compressor, deltas })
    }
}

impl Codec for Raw {
    fn name(&self) -> &str {
        "lzma"
    }
    /// As above.
    fn most_output(&self, input: usize) -> Option<usize> {
        Some(input.saturating_mul(1 << 14))
    }
    /// The window, and the coders of literals: 1,536 bytes for each of up to 2^12 contexts.
    fn working_memory(&self, output: usize) -> usize {
        output.saturating_mul(2).saturating_add(8 << 20)
    }
    fn decode(&self, input: &[u8], _: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let mut reader: Box<dyn Read + '_> = match self.compressor {
            Compressor::Lzma1 { dictionary, lc, lp, pb } => Box::new(LzmaReader::new(input, u64::MAX, lc, lp, pb, dictionary, None).map_err(failed)?),
            Compressor::Lzma2 { dictionary } => Box::new(Lzma2Reader::new(input, dictionary, None)),
        };
        for distance in &self.deltas {
            reader = Box::new(DeltaReader::new(reader, *distance));
        }
        output.fill_from("lzma", reader)
    }
}
