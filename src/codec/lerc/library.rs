//! What this decoder lacks, by `lerc-rs`: LERC1, LERC2 before version 3, floats coded without loss by bytes (version 6), and bands where
//! one value stands for "no data".

use lerc::SampleData;

use super::mask::Mask;
use super::{Shape, wrong};
use crate::codec::size;
use crate::error::{Error, Result};
use crate::model::DataType;

fn failed(error: lerc::LercError) -> Error {
    wrong(error.to_string())
}

/// The size of a blob.
pub(super) fn shape(input: &[u8]) -> Result<Shape> {
    let info = lerc::decode_info(input).map_err(failed)?;
    Ok(Shape { width: size(info.width), height: size(info.height), depth: size(info.depth), bands: size(info.bands) })
}

/// Decodes into pixels, and gives the masks.
pub(super) fn decode(input: &[u8], shape: &Shape, data_type: &DataType, pixel: usize, target: &mut [u8]) -> Result<Vec<Mask>> {
    let decoded = lerc::decode(input).map_err(failed)?;
    let data = bytes_of(&decoded.data, data_type)?;
    let pixels = shape.width.saturating_mul(shape.height);
    let mask = |mask: lerc::bitmask::BitMask| mask.as_bytes().map_or(Mask::All, |bits| Mask::of(bits.to_vec(), pixels));
    let masks = decoded.valid_masks.into_iter().map(mask).collect();
    let band = shape.depth.saturating_mul(data_type.size().unwrap_or(1));
    if band == pixel {
        let data = data.get(..target.len()).ok_or_else(|| wrong("fewer values than pixels"))?;
        target.copy_from_slice(data);
        return Ok(masks);
    }
    // From bands of interleaved depths to pixels.
    for (k, values) in data.chunks_exact(pixels.saturating_mul(band).max(1)).enumerate() {
        let start = k.saturating_mul(band);
        let end = start.saturating_add(band);
        for (to, from) in target.chunks_exact_mut(pixel.max(1)).zip(values.chunks_exact(band.max(1))) {
            if let Some(to) = to.get_mut(start..end) {
                to.copy_from_slice(from);
            }
        }
    }
    Ok(masks)
}

/// The values as bytes; the blob's type must be the chunk's.
fn bytes_of<'a>(data: &'a SampleData, data_type: &DataType) -> Result<&'a [u8]> {
    Ok(match (data, data_type) {
        (SampleData::I8(v), DataType::I8) => bytemuck::must_cast_slice(v),
        (SampleData::U8(v), DataType::U8 | DataType::Bool) => v,
        (SampleData::I16(v), DataType::I16) => bytemuck::must_cast_slice(v),
        (SampleData::U16(v), DataType::U16) => bytemuck::must_cast_slice(v),
        (SampleData::I32(v), DataType::I32) => bytemuck::must_cast_slice(v),
        (SampleData::U32(v), DataType::U32) => bytemuck::must_cast_slice(v),
        (SampleData::F32(v), DataType::F32) => bytemuck::must_cast_slice(v),
        (SampleData::F64(v), DataType::F64) => bytemuck::must_cast_slice(v),
        (_, other) => return Err(wrong(format!("the blob's values are not {other}"))),
    })
}
