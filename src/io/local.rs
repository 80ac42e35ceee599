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
use crate::model::{Limits, ObjectKey, lengthened};

/// Files kept open.
const OPEN_FILES: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// How often a file is read once more because it changed while it was read.
const READ_AGAIN: u32 = 3;

/// The files of one `Io`.
pub(super) struct Files {
    open: Mutex<LruCache<PathBuf, Arc<Open>>>,
    map: Option<MapFile>,
    /// The version of files that nobody asks for.
    unversioned: Arc<str>,
}

/// A part of a file.
pub(super) struct Answer {
    pub(super) bytes: Bytes,
    /// Its first byte's place in the file.
    pub(super) start: u64,
    pub(super) told: Told,
}

/// Bytes of a file that was read into a buffer.
pub(super) enum Held {
    /// So many stand at the beginning of the buffer.
    Buffer(usize),
    /// The file is mapped: the buffer was not needed.
    View(Bytes),
}

struct Open {
    file: File,
    stamp: Stamp,
    version: Arc<str>,
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
    fn read(&self, range: &Range<u64>, url: &str, buffer: &mut Vec<u8>) -> Result<std::result::Result<Held, Stamp>> {
        let failed = |e: io::Error| Error::storage(e.to_string()).in_object(url);
        if let Some(view) = &self.view {
            let view = slice(view, range).map(Held::View);
            return view.map(Ok).ok_or_else(|| Error::storage("the file is shorter than its size").in_object(url));
        }
        let read = read_exact_at(&self.file, range, buffer);
        // also where reading failed: a file that was cut short ends too early
        let now = Stamp::of(&self.file.metadata().map_err(failed)?);
        if now != self.stamp {
            return Ok(Err(now));
        }
        read.map_err(failed)?.map(|length| Ok(Held::Buffer(length))).map_err(|e| e.in_object(url))
    }
}

impl Files {
    pub(super) fn new(map: Option<MapFile>) -> Self {
        Self { open: Mutex::new(LruCache::new(OPEN_FILES)), map, unversioned: Arc::from("") }
    }

    /// Whether answers are views of mapped files, and so cost no waiting.
    pub(super) fn are_mapped(&self) -> bool {
        self.map.is_some()
    }

    /// Reads a part of a file; `None` where there is no such file. Blocks.
    pub(super) fn read(&self, path: &Path, key: &ObjectKey, part: &Part) -> Result<Option<Answer>> {
        let mut buffer = Vec::new();
        let Some((held, start, open)) = self.part(path, key, part, &mut buffer)? else { return Ok(None) };
        let bytes = match held {
            Held::Buffer(length) => {
                buffer.truncate(length);
                buffer.into()
            }
            Held::View(view) => view,
        };
        let told = Told { size: Some(open.stamp.size), version: Some(open.version.clone()), whole: None };
        Ok(Some(Answer { bytes, start, told }))
    }

    /// As [`read`](Self::read), into a buffer that grows as it must.
    pub(super) fn read_into(&self, path: &Path, key: &ObjectKey, part: &Part, buffer: &mut Vec<u8>) -> Result<Option<Held>> {
        Ok(self.part(path, key, part, buffer)?.map(|(held, ..)| held))
    }

    /// What is read while the file changes is never handed on: of a pinned file that is an error, any other is read again.
    fn part(&self, path: &Path, key: &ObjectKey, part: &Part, buffer: &mut Vec<u8>) -> Result<Option<(Held, u64, Arc<Open>)>> {
        let mut again = READ_AGAIN;
        loop {
            let Some(open) = self.open(path, key.url())? else { return Ok(None) };
            if let Some(pinned) = key.version()
                && *pinned != open.version
            {
                return Err(changed(key, pinned, &open.version));
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
            match open.read(&range, key.url(), buffer)? {
                Ok(held) => return Ok(Some((held, range.start, open))),
                Err(now) if key.version().is_some() || again == 0 => return Err(changed(key, &open.version, &now.version())),
                Err(_) => again -= 1,
            }
        }
    }

    /// Reads a whole file that nothing more is asked of afterwards, into a buffer that grows as it must: its length. Blocks.
    ///
    /// As [`read`](Self::read), but the file is not kept open: that would close others which are asked for again.
    pub(super) fn read_once(&self, path: &Path, url: &str, most: u64, buffer: &mut Vec<u8>) -> Result<Option<usize>> {
        let mut again = READ_AGAIN;
        loop {
            let Some(before) = stamp(path, url)? else { return Ok(None) };
            let Some(file) = open_file(path, url)? else { return Ok(None) };
            Limits::check("bytes of a whole object", before.size, most).map_err(|e| e.in_object(url))?;
            // Of the state that its name had, or the read tells that it is not: what was replaced may be cut short before it is looked at.
            let open = Open { file, stamp: before, version: self.unversioned.clone(), view: None };
            match open.read(&(0..open.stamp.size), url, buffer)? {
                Ok(Held::Buffer(length)) => return Ok(Some(length)),
                Ok(Held::View(_)) => return Err(Error::storage("a file that is not mapped was viewed").in_object(url)),
                Err(now) if again == 0 => return Err(changed(&ObjectKey::new(url), &open.stamp.version(), &now.version())),
                Err(_) => again -= 1,
            }
        }
    }

    /// The open file, opened anew where the path names another one by now.
    fn open(&self, path: &Path, url: &str) -> Result<Option<Arc<Open>>> {
        let failed = |e: io::Error| Error::storage(e.to_string()).in_object(url);
        let Some(mut before) = stamp(path, url)? else { return Ok(None) };
        let mut files = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = files.get(path).filter(|open| open.stamp == before) {
            return Ok(Some(open.clone()));
        }
        drop(files);

        let mut again = READ_AGAIN;
        let (file, stamp) = loop {
            let Some(file) = open_file(path, url)? else { return Ok(None) };
            let now = Stamp::of(&file.metadata().map_err(failed)?);
            // What was replaced between the two may be cut short by now: it is of no state that the name ever had.
            if now == before {
                break (file, now);
            }
            if again == 0 {
                return Err(changed(&ObjectKey::new(url), &before.version(), &now.version()));
            }
            again -= 1;
            let Some(named) = stamp(path, url)? else { return Ok(None) };
            before = named;
        };
        let view = match self.map {
            Some(_) if stamp.size == 0 => Some(Bytes::new()),
            Some(map) => Some(map(&file).map_err(failed)?),
            None => None,
        };
        let open = Arc::new(Open { file, version: stamp.version(), stamp, view });
        files = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        files.put(path.to_owned(), open.clone());
        Ok(Some(open))
    }
}

fn denied_or(e: &io::Error, url: &str) -> Error {
    match e.kind() {
        io::ErrorKind::PermissionDenied => Error::denied("the file may not be read").in_object(url),
        _ => Error::storage(e.to_string()).in_object(url),
    }
}

fn is_missing(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The state of a regular file; `None` where there is none. Looked at before it is opened: to open what is no file may wait for ever.
fn stamp(path: &Path, url: &str) -> Result<Option<Stamp>> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(e) if is_missing(&e) => return Ok(None),
        Err(e) => return Err(denied_or(&e, url)),
    };
    if metadata.is_dir() {
        return Ok(None);
    }
    if !metadata.is_file() {
        return Err(Error::unsupported("files that are not regular").in_object(url));
    }
    Ok(Some(Stamp::of(&metadata)))
}

fn open_file(path: &Path, url: &str) -> Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(e) if is_missing(&e) => Ok(None),
        Err(e) => Err(denied_or(&e, url)),
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

/// Fills the beginning of a buffer, which grows as it must: how many bytes. The outer result is the file's, the inner one the allocator's.
fn read_exact_at(file: &File, range: &Range<u64>, buffer: &mut Vec<u8>) -> io::Result<Result<usize>> {
    let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
    match lengthened(buffer, length) {
        Ok(room) => fill_at(file, room, range.start).map(|()| Ok(length)),
        Err(e) => Ok(Err(e)),
    }
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
