//! Plain HTTP: request counts, faults, secrets.

use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use super::support::server::{Fault, Server};
use super::*;
use crate::io::fetch::Fetch;

const MIB: u64 = 1 << 20;

fn quick() -> IoOptions {
    IoOptions { network: NetworkOptions { attempts: 2, ..NetworkOptions::default() }, ..IoOptions::default() }
}

fn uncached() -> IoOptions {
    IoOptions { cache_stored: false, ..quick() }
}

#[test]
fn http_conforms() {
    let data = pattern(3000);
    for options in [quick(), uncached()] {
        let server = Server::start();
        for path in ["/a.tif", "/a%20b//c%23d.tif"] {
            server.put(path, data.clone());
            let io = io(options.clone());
            let key = io.object(&server.url(path)).unwrap();
            conformance(&io, &key, &io.object(&server.url("/absent")).unwrap(), &data);
            assert!(matches!(get(&io, &list(&key)), Ok(Got::Names(None))));
        }
    }
}

#[test]
fn plan_foretells_the_requests() {
    let server = Server::start();
    let data = pattern(40 << 20);
    server.put("/a", data.clone());
    server.put("/b", data.clone());
    let mut options = quick();
    options.network.cost = Cost::TYPICAL; // numbers of requests are the same on any machine
    let io = io(options);
    let (a, b) = (io.object(&server.url("/a")).unwrap(), io.object(&server.url("/b")).unwrap());
    let tiles: Vec<Want> = (0..64).map(|i| range(&a, i * MIB / 2, MIB / 2)).collect();
    let table: Vec<(&str, Vec<Want>, usize)> = vec![
        ("two near", vec![range(&a, 0, 100), range(&a, 5000, 100)], 1),
        ("two far", vec![range(&a, 0, 101), range(&a, MIB, 100)], 2),
        ("two objects", vec![range(&a, 7, 9), range(&b, 7, 9)], 2),
        ("a run of 32 MiB", tiles, 16),
        ("one of 20 MiB", vec![range(&b, MIB, 20 * MIB)], 10),
        ("the same thrice", vec![range(&b, 1, 2), range(&b, 1, 2), range(&b, 1, 2)], 1),
        ("of every kind", vec![whole(&b), suffix(&b, 9), range(&b, 0, 9)], 3),
    ];
    for (name, wants, expected) in table {
        let planned = io.plan(&wants);
        assert_eq!(planned.len(), expected, "{name}");
        let mut served: Vec<usize> = planned.iter().flat_map(|p| p.wants.clone()).collect();
        served.sort_unstable();
        served.dedup();
        assert_eq!(served, (0..wants.len()).collect::<Vec<_>>(), "{name}");

        server.take_seen();
        let counters = Arc::new(Counters::default());
        let got = fetch_all(&io, &wants, &counters);
        for (want, got) in wants.iter().zip(got) {
            let expected = match want {
                Want::Range(span) => &data[span.start as usize..span.end() as usize],
                Want::Suffix { length, .. } => &data[data.len() - *length as usize..],
                _ => &data[..],
            };
            assert!(bytes(got) == expected, "{name}");
        }
        let mut ranges: Vec<_> = server.take_seen().into_iter().map(|s| (s.path, s.range)).collect();
        let mut foretold: Vec<_> = planned
            .iter()
            .map(|p| {
                let path = p.object.url().rsplit_once('/').unwrap().1;
                let range = match p.length {
                    Some(9) if p.start == 0 && name == "of every kind" && p.wants == [1] => Some("bytes=-9".to_owned()),
                    Some(length) => Some(format!("bytes={}-{}", p.start, p.start + length - 1)),
                    None => None,
                };
                (format!("/{path}"), range)
            })
            .collect();
        ranges.sort();
        foretold.sort();
        assert_eq!(ranges, foretold, "{name}");
        assert_eq!(counters.snapshot().requests, expected as u64, "{name}");
    }
}

#[test]
fn what_is_cached_is_not_asked_again() {
    let server = Server::start();
    server.put("/a", pattern(100_000));
    let io = io(quick());
    let key = io.object(&server.url("/a")).unwrap();
    let wants = [range(&key, 0, 1000), range(&key, 50_000, 1000), suffix(&key, 10)];
    let counters = Arc::new(Counters::default());
    let first: Vec<Bytes> = fetch_all(&io, &wants, &counters).into_iter().map(bytes).collect();
    assert_eq!((server.count(), io.plan(&wants)), (2, vec![]));
    assert!(io.cached_bytes() < 4000, "small slices do not pin the merged response");
    let again: Vec<Bytes> = fetch_all(&io, &wants, &counters).into_iter().map(bytes).collect();
    assert_eq!((first == again, server.count()), (true, 2));
    assert_eq!((counters.snapshot().cache_hits, counters.snapshot().cache_bytes), (3, 2010));

    let pinned = key.with_version(version(get(&io, &wants[0])));
    assert_eq!(bytes(get(&io, &range(&pinned, 0, 1000))), first[0]);
    assert_eq!(server.count(), 2, "the entry is of that version");
    server.put("/a", vec![1; 100_000]);
    assert!(matches!(get(&io, &range(&pinned, 20_000, 10)).unwrap_err().kind(), ErrorKind::ObjectChanged { .. }));
    assert_eq!(bytes(get(&io, &wants[0])), vec![1; 1000], "a change empties the cache of that object");
}

#[test]
fn what_is_asked_for_in_no_version_must_be_fresh() {
    let server = Server::start();
    server.put("/a", pattern(1000));
    let mut options = quick();
    options.network.fresh_for = Duration::ZERO;
    let io = io(options);
    let key = io.object(&server.url("/a")).unwrap();
    let want = range(&key, 0, 100);
    let pinned = key.with_version(version(get(&io, &want)));
    assert_eq!((bytes(get(&io, &want)), server.count()), (pattern(100).into(), 2));
    assert_eq!((bytes(get(&io, &range(&pinned, 0, 100))), server.count()), (pattern(100).into(), 2));
    server.put("/a", vec![1; 1000]);
    assert_eq!(bytes(get(&io, &want)), vec![1; 100]);
}

#[test]
fn what_was_parsed_a_moment_ago_is_parsed_no_more() {
    let server = Server::start();
    server.put("/a", vec![0, 3, 0, 2]);
    let open = |io: &Io, key: &ObjectKey| wait(io.drive_shared(key, Chain { key: key.clone(), next: 1, hops: 0 }, &Arc::default())).unwrap();
    let of = |options: IoOptions| {
        let io = io(options);
        let key = io.object(&server.url("/a")).unwrap();
        (io, key)
    };
    let (kept, key) = of(quick());
    let first = open(&kept, &key);
    assert_eq!((*first, server.count()), (3, 3));
    assert!(Arc::ptr_eq(&first, &open(&kept, &key)));
    wait(kept.forget(&key)).unwrap();
    assert!(!Arc::ptr_eq(&first, &open(&kept, &key)));
    assert_eq!(server.take_seen().len(), 6);

    let mut stale = quick();
    stale.network.fresh_for = Duration::ZERO;
    for options in [stale, uncached()] {
        let (io, key) = of(options);
        assert_eq!((*open(&io, &key), *open(&io, &key), server.take_seen().len()), (3, 3, 6));
    }
    // What is parsed of kept bytes is not as fresh as it looks.
    let (io, key) = of(quick());
    get(&io, &range(&key, 1, 1)).unwrap();
    let first = open(&io, &key);
    assert!(!Arc::ptr_eq(&first, &open(&io, &key)));

    let key = io.object("memory://m/chain").unwrap();
    wait(io.put_memory(&key, Bytes::from_static(&[0, 3, 0, 2]))).unwrap();
    assert!(!Arc::ptr_eq(&open(&io, &key), &open(&io, &key)), "nothing says that it is still the same");
}

#[test]
fn readers_of_one_range_share_a_request() {
    let server = Server::start();
    server.put("/a", pattern(10_000));
    server.set_latency(Duration::from_millis(100));
    let io = io(uncached());
    let want = range(&io.object(&server.url("/a")).unwrap(), 10, 5000);
    let counters = Arc::new(Counters::default());
    let fetches: Vec<Fetch> = (0..64).map(|_| io.fetch(vec![want.clone()], counters.clone())).collect();
    for fetch in fetches {
        let all: Vec<_> = wait(fetch.collect());
        assert_eq!(bytes(all.into_iter().next().unwrap().1), pattern(10_000)[10..5010]);
    }
    assert_eq!(server.count(), 1);
    assert_eq!((counters.snapshot().requests, counters.snapshot().shared), (1, 63));
}

#[test]
fn the_caps_of_one_reader_are_not_anothers() {
    let server = Server::start();
    server.put("/a", pattern(10_000));
    server.set_latency(Duration::from_millis(50));
    let io = io(uncached());
    let want = range(&io.object(&server.url("/a")).unwrap(), 10, 5000);
    let capped = io.fetch(vec![want.clone()], Arc::new(Counters::capped(None, Some(4999))));
    let free = io.fetch(vec![want], Arc::default());
    let answers = [capped, free].map(|fetch| wait(fetch.collect::<Vec<_>>()).remove(0).1);
    let [capped, free] = answers;
    assert!(matches!(capped.unwrap_err().kind(), ErrorKind::Limit { what: "max_bytes", asked: 5000, allowed: 4999 }));
    assert_eq!(bytes(free).len(), 5000);
    assert_eq!(server.count(), 1, "nothing is sent that is not allowed");
}

#[test]
fn whole_objects_count_as_long_as_they_are() {
    let server = Server::start();
    server.put("/small", pattern(50_000));
    server.put("/large", pattern(3 << 20));
    let io = io(uncached());
    let read = |path: &str, counters: &Arc<Counters>| wait(io.get(&whole(&io.object(&server.url(path)).unwrap()), counters));
    let counters = Arc::new(Counters::capped(None, Some(120_000)));
    assert_eq!(bytes(read("/small", &counters)).len(), 50_000);
    assert_eq!(bytes(read("/small", &counters)).len(), 50_000);
    for path in ["/large", "/small"] {
        assert!(matches!(read(path, &counters).unwrap_err().kind(), ErrorKind::Limit { what: "max_bytes", .. }), "{path}");
    }
}

#[test]
fn a_failure_is_told_to_all_and_not_remembered() {
    let server = Server::start();
    server.put("/a", pattern(100));
    server.fault("/a", Fault::Status(400));
    server.set_latency(Duration::from_millis(50));
    let io = io(quick());
    let want = range(&io.object(&server.url("/a")).unwrap(), 0, 10);
    let fetches: Vec<Fetch> = (0..4).map(|_| io.fetch(vec![want.clone()], Arc::default())).collect();
    for fetch in fetches {
        let all: Vec<_> = wait(fetch.collect());
        assert!(all[0].1.is_err());
    }
    assert_eq!(server.count(), 1);
    server.heal("/a");
    assert_eq!(bytes(get(&io, &want)).len(), 10);
}

#[test]
fn a_dropped_fetch_stops_asking_unless_another_waits() {
    let server = Server::start();
    server.put("/a", pattern(4 << 20));
    server.set_latency(Duration::from_millis(30));
    let network = NetworkOptions { connections_per_host: 2, merge_gap: Some(0), ..NetworkOptions::default() };
    let io = io(IoOptions { network, ..uncached() });
    let key = io.object(&server.url("/a")).unwrap();
    let wants: Vec<Want> = (0..100).map(|i| range(&key, i * 1000, 10)).collect();
    let mut first = io.fetch(wants.clone(), Arc::default());
    let second = io.fetch(vec![wants[60].clone(), wants[61].clone()], Arc::default());
    assert!(wait(first.next()).unwrap().1.is_ok());
    // Before anything is given up: the server goes on with an answer for a while after its client has gone.
    assert!(server.most_at_once() <= 2);
    drop(first);
    let rest: Vec<_> = wait(second.collect());
    assert_eq!(rest.len(), 2);
    rest.into_iter().for_each(|(_, got)| assert_eq!(bytes(got).len(), 10));
    std::thread::sleep(Duration::from_millis(150));
    assert!(server.count() <= 10, "{} requests after the reader had gone", server.count());
    assert_eq!(io.0.flights.len(), 0);
}

#[test]
fn answers_that_lie_are_errors() {
    let data = pattern(10_000);
    let storage = || ErrorKind::Storage(String::new());
    let denied = || ErrorKind::Denied(String::new());
    for (fault, expected) in [
        (Fault::Short(1), storage()),
        (Fault::Long(500), storage()),
        (Fault::Cut(100), storage()),
        (Fault::Shifted, storage()),
        (Fault::ContentRange("bytes 0-18446744073709551615/18446744073709551615".into()), storage()),
        (Fault::ContentRange("bytes 100-199/*".into()), storage()),
        (Fault::ContentRange("nonsense".into()), storage()),
        (Fault::Header("Content-Encoding".into(), "gzip".into()), ErrorKind::Encoded("gzip".into())),
        (Fault::Status(403), denied()),
        (Fault::Status(401), denied()),
        (Fault::Status(400), storage()),
        (Fault::Status(503), storage()),
        (Fault::Redirect("file:///etc/passwd".into()), storage()),
    ] {
        let server = Server::start();
        server.put("/a", data.clone());
        server.fault("/a", fault.clone());
        let io = io(quick());
        let key = io.object(&server.url("/a")).unwrap();
        let error = get(&io, &range(&key, 100, 1000)).expect_err(&format!("{fault:?}"));
        assert_eq!(std::mem::discriminant(error.kind()), std::mem::discriminant(&expected), "{fault:?}: {error}");
        assert_eq!(error.object(), Some(key.url()));
        assert_eq!(io.cached_bytes(), 0, "{fault:?}");
    }
}

#[test]
fn faults_that_can_be_lived_with() {
    let data = pattern(10_000);
    let expected = &data[100..1100];
    let table: Vec<(Fault, usize)> = vec![
        (Fault::NoLength, 1),
        (Fault::NoValidator, 1),
        (Fault::IgnoreRanges, 1),
        (Fault::Header("Content-Encoding".into(), "identity".into()), 1),
        (Fault::StatusTimes(503, Arc::new(AtomicUsize::new(1))), 2),
        (Fault::StatusTimes(500, Arc::new(AtomicUsize::new(1))), 2),
    ];
    for (fault, requests) in table {
        let server = Server::start();
        server.put("/a", data.clone());
        server.fault("/a", fault.clone());
        let io = io(quick());
        let key = io.object(&server.url("/a")).unwrap();
        assert_eq!(bytes(get(&io, &range(&key, 100, 1000))), expected, "{fault:?}");
        assert_eq!(server.count(), requests, "{fault:?}");
        if matches!(fault, Fault::IgnoreRanges) {
            assert_eq!(bytes(get(&io, &range(&key, 7000, 10))), &data[7000..7010]);
            assert_eq!(bytes(get(&io, &suffix(&key, 10))), &data[9990..]);
            assert_eq!(server.count(), 1, "what came whole is kept whole");
        }
        assert_eq!(bytes(get(&io, &whole(&key))), data, "{fault:?}");
    }
}

#[test]
fn an_object_past_the_end_and_servers_without_suffixes() {
    let server = Server::start();
    server.put("/a", pattern(1000));
    let io = io(uncached());
    let key = io.object(&server.url("/a")).unwrap();
    assert_eq!(bytes(get(&io, &range(&key, 5000, 10))).len(), 0);
    server.fault("/a", Fault::NoSuffix(416));
    server.put("/empty", []);
    let empty = io.object(&server.url("/empty")).unwrap();
    for want in [suffix(&empty, 10), range(&empty, 0, 10), whole(&empty)] {
        assert_eq!(bytes(get(&io, &want)).len(), 0, "{want:?}");
    }
    // What an empty object refuses says nothing of the host; what a full one refuses is not tried on it again.
    server.put("/b", pattern(2000));
    server.fault("/b", Fault::NoSuffix(416));
    let b = io.object(&server.url("/b")).unwrap();
    for (key, from, methods) in [(&key, 990, ["GET", "HEAD", "GET"].as_slice()), (&b, 1990, &["HEAD", "GET"]), (&key, 990, &["HEAD", "GET"])] {
        server.take_seen();
        assert_eq!(bytes(get(&io, &suffix(key, 10))), pattern(2000)[from..from + 10]);
        let seen = server.take_seen();
        assert_eq!(seen.iter().map(|s| s.method.as_str()).collect::<Vec<_>>(), methods, "{}", key.url());
    }
}

#[test]
fn a_changed_object_is_never_mixed() {
    let server = Server::start();
    server.put_with_etag("/a", vec![1; 1000], "\"one\"");
    server.put_with_etag("/weak", vec![1; 1000], "W/\"one\"");
    let io = io(uncached());
    for path in ["/a", "/weak"] {
        let key = io.object(&server.url(path)).unwrap();
        let pinned = key.with_version(version(get(&io, &range(&key, 0, 10))));
        if path == "/a" {
            assert_eq!(bytes(get(&io, &range(&pinned, 10, 10))).len(), 10);
            assert_eq!(server.take_seen().last().unwrap().header("if-match"), Some("\"one\""));
            server.put_with_etag(path, vec![2; 1000], "\"two\"");
        } else {
            server.put_with_etag(path, vec![2; 1000], "W/\"two\"");
        }
        let error = get(&io, &range(&pinned, 20, 10)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::ObjectChanged { .. }), "{error}");
    }
}

#[test]
fn secrets_are_sent_and_never_told() {
    let (server, other) = (Server::start(), Server::start());
    server.put("/c/a", pattern(1000));
    other.put("/c/a", pattern(1000));
    let headers = vec![("x-api-key".to_owned(), Secret::new("CANARY-header"))];
    let io = io(IoOptions { headers, ..quick() });
    let url = server.url("/c").replace("http://", "http://CANARYuser:CANARYpassword@") + "?sig=CANARY-query";
    let root = io.object(&url).unwrap();
    let key = ObjectKey::new(format!("{}/a", root.url()));

    assert_eq!(bytes(get(&io, &range(&key, 0, 10))).len(), 10);
    let seen = server.take_seen().pop().unwrap();
    assert_eq!((seen.query.as_deref(), seen.header("x-api-key")), (Some("sig=CANARY-query"), Some("CANARY-header")));
    assert_eq!(seen.header("authorization"), Some("Basic Q0FOQVJZdXNlcjpDQU5BUllwYXNzd29yZA=="));

    let elsewhere = ObjectKey::new(other.url("/c/a"));
    assert_eq!(bytes(get(&io, &range(&elsewhere, 0, 10))).len(), 10);
    let seen = other.take_seen().pop().unwrap();
    assert_eq!((seen.query.as_deref(), seen.header("x-api-key"), seen.header("authorization")), (None, None, None));

    let faults = [
        Fault::Status(403),
        Fault::Status(401),
        Fault::Status(400),
        Fault::Status(500),
        Fault::Short(1),
        Fault::Cut(1),
        Fault::ContentRange("x".into()),
        Fault::Redirect(other.url("/c/a?CANARY")),
        Fault::Redirect("ftp://CANARY:CANARY@h/?CANARY".into()),
    ];
    let mut errors = Vec::new();
    for fault in faults {
        server.fault("/c/a", fault);
        errors.push(get(&io, &range(&key, 0, 100)).unwrap_err());
    }
    assert_eq!(other.count(), 0, "no redirect takes a secret to another host");
    let closed = io.object("http://127.0.0.1:9/x?sig=CANARY").unwrap();
    errors.push(get(&io, &whole(&closed)).unwrap_err());
    for error in errors {
        let mut text = format!("{error} {error:?} {error:#?}");
        let mut cause = std::error::Error::source(&error);
        while let Some(e) = cause {
            text += &format!("{e} {e:?}");
            cause = e.source();
        }
        assert!(!text.contains("CANARY") && !text.contains("Q0FOQVJZ"), "{text}");
    }
}

#[test]
fn redirects_without_secrets_are_followed_where_it_is_allowed() {
    let (server, other) = (Server::start(), Server::start());
    other.put("/b", pattern(100));
    server.fault("/a", Fault::Redirect(other.url("/b")));
    let careful = io(quick());
    assert!(get(&careful, &range(&careful.object(&server.url("/a")).unwrap(), 0, 10)).is_err());
    assert_eq!(other.count(), 0);
    let network = NetworkOptions { redirects: Redirects::AnyHost, ..quick().network };
    let io = io(IoOptions { network, ..quick() });
    let key = io.object(&server.url("/a")).unwrap();
    assert_eq!(bytes(get(&io, &range(&key, 0, 10))).len(), 10);
    assert_eq!(other.take_seen().pop().unwrap().header("referer"), None);
    server.fault("/a", Fault::Redirect(server.url("/a")));
    assert!(get(&io, &range(&key, 10, 10)).is_err(), "a loop ends");
}

#[test]
fn azure_blobs_with_a_signature_go_to_the_azure_store() {
    let io = io(quick());
    let key = io.object("https://account.blob.core.windows.net/container/a%20b/c.tif?sv=1&sig=CANARY%3D").unwrap();
    let Place::Store { store, path } = io.0.stores.place(&key).unwrap() else { panic!("a store was expected") };
    assert_eq!(path.as_ref(), "a b/c.tif");
    assert!(store.to_string().contains("container") && !store.to_string().contains("CANARY"), "{store}");
}

#[test]
fn pieces_are_handed_on_as_they_land() {
    let server = Server::start();
    server.put("/a", pattern(8 << 20));
    server.put("/slow", pattern(100));
    let io = io(uncached());
    let (quick, slow) = (io.object(&server.url("/a")).unwrap(), io.object(&server.url("/slow")).unwrap());
    server.fault("/slow", Fault::StatusTimes(503, Arc::new(AtomicUsize::new(1)))); // waits for its second try
    let started = Instant::now();
    let mut fetch = io.fetch(vec![range(&slow, 0, 10), range(&quick, 0, 10)], Arc::default());
    assert_eq!(wait(fetch.next()).unwrap().0, 1);
    assert_eq!(wait(fetch.next()).unwrap().0, 0);
    assert!(wait(fetch.next()).is_none());
    assert!(started.elapsed() < Duration::from_secs(10));
}
