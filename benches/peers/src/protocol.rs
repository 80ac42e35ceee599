//! One request a line on standard input, one answer a line on standard output; both are JSON. `driver.py` speaks the same.
//!
//! | request | answer |
//! | --- | --- |
//! | `{"do": "hello"}` | `{"versions": {...}}` |
//! | `{"do": "job", ...}`: the fields of [`Job`] | `{}`; what was open before is closed |
//! | `{"do": "check", "reader": ..., "save": path, "against": path}` | `{"hash": ..., "most": ...}`: of the bytes in C order; the largest difference from those saved |
//! | `{"do": "run", "reader": ...}` | `{"seconds": ..., "cpu": ..., "bytes": ...}`: on the clock, of the process, and more memory held than before |
//!
//! `{"error": ...}` where something went wrong. Readers are opened when they are first asked for.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::time::Instant;

use memmap2::MmapMut;
use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::job::{Check, Job, Read, Result, line};
use crate::{arrays, images, limits, ours};

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
enum Request {
    Hello,
    Job(Job),
    Check { reader: String, save: Option<String>, against: Option<String> },
    Run { reader: String },
}

#[derive(Default)]
struct State {
    job: Option<Job>,
    output: Option<MmapMut>,
    open: HashMap<String, Read>,
}

/// Answers until standard input ends.
pub fn serve() {
    let mut state = State::default();
    for request in std::io::stdin().lock().lines().map_while(std::result::Result::ok) {
        let answer = serde_json::from_str(&request).map_err(line).and_then(|request| state.answer(request));
        println!("{}", answer.unwrap_or_else(|e| json!({ "error": e })));
        if std::io::stdout().flush().is_err() {
            return;
        }
    }
}

fn open(job: &Job, reader: &str) -> Result<Read> {
    match reader {
        _ if reader.starts_with("swath") => ours::open(job, reader),
        "raw" => limits::raw(job),
        "copy" => limits::copy(job),
        "zarrs" => arrays::zarrs(job),
        _ => images::open(job, reader),
    }
}

/// CPU time of all threads of the process, in seconds.
#[allow(clippy::cast_precision_loss, reason = "nanoseconds of less than a second")]
fn cpu() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

/// Bytes of memory that the process held at most since [`forget_peak`].
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).and_then(|l| l.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

fn forget_peak() -> u64 {
    let _not_here = std::fs::write("/proc/self/clear_refs", "5");
    peak()
}

impl State {
    fn reader(&mut self, name: &str) -> Result<(&Job, &mut MmapMut, &mut Read)> {
        let job = self.job.as_ref().ok_or("no job")?;
        if !self.open.contains_key(name) {
            self.open.insert(name.to_owned(), open(job, name)?);
        }
        match (&mut self.output, self.open.get_mut(name)) {
            (Some(output), Some(read)) => Ok((job, output, read)),
            _ => Err("no job".to_owned()),
        }
    }

    fn answer(&mut self, request: Request) -> Result<Value> {
        match request {
            Request::Hello => Ok(json!({ "versions": versions() })),
            Request::Job(job) => {
                *self = Self::default();
                (self.output, self.job) = (Some(job.output()?), Some(job));
                Ok(json!({}))
            }
            Request::Check { reader, save, against } => {
                let (job, output, read) = self.reader(&reader)?;
                let mut check = Check::new(against.map(std::fs::read).transpose().map_err(line)?);
                let mut saved = save.map(std::fs::File::create).transpose().map_err(line)?;
                let mut unsaved = Ok(());
                // What stays as it was is not read.
                output.fill(1);
                read(output, &mut |bytes| {
                    check.take(bytes, job.data_type);
                    if let Some(file) = &mut saved {
                        unsaved = std::mem::replace(&mut unsaved, Ok(())).and(file.write_all(bytes));
                    }
                })?;
                unsaved.map_err(line)?;
                Ok(json!({ "most": check.most, "hash": check.hash() }))
            }
            Request::Run { reader } => {
                let (_, output, read) = self.reader(&reader)?;
                let before = forget_peak();
                let (start, used) = (Instant::now(), cpu());
                let kept = read(output, &mut |_| {})?;
                let (seconds, used) = (start.elapsed().as_secs_f64(), cpu() - used);
                let bytes = peak().saturating_sub(before);
                drop(kept);
                Ok(json!({ "seconds": seconds, "cpu": used, "bytes": bytes }))
            }
        }
    }
}

/// Versions of what is compared, from the lock file that this was built by.
fn versions() -> HashMap<&'static str, String> {
    const NAMES: [&str; 8] = ["swath", "async-geotiff", "async-tiff", "geotiff-reader", "tiff", "zarrs", "libdeflater", "zstd-sys"];
    let lock = include_str!("../Cargo.lock");
    let version = |name: &str| {
        let after = lock.split(&format!("name = \"{name}\"\nversion = \"")).nth(1)?;
        after.split('"').next().map(str::to_owned)
    };
    NAMES.into_iter().filter_map(|name| Some((name, version(name)?))).collect()
}
