//! Whatever fails, at whichever call: a read gives the elements, or an error of its kind, and the next read of the same session gives the
//! elements.
//!
//! What fails is in turn each call of the store (a request, a listing, a piece of a body), each request to a server, each allocation by a
//! size from outside, the folder of the cache on disk at each request, and the caller's patience at each poll.

#[path = "../common/mod.rs"]
mod common;
mod injector;
mod scenes;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use common::store::put;
use common::watch::{LONG, poll_for, until, within};
use injector::{FAILURES, Failure, Faults, Injector};
use object_store::memory::InMemory;
use scenes::{Place, Reading, Scene, scenes};
use support::server::Server;
use support::tenant::Tenant;
use swath::model::inject;
use swath::{DiskCache, Error, ErrorKind, Result, Session, SessionOptions, TokenEndpoint};

/// Memory is refused to the whole process: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For all of a test, which takes seconds.
const HANG: Duration = Duration::from_secs(600);

/// Where the objects of a scene are served.
enum Host {
    Store(Arc<Injector>),
    Server(Server),
    Tenant(Tenant),
}

/// A scene whose objects are in place.
struct World {
    scene: Scene,
    faults: Arc<Faults>,
    host: Host,
}

/// A session, and its folder, which goes after it.
struct Run {
    session: Session,
    folder: Option<Folder>,
}

/// A folder of a test's own.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("swath-every-n-{}-{number}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

fn remove(path: &Path) {
    let _none = fs::remove_dir_all(path).or_else(|_| fs::remove_file(path));
}

impl World {
    fn of(scene: Scene) -> Self {
        let faults = Arc::new(Faults::default());
        let fault = {
            let faults = faults.clone();
            move || faults.next().map(Failure::fault)
        };
        let host = match scene.place {
            Place::Store => {
                let memory = InMemory::new();
                scene.objects.iter().for_each(|(name, bytes)| put(&memory, name, bytes.clone()));
                Host::Store(Arc::new(Injector { memory, faults: faults.clone() }))
            }
            Place::Disk => {
                let server = Server::start();
                server.fault_by(move |_, _| fault());
                scene.objects.iter().for_each(|(name, bytes)| server.put(&format!("/{name}"), bytes.clone()));
                Host::Server(server)
            }
            Place::Signed => {
                let tenant = Tenant::start_failing(Duration::from_secs(3600), move |_| fault());
                // What the answers of the endpoint are broken of.
                tenant.server.put("/sas/account/container", "a document of tokens, so it says");
                scene.objects.iter().for_each(|(name, bytes)| tenant.server.put(&format!("/account/container/{name}"), bytes.clone()));
                Host::Tenant(tenant)
            }
        };
        Self { scene, faults, host }
    }

    /// A session that knows nothing yet.
    fn run(&self, attempts: u32) -> Run {
        self.run_in(attempts, (self.scene.place == Place::Disk).then(Folder::new)).unwrap()
    }

    fn run_in(&self, attempts: u32, folder: Option<Folder>) -> Result<Run> {
        let mut options = SessionOptions::default();
        options.threads = 2;
        options.network.attempts = attempts;
        options.network.backoff = Duration::from_micros(10);
        options.network.backoff_most = Duration::from_micros(10);
        options.disk_cache = folder.as_ref().map(|folder| DiskCache::new(&folder.0));
        let builder = Session::builder(options);
        let builder = match &self.host {
            Host::Store(store) => builder.with_store("mine://x", store.clone()),
            Host::Server(_) => builder,
            Host::Tenant(tenant) => {
                let endpoint = TokenEndpoint::new(tenant.template()).unwrap().with_path_style(&tenant.server.url(""));
                builder.with_signer(Arc::new(endpoint))
            }
        };
        Ok(Run { session: builder.build()?, folder })
    }

    fn reading(&self, run: &Run) -> Reading {
        let base = match &self.host {
            Host::Store(_) => "mine://x".to_owned(),
            Host::Server(server) => server.url(""),
            Host::Tenant(tenant) => tenant.server.url("/account/container"),
        };
        (self.scene.read)(run.session.clone(), base)
    }

    fn read(&self, run: &Run) -> Result<Vec<u8>> {
        poll_for(self.reading(run), LONG).unwrap_or_else(|| panic!("{}: a read hangs", self.scene.name))
    }

    /// Whether it was read. Neither wrong elements may come of it, nor another error.
    fn is_read(&self, what: &str, result: Result<Vec<u8>>, may_be: impl Fn(&ErrorKind) -> bool) -> bool {
        match result {
            Ok(read) => {
                assert!(read == self.scene.truth, "{} {what}: wrong elements", self.scene.name);
                true
            }
            Err(e) => {
                assert!(may_be(e.kind()), "{} {what}: {e:?}", self.scene.name);
                false
            }
        }
    }

    /// Nothing is held any more, and the session reads.
    fn recovers(&self, what: &str, run: &Run) {
        until(&format!("{} {what}: what was held is given back", self.scene.name), LONG, || run.session.held() == 0);
        let mut again = self.read(run);
        let is_of_endpoint = |e: &Error| e.object().is_some_and(|object| object.contains("/sas/"));
        if self.scene.place == Place::Signed && again.as_ref().is_err_and(is_of_endpoint) {
            // An endpoint that failed is left alone for a second.
            std::thread::sleep(Duration::from_millis(1100));
            again = self.read(run);
        }
        self.is_read(&format!("{what}, the next read"), again, |_| false);
    }
}

/// Runs `each` for 1, 2 … for as long as it says that its number was reached: how many were.
fn for_each_number(mut each: impl FnMut(u64) -> bool) -> u64 {
    let last = (1..).find(|number| !each(*number));
    last.unwrap_or(0) - 1
}

#[test]
fn each_call_of_a_store_fails() {
    let _alone = alone();
    within("the reads", HANG, || {
        for world in scenes().into_iter().map(World::of) {
            let mut told = BTreeMap::new();
            for (attempts, failure) in [1, 4].into_iter().flat_map(|attempts| FAILURES.map(|failure| (attempts, failure))) {
                let (mut right, mut mended) = (0, true);
                let calls = for_each_number(|number| {
                    let what = format!("{failure:?} at call {number}, {attempts} attempts");
                    world.faults.at(number, move || Some(failure));
                    let run = world.run(attempts);
                    let result = world.read(&run);
                    let reached = world.faults.off() >= number;
                    let is_read = world.is_read(&what, result, |kind| match failure {
                        Failure::Denied => matches!(kind, ErrorKind::Denied(_)),
                        // The endpoint's answer is not held against a range: it is no document.
                        Failure::Long if world.scene.place == Place::Signed => matches!(kind, ErrorKind::Storage(_) | ErrorKind::Malformed(_)),
                        _ => matches!(kind, ErrorKind::Storage(_)),
                    });
                    right += u64::from(is_read && reached);
                    mended &= is_read;
                    world.recovers(&what, &run);
                    reached
                });
                assert!(calls >= 2, "{}: {calls} calls", world.scene.name);
                told.insert(format!("{attempts} {failure:?}"), (calls, right));
                // A server that fails once is asked again.
                let asked_again = match world.scene.place {
                    Place::Store => false,
                    Place::Disk => failure != Failure::Denied,
                    Place::Signed => !matches!(failure, Failure::Denied | Failure::Long),
                };
                assert!(mended || attempts == 1 || !asked_again, "{}: {failure:?} is not mended", world.scene.name);
            }
            println!("{}: {told:?}", world.scene.name);
        }
    });
}

#[test]
fn each_allocation_fails() {
    let _alone = alone();
    within("the reads", HANG, || {
        for world in scenes().into_iter().map(World::of) {
            let mut refused = 0;
            let calls = for_each_number(|number| {
                let what = format!("without memory at call {number}");
                let run = world.run(1);
                inject::fail_at(number);
                let result = world.read(&run);
                let reached = inject::calls() >= number;
                inject::fail_at(0);
                let is_read = world.is_read(&what, result, |kind| matches!(kind, ErrorKind::Limit { what: "memory", allowed: 0, .. }));
                refused += u64::from(!is_read);
                world.recovers(&what, &run);
                reached
            });
            println!("{}: {calls} allocations, {refused} of them end a read", world.scene.name);
            assert!(refused >= 3, "{}: {refused} of {calls} allocations", world.scene.name);
        }
    });
}

/// Wakes the thread that polls.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls so many times, each time when it is woken; what it came to, and else what is left of it.
fn poll_times(mut future: Reading, times: u64) -> std::result::Result<Result<Vec<u8>>, Reading> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    for _ in 0..times {
        if let Poll::Ready(output) = Pin::new(&mut future).poll(&mut Context::from_waker(&waker)) {
            return Ok(output);
        }
        std::thread::park_timeout(LONG);
    }
    Err(future)
}

#[test]
fn a_read_is_dropped_at_each_poll() {
    let _alone = alone();
    within("the reads", HANG, || {
        for world in scenes().into_iter().map(World::of) {
            let polls = for_each_number(|number| {
                let what = format!("dropped after {} polls", number - 1);
                let run = world.run(1);
                // Who waits for the same answers gets them.
                let beside = poll_times(world.reading(&run), 1);
                let done = match poll_times(world.reading(&run), number - 1) {
                    Ok(result) => world.is_read(&what, result, |_| false),
                    Err(left) => {
                        drop(left);
                        false
                    }
                };
                let beside = beside
                    .unwrap_or_else(|left| poll_for(left, LONG).unwrap_or_else(|| panic!("{} {what}: a reader beside hangs", world.scene.name)));
                world.is_read(&format!("{what}, a reader beside"), beside, |_| false);
                world.recovers(&what, &run);
                // And alone.
                let run = world.run(1);
                drop(poll_times(world.reading(&run), number - 1));
                world.recovers(&what, &run);
                !done
            });
            println!("{}: {polls} polls", world.scene.name);
        }
    });
}

/// A point that a call reaches and waits at until it is let on.
#[derive(Default)]
struct Gate {
    reached: AtomicBool,
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn wait(&self, who_polls: &Thread) {
        self.reached.store(true, Ordering::SeqCst);
        who_polls.unpark();
        let open = self.open.lock().unwrap();
        drop(self.opened.wait_timeout_while(open, LONG, |open| !*open).unwrap());
    }
    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

/// Polls until a gate is reached, and lets go of the future then, before the gate opens.
fn drop_at(gate: &Gate, mut future: Reading) -> Option<Result<Vec<u8>>> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut done = None;
    while done.is_none() && !gate.reached.load(Ordering::SeqCst) {
        match Pin::new(&mut future).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => done = Some(output),
            Poll::Pending if gate.reached.load(Ordering::SeqCst) => {}
            Poll::Pending => std::thread::park_timeout(LONG),
        }
    }
    drop(future);
    gate.open();
    done
}

#[test]
fn a_read_is_dropped_at_each_call_of_a_store() {
    let _alone = alone();
    within("the reads", HANG, || {
        for world in scenes().into_iter().map(World::of) {
            let calls = for_each_number(|number| {
                let what = format!("dropped at call {number}");
                let run = world.run(1);
                let gate = Arc::new(Gate::default());
                let (met, who_polls) = (gate.clone(), std::thread::current());
                world.faults.at(number, move || {
                    met.wait(&who_polls);
                    None
                });
                let result = drop_at(&gate, world.reading(&run));
                world.faults.off();
                let dropped = result.is_none();
                if let Some(result) = result {
                    world.is_read(&what, result, |_| false);
                }
                world.recovers(&what, &run);
                dropped
            });
            assert!(calls >= 2, "{}: {calls} calls", world.scene.name);
            println!("{}: {calls} calls", world.scene.name);
        }
    });
}

/// What is done to a folder.
type Accident = fn(&Path);

/// What may happen to the folder of a cache while it is used.
const ACCIDENTS: [(&str, Accident); 5] = [
    ("removed", remove),
    ("a file", |folder| {
        remove(folder);
        fs::write(folder, b"no folder").unwrap();
    }),
    ("without entries", |folder| remove(&folder.join("entries"))),
    ("of a file for entries", |folder| {
        remove(&folder.join("entries"));
        let _no_folder = fs::write(folder.join("entries"), b"no folder");
    }),
    ("of damaged entries", |folder| {
        fn damage(path: &Path) {
            for found in fs::read_dir(path).into_iter().flatten().flatten() {
                match found.file_type() {
                    Ok(kind) if kind.is_dir() => damage(&found.path()),
                    _ => {
                        let _gone = fs::write(found.path(), b"damaged");
                    }
                }
            }
        }
        damage(folder);
    }),
];

#[test]
fn the_folder_of_the_cache_fails_at_each_request() {
    let _alone = alone();
    within("the reads", HANG, || {
        let scene = scenes().into_iter().find(|scene| scene.place == Place::Disk).unwrap();
        let world = World::of(scene);
        for (name, accident) in ACCIDENTS {
            let requests = for_each_number(|number| {
                let what = format!("a folder {name} at request {number}");
                let run = world.run(1);
                let path = run.folder.as_ref().unwrap().0.clone();
                world.faults.at(number, move || {
                    accident(&path);
                    None
                });
                let result = world.read(&run);
                let reached = world.faults.off() >= number;
                world.is_read(&what, result, |_| false);
                world.recovers(&what, &run);
                // So does whoever comes next; or is told that this is no folder for a cache.
                let Run { session, folder } = run;
                drop(session);
                match world.run_in(1, folder) {
                    Ok(next) => world.recovers(&what, &next),
                    Err(e) => assert!(matches!(e.kind(), ErrorKind::Storage(_)) && name.contains("a file"), "{what}: {e}"),
                }
                reached
            });
            assert!(requests > 1, "{name}: {requests} requests");
        }
    });
}
