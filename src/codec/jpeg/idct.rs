//! The inverse DCT of 8 x 8 samples, in the integer arithmetic of libjpeg's accurate method, so that samples come out as its readers have
//! them (C. Loeffler, A. Ligtenberg and G. Moschytz, "Practical Fast 1-D DCT Algorithms with 11 Multiplications", ICASSP 1989).

use std::array;
use std::num::Wrapping;

/// What a corrupt stream overflows wraps, and is clamped like any other sample.
type Number = Wrapping<i32>;

/// Fraction bits of the constants.
const FRACTION: usize = 13;

fn fixed(n: i32) -> Number {
    Wrapping(n)
}

/// One dimension; the result is scaled by 2^[`FRACTION`], and by the square root of 8 as all of libjpeg's are.
fn transform([c0, c1, c2, c3, c4, c5, c6, c7]: [Number; 8]) -> [Number; 8] {
    let common = (c2 + c6) * fixed(4433);
    let (low, high) = (common - c6 * fixed(15137), common + c2 * fixed(6270));
    let (sum, difference) = ((c0 + c4) << FRACTION, (c0 - c4) << FRACTION);
    let even = [sum + high, difference + low, difference - low, sum - high];

    let (z1, z2, z3, z4) = (c7 + c1, c5 + c3, c7 + c3, c5 + c1);
    let z5 = (z3 + z4) * fixed(9633);
    let (z1, z2) = (z1 * fixed(-7373), z2 * fixed(-20995));
    let (z3, z4) = (z3 * fixed(-16069) + z5, z4 * fixed(-3196) + z5);
    let odd = [c1 * fixed(12299) + z1 + z4, c3 * fixed(25172) + z2 + z3, c5 * fixed(16819) + z2 + z4, c7 * fixed(2446) + z1 + z3];

    let [e0, e1, e2, e3] = even;
    let [o0, o1, o2, o3] = odd;
    [e0 + o0, e1 + o1, e2 + o2, e3 + o3, e3 - o3, e2 - o2, e1 - o1, e0 - o0]
}

/// Divides by a power of two, rounded.
fn descale(n: Number, bits: usize) -> Number {
    (n + (Wrapping(1) << bits.saturating_sub(1))) >> bits
}

/// Samples of `bits` bits (8 or 12) from dequantized coefficients, row by row.
pub(super) fn inverse(coefficients: &[[i32; 8]; 8], bits: u8) -> [[u16; 8]; 8] {
    // Fraction bits that are kept between the two passes: those that fit 32 bits.
    let kept = if bits > 8 { 1 } else { 2 };
    let most = (1_i32 << bits.min(16)).saturating_sub(1);
    let middle = Wrapping(most >> 1) + Wrapping(1);
    let sample = |n: Number| u16::try_from((n + middle).0.clamp(0, most)).unwrap_or(0);

    let [first, rest @ ..] = coefficients;
    if rest.iter().all(|row| *row == [0; 8])
        && let [dc, 0, 0, 0, 0, 0, 0, 0] = first
    {
        return [[sample(descale(Wrapping(*dc), 3)); 8]; 8];
    }
    let transposed = |rows: &[[Number; 8]; 8], x: usize| -> [Number; 8] {
        array::from_fn(|y| rows.get(y).and_then(|row| row.get(x)).copied().unwrap_or_default())
    };
    let rows = coefficients.map(|row| row.map(Wrapping));
    let columns: [[Number; 8]; 8] = array::from_fn(|x| transform(transposed(&rows, x)).map(|n| descale(n, FRACTION.saturating_sub(kept))));
    array::from_fn(|y| transform(transposed(&columns, y)).map(|n| sample(descale(n, kept.saturating_add(FRACTION).saturating_add(3)))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    /// The definition (A.3.3).
    fn defined(coefficients: &[[i32; 8]; 8], bits: u8) -> [[f64; 8]; 8] {
        let scale = |n: usize| if n == 0 { 0.5_f64.sqrt() } else { 1.0 };
        let wave = |at: usize, n: usize| ((2.0 * at as f64 + 1.0) * n as f64 * PI / 16.0).cos() * scale(n) / 2.0;
        let most = f64::from((1 << bits) - 1);
        array::from_fn(|y| {
            array::from_fn(|x| {
                let mut sum = 0.0;
                for (v, row) in coefficients.iter().enumerate() {
                    for (u, n) in row.iter().enumerate() {
                        sum += f64::from(*n) * wave(y, v) * wave(x, u);
                    }
                }
                (sum + f64::from(1 << (bits - 1))).clamp(0.0, most)
            })
        })
    }

    #[test]
    fn near_the_definition() {
        let mut seed = 1_u32;
        let mut random = |most: i32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            i32::try_from(seed >> 8).unwrap() % (2 * most + 1) - most
        };
        for bits in [8, 12] {
            for case in 0..200 {
                // Few coefficients and many, the whole range of the first.
                let mut block = [[0; 8]; 8];
                for _ in 0..=case / 4 {
                    let (y, x) = ((random(4) + 4) as usize % 8, (random(4) + 4) as usize % 8);
                    block[y][x] = random(1 << (bits - 2));
                }
                block[0][0] = random(1 << (bits + 2));
                let (ours, exact) = (inverse(&block, bits), defined(&block, bits));
                for (a, b) in ours.as_flattened().iter().zip(exact.as_flattened()) {
                    assert!((f64::from(*a) - b).abs() <= 1.0, "{bits} bits, case {case}: {a} for {b}");
                }
            }
        }
        let extreme = [[i32::MAX; 8]; 8];
        inverse(&extreme, 12);
    }
}
