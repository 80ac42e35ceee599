//! Types of elements, and fill values.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// The type of an array's elements.
///
/// In memory every fixed-size element is in the machine's byte order, complex numbers as (re, im).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataType {
    /// One byte, 0 or 1.
    Bool,
    /// 8-bit signed integer.
    I8,
    /// 8-bit unsigned integer.
    U8,
    /// 16-bit signed integer.
    I16,
    /// 16-bit unsigned integer.
    U16,
    /// 32-bit signed integer.
    I32,
    /// 32-bit unsigned integer.
    U32,
    /// 64-bit signed integer.
    I64,
    /// 64-bit unsigned integer.
    U64,
    /// IEEE 754 binary16.
    F16,
    /// The upper half of an `F32`.
    BF16,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
    /// Two 8-bit signed integers.
    ComplexI8,
    /// Two 16-bit signed integers.
    ComplexI16,
    /// Two 32-bit signed integers.
    ComplexI32,
    /// Two binary16.
    ComplexF16,
    /// Two binary32.
    ComplexF32,
    /// Two binary64.
    ComplexF64,
    /// A point in time: a count of `scale` units since 1970; `i64::MIN` is "not a time".
    DateTime64 {
        /// The unit.
        unit: TimeUnit,
        /// How many units a step is.
        scale: u32,
    },
    /// A span of time: a count of `scale` units; `i64::MIN` is "not a time".
    TimeDelta64 {
        /// The unit.
        unit: TimeUnit,
        /// How many units a step is.
        scale: u32,
    },
    /// A packed record of named fields, without gaps beyond those declared.
    Record(Arc<[Field]>, usize),
    /// This many bytes (text padded with NUL, or opaque).
    FixedBytes(usize),
    /// This many UTF-32 code points, padded with NUL.
    FixedUtf32(usize),
    /// UTF-8 text of any length.
    Text,
    /// Bytes of any length.
    VariableBytes,
}

/// A field of a [`DataType::Record`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    pub data_type: DataType,
    /// Its shape: empty for one element.
    pub shape: Vec<u64>,
    /// Where it starts in the record, in bytes.
    pub offset: usize,
}

/// The unit of a time (NumPy's datetime units).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum TimeUnit {
    Generic,
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
    Picosecond,
    Femtosecond,
    Attosecond,
}

impl TimeUnit {
    /// NumPy's code of the unit (`D`, `ns`, …).
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Year => "Y",
            Self::Month => "M",
            Self::Week => "W",
            Self::Day => "D",
            Self::Hour => "h",
            Self::Minute => "m",
            Self::Second => "s",
            Self::Millisecond => "ms",
            Self::Microsecond => "us",
            Self::Nanosecond => "ns",
            Self::Picosecond => "ps",
            Self::Femtosecond => "fs",
            Self::Attosecond => "as",
        }
    }
    /// The unit of a NumPy code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        use TimeUnit as T;
        [
            T::Generic,
            T::Year,
            T::Month,
            T::Week,
            T::Day,
            T::Hour,
            T::Minute,
            T::Second,
            T::Millisecond,
            T::Microsecond,
            T::Nanosecond,
            T::Picosecond,
            T::Femtosecond,
            T::Attosecond,
        ]
        .into_iter()
        .find(|u| u.code() == code || (*u == T::Microsecond && code == "μs"))
    }
}

impl DataType {
    /// The unsigned integers of as many bits as these signed ones; `None` of another type.
    #[must_use]
    pub fn unsigned(&self) -> Option<Self> {
        Some(match self {
            Self::I8 => Self::U8,
            Self::I16 => Self::U16,
            Self::I32 => Self::U32,
            Self::I64 => Self::U64,
            _ => return None,
        })
    }
    /// Bytes of one element; `None` where elements differ in length.
    #[must_use]
    pub fn size(&self) -> Option<usize> {
        Some(match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 | Self::BF16 | Self::ComplexI8 => 2,
            Self::I32 | Self::U32 | Self::F32 | Self::ComplexI16 | Self::ComplexF16 => 4,
            Self::I64 | Self::U64 | Self::F64 | Self::ComplexI32 | Self::ComplexF32 | Self::DateTime64 { .. } | Self::TimeDelta64 { .. } => 8,
            Self::ComplexF64 => 16,
            Self::Record(_, size) | Self::FixedBytes(size) => *size,
            Self::FixedUtf32(length) => length.checked_mul(4)?,
            Self::Text | Self::VariableBytes => return None,
        })
    }
    /// Bytes of the unit that byte order applies to (half of a complex number, one code point); 1 where it does not apply.
    /// A record swaps field by field: [`fields`](Self::fields).
    #[must_use]
    pub fn swap_unit(&self) -> usize {
        match self {
            Self::ComplexI8 | Self::Record(..) | Self::FixedBytes(_) | Self::Text | Self::VariableBytes => 1,
            Self::ComplexI16 | Self::ComplexF16 => 2,
            Self::ComplexI32 | Self::ComplexF32 | Self::FixedUtf32(_) => 4,
            Self::ComplexF64 => 8,
            other => other.size().unwrap_or(1),
        }
    }
    /// The fields of a record.
    #[must_use]
    pub fn fields(&self) -> Option<&[Field]> {
        match self {
            Self::Record(fields, _) => Some(fields),
            _ => None,
        }
    }
    /// Whether it is two numbers.
    #[must_use]
    pub fn is_complex(&self) -> bool {
        matches!(self, Self::ComplexI8 | Self::ComplexI16 | Self::ComplexI32 | Self::ComplexF16 | Self::ComplexF32 | Self::ComplexF64)
    }
    /// Whether it is a binary floating point number (not complex).
    #[must_use]
    pub fn is_float(&self) -> bool {
        matches!(self, Self::F16 | Self::BF16 | Self::F32 | Self::F64)
    }
    /// NumPy's type string in little-endian order (`<u2`, `|S3`, …); records and variable lengths have none.
    /// Types that NumPy lacks are given as their parts (`ComplexI16` as two `<i2`), see [`numpy_parts`](Self::numpy_parts).
    #[must_use]
    pub fn numpy(&self) -> Option<String> {
        Some(match self {
            Self::Bool => "|b1".into(),
            Self::I8 | Self::ComplexI8 => "|i1".into(),
            Self::U8 => "|u1".into(),
            Self::I16 | Self::ComplexI16 => "<i2".into(),
            Self::U16 | Self::BF16 => "<u2".into(),
            Self::I32 | Self::ComplexI32 => "<i4".into(),
            Self::U32 => "<u4".into(),
            Self::I64 => "<i8".into(),
            Self::U64 => "<u8".into(),
            Self::F16 | Self::ComplexF16 => "<f2".into(),
            Self::F32 => "<f4".into(),
            Self::F64 => "<f8".into(),
            Self::ComplexF32 => "<c8".into(),
            Self::ComplexF64 => "<c16".into(),
            Self::DateTime64 { unit, scale } => format!("<M8{}", time_suffix(*unit, *scale)),
            Self::TimeDelta64 { unit, scale } => format!("<m8{}", time_suffix(*unit, *scale)),
            Self::FixedBytes(n) => format!("|S{n}"),
            Self::FixedUtf32(n) => format!("<U{n}"),
            Self::Record(..) | Self::Text | Self::VariableBytes => return None,
        })
    }
    /// How many NumPy elements stand for one element here: 2 for the complex types that NumPy lacks.
    #[must_use]
    pub fn numpy_parts(&self) -> usize {
        match self {
            Self::ComplexI8 | Self::ComplexI16 | Self::ComplexI32 | Self::ComplexF16 => 2,
            _ => 1,
        }
    }
}

fn time_suffix(unit: TimeUnit, scale: u32) -> String {
    match (unit, scale) {
        (TimeUnit::Generic, _) => String::new(),
        (unit, 1) => format!("[{}]", unit.code()),
        (unit, scale) => format!("[{scale}{}]", unit.code()),
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "bool",
            Self::I8 => "int8",
            Self::U8 => "uint8",
            Self::I16 => "int16",
            Self::U16 => "uint16",
            Self::I32 => "int32",
            Self::U32 => "uint32",
            Self::I64 => "int64",
            Self::U64 => "uint64",
            Self::F16 => "float16",
            Self::BF16 => "bfloat16",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::ComplexI8 => "complex_int8",
            Self::ComplexI16 => "complex_int16",
            Self::ComplexI32 => "complex_int32",
            Self::ComplexF16 => "complex_float16",
            Self::ComplexF32 => "complex64",
            Self::ComplexF64 => "complex128",
            Self::DateTime64 { unit, scale } => return write!(f, "datetime64{}", time_suffix(*unit, *scale)),
            Self::TimeDelta64 { unit, scale } => return write!(f, "timedelta64{}", time_suffix(*unit, *scale)),
            Self::Record(fields, size) => {
                write!(f, "record{size}{{")?;
                for (i, field) in fields.iter().enumerate() {
                    write!(f, "{}{}: {}", if i == 0 { "" } else { ", " }, field.name, field.data_type)?;
                }
                return f.write_str("}");
            }
            Self::FixedBytes(n) => return write!(f, "bytes{n}"),
            Self::FixedUtf32(n) => return write!(f, "utf32_{n}"),
            Self::Text => "text",
            Self::VariableBytes => "bytes",
        })
    }
}

/// The value of what was never stored: one element, in the machine's byte order. Empty = zeros (or empty text).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FillValue(Bytes);

impl FillValue {
    /// All bits zero, or the empty text.
    pub const ZERO: Self = Self(Bytes::new());

    /// One element's bytes, in the machine's byte order (for text: its UTF-8).
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.iter().all(|b| *b == 0) { Self::ZERO } else { Self(bytes) }
    }
    /// One element as it is in memory: a number, a complex number.
    #[must_use]
    pub fn of<T: bytemuck::NoUninit>(element: T) -> Self {
        Self::new(Bytes::copy_from_slice(bytemuck::bytes_of(&element)))
    }
    /// The element's bytes; empty for zeros.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
    /// Whether all bits are zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
}
