//! The folder that processes share: entries, and an account of their bytes.
//!
//! ```text
//! lock            held by whoever changes anything; holds the account: the sum of the lengths of all entries
//! partial         the entry being written; renamed when it is whole
//! entries/ab/…    one file an entry
//! leases/…        one file an entry being fetched, locked by who fetches it
//! ```
//!
//! Before anything is changed the account is emptied, and written anew after: where a process dies in between, the next one finds no
//! account, removes what is partial and adds up the entries. Reading takes no lock: an entry is a whole file or none, and its checksum is
//! verified.

use std::fs::{self, DirEntry, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::entry::{self, Entry, Found};
use super::name::{self, Lasting, Name};
use crate::io::memory::is_below;
use crate::model::reserve;

const MAGIC: [u8; 8] = *b"SwathKA1";
/// Bytes of an account: magic, sum, CRC-32 of both.
const ACCOUNT: usize = 20;
/// Of a file's start, which holds its name unless that is longer.
const START: u64 = 4 << 10;

/// A folder of entries, whose lengths do not sum up to more than a budget.
pub(crate) struct Folder {
    root: PathBuf,
    budget: u64,
}

/// The folder, while nobody else changes it. Unlocked when it is closed.
struct Held<'a> {
    folder: &'a Folder,
    lock: File,
    used: u64,
}

impl Folder {
    /// Makes what is missing of the folder.
    ///
    /// # Errors
    /// A folder that cannot be made or written, a file system without locks.
    pub(crate) fn open(root: &Path, budget: u64) -> io::Result<Self> {
        let folder = Self { root: root.to_owned(), budget };
        for folder in [root, &folder.entries(), &folder.leases()] {
            private_folders().create(folder)?;
        }
        let probe = root.join(format!("probe-{}", std::process::id()));
        File::create(&probe)?;
        match fs::remove_file(&probe) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e), // another thread's is of the same name
            _ => {}
        }
        match folder.lock_file()?.try_lock() {
            Ok(()) | Err(TryLockError::WouldBlock) => Ok(folder),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }

    /// The entry of a name, which is the most recently used from now on. Takes no lock.
    pub(super) fn read(&self, name: &Name) -> Option<Found> {
        let mut file = File::open(self.entry(name)).ok()?;
        let length = file.metadata().ok()?.len();
        if length > self.budget {
            return Some(Found::Damaged);
        }
        // Without the memory for it the entry is not found, and stays.
        let mut bytes = reserve(usize::try_from(length).ok()?).ok()?;
        Read::by_ref(&mut file).take(length).read_to_end(&mut bytes).ok()?;
        let found = Entry::read(bytes, name.text());
        if let Found::Entry(_) = found {
            let _of_no_matter = file.set_modified(SystemTime::now());
        }
        Some(found)
    }

    /// Writes an entry, unless it is above a quarter of the budget; those not used for the longest time make room.
    ///
    /// # Errors
    /// What the file system says; there is no entry of this name then.
    pub(super) fn insert(&self, name: &Name, entry: &Entry) -> io::Result<()> {
        let head = entry.head(name.text()).ok_or(io::ErrorKind::InvalidInput)?;
        let length = head.len() as u64 + entry.bytes.len() as u64;
        if length > self.budget / 4 {
            return Ok(());
        }
        let path = self.entry(name);
        self.change(|held| {
            held.remove(&path)?;
            if held.used + length > self.budget {
                held.make_room(length)?;
            }
            let written = self.write(&path, &head, &entry.bytes);
            if written.is_ok() {
                held.used += length;
            } else {
                let _nothing_left = fs::remove_file(self.partial());
            }
            written
        })
    }

    fn write(&self, path: &Path, head: &[u8], bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create(self.partial())?;
        file.write_all(head)?;
        file.write_all(bytes)?;
        drop(file);
        if let Some(folder) = path.parent() {
            private_folders().create(folder)?;
        }
        fs::rename(self.partial(), path)
    }

    /// Removes the entry of a name, where it is damaged.
    pub(super) fn remove_damaged(&self, name: &Name) -> io::Result<()> {
        if self.read(name) != Some(Found::Damaged) {
            return Ok(());
        }
        let path = self.entry(name);
        self.change(|held| held.remove(&path))
    }

    /// Removes the entries of an object, and of those below it where `below` says so.
    pub(super) fn forget(&self, object: &Lasting, below: bool) -> io::Result<()> {
        let prefix = name::object_prefix(object);
        let mut gone = Vec::new();
        if below {
            each_file(&self.entries(), &mut |file| {
                let is_of = |text: &str| name::object_of(text).is_some_and(|(realm, url)| realm == object.realm && is_below(url, &object.url));
                if start_of(&file.path()).is_ok_and(|start| entry::name_in(&start).is_none_or(is_of)) {
                    gone.push(file.path());
                }
            })?;
        } else {
            each_file(&self.entries().join(&prefix[..2]), &mut |file| {
                if file.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()) {
                    gone.push(file.path());
                }
            })?;
        }
        if gone.is_empty() {
            return Ok(());
        }
        self.change(|held| gone.iter().try_for_each(|path| held.remove(path)))
    }

    /// Changes the folder, alone.
    fn change<T>(&self, change: impl FnOnce(&mut Held<'_>) -> io::Result<T>) -> io::Result<T> {
        let lock = self.lock_file()?;
        lock.lock()?;
        let account = read_account(&lock);
        lock.set_len(0)?;
        let used = match account {
            Some(used) => used,
            None => self.recover()?,
        };
        let mut held = Held { folder: self, lock, used };
        let done = change(&mut held);
        held.settle()?;
        done
    }

    /// Removes what processes left behind that are no more, and adds up the entries.
    fn recover(&self) -> io::Result<u64> {
        let _none = fs::remove_file(self.partial());
        each_file(&self.leases(), &mut |lease| {
            if File::open(lease.path()).is_ok_and(|file| file.try_lock().is_ok()) {
                let _gone = fs::remove_file(lease.path());
            }
        })?;
        let mut used = 0;
        each_file(&self.entries(), &mut |file| used += file.metadata().map_or(0, |m| m.len()))?;
        Ok(used)
    }

    /// Bytes of all entries, as accounted for.
    #[cfg(test)]
    pub(crate) fn used(&self) -> io::Result<u64> {
        self.change(|held| Ok(held.used))
    }

    fn lock_file(&self) -> io::Result<File> {
        // Opened for each change: a folder that was removed and made anew has another lock.
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(self.root.join("lock"))
    }
    fn partial(&self) -> PathBuf {
        self.root.join("partial")
    }
    fn entries(&self) -> PathBuf {
        self.root.join("entries")
    }
    pub(super) fn leases(&self) -> PathBuf {
        self.root.join("leases")
    }
    fn entry(&self, name: &Name) -> PathBuf {
        self.entries().join(name.path())
    }
}

impl Held<'_> {
    fn remove(&mut self, path: &Path) -> io::Result<()> {
        let length = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata.len(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e),
        };
        fs::remove_file(path)?;
        self.used = self.used.saturating_sub(length);
        Ok(())
    }

    /// Removes the entries not used for the longest time, down to nine tenths of the budget: else each entry would take a look at all.
    fn make_room(&mut self, length: u64) -> io::Result<()> {
        let mut entries = Vec::new();
        each_file(&self.folder.entries(), &mut |file| {
            if let Ok(metadata) = file.metadata() {
                entries.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), file.path(), metadata.len()));
            }
        })?;
        self.used = entries.iter().map(|(.., length)| length).sum();
        entries.sort_unstable();
        let most = self.folder.budget - self.folder.budget / 10;
        for (_, path, _) in &entries {
            if self.used + length <= most {
                break;
            }
            self.remove(path)?;
        }
        Ok(())
    }

    /// Writes the account. Where that fails there is none, and the next process adds up the entries.
    fn settle(&mut self) -> io::Result<()> {
        let mut account = [0; ACCOUNT];
        account[..8].copy_from_slice(&MAGIC);
        account[8..16].copy_from_slice(&self.used.to_le_bytes());
        let sum = crc32fast::hash(&account[..16]);
        account[16..].copy_from_slice(&sum.to_le_bytes());
        self.lock.seek(SeekFrom::Start(0))?;
        self.lock.write_all(&account)
    }
}

fn read_account(lock: &File) -> Option<u64> {
    let mut account = Vec::new();
    lock.take(ACCOUNT as u64 + 1).read_to_end(&mut account).ok()?;
    let account: [u8; ACCOUNT] = account.try_into().ok()?;
    let (sum, used) = (account.last_chunk()?, account.get(8..16)?.first_chunk()?);
    let is_whole = account.starts_with(&MAGIC) && crc32fast::hash(account.get(..16)?) == u32::from_le_bytes(*sum);
    is_whole.then(|| u64::from_le_bytes(*used))
}

/// Calls for every file at and below a folder; none where it is not there.
fn each_file(folder: &Path, call: &mut dyn FnMut(&DirEntry)) -> io::Result<()> {
    let files = match fs::read_dir(folder) {
        Ok(files) => files,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    for file in files {
        let file = file?;
        if file.file_type()?.is_dir() { each_file(&file.path(), call)? } else { call(&file) }
    }
    Ok(())
}

fn start_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    File::open(path)?.take(START).read_to_end(&mut start)?;
    Ok(start)
}

/// Folders that nobody else may look into: what was read with somebody's rights is for nobody else.
fn private_folders() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}
