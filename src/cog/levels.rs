//! The levels of an image and their masks, in the file itself or beside it.

use std::sync::Arc;

use super::sidecars::Beside;
use crate::format::tiff::{Directory, Pyramid, TiffFile};
use crate::model::ObjectKey;

/// A directory of one of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    file: usize,
    directory: usize,
}

/// The levels of an image and their masks.
#[derive(Debug)]
pub(super) struct Levels {
    /// The image's own file, then those beside it.
    files: Vec<Arc<TiffFile>>,
    levels: Vec<Place>,
    masks: Vec<Option<Place>>,
}

/// A directory, and the file that it stands in.
#[derive(Clone, Copy)]
pub(super) struct InFile<'a> {
    pub(super) file: &'a TiffFile,
    pub(super) directory: &'a Directory,
}

impl Levels {
    /// As GDAL has it: what the file holds goes before what stands beside it.
    pub(super) fn new(file: Arc<TiffFile>, pyramid: &Pyramid, beside: &Beside) -> Self {
        let own = |directory: usize| Place { file: 0, directory };
        let mut all = Self {
            files: vec![file],
            levels: pyramid.levels.iter().copied().map(own).collect(),
            masks: pyramid.masks.iter().map(|mask| mask.map(own)).collect(),
        };
        if all.levels.len() == 1
            && let Some(overviews) = &beside.overviews
        {
            all.add_overviews(overviews);
        }
        if all.masks.first() == Some(&None) {
            [&beside.mask, &beside.mask_overviews].into_iter().flatten().for_each(|masks| all.add_masks(masks));
        }
        all
    }

    fn add_overviews(&mut self, file: &Arc<TiffFile>) {
        let Some(full) = self.get(0) else { return };
        let found = file.overviews_of(full.directory);
        let number = self.files.len();
        let place = |directory: usize| Place { file: number, directory };
        let (levels, masks): (Vec<_>, Vec<_>) = found.levels.iter().zip(&found.masks).map(|(level, mask)| (place(*level), mask.map(place))).unzip();
        self.levels.extend(levels);
        self.masks.extend(masks);
        self.files.push(file.clone());
    }

    /// Gives each level without a mask the directory of its size.
    fn add_masks(&mut self, file: &Arc<TiffFile>) {
        let number = self.files.len();
        for (level, mask) in self.levels.iter().zip(&mut self.masks).filter(|(_, mask)| mask.is_none()) {
            let Some(image) = self.files.get(level.file).and_then(|f| f.directories.get(level.directory)) else { continue };
            let same_size = |d: &Directory| (d.width, d.height) == (image.width, image.height);
            *mask = file.directories.iter().position(same_size).map(|directory| Place { file: number, directory });
        }
        self.files.push(file.clone());
    }

    /// The files of the levels and masks.
    pub(super) fn objects(&self) -> impl Iterator<Item = &ObjectKey> {
        self.files.iter().map(|file| &file.object)
    }
    pub(super) fn len(&self) -> usize {
        self.levels.len()
    }
    pub(super) fn get(&self, level: usize) -> Option<InFile<'_>> {
        self.at(*self.levels.get(level)?)
    }
    pub(super) fn mask(&self, level: usize) -> Option<InFile<'_>> {
        self.at((*self.masks.get(level)?)?)
    }
    fn at(&self, place: Place) -> Option<InFile<'_>> {
        let file = self.files.get(place.file)?;
        Some(InFile { file, directory: file.directories.get(place.directory)? })
    }
}
