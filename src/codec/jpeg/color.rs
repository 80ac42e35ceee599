//! YCbCr as RGB, in the integer arithmetic of libjpeg (JFIF 1.02; ITU-R BT.601 over the full range).

/// Turns a row of pixels of this many bits a sample into RGB.
pub(super) fn to_rgb(pixels: &mut [[u16; 3]], bits: u8) {
    let most = (1_i32 << bits.min(16)).saturating_sub(1);
    let middle = 1_i32 << bits.clamp(1, 16).saturating_sub(1);
    let half = 1_i64 << 15;
    // Products of 17 by 18 bits: 64 bits hold them.
    let part = |chroma: i32, factor: i64| i64::from(chroma).wrapping_mul(factor);
    let sample = |luma: i32, scaled: i64| {
        let n = i64::from(luma).wrapping_add(scaled.wrapping_add(half) >> 16);
        u16::try_from(n.clamp(0, i64::from(most))).unwrap_or(0)
    };
    for pixel in pixels {
        let [y, cb, cr] = pixel.map(i32::from);
        let (cb, cr) = (cb.wrapping_sub(middle), cr.wrapping_sub(middle));
        let green = part(cb, -22_554).wrapping_add(part(cr, -46_802));
        *pixel = [sample(y, part(cr, 91_881)), sample(y, green), sample(y, part(cb, 116_130))];
    }
}

/// Stretches YCbCr of 8 bits between black and white of each component to the whole range. Unlike libtiff it rounds and clamps before the
/// conversion, which is one step at most.
pub(super) fn stretch(pixels: &mut [[u16; 3]], [y0, y1, cb0, cb1, cr0, cr1]: [u16; 6]) {
    let stretched = |n: u16, zero: u16, white: u16, range: i32| {
        let width = i32::from(white).wrapping_sub(i32::from(zero)).max(1);
        i32::from(n).wrapping_sub(i32::from(zero)).wrapping_mul(range).checked_div(width).unwrap_or(0)
    };
    let sample = |n: i32| u16::try_from(n.clamp(0, 255)).unwrap_or(0);
    for pixel in pixels {
        let [y, cb, cr] = *pixel;
        let chroma = |n, zero, white| sample(stretched(n, zero, white, 127).wrapping_add(128));
        *pixel = [sample(stretched(y, y0, y1, 255)), chroma(cb, cb0, cb1), chroma(cr, cr0, cr1)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_the_definition() {
        for bits in [8_u8, 12] {
            let (most, middle) = (f64::from((1_u32 << bits) - 1), f64::from(1_u32 << (bits - 1)));
            let steps = [0.0, 0.13, 0.5, 0.77, 1.0].map(|part| (part * most).round());
            for (y, cb, cr) in steps.iter().flat_map(|y| steps.iter().flat_map(move |cb| steps.iter().map(move |cr| (*y, *cb, *cr)))) {
                let mut pixel = [[y as u16, cb as u16, cr as u16]];
                to_rgb(&mut pixel, bits);
                let (u, v) = (cb - middle, cr - middle);
                let exact = [y + 1.402 * v, y - 0.344_136 * u - 0.714_136 * v, y + 1.772 * u].map(|n| n.clamp(0.0, most));
                for (ours, exact) in pixel[0].iter().zip(exact) {
                    assert!((f64::from(*ours) - exact).abs() <= 0.6, "{bits}: {y} {cb} {cr}");
                }
            }
        }
    }
}
