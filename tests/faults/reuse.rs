//! What a bad answer leaves behind: nothing of it is read as a part of the next, and what is resumed is of one version.

use std::time::Duration;

use crate::support::server::{Fault, Server, When};
use crate::world::{CHUNK, Kind, Packed, READERS, Reader, hasty, read, region, session, source, truth, wait, window};

/// After each, another chunk is read over whatever connections are left.
#[test]
fn the_next_answer_is_read_from_its_beginning() {
    let faults = [
        Fault::Short(100),
        Fault::Long(100),
        Fault::Cut(100),
        Fault::Length(100),
        Fault::Length(1 << 63),
        Fault::ChunkedCut(100),
        Fault::ChunkedShort(100),
        Fault::ChunkedWithLength,
        Fault::Twice,
        Fault::OtherRange(100),
        Fault::Superset(100),
        Fault::Subset(100),
        Fault::Shifted,
        Fault::Multipart,
        Fault::Gzipped,
        Fault::IgnoreRanges,
        Fault::Endless { told: true },
        Fault::NotSatisfiable,
        Fault::Status(400),
        Fault::Interim(Some(10)),
        Fault::Stall(Some(100)),
        Fault::Reset(Some(100)),
    ];
    for reader in READERS {
        let (server, source) = (Server::start(), source(4));
        reader.serve(&server, &source, Packed::Raw);
        let session = session(|o| {
            hasty(o);
            (o.network.attempts, o.threads) = (1, 1);
        });
        let array = wait(reader.open(&session, &server)).unwrap();
        for fault in &faults {
            server.fault_when(reader.target(), When::First(1), fault.clone());
            if let Ok(elements) = wait(read(&array, &window())) {
                assert_eq!(elements, truth(&source, &window()), "{reader:?} under {fault:?}");
            }
            server.heal(reader.target());
            for chunk in [(1, 1), (2, 2), (3, 0)] {
                let next = region(chunk.0 * CHUNK, chunk.1 * CHUNK, CHUNK);
                let elements = wait(read(&array, &next)).unwrap_or_else(|e| panic!("{reader:?} after {fault:?}: {e}"));
                assert_eq!(elements, truth(&source, &next), "{reader:?} after {fault:?}");
            }
        }
    }
}

/// The object is another one when the rest of a body is asked for.
#[test]
fn a_body_is_never_made_of_two_versions() {
    let cuts = [Fault::Cut(100), Fault::ChunkedCut(100), Fault::Reset(Some(100)), Fault::Stall(Some(100))];
    let laters = [
        None,
        Some(Fault::IgnoreIfMatch),
        Some(Fault::NoValidator),
        Some(Fault::IgnoreRanges),
        Some(Fault::EtagPerAnswer),
        Some(Fault::NotSatisfiable),
        Some(Fault::Status(404)),
    ];
    let befores = [None, Some(Fault::NoValidator), Some(Fault::WeakEtag)];
    for reader in [Reader::Cog, Reader::Shard, Reader::Plain] {
        for cut in &cuts {
            for later in &laters {
                for before in &befores {
                    let (server, old, new) = (Server::start(), source(5), source(6));
                    reader.serve(&server, &old, Packed::Raw);
                    if let Some(before) = before {
                        server.fault(reader.target(), before.clone());
                    }
                    let session = session(hasty);
                    let array = wait(reader.open(&session, &server)).unwrap();
                    server.script(reader.target(), [vec![Some(cut.clone())], vec![later.clone(); 8]].concat());
                    for (path, mut bytes) in reader.objects(&new, Packed::Raw) {
                        // What tells versions apart where there is no ETag is the size.
                        if path == reader.target() && reader != Reader::Plain {
                            bytes.extend([0; 10]);
                        }
                        server.replace_after(&path, 1, bytes);
                    }
                    let name = format!("{reader:?}, {cut:?}, then {later:?}, {before:?} before");
                    match wait(read(&array, &window())) {
                        Ok(elements) => {
                            let is_whole = elements == truth(&old, &window()) || elements == truth(&new, &window());
                            assert!(is_whole, "WRONG BYTES: {name}");
                            assert!(reader == Reader::Plain || elements == truth(&old, &window()), "{name}: of the version that was not opened");
                        }
                        Err(e) => assert!(matches!(Kind::of(e.kind()), Kind::Changed | Kind::Storage), "{name}: {e}"),
                    }
                }
            }
        }
    }
}

/// The tiles that a header names are not there any more, and the ETag says that nothing happened.
#[test]
fn a_range_past_the_end_is_an_error_and_no_fill() {
    for reader in [Reader::Cog, Reader::Shard] {
        for keep in [0, 1, 2600, 3000] {
            let (server, source) = (Server::start(), source(7));
            reader.serve(&server, &source, Packed::Raw);
            let session = session(|_| {});
            let array = wait(reader.open(&session, &server)).unwrap();
            for (path, bytes) in reader.objects(&source, Packed::Raw) {
                if path == reader.target() {
                    server.put_under_the_same_etag(&path, bytes[..keep].to_vec());
                }
            }
            server.take_seen();
            let error = wait(read(&array, &window())).expect_err("the object is too short");
            let kind = Kind::of(error.kind());
            assert!(matches!(kind, Kind::Changed | Kind::Malformed | Kind::Codec | Kind::Storage), "{reader:?} of {keep} bytes: {kind:?}: {error}");
            // The range and, where that is refused, the size; both once more, since what came does not decode.
            assert!(server.count() <= 4, "{reader:?} of {keep} bytes: {:?}", server.take_seen());
            assert!(error.to_string().contains("[0, 1, 1]"), "{reader:?} of {keep} bytes: {error} names no chunk");
        }
    }
}

/// A reader that fails leaves the place of its request to the next.
#[test]
fn failures_leave_room() {
    let (server, source) = (Server::start(), source(8));
    Reader::Plain.serve(&server, &source, Packed::Raw);
    let session = session(|o| {
        hasty(o);
        (o.network.connections_per_host, o.network.connections) = (2, 2);
        (o.network.attempts, o.network.retry_floor) = (2, 1000);
    });
    let array = wait(Reader::Plain.open(&session, &server)).unwrap();
    for fault in [Fault::Stall(None), Fault::Stall(Some(10)), Fault::Reset(None), Fault::Status(503), Fault::Long(5)] {
        server.fault_by(move |seen, _| seen.path.contains("/c/").then(|| fault.clone()));
        for _ in 0..3 {
            let _refused = wait(read(&array, &region(0, 0, 2 * CHUNK)));
        }
        server.heal_all();
        let elements = wait(async { tokio::time::timeout(Duration::from_secs(30), read(&array, &region(0, 0, 4 * CHUNK))).await });
        assert_eq!(elements.unwrap().unwrap(), truth(&source, &region(0, 0, 4 * CHUNK)));
    }
}
