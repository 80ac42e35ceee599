//! What a read is written to.

mod file;
mod look;
pub(crate) mod npy;
pub(crate) mod picture;
pub(crate) mod raw;
mod tone;
mod values;

use std::path::Path;

pub(crate) use file::PartFile;

/// The kinds of output, by the ending of their name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The elements' bytes and nothing else: C order, little-endian.
    Bin,
    /// The same behind NumPy's header.
    Npy,
    /// A picture for people.
    Png,
}

impl Kind {
    pub(crate) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "bin" => Some(Self::Bin),
            "npy" => Some(Self::Npy),
            "png" => Some(Self::Png),
            _ => None,
        }
    }
}
