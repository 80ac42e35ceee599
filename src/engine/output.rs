//! Results whose type is known at run time only.

use bytes::Bytes;
use ndarray::{Array, ArrayD, Dimension, IxDyn};

use super::element::Element;
use crate::error::{Error, Result};
use crate::model::{DataType, Endian, Limits, reserve};

/// An array of any data type, in C order and the machine's byte order.
#[derive(Debug, Clone)]
pub struct DynArray {
    data_type: DataType,
    shape: Vec<u64>,
    data: Data,
}

#[derive(Debug, Clone)]
enum Data {
    /// In words, so that every element type is aligned.
    Fixed {
        words: Vec<u128>,
        length: usize,
    },
    Variable(Vec<Bytes>),
}

impl DynArray {
    pub(crate) fn fixed(data_type: DataType, shape: Vec<u64>, words: Vec<u128>, length: usize) -> Self {
        Self { data_type, shape, data: Data::Fixed { words, length } }
    }
    pub(crate) fn variable(data_type: DataType, shape: Vec<u64>, elements: Vec<Bytes>) -> Self {
        Self { data_type, shape, data: Data::Variable(elements) }
    }
    /// The type of the elements.
    #[must_use]
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }
    /// The length of each axis.
    #[must_use]
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }
    /// The elements' bytes; `None` where elements differ in length.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.data {
            Data::Fixed { words, length } => Some(&bytemuck::cast_slice(words)[..*length]),
            Data::Variable(_) => None,
        }
    }
    /// The elements of a text or bytes array; `None` where elements are alike in length.
    #[must_use]
    pub fn elements(&self) -> Option<&[Bytes]> {
        match &self.data {
            Data::Fixed { .. } => None,
            Data::Variable(elements) => Some(elements),
        }
    }
    /// The elements as a slice of their type.
    ///
    /// # Errors
    /// `DataType` where `T` does not hold them.
    pub fn as_slice<T: Element>(&self) -> Result<&[T]> {
        match self.bytes() {
            Some(bytes) if T::holds(&self.data_type) => Ok(bytemuck::cast_slice(bytes)),
            _ => Err(wrong_type::<T>(&self.data_type)),
        }
    }
    /// As an array of a known type and rank.
    ///
    /// # Errors
    /// `DataType` where `T` does not hold the elements, `Region` where `D` has another rank, `Limit` where there is no memory for a copy.
    pub fn to_array<T: Element, D: Dimension>(&self) -> Result<Array<T, D>> {
        let stored = self.as_slice::<T>()?;
        let mut elements = reserve(stored.len())?;
        elements.extend_from_slice(stored);
        array(elements, &self.shape)
    }
    /// The canonical bytes of the elements: C order, little-endian; a text as its length in 32 bits, then its bytes.
    #[must_use]
    pub fn into_little_endian(mut self) -> Vec<u8> {
        match &mut self.data {
            Data::Variable(elements) => {
                let mut out = Vec::new();
                for e in elements {
                    out.extend_from_slice(&u32::try_from(e.len()).unwrap_or(u32::MAX).to_le_bytes());
                    out.extend_from_slice(e);
                }
                out
            }
            Data::Fixed { words, length } => {
                let bytes = &mut bytemuck::cast_slice_mut::<u128, u8>(words)[..*length];
                if Endian::native() == Endian::Big {
                    swap(bytes, &self.data_type);
                }
                bytes.to_vec()
            }
        }
    }
}

fn swap(bytes: &mut [u8], data_type: &DataType) {
    if let (Some(fields), Some(size)) = (data_type.fields(), data_type.size()) {
        for record in bytes.chunks_exact_mut(size.max(1)) {
            for field in fields {
                let count: u64 = field.shape.iter().product();
                let length = field.data_type.size().unwrap_or(0) * usize::try_from(count).unwrap_or(0);
                swap(&mut record[field.offset..field.offset + length], &field.data_type);
            }
        }
        return;
    }
    let unit = data_type.swap_unit();
    if unit > 1 {
        bytes.chunks_exact_mut(unit).for_each(<[u8]>::reverse);
    }
}

pub(crate) fn wrong_type<T: Element>(stored: &DataType) -> Error {
    Error::data_type(format!("the array holds {stored}, not {}", T::DATA_TYPE))
}

/// An array of the rank that the caller's type has.
pub(crate) fn array<T, D: Dimension>(elements: Vec<T>, shape: &[u64]) -> Result<Array<T, D>> {
    let shape: Vec<usize> = shape.iter().filter_map(|n| usize::try_from(*n).ok()).collect();
    let rank = shape.len();
    let wrong = |_| Error::region(format!("the region has {rank} axes, the array asked for {}", D::NDIM.unwrap_or(rank)));
    ArrayD::from_shape_vec(IxDyn(&shape), elements).and_then(Array::into_dimensionality::<D>).map_err(wrong)
}

/// How many bytes a result takes, held against the limit.
pub(crate) fn output_bytes(shape: &[u64], element: usize, limits: &Limits) -> Result<usize> {
    let bytes = shape.iter().try_fold(element as u64, |n, m| n.checked_mul(*m)).unwrap_or(u64::MAX);
    Limits::check("max_output_bytes", bytes, limits.max_output_bytes)
}
