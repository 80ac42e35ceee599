//! Single flight: whoever wants what is being fetched waits for that fetch.
//!
//! A *flight* is one key being fetched, with those who wait for it; a *job* is one piece of work that lands one or more flights. A job
//! is aborted when nobody waits for any of its flights any more. Nothing here waits or spawns, so that the whole
//! state machine can be model-checked.

use std::collections::HashMap;
use std::hash::Hash;

#[cfg(all(test, swath_loom))]
use loom::sync::{Mutex, MutexGuard};
use std::sync::PoisonError;
#[cfg(not(all(test, swath_loom)))]
use std::sync::{Mutex, MutexGuard};

/// The flights of one `Io`. `W` is how a waiter is told, `A` how a job is aborted.
pub(crate) struct Flights<K, W, A> {
    state: Mutex<State<K, W, A>>,
}

struct State<K, W, A> {
    flights: HashMap<K, Flight<W>>,
    jobs: HashMap<u64, Job<K, A>>,
    next: u64,
}

struct Flight<W> {
    /// `None` between [`Flights::enter`] and [`Flights::launch`].
    job: Option<u64>,
    waiters: Vec<(u64, W)>,
}

struct Job<K, A> {
    keys: Vec<K>,
    /// How many of its flights somebody waits for.
    wanted: usize,
    abort: Option<A>,
}

/// The answer to [`Flights::enter`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entered<V> {
    /// It was known already.
    Known(V),
    /// The caller is the first, and must [`launch`](Flights::launch) before it gives up its ticket.
    Leads(Ticket),
    /// It is being fetched.
    Follows(Ticket),
}

/// Names a waiter, for [`Flights::leave`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

impl<K: Hash + Eq + Clone, W, A> Flights<K, W, A> {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State { flights: HashMap::new(), jobs: HashMap::new(), next: 0 }) }
    }

    /// Waits for `key`. Where it is not being fetched `known` is asked first, under the same lock: a job that makes its
    /// result known before it lands is thus never fetched twice.
    pub(crate) fn enter<V>(&self, key: &K, waiter: W, known: impl FnOnce() -> Option<V>) -> Entered<V> {
        let mut state = self.lock();
        let id = state.next;
        state.next += 1;
        let State { flights, jobs, .. } = &mut *state;
        if let Some(flight) = flights.get_mut(key) {
            if flight.waiters.is_empty()
                && let Some(job) = flight.job.and_then(|job| jobs.get_mut(&job))
            {
                job.wanted += 1;
            }
            flight.waiters.push((id, waiter));
            return Entered::Follows(Ticket(id));
        }
        if let Some(value) = known() {
            return Entered::Known(value);
        }
        flights.insert(key.clone(), Flight { job: None, waiters: vec![(id, waiter)] });
        Entered::Leads(Ticket(id))
    }

    /// Makes one job of flights that the caller leads.
    pub(crate) fn launch(&self, keys: Vec<K>) -> u64 {
        let mut state = self.lock();
        let id = state.next;
        state.next += 1;
        let mut wanted = 0;
        for key in &keys {
            if let Some(flight) = state.flights.get_mut(key) {
                flight.job = Some(id);
                wanted += usize::from(!flight.waiters.is_empty());
            }
        }
        state.jobs.insert(id, Job { keys, wanted, abort: None });
        id
    }

    /// Says how a job is aborted; gives it back where the job is over already.
    pub(crate) fn set_abort(&self, job: u64, abort: A) -> Option<A> {
        match self.lock().jobs.get_mut(&job) {
            Some(job) => {
                job.abort = Some(abort);
                None
            }
            None => Some(abort),
        }
    }

    /// Ends a job: its keys in the order of the launch, with those who wait for each. Nothing where it was aborted; not those that
    /// [`land_one`](Self::land_one) ended before.
    pub(crate) fn land(&self, job: u64) -> Vec<(K, Vec<W>)> {
        let mut state = self.lock();
        let Some(ended) = state.jobs.remove(&job) else { return Vec::new() };
        let mut all = Vec::with_capacity(ended.keys.len());
        for key in ended.keys {
            // by now the key may be another job's
            if state.flights.get(&key).is_some_and(|flight| flight.job == Some(job))
                && let Some(flight) = state.flights.remove(&key)
            {
                all.push((key, waiters(flight)));
            }
        }
        all
    }

    /// Ends one flight of a job that goes on: those who wait for it. The job is over where nobody waits for its other flights.
    pub(crate) fn land_one(&self, job: u64, key: &K) -> (Vec<W>, Option<A>) {
        let mut state = self.lock();
        if state.flights.get(key).is_none_or(|flight| flight.job != Some(job)) {
            return (Vec::new(), None);
        }
        let told = state.flights.remove(key).map(waiters).unwrap_or_default();
        let State { flights, jobs, .. } = &mut *state;
        let Some(going) = jobs.get_mut(&job) else { return (told, None) };
        going.wanted -= usize::from(!told.is_empty());
        let is_open = |key: &K| flights.get(key).is_some_and(|flight| flight.job == Some(job));
        if going.wanted > 0 || !going.keys.iter().any(is_open) {
            return (told, None);
        }
        let given_up = jobs.remove(&job);
        for key in given_up.iter().flat_map(|job| &job.keys) {
            if flights.get(key).is_some_and(|flight| flight.job == Some(job)) {
                flights.remove(key);
            }
        }
        (told, given_up.and_then(|job| job.abort))
    }

    /// Stops waiting. Gives the way to abort the job where nobody waits for it any more.
    pub(crate) fn leave(&self, key: &K, ticket: Ticket) -> Option<A> {
        let mut state = self.lock();
        let State { flights, jobs, .. } = &mut *state;
        let flight = flights.get_mut(key)?;
        let place = flight.waiters.iter().position(|(id, _)| *id == ticket.0)?;
        flight.waiters.swap_remove(place);
        if !flight.waiters.is_empty() {
            return None;
        }
        let Some(id) = flight.job else {
            flights.remove(key);
            return None;
        };
        let job = jobs.get_mut(&id)?;
        job.wanted -= 1;
        if job.wanted > 0 {
            return None;
        }
        let job = jobs.remove(&id)?;
        for key in &job.keys {
            // those that landed before may be another job's by now
            if flights.get(key).is_some_and(|flight| flight.job == Some(id)) {
                flights.remove(key);
            }
        }
        job.abort
    }

    /// How many keys are being fetched.
    #[cfg(any(test, feature = "__inject"))]
    pub(crate) fn len(&self) -> usize {
        self.lock().flights.len()
    }

    fn lock(&self) -> MutexGuard<'_, State<K, W, A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn waiters<W>(flight: Flight<W>) -> Vec<W> {
    flight.waiters.into_iter().map(|(_, waiter)| waiter).collect()
}

#[cfg(all(test, not(swath_loom)))]
mod tests {
    use super::*;

    fn unknown() -> Option<()> {
        None
    }

    #[test]
    fn a_job_lives_as_long_as_somebody_waits() {
        let flights: Flights<&str, u8, &str> = Flights::new();
        let Entered::Leads(a1) = flights.enter(&"a", 1, unknown) else { panic!("the first leads") };
        let Entered::Leads(b1) = flights.enter(&"b", 1, unknown) else { panic!("the first leads") };
        let job = flights.launch(vec!["a", "b"]);
        assert_eq!(flights.set_abort(job, "abort"), None);
        let Entered::Follows(a2) = flights.enter(&"a", 2, unknown) else { panic!("the second follows") };

        assert_eq!(flights.leave(&"a", a1), None);
        assert_eq!(flights.leave(&"b", b1), None);
        assert_eq!(flights.leave(&"b", b1), None, "leaving twice is nothing");
        let Entered::Follows(b3) = flights.enter(&"b", 3, unknown) else { panic!("still in flight for the sake of a") };
        assert_eq!(flights.leave(&"a", a2), None);
        assert_eq!(flights.leave(&"b", b3), Some("abort"));
        assert_eq!((flights.len(), flights.land(job)), (0, vec![]));
        assert_eq!(flights.set_abort(job, "late"), Some("late"));
    }

    #[test]
    fn flights_of_one_job_land_one_by_one() {
        let flights: Flights<&str, u8, &str> = Flights::new();
        let tickets: Vec<_> = ["a", "b", "c"].iter().map(|key| flights.enter(key, 1, unknown)).collect();
        let job = flights.launch(vec!["a", "b", "c"]);
        assert_eq!(flights.set_abort(job, "abort"), None);
        assert_eq!(flights.land_one(job, &"a"), (vec![1], None));
        assert_eq!(flights.land_one(job, &"a"), (vec![], None), "once");

        // The key is another job's now, and stays so.
        let Entered::Leads(_) = flights.enter(&"a", 7, unknown) else { panic!("a has landed") };
        let other = flights.launch(vec!["a"]);
        let Entered::Leads(c) = tickets[2] else { panic!("the first leads") };
        assert_eq!(flights.leave(&"c", c), None);
        assert_eq!(flights.land_one(job, &"b"), (vec![1], Some("abort")), "nobody waits for c");
        assert_eq!(flights.land(job), vec![]);
        assert_eq!(flights.land(other), vec![("a", vec![7])]);
        assert_eq!(flights.len(), 0);
    }

    #[test]
    fn landing_tells_everybody_once() {
        let flights: Flights<&str, u8, ()> = Flights::new();
        let _ = flights.enter(&"a", 1, unknown);
        let _ = flights.enter(&"a", 2, unknown);
        let job = flights.launch(vec!["a"]);
        assert_eq!(flights.land(job), vec![("a", vec![1, 2])]);
        assert_eq!(flights.enter(&"a", 3, || Some(7)), Entered::Known(7));
        assert_eq!(flights.len(), 0);
    }
}

#[cfg(all(test, swath_loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
    use loom::thread;

    struct World {
        flights: Flights<u8, Arc<AtomicUsize>, Arc<AtomicBool>>,
        known: AtomicUsize,
        loads: AtomicUsize,
    }

    fn world() -> Arc<World> {
        Arc::new(World { flights: Flights::new(), known: AtomicUsize::new(0), loads: AtomicUsize::new(0) })
    }

    fn fetch(world: &World, told: &Arc<AtomicUsize>) {
        let known = || (world.known.load(SeqCst) != 0).then(|| world.known.load(SeqCst));
        match world.flights.enter(&1, told.clone(), known) {
            Entered::Known(value) => told.store(value, SeqCst),
            Entered::Follows(_) => {}
            Entered::Leads(_) => {
                let job = world.flights.launch(vec![1]);
                world.loads.fetch_add(1, SeqCst);
                world.known.store(42, SeqCst);
                for (_, waiters) in world.flights.land(job) {
                    waiters.iter().for_each(|w| w.store(42, SeqCst));
                }
            }
        }
    }

    /// Whatever the interleaving, two readers of one key are both told, by one load.
    #[test]
    fn loom_one_load_tells_all() {
        loom::model(|| {
            let world = world();
            let told: Vec<_> = (0..2).map(|_| Arc::new(AtomicUsize::new(0))).collect();
            let other = thread::spawn({
                let (world, told) = (world.clone(), told[0].clone());
                move || fetch(&world, &told)
            });
            fetch(&world, &told[1]);
            other.join().unwrap();
            assert!(told.iter().all(|t| t.load(SeqCst) == 42));
            assert_eq!(world.loads.load(SeqCst), 1);
        });
    }

    /// A reader that leaves never takes the fetch away from one that stays, and the last one aborts it.
    #[test]
    fn loom_leaving_never_starves_a_follower() {
        loom::model(|| {
            let world = world();
            let aborted = Arc::new(AtomicBool::new(false));
            let first = Arc::new(AtomicUsize::new(0));
            let Entered::Leads(ticket) = world.flights.enter(&1, first.clone(), || None::<usize>) else { panic!("nobody is there") };
            let job = world.flights.launch(vec![1]);
            assert!(world.flights.set_abort(job, aborted.clone()).is_none());

            let leaver = thread::spawn({
                let world = world.clone();
                move || world.flights.leave(&1, ticket).into_iter().for_each(|a| a.store(true, SeqCst))
            });
            let lander = thread::spawn({
                let world = world.clone();
                move || {
                    for (_, waiters) in world.flights.land(job) {
                        waiters.iter().for_each(|w| w.store(42, SeqCst));
                    }
                }
            });
            let told = Arc::new(AtomicUsize::new(0));
            let entered = world.flights.enter(&1, told.clone(), || None::<usize>);
            leaver.join().unwrap();
            lander.join().unwrap();
            match entered {
                Entered::Follows(_) => {
                    assert_eq!(told.load(SeqCst), 42);
                    assert!(!aborted.load(SeqCst));
                }
                Entered::Leads(_) => assert_eq!(world.flights.len(), 1),
                Entered::Known(_) => unreachable!("nothing is known"),
            }
        });
    }

    /// Of two flights of one job each is told once, whether it lands alone, at the end, or while its reader leaves.
    #[test]
    fn loom_landing_one_by_one_loses_nobody() {
        loom::model(|| {
            let world = world();
            let told: Vec<_> = (0..2).map(|_| Arc::new(AtomicUsize::new(0))).collect();
            let Entered::Leads(first) = world.flights.enter(&1, told[0].clone(), || None::<usize>) else { panic!("nobody is there") };
            let Entered::Leads(_) = world.flights.enter(&2, told[1].clone(), || None::<usize>) else { panic!("nobody is there") };
            let job = world.flights.launch(vec![1, 2]);
            assert!(world.flights.set_abort(job, Arc::new(AtomicBool::new(false))).is_none());
            let leaver = thread::spawn({
                let world = world.clone();
                move || world.flights.leave(&1, first).is_some()
            });
            let (waiters, over) = world.flights.land_one(job, &1);
            waiters.iter().for_each(|w| {
                w.fetch_add(1, SeqCst);
            });
            assert!(over.is_none(), "somebody waits for the other");
            for (_, waiters) in world.flights.land(job) {
                waiters.iter().for_each(|w| {
                    w.fetch_add(1, SeqCst);
                });
            }
            assert!(!leaver.join().unwrap());
            assert!(told[0].load(SeqCst) <= 1);
            assert_eq!(told[1].load(SeqCst), 1);
            assert_eq!(world.flights.len(), 0);
        });
    }
}
