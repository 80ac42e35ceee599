//! The body of every fuzz target on every malformed file, whatever the file was made for: it returns, and holds no more of the heap than its
//! bound. `SWATH_CORPUS` names a folder with more of such files; without it these are left out, which is said.
//!
//! An allocator that counts stands under the whole binary, so one body runs at a time.

#[path = "support/heap.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod heap;
#[path = "../fuzz/src/targets/mod.rs"]
mod targets;
#[path = "common/watch.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod watch;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use swath::codec::{Chain, ChunkContext, Output, Registry, Scratch};
use swath::model::{CodecSpec, DataType, FillValue, Limits};
use targets::TARGETS;

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

/// A name for messages, and the bytes.
type Input = (String, Vec<u8>);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<Input> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(&at).unwrap_or_else(|e| panic!("{}: {e}", at.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push((path.strip_prefix(folder).unwrap().display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The members of a zip.
fn members(zip: &[u8]) -> Vec<Input> {
    let short = |at: usize| usize::from(u16::from_le_bytes(zip[at..at + 2].try_into().unwrap()));
    let long = |at: usize| short(at) | short(at + 2) << 16;
    let end = zip.windows(4).rposition(|w| w == b"PK\x05\x06").expect("the end of a directory");
    let inflate = Chain::compile(&[CodecSpec::Deflate], &DataType::U8, &FillValue::ZERO, &Registry::default(), &Limits::default()).unwrap();
    let mut at = long(end + 16);
    let mut found = Vec::new();
    for _ in 0..short(end + 10) {
        let name = String::from_utf8_lossy(&zip[at + 46..at + 46 + short(at + 28)]).into_owned();
        let (method, stored, size, header) = (short(at + 10), long(at + 20), long(at + 24), long(at + 42));
        let data = header + 30 + short(header + 26) + short(header + 28);
        let mut bytes = zip[data..data + stored].to_vec();
        if method == 8 {
            let mut out = vec![0; size];
            let (shape, limits) = ([size as u64], Limits::default());
            let chunk = ChunkContext::new(&shape, &DataType::U8, &limits);
            inflate.decode(&bytes, &chunk, &mut Scratch::default(), &mut Output::Exact(&mut out)).unwrap();
            bytes = out;
        }
        found.push((name, bytes));
        at += 46 + short(at + 28) + short(at + 30) + short(at + 32);
    }
    found
}

fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every target on every input. A panic is told with the input; what hangs is the input that was named last.
fn replay(inputs: Vec<Input>) {
    let inputs = Arc::new(inputs);
    let mut failures = Vec::new();
    for target in TARGETS {
        let inputs = inputs.clone();
        let start = std::time::Instant::now();
        failures.extend(watch::within(target.name, watch::LONG * 10, move || {
            let mut failures = Vec::new();
            for (name, data) in inputs.iter() {
                println!("{} {name}", target.name);
                if catch_unwind(AssertUnwindSafe(|| target.run(data))).is_err() {
                    failures.push(format!("{} {name}", target.name));
                }
            }
            failures
        }));
        eprintln!("{:6} ms  {}", start.elapsed().as_millis(), target.name);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Malformed ones among them; what is larger than the inputs of any fuzzer is cut.
#[test]
fn files_of_the_fixtures() {
    let _alone = alone();
    let mut inputs = files(&root().join("testdata"));
    inputs.iter_mut().for_each(|(_, data)| data.truncate(64 << 10));
    assert!(inputs.iter().filter(|(name, _)| name.starts_with("bad/")).count() > 40);
    // A find has the name of the target that it is for.
    for (name, _) in &inputs {
        if let Some(find) = name.strip_prefix("bad/fuzz_") {
            assert!(TARGETS.iter().any(|t| find.strip_prefix(t.name).is_some_and(|rest| rest.starts_with('_'))), "no target is known for {name}");
        }
    }
    replay(inputs);
}

#[test]
fn malformed_files_of_the_corpus() {
    let Some(folder) = std::env::var_os("SWATH_CORPUS").map(|folder| PathBuf::from(folder).join("hostile")) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI is set and SWATH_CORPUS is not");
        eprintln!("SKIPPED: SWATH_CORPUS names no corpus, its hostile files were not replayed");
        return;
    };
    let _alone = alone();
    let mut inputs = files(&folder);
    inputs.extend(members(&std::fs::read(folder.join("made.zip")).unwrap()));
    assert!(inputs.len() > 1500);
    replay(inputs);
}

/// The table of bodies, the table that scripts read, and the binaries are of the same targets.
#[test]
fn every_target_has_its_binary_and_its_line() {
    let _alone = alone();
    let mut bodies: BTreeSet<String> = TARGETS.iter().map(|t| t.name.to_owned()).collect();
    assert_eq!(bodies.len(), TARGETS.len());
    // The one body that is the fuzzers' alone: it calls C Blosc.
    assert!(bodies.insert("differential_blosc".to_owned()));
    let fuzz = root().join("fuzz");
    let read = |name: &str| std::fs::read_to_string(fuzz.join(name)).unwrap();
    let lines: BTreeSet<String> = read("targets.tsv").lines().skip(1).map(|line| line.split('\t').next().unwrap().to_owned()).collect();
    let binaries: BTreeSet<String> = files(&fuzz.join("fuzz_targets")).into_iter().map(|(name, _)| name.replace(".rs", "")).collect();
    let manifest = read("Cargo.toml");
    for name in &binaries {
        assert!(read(&format!("fuzz_targets/{name}.rs")).contains(&format!("target!({name});")), "{name}");
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
    assert_eq!(bodies, lines);
    assert_eq!(bodies, binaries);
}
