//! `swath bench`: how fast each stage of a read is.

use std::io::{self, BufWriter, Write};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use swath::{OpenStats, ReadPlan, ReadStats, Session};

use crate::args::{Access, Selectors};
use crate::failure::Result;
use crate::open::{self, Chosen, Counted};
use crate::plan;
use crate::slabs::Slabs;
use crate::stats::Totals;

/// Bytes read at once: enough that the threads rarely wait for the next part, and a bound on memory whatever the region.
const BUDGET: u64 = 256 << 20;

/// One round.
struct Round {
    open: (OpenStats, Duration),
    plan: (ReadPlan, Duration),
    read: (ReadStats, Duration),
}

pub(crate) fn run(url: &str, selectors: &Selectors, rounds: u32, threads: Option<u16>, json: bool, access: &Access) -> Result<()> {
    let threads = threads.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let session = || {
        open::session_with(access, url, |options| {
            options.threads = threads;
            options.cache_stored = false;
            options.cache_decoded = false;
        })
    };
    let (mut all, mut what) = (Vec::new(), None);
    for _ in 0..rounds {
        // What planning learns (pages of chunk tables) is not for the read, which does its own: hence two sessions.
        let planning = session()?;
        let start = Instant::now();
        let chosen = open::choose(&planning, url, selectors, Counted::Numbers)?;
        let open = (chosen.opened, start.elapsed());
        chosen.check(&planning)?;
        let start = Instant::now();
        let plan = (plan::whole(&planning, &chosen, BUDGET)?, start.elapsed());
        drop(planning);

        let reading = session()?;
        let chosen = open::choose(&reading, url, selectors, Counted::Numbers)?;
        let read = read(&reading, &chosen)?;
        what.get_or_insert_with(|| (chosen.region.to_string(), chosen.array.data_type().to_string()));
        all.push(Round { open, plan, read });
    }
    let (region, data_type) = what.unwrap_or_default();
    let report = Report { region, data_type, threads, rounds: all };
    let mut out = BufWriter::new(io::stdout().lock());
    if json {
        writeln!(out, "{:#}", report.as_json())?;
    } else {
        report.print(&mut out)?;
    }
    Ok(out.flush()?)
}

/// Reads all of it, part by part, and keeps none.
fn read(session: &Session, chosen: &Chosen) -> Result<(ReadStats, Duration)> {
    let mut totals = Totals::new(chosen.opened);
    let start = Instant::now();
    for slab in chosen.parts().into_iter().flat_map(|part| Slabs::of(&chosen.array, part, BUDGET)) {
        let (values, stats) = session.block_on(chosen.array.read_dyn_with_stats(&slab))?;
        drop(values);
        totals.add(&stats)?;
    }
    Ok((totals.sum().clone(), start.elapsed()))
}

struct Report {
    region: String,
    data_type: String,
    threads: usize,
    rounds: Vec<Round>,
}

impl Report {
    /// The median; of an even number, the greater of the middle two.
    fn median<T: Ord>(&self, of: impl Fn(&Round) -> T) -> Option<T> {
        let mut values: Vec<T> = self.rounds.iter().map(of).collect();
        values.sort_unstable();
        let middle = values.len() / 2;
        values.into_iter().nth(middle)
    }
    fn count(&self, of: impl Fn(&Round) -> u64) -> u64 {
        self.median(of).unwrap_or(0)
    }
    fn time(&self, of: impl Fn(&Round) -> Duration) -> Duration {
        self.median(of).unwrap_or_default()
    }

    fn as_json(&self) -> Value {
        let each: Vec<f64> = self.rounds.iter().map(|round| ms(round.read.1)).collect();
        let [fetch, decode, place] = self.stages();
        let total = self.time(|r| r.read.1);
        let output = self.count(|r| r.read.0.output_bytes);
        json!({
            "region": self.region,
            "data_type": self.data_type,
            "rounds": self.rounds.len(),
            "threads": self.threads,
            "open": {
                "ms": ms(self.time(|r| r.open.1)),
                "requests": self.count(|r| r.open.0.requests),
                "bytes": self.count(|r| r.open.0.bytes),
            },
            "plan": {
                "ms": ms(self.time(|r| r.plan.1)),
                "chunks": self.count(|r| r.plan.0.chunks as u64),
                "absent": self.count(|r| r.plan.0.absent as u64),
                "requests": self.count(|r| r.plan.0.requests.len() as u64),
                "page_requests": self.count(|r| r.plan.0.page_requests),
                "bytes": self.count(|r| r.plan.0.bytes),
                "exact": self.rounds.iter().all(|r| r.plan.0.exact),
            },
            "fetch": {
                "ms": ms(fetch.1),
                "requests": self.count(|r| r.read.0.requests),
                "bytes": fetch.0,
                "gb_per_s": rate(fetch),
            },
            "decode": {
                "thread_ms": ms(decode.1),
                "stored_bytes": self.count(|r| r.read.0.stored_bytes),
                "bytes": decode.0,
                "gb_per_s_per_thread": rate(decode),
            },
            "place": {
                "thread_ms": ms(place.1),
                "bytes": place.0,
                "gb_per_s_per_thread": rate(place),
            },
            "total": {
                "ms": ms(total),
                "bytes": output,
                "gb_per_s": rate((output, total)),
                "ms_of_each_round": each,
            },
        })
    }

    /// Bytes and times of fetching, decoding and placing.
    fn stages(&self) -> [(u64, Duration); 3] {
        [
            (self.count(|r| r.read.0.bytes), self.time(|r| r.read.0.fetch_time)),
            (self.count(|r| r.read.0.decoded_bytes), self.time(|r| r.read.0.decode_time)),
            (self.count(|r| r.read.0.output_bytes), self.time(|r| r.read.0.place_time)),
        ]
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let [fetch, decode, place] = self.stages();
        let count = |n: u64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let speed = |of: (u64, Duration), each: &str| rate(of).map_or_else(String::new, |rate| format!(", {rate:.3} GB/s{each}"));
        let output = self.count(|r| r.read.0.output_bytes);
        let total = self.time(|r| r.read.1);
        writeln!(out, "{} of {}, {}", self.region, self.data_type, bytes(output))?;
        writeln!(out, "median of {}, {}", count(self.rounds.len() as u64, "round"), count(self.threads as u64, "thread"))?;
        let mut row = |stage: &str, time: Duration, rest: String| writeln!(out, "{stage:<7}{:>12.3} ms  {rest}", ms(time));
        let opened = (self.count(|r| r.open.0.requests), self.count(|r| r.open.0.bytes));
        row("open", self.time(|r| r.open.1), format!("{}, {}", count(opened.0, "request"), bytes(opened.1)))?;
        let planned = [self.count(|r| r.plan.0.chunks as u64), self.count(|r| r.plan.0.requests.len() as u64), self.count(|r| r.plan.0.bytes)];
        let planned = format!("{}, {}, {}", count(planned[0], "chunk"), count(planned[1], "request"), bytes(planned[2]));
        row("plan", self.time(|r| r.plan.1), planned)?;
        let fetched = format!("{}, {}{}", count(self.count(|r| r.read.0.requests), "request"), bytes(fetch.0), speed(fetch, ""));
        row("fetch", fetch.1, format!("{fetched} (until the last response)"))?;
        row("decode", decode.1, format!("of all threads, {}{}", bytes(decode.0), speed(decode, " a thread")))?;
        row("place", place.1, format!("of all threads, {}{}", bytes(place.0), speed(place, " a thread")))?;
        row("total", total, format!("{}{}", bytes(output), speed((output, total), "")))
    }
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// In 10^9 bytes a second; none where nothing took time, or nothing came of it.
fn rate((bytes, time): (u64, Duration)) -> Option<f64> {
    (bytes > 0 && !time.is_zero()).then(|| bytes as f64 / time.as_secs_f64() / 1e9)
}

fn bytes(n: u64) -> String {
    match n {
        0..1_000 => format!("{n} B"),
        1_000..1_000_000 => format!("{:.1} kB", n as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", n as f64 / 1e6),
        _ => format!("{:.2} GB", n as f64 / 1e9),
    }
}
