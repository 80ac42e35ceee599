//! Components brought to the resolution of the image, as libjpeg does it: by a triangle filter where there are two samples for one along
//! x, along y or both, else by repeating.

use super::sequential::Plane;

/// One row of the image from a component; `smooth`: not only by repeating.
pub(super) fn row(plane: &Plane, y: usize, smooth: bool, out: &mut [u16], sums: &mut Vec<u16>) {
    let at = y.checked_div(plane.vertical).unwrap_or(0);
    let near = plane.row(at);
    // The neighbour that the row lies nearer to; at the edges the row itself.
    let upper = y.is_multiple_of(2);
    let far = || plane.row(if upper { at.saturating_sub(1) } else { at.saturating_add(1) });
    match (plane.horizontal, plane.vertical) {
        (1, 1) => out.iter_mut().zip(near).for_each(|(to, n)| *to = *n),
        (1, 2) if smooth => {
            let bias = if upper { 1 } else { 2 };
            out.iter_mut().zip(near.iter().zip(far())).for_each(|(to, (near, far))| *to = weigh(*near, *far, bias, 2));
        }
        // libjpeg repeats where there are no three columns.
        (2, 1) if smooth && plane.width > 2 => {
            widen(near, out, |near, far, left| far.map_or(near, |far| weigh(near, far, if left { 1 } else { 2 }, 2)))
        }
        (2, 2) if smooth && plane.width > 2 => {
            sums.clear();
            sums.extend(near.iter().zip(far()).map(|(near, far)| near.wrapping_mul(3).wrapping_add(*far)));
            widen(sums, out, |near, far, left| weigh(near, far.unwrap_or(near), if left { 8 } else { 7 }, 4));
        }
        (horizontal, _) => out.chunks_mut(horizontal.max(1)).zip(near).for_each(|(to, n)| to.fill(*n)),
    }
}

/// Three parts of one and one of the other, all four shifted out again.
fn weigh(near: u16, far: u16, bias: u32, bits: u32) -> u16 {
    let sum = u32::from(near).wrapping_mul(3).wrapping_add(u32::from(far)).wrapping_add(bias);
    u16::try_from(sum >> bits).unwrap_or(u16::MAX)
}

/// Two samples for each: the left one between it and the one before, the right one between it and the one behind.
fn widen(samples: &[u16], out: &mut [u16], between: impl Fn(u16, Option<u16>, bool) -> u16) {
    let before = std::iter::once(None).chain(samples.iter().copied().map(Some));
    let behind = samples.iter().copied().map(Some).skip(1).chain(std::iter::once(None));
    for ((to, n), (before, behind)) in out.chunks_mut(2).zip(samples).zip(before.zip(behind)) {
        let pair = [between(*n, before, true), between(*n, behind, false)];
        to.iter_mut().zip(pair).for_each(|(to, n)| *to = n);
    }
}
