//! Codec lists as chains in the order of decoding.
//!
//! numcodecs filters view bytes as elements of a type with a byte order (`>i2`), the steps of a chain work on elements in memory order:
//! the builder puts a byte order step where bytes become elements.

use serde_json::{Map, Value};

use super::dtype::{self, Stored, is_swapped};
use crate::error::{Error, Result};
use crate::model::{CodecSpec, DataType, Endian, RawJson};

/// What undoing one codec does.
pub(super) enum Step {
    /// Bytes to bytes.
    Bytes(CodecSpec),
    /// Bytes to elements of this type.
    Source(CodecSpec, DataType),
    /// Elements to elements; without a spec nothing is to be done.
    Elements {
        /// As they are stored.
        stored: Stored,
        /// As they are decoded.
        decoded: Stored,
        /// How.
        spec: Option<CodecSpec>,
    },
    /// Nothing: the loss happened when it was written.
    Nothing,
    /// A codec that is not known here.
    Unknown(CodecSpec),
}

/// A codec's parameters.
pub(super) type Parameters = Map<String, Value>;

/// A codec of numcodecs by its id; `element` is the type that its types default to.
pub(super) fn numcodecs(id: &str, parameters: &Parameters, element: &Stored) -> Result<Step> {
    let bad = |key: &str| Error::malformed(format!("codec {id}: {key}"));
    let data_type = |key: &str| match parameters.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => dtype::v2(value).map(Some),
    };
    let at_start = |default: bool| match parameters.get("location") {
        None | Some(Value::Null) => Ok(default),
        Some(Value::String(place)) if place == "start" => Ok(true),
        Some(Value::String(place)) if place == "end" => Ok(false),
        Some(_) => Err(bad("location")),
    };
    // `dtype` is what was given to the codec, `astype` what it stored.
    let pair = || -> Result<(Stored, Stored)> {
        let decoded = data_type("dtype")?.unwrap_or_else(|| element.clone());
        Ok((data_type("astype")?.unwrap_or_else(|| decoded.clone()), decoded))
    };
    let bits = |key: &str| parameters.get(key).and_then(Value::as_f64).map(f64::to_bits).ok_or_else(|| bad(key));
    Ok(match id {
        "zlib" => Step::Bytes(CodecSpec::Zlib),
        "gzip" => Step::Bytes(CodecSpec::Gzip),
        "bz2" => Step::Bytes(CodecSpec::Bzip2),
        "lz4" => Step::Bytes(CodecSpec::Lz4),
        "zstd" => Step::Bytes(CodecSpec::Zstd),
        "blosc" => Step::Bytes(CodecSpec::Blosc),
        "lzma" => Step::Bytes(match parameters.get("format").and_then(Value::as_u64) {
            Some(3) => CodecSpec::LzmaRaw(RawJson::of(parameters.get("filters").unwrap_or(&Value::Null))),
            _ => CodecSpec::Xz,
        }),
        "shuffle" => {
            let element = parameters.get("elementsize").map_or(Some(4), Value::as_u64).and_then(|n| usize::try_from(n).ok());
            Step::Bytes(CodecSpec::Shuffle { element: element.filter(|n| *n > 0).ok_or_else(|| bad("elementsize"))? })
        }
        "crc32" => Step::Bytes(CodecSpec::Crc32 { at_start: at_start(true)? }),
        "crc32c" => Step::Bytes(CodecSpec::Crc32c { at_start: at_start(false)? }),
        "adler32" => Step::Bytes(CodecSpec::Adler32 { at_start: at_start(true)? }),
        "fletcher32" => Step::Bytes(CodecSpec::Fletcher32),
        "vlen-utf8" => Step::Source(CodecSpec::Vlen, DataType::Text),
        "vlen-bytes" => Step::Source(CodecSpec::Vlen, DataType::VariableBytes),
        "json2" => Step::Source(other(id, parameters), DataType::Text),
        "packbits" => Step::Source(CodecSpec::BoolBits, DataType::Bool),
        "bitround" => Step::Nothing,
        "quantize" => {
            let (stored, decoded) = pair()?;
            let (from, to) = (stored.data_type.clone(), decoded.data_type.clone());
            let spec = (from != to).then_some(CodecSpec::Cast { stored: from, decoded: to });
            Step::Elements { stored, decoded, spec }
        }
        "delta" => {
            let (stored, decoded) = pair()?;
            let spec = Some(CodecSpec::Delta { stored: stored.data_type.clone(), decoded: decoded.data_type.clone() });
            Step::Elements { stored, decoded, spec }
        }
        "fixedscaleoffset" => {
            let (stored, decoded) = pair()?;
            let (from, to) = (stored.data_type.clone(), decoded.data_type.clone());
            let spec = Some(CodecSpec::FixedScaleOffset { stored: from, decoded: to, scale: bits("scale")?, offset: bits("offset")? });
            Step::Elements { stored, decoded, spec }
        }
        "astype" => {
            let decoded = data_type("decode_dtype")?.unwrap_or_else(|| element.clone());
            let stored = data_type("encode_dtype")?.ok_or_else(|| bad("encode_dtype"))?;
            let spec = Some(CodecSpec::Cast { stored: stored.data_type.clone(), decoded: decoded.data_type.clone() });
            Step::Elements { stored, decoded, spec }
        }
        _ => Step::Unknown(other(id, parameters)),
    })
}

/// A codec by its name alone.
pub(super) fn other(name: &str, parameters: &Parameters) -> CodecSpec {
    CodecSpec::Other { name: name.to_owned(), configuration: RawJson::of(&Value::Object(parameters.clone())) }
}

/// Builds a chain, step by step in the order of decoding.
pub(super) struct Builder {
    steps: Vec<CodecSpec>,
    /// What is at hand: elements in memory order that stand for these stored ones, or bytes.
    elements: Option<Stored>,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self { steps: Vec::new(), elements: None }
    }

    pub(super) fn push(&mut self, id: &str, step: Step) -> Result<()> {
        match step {
            Step::Nothing => {}
            Step::Bytes(spec) | Step::Unknown(spec) => {
                self.take_bytes(id)?;
                self.steps.push(spec);
            }
            Step::Source(spec, data_type) => {
                self.take_bytes(id)?;
                self.steps.push(spec);
                self.elements = Some(Stored { data_type, endian: Endian::Little, mixed: None });
            }
            Step::Elements { stored, decoded, spec } => {
                if [&stored, &decoded].into_iter().any(|s| s.data_type.size().is_none() || s.data_type.fields().is_some()) {
                    return Err(Error::unsupported(format!("codec {id} on {}", decoded.data_type)));
                }
                self.take_elements(id, &stored)?;
                self.steps.extend(spec);
                self.elements = Some(decoded);
            }
        }
        Ok(())
    }

    /// The chain, whose result are elements of `last`.
    pub(super) fn finish(mut self, last: &Stored) -> Result<Vec<CodecSpec>> {
        let variable = |d: &DataType| d.size().is_none();
        match &self.elements {
            Some(found) if variable(&last.data_type) && found.data_type == last.data_type => {}
            _ if variable(&last.data_type) => return Err(Error::malformed(format!("no codec gives {}", last.data_type))),
            _ => self.take_elements("array", last)?,
        }
        Ok(self.steps)
    }

    fn take_bytes(&mut self, id: &str) -> Result<()> {
        match self.elements.take() {
            Some(found) if is_swapped(&found.data_type) && found.endian != Endian::native() || found.data_type.size().is_none() => {
                Err(Error::unsupported(format!("codec {id} on bytes of {}", found.data_type)))
            }
            _ => Ok(()),
        }
    }

    fn take_elements(&mut self, id: &str, wanted: &Stored) -> Result<()> {
        match &self.elements {
            None if wanted.mixed.is_some() => {
                let orders = wanted.mixed.iter().flat_map(|orders| orders.iter().cloned());
                self.steps.extend(orders.map(|(fields, endian)| CodecSpec::FieldOrder { fields, endian }));
            }
            None if is_swapped(&wanted.data_type) => self.steps.push(CodecSpec::ByteOrder(wanted.endian)),
            None => {}
            // A view of the same bytes as another type of the same size, such as a time as an integer.
            Some(found) => {
                let alike = found.data_type.size() == wanted.data_type.size() && found.data_type.swap_unit() == wanted.data_type.swap_unit();
                if !alike || is_swapped(&wanted.data_type) && found.endian != wanted.endian {
                    return Err(Error::unsupported(format!("{} seen as {} by {id}", found.data_type, wanted.data_type)));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(last: &str, codecs: &str) -> Result<Vec<String>> {
        let last = dtype::v2(&Value::from(last)).unwrap();
        let list: Vec<Parameters> = serde_json::from_str(codecs).unwrap();
        let mut builder = Builder::new();
        for parameters in list.iter().rev() {
            let id = parameters["id"].as_str().unwrap();
            builder.push(id, numcodecs(id, parameters, &last)?)?;
        }
        Ok(builder.finish(&last)?.iter().map(|s| s.name().to_owned()).collect())
    }

    #[test]
    fn byte_order_stands_where_bytes_become_elements() {
        let table: [(&str, &str, Option<&[&str]>); 13] = [
            ("<f4", "[]", Some(&["little-endian"])),
            ("|u1", "[]", Some(&[])),
            (">f4", r#"[{"id":"zlib"}]"#, Some(&["zlib", "big-endian"])),
            (
                "<i2",
                r#"[{"id":"delta","dtype":"<i2"},{"id":"shuffle","elementsize":2},{"id":"zlib"}]"#,
                Some(&["zlib", "shuffle", "little-endian", "delta"]),
            ),
            ("<f8", r#"[{"id":"fixedscaleoffset","dtype":"<f8","astype":"|u1","scale":10,"offset":1.5}]"#, Some(&["fixedscaleoffset"])),
            (
                "<f8",
                r#"[{"id":"fixedscaleoffset","dtype":"<f8","astype":"<i2","scale":10,"offset":1.5},{"id":"delta","dtype":"<i2"}]"#,
                Some(&["little-endian", "delta", "fixedscaleoffset"]),
            ),
            ("<M8[s]", r#"[{"id":"delta","dtype":"<i8"}]"#, Some(&["little-endian", "delta"])),
            ("<f4", r#"[{"id":"quantize","digits":2,"dtype":"<f4"}]"#, Some(&["little-endian"])),
            ("<f8", r#"[{"id":"quantize","digits":2,"dtype":"<f8","astype":"<f4"}]"#, Some(&["little-endian", "cast"])),
            ("|b1", r#"[{"id":"packbits"}]"#, Some(&["bool-bits"])),
            ("<i4", r#"[{"id":"delta","dtype":">i4"}]"#, None),
            ("<i4", r#"[{"id":"delta","dtype":"<i2"}]"#, None),
            ("<f4", r#"[{"id":"bitround","keepbits":3},{"id":"new","x":1}]"#, Some(&["new", "little-endian"])),
        ];
        for (last, codecs, expected) in table {
            assert_eq!(
                chain(last, codecs).ok().as_deref(),
                expected.map(|e| e.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()).as_deref(),
                "{last} {codecs}"
            );
        }
    }
}
