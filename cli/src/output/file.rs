//! The output file: written under a temporary name beside its own, renamed when it is whole.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::failure::Failure;

/// A file that is removed unless it is [kept](Self::keep).
pub(crate) struct PartFile {
    file: File,
    part: PathBuf,
    path: PathBuf,
    kept: bool,
}

impl PartFile {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not the name of a file"))?;
        let mut tries = 0;
        loop {
            let mut part = std::ffi::OsString::from(".");
            part.push(name);
            part.push(format!(".{}-{}.part", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)));
            let part = path.with_file_name(part);
            match OpenOptions::new().write(true).create_new(true).open(&part) {
                Ok(file) => return Ok(Self { file, part, path: path.to_owned(), kept: false }),
                // What a killed process of the same id left behind.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && tries < 100 => tries += 1,
                Err(e) => return Err(e),
            }
        }
    }
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
    /// Writes at a place of the file.
    #[cfg(unix)]
    pub(crate) fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.file, bytes, at)
    }
    /// Writes at a place of the file; one thread at a time does.
    #[cfg(not(unix))]
    pub(crate) fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        use io::{Seek, Write};
        let mut file = &self.file;
        file.seek(io::SeekFrom::Start(at))?;
        file.write_all(bytes)
    }
    /// A failure to write it, for people.
    pub(crate) fn failure(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::output(&self.path, error)
    }
    /// Gives the file its name.
    pub(crate) fn keep(mut self) -> io::Result<()> {
        std::fs::rename(&self.part, &self.path)?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.kept {
            drop(std::fs::remove_file(&self.part));
        }
    }
}
