//! `swath read`: an array or a region of it into a file.

use std::path::Path;
use std::time::Instant;

use crate::args::{Access, Selectors, What};
use crate::failure::{Failure, Result};
use crate::open::{self, Counted};
use crate::output::{Kind, PartFile, picture, raw};
use crate::stats::Totals;

pub(crate) fn run(url: &str, selectors: &Selectors, what: What, output: &Path, stats: bool, access: &Access) -> Result<()> {
    let start = Instant::now();
    let kind = Kind::of(output).ok_or_else(|| Failure::usage(format!("{}: the output ends in .npy, .bin or .png", output.display())))?;
    let session = open::session(access, url)?;
    let plain = kind != Kind::Png && !what.scaled && !what.mask;
    let chosen = open::choose(&session, url, selectors, if plain { Counted::Numbers } else { Counted::Elements })?;
    chosen.check(&session)?;

    let data_type = raw::written_type(&chosen, what)?;
    if kind == Kind::Png && (what.scaled || what.mask || chosen.bands.is_some()) {
        return Err(Failure::usage("--scaled, --mask and --bands are for .npy and .bin files"));
    }
    let mut totals = Totals::new(chosen.opened);
    let file = PartFile::create(output).map_err(|e| Failure::output(output, &e))?;
    match kind {
        Kind::Bin => raw::write(&session, &chosen, &data_type, &file, &[], &mut totals)?,
        Kind::Npy => {
            let header = crate::output::npy::header(&data_type.of, &chosen.shape())?;
            raw::write(&session, &chosen, &data_type, &file, &header, &mut totals)?;
        }
        Kind::Png => picture::write(&session, &chosen, &file, &mut totals)?,
    }
    file.keep().map_err(|e| Failure::output(output, &e))?;
    totals.total = start.elapsed();
    if stats {
        crate::say(&totals.as_json().to_string());
    }
    Ok(())
}
