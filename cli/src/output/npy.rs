//! The header of a `.npy` file (NumPy's format, versions 1.0 and 3.0).

use swath::model::{DataType, Field};

use crate::failure::{Failure, Result};

/// The header of an array in C order, padded to a multiple of 64 bytes.
///
/// Of a complex type that NumPy lacks the shape is that of the numbers, (re, im) along the last axis.
pub(crate) fn header(data_type: &DataType, shape: &[u64]) -> Result<Vec<u8>> {
    let mut lengths: Vec<String> = shape.iter().map(u64::to_string).collect();
    if data_type.numpy_parts() > 1 && shape.is_empty() {
        lengths.push(data_type.numpy_parts().to_string());
    }
    let dictionary = format!("{{'descr': {}, 'fortran_order': False, 'shape': {}, }}", descr(data_type)?, tuple(&lengths));
    let plain = dictionary.is_ascii() && dictionary.len() < usize::from(u16::MAX) - 128;
    let before: usize = if plain { 10 } else { 12 };
    // With the line break at its end.
    let padded = (before + dictionary.len() + 1).next_multiple_of(64) - before;
    let mut header = b"\x93NUMPY".to_vec();
    match (plain, u16::try_from(padded), u32::try_from(padded)) {
        (true, Ok(length), _) => {
            header.extend_from_slice(&[1, 0]);
            header.extend_from_slice(&length.to_le_bytes());
        }
        (_, _, Ok(length)) => {
            header.extend_from_slice(&[3, 0]);
            header.extend_from_slice(&length.to_le_bytes());
        }
        _ => return Err(Failure::refused("the record has too many fields for a .npy file")),
    }
    header.extend_from_slice(dictionary.as_bytes());
    header.resize(before + padded - 1, b' ');
    header.push(b'\n');
    Ok(header)
}

/// A type as the Python literal that `numpy.lib.format` reads.
fn descr(data_type: &DataType) -> Result<String> {
    let DataType::Record(fields, size) = data_type else {
        let none = || Failure::refused(format!("a .npy file cannot hold {data_type}, whose elements differ in length; a .bin file can"));
        return Ok(format!("'{}'", data_type.numpy().ok_or_else(none)?));
    };
    let mut in_order: Vec<&Field> = fields.iter().collect();
    in_order.sort_by_key(|field| field.offset);
    let mut parts = Vec::new();
    let mut at = 0;
    for field in in_order {
        if field.offset < at {
            return Err(Failure::refused("a .npy file cannot hold a record whose fields overlap"));
        }
        pad(&mut parts, field.offset - at);
        let mut shape: Vec<String> = field.shape.iter().map(u64::to_string).collect();
        if field.data_type.numpy_parts() > 1 {
            shape.push(field.data_type.numpy_parts().to_string());
        }
        let shape = if shape.is_empty() { String::new() } else { format!(", {}", tuple(&shape)) };
        parts.push(format!("({}, {}{shape})", literal(&field.name), descr(&field.data_type)?));
        let count = field.shape.iter().fold(1_u64, |n, m| n.saturating_mul(*m));
        let bytes = usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(field.data_type.size().unwrap_or(0));
        at = field.offset.saturating_add(bytes);
    }
    pad(&mut parts, size.saturating_sub(at));
    Ok(format!("[{}]", parts.join(", ")))
}

/// NumPy names a gap with the empty text.
fn pad(parts: &mut Vec<String>, bytes: usize) {
    if bytes > 0 {
        parts.push(format!("('', '|V{bytes}')"));
    }
}

fn tuple(parts: &[String]) -> String {
    match parts {
        [one] => format!("({one},)"),
        many => format!("({})", many.join(", ")),
    }
}

/// A text as a Python literal.
fn literal(text: &str) -> String {
    let mut quoted = String::from("'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\U{:08x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use swath::model::TimeUnit;

    use super::*;

    fn text(data_type: &DataType, shape: &[u64]) -> String {
        let header = header(data_type, shape).unwrap_or_else(|_| panic!("{data_type}"));
        assert_eq!(header.len() % 64, 0);
        assert_eq!(usize::from(u16::from_le_bytes([header[8], header[9]])) + 10, header.len());
        String::from_utf8_lossy(&header[10..]).trim_end().to_owned()
    }

    #[test]
    fn headers_of_plain_types() {
        assert_eq!(text(&DataType::U16, &[1, 2, 3]), "{'descr': '<u2', 'fortran_order': False, 'shape': (1, 2, 3), }");
        assert_eq!(text(&DataType::F32, &[]), "{'descr': '<f4', 'fortran_order': False, 'shape': (), }");
        assert_eq!(text(&DataType::ComplexI16, &[3, 14]), "{'descr': '<i2', 'fortran_order': False, 'shape': (3, 14), }");
        assert_eq!(text(&DataType::ComplexI16, &[]), "{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }");
        let time = DataType::DateTime64 { unit: TimeUnit::Day, scale: 1 };
        assert_eq!(text(&time, &[7]), "{'descr': '<M8[D]', 'fortran_order': False, 'shape': (7,), }");
        assert!(header(&DataType::Text, &[1]).is_err());
    }

    #[test]
    fn headers_of_records() {
        let field = |name: &str, data_type, shape: &[u64], offset| Field { name: name.into(), data_type, shape: shape.to_vec(), offset };
        let fields = [field("it's", DataType::U8, &[], 0), field("b", DataType::F32, &[2, 3], 4), field("c", DataType::ComplexI8, &[], 28)];
        let record = DataType::Record(Arc::from(fields), 32);
        let descr = r"[('it\'s', '|u1'), ('', '|V3'), ('b', '<f4', (2, 3)), ('c', '|i1', (2,)), ('', '|V2')]";
        assert_eq!(text(&record, &[5]), format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (5,), }}"));
        let wide: Vec<Field> = (0..5000).map(|i| field(&format!("field {i}"), DataType::U8, &[], i)).collect();
        let long = header(&DataType::Record(Arc::from(wide), 5000), &[1]).unwrap_or_default();
        assert_eq!((&long[..8], long.len() % 64), (b"\x93NUMPY\x03\x00".as_slice(), 0));
    }
}
