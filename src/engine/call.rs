//! One call of the caller's: what it may cost, and what it did cost.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::{Either, select};

use super::options::ReadOptions;
use super::run::spawn;
use super::stats::ReadStats;
use crate::error::{Error, ErrorKind, Result};
use crate::io::{Admission, Counters, Io, Permit};
use crate::model::Limits;
use crate::trace::Span;

/// What all parts of a call share: an image and its mask, the first try and that on a newer generation.
pub(crate) struct Call {
    options: Arc<ReadOptions>,
    counters: Arc<Counters>,
    span: Span,
    start: Instant,
}

impl Call {
    pub(crate) fn new(options: &Arc<ReadOptions>, span: Span) -> Self {
        let counters = Arc::new(Counters::capped(options.max_requests, options.max_bytes));
        Self { options: options.clone(), counters, span, start: Instant::now() }
    }
    pub(crate) fn options(&self) -> &ReadOptions {
        &self.options
    }
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }
    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// What the work comes to, unless the deadline is sooner: then it is dropped, wherever it stands.
    pub(crate) async fn within<T>(&self, io: &Io, work: impl Future<Output = Result<T>>) -> Result<T> {
        let work = self.span.around(work);
        let Some(given) = self.options.deadline else { return work.await };
        let left = given.saturating_sub(self.start.elapsed());
        // On the session's own runtime: the caller may have none.
        let timer = spawn(io, async move {
            tokio::time::sleep(left).await;
            Ok(())
        });
        match select(pin!(work), timer).await {
            Either::Left((done, _)) => done,
            Either::Right(_) => Err(Error::new(ErrorKind::Deadline { given, last: self.counters.last_failure() })),
        }
    }

    /// Refuses requests that are known to be more than the call may send.
    pub(crate) fn afford(&self, requests: u64, bytes: u64) -> Result<()> {
        let so_far = self.counters.snapshot();
        let check = |what, asked: u64, allowed: Option<u64>| allowed.map_or(Ok(0), |allowed| Limits::check(what, asked, allowed));
        check("max_requests", so_far.requests.saturating_add(requests), self.options.max_requests)?;
        check("max_bytes", so_far.bytes.saturating_add(bytes), self.options.max_bytes)?;
        Ok(())
    }
    /// Whether requests and bytes are bounded at all.
    pub(crate) fn is_capped(&self) -> bool {
        self.options.max_requests.is_some() || self.options.max_bytes.is_some()
    }

    /// The memory that is left for chunks beside outputs of so many bytes.
    ///
    /// # Errors
    /// `Limit` where the outputs alone are more than the call may take.
    pub(crate) fn memory(&self, outputs: u64) -> Result<Memory> {
        let Some(allowed) = self.options.max_memory else { return Ok(Memory::default()) };
        Limits::check("max_memory", outputs, allowed)?;
        let left = allowed - outputs;
        Ok(Memory(Some(Bounded { admission: Admission::new(left), left, outputs, allowed })))
    }

    /// Tells what went over the network, the span as well.
    pub(crate) fn count(&self, stats: &mut ReadStats) {
        let counted = self.counters.snapshot();
        stats.requests = counted.requests;
        stats.bytes = counted.bytes;
        stats.cache_hits = counted.cache_hits;
        stats.shared = counted.shared;
        stats.retries = counted.retries;
        self.span.cost(counted.requests, counted.bytes);
    }
}

/// Memory for the chunks of a call, beside the budgets that all reads of a session share.
#[derive(Clone, Default)]
pub(crate) struct Memory(Option<Bounded>);

#[derive(Clone)]
struct Bounded {
    admission: Admission,
    left: u64,
    outputs: u64,
    allowed: u64,
}

impl Memory {
    /// The most that the chunks of one batch may take, stored and decoded: half of it, so that one is fetched while another decodes.
    pub(crate) fn batch(&self) -> u64 {
        self.0.as_ref().map_or(u64::MAX, |bounded| bounded.left / 2)
    }
    /// Passes a chunk that fits, alone if need be.
    ///
    /// # Errors
    /// `Limit` with what the call would take.
    pub(crate) fn check(&self, chunk: u64) -> Result<()> {
        let Some(bounded) = &self.0 else { return Ok(()) };
        Limits::check("max_memory", bounded.outputs.saturating_add(chunk), bounded.allowed).map(drop)
    }
    /// Waits until so many bytes are free; `None` where nothing is bounded.
    pub(crate) async fn acquire(&self, bytes: u64) -> Option<Permit> {
        match &self.0 {
            Some(bounded) => Some(bounded.admission.acquire(bytes).await),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(options: ReadOptions) -> Call {
        Call::new(&Arc::new(options), Span::current())
    }
    fn limit(result: Result<()>) -> Option<(&'static str, u64, u64)> {
        match result.err()?.kind() {
            ErrorKind::Limit { what, asked, allowed } => Some((what, *asked, *allowed)),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn what_is_known_to_cost_too_much_is_refused() {
        let capped = call(ReadOptions { max_requests: Some(4), max_bytes: Some(100), ..ReadOptions::default() });
        assert_eq!(limit(capped.afford(4, 100)), None);
        assert_eq!(limit(capped.afford(5, 0)), Some(("max_requests", 5, 4)));
        assert_eq!(limit(capped.afford(1, 101)), Some(("max_bytes", 101, 100)));
        assert_eq!(limit(call(ReadOptions::default()).afford(u64::MAX, u64::MAX)), None);
    }

    #[test]
    fn memory_is_what_outputs_leave() {
        let bounded = call(ReadOptions { max_memory: Some(1000), ..ReadOptions::default() });
        assert_eq!(limit(bounded.memory(1001).map(drop)), Some(("max_memory", 1001, 1000)));
        let memory = bounded.memory(600).unwrap();
        assert_eq!(memory.batch(), 200);
        assert_eq!(limit(memory.check(400)), None);
        assert_eq!(limit(memory.check(401)), Some(("max_memory", 1001, 1000)));
        assert_eq!(call(ReadOptions::default()).memory(u64::MAX).unwrap().batch(), u64::MAX);
    }
}
