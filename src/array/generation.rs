//! Calls of the caller's, and what they do where the object is another one by now.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;

use super::{ChunkedArray, Mask};
use crate::engine::{Call, OnChange, ReadStats};
use crate::error::{Error, Result};
use crate::io::Counters;
use crate::trace::Span;

/// Where an array comes from: its dataset, and its place in it.
pub(crate) trait Reopen: Send + Sync {
    /// Opens the dataset as it is now, and the array in it.
    fn reopen(&self, counters: Arc<Counters>) -> BoxFuture<'_, Result<ChunkedArray>>;
}

/// Where an array comes from, and what was found there since.
pub(super) struct Origin {
    dataset: Box<dyn Reopen>,
    newer: Mutex<Option<ChunkedArray>>,
}

impl Origin {
    fn newer(&self) -> Option<ChunkedArray> {
        self.newer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// The array of the newest generation: one that another read has found already, else the dataset is opened.
    async fn newer_than(&self, old: &ChunkedArray, counters: &Arc<Counters>) -> Result<ChunkedArray> {
        if let Some(newer) = self.newer().filter(|newer| !Arc::ptr_eq(&newer.inner, &old.inner) && old.is_like(newer)) {
            return Ok(newer);
        }
        let mut newer = self.dataset.reopen(counters.clone()).await?;
        newer.origin = None;
        *self.newer.lock().unwrap_or_else(PoisonError::into_inner) = Some(newer.clone());
        Ok(newer)
    }
}

impl ChunkedArray {
    /// Says where it can be had again.
    pub(crate) fn with_origin(mut self, dataset: impl Reopen + 'static) -> Self {
        self.origin = Some(Arc::new(Origin { dataset: Box::new(dataset), newer: Mutex::new(None) }));
        self
    }

    /// Runs one call: its deadline and caps, and once more on the newer generation where the object has changed and the options say so.
    pub(super) async fn call<R, F>(&self, once: impl Fn(Self, Arc<Call>) -> F) -> Result<(R, ReadStats)>
    where
        F: Future<Output = Result<(R, ReadStats)>>,
    {
        let call = Arc::new(Call::new(&self.options, Span::read(&self.inner.meta.source)));
        let work = async {
            let array = self.newest();
            let changed = match once(array.clone(), call.clone()).await {
                Err(e) if e.is_changed() => e,
                done => return done,
            };
            let (result, mut stats) = once(array.after(changed, &call).await?, call.clone()).await?;
            stats.reopened = true;
            Ok((result, stats))
        };
        let done = call.within(&self.inner.session.io, work).await;
        let (result, mut stats) = done.map_err(|e| e.in_object(self.inner.meta.source.url()))?;
        call.count(&mut stats);
        Ok((result, stats))
    }

    /// The array of the newest generation that is known, where the options ask for it.
    pub(super) fn newest(&self) -> Self {
        let newer = self.origin.as_ref().filter(|_| self.options.on_change == OnChange::Reopen).and_then(|origin| origin.newer());
        newer.filter(|newer| self.is_like(newer)).map_or_else(|| self.clone(), |newer| self.moved_to(newer))
    }

    /// The array to read once more after its object was found changed.
    ///
    /// # Errors
    /// That it changed: where nobody asked for more, the dataset cannot be opened, or the array is of another shape or type now.
    pub(super) async fn after(&self, changed: Error, call: &Call) -> Result<Self> {
        self.inner.forget();
        if let Ok(Some(Mask::Array(mask))) = self.mask() {
            mask.inner.forget();
        }
        let Some(origin) = self.origin.as_ref().filter(|_| call.options().on_change == OnChange::Reopen) else { return Err(changed) };
        match origin.newer_than(self, call.counters()).await {
            Ok(newer) if self.is_like(&newer) => Ok(self.moved_to(newer)),
            Ok(_) => Err(changed),
            Err(e) => Err(changed.caused_by(e)),
        }
    }

    fn is_like(&self, newer: &Self) -> bool {
        self.shape() == newer.shape() && self.data_type() == newer.data_type()
    }

    /// This handle on another generation; a mask of the caller's stays.
    fn moved_to(&self, newer: Self) -> Self {
        Self { inner: newer.inner, mask: if self.own_mask { self.mask.clone() } else { newer.mask }, ..self.clone() }
    }
}
