//! Local files, read by position.

use std::fs::{File, Metadata};
use std::io;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use lru::LruCache;

use super::options::MapFile;
use super::request::{Part, Told};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Limits, ObjectKey, reserve};

/// Files kept open.
const OPEN_FILES: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// How often a file is read once more because it changed while it was read.
const READ_AGAIN: u32 = 3;

/// The files of one `Io`.
pub(super) struct Files {
    open: Mutex<LruCache<PathBuf, Arc<Open>>>,
    map: Option<MapFile>,
}

/// A part of a file.
pub(super) struct Answer {
    pub(super) bytes: Bytes,
    /// Its first byte's place in the file.
    pub(super) start: u64,
    pub(super) told: Told,
}

struct Open {
    file: File,
    stamp: Stamp,
    view: Option<Bytes>,
}

/// What tells one state of a file from another.
#[derive(Clone, PartialEq, Eq)]
struct Stamp {
    size: u64,
    modified_nanos: u128,
    inode: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let inode = 0;
        let modified = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        Self { size: metadata.len(), modified_nanos: modified.map_or(0, |d| d.as_nanos()), inode }
    }

    fn version(&self) -> Arc<str> {
        format!("{:x}-{:x}-{:x}", self.modified_nanos, self.size, self.inode).into()
    }
}

impl Open {
    /// The bytes of a range within the size, or what the file has become in the meantime.
    fn read(&self, range: &Range<u64>, key: &ObjectKey) -> Result<std::result::Result<Bytes, Stamp>> {
        let failed = |e: io::Error| Error::storage(e.to_string()).in_object(key.url());
        if let Some(view) = &self.view {
            return slice(view, range).map(Ok).ok_or_else(|| Error::storage("the file is shorter than its size").in_object(key.url()));
        }
        let read = read_exact_at(&self.file, range);
        // also where reading failed: a file that was cut short ends too early
        let now = Stamp::of(&self.file.metadata().map_err(failed)?);
        if now != self.stamp {
            return Ok(Err(now));
        }
        read.map_err(failed)?.map(Ok).map_err(|e| e.in_object(key.url()))
    }
}

impl Files {
    pub(super) fn new(map: Option<MapFile>) -> Self {
        Self { open: Mutex::new(LruCache::new(OPEN_FILES)), map }
    }

    /// Whether answers are views of mapped files, and so cost no waiting.
    pub(super) fn are_mapped(&self) -> bool {
        self.map.is_some()
    }

    /// Reads a part of a file; `None` where there is no such file. Blocks.
    ///
    /// What is read while the file changes is never handed on: of a pinned file that is an error, any other is read again.
    pub(super) fn read(&self, path: &Path, key: &ObjectKey, part: &Part) -> Result<Option<Answer>> {
        let mut again = READ_AGAIN;
        loop {
            let Some(open) = self.open(path, key)? else { return Ok(None) };
            let version = open.stamp.version();
            if let Some(pinned) = key.version()
                && *pinned != version
            {
                return Err(changed(key, pinned, &version));
            }
            let size = open.stamp.size;
            let range = match part {
                Part::Range(range) => range.start.min(size)..range.end.min(size),
                Part::Suffix(length) => size.saturating_sub(*length)..size,
                Part::Whole { most } => {
                    Limits::check("bytes of a whole object", size, *most).map_err(|e| e.in_object(key.url()))?;
                    0..size
                }
            };
            match open.read(&range, key)? {
                Ok(bytes) => {
                    return Ok(Some(Answer { bytes, start: range.start, told: Told { size: Some(size), version: Some(version), whole: None } }));
                }
                Err(now) if key.version().is_some() || again == 0 => return Err(changed(key, &version, &now.version())),
                Err(_) => again -= 1,
            }
        }
    }

    /// The open file, opened anew where the path names another one by now.
    fn open(&self, path: &Path, key: &ObjectKey) -> Result<Option<Arc<Open>>> {
        let failed = |e: io::Error| match e.kind() {
            io::ErrorKind::PermissionDenied => Error::denied("the file may not be read").in_object(key.url()),
            _ => Error::storage(e.to_string()).in_object(key.url()),
        };
        let missing = |e: &io::Error| matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(e) if missing(&e) => return Ok(None),
            Err(e) => return Err(failed(e)),
        };
        if metadata.is_dir() {
            return Ok(None);
        }
        if !metadata.is_file() {
            return Err(Error::unsupported("files that are not regular").in_object(key.url()));
        }
        let stamp = Stamp::of(&metadata);
        let mut files = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = files.get(path).filter(|open| open.stamp == stamp) {
            return Ok(Some(open.clone()));
        }
        drop(files);

        let file = match File::open(path) {
            Ok(file) => file,
            Err(e) if missing(&e) => return Ok(None),
            Err(e) => return Err(failed(e)),
        };
        let stamp = Stamp::of(&file.metadata().map_err(failed)?);
        let view = match self.map {
            Some(_) if stamp.size == 0 => Some(Bytes::new()),
            Some(map) => Some(map(&file).map_err(failed)?),
            None => None,
        };
        let open = Arc::new(Open { file, stamp, view });
        files = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        files.put(path.to_owned(), open.clone());
        Ok(Some(open))
    }
}

pub(super) fn changed(key: &ObjectKey, old: &str, new: &str) -> Error {
    Error::new(ErrorKind::ObjectChanged { old: old.to_owned(), new: new.to_owned() }).in_object(key.url())
}

/// The part of `bytes` at `range`; `None` where it is not there.
pub(super) fn slice(bytes: &Bytes, range: &Range<u64>) -> Option<Bytes> {
    let start = usize::try_from(range.start).ok()?;
    let end = usize::try_from(range.end).ok()?;
    (start <= end && end <= bytes.len()).then(|| bytes.slice(start..end))
}

/// The outer result is the file's, the inner one the allocator's.
fn read_exact_at(file: &File, range: &Range<u64>) -> io::Result<Result<Bytes>> {
    let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
    let mut buffer = match reserve::<u8>("bytes of a read", length) {
        Ok(buffer) => buffer,
        Err(e) => return Ok(Err(e)),
    };
    buffer.resize(length, 0);
    fill_at(file, &mut buffer, range.start)?;
    Ok(Ok(buffer.into()))
}

#[cfg(unix)]
fn fill_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, at)
}

#[cfg(windows)]
fn fill_at(file: &File, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_read(file, buffer, at)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer = &mut buffer[count..];
        at += count as u64;
    }
    Ok(())
}

/// The names in a directory, sorted, directories with a slash at their end; `None` where there is no such directory. Blocks.
pub(super) fn list(path: &Path, key: &ObjectKey, limits: &Limits) -> Result<Option<Vec<String>>> {
    let failed = |e: io::Error| Error::storage(e.to_string()).in_object(key.url());
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let Ok(mut name) = entry.file_name().into_string() else { continue }; // no key can name it
        if std::fs::metadata(entry.path()).is_ok_and(|m| m.is_dir()) {
            name.push('/');
        }
        Limits::check("max_references", names.len() as u64 + 1, limits.max_references).map_err(|e| e.in_object(key.url()))?;
        names.push(name);
    }
    names.sort_unstable();
    Ok(Some(names))
}
