//! TIFF, BigTIFF, GeoTIFF and COG: from the bytes of the headers to directories, and from a directory to an
//! [`ArrayMeta`](crate::model::ArrayMeta).
//!
//! [`TiffParser`] asks for what it needs and never waits; [`Directory::array`] is the one place where TIFF's ways of storing pixels are
//! mapped to the model. Specifications: TIFF 6.0 (Adobe 1992), its supplements, BigTIFF (AWare 2004), OGC GeoTIFF 1.1, and GDAL's
//! documentation of its tags and of the COG driver. Where files in the wild differ from these, libtiff's reading is taken.

mod array;
mod chain;
mod directory;
mod fetched;
#[cfg(any(test, feature = "__fuzz"))]
#[doc(hidden)]
pub mod fuzzing;
mod georeference;
mod ghost;
mod old_jpeg;
mod parser;
mod pyramid;
mod tag;
#[cfg(test)]
mod tests;

pub use directory::{Directory, DirectoryIndex, GeoTags, Layout, Table};
pub use georeference::Georeference;
pub use ghost::GhostArea;
pub use parser::TiffParser;
pub use pyramid::Pyramid;

use crate::error::{Error, Result};
use crate::model::{Endian, ObjectKey};

/// The structure of a file: its directories, none of its pixels.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TiffFile {
    /// The file, pinned to the version that was read.
    pub object: ObjectKey,
    /// Its length, where the store told it.
    pub size: Option<u64>,
    /// Its byte order.
    pub endian: Endian,
    /// Whether it is a BigTIFF.
    pub big: bool,
    /// GDAL's promises on its structure.
    pub structure: Option<GhostArea>,
    /// Its directories by index: each of the chain, with its sub-directories behind it.
    pub directories: Vec<Directory>,
    /// Directories that cannot be read.
    pub broken: Vec<Broken>,
}

/// A directory that cannot be read.
#[derive(Debug, Clone)]
pub struct Broken {
    /// Where it would be.
    pub index: DirectoryIndex,
    /// Its first byte in the file.
    pub offset: u64,
    /// What is wrong with it.
    pub error: Error,
}

impl TiffFile {
    /// The place of a directory in [`directories`](Self::directories).
    ///
    /// # Errors
    /// What is wrong with it, or `Usage` where there is none of this index.
    pub fn find(&self, index: &DirectoryIndex) -> Result<usize> {
        if let Some(place) = self.directories.iter().position(|d| d.index == *index) {
            return Ok(place);
        }
        // A directory cannot be read where the one before it in the chain cannot.
        let lost = |b: &&Broken| b.index == *index || (b.index.depth() == 1 && b.index < *index);
        Err(match self.broken.iter().find(lost) {
            Some(broken) => broken.error.clone().in_object(self.object.url()),
            None => Error::usage(format!("no directory {index} among the {} of the file", self.directories.len())).in_object(self.object.url()),
        })
    }
}
