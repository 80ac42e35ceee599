//! Wants in, answers out as they land: what is kept, single flight, merging and splitting, a bound on connections.

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

use super::counters::Counters;
use super::disk::Lease;
use super::flight::{Entered, Ticket};
use super::kept::Left;
use super::list::list;
use super::local::{self, Answer, changed};
use super::ranges::{MergePolicy, merge_and_split};
use super::request::{Asker, Part, Sink, Told};
use super::sinks::{One, Share, Slab, Spans};
use super::store::{Kind, Place};
use super::{Inner, Io};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Got, Limits, ObjectKey, Want};
use crate::trace::Span;

/// How a waiter is told: the index of its want, and its stream.
pub(super) type Waiter = (usize, UnboundedSender<(usize, Result<Got>)>);

/// What is being fetched. A reader with caps of its own shares it with nobody: what it may not ask for others may.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Flight {
    want: Want,
    reader: u64,
}

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
    reader: u64,
    tickets: Vec<(Want, Ticket)>,
    left: usize,
}

impl Io {
    /// Fetches wants; each answer comes with the index of its want, as it lands.
    pub(crate) fn fetch(&self, wants: Vec<Want>, counters: Arc<Counters>) -> Fetch {
        let inner = &self.0;
        let (sender, landing) = unbounded_channel();
        let mut fetch =
            Fetch { inner: inner.clone(), reader: counters.reader(), ready: VecDeque::new(), landing, tickets: Vec::new(), left: wants.len() };
        let reader = counters.reader();
        let mut led = Vec::new();
        for (index, want) in wants.into_iter().enumerate() {
            if let Some(answer) = inner.at_once(&want, &counters) {
                fetch.ready.push_back((index, answer));
                continue;
            }
            match inner.flights.enter(&Flight { want: want.clone(), reader }, (index, sender.clone()), || inner.cached(&want)) {
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
        let reader = counters.reader();
        let id = self.flights.launch(keys.iter().map(|want| Flight { want: want.clone(), reader }).collect());
        let landing = Landing { inner: self.clone(), job: id, reader, wants: keys };
        let counters = counters.clone();
        let task = self.handle.spawn(Span::current().around(async move {
            let inner = landing.inner.clone();
            let done = inner.work(job, &landing, &counters).await;
            if let Err(error) = done {
                if let (ErrorKind::ObjectChanged { .. }, Some(want)) = (error.kind(), landing.wants.first()) {
                    // What changed is told, whether or not the old bytes could be removed: they are of another version.
                    let _still_on_disk = inner.forget(want.object()).await;
                }
                landing.tell(&Err(error));
            }
        }));
        if let Some(late) = self.flights.set_abort(id, task.abort_handle()) {
            late.abort();
        }
    }

    /// Tells what other processes left on disk, and fetches the rest.
    async fn work(&self, job: Job, landing: &Landing, counters: &Counters) -> Result<()> {
        let all: Vec<usize> = (0..landing.wants.len()).collect();
        let tell = |number: usize, got: Got| {
            counters.cache_hit(length(&got));
            landing.tell_one(number, got);
        };
        let Left { numbers, lease } = self.kept.look_on_disk(&self.stores, &landing.wants, &all, tell).await;
        if numbers == all {
            return self.run(job, landing, &all, lease.as_ref(), counters).await;
        }
        let wants: Vec<Want> = numbers.iter().map(|&n| landing.wants[n].clone()).collect();
        let rest = self.jobs(&wants).into_iter().map(|(job, members)| {
            let (numbers, lease): (Vec<usize>, _) = (members.into_iter().map(|m| numbers[m]).collect(), lease.as_ref());
            async move { self.run(job, landing, &numbers, lease, counters).await }
        });
        try_join_all(rest).await.map(|_| ())
    }

    /// Fetches the wants of these numbers.
    async fn run(&self, job: Job, landing: &Landing, numbers: &[usize], lease: Option<&Arc<Lease>>, counters: &Counters) -> Result<()> {
        match job {
            Job::Ranges { object, requests } => self.ranges(&object, &requests, landing, numbers, lease, counters).await,
            Job::Single => {
                for &number in numbers {
                    let got = self.single(&landing.wants[number], lease, counters).await?;
                    landing.tell_one(number, got);
                }
                Ok(())
            }
        }
    }

    /// One answer a want, told as soon as its bytes are whole.
    async fn ranges(
        &self,
        object: &ObjectKey,
        requests: &[Range<u64>],
        landing: &Landing,
        numbers: &[usize],
        lease: Option<&Arc<Lease>>,
        counters: &Counters,
    ) -> Result<()> {
        let [one] = requests else {
            let answer = self.in_parts(object, requests, counters).await?;
            for &number in numbers {
                let got = match &answer {
                    Some((bytes, told)) => {
                        self.keep(&landing.wants[number], bytes, told, lease);
                        Got::Bytes { bytes: bytes.clone(), size: told.size, version: told.version.clone() }
                    }
                    None => Got::Missing,
                };
                landing.tell_one(number, got);
            }
            return Ok(());
        };
        let spans = numbers.iter().map(|&number| if let Want::Range(span) = &landing.wants[number] { span.range() } else { 0..0 });
        let views = matches!(self.stores.kind(object), Kind::Local | Kind::Memory);
        let mut sink = Spans::new(spans, views, |place: usize, bytes: Bytes, told: &Told| {
            let Some(&number) = numbers.get(place) else { return };
            self.keep(&landing.wants[number], &bytes, told, lease);
            landing.tell_one(number, Got::Bytes { bytes, size: told.size, version: told.version.clone() });
        });
        match self.ask(object, &Part::Range(one.clone()), &mut sink, counters).await? {
            Some(_) => sink.finish(),
            None => numbers.iter().for_each(|&number| landing.tell_one(number, Got::Missing)),
        }
        Ok(())
    }

    /// One span by several requests, which must all be answered with one version of the object.
    async fn in_parts(&self, object: &ObjectKey, requests: &[Range<u64>], counters: &Counters) -> Result<Option<(Bytes, Told)>> {
        let mut shares = Slab::of(requests).shares();
        let asked = shares.iter_mut().zip(requests).map(|(share, range)| async move {
            let part = Part::Range(range.clone());
            self.ask(object, &part, share, counters).await
        });
        let told = try_join_all(asked).await?;
        let Some(told) = told.into_iter().collect::<Option<Vec<Told>>>() else { return Ok(None) };
        let Some(first) = told.first().cloned() else { return Ok(None) };
        for other in &told {
            if (&other.version, other.size) != (&first.version, first.size) {
                let name = |told: &Told| told.version.as_deref().unwrap_or("unknown").to_owned();
                return Err(changed(object, &name(&first), &name(other)));
            }
        }
        let bytes = Share::join(shares).map_err(|e| e.in_object(object.url()))?;
        Ok(Some((bytes, first)))
    }

    async fn single(&self, want: &Want, lease: Option<&Arc<Lease>>, counters: &Counters) -> Result<Got> {
        let Some(part) = part(want) else { return self.list(want.object(), counters).await };
        let mut sink = One::default();
        let Some(told) = self.ask(want.object(), &part, &mut sink, counters).await? else { return Ok(Got::Missing) };
        let bytes = sink.finish();
        self.keep(want, &bytes, &told, lease);
        Ok(Got::Bytes { bytes, size: told.size, version: told.version })
    }

    /// One request, as often as it takes.
    async fn ask(&self, object: &ObjectKey, part: &Part, sink: &mut dyn Sink, counters: &Counters) -> Result<Option<Told>> {
        let sent = Instant::now();
        let told = match self.stores.place(object)? {
            Place::Store { store, path } => {
                let host = self.hosts.of(object);
                let asker = Asker { store: store.as_ref(), path: &path, key: object, host: &host, network: &self.network, counters };
                Span::fetch(object, part.start(), part.length()).around(asker.get(part, sink)).await.map_err(|e| e.in_object(object.url()))?
            }
            Place::Local(path) => {
                counters.request(0)?;
                let (stores, named, part) = (self.stores.clone(), object.clone(), part.clone());
                match blocking(move || stores.files.read(&path, &named, &part)).await? {
                    Some(Answer { bytes, start, told }) => {
                        counters.received(bytes.len());
                        sink.begin(start, Some(bytes.len() as u64), &told)?;
                        if !bytes.is_empty() {
                            sink.piece(bytes)?;
                        }
                        Some(told)
                    }
                    None => None,
                }
            }
        };
        counters.landed(sent.elapsed());
        Ok(told)
    }

    async fn list(&self, prefix: &ObjectKey, counters: &Counters) -> Result<Got> {
        let _slot = self.hosts.of(prefix).admit(0).await;
        if self.stores.kind(prefix) == Kind::Http {
            return Ok(Got::Names(None));
        }
        match self.stores.place(prefix)? {
            Place::Store { store, path } => list(store.as_ref(), &path, prefix, &self.limits, counters).await.map(Got::Names),
            Place::Local(path) => {
                counters.request(0)?;
                let (prefix, limits) = (prefix.clone(), self.limits.clone());
                let names = blocking(move || local::list(&path, &prefix, &limits)).await?;
                Ok(names.map_or(Got::Missing, |names| Got::Names(Some(names))))
            }
        }
    }

    /// Keeps an answer; all of the object, where the server sent it although a part was asked for.
    fn keep(&self, want: &Want, bytes: &Bytes, told: &Told, lease: Option<&Arc<Lease>>) {
        if matches!(self.stores.kind(want.object()), Kind::Local | Kind::Memory) {
            return;
        }
        self.kept.put(&self.stores, want, bytes, told, lease);
    }
}

/// Lands a job when it ends, also when it panics or its runtime goes.
struct Landing {
    inner: Arc<Inner>,
    job: u64,
    reader: u64,
    wants: Vec<Want>,
}

impl Landing {
    /// Tells those who wait for one of the wants; the others are still to come.
    fn tell_one(&self, number: usize, answer: Got) {
        let Some(want) = self.wants.get(number) else { return };
        let (waiters, over) = self.inner.flights.land_one(self.job, &Flight { want: want.clone(), reader: self.reader });
        for (index, sender) in waiters {
            let _ = sender.send((index, Ok(answer.clone()))); // whoever has left does not mind
        }
        if let Some(abort) = over {
            abort.abort();
        }
    }

    /// Tells those who wait for whatever has not landed.
    fn tell(&self, answer: &Result<Got>) {
        for (_, waiters) in self.inner.flights.land(self.job) {
            for (index, sender) in waiters {
                let _ = sender.send((index, answer.clone()));
            }
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.tell(&Err(Error::storage("the request ended without an answer")));
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
        let reader = self.reader;
        for (want, ticket) in self.tickets.drain(..) {
            if let Some(abort) = self.inner.flights.leave(&Flight { want, reader }, ticket) {
                abort.abort();
            }
        }
    }
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
    let Some(Answer { bytes, told, .. }) = answer else { return Got::Missing };
    counters.received(bytes.len());
    Got::Bytes { bytes, size: told.size, version: told.version }
}

fn length(got: &Got) -> usize {
    if let Got::Bytes { bytes, .. } = got { bytes.len() } else { 0 }
}
