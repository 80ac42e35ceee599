//! Pcodec: numbers, not bytes. Decoded into a buffer of the chunk's size, so that a stream cannot outgrow it.

use pco::standalone::simple_decompress_into;

use super::{ChunkContext, Codec, Output, Scratch, shortage, surplus};
use crate::error::{Error, Result};
use crate::model::{DataType, zeroed};

#[derive(Debug)]
pub(super) struct Pcodec {
    decode: fn(&[u8], &mut [u8]) -> Result<()>,
}

impl Pcodec {
    pub(super) fn new(data_type: &DataType) -> Result<Self> {
        let decode = match data_type {
            DataType::U16 => numbers::<u16>,
            DataType::I16 => numbers::<i16>,
            DataType::U32 => numbers::<u32>,
            DataType::I32 => numbers::<i32>,
            DataType::U64 => numbers::<u64>,
            DataType::I64 => numbers::<i64>,
            DataType::F16 => numbers::<half::f16>,
            DataType::F32 => numbers::<f32>,
            DataType::F64 => numbers::<f64>,
            other => return Err(Error::unsupported(format!("codec pcodec of {other}"))),
        };
        Ok(Self { decode })
    }
}

impl Codec for Pcodec {
    fn name(&self) -> &str {
        "pcodec"
    }
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let bytes = chunk.bytes()?.unwrap_or(0);
        (self.decode)(input, output.sized("pcodec", bytes)?)
    }
}

fn numbers<T: pco::data_types::Number + bytemuck::Pod>(input: &[u8], out: &mut [u8]) -> Result<()> {
    let count = out.len().checked_div(size_of::<T>()).unwrap_or(0);
    let mut decoded: Vec<T> = zeroed(count)?;
    let progress = simple_decompress_into(input, &mut decoded).map_err(|e| Error::codec("pcodec", e.to_string()))?;
    if progress.n_processed < count {
        return Err(shortage("pcodec", progress.n_processed.saturating_mul(size_of::<T>()), out.len()));
    }
    if !progress.finished {
        return Err(surplus("pcodec"));
    }
    out.copy_from_slice(bytemuck::must_cast_slice(&decoded));
    Ok(())
}
