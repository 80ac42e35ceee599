//! YCbCr as RGB, in the integer arithmetic of libjpeg (JFIF 1.02; ITU-R BT.601 over the full range).

/// Turns pixels of this many bits a sample into RGB.
pub(super) fn to_rgb(pixels: &mut [[u16; 3]], bits: u8) {
    let most = (1_i32 << bits.min(16)).saturating_sub(1);
    let middle = 1_i32 << bits.clamp(1, 16).saturating_sub(1);
    for pixel in pixels {
        let [y, cb, cr] = pixel.map(i32::from);
        *pixel = rgb(y, cb.wrapping_sub(middle), cr.wrapping_sub(middle), most);
    }
}

/// The same of samples of 8 bits that lie between black and white of each component, stretched to the whole range as in libtiff.
pub(super) fn to_rgb_within(pixels: &mut [[u16; 3]], [y0, y1, cb0, cb1, cr0, cr1]: [u16; 6]) {
    let stretched = |n: u16, zero: u16, white: u16, range: i32| {
        let width = i32::from(white).wrapping_sub(i32::from(zero));
        let scaled = i32::from(n).wrapping_sub(i32::from(zero)).wrapping_mul(range);
        scaled.checked_div(if width == 0 { 1 } else { width }).unwrap_or(0).clamp(-4096, 4096)
    };
    for pixel in pixels {
        let [y, cb, cr] = *pixel;
        *pixel = rgb(stretched(y, y0, y1, 255), stretched(cb, cb0, cb1, 127), stretched(cr, cr0, cr1, 127), 255);
    }
}

/// One pixel; chroma is centred at 0.
fn rgb(y: i32, cb: i32, cr: i32, most: i32) -> [u16; 3] {
    // Products of 17 by 18 bits: 64 bits hold them.
    let part = |chroma: i32, factor: i64| i64::from(chroma).wrapping_mul(factor);
    let sample = |scaled: i64| {
        let n = i64::from(y).wrapping_add(scaled.wrapping_add(1 << 15) >> 16);
        u16::try_from(n.clamp(0, i64::from(most))).unwrap_or(0)
    };
    [sample(part(cr, 91_881)), sample(part(cb, -22_554).wrapping_add(part(cr, -46_802))), sample(part(cb, 116_130))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_the_definition() {
        for bits in [8_u8, 12] {
            let (most, middle) = (f64::from((1_u32 << bits) - 1), f64::from(1_u32 << (bits - 1)));
            let steps = [0.0, 0.13, 0.5, 0.77, 1.0].map(|part| (part * most).round());
            for n in 0..125 {
                let (y, cb, cr) = (steps[n / 25], steps[n / 5 % 5], steps[n % 5]);
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

    #[test]
    fn black_and_white_between_16_and_235() {
        let mut pixels = [[16, 128, 128], [235, 128, 128], [126, 240, 128], [16, 128, 240]];
        to_rgb_within(&mut pixels, [16, 235, 128, 240, 128, 240]);
        assert_eq!(pixels, [[0, 0, 0], [255, 255, 255], [128, 84, 255], [178, 0, 0]]);
        to_rgb_within(&mut pixels, [9, 9, 9, 3, 0, u16::MAX]);
    }
}
