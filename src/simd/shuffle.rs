//! Bytes of elements apart, and together again.

/// The i-th bytes of all elements of `element` bytes together. What is beyond the last whole element is copied. Both have the same length.
pub fn shuffle(source: &[u8], element: usize, target: &mut [u8]) {
    assert_eq!(source.len(), target.len());
    let count = source.len().checked_div(element).unwrap_or(0);
    if element < 2 || count == 0 {
        return target.copy_from_slice(source);
    }
    let whole = count * element;
    target[whole..].copy_from_slice(&source[whole..]);
    for (i, plane) in target[..whole].chunks_exact_mut(count).enumerate() {
        for (byte, element) in plane.iter_mut().zip(source.chunks_exact(element)) {
            *byte = element[i];
        }
    }
}

/// Undoes a shuffle of `element` bytes: the i-th bytes of all elements stand together in `source`. What is beyond the last whole element is
/// copied. Both have the same length.
pub fn unshuffle(source: &[u8], element: usize, target: &mut [u8]) {
    fn planes<const N: usize>(source: &[u8], count: usize, target: &mut [u8]) {
        let plane: [&[u8]; N] = std::array::from_fn(|i| &source[i * count..][..count]);
        for (k, element) in target.as_chunks_mut::<N>().0.iter_mut().enumerate().take(count) {
            for i in 0..N {
                element[i] = plane[i][k];
            }
        }
    }
    assert_eq!(source.len(), target.len());
    let count = source.len().checked_div(element).unwrap_or(0);
    if element < 2 || count == 0 {
        return target.copy_from_slice(source);
    }
    let whole = count * element;
    let (source, rest) = source.split_at(whole);
    let (target, target_rest) = target.split_at_mut(whole);
    target_rest.copy_from_slice(rest);
    match element {
        2 => planes::<2>(source, count, target),
        4 => planes::<4>(source, count, target),
        8 => planes::<8>(source, count, target),
        16 => planes::<16>(source, count, target),
        _ => {
            for (i, plane) in source.chunks_exact(count).enumerate() {
                for (element, byte) in target.chunks_exact_mut(element).zip(plane) {
                    element[i] = *byte;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_lengths_and_elements() {
        for element in [1usize, 2, 3, 4, 5, 8, 12, 16, 300] {
            for length in 0..=257usize {
                let plain: Vec<u8> = (0..length).map(|i| (i * 31 + 7) as u8).collect();
                let count = length / element;
                let mut shuffled = plain.clone();
                for i in 0..element {
                    for k in 0..count {
                        shuffled[i * count + k] = plain[k * element + i];
                    }
                }
                let mut made = vec![0; length];
                super::shuffle(&plain, element, &mut made);
                assert_eq!(made, shuffled, "element {element} length {length}");
                let mut back = vec![0; length];
                super::unshuffle(&shuffled, element, &mut back);
                assert_eq!(back, plain, "element {element} length {length}");
            }
        }
    }
}
