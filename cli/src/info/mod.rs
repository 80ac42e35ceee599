//! `swath info`: what is at a URL.

mod array;
mod pixels;
mod tiff;
mod zarr;

use std::io::{self, BufWriter, Write};

use serde_json::{Value, json};
use swath::{Dataset, OpenStats};

use crate::args::Access;
use crate::failure::{Failure, Result};
use crate::open;

pub(crate) fn run(url: &str, json: bool, access: &Access) -> Result<()> {
    let session = open::session(access, url)?;
    let dataset = session.block_on(session.open(url))?;
    let mut out = BufWriter::new(io::stdout().lock());
    match (&dataset, json) {
        (Dataset::Cog(cog), true) => writeln!(out, "{:#}", tiff::as_json(cog))?,
        (Dataset::Cog(cog), false) => tiff::print(&mut out, cog)?,
        (Dataset::Group(group), true) => writeln!(out, "{:#}", zarr::as_json(&session, group)?)?,
        (Dataset::Group(group), false) => zarr::print(&mut out, &session, group)?,
        _ => return Err(Failure::refused("a kind of dataset that this command does not know")),
    }
    Ok(out.flush()?)
}

/// A floating point number; JSON has no not-a-number and no infinities, which become their names.
fn number(value: f64) -> Value {
    if value.is_nan() {
        json!("NaN")
    } else if value.is_infinite() {
        json!(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        json!(value)
    }
}

/// `1 x 2 x 3`.
fn times(lengths: &[u64]) -> String {
    lengths.iter().map(u64::to_string).collect::<Vec<_>>().join(" x ")
}

/// A number of bytes in decimal units.
fn bytes(bytes: u64) -> String {
    let mut amount = bytes as f64;
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        if amount < 1000.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{amount:.1} {unit}") };
        }
        amount /= 1000.0;
    }
    format!("{amount:.1} PB")
}

fn opened(stats: OpenStats) -> String {
    format!("{} request{}, {}", stats.requests, if stats.requests == 1 { "" } else { "s" }, bytes(stats.bytes))
}

/// Text out of a file for a terminal: without control characters, which could drive it.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A line of a name and what it is; nothing where that is empty.
fn line(out: &mut impl Write, name: &str, what: &str) -> io::Result<()> {
    if what.is_empty() { Ok(()) } else { writeln!(out, "{name:<12}{}", plain(what)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people_and_for_json() {
        assert_eq!([0, 999, 1000, 1_500_000].map(bytes), ["0 B", "999 B", "1.0 kB", "1.5 MB"]);
        assert_eq!([f64::NAN, f64::NEG_INFINITY, -9999.0].map(number), [json!("NaN"), json!("-Infinity"), json!(-9999.0)]);
        assert_eq!(plain("a\u{1b}[2J"), "a\u{fffd}[2J");
    }
}
