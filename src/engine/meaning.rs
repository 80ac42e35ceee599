//! What elements stand for: which of them are valid, and the quantities that they are. Done to runs of elements on their way to the output.

use std::marker::PhantomData;

use super::element::{ConvertRow, Number};
use crate::model::{DataType, FillValue, Linear, Scaling};
use crate::simd;

/// Sets the marks of elements that equal one element (or, for floats, are not-a-number) to 0; both slices hold the same number.
type MarkRow = fn(elements: &[u8], value: &[u8], marks: &mut [u8]);

/// Converts a run of elements by a line.
type ScaleRow = fn(elements: &[u8], quantities: &mut [u8], line: Linear);

/// What is done to the elements of an array, besides putting them in their places.
#[derive(Clone)]
pub(crate) struct Meaning {
    /// Bytes of a stored element.
    stored: usize,
    /// What makes an element invalid, and the element that it is held against.
    tests: Vec<(MarkRow, Vec<u8>)>,
    values: Values,
}

/// What comes out.
#[derive(Clone)]
enum Values {
    /// The elements as they are.
    Stored,
    Converted(ConvertRow),
    /// Quantities; not-a-number where an element is not valid.
    Scaled {
        row: ScaleRow,
        scaling: Scaling,
        nan: Vec<u8>,
    },
    /// The marks themselves.
    Marks,
}

impl Meaning {
    /// Validity beside the elements, which are converted where that is asked for. `None` where elements differ in length.
    pub(crate) fn masked(data_type: &DataType, nodata: &[FillValue], convert: Option<ConvertRow>) -> Option<Self> {
        let values = convert.map_or(Values::Stored, Values::Converted);
        Some(Self { stored: data_type.size()?, tests: tests(data_type, nodata)?, values })
    }
    /// Validity alone.
    pub(crate) fn marks(data_type: &DataType, nodata: &[FillValue]) -> Option<Self> {
        Some(Self { stored: data_type.size()?, tests: tests(data_type, nodata)?, values: Values::Marks })
    }
    /// Quantities. `None` where the elements are no real numbers, or `to` is no float.
    pub(crate) fn scaled(data_type: &DataType, scaling: &Scaling, nodata: &[FillValue], to: &DataType) -> Option<Self> {
        let unsigned = if scaling.is_unsigned { data_type.unsigned() } else { None };
        let data_type = unsigned.as_ref().unwrap_or(data_type);
        let row = match to {
            DataType::F32 => scaler::<f32>(data_type)?,
            DataType::F64 => scaler::<f64>(data_type)?,
            _ => return None,
        };
        let nan = if *to == DataType::F32 { f32::NAN.to_ne_bytes().to_vec() } else { f64::NAN.to_ne_bytes().to_vec() };
        // Not-a-number stays what it is.
        let tests = tests(data_type, nodata)?.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        Some(Self { stored: data_type.size()?, tests, values: Values::Scaled { row, scaling: scaling.clone(), nan } })
    }

    /// Bytes of a stored element.
    pub(crate) fn stored(&self) -> usize {
        self.stored
    }
    /// Whether what comes out depends on the index of the first axis.
    pub(crate) fn has_lines(&self) -> bool {
        matches!(&self.values, Values::Scaled { scaling, .. } if scaling.lines.len() > 1)
    }
    /// Clears the marks of elements that are not valid.
    pub(crate) fn mark(&self, elements: &[u8], marks: &mut [u8]) {
        for (test, value) in &self.tests {
            test(elements, value, marks);
        }
    }
    /// What comes out of a run of elements at an index of the first axis.
    pub(crate) fn apply(&self, first: u64, elements: &[u8], marks: &[u8], out: &mut [u8]) {
        match &self.values {
            Values::Stored => out.copy_from_slice(elements),
            Values::Converted(convert) => convert(elements, out),
            Values::Marks => out.copy_from_slice(marks),
            Values::Scaled { row, scaling, nan } => {
                row(elements, out, scaling.line(first));
                if marks.contains(&0) {
                    for (quantity, _) in out.chunks_exact_mut(nan.len()).zip(marks).filter(|(_, mark)| **mark == 0) {
                        quantity.copy_from_slice(nan);
                    }
                }
            }
        }
    }
}

macro_rules! for_type {
    ($data_type:expr, $f:ident as $kind:ty $(, $more:ty)?) => {
        match $data_type {
            DataType::U8 | DataType::Bool => Some($f::<u8 $(, $more)?> as $kind),
            DataType::I8 => Some($f::<i8 $(, $more)?> as $kind),
            DataType::U16 => Some($f::<u16 $(, $more)?> as $kind),
            DataType::I16 => Some($f::<i16 $(, $more)?> as $kind),
            DataType::U32 => Some($f::<u32 $(, $more)?> as $kind),
            DataType::I32 => Some($f::<i32 $(, $more)?> as $kind),
            DataType::U64 => Some($f::<u64 $(, $more)?> as $kind),
            DataType::I64 | DataType::DateTime64 { .. } | DataType::TimeDelta64 { .. } => Some($f::<i64 $(, $more)?> as $kind),
            DataType::F16 => Some($f::<half::f16 $(, $more)?> as $kind),
            DataType::BF16 => Some($f::<half::bf16 $(, $more)?> as $kind),
            DataType::F32 => Some($f::<f32 $(, $more)?> as $kind),
            DataType::F64 => Some($f::<f64 $(, $more)?> as $kind),
            _ => None,
        }
    };
}

/// What makes elements of a type invalid; a test for not-a-number has no element to compare with.
fn tests(data_type: &DataType, nodata: &[FillValue]) -> Option<Vec<(MarkRow, Vec<u8>)>> {
    let size = data_type.size()?;
    let equal: MarkRow = match data_type {
        DataType::ComplexI8 => mark_real::<i8>,
        DataType::ComplexI16 => mark_real::<i16>,
        DataType::ComplexI32 => mark_real::<i32>,
        DataType::ComplexF16 => mark_real::<half::f16>,
        DataType::ComplexF32 => mark_real::<f32>,
        DataType::ComplexF64 => mark_real::<f64>,
        number => for_type!(number, mark_equal as MarkRow).unwrap_or(mark_bytes),
    };
    let mut tests: Vec<(MarkRow, Vec<u8>)> = Vec::new();
    match data_type {
        DataType::F16 => tests.push((mark_nan::<half::f16, 1>, vec![])),
        DataType::BF16 => tests.push((mark_nan::<half::bf16, 1>, vec![])),
        DataType::F32 => tests.push((mark_nan::<f32, 1>, vec![])),
        DataType::F64 => tests.push((mark_nan::<f64, 1>, vec![])),
        DataType::ComplexF16 => tests.push((mark_nan::<half::f16, 2>, vec![])),
        DataType::ComplexF32 => tests.push((mark_nan::<f32, 2>, vec![])),
        DataType::ComplexF64 => tests.push((mark_nan::<f64, 2>, vec![])),
        // Not-a-time.
        DataType::DateTime64 { .. } | DataType::TimeDelta64 { .. } => tests.push((equal, i64::MIN.to_ne_bytes().to_vec())),
        _ => {}
    }
    for value in nodata {
        tests.push((equal, if value.is_zero() { vec![0; size] } else { value.bytes().to_vec() }));
    }
    Some(tests)
}

fn scaler<D: Number>(data_type: &DataType) -> Option<ScaleRow> {
    match data_type {
        DataType::DateTime64 { .. } | DataType::TimeDelta64 { .. } => None,
        number => for_type!(number, scale as ScaleRow, D),
    }
}

#[inline(always)]
fn numbers<S: Number>(elements: &[u8]) -> impl Iterator<Item = S> + '_ {
    elements.chunks_exact(size_of::<S>()).map(bytemuck::pod_read_unaligned)
}

fn scale<S: Number, D: Number>(elements: &[u8], quantities: &mut [u8], line: Linear) {
    struct Scale<'a, S, D>(&'a [u8], &'a mut [u8], Linear, PhantomData<(S, D)>);
    impl<S: Number, D: Number> simd::Work for Scale<'_, S, D> {
        #[inline(always)]
        fn run(self) {
            let Self(elements, quantities, line, _) = self;
            for (number, quantity) in numbers::<S>(elements).zip(quantities.chunks_exact_mut(size_of::<D>())) {
                quantity.copy_from_slice(bytemuck::bytes_of(&D::from_float(line.apply(number.to_float()))));
            }
        }
    }
    simd::run(Scale::<S, D>(elements, quantities, line, PhantomData));
}

fn mark_equal<S: Number>(elements: &[u8], value: &[u8], marks: &mut [u8]) {
    struct Mark<'a, S>(&'a [u8], S, &'a mut [u8]);
    impl<S: Number> simd::Work for Mark<'_, S> {
        #[inline(always)]
        fn run(self) {
            let Self(elements, value, marks) = self;
            for (number, mark) in numbers::<S>(elements).zip(marks) {
                *mark &= u8::from(number != value);
            }
        }
    }
    let value: S = bytemuck::pod_read_unaligned(value);
    simd::run(Mark(elements, value, marks));
}

/// Of complex numbers the real part counts.
fn mark_real<S: Number>(elements: &[u8], value: &[u8], marks: &mut [u8]) {
    let Some(value) = numbers::<S>(value).next() else { return };
    for (number, mark) in numbers::<S>(elements).step_by(2).zip(marks) {
        *mark &= u8::from(number != value);
    }
}

/// `PARTS` numbers an element.
fn mark_nan<S: Number, const PARTS: usize>(elements: &[u8], _: &[u8], marks: &mut [u8]) {
    struct Mark<'a, S, const PARTS: usize>(&'a [u8], &'a mut [u8], PhantomData<S>);
    impl<S: Number, const PARTS: usize> simd::Work for Mark<'_, S, PARTS> {
        #[inline(always)]
        fn run(self) {
            let Self(elements, marks, _) = self;
            for (element, mark) in elements.chunks_exact(size_of::<S>() * PARTS).zip(marks) {
                *mark &= u8::from(numbers::<S>(element).all(|number| !number.to_float().is_nan()));
            }
        }
    }
    simd::run(Mark::<S, PARTS>(elements, marks, PhantomData));
}

fn mark_bytes(elements: &[u8], value: &[u8], marks: &mut [u8]) {
    for (element, mark) in elements.chunks_exact(value.len().max(1)).zip(marks) {
        *mark &= u8::from(element != value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks_of<T: bytemuck::Pod>(data_type: &DataType, nodata: &[T], elements: &[T]) -> Vec<u8> {
        let nodata: Vec<FillValue> = nodata.iter().map(|n| FillValue::new(bytemuck::bytes_of(n).to_vec())).collect();
        let meaning = Meaning::masked(data_type, &nodata, None).unwrap();
        let mut marks = vec![1; elements.len()];
        meaning.mark(bytemuck::cast_slice(elements), &mut marks);
        marks
    }

    #[test]
    fn which_elements_are_valid() {
        assert_eq!(marks_of(&DataType::U8, &[], &[0_u8, 1]), [1, 1]);
        assert_eq!(marks_of(&DataType::U8, &[0], &[0_u8, 1]), [0, 1]);
        assert_eq!(marks_of(&DataType::I16, &[-9999, 7], &[-9999_i16, 7, 8]), [0, 0, 1]);
        assert_eq!(marks_of(&DataType::I64, &[i64::MAX], &[i64::MAX, i64::MAX - 1]), [0, 1]);
        let time = DataType::DateTime64 { unit: crate::model::TimeUnit::Second, scale: 1 };
        assert_eq!(marks_of(&time, &[], &[i64::MIN, 0]), [0, 1]);
        assert_eq!(marks_of(&DataType::F32, &[0.0], &[0.0_f32, -0.0, f32::NAN, f32::INFINITY, 1.0]), [0, 0, 0, 1, 1]);
        assert_eq!(marks_of(&DataType::F64, &[f64::NAN], &[0.0, -f64::NAN]), [1, 0]);
        assert_eq!(marks_of(&DataType::ComplexF32, &[[1_f32, 0.0]], &[[1_f32, 5.0], [0.0, 1.0], [0.0, f32::NAN]]), [0, 1, 0]);
        assert_eq!(marks_of(&DataType::FixedBytes(2), &[[1_u8, 2]], &[[1_u8, 2], [1, 3]]), [0, 1]);
        assert!(Meaning::masked(&DataType::Text, &[], None).is_none());
    }

    #[test]
    fn quantities() {
        let line = |scale, offset| Linear { scale, offset };
        let scaling = Scaling { lines: vec![line(0.5, 1.0), line(2.0, 0.0)], nodata: vec![FillValue::new(vec![9, 0])], ..Scaling::default() };
        let meaning = Meaning::scaled(&DataType::U16, &scaling, &scaling.nodata, &DataType::F32).unwrap();
        let elements = [3_u16, 9, 65535];
        let bytes: &[u8] = bytemuck::cast_slice(&elements);
        let mut marks = [1; 3];
        meaning.mark(bytes, &mut marks);
        let of = |first| {
            let mut out = [0_f32; 3];
            meaning.apply(first, bytes, &marks, bytemuck::cast_slice_mut(&mut out));
            out.map(f32::to_bits)
        };
        assert_eq!(of(0), [2.5, f32::NAN, 32768.5].map(f32::to_bits));
        assert_eq!(of(1), [6.0, f32::NAN, 131_070.0].map(f32::to_bits));
        assert!(Meaning::scaled(&DataType::ComplexF32, &scaling, &[], &DataType::F32).is_none());
        assert!(Meaning::scaled(&DataType::U8, &scaling, &[], &DataType::U8).is_none());
    }
}
