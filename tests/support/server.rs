//! A range server on the loopback: objects in memory, a record of every request, faults on demand.
//!
//! HTTP/1.1 with keep-alive on plain threads; it ends when it is dropped.

#![allow(dead_code, reason = "no test uses all of it")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

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

/// What is wrong with the answers for a path.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// 200 and the whole object, whatever range was asked for.
    IgnoreRanges,
    /// So many bytes fewer than the headers of a well-formed answer would say; the headers match the body.
    Short(usize),
    /// So many bytes more than were asked for; Content-Length says so, Content-Range does not.
    Long(usize),
    /// The connection ends before the body does.
    Cut(usize),
    /// The Content-Range starts elsewhere.
    Shifted,
    /// Any text as Content-Range.
    ContentRange(String),
    /// A status with an empty body, always.
    Status(u16),
    /// A status so many times, then as if nothing had been.
    StatusTimes(u16, Arc<AtomicUsize>),
    /// No answer at all to suffix ranges but this status.
    NoSuffix(u16),
    /// A redirect to any URL.
    Redirect(String),
    /// A header beside the usual ones.
    Header(String, String),
    /// Neither ETag nor Last-Modified.
    NoValidator,
    /// No Content-Length: the body ends with the connection.
    NoLength,
}

struct Object {
    bytes: Vec<u8>,
    etag: String,
}

#[derive(Default)]
struct World {
    objects: Mutex<HashMap<String, Arc<Object>>>,
    faults: Mutex<HashMap<String, Fault>>,
    seen: Mutex<Vec<Seen>>,
    latency: Mutex<Duration>,
    stopped: AtomicBool,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

/// The server.
pub(crate) struct Server {
    world: Arc<World>,
    address: SocketAddr,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let world = Arc::new(World::default());
        thread::spawn({
            let world = world.clone();
            move || {
                for stream in listener.incoming() {
                    if world.stopped.load(Ordering::SeqCst) {
                        return;
                    }
                    let (Ok(stream), world) = (stream, world.clone()) else { continue };
                    thread::spawn(move || world.serve(stream));
                }
            }
        });
        Self { world, address }
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

    pub(crate) fn remove(&self, path: &str) {
        self.world.objects.lock().unwrap().remove(path);
    }

    pub(crate) fn fault(&self, path: &str, fault: Fault) {
        self.world.faults.lock().unwrap().insert(path.to_owned(), fault);
    }

    pub(crate) fn heal(&self, path: &str) {
        self.world.faults.lock().unwrap().remove(path);
    }

    /// Waited before each answer.
    pub(crate) fn set_latency(&self, latency: Duration) {
        *self.world.latency.lock().unwrap() = latency;
    }

    /// The requests since the last call.
    pub(crate) fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.world.seen.lock().unwrap())
    }

    /// How many requests since `take_seen`.
    pub(crate) fn count(&self) -> usize {
        self.world.seen.lock().unwrap().len()
    }

    /// The most requests that were being answered at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.world.most_open.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.world.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address); // wakes the listener
    }
}

struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// Content-Length, where it is told.
    length: Option<usize>,
    close: bool,
}

impl Response {
    fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), length: Some(0), close: false }
    }
}

impl World {
    fn serve(&self, stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let Ok(mut writer) = stream.try_clone() else { return };
        let mut reader = BufReader::new(stream);
        while let Some(seen) = read_request(&mut reader) {
            self.seen.lock().unwrap().push(seen.clone());
            let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_open.fetch_max(open, Ordering::SeqCst);
            let latency = *self.latency.lock().unwrap();
            thread::sleep(latency);
            let response = self.answer(&seen);
            self.open.fetch_sub(1, Ordering::SeqCst);
            let close = response.close || self.stopped.load(Ordering::SeqCst);
            if write_response(&mut writer, &seen, response).is_err() || close {
                return;
            }
        }
    }

    fn answer(&self, seen: &Seen) -> Response {
        let mut fault = self.faults.lock().unwrap().get(&seen.path).cloned();
        if let Some(Fault::StatusTimes(status, left)) = &fault {
            if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
                return Response::status(*status);
            }
            fault = None;
        }
        match &fault {
            Some(Fault::Status(status)) => return Response::status(*status),
            Some(Fault::Redirect(to)) => {
                let mut response = Response::status(302);
                response.headers.push(("Location".into(), to.clone()));
                return response;
            }
            _ => {}
        }
        let Some(object) = self.objects.lock().unwrap().get(&seen.path).cloned() else { return Response::status(404) };
        if seen.header("if-match").is_some_and(|wanted| wanted != object.etag) {
            return Response::status(412);
        }
        let size = object.bytes.len();
        let is_suffix = seen.range.as_deref().is_some_and(|r| r.starts_with("bytes=-"));
        if let (Some(Fault::NoSuffix(status)), true) = (&fault, is_suffix) {
            return Response::status(*status);
        }
        let asked = seen.range.as_deref().filter(|_| !matches!(fault, Some(Fault::IgnoreRanges)));
        let mut response = match asked.map(|r| requested(r, size)) {
            None => Response { status: 200, headers: Vec::new(), body: object.bytes.clone(), length: Some(size), close: false },
            Some(None) => {
                let mut response = Response::status(416);
                response.headers.push(("Content-Range".into(), format!("bytes */{size}")));
                return response;
            }
            Some(Some((start, end))) => {
                let mut body = object.bytes[start..end].to_vec();
                let mut from = start;
                match &fault {
                    Some(Fault::Short(by)) => body.truncate(body.len().saturating_sub(*by)),
                    Some(Fault::Long(by)) => body.resize(body.len() + by, 0xee),
                    Some(Fault::Shifted) => from += 1,
                    _ => {}
                }
                let told = match &fault {
                    Some(Fault::ContentRange(text)) => text.clone(),
                    _ => format!("bytes {from}-{}/{size}", end - 1),
                };
                Response { status: 206, headers: vec![("Content-Range".into(), told)], length: Some(body.len()), body, close: false }
            }
        };
        response.headers.push(("Accept-Ranges".into(), "bytes".into()));
        match fault {
            Some(Fault::NoValidator) => {}
            _ => response.headers.push(("ETag".into(), object.etag.clone())),
        }
        match fault {
            Some(Fault::Header(name, value)) => response.headers.push((name, value)),
            Some(Fault::NoLength) => (response.length, response.close) = (None, true),
            Some(Fault::Cut(by)) => {
                response.body.truncate(response.body.len().saturating_sub(by));
                response.close = true;
            }
            _ => {}
        }
        response
    }
}

fn read_request(reader: &mut impl BufRead) -> Option<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&n| n > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query.to_owned())));
    let path = path.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&n| n > 0)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let range = headers.iter().find(|(name, _)| name == "range").map(|(_, value)| value.clone());
    Some(Seen { method, path, query, range, headers })
}

fn write_response(writer: &mut impl Write, seen: &Seen, response: Response) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Status\r\n", response.status);
    for (name, value) in &response.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if let Some(length) = response.length {
        head += &format!("Content-Length: {length}\r\n");
    }
    if response.close {
        head += "Connection: close\r\n";
    }
    head += "\r\n";
    writer.write_all(head.as_bytes())?;
    if seen.method != "HEAD" {
        writer.write_all(&response.body)?;
    }
    writer.flush()
}

/// First byte and one past the last; `None` where the range is not satisfiable.
fn requested(range: &str, size: usize) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (first, last) {
        ("", suffix) => (size.saturating_sub(suffix.parse().ok()?), size),
        (first, "") => (first.parse().ok()?, size),
        (first, last) => (first.parse().ok()?, last.parse::<usize>().ok()?.saturating_add(1).min(size)),
    };
    (start < end).then_some((start, end))
}
