//! From bytes to directories, asking for no byte twice.
//!
//! The first 32 KiB are asked for without knowing anything. A file with its directories in front is done then; any other says where to go
//! on. Every directory that is known is worked on in each step, so what they need together is asked for together.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use bytes::Bytes;

use super::directory::{Directory, DirectoryIndex, Table};
use super::fetched::{Fetched, Look};
use super::ghost::GhostArea;
use super::old_jpeg;
use super::tag::{self, FieldType, Values, number};
use super::{Broken, TiffFile};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ByteSpan, Column, Endian, Got, Limits, ObjectKey, Parser, Step, Want, reserve};

/// Bytes of the first request.
const FIRST: u64 = 32 << 10;
/// Bytes that are read behind the start of a directory, as its values usually stand there.
const AHEAD: u64 = 16 << 10;
/// The same where directories have turned out to be strewn all over the file.
const AHEAD_STREWN: u64 = 1 << 10;
/// Requests after which directories count as strewn.
const STREWN: u32 = 64;
/// The most that is ever read ahead.
const AHEAD_MOST: u64 = 1 << 20;
/// Ranges that lie closer than this are asked for as one.
const GAP: u64 = 16 << 10;
/// The compression whose headers are strewn over the file.
const OLD_JPEG: u16 = 6;
/// Levels of sub-directories.
const DEPTH: usize = 8;

/// Parses the structure of a TIFF file; never waits.
#[derive(Debug)]
pub struct TiffParser {
    object: ObjectKey,
    pinned: bool,
    limits: Limits,
    fetched: Fetched,
    header: Option<Header>,
    structure: Option<GhostArea>,
    queue: Vec<Pending>,
    chain: HashSet<u64>,
    /// Directories met, good or bad.
    met: u64,
    /// Bytes of directories and values taken, those counted each time that several directories share.
    charged: u64,
    /// Bytes that the step under way asks for.
    planned: u64,
    rounds: u32,
    directories: Vec<Directory>,
    broken: Vec<Broken>,
}

#[derive(Debug, Clone, Copy)]
struct Header {
    endian: Endian,
    big: bool,
}

/// A directory that is not read yet, or not all of it.
#[derive(Debug)]
struct Pending {
    index: DirectoryIndex,
    offset: u64,
    /// The directories that this one is a sub-directory of.
    ancestors: Vec<u64>,
    entries: Option<Vec<Entry>>,
}

#[derive(Debug, Clone)]
struct Entry {
    tag: u16,
    field: FieldType,
    count: u64,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Here(Bytes),
    At(u64),
}

#[derive(Debug, Default)]
struct Needs {
    ranges: Vec<(Range<u64>, Ahead)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ahead {
    Yes,
    No,
}

impl Header {
    /// Bytes of the header, of a directory's count, of an entry and of an offset.
    fn sizes(self) -> (u64, u64, u64, u64) {
        if self.big { (16, 8, 20, 8) } else { (8, 2, 12, 4) }
    }
    fn uint(self, bytes: &[u8], at: usize, size: usize) -> u64 {
        let part = bytes.get(at..at.saturating_add(size)).unwrap_or_default();
        number(part, self.endian)
    }
    fn short(self, bytes: &[u8], at: usize) -> u16 {
        u16::try_from(self.uint(bytes, at, 2)).unwrap_or(0)
    }
    /// An entry of a directory; `None` where its tag or its type is not known.
    fn entry(self, bytes: &Bytes) -> Option<Entry> {
        let (tag, field) = (self.short(bytes, 0), FieldType::from_code(self.short(bytes, 2)));
        let field = field.filter(|_| tag::is_known(tag))?;
        let (count, value) = if self.big { (self.uint(bytes, 4, 8), 12..20) } else { (self.uint(bytes, 4, 4), 8..12) };
        let size = count.checked_mul(u64::from(field.size()))?;
        let value = bytes.get(value).map(|v| bytes.slice_ref(v))?;
        let place = match usize::try_from(size) {
            Ok(size) if size <= value.len() => Place::Here(value.slice(..size)),
            _ => Place::At(number(&value, self.endian)),
        };
        Some(Entry { tag, field, count, place })
    }
}

impl Entry {
    /// Bytes of the values.
    fn size(&self) -> u64 {
        self.count.saturating_mul(u64::from(self.field.size()))
    }
    fn is_table(&self) -> bool {
        matches!(self.tag, tag::STRIP_OFFSETS | tag::STRIP_BYTE_COUNTS | tag::TILE_OFFSETS | tag::TILE_BYTE_COUNTS)
    }
    /// Whether the directory means nothing without this tag.
    fn is_essential(&self) -> bool {
        matches!(self.tag, tag::BITS_PER_SAMPLE | tag::ROWS_PER_STRIP | tag::SAMPLE_FORMAT | tag::JPEG_TABLES | tag::LERC_PARAMETERS)
            || self.tag <= tag::PHOTOMETRIC
    }
}

fn past(what: &str) -> Error {
    Error::malformed(format!("{what} reaches past the end of the file"))
}

impl TiffParser {
    /// Parses the file `object`; the object need not be pinned to a version nor its size known.
    #[must_use]
    pub fn new(object: ObjectKey, limits: &Limits) -> Self {
        Self {
            pinned: object.version().is_some(),
            object,
            limits: limits.clone(),
            fetched: Fetched::default(),
            header: None,
            structure: None,
            queue: Vec::new(),
            chain: HashSet::new(),
            met: 0,
            charged: 0,
            planned: 0,
            rounds: 0,
            directories: Vec::new(),
            broken: Vec::new(),
        }
    }

    /// The bytes of a range, or a note that they are needed.
    fn ask(&mut self, range: Range<u64>, ahead: Ahead, what: &str, needs: &mut Needs) -> Result<Option<Bytes>> {
        match self.fetched.look(&range)? {
            Look::Here(bytes) => Ok(Some(bytes)),
            Look::Past => Err(past(what)),
            Look::Missing => {
                let missing = self.fetched.missing(&range).iter().map(|gap| gap.end.saturating_sub(gap.start)).fold(0, u64::saturating_add);
                let planned = self.planned.saturating_add(missing);
                Limits::check("max_metadata_bytes", self.fetched.total().saturating_add(planned), self.limits.max_metadata_bytes)?;
                self.planned = planned;
                needs.ranges.push((range, ahead));
                Ok(None)
            }
        }
    }

    /// Counts bytes that are taken, so that directories which share theirs cannot multiply them.
    fn charge(&mut self, bytes: u64) -> Result<()> {
        let charged = self.charged.saturating_add(bytes);
        Limits::check("max_metadata_bytes", charged, self.limits.max_metadata_bytes)?;
        self.charged = charged;
        Ok(())
    }

    fn header(&mut self, needs: &mut Needs) -> Result<Option<Header>> {
        if self.header.is_some() {
            return Ok(self.header);
        }
        if self.fetched.total() == 0 && self.fetched.end().is_none() {
            needs.ranges.push((0..FIRST.min(self.limits.max_metadata_bytes), Ahead::No));
            return Ok(None);
        }
        let not_a_tiff = |_| Error::malformed("not a tiff file");
        let Some(start) = self.ask(0..8, Ahead::No, "the header", needs).map_err(not_a_tiff)? else { return Ok(None) };
        let (endian, big) = match start.get(..4) {
            Some(b"II*\0") => (Endian::Little, false),
            Some(b"MM\0*") => (Endian::Big, false),
            Some(b"II+\0") => (Endian::Little, true),
            Some(b"MM\0+") => (Endian::Big, true),
            _ => return Err(Error::malformed("not a tiff file")),
        };
        let header = Header { endian, big };
        let (size, ..) = header.sizes();
        let Some(bytes) = self.ask(0..size, Ahead::No, "the header", needs)? else { return Ok(None) };
        if big && (header.uint(&bytes, 4, 2) != 8 || header.uint(&bytes, 6, 2) != 0) {
            return Err(Error::malformed("a bigtiff header with offsets that are not of 8 bytes"));
        }
        let first = if big { header.uint(&bytes, 8, 8) } else { header.uint(&bytes, 4, 4) };
        if first == 0 {
            return Err(Error::malformed("a tiff file without a directory"));
        }
        let head = size..size.saturating_add(4 << 10).min(self.fetched.end().unwrap_or(FIRST));
        if let Look::Here(behind) = self.fetched.look(&head)? {
            self.structure = GhostArea::parse(&behind);
        }
        self.header = Some(header);
        self.meet(DirectoryIndex::root(0), first, Vec::new());
        Ok(self.header)
    }

    /// Puts a directory on the list, or among the broken ones. Says whether another may follow.
    fn meet(&mut self, index: DirectoryIndex, offset: u64, ancestors: Vec<u64>) -> bool {
        self.met = self.met.saturating_add(1);
        let circle = if index.depth() == 1 { !self.chain.insert(offset) } else { ancestors.contains(&offset) };
        let error = if self.met > self.limits.max_directories {
            Some(Error::limit("max_directories", self.met, self.limits.max_directories))
        } else if circle {
            Some(Error::malformed("the directories run in a circle"))
        } else if index.depth() > DEPTH {
            Some(Error::limit("levels of sub-directories", index.depth() as u64, DEPTH as u64))
        } else {
            None
        };
        match error {
            Some(error) => self.broken.push(Broken { index, offset, error }),
            None => self.queue.push(Pending { index, offset, ancestors, entries: None }),
        }
        self.met <= self.limits.max_directories
    }

    /// The entries of a directory that this parser knows, the first of each tag.
    fn entries(&mut self, pending: &Pending, header: Header, needs: &mut Needs) -> Result<Option<Vec<Entry>>> {
        let (_, count_size, entry_size, offset_size) = header.sizes();
        let start = pending.offset;
        let plus = |a: u64, b: u64| a.checked_add(b).ok_or_else(|| past("a directory"));
        let body = plus(start, count_size)?;
        let Some(count) = self.ask(start..body, Ahead::Yes, "a directory", needs)? else { return Ok(None) };
        let count = number(&count, header.endian);
        if count == 0 {
            return Err(Error::malformed("a directory without entries"));
        }
        let size = count.checked_mul(entry_size).ok_or_else(|| past("a directory"))?;
        let end = plus(body, size)?;
        let behind = plus(end, offset_size)?;
        // Some writers end the file right behind the last entry.
        let next = if self.fetched.end().is_some_and(|e| behind > e) { end..end } else { end..behind };
        let Some(bytes) = self.ask(body..next.end, Ahead::Yes, "a directory", needs)? else { return Ok(None) };
        self.charge(size)?;
        let mut known: BTreeMap<u16, Entry> = BTreeMap::new();
        let (length, step) = (usize::try_from(size).unwrap_or(0), usize::try_from(entry_size).unwrap_or(1));
        for entry in bytes.get(..length).unwrap_or_default().chunks_exact(step).filter_map(|e| header.entry(&bytes.slice_ref(e))) {
            known.entry(entry.tag).or_insert(entry);
        }
        let next = bytes.get(length..).map_or(0, |b| number(b, header.endian));
        if next != 0
            && let Some(index) = pending.index.next_in_chain()
        {
            self.meet(index, next, Vec::new());
        }
        Ok(Some(known.into_values().collect()))
    }

    /// A table of tiles or strips: loaded where it is small, left where it is else. Beside one that is left (`paged`) it is loaded only
    /// where that takes no request: chunks are found without it.
    fn table(&mut self, entry: &Entry, paged: bool, header: Header, needs: &mut Needs) -> Result<Option<Table>> {
        let FieldType::Unsigned(width) = entry.field else { return Err(Error::malformed("a table of chunks that are not unsigned integers")) };
        let stored = |start| Table { count: entry.count, column: Column::Stored { start, width, endian: header.endian } };
        let bytes = match &entry.place {
            Place::Here(bytes) => bytes.clone(),
            Place::At(start) => {
                let small = entry.size() <= self.limits.table_page_bytes;
                let Some(end) = start.checked_add(entry.size()) else { return Ok(Some(stored(*start))) };
                let left = !small || paged && !self.fetched.missing(&(*start..end)).is_empty();
                // In memory a number takes 8 bytes, whatever it takes in the file.
                if left || self.charge(entry.count.saturating_mul(8)).is_err() {
                    return Ok(Some(stored(*start)));
                }
                match self.ask(*start..end, Ahead::No, "a table of chunks", needs) {
                    Ok(Some(bytes)) => bytes,
                    Ok(None) => return Ok(None),
                    // Only the chunks of the missing rows are lost.
                    Err(_) => return Ok(Some(stored(*start))),
                }
            }
        };
        let values = Values { field: entry.field, endian: header.endian, bytes };
        let mut numbers: Vec<u64> = reserve(usize::try_from(entry.count).unwrap_or(usize::MAX))?;
        numbers.extend(values.unsigned());
        Ok(Some(Table { count: entry.count, column: Column::Loaded(numbers.into()) }))
    }

    fn values(&mut self, entry: &Entry, header: Header, needs: &mut Needs) -> Result<Option<Values>> {
        let bytes = match &entry.place {
            Place::Here(bytes) => bytes.clone(),
            Place::At(start) => {
                // In memory these take 8 bytes a value, whatever they take in the file.
                let held = if tag::is_of_floats(entry.tag) { entry.count.saturating_mul(8) } else { entry.size() };
                Limits::check("max_tag_bytes", held, self.limits.max_tag_bytes)?;
                let what = format!("tag {}", entry.tag);
                let end = start.checked_add(entry.size()).ok_or_else(|| past(&what))?;
                let Some(bytes) = self.ask(*start..end, Ahead::No, &what, needs)? else { return Ok(None) };
                bytes
            }
        };
        Ok(Some(Values { field: entry.field, endian: header.endian, bytes }))
    }

    /// Goes on with a directory; `None` where it needs more bytes.
    fn advance(&mut self, pending: &mut Pending, header: Header, needs: &mut Needs) -> Result<Option<Directory>> {
        if pending.entries.is_none() {
            pending.entries = self.entries(pending, header, needs)?;
        }
        let Some(entries) = pending.entries.clone() else { return Ok(None) };
        let mut directory = Directory::new(pending.index.clone(), pending.offset);
        let (mut tags, mut complete, charged) = (BTreeMap::new(), true, self.charged);
        let is_large = |entry: &Entry| entry.is_table() && matches!(entry.place, Place::At(_)) && entry.size() > self.limits.table_page_bytes;
        let paged = entries.iter().any(is_large);
        for entry in &entries {
            let read = if entry.is_table() {
                self.table(entry, paged, header, needs).map(|table| table.map(|t| directory.set_table(entry.tag, t)))
            } else {
                self.values(entry, header, needs).map(|values| values.map(|v| drop(tags.insert(entry.tag, v))))
            };
            match read {
                Ok(Some(())) => {}
                Ok(None) => complete = false,
                Err(error) if entry.is_essential() || error.is_lack_of_memory() => return Err(error),
                Err(error) => directory.notes.push(format!("tag {} is left out: {}", entry.tag, error.kind())),
            }
        }
        if complete {
            directory.fill(&tags);
            if directory.compression == OLD_JPEG {
                complete = self.old_jpeg(&mut directory, &tags, needs);
            }
        }
        if !complete {
            self.charged = charged;
            return Ok(None);
        }
        self.charge(tags.values().map(|v| v.bytes.len() as u64).fold(0, u64::saturating_add))?;
        let children = tags.get(&tag::SUB_IFDS).map(|v| v.unsigned().collect::<Vec<_>>()).unwrap_or_default();
        for (i, offset) in (0..).zip(children) {
            let mut ancestors = pending.ancestors.clone();
            ancestors.push(pending.offset);
            if !self.meet(pending.index.child(i), offset, ancestors) {
                break;
            }
        }
        Ok(Some(directory))
    }

    /// Completes a directory of old-style JPEG; says whether that needs no more bytes. Where it fails, only the pixels are lost.
    fn old_jpeg(&mut self, directory: &mut Directory, tags: &BTreeMap<u16, Values>, needs: &mut Needs) -> bool {
        let size = self.fetched.end();
        let mut fetch = |range: Range<u64>| {
            let taken = self.ask(range, Ahead::No, "old-style jpeg", needs)?;
            taken.map(|bytes| self.charge(bytes.len() as u64).map(|()| bytes)).transpose()
        };
        match old_jpeg::complete(directory, tags, size, &mut fetch) {
            Ok(done) => done.is_some(),
            Err(error) => {
                directory.jpeg_error = Some(error);
                true
            }
        }
    }

    /// How far to read on from the start of a directory.
    fn ahead(&self, start: u64) -> u64 {
        let near = self.fetched.missing(&(start.saturating_sub(GAP)..start)).iter().all(|gap| gap.start > start.saturating_sub(GAP));
        let wanted = if self.structure.as_ref().is_some_and(GhostArea::directories_first) {
            // The tables of a level take a quarter of those of the level before.
            (start / 2).max(AHEAD)
        } else if near {
            AHEAD.saturating_mul(1 << self.rounds.min(6))
        } else if self.rounds < STREWN {
            AHEAD
        } else {
            AHEAD_STREWN
        };
        let left = self.limits.max_metadata_bytes.saturating_sub(self.fetched.total());
        wanted.min(AHEAD_MOST).min(left / 8)
    }

    fn wants(&mut self, needs: Needs) -> Vec<Want> {
        let mut ranges = needs.ranges;
        for (range, ahead) in &mut ranges {
            if *ahead == Ahead::Yes {
                let end = range.start.saturating_add(self.ahead(range.start));
                range.end = range.end.max(end.min(self.fetched.end().unwrap_or(u64::MAX)));
            }
        }
        ranges.sort_by_key(|(range, _)| range.start);
        let mut merged: Vec<Range<u64>> = Vec::new();
        for (range, _) in ranges {
            match merged.last_mut() {
                Some(last) if range.start <= last.end.saturating_add(GAP) => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        self.rounds = self.rounds.saturating_add(1);
        let missing = merged.iter().flat_map(|range| self.fetched.missing(range));
        let span = |gap: Range<u64>| ByteSpan::new(&self.object, gap.start, gap.end.saturating_sub(gap.start));
        missing.filter_map(span).map(Want::Range).collect()
    }
}

impl Parser for TiffParser {
    type Output = TiffFile;

    fn step(&mut self) -> Result<Step<TiffFile>> {
        let named = self.object.clone();
        self.go_on().map_err(|e| e.in_object(named.url()))
    }

    fn supply(&mut self, want: &Want, got: Got) -> Result<()> {
        let (Want::Range(span), Got::Bytes { bytes, size, version }) = (want, got) else {
            return Err(Error::not_found(self.object.url()));
        };
        match (self.object.version(), version) {
            (Some(old), Some(new)) if *old != new => {
                let changed = ErrorKind::ObjectChanged { old: old.to_string(), new: new.to_string() };
                return Err(Error::new(changed).in_object(self.object.url()));
            }
            (None, Some(new)) if !self.pinned => self.object = self.object.with_version(Some(new)),
            _ => {}
        }
        self.pinned = true;
        if let Some(size) = size {
            self.fetched.ends_at(size);
        }
        let most = usize::try_from(span.length).unwrap_or(usize::MAX);
        let bytes = bytes.slice(..bytes.len().min(most));
        if bytes.len() < most {
            self.fetched.ends_at(span.start.saturating_add(bytes.len() as u64));
        }
        self.fetched.put(span.start, &bytes);
        Ok(())
    }
}

impl TiffParser {
    fn go_on(&mut self) -> Result<Step<TiffFile>> {
        self.planned = 0;
        let mut needs = Needs::default();
        if let Some(header) = self.header(&mut needs)? {
            let mut waiting = Vec::new();
            while let Some(mut pending) = self.queue.pop() {
                match self.advance(&mut pending, header, &mut needs) {
                    Ok(Some(directory)) => self.directories.push(directory),
                    Ok(None) => waiting.push(pending),
                    Err(error) if pending.index == DirectoryIndex::root(0) || error.is_lack_of_memory() => return Err(error),
                    Err(error) => self.broken.push(Broken { index: pending.index, offset: pending.offset, error }),
                }
            }
            self.queue = waiting;
            if self.queue.is_empty() {
                self.directories.sort_by(|a, b| a.index.cmp(&b.index));
                self.broken.sort_by(|a, b| a.index.cmp(&b.index));
                return Ok(Step::Done(TiffFile {
                    object: self.object.clone(),
                    size: self.fetched.end(),
                    endian: header.endian,
                    big: header.big,
                    structure: self.structure.take(),
                    directories: std::mem::take(&mut self.directories),
                    broken: std::mem::take(&mut self.broken),
                }));
            }
        }
        Ok(Step::Need(self.wants(needs)))
    }
}
