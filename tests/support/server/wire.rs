//! Requests in, answers out, at whatever pace.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use super::Seen;
use super::answer::{Pace, Response};

/// The longest head of a request.
const LONGEST_HEAD: usize = 64 << 10;
/// Between the pieces of what is sent slowly.
const TICK: Duration = Duration::from_millis(100);

/// What becomes of a connection behind an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Request,
    Close,
}

/// Waits for a request and parses it, but leaves it in the socket: what is closed with something unread is reset.
pub(super) fn peek_request(mut stream: &TcpStream, buffer: &mut Vec<u8>) -> Option<(Seen, usize)> {
    buffer.resize(buffer.len().max(4 << 10), 0);
    loop {
        let came = stream.peek(buffer).ok().filter(|&n| n > 0)?;
        if let Some(end) = buffer[..came].windows(4).position(|w| w == b"\r\n\r\n") {
            return Some((parse(std::str::from_utf8(&buffer[..end]).ok()?)?, end + 4));
        }
        if came == buffer.len() {
            buffer.resize(came * 2, 0);
        }
        if came > LONGEST_HEAD {
            let _ = stream.read(buffer);
            return None;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn parse(head: &str) -> Option<Seen> {
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query.to_owned())));
    let headers: Option<Vec<(String, String)>> =
        lines.map(|line| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))).collect();
    let headers = headers?;
    let range = headers.iter().find(|(name, _)| name == "range").map(|(_, value)| value.clone());
    Some(Seen { method, path: path.to_owned(), query, range, headers })
}

/// Takes the request off the socket, as many bytes as it has.
pub(super) fn consume(mut stream: &TcpStream, length: usize, buffer: &mut [u8]) -> io::Result<()> {
    stream.read_exact(&mut buffer[..length])
}

const INTERIM: &str = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n";

/// The head of an answer.
pub(super) fn head(response: &Response) -> Vec<u8> {
    let mut head = INTERIM.repeat(response.interim);
    head += &format!("HTTP/1.1 {} Status\r\n", response.status);
    for (name, value) in &response.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if let Some(length) = response.length {
        head += &format!("Content-Length: {length}\r\n");
    }
    if response.chunked {
        head += "Transfer-Encoding: chunked\r\n";
    }
    if response.close {
        head += "Connection: close\r\n";
    }
    head += "\r\n";
    head.into_bytes()
}

/// The body as it is sent.
fn body(response: &Response) -> Vec<u8> {
    if !response.chunked {
        return [&response.body[..], &response.behind].concat();
    }
    let mut out = Vec::new();
    let mut chunks = response.body.chunks(200).peekable();
    while let Some(chunk) = chunks.next() {
        let is_torn = response.close && chunks.peek().is_none();
        out.extend(format!("{:x}\r\n", if is_torn { chunk.len() + 1 } else { chunk.len() }).bytes());
        out.extend(chunk);
        out.extend(if is_torn { "" } else { "\r\n" }.bytes());
    }
    if !response.close {
        out.extend(b"0\r\n\r\n");
    }
    out
}

/// Sends an answer. What stalls returns when the other side has closed.
pub(super) fn send(mut stream: &TcpStream, is_head: bool, response: &Response) -> io::Result<Next> {
    let head = head(response);
    let body = if is_head { Vec::new() } else { body(response) };
    let until = |after: usize| [&head[..], &body[..after.min(body.len())]].concat();
    match response.pace {
        Pace::AtOnce => stream.write_all(&[head, body].concat())?,
        Pace::Reset(None) => return Ok(Next::Close),
        Pace::Reset(Some(after)) => {
            stream.write_all(&until(after))?;
            return Ok(Next::Close);
        }
        Pace::Stall(after) => {
            if let Some(after) = after {
                stream.write_all(&until(after))?;
            }
            while stream.read(&mut [0; 512])? > 0 {}
            return Ok(Next::Close);
        }
        Pace::Trickle(bytes) => {
            stream.write_all(&head)?;
            slowly(stream, body.chunks(bytes.max(1)))?;
        }
        Pace::Endless => {
            stream.write_all(&head)?;
            loop {
                stream.write_all(&body)?;
            }
        }
        Pace::EndlessInterim => loop {
            stream.write_all(INTERIM.as_bytes())?;
            thread::sleep(Duration::from_millis(1));
        },
        Pace::Flood(bytes) => {
            let first = head.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1);
            stream.write_all(&head[..first])?;
            for line in 0..bytes / 1000 {
                stream.write_all(format!("X-Flood-{line:08}: {}\r\n", "f".repeat(980)).as_bytes())?;
            }
            stream.write_all(&[&head[first..], &body].concat())?;
        }
        Pace::SlowHead => {
            slowly(stream, head.chunks(1))?;
            stream.write_all(&body)?;
        }
    }
    Ok(if response.close { Next::Close } else { Next::Request })
}

fn slowly<'a>(mut stream: &TcpStream, pieces: impl Iterator<Item = &'a [u8]>) -> io::Result<()> {
    for piece in pieces {
        stream.write_all(piece)?;
        thread::sleep(TICK);
    }
    Ok(())
}
