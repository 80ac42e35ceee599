//! A watch over time, and an executor that is nobody's.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// Runs a piece of work on a thread of its own and panics where it does not end in time.
pub(crate) fn within<R: Send + 'static>(what: &str, time: Duration, work: impl FnOnce() -> R + Send + 'static) -> R {
    let (send, receive) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let result = work();
        let _nobody_waits = send.send(());
        result
    });
    if receive.recv_timeout(time) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("{what} did not end within {time:?}");
    }
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The time after which a lock-up is one.
pub(crate) const LONG: Duration = Duration::from_secs(60);

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls a future on this thread for at most this long; `None` where it is still pending, and dropped.
pub(crate) fn poll_for<F: Future>(future: F, time: Duration) -> Option<F::Output> {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let end = Instant::now() + time;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
        let left = end.checked_duration_since(Instant::now())?;
        std::thread::park_timeout(left);
    }
}

/// Waits until something holds.
pub(crate) fn until(what: &str, time: Duration, holds: impl Fn() -> bool) {
    let end = Instant::now() + time;
    while !holds() {
        assert!(Instant::now() < end, "{what}: not within {time:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
