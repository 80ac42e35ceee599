//! Which directories belong together: an image, its overviews, and their masks.

use super::TiffFile;
use super::directory::Directory;

/// Images among which that of an overview or a mask is looked for, and levels of one image: a bound on the work that a file can ask for.
const NEAREST: usize = 64;

/// An image with its overviews and masks, as places in [`TiffFile::directories`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pyramid {
    /// The full resolution, then each overview, ever smaller.
    pub levels: Vec<usize>,
    /// The mask of each level, where it has one.
    pub masks: Vec<Option<usize>>,
}

/// Whether one image is another at a lower resolution: smaller, and each side divided by the same factor within the rounding of a pixel.
fn is_overview(image: &Directory, of: &Directory) -> bool {
    if image.width > of.width || image.height > of.height || image.samples != of.samples || (image.width, image.height) == (of.width, of.height) {
        return false;
    }
    let factor = |full: u64, small: u64| {
        let (full, small) = (full as f64, small as f64);
        // Sizes are rounded up, down or to the nearest.
        (full / (small + 1.0), if small > 1.0 { full / (small - 1.0) } else { f64::INFINITY })
    };
    let ((x_low, x_high), (y_low, y_high)) = (factor(of.width, image.width), factor(of.height, image.height));
    x_low <= y_high && y_low <= x_high
}

impl TiffFile {
    /// The images of the file in the order of their directories; the first is the main one. Reduced images stand with the image that
    /// they are the overviews of, masks with the image of their size; pages are images of their own.
    #[must_use]
    pub fn pyramids(&self) -> Vec<Pyramid> {
        let mut pyramids: Vec<Pyramid> = Vec::new();
        let at = |place: usize| self.directories.get(place);
        let base = |pyramid: &Pyramid| pyramid.levels.first().and_then(|place| at(*place));
        for (place, directory) in self.directories.iter().enumerate().filter(|(_, d)| !d.is_mask()) {
            let parent = directory.index.parent();
            let below = |image: &Directory| parent.as_ref() == Some(&image.index);
            let owned = parent.is_some() || directory.is_reduced();
            let owner = pyramids.iter_mut().rev().take(if owned { NEAREST } else { 0 }).find(|pyramid| {
                pyramid.levels.len() < NEAREST
                    && base(pyramid).is_some_and(|image| {
                        let related = if parent.is_some() { below(image) } else { directory.is_reduced() && image.index.depth() == 1 };
                        related && is_overview(directory, image)
                    })
            });
            match owner {
                Some(pyramid) => pyramid.levels.push(place),
                None => pyramids.push(Pyramid { levels: vec![place], masks: Vec::new() }),
            }
        }
        for pyramid in &mut pyramids {
            let full = pyramid.levels.first().copied();
            pyramid.levels.sort_by_key(|place| (Some(*place) != full, at(*place).map(|d| std::cmp::Reverse((d.width, d.height))), *place));
            pyramid.masks = vec![None; pyramid.levels.len()];
        }
        for (place, mask) in self.directories.iter().enumerate().filter(|(_, d)| d.is_mask()) {
            self.give_mask(&mut pyramids, place, mask);
        }
        pyramids
    }

    /// The images of this file that are another's overviews, where the file is one that stands beside it (`.ovr`), ever smaller, with
    /// their masks.
    #[must_use]
    pub fn overviews_of(&self, image: &Directory) -> Pyramid {
        let at = |place: &usize| self.directories.get(*place);
        let images = self.directories.iter().enumerate().filter(|(_, d)| !d.is_mask() && is_overview(d, image));
        let mut levels: Vec<usize> = images.map(|(place, _)| place).take(NEAREST).collect();
        levels.sort_by_key(|place| (at(place).map(|d| std::cmp::Reverse((d.width, d.height))), *place));
        let mut of_image = [Pyramid { masks: vec![None; levels.len()], levels }];
        for (place, mask) in self.directories.iter().enumerate().filter(|(_, d)| d.is_mask()) {
            self.give_mask(&mut of_image, place, mask);
        }
        let [pyramid] = of_image;
        pyramid
    }

    /// Gives a mask to the nearest image before it that has its size and no mask.
    fn give_mask(&self, pyramids: &mut [Pyramid], place: usize, mask: &Directory) {
        let size = |level: usize| self.directories.get(level).map(|d| (d.width, d.height));
        for pyramid in pyramids.iter_mut().rev().take(NEAREST).filter(|p| p.levels.first().is_some_and(|first| *first < place)) {
            let slots = pyramid.levels.iter().zip(&mut pyramid.masks);
            let free = |(level, slot): &(&usize, &mut Option<usize>)| slot.is_none() && size(**level) == Some((mask.width, mask.height));
            if let Some((_, slot)) = slots.into_iter().find(free) {
                *slot = Some(place);
                return;
            }
        }
    }
}
