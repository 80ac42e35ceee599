//! The runner of the table in `rows`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use swath::ReadOptions;

use crate::common::Source;
use crate::rows::{Asked, Begins, Expected, Row, Waits, answers, rows};
use crate::support::server::date::http_date;
use crate::support::server::{Fault, Server, When};
use crate::world::{CHUNK, Kind, Packed, READERS, Reader, among_others, hasty, read, session, source, truth, wait, window};

/// Cases at once: nearly all of their time they wait.
const WORKERS: usize = 16;
/// What a deadline is where one is met.
const DEADLINE: Duration = Duration::from_secs(2);
/// What a busy machine may add to it.
const LATE: Duration = Duration::from_secs(15);

#[test]
fn every_row_for_every_reader() {
    let _others = among_others();
    let rows = rows();
    let cases: Vec<(&Row, Reader)> = rows.iter().flat_map(|row| READERS.map(|reader| (row, reader))).collect();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((row, reader)) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let result = catch_unwind(AssertUnwindSafe(|| run(row, *reader)));
                    let result = result.unwrap_or_else(|_| Err("it panicked".to_owned()));
                    if let Err(what) = result {
                        wrong.lock().unwrap().push(format!("{}, {reader:?}: {what}", row.name));
                    }
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// The server asks for a moment in the form of a date.
#[test]
fn retry_after_is_a_date() {
    let _others = among_others();
    thread::scope(|scope| {
        for reader in READERS {
            scope.spawn(move || {
                let date = http_date(SystemTime::now() + Duration::from_secs(5));
                let busy = Fault::Answer(503, vec![("Retry-After".into(), date)]);
                let row = answers("503 until a date, once", When::First(1), busy, Expected::Right, Asked::Exactly(2));
                let row = row.waits(Waits::AtLeast(Duration::from_secs(1)));
                run(&row, reader).unwrap_or_else(|what| panic!("{reader:?}: {what}"));
            });
        }
    });
}

fn run(row: &Row, reader: Reader) -> Result<(), String> {
    let (server, old, new) = (Server::start(), source(1), source(2));
    reader.serve(&server, &old, row.packed);
    if let Some(fault) = &row.before {
        server.fault(reader.target(), fault.clone());
    }
    let session = session(|options| {
        if row.waits == Waits::Hastily {
            hasty(options)
        }
    });
    let mut array = wait(reader.open(&session, &server)).map_err(|e| format!("opening: {e}"))?;
    if row.waits == Waits::UntilDeadline {
        let mut options = ReadOptions::default();
        options.deadline = Some(DEADLINE);
        array = array.with_options(options);
    }
    begin(row, reader, &server, &new);
    server.take_seen();
    let start = Instant::now();
    let result = wait(read(&array, &window()));
    let took = start.elapsed();

    let expected = row.expected(reader);
    match (&result, expected) {
        (Ok(bytes), Expected::Right) if *bytes == truth(&old, &window()) => {}
        (Ok(bytes), Expected::New) if *bytes == truth(&new, &window()) => {}
        (Ok(bytes), Expected::Fill) if bytes.iter().all(|v| *v == 7) => {}
        (Err(e), Expected::Fails(kind)) if Kind::of(e.kind()) == kind => {}
        (Ok(bytes), _) => {
            let what = match bytes {
                right if *right == truth(&old, &window()) => "the bytes of before",
                new_ones if *new_ones == truth(&new, &window()) => "the bytes of after",
                fill if fill.iter().all(|v| *v == 7) => "fill",
                _ => "WRONG BYTES",
            };
            return Err(format!("{what} where {expected:?} was expected; {}", asked_for(&server)));
        }
        (Err(e), _) => return Err(format!("{:?} where {expected:?} was expected: {e}; {}", Kind::of(e.kind()), asked_for(&server))),
    }
    if let Err(e) = &result {
        let text = format!("{e} {e:?}");
        if !text.contains("127.0.0.1") {
            return Err(format!("an error that names no host: {text}"));
        }
    }
    match row.waits {
        Waits::AtLeast(least) if took < least => return Err(format!("only {took:?} were waited")),
        Waits::UntilDeadline if took > DEADLINE + LATE => return Err(format!("{took:?} for a deadline of {DEADLINE:?}")),
        _ => {}
    }
    let fits = match row.asked(reader) {
        Asked::Exactly(n) => server.count() == n,
        Asked::AtMost(n) => server.count() <= n,
    };
    if !fits {
        return Err(format!("{:?} expected; {}", row.asked(reader), asked_for(&server)));
    }
    if row.resumes && reader != Reader::ColdShard { resumed(&server) } else { Ok(()) }
}

fn begin(row: &Row, reader: Reader, server: &Server, new: &Source) {
    let target = reader.target();
    match &row.begins {
        Begins::Before => {}
        Begins::Now(when, fault) => server.fault_when(target, *when, fault.clone()),
        Begins::Refused => server.refuse(),
        Begins::Hung => server.hang(),
        Begins::Replaced { same_etag, longer, fault } => {
            if let Some(fault) = fault {
                server.fault(target, fault.clone());
            }
            for (path, mut bytes) in reader.objects(new, row.packed) {
                bytes.resize(bytes.len() + longer, 0xcc);
                if *same_etag { server.put_under_the_same_etag(&path, bytes) } else { server.put(&path, bytes) }
            }
        }
        Begins::Redirected(to) => {
            reader.objects(&source(1), row.packed).into_iter().for_each(|(path, bytes)| server.put(&format!("/elsewhere{path}"), bytes));
            server.fault(target, Fault::Redirect(to.replace("SERVER", &server.url("")).replace("PATH", target)));
        }
    }
}

fn asked_for(server: &Server) -> String {
    let seen: Vec<String> = server
        .take_seen()
        .iter()
        .map(|s| format!("{} {} if-match {}", s.method, s.range.as_deref().unwrap_or("all"), s.header("if-match").unwrap_or("-")))
        .collect();
    format!("{} requests: {}", seen.len(), seen.join(", "))
}

/// What came is not asked for again, and the rest is asked of the same version.
fn resumed(server: &Server) -> Result<(), String> {
    let seen = server.take_seen();
    let first = |range: Option<&str>| range.and_then(|r| r.strip_prefix("bytes=")?.split_once('-')?.0.parse::<u64>().ok()).unwrap_or(0);
    let (Some(one), Some(two)) = (seen.first(), seen.get(1)) else { return Err("not sent again".to_owned()) };
    let (one_at, two_at) = (first(one.range.as_deref()), first(two.range.as_deref()));
    if two_at <= one_at || two_at >= one_at + CHUNK * CHUNK * 2 {
        return Err(format!("asked again from {two_at}, after {one_at}"));
    }
    match two.header("if-match") {
        Some(_) => Ok(()),
        None => Err("asked again without If-Match".to_owned()),
    }
}

/// Connections are refused for a while: the read waits for the server, inside of its attempts.
#[test]
fn a_server_that_comes_back_is_read() {
    let _others = among_others();
    for reader in READERS {
        let (server, source) = (Server::start(), source(1));
        reader.serve(&server, &source, Packed::Raw);
        let session = session(|o| {
            o.network.attempts = 1000;
            o.network.retry_floor = 1000;
        });
        let array = wait(reader.open(&session, &server)).unwrap();
        server.refuse();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(200));
                server.accept();
            });
            assert_eq!(wait(read(&array, &window())).unwrap(), truth(&source, &window()), "{reader:?}");
        });
    }
}
