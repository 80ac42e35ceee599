//! A TIFF file as an image of levels.

mod levels;
mod place;
mod sidecars;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;

use crate::array::{ChunkedArray, Mask, Reopen};
use crate::dataset::OpenStats;
use crate::engine::{ReadOptions, Session};
use crate::error::{Error, Result};
use crate::format::tiff::{Directory, DirectoryIndex, Georeference, TiffFile, TiffParser};
use crate::geo::{ControlPoint, Crs, GdalMetadata, GeoTransform, Nodata, Rpc};
use crate::io::Counters;
use crate::model::{ArrayMeta, Consistency, DataType, ObjectKey};
use levels::{InFile, Levels};
use sidecars::Beside;
pub use sidecars::{Sidecar, SidecarKind};

/// A TIFF file, cloud optimized or not: its main image, the reduced levels of it, their masks, and where the pixels are.
#[derive(Clone)]
pub struct Cog {
    session: Session,
    file: Arc<TiffFile>,
    levels: Arc<Levels>,
    beside: Arc<Beside>,
    georeference: Arc<Georeference>,
    stats: OpenStats,
    /// Arrays made so far, by their files and directories: the caches know an array by its handle.
    arrays: Arc<Mutex<HashMap<String, ChunkedArray>>>,
}

impl Session {
    /// Opens a TIFF at a URL or path. A well-made COG takes one request.
    ///
    /// # Errors
    /// `NotFound`, `Malformed` where it is no TIFF or its first directory cannot be read, `Limit`, `Storage`.
    pub async fn open_cog(&self, url: &str) -> Result<Cog> {
        let object = self.inner.io.object(url)?;
        self.opening(&object, |counters| self.open_tiff(object.clone(), counters)).await
    }

    async fn open_tiff(&self, object: ObjectKey, counters: Arc<Counters>) -> Result<Cog> {
        let parser = TiffParser::new(object.clone(), &self.inner.limits);
        self.finish_cog(parser, object, &counters).await
    }

    pub(crate) async fn finish_cog(&self, parser: TiffParser, object: ObjectKey, counters: &Arc<Counters>) -> Result<Cog> {
        let file = self.drive_shared(&object, parser, counters).await.map_err(|e| e.in_object(object.url()))?;
        let no_image = || Error::malformed("a file without an image").in_object(object.url());
        let pyramid = file.pyramids().into_iter().next().ok_or_else(no_image)?;
        let main = pyramid.levels.first().and_then(|place| file.directories.get(*place)).ok_or_else(no_image)?;
        let beside = self.sidecars(&object, counters).await;
        let georeference = Arc::new(main.georeference().under(&beside.metadata));
        Ok(Cog {
            session: self.clone(),
            levels: Arc::new(Levels::new(file.clone(), &pyramid, &beside)),
            beside: Arc::new(beside),
            georeference,
            stats: OpenStats::of(counters),
            file,
            arrays: Arc::default(),
        })
    }
}

impl Cog {
    /// The file's structure: all of its directories.
    #[must_use]
    pub fn file(&self) -> &TiffFile {
        &self.file
    }
    /// What opening it cost.
    #[must_use]
    pub fn open_stats(&self) -> OpenStats {
        self.stats
    }
    /// The same file, whose arrays' reads may cost this from now on. Masks are read with the options of their image.
    #[must_use]
    pub fn with_options(&self, options: ReadOptions) -> Self {
        Self { session: self.session.with_read_options(options), ..self.clone() }
    }
    /// What stands against bytes of another generation of the file than the one that was opened: all levels and masks in it are read of that
    /// one, or fail with [`ObjectChanged`](crate::ErrorKind::ObjectChanged).
    #[must_use]
    pub fn consistency(&self) -> Consistency {
        Consistency::of(self.file.object.version().map(|version| &**version))
    }
    /// Opens the file as it is now, past the caches, which forget what they hold of it. This handle stays on the generation that it opened.
    ///
    /// # Errors
    /// As [`Session::open_cog`].
    pub async fn reopen(&self) -> Result<Self> {
        self.session.opening(&self.file.object, |counters| self.opened_again(counters)).await
    }
    async fn opened_again(&self, counters: Arc<Counters>) -> Result<Self> {
        self.arrays.lock().unwrap_or_else(PoisonError::into_inner).values().for_each(ChunkedArray::forget_chunks);
        for object in self.levels.objects() {
            self.session.forget_object(object).await?;
        }
        self.session.open_tiff(self.file.object.with_version(None), counters).await
    }
    /// How many levels the main image has: itself and its overviews.
    #[must_use]
    pub fn level_count(&self) -> usize {
        self.levels.len()
    }
    /// The directory of a level; 0 is full resolution.
    ///
    /// # Errors
    /// `Usage` where there is no such level.
    pub fn level_directory(&self, level: usize) -> Result<&Directory> {
        self.in_file(level).map(|found| found.directory)
    }
    /// A level as an array of band, y, x; 0 is full resolution.
    ///
    /// It comes with what says which of its pixels are valid, for [`read_masked`](ChunkedArray::read_masked) and its kin: the mask of this
    /// level, else the nodata value, else an alpha band where GDAL takes it for one (the last of 2 or 4 bands of u8 or u16). An overview
    /// that does not say otherwise has nodata, scale and offset of the main image.
    ///
    /// # Errors
    /// `Usage` where there is no such level; `Unsupported` for a compression that is not read.
    pub fn level(&self, level: usize) -> Result<ChunkedArray> {
        let found = self.in_file(level)?;
        let array = self.array(found)?;
        let masked = match self.mask(level) {
            Err(e) => array.with_broken_mask(e),
            Ok(Some(mask)) => array.clone().with_mask(Mask::Array(mask)).unwrap_or_else(|e| array.with_broken_mask(e)),
            Ok(None) => match alpha(found.directory, array.data_type()) {
                Some(band) => array.with_mask(Mask::Band(band))?,
                None => array,
            },
        };
        Ok(masked.mask_of_dataset().with_origin(self.place(Which::Level(level))))
    }
    /// All levels, full resolution first.
    pub fn levels(&self) -> impl Iterator<Item = Result<ChunkedArray>> + '_ {
        (0..self.level_count()).map(|level| self.level(level))
    }
    /// The coarsest level whose pixels are not larger than `resolution`, in units of the CRS; full resolution where none is.
    ///
    /// # Errors
    /// `Crs` where the image has no transform.
    pub fn level_for(&self, resolution: f64) -> Result<ChunkedArray> {
        let no_transform = || Error::crs("no transform from pixels to coordinates").in_object(self.file.object.url());
        let transforms = (0..self.level_count()).map(|level| self.transform(level));
        self.level(GeoTransform::level_for(transforms, resolution).ok_or_else(no_transform)?)
    }
    /// The coarsest level whose pixels are not larger than this many metres; degrees count as on the equator.
    ///
    /// # Errors
    /// `Crs` where the image has no transform, or nothing tells whether coordinates are lengths or angles.
    pub fn level_for_metres(&self, metres: f64) -> Result<ChunkedArray> {
        let none = || Error::crs("no coordinate reference system").in_object(self.file.object.url());
        let unit = self.crs().and_then(Crs::metres_on_equator).ok_or_else(none)?;
        self.level_for(metres / unit)
    }
    /// The validity mask of a level as an array, where the file has one: 0 is invalid.
    ///
    /// # Errors
    /// `Unsupported` for a compression that is not read.
    pub fn mask(&self, level: usize) -> Result<Option<ChunkedArray>> {
        let mask = self.levels.mask(level).map(|mask| self.array(mask)).transpose()?;
        Ok(mask.map(|mask| mask.with_origin(self.place(Which::Mask(level)))))
    }
    /// The paths of all directories: `0`, `0.0` for the first sub-directory of the first, `1` …
    #[must_use]
    pub fn directories(&self) -> Vec<String> {
        self.file.directories.iter().map(|d| d.index.to_string()).collect()
    }
    /// Any directory as an array.
    ///
    /// # Errors
    /// `Usage` where there is none; what is wrong with it where it cannot be read.
    pub fn directory(&self, path: &str) -> Result<ChunkedArray> {
        let index: DirectoryIndex = path.parse()?;
        let place = self.file.find(&index)?;
        let found = self.file.directories.get(place).ok_or_else(|| Error::usage(format!("no directory {path}")))?;
        Ok(self.array(InFile { file: &self.file, directory: found })?.with_origin(self.place(Which::Directory(path.to_owned()))))
    }
    fn place(&self, which: Which) -> InCog {
        InCog { cog: self.clone(), which }
    }
    fn in_file(&self, level: usize) -> Result<InFile<'_>> {
        let missing = || Error::usage(format!("no level {level} among {}", self.level_count())).in_object(self.file.object.url());
        self.levels.get(level).ok_or_else(missing)
    }
    fn array(&self, InFile { file, directory }: InFile<'_>) -> Result<ChunkedArray> {
        let mut arrays = self.arrays.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("{} {}", directory.index, file.object.url());
        if let Some(array) = arrays.get(&name) {
            return Ok(array.sharing_options(&self.session.read));
        }
        let mut meta = directory.array(file, &self.session.inner.limits)?;
        self.complete_scaling(directory, file, &mut meta);
        let array = self.session.array(meta)?;
        arrays.insert(name, array.clone());
        Ok(array)
    }
    /// What stands beside the file counts for the main image; a level that does not say otherwise has what its image has.
    fn complete_scaling(&self, directory: &Directory, file: &TiffFile, meta: &mut ArrayMeta) {
        let Some(main) = self.levels.get(0) else { return };
        let is_level = |level: usize| self.levels.get(level).is_some_and(|l| l.file.object == file.object && l.directory.index == directory.index);
        let Some(level) = (0..self.level_count()).find(|level| is_level(*level)) else { return };
        let of_main = main.directory.scaling(&self.beside.metadata.metadata, &meta.data_type);
        if level == 0 {
            meta.scaling = of_main;
            return;
        }
        if meta.scaling.lines.is_empty() && main.directory.samples == directory.samples {
            meta.scaling.lines = of_main.lines;
        }
        if directory.nodata.is_none() {
            meta.scaling.nodata = of_main.nodata;
        }
    }
    /// From the pixels of a level to coordinates of the CRS.
    #[must_use]
    pub fn transform(&self, level: usize) -> Option<GeoTransform> {
        let (full, reduced) = (self.level_directory(0).ok()?, self.level_directory(level).ok()?);
        self.georeference.transform.map(|t| t.reduced((full.width, full.height), (reduced.width, reduced.height)))
    }
    /// Where the pixels of the main image are, as its tags say it.
    #[must_use]
    pub fn georeference(&self) -> &Georeference {
        &self.georeference
    }
    /// The coordinate reference system.
    #[must_use]
    pub fn crs(&self) -> Option<&Crs> {
        self.georeference.crs.as_ref()
    }
    /// The value that stands for "nothing here", as the type of the pixels has it; `None` where there is none, or the type cannot hold it.
    #[must_use]
    pub fn nodata(&self) -> Option<f64> {
        let main = self.level_directory(0).ok()?;
        let told = self.beside.metadata.metadata.nodata(0).and_then(Nodata::parse).or_else(|| main.nodata_value())?;
        main.data_type().map_or_else(|_| Some(told.as_f64()), |data_type| told.of_type(&data_type))
    }
    /// Pixels whose coordinates are known, where there is no transform. Columns and rows are as the file has them.
    #[must_use]
    pub fn control_points(&self) -> &[ControlPoint] {
        &self.georeference.control_points
    }
    /// Rational polynomial coefficients, where there are some.
    #[must_use]
    pub fn rpc(&self) -> Option<&Rpc> {
        self.georeference.rpc.as_ref()
    }
    /// The files beside this one that were looked at: [`SessionOptions::sidecars`](crate::SessionOptions::sidecars).
    #[must_use]
    pub fn sidecars(&self) -> &[Sidecar] {
        &self.beside.found
    }
    /// GDAL's metadata of the main image, of the file and beside it: scale, offset, descriptions, units, statistics.
    #[must_use]
    pub fn metadata(&self) -> GdalMetadata {
        self.level_directory(0).map(Directory::metadata).unwrap_or_default().under(&self.beside.metadata.metadata)
    }
}

/// Where in a file an array is.
enum Which {
    Level(usize),
    Mask(usize),
    Directory(String),
}

/// An array of a file, as it can be had again.
struct InCog {
    cog: Cog,
    which: Which,
}

impl Reopen for InCog {
    fn reopen(&self, counters: Arc<Counters>) -> BoxFuture<'_, Result<ChunkedArray>> {
        let opened = async move {
            let cog = self.cog.opened_again(counters).await?;
            match &self.which {
                Which::Level(level) => cog.level(*level),
                Which::Mask(level) => cog.mask(*level)?.ok_or_else(|| Error::usage("the level has no mask any more")),
                Which::Directory(path) => cog.directory(path),
            }
        };
        Box::pin(opened)
    }
}

/// The alpha band, where GDAL takes one for a mask.
fn alpha(directory: &Directory, data_type: &DataType) -> Option<u64> {
    let kind = directory.extra_samples.last()?;
    (matches!(kind, 1 | 2) && matches!(directory.samples, 2 | 4) && matches!(data_type, DataType::U8 | DataType::U16))
        .then(|| u64::from(directory.samples) - 1)
}

impl fmt::Debug for Cog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cog({}, {} levels, {} directories)", self.file.object, self.level_count(), self.file.directories.len())
    }
}
