//! All faults at once, under many readers: what comes out is right, or an error of a kind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use swath::model::Region;
use swath::{ChunkedArray, SessionOptions};

use crate::common::Source;
use crate::common::source::scramble;
use crate::support::server::{Fault, Seen, Server};
use crate::world::{Kind, Packed, READERS, Reader, SIZE, hasty, read, region, session, source, truth, wait};

/// Readers at once.
const TASKS: usize = 64;
/// Reads in all, where the environment does not ask for more.
const READS: usize = 100_000;
const SEED: u64 = 0x5eed;
/// No read may take longer, whatever its server does.
const LONGEST: Duration = Duration::from_secs(60);

fn reads() -> usize {
    std::env::var("SWATH_FAULT_READS").ok().map_or(READS, |n| n.parse().unwrap())
}

/// The caches of every second reader hold a part of what there is; those of the others, nothing.
fn cached(options: &mut SessionOptions) {
    options.cache_bytes = 8 << 10;
}

fn patient(options: &mut SessionOptions) {
    hasty(options);
    options.threads = 2;
    options.network.connections_per_host = TASKS;
    options.network.backoff = Duration::from_millis(1);
    options.network.backoff_most = Duration::from_millis(4);
    options.network.retry_share = 1.0; // a fifth of all answers is a fault
}

/// The fault of a request: of one in five.
fn choose(seen: &Seen, nth: usize) -> Option<Fault> {
    let dice = scramble(SEED ^ (nth as u64) << 20);
    if seen.path.ends_with(".json") || !dice.is_multiple_of(5) {
        return None;
    }
    let place = (dice >> 16) as usize % 300;
    // Of what stalls there is little: it is waited for.
    if (dice >> 32).is_multiple_of(100) {
        let slow = [Fault::Stall(None), Fault::Stall(Some(place)), Fault::Trickle(1), Fault::SlowHead, Fault::Interim(None), Fault::Flood(1 << 20)];
        return Some(slow[place % slow.len()].clone());
    }
    let header = |name: &str, value: &str| Fault::Header(name.into(), value.into());
    let busy = |status| Fault::Answer(status, vec![("Retry-After".into(), "0".into())]);
    let faults = [
        Fault::Reset(None),
        Fault::Reset(Some(place)),
        Fault::Cut(place),
        Fault::Cut(usize::MAX),
        Fault::Short(place + 1),
        Fault::Long(place + 1),
        Fault::Chunked,
        Fault::ChunkedWithLength,
        Fault::ChunkedCut(place),
        Fault::ChunkedShort(place + 1),
        Fault::NoLength,
        Fault::Length(1 << 63),
        Fault::Length(place as u64),
        Fault::Gzipped,
        header("Content-Encoding", "gzip"),
        header("Date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        Fault::IgnoreRanges,
        Fault::Endless { told: true },
        Fault::OtherRange(place + 1),
        Fault::Superset(place),
        Fault::Subset(place + 1),
        Fault::Shifted,
        Fault::Told(|_, _, _| None),
        Fault::Told(|a, b, _| Some(format!("bytes {a}-{b}/*"))),
        Fault::Told(|a, _, _| Some(format!("bytes {a}-{0}/{0}", u64::MAX))),
        Fault::Multipart,
        Fault::NotSatisfiable,
        Fault::Twice,
        Fault::Interim(Some(3)),
        Fault::EtagPerAnswer,
        Fault::WeakEtag,
        Fault::NoValidator,
        Fault::IgnoreIfMatch,
        Fault::Status(400),
        Fault::Status(403),
        Fault::Status(408),
        Fault::Status(500),
        Fault::Status(501),
        Fault::Status(502),
        Fault::Status(504),
        busy(429),
        busy(503),
        Fault::Redirect(seen.path.clone()),
        Fault::Redirect("http://127.0.0.2:1/elsewhere".into()),
        // What has no checksum is read by others than these two.
        if is_raw(&seen.path) { Fault::Status(404) } else { Fault::Corrupt(place) },
    ];
    Some(faults[(dice >> 40) as usize % faults.len()].clone())
}

fn is_raw(path: &str) -> bool {
    path.starts_with("/raw/image")
}

#[derive(Default)]
struct Tally {
    right: AtomicUsize,
    failed: std::sync::Mutex<BTreeMap<String, usize>>,
}

#[test]
fn no_fault_makes_a_wrong_byte() {
    let (server, source) = (Server::start(), Arc::new(source(3)));
    for (folder, packed) in [("raw", Packed::Raw), ("summed", Packed::Summed)] {
        for reader in READERS {
            for (path, bytes) in reader.objects(&source, packed) {
                server.put(&format!("/{folder}{path}"), bytes);
            }
        }
    }
    server.only_count();
    let sessions = [session(patient), session(|o| (patient(o), cached(o), o.network.hedge = true).2)];
    // A chunk without a checksum, of an object whose length no answer tells, is what it is: so none but the COG is read raw.
    let subjects = [(Reader::Cog, "raw"), (Reader::Cog, "summed"), (Reader::Shard, "summed"), (Reader::Plain, "summed")];
    let arrays: Vec<ChunkedArray> = (0..TASKS)
        .map(|task| {
            let (reader, folder) = subjects[task / 2 % subjects.len()];
            wait(reader.open_at(&sessions[task % 2], &server.url(&format!("/{folder}{}", reader.root())))).unwrap()
        })
        .collect();
    server.fault_by(choose);

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let (left, tallies) = (Arc::new(AtomicUsize::new(reads())), Arc::new(subjects.map(|_| Tally::default())));
    let tasks: Vec<_> = arrays
        .into_iter()
        .enumerate()
        .map(|(task, array)| runtime.spawn(read_on(task, array, source.clone(), left.clone(), tallies.clone())))
        .collect();
    for task in tasks {
        runtime.block_on(task).unwrap();
    }
    let mut told = String::new();
    for (subject, tally) in subjects.iter().zip(tallies.iter()) {
        let (right, failed) = (tally.right.load(Ordering::SeqCst), tally.failed.lock().unwrap());
        told += &format!("{subject:?}: {right} right, {} failed: {failed:?}\n", failed.values().sum::<usize>());
    }
    println!("{} requests\n{told}", server.count_all());
    for tally in tallies.iter() {
        let (right, failed) = (tally.right.load(Ordering::SeqCst), tally.failed.lock().unwrap().values().sum::<usize>());
        assert!(right > failed, "a reader that refuses nearly everything is of no use\n{told}");
    }
}

async fn read_on(task: usize, array: ChunkedArray, source: Arc<Source>, left: Arc<AtomicUsize>, tallies: Arc<[Tally; 4]>) {
    let mut dice = scramble(SEED + task as u64);
    while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
        dice = scramble(dice);
        let window = small(dice);
        let result = tokio::time::timeout(LONGEST, read(&array, &window)).await;
        let tally = &tallies[task / 2 % tallies.len()];
        match result.unwrap_or_else(|_| panic!("a read of {window} hangs")) {
            Ok(elements) => {
                assert!(elements == truth(&source, &window), "WRONG BYTES in {window} of {array:?}");
                tally.right.fetch_add(1, Ordering::SeqCst);
            }
            Err(e) => {
                let kind = Kind::of(e.kind());
                assert_ne!(kind, Kind::Other, "{e}");
                *tally.failed.lock().unwrap().entry(format!("{kind:?}")).or_default() += 1;
            }
        }
    }
}

/// A window within one chunk, or of a few.
fn small(dice: u64) -> Region {
    let size = 1 + dice % 16;
    let (y, x) = ((dice >> 8) % (SIZE - size + 1), (dice >> 24) % (SIZE - size + 1));
    region(y, x, size)
}
