//! One large chunk by several threads.

use super::Scratch;
use crate::error::Result;

/// What is decoded in parts by one thread is not longer than this.
#[cfg(feature = "read")]
const ALONE: usize = 4 << 20;

#[cfg(feature = "read")]
thread_local! {
    static AMIDST: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Whether this thread has begun a chunk that it shares with others.
#[cfg(feature = "read")]
pub(crate) fn is_amidst() -> bool {
    AMIDST.get()
}

/// As long as a chunk is shared; nested ones are not.
#[cfg(feature = "read")]
struct Amidst(bool);

#[cfg(feature = "read")]
impl Amidst {
    fn enter() -> Self {
        Self(AMIDST.replace(true))
    }
}

#[cfg(feature = "read")]
impl Drop for Amidst {
    fn drop(&mut self) {
        AMIDST.set(self.0);
    }
}

/// Calls `each` with all items, until one fails. Where they are of more than 4 MiB together, and this is a thread of a pool, other threads of
/// the pool that are free take items too.
///
/// This thread takes items until there are none, and waits for those that others have begun. It takes no other work in the meantime, which would
/// stand on this thread's stack, and hold its memory, on top of the chunk that is begun here: rayon may hand it some all the same in the moment when the
/// last helper ends, so the pool's jobs look whether a thread [is in between](is_amidst) and go to the next one. Work of the caller's own in the pool
/// knows nothing of that; where threads of it wait for reads, chunks are not shared ([`Scratch::shares`]).
#[cfg(feature = "read")]
pub(super) fn for_each<T: Send>(
    items: impl ExactSizeIterator<Item = T> + Send,
    bytes: usize,
    scratch: &mut Scratch,
    each: impl Fn(T, &mut Scratch) -> Result<()> + Sync,
) -> Result<()> {
    use std::cell::RefCell;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    thread_local! {
        static HELPER: RefCell<Scratch> = RefCell::default();
    }
    /// Counts a helper as long as it works, whether it ends or unwinds.
    struct Working<'a>(&'a AtomicUsize);
    impl Drop for Working<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Release);
        }
    }

    let threads = if scratch.shares && rayon::current_thread_index().is_some() { rayon::current_num_threads() } else { 1 };
    let helpers = items.len().min(threads).saturating_sub(1);
    if bytes <= ALONE || helpers == 0 {
        return in_turn(items, scratch, each);
    }
    // Nobody panics with the lock held, but an iterator is as good after a panic as before.
    let queue = Mutex::new((items, Ok(())));
    let lock = || queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let working = AtomicUsize::new(0);
    let work = |scratch: &mut Scratch| {
        loop {
            let next = lock().0.next();
            let Some(item) = next else { return };
            if let Err(error) = each(item, scratch) {
                let mut queue = lock();
                queue.0.by_ref().for_each(drop);
                if queue.1.is_ok() {
                    queue.1 = Err(error);
                }
                return;
            }
        }
    };
    let amidst = Amidst::enter();
    rayon::in_place_scope(|scope| {
        for _ in 0..helpers {
            scope.spawn(|_| {
                working.fetch_add(1, Ordering::Acquire);
                let _working = Working(&working);
                HELPER.with(|scratch| match scratch.try_borrow_mut() {
                    Ok(mut scratch) => {
                        work(&mut scratch);
                        scratch.trim(crate::model::KEPT_BY_THREAD);
                    }
                    Err(_) => work(&mut Scratch::default()),
                });
            });
        }
        work(scratch);
        while working.load(Ordering::Acquire) > 0 {
            std::thread::yield_now();
        }
    });
    drop(amidst);
    queue.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).1
}

/// Calls `each` with all items, until one fails: without the engine there is no pool.
#[cfg(not(feature = "read"))]
pub(super) fn for_each<T>(
    items: impl Iterator<Item = T>,
    _: usize,
    scratch: &mut Scratch,
    each: impl Fn(T, &mut Scratch) -> Result<()>,
) -> Result<()> {
    in_turn(items, scratch, each)
}

fn in_turn<T>(mut items: impl Iterator<Item = T>, scratch: &mut Scratch, each: impl Fn(T, &mut Scratch) -> Result<()>) -> Result<()> {
    items.try_for_each(|item| each(item, scratch))
}
