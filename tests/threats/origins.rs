//! T12 and T14: who may send a reader where, and who is given what.

use ndarray::Ix1;
use swath::model::Secret;
use swath::{Dataset, DiskCache, ErrorKind, Redirects, Result, Session, SessionOptions};

use crate::support::server::{Fault, Server};
use crate::{Scratch, v3};

const CANARY: &str = "CANARY";

fn session(change: impl FnOnce(&mut SessionOptions)) -> Session {
    let mut options = SessionOptions::default();
    options.threads = 1;
    options.network.attempts = 1;
    change(&mut options);
    Session::with_options(options).unwrap()
}

fn read(session: &Session, url: &str) -> Result<Vec<u8>> {
    session.block_on(async {
        let Dataset::Group(group) = session.open(url).await? else { panic!("{url} is a group") };
        Ok(group.array("").await?.read::<u8, Ix1>(..).await?.to_vec())
    })
}

fn references(target: &str) -> String {
    let array = serde_json::to_string(&v3(&[])).unwrap();
    format!(r#"{{"zarr.json":{array},"c/0":["{target}",0,4]}}"#)
}

/// 127.0.0.2 is another host than 127.0.0.1, and so is another port or name of the same.
#[test]
fn references_to_other_hosts_are_for_the_caller_to_allow() {
    let home = Server::start();
    let port = Server::start();
    let host = Server::start_at("127.0.0.2");
    let strangers = [(&port, port.url("/data")), (&host, host.url("/data")), (&port, format!("http://localhost:{}/data", port.address().port()))];
    for (stranger, url) in strangers {
        stranger.put("/data", [1, 2, 3, 4]);
        home.put("/refs.json", references(&url));
        let error = read(&session(|_| {}), &home.url("/refs.json")).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Usage(_)), "{url}: {error}");
        assert_eq!(stranger.count(), 0, "{url} was asked");

        // Allowed by name, and then without what is the caller's.
        let origin = url.trim_end_matches("/data").to_owned();
        let open = session(|o| {
            o.allowed_references = vec![origin.clone()];
            o.headers.push(("x-api-key".into(), Secret::new(CANARY)));
        });
        let signed = home.url("/refs.json").replace("http://", "http://CANARY:CANARY@") + "?sig=CANARY";
        assert_eq!(read(&open, &signed).unwrap(), [1, 2, 3, 4], "{url}");
        let seen = format!("{:?}", stranger.take_seen());
        assert!(!seen.contains(CANARY) && !seen.contains("authorization") && !seen.contains("referer"), "{seen}");

        // What is allowed ends at a border: a name that begins with an allowed one is another.
        let near = session(|o| o.allowed_references = vec![origin[..origin.len() - 1].to_owned()]);
        assert!(read(&near, &home.url("/refs.json")).is_err(), "{url} by a part of its name");
        stranger.take_seen();
    }
}

/// Other schemes, and places that a server may reach and its reader should not.
#[test]
fn references_to_other_schemes_are_refused() {
    let home = Server::start();
    let scratch = Scratch::new();
    scratch.write("canary", b"\x43ANA");
    let file = format!("file://{}", scratch.path("canary").to_str().unwrap());
    let session = session(|_| {});
    let targets = [
        file.as_str(),
        "FILE:///etc/passwd",
        "file:/etc/passwd",
        "memory://x",
        "s3://bucket/x",
        "gs://bucket/x",
        "az://container/x",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/x",
        "http://0/x",
        "http://2130706433/x",
        "http://127.1/x",
        "https://127.0.0.1/x",
        "//127.0.0.2/x",
        "http:/127.0.0.2/x",
        "data:,xxxx",
        "ftp://127.0.0.1/x",
        "{{u}}",
    ];
    for target in targets {
        home.put("/refs.json", references(target));
        home.take_seen();
        let result = read(&session, &home.url("/refs.json"));
        // A path of the home server at most, which has no such thing: never the bytes of another place.
        match &result {
            Ok(bytes) => assert_eq!(bytes, &[0; 4], "{target}"),
            Err(error) => assert!(!error.to_string().contains("CANA"), "{error}"),
        }
        assert!(home.take_seen().iter().all(|seen| seen.header("host") == Some(&home.address().to_string())), "{target}");
        session.block_on(session.forget(&home.url("/refs.json"))).unwrap();
    }
}

/// A local reference file leads to no host at all.
#[test]
fn local_references_lead_to_no_host() {
    let (scratch, server) = (Scratch::new(), Server::start());
    server.put("/data", [1, 2, 3, 4]);
    scratch.write("refs.json", references(&server.url("/data")));
    let url = scratch.path("refs.json");
    assert!(read(&session(|_| {}), url.to_str().unwrap()).is_err());
    assert_eq!(server.count_all(), 0);
    let open = session(|o| o.allowed_references = vec![server.url("")]);
    assert_eq!(read(&open, url.to_str().unwrap()).unwrap(), [1, 2, 3, 4]);
}

/// Whatever the policy, a redirect leads to HTTP and nowhere else, and not for ever.
#[test]
fn redirects_lead_to_no_other_scheme_and_end() {
    let server = Server::start();
    let scratch = Scratch::new();
    scratch.write("canary", v3(&[]));
    let file = format!("file://{}", scratch.path("canary").to_str().unwrap());
    for policy in [Redirects::SameOrigin, Redirects::AnyHost] {
        for target in [file.as_str(), "ftp://127.0.0.1/x", "data:,x", "memory://x", "javascript:1", "http://", "//", "http://[", ""] {
            server.fault("/array/zarr.json", Fault::Redirect(target.to_owned()));
            let error = read(&session(|o| o.network.redirects = policy), &server.url("/array")).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Storage(_)), "{target} by {policy:?}: {error}");
        }
        // Five hops, and six.
        for hop in 0..7 {
            server.fault(&format!("/hop{hop}"), Fault::Redirect(server.url(&format!("/hop{}", hop + 1))));
        }
        server.put("/hop7", v3(&[]));
        for (first, ends) in [("/hop3", true), ("/hop2", false), ("/array/zarr.json", false)] {
            server.fault("/array/zarr.json", Fault::Redirect(server.url(first)));
            let session = session(|o| o.network.redirects = policy);
            server.take_seen();
            let opened = session.block_on(session.open_zarr(&server.url("/array")));
            assert_eq!(opened.is_ok(), ends, "{first} by {policy:?}");
            assert!(server.count() < 30, "{first}: {} requests", server.count());
        }
    }
}

/// Answers by the token: an array for whoever has the right one.
fn guarded() -> Server {
    let server = Server::start();
    server.put("/array/zarr.json", v3(&[]));
    server.put("/array/c/0", [1, 2, 3, 4]);
    server.fault_by(|seen, _| {
        let status = match seen.query.as_deref() {
            Some("sig=good") => return None,
            Some(_) => 403,
            None => 401,
        };
        Some(Fault::Status(status))
    });
    server
}

#[test]
fn a_refusal_is_not_kept() {
    let server = guarded();
    let scratch = Scratch::new();
    for disk in [false, true] {
        let session = session(|o| o.disk_cache = disk.then(|| DiskCache::new(scratch.path("cache"))));
        for wrong in ["", "?sig=bad", "?sig=worse"] {
            let error = read(&session, &(server.url("/array") + wrong)).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Denied(_)), "{wrong}: {error}");
        }
        assert_eq!(read(&session, &(server.url("/array") + "?sig=good")).unwrap(), [1, 2, 3, 4]);
    }
}

/// A session is one tenant's: what it may read is what its signatures open. Sessions share nothing but a folder that both were given.
#[test]
fn sessions_share_nothing() {
    let server = guarded();
    let (first, second) = (session(|_| {}), session(|_| {}));
    assert_eq!(read(&first, &(server.url("/array") + "?sig=good")).unwrap(), [1, 2, 3, 4]);
    for wrong in ["", "?sig=bad"] {
        let error = read(&second, &(server.url("/array") + wrong)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Denied(_)), "{wrong}: {error}");
    }
}
