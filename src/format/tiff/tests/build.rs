//! A writer of headers, good and bad, for tests.

use bytes::Bytes;

use crate::format::tiff::{TiffFile, fuzzing};
use crate::model::{Endian, Limits};

/// A flavour of TIFF.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flavour {
    pub(super) endian: Endian,
    pub(super) big: bool,
}

pub(super) const FLAVOURS: [Flavour; 4] = [
    Flavour { endian: Endian::Little, big: false },
    Flavour { endian: Endian::Big, big: false },
    Flavour { endian: Endian::Little, big: true },
    Flavour { endian: Endian::Big, big: true },
];

/// A tag: number, type, values.
pub(super) type Tag = (u16, u16, Vec<u64>);

fn width(kind: u16) -> usize {
    [1, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8][usize::from(kind)]
}

impl Flavour {
    pub(super) fn uint(self, n: u64, width: usize) -> Vec<u8> {
        match self.endian {
            Endian::Little => n.to_le_bytes()[..width].to_vec(),
            Endian::Big => n.to_be_bytes()[8 - width..].to_vec(),
        }
    }
    pub(super) fn header(self, first: u64) -> Vec<u8> {
        let mark = if self.endian == Endian::Little { b"II" } else { b"MM" };
        let mut out = mark.to_vec();
        out.extend(self.uint(if self.big { 43 } else { 42 }, 2));
        if self.big {
            out.extend(self.uint(8, 2));
            out.extend(self.uint(0, 2));
        }
        out.extend(self.uint(first, if self.big { 8 } else { 4 }));
        out
    }
    pub(super) fn header_size(self) -> u64 {
        if self.big { 16 } else { 8 }
    }
    /// A directory that stands at `at`, its far values right behind it.
    pub(super) fn directory(self, at: u64, tags: &[Tag], next: u64) -> Vec<u8> {
        let (count, entry, inline) = if self.big { (8, 20, 8) } else { (2, 12, 4) };
        let mut out = self.uint(tags.len() as u64, count);
        let mut far = Vec::new();
        let values_at = at + (count + entry * tags.len() + inline) as u64;
        for (tag, kind, values) in tags {
            let bytes: Vec<u8> = values.iter().flat_map(|v| self.uint(*v, width(*kind))).collect();
            out.extend(self.uint(u64::from(*tag), 2));
            out.extend(self.uint(u64::from(*kind), 2));
            out.extend(self.uint(values.len() as u64, inline));
            if bytes.len() <= inline {
                out.extend(bytes.iter().copied().chain(std::iter::repeat(0)).take(inline));
            } else {
                out.extend(self.uint(values_at + far.len() as u64, inline));
                far.extend(bytes);
            }
        }
        out.extend(self.uint(next, inline));
        out.extend(far);
        out
    }
    /// A file of one directory.
    pub(super) fn file(self, tags: &[Tag]) -> Vec<u8> {
        let at = self.header_size();
        let mut out = self.header(at);
        out.extend(self.directory(at, tags, 0));
        out
    }
}

/// A grey image of 8 bits in strips of 4 rows.
pub(super) fn image(width: u64, height: u64) -> Vec<Tag> {
    let strips = height.div_ceil(4);
    vec![
        (256, 4, vec![width]),
        (257, 3, vec![height]),
        (258, 3, vec![8]),
        (259, 3, vec![1]),
        (262, 3, vec![1]),
        (273, 4, (0..strips).map(|i| 1000 + i * width * 4).collect()),
        (277, 3, vec![1]),
        (278, 3, vec![4]),
        (279, 4, (0..strips).map(|i| width * (height - i * 4).min(4)).collect()),
    ]
}

/// The tags with some of them replaced or added.
pub(super) fn with(mut tags: Vec<Tag>, changes: &[Tag]) -> Vec<Tag> {
    for change in changes {
        tags.retain(|t| t.0 != change.0);
        tags.push(change.clone());
    }
    tags.sort_by_key(|t| t.0);
    tags
}

pub(super) fn without(mut tags: Vec<Tag>, tag: u16) -> Vec<Tag> {
    tags.retain(|t| t.0 != tag);
    tags
}

pub(super) fn parse(data: Vec<u8>) -> crate::Result<TiffFile> {
    fuzzing::parse(&Bytes::from(data), &Limits::default())
}
