//! An array in memory: what a file is written from, and what a read is held against.

use half::f16;
use num_complex::Complex;
use swath::model::{DataType, Region};

/// Runs an expression with `$t` standing for the Rust type of a data type.
macro_rules! of_type {
    ($data_type:expr, $t:ident => $body:expr) => {
        $crate::common::source::of_type!(@ $data_type, $t, $body,
            U8 u8, I8 i8, U16 u16, I16 i16, U32 u32, I32 i32, U64 u64, I64 i64, F16 half::f16, F32 f32, F64 f64,
            ComplexI16 num_complex::Complex<i16>, ComplexI32 num_complex::Complex<i32>,
            ComplexF32 num_complex::Complex<f32>, ComplexF64 num_complex::Complex<f64>)
    };
    (@ $data_type:expr, $t:ident, $body:expr, $($name:ident $rust:ty),*) => {
        match &$data_type {
            $(swath::model::DataType::$name => { type $t = $rust; $body })*
            other => panic!("no Rust type for {other}"),
        }
    };
}
pub(crate) use of_type;

/// What stands where nothing is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    Zero,
    Seven,
    /// NaN, or the integer furthest from zero.
    Extreme,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Source {
    pub(crate) data_type: DataType,
    pub(crate) shape: Vec<u64>,
    /// C order, little-endian.
    pub(crate) bytes: Vec<u8>,
}

/// A pseudo-random number of 64 bits (splitmix64).
pub(crate) fn scramble(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One element: slopes, noise over the whole range of the type, and the odd values of floats.
fn element(data_type: &DataType, i: u64) -> Vec<u8> {
    let noise = scramble(i);
    let whole = if noise.is_multiple_of(3) { noise } else { i / 2 };
    let real = match noise % 41 {
        0 => f64::NAN,
        1 => f64::INFINITY,
        2 => -0.0,
        _ => (i % 977) as f64 * 0.37 - 100.0,
    };
    let imaginary = (noise % 2003) as f64 * -0.5;
    match data_type {
        DataType::U8 | DataType::I8 => vec![whole as u8],
        DataType::U16 | DataType::I16 => (whole as u16).to_le_bytes().to_vec(),
        DataType::U32 | DataType::I32 | DataType::ComplexI16 => (whole as u32).to_le_bytes().to_vec(),
        DataType::U64 | DataType::I64 | DataType::ComplexI32 => whole.to_le_bytes().to_vec(),
        DataType::F16 => f16::from_f64(real).to_le_bytes().to_vec(),
        DataType::F32 => (real as f32).to_le_bytes().to_vec(),
        DataType::F64 => real.to_le_bytes().to_vec(),
        DataType::ComplexF32 => [(real as f32).to_le_bytes(), (imaginary as f32).to_le_bytes()].concat(),
        DataType::ComplexF64 => [real.to_le_bytes(), imaginary.to_le_bytes()].concat(),
        other => panic!("no values of {other}"),
    }
}

impl Fill {
    /// The element, little-endian.
    pub(crate) fn element(self, data_type: &DataType) -> Vec<u8> {
        macro_rules! integer {
            ($t:ty, $extreme:expr) => {
                match self {
                    Self::Zero => 0 as $t,
                    Self::Seven => 7,
                    Self::Extreme => $extreme,
                }
                .to_le_bytes()
                .to_vec()
            };
        }
        let real = match self {
            Self::Zero => 0.0,
            Self::Seven => 7.0,
            Self::Extreme => f64::NAN,
        };
        match data_type {
            DataType::U8 => integer!(u8, u8::MAX),
            DataType::I8 => integer!(i8, i8::MIN),
            DataType::U16 => integer!(u16, u16::MAX),
            DataType::I16 => integer!(i16, i16::MIN),
            DataType::U32 => integer!(u32, u32::MAX),
            DataType::I32 => integer!(i32, i32::MIN),
            DataType::U64 => integer!(u64, u64::MAX),
            DataType::I64 => integer!(i64, i64::MIN),
            DataType::F16 => f16::from_f64(real).to_le_bytes().to_vec(),
            DataType::F32 => (real as f32).to_le_bytes().to_vec(),
            DataType::F64 => real.to_le_bytes().to_vec(),
            DataType::ComplexF32 => [(real as f32).to_le_bytes(), [0; 4]].concat(),
            DataType::ComplexF64 => [real.to_le_bytes(), [0; 8]].concat(),
            other => vec![0; other.size().expect("a fixed size")],
        }
    }

    /// The number, as text that is JSON and what GDAL writes as nodata, but for NaN.
    pub(crate) fn text(self, data_type: &DataType) -> String {
        match (self, data_type) {
            (Self::Zero, _) => "0".into(),
            (Self::Seven, _) => "7".into(),
            (_, DataType::U8) => u8::MAX.to_string(),
            (_, DataType::I8) => i8::MIN.to_string(),
            (_, DataType::U16) => u16::MAX.to_string(),
            (_, DataType::I16) => i16::MIN.to_string(),
            (_, DataType::U32) => u32::MAX.to_string(),
            (_, DataType::I32) => i32::MIN.to_string(),
            (_, DataType::U64) => u64::MAX.to_string(),
            (_, DataType::I64) => i64::MIN.to_string(),
            _ => "NaN".into(),
        }
    }
}

impl Source {
    pub(crate) fn new(data_type: DataType, shape: &[u64], seed: u64) -> Self {
        let count: u64 = shape.iter().product();
        let bytes = (0..count).flat_map(|i| element(&data_type, i + seed * 1_000_003)).collect();
        Self { data_type, shape: shape.to_vec(), bytes }
    }
    pub(crate) fn element_size(&self) -> usize {
        self.data_type.size().expect("a fixed size")
    }

    /// Calls with each index of a box, in C order.
    pub(crate) fn for_each(region: &Region, mut f: impl FnMut(&[u64])) {
        if region.is_empty() {
            return;
        }
        let mut index: Vec<u64> = region.ranges().iter().map(|r| r.start).collect();
        'all: loop {
            f(&index);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                if index[axis] < region.ranges()[axis].end {
                    continue 'all;
                }
                index[axis] = region.ranges()[axis].start;
            }
            return;
        }
    }

    fn at(&self, index: &[u64]) -> Option<std::ops::Range<usize>> {
        let inside = index.iter().zip(&self.shape).all(|(i, n)| i < n);
        let linear = index.iter().zip(&self.shape).fold(0, |at, (i, n)| at * n + i);
        let start = linear as usize * self.element_size();
        inside.then(|| start..start + self.element_size())
    }

    /// The elements of a region, C order, little-endian.
    pub(crate) fn region(&self, region: &Region) -> Vec<u8> {
        let mut out = Vec::new();
        Self::for_each(region, |index| out.extend_from_slice(&self.bytes[self.at(index).expect("inside")]));
        out
    }

    /// Overwrites a region with one element.
    pub(crate) fn fill(&mut self, region: &Region, element: &[u8]) {
        let whole = self.shape.clone();
        let inside = region.intersection(&Region::all(&whole));
        let mut places = Vec::new();
        Self::for_each(&inside, |index| places.push(self.at(index).expect("inside")));
        for place in places {
            self.bytes[place].copy_from_slice(element);
        }
    }

    /// The elements of a box as a chunk stores them: axes in this order, outermost first; rubbish where the array has ended.
    pub(crate) fn chunk(&self, region: &Region, order: &[usize]) -> Vec<u8> {
        let stored = Region::new(order.iter().map(|axis| region.ranges()[*axis].clone()).collect());
        let mut out = Vec::new();
        let rubbish = vec![0xAB; self.element_size()];
        Self::for_each(&stored, |in_order| {
            let mut index = vec![0; order.len()];
            order.iter().zip(in_order).for_each(|(axis, i)| index[*axis] = *i);
            out.extend_from_slice(self.at(&index).map_or(&rubbish[..], |place| &self.bytes[place]));
        });
        out
    }
}

/// Little-endian elements in the other byte order, and back.
pub(crate) fn swapped(mut bytes: Vec<u8>, data_type: &DataType) -> Vec<u8> {
    bytes.chunks_exact_mut(data_type.swap_unit()).for_each(<[u8]>::reverse);
    bytes
}

/// Elements in the machine's byte order, from their little-endian bytes.
pub(crate) fn native<T: bytemuck::Pod>(bytes: &[u8], data_type: &DataType) -> Vec<T> {
    let bytes = if cfg!(target_endian = "big") { swapped(bytes.to_vec(), data_type) } else { bytes.to_vec() };
    bytemuck::pod_collect_to_vec(&bytes)
}

/// A number as the widest types see it.
pub(crate) trait Widen: Copy {
    fn real(self) -> f64;
    fn imaginary(self) -> f64 {
        0.0
    }
    fn to_i16(self) -> i16;
}
macro_rules! widen {
    ($($t:ty)*) => {$(
        impl Widen for $t {
            fn real(self) -> f64 { self as f64 }
            fn to_i16(self) -> i16 { (self as i128).clamp(i128::from(i16::MIN), i128::from(i16::MAX)) as i16 }
        }
    )*};
}
widen! { u8 i8 u16 i16 u32 i32 u64 i64 f32 f64 }
impl Widen for f16 {
    fn real(self) -> f64 {
        self.to_f64()
    }
    fn to_i16(self) -> i16 {
        self.to_f64() as i16
    }
}
impl<T: Widen> Widen for Complex<T> {
    fn real(self) -> f64 {
        self.re.real()
    }
    fn imaginary(self) -> f64 {
        self.im.real()
    }
    fn to_i16(self) -> i16 {
        self.re.to_i16()
    }
}
