//! One hostile file by one reader written in Rust: `hostile_reader swath|tiff FILE`. Prints, as JSON, what it held beyond what it had before, how long it took
//! and what it answered. `benches/hostile/run` starts it for each file.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Instant;

use swath::model::Region;
use swath::{Dataset, Session};

/// The most that was resident so far, in KiB (`VmHWM`).
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}

/// The first element of the first array, which lies in its first chunk.
fn swath(session: &Session, path: &str) -> Result<String, String> {
    let read = async {
        let array = match session.open(path).await? {
            Dataset::Cog(cog) => cog.level(0)?,
            Dataset::Group(group) => {
                let names = group.arrays().await?;
                group.array(names.first().map_or("", String::as_str)).await?
            }
            other => panic!("{other:?}"),
        };
        let first = Region::new(array.shape().iter().map(|n| 0..(*n).min(1)).collect::<Vec<_>>());
        array.read_dyn(&first).await
    };
    session.block_on(read).map(|read| format!("{:?}", read.bytes().unwrap_or_default())).map_err(|e| e.to_string())
}

/// The first tile of the first directory.
fn tiff(path: &str) -> Result<String, String> {
    let file = BufReader::new(File::open(path).map_err(|e| e.to_string())?);
    let mut decoder = tiff::decoder::Decoder::new(file).map_err(|e| e.to_string())?;
    decoder.next_image().map_err(|e| e.to_string()).err().filter(|e| e.contains("ycle")).map_or(Ok(()), Err)?;
    decoder.seek_to_image(0).map_err(|e| e.to_string())?;
    let mut chunk = decoder.read_chunk(0).map_err(|e| e.to_string())?;
    Ok(format!("{:?}", chunk.as_buffer(0).as_bytes().first()))
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, reader, path] = &arguments[..] else { panic!("hostile_reader swath|tiff FILE") };
    assert!(Path::new(path).exists(), "{path}");
    // Threads and runtimes are there before the file is.
    let session = Session::new();
    let (before, start) = (peak(), Instant::now());
    let answer = match reader.as_str() {
        "swath" => swath(&session, path),
        "tiff" => tiff(path),
        other => panic!("no reader {other}"),
    };
    let (seconds, after) = (start.elapsed().as_secs_f64(), peak());
    let (is_ok, answer) = answer.map_or_else(|e| (false, e), |read| (true, read));
    let answer = answer.replace(['"', '\\', '\n'], " ");
    println!("{{\"mib\": {}, \"seconds\": {seconds}, \"ok\": {is_ok}, \"answer\": \"{answer}\"}}", after.saturating_sub(before) as f64 / 1024.0);
}
