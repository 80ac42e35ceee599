//! What can be wrong with an answer, and with which of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Seen;

/// What is wrong with an answer.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    // ---- instead of an answer
    /// A status with an empty body.
    Status(u16),
    /// A status so many times, then as if nothing had been.
    StatusTimes(u16, Arc<AtomicUsize>),
    /// A status with headers of its own.
    Answer(u16, Vec<(String, String)>),
    /// A status with a body of its own.
    Document(u16, String),
    /// No answer at all to suffix ranges but this status.
    NoSuffix(u16),
    /// A redirect to any URL.
    Redirect(String),
    /// 416, and the size as it is.
    NotSatisfiable,

    // ---- which bytes
    /// 200 and the whole object, whatever range was asked for.
    IgnoreRanges,
    /// 200 and a body without end, of which the head says that it is 1 TiB long, or nothing.
    Endless { told: bool },
    /// So many bytes fewer than the headers of a well-formed answer would say; the headers match the body.
    Short(usize),
    /// So many bytes more than were asked for; Content-Length says so, Content-Range does not.
    Long(usize),
    /// Another range, so many bytes further on; headers and body agree on it.
    OtherRange(usize),
    /// So many bytes more at both ends; headers and body agree on it.
    Superset(usize),
    /// So many bytes fewer at the end; headers and body agree on it.
    Subset(usize),
    /// A bit of the byte at this place of the body (modulo its length) is another.
    Corrupt(usize),
    /// `multipart/byteranges`, of one part.
    Multipart,
    /// The body is a gzip stream, and said to be one.
    Gzipped,

    // ---- what the headers say
    /// The Content-Range starts elsewhere.
    Shifted,
    /// Any text as Content-Range.
    ContentRange(String),
    /// Content-Range as made of the first byte, the last one and the size; `None`: none.
    Told(fn(usize, usize, usize) -> Option<String>),
    /// Any Content-Length; the connection ends behind the body.
    Length(u64),
    /// A header beside the usual ones.
    Header(String, String),
    /// No Content-Length: the body ends with the connection.
    NoLength,
    /// In chunks, without a Content-Length.
    Chunked,
    /// In chunks, and with a Content-Length (RFC 9112, section 6.3: the chunks count).
    ChunkedWithLength,
    /// In chunks, which end well, but so many bytes too early.
    ChunkedShort(usize),

    // ---- which version
    /// Neither ETag nor Last-Modified.
    NoValidator,
    /// The ETag is said to be weak.
    WeakEtag,
    /// Last-Modified alone.
    LastModified(String),
    /// Each answer has an ETag of its own.
    EtagPerAnswer,
    /// If-Match is not heeded.
    IgnoreIfMatch,

    // ---- how it is sent
    /// The connection ends so many bytes before the body does.
    Cut(usize),
    /// In chunks, and the connection ends so many bytes before the body does.
    ChunkedCut(usize),
    /// The connection is reset after so many bytes of the body; `None`: before the answer.
    Reset(Option<usize>),
    /// Nothing more comes after so many bytes of the body; `None`: no answer.
    Stall(Option<usize>),
    /// The body, so many bytes a tenth of a second.
    Trickle(usize),
    /// The head of the answer, a byte a tenth of a second.
    SlowHead,
    /// Behind the answer stands the same once more, with other bytes, which nobody asked for.
    Twice,
    /// So many bytes of headers.
    Flood(usize),
    /// So many interim answers (103) before the answer; `None`: no end of them.
    Interim(Option<usize>),
}

/// Which of the requests for a path a fault meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Always,
    First(usize),
    /// The n-th, and each n-th after it.
    Every(usize),
    /// All but the first n.
    After(usize),
}

impl When {
    fn meets(self, nth: usize) -> bool {
        match self {
            Self::Always => true,
            Self::First(n) => nth < n,
            Self::Every(n) => (nth + 1).is_multiple_of(n),
            Self::After(n) => nth >= n,
        }
    }
}

/// The fault of a request, chosen by the request and by how many came before it.
pub(super) struct Chosen {
    came: AtomicUsize,
    choose: Box<dyn Fn(&Seen, usize) -> Option<Fault> + Send + Sync>,
}

impl Chosen {
    pub(super) fn by(choose: impl Fn(&Seen, usize) -> Option<Fault> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { came: AtomicUsize::new(0), choose: Box::new(choose) })
    }
    pub(super) fn when(when: When, fault: Fault) -> Arc<Self> {
        Self::by(move |_, nth| when.meets(nth).then(|| fault.clone()))
    }
    /// The fault of this request.
    pub(super) fn next(&self, seen: &Seen) -> Option<Fault> {
        let nth = self.came.fetch_add(1, Ordering::SeqCst);
        match (self.choose)(seen, nth) {
            Some(Fault::StatusTimes(status, left)) => {
                let more = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
                more.then_some(Fault::Status(status))
            }
            fault => fault,
        }
    }
}
