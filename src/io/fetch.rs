//! Wants in, answers out as they land: byte cache, single flight, merging and splitting, a bound on connections.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::try_join_all;
use futures_util::stream::Stream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::cache::unpinned;
use super::counters::Counters;
use super::flight::{Entered, Ticket};
use super::local::{self, changed, slice};
use super::ranges::{MergePolicy, merge_and_split};
use super::request::{self, Answer, Part};
use super::store::{Kind, Place};
use super::{Inner, Io};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Got, Limits, ObjectKey, Want, reserve};

/// How a waiter is told: the index of its want, and its stream.
pub(super) type Waiter = (usize, UnboundedSender<(usize, Result<Got>)>);

/// A request that a fetch sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlannedRequest {
    /// The object, or the prefix that is listed.
    pub(crate) object: ObjectKey,
    /// The first byte; 0 for a whole object, a suffix and a listing.
    pub(crate) start: u64,
    /// How many bytes; `None` for a whole object and a listing.
    pub(crate) length: Option<u64>,
    /// The indexes of the wants it serves.
    pub(crate) wants: Vec<usize>,
}

/// A piece of work: what is fetched together.
enum Job {
    /// Ranges of one object, served by one request; or one range, served by several.
    Ranges { object: ObjectKey, requests: Vec<Range<u64>> },
    /// A want that is a request of its own.
    Single,
}

/// The answers to the wants of one fetch, each as it lands.
///
/// Dropping it gives up what nobody else waits for.
pub(crate) struct Fetch {
    inner: Arc<Inner>,
    ready: VecDeque<(usize, Result<Got>)>,
    landing: UnboundedReceiver<(usize, Result<Got>)>,
    tickets: Vec<(Want, Ticket)>,
    left: usize,
}

impl Io {
    /// Fetches wants; each answer comes with the index of its want, as it lands.
    pub(crate) fn fetch(&self, wants: Vec<Want>, counters: Arc<Counters>) -> Fetch {
        let inner = &self.0;
        let (sender, landing) = unbounded_channel();
        let mut fetch = Fetch { inner: inner.clone(), ready: VecDeque::new(), landing, tickets: Vec::new(), left: wants.len() };
        let mut led = Vec::new();
        for (index, want) in wants.into_iter().enumerate() {
            if let Some(answer) = inner.at_once(&want, &counters) {
                fetch.ready.push_back((index, answer));
                continue;
            }
            match inner.flights.enter(&want, (index, sender.clone()), || inner.cached(&want)) {
                Entered::Known(got) => {
                    counters.cache_hit(length(&got));
                    fetch.ready.push_back((index, Ok(got)));
                }
                Entered::Follows(ticket) => {
                    counters.shared();
                    fetch.tickets.push((want, ticket));
                }
                Entered::Leads(ticket) => {
                    led.push(want.clone());
                    fetch.tickets.push((want, ticket));
                }
            }
        }
        for (job, members) in inner.jobs(&led) {
            let keys: Vec<Want> = members.iter().map(|&i| led[i].clone()).collect();
            inner.launch(job, keys, &counters);
        }
        fetch
    }

    /// The requests that [`fetch`](Self::fetch) would send now, were nothing in flight.
    pub(crate) fn plan(&self, wants: &[Want]) -> Vec<PlannedRequest> {
        let mut seen: HashMap<&Want, Vec<usize>> = HashMap::new();
        let mut asked: Vec<Want> = Vec::new();
        for (index, want) in wants.iter().enumerate() {
            let is_empty = matches!(want, Want::Range(span) if span.length == 0);
            if is_empty || self.0.cached(want).is_some() {
                continue;
            }
            let indexes = seen.entry(want).or_default();
            if indexes.is_empty() {
                asked.push(want.clone());
            }
            indexes.push(index);
        }
        let mut planned = Vec::new();
        for (job, members) in self.0.jobs(&asked) {
            let served: Vec<usize> = members.iter().flat_map(|&i| seen[&asked[i]].clone()).collect();
            match (job, &asked[members[0]]) {
                (Job::Ranges { object, requests }, _) => planned.extend(requests.into_iter().map(|r| PlannedRequest {
                    object: object.clone(),
                    start: r.start,
                    length: Some(r.end - r.start),
                    wants: served.clone(),
                })),
                (Job::Single, want) => {
                    let length = if let Want::Suffix { length, .. } = want { Some(*length) } else { None };
                    planned.push(PlannedRequest { object: want.object().clone(), start: 0, length, wants: served });
                }
            }
        }
        planned
    }
}

impl Inner {
    /// Wants that no request is needed for.
    fn at_once(&self, want: &Want, counters: &Counters) -> Option<Result<Got>> {
        if let Want::Range(span) = want {
            if span.length == 0 {
                return Some(Ok(Got::Bytes { bytes: Bytes::new(), size: None, version: span.object.version().cloned() }));
            }
            if let Err(e) = Limits::check("max_stored_bytes", span.length, self.limits.max_stored_bytes) {
                return Some(Err(e.in_object(span.object.url())));
            }
        }
        if !self.stores.files.are_mapped() || self.stores.kind(want.object()) != Kind::Local {
            return None;
        }
        let object = want.object();
        let part = part(want)?;
        if let Err(e) = counters.request(0) {
            return Some(Err(e));
        }
        Some(self.stores.place(object).and_then(|place| match place {
            Place::Local(path) => self.stores.files.read(&path, object, &part).map(|answer| got(answer, counters)),
            Place::Store { .. } => Err(Error::storage("not a local file").in_object(object.url())),
        }))
    }

    /// The answer that is at hand.
    pub(super) fn cached(&self, want: &Want) -> Option<Got> {
        self.kept.get(want)
    }

    /// Groups wants, none of them twice, into jobs: a pure function of the wants and the policy.
    fn jobs(&self, wants: &[Want]) -> Vec<(Job, Vec<usize>)> {
        let mut jobs = Vec::new();
        let mut objects: Vec<(&ObjectKey, Vec<usize>)> = Vec::new();
        let mut place_of: HashMap<&ObjectKey, usize> = HashMap::new();
        for (index, want) in wants.iter().enumerate() {
            match want {
                Want::Range(span) => {
                    let place = *place_of.entry(&span.object).or_insert_with(|| {
                        objects.push((&span.object, Vec::new()));
                        objects.len() - 1
                    });
                    objects[place].1.push(index);
                }
                _ => jobs.push((Job::Single, vec![index])),
            }
        }
        let local = MergePolicy::default().local();
        for (object, indexes) in objects {
            let spans: Vec<Range<u64>> = indexes.iter().map(|&i| if let Want::Range(span) = &wants[i] { span.range() } else { 0..0 }).collect();
            let policy = if self.stores.kind(object) == Kind::Local { local.clone() } else { self.hosts.of(object).merge() };
            for run in merge_and_split(&spans, &policy) {
                let members = run.spans.iter().map(|&s| indexes[s]).collect();
                jobs.push((Job::Ranges { object: object.clone(), requests: run.requests }, members));
            }
        }
        jobs
    }

    /// Starts a job; whatever becomes of it, its flights land.
    fn launch(self: &Arc<Self>, job: Job, keys: Vec<Want>, counters: &Arc<Counters>) {
        let id = self.flights.launch(keys.clone());
        let landing = Landing { inner: self.clone(), job: id };
        let counters = counters.clone();
        let task = self.handle.spawn(async move {
            let inner = landing.inner.clone();
            let answers = match job {
                Job::Ranges { object, requests } => inner.ranges(&object, &requests, &keys, &counters).await,
                Job::Single => inner.single(&keys[0], &counters).await.map(|got| vec![got]),
            };
            if let Err(error) = &answers
                && let ErrorKind::ObjectChanged { .. } = error.kind()
            {
                inner.forget(keys[0].object());
            }
            landing.tell(answers);
        });
        if let Some(late) = self.flights.set_abort(id, task.abort_handle()) {
            late.abort();
        }
    }

    /// One answer a want, in their order.
    async fn ranges(&self, object: &ObjectKey, requests: &[Range<u64>], wants: &[Want], counters: &Counters) -> Result<Vec<Got>> {
        let ask = |range: &Range<u64>| self.ask(object, Part::Range(range.clone()), counters);
        let answer = match requests {
            [one] => ask(one).await?,
            several => join(object, try_join_all(several.iter().map(ask)).await?)?,
        };
        let Some(answer) = answer else { return Ok(vec![Got::Missing; wants.len()]) };
        self.keep_whole(object, &answer);
        let start = requests.first().map_or(0, |r| r.start);
        let length = answer.bytes.len() as u64;
        let mut out = Vec::with_capacity(wants.len());
        for want in wants {
            let Want::Range(span) = want else { continue };
            let from = span.start.saturating_sub(start).min(length);
            let to = span.end().saturating_sub(start).min(length);
            let bytes = slice(&answer.bytes, &(from..to)).unwrap_or_default();
            self.keep(want, &bytes, &answer);
            out.push(Got::Bytes { bytes, size: answer.size, version: answer.version.clone() });
        }
        Ok(out)
    }

    async fn single(&self, want: &Want, counters: &Counters) -> Result<Got> {
        let Some(part) = part(want) else { return self.list(want.object(), counters).await };
        let Some(answer) = self.ask(want.object(), part, counters).await? else { return Ok(Got::Missing) };
        self.keep_whole(want.object(), &answer);
        self.keep(want, &answer.bytes, &answer);
        Ok(Got::Bytes { bytes: answer.bytes, size: answer.size, version: answer.version })
    }

    /// One request, when a connection is free.
    async fn ask(&self, object: &ObjectKey, part: Part, counters: &Counters) -> Result<Option<Answer>> {
        let host = self.hosts.of(object);
        let _slot = host.admit(0).await;
        let sent = Instant::now();
        let answer = match self.stores.place(object)? {
            Place::Store { store, path } => request::ask(store.as_ref(), &path, object, &part, &host, counters).await?,
            Place::Local(path) => {
                counters.request(0)?;
                let (stores, object) = (self.stores.clone(), object.clone());
                blocking(move || stores.files.read(&path, &object, &part)).await?
            }
        };
        let came = answer.as_ref().map_or(0, |a| a.whole.as_ref().unwrap_or(&a.bytes).len());
        counters.landed(came, sent.elapsed());
        Ok(answer)
    }

    async fn list(&self, prefix: &ObjectKey, counters: &Counters) -> Result<Got> {
        let _slot = self.hosts.of(prefix).admit(0).await;
        if self.stores.kind(prefix) == Kind::Http {
            return Ok(Got::Names(None));
        }
        match self.stores.place(prefix)? {
            Place::Store { store, path } => request::list(store.as_ref(), &path, prefix, &self.limits, counters).await.map(Got::Names),
            Place::Local(path) => {
                counters.request(0)?;
                let (prefix, limits) = (prefix.clone(), self.limits.clone());
                let names = blocking(move || local::list(&path, &prefix, &limits)).await?;
                Ok(names.map_or(Got::Missing, |names| Got::Names(Some(names))))
            }
        }
    }

    fn keep(&self, want: &Want, bytes: &Bytes, answer: &Answer) {
        if matches!(self.stores.kind(want.object()), Kind::Local | Kind::Memory) || answer.whole.is_some() {
            return;
        }
        self.kept.put(want, unpinned(bytes, answer.bytes.len()), answer.size, answer.version.clone());
    }

    /// What a server that ignores ranges sent is kept as a whole.
    fn keep_whole(&self, object: &ObjectKey, answer: &Answer) {
        if let Some(bytes) = answer.whole.clone() {
            self.kept.put_whole(object, bytes, answer.version.clone());
        }
    }
}

/// Lands a job when it ends, also when it panics or its runtime goes.
struct Landing {
    inner: Arc<Inner>,
    job: u64,
}

impl Landing {
    fn tell(&self, answers: Result<Vec<Got>>) {
        for (place, (want, waiters)) in self.inner.flights.land(self.job).into_iter().enumerate() {
            let answer = match &answers {
                Ok(all) => all.get(place).cloned().ok_or_else(|| Error::storage("the request brought no answer").in_object(want.object().url())),
                Err(e) => Err(e.clone()),
            };
            for (index, sender) in waiters {
                let _ = sender.send((index, answer.clone())); // whoever has left does not mind
            }
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.tell(Err(Error::storage("the request ended without an answer")));
    }
}

impl Stream for Fetch {
    type Item = (usize, Result<Got>);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let next = match self.ready.pop_front() {
            Some(next) => Some(next),
            None => match self.landing.poll_recv(context) {
                Poll::Ready(next) => next,
                Poll::Pending => return Poll::Pending,
            },
        };
        self.left -= 1;
        Poll::Ready(next)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        for (want, ticket) in self.tickets.drain(..) {
            if let Some(abort) = self.inner.flights.leave(&want, ticket) {
                abort.abort();
            }
        }
    }
}

/// Joins the parts of one range, which are all of one version.
fn join(object: &ObjectKey, parts: Vec<Option<Answer>>) -> Result<Option<Answer>> {
    let Some(parts) = parts.into_iter().collect::<Option<Vec<Answer>>>() else { return Ok(None) };
    let Some(first) = parts.first() else { return Ok(None) };
    let (size, version, whole) = (first.size, first.version.clone(), first.whole.clone());
    let total = parts.iter().map(|p| p.bytes.len()).sum();
    let mut joined = reserve::<u8>("bytes of a range", total)?;
    let mut ended = false;
    for part in &parts {
        if part.version != version || part.size != size {
            let told = |v: &Option<Arc<str>>| v.as_deref().unwrap_or("unknown").to_owned();
            return Err(changed(object, &told(&version), &told(&part.version)));
        }
        if ended && !part.bytes.is_empty() {
            return Err(Error::storage("a gap between the parts of a range").in_object(object.url()));
        }
        ended |= part.bytes.is_empty();
        joined.extend_from_slice(&part.bytes);
    }
    Ok(Some(Answer { bytes: joined.into(), size, version, whole }))
}

pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(Error::storage("the work on a local file was cut short")),
    }
}

fn part(want: &Want) -> Option<Part> {
    match want {
        Want::Range(span) => Some(Part::Range(span.range())),
        Want::Suffix { length, .. } => Some(Part::Suffix(*length)),
        Want::Whole { most, .. } => Some(Part::Whole { most: *most }),
        Want::List { .. } => None,
    }
}

fn got(answer: Option<Answer>, counters: &Counters) -> Got {
    let Some(Answer { bytes, size, version, .. }) = answer else { return Got::Missing };
    counters.landed(bytes.len(), std::time::Duration::ZERO);
    Got::Bytes { bytes, size, version }
}

fn length(got: &Got) -> usize {
    if let Got::Bytes { bytes, .. } = got { bytes.len() } else { 0 }
}
