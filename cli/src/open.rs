//! From the command line to a session, a dataset and the array that is meant.

use swath::model::{Region, Secret, Selection, Sidecars};
use swath::{ChunkedArray, Cog, Dataset, Group, OpenStats, Session, SessionOptions};

use crate::args::{Access, Selectors};
use crate::failure::{Failure, Result};

/// Names listed in a message; what is more is counted.
const MOST_NAMES: usize = 100;

/// A session that keeps little: every chunk is read once, and the output is not held in memory.
pub(crate) fn session(access: &Access) -> Result<Session> {
    let mut options = SessionOptions::default();
    options.chunk_cache = 16 << 20;
    options.byte_cache = 16 << 20;
    options.page_cache = 32 << 20;
    options.limits.decoded_in_flight = 32 << 20;
    options.limits.stored_in_flight = 16 << 20;
    options.anonymous = access.anon;
    if access.sidecars {
        options.sidecars = Sidecars::Always;
    }
    for header in &access.headers {
        // The message does not repeat the header: it may hold a token.
        let (name, value) = header.split_once(':').ok_or_else(|| Failure::usage("--header is given as 'Name: value'"))?;
        options.headers.push((name.trim().to_owned(), Secret::new(value.trim())));
    }
    Ok(Session::with_options(options)?)
}

/// An array, and what is known of it beside.
pub(crate) struct Chosen {
    pub(crate) array: ChunkedArray,
    pub(crate) region: Region,
    pub(crate) origin: Origin,
    pub(crate) opened: OpenStats,
}

/// Where an array comes from.
pub(crate) enum Origin {
    /// A level of an image.
    Level(Cog, usize),
    /// A directory of a TIFF.
    Directory(Cog, String),
    /// An array of a Zarr hierarchy.
    Zarr,
}

/// Opens a dataset and finds the array that the selectors mean.
pub(crate) fn choose(session: &Session, url: &str, selectors: &Selectors) -> Result<Chosen> {
    let dataset = session.block_on(session.open(url))?;
    let (array, origin, opened) = match dataset {
        Dataset::Cog(cog) => {
            if selectors.array.is_some() {
                return Err(Failure::usage("--array is for Zarr, and this is a TIFF: it has --level and --ifd"));
            }
            let opened = cog.open_stats();
            match &selectors.ifd {
                Some(path) => (cog.directory(path)?, Origin::Directory(cog, path.clone()), opened),
                None => {
                    let level = selectors.level.unwrap_or(0);
                    (cog.level(level)?, Origin::Level(cog, level), opened)
                }
            }
        }
        Dataset::Group(group) => {
            if selectors.level.is_some() || selectors.ifd.is_some() {
                return Err(Failure::usage("--level and --ifd are for TIFF, and this is Zarr: it has --array"));
            }
            let array = match &selectors.array {
                Some(name) => session.block_on(group.array(name))?,
                None => only_array(session, &group)?,
            };
            let opened = group.open_stats();
            (array, Origin::Zarr, opened)
        }
        _ => return Err(Failure::refused("a kind of dataset that this command does not know")),
    };
    let region = match &selectors.region {
        Some(selection) => Selection::region(selection, array.shape())?,
        None => Region::all(array.shape()),
    };
    Ok(Chosen { array, region, origin, opened })
}

fn only_array(session: &Session, group: &Group) -> Result<ChunkedArray> {
    let names = session.block_on(group.arrays())?;
    match names.as_slice() {
        [] => Err(Failure::refused("the group has no array that is described in it; --array names one")),
        [one] => Ok(session.block_on(group.array(one))?),
        many => Err(Failure::refused(format!("the group has {} arrays, --array picks one: {}", many.len(), list(many)))),
    }
}

/// Names in one line.
fn list(names: &[String]) -> String {
    let mut shown: Vec<&str> = names.iter().take(MOST_NAMES).map(|name| if name.is_empty() { "''" } else { name.as_str() }).collect();
    let more = format!("… {} more", names.len().saturating_sub(MOST_NAMES));
    if names.len() > MOST_NAMES {
        shown.push(&more);
    }
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_up_to_a_bound() {
        let names = |n: usize| (0..n).map(|i| format!("a{i}")).collect::<Vec<_>>();
        assert_eq!(list(&names(3)), "a0 a1 a2");
        assert_eq!(list(&[String::new(), "b".into()]), "'' b");
        assert!(list(&names(130)).ends_with("a99 … 30 more"));
    }
}
