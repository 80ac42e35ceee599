//! Byte order, of numbers and of the fields of records.

use super::{ChunkContext, InPlace, Scratch};
use crate::error::Result;
use crate::model::DataType;
use crate::simd;

/// Elements of the other byte order.
#[derive(Debug)]
pub(super) struct Swap {
    unit: usize,
    record: Option<Record>,
}

#[derive(Debug)]
struct Record {
    size: usize,
    /// Start, end and unit of what is to be swapped.
    parts: Vec<(usize, usize, usize)>,
}

impl Swap {
    /// `None` where the type has no byte order.
    pub(super) fn of(data_type: &DataType) -> Option<Self> {
        if let DataType::Record(_, size) = data_type {
            let mut parts = Vec::new();
            record_parts(data_type, 0, &mut parts);
            return (!parts.is_empty()).then_some(Self { unit: 1, record: Some(Record { size: *size, parts }) });
        }
        let unit = data_type.swap_unit();
        (unit > 1).then_some(Self { unit, record: None })
    }
}

fn record_parts(data_type: &DataType, base: usize, parts: &mut Vec<(usize, usize, usize)>) {
    for field in data_type.fields().unwrap_or_default() {
        let Some(size) = field.data_type.size() else { continue };
        let start = base.saturating_add(field.offset);
        let count = field.shape.iter().fold(1u64, |n, m| n.saturating_mul(*m));
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if field.data_type.fields().is_some() {
            // A record's size was checked against its fields, so this ends where the record ends.
            for i in 0..count.min(1 << 20) {
                record_parts(&field.data_type, start.saturating_add(i.saturating_mul(size)), parts);
            }
        } else if field.data_type.swap_unit() > 1 {
            parts.push((start, start.saturating_add(size.saturating_mul(count)), field.data_type.swap_unit()));
        }
    }
}

impl InPlace for Swap {
    fn name(&self) -> &'static str {
        "byte-order"
    }
    fn apply(&self, data: &mut [u8], _: &ChunkContext<'_>, _: &mut Scratch) -> Result<()> {
        let Some(record) = &self.record else {
            simd::swap_bytes(data, self.unit);
            return Ok(());
        };
        for element in data.chunks_exact_mut(record.size.max(1)) {
            for (start, end, unit) in &record.parts {
                if let Some(part) = element.get_mut(*start..*end) {
                    simd::swap_bytes(part, *unit);
                }
            }
        }
        Ok(())
    }
}

/// Bits reversed inside each byte.
#[derive(Debug)]
pub(super) struct ReverseBits;

impl InPlace for ReverseBits {
    fn name(&self) -> &'static str {
        "reverse-bits"
    }
    fn apply(&self, data: &mut [u8], _: &ChunkContext<'_>, _: &mut Scratch) -> Result<()> {
        simd::reverse_bits(data);
        Ok(())
    }
}
