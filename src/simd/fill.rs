//! One element again and again.

/// Fills a slice with one element again and again; the last may be cut off. An empty element leaves the slice.
pub fn fill(target: &mut [u8], element: &[u8]) {
    fn each<const N: usize>(target: &mut [u8], element: [u8; N]) {
        let (elements, rest) = target.as_chunks_mut();
        elements.fill(element);
        rest.copy_from_slice(&element[..rest.len()]);
    }
    /// Bytes that are written element by element; the rest is copied from them.
    const PATTERN: usize = 1024;
    match *element {
        [] => {}
        [a] => target.fill(a),
        [a, b] => each(target, [a, b]),
        [a, b, c, d] => each(target, [a, b, c, d]),
        [a, b, c, d, e, f, g, h] => each(target, [a, b, c, d, e, f, g, h]),
        _ => {
            let pattern = PATTERN.next_multiple_of(element.len()).min(target.len());
            let (pattern, rest) = target.split_at_mut(pattern);
            for part in pattern.chunks_mut(element.len()) {
                part.copy_from_slice(&element[..part.len()]);
            }
            for part in rest.chunks_mut(pattern.len().max(1)) {
                part.copy_from_slice(&pattern[..part.len()]);
            }
        }
    }
}
