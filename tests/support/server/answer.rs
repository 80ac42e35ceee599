//! What is said: a request, an object and a fault make a response.

use super::Seen;
use super::faults::Fault;

/// An object and what is told of its version.
pub(super) struct Object {
    pub(super) bytes: Vec<u8>,
    pub(super) etag: String,
}

/// An answer, and how it is sent.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// Content-Length, where it is told.
    pub(super) length: Option<u64>,
    pub(super) chunked: bool,
    /// Interim answers before it.
    pub(super) interim: usize,
    /// What follows the body.
    pub(super) behind: Vec<u8>,
    /// The connection ends behind it; in the middle of its last chunk, where it is chunked.
    pub(super) close: bool,
    pub(super) pace: Pace,
}

/// How the bytes of an answer follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    AtOnce,
    Reset(Option<usize>),
    Stall(Option<usize>),
    Trickle(usize),
    SlowHead,
    /// The head, or interim answers, and then the body for as long as the other side reads.
    Endless,
    EndlessInterim,
    /// So many bytes of headers before those of the answer.
    Flood(usize),
}

impl Response {
    pub(super) fn status(status: u16) -> Self {
        Self::new(status, Vec::new())
    }

    fn new(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            length: Some(body.len() as u64),
            body,
            chunked: false,
            interim: 0,
            behind: Vec::new(),
            close: false,
            pace: Pace::AtOnce,
        }
    }

    fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    fn shorten(&mut self, by: usize) {
        self.body.truncate(self.body.len().saturating_sub(by));
    }
}

/// The answer to a request, the `nth` of the server's.
pub(super) fn answer(seen: &Seen, object: Option<&Object>, fault: Option<&Fault>, nth: usize) -> Response {
    let is_suffix = seen.range.as_deref().is_some_and(|r| r.starts_with("bytes=-"));
    match fault {
        Some(Fault::Status(status)) => return Response::status(*status),
        Some(Fault::Answer(status, headers)) => return Response { headers: headers.clone(), ..Response::status(*status) },
        Some(Fault::Document(status, text)) => return Response::new(*status, text.clone().into_bytes()),
        Some(Fault::Redirect(to)) => return Response::status(302).header("Location", to),
        _ => {}
    }
    let Some(object) = object else { return Response::status(404) };
    let size = object.bytes.len();
    let etag = match fault {
        Some(Fault::EtagPerAnswer) => format!("\"{nth}\""),
        Some(Fault::WeakEtag) => format!("W/{}", object.etag),
        _ => object.etag.clone(),
    };
    let heeded = seen.header("if-match").filter(|_| !matches!(fault, Some(Fault::IgnoreIfMatch)));
    // a weak one never matches (RFC 9110, section 13.1.1)
    if heeded.is_some_and(|wanted| wanted != etag || etag.starts_with("W/")) {
        return Response::status(412);
    }
    if let (Some(Fault::NoSuffix(status)), true) = (fault, is_suffix) {
        return Response::status(*status);
    }
    let asked = seen.range.as_deref().filter(|_| !matches!(fault, Some(Fault::IgnoreRanges | Fault::Endless { .. })));
    let range = asked.map(|r| requested(r, size).filter(|_| !matches!(fault, Some(Fault::NotSatisfiable))));
    let response = match range {
        None => Response::new(200, object.bytes.clone()),
        Some(None) => return Response::status(416).header("Content-Range", format!("bytes */{size}")),
        Some(Some((start, end))) => partial(object, start, end, fault),
    };
    let response = response.header("Accept-Ranges", "bytes");
    let response = match fault {
        Some(Fault::NoValidator) => response,
        Some(Fault::LastModified(date)) => response.header("Last-Modified", date),
        _ => response.header("ETag", etag),
    };
    match fault {
        Some(fault) => distorted(response, fault),
        None => response,
    }
}

fn partial(object: &Object, start: usize, end: usize, fault: Option<&Fault>) -> Response {
    let size = object.bytes.len();
    let (from, to) = match fault {
        Some(Fault::OtherRange(by)) => {
            let from = (start + by) % size;
            (from, (from + end - start).min(size))
        }
        Some(Fault::Superset(by)) => (start.saturating_sub(*by), (end + by).min(size)),
        Some(Fault::Subset(by)) => (start, end.saturating_sub(*by).max(start + 1)),
        _ => (start, end),
    };
    let mut body = object.bytes[from..to].to_vec();
    match fault {
        Some(Fault::Short(by)) => body.truncate(body.len().saturating_sub(*by)),
        Some(Fault::Long(by)) => body.resize(body.len() + by, 0xee),
        _ => {}
    }
    let told = match fault {
        Some(Fault::ContentRange(text)) => Some(text.clone()),
        Some(Fault::Told(text)) => text(from, to - 1, size),
        Some(Fault::Multipart) => None,
        Some(Fault::Shifted) => Some(format!("bytes {}-{}/{size}", from + 1, to - 1)),
        _ => Some(format!("bytes {from}-{}/{size}", to - 1)),
    };
    if let Some(Fault::Multipart) = fault {
        let head = format!("--parts\r\nContent-Range: bytes {from}-{}/{size}\r\n\r\n", to - 1);
        body = [head.as_bytes(), &body, b"\r\n--parts--\r\n"].concat();
    }
    let response = Response::new(206, body);
    match told {
        Some(told) => response.header("Content-Range", told),
        None => response,
    }
}

/// What may be done to any answer.
fn distorted(mut response: Response, fault: &Fault) -> Response {
    match fault {
        Fault::Header(name, value) => response.headers.push((name.clone(), value.clone())),
        Fault::Multipart => response.headers.push(("Content-Type".into(), "multipart/byteranges; boundary=parts".into())),
        Fault::Gzipped => {
            response.body = gzip(&response.body);
            response.length = Some(response.body.len() as u64);
            response.headers.push(("Content-Encoding".into(), "gzip".into()));
        }
        Fault::Corrupt(place) => {
            let length = response.body.len().max(1);
            response.body.get_mut(place % length).into_iter().for_each(|byte| *byte ^= 0x10);
        }
        Fault::Length(length) => (response.length, response.close) = (Some(*length), true),
        Fault::NoLength => (response.length, response.close) = (None, true),
        Fault::Chunked => (response.length, response.chunked) = (None, true),
        Fault::ChunkedWithLength => response.chunked = true,
        Fault::ChunkedShort(by) => {
            response.shorten(*by);
            (response.length, response.chunked) = (None, true);
        }
        Fault::ChunkedCut(by) => {
            response.shorten(*by);
            (response.length, response.chunked, response.close) = (None, true, true);
        }
        Fault::Cut(by) => {
            response.shorten(*by);
            response.close = true;
        }
        Fault::Twice => {
            let other = Response { body: response.body.iter().map(|b| !b).collect(), headers: response.headers.clone(), ..Response::status(206) };
            let other = Response { length: Some(other.body.len() as u64), status: response.status, ..other };
            response.behind = [super::wire::head(&other), other.body].concat();
        }
        Fault::Flood(bytes) => response.pace = Pace::Flood(*bytes),
        Fault::Interim(Some(count)) => response.interim = *count,
        Fault::Interim(None) => response.pace = Pace::EndlessInterim,
        Fault::Endless { told } => {
            response.length = told.then_some(1 << 40);
            (response.close, response.pace) = (true, Pace::Endless);
        }
        Fault::Reset(after) => response.pace = Pace::Reset(*after),
        Fault::Stall(after) => response.pace = Pace::Stall(*after),
        Fault::Trickle(bytes) => response.pace = Pace::Trickle(*bytes),
        Fault::SlowHead => response.pace = Pace::SlowHead,
        _ => {}
    }
    response
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

/// A gzip stream (RFC 1952) of stored blocks.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut blocks = bytes.chunks(65_535).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap();
        out.push(u8::from(blocks.peek().is_none()));
        out.extend([length.to_le_bytes(), (!length).to_le_bytes()].concat());
        out.extend(block);
    }
    let crc = bytes
        .iter()
        .fold(u32::MAX, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }));
    out.extend((!crc).to_le_bytes());
    out.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
    out
}
