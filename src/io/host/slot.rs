//! A request's place, and what is told of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::super::limit::{Admission, Permit};
use super::Failure;
use super::state::{Attempt, End, State};

/// What the requests to one host share: they outlive its place among the hosts.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Requests, up to the window.
    pub(super) requests: Admission,
}

impl Shared {
    pub(super) fn new(state: State) -> Self {
        Self { requests: Admission::new(state.window() as u64), state: Mutex::new(state) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self, attempt: &Attempt) {
        let is_resized = self.lock().ended(attempt, Instant::now());
        if is_resized {
            self.requests.resize(|| self.lock().window() as u64);
        }
    }
}

/// One attempt at a request, in flight. Dropping it frees its place, and teaches nothing.
pub(crate) struct Slot(Option<Sent>);

struct Sent {
    host: Arc<Shared>,
    attempt: Attempt,
    _permits: [Permit; 4],
}

impl Slot {
    /// Of a store that is not bounded.
    pub(super) fn free() -> Self {
        Self(None)
    }

    pub(super) fn sent(host: Arc<Shared>, attempt: Attempt, permits: [Permit; 4]) -> Self {
        Self(Some(Sent { host, attempt, _permits: permits }))
    }

    /// The answer's headers came.
    pub(crate) fn answered(&mut self) {
        if let Some(sent) = &mut self.0 {
            sent.attempt.answered = Some(Instant::now());
        }
    }

    /// A second request of the same was answered instead. How long that one took is what is learned: else what is late would be found ever later.
    pub(crate) fn overtaken_by(&mut self, second: &Self) {
        if let (Some(first), Some(second)) = (&mut self.0, &second.0) {
            first.attempt.sent = second.attempt.sent;
        }
    }

    /// Bytes of the body came.
    pub(crate) fn received(&mut self, bytes: usize) {
        if let Some(sent) = &mut self.0 {
            sent.attempt.bytes += bytes as u64;
            sent.attempt.received = Some(Instant::now());
        }
    }

    /// The answer was a good one.
    pub(crate) fn done(self) {
        self.end(End::Good);
    }

    /// It was none.
    pub(crate) fn failed(self, failure: &Failure) {
        self.end(End::Failed(*failure));
    }

    fn end(mut self, end: End) {
        if let Some(sent) = &mut self.0 {
            sent.attempt.end = end;
        }
    }
}

impl Drop for Sent {
    /// The window is set before the place is free.
    fn drop(&mut self) {
        self.host.ended(&self.attempt);
    }
}
