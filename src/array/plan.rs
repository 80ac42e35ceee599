//! What reads would fetch, told before they do.

use std::sync::Arc;

use super::{ChunkedArray, Mask};
use crate::engine::{ArrayInner, Call, Planned, ReadPlan, ReadStats, plan, spawn};
use crate::error::Result;
use crate::model::{IntoSelection, Region};

impl ChunkedArray {
    /// What [`read`](Self::read), [`read_as`](Self::read_as) and [`read_dyn`](Self::read_dyn) of a region would fetch: chunks, requests, bytes.
    ///
    /// Fetches no chunk; pages of a chunk table and indexes of shards that are needed are read, and kept. Counts what the read would do now:
    /// what is in a cache is no request, what other reads fetch at this moment is.
    ///
    /// # Errors
    /// `Region` where the selection does not fit; what reading a page may fail with.
    pub async fn plan(&self, selection: impl IntoSelection) -> Result<ReadPlan> {
        let region = self.region(selection)?;
        let planned = self.call(|array, call| array.plan_once(region.clone(), None, call)).await;
        Ok(planned?.0)
    }

    /// As [`plan`](Self::plan), of [`read_masked`](Self::read_masked): with what its mask takes.
    ///
    /// # Errors
    /// As [`plan`](Self::plan); what is wrong with the mask where there is one that cannot be read.
    pub async fn plan_masked(&self, selection: impl IntoSelection) -> Result<ReadPlan> {
        self.plan_with_mask(selection, false).await
    }

    /// As [`plan`](Self::plan), of [`read_valid`](Self::read_valid) and [`read_scaled`](Self::read_scaled): with what their mask takes.
    ///
    /// # Errors
    /// As [`plan_masked`](Self::plan_masked).
    pub async fn plan_valid(&self, selection: impl IntoSelection) -> Result<ReadPlan> {
        self.plan_with_mask(selection, true).await
    }

    async fn plan_with_mask(&self, selection: impl IntoSelection, always: bool) -> Result<ReadPlan> {
        let region = self.region(selection)?;
        let planned = self.call(|array, call| {
            let region = region.clone();
            async move {
                let at_hand = !always && array.alpha_in(&region)?.is_some();
                let mask = if at_hand { None } else { array.mask_region(&region)? };
                array.plan_once(region, mask, call).await
            }
        });
        Ok(planned.await?.0)
    }

    async fn plan_once(self, region: Region, mask: Option<(Self, Region)>, call: Arc<Call>) -> Result<(ReadPlan, ReadStats)> {
        let io = self.inner.session.io.clone();
        let work = async move {
            let (mut plan, planned) = self.plan_part(region, None, &call).await?;
            if let Some((array, region)) = mask {
                // A band of the array itself may stand in the chunks that are fetched anyway.
                plan.add(array.plan_part(region, Some((&planned, &self.inner)), &call).await?.0);
            }
            let pages = call.counters().snapshot();
            (plan.page_requests, plan.page_bytes) = (pages.requests, pages.bytes);
            Ok((plan, ReadStats::default()))
        };
        spawn(&io, work).await
    }

    async fn plan_part(&self, region: Region, beside: Option<(&Planned, &ArrayInner)>, call: &Call) -> Result<(ReadPlan, Planned)> {
        let array = &self.inner;
        let mut planned = plan(array, &region, call.counters()).await.map_err(|e| e.in_object(array.meta.source.url()))?;
        if let Some((beside, of_beside)) = beside {
            planned.leave_out(array, beside, of_beside);
        }
        let output = region.len().saturating_mul(array.meta.data_type.size().unwrap_or(0) as u64);
        // What will not fit fails when it is read; a plan is allowed to tell of it.
        let memory = call.memory(output).unwrap_or_default();
        Ok((ReadPlan::new(array, region, &planned, &memory), planned))
    }

    /// The mask that has a say, and the region of it that speaks of a region.
    pub(super) fn mask_region(&self, region: &Region) -> Result<Option<(Self, Region)>> {
        let Some(mask) = self.mask_asked()? else { return Ok(None) };
        let mut ranges = region.ranges().to_vec();
        let array = match mask {
            Mask::Array(array) => array,
            Mask::Band(_) => self,
        };
        if let Some(first) = ranges.first_mut() {
            match mask {
                Mask::Band(band) => *first = *band..band + 1,
                Mask::Array(_) if array.shape().first() == Some(&1) => *first = 0..1,
                Mask::Array(_) => {}
            }
        }
        Ok(Some((array.clone(), Region::new(ranges))))
    }
}
