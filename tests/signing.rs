//! Signed requests, against a storage account and a token endpoint on the loopback.

#[path = "../benches/common/mod.rs"]
mod common;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::zarr;
use ndarray::{Array2, Ix2};
use support::server::{Fault, Seen, Server};
use support::tenant::{Handed, Tenant};
use swath::model::Secret;
use swath::{ChunkedArray, Error, ErrorKind, Redirects, Result, Session, SessionOptions, SignWith, Signed, Signer, StaticToken, TokenEndpoint};

const SIZE: usize = 256;
const CHUNK: usize = 64;
const LONG: Duration = Duration::from_secs(3600);

/// 256 x 256 `u16` in 16 chunks.
fn plane() -> zarr::Array {
    zarr::Array { elements: common::terrain_u16(SIZE), size: SIZE, chunk: CHUNK, element: 2, packing: zarr::Packing::None }
}

fn elements() -> Array2<u16> {
    let bytes = common::terrain_u16(SIZE);
    Array2::from_shape_fn((SIZE, SIZE), |(y, x)| {
        let at = (y * SIZE + x) * 2;
        u16::from_le_bytes([bytes[at], bytes[at + 1]])
    })
}

/// Puts the array below a folder such as `/acc/con/data.zarr`.
fn put(server: &Server, folder: &str) {
    plane().write_v3().into_iter().for_each(|(key, bytes)| server.put(&format!("{folder}/{key}"), bytes));
}

/// Keeps nothing, so that each read asks the server.
fn session(signer: impl Signer) -> Session {
    let mut options = SessionOptions::default();
    options.threads = 2;
    options.cache_stored = false;
    options.cache_decoded = false;
    options.network.backoff = Duration::from_millis(1);
    Session::builder(options).with_signer(Arc::new(signer)).build().unwrap()
}

fn by_endpoint(tenant: &Tenant) -> TokenEndpoint {
    TokenEndpoint::new(tenant.template()).unwrap().with_path_style(&tenant.server.url(""))
}

fn open(session: &Session, url: &str) -> Result<ChunkedArray> {
    session.block_on(async { session.open_zarr(url).await?.array("data").await })
}

/// Reads all of it, and compares.
fn read(session: &Session, array: &ChunkedArray) -> Result<()> {
    let read = session.block_on(array.read::<u16, Ix2>((.., ..)))?;
    assert_eq!(read, elements(), "wrong elements");
    Ok(())
}

fn read_url(session: &Session, url: &str) -> Result<()> {
    read(session, &open(session, url)?)
}

/// The requests for objects, those for tokens left out.
fn objects(server: &Server) -> Vec<Seen> {
    server.take_seen().into_iter().filter(|s| !s.path.starts_with("/sas/")).collect()
}

fn assert_denied(error: &Error) {
    assert!(matches!(error.kind(), ErrorKind::Denied(_)), "{error}");
    assert!(!format!("{error:?}").contains("sig="), "{error:?}");
}

#[test]
fn reads_outlive_tokens_of_two_seconds() {
    let tenant = Tenant::start(Duration::from_secs(2));
    put(&tenant.server, "/acc/con/data.zarr");
    let session = session(by_endpoint(&tenant));
    let start = Instant::now();
    let array = open(&session, &tenant.server.url("/acc/con/data.zarr")).unwrap();
    let read_count = AtomicUsize::new(0);
    thread::scope(|scope| {
        for reader in 0..64_usize {
            let (session, array, read_count) = (&session, &array, &read_count);
            scope.spawn(move || {
                let rows = reader % 4 * CHUNK..reader % 4 * CHUNK + 8;
                let expected = elements().slice(ndarray::s![rows.clone(), ..]).to_owned();
                while start.elapsed() < Duration::from_secs(6) {
                    let read = session.block_on(array.read::<u16, Ix2>((rows.start as u64..rows.end as u64, ..))).unwrap();
                    assert_eq!(read, expected, "wrong elements");
                    read_count.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(50));
                }
            });
        }
    });
    // One at the start, one whenever four fifths of a life are over, and one for a request that was so slow that its token ended on the way.
    let most = 1 + usize::try_from(start.elapsed().as_millis() / 1600).unwrap() + tenant.refused();
    let asked = tenant.asked().len();
    assert!((3..=most).contains(&asked), "{asked} tokens, {most} allowed");
    assert!(read_count.load(Ordering::Relaxed) >= 64);
}

#[test]
fn a_token_that_is_over_when_it_comes_is_replaced() {
    for first in [Handed::Over, Handed::Foreign] {
        let tenant = Tenant::start(LONG);
        put(&tenant.server, "/acc/con/data.zarr");
        tenant.first([first.clone()]);
        let session = session(by_endpoint(&tenant));
        read_url(&session, &tenant.server.url("/acc/con/data.zarr")).unwrap();
        assert_eq!(tenant.asked().len(), 2, "{first:?}");
        assert!(tenant.refused() >= 1, "it was tried: clocks lie");
    }
}

#[test]
fn the_second_refusal_is_final_and_no_chunk_is_taken_for_missing() {
    let tenant = Tenant::start(LONG);
    put(&tenant.server, "/acc/con/data.zarr");
    let session = session(by_endpoint(&tenant));
    let array = open(&session, &tenant.server.url("/acc/con/data.zarr")).unwrap();
    for status in [401, 403] {
        thread::sleep(Duration::from_millis(1100)); // the signer is asked again after a second
        let path = "/acc/con/data.zarr/data/c/0/0";
        tenant.server.fault(path, Fault::Status(status));
        objects(&tenant.server);
        let asked = tenant.asked().len();
        assert_denied(&read(&session, &array).unwrap_err());
        assert_eq!(objects(&tenant.server).iter().filter(|s| s.path == path).count(), 2, "once with each of two tokens");
        assert_eq!(tenant.asked().len(), asked + 1);
        tenant.server.heal(path);
        read(&session, &array).unwrap();
    }
    // all is refused, whatever the token
    tenant.always(Some(Handed::Over));
    let fresh = self::session(by_endpoint(&tenant));
    let asked = tenant.asked().len();
    assert_denied(&read_url(&fresh, &tenant.server.url("/acc/con/data.zarr")).unwrap_err());
    assert_eq!(tenant.asked().len(), asked + 2);
}

#[test]
fn a_query_that_is_there_is_merged() {
    let server = Server::start();
    put(&server, "/acc/con/data.zarr");
    let token = StaticToken::new().with_token(&server.url("/acc"), Secret::new("?sp=r&sig=a%2Bb%3D")).unwrap();
    let session = session(token);
    for (query, sent) in
        [("", "sp=r&sig=a%2Bb%3D"), ("?versionid=3", "versionid=3&sp=r&sig=a%2Bb%3D"), ("?sig=old&versionid=4", "sig=a%2Bb%3D&versionid=4&sp=r")]
    {
        read_url(&session, &server.url(&format!("/acc/con/data.zarr{query}"))).unwrap();
        let seen = server.take_seen();
        assert!(!seen.is_empty() && seen.iter().all(|s| s.query.as_deref() == Some(sent)), "{query}: {seen:?}");
    }
}

#[test]
fn a_url_that_is_signed_already_is_left_as_it_is() {
    let tenant = Tenant::start(LONG);
    put(&tenant.server, "/acc/con/data.zarr");
    let own = "sp=r&st=2020-01-01&sig=acc.con.99999999999999";
    read_url(&session(by_endpoint(&tenant)), &tenant.server.url(&format!("/acc/con/data.zarr?{own}"))).unwrap();
    assert!(objects(&tenant.server).iter().all(|s| s.query.as_deref() == Some(own)));
    assert!(tenant.asked().is_empty());
}

#[test]
fn tenants_do_not_share() {
    let tenant = Tenant::start(LONG);
    for folder in ["/acc/one/data.zarr", "/acc/two/data.zarr", "/bcc/one/data.zarr"] {
        put(&tenant.server, folder);
    }
    let session = session(by_endpoint(&tenant).with_header("X-Key", Secret::new("k")).unwrap().skipping("ccc"));
    for _ in 0..2 {
        for folder in ["/acc/one/data.zarr", "/acc/two/data.zarr", "/bcc/one/data.zarr"] {
            read_url(&session, &tenant.server.url(folder)).unwrap();
        }
    }
    let asked = tenant.asked();
    let paths: Vec<&str> = asked.iter().map(|s| s.path.as_str()).collect();
    assert_eq!(paths, ["/sas/acc/one", "/sas/acc/two", "/sas/bcc/one"]);
    assert!(asked.iter().all(|s| s.header("x-key") == Some("k")));
    let seen = objects(&tenant.server);
    assert!(!seen.is_empty() && seen.iter().all(|s| s.header("x-key").is_none()), "the endpoint's key is not for the storage");
    assert_eq!(tenant.refused(), 0);

    put(&tenant.server, "/ccc/one/data.zarr");
    assert_denied(&read_url(&session, &tenant.server.url("/ccc/one/data.zarr")).unwrap_err());
    assert!(objects(&tenant.server).iter().all(|s| s.query.is_none()));
}

#[test]
fn an_endpoint_that_is_down_is_asked_for_all_at_once_and_comes_back() {
    let tenant = Tenant::start(LONG);
    put(&tenant.server, "/acc/con/data.zarr");
    let url = tenant.server.url("/acc/con/data.zarr");
    let session = session(by_endpoint(&tenant));
    tenant.always(Some(Handed::Says(503, "sig=CANARY".into())));
    let start = Instant::now();
    thread::scope(|scope| {
        let readers: Vec<_> = (0..64).map(|_| scope.spawn(|| read_url(&session, &url).unwrap_err())).collect();
        for reader in readers {
            let error = reader.join().unwrap();
            assert!(matches!(error.kind(), ErrorKind::Storage(m) if m.contains("503")), "{error}");
            assert!(!format!("{error:?}").contains("CANARY"), "{error:?}");
        }
    });
    // four attempts, and not sooner than a second after they failed four more
    let most = 4 * (1 + usize::try_from(start.elapsed().as_secs()).unwrap());
    let asked = tenant.asked().len();
    assert!((4..=most).contains(&asked), "{asked} requests for tokens, {most} allowed");
    assert!(objects(&tenant.server).is_empty(), "nothing was sent unsigned");

    tenant.always(None);
    thread::sleep(Duration::from_millis(1100));
    read_url(&session, &url).unwrap();
}

#[test]
fn answers_that_are_no_tokens_are_errors() {
    let long = format!(r#"{{"token":"sig={}"}}"#, "CANARY".repeat(20_000));
    for (answer, kind) in [
        (Handed::Says(200, "sig=CANARY".into()), "malformed"),
        (Handed::Says(200, r#"{"token":"sig=CANARY#"}"#.into()), "malformed"),
        (Handed::Says(200, long), "malformed"),
        (Handed::Says(302, "CANARY".into()), "storage"),
        (Handed::Says(403, "CANARY".into()), "denied"),
        (Handed::Says(404, "CANARY".into()), "denied"),
    ] {
        let tenant = Tenant::start(LONG);
        put(&tenant.server, "/acc/con/data.zarr");
        tenant.always(Some(answer.clone()));
        let error = read_url(&session(by_endpoint(&tenant)), &tenant.server.url("/acc/con/data.zarr")).unwrap_err();
        let told = match error.kind() {
            ErrorKind::Malformed(_) => "malformed",
            ErrorKind::Storage(_) => "storage",
            ErrorKind::Denied(_) => "denied",
            _ => "another kind",
        };
        assert_eq!(told, kind, "{error}");
        assert!(!format!("{error} {error:?}").contains("CANARY"), "{error}");
        assert_eq!(tenant.asked().len(), 1, "{error}");
        assert!(objects(&tenant.server).is_empty());
    }
}

#[test]
fn a_signer_of_the_callers_with_headers() {
    let server = Server::start();
    put(&server, "/acc/con/data.zarr");
    let newest = Arc::new(AtomicUsize::new(0));
    server.fault_by({
        let newest = newest.clone();
        move |seen, _| {
            let wanted = format!("Bearer {}", newest.load(Ordering::SeqCst));
            (seen.header("authorization") != Some(wanted.as_str())).then_some(Fault::Status(401))
        }
    });
    let base = server.url("");
    let signer = SignWith::new(move |url| url.starts_with(&base).then(|| "all".to_owned()), {
        let newest = newest.clone();
        move |_| {
            let number = newest.fetch_add(1, Ordering::SeqCst) + 1;
            async move { Ok(Signed::header("Authorization", Secret::new(format!("Bearer {number}"))).and_header("X-More", Secret::new("m"))) }
        }
    });
    let session = session(signer);
    let array = open(&session, &server.url("/acc/con/data.zarr")).unwrap();
    read(&session, &array).unwrap();
    let seen = server.take_seen();
    assert!(seen.iter().all(|s| s.header("authorization") == Some("Bearer 1") && s.header("x-more") == Some("m") && s.query.is_none()), "{seen:?}");
    // it is revoked
    newest.store(7, Ordering::SeqCst);
    read(&session, &array).unwrap();
    assert_eq!(newest.load(Ordering::SeqCst), 8, "one new signature for all requests of the read");
}

#[test]
fn another_origin_gets_neither_query_nor_headers() {
    for redirects in [Redirects::SameOrigin, Redirects::AnyHost] {
        let (server, other) = (Server::start(), Server::start());
        put(&server, "/acc/con/data.zarr");
        put(&other, "/acc/con/data.zarr");
        let array = "/acc/con/data.zarr/data/c/1/1";
        server.fault(array, Fault::Redirect(other.url(array)));
        let token = StaticToken::new().with_token(&server.url("/acc"), Secret::new("sig=CANARY")).unwrap();
        let token = token.with_header(&server.url("/acc"), "X-Key", Secret::new("CANARY")).unwrap();
        let mut options = SessionOptions::default();
        options.network.redirects = redirects;
        let session = Session::builder(options).with_signer(Arc::new(token)).build().unwrap();
        let error = read_url(&session, &server.url("/acc/con/data.zarr")).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Storage(m) if m.contains("redirect")), "{error}");
        assert!(!format!("{error} {error:?}").contains("CANARY"), "{error}");
        let seen = server.take_seen();
        assert!(seen.iter().all(|s| s.query.as_deref() == Some("sig=CANARY") && s.header("x-key") == Some("CANARY")), "{seen:?}");
        assert!(other.take_seen().iter().all(|s| s.query.is_none() && s.header("x-key").is_none()));
    }
}
