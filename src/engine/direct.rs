//! Chunks whose bytes are at hand, read and decoded by one thread after the other.
//!
//! What is stored in files, in memory or beside the table itself needs no task that waits for it. It is one list of pieces of work, and each
//! thread of the pool takes the next piece by adding one to a number: it reads the stored bytes of the piece into a buffer of its own, decodes
//! and places its chunks, and takes the next. So a chunk costs neither a message nor an allocation, its bytes are in the cache of the core that
//! decodes them, and what is in flight is one piece a thread, however long the list is.
//!
//! A thread that decodes waits for a disk then, where the file is not in memory. That is as it should be: on a machine whose disk is the
//! bottleneck no thread has anything to decode, and the pool bounds how much is asked of the disk, or of a network mount, at once. It never
//! waits for a store, for another thread, or for a budget.
//!
//! Threads are lent: after each piece one looks whether other reads have jobs in the pool's queue, or want of the budgets that this one holds,
//! and steps back behind them.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::call::Memory;
use super::decode::{Held, Shared, Stored, ThreadScratch, with_scratch};
use super::plan::{AtHandList, Planned, Source};
use super::pool;
use super::run::{panic_text, panicked};
use crate::error::{Error, Result};
use crate::io::{AtHand, Counters, Permit};
use crate::model::{Missing, ObjectKey};

/// The chunks of a read that are at hand.
pub(super) struct Direct {
    shared: Arc<Shared>,
    planned: Arc<Planned>,
    list: AtHandList,
    counters: Arc<Counters>,
    /// The next piece of the list.
    next: AtomicUsize,
    /// Whether the budgets are wanted by others.
    leaving: AtomicBool,
    failed: Mutex<Option<Error>>,
    lent: Mutex<Lent>,
}

/// The threads at work.
#[derive(Default)]
struct Lent {
    threads: usize,
    /// What they hold of the call's memory and of the budgets, until the last of them has ended.
    held: Option<(Option<Permit>, [Permit; 2])>,
    done: Option<oneshot::Sender<()>>,
}

thread_local! {
    static READER: RefCell<(AtHand, String)> = RefCell::default();
}

impl Direct {
    pub(super) fn new(shared: Arc<Shared>, planned: Arc<Planned>, list: AtHandList, counters: Arc<Counters>) -> Arc<Self> {
        Arc::new(Self {
            shared,
            planned,
            list,
            counters,
            next: AtomicUsize::new(0),
            leaving: AtomicBool::new(false),
            failed: Mutex::default(),
            lent: Mutex::default(),
        })
    }

    /// Has the list worked off, and ends when no thread is at it any more.
    pub(super) async fn run(self: Arc<Self>, memory: Memory) -> Result<()> {
        let session = &self.shared.array.session;
        let limits = &session.limits;
        let (stored, decoded) = (self.list.stored.max(1), self.list.decoded.max(1));
        // As with what is fetched, half of the budgets is left to others, unless one piece alone is more.
        let most =
            (limits.stored_in_flight / 2 / stored).min(limits.decoded_in_flight / 2 / decoded).min(memory.batch() / stored.saturating_add(decoded));
        let most = usize::try_from(most).unwrap_or(usize::MAX).clamp(1, session.pool.threads().current_num_threads());
        while self.left() > 0 {
            let threads = most.min(self.left());
            let of = |bytes: u64| bytes.saturating_mul(threads as u64);
            let own = memory.acquire(of(stored.saturating_add(decoded))).await;
            let permits = [session.stored_budget.acquire(of(stored)).await, session.decoded_budget.acquire(of(decoded)).await];
            self.leaving.store(false, Ordering::Relaxed);
            let (done, ended) = oneshot::channel();
            *self.lent() = Lent { threads, held: Some((own, permits)), done: Some(done) };
            for _ in 0..threads {
                self.clone().send();
            }
            let _all_have_ended = ended.await;
        }
        match self.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(e) => Err(e),
            None => Ok(()),
        }
    }

    /// Pieces that nobody has taken.
    fn left(&self) -> usize {
        if self.shared.given_up.load(Ordering::Relaxed) {
            return 0;
        }
        self.list.len().saturating_sub(self.next.load(Ordering::Relaxed))
    }
    fn lent(&self) -> std::sync::MutexGuard<'_, Lent> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lends a thread.
    fn send(self: Arc<Self>) {
        let of_job = self.clone();
        self.shared.array.session.pool.send(Box::new(move || of_job.work()));
    }

    /// Works until the list is done, or others want the thread or the budgets.
    fn work(self: Arc<Self>) {
        let session = &self.shared.array.session;
        let steps_back = with_scratch(|scratch| {
            READER.with(|reader| {
                let mut own = (AtHand::default(), String::new());
                let mut shared = reader.try_borrow_mut();
                let (reader, name) = shared.as_deref_mut().unwrap_or(&mut own);
                let mut steps_back = false;
                while self.left() > 0 && !steps_back {
                    let piece = self.next.fetch_add(1, Ordering::Relaxed);
                    if piece >= self.list.len() {
                        break;
                    }
                    let work = || self.piece(piece, reader, name, scratch);
                    let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|p| Err(panicked(&panic_text(&*p))));
                    if let Err(e) = done {
                        self.fail(e);
                    }
                    // All leave when one does: what they hold is given back by the last.
                    if session.stored_budget.is_wanted() || session.decoded_budget.is_wanted() {
                        self.leaving.store(true, Ordering::Relaxed);
                    }
                    if self.leaving.load(Ordering::Relaxed) {
                        break;
                    }
                    steps_back = session.pool.is_wanted() || pool::is_waiting();
                }
                reader.trim();
                scratch.trim();
                steps_back && self.left() > 0
            })
        });
        if steps_back {
            return self.send();
        }
        let mut lent = self.lent();
        lent.threads -= 1;
        let (held, done) = if lent.threads == 0 { (lent.held.take(), lent.done.take()) } else { (None, None) };
        drop(lent);
        // What a read holds is let go of before it is told to have ended.
        drop((held, self));
        if let Some(done) = done {
            let _nobody_waits = done.send(());
        }
    }

    fn fail(&self, e: Error) {
        self.shared.given_up.store(true, Ordering::Relaxed);
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(e);
    }

    /// Reads, decodes and places the chunks of one piece.
    fn piece(&self, piece: usize, reader: &mut AtHand, name: &mut String, scratch: &mut ThreadScratch) -> Result<()> {
        let (shared, planned) = (&self.shared, &self.planned);
        let (array, io) = (&shared.array, &shared.array.session.io);
        let range = self.list.range(planned, piece);
        if let Some((object, range)) = &range {
            let key = planned.object(*object);
            if !io.read_range(key, range.start, range.end, reader, &self.counters)? {
                return Err(Error::not_found(key.url()));
            }
            shared.clock.landed();
        }
        let start = range.map_or(0, |(_, range)| range.start);
        for number in self.list.piece(piece) {
            if shared.given_up.load(Ordering::Relaxed) {
                return Ok(());
            }
            let whole = |is_there: bool, missing: Missing, url: &str| match (is_there, missing) {
                (true, _) => Ok(true),
                (false, Missing::Fill) => Ok(false),
                (false, Missing::Error) => Err(Error::not_found(url)),
            };
            let stored = match planned.parts[number] {
                Source::Absent => Stored::Absent,
                Source::Beside => continue,
                Source::Inline(at) => Stored::Encoded { bytes: Held::Owned(planned.bytes(at).clone()), chain: 0, version: None },
                Source::Decoded(at) => {
                    shared.clock.cached.fetch_add(1, Ordering::Relaxed);
                    Stored::Decoded(planned.bytes(at).clone())
                }
                Source::Range { object, chain, start: first, length } => {
                    let version = if shared.keep { planned.object(object).version().cloned() } else { None };
                    Stored::Encoded { bytes: Held::Borrowed(part(reader.bytes(), first - start, length)), chain, version }
                }
                Source::Named => {
                    let missing = planned.name(array, number, name).unwrap_or(Missing::Error);
                    let is_there = io.read_whole(name, None, array.most_stored(), reader, &self.counters).map_err(|e| array.not_fetched(e))?;
                    shared.clock.landed();
                    self.encoded(whole(is_there, missing, name)?, reader, None)
                }
                Source::Whole { object, missing } => {
                    let key: &ObjectKey = planned.object(object);
                    let is_there = io.read_whole(key.url(), key.version(), array.most_stored(), reader, &self.counters);
                    let is_there = is_there.map_err(|e| array.not_fetched(e))?;
                    shared.clock.landed();
                    self.encoded(whole(is_there, missing, key.url())?, reader, key.version())
                }
            };
            shared.decode(number, stored, scratch)?;
        }
        Ok(())
    }

    fn encoded<'a>(&self, is_there: bool, reader: &'a AtHand, version: Option<&Arc<str>>) -> Stored<'a> {
        if !is_there {
            return Stored::Absent;
        }
        Stored::Encoded { bytes: Held::Borrowed(reader.bytes()), chain: 0, version: version.filter(|_| self.shared.keep).cloned() }
    }
}

/// A part of bytes, or as much of it as they hold.
fn part(bytes: &[u8], start: u64, length: u64) -> &[u8] {
    let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(bytes.len());
    &bytes[at(start)..at(start.saturating_add(length))]
}
