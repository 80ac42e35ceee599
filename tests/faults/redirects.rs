//! Redirects: followed within an origin; across one only where it is allowed, and then with nothing of the caller's.

use swath::model::Secret;
use swath::{Redirects, Result, Session, StaticToken};

use crate::support::server::{Fault, Seen, Server};
use crate::world::{Kind, Packed, Reader, read, session, signing_session, source, truth, wait, window};

const CANARY: &str = "CANARY";

/// Reads a window of a COG whose tiles are at the end of a redirect.
fn read_by(session: &Session, from: &Server, user: &str, query: &str, to: &str, status: u16) -> Result<Vec<u16>> {
    let source = source(1);
    Reader::Cog.serve(from, &source, Packed::Raw);
    from.heal_all();
    let url = from.url("/image.tif").replace("http://", &format!("http://{user}")) + query;
    let array = wait(Reader::Cog.open_at(session, &url))?;
    from.take_seen();
    from.fault("/image.tif", Fault::Answer(status, vec![("Location".into(), to.to_owned())]));
    let elements = wait(read(&array, &window()))?;
    assert_eq!(elements, truth(&source, &window()));
    Ok(elements)
}

fn says(seen: &Seen) -> String {
    format!("{seen:?}")
}

/// Servers that are another origin than 127.0.0.1 at its port, and the names they go by.
fn elsewhere() -> Vec<(Server, String)> {
    let port = Server::start();
    let host = Server::start_at("127.0.0.2");
    let name = Server::start();
    let (port_url, host_url) = (port.url("/image.tif"), host.url("/image.tif"));
    let name_url = format!("http://localhost:{}/image.tif", name.address().port());
    vec![(port, port_url), (host, host_url), (name, name_url)]
}

#[test]
fn nothing_of_the_callers_reaches_another_origin() {
    // The name, a user, a query, whether there is a header, and whether requests are signed.
    let secrets = [
        ("a header", "", "", true, false),
        ("a query", "", "?sig=CANARY", false, false),
        ("a user", "CANARY:CANARY@", "", false, false),
        ("a signature", "", "", false, true),
        ("all of them", "CANARY:CANARY@", "?sig=CANARY", true, true),
    ];
    for (other, url) in elsewhere() {
        other.put("/image.tif", Reader::Cog.objects(&source(1), Packed::Raw).remove(0).1);
        for policy in [Redirects::SameOrigin, Redirects::AnyHost] {
            for (what, user, query, header, signed) in secrets {
                for status in [301, 302, 303, 307, 308] {
                    let from = Server::start();
                    let mut signer = StaticToken::new();
                    if signed {
                        signer = signer.with_token(&from.url("/"), Secret::new("token=CANARY")).unwrap();
                        signer = signer.with_header(&from.url("/"), "x-signature", Secret::new(CANARY)).unwrap();
                    }
                    let session = signing_session(signer, |o| {
                        o.network.redirects = policy;
                        if header {
                            o.headers.push(("x-api-key".into(), Secret::new(CANARY)));
                        }
                    });
                    let result = read_by(&session, &from, user, query, &url, status);
                    let told: Vec<String> = other.take_seen().iter().map(says).collect();
                    assert!(!told.concat().contains(CANARY) && !told.concat().contains("authorization"), "{what} by {policy:?}, {status}: {told:?}");
                    assert!(!told.concat().contains("referer"), "{what} by {policy:?}, {status}: {told:?}");
                    if policy == Redirects::SameOrigin || what != "a query" {
                        let error = result.expect_err("it leads to another origin");
                        assert_eq!(Kind::of(error.kind()), Kind::Storage, "{what} by {policy:?}, {status}: {error}");
                        assert_eq!((told.len(), from.count()), (0, 1), "{what} by {policy:?}, {status}: {told:?}");
                        assert!(!format!("{error} {error:?}").contains(CANARY), "{error}");
                    }
                }
            }
        }
    }
}

#[test]
fn without_secrets_another_host_is_read_where_it_is_allowed() {
    for (other, url) in elsewhere() {
        other.put("/image.tif", Reader::Cog.objects(&source(1), Packed::Raw).remove(0).1);
        for policy in [Redirects::SameOrigin, Redirects::AnyHost] {
            let from = Server::start();
            let session = session(|o| o.network.redirects = policy);
            let result = read_by(&session, &from, "", "", &url, 307);
            let seen = other.take_seen();
            match policy {
                Redirects::AnyHost => {
                    result.unwrap();
                    let one = &seen[0];
                    assert_eq!((seen.len(), one.query.as_deref(), one.header("referer"), one.header("authorization")), (1, None, None, None));
                    assert!(one.range.is_some());
                }
                _ => assert_eq!((Kind::of(result.unwrap_err().kind()), seen.len()), (Kind::Storage, 0)),
            }
        }
    }
}

/// A first hop within the origin makes the second no better.
#[test]
fn a_second_hop_is_held_to_the_first_origin() {
    let (from, other) = (Server::start(), Server::start());
    other.put("/image.tif", Reader::Cog.objects(&source(1), Packed::Raw).remove(0).1);
    let session = session(|o| o.headers.push(("x-api-key".into(), Secret::new(CANARY))));
    from.fault("/hop", Fault::Redirect(other.url("/image.tif")));
    let source = source(1);
    Reader::Cog.serve(&from, &source, Packed::Raw);
    let array = wait(Reader::Cog.open(&session, &from)).unwrap();
    from.fault("/image.tif", Fault::Redirect(from.url("/hop")));
    assert_eq!(Kind::of(wait(read(&array, &window())).unwrap_err().kind()), Kind::Storage);
    assert_eq!(other.count(), 0);
}

/// Within the origin all goes along but the query, which the target has of its own or not at all.
#[test]
fn within_the_origin_headers_go_along() {
    let from = Server::start();
    from.put("/other.tif", Reader::Cog.objects(&source(1), Packed::Raw).remove(0).1);
    let session = session(|o| o.headers.push(("x-api-key".into(), Secret::new(CANARY))));
    read_by(&session, &from, "", "?sig=a", &from.url("/other.tif?sig=b"), 302).unwrap();
    let seen = from.take_seen();
    assert_eq!(seen.len(), 2);
    assert_eq!((seen[0].query.as_deref(), seen[1].query.as_deref()), (Some("sig=a"), Some("sig=b")));
    assert!(seen.iter().all(|s| s.header("x-api-key") == Some(CANARY) && s.range == seen[0].range && s.header("referer").is_none()));
}
