//! The decode pool.
//!
//! Jobs stand in one queue of the session. The pool's threads take them, and so does a thread of the pool that waits for a read (in a
//! `par_iter` loop over reads, say). Were such a thread to wait without taking jobs, or to take those of its own read only, then all threads
//! could be waiting for budgets held by a read whose jobs stand behind them. A job itself never waits, so whoever takes one ends it.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::codec::parallel;
use crate::error::{Error, Result};

/// Work that never waits and never unwinds.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

pub(crate) struct Pool {
    threads: rayon::ThreadPool,
    queue: Arc<Queue>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    /// How many jobs there are.
    waiting: AtomicUsize,
    /// How many threads of the pool wait for a read.
    blocked: AtomicUsize,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Threads that wait for [`Queue::changed`]: to wake nobody costs a system call, too.
    sleepers: usize,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn push(&self, job: Job) {
        let mut state = self.lock();
        state.jobs.push_back(job);
        self.waiting.store(state.jobs.len(), Ordering::Relaxed);
        let sleepers = state.sleepers;
        drop(state);
        if sleepers > 0 {
            self.changed.notify_all();
        }
    }
    fn pop(&self) -> Option<Job> {
        self.take(&mut self.lock())
    }
    fn take(&self, state: &mut State) -> Option<Job> {
        let job = state.jobs.pop_front();
        self.waiting.store(state.jobs.len(), Ordering::Relaxed);
        job
    }
    /// Waits for a job; `None` as soon as `enough` holds. Whoever makes it hold calls [`wake`](Self::wake) after.
    fn next(&self, enough: impl Fn() -> bool) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if enough() {
                return None;
            }
            if let Some(job) = self.take(&mut state) {
                return Some(job);
            }
            state.sleepers += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.sleepers -= 1;
        }
    }
    fn wake(&self) {
        // Not between a waiter's look and its sleep.
        let sleepers = self.lock().sleepers;
        if sleepers > 0 {
            self.changed.notify_all();
        }
    }
}

impl Pool {
    /// A pool of this many threads; 0 = one a core.
    pub(crate) fn new(threads: usize) -> Result<Self> {
        let threads = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("swath-decode-{i}")).build();
        let threads = threads.map_err(|e| Error::storage("cannot start the decode threads").caused_by(e))?;
        Ok(Self { threads, queue: Arc::default() })
    }
    pub(crate) fn threads(&self) -> &rayon::ThreadPool {
        &self.threads
    }

    /// Has a job done by the first thread that is free, or is waiting.
    pub(crate) fn send(&self, job: Job) {
        self.queue.push(job);
        let queue = self.queue.clone();
        self.threads.spawn(move || take_one(queue));
    }

    /// Whether a thread of the pool waits for a read.
    pub(crate) fn is_waited_in(&self) -> bool {
        self.queue.blocked.load(Ordering::Relaxed) > 0
    }

    /// Whether a job stands in the queue. A hint: it may be taken, or one more may stand there, a moment later.
    pub(crate) fn is_wanted(&self) -> bool {
        self.queue.waiting.load(Ordering::Relaxed) > 0
    }

    /// Polls a future on this thread until it is done. A thread of the pool does jobs in the meantime.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let of_the_pool = self.threads.current_thread_index().is_some();
        let woken = Arc::new(Woken { by: AtomicBool::new(true), queue: of_the_pool.then(|| self.queue.clone()), thread: std::thread::current() });
        let waker = Waker::from(woken.clone());
        let _blocked = of_the_pool.then(|| Blocked::enter(&self.queue.blocked));
        loop {
            if woken.by.swap(false, Ordering::AcqRel)
                && let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker))
            {
                return output;
            }
            match &woken.queue {
                None => std::thread::park(),
                Some(queue) => {
                    if let Some(job) = queue.next(|| woken.by.load(Ordering::Acquire)) {
                        let before = WAITING.replace(true);
                        job();
                        WAITING.set(before);
                    }
                }
            }
        }
    }
}

thread_local! {
    /// Whether this thread does a job while it waits for a future.
    static WAITING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread waits for a future, and does a job in the meantime: it is to look at its future now and then.
pub(crate) fn is_waiting() -> bool {
    WAITING.get()
}

/// Does the next job; a thread that is amidst a chunk leaves it to another.
fn take_one(queue: Arc<Queue>) {
    if parallel::is_amidst() {
        return rayon::spawn(move || take_one(queue));
    }
    if let Some(job) = queue.pop() {
        job();
    }
}

/// Counts a thread as long as it waits.
struct Blocked<'a>(&'a AtomicUsize);

impl<'a> Blocked<'a> {
    fn enter(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Blocked<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A thread that waits for a future.
struct Woken {
    by: AtomicBool,
    /// What it takes jobs from in the meantime.
    queue: Option<Arc<Queue>>,
    thread: std::thread::Thread,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.by.store(true, Ordering::Release);
        match &self.queue {
            Some(queue) => queue.wake(),
            None => self.thread.unpark(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The only thread of a pool waits for what a job behind it does.
    #[test]
    fn a_waiting_thread_does_the_jobs_it_waits_for() {
        let pool = Arc::new(Pool::new(1).unwrap());
        let of_the_pool = pool.clone();
        let answer = pool.threads().install(move || {
            let (send, receive) = tokio::sync::oneshot::channel();
            of_the_pool.send(Box::new(move || send.send(7).unwrap()));
            of_the_pool.block_on(receive).unwrap()
        });
        assert_eq!(answer, 7);
        let (send, receive) = tokio::sync::oneshot::channel();
        pool.send(Box::new(move || send.send(8).unwrap()));
        assert_eq!(pool.block_on(receive).unwrap(), 8);
    }
}
