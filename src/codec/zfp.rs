//! ZFP streams with their own header (zfp 1.0, codec version 5), as numcodecs `zfpy` writes them: fixed rate, precision, accuracy, and
//! reversible.
//!
//! Values are in blocks of 4 along each of up to four axes. A block holds integers that share an exponent, transformed along each axis, as
//! negabinary bit planes from the highest down; how many bits it has, the mode says.

use super::{ChunkContext, Codec, Output, Scratch};
use crate::error::{Error, Result};
use crate::model::DataType;

/// The scalar types, with the numbers that the header has for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scalar {
    I32 = 1,
    I64 = 2,
    F32 = 3,
    F64 = 4,
}

#[derive(Debug)]
pub(super) struct Zfp {
    scalar: Scalar,
}

impl Zfp {
    pub(super) fn new(data_type: &DataType) -> Result<Self> {
        let scalar = match data_type {
            DataType::I32 => Scalar::I32,
            DataType::I64 => Scalar::I64,
            DataType::F32 => Scalar::F32,
            DataType::F64 => Scalar::F64,
            other => return Err(Error::unsupported(format!("codec zfpy of {other}"))),
        };
        Ok(Self { scalar })
    }
}

impl Scalar {
    fn bits(self) -> u32 {
        if matches!(self, Self::I32 | Self::F32) { 32 } else { 64 }
    }
    /// Bits of the exponent and what is taken from it; none for integers.
    fn exponent(self) -> Option<(u32, i64)> {
        match self {
            Self::F32 => Some((8, 127)),
            Self::F64 => Some((11, 1023)),
            _ => None,
        }
    }
}

fn damaged(message: &str) -> Error {
    Error::codec("zfpy", message)
}

/// Bits from the lowest of each byte on; zeros behind the end, which is looked for once a block.
struct Bits<'a> {
    bytes: &'a [u8],
    at: u64,
}

impl Bits<'_> {
    fn one(&mut self) -> bool {
        let byte = usize::try_from(self.at >> 3).ok().and_then(|i| self.bytes.get(i)).copied().unwrap_or(0);
        let bit = byte >> (self.at & 7) & 1;
        self.at = self.at.saturating_add(1);
        bit != 0
    }
    fn many(&mut self, count: u32) -> u64 {
        (0..count.min(64)).fold(0, |bits, i| bits | u64::from(self.one()) << i)
    }
    fn is_over(&self) -> bool {
        self.at > (self.bytes.len() as u64).saturating_mul(8)
    }
}

/// How many bits a block has, and how exact they are.
#[derive(Debug, Clone, Copy)]
struct Mode {
    min_bits: u64,
    max_bits: u64,
    max_precision: u32,
    min_exponent: i64,
}

const MIN_EXPONENT: i64 = -1074;

impl Mode {
    fn read(bits: &mut Bits<'_>) -> Result<Self> {
        let any = Self { min_bits: 1, max_bits: 16658, max_precision: 64, min_exponent: MIN_EXPONENT };
        let short = bits.many(12);
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let low = |n: u64| u32::try_from(n & 0x7f).unwrap_or(0).saturating_add(1);
        let mode = match short {
            0..2048 => Self { min_bits: short.saturating_add(1), max_bits: short.saturating_add(1), ..any },
            2048..2176 => Self { max_precision: low(short), ..any },
            2176 => Self { min_exponent: MIN_EXPONENT.saturating_sub(1), ..any },
            2177..4095 => Self { min_exponent: signed(short).saturating_sub(2177).saturating_add(MIN_EXPONENT), ..any },
            _ => {
                let min_bits = bits.many(15).saturating_add(1);
                let max_bits = bits.many(15).saturating_add(1);
                let max_precision = low(bits.many(7));
                Self { min_bits, max_bits, max_precision, min_exponent: signed(bits.many(15)).saturating_sub(16495) }
            }
        };
        if mode.min_bits > mode.max_bits || mode.max_precision > 64 {
            return Err(damaged("a mode that contradicts itself"));
        }
        Ok(mode)
    }
    fn is_reversible(&self) -> bool {
        self.min_exponent < MIN_EXPONENT
    }
}

impl Codec for Zfp {
    fn name(&self) -> &str {
        "zfpy"
    }
    fn decode(&self, input: &[u8], _: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let mut bits = Bits { bytes: input, at: 0 };
        if bits.many(24) != u64::from(u32::from_le_bytes(*b"zfp\0")) {
            return Err(damaged("no header of its own"));
        }
        let version = bits.many(8);
        if version != 5 {
            return Err(Error::unsupported(format!("zfp codec version {version}")));
        }
        let scalar = bits.many(2).saturating_add(1);
        if scalar != self.scalar as u64 {
            return Err(damaged("another type of values than the array's"));
        }
        let rank = u32::try_from(bits.many(2)).unwrap_or(0).saturating_add(1);
        // The axis that runs fastest first; they share 48 bits.
        let mut shape = [1u64; 4];
        let each = 48u32.checked_div(rank).unwrap_or(48);
        for length in shape.iter_mut().take(rank as usize) {
            *length = bits.many(each).saturating_add(1);
        }
        let mode = Mode::read(&mut bits)?;
        if bits.is_over() {
            return Err(damaged("the header ends early"));
        }
        let count = shape.iter().try_fold(1u64, |n, m| n.checked_mul(*m)).and_then(|n| usize::try_from(n).ok());
        let element = (self.scalar.bits() >> 3) as usize;
        let bytes = count.and_then(|n| n.checked_mul(element)).ok_or_else(|| damaged("more values than there can be"))?;
        let target = output.sized("zfpy", bytes)?;
        let mut block = Block { scalar: self.scalar, rank, mode, planes: [0; 256], values: [0; 256] };
        let steps = shape.map(|n| n.div_ceil(4));
        let number = steps.iter().fold(1u64, |n, m| n.saturating_mul(*m));
        let mut at = [0u64; 4];
        for _ in 0..number {
            block.decode(&mut bits);
            if bits.is_over() {
                return Err(damaged("the stream ends early"));
            }
            block.place(&at, &shape, element, target);
            for (i, n) in at.iter_mut().zip(&steps) {
                *i = i.saturating_add(1);
                if *i < *n {
                    break;
                }
                *i = 0;
            }
        }
        Ok(())
    }
}

/// One block of 4, 16, 64 or 256 values.
struct Block {
    scalar: Scalar,
    rank: u32,
    mode: Mode,
    /// Coefficients, as their bit planes are read.
    planes: [u64; 256],
    /// Integers in their places, then the bits of the values.
    values: [i64; 256],
}

impl Block {
    fn size(&self) -> usize {
        1usize << self.rank.saturating_mul(2)
    }

    /// The low bits as a number of the type's width.
    fn wrap(&self, value: i64) -> i64 {
        if self.scalar.bits() == 32 {
            #[allow(clippy::cast_possible_truncation, reason = "arithmetic of 32 bits wraps around, as in the library")]
            return i64::from(value as i32);
        }
        value
    }

    fn decode(&mut self, bits: &mut Bits<'_>) {
        let begun = bits.at;
        self.values.fill(0);
        match self.scalar.exponent() {
            None => self.integers(bits, begun, self.mode.max_precision),
            Some((length, bias)) => {
                if bits.one() {
                    self.floats(bits, begun, length, bias);
                }
            }
        }
        bits.at = bits.at.max(begun.saturating_add(self.mode.min_bits));
    }

    fn floats(&mut self, bits: &mut Bits<'_>, begun: u64, length: u32, bias: i64) {
        // Reversible blocks whose values share no exponent hold the bits of the values.
        let as_they_are = self.mode.is_reversible() && bits.one();
        if as_they_are {
            self.integers(bits, begun, 64);
            for value in &mut self.values {
                if *value < 0 {
                    *value ^= if self.scalar.bits() == 32 { 0x7fff_ffff } else { i64::MAX };
                }
            }
            return;
        }
        let exponent = i64::try_from(bits.many(length)).unwrap_or(0).saturating_sub(bias);
        let needed = exponent.saturating_sub(self.mode.min_exponent).saturating_add(i64::from(self.rank).saturating_mul(2)).saturating_add(2);
        let precision = u32::try_from(needed.max(0)).unwrap_or(u32::MAX).min(self.mode.max_precision);
        self.integers(bits, begun, precision);
        if self.mode.is_reversible() && exponent == bias.saturating_neg() {
            self.values.fill(0);
            return;
        }
        let scale = power(exponent.saturating_sub(i64::from(self.scalar.bits())).saturating_add(2));
        let size = self.size();
        let narrow = self.scalar == Scalar::F32;
        for value in self.values.iter_mut().take(size) {
            #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "in the arithmetic of the type, as the library does")]
            let number = if narrow { i64::from((*value as f32 * scale as f32).to_bits()) } else { (*value as f64 * scale).to_bits().cast_signed() };
            *value = number;
        }
    }

    /// Reads integers of which `precision` bit planes are stored, and undoes their transform.
    fn integers(&mut self, bits: &mut Bits<'_>, begun: u64, precision: u32) {
        let reversible = self.mode.is_reversible();
        let width = self.scalar.bits();
        let precision = if reversible { u32::try_from(bits.many(if width == 32 { 5 } else { 6 })).unwrap_or(0).saturating_add(1) } else { precision };
        let used = bits.at.saturating_sub(begun);
        self.bit_planes(bits, self.mode.max_bits.saturating_sub(used), precision);
        let size = self.size();
        let order: &[u8] = match self.rank {
            1 => &ORDER_1,
            2 => &ORDER_2,
            3 => &ORDER_3,
            _ => &ORDER_4,
        };
        let negabinary: u64 = if width == 32 { 0xaaaa_aaaa } else { 0xaaaa_aaaa_aaaa_aaaa };
        for (place, plane) in order.iter().zip(self.planes) {
            let value = self.wrap((plane ^ negabinary).wrapping_sub(negabinary).cast_signed());
            if let Some(to) = self.values.get_mut(usize::from(*place)) {
                *to = value;
            }
        }
        for axis in (0..self.rank).rev() {
            let stride = 1usize << axis.saturating_mul(2);
            for start in (0..size).filter(|at| at >> axis.saturating_mul(2) & 3 == 0) {
                self.lift(start, stride, reversible);
            }
        }
    }

    /// The planes from the highest down: the bits of coefficients that were significant before, then groups of those that become it.
    fn bit_planes(&mut self, bits: &mut Bits<'_>, most: u64, precision: u32) {
        let (width, size) = (self.scalar.bits(), self.size());
        self.planes.fill(0);
        let mut left = most;
        let mut significant = 0usize;
        for plane in (width.saturating_sub(precision)..width).rev() {
            if left == 0 || bits.is_over() {
                return;
            }
            let bit = 1u64 << plane;
            let set = |planes: &mut [u64; 256], at: usize| {
                if let Some(coefficient) = planes.get_mut(at) {
                    *coefficient |= bit;
                }
            };
            let known = significant.min(usize::try_from(left).unwrap_or(usize::MAX));
            left = left.saturating_sub(known as u64);
            for at in 0..known {
                if bits.one() {
                    set(&mut self.planes, at);
                }
            }
            while left > 0 && significant < size {
                left = left.saturating_sub(1);
                if !bits.one() {
                    break;
                }
                while left > 0 && significant.saturating_add(1) < size {
                    left = left.saturating_sub(1);
                    if bits.one() {
                        break;
                    }
                    significant = significant.saturating_add(1);
                }
                set(&mut self.planes, significant);
                significant = significant.saturating_add(1);
            }
        }
    }

    /// Four values along one axis.
    fn lift(&mut self, start: usize, stride: usize, reversible: bool) {
        let places: [usize; 4] = std::array::from_fn(|i| start.saturating_add(i.saturating_mul(stride)));
        let [x, y, z, w] = places.map(|at| self.values.get(at).copied().unwrap_or(0));
        let add = |a: i64, b: i64| self.wrap(a.wrapping_add(b));
        let sub = |a: i64, b: i64| self.wrap(a.wrapping_sub(b));
        let lifted = if reversible {
            // Sums of sums: what differences of differences leave.
            let w = add(w, z);
            let z = add(z, y);
            let w = add(w, z);
            let y = add(y, x);
            let z = add(z, y);
            [x, y, z, add(w, z)]
        } else {
            let y = add(y, w >> 1);
            let w = sub(w, y >> 1);
            let y = add(y, w);
            let w = sub(w, sub(y, w));
            let z = add(z, x);
            let x = sub(x, sub(z, x));
            let y = add(y, z);
            let z = sub(z, sub(y, z));
            let w = add(w, x);
            [sub(x, sub(w, x)), y, z, w]
        };
        for (at, value) in places.into_iter().zip(lifted) {
            if let Some(to) = self.values.get_mut(at) {
                *to = value;
            }
        }
    }

    /// Copies the part of the block that is inside of the array.
    fn place(&self, at: &[u64; 4], shape: &[u64; 4], element: usize, target: &mut [u8]) {
        for (number, value) in self.values.iter().enumerate().take(self.size()) {
            let mut rest = number as u64;
            let mut place = 0u64;
            let mut stride = 1u64;
            let mut inside = true;
            for (block, length) in at.iter().zip(shape) {
                let index = block.saturating_mul(4).saturating_add(rest & 3);
                rest >>= 2;
                inside &= index < *length;
                place = place.saturating_add(index.saturating_mul(stride));
                stride = stride.saturating_mul(*length);
            }
            let start = usize::try_from(place).unwrap_or(usize::MAX).saturating_mul(element);
            if let (true, Some(to)) = (inside, target.get_mut(start..start.saturating_add(element))) {
                let bytes = if element == 4 { self.wrap(*value).to_ne_bytes() } else { value.to_ne_bytes() };
                let low = if cfg!(target_endian = "little") { bytes.get(..element) } else { bytes.get(8usize.saturating_sub(element)..) };
                to.copy_from_slice(low.unwrap_or_default());
            }
        }
    }
}

/// 2 to a power, subnormal numbers among them.
fn power(exponent: i64) -> f64 {
    let bits = match exponent {
        -1022..=1023 => u64::try_from(exponent.saturating_add(1023)).unwrap_or(0) << 52,
        -1074..=-1023 => 1 << u32::try_from(exponent.saturating_add(1074)).unwrap_or(0),
        i64::MIN..=-1075 => 0,
        1024.. => return f64::INFINITY,
    };
    f64::from_bits(bits)
}

// Coefficients by the sum of their frequencies: where in the block each of them stands.
const ORDER_1: [u8; 4] = [0, 1, 2, 3];

#[rustfmt::skip]
const ORDER_2: [u8; 16] = [
    0, 1, 4, 5, 2, 8, 6, 9, 3, 12, 10, 7, 13, 11, 14, 15,
];

#[rustfmt::skip]
const ORDER_3: [u8; 64] = [
    0, 1, 4, 16, 20, 17, 5, 2, 8, 32, 21, 6, 18, 24, 9, 33, 36, 3, 12, 48, 22, 25, 37, 40, 34, 10, 7, 19, 28, 13, 49, 52, 41, 38, 26, 23,
    29, 53, 11, 35, 44, 14, 50, 56, 42, 27, 39, 45, 30, 54, 57, 60, 51, 15, 43, 46, 58, 61, 55, 31, 62, 59, 47, 63,
];

#[rustfmt::skip]
const ORDER_4: [u8; 256] = [
    0, 1, 4, 16, 64, 5, 80, 17, 68, 65, 20, 2, 8, 32, 128, 84, 81, 69, 21, 6, 18, 66, 24, 72, 9, 96, 33, 36, 129, 132, 144, 3, 12, 48, 192,
    85, 82, 70, 22, 73, 25, 88, 37, 100, 97, 148, 145, 133, 10, 160, 34, 136, 130, 40, 7, 19, 67, 28, 76, 13, 112, 49, 52, 193, 196, 208,
    86, 89, 101, 149, 161, 137, 41, 134, 38, 164, 26, 152, 146, 104, 98, 74, 83, 71, 23, 77, 29, 92, 53, 116, 113, 212, 209, 197, 11, 35,
    131, 44, 140, 14, 176, 50, 56, 194, 200, 224, 90, 165, 102, 153, 150, 105, 168, 162, 138, 42, 87, 93, 117, 213, 27, 75, 99, 39, 135,
    147, 108, 45, 141, 156, 30, 78, 177, 180, 54, 114, 120, 57, 198, 210, 216, 201, 225, 228, 15, 240, 51, 204, 195, 60, 169, 166, 154, 106,
    91, 103, 151, 109, 157, 94, 181, 118, 121, 214, 217, 229, 163, 139, 43, 142, 46, 172, 58, 184, 178, 232, 226, 202, 241, 205, 61, 199,
    55, 244, 31, 220, 211, 124, 115, 79, 170, 167, 155, 107, 158, 110, 173, 122, 185, 182, 233, 230, 218, 95, 245, 119, 221, 215, 125, 242,
    206, 62, 203, 59, 248, 47, 236, 227, 188, 179, 143, 171, 174, 186, 234, 246, 222, 126, 219, 123, 249, 111, 237, 231, 189, 183, 159, 252,
    243, 207, 63, 175, 250, 187, 238, 235, 190, 253, 247, 223, 127, 254, 251, 239, 191, 255,
];
