//! The table: a fault, what a read of one chunk makes of it, and how many requests that takes.
//!
//! Three attempts are allowed, so what is worth repeating and never gets better takes three requests, what is not takes one.

use std::time::Duration;

use crate::support::server::{Fault, When};
use crate::world::{Kind, Packed, Reader};

pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) packed: Packed,
    /// What is wrong from before the opening on.
    pub(crate) before: Option<Fault>,
    /// What goes wrong once the reader is open.
    pub(crate) begins: Begins,
    pub(crate) waits: Waits,
    /// The second request goes on where the first one was cut.
    pub(crate) resumes: bool,
    expected: Expected,
    asked: Asked,
    /// Readers for whom it is something else.
    but: Vec<(Reader, Expected, Asked)>,
}

pub(crate) enum Begins {
    /// Nothing: it was so before.
    Before,
    Now(When, Fault),
    Refused,
    Hung,
    /// All objects are others now, so many bytes longer than they should be.
    Replaced {
        same_etag: bool,
        longer: usize,
        fault: Option<Fault>,
    },
    /// To a URL in which SERVER and PATH stand for what they are.
    Redirected(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waits {
    /// For nothing; the time-outs are long, since nothing here is to run into them.
    Nothing,
    /// Until short time-outs.
    Hastily,
    /// Until the deadline of the read; the time-outs are long.
    UntilDeadline,
    AtLeast(Duration),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// The bytes of the array that was opened.
    Right,
    /// Those of the array that is there now.
    New,
    /// The fill value.
    Fill,
    Fails(Kind),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Exactly(usize),
    AtMost(usize),
}

use Asked::{AtMost, Exactly};
use Expected::{Fails, Fill, New, Right};
use Reader::{ColdShard, Plain};

impl Row {
    pub(crate) fn expected(&self, reader: Reader) -> Expected {
        self.but.iter().find(|(r, ..)| *r == reader).map_or(self.expected, |(_, expected, _)| *expected)
    }
    /// A cold shard takes those for its index too.
    pub(crate) fn asked(&self, reader: Reader) -> Asked {
        match (self.but.iter().find(|(r, ..)| *r == reader), self.asked) {
            (Some((.., asked)), _) => *asked,
            (None, Exactly(n) | AtMost(n)) if reader == ColdShard => AtMost(2 * n + 6),
            (None, asked) => asked,
        }
    }
    fn but(mut self, reader: Reader, expected: Expected, asked: Asked) -> Self {
        self.but.push((reader, expected, asked));
        self
    }
    /// An object that is asked for as a whole has no range that could be wrong.
    fn not_of_ranges(self) -> Self {
        self.but(Plain, Right, Exactly(1))
    }
    fn summed(self) -> Self {
        Self { packed: Packed::Summed, ..self }
    }
    pub(crate) fn waits(self, waits: Waits) -> Self {
        Self { waits, ..self }
    }
    fn resumes(self) -> Self {
        Self { resumes: true, ..self }
    }
    fn before(self, fault: Fault) -> Self {
        Self { before: Some(fault), ..self }
    }
}

fn row(name: &'static str, begins: Begins, expected: Expected, asked: Asked) -> Row {
    Row { name, packed: Packed::Raw, before: None, begins, waits: Waits::Nothing, resumes: false, expected, asked, but: Vec::new() }
}

/// Answers of a fault.
pub(crate) fn answers(name: &'static str, when: When, fault: Fault, expected: Expected, asked: Asked) -> Row {
    row(name, Begins::Now(when, fault), expected, asked)
}

fn always(name: &'static str, fault: Fault, expected: Expected, asked: Asked) -> Row {
    answers(name, When::Always, fault, expected, asked)
}

/// Right at the second try.
fn once(name: &'static str, fault: Fault) -> Row {
    answers(name, When::First(1), fault, Right, Exactly(2))
}

fn header(name: &str, value: &str) -> Fault {
    Fault::Header(name.into(), value.into())
}

fn busy(status: u16, retry_after: &str) -> Fault {
    Fault::Answer(status, vec![("Retry-After".into(), retry_after.into())])
}

pub(crate) fn rows() -> Vec<Row> {
    [connections(), bodies(), ranges(), statuses(), times(), versions(), redirects(), heads()].into_iter().flatten().collect()
}

/// Half of a chunk, in bytes.
const HALF: usize = 256;

fn connections() -> Vec<Row> {
    vec![
        row("refused", Begins::Refused, Fails(Kind::Storage), Exactly(0)),
        row("accepted, never answered", Begins::Hung, Fails(Kind::Storage), Exactly(0)).waits(Waits::Hastily),
        once("reset before the answer, once", Fault::Reset(None)),
        always("reset before the answer", Fault::Reset(None), Fails(Kind::Storage), Exactly(3)),
        once("reset in the body, once", Fault::Reset(Some(100))),
        // What comes is progress, and there may be another attempt for it.
        always("reset in the body", Fault::Reset(Some(1)), Fails(Kind::Storage), AtMost(6)),
    ]
}

fn bodies() -> Vec<Row> {
    vec![
        once("a short body, once", Fault::Cut(100)).resumes().but(Plain, Right, Exactly(2)),
        always("a short body", Fault::Cut(100), Fails(Kind::Storage), AtMost(6)),
        always("no body", Fault::Cut(usize::MAX), Fails(Kind::Storage), Exactly(3)),
        once("well-ended, too short, once", Fault::Short(HALF)).not_of_ranges(),
        always("well-ended, too short", Fault::Short(HALF), Fails(Kind::Storage), AtMost(3)).not_of_ranges(),
        once("well-ended, too long, once", Fault::Long(HALF)).not_of_ranges(),
        always("well-ended, too long", Fault::Long(HALF), Fails(Kind::Storage), AtMost(3)).not_of_ranges(),
        always("in chunks", Fault::Chunked, Right, Exactly(1)),
        always("in chunks, with a length", Fault::ChunkedWithLength, Right, Exactly(1)),
        once("in chunks, cut, once", Fault::ChunkedCut(100)),
        always("in chunks, cut", Fault::ChunkedCut(100), Fails(Kind::Storage), AtMost(6)),
        // Nothing tells how long a whole object in chunks is, but its codec.
        always("in chunks, too short", Fault::ChunkedShort(HALF), Fails(Kind::Storage), AtMost(6)).but(Plain, Fails(Kind::Codec), AtMost(2)),
        always("ended by the connection", Fault::NoLength, Right, Exactly(1)),
        always("a Content-Length of 2^63", Fault::Length(1 << 63), Fails(Kind::Storage), AtMost(3)).but(Plain, Fails(Kind::Limit), Exactly(1)),
        always("a Content-Length of 2^64 - 1", Fault::Length(u64::MAX), Fails(Kind::Storage), AtMost(3)),
        once("a wrong bit, once", Fault::Corrupt(100)).summed(),
        always("a wrong bit", Fault::Corrupt(100), Fails(Kind::Checksum), Exactly(2)).summed(),
        always("gzip by name", header("Content-Encoding", "gzip"), Fails(Kind::Encoded), Exactly(1)),
        always("gzip", Fault::Gzipped, Fails(Kind::Encoded), Exactly(1)),
        always("identity by name", header("Content-Encoding", "identity"), Right, Exactly(1)),
    ]
}

fn ranges() -> Vec<Row> {
    let storage = Fails(Kind::Storage);
    let told =
        |name, text: fn(usize, usize, usize) -> Option<String>, expected, asked| always(name, Fault::Told(text), expected, asked).not_of_ranges();
    vec![
        always("the whole object, small", Fault::IgnoreRanges, Right, Exactly(1)),
        always("the whole object, 1 TiB", Fault::Endless { told: true }, Fails(Kind::RangeUnsupported), Exactly(1)).but(
            Plain,
            Fails(Kind::Limit),
            Exactly(1),
        ),
        always("the whole object, no end in sight", Fault::Endless { told: false }, Fails(Kind::RangeUnsupported), Exactly(1)).but(
            Plain,
            Fails(Kind::Limit),
            Exactly(1),
        ),
        always("another range", Fault::OtherRange(16), storage, AtMost(3)).not_of_ranges(),
        always("a larger range", Fault::Superset(24), Right, Exactly(1)).not_of_ranges(),
        always("no Content-Range", Fault::Told(|_, _, _| None), storage, AtMost(3)).not_of_ranges(),
        told("Content-Range: nonsense", |_, _, _| Some("nonsense".into()), storage, AtMost(3)),
        told("Content-Range: other units", |a, b, n| Some(format!("items {a}-{b}/{n}")), storage, AtMost(3)),
        told("Content-Range: backwards", |a, b, n| Some(format!("bytes {b}-{a}/{n}")), storage, AtMost(3)),
        told("Content-Range: negative", |a, b, n| Some(format!("bytes -{a}-{b}/{n}")), storage, AtMost(3)),
        told("Content-Range: of no size", |a, b, _| Some(format!("bytes {a}-{b}/*")), Right, Exactly(1)),
        told("Content-Range: past its size", |a, b, _| Some(format!("bytes {a}-{b}/5")), storage, AtMost(3)),
        told("Content-Range: up to 2^64 - 1", |a, _, _| Some(format!("bytes {a}-{0}/{0}", u64::MAX)), storage, AtMost(3)),
        told("Content-Range: from 2^64", |_, _, n| Some(format!("bytes 18446744073709551616-18446744073709551617/{n}")), storage, AtMost(3)),
        always("Content-Range: of the byte after", Fault::Shifted, storage, AtMost(3)).not_of_ranges(),
        always("multipart/byteranges", Fault::Multipart, storage, AtMost(3)).not_of_ranges(),
        // A size is asked for, and is the one that it was: the server contradicts itself.
        always("416 of an object that did not change", Fault::NotSatisfiable, storage, AtMost(6)).not_of_ranges(),
    ]
}

fn statuses() -> Vec<Row> {
    let final_ones = [("400", 400, Kind::Storage), ("401", 401, Kind::Denied), ("403", 403, Kind::Denied), ("501", 501, Kind::Storage)];
    let busy_ones = [("408", 408), ("429", 429), ("500", 500), ("502", 502), ("503", 503), ("504", 504)];
    let final_ones = final_ones.map(|(name, status, kind)| always(name, Fault::Status(status), Fails(kind), Exactly(1)));
    let once_busy = busy_ones.map(|(name, status)| once(name, Fault::Status(status)));
    let busy_always = busy_ones.map(|(name, status)| always(name, Fault::Status(status), Fails(Kind::Storage), Exactly(3)));
    let more = [
        // A 410 is a 404 that will last.
        always("410", Fault::Status(410), Fails(Kind::NotFound), Exactly(1)).but(ColdShard, Fill, AtMost(2)).but(Plain, Fill, Exactly(1)),
        // A chunk that is not there holds the fill value; of a shard whose index was read, it is there.
        always("404", Fault::Status(404), Fails(Kind::NotFound), Exactly(1)).but(ColdShard, Fill, AtMost(2)).but(Plain, Fill, Exactly(1)),
        answers("a burst of 503", When::First(2), Fault::Status(503), Right, Exactly(3)),
        answers("429 for 1 s, once", When::First(1), busy(429, "1"), Right, Exactly(2)).waits(Waits::AtLeast(Duration::from_secs(1))),
        answers("503 for 1 s, once", When::First(1), busy(503, "1"), Right, Exactly(2)).waits(Waits::AtLeast(Duration::from_secs(1))),
        always("429 for a day", busy(429, "86400"), Fails(Kind::Deadline), Exactly(1)).waits(Waits::UntilDeadline),
        once("503 for no time that could be read", busy(503, "soon")),
        once("503 until a moment long past", busy(503, "Sun, 06 Nov 1994 08:49:37 GMT")),
    ];
    final_ones.into_iter().chain(once_busy).chain(busy_always).chain(more).collect()
}

/// What stalls is given up by a time-out and asked for again, or waited for until the read's deadline.
fn times() -> Vec<Row> {
    let faults = || {
        [
            ("no answer", Fault::Stall(None)),
            ("silence in the body", Fault::Stall(Some(100))),
            ("a byte a tenth of a second", Fault::Trickle(1)),
            ("a head of a byte a tenth of a second", Fault::SlowHead),
            ("interim answers without end", Fault::Interim(None)),
        ]
    };
    let hastily = faults().map(|(name, fault)| always(name, fault, Fails(Kind::Storage), AtMost(6)).waits(Waits::Hastily));
    let heals = faults().map(|(name, fault)| answers(name, When::First(1), fault, Right, AtMost(3)).waits(Waits::Hastily));
    let deadline = faults().map(|(name, fault)| always(name, fault, Fails(Kind::Deadline), AtMost(2)).waits(Waits::UntilDeadline));
    hastily.into_iter().chain(heals).chain(deadline).collect()
}

fn versions() -> Vec<Row> {
    const MONDAY: &str = "Mon, 02 Nov 2026 08:00:00 GMT";
    const TUESDAY: &str = "Tue, 03 Nov 2026 08:00:00 GMT";
    let modified = |date: &str| Fault::LastModified(date.into());
    let replaced = |name, same_etag, longer, fault| {
        let begins = Begins::Replaced { same_etag, longer, fault };
        row(name, begins, Fails(Kind::Changed), AtMost(2)).but(ColdShard, New, AtMost(4)).but(Plain, New, Exactly(1))
    };
    // Behind what is longer than it should be, the shard's index is not found, and the chunk does not decode.
    let of_another_size = |row: Row| Row { but: vec![(ColdShard, Fails(Kind::Checksum), AtMost(4)), (Plain, Fails(Kind::Codec), AtMost(2))], ..row };
    vec![
        row("a weak ETag", Begins::Before, Right, Exactly(1)).before(Fault::WeakEtag),
        row("no validator", Begins::Before, Right, Exactly(1)).before(Fault::NoValidator),
        row("Last-Modified alone", Begins::Before, Right, Exactly(1)).before(modified(MONDAY)),
        always("an ETag for each answer", Fault::EtagPerAnswer, Fails(Kind::Changed), AtMost(2)).but(Plain, Right, Exactly(1)),
        replaced("another object", false, 0, None),
        replaced("another object, If-Match is not heeded", false, 0, Some(Fault::IgnoreIfMatch)),
        replaced("another object, of another weak ETag", false, 0, Some(Fault::WeakEtag)).before(Fault::WeakEtag),
        replaced("another object, modified later", false, 0, Some(modified(TUESDAY))).before(modified(MONDAY)),
        // A strong ETag that stays is a promise that the bytes do (RFC 9110, section 8.8.1): it is believed.
        Row { expected: New, ..of_another_size(replaced("another object of another size, the same ETag", true, 100, None)) },
        of_another_size(replaced("another object of another size, no validator", false, 100, Some(Fault::NoValidator))).before(Fault::NoValidator),
    ]
}

fn redirects() -> Vec<Row> {
    vec![
        row("a redirect within the server", Begins::Redirected("SERVER/elsewherePATH"), Right, Exactly(2)),
        row("a redirect to itself", Begins::Redirected("SERVERPATH"), Fails(Kind::Storage), AtMost(6)),
        row("a redirect to a file", Begins::Redirected("file:///etc/passwd"), Fails(Kind::Storage), Exactly(1)),
        row("a redirect to another scheme", Begins::Redirected("gopher://127.0.0.1/"), Fails(Kind::Storage), Exactly(1)),
        row("a redirect to what is no URL", Begins::Redirected("http://"), Fails(Kind::Storage), Exactly(1)),
        always("a redirect to nowhere", Fault::Status(302), Fails(Kind::Storage), Exactly(1)),
    ]
}

fn heads() -> Vec<Row> {
    vec![
        always("16 MB of headers", Fault::Flood(16 << 20), Fails(Kind::Storage), AtMost(3)),
        always("100 interim answers", Fault::Interim(Some(100)), Right, Exactly(1)),
        always("a clock of 1994", header("Date", "Sun, 06 Nov 1994 08:49:37 GMT"), Right, Exactly(1)),
        always("Retry-After with a good answer", header("Retry-After", "86400"), Right, Exactly(1)),
        always("twice the answer", Fault::Twice, Right, Exactly(1)),
        always("a length twice", header("Content-Length", "7"), Fails(Kind::Storage), AtMost(3)),
    ]
}
