//! What reads leave behind that were given up: nothing. And what they hold while a server sends without end: little.
//!
//! File descriptors, threads and the heap are the whole process', so the tests run one after the other.

#[path = "common/mod.rs"]
mod common;
#[path = "support/heap.rs"]
mod heap;
#[path = "support/mod.rs"]
mod support;
#[path = "faults/world.rs"]
#[allow(dead_code, reason = "the table of faults uses the rest")]
mod world;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::watch::{LONG, poll_for, until};
use futures_util::future::join_all;
use heap::{Counting, live, peak_of};
use support::server::{Fault, Server};
use swath::model::Region;
use swath::{ChunkedArray, ReadOptions};
use world::{CHUNK, Kind, Packed, Reader, SIZE, hasty, read, region, session, source, truth, wait, window};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const READS: usize = 10_000;
const AT_ONCE: usize = 200;

/// What a process holds.
#[derive(Debug, Clone, Copy)]
struct Held {
    descriptors: usize,
    threads: usize,
    connections: usize,
    heap: usize,
}

fn held(server: &Server) -> Held {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let threads = status.lines().find_map(|line| line.strip_prefix("Threads:")).unwrap();
    Held {
        descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count(),
        threads: threads.trim().parse().unwrap(),
        connections: server.connections(),
        heap: live(),
    }
}

impl Held {
    /// What is held at times, and let go of again.
    const SLACK: Self = Self { descriptors: 8, threads: 8, connections: 8, heap: 1 << 20 };

    fn is_back_at(self, before: Self) -> bool {
        let fits = |now: usize, then: usize, slack: usize| now <= then + slack;
        fits(self.descriptors, before.descriptors, Self::SLACK.descriptors)
            && fits(self.threads, before.threads, Self::SLACK.threads)
            && fits(self.connections, before.connections, Self::SLACK.connections)
            && fits(self.heap, before.heap, Self::SLACK.heap)
    }
}

/// Every chunk of every array, one after the other.
fn reads(arrays: &[ChunkedArray], number: usize) -> (&ChunkedArray, Region) {
    let (array, chunk) = (&arrays[number % arrays.len()], (number / arrays.len()) as u64);
    let across = SIZE / CHUNK;
    (array, region(chunk / across % across * CHUNK, chunk % across * CHUNK, CHUNK))
}

/// Begins reads and drops them.
fn dropped(arrays: &[ChunkedArray]) {
    let begun = (0..AT_ONCE).map(|number| {
        let (array, window) = reads(arrays, number);
        let array = array.clone();
        async move { read(&array, &window).await }
    });
    assert!(poll_for(join_all(begun), Duration::from_millis(20)).is_none(), "nothing answers");
}

/// Begins reads whose deadline ends them.
fn out_of_time(arrays: &[ChunkedArray]) {
    let mut options = ReadOptions::default();
    options.deadline = Some(Duration::from_millis(20));
    let begun = (0..AT_ONCE).map(|number| {
        let (array, window) = reads(arrays, number);
        let array = array.with_options(options.clone());
        async move { read(&array, &window).await }
    });
    for result in wait(join_all(begun)) {
        let error = result.expect_err("nothing answers");
        assert_eq!(Kind::of(error.kind()), Kind::Deadline, "{error}");
    }
}

#[test]
fn stalled_reads_leave_nothing_behind() {
    let _alone = alone();
    let (server, source) = (Server::start(), source(9));
    let session = session(|o| o.network.connections_per_host = 48);
    let arrays: Vec<ChunkedArray> = [Reader::Cog, Reader::Shard, Reader::Plain]
        .map(|reader| {
            reader.serve(&server, &source, Packed::Raw);
            wait(reader.open(&session, &server)).unwrap()
        })
        .to_vec();
    server.only_count();
    for (how, give_up) in [("dropped", dropped as fn(&[ChunkedArray])), ("out of time", out_of_time)] {
        server.fault_by(|_, nth| Some(Fault::Stall((nth % 2 == 0).then_some(100))));
        for _ in 0..2 {
            give_up(&arrays); // threads are started, buffers found
        }
        let settled = || until("the first connections close", LONG, || server.connections() <= Held::SLACK.connections);
        settled();
        let before = held(&server);
        let sent = server.count_all();
        for _ in 0..READS / 2 / AT_ONCE {
            give_up(&arrays);
        }
        settled();
        assert!(server.count_all() - sent >= READS / 2 / AT_ONCE * 8, "the reads reach the server");
        let end = Instant::now() + LONG;
        while !held(&server).is_back_at(before) {
            assert!(Instant::now() < end, "{how}: {before:?} before, {:?} after {READS} reads", held(&server));
            std::thread::sleep(Duration::from_millis(10));
        }
        // And the places of all those requests are free.
        server.heal_all();
        for array in &arrays {
            assert_eq!(wait(read(array, &region(0, 0, SIZE))).unwrap(), truth(&source, &region(0, 0, SIZE)), "{how}");
        }
    }
}

#[test]
fn what_has_no_end_is_not_held() {
    let _alone = alone();
    let faults = [
        Fault::Flood(1 << 30),
        Fault::Interim(None),
        Fault::Endless { told: true },
        Fault::Length(1 << 40),
        Fault::Length(1 << 63),
        Fault::Told(|a, _, _| Some(format!("bytes {a}-{0}/{0}", u64::MAX))),
        Fault::Long(1 << 20),
    ];
    for reader in [Reader::Cog, Reader::Shard, Reader::Plain] {
        let (server, source) = (Server::start(), source(10));
        reader.serve(&server, &source, Packed::Raw);
        let session = session(hasty);
        let array = wait(reader.open(&session, &server)).unwrap();
        for fault in &faults {
            server.fault(reader.target(), fault.clone());
            let (result, peak) = peak_of(|| wait(read(&array, &window())));
            let is_range_fault = matches!(fault, Fault::Told(_) | Fault::Long(_));
            assert!(result.is_err() || (reader == Reader::Plain && is_range_fault), "{reader:?} under {fault:?}");
            assert!(peak < 8 << 20, "{reader:?} under {fault:?}: {peak} bytes");
        }
    }
}
