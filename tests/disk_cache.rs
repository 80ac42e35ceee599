//! The cache on disk among processes: each is this program once more, doing what its environment says.

#[path = "../benches/common/mod.rs"]
mod common;
mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::tiff::{Image, Packing};
use common::zarr;
use support::server::{Fault, Server};
use swath::{ChunkedArray, DiskCache, ErrorKind, ReadStats, Session, SessionOptions};

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("swath-disk-cache-{}-{number}", std::process::id())))
    }
    /// All files but the lock, and the bytes of each.
    fn files(&self) -> Vec<(PathBuf, u64)> {
        fn walk(folder: &Path, out: &mut Vec<(PathBuf, u64)>) {
            for file in fs::read_dir(folder).into_iter().flatten().flatten() {
                match file.metadata() {
                    Ok(metadata) if metadata.is_dir() => walk(&file.path(), out),
                    Ok(metadata) => out.push((file.path(), metadata.len())),
                    Err(_) => {}
                }
            }
        }
        let mut out = Vec::new();
        walk(&self.0, &mut out);
        out.retain(|(path, _)| !path.ends_with("lock"));
        out
    }
    fn entries(&self) -> Vec<PathBuf> {
        self.files().into_iter().map(|(path, _)| path).filter(|path| path.starts_with(self.0.join("entries"))).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// 512 x 512 `u16` in 64 tiles.
fn image() -> Image {
    Image { pixels: common::terrain_u16(512), size: 512, tile: 64, element: 2, packing: Packing::Zstd, predictor: 1, overviews: 1 }
}

/// 256 x 256 `u16` in 64 chunks of 2 KiB, as they are.
fn plane() -> zarr::Array {
    zarr::Array { elements: common::terrain_u16(256), size: 256, chunk: 32, element: 2, packing: zarr::Packing::None }
}

fn session(folder: &Path, bytes: u64, fresh_for: Duration) -> Session {
    let mut options = SessionOptions::default();
    options.threads = 1;
    options.cache_bytes = 0;
    options.network.fresh_for = fresh_for;
    options.disk_cache = Some(DiskCache::new(folder).with_bytes(bytes));
    Session::with_options(options).unwrap()
}

/// Longer than any test.
const FRESH: Duration = Duration::from_secs(86_400);

fn open(session: &Session, url: &str) -> (ChunkedArray, u64) {
    session.block_on(async {
        if url.contains(".zarr") {
            let group = session.open_zarr(url).await.unwrap();
            (group.array("data").await.unwrap(), group.open_stats().requests)
        } else {
            let cog = session.open_cog(url).await.unwrap();
            (cog.level(0).unwrap(), cog.open_stats().requests)
        }
    })
}

fn read(session: &Session, array: &ChunkedArray) -> (Vec<u8>, ReadStats) {
    let (read, stats) = session.block_on(array.read_dyn_with_stats(..)).unwrap();
    (read.bytes().unwrap().to_vec(), stats)
}

fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Not a test: what the processes do that the tests start, which tell them a folder.
#[test]
fn another_process() {
    let told = |name: &str| std::env::var(format!("SWATH_TEST_{name}")).unwrap();
    if std::env::var_os("SWATH_TEST_FOLDER").is_none() {
        return;
    }
    let session = session(Path::new(&told("FOLDER")), told("BYTES").parse().unwrap(), FRESH);
    println!("\nready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    let url = told("URL");
    if told("TASK") == "for ever" {
        let (array, _) = open(&session, &url);
        let expected: u64 = told("SUM").parse().unwrap();
        loop {
            assert_eq!(sum(&read(&session, &array).0), expected);
        }
    }
    let (array, opening) = open(&session, &url);
    let (bytes, stats) = read(&session, &array);
    drop((array, session));
    println!("read {opening} {} {} {}", stats.requests, stats.bytes, sum(&bytes));
}

struct Process {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

/// What a process says of its read.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    opening: u64,
    requests: u64,
    bytes: u64,
    sum: u64,
}

impl Process {
    fn start(folder: &Path, bytes: u64, url: &str, task: &str, sum: u64) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "another_process", "--nocapture", "--test-threads=1"]);
        command.env("SWATH_TEST_FOLDER", folder).env("SWATH_TEST_BYTES", bytes.to_string()).env("SWATH_TEST_URL", url);
        command.env("SWATH_TEST_TASK", task).env("SWATH_TEST_SUM", sum.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let mut process = Self { child, said };
        assert!(process.line("ready").is_some(), "it starts");
        process
    }
    /// The next line that starts like this.
    fn line(&mut self, start: &str) -> Option<String> {
        (&mut self.said).lines().map_while(Result::ok).find_map(|line| line.strip_prefix(start).map(str::to_owned))
    }
    fn go(&mut self) {
        self.child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }
    fn ends(mut self) -> Said {
        let line = self.line("read ").expect("it reads");
        assert!(self.child.wait().unwrap().success());
        let numbers: Vec<u64> = line.split(' ').map(|n| n.parse().unwrap()).collect();
        let [opening, requests, bytes, sum] = numbers[..] else { panic!("four numbers: {line}") };
        Said { opening, requests, bytes, sum }
    }
    fn runs(folder: &Path, url: &str) -> Said {
        let mut process = Self::start(folder, 1 << 30, url, "once", 0);
        process.go();
        process.ends()
    }
}

fn serve(path: &str, bytes: Vec<u8>) -> (Server, String) {
    let server = Server::start();
    server.put(path, bytes);
    let url = server.url(path);
    (server, url)
}

fn serve_zarr(objects: zarr::Objects) -> (Server, String) {
    let server = Server::start();
    for (name, bytes) in objects {
        server.put(&format!("/a.zarr/{name}"), bytes);
    }
    let url = server.url("/a.zarr");
    (server, url)
}

#[test]
fn a_second_process_asks_for_no_byte() {
    let (scratch, (server, url)) = (Scratch::new(), serve("/a.tif", image().write()));
    let first = Process::runs(&scratch.0, &url);
    assert!(first.opening > 0 && first.requests > 0 && first.bytes > 0, "{first:?}");
    assert_eq!(first.sum, sum(&image().pixels));
    server.take_seen();
    let second = Process::runs(&scratch.0, &url);
    assert_eq!(second, Said { opening: 0, requests: 0, bytes: 0, sum: first.sum });
    assert_eq!(server.count(), 0);
}

#[test]
fn chunks_and_shards_of_zarr_are_kept() {
    for objects in [plane().write_v3(), plane().write_v3_sharded(4), plane().write_v2()] {
        let (scratch, (_server, url)) = (Scratch::new(), serve_zarr(objects));
        let first = Process::runs(&scratch.0, &url);
        let second = Process::runs(&scratch.0, &url);
        assert!(first.requests > 0, "{first:?}");
        assert_eq!((second.requests, second.bytes, second.sum), (0, 0, sum(&plane().elements)));
        assert!(second.opening < first.opening || second.opening == 0, "what is missing is asked for anew");
    }
}

#[test]
fn two_processes_at_once_send_the_requests_of_one() {
    let (server, url) = serve("/a.tif", image().write());
    server.set_latency(Duration::from_millis(50));
    let alone = Scratch::new();
    Process::runs(&alone.0, &url);
    let of_one = server.take_seen().len();
    let shared = Scratch::new();
    let mut both = [0, 1].map(|_| Process::start(&shared.0, 1 << 30, &url, "once", 0));
    both.iter_mut().for_each(Process::go);
    let said = both.map(Process::ends);
    assert!(said.iter().all(|one| one.sum == sum(&image().pixels)));
    assert_eq!(server.take_seen().len(), of_one, "{said:?}");
}

#[test]
fn another_version_is_another_entry() {
    let (scratch, (server, url)) = (Scratch::new(), serve("/a.tif", image().write()));
    let mut other = image();
    other.pixels.reverse();
    let look = |expected: &[u8]| {
        let session = session(&scratch.0, 1 << 30, Duration::ZERO);
        let (array, opening) = open(&session, &url);
        let (bytes, stats) = read(&session, &array);
        assert!(bytes == expected);
        assert!(opening > 0, "nothing is fresh: the opening asks which version it is");
        (array, session, stats.requests)
    };
    let (old, in_session, requests) = look(&image().pixels);
    assert!(requests > 0);
    server.put("/a.tif", other.write());
    assert!(look(&other.pixels).2 > 0, "the old entries are of no use");
    // Whoever opened the old version reads on in it, as far as it is there.
    assert!(read(&in_session, &old).0 == image().pixels);
    server.put("/a.tif", image().write());
    assert_eq!(look(&image().pixels).2, 0, "the old entries are still there");
}

#[test]
fn what_is_damaged_is_fetched_again() {
    let (scratch, (server, url)) = (Scratch::new(), serve("/a.tif", image().write()));
    let right = Process::runs(&scratch.0, &url);
    let entries = scratch.entries();
    assert!(entries.len() > 60, "an entry for each tile");
    for (number, path) in entries.iter().enumerate() {
        let mut bytes = fs::read(path).unwrap();
        let at = number * 97 % bytes.len();
        if number % 3 == 0 {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 0x10;
        }
        fs::write(path, bytes).unwrap();
    }
    let again = Process::runs(&scratch.0, &url);
    assert_eq!(again, right);
    server.take_seen();
    assert_eq!(Process::runs(&scratch.0, &url).sum, right.sum);
    assert_eq!(server.count(), 0, "the new entries are right");
}

#[test]
fn a_killed_process_leaves_nothing_wrong() {
    let (scratch, (_server, url)) = (Scratch::new(), serve_zarr(plane().write_v3()));
    let expected = sum(&plane().elements);
    // A third of the chunks, so that each read makes room for what it writes.
    let (budget, largest) = (48 << 10, 3 << 10);
    let mut killed = 0;
    for round in 0..100_u64 {
        let mut process = Process::start(&scratch.0, budget, &url, "for ever", expected);
        process.go();
        std::thread::sleep(Duration::from_millis(20 + round * 7 % 40));
        process.child.kill().unwrap();
        let status = process.child.wait().unwrap();
        assert_eq!(status.code(), None, "it read right until it was killed: {status}");
        killed += 1;
        let stored: u64 = scratch.files().iter().map(|(_, length)| length).sum();
        assert!(stored <= budget + largest, "{stored} bytes after {round} rounds");
        if round % 10 == 9 {
            let session = session(&scratch.0, budget, FRESH);
            let (array, _) = open(&session, &url);
            assert_eq!(sum(&read(&session, &array).0), expected);
            drop((array, session));
            let stored: u64 = scratch.files().iter().map(|(_, length)| length).sum();
            assert!(stored <= budget, "{stored} bytes after {round} rounds and one that went well");
            assert!(stored > budget / 2, "the room of what was cut short is used again: {stored}");
        }
    }
    assert_eq!(killed, 100);
}

#[test]
fn no_secret_and_nothing_ambiguous_goes_to_disk() {
    let (scratch, (server, url)) = (Scratch::new(), serve("/a.tif", image().write()));
    let signed = format!("{}?sig=CANARY&sv=CANARY", url.replace("http://", "http://CANARY:CANARY@"));
    let first = Process::runs(&scratch.0, &signed);
    assert!(first.requests > 0 && !scratch.entries().is_empty());
    for (path, _) in scratch.files() {
        assert!(!path.to_string_lossy().contains("CANARY"));
        assert!(!fs::read(&path).unwrap().windows(6).any(|six| six == b"CANARY"), "{}", path.display());
    }
    server.take_seen();
    assert_eq!(Process::runs(&scratch.0, &url).requests, 0, "the signature is not part of the name");

    let other = Scratch::new();
    for id in 1..3 {
        let said = Process::runs(&other.0, &format!("{url}?id={id}"));
        assert!(said.opening > 0 && said.requests > 0, "a query that names the object");
    }
    assert!(other.entries().is_empty());
}

#[test]
fn answers_cut_short_are_not_kept() {
    let (scratch, (server, url)) = (Scratch::new(), serve("/a.tif", image().write()));
    for fault in [Fault::Shifted, Fault::Long(1), Fault::Status(500), Fault::Status(403)] {
        server.fault("/a.tif", fault.clone());
        let session = session(&scratch.0, 1 << 30, FRESH);
        assert!(session.block_on(session.open_cog(&url)).is_err(), "{fault:?}");
        drop(session);
        assert!(scratch.entries().is_empty(), "{fault:?}");
    }
}

#[test]
fn forgetting_reaches_the_disk() {
    let (scratch, (server, url)) = (Scratch::new(), serve("/a.tif", image().write()));
    let session = session(&scratch.0, 1 << 30, FRESH);
    let (array, _) = open(&session, &url);
    read(&session, &array);
    server.take_seen();
    let (array, opening) = open(&session, &url);
    assert_eq!((opening, read(&session, &array).1.requests, server.count()), (0, 0, 0));
    session.block_on(session.forget(&server.url("/b"))).unwrap();
    assert!(!scratch.entries().is_empty());
    session.block_on(session.forget(&server.url(""))).unwrap();
    assert!(scratch.entries().is_empty());
    let (array, opening) = open(&session, &url);
    assert!(opening > 0 && read(&session, &array).1.requests > 0);
}

#[test]
fn a_folder_that_cannot_be_used_is_told_when_the_session_is_made() {
    let scratch = Scratch::new();
    fs::create_dir_all(&scratch.0).unwrap();
    fs::write(scratch.0.join("file"), b"").unwrap();
    let mut options = SessionOptions::default();
    options.disk_cache = Some(DiskCache::new(scratch.0.join("file")));
    assert!(matches!(Session::with_options(options).unwrap_err().kind(), ErrorKind::Storage { .. }));
}
