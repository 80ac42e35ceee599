//! The filters of numcodecs and HDF5 on whole chunks: shuffle, delta, fixed scale and offset, cast.

use super::{ChunkContext, Codec, Output, Scratch, Size};
use crate::error::{Error, Result};
use crate::model::DataType;
use crate::simd;

/// An input that must have exactly this many bytes.
pub(super) fn expect(codec: &'static str, input: &[u8], size: usize) -> Result<()> {
    match input.len() {
        length if length < size => Err(super::shortage(codec, length, size)),
        length if length > size => Err(super::surplus(codec)),
        _ => Ok(()),
    }
}

/// The i-th bytes of all elements together.
#[derive(Debug)]
pub(super) struct Shuffle {
    pub(super) element: usize,
}

impl Codec for Shuffle {
    fn name(&self) -> &str {
        "shuffle"
    }
    fn input_size(&self, output: Size, _: &ChunkContext<'_>) -> Size {
        output
    }
    fn most_output(&self, input: usize) -> Option<usize> {
        Some(input)
    }
    fn decode(&self, input: &[u8], _: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let target = output.sized("shuffle", input.len())?;
        // Without a whole element nothing is shuffled; its length is from outside, and may be any number of passes over nothing.
        if self.element > input.len() {
            target.copy_from_slice(input);
        } else {
            simd::unshuffle(input, self.element, target);
        }
        Ok(())
    }
}

/// A real number wide enough for each type.
#[derive(Debug, Clone, Copy)]
enum Wide {
    Int(i128),
    Float(f64),
}

type Read = fn(&[u8]) -> Wide;
type Write = fn(Wide, &mut [u8]);

macro_rules! ints {
    ($t:ty) => {
        (
            |bytes| Wide::Int(bytes.first_chunk().map_or(0, |b| i128::from(<$t>::from_ne_bytes(*b)))),
            |value, bytes| {
                #[allow(clippy::cast_possible_truncation, reason = "wraps around as NumPy's casts do")]
                let value = match value {
                    Wide::Int(value) => value as $t,
                    Wide::Float(value) => float_to_int(value, size_of::<$t>(), <$t>::MIN == 0) as $t,
                };
                bytes.copy_from_slice(&value.to_ne_bytes());
            },
        )
    };
}

macro_rules! floats {
    ($t:ty, $bytes:literal, $to:expr, $from:expr) => {
        (
            |bytes| Wide::Float(bytes.first_chunk::<$bytes>().map_or(0.0, |b| $to(<$t>::from_ne_bytes(*b)))),
            |value, bytes| {
                #[allow(clippy::cast_precision_loss, reason = "rounds as NumPy's casts do")]
                let value: $t = match value {
                    Wide::Int(value) => $from(value as f64),
                    Wide::Float(value) => $from(value),
                };
                bytes.copy_from_slice(&value.to_ne_bytes());
            },
        )
    };
}

/// What x86-64's conversion gives, and so NumPy there: toward zero; what does not fit the register is its lowest value.
#[allow(clippy::cast_possible_truncation, reason = "the casts are the definition")]
fn float_to_int(value: f64, bytes: usize, unsigned: bool) -> i128 {
    let narrow = bytes < 4 || (bytes == 4 && !unsigned);
    let (low, high) = match (narrow, unsigned && bytes == 8) {
        (true, _) => (f64::from(i32::MIN), 2f64.powi(31)),
        (_, false) => (i64::MIN as f64, 2f64.powi(63)),
        (_, true) => (i64::MIN as f64, 2f64.powi(64)),
    };
    if value >= low && value < high { value.trunc() as i128 } else { low as i128 }
}

fn number(codec: &str, data_type: &DataType) -> Result<(Read, Write, usize)> {
    let (read, write): (Read, Write) = match data_type {
        DataType::Bool => (
            |bytes| Wide::Int(i128::from(bytes.first().is_some_and(|b| *b != 0))),
            |value, bytes| {
                let truth = match value {
                    Wide::Int(value) => value != 0,
                    Wide::Float(value) => value != 0.0,
                };
                bytes.fill(u8::from(truth));
            },
        ),
        DataType::I8 => ints!(i8),
        DataType::U8 => ints!(u8),
        DataType::I16 => ints!(i16),
        DataType::U16 => ints!(u16),
        DataType::I32 => ints!(i32),
        DataType::U32 => ints!(u32),
        DataType::I64 | DataType::DateTime64 { .. } | DataType::TimeDelta64 { .. } => ints!(i64),
        DataType::U64 => ints!(u64),
        DataType::F16 => floats!(half::f16, 2, f64::from, half::f16::from_f64),
        #[allow(clippy::cast_possible_truncation, reason = "rounds as NumPy's casts do")]
        DataType::F32 => floats!(f32, 4, f64::from, |v: f64| v as f32),
        DataType::F64 => floats!(f64, 8, std::convert::identity, std::convert::identity),
        other => return Err(Error::unsupported(format!("codec {codec} of {other}"))),
    };
    Ok((read, write, data_type.size().unwrap_or(1)))
}

/// From a stored number to a decoded one, element by element.
fn map(
    codec: &'static str,
    input: &[u8],
    (read, stored): (Read, usize),
    (write, decoded): (Write, usize),
    output: &mut Output<'_>,
    mut value: impl FnMut(Wide) -> Wide,
) -> Result<()> {
    let count = input.len().checked_div(stored).unwrap_or(0);
    expect(codec, input, count.saturating_mul(stored))?;
    let target = output.sized(codec, count.saturating_mul(decoded))?;
    for (from, to) in input.chunks_exact(stored).zip(target.chunks_exact_mut(decoded)) {
        write(value(read(from)), to);
    }
    Ok(())
}

/// numcodecs `delta`: sums in the decoded type.
#[derive(Debug)]
pub(super) struct Delta {
    read: (Read, usize),
    sum: (Read, usize),
    write: (Write, usize),
}

impl Delta {
    pub(super) fn new(stored: &DataType, decoded: &DataType) -> Result<Self> {
        if *stored == DataType::Bool || *decoded == DataType::Bool {
            return Err(Error::unsupported("codec delta of bool"));
        }
        let (read, _, from) = number("delta", stored)?;
        let (sum, write, to) = number("delta", decoded)?;
        Ok(Self { read: (read, from), sum: (sum, to), write: (write, to) })
    }
}

impl Codec for Delta {
    fn name(&self) -> &str {
        "delta"
    }
    fn input_size(&self, output: Size, _: &ChunkContext<'_>) -> Size {
        output.scaled(self.read.1, self.write.1, 0)
    }
    fn decode(&self, input: &[u8], _: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let mut wide = [0u8; 8];
        let bytes = wide.get_mut(..self.sum.1).unwrap_or_default();
        let mut sum: Option<Wide> = None;
        map("delta", input, self.read, self.write, output, |value| {
            // Through the decoded type's bytes, so that each sum is rounded or wrapped as it is there.
            (self.write.0)(value, bytes);
            let value = (self.sum.0)(bytes);
            let next = match (sum, value) {
                (Some(Wide::Int(a)), Wide::Int(b)) => Wide::Int(a.wrapping_add(b)),
                (Some(Wide::Float(a)), Wide::Float(b)) => Wide::Float(a + b),
                _ => value,
            };
            (self.write.0)(next, bytes);
            let next = (self.sum.0)(bytes);
            sum = Some(next);
            next
        })
    }
}

/// numcodecs `fixedscaleoffset`: `stored / scale + offset`, in the stored type where it is a float and in `f64` else, then cast.
#[derive(Debug)]
pub(super) struct FixedScaleOffset {
    read: (Read, usize),
    write: (Write, usize),
    float: DataType,
    scale: f64,
    offset: f64,
}

impl FixedScaleOffset {
    pub(super) fn new(stored: &DataType, decoded: &DataType, scale: f64, offset: f64) -> Result<Self> {
        let (read, _, from) = number("fixedscaleoffset", stored)?;
        let (_, write, to) = number("fixedscaleoffset", decoded)?;
        Ok(Self { read: (read, from), write: (write, to), float: stored.clone(), scale, offset })
    }
}

impl Codec for FixedScaleOffset {
    fn name(&self) -> &str {
        "fixedscaleoffset"
    }
    fn input_size(&self, output: Size, _: &ChunkContext<'_>) -> Size {
        output.scaled(self.read.1, self.write.1, 0)
    }
    fn decode(&self, input: &[u8], _: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        #[allow(clippy::cast_precision_loss, reason = "as NumPy's true division does")]
        let real = |value| match value {
            Wide::Int(value) => value as f64,
            Wide::Float(value) => value,
        };
        let (scale, offset) = (self.scale, self.offset);
        match self.float {
            DataType::F32 => {
                #[allow(clippy::cast_possible_truncation, reason = "the stored type's arithmetic")]
                let (scale, offset) = (scale as f32, offset as f32);
                #[allow(clippy::cast_possible_truncation, reason = "an f32 was read")]
                let decoded = |value| Wide::Float(f64::from(real(value) as f32 / scale + offset));
                map("fixedscaleoffset", input, self.read, self.write, output, decoded)
            }
            DataType::F16 => {
                let half = |v: f64| half::f16::from_f64(v).to_f64();
                let (scale, offset) = (half(scale), half(offset));
                map("fixedscaleoffset", input, self.read, self.write, output, |v| Wide::Float(half(half(real(v) / scale) + offset)))
            }
            _ => map("fixedscaleoffset", input, self.read, self.write, output, |v| Wide::Float(real(v) / scale + offset)),
        }
    }
}

/// NumPy's `astype`.
#[derive(Debug)]
pub(super) struct Cast {
    read: (Read, usize),
    write: (Write, usize),
}

impl Cast {
    pub(super) fn new(stored: &DataType, decoded: &DataType) -> Result<Self> {
        let (read, _, from) = number("cast", stored)?;
        let (_, write, to) = number("cast", decoded)?;
        Ok(Self { read: (read, from), write: (write, to) })
    }
}

impl Codec for Cast {
    fn name(&self) -> &str {
        "cast"
    }
    fn input_size(&self, output: Size, _: &ChunkContext<'_>) -> Size {
        output.scaled(self.read.1, self.write.1, 0)
    }
    fn decode(&self, input: &[u8], _: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        map("cast", input, self.read, self.write, output, std::convert::identity)
    }
}
