//! `swath`: reads Cloud Optimized GeoTIFF and Zarr from the command line.

mod args;
mod bench;
mod failure;
mod info;
mod open;
mod output;
mod pairs;
mod plan;
mod progress;
mod read;
mod sign;
mod slabs;
mod stats;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use failure::Failure;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are "errors" that go to standard output; a closed pipe there is nobody's concern.
        Err(message) if !message.use_stderr() => {
            drop(message.print());
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            // What is wrong, and what may be meant; the usage is for `--help`.
            let text = message.to_string();
            let said = text.split("\n\nUsage:").next().unwrap_or(&text);
            return Failure::usage(said.trim().trim_start_matches("error: ")).report();
        }
    };
    let done = match cli.command {
        Command::Info { url, json, access } => info::run(&url, json, &access),
        Command::Plan { url, selectors, json, access } => plan::run(&url, &selectors, json, &access),
        Command::Read { url, selectors, what, output, stats, access } => read::run(&url, &selectors, what, &output, stats, &access),
        Command::Bench { url, selectors, rounds, threads, json, access } => bench::run(&url, &selectors, rounds, threads, json, &access),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Writes a line on standard error, where there is one.
fn say(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}
