//! The command line.

use clap::Parser;

#[path = "../../../cli/src/args.rs"]
#[allow(dead_code, reason = "the program reads the fields")]
mod args;

/// Words, a line each: a command, or an error that can be shown.
pub(super) fn line(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match args::Cli::try_parse_from(std::iter::once("swath").chain(text.split('\n'))) {
        Ok(_) => {}
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// The parser is made anew for each line.
pub(super) fn bound(data: &[u8]) -> usize {
    super::MIB + super::document(data)
}
