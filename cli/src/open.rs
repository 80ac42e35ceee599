//! From the command line to a session, a dataset and the array that is meant.

use swath::model::{Limits, Region, Secret, Selection, Sidecars};
use swath::{ChunkedArray, Cog, Dataset, DiskCache, Group, OnChange, OpenStats, Session, SessionOptions};

use crate::args::{Access, Selectors};
use crate::failure::{Failure, Result};
use crate::pairs::{self, Pairs};
use crate::sign;

/// Names listed in a message; what is more is counted.
const MOST_NAMES: usize = 100;

/// A session that keeps little: every chunk is read once, and the output is not held in memory.
pub(crate) fn session(access: &Access, url: &str) -> Result<Session> {
    session_with(access, url, |options| {
        options.limits.decoded_in_flight = 32 << 20;
        options.limits.stored_in_flight = 16 << 20;
    })
}

/// The same, but for what `change` changes.
pub(crate) fn session_with(access: &Access, url: &str, change: impl FnOnce(&mut SessionOptions)) -> Result<Session> {
    let mut options = SessionOptions::default();
    options.cache_bytes = 64 << 20;
    change(&mut options);
    options.anonymous = access.anon;
    options.network.hedge = access.hedge;
    options.read.deadline = access.deadline;
    if access.reopen {
        options.read.on_change = OnChange::Reopen;
    }
    if access.sidecars {
        options.sidecars = Sidecars::Always;
    }
    if let Some(directory) = &access.cache {
        let mut cache = DiskCache::new(directory);
        cache.bytes = access.cache_bytes.unwrap_or(cache.bytes);
        options.disk_cache = Some(cache);
    }
    for header in &access.headers {
        // The message does not repeat the header: it may hold a token.
        let (name, value) = header.split_once(':').ok_or_else(|| Failure::usage("--header is given as 'Name: value'"))?;
        options.headers.push((name.trim().to_owned(), Secret::new(value.trim())));
    }
    let builder = Session::builder(options);
    Ok(match sign::signer(access, url)? {
        Some(signer) => builder.with_signer(signer).build()?,
        None => builder.build()?,
    })
}

/// An array, and what is known of it beside.
pub(crate) struct Chosen {
    pub(crate) array: ChunkedArray,
    pub(crate) region: Region,
    /// The bands to be read of it, in this order, where not all of them are.
    pub(crate) bands: Option<Vec<u64>>,
    /// Where elements are written as pairs: which numbers of them.
    pub(crate) pairs: Option<Pairs>,
    pub(crate) origin: Origin,
    pub(crate) opened: OpenStats,
}

impl Chosen {
    /// Holds the chunks that a read takes to the session's bound.
    pub(crate) fn check(&self, session: &Session) -> Result<()> {
        let chunks = self.array.meta().grid.chunks_of(&self.region);
        let count = chunks.iter().fold(1_u64, |n, r| n.saturating_mul(r.end.saturating_sub(r.start)));
        Limits::check("max_read_chunks", count, session.limits().max_read_chunks)?;
        Ok(())
    }
    /// The boxes of the array that are read, one behind the other along the first axis of what is written.
    pub(crate) fn parts(&self) -> Vec<Region> {
        let Some(bands) = &self.bands else { return vec![self.region.clone()] };
        let mut runs: Vec<std::ops::Range<u64>> = Vec::new();
        for band in bands {
            match runs.last_mut() {
                Some(run) if run.end == *band => run.end += 1,
                _ => runs.push(*band..band + 1),
            }
        }
        let rest = self.region.ranges().get(1..).unwrap_or_default();
        runs.into_iter().map(|run| Region::new([&[run], rest].concat())).collect()
    }
    /// The place of a box of elements in what is written: of the elements themselves, or of the numbers that they are written as.
    pub(crate) fn written(&self, elements: &Region) -> Region {
        self.pairs.as_ref().map_or_else(|| elements.clone(), |pairs| pairs.of(elements))
    }
    /// The shape of what is written.
    pub(crate) fn shape(&self) -> Vec<u64> {
        let mut shape = self.written(&self.region).shape();
        if let (Some(bands), Some(first)) = (&self.bands, shape.first_mut()) {
            *first = bands.len() as u64;
        }
        shape
    }
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

/// What a region counts along its last axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// Elements of the array.
    Elements,
    /// Numbers as they are written: two for each element of a complex type that NumPy lacks.
    Numbers,
}

/// Opens a dataset and finds the array that the selectors mean.
pub(crate) fn choose(session: &Session, url: &str, selectors: &Selectors, counted: Counted) -> Result<Chosen> {
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
    let as_pairs = counted == Counted::Numbers && pairs::written(array.data_type(), array.shape().len());
    let mut pairs = None;
    let region = match (&selectors.region, selectors.bounds, &origin) {
        (Some(selection), ..) if as_pairs => {
            let (region, numbers) = Pairs::select(selection, array.shape())?;
            pairs = Some(numbers);
            region
        }
        (Some(selection), ..) => Selection::region(selection, array.shape())?,
        (None, Some(bounds), Origin::Level(cog, level)) => cog.region_of(*level, bounds)?,
        (None, Some(_), _) => return Err(Failure::usage("--bounds is for the levels of a TIFF; --region is for all")),
        (None, None, _) => Region::all(array.shape()),
    };
    if as_pairs && pairs.is_none() {
        pairs = Some(Pairs::all(&region));
    }
    if let Some(bands) = &selectors.bands {
        let first = region.ranges().first().ok_or_else(|| Failure::usage("--bands is for arrays of one dimension or more"))?;
        if let Some(band) = bands.iter().find(|band| !first.contains(band)) {
            return Err(Failure::usage(format!("--bands: {band} is not within {}:{}", first.start, first.end)));
        }
    }
    Ok(Chosen { array, region, bands: selectors.bands.clone(), pairs, origin, opened })
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
