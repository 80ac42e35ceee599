//! Places, pauses and counts of whole hosts.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, Waker};

use super::pace::Random;
use super::*;

const MIB: u64 = 1 << 20;

fn poll<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Admitted at once, or not at all.
fn now(host: &Host, bytes: u64) -> Option<Slot> {
    poll(pin!(host.admit(bytes)))
}

fn host(hosts: &Hosts, url: &str) -> Arc<Host> {
    hosts.of(&ObjectKey::new(url))
}

fn failure(kind: FailureKind) -> Failure {
    Failure { kind, retry_after: None }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap()
}

#[test]
fn names() {
    let table = [
        ("https://example.com/a/b.tif", "https://example.com"),
        ("https://example.com:8443/a/b.tif", "https://example.com:8443"),
        ("http://[::1]:80/a", "http://[::1]:80"),
        ("https://example.com", "https://example.com"),
        ("s3://bucket/a/b", "s3://bucket"),
        ("az://container/a", "az://container"),
        ("file:///tmp/a", "file://"),
        ("memory://name/path", "memory://name"),
        ("no url/at all", "no url"),
    ];
    for (url, expected) in table {
        assert_eq!(name(&ObjectKey::new(url)), expected, "{url}");
    }
}

#[test]
fn hosts_are_told_apart_and_forgotten() {
    let hosts = Hosts::new(&NetworkOptions::default());
    let first = host(&hosts, "http://a/x");
    assert!(Arc::ptr_eq(&first, &host(&hosts, "http://a/y")));
    for other in ["https://a/x", "http://a:81/x", "http://b/x"] {
        assert!(!Arc::ptr_eq(&first, &host(&hosts, other)), "{other}");
    }
    for i in 0..KEPT.get() - 4 {
        host(&hosts, &format!("http://host{i}/"));
    }
    assert!(Arc::ptr_eq(&first, &host(&hosts, "http://a/x")), "as many as are kept");
    for i in 0..KEPT.get() {
        host(&hosts, &format!("http://other{i}/"));
    }
    assert!(!Arc::ptr_eq(&first, &host(&hosts, "http://a/x")));
    assert_eq!(hosts.known.lock().unwrap().len(), KEPT.get());
}

#[test]
fn requests_and_bytes_of_one_and_of_all() {
    let options =
        NetworkOptions { connections: 3, connections_per_host: 2, bytes_in_flight: 150, bytes_in_flight_per_host: 100, ..NetworkOptions::default() };
    let url = ["http://a/", "http://b/", "http://c/"];
    // host and bytes: of what is in flight, and of what comes next; and whether it is let in
    type Asked = (usize, u64);
    let table: [(&[Asked], Asked, bool); 12] = [
        (&[], (0, 100), true),
        (&[], (0, 1_000), true),
        (&[(0, 1_000)], (0, 1), false),
        (&[(0, 1_000)], (1, 1), false),
        (&[(0, 10), (0, 10)], (0, 10), false),
        (&[(0, 10), (0, 10)], (1, 10), true),
        (&[(0, 60)], (0, 40), true),
        (&[(0, 60)], (0, 41), false),
        (&[(0, 60)], (1, 90), true),
        (&[(0, 60)], (1, 91), false),
        (&[(0, 1), (0, 1), (1, 1)], (2, 1), false),
        (&[(0, 1), (1, 1)], (2, 1_000), false),
    ];
    for (in_flight, next, expected) in table {
        let hosts = Hosts::new(&options);
        let mut slots: Vec<_> = in_flight.iter().map(|&(h, bytes)| now(&host(&hosts, url[h]), bytes).unwrap()).collect();
        let next_host = host(&hosts, url[next.0]);
        let mut waiting = pin!(next_host.admit(next.1));
        let slot = poll(waiting.as_mut());
        assert_eq!(slot.is_some(), expected, "{next:?} beside {in_flight:?}");
        slots.clear();
        assert!(slot.is_some() || poll(waiting).is_some(), "{next:?} when {in_flight:?} are over");
    }
}

#[test]
fn a_future_that_is_dropped_gives_up_its_places() {
    let options = NetworkOptions { connections: 2, connections_per_host: 2, ..NetworkOptions::default() };
    let hosts = Hosts::new(&options);
    let (a, b) = (host(&hosts, "http://a/"), host(&hosts, "http://b/"));
    let slots = [now(&a, 1).unwrap(), now(&a, 1).unwrap()];
    {
        let mut given_up = pin!(b.admit(1));
        assert!(poll(given_up.as_mut()).is_none());
    }
    drop(slots);
    assert!(now(&b, 1).is_some() && now(&a, 1).is_some());
    assert_eq!((hosts.requests.used(), hosts.bytes.used()), (0, 0));
    assert_eq!((b.shared.requests.used(), b.bytes.used()), (0, 0));
}

#[test]
fn files_and_memory_are_not_bounded() {
    let options = NetworkOptions { connections: 1, connections_per_host: 1, bytes_in_flight: 1, bytes_in_flight_per_host: 1, ..Default::default() };
    let hosts = Hosts::new(&options);
    for url in ["memory://a/b", "file:///a"] {
        let host = host(&hosts, url);
        let mut slots: Vec<_> = (0..100).map(|_| now(&host, 1 << 40).unwrap()).collect();
        slots[0].answered();
        slots[0].received(9);
        slots.pop().unwrap().done();
        slots.pop().unwrap().failed(&failure(FailureKind::Throttled));
    }
    assert_eq!(hosts.stats(), []);
}

#[test]
fn the_window_narrows_and_opens() {
    let hosts = Hosts::new(&NetworkOptions::default());
    let host = host(&hosts, "http://a/");
    for width in [16, 8, 4, 2, 1, 1] {
        let mut slots: Vec<_> = (0..width).map(|_| now(&host, 0).unwrap()).collect();
        assert!(now(&host, 0).is_none(), "{width}");
        let mut refused = 0;
        while refused < 5 {
            slots.pop().or_else(|| now(&host, 0)).unwrap().failed(&failure(FailureKind::Throttled));
            refused += 1;
        }
    }
    for _ in 0..15 * 16 {
        now(&host, 0).unwrap().done();
    }
    let slots: Vec<_> = (0..16).map(|_| now(&host, 0).unwrap()).collect();
    assert!(now(&host, 0).is_none());
    drop(slots);
}

#[test]
fn a_pause_holds_back_all_requests_to_its_host_and_no_others() {
    runtime().block_on(async {
        let options = NetworkOptions { connections: 4, connections_per_host: 4, ..NetworkOptions::default() };
        let hosts = Hosts::new(&options);
        let (a, b) = (host(&hosts, "http://a/"), host(&hosts, "http://b/"));
        let asked = Duration::from_millis(120);
        let start = Instant::now();
        a.admit(0).await.failed(&Failure { kind: FailureKind::Throttled, retry_after: Some(asked) });
        let held_back: Vec<_> = (0..8)
            .map(|_| {
                let a = a.clone();
                tokio::spawn(async move {
                    drop(a.admit(0).await);
                    Instant::now()
                })
            })
            .collect();
        let others = [b.admit(0).await, b.admit(0).await, b.admit(0).await, b.admit(0).await];
        let paused = hosts.stats()[0].paused;
        assert!(paused.is_some_and(|p| p <= asked), "{paused:?}");
        drop(others);
        for task in held_back {
            assert!(task.await.unwrap() >= start + asked);
        }
        assert_eq!(hosts.stats()[0].paused, None);
    });
}

#[test]
fn a_pause_that_is_asked_for_while_others_wait() {
    runtime().block_on(async {
        let options = NetworkOptions { connections: 1, ..NetworkOptions::default() };
        let hosts = Hosts::new(&options);
        let (a, b) = (host(&hosts, "http://a/"), host(&hosts, "http://b/"));
        let other = b.admit(0).await;
        let first = a.clone();
        let waiting = tokio::spawn(async move {
            drop(first.admit(0).await);
            Instant::now()
        });
        while a.shared.requests.used() == 0 {
            tokio::task::yield_now().await; // it stands at the gate of all hosts now, or is about to
        }
        let asked = Duration::from_millis(100);
        let refused = Instant::now();
        let attempt = a.shared.lock().send(refused);
        a.shared.lock().ended(
            &state::Attempt { end: state::End::Failed(Failure { kind: FailureKind::Throttled, retry_after: Some(asked) }), ..attempt },
            refused,
        );
        drop(other);
        drop(b.admit(0).await); // the place is not kept by the one that pauses
        assert!(waiting.await.unwrap() >= refused + asked);
    });
}

/// Hosts with little room, requests of all sizes, some given up and some refused: all come to an end, and nothing is left behind.
#[test]
fn nothing_locks_up() {
    let options = NetworkOptions {
        connections: 5,
        connections_per_host: 3,
        bytes_in_flight: 1_000,
        bytes_in_flight_per_host: 600,
        ..NetworkOptions::default()
    };
    let hosts = Arc::new(Hosts::new(&options));
    let most_bytes = Arc::new(AtomicUsize::new(0));
    runtime().block_on(async {
        let tasks: Vec<_> = (0..2_000_u64)
            .map(|i| {
                let (hosts, most) = (hosts.clone(), most_bytes.clone());
                tokio::spawn(async move {
                    let mut random = Random::seeded(i);
                    let host = host(&hosts, ["http://a/", "http://b/", "http://c/", "http://d/"][i as usize % 4]);
                    let bytes = random.next() % 700; // some are above what a host may have in flight
                    let Ok(mut slot) = tokio::time::timeout(Duration::from_micros(random.next() % 200_000), host.admit(bytes)).await else { return };
                    most.fetch_max(usize::try_from(hosts.bytes.used()).unwrap(), Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_micros(random.next() % 300)).await;
                    slot.answered();
                    slot.received(7);
                    match random.next() % 3 {
                        0 => slot.failed(&failure(FailureKind::Throttled)),
                        1 => slot.done(),
                        _ => drop(slot),
                    }
                })
            })
            .collect();
        let all = async {
            for task in tasks {
                task.await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("all come to an end");
    });
    assert!(most_bytes.load(Ordering::Relaxed) <= 1_000);
    assert_eq!((hosts.requests.used(), hosts.bytes.used()), (0, 0));
    let stats = hosts.stats();
    assert!(!stats.is_empty());
    for of_host in stats {
        assert_eq!((of_host.in_flight, of_host.bytes), (0, of_host.requests * 7), "{of_host:?}");
        assert!((1..=3).contains(&of_host.window));
    }
}

#[test]
fn what_was_seen() {
    let hosts = Hosts::new(&NetworkOptions::default());
    let (a, b) = (host(&hosts, "http://user:secret@b/x"), host(&hosts, "s3://a/x"));
    host(&hosts, "http://never-asked/");
    let open = now(&a, 0).unwrap();
    let mut slot = now(&b, 0).unwrap();
    slot.answered();
    slot.received(100_000);
    slot.done();
    now(&b, 0).unwrap().failed(&failure(FailureKind::Broken));
    assert!(b.retry(1, &failure(FailureKind::Broken)).is_some());
    let stats = hosts.stats();
    let told: Vec<_> = stats.iter().map(|s| (s.host.as_str(), s.requests, s.in_flight, s.bytes, s.broken, s.retries)).collect();
    assert_eq!(told, [("http://b", 1, 1, 0, 0, 0), ("s3://a", 2, 0, 100_000, 1, 1)]);
    assert!(stats[1].latency.is_some() && stats[1].bytes_per_second.is_some());
    drop(open);
}

#[test]
fn what_is_learned_of_a_request_that_was_overtaken() {
    let hosts = Hosts::new(&NetworkOptions::default());
    let host = host(&hosts, "http://a/");
    let mut first = now(&host, 0).unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(30) {
        std::thread::yield_now();
    }
    let second_sent = Instant::now();
    let second = now(&host, 0).unwrap();
    first.overtaken_by(&second);
    drop(second);
    first.answered();
    let since = second_sent.elapsed();
    first.done();
    let latency = hosts.stats()[0].latency.unwrap();
    assert!(latency <= since, "{latency:?}: the time of the second one");
}

#[test]
fn what_a_host_refuses_is_remembered() {
    let hosts = Hosts::new(&NetworkOptions::default());
    let host = host(&hosts, "http://a/");
    drop(now(&host, 0));
    assert!(!host.suffixes_are_refused() && !hosts.stats()[0].ignores_ranges);
    host.refuses_suffixes();
    host.refuses_ranges();
    assert!(host.suffixes_are_refused() && hosts.stats()[0].ignores_ranges);
    assert_eq!((host.merge().target(MIB), host.merge().gap), (64 * MIB, 64 * MIB), "one request an object");
    host.serves_ranges();
    assert!(host.suffixes_are_refused() && !hosts.stats()[0].ignores_ranges);
    assert_eq!(host.merge(), MergePolicy::default());
}
