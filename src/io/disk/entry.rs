//! An entry as it stands in its file.
//!
//! ```text
//! magic                8 bytes
//! checksum             u32, CRC-32 of all that follows
//! length of the name   u32
//! length of the version u32, all ones where there is none
//! size of the object   u64, all ones where it is unknown
//! when the bytes came  u64, milliseconds since 1970
//! length of the bytes  u64
//! name, version, bytes
//! ```
//!
//! Numbers are little-endian. Nothing else stands in the file.

use std::sync::Arc;

use bytes::Bytes;

const MAGIC: [u8; 8] = *b"SwathKE1";
const CHECKED_FROM: usize = 12;
const FIXED: usize = 44;

/// What is kept of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) bytes: Bytes,
    /// Of the whole object.
    pub(crate) size: Option<u64>,
    pub(crate) version: Option<Arc<str>>,
    /// Milliseconds since 1970.
    pub(crate) came: u64,
}

/// What was found in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Entry(Entry),
    /// The entry of another name.
    Other,
    /// Not what was written.
    Damaged,
}

impl Entry {
    /// What stands before the bytes; `None` for lengths that are out of bounds.
    pub(super) fn head(&self, name: &str) -> Option<Vec<u8>> {
        let version = self.version.as_deref();
        let mut head = Vec::with_capacity(FIXED + name.len() + version.map_or(0, str::len));
        head.extend_from_slice(&MAGIC);
        head.extend_from_slice(&[0; 4]);
        head.extend_from_slice(&u32::try_from(name.len()).ok()?.to_le_bytes());
        head.extend_from_slice(&version.map_or(Some(u32::MAX), |v| u32::try_from(v.len()).ok())?.to_le_bytes());
        head.extend_from_slice(&self.size.unwrap_or(u64::MAX).to_le_bytes());
        head.extend_from_slice(&self.came.to_le_bytes());
        head.extend_from_slice(&(self.bytes.len() as u64).to_le_bytes());
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(version.unwrap_or_default().as_bytes());
        let mut sum = crc32fast::Hasher::new();
        sum.update(head.get(CHECKED_FROM..)?);
        sum.update(&self.bytes);
        head.get_mut(8..CHECKED_FROM)?.copy_from_slice(&sum.finalize().to_le_bytes());
        Some(head)
    }

    /// Reads a file that should hold the entry of this name.
    pub(super) fn read(file: Vec<u8>, name: &str) -> Found {
        let Some((found, entry)) = checked(file.into()) else { return Found::Damaged };
        if found == name { Found::Entry(entry) } else { Found::Other }
    }
}

/// The name in a file of which only the start may be at hand; nothing is checked.
pub(super) fn name_in(start: &[u8]) -> Option<&str> {
    let length = usize::try_from(u32::from_le_bytes(*start.get(12..)?.first_chunk()?)).ok()?;
    start.strip_prefix(&MAGIC)?;
    std::str::from_utf8(start.get(FIXED..)?.get(..length)?).ok()
}

fn checked(file: Bytes) -> Option<(String, Entry)> {
    let number = |at: usize| file.get(at..)?.first_chunk().map(|n| u64::from_le_bytes(*n));
    let short = |at: usize| file.get(at..)?.first_chunk().map(|n| u32::from_le_bytes(*n));
    if !file.starts_with(&MAGIC) || crc32fast::hash(file.get(CHECKED_FROM..)?) != short(8)? {
        return None;
    }
    let name_end = FIXED.checked_add(usize::try_from(short(12)?).ok()?)?;
    let version = Some(short(16)?).filter(|length| *length != u32::MAX);
    let version_end = name_end.checked_add(usize::try_from(version.unwrap_or(0)).ok()?)?;
    let end = version_end.checked_add(usize::try_from(number(36)?).ok()?)?;
    let name = std::str::from_utf8(file.get(FIXED..name_end)?).ok()?.to_owned();
    let text = std::str::from_utf8(file.get(name_end..version_end)?).ok()?;
    if end != file.len() {
        return None;
    }
    let size = Some(number(20)?).filter(|size| *size != u64::MAX);
    let version = version.map(|_| text.into());
    Some((name, Entry { bytes: file.slice(version_end..end), size, version, came: number(28)? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Entry> {
        let bytes = Bytes::from_static(b"some bytes");
        vec![
            Entry { bytes: bytes.clone(), size: Some(1000), version: Some("\"etag\"".into()), came: 1_700_000_000_000 },
            Entry { bytes: bytes.clone(), size: None, version: None, came: 0 },
            Entry { bytes: Bytes::new(), size: Some(0), version: Some("".into()), came: 1 },
        ]
    }

    fn file(entry: &Entry, name: &str) -> Vec<u8> {
        [entry.head(name).unwrap(), entry.bytes.to_vec()].concat()
    }

    #[test]
    fn what_was_written_is_read() {
        for entry in entries() {
            let file = file(&entry, "name");
            assert_eq!(name_in(&file[..FIXED + 4]), Some("name"));
            assert_eq!(Entry::read(file.clone(), "other"), Found::Other);
            assert_eq!(Entry::read(file, "name"), Found::Entry(entry));
        }
    }

    #[test]
    fn any_flipped_bit_and_any_cut_is_found() {
        for entry in entries() {
            let whole = file(&entry, "name");
            for at in 0..whole.len() * 8 {
                let mut flipped = whole.clone();
                flipped[at / 8] ^= 1 << (at % 8);
                assert_eq!(Entry::read(flipped, "name"), Found::Damaged, "bit {at}");
            }
            for length in 0..whole.len() {
                assert_eq!(Entry::read(whole[..length].to_vec(), "name"), Found::Damaged, "{length} bytes");
            }
            assert_eq!(Entry::read([whole, vec![0]].concat(), "name"), Found::Damaged, "a byte more");
        }
    }
}
