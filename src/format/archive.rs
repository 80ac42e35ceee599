//! ZIP archives as stores: the central directory becomes a list of references (APPNOTE.TXT 6.3.10).
//!
//! Members that are stored or deflated can be read in place. A member's data begins behind its local header, whose length only the header
//! itself tells: archives up to [`WHOLE_BYTES`] are read whole, of larger ones all local headers are asked for in one step.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::zarr::check_name;
use crate::error::{Error, Result};
use crate::model::{ByteSpan, Got, Limits, ObjectKey, Parser, Reference, Step, Want, grow, reserve};

/// Archives up to this size are read whole.
pub const WHOLE_BYTES: u64 = 8 << 20;
/// The end of central directory record with the longest comment, and what zip64 has before it.
const TAIL_BYTES: u64 = 22 + 65_535 + 20 + 56;
/// The fixed part of a local header.
const LOCAL_HEADER_BYTES: u64 = 30;

/// Whether these first bytes of an object are those of a ZIP archive.
#[must_use]
pub fn is_archive(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")
}

/// The members of an archive by name.
#[derive(Debug, Clone)]
pub struct Archive {
    members: HashMap<String, Reference>,
    /// The whole archive, where it is small.
    whole: Option<Bytes>,
}

/// A member with metadata that is compressed: whoever can inflate it gives it back with [`Archive::set_document`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeflatedDocument {
    /// The member's name.
    pub name: String,
    /// Where its raw Deflate stream is.
    pub span: ByteSpan,
    /// Its length when inflated.
    pub size: u64,
    /// The stream, where it is at hand.
    pub stream: Option<Bytes>,
}

impl Archive {
    /// The documents of Zarr nodes that are compressed.
    ///
    /// # Errors
    /// `Limit` where they are larger than `limits.max_metadata_bytes`, together or stored.
    pub fn deflated_documents(&self, limits: &Limits) -> Result<Vec<DeflatedDocument>> {
        let mut documents = Vec::new();
        let mut total: u64 = 0;
        for (name, reference) in &self.members {
            let last = name.rsplit('/').next().unwrap_or(name);
            let Reference::Deflated { span, size } = reference else { continue };
            if !matches!(last, "zarr.json" | ".zmetadata" | ".zarray" | ".zattrs" | ".zgroup") {
                continue;
            }
            total = total.saturating_add(*size).saturating_add(span.length);
            Limits::check("max_metadata_bytes", total, limits.max_metadata_bytes)?;
            let stream = self.whole.as_ref().and_then(|w| slice(w, span.start, span.length));
            documents.push(DeflatedDocument { name: name.clone(), span: span.clone(), size: *size, stream });
        }
        documents.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(documents)
    }
    /// Puts an inflated document in its place.
    pub fn set_document(&mut self, name: &str, inflated: Bytes) {
        self.members.insert(name.to_owned(), Reference::Inline(inflated));
    }
    /// What is below a folder, without its name.
    #[must_use]
    pub fn below(self, folder: &str) -> Self {
        let prefix = format!("{}/", folder.trim_end_matches('/'));
        let members = self.members.into_iter().filter_map(|(name, r)| Some((name.strip_prefix(&prefix)?.to_owned(), r))).collect();
        Self { members, whole: self.whole }
    }
    /// The folder that holds everything, where there is one and the root itself has no member.
    #[must_use]
    pub fn single_folder(&self) -> Option<&str> {
        let mut folders = self.members.keys().map(|name| name.split_once('/').map(|(folder, _)| folder));
        let first = folders.next()??;
        folders.all(|folder| folder == Some(first)).then_some(first)
    }
    /// The members: stored ones as ranges of the archive (or inline, where it was read whole), deflated ones as such.
    #[must_use]
    pub fn into_map(self) -> Arc<HashMap<String, Reference>> {
        Arc::new(self.members)
    }
}

/// Reads the list of an archive's members.
#[derive(Debug)]
pub struct ArchiveParser {
    object: ObjectKey,
    limits: Limits,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The end of the archive is asked for.
    Tail,
    /// The central directory (or, of a small archive, everything) is asked for.
    Directory {
        want: Want,
        directory: Directory,
        size: u64,
        got: Option<Bytes>,
    },
    /// The local headers are asked for.
    Headers {
        members: Vec<Member>,
        wants: HashMap<Want, Vec<usize>>,
    },
    Done(Option<Archive>),
}

/// Where the central directory is.
#[derive(Debug, Clone, Copy)]
struct Directory {
    start: u64,
    length: u64,
    entries: u64,
}

#[derive(Debug)]
struct Member {
    name: String,
    header: u64,
    stored: u64,
    size: u64,
    deflated: bool,
    data: Option<u64>,
}

fn malformed(what: &str) -> Error {
    Error::malformed(format!("zip: {what}"))
}

/// A little-endian number of `width` bytes.
fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let digits = bytes.get(at..at.checked_add(width)?)?;
    Some(digits.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
}

fn slice(bytes: &Bytes, start: u64, length: u64) -> Option<Bytes> {
    let start = usize::try_from(start).ok()?;
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    (end <= bytes.len()).then(|| bytes.slice(start..end))
}

impl ArchiveParser {
    /// Reads the archive at `object`.
    #[must_use]
    pub fn new(object: ObjectKey, limits: &Limits) -> Self {
        Self { object, limits: limits.clone(), state: State::Tail }
    }

    fn tail_want(&self) -> Want {
        Want::Suffix { object: self.object.clone(), length: TAIL_BYTES }
    }
    fn range(&self, start: u64, length: u64) -> Result<ByteSpan> {
        ByteSpan::new(&self.object, start, length).ok_or_else(|| malformed("a member reaches past the end of the address space"))
    }

    /// The end of the archive: where the central directory is.
    fn take_tail(&mut self, tail: &Bytes, size: Option<u64>) -> Result<()> {
        let whole = (tail.len() as u64) < TAIL_BYTES;
        let size = match size {
            Some(size) => size,
            None if whole => tail.len() as u64,
            None => return Err(Error::storage("the store does not tell the size of the archive")),
        };
        let tail_start = size.checked_sub(tail.len() as u64).ok_or_else(|| malformed("its size is less than what was read of it"))?;
        let directory = find_directory(tail, tail_start)?;
        Limits::check("max_references", directory.entries, self.limits.max_references)?;
        Limits::check("max_metadata_bytes", directory.length, self.limits.max_metadata_bytes)?;
        let end = directory.start.checked_add(directory.length).filter(|end| *end <= size);
        end.ok_or_else(|| malformed("the central directory reaches past the end"))?;
        let (want, got) = if size <= WHOLE_BYTES {
            (Want::Range(self.range(0, size)?), (tail_start == 0).then(|| tail.clone()))
        } else {
            let within = directory.start.checked_sub(tail_start).and_then(|at| slice(tail, at, directory.length));
            (Want::Range(self.range(directory.start, directory.length)?), within)
        };
        self.state = State::Directory { want, directory, size, got };
        Ok(())
    }

    /// The central directory, and of a small archive all else.
    fn take_directory(&mut self, bytes: &Bytes, directory: Directory, size: u64) -> Result<State> {
        let whole = size <= WHOLE_BYTES;
        let list = if whole { slice(bytes, directory.start, directory.length) } else { Some(bytes.clone()) };
        let list = list.filter(|b| b.len() as u64 == directory.length).ok_or_else(|| malformed("the central directory is cut off"))?;
        let mut members = parse_directory(&list, directory)?;
        if whole {
            for member in &mut members {
                let header = slice(bytes, member.header, LOCAL_HEADER_BYTES).unwrap_or_default();
                member.data = Some(data_start(member.header, &header)?);
            }
            return self.finish(members, size, Some(bytes.clone()));
        }
        let mut wants: HashMap<Want, Vec<usize>> = HashMap::new();
        for (i, member) in members.iter().enumerate() {
            wants.entry(Want::Range(self.range(member.header, LOCAL_HEADER_BYTES)?)).or_default().push(i);
        }
        if wants.is_empty() {
            return self.finish(members, size, None);
        }
        Ok(State::Headers { members, wants })
    }

    fn finish(&self, members: Vec<Member>, size: u64, whole: Option<Bytes>) -> Result<State> {
        let mut map = HashMap::new();
        grow(&mut map, members.len())?;
        for member in members {
            let data = member.data.ok_or_else(|| malformed("a member without a local header"))?;
            let span = self.range(data, member.stored)?;
            if span.end() > size {
                return Err(malformed("a member reaches past the end"));
            }
            let inline = || whole.as_ref().and_then(|w| slice(w, span.start, span.length));
            let reference = match (member.deflated, inline()) {
                (true, _) => Reference::Deflated { span, size: member.size },
                (false, Some(bytes)) => Reference::Inline(bytes),
                (false, None) => Reference::Range(span),
            };
            map.insert(member.name, reference);
        }
        Ok(State::Done(Some(Archive { members: map, whole })))
    }
}

/// The end record, found from behind; zip64's where there is one.
fn find_directory(tail: &[u8], tail_start: u64) -> Result<Directory> {
    let last = tail.len().checked_sub(22).ok_or_else(|| malformed("too short"))?;
    // The comment behind the record has the length that the record says.
    let is_end = |at: &usize| {
        let rest = tail.get(*at..).unwrap_or_default();
        rest.starts_with(b"PK\x05\x06") && number(rest, 20, 2).is_some_and(|n| n.saturating_add(22) <= rest.len() as u64)
    };
    let at = (0..=last).rev().find(is_end).ok_or_else(|| malformed("no end of central directory"))?;
    let field = |offset: usize, width: usize| number(tail, at.saturating_add(offset), width).ok_or_else(|| malformed("its end is cut off"));
    let (entries, length, start) = (field(10, 2)?, field(12, 4)?, field(16, 4)?);
    if entries != 0xffff && length != 0xffff_ffff && start != 0xffff_ffff {
        if field(4, 2)? != 0 || field(6, 2)? != 0 {
            return Err(Error::unsupported("zip archive of several disks"));
        }
        return Ok(Directory { start, length, entries });
    }
    let locator = at.checked_sub(20).filter(|l| tail.get(*l..).is_some_and(|t| t.starts_with(b"PK\x06\x07")));
    let Some(locator) = locator else {
        // Exactly 65,535 members need no zip64.
        return Ok(Directory { start, length, entries });
    };
    let record = number(tail, locator.saturating_add(8), 8).and_then(|o| o.checked_sub(tail_start)).and_then(|o| usize::try_from(o).ok());
    let record = record.filter(|r| tail.get(*r..).is_some_and(|t| t.starts_with(b"PK\x06\x06")));
    let record = record.ok_or_else(|| malformed("no zip64 end of central directory"))?;
    let field = |offset: usize| number(tail, record.saturating_add(offset), 8).ok_or_else(|| malformed("its zip64 end is cut off"));
    Ok(Directory { entries: field(32)?, length: field(40)?, start: field(48)? })
}

fn parse_directory(list: &[u8], directory: Directory) -> Result<Vec<Member>> {
    let cut = || malformed("the central directory is cut off");
    // An entry has at least 46 bytes, so what is reserved is in proportion.
    let most = directory.entries.min((list.len() as u64).div_ceil(46));
    let mut members = reserve(usize::try_from(most).unwrap_or(usize::MAX))?;
    let mut rest = list;
    for _ in 0..directory.entries {
        let field = |at: usize, width: usize| number(rest, at, width).ok_or_else(cut);
        if !rest.starts_with(b"PK\x01\x02") {
            return Err(malformed("an entry of the central directory has no signature"));
        }
        let (flags, method) = (field(8, 2)?, field(10, 2)?);
        let (mut stored, mut size, mut header) = (field(20, 4)?, field(24, 4)?, field(42, 4)?);
        let length = |at: usize| field(at, 2).map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let (name_length, extra_length, comment_length) = (length(28)?, length(30)?, length(32)?);
        let name_end = name_length.saturating_add(46);
        let extra_end = name_end.saturating_add(extra_length);
        let name = rest.get(46..name_end).ok_or_else(cut)?;
        let extra = rest.get(name_end..extra_end).ok_or_else(cut)?;
        zip64(extra, [&mut size, &mut stored, &mut header])?;
        rest = rest.get(extra_end.saturating_add(comment_length)..).ok_or_else(cut)?;
        if name.ends_with(b"/") {
            continue;
        }
        let name = std::str::from_utf8(name).map_err(|_| Error::unsupported("zip member whose name is not UTF-8"))?;
        if name.is_empty() {
            return Err(malformed("a member without a name"));
        }
        check_name(name)?;
        let deflated = match method {
            0 => false,
            8 => true,
            method => return Err(Error::unsupported(format!("zip member of compression method {method}"))),
        };
        if flags & 1 != 0 {
            return Err(Error::unsupported("zip member that is encrypted"));
        }
        if !deflated && stored != size {
            return Err(malformed("a stored member of two sizes"));
        }
        members.push(Member { name: name.to_owned(), header, stored, size, deflated, data: None });
    }
    Ok(members)
}

/// Takes the numbers that did not fit 32 bits from the extra field 1, in this order.
fn zip64(extra: &[u8], numbers: [&mut u64; 3]) -> Result<()> {
    if numbers.iter().all(|n| **n != 0xffff_ffff) {
        return Ok(());
    }
    let missing = || malformed("no zip64 field");
    let mut rest = extra;
    loop {
        let (id, length) = (number(rest, 0, 2).ok_or_else(missing)?, number(rest, 2, 2).ok_or_else(missing)?);
        let end = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(4);
        let field = rest.get(4..end).ok_or_else(missing)?;
        if id == 1 {
            let mut at = 0_usize;
            for n in numbers.into_iter().filter(|n| **n == 0xffff_ffff) {
                *n = number(field, at, 8).ok_or_else(missing)?;
                at = at.saturating_add(8);
            }
            return Ok(());
        }
        rest = rest.get(end..).ok_or_else(missing)?;
    }
}

/// Where the data of a member begins.
fn data_start(offset: u64, header: &[u8]) -> Result<u64> {
    let lengths = number(header, 26, 2).zip(number(header, 28, 2)).filter(|_| header.starts_with(b"PK\x03\x04"));
    let (name, extra) = lengths.ok_or_else(|| malformed("a member without a local header"))?;
    let skipped = LOCAL_HEADER_BYTES.saturating_add(name).saturating_add(extra);
    offset.checked_add(skipped).ok_or_else(|| malformed("a member reaches past the end of the address space"))
}

impl Parser for ArchiveParser {
    type Output = Archive;

    fn step(&mut self) -> Result<Step<Archive>> {
        loop {
            let next = match &mut self.state {
                State::Tail => return Ok(Step::Need(vec![self.tail_want()])),
                State::Directory { want, got: None, .. } => return Ok(Step::Need(vec![want.clone()])),
                State::Directory { got: Some(bytes), directory, size, .. } => {
                    let (bytes, directory, size) = (bytes.clone(), *directory, *size);
                    self.take_directory(&bytes, directory, size).map_err(|e| e.in_object(self.object.url()))?
                }
                State::Headers { wants, .. } => return Ok(Step::Need(wants.keys().cloned().collect())),
                State::Done(archive) => {
                    return archive.take().map(Step::Done).ok_or_else(|| Error::usage("the archive was already taken"));
                }
            };
            self.state = next;
        }
    }

    fn supply(&mut self, want: &Want, got: Got) -> Result<()> {
        let (bytes, size, version) = match got {
            Got::Bytes { bytes, size, version } => (bytes, size, version),
            Got::Missing => return Err(Error::not_found(self.object.url())),
            Got::Names(_) => return Err(Error::malformed("a list of names in place of bytes")),
        };
        let url = self.object.clone();
        let in_object = |e: Error| e.in_object(url.url());
        match &mut self.state {
            State::Tail if matches!(want, Want::Suffix { .. }) => {
                // Members are read of the archive whose list was read.
                if self.object.version().is_none() {
                    self.object = self.object.with_version(version);
                }
                self.take_tail(&bytes, size).map_err(in_object)
            }
            State::Directory { want: asked, got, .. } if want == asked => {
                *got = Some(bytes);
                Ok(())
            }
            State::Headers { members, wants, .. } => {
                for i in wants.remove(want).unwrap_or_default() {
                    if let Some(member) = members.get_mut(i) {
                        member.data = Some(data_start(member.header, &bytes).map_err(in_object)?);
                    }
                }
                if wants.is_empty() {
                    let members = std::mem::take(members);
                    self.state = self.finish(members, u64::MAX, None).map_err(in_object)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How a test archive differs from a plain one.
    #[derive(Clone, Copy, Default)]
    struct Odd {
        zip64: bool,
        comment: usize,
        flags: u16,
        method: Option<u16>,
    }

    /// An archive of stored members (those that end in `.d` deflated, as one stored block), whose local headers have longer extra fields
    /// than the central directory says.
    fn archive(members: &[(&str, &[u8])], odd: Odd) -> Vec<u8> {
        let (mut out, mut list) = (Vec::new(), Vec::new());
        let n16 = |n: usize| u16::try_from(n).unwrap().to_le_bytes();
        let n32 = |n: usize| u32::try_from(n).unwrap().to_le_bytes();
        for (name, data) in members {
            let is_deflated = name.ends_with(".d");
            let length = u16::try_from(data.len() & 0xffff).unwrap();
            let stored = if is_deflated { [&[1][..], &length.to_le_bytes(), &(!length).to_le_bytes(), data].concat() } else { data.to_vec() };
            let method = odd.method.unwrap_or(if is_deflated { 8 } else { 0 });
            let header = out.len();
            let sizes = [n32(stored.len()), n32(data.len())].concat();
            out.extend([b"PK\x03\x04\x14\0".as_slice(), &odd.flags.to_le_bytes(), &method.to_le_bytes(), &[0; 8], &sizes].concat());
            out.extend([&n16(name.len())[..], &n16(11), name.as_bytes(), b"\x99\x99\x07\0padding", &stored].concat());
            let (sizes, at, extra) = if odd.zip64 {
                let numbers = [data.len(), stored.len(), header].map(|n| (n as u64).to_le_bytes()).concat();
                (vec![0xff; 8], [0xff; 4], [&b"\x55\x55\x02\0xx\x01\0\x18\0"[..], &numbers].concat())
            } else {
                (sizes, n32(header), Vec::new())
            };
            list.extend([b"PK\x01\x02\x14\0\x14\0".as_slice(), &odd.flags.to_le_bytes(), &method.to_le_bytes(), &[0; 8], &sizes].concat());
            list.extend([&n16(name.len())[..], &n16(extra.len()), &[0; 10], &at, name.as_bytes(), &extra].concat());
        }
        let (start, length, count) = (out.len(), list.len(), members.len());
        out.extend(list);
        if odd.zip64 {
            let record = out.len();
            let numbers = [count, count, length, start].map(|n| (n as u64).to_le_bytes()).concat();
            out.extend([b"PK\x06\x06".as_slice(), &44_u64.to_le_bytes(), &[0; 12], &numbers].concat());
            out.extend([b"PK\x06\x07".as_slice(), &[0; 4], &(record as u64).to_le_bytes(), &[1, 0, 0, 0]].concat());
            out.extend([b"PK\x05\x06".as_slice(), &[0; 4], &[0xff; 12]].concat());
        } else {
            out.extend([b"PK\x05\x06".as_slice(), &[0; 4], &n16(count), &n16(count), &n32(length), &n32(start)].concat());
        }
        out.extend(n16(odd.comment));
        out.resize(out.len() + odd.comment, b'P');
        out
    }

    /// The archive, and how many steps and wants it took.
    fn read(bytes: &[u8]) -> (Result<Archive>, Vec<usize>) {
        let mut parser = ArchiveParser::new(ObjectKey::new("memory://a.zip"), &Limits::default());
        let bytes = Bytes::copy_from_slice(bytes);
        let mut steps = Vec::new();
        loop {
            let wants = match parser.step() {
                Ok(Step::Done(archive)) => return (Ok(archive), steps),
                Ok(Step::Need(wants)) => wants,
                Err(e) => return (Err(e), steps),
            };
            steps.push(wants.len());
            for want in wants {
                let range = match &want {
                    Want::Range(span) => span.range(),
                    Want::Suffix { length, .. } => (bytes.len() as u64).saturating_sub(*length)..u64::MAX,
                    _ => panic!("{want:?}"),
                };
                let end = usize::try_from(range.end).unwrap().min(bytes.len());
                let start = usize::try_from(range.start).unwrap().min(end);
                let got = Got::Bytes { bytes: bytes.slice(start..end), size: Some(bytes.len() as u64), version: Some("\"v1\"".into()) };
                if let Err(e) = parser.supply(&want, got) {
                    return (Err(e), steps);
                }
            }
        }
    }

    #[test]
    fn members_of_small_and_large_archives() {
        let large = vec![7; 9 << 20];
        let small: &[(&str, &[u8])] = &[("t/zarr.json", b"{}"), ("t/a/c/0", b"data"), ("t/a/c/1.d", b"packed"), ("t/empty", b"")];
        for odd in [
            Odd::default(),
            Odd { zip64: true, ..Odd::default() },
            Odd { comment: 60_000, ..Odd::default() },
            Odd { comment: 65_535, zip64: true, ..Odd::default() },
        ] {
            for big in [false, true] {
                let mut members = small.to_vec();
                if big {
                    members.insert(0, ("t/big", &large));
                }
                let bytes = archive(&members, odd);
                let (found, steps) = read(&bytes);
                let found = found.unwrap();
                assert_eq!(found.single_folder(), Some("t"));
                // With a comment of full length the rest of the archive, or its directory, is not in the first piece.
                let is_cut = odd.comment == 65_535;
                assert_eq!(steps, [&[1][..], &[1][..usize::from(is_cut)], &[5][..usize::from(big)]].concat());
                let map = found.below("t/").into_map();
                assert_eq!(map.len(), members.len());
                for (name, data) in &members {
                    let at = |span: &ByteSpan| bytes[usize::try_from(span.start).unwrap()..usize::try_from(span.end()).unwrap()].to_vec();
                    match &map[name.strip_prefix("t/").unwrap()] {
                        Reference::Inline(bytes) => assert_eq!(bytes, data),
                        Reference::Range(span) => {
                            assert_eq!(at(span), *data);
                            assert_eq!(span.object.version().map(|v| &**v), Some("\"v1\""));
                        }
                        Reference::Deflated { span, size } => {
                            assert_eq!(at(span)[5..], **data);
                            assert_eq!(*size, data.len() as u64);
                        }
                        Reference::Whole(_) => panic!(),
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_refused() {
        for name in ["../x", "/x", "a//x", "a\\x", "a/./x"] {
            assert!(read(&archive(&[(name, b"x")], Odd::default())).0.is_err(), "{name}");
        }
        for odd in [Odd { flags: 1, ..Odd::default() }, Odd { method: Some(12), ..Odd::default() }] {
            assert!(read(&archive(&[("a", b"x")], odd)).0.unwrap_err().is_unsupported());
        }
        let good = archive(&[("a", b"xyz"), ("b/c.d", b"uvw")], Odd::default());
        for end in 0..good.len() {
            assert!(read(&good[..end]).0.is_err(), "cut at {end}");
        }
        assert!(read(&good).0.is_ok());
        assert!(read(b"").0.is_err());
    }
}
