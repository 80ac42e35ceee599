//! One request to a store, sent as often as it takes, and the checks between its answers and a reader.
//!
//! A store may be a stranger's server: the range that comes back is the one that was asked for, the body has
//! exactly its length, and the version is the one the key is pinned to, or there is an error. A body that breaks off goes on where it ended:
//! from its last byte where the version is a strong validator, which is sent along; else from the beginning of the piece that is not whole.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, ObjectStore};

use super::checked::Promise;
#[cfg(feature = "cloud")]
use super::checked::{Verdict, check};
use super::counters::Counters;
use super::errors::{self, Lost};
use super::host::{Failure, FailureKind, Host, Slot};
use super::local::{changed, slice};
use super::options::NetworkOptions;
use super::paced::{Body, Paced};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Limits, ObjectKey, grow, if_match, version};

/// The largest object taken whole from a server that ignores ranges.
pub(super) const MOST_WHOLE: u64 = 64 << 20;
/// What is taken for the length of an answer before it is known.
const TYPICAL: u64 = 1 << 20;
/// A body that brought so much before it broke off has not failed in vain.
const PROGRESS: u64 = 64 << 10;
/// What is read to the end of an answer that nobody wants, so that the connection can be used again.
const READ_OFF: u64 = 64 << 10;

/// What of an object is asked for.
#[derive(Debug, Clone)]
pub(super) enum Part {
    /// Shorter where the object ends before it does. Not empty.
    Range(Range<u64>),
    /// The last bytes.
    Suffix(u64),
    /// All, not above `most` bytes.
    Whole { most: u64 },
}

impl Part {
    /// Its first byte, as far as that is known.
    pub(super) fn start(&self) -> u64 {
        if let Self::Range(range) = self { range.start } else { 0 }
    }
    /// How many bytes, as far as that is known.
    pub(super) fn length(&self) -> Option<u64> {
        match self {
            Self::Range(range) if range.end == u64::MAX => None,
            Self::Range(range) => Some(range.end - range.start),
            Self::Suffix(length) => Some(*length),
            Self::Whole { .. } => None,
        }
    }
}

/// What an answer says of its object.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) size: Option<u64>,
    pub(super) version: Option<Arc<str>>,
    /// The whole object, where the server sent it although a part was asked for.
    pub(super) whole: Option<Bytes>,
}

/// Where the bytes of an answer go, in order, each once.
pub(super) trait Sink: Send {
    /// So many bytes will come, from this one of the object on; as many as come where that is unknown.
    fn begin(&mut self, start: u64, length: Option<u64>, told: &Told) -> Result<()>;
    /// The next bytes.
    fn piece(&mut self, piece: Bytes) -> Result<()>;
    /// Gives up what is not whole; how many of the bytes are not needed again.
    fn rewind(&mut self) -> u64;
}

/// Who asks, for what, where.
pub(super) struct Asker<'a> {
    pub(super) store: &'a dyn ObjectStore,
    pub(super) path: &'a Path,
    pub(super) key: &'a ObjectKey,
    pub(super) host: &'a Arc<Host>,
    pub(super) network: &'a NetworkOptions,
    pub(super) counters: &'a Counters,
}

/// An answer whose body is unread.
struct Came {
    promise: Promise,
    version: Option<Arc<str>>,
    /// Whether the length of the body is told beside its range, so that one of another length ends in an error before it ends.
    framed: bool,
    body: Body,
}

/// The head of an answer.
enum Answer {
    Came(Came),
    Missing,
    /// Asked in another way it may be answered: by its size.
    NotSo(Error),
}

/// How far the answers to one request have got.
struct Begun {
    /// What is wanted of the object.
    start: u64,
    end: u64,
    /// How much of it the sink has.
    taken: u64,
    /// How much it may have.
    most: u64,
    told: Told,
}

impl Begun {
    /// Gives the sink what it has not yet of bytes that begin at `at`.
    fn feed(&mut self, at: u64, piece: &Bytes, sink: &mut dyn Sink) -> Result<()> {
        let next = self.start + self.taken;
        let (from, to) = (at.max(next), at.saturating_add(piece.len() as u64).min(self.end));
        if from < to {
            Limits::check("bytes of a whole object", self.taken + (to - from), self.most)?;
            let wanted = slice(piece, &(from - at..to - at)).ok_or_else(|| Error::storage("a body that is not in order"))?;
            sink.piece(wanted)?;
            self.taken += to - from;
        }
        Ok(())
    }
}

/// What one attempt came to, where it did not fail.
enum Attempt {
    Done,
    Missing,
    NotSo(Error),
}

impl Asker<'_> {
    /// Asks until the sink has what was asked for; `None` where there is no such object.
    pub(super) async fn get(&self, part: &Part, sink: &mut dyn Sink) -> Result<Option<Told>> {
        let mut part = part.clone();
        let mut key = self.key.clone();
        let mut begun: Option<Begun> = None;
        let (mut failed, mut wrong) = (0, 0);
        let mut instead = (matches!(part, Part::Suffix(_)) && self.host.suffixes_are_refused()).then_some(None);
        loop {
            if let Some(why) = instead.take() {
                let Some((range, told)) = self.by_size(&part, why).await? else { return Ok(None) };
                if range.is_empty() {
                    sink.begin(range.start, Some(0), &told)?;
                    return Ok(Some(told));
                }
                if matches!(part, Part::Suffix(_)) {
                    self.host.refuses_suffixes(); // of an empty object every suffix is refused
                }
                key = if key.version().is_some() { key } else { key.with_version(told.version) };
                part = Part::Range(range);
            }
            let now = match &begun {
                Some(begun) if begun.start + begun.taken >= begun.end => return Ok(Some(begun.told.clone())),
                Some(begun) => Part::Range(begun.start + begun.taken..begun.end),
                None => part.clone(),
            };
            let before = begun.as_ref().map_or(0, |b| b.taken);
            let mut slot = self.admit(&now).await?;
            let lost = match self.attempt(&now, &key, &mut begun, sink, &mut slot).await {
                Ok(attempt) => {
                    slot.done();
                    match attempt {
                        Attempt::Done => return Ok(Some(begun.map(|b| b.told).unwrap_or_default())),
                        Attempt::Missing if begun.is_some() => return Err(changed(&key, key.version().map_or("unknown", |v| v), "nothing")),
                        Attempt::Missing => return Ok(None),
                        Attempt::NotSo(why) if begun.is_some() => return Err(why.in_object(self.key.url())),
                        Attempt::NotSo(why) => {
                            instead = Some(Some(why));
                            continue;
                        }
                    }
                }
                Err(lost) => lost,
            };
            if let Some(open) = &mut begun {
                let pinned = if key.version().is_some() { key.clone() } else { key.with_version(open.told.version.clone()) };
                if !is_strong(pinned.version()) {
                    open.taken = sink.rewind();
                }
                failed = if open.taken >= before + PROGRESS { 0 } else { failed };
                // Nothing is known, and nothing is had, of what may be of any length: that is no beginning.
                if open.end == u64::MAX && open.taken == 0 {
                    begun = None;
                } else {
                    key = pinned;
                }
            }
            // A server that says wrong things is asked once more, not for ever.
            wrong += u32::from(lost.wrong);
            let lost = if wrong > 1 { Lost { kind: FailureKind::Final, ..lost } } else { lost };
            failed += 1;
            self.again(lost, failed, slot).await?;
        }
    }

    /// Waits until a request that failed so many times is to be sent again.
    async fn again(&self, lost: Lost, failed: u32, slot: Slot) -> Result<()> {
        let failure = Failure { kind: lost.kind, retry_after: lost.retry_after };
        slot.failed(&failure);
        match self.host.retry(failed, &failure) {
            Some(wait) => {
                self.counters.retry(&lost.error);
                crate::trace::repeated(self.key, &lost.error);
                tokio::time::sleep(wait).await;
                Ok(())
            }
            None => Err(after(lost.error, failed).in_object(self.key.url())),
        }
    }

    /// A place among the requests in flight.
    async fn admit(&self, part: &Part) -> Result<Slot> {
        let most = if let Part::Whole { most } = part { *most } else { u64::MAX };
        let slot = self.host.admit(part.length().unwrap_or(most.min(TYPICAL))).await;
        self.counters.request(part.length().unwrap_or(0))?; // what is not known yet is counted when the answer tells
        Ok(slot)
    }

    async fn attempt(&self, part: &Part, key: &ObjectKey, begun: &mut Option<Begun>, sink: &mut dyn Sink, slot: &mut Slot) -> Result<Attempt, Lost> {
        let came = match self.answer(part, key, slot).await? {
            Answer::Missing => return Ok(Attempt::Missing),
            Answer::NotSo(why) => return Ok(Attempt::NotSo(why)),
            Answer::Came(came) => came,
        };
        slot.answered();
        let Came { promise, version, framed, body } = came;
        if let Some(length) = promise.length {
            self.counters.settle(part.length().unwrap_or(0), length)?;
        }
        settle(key, version.as_ref())?;
        let told = Told { size: promise.size, version, whole: None };
        let most = if let Part::Whole { most } = part { *most } else { u64::MAX };
        if promise.unasked {
            let whole = self.collect(body, promise.length, MOST_WHOLE, slot).await?;
            let size = whole.len() as u64;
            let wanted = match part {
                Part::Range(range) => range.start.min(size)..range.end.min(size),
                Part::Suffix(length) => size.saturating_sub(*length)..size,
                Part::Whole { .. } => 0..size,
            };
            let told = Told { size: Some(size), whole: Some(whole.clone()), ..told };
            if begun.is_none() {
                sink.begin(wanted.start, Some(wanted.end - wanted.start), &told)?;
                *begun = Some(Begun { start: wanted.start, end: wanted.end, taken: 0, most, told });
            }
            if let Some(piece) = slice(&whole, &wanted).filter(|piece| !piece.is_empty()) {
                sink.piece(piece)?;
            }
            self.host.refuses_ranges();
            return Ok(Attempt::Done);
        }
        if !matches!(part, Part::Whole { .. }) {
            self.host.serves_ranges();
        }
        if let Some(size) = promise.size.or(promise.length).filter(|_| matches!(part, Part::Whole { .. })) {
            Limits::check("bytes of a whole object", size, most)?;
        }
        let begun = match begun {
            Some(begun) => {
                if let (u64::MAX, Some(size)) = (begun.end, told.size) {
                    Limits::check("bytes of a whole object", size, begun.most)?;
                    (begun.end, begun.told.size) = (size, Some(size)); // the answer before did not tell
                }
                if begun.told.size != told.size || begun.told.version != told.version {
                    return Err(changed(key, &describe(&begun.told), &describe(&told)).into());
                }
                begun
            }
            None => {
                let Range { start, end } = promise.wanted;
                sink.begin(start, (end != u64::MAX).then_some(end - start), &told)?;
                begun.insert(Begun { start, end, taken: 0, most, told })
            }
        };
        match promise.length {
            // Whether it has its length is known when it ends, and nobody is to have any of it before.
            Some(length) if !framed => {
                let body = self.collect(body, Some(length), length, slot).await?;
                begun.feed(promise.start, &body, sink)?;
            }
            _ => self.pour(body, &promise, begun, sink, slot).await?,
        }
        Ok(Attempt::Done)
    }

    /// Reads a body into the sink.
    async fn pour(&self, body: Body, promise: &Promise, begun: &mut Begun, sink: &mut dyn Sink, slot: &mut Slot) -> Result<(), Lost> {
        let mut at = promise.start;
        let mut body = Paced::new(body, self.network);
        loop {
            let piece = match body.next().await {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(_) if at >= begun.end => return Ok(()), // all that was wanted is here
                Err(lost) => return Err(lost),
            };
            slot.received(piece.len());
            let end = at.saturating_add(piece.len() as u64);
            if promise.length.is_some_and(|length| end - promise.start > length) {
                return Err(Lost::wrong(format!("a body of more than the {} bytes that were told", promise.length.unwrap_or(0))));
            }
            self.counters.received(piece.len());
            begun.feed(at, &piece, sink)?;
            at = end;
            let rest = promise.length.map_or(0, |length| length - (at - promise.start));
            if at >= begun.end && rest > READ_OFF {
                return Ok(());
            }
        }
        match promise.length {
            Some(length) if at - promise.start != length => {
                Err(Lost::broken(format!("a body of {} bytes where {length} were told", at - promise.start)))
            }
            _ => Ok(()),
        }
    }

    /// Reads a body into one buffer.
    async fn collect(&self, body: Body, length: Option<u64>, most: u64, slot: &mut Slot) -> Result<Bytes, Lost> {
        let mut body = Paced::new(body, self.network);
        let mut out = Vec::new();
        while let Some(piece) = body.next().await? {
            slot.received(piece.len());
            if out.len() as u64 + piece.len() as u64 > most {
                return Err(match length {
                    Some(length) => Lost::wrong(format!("a body of more than the {length} bytes that were told")),
                    None => Error::new(ErrorKind::RangeUnsupported).into(),
                });
            }
            grow(&mut out, piece.len())?;
            out.extend_from_slice(&piece);
        }
        if length.is_some_and(|length| length != out.len() as u64) {
            return Err(Lost::broken(format!("a body of {} bytes where {} were told", out.len(), length.unwrap_or(0))));
        }
        self.counters.received(out.len());
        Ok(out.into())
    }

    /// The head of the answer; of the first of two where the first request keeps it waiting for longer than nearly all before.
    async fn answer(&self, part: &Part, key: &ObjectKey, slot: &mut Slot) -> Result<Answer, Lost> {
        let Some(after) = self.host.hedge_after() else { return self.send(part, key).await };
        let first = std::pin::pin!(self.send(part, key));
        let late = std::pin::pin!(tokio::time::sleep(after));
        let first = match select(first, late).await {
            Either::Left((answer, _)) => return answer,
            Either::Right(((), first)) if !self.host.hedge() => return first.await,
            Either::Right(((), first)) => first,
        };
        let is_sent = AtomicBool::new(false);
        let second = std::pin::pin!(async {
            let slot = self.admit(part).await?;
            is_sent.store(true, Ordering::Relaxed);
            Ok::<_, Lost>((self.send(part, key).await?, slot))
        });
        let mut of_second = |(answer, second): (Answer, Slot)| {
            slot.overtaken_by(&second);
            answer
        };
        match select(first, second).await {
            Either::Left((Ok(answer), _)) => Ok(answer),
            // One that waits for a place may be waiting for the one that the first has.
            Either::Left((Err(lost), _)) if !is_sent.load(Ordering::Relaxed) => Err(lost),
            Either::Left((Err(_), second)) => second.await.map(of_second),
            Either::Right((Ok(both), _)) => Ok(of_second(both)),
            Either::Right((Err(_), first)) => first.await,
        }
    }

    /// Sends one request.
    async fn send(&self, part: &Part, key: &ObjectKey) -> Result<Answer, Lost> {
        let range = match part {
            Part::Range(range) if range.end == u64::MAX => Some(GetRange::Offset(range.start)),
            Part::Range(range) => Some(GetRange::Bounded(range.clone())),
            Part::Suffix(length) => Some(GetRange::Suffix(*length)),
            Part::Whole { .. } => None,
        };
        match self.exchange(options(key, range, false)).await? {
            #[cfg(feature = "cloud")]
            Exchanged::Wire(reply) => self.judge(part, key, *reply),
            Exchanged::Store(Ok(result)) => of_store(result, part, key).map(Answer::Came),
            Exchanged::Store(Err(error)) => self.refused(error, part, key),
        }
    }

    #[cfg(feature = "cloud")]
    fn judge(&self, part: &Part, key: &ObjectKey, reply: super::wire::Reply) -> Result<Answer, Lost> {
        let answered = || {
            let status = reqwest::StatusCode::from_u16(reply.head.status).map_or_else(|_| reply.head.status.to_string(), |s| s.to_string());
            let code = reply.code.as_ref().map_or_else(String::new, |code| format!(" ({code})"));
            format!("the server answered {status}{code}")
        };
        let lost = |kind, error: Error| Lost { kind, error, retry_after: reply.retry_after(), wrong: false };
        Ok(match check(part, &reply.head, MOST_WHOLE) {
            Verdict::Good(promise) => Answer::Came(Came {
                version: version(reply.head.e_tag.as_deref(), reply.head.last_modified.as_deref(), promise.size),
                framed: reply.head.content_length.is_some(),
                promise,
                body: reply.body.bytes_stream().map_err(|e| Lost::of(&e)).boxed(),
            }),
            Verdict::Missing => Answer::Missing,
            Verdict::Changed => return Err(changed(key, key.version().map_or("unknown", |v| v), "another version").into()),
            Verdict::NotSatisfiable if !matches!(part, Part::Whole { .. }) => Answer::NotSo(Error::storage(answered())),
            Verdict::Refused if matches!(part, Part::Suffix(_)) && matches!(reply.head.status, 400 | 405 | 501) => {
                Answer::NotSo(Error::storage(answered()))
            }
            Verdict::Denied => return Err(lost(FailureKind::Final, Error::denied(answered()))),
            Verdict::Throttled => return Err(lost(FailureKind::Throttled, Error::storage(answered()))),
            Verdict::Server => return Err(lost(FailureKind::Server, Error::storage(answered()))),
            Verdict::Refused | Verdict::NotSatisfiable => return Err(Error::storage(answered()).into()),
            Verdict::RangeUnsupported => return Err(Error::new(ErrorKind::RangeUnsupported).into()),
            Verdict::Encoded(encoding) => return Err(Error::new(ErrorKind::Encoded(encoding)).into()),
            Verdict::Wrong(what) => return Err(Lost::wrong(what)),
        })
    }

    /// What the refusal of a store means that is not reached over HTTP, or did not get that far.
    fn refused(&self, error: object_store::Error, part: &Part, key: &ObjectKey) -> Result<Answer, Lost> {
        use object_store::Error as E;
        let said = |error| errors::from_store(error, self.key);
        match &error {
            E::NotFound { .. } => Ok(Answer::Missing),
            E::Precondition { .. } | E::NotModified { .. } => Err(changed(key, key.version().map_or("unknown", |v| v), "another version").into()),
            E::NotSupported { .. } | E::NotImplemented { .. } if matches!(part, Part::Suffix(_)) => Ok(Answer::NotSo(said(&error))),
            // The stores' error for a range past the end has no type of its own.
            E::Generic { .. } if !matches!(part, Part::Whole { .. }) && !errors::is_from_network(&error) => Ok(Answer::NotSo(said(&error))),
            _ => Err(said(&error).into()),
        }
    }

    /// Size and version of the object.
    async fn size(&self, key: &ObjectKey) -> Result<Option<Told>> {
        let mut failed = 0;
        loop {
            let mut slot = self.host.admit(0).await;
            self.counters.request(0)?;
            let lost = match self.head(key).await {
                Ok(told) => {
                    slot.answered();
                    slot.done();
                    return Ok(told);
                }
                Err(lost) => lost,
            };
            failed += 1;
            self.again(lost, failed, slot).await?;
        }
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<Told>, Lost> {
        let told = match self.exchange(options(key, None, true)).await? {
            #[cfg(feature = "cloud")]
            Exchanged::Wire(reply) => match self.judge(&Part::Whole { most: u64::MAX }, key, *reply)? {
                Answer::Came(came) => Told { size: came.promise.size, version: came.version, whole: None },
                _ => return Ok(None),
            },
            Exchanged::Store(Ok(result)) => Told { size: Some(result.meta.size), version: version_of(&result), whole: None },
            Exchanged::Store(Err(object_store::Error::NotFound { .. })) => return Ok(None),
            Exchanged::Store(Err(e)) => return Err(errors::from_store(&e, self.key).into()),
        };
        settle(key, told.version.as_ref())?;
        Ok(Some(told))
    }

    /// The range that a part is, by the size of the object; `why` is what the part itself was refused with.
    async fn by_size(&self, part: &Part, why: Option<Error>) -> Result<Option<(Range<u64>, Told)>> {
        let Some(told) = self.size(self.key).await? else { return Ok(None) };
        let size = told.size.ok_or_else(|| Error::storage("the server does not tell the size of the object").in_object(self.key.url()))?;
        let range = match part {
            Part::Suffix(length) => size.saturating_sub(*length)..size,
            Part::Range(range) => match why {
                Some(why) if range.start < size => return Err(why.in_object(self.key.url())),
                _ => size..size,
            },
            Part::Whole { .. } => 0..size,
        };
        Ok(Some((range, told)))
    }

    #[cfg(feature = "cloud")]
    async fn exchange(&self, mut options: GetOptions) -> Result<Exchanged, Lost> {
        let exchange = super::wire::Exchange::default();
        options.extensions.insert(exchange.clone());
        let result = self.store.get_opts(self.path, options).await;
        for _ in 1..exchange.sent() {
            self.counters.request(0)?;
        }
        match exchange.take() {
            Some(reply) => reply.map(|reply| Exchanged::Wire(Box::new(reply))),
            None => Ok(Exchanged::Store(result)),
        }
    }

    #[cfg(not(feature = "cloud"))]
    async fn exchange(&self, options: GetOptions) -> Result<Exchanged, Lost> {
        Ok(Exchanged::Store(self.store.get_opts(self.path, options).await))
    }
}

enum Exchanged {
    /// The answer of a server.
    #[cfg(feature = "cloud")]
    Wire(Box<super::wire::Reply>),
    /// What a store made of it that is not reached over HTTP, or of a request that was not sent.
    Store(object_store::Result<GetResult>),
}

/// The answer of a store that is trusted to know ranges.
fn of_store(result: GetResult, part: &Part, key: &ObjectKey) -> Result<Came, Lost> {
    let size = result.meta.size;
    let wanted = match part {
        Part::Range(range) => range.start.min(size)..range.end.min(size),
        Part::Suffix(length) => size.saturating_sub(*length)..size,
        Part::Whole { .. } => 0..size,
    };
    let came = result.range.clone();
    if came != wanted {
        return Err(Lost::wrong(format!("bytes {}..{} were asked for, {}..{} came", wanted.start, wanted.end, came.start, came.end)));
    }
    let promise = Promise { start: wanted.start, length: Some(wanted.end - wanted.start), wanted, size: Some(size), unasked: false };
    let (version, named) = (version_of(&result), key.clone());
    let body = result.into_stream().map_err(move |e| Lost::broken_by(errors::from_store(&e, &named))).boxed();
    Ok(Came { promise, version, framed: true, body })
}

fn options(key: &ObjectKey, range: Option<GetRange>, head: bool) -> GetOptions {
    // a weak ETag never matches in an If-Match; it is compared afterwards, as versions made up by us are
    let if_match = key.version().filter(|v| is_strong(Some(v))).map(|v| v.to_string());
    GetOptions { if_match, range, head, ..GetOptions::default() }
}

/// Whether a version is a validator that tells every two generations apart (RFC 9110 section 8.8.1).
pub(super) fn is_strong(version: Option<&Arc<str>>) -> bool {
    version.is_some_and(|v| if_match(v).is_some())
}

pub(super) fn version_of(result: &GetResult) -> Option<Arc<str>> {
    let meta = &result.meta;
    let modified = meta.last_modified.timestamp_millis();
    version(meta.e_tag.as_deref(), (modified != 0).then(|| modified.to_string()).as_deref(), Some(meta.size))
}

/// An error where the key is pinned to another version.
fn settle(key: &ObjectKey, version: Option<&Arc<str>>) -> Result<()> {
    match (key.version(), version) {
        (Some(old), new) if Some(old) != new => Err(changed(key, old, new.map_or("unknown", |v| v))),
        _ => Ok(()),
    }
}

fn describe(told: &Told) -> String {
    told.version.as_ref().map_or_else(|| format!("size {}", told.size.unwrap_or(0)), ToString::to_string)
}

/// Says how often it was tried.
fn after(error: Error, attempts: u32) -> Error {
    match error.kind() {
        ErrorKind::Storage(message) if attempts > 1 => Error::storage(format!("{message} ({attempts} attempts)")),
        _ => error,
    }
}
