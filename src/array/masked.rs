//! Reads that ask what elements stand for: which of them are valid, and the quantities that they are.

use std::sync::Arc;

use futures_util::future::try_join;
use ndarray::{Array, ArrayD, ArrayViewMutD, Axis, Dimension, IxDyn, Zip};

use super::ChunkedArray;
use crate::engine::{Call, DynArray, Element, FixedSink, Float, Meaning, Memory, ReadStats, Rule, Sink, array, output_bytes, wrong_type};
use crate::error::{Error, Result};
use crate::model::{DataType, FillValue, IntoSelection, Region};

/// Values, and which of them are valid. Both have the shape of the region that was read.
///
/// Valid is what GDAL calls valid, by its precedence:
///
/// 1. Where there is a [`Mask::Array`], what is not 0 in it; nodata counts for nothing then.
/// 2. Else, where there are values of nodata ([`Scaling::nodata`](crate::model::Scaling::nodata)), what is none of them; of complex
///    numbers the real part counts.
/// 3. Else, where there is a [`Mask::Band`], what is not 0 in it; all of that band itself.
///
/// Other than in GDAL, not-a-number (and not-a-time) is never valid, nor is what the codec of a chunk calls invalid (LERC does), and floats
/// are nodata only where they equal it.
#[derive(Debug, Clone, PartialEq)]
pub struct Masked<T, D: Dimension> {
    /// The values; what is not valid is as it was stored.
    pub data: Array<T, D>,
    /// Which of them are valid.
    pub valid: Array<bool, D>,
}

/// What says which elements of an array are valid, beside their own values.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Mask {
    /// An array of the same shape, or with a first axis of length 1 that speaks of all bands: what is not 0 is valid.
    Array(ChunkedArray),
    /// One index of the array's own first axis (the alpha band of an image), for all of the others: what is not 0 is valid.
    Band(u64),
}

/// What a mask says of a region.
struct Said {
    /// Along the axes of the region, the first of length 1 where it is the same for all of its indexes; 0 is invalid.
    said: ArrayD<u8>,
    /// The index of the first axis that it does not speak of.
    own: Option<u64>,
    stats: ReadStats,
}

impl ChunkedArray {
    /// The same array with a mask. Levels of a [`Cog`](crate::Cog) come with theirs.
    ///
    /// # Errors
    /// `Usage` where the mask has another shape than the array.
    pub fn with_mask(mut self, mask: Mask) -> Result<Self> {
        let shape = self.shape();
        let fits = match (&mask, shape) {
            (Mask::Array(mask), [first, rest @ ..]) => {
                matches!(mask.shape(), [of_mask, rest_of_mask @ ..] if (of_mask == first || *of_mask == 1) && rest_of_mask == rest)
            }
            (Mask::Band(band), [first, _, ..]) => band < first,
            _ => false,
        };
        if !fits {
            return Err(Error::usage(format!("the mask does not fit an array of shape {shape:?}")).in_object(self.inner.meta.source.url()));
        }
        self.mask = Ok(Some(Arc::new(mask)));
        self.own_mask = true;
        Ok(self)
    }
    /// Says that its mask is that of its dataset, and changes with it.
    pub(crate) fn mask_of_dataset(mut self) -> Self {
        self.own_mask = false;
        self
    }
    /// The same array with a mask that cannot be read: what asks for it fails with this error.
    pub(crate) fn with_broken_mask(mut self, error: Error) -> Self {
        self.mask = Err(error);
        self
    }
    /// What says which elements are valid, beside their own values.
    ///
    /// # Errors
    /// What is wrong with the mask where there is one that cannot be read.
    pub fn mask(&self) -> Result<Option<&Mask>> {
        self.mask.as_ref().map(Option::as_deref).map_err(Clone::clone)
    }

    /// Reads a region and which of its elements are valid: [`Masked`] has the rule. Converts as
    /// [`read_as`](Self::read_as) where `T` is not the stored type.
    ///
    /// A mask is fetched at the same time. Both arrays have the region's shape, one axis for each of the array's.
    ///
    /// # Errors
    /// As [`read_as`](Self::read_as); what reading the mask may fail with.
    pub async fn read_masked<T: Element, D: Dimension>(&self, selection: impl IntoSelection) -> Result<Masked<T, D>> {
        let region = self.region(selection)?;
        Ok(self.call(|array, call| array.masked_once(region.clone(), call)).await?.0)
    }

    async fn masked_once<T: Element, D: Dimension>(self, region: Region, call: Arc<Call>) -> Result<(Masked<T, D>, ReadStats)> {
        let count = self.count::<D>(&region, size_of::<T>() + 1)?;
        let memory = self.memory(&region, size_of::<T>() + 1, &call)?;
        let convert = match self.rule::<T>()? {
            Rule::Convert(convert, _) => Some(convert),
            _ => None,
        };
        let meaning = Meaning::masked(self.data_type(), self.nodata()?, convert).ok_or_else(|| self.wrong_type::<T>())?;
        let sink = FixedSink::masked::<T>(&self.inner.meta.grid, &region, count, meaning)?;
        let at_hand = self.alpha_in(&region)?;
        let of_mask = async { if at_hand.is_some() { Ok(None) } else { self.read_mask(&region, &call, &memory).await } };
        let (mut stats, said) = try_join(self.start(region.clone(), Sink::Fixed(sink.clone()), &call, &memory), of_mask).await?;
        let lost = || Error::storage("the output of a read was lost");
        let data: ArrayD<T> = array(sink.take::<T>().ok_or_else(lost)?, &region.shape())?;
        let mut valid = flags(sink.take_marks().ok_or_else(lost)?, &region)?;
        let said = match at_hand {
            Some((place, own)) => {
                let said = data.index_axis(Axis(0), place).mapv(|v| u8::from(bytemuck::bytes_of(&v).iter().any(|b| *b != 0)));
                Some(Said { said: said.insert_axis(Axis(0)), own: Some(own), stats: ReadStats::default() })
            }
            None => said,
        };
        if let Some(said) = said {
            stats.add(&said.stats);
            said.apply(&region, valid.view_mut(), false);
        }
        Ok((Masked { data: of_rank(data)?, valid: of_rank(valid)? }, stats))
    }

    /// Which elements of a region are valid, without the elements.
    ///
    /// # Errors
    /// As [`read_masked`](Self::read_masked); `DataType` where elements differ in length.
    pub async fn read_valid<D: Dimension>(&self, selection: impl IntoSelection) -> Result<Array<bool, D>> {
        Ok(self.read_valid_with_stats(selection).await?.0)
    }

    /// As [`read_valid`](Self::read_valid), and what it cost.
    ///
    /// # Errors
    /// As [`read_valid`](Self::read_valid).
    pub async fn read_valid_with_stats<D: Dimension>(&self, selection: impl IntoSelection) -> Result<(Array<bool, D>, ReadStats)> {
        let region = self.region(selection)?;
        self.call(|array, call| array.valid_once(region.clone(), call)).await
    }

    async fn valid_once<D: Dimension>(self, region: Region, call: Arc<Call>) -> Result<(Array<bool, D>, ReadStats)> {
        let count = self.count::<D>(&region, 1)?;
        let memory = self.memory(&region, 1, &call)?;
        let meaning = Meaning::marks(self.data_type(), self.nodata()?).ok_or_else(|| self.wrong_type::<u8>())?;
        let sink = FixedSink::owned::<u8>(&self.inner.meta.grid, &region, count, 1, Rule::Meaning(meaning))?;
        let (mut stats, said) =
            try_join(self.start(region.clone(), Sink::Fixed(sink.clone()), &call, &memory), self.read_mask(&region, &call, &memory)).await?;
        let marks = sink.take::<u8>().ok_or_else(|| Error::storage("the output of a read was lost"))?;
        let mut valid = flags(marks, &region)?;
        if let Some(said) = said {
            stats.add(&said.stats);
            said.apply(&region, valid.view_mut(), false);
        }
        Ok((of_rank(valid)?, stats))
    }

    /// Reads a region as the quantities that its numbers stand for: `stored * scale + offset` by [`ArrayMeta::scaling`], computed in 64
    /// bits and rounded once; what is not valid is not-a-number. All in one pass, as chunks are put in their places.
    ///
    /// [`ArrayMeta::scaling`]: crate::model::ArrayMeta::scaling
    ///
    /// # Errors
    /// As [`read_masked`](Self::read_masked); `DataType` where the elements are no real numbers.
    pub async fn read_scaled<T: Float, D: Dimension>(&self, selection: impl IntoSelection) -> Result<Array<T, D>> {
        Ok(self.read_scaled_with_stats(selection).await?.0)
    }

    /// As [`read_scaled`](Self::read_scaled), and what it cost.
    ///
    /// # Errors
    /// As [`read_scaled`](Self::read_scaled).
    pub async fn read_scaled_with_stats<T: Float, D: Dimension>(&self, selection: impl IntoSelection) -> Result<(Array<T, D>, ReadStats)> {
        let region = self.region(selection)?;
        self.call(|array, call| array.scaled_once(region.clone(), call)).await
    }

    async fn scaled_once<T: Float, D: Dimension>(self, region: Region, call: Arc<Call>) -> Result<(Array<T, D>, ReadStats)> {
        let count = self.count::<D>(&region, size_of::<T>())?;
        let memory = self.memory(&region, size_of::<T>(), &call)?;
        let scaling = &self.inner.meta.scaling;
        let meaning = Meaning::scaled(self.data_type(), scaling, self.nodata()?, &T::DATA_TYPE).ok_or_else(|| self.wrong_type::<T>())?;
        let sink = FixedSink::owned::<T>(&self.inner.meta.grid, &region, count, size_of::<T>(), Rule::Meaning(meaning))?;
        let (mut stats, said) =
            try_join(self.start(region.clone(), Sink::Fixed(sink.clone()), &call, &memory), self.read_mask(&region, &call, &memory)).await?;
        let quantities = sink.take::<T>().ok_or_else(|| Error::storage("the output of a read was lost"))?;
        let mut quantities: ArrayD<T> = array(quantities, &region.shape())?;
        if let Some(said) = said {
            stats.add(&said.stats);
            said.apply(&region, quantities.view_mut(), T::NAN);
        }
        Ok((of_rank(quantities)?, stats))
    }

    /// As [`read_scaled_with_stats`](Self::read_scaled_with_stats), of a type known at run time: `F32` or `F64`.
    ///
    /// # Errors
    /// As [`read_scaled`](Self::read_scaled); `DataType` for another type.
    pub async fn read_scaled_dyn(&self, to: &DataType, selection: impl IntoSelection) -> Result<(DynArray, ReadStats)> {
        let region = self.region(selection)?;
        let once = |array: Self, call: Arc<Call>| {
            let region = region.clone();
            async move {
                let nodata = array.nodata()?;
                let meaning = Meaning::scaled(array.data_type(), &array.inner.meta.scaling, nodata, to);
                let meaning = meaning.ok_or_else(|| array.wrong_type::<f64>())?;
                match to {
                    DataType::F32 => array.read_meaning(region, meaning, f32::NAN, to, call).await,
                    _ => array.read_meaning(region, meaning, f64::NAN, to, call).await,
                }
            }
        };
        self.call(once).await
    }

    /// As [`read_valid_with_stats`](Self::read_valid_with_stats), as an array of `Bool`.
    ///
    /// # Errors
    /// As [`read_valid`](Self::read_valid).
    pub async fn read_valid_dyn(&self, selection: impl IntoSelection) -> Result<(DynArray, ReadStats)> {
        let region = self.region(selection)?;
        let once = |array: Self, call: Arc<Call>| {
            let region = region.clone();
            async move {
                let meaning = Meaning::marks(array.data_type(), array.nodata()?).ok_or_else(|| array.wrong_type::<u8>())?;
                array.read_meaning(region, meaning, 0_u8, &DataType::Bool, call).await
            }
        };
        self.call(once).await
    }

    /// Reads elements of `T` into words; those that the mask calls so become `invalid`.
    async fn read_meaning<T: Element>(
        &self,
        region: Region,
        meaning: Meaning,
        invalid: T,
        data_type: &DataType,
        call: Arc<Call>,
    ) -> Result<(DynArray, ReadStats)> {
        let shape = region.shape();
        let memory = self.memory(&region, size_of::<T>(), &call)?;
        let length = output_bytes(&shape, size_of::<T>(), self.inner.limits())?;
        let grid = &self.inner.meta.grid;
        let sink = FixedSink::owned::<u128>(grid, &region, length.div_ceil(16), size_of::<T>(), Rule::Meaning(meaning))?;
        let (mut stats, said) =
            try_join(self.start(region.clone(), Sink::Fixed(sink.clone()), &call, &memory), self.read_mask(&region, &call, &memory)).await?;
        let mut words = sink.take::<u128>().ok_or_else(|| Error::storage("the output of a read was lost"))?;
        if let Some(said) = said {
            stats.add(&said.stats);
            let elements: &mut [T] = bytemuck::cast_slice_mut(&mut words);
            let elements = elements.get_mut(..length / size_of::<T>()).unwrap_or_default();
            let lengths: Vec<usize> = shape.iter().filter_map(|n| usize::try_from(*n).ok()).collect();
            let view = ArrayViewMutD::from_shape(IxDyn(&lengths), elements).map_err(|e| Error::region(e.to_string()))?;
            said.apply(&region, view, invalid);
        }
        Ok((DynArray::fixed(data_type.clone(), shape, words, length), stats))
    }

    /// The values of nodata that count.
    fn nodata(&self) -> Result<&[FillValue]> {
        if let Some(why) = &self.inner.meta.scaling.unclear {
            return Err(Error::malformed(why.clone()).in_object(self.inner.meta.source.url()));
        }
        Ok(if matches!(self.mask()?, Some(Mask::Array(_))) { &[] } else { &self.inner.meta.scaling.nodata })
    }

    /// The elements of a region, held against the rank asked for and the limit of an output of so many bytes each.
    fn count<D: Dimension>(&self, region: &Region, element: usize) -> Result<usize> {
        self.check_rank::<D>()?;
        Ok(output_bytes(&region.shape(), element, self.inner.limits())? / element)
    }

    fn wrong_type<T: Element>(&self) -> Error {
        wrong_type::<T>(self.data_type()).in_object(self.inner.meta.source.url())
    }

    /// Where the alpha band is among the first axis of a region, and its index; `None` where it is not asked or not inside.
    pub(super) fn alpha_in(&self, region: &Region) -> Result<Option<(usize, u64)>> {
        let Some(Mask::Band(band)) = self.mask_asked()? else { return Ok(None) };
        let place = region.ranges().first().filter(|r| r.contains(band)).and_then(|r| usize::try_from(band - r.start).ok());
        Ok(place.map(|place| (place, *band)))
    }

    /// The mask, where it has a say.
    pub(super) fn mask_asked(&self) -> Result<Option<&Mask>> {
        let mask = self.mask()?;
        Ok(mask.filter(|mask| matches!(mask, Mask::Array(_)) || self.inner.meta.scaling.nodata.is_empty()))
    }

    /// The memory left for chunks beside an output of so many bytes an element, and beside its mask.
    fn memory(&self, region: &Region, element: usize, call: &Call) -> Result<Memory> {
        let mask = self.mask_region(region)?.map_or(0, |(_, region)| region.len());
        call.memory(region.len().saturating_mul(element as u64).saturating_add(mask))
    }

    async fn read_mask(&self, region: &Region, call: &Arc<Call>, memory: &Memory) -> Result<Option<Said>> {
        let Some((array, of_mask)) = self.mask_region(region)? else { return Ok(None) };
        let own = if let Some(Mask::Band(band)) = self.mask()? { Some(*band) } else { None };
        let (said, stats) = array.read_nonzero(of_mask, call, memory).await?;
        Ok(Some(Said { said, own, stats }))
    }

    /// 1 for each element of a region that is not 0, whatever its type.
    async fn read_nonzero(&self, region: Region, call: &Arc<Call>, memory: &Memory) -> Result<(ArrayD<u8>, ReadStats)> {
        let region = self.region(region)?;
        let count = self.count::<IxDyn>(&region, 1)?;
        let meaning = Meaning::marks(self.data_type(), &[FillValue::ZERO]).ok_or_else(|| self.wrong_type::<u8>())?;
        let sink = FixedSink::owned::<u8>(&self.inner.meta.grid, &region, count, 1, Rule::Meaning(meaning))?;
        let shape = region.shape();
        let stats = self.start(region, Sink::Fixed(sink.clone()), call, memory).await?;
        let marks = sink.take::<u8>().ok_or_else(|| Error::storage("the output of a read was lost"))?;
        Ok((array(marks, &shape)?, stats))
    }
}

impl Said {
    /// Gives elements of the region that are not valid this value.
    fn apply<T: Copy>(&self, region: &Region, mut values: ArrayViewMutD<'_, T>, invalid: T) {
        let first = region.ranges().first().map_or(0, |r| r.start);
        let one = self.said.len_of(Axis(0)) == 1;
        for (at, plane) in values.axis_iter_mut(Axis(0)).enumerate() {
            if self.own == Some(first + at as u64) {
                continue;
            }
            let said = self.said.index_axis(Axis(0), if one { 0 } else { at });
            Zip::from(plane).and(said).for_each(|value, said| {
                if *said == 0 {
                    *value = invalid;
                }
            });
        }
    }
}

fn flags(marks: Vec<u8>, region: &Region) -> Result<ArrayD<bool>> {
    array(marks.into_iter().map(|mark| mark != 0).collect(), &region.shape())
}

fn of_rank<T, D: Dimension>(values: ArrayD<T>) -> Result<Array<T, D>> {
    values.into_dimensionality().map_err(|e| Error::region(e.to_string()))
}
