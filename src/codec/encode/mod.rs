//! Elements to encoded bytes: the few codecs that Swath writes, from the same [`CodecSpec`]s that [`Chain`](super::Chain) decodes.
//!
//! A spec says what is undone, not with which effort it was done: that is the [`Compression`]'s.

#[cfg(feature = "blosc")]
mod blosc;
mod compress;
mod shard;

use std::fmt;

use super::byteorder::Swap;
use super::elements::Transpose;
use super::{ChunkContext, Codec, Elements, InPlace, Output, Scratch};
use crate::error::{Error, Result};
use crate::model::{AxisOrder, CodecSpec, Compression, DataType, Endian, reserve};
use crate::simd;

/// The codecs of an array that is written.
#[derive(Debug)]
pub struct Encoder {
    steps: Vec<Box<dyn Encode>>,
    /// Whether elements of different lengths become bytes first.
    variable: bool,
}

/// One step, which owns what it takes and gives.
trait Encode: fmt::Debug + Send + Sync {
    /// Encodes. The context is that of the chunk at the first step's input.
    fn encode(&self, input: Vec<u8>, chunk: &ChunkContext<'_>, scratch: &mut Scratch) -> Result<Vec<u8>>;
}

impl Encoder {
    /// Compiles codecs given in the order of decoding, whose last gives elements of this type.
    ///
    /// # Errors
    /// `Unsupported` with the name of a codec that is not written, `Usage` for a level out of its range.
    pub fn compile(specs: &[CodecSpec], data_type: &DataType, compression: &Compression) -> Result<Self> {
        let mut steps: Vec<Box<dyn Encode>> = Vec::new();
        let mut variable = false;
        for spec in specs.iter().rev() {
            match spec {
                CodecSpec::ByteOrder(endian) if *endian == Endian::native() => {}
                CodecSpec::ByteOrder(_) => steps.extend(Swap::of(data_type).map(|swap| Box::new(swap) as Box<dyn Encode>)),
                CodecSpec::Transpose(order) => {
                    let element = data_type.size().ok_or_else(|| Error::unsupported("transposing elements of different lengths"))?;
                    steps.push(Box::new(Forward::new(order, element)?));
                }
                CodecSpec::Shuffle { element: 0 | 1 } => {}
                CodecSpec::Shuffle { element } => steps.push(Box::new(Shuffle { element: *element })),
                CodecSpec::Gzip | CodecSpec::Zlib | CodecSpec::Zstd => steps.push(compress::of(spec, compression)?),
                #[cfg(feature = "blosc")]
                CodecSpec::Blosc => steps.push(Box::new(blosc::Blosc::new(data_type.size().unwrap_or(1), compression)?)),
                #[cfg(not(feature = "blosc"))]
                CodecSpec::Blosc => return Err(Error::unsupported("writing with the codec blosc: build with the feature `blosc`")),
                CodecSpec::Crc32c { at_start: false } => steps.push(Box::new(Crc32c)),
                CodecSpec::Vlen => variable = true,
                CodecSpec::Shard { chunk, chain, index_chain, index_at_start, fill } => steps.push(Box::new(shard::Shard {
                    chunk: chunk.clone(),
                    inner: Self::compile(chain, data_type, compression)?,
                    index: Self::compile(index_chain, &DataType::U64, compression)?,
                    index_at_start: *index_at_start,
                    fill: fill.clone(),
                    data_type: data_type.clone(),
                })),
                other => return Err(Error::unsupported(format!("writing with the codec {}", other.name()))),
            }
        }
        if variable != data_type.size().is_none() {
            return Err(Error::unsupported(format!("writing {data_type} with these codecs")));
        }
        Ok(Self { steps, variable })
    }

    /// Encodes the elements of one chunk, in the machine's byte order and in the stored order of axes.
    ///
    /// # Errors
    /// `Codec` where a compressor fails, `Usage` where the bytes are not the chunk's.
    pub fn encode(&self, elements: Vec<u8>, chunk: &ChunkContext<'_>, scratch: &mut Scratch) -> Result<Vec<u8>> {
        if self.variable || chunk.bytes()? != Some(elements.len()) {
            return Err(Error::usage("the elements given are not those of the chunk"));
        }
        self.run(elements, chunk, scratch)
    }

    /// As [`encode`](Self::encode), of elements that differ in length.
    ///
    /// # Errors
    /// As [`encode`](Self::encode); `Limit` for more than 4 GiB.
    pub fn encode_variable(&self, elements: &Elements, chunk: &ChunkContext<'_>, scratch: &mut Scratch) -> Result<Vec<u8>> {
        if !self.variable || chunk.elements()? != elements.len() {
            return Err(Error::usage("the elements given are not those of the chunk"));
        }
        self.run(variable(elements)?, chunk, scratch)
    }

    fn run(&self, elements: Vec<u8>, chunk: &ChunkContext<'_>, scratch: &mut Scratch) -> Result<Vec<u8>> {
        self.steps.iter().try_fold(elements, |bytes, step| step.encode(bytes, chunk, scratch))
    }
}

/// numcodecs `vlen-utf8` and `vlen-bytes`: the count of elements, then each behind its length.
fn variable(elements: &Elements) -> Result<Vec<u8>> {
    let number =
        |n: usize| u32::try_from(n).map(u32::to_le_bytes).map_err(|_| Error::limit("bytes of a chunk of texts", n as u64, u64::from(u32::MAX)));
    let mut out = reserve::<u8>(elements.bytes.len().saturating_add(elements.len().saturating_mul(4)).saturating_add(4))?;
    out.extend_from_slice(&number(elements.len())?);
    for element in (0..elements.len()).filter_map(|i| elements.get(i)) {
        out.extend_from_slice(&number(element.len())?);
        out.extend_from_slice(element);
    }
    Ok(out)
}

impl Encode for Swap {
    fn encode(&self, mut input: Vec<u8>, chunk: &ChunkContext<'_>, scratch: &mut Scratch) -> Result<Vec<u8>> {
        self.apply(&mut input, chunk, scratch)?;
        Ok(input)
    }
}

/// Axes into their stored order: what undoes the inverse order.
#[derive(Debug)]
struct Forward {
    order: AxisOrder,
    inverse: Transpose,
}

impl Forward {
    fn new(order: &AxisOrder, element: usize) -> Result<Self> {
        let mut inverse = vec![0; order.axes().len()];
        for (stored, axis) in order.axes().iter().enumerate() {
            if let Some(place) = inverse.get_mut(*axis) {
                *place = stored;
            }
        }
        Ok(Self { order: order.clone(), inverse: Transpose { order: AxisOrder::new(inverse)?, element } })
    }
}

impl Encode for Forward {
    fn encode(&self, input: Vec<u8>, chunk: &ChunkContext<'_>, scratch: &mut Scratch) -> Result<Vec<u8>> {
        let shape = self.order.permute(chunk.shape);
        let stored = ChunkContext { shape: &shape, ..chunk.clone() };
        let mut output = vec![0; input.len()];
        self.inverse.decode(&input, &stored, scratch, &mut Output::Exact(&mut output))?;
        Ok(output)
    }
}

#[derive(Debug)]
struct Shuffle {
    element: usize,
}

impl Encode for Shuffle {
    fn encode(&self, input: Vec<u8>, _: &ChunkContext<'_>, _: &mut Scratch) -> Result<Vec<u8>> {
        let mut output = vec![0; input.len()];
        simd::shuffle(&input, self.element, &mut output);
        Ok(output)
    }
}

#[derive(Debug)]
struct Crc32c;

impl Encode for Crc32c {
    fn encode(&self, mut input: Vec<u8>, _: &ChunkContext<'_>, _: &mut Scratch) -> Result<Vec<u8>> {
        let sum = crc32c::crc32c(&input);
        input.extend_from_slice(&sum.to_le_bytes());
        Ok(input)
    }
}

#[cfg(test)]
mod tests;
