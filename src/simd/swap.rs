//! Byte order.

/// Reverses the bytes of each unit of `unit` bytes; a rest shorter than a unit is left.
pub fn swap_bytes(data: &mut [u8], unit: usize) {
    fn each<const N: usize>(data: &mut [u8]) {
        for unit in data.as_chunks_mut::<N>().0 {
            unit.reverse();
        }
    }
    match unit {
        0 | 1 => {}
        2 => each::<2>(data),
        4 => each::<4>(data),
        8 => each::<8>(data),
        16 => each::<16>(data),
        _ => data.chunks_exact_mut(unit).for_each(<[u8]>::reverse),
    }
}

/// Reverses the bits inside each byte.
pub fn reverse_bits(data: &mut [u8]) {
    for byte in data {
        *byte = byte.reverse_bits();
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_lengths_and_units() {
        for unit in [1, 2, 3, 4, 8, 16] {
            for length in 0..=257usize {
                let data: Vec<u8> = (0..length).map(|i| (i * 7 + 3) as u8).collect();
                let mut swapped = data.clone();
                super::swap_bytes(&mut swapped, unit);
                let whole = length / unit * unit;
                for (i, byte) in swapped.iter().enumerate() {
                    let from = if i < whole { i / unit * unit + (unit - 1 - i % unit) } else { i };
                    assert_eq!(*byte, data[from], "unit {unit} length {length} at {i}");
                }
            }
        }
    }
}
