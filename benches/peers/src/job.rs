//! What is to be read, and where it goes.

use std::any::Any;
use std::fmt::Display;

use blake2::digest::consts::U8;
use blake2::{Blake2b, Digest};
use memmap2::{Advice, MmapMut};
use serde::Deserialize;

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The first image of a TIFF file, opened anew each time.
    Image,
    /// The same pixels as uncompressed tiles with predictor 2, in memory.
    InMemory,
    /// Windows of an image whose file is kept open.
    Windows,
    /// An array of a Zarr group, opened anew each time.
    Array,
    /// No pixels: the plan of reading an array of `shape`, one chunk an element.
    Plan,
}

/// The type of elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    U8,
    U16,
    F32,
}

/// A job of `run`.
#[derive(Debug, Clone, Deserialize)]
pub struct Job {
    pub kind: Kind,
    pub path: String,
    /// Of a Zarr group.
    #[serde(default)]
    pub array: String,
    #[serde(rename = "type")]
    pub data_type: Type,
    /// Of the output, in C order: y, x; or band, y, x; or y, x, band where `bands_last`.
    pub shape: Vec<usize>,
    #[serde(default)]
    pub bands_last: bool,
    /// 0 = one a core.
    pub threads: usize,
    /// First row and column of each.
    #[serde(default)]
    pub windows: Vec<[usize; 2]>,
}

/// What may go wrong is told to `run`, as a line.
pub type Result<T> = std::result::Result<T, String>;

/// An error as a line.
pub fn line(e: impl Display) -> String {
    e.to_string().replace('\n', " ")
}

/// What a reader leaves behind: memory of its own, which is not freed within the time.
pub type Kept = Box<dyn Any>;

/// Reads: into the memory given, or into its own. What was read is shown to the second parameter: whole, or window by window.
pub type Read = Box<dyn FnMut(&mut [u8], &mut dyn FnMut(&[u8])) -> Result<Kept>>;

impl Job {
    /// Rows, columns and bands.
    pub fn sides(&self) -> (usize, usize, usize) {
        match (self.shape.as_slice(), self.bands_last) {
            ([y, x], _) => (*y, *x, 1),
            ([y, x, band], true) | ([band, y, x], false) => (*y, *x, *band),
            _ => (0, 0, 0),
        }
    }

    pub fn element(&self) -> usize {
        match self.data_type {
            Type::U8 => 1,
            Type::U16 => 2,
            Type::F32 => 4,
        }
    }

    pub fn threads(&self) -> usize {
        if self.threads == 0 { std::thread::available_parallelism().map_or(1, usize::from) } else { self.threads }
    }

    pub fn pool(&self) -> Result<rayon::ThreadPool> {
        rayon::ThreadPoolBuilder::new().num_threads(self.threads()).build().map_err(line)
    }

    /// Memory for the output, touched, in large pages where the system has them, as numpy's arrays are.
    pub fn output(&self) -> Result<MmapMut> {
        let bytes = if self.kind == Kind::Plan { 1 } else { self.shape.iter().product::<usize>() * self.element() };
        let mut out = MmapMut::map_anon(bytes).map_err(line)?;
        let _unknown_here = out.advise(Advice::HugePage);
        out.fill(1);
        Ok(out)
    }
}

/// A sum of pixels, or how far they are from others.
pub struct Check {
    sum: Blake2b<U8>,
    against: Option<(Vec<u8>, usize)>,
    /// The largest difference so far.
    pub most: f64,
}

impl Check {
    pub fn new(against: Option<Vec<u8>>) -> Self {
        Self { sum: Blake2b::new(), against: against.map(|bytes| (bytes, 0)), most: 0.0 }
    }

    pub fn take(&mut self, bytes: &[u8], data_type: Type) {
        self.sum.update(bytes);
        let Some((all, at)) = &mut self.against else { return };
        let expected = all.get(*at..*at + bytes.len()).unwrap_or_default();
        *at += bytes.len();
        let most = match data_type {
            Type::U8 => most(bytes, expected),
            Type::U16 => most::<u16>(cast(bytes), cast(expected)),
            Type::F32 => most::<f32>(cast(bytes), cast(expected)),
        };
        self.most = self.most.max(if expected.len() == bytes.len() { most } else { f64::INFINITY });
    }

    pub fn hash(self) -> String {
        self.sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn most<T: Copy + Into<f64>>(a: &[T], b: &[T]) -> f64 {
    a.iter().zip(b).map(|(a, b)| ((*a).into() - (*b).into()).abs()).fold(0.0, f64::max)
}

/// Bytes as elements: outputs are aligned to pages.
pub fn cast<T: bytemuck::AnyBitPattern>(bytes: &[u8]) -> &[T] {
    bytemuck::cast_slice(bytes)
}

/// As [`cast`].
pub fn cast_mut<T: bytemuck::Pod>(bytes: &mut [u8]) -> &mut [T] {
    bytemuck::cast_slice_mut(bytes)
}

/// Calls a generic function with a job's type of elements.
macro_rules! by_type {
    ($job:expr, $call:ident($($argument:expr),*)) => {
        match $job.data_type {
            $crate::job::Type::U8 => $call::<u8>($($argument),*),
            $crate::job::Type::U16 => $call::<u16>($($argument),*),
            $crate::job::Type::F32 => $call::<f32>($($argument),*),
        }
    };
}
pub(crate) use by_type;
