//! Codec lists of version 3: array to array, then one array to bytes, then bytes to bytes.

use serde_json::Value;
use zarrs_metadata::v3::MetadataV3;

use super::chain::{self, Parameters, Step};
use super::dtype::{Stored, is_swapped};
use super::sharding::Sharding;
use crate::error::{Error, Result};
use crate::model::{AxisOrder, CodecSpec, DataType, Endian, Limits};

/// What the codecs of an array share.
pub(super) struct Pipeline<'a> {
    pub(super) data_type: &'a DataType,
    /// One element in memory order; empty for zeros.
    pub(super) fill: &'a [u8],
    pub(super) limits: &'a Limits,
}

/// One codec of the list.
pub(super) enum Codec {
    /// Encoded axis `i` is decoded axis `order[i]`.
    Transpose(AxisOrder),
    /// Array to array.
    Elements(Step),
    /// Array to bytes: fixed-size elements in this byte order.
    Bytes(Endian),
    /// Array to bytes: texts or byte strings.
    Vlen,
    /// Array to bytes: a shard.
    Sharding(Box<Sharding>),
    /// Bytes to bytes.
    Compressed(CodecSpec),
    /// Not known here, so of any kind.
    Unknown(CodecSpec),
    /// Nothing is to be done.
    Nothing,
}

impl Codec {
    pub(super) fn new(metadata: &MetadataV3, element: &DataType, rank: usize, limits: &Limits) -> Result<Self> {
        let none = Parameters::new();
        let parameters = metadata.configuration().map_or(&none, |c| c);
        let numcodecs = |id: &str| chain::numcodecs(id, parameters, &Stored::native(element.clone()));
        Ok(match metadata.name() {
            "bytes" | "endian" => Self::Bytes(endian(parameters)?),
            "transpose" => Self::Transpose(order(parameters, rank)?),
            "sharding_indexed" => Self::Sharding(Box::new(Sharding::new(parameters, rank, limits)?)),
            "scale_offset" => Self::Elements(scale_offset(parameters, element)?),
            "cast_value" => Self::Elements(cast_value(parameters, element)?),
            "vlen-utf8" | "vlen-bytes" | "numcodecs.vlen-utf8" | "numcodecs.vlen-bytes" => Self::Vlen,
            name @ ("gzip" | "zstd" | "blosc" | "crc32c" | "zlib" | "bz2" | "lz4" | "lzma" | "shuffle" | "fletcher32" | "adler32" | "crc32"
            | "bitround") => Self::of(numcodecs(name)?),
            name => match name.strip_prefix("numcodecs.") {
                Some(id) => match numcodecs(id)? {
                    // Known by its whole name to whoever has it.
                    Step::Unknown(_) => Self::Unknown(chain::other(name, parameters)),
                    step => Self::of(step),
                },
                None => Self::Unknown(chain::other(name, parameters)),
            },
        })
    }

    fn of(step: Step) -> Self {
        match step {
            Step::Bytes(spec) => Self::Compressed(spec),
            Step::Unknown(spec) => Self::Unknown(spec),
            Step::Nothing => Self::Nothing,
            step @ (Step::Source(..) | Step::Elements { .. }) => Self::Elements(step),
        }
    }
}

/// `stored / scale + offset` in the arithmetic of the type (zarr-extensions, `scale_offset`), which is said of floats alone.
fn scale_offset(parameters: &Parameters, element: &DataType) -> Result<Step> {
    if !matches!(element, DataType::F16 | DataType::F32 | DataType::F64) {
        return Err(Error::unsupported(format!("codec scale_offset on {element}")));
    }
    let number = |name: &str| {
        let number = parameters.get(name).and_then(Value::as_f64).filter(|n| n.is_finite());
        number.map(f64::to_bits).ok_or_else(|| Error::malformed(format!("codec scale_offset: {name}")))
    };
    let spec = CodecSpec::FixedScaleOffset { stored: element.clone(), decoded: element.clone(), scale: number("scale")?, offset: number("offset")? };
    Ok(Step::Elements { stored: Stored::native(element.clone()), decoded: Stored::native(element.clone()), spec: Some(spec) })
}

/// Values of another type (zarr-extensions, `cast_value`): where every stored value, or the nearest to it, is one of the array's.
fn cast_value(parameters: &Parameters, element: &DataType) -> Result<Step> {
    let stored: MetadataV3 = match parameters.get("data_type") {
        Some(value) => serde_json::from_value(value.clone()).map_err(|_| Error::malformed("codec cast_value: data_type"))?,
        None => return Err(Error::malformed("codec cast_value: data_type")),
    };
    let stored = super::dtype::v3(&stored)?;
    let map = parameters.get("scalar_map").and_then(|map| map.get("decode")).and_then(Value::as_array);
    if map.is_some_and(|map| !map.is_empty()) {
        return Err(Error::unsupported("codec cast_value with a scalar_map"));
    }
    let fits = match (integer_bits(&stored), integer_bits(element)) {
        (Some((from, signed)), Some((to, to_signed))) => from < to && (to_signed || !signed) || from == to && signed == to_signed,
        // Through an f64, so that a number of 64 bits would be rounded twice.
        (Some((from, _)), None) => *element == DataType::F64 || matches!(element, DataType::F32 | DataType::F16) && from <= 32,
        (None, None) => [&stored, element].iter().all(|t| matches!(t, DataType::F16 | DataType::F32 | DataType::F64)),
        (None, Some(_)) => false,
    };
    if !fits {
        return Err(Error::unsupported(format!("codec cast_value from {stored} to {element}")));
    }
    let spec = (stored != *element).then(|| CodecSpec::Cast { stored: stored.clone(), decoded: element.clone() });
    Ok(Step::Elements { stored: Stored::native(stored), decoded: Stored::native(element.clone()), spec })
}

/// Bits of an integer, and whether it has a sign.
fn integer_bits(data_type: &DataType) -> Option<(u8, bool)> {
    Some(match data_type {
        DataType::I8 => (8, true),
        DataType::U8 => (8, false),
        DataType::I16 => (16, true),
        DataType::U16 => (16, false),
        DataType::I32 => (32, true),
        DataType::U32 => (32, false),
        DataType::I64 => (64, true),
        DataType::U64 => (64, false),
        _ => return None,
    })
}

/// Little where it is left out: then elements are single bytes, or the writer's machine was.
fn endian(parameters: &Parameters) -> Result<Endian> {
    match parameters.get("endian").map(Value::as_str) {
        None | Some(Some("little")) => Ok(Endian::Little),
        Some(Some("big")) => Ok(Endian::Big),
        _ if parameters.get("endian").is_some_and(Value::is_null) => Ok(Endian::Little),
        _ => Err(Error::malformed("codec bytes: endian is neither little nor big")),
    }
}

fn order(parameters: &Parameters, rank: usize) -> Result<AxisOrder> {
    let order = match parameters.get("order") {
        Some(Value::String(name)) if name == "C" => AxisOrder::c(rank),
        Some(Value::String(name)) if name == "F" => AxisOrder::f(rank),
        Some(value) => {
            let axes = super::grid::lengths(value).unwrap_or_default();
            AxisOrder::new(axes.into_iter().map(|a| usize::try_from(a).unwrap_or(usize::MAX)).collect())?
        }
        None => return Err(Error::malformed("codec transpose: order")),
    };
    if order.axes().len() != rank {
        return Err(Error::malformed("codec transpose: the order has another rank than the array"));
    }
    Ok(order)
}

/// A chain in the order of decoding. Transposes at the head of the list are given apart: they are only an order of axes.
pub(super) fn chain(list: &[MetadataV3], rank: usize, pipeline: &Pipeline<'_>) -> Result<(AxisOrder, Vec<CodecSpec>)> {
    let mut order = AxisOrder::c(rank);
    let mut current = pipeline.data_type.clone();
    // In the order of encoding; turned round at the end.
    let mut steps: Vec<CodecSpec> = Vec::new();
    let (mut in_bytes, mut unknown) = (false, false);
    for metadata in list {
        let codec = Codec::new(metadata, &current, rank, pipeline.limits)?;
        let name = metadata.name();
        let is_second = in_bytes && matches!(codec, Codec::Transpose(_) | Codec::Elements(_) | Codec::Bytes(_) | Codec::Vlen | Codec::Sharding(_));
        let is_early = !in_bytes && !unknown && matches!(codec, Codec::Compressed(_));
        if is_second || is_early {
            return Err(Error::malformed(format!("codec {name} stands at the wrong place of the list")));
        }
        match codec {
            Codec::Transpose(further) if steps.is_empty() => order = order.then(&further),
            Codec::Transpose(further) => steps.push(CodecSpec::Transpose(further)),
            Codec::Elements(Step::Elements { stored, decoded, spec }) => {
                if decoded.data_type.size() != current.size() || stored.data_type.size().is_none() || current.fields().is_some() {
                    return Err(Error::unsupported(format!("codec {name} on {current}")));
                }
                steps.extend(spec);
                current = stored.data_type;
            }
            Codec::Elements(Step::Source(spec, decoded)) => {
                if decoded != current {
                    return Err(Error::unsupported(format!("codec {name} on {current}")));
                }
                steps.push(spec);
                current = DataType::U8;
            }
            Codec::Elements(_) | Codec::Nothing => {}
            Codec::Bytes(endian) => {
                if current.size().is_none() {
                    return Err(Error::malformed(format!("codec {name} on {current}")));
                }
                if is_swapped(&current) {
                    steps.push(CodecSpec::ByteOrder(endian));
                }
                in_bytes = true;
            }
            Codec::Vlen => {
                if current.size().is_some() {
                    return Err(Error::unsupported(format!("codec {name} on {current}")));
                }
                steps.push(CodecSpec::Vlen);
                in_bytes = true;
            }
            Codec::Sharding(sharding) => {
                steps.push(sharding.spec(&current, pipeline)?);
                in_bytes = true;
            }
            Codec::Compressed(spec) => steps.push(spec),
            Codec::Unknown(spec) => {
                steps.push(spec);
                unknown = true;
            }
        }
    }
    if !in_bytes && !unknown {
        return Err(Error::malformed("no codec of the list turns elements into bytes"));
    }
    steps.reverse();
    Ok((order, steps))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(data_type: DataType, list: &str) -> Result<(Vec<usize>, Vec<String>)> {
        let list: Vec<MetadataV3> = serde_json::from_str(list).unwrap();
        let pipeline = Pipeline { data_type: &data_type, fill: &[], limits: &Limits::default() };
        let (order, steps) = chain(&list, 3, &pipeline)?;
        Ok((order.axes().to_vec(), steps.iter().map(|s| s.name().to_owned()).collect()))
    }

    #[test]
    fn lists() {
        let bytes = r#"{"name":"bytes","configuration":{"endian":"big"}}"#;
        let transpose = r#"{"name":"transpose","configuration":{"order":[1,2,0]}}"#;
        let delta = r#"{"name":"numcodecs.delta","configuration":{"dtype":"<i4","astype":"<i2"}}"#;
        type Expected<'a> = Option<(&'a [usize], &'a [&'a str])>;
        let table: [(&str, Expected<'_>); 12] = [
            (&format!("[{bytes}]"), Some((&[0, 1, 2], &["big-endian"]))),
            (&format!(r#"[{transpose},{transpose},{bytes},"gzip","crc32c"]"#), Some((&[2, 0, 1], &["crc32c", "gzip", "big-endian"]))),
            (&format!("[{delta},{transpose},{bytes}]"), Some((&[0, 1, 2], &["big-endian", "transpose", "delta"]))),
            (&format!(r#"["bitround",{transpose},{bytes}]"#), Some((&[1, 2, 0], &["big-endian"]))),
            (&format!(r#"["new",{bytes}]"#), Some((&[0, 1, 2], &["big-endian", "new"]))),
            (r#"["numcodecs.pcodec"]"#, Some((&[0, 1, 2], &["numcodecs.pcodec"]))),
            (r#"["numcodecs.pcodec","zstd"]"#, Some((&[0, 1, 2], &["zstd", "numcodecs.pcodec"]))),
            ("[]", None),
            (r#"["gzip"]"#, None),
            (&format!("[{bytes},{bytes}]"), None),
            (&format!(r#"["gzip",{bytes}]"#), None),
            (&format!("[{bytes},{transpose}]"), None),
        ];
        for (list, expected) in table {
            let found = build(DataType::I32, list).ok();
            let found = found.as_ref().map(|(o, s)| (o.as_slice(), s.iter().map(String::as_str).collect::<Vec<_>>()));
            assert_eq!(found, expected.map(|(o, s)| (o, s.to_vec())), "{list}");
        }
        assert_eq!(build(DataType::Text, r#"["vlen-utf8"]"#).unwrap().1, ["vlen"]);
        assert!(build(DataType::Text, r#"["bytes"]"#).is_err());
        assert_eq!(build(DataType::Bool, r#"["numcodecs.packbits","bytes"]"#).unwrap().1, ["bool-bits"]);
        let packed = |from: &str| {
            let scale = r#"{"name":"scale_offset","configuration":{"offset":5,"scale":0.1}}"#;
            format!(r#"[{scale},{{"name":"cast_value","configuration":{{"data_type":"{from}","rounding":"nearest-even"}}}},{bytes}]"#)
        };
        assert_eq!(build(DataType::F32, &packed("int16")).unwrap().1, ["big-endian", "cast", "fixedscaleoffset"]);
        assert_eq!(build(DataType::F32, &packed("uint8")).unwrap().1, ["cast", "fixedscaleoffset"]);
        assert!(build(DataType::F32, &packed("int64")).unwrap_err().is_unsupported());
        assert!(build(DataType::I16, &packed("int8")).unwrap_err().is_unsupported());
        let cast = |from: &str| format!(r#"[{{"name":"cast_value","configuration":{{"data_type":"{from}"}}}},{bytes}]"#);
        for (from, to, fits) in
            [("uint8", DataType::I16, true), ("int8", DataType::U16, false), ("int64", DataType::I32, false), ("float64", DataType::I32, false)]
        {
            assert_eq!(build(to, &cast(from)).is_ok(), fits, "{from}");
        }
        assert!(build(DataType::I32, r#"[{"name":"bytes","configuration":{"endian":"middle"}}]"#).is_err());
        assert!(build(DataType::I32, r#"[{"name":"transpose","configuration":{"order":[0,1,1]}},"bytes"]"#).is_err());
    }
}
