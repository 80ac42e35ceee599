//! Types of elements in memory, and conversions between them.

use std::marker::PhantomData;

use half::{bf16, f16};
use num_complex::Complex;

use crate::model::DataType;
use crate::simd;

mod sealed {
    pub trait Sealed {}
}

/// A type that elements of an array can be read as.
///
/// `u8` stands for `Bool` too, `i64` for times and time spans.
pub trait Element: bytemuck::Pod + sealed::Sealed + Send + Sync {
    /// The data type it stands for first.
    const DATA_TYPE: DataType;
    /// Whether elements of this data type are read as it, bit for bit.
    fn holds(data_type: &DataType) -> bool {
        *data_type == Self::DATA_TYPE
    }
}

macro_rules! elements {
    ($($t:ty => $d:ident $(, also [$($also:tt)*])?;)*) => {$(
        impl sealed::Sealed for $t {}
        impl Element for $t {
            const DATA_TYPE: DataType = DataType::$d;
            $(fn holds(data_type: &DataType) -> bool {
                matches!(data_type, DataType::$d | $($also)*)
            })?
        }
    )*};
}
elements! {
    u8 => U8, also [DataType::Bool];
    i8 => I8;
    u16 => U16;
    i16 => I16;
    u32 => U32;
    i32 => I32;
    u64 => U64;
    i64 => I64, also [DataType::DateTime64 { .. } | DataType::TimeDelta64 { .. }];
    f16 => F16;
    bf16 => BF16;
    f32 => F32;
    f64 => F64;
    Complex<i8> => ComplexI8;
    Complex<i16> => ComplexI16;
    Complex<i32> => ComplexI32;
    Complex<f16> => ComplexF16;
    Complex<f32> => ComplexF32;
    Complex<f64> => ComplexF64;
}

/// A type that quantities are read as: `f32` or `f64`.
pub trait Float: Element {
    /// What stands for "nothing here".
    const NAN: Self;
}

impl Float for f32 {
    const NAN: Self = Self::NAN;
}
impl Float for f64 {
    const NAN: Self = Self::NAN;
}

/// Converts a run of elements, both in the machine's byte order. The slices hold the same number of elements.
pub(crate) type ConvertRow = fn(&[u8], &mut [u8]);

/// How elements of one type become elements of another: real numbers to real numbers, complex to complex.
///
/// Integers that do not fit saturate; floats become integers by rounding toward zero, NaN becomes 0.
pub(crate) fn converter(from: &DataType, to: &DataType) -> Option<ConvertRow> {
    macro_rules! to {
        ($s:ty) => {
            match to {
                DataType::U8 | DataType::Bool => convert::<$s, u8>,
                DataType::I8 => convert::<$s, i8>,
                DataType::U16 => convert::<$s, u16>,
                DataType::I16 => convert::<$s, i16>,
                DataType::U32 => convert::<$s, u32>,
                DataType::I32 => convert::<$s, i32>,
                DataType::U64 => convert::<$s, u64>,
                DataType::I64 => convert::<$s, i64>,
                DataType::F16 => convert::<$s, f16>,
                DataType::BF16 => convert::<$s, bf16>,
                DataType::F32 => convert::<$s, f32>,
                DataType::F64 => convert::<$s, f64>,
                _ => return None,
            }
        };
    }
    let part = |d: &DataType| {
        Some(match d {
            DataType::ComplexI8 => DataType::I8,
            DataType::ComplexI16 => DataType::I16,
            DataType::ComplexI32 => DataType::I32,
            DataType::ComplexF16 => DataType::F16,
            DataType::ComplexF32 => DataType::F32,
            DataType::ComplexF64 => DataType::F64,
            _ => return None,
        })
    };
    if let (Some(from), Some(to)) = (part(from), part(to)) {
        return converter(&from, &to);
    }
    let row: ConvertRow = match from {
        DataType::U8 | DataType::Bool => to!(u8),
        DataType::I8 => to!(i8),
        DataType::U16 => to!(u16),
        DataType::I16 => to!(i16),
        DataType::U32 => to!(u32),
        DataType::I32 => to!(i32),
        DataType::U64 => to!(u64),
        DataType::I64 | DataType::DateTime64 { .. } | DataType::TimeDelta64 { .. } => to!(i64),
        DataType::F16 => to!(f16),
        DataType::BF16 => to!(bf16),
        DataType::F32 => to!(f32),
        DataType::F64 => to!(f64),
        _ => return None,
    };
    Some(row)
}

/// A real number that passes through the wider of two types.
pub(super) trait Number: bytemuck::Pod + PartialEq {
    const FLOAT: bool;
    fn to_float(self) -> f64;
    fn to_integer(self) -> i128;
    fn from_float(n: f64) -> Self;
    fn from_integer(n: i128) -> Self;
}

macro_rules! integers {
    ($($t:ty)*) => {$(
        impl Number for $t {
            const FLOAT: bool = false;
            fn to_float(self) -> f64 { self as f64 }
            fn to_integer(self) -> i128 { i128::from(self) }
            #[allow(clippy::cast_possible_truncation, reason = "float to integer saturates, as documented")]
            fn from_float(n: f64) -> Self { n as Self }
            #[allow(clippy::cast_possible_truncation, reason = "clamped before")]
            fn from_integer(n: i128) -> Self { n.clamp(i128::from(Self::MIN), i128::from(Self::MAX)) as Self }
        }
    )*};
}
integers! { u8 i8 u16 i16 u32 i32 u64 i64 }

macro_rules! floats {
    ($($t:ty, $to:expr, $from:expr;)*) => {$(
        impl Number for $t {
            const FLOAT: bool = true;
            fn to_float(self) -> f64 { $to(self) }
            #[allow(clippy::cast_possible_truncation, reason = "float to integer saturates, as documented")]
            fn to_integer(self) -> i128 { self.to_float() as i128 }
            fn from_float(n: f64) -> Self { $from(n) }
            fn from_integer(n: i128) -> Self { $from(n as f64) }
        }
    )*};
}
#[allow(clippy::cast_possible_truncation, reason = "the nearest f32 is meant")]
fn narrow(n: f64) -> f32 {
    n as f32
}
floats! {
    f16, f16::to_f64, f16::from_f64;
    bf16, bf16::to_f64, bf16::from_f64;
    f32, f64::from, narrow;
    f64, f64::from, f64::from;
}

fn convert<S: Number, D: Number>(from: &[u8], to: &mut [u8]) {
    struct Convert<'a, S, D>(&'a [u8], &'a mut [u8], PhantomData<(S, D)>);
    impl<S: Number, D: Number> simd::Work for Convert<'_, S, D> {
        #[inline(always)]
        fn run(self) {
            let Self(from, to, _) = self;
            let sources = from.chunks_exact(size_of::<S>());
            for (s, d) in sources.zip(to.chunks_exact_mut(size_of::<D>())) {
                let s: S = bytemuck::pod_read_unaligned(s);
                let n = if S::FLOAT || D::FLOAT { D::from_float(s.to_float()) } else { D::from_integer(s.to_integer()) };
                d.copy_from_slice(bytemuck::bytes_of(&n));
            }
        }
    }
    simd::run(Convert::<S, D>(from, to, PhantomData));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one<S: Element, D: Element>(s: S) -> D {
        let mut d = D::zeroed();
        converter(&S::DATA_TYPE, &D::DATA_TYPE).unwrap()(bytemuck::bytes_of(&s), bytemuck::bytes_of_mut(&mut d));
        d
    }

    #[test]
    fn conversions_saturate_and_keep_exact_integers() {
        assert_eq!(one::<i16, u8>(-3), 0);
        assert_eq!(one::<u16, u8>(300), 255);
        assert_eq!(one::<u64, i64>(u64::MAX), i64::MAX);
        assert_eq!(one::<i64, u64>(i64::MAX - 1), i64::MAX as u64 - 1);
        assert_eq!(one::<f32, i16>(f32::NAN), 0);
        assert_eq!(one::<f64, u8>(-1e300), 0);
        assert_eq!(one::<u16, f32>(40_000), 40_000.0);
        assert_eq!(one::<f32, f16>(0.5), f16::from_f32(0.5));
        assert_eq!(one::<Complex<i16>, Complex<f32>>(Complex::new(-2, 3)), Complex::new(-2.0, 3.0));
        assert!(converter(&DataType::Text, &DataType::U8).is_none());
        assert!(converter(&DataType::ComplexF32, &DataType::F32).is_none());
    }
}
