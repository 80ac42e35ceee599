//! The types of values.

use super::header::Kind;

/// A type of values.
pub(super) trait Value: bytemuck::Pod {
    const KIND: Kind;
    /// What stands where a value is not valid.
    const NOTHING: Self;
    /// The nearest towards zero that the type has.
    fn of(value: f64) -> Self;
    fn wide(self) -> f64;
    /// From the front of little-endian bytes.
    fn le(bytes: &[u8]) -> Self;
    /// `offset + quant * step`. For whole numbers it is right wherever the sum is in the type's range, even where the product is not.
    fn step(offset: Self, step: Self, quant: u32) -> Self;
}

macro_rules! value {
    ($type:ty, $kind:ident, $nothing:expr, |$offset:ident, $step:ident, $quant:ident| $sum:expr) => {
        impl Value for $type {
            const KIND: Kind = Kind::$kind;
            const NOTHING: Self = $nothing;

            #[inline(always)]
            #[allow(clippy::cast_possible_truncation, clippy::unnecessary_cast, reason = "what the format does")]
            fn of(value: f64) -> Self {
                value as Self
            }
            #[inline(always)]
            #[allow(clippy::useless_conversion, reason = "one of the types is f64")]
            fn wide(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn le(bytes: &[u8]) -> Self {
                bytes.first_chunk().map_or_else(Self::default, |bytes| Self::from_le_bytes(*bytes))
            }
            #[inline(always)]
            fn step($offset: Self, $step: Self, $quant: u32) -> Self {
                $sum
            }
        }
    };
    ($($type:ty, $kind:ident;)*) => { $(
        value!($type, $kind, 0, |offset, step, quant| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::unnecessary_cast, reason = "modulo the type's range")]
            offset.wrapping_add((quant as $type).wrapping_mul(step))
        });
    )* };
}

value! { i8, I8; u8, U8; i16, I16; u16, U16; i32, I32; u32, U32; }
value!(f32, F32, Self::NAN, |offset, step, quant| Self::of(offset.wide() + f64::from(quant) * step.wide()));
value!(f64, F64, Self::NAN, |offset, step, quant| offset + f64::from(quant) * step);
