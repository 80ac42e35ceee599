//! A budget, of bytes or of requests, that readers pass one after the other.
//!
//! First come, first served: a large request is not overtaken for ever by small ones. One above the whole budget is
//! admitted when nothing else is, so that no size locks up. A budget may change while it is used: what is admitted stays so.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};

#[cfg(all(test, swath_loom))]
use loom::sync::{Arc, Mutex, MutexGuard};
#[cfg(not(all(test, swath_loom)))]
use std::sync::{Arc, Mutex, MutexGuard};

/// A budget.
#[derive(Clone)]
pub(crate) struct Admission(Arc<Mutex<State>>);

struct State {
    budget: u64,
    used: u64,
    next: u64,
    queue: VecDeque<Waiting>,
    /// Admitted, and not yet told.
    admitted: HashSet<u64>,
}

struct Waiting {
    id: u64,
    bytes: u64,
    waker: Waker,
}

impl Admission {
    /// A budget of so many bytes, or of so many of what else is asked for.
    pub(crate) fn new(budget: u64) -> Self {
        Self(Arc::new(Mutex::new(State { budget, used: 0, next: 0, queue: VecDeque::new(), admitted: HashSet::new() })))
    }

    /// Changes the budget to what `budget` says; it is asked in the lock, so that of two changes at once the newer one stays.
    pub(crate) fn resize(&self, budget: impl FnOnce() -> u64) {
        let mut state = self.lock();
        state.budget = budget();
        let wakers = state.admit();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Waits until `bytes` fit, or nothing else is admitted. Dropping the future gives up its place.
    pub(crate) fn acquire(&self, bytes: u64) -> Acquire {
        Acquire { admission: self.clone(), bytes, place: Place::None }
    }

    /// Admits `bytes` at once, or not at all.
    #[cfg(test)]
    pub(crate) fn try_acquire(&self, bytes: u64) -> Option<Permit> {
        let mut state = self.lock();
        if !state.queue.is_empty() || !state.fits(bytes) {
            return None;
        }
        state.used = state.used.saturating_add(bytes);
        drop(state);
        Some(Permit { admission: self.clone(), bytes })
    }

    /// What is admitted now.
    pub(crate) fn used(&self) -> u64 {
        self.lock().used
    }

    fn release(&self, bytes: u64) {
        let mut state = self.lock();
        state.used = state.used.saturating_sub(bytes);
        let wakers = state.admit();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether somebody waits for a part of it.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.lock().queue.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fits(&self, bytes: u64) -> bool {
        self.used == 0 || self.used.saturating_add(bytes) <= self.budget
    }

    /// Admits from the front of the queue, as far as it goes; the wakers are woken by the caller, after the lock.
    fn admit(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        while let Some(front) = self.queue.front()
            && self.fits(front.bytes)
            && let Some(front) = self.queue.pop_front()
        {
            self.used = self.used.saturating_add(front.bytes);
            self.admitted.insert(front.id);
            wakers.push(front.waker);
        }
        wakers
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").field("budget", &self.lock().budget).finish_non_exhaustive()
    }
}

/// Bytes admitted; dropping it gives them back.
#[must_use = "the bytes are given back when it is dropped"]
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Admission,
    bytes: u64,
}

impl Permit {
    /// How many bytes it is for.
    #[cfg(all(test, not(swath_loom)))]
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes `bytes` of it as a permit of their own, or all where it is for fewer.
    pub(crate) fn split(&mut self, bytes: u64) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { admission: self.admission.clone(), bytes }
    }

    /// Gives back all but `bytes`.
    #[cfg(all(test, not(swath_loom)))]
    pub(crate) fn shrink(&mut self, bytes: u64) {
        let surplus = self.bytes.saturating_sub(bytes);
        if surplus > 0 {
            self.bytes = bytes;
            self.admission.release(surplus);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.release(self.bytes);
    }
}

/// The future of [`Admission::acquire`].
#[must_use = "nothing is admitted before it is awaited"]
#[derive(Debug)]
pub(crate) struct Acquire {
    admission: Admission,
    bytes: u64,
    place: Place,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    None,
    Queued(u64),
    Done,
}

impl Future for Acquire {
    type Output = Permit;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Permit> {
        let this = &mut *self;
        let mut state = this.admission.lock();
        match this.place {
            Place::None => {
                if !state.queue.is_empty() || !state.fits(this.bytes) {
                    let id = state.next;
                    state.next += 1;
                    state.queue.push_back(Waiting { id, bytes: this.bytes, waker: context.waker().clone() });
                    this.place = Place::Queued(id);
                    return Poll::Pending;
                }
                state.used = state.used.saturating_add(this.bytes);
            }
            Place::Queued(id) => {
                if !state.admitted.remove(&id) {
                    if let Some(waiting) = state.queue.iter_mut().find(|w| w.id == id) {
                        waiting.waker.clone_from(context.waker());
                    }
                    return Poll::Pending;
                }
            }
            Place::Done => panic!("polled after it was ready"),
        }
        this.place = Place::Done;
        Poll::Ready(Permit { admission: this.admission.clone(), bytes: this.bytes })
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        let Place::Queued(id) = self.place else { return };
        let mut state = self.admission.lock();
        if state.admitted.remove(&id) {
            state.used = state.used.saturating_sub(self.bytes);
        } else {
            state.queue.retain(|w| w.id != id);
        }
        let wakers = state.admit();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

#[cfg(all(test, not(swath_loom)))]
mod tests {
    use super::*;

    fn poll(acquire: &mut Acquire) -> Option<Permit> {
        match Pin::new(acquire).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(permit) => Some(permit),
            Poll::Pending => None,
        }
    }

    #[test]
    fn in_order_and_within_the_budget() {
        let admission = Admission::new(100);
        let first = poll(&mut admission.acquire(60)).unwrap();
        let mut large = admission.acquire(50);
        let mut small = admission.acquire(10);
        assert!(poll(&mut large).is_none());
        assert!(poll(&mut small).is_none(), "it would fit, and is not let past");
        assert!(admission.try_acquire(1).is_none());
        drop(first);
        let (large, small) = (poll(&mut large).unwrap(), poll(&mut small).unwrap());
        assert_eq!((admission.used(), large.bytes()), (60, 50));
        drop((large, small));
        assert_eq!(admission.used(), 0);
    }

    #[test]
    fn the_oversized_goes_alone() {
        let admission = Admission::new(100);
        let mut small = admission.try_acquire(80).unwrap();
        let mut huge = admission.acquire(u64::MAX);
        assert!(poll(&mut huge).is_none());
        small.shrink(1);
        assert!(poll(&mut huge).is_none());
        drop(small);
        let huge = poll(&mut huge).unwrap();
        assert!(admission.try_acquire(1).is_none());
        drop(huge);
        assert_eq!(admission.used(), 0);
    }

    #[test]
    fn a_budget_that_changes() {
        let admission = Admission::new(2);
        let held = [admission.try_acquire(1).unwrap(), admission.try_acquire(1).unwrap()];
        let mut waiting = admission.acquire(1);
        assert!(poll(&mut waiting).is_none());
        admission.resize(|| 3);
        let third = poll(&mut waiting).expect("there is room for one more");
        admission.resize(|| 1);
        let mut waiting = admission.acquire(1);
        drop(held);
        assert!(poll(&mut waiting).is_none(), "one is as many as may be");
        drop(third);
        assert!(poll(&mut waiting).is_some());
    }

    #[test]
    fn giving_up_lets_the_next_in() {
        let admission = Admission::new(100);
        let held = admission.try_acquire(50).unwrap();
        let mut large = admission.acquire(80);
        let mut small = admission.acquire(20);
        assert!(poll(&mut large).is_none() && poll(&mut small).is_none());
        drop(large);
        let small = poll(&mut small).unwrap();
        let mut untold = admission.acquire(90);
        assert!(poll(&mut untold).is_none());
        drop((held, small));
        drop(untold);
        assert_eq!(admission.used(), 0, "admitted, never told, dropped");
    }
}

#[cfg(all(test, swath_loom))]
mod loom_tests {
    use super::*;
    use loom::future::block_on;
    use loom::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use loom::thread;

    /// Whatever the interleaving, all pass, and never together above the budget.
    #[test]
    fn loom_admission_passes_all_within_the_budget() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(2); // three threads: all interleavings would take hours
        model.check(|| {
            let admission = Admission::new(2);
            let inside = Arc::new(AtomicU64::new(0));
            let pass = |bytes: u64| {
                let (admission, inside) = (admission.clone(), inside.clone());
                move || {
                    let permit = block_on(admission.acquire(bytes));
                    assert!(inside.fetch_add(bytes, SeqCst) + bytes <= 2);
                    inside.fetch_sub(bytes, SeqCst);
                    drop(permit);
                }
            };
            let others: Vec<_> = [2, 1].into_iter().map(|bytes| thread::spawn(pass(bytes))).collect();
            pass(1)();
            others.into_iter().for_each(|t| t.join().unwrap());
            assert_eq!(admission.used(), 0);
        });
    }

    /// A future dropped while it is being admitted loses nothing.
    #[test]
    fn loom_admission_survives_a_dropped_future() {
        loom::model(|| {
            let admission = Admission::new(1);
            let held = admission.try_acquire(1).unwrap();
            let releaser = thread::spawn(move || drop(held));
            let mut given_up = admission.acquire(1);
            let polled = Pin::new(&mut given_up).poll(&mut Context::from_waker(Waker::noop()));
            drop(given_up);
            drop(polled);
            releaser.join().unwrap();
            drop(block_on(admission.acquire(1)));
            assert_eq!(admission.used(), 0);
        });
    }

    /// Of budgets set by several threads at once the newest stays, and nobody who fits into it is left waiting.
    #[test]
    fn loom_a_resized_admission_forgets_nobody() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(2);
        model.check(|| {
            let admission = Admission::new(1);
            let newest = Arc::new(AtomicU64::new(1));
            let resize = |to: u64| {
                let (admission, newest) = (admission.clone(), newest.clone());
                move || {
                    newest.store(to, SeqCst);
                    admission.resize(|| newest.load(SeqCst));
                }
            };
            let held = admission.try_acquire(1).unwrap();
            let (shrinker, grower) = (thread::spawn(resize(2)), thread::spawn(resize(3)));
            let second = block_on(admission.acquire(1)); // `held` stays: only a larger budget lets it in
            shrinker.join().unwrap();
            grower.join().unwrap();
            drop((held, second));
            let most = newest.load(SeqCst);
            let all: Vec<_> = (0..4).map_while(|_| admission.try_acquire(1)).collect();
            assert_eq!(all.len() as u64, most);
        });
    }
}
