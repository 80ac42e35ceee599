//! From codecs by name to a chain that runs.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

#[cfg(feature = "blosc")]
use super::blosc;
#[cfg(feature = "bzip2")]
use super::bzip2;
use super::chain::{Action, Chain, Stage};
#[cfg(feature = "jpeg")]
use super::jpeg;
#[cfg(feature = "jpeg2000")]
use super::jpeg2000;
#[cfg(feature = "jxl")]
use super::jpegxl;
#[cfg(feature = "lerc")]
use super::lerc;
#[cfg(feature = "lzma")]
use super::lzma;
#[cfg(feature = "pcodec")]
use super::pcodec;
#[cfg(feature = "png")]
use super::png;
#[cfg(feature = "webp")]
use super::webp;
use super::{
    Codec, Finish, InPlace, Trim, bits, byteorder, checksum, elements, fax, filters, inflate, json2, logluv, lz4, lzw, next, packbits, predictor,
};
use super::{shard, thunderscan, zfp, zstd};
use crate::error::{Error, Result};
use crate::model::{AxisOrder, CodecSpec, DataType, Endian, Field, FillValue, Limits, RawJson};

/// Makes a codec from its configuration and the type of the elements at its output.
pub type MakeCodec = Arc<dyn Fn(&RawJson, &DataType) -> Result<Arc<dyn Codec>> + Send + Sync>;

/// The caller's own codecs, by the name in the metadata. One named as a codec of the library's long tail stands before it.
#[derive(Clone, Default)]
pub struct Registry(Arc<HashMap<String, MakeCodec>>);

impl Registry {
    /// With one codec more.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, make: MakeCodec) -> Self {
        Arc::make_mut(&mut self.0).insert(name.into(), make);
        self
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Chain {
    /// Compiles codecs, in the order of decoding, whose last gives elements of this type.
    ///
    /// # Errors
    /// `Unsupported` with the name of the codec, `Malformed` where parameters contradict each other, `Limit` for too many codecs.
    pub fn compile(specs: &[CodecSpec], data_type: &DataType, fill: &FillValue, registry: &Registry, limits: &Limits) -> Result<Self> {
        Limits::check("max_codecs", CodecSpec::count(specs), limits.max_codecs)?;
        let mut compiler = Compiler { data_type: data_type.clone(), order: None, fill, registry, limits };
        let mut stages = Vec::with_capacity(specs.len());
        let (mut finish, mut finishing, mut may_finish) = (Finish::Nothing, 0_usize, true);
        for spec in specs.iter().rev() {
            let (at, order) = (compiler.data_type.clone(), compiler.order.clone());
            let with_finish = if may_finish && order.is_none() { compiler.finish(spec, finish)? } else { None };
            if let Some(action) = compiler.step(spec)? {
                stages.push(Stage { action, data_type: at, order });
                match with_finish {
                    Some(with) => (finish, finishing) = (with, stages.len()),
                    None => may_finish = false,
                }
            }
        }
        if compiler.data_type.size().is_none() {
            return Err(Error::malformed("elements of different lengths without a codec that tells them apart"));
        }
        stages.reverse();
        let in_place = stages.iter().rev().take_while(|s| matches!(s.action, Action::InPlace(_))).count();
        let tail = stages.len().saturating_sub(in_place);
        let before_finish = stages.len().saturating_sub(finishing);
        Ok(Self { stages, data_type: data_type.clone(), tail, finish, before_finish })
    }
}

/// Goes from the last step to the first; knows the type and the axes at the output of the step it is at.
struct Compiler<'a> {
    data_type: DataType,
    order: Option<AxisOrder>,
    fill: &'a FillValue,
    registry: &'a Registry,
    limits: &'a Limits,
}

fn apart(codec: impl Codec + 'static) -> Option<Action> {
    Some(Action::Apart(Arc::new(codec)))
}
fn in_place(codec: impl InPlace + 'static) -> Option<Action> {
    Some(Action::InPlace(Arc::new(codec)))
}
fn trim(codec: impl Trim + 'static) -> Option<Action> {
    Some(Action::Trim(Arc::new(codec)))
}
/// The one wording for what another build of this library reads; callers and tests match on `built without the feature "`.
#[allow(dead_code, reason = "where every feature is on, no codec is left out")]
fn without(codec: &str, feature: &str) -> Error {
    Error::unsupported(format!("codec {codec}: built without the feature \"{feature}\""))
}

impl Compiler<'_> {
    fn element(&self, codec: &str) -> Result<usize> {
        self.data_type.size().ok_or_else(|| Error::malformed(format!("{codec} of elements that differ in length")))
    }

    /// The finish of a chain that this step stands in, with this one behind it; `None` where the two are not one pass.
    fn finish(&self, spec: &CodecSpec, then: Finish) -> Result<Option<Finish>> {
        let size = self.data_type.size();
        Ok(match (spec, then) {
            (CodecSpec::ByteOrder(endian), _) if *endian == Endian::native() => None,
            (CodecSpec::ByteOrder(_), Finish::Nothing) if self.data_type.fields().is_none() && self.data_type.swap_unit() > 1 => {
                Some(Finish::Swap { unit: self.data_type.swap_unit() })
            }
            (CodecSpec::ByteOrder(_), Finish::Predictor { sample, row, stride, swap: false }) if self.data_type.swap_unit() == sample => {
                Some(Finish::Predictor { sample, row, stride, swap: true })
            }
            (CodecSpec::Predictor { row, stride }, Finish::Nothing) => {
                let (sample, row, stride) = self.row("predictor 2", *row, *stride)?;
                Some(Finish::Predictor { sample, row, stride, swap: false })
            }
            (CodecSpec::FloatPredictor { row, stride }, Finish::Nothing) => {
                let (sample, row, stride) = self.row("predictor 3", *row, *stride)?;
                Some(Finish::FloatPredictor { sample, row, stride })
            }
            (CodecSpec::Shuffle { element }, Finish::Nothing) if *element > 1 && size == Some(*element) => {
                Some(Finish::Unshuffle { element: *element, swap: false })
            }
            (CodecSpec::Shuffle { element }, Finish::Swap { unit }) if *element == unit && size == Some(unit) => {
                Some(Finish::Unshuffle { element: *element, swap: true })
            }
            _ => None,
        })
    }

    /// The action of a step, none where there is nothing to do; the compiler is at the step's input afterwards.
    fn step(&mut self, spec: &CodecSpec) -> Result<Option<Action>> {
        use checksum::{Checksum, Sum};
        use inflate::{Deflate, Wrapping};
        Ok(match spec {
            CodecSpec::Zlib => apart(Deflate(Wrapping::Zlib)),
            CodecSpec::Deflate => apart(Deflate(Wrapping::Raw)),
            CodecSpec::Gzip => apart(Deflate(Wrapping::Gzip)),
            CodecSpec::Zstd => apart(zstd::Zstd),
            CodecSpec::Lz4 => apart(lz4::Lz4),
            CodecSpec::Lzw(bits) => apart(lzw::Lzw(*bits)),
            CodecSpec::PackBits => apart(packbits::PackBits),
            #[cfg(feature = "blosc")]
            CodecSpec::Blosc => apart(blosc::Blosc),
            #[cfg(not(feature = "blosc"))]
            CodecSpec::Blosc => return Err(without("blosc", "blosc")),
            #[cfg(feature = "bzip2")]
            CodecSpec::Bzip2 => apart(bzip2::Bzip2),
            #[cfg(not(feature = "bzip2"))]
            CodecSpec::Bzip2 => return Err(without("bzip2", "bzip2")),
            #[cfg(feature = "lzma")]
            CodecSpec::Xz => apart(lzma::Xz),
            #[cfg(feature = "lzma")]
            CodecSpec::LzmaRaw(filters) => apart(lzma::Raw::new(filters)?),
            #[cfg(not(feature = "lzma"))]
            CodecSpec::Xz | CodecSpec::LzmaRaw(_) => return Err(without("lzma", "lzma")),
            #[cfg(feature = "jpeg")]
            CodecSpec::Jpeg { tables, color, samples, bits } => {
                self.samples_of("jpeg", *bits)?;
                apart(jpeg::Jpeg::new(tables.as_ref(), *color, *samples, *bits)?)
            }
            #[cfg(not(feature = "jpeg"))]
            CodecSpec::Jpeg { .. } => return Err(without("jpeg", "jpeg")),
            #[cfg(feature = "webp")]
            CodecSpec::Webp { samples } => {
                self.bytes_only("webp")?;
                if !matches!(samples, 3 | 4) {
                    return Err(Error::unsupported(format!("WebP of {samples} samples a pixel")));
                }
                apart(webp::Webp { samples: usize::from(*samples) })
            }
            #[cfg(not(feature = "webp"))]
            CodecSpec::Webp { .. } => return Err(without("webp", "webp")),
            #[cfg(feature = "jxl")]
            CodecSpec::JpegXl { samples } => apart(jpegxl::JpegXl { samples: usize::from(*samples) }),
            #[cfg(not(feature = "jxl"))]
            CodecSpec::JpegXl { .. } => return Err(without("jpegxl", "jxl")),
            #[cfg(feature = "jpeg2000")]
            CodecSpec::Jpeg2000 { samples } => apart(jpeg2000::Jpeg2000 { samples: usize::from(*samples) }),
            #[cfg(not(feature = "jpeg2000"))]
            CodecSpec::Jpeg2000 { .. } => return Err(without("jpeg2000", "jpeg2000")),
            #[cfg(feature = "png")]
            CodecSpec::Png { samples } => apart(png::Png { samples: usize::from(*samples) }),
            #[cfg(not(feature = "png"))]
            CodecSpec::Png { .. } => return Err(without("png", "png")),
            #[cfg(feature = "lerc")]
            CodecSpec::Lerc { samples } => apart(lerc::Lerc { samples: usize::from(*samples) }),
            #[cfg(not(feature = "lerc"))]
            CodecSpec::Lerc { .. } => return Err(without("lerc", "lerc")),
            CodecSpec::Fax(coding) => {
                self.bytes_only("fax")?;
                apart(fax::Fax(*coding))
            }
            CodecSpec::ThunderScan => {
                self.bytes_only("thunderscan")?;
                apart(thunderscan::ThunderScan)
            }
            CodecSpec::Next => {
                self.bytes_only("next")?;
                apart(next::Next)
            }
            CodecSpec::LogLuv(coding) => match self.data_type {
                DataType::I16 | DataType::U16 => apart(logluv::LogLuv(*coding)),
                ref other => return Err(Error::malformed(format!("sgilog gives int16, not {other}"))),
            },
            CodecSpec::Crc32c { at_start } => trim(Checksum { sum: Sum::Crc32c, at_start: *at_start }),
            CodecSpec::Crc32 { at_start } => trim(Checksum { sum: Sum::Crc32, at_start: *at_start }),
            CodecSpec::Adler32 { at_start } => trim(Checksum { sum: Sum::Adler32, at_start: *at_start }),
            CodecSpec::Fletcher32 => trim(Checksum { sum: Sum::Fletcher32, at_start: false }),
            CodecSpec::SizeLeader => trim(checksum::SizeLeader),
            CodecSpec::Shuffle { element: 0 | 1 } => None,
            CodecSpec::Shuffle { element } => apart(filters::Shuffle { element: *element }),
            CodecSpec::ReverseBits => in_place(byteorder::ReverseBits),
            CodecSpec::LeaveSurplus => Some(Action::LeaveSurplus),
            CodecSpec::ByteOrder(endian) if *endian == Endian::native() => None,
            CodecSpec::ByteOrder(_) => byteorder::Swap::of(&self.data_type).and_then(in_place),
            CodecSpec::FieldOrder { endian, .. } if *endian == Endian::native() => None,
            CodecSpec::FieldOrder { fields, .. } => byteorder::Swap::of(fields).and_then(in_place),
            CodecSpec::UnpackBits { bits, row } => {
                let codec = bits::UnpackBits::new(*bits, *row, &self.data_type)?;
                self.data_type = DataType::U8;
                apart(codec)
            }
            CodecSpec::Float24(endian) => self.widen(bits::Widen::Float24, *endian)?,
            CodecSpec::Int24(endian) => self.widen(bits::Widen::Int24 { signed: self.data_type == DataType::I32 }, *endian)?,
            CodecSpec::BoolBits => {
                self.data_type = DataType::U8;
                apart(bits::BoolBits)
            }
            CodecSpec::Predictor { row, stride } => {
                let (sample, row_bytes, stride) = self.row("predictor 2", *row, *stride)?;
                if !matches!(sample, 1 | 2 | 4 | 8) {
                    return Err(Error::unsupported(format!("predictor 2 of {sample}-byte samples")));
                }
                in_place(predictor::Predictor { sample, row_bytes, stride })
            }
            CodecSpec::FloatPredictor { row, stride } => {
                let (sample, row_bytes, stride) = self.row("predictor 3", *row, *stride)?;
                if !matches!(sample, 2 | 3 | 4 | 8) {
                    return Err(Error::unsupported(format!("predictor 3 of {sample}-byte samples")));
                }
                in_place(predictor::FloatPredictor { sample, row_bytes, stride })
            }
            CodecSpec::Delta { stored, decoded } => {
                let codec = filters::Delta::new(stored, decoded)?;
                self.convert("delta", stored, decoded)?;
                apart(codec)
            }
            CodecSpec::FixedScaleOffset { stored, decoded, scale, offset } => {
                let codec = filters::FixedScaleOffset::new(stored, decoded, f64::from_bits(*scale), f64::from_bits(*offset))?;
                self.convert("fixedscaleoffset", stored, decoded)?;
                apart(codec)
            }
            CodecSpec::Cast { stored, decoded } => {
                self.convert("cast", stored, decoded)?;
                if stored == decoded { None } else { apart(filters::Cast::new(stored, decoded)?) }
            }
            CodecSpec::Transpose(order) if order.is_c() => None,
            CodecSpec::Transpose(order) => {
                let element = self.element("transpose")?;
                let before = self.order.as_ref().map_or_else(|| order.clone(), |outer| outer.then(order));
                self.order = Some(before);
                apart(elements::Transpose { order: order.clone(), element })
            }
            CodecSpec::Field { record, field } => self.field(*record, field)?,
            CodecSpec::Shard { chunk, chain, index_chain, index_at_start, fill } => {
                let element = self.data_type.size().ok_or_else(|| Error::unsupported("a whole shard of elements that differ in length"))?;
                apart(shard::Shard {
                    chunk: chunk.clone(),
                    chain: Chain::compile(chain, &self.data_type, self.fill, self.registry, self.limits)?,
                    index_chain: Chain::compile(index_chain, &DataType::U64, &FillValue::ZERO, self.registry, self.limits)?,
                    index_at_start: *index_at_start,
                    fill: fill.clone(),
                    element,
                })
            }
            CodecSpec::Vlen => {
                let text = match self.data_type {
                    DataType::Text => true,
                    DataType::VariableBytes => false,
                    _ => return Err(Error::malformed(format!("vlen gives text or bytes, not {}", self.data_type))),
                };
                self.data_type = DataType::U8;
                apart(elements::Vlen { text })
            }
            CodecSpec::Other { name, configuration } => self.other(name, configuration)?,
        })
    }

    /// The caller's own codec; it gives elements of the type asked for, and takes bytes.
    fn other(&mut self, name: &str, configuration: &RawJson) -> Result<Option<Action>> {
        let Some(make) = self.registry.0.get(name) else { return self.long_tail(name) };
        let codec = make(configuration, &self.data_type)?;
        if self.data_type.size().is_none() {
            self.data_type = DataType::U8;
        }
        Ok(Some(Action::Apart(codec)))
    }

    /// Rare codecs whose decoding needs no configuration.
    fn long_tail(&mut self, name: &str) -> Result<Option<Action>> {
        match name.strip_prefix("numcodecs.").unwrap_or(name) {
            // Bits were rounded away when it was encoded.
            "bitround" => Ok(None),
            "json2" if self.data_type == DataType::Text => {
                self.data_type = DataType::U8;
                Ok(apart(json2::Json2))
            }
            "zfpy" => {
                let codec = zfp::Zfp::new(&self.data_type)?;
                self.data_type = DataType::U8;
                Ok(apart(codec))
            }
            #[cfg(feature = "pcodec")]
            "pcodec" => {
                let codec = pcodec::Pcodec::new(&self.data_type)?;
                self.data_type = DataType::U8;
                Ok(apart(codec))
            }
            #[cfg(not(feature = "pcodec"))]
            "pcodec" => Err(without("pcodec", "pcodec")),
            _ => Err(Error::unsupported(format!("codec {name}"))),
        }
    }

    fn bytes_only(&self, codec: &str) -> Result<()> {
        match self.data_type {
            DataType::U8 | DataType::Bool => Ok(()),
            ref other => Err(Error::malformed(format!("{codec} gives uint8, not {other}"))),
        }
    }

    /// Bytes, or 16-bit samples where they have more than 8 bits.
    #[cfg(feature = "jpeg")]
    fn samples_of(&self, codec: &str, bits: u8) -> Result<()> {
        match self.data_type {
            DataType::U16 if bits > 8 => Ok(()),
            ref other if bits > 8 => Err(Error::malformed(format!("{codec} of {bits} bits gives uint16, not {other}"))),
            _ => self.bytes_only(codec),
        }
    }

    fn row(&self, codec: &str, samples: u64, stride: u16) -> Result<(usize, usize, usize)> {
        let sample = self.element(codec)?;
        let bytes = samples.saturating_mul(sample as u64);
        let bytes = Limits::check("max_chunk_bytes", bytes, self.limits.max_chunk_bytes)?;
        if bytes == 0 || stride == 0 || samples.checked_rem(u64::from(stride)) != Some(0) {
            return Err(Error::malformed(format!("{codec}: rows of {samples} samples, {stride} apart")));
        }
        Ok((sample, bytes, usize::from(stride)))
    }

    fn widen(&mut self, to: bits::Widen, endian: Endian) -> Result<Option<Action>> {
        if self.data_type.size() != Some(4) {
            return Err(Error::malformed(format!("24-bit samples as {}", self.data_type)));
        }
        self.data_type = DataType::FixedBytes(3);
        Ok(apart(bits::Bits24 { to, endian }))
    }

    /// Goes on with the stored type.
    fn convert(&mut self, codec: &str, stored: &DataType, decoded: &DataType) -> Result<()> {
        if self.data_type.size() != decoded.size() {
            return Err(Error::malformed(format!("{codec} gives {decoded}, and the next step takes {}", self.data_type)));
        }
        self.data_type = stored.clone();
        Ok(())
    }

    fn field(&mut self, record: usize, field: &Field) -> Result<Option<Action>> {
        let size = self.element("field")?;
        let end = field.offset.checked_add(size).filter(|end| *end <= record);
        if record == 0 || end.is_none() {
            return Err(Error::malformed(format!("field {} is not inside its record", field.name)));
        }
        self.data_type = DataType::Record(Arc::from([field.clone()]), record);
        Ok(apart(elements::TakeField { record, offset: field.offset, size }))
    }
}
