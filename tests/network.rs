//! Hosts in trouble: what is sent to them, when, and how much of it at once. The server counts.

#[path = "../benches/common/mod.rs"]
mod common;
mod support;

use std::future::Future;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use common::tiff::{Image, Packing};
use futures_util::stream::{self, StreamExt};
use ndarray::Ix3;
use support::server::date::http_date;
use support::server::{Fault, Server, When};
use swath::{ChunkedArray, Cost, HostStats, Result, Session, SessionOptions};

const SIZE: usize = 512;
const TILE: usize = 16;
const ACROSS: usize = SIZE / TILE;
const PATH: &str = "/image.tif";

/// A server of 1,024 tiles, a session that keeps nothing of them, and the array.
struct World {
    server: Server,
    session: Session,
    array: ChunkedArray,
    pixels: Vec<u8>,
}

impl World {
    fn new(change: impl FnOnce(&mut SessionOptions)) -> Self {
        let pixels = common::terrain_u16(SIZE);
        let image = Image { pixels: pixels.clone(), size: SIZE, tile: TILE, element: 2, packing: Packing::None, predictor: 1, overviews: 0 };
        let server = Server::start();
        server.put(PATH, image.write());
        let mut options = SessionOptions::default();
        (options.threads, options.cache_bytes) = (2, 0);
        change(&mut options);
        let session = Session::with_options(options).unwrap();
        let array = session.block_on(session.open_cog(&server.url(PATH))).unwrap().level(0).unwrap();
        server.take_seen();
        Self { server, session, array, pixels }
    }

    /// Reads a tile, and compares it.
    async fn read(&self, tile: usize) -> Result<()> {
        let (y, x) = (tile / ACROSS % ACROSS * TILE, tile % ACROSS * TILE);
        let span = |from: usize| from as u64..(from + TILE) as u64;
        let read = self.array.read::<u16, Ix3>((.., span(y), span(x))).await?;
        for ((_, row, column), value) in read.indexed_iter() {
            let at = ((y + row) * SIZE + x + column) * 2;
            assert_eq!(value.to_le_bytes(), self.pixels[at..at + 2], "tile {tile}, row {row}, column {column}");
        }
        Ok(())
    }

    /// Reads tiles, so many at once; how many of the reads failed.
    fn failed(&self, tiles: Range<usize>, at_once: usize) -> usize {
        let reads = stream::iter(tiles).map(|tile| self.read(tile)).buffer_unordered(at_once);
        let told = |read: &Result<()>| read.as_ref().inspect_err(|e| eprintln!("{e}")).is_err();
        self.session.block_on(reads.filter(|read| std::future::ready(told(read))).count())
    }

    fn stats(&self) -> HostStats {
        self.session.host_stats().pop().unwrap()
    }

    /// From now on requests are noted with their times, and so many of them, the first ones, have a fault.
    fn note(&self, faulty: usize, fault: Fault) -> Arc<Mutex<Vec<Instant>>> {
        let times = Arc::new(Mutex::new(Vec::new()));
        let noted = times.clone();
        self.server.fault_by(move |_, nth| {
            noted.lock().unwrap().push(Instant::now());
            (nth < faulty).then(|| fault.clone())
        });
        times
    }
}

fn begin<F: Future>(future: std::pin::Pin<&mut F>) {
    assert!(future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_pending());
}

fn wait_for(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_secs(30), "it did not happen");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// 100 MB over several connections at once, decoded while it comes: no reader of one long answer does either.
#[test]
fn a_large_image_comes_side_by_side_and_is_decoded_as_it_comes() {
    const SIDE: usize = 7168;
    let pixels: Vec<u8> = (0..SIDE * SIDE).flat_map(|i| (i ^ i >> 13).to_le_bytes().into_iter().take(2)).collect();
    let image = Image { pixels: pixels.clone(), size: SIDE, tile: 512, element: 2, packing: Packing::None, predictor: 1, overviews: 0 };
    let server = Server::start();
    server.put(PATH, image.write());
    server.set_latency(Duration::from_millis(30));
    let mut options = SessionOptions::default();
    (options.cache_bytes, options.network.cost) = (0, Cost::TYPICAL);
    let session = Session::with_options(options).unwrap();
    let array = session.block_on(session.open_cog(&server.url(PATH))).unwrap().level(0).unwrap();
    server.forget_most_at_once();
    let (read, stats) = session.block_on(array.read_with_stats::<u16, Ix3>(..)).unwrap();
    assert!(read.iter().zip(pixels.chunks_exact(2)).all(|(value, bytes)| value.to_le_bytes() == bytes));
    assert!(stats.requests >= 13 && stats.bytes >= pixels.len() as u64, "none above 8 MiB: {stats:?}");
    assert!((4..=16).contains(&server.most_at_once()), "{} at once", server.most_at_once());
    assert!(stats.first_chunk_time < stats.plan_time + stats.fetch_time, "decoded before the last byte came: {stats:?}");
}

#[test]
fn one_answer_in_ten_refused_fails_no_read() {
    let counts = [None, Some(503), Some(429), Some(500)].map(|status| {
        // With five attempts, the default, one read in 10^5 meets a refusal each time by chance.
        let world = World::new(|options| options.network.attempts = 7);
        world.server.set_latency(Duration::from_millis(20));
        if let Some(status) = status {
            // One in each ten, at a place that changes: answers come in step, and a repetition would meet each tenth again and again.
            world.server.fault_by(move |_, nth| (nth % 10 == (nth / 10).wrapping_mul(0x9e37_79b1) / 65_536 % 10).then_some(Fault::Status(status)));
        }
        world.server.forget_most_at_once();
        assert_eq!(world.failed(0..1_000, 64), 0, "{status:?}");
        wait_for(|| world.stats().in_flight == 0);
        let (count, stats) = (world.server.count(), world.stats());
        assert!(world.server.most_at_once() <= 16, "{}", world.server.most_at_once());
        assert_eq!(stats.window, 16, "refusals that repeating makes up for do not narrow the window");
        assert_eq!(stats.retries, count as u64 - 1_000, "{status:?}");
        assert_eq!((stats.timeouts, stats.broken), (0, 0), "{status:?}");
        assert!(stats.latency.is_some_and(|l| l >= Duration::from_millis(20)), "{stats:?}");
        count
    });
    let [without, with @ ..] = counts;
    assert_eq!(without, 1_000);
    assert!(with.iter().all(|&count| count > 1_100 && count * 4 <= without * 5), "{counts:?}");
}

#[test]
fn a_host_is_left_alone_as_long_as_it_asks_for() {
    let answer = |headers: &[(&str, String)]| Fault::Answer(503, headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect());
    let table = [
        ("seconds", answer(&[("Retry-After", "1".into())])),
        (
            "a date by the clock of the server",
            answer(&[("Date", "Sun, 06 Nov 1994 08:49:37 GMT".into()), ("Retry-After", "Sun, 06 Nov 1994 08:49:38 GMT".into())]),
        ),
        (
            "a date as it was written long ago",
            answer(&[("Date", "Sun Nov  6 08:49:37 1994".into()), ("Retry-After", "Sunday, 06-Nov-94 08:49:38 GMT".into())]),
        ),
    ];
    for (name, fault) in table {
        let world = World::new(|_| {});
        let times = world.note(1, fault);
        let mut first = Box::pin(world.read(0));
        begin(first.as_mut());
        wait_for(|| world.stats().paused.is_some());
        assert_eq!(world.failed(1..20, 64), 0, "{name}: other reads wait");
        world.session.block_on(first).unwrap();
        let times = times.lock().unwrap();
        assert_eq!(times.len(), 21, "{name}");
        assert!(times[1..].iter().all(|t| *t >= times[0] + Duration::from_secs(1)), "{name}");
        assert_eq!((world.stats().throttled, world.stats().retries), (1, 1), "{name}");
    }
    // a date by our own clock, as there is none of the server's
    let world = World::new(|_| {});
    let date = http_date(SystemTime::now() + Duration::from_secs(600));
    let times = world.note(1, answer(&[("Retry-After", date)]));
    let mut read = Box::pin(world.read(0));
    begin(read.as_mut());
    wait_for(|| world.stats().paused.is_some());
    let paused = world.stats().paused.unwrap();
    assert!(paused > Duration::from_secs(240) && paused <= Duration::from_secs(300), "{paused:?}: the longest that is waited");
    assert_eq!(times.lock().unwrap().len(), 1);
}

#[test]
fn a_host_that_refuses_everything_is_asked_one_at_a_time() {
    let world = World::new(|options| {
        options.network.attempts = 2;
        options.network.retry_floor = 10_000;
        options.network.backoff = Duration::from_millis(1);
    });
    world.server.set_latency(Duration::from_millis(5));
    world.server.forget_most_at_once();
    assert_eq!(world.failed(0..100, 64), 0);
    assert!((2..=16).contains(&world.server.most_at_once()), "{}", world.server.most_at_once());

    world.server.fault(PATH, Fault::Status(429));
    assert_eq!(world.failed(0..100, 64), 100);
    assert_eq!((world.stats().window, world.stats().throttled), (1, 200));
    world.server.forget_most_at_once();
    assert_eq!(world.failed(0..20, 64), 20);
    assert_eq!(world.server.most_at_once(), 1);

    world.server.heal(PATH);
    assert_eq!(world.failed(0..300, 64), 0);
    assert_eq!(world.stats().window, 16, "it is trusted again");
}

#[test]
fn a_dead_host_is_not_asked_for_ever() {
    type Deaden = fn(&Server);
    let table: [(&str, Deaden); 2] = [("503", |server| server.fault(PATH, Fault::Status(503))), ("connections refused", Server::refuse)];
    for (name, deaden) in table {
        let world = World::new(|options| options.network.backoff = Duration::from_millis(1));
        let before = world.stats().requests;
        deaden(&world.server);
        let error = world.session.block_on(world.read(0)).unwrap_err();
        assert!(error.to_string().contains("5 attempts"), "{name}: {error}");
        assert_eq!(world.stats().requests - before, 5, "{name}");
        assert_eq!(world.failed(0..99, 8), 99, "{name}");
        // a fifth of the hundred, the ten that are always allowed, and what opening brought
        let stats = world.stats();
        assert_eq!(stats.requests - before, 100 + stats.retries, "{name}");
        assert!((30..=31).contains(&stats.retries), "{name}: {}", stats.retries);
    }
}

#[test]
fn a_late_answer_is_not_waited_for() {
    let world = World::new(|options| {
        options.network.hedge = true;
        options.network.first_byte_timeout = Duration::from_secs(120);
    });
    world.server.set_latency(Duration::from_millis(60));
    assert_eq!(world.failed(0..400, 8), 0);
    let before = world.stats();
    // one in ten is never answered; what is sent a second time is
    world.server.fault_when(PATH, When::Every(10), Fault::Stall(None));
    let start = Instant::now();
    assert_eq!(world.failed(0..40, 1), 0);
    assert!(start.elapsed() < Duration::from_secs(60), "nothing waited for what does not come");
    wait_for(|| world.stats().in_flight == 0);
    let stats = world.stats();
    assert!(stats.hedges >= before.hedges + 4, "{stats:?}");
    assert!(stats.hedges * 20 <= stats.requests, "one in twenty at most: {stats:?}");
    assert_eq!((stats.timeouts, stats.retries), (0, 0));
    assert!((445..=441 + stats.hedges).contains(&stats.requests), "opening, reading, and what was sent twice: {stats:?}");
    assert!(stats.latency.is_some_and(|l| l < Duration::from_secs(1)), "{stats:?}");
}

#[test]
fn readers_of_one_tile_share_its_repetitions() {
    let world = World::new(|_| {});
    let times = world.note(3, Fault::Status(503));
    let all = stream::iter(0..64).map(|_| world.read(7)).buffer_unordered(64).collect::<Vec<_>>();
    assert!(world.session.block_on(all).iter().all(Result::is_ok));
    assert_eq!(times.lock().unwrap().len(), 4, "three refusals, one answer");
}

/// The reader that began a request leaves while the request waits to be sent again.
#[test]
fn a_reader_that_leaves_takes_nothing_from_the_others() {
    let world = World::new(|_| {});
    let times = world.note(1, Fault::Answer(503, vec![("Retry-After".into(), "1".into())]));
    let mut leader = Box::pin(world.read(7));
    begin(leader.as_mut());
    wait_for(|| world.stats().paused.is_some());
    let mut followers: Vec<_> = (0..8).map(|_| Box::pin(world.read(7))).collect();
    followers.iter_mut().for_each(|f| begin(f.as_mut()));
    std::thread::sleep(Duration::from_millis(50)); // they have joined, as far as it matters
    drop(leader);
    let read = stream::iter(followers).buffer_unordered(8).collect::<Vec<_>>();
    assert!(world.session.block_on(read).iter().all(Result::is_ok));
    assert_eq!(times.lock().unwrap().len(), 2, "one refusal, one answer");
    // with all of its readers gone a request is not sent again
    let times = world.note(1, Fault::Answer(503, vec![("Retry-After".into(), "1".into())]));
    let mut alone = Box::pin(world.read(9));
    begin(alone.as_mut());
    wait_for(|| world.stats().paused.is_some());
    drop(alone);
    assert_eq!(world.failed(10..11, 1), 0);
    wait_for(|| world.stats().in_flight == 0);
    assert_eq!(times.lock().unwrap().len(), 2);
}
