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

/// Which plane the i-th byte of an element comes from.
#[inline(always)]
pub(super) fn plane_of(i: usize, element: usize, swap: bool) -> usize {
    if swap { element - 1 - i } else { i }
}

/// The planes of a shuffled chunk that give the first, second... byte of its elements, cut to `count` elements from `first`.
#[inline(always)]
pub(super) fn planes<const N: usize>(source: &[u8], first: usize, count: usize, swap: bool) -> [&[u8]; N] {
    let length = source.len() / N;
    std::array::from_fn(|i| &source[plane_of(i, N, swap) * length..][..length][first..][..count])
}

/// Elements from their bytes, a plane each; all planes are as long as the target has elements.
#[inline(always)]
pub(super) fn interleave<const N: usize>(planes: [&[u8]; N], target: &mut [u8]) {
    let target = target.as_chunks_mut::<N>().0;
    let planes = planes.map(|plane| &plane[..target.len()]);
    for (k, element) in target.iter_mut().enumerate() {
        for i in 0..N {
            element[i] = planes[i][k];
        }
    }
}

/// The same for four bytes, by shifts: without AVX2 the compiler makes vectors of these only.
fn interleave4([a, b, c, d]: [&[u8]; 4], target: &mut [u8]) {
    let bytes = a.iter().zip(b).zip(c.iter().zip(d));
    for (element, ((a, b), (c, d))) in target.as_chunks_mut().0.iter_mut().zip(bytes) {
        *element = (u32::from(*a) | u32::from(*b) << 8 | u32::from(*c) << 16 | u32::from(*d) << 24).to_le_bytes();
    }
}

/// Checks what [`unshuffle_part`] is given, and gives how many elements are asked for.
#[inline(always)]
pub(super) fn part(source: &[u8], element: usize, first: usize, target: &[u8]) -> usize {
    assert!(element > 0 && target.len().is_multiple_of(element), "whole elements");
    let count = target.len() / element;
    assert!(first.checked_add(count).is_some_and(|end| end <= source.len() / element), "elements of the chunk");
    count
}

#[inline(always)]
pub(super) fn unshuffle_part(source: &[u8], element: usize, first: usize, swap: bool, target: &mut [u8]) {
    let count = part(source, element, first, target);
    let length = source.len() / element;
    let source = &source[..length * element];
    match element {
        1 => target.copy_from_slice(&source[first..][..count]),
        2 => interleave::<2>(planes(source, first, count, swap), target),
        3 => interleave::<3>(planes(source, first, count, swap), target),
        4 => interleave4(planes(source, first, count, swap), target),
        8 => interleave::<8>(planes(source, first, count, swap), target),
        16 => interleave::<16>(planes(source, first, count, swap), target),
        _ => {
            for i in 0..element {
                let plane = &source[plane_of(i, element, swap) * length..][first..][..count];
                for (to, byte) in target.chunks_exact_mut(element).zip(plane) {
                    to[i] = *byte;
                }
            }
        }
    }
}

#[inline(always)]
pub(super) fn unshuffle(source: &[u8], element: usize, target: &mut [u8]) {
    let (target, element) = whole(source, element, target);
    unshuffle_part(source, element, 0, false, target);
}

/// Copies what is beyond the last whole element, and gives the rest of the target.
#[inline(always)]
pub(super) fn whole<'a>(source: &[u8], element: usize, target: &'a mut [u8]) -> (&'a mut [u8], usize) {
    assert_eq!(source.len(), target.len());
    let element = element.max(1);
    let (target, rest) = target.split_at_mut(source.len() / element * element);
    rest.copy_from_slice(&source[target.len()..]);
    (target, element)
}
