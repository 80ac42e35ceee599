//! Where sync and async meet.
//!
//! A read is one task on the session's I/O runtime: it plans, fetches, and hands each chunk on as it lands. Decoding and placing are jobs
//! of the decode pool; a thread of the pool that waits for a read does jobs in the meantime. What is at hand needs no fetching: the threads
//! that decode it read it themselves (`direct.rs`).
//! An I/O thread never decodes, a decode thread never waits for a network.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::oneshot;

use super::array::ArrayInner;
use super::call::{Call, Memory};
use super::decode::{Held, Shared, Sink, Stored, ThreadScratch, decoded_length, with_scratch};
use super::direct::Direct;
use super::plan::{AtHandList, Batch, Planned, Source, batches, plan, wants_of};
use super::stats::{Clock, ReadStats};
use crate::codec::Output;
use crate::error::{Error, ErrorKind, Result};
use crate::io::{Counters, Io, Permit};
use crate::model::{Got, Missing, Region, Want};
use crate::trace::{self, Span};

/// A read about to be run.
pub(crate) struct Reader {
    pub(crate) array: Arc<ArrayInner>,
    pub(crate) region: Region,
    pub(crate) sink: Sink,
    pub(crate) call: Arc<Call>,
    pub(crate) memory: Memory,
}

/// A task that ends when its handle is dropped, and tells the jobs it has sent out.
pub(crate) struct AbortOnDrop<T> {
    task: tokio::task::JoinHandle<T>,
    given_up: Arc<AtomicBool>,
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Relaxed);
        self.task.abort();
    }
}

impl<T> Future for AbortOnDrop<Result<T>> {
    type Output = Result<T>;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.task).poll(context).map(|joined| joined.unwrap_or_else(|e| Err(panicked(&e.to_string()))))
    }
}

/// Runs a future on the session's I/O runtime; dropping the result ends it.
pub(crate) fn spawn<T: Send + 'static>(io: &Io, future: impl Future<Output = Result<T>> + Send + 'static) -> AbortOnDrop<Result<T>> {
    AbortOnDrop { task: io.spawn(Span::current().around(future)), given_up: Arc::default() }
}

/// Starts a read. Dropping the future gives it up; its output must be its own.
pub(crate) fn read(reader: Reader) -> AbortOnDrop<Result<ReadStats>> {
    let io = reader.array.session.io.clone();
    if let (Sink::Fixed(sink), true) = (&reader.sink, reader.array.session.huge_pages) {
        sink.ask_for_huge_pages();
    }
    let given_up = Arc::<AtomicBool>::default();
    let task = io.spawn(Span::current().around(run(reader, given_up.clone())));
    AbortOnDrop { task, given_up }
}

async fn run(reader: Reader, given_up: Arc<AtomicBool>) -> Result<ReadStats> {
    let Reader { array, region, sink, call, memory } = reader;
    let clock = Clock::new();
    let counters = call.counters().clone();
    let named = |e: Error| e.in_object(array.meta.source.url());
    if !region.is_empty() {
        memory.check(array.chunk_bytes()).map_err(named)?;
    }
    let planned = Span::plan(&array.meta.source, &region).around(plan(&array, &region, &counters)).await.map_err(named)?;
    call.span().region(&region, planned.parts.len());
    planned.check(&array, &call, &memory).map_err(named)?;
    let mut stats = ReadStats { chunks: planned.parts.len(), pages: planned.pages, plan_time: clock.elapsed(), ..ReadStats::default() };
    clock.refetched.fetch_add(planned.refetched, Ordering::Relaxed);
    stats.output_bytes = region.len().saturating_mul(array.meta.data_type.size().unwrap_or(0) as u64);
    let chunk_bytes = array.chunk_bytes();
    let keep = array.session.keeps_decoded(chunk_bytes.saturating_mul(planned.parts.len() as u64));
    let list = AtHandList::of(&planned, chunk_bytes, array.limits(), memory.batch()).map_err(named)?;
    let planned = Arc::new(planned);
    let shared = Arc::new(Shared { array: array.clone(), sink, chunks: planned.chunks.clone(), given_up, clock, keep });

    let mut running = FuturesUnordered::new();
    if list.len() > 0 {
        let direct = Direct::new(shared.clone(), planned.clone(), list, counters.clone());
        running.push(Either::Left(direct.run(memory.clone())));
    }
    let mut failed: Option<Error> = None;
    let mut fail = |shared: &Shared, e: Error| {
        shared.given_up.store(true, Ordering::Relaxed);
        failed.get_or_insert(e);
    };
    'batches: for batch in batches(&planned, chunk_bytes, array.limits(), memory.batch()) {
        // Stored before decoded, all of a batch at once: who waits for a permit holds none that another's progress needs.
        let (stored_bytes, decoded_bytes) = (batch.stored, batch.decoded);
        // Those of the call itself come first: what waits for them keeps no other read waiting.
        let permits = async {
            let own = memory.acquire(stored_bytes.saturating_add(decoded_bytes)).await;
            let stored = array.session.stored_budget.acquire(stored_bytes).await;
            (own, stored, array.session.decoded_budget.acquire(decoded_bytes).await)
        };
        let mut permits = pin!(permits);
        let (own, stored, decoded) = loop {
            if running.is_empty() {
                break permits.as_mut().await;
            }
            match select(permits.as_mut(), running.next()).await {
                Either::Left((permits, _)) => break permits,
                Either::Right((Some(Err(e)), _)) => {
                    fail(&shared, e);
                    break 'batches;
                }
                Either::Right(_) => {}
            }
        };
        if shared.given_up.load(Ordering::Relaxed) {
            break;
        }
        let batch = run_batch(shared.clone(), batch, &planned, stored, decoded, counters.clone());
        running.push(Either::Right(async move {
            let done = batch.await;
            drop(own);
            done
        }));
    }
    while let Some(result) = running.next().await {
        if let Err(e) = result {
            fail(&shared, e);
        }
    }
    drop(running);
    if let Some(e) = failed {
        return Err(named(e));
    }
    shared.clock.write(&mut stats);
    Ok(stats)
}

/// Fetches a batch, sends each chunk to be decoded as it lands, and ends when all of its jobs have.
async fn run_batch(
    shared: Arc<Shared>,
    batch: Batch,
    planned: &Planned,
    mut stored: Permit,
    mut decoded: Permit,
    counters: Arc<Counters>,
) -> Result<()> {
    let chunk_bytes = shared.array.chunk_bytes();
    let mut jobs = FuturesUnordered::new();
    let wants = wants_of(&batch, planned, &shared.array);
    let mut failed = None;
    let mut fetch = Box::pin(shared.array.session.io.fetch(wants, counters.clone()));
    while let Some((at, got)) = fetch.next().await {
        shared.clock.landed();
        let Some(&number) = batch.parts.get(at) else { continue };
        let Some((want, chain, missing)) = planned.want(&shared.array, number) else { continue };
        let arrived = match (got, missing) {
            (Ok(Got::Bytes { bytes, .. }), _) => Ok(Stored::Encoded { bytes: Held::Owned(bytes), chain, version: want.object().version().cloned() }),
            (Ok(_), Missing::Fill) => Ok(Stored::Absent),
            (Ok(_), Missing::Error) => Err(Error::not_found(want.object().url())),
            (Err(e), _) => Err(shared.array.not_fetched(e)),
        };
        match arrived {
            Ok(arrived) => {
                // The stored bytes are held until they are decoded, and so is their share of the budget.
                let held = if let Stored::Encoded { bytes, .. } = &arrived { bytes.len() as u64 } else { 0 };
                let again = matches!(arrived, Stored::Encoded { .. }).then(|| (want, chain, counters.clone()));
                jobs.push(decoded_once(&shared, number, arrived, [stored.split(held), decoded.split(chunk_bytes)], again));
            }
            Err(e) => {
                failed.get_or_insert(e);
                break;
            }
        }
        if shared.given_up.load(Ordering::Relaxed) {
            break;
        }
    }
    drop(fetch);
    drop(stored);
    if failed.is_some() {
        shared.given_up.store(true, Ordering::Relaxed);
    }
    // All jobs are joined, whatever happened.
    while let Some(result) = jobs.next().await {
        if let Err(e) = result {
            shared.given_up.store(true, Ordering::Relaxed);
            failed.get_or_insert(e);
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Has a chunk decoded, at once sent to a worker. One that came over the network, and is not what was written, is fetched once more.
fn decoded_once(
    shared: &Arc<Shared>,
    number: usize,
    stored: Stored<'static>,
    permits: [Permit; 2],
    again: Option<(Want, u16, Arc<Counters>)>,
) -> impl Future<Output = Result<()>> + use<> {
    let first = send(shared, number, stored, permits);
    let shared = shared.clone();
    async move {
        let (e, permits, (want, chain, counters)) = match (first.await, again) {
            ((Err(e), Some(permits)), Some(again)) if shared.array.session.io.is_remote(again.0.object()) => (e, permits, again),
            ((result, _), _) => return result,
        };
        if shared.given_up.load(Ordering::Relaxed) {
            return Err(e);
        }
        trace::damaged(want.object(), &e);
        shared.clock.refetched.fetch_add(1, Ordering::Relaxed);
        let Got::Bytes { bytes, .. } = shared.array.session.io.refetch(&want, &counters).await.map_err(|again| again.caused_by(e.clone()))? else {
            return Err(e);
        };
        let version = want.object().version().cloned();
        send(&shared, number, Stored::Encoded { bytes: Held::Owned(bytes), chain, version }, permits).await.0
    }
}

/// Sends a chunk to a worker; the future ends with the job. Gives the permits back where the chunk is damaged.
fn send(
    shared: &Arc<Shared>,
    number: usize,
    stored: Stored<'static>,
    permits: [Permit; 2],
) -> impl Future<Output = (Result<()>, Option<[Permit; 2]>)> + use<> {
    let (done, ended) = oneshot::channel();
    let of_job = shared.clone();
    let job = move |scratch: &mut ThreadScratch| {
        let work = || {
            if of_job.given_up.load(Ordering::Relaxed) {
                return Ok(());
            }
            of_job.decode(number, stored, scratch)
        };
        let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|p| Err(panicked(&panic_text(&*p))));
        drop(of_job);
        let damaged = matches!(&result, Err(e) if e.is_damage());
        let _nobody_waits = done.send((result, damaged.then_some(permits)));
    };
    shared.array.session.pool.send(Box::new(move || {
        with_scratch(|scratch| {
            job(scratch);
            scratch.trim();
        });
    }));
    async move { ended.await.unwrap_or_else(|_| (Err(panicked("a decode job was lost")), None)) }
}

/// One chunk, decoded, as it is stored; a view of the fetched bytes where there is nothing to decode.
pub(crate) async fn read_chunk(array: Arc<ArrayInner>, index: Vec<u64>, call: Arc<Call>) -> Result<Option<Bytes>> {
    let grid = &array.meta.grid;
    if !grid.contains(&index) {
        return Err(Error::region(format!("no chunk {index:?}")));
    }
    let (io, counters) = (&array.session.io, call.counters());
    let memory = call.memory(array.chunk_bytes())?;
    let planned = plan(&array, &grid.chunk_region(&index), counters).await?;
    planned.check(&array, &call, &memory)?;
    let (want, chain, missing) = match planned.parts.first() {
        Some(Source::Decoded(at)) => return Ok(Some(planned.bytes(*at).clone())),
        Some(Source::Inline(at)) => return decode_chunk(&array, &index, planned.bytes(*at).clone(), 0).await.map(Some),
        _ => match planned.want(&array, 0) {
            Some(wanted) => wanted,
            None => return Ok(None),
        },
    };
    let bytes = match (io.get(&want, counters).await.map_err(|e| array.not_fetched(e))?, missing) {
        (Got::Bytes { bytes, .. }, _) => bytes,
        (_, Missing::Fill) => return Ok(None),
        (_, Missing::Error) => return Err(Error::not_found(array.meta.source.url())),
    };
    match decode_chunk(&array, &index, bytes, chain).await {
        Err(e) if e.is_damage() && io.is_remote(want.object()) => {
            trace::damaged(want.object(), &e);
            match io.refetch(&want, counters).await.map_err(|again| again.caused_by(e.clone()))? {
                Got::Bytes { bytes, .. } => decode_chunk(&array, &index, bytes, chain).await.map(Some),
                _ => Err(e),
            }
        }
        decoded => decoded.map(Some),
    }
}

/// Decodes one chunk in the pool.
async fn decode_chunk(array: &Arc<ArrayInner>, index: &[u64], bytes: Bytes, chain: u16) -> Result<Bytes> {
    let grid = &array.meta.grid;
    let element = array.meta.data_type.size().ok_or_else(|| Error::data_type("a chunk of elements that differ in length has no one view"))?;
    let shape = array.meta.order.permute(&grid.stored_shape(index));
    let length = decoded_length(&shape, element, array.limits())?;
    if array.chain(chain)?.is_view(bytes.len(), length) {
        return Ok(bytes);
    }
    let (done, decoded) = oneshot::channel();
    let (of_job, index) = (array.clone(), index.to_vec());
    let job = move || {
        let work = || {
            let mut shape = Vec::new();
            let context = of_job.context(&index, &mut shape);
            let chain = of_job.chain(chain)?;
            chain.check_stored(&bytes, &context).map_err(|e| e.in_chunk(&index))?;
            let mut decoded = crate::model::zeroed(length)?;
            with_scratch(|s| {
                let done = chain.decode(&bytes, &context, &mut s.codec, &mut Output::Exact(&mut decoded));
                // Nobody asks for it here, and the next job of the thread is another chunk's.
                s.codec.validity = None;
                done
            })
            .map_err(|e| e.in_chunk(&index))?;
            Ok(Bytes::from(decoded))
        };
        let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|p| Err(panicked(&panic_text(&*p))));
        let _nobody_waits = done.send(result);
    };
    array.session.pool.send(Box::new(job));
    decoded.await.unwrap_or_else(|_| Err(panicked("a decode job was lost")))
}

pub(super) fn panicked(message: &str) -> Error {
    Error::new(ErrorKind::Panicked(message.to_owned()))
}

pub(super) fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}
