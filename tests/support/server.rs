//! A range server on the loopback: objects in memory, a record of every request, faults on demand.
//!
//! HTTP/1.1 with keep-alive on plain threads; it ends when it is dropped.

#![allow(dead_code, reason = "no test uses all of it")]

mod answer;
pub(crate) mod date;
mod faults;
mod wire;

use std::collections::HashMap;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use answer::{Object, Pace, answer};
use faults::Chosen;
pub(crate) use faults::{Fault, When};
use wire::Next;

/// One request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Without query, as it was sent.
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) range: Option<String>,
    /// All headers, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Default)]
struct World {
    objects: Mutex<HashMap<String, Arc<Object>>>,
    faults: Mutex<HashMap<String, Arc<Chosen>>>,
    /// Objects that stand in place of others after so many requests.
    replacements: Mutex<HashMap<String, (usize, Arc<Object>)>>,
    /// For the paths that have none of their own.
    elsewhere: Mutex<Option<Arc<Chosen>>>,
    seen: Mutex<Vec<Seen>>,
    /// Requests are counted only.
    forgetful: AtomicBool,
    came: AtomicUsize,
    latency: Mutex<Duration>,
    stopped: AtomicBool,
    /// Connections are accepted, and nothing more.
    deaf: AtomicBool,
    connections: Mutex<HashMap<usize, Arc<TcpStream>>>,
    accepted: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

/// The server.
pub(crate) struct Server {
    world: Arc<World>,
    address: SocketAddr,
    listening: Mutex<Option<Listening>>,
}

/// The thread that accepts connections, and what ends it.
struct Listening {
    thread: JoinHandle<()>,
    ends: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_at("127.0.0.1")
    }

    /// At an address of the loopback: `127.0.0.2` is another host than `127.0.0.1`.
    pub(crate) fn start_at(host: &str) -> Self {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let world = Arc::new(World::default());
        let listening = listen(listener, &world);
        Self { world, address, listening: Mutex::new(Some(listening)) }
    }

    /// The URL of a path that begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts an object in place; the ETag is made from the bytes.
    pub(crate) fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        let sum = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, &b| (sum ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        self.put_with_etag(path, bytes, &format!("\"{sum:x}\""));
    }

    pub(crate) fn put_with_etag(&self, path: &str, bytes: impl Into<Vec<u8>>, etag: &str) {
        let object = Arc::new(Object { bytes: bytes.into(), etag: etag.to_owned() });
        self.world.objects.lock().unwrap().insert(path.to_owned(), object);
    }

    /// Puts an object in place once so many more requests for it were answered.
    pub(crate) fn replace_after(&self, path: &str, requests: usize, bytes: impl Into<Vec<u8>>) {
        let object = Arc::new(Object { bytes: bytes.into(), etag: "\"replaced\"".to_owned() });
        self.world.replacements.lock().unwrap().insert(path.to_owned(), (requests, object));
    }

    /// Puts other bytes in place, and tells the same ETag.
    pub(crate) fn put_under_the_same_etag(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        let etag = self.world.objects.lock().unwrap().get(path).map(|object| object.etag.clone());
        self.put_with_etag(path, bytes, &etag.unwrap());
    }

    pub(crate) fn remove(&self, path: &str) {
        self.world.objects.lock().unwrap().remove(path);
    }

    /// Each answer for this path is of this fault.
    pub(crate) fn fault(&self, path: &str, fault: Fault) {
        self.fault_when(path, When::Always, fault);
    }

    /// Some answers for this path are of this fault, counted from now.
    pub(crate) fn fault_when(&self, path: &str, when: When, fault: Fault) {
        self.world.faults.lock().unwrap().insert(path.to_owned(), Chosen::when(when, fault));
    }

    /// One answer after the other is of these; then all are well.
    pub(crate) fn script(&self, path: &str, faults: Vec<Option<Fault>>) {
        let next = Chosen::by(move |_, nth| faults.get(nth).cloned().flatten());
        self.world.faults.lock().unwrap().insert(path.to_owned(), next);
    }

    /// The fault of each request for a path without a fault of its own, by the request and how many came before it.
    pub(crate) fn fault_by(&self, choose: impl Fn(&Seen, usize) -> Option<Fault> + Send + Sync + 'static) {
        *self.world.elsewhere.lock().unwrap() = Some(Chosen::by(choose));
    }

    pub(crate) fn heal(&self, path: &str) {
        self.world.faults.lock().unwrap().remove(path);
    }

    /// No path has a fault any more; connections are accepted and answered again.
    pub(crate) fn heal_all(&self) {
        self.world.faults.lock().unwrap().clear();
        *self.world.elsewhere.lock().unwrap() = None;
        self.world.deaf.store(false, Ordering::SeqCst);
        self.accept();
    }

    /// Waited before each answer.
    pub(crate) fn set_latency(&self, latency: Duration) {
        *self.world.latency.lock().unwrap() = latency;
    }

    /// From now on connections are accepted, and nothing is read of them; those that were open are closed.
    pub(crate) fn hang(&self) {
        self.world.deaf.store(true, Ordering::SeqCst);
        self.world.disconnect();
    }

    /// From now on connections are refused; those that were open are closed.
    pub(crate) fn refuse(&self) {
        if let Some(Listening { thread, ends }) = self.listening.lock().unwrap().take() {
            ends.store(true, Ordering::SeqCst);
            let _ = TcpStream::connect(self.address); // wakes the listener
            thread.join().unwrap();
        }
        self.world.disconnect();
    }

    /// Connections are accepted again, on the same port.
    pub(crate) fn accept(&self) {
        self.listening.lock().unwrap().get_or_insert_with(|| listen(TcpListener::bind(self.address).unwrap(), &self.world));
    }

    /// From now on requests are counted, and not kept: for very many of them.
    pub(crate) fn only_count(&self) {
        self.world.forgetful.store(true, Ordering::SeqCst);
    }

    /// The requests since the last call.
    pub(crate) fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.world.seen.lock().unwrap())
    }

    /// How many requests since `take_seen`.
    pub(crate) fn count(&self) -> usize {
        self.world.seen.lock().unwrap().len()
    }

    /// How many requests since the start.
    pub(crate) fn count_all(&self) -> usize {
        self.world.came.load(Ordering::SeqCst)
    }

    /// How many connections are open.
    pub(crate) fn connections(&self) -> usize {
        self.world.connections.lock().unwrap().len()
    }

    /// How many connections were accepted since the start.
    pub(crate) fn accepted(&self) -> usize {
        self.world.accepted.load(Ordering::SeqCst)
    }

    /// Forgets what [`most_at_once`](Self::most_at_once) tells.
    pub(crate) fn forget_most_at_once(&self) {
        self.world.most_open.store(0, Ordering::SeqCst);
    }

    /// The most requests that were being answered at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.world.most_open.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.world.stopped.store(true, Ordering::SeqCst);
        self.refuse();
    }
}

fn listen(listener: TcpListener, world: &Arc<World>) -> Listening {
    let ends = Arc::new(AtomicBool::new(false));
    let thread = thread::spawn({
        let (world, ends) = (world.clone(), ends.clone());
        move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), world) = (stream, world.clone()) else { continue };
                let number = world.accepted.fetch_add(1, Ordering::SeqCst);
                let stream = Arc::new(stream);
                world.connections.lock().unwrap().insert(number, stream.clone());
                thread::spawn(move || {
                    world.serve(&stream);
                    world.connections.lock().unwrap().remove(&number);
                });
            }
        }
    });
    Listening { thread, ends }
}

impl World {
    fn disconnect(&self) {
        for stream in self.connections.lock().unwrap().values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn serve(&self, stream: &TcpStream) {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut buffer = Vec::new();
        while let Some((seen, length)) = wire::peek_request(stream, &mut buffer) {
            if self.deaf.load(Ordering::SeqCst) {
                let _ = wire::consume(stream, length, &mut buffer);
                let _ = stream.peek(&mut buffer); // until the other side has closed
                return;
            }
            let nth = self.came.fetch_add(1, Ordering::SeqCst);
            if !self.forgetful.load(Ordering::SeqCst) {
                self.seen.lock().unwrap().push(seen.clone());
            }
            let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_open.fetch_max(open, Ordering::SeqCst);
            let latency = *self.latency.lock().unwrap();
            if !latency.is_zero() {
                thread::sleep(latency);
            }
            let object = self.object_of(&seen);
            let mut response = answer(&seen, object.as_deref(), self.fault_of(&seen).as_ref(), nth);
            self.open.fetch_sub(1, Ordering::SeqCst);
            response.close |= self.stopped.load(Ordering::SeqCst);
            let is_reset = matches!(response.pace, Pace::Reset(_));
            if !is_reset && wire::consume(stream, length, &mut buffer).is_err() {
                return;
            }
            match wire::send(stream, seen.method == "HEAD", &response) {
                Ok(Next::Request) => {}
                Ok(Next::Close) | Err(_) => return,
            }
        }
    }

    fn object_of(&self, seen: &Seen) -> Option<Arc<Object>> {
        let mut replacements = self.replacements.lock().unwrap();
        let mut objects = self.objects.lock().unwrap();
        match replacements.get_mut(&seen.path) {
            Some((0, object)) => {
                objects.insert(seen.path.clone(), object.clone());
                replacements.remove(&seen.path);
            }
            Some((left, _)) => *left -= 1,
            None => {}
        }
        objects.get(&seen.path).cloned()
    }

    fn fault_of(&self, seen: &Seen) -> Option<Fault> {
        let own = self.faults.lock().unwrap().get(&seen.path).cloned();
        let chosen = own.or_else(|| self.elsewhere.lock().unwrap().clone());
        chosen.and_then(|chosen| chosen.next(seen))
    }
}
