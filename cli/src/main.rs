//! `swath`: reads Cloud Optimized GeoTIFF and Zarr from the command line.

mod args;
mod failure;
mod info;
mod open;
mod output;
mod plan;
mod progress;
mod read;
mod slabs;
mod stats;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => {
            // Help and version are "errors" that go to standard output; a closed pipe there is nobody's concern.
            drop(message.print());
            return ExitCode::from(u8::try_from(message.exit_code()).unwrap_or(2));
        }
    };
    let done = match cli.command {
        Command::Info { url, json, access } => info::run(&url, json, &access),
        Command::Plan { url, selectors, json, access } => plan::run(&url, &selectors, json, &access),
        Command::Read { url, selectors, output, stats, access } => read::run(&url, &selectors, &output, stats, &access),
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
