//! Where a step puts what it decodes, and how much that may be.

use super::{shortage, surplus};
use crate::error::{Error, Result};
use crate::model::{Limits, grow};

/// The size of what is between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// This many bytes.
    Exact(usize),
    /// Unknown, and not above this.
    AtMost(usize),
}

impl Size {
    /// The upper bound.
    #[must_use]
    pub fn most(self) -> usize {
        match self {
            Self::Exact(n) | Self::AtMost(n) => n,
        }
    }
    /// Each byte of the output comes from this many of the input (and `plus` more).
    pub(super) fn scaled(self, times: usize, per: usize, plus: usize) -> Self {
        let scale = |n: usize| n.saturating_mul(times).checked_div(per).unwrap_or(usize::MAX).saturating_add(plus);
        match self {
            Self::Exact(n) => Self::Exact(scale(n)),
            Self::AtMost(n) => Self::AtMost(scale(n)),
        }
    }
}

/// The most that the encoded form of `decoded` bytes may be: a quarter and 64 KiB above them, as no compressor in use adds more to what it
/// cannot compress. Where elements have no fixed length: `max_chunk_bytes`.
#[must_use]
pub fn bound(decoded: usize, limits: &Limits) -> usize {
    let most = usize::try_from(limits.max_chunk_bytes).unwrap_or(usize::MAX).saturating_add(64 << 10);
    decoded.saturating_add(decoded >> 2).saturating_add(64 << 10).min(most)
}

/// Elements of different lengths: element `i` is `bytes[offsets[i]..offsets[i + 1]]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Elements {
    /// Where elements start, and the end of the last: one more than there are elements.
    pub offsets: Vec<u64>,
    /// The elements' bytes.
    pub bytes: Vec<u8>,
}

impl Elements {
    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// One element.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let start = usize::try_from(*self.offsets.get(index)?).ok()?;
        let end = usize::try_from(*self.offsets.get(index.checked_add(1)?)?).ok()?;
        self.bytes.get(start..end)
    }
}

/// Where a step puts what it decodes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output<'a> {
    /// Exactly these bytes.
    Exact(&'a mut [u8]),
    /// These bytes; what the input holds beyond them is left out.
    Prefix(&'a mut [u8]),
    /// A buffer, set to the length of what was decoded.
    Bounded {
        /// The buffer.
        bytes: &'a mut Vec<u8>,
        /// Its largest length.
        most: usize,
    },
    /// Elements of different lengths.
    Variable(&'a mut Elements),
}

impl Output<'_> {
    /// The most that it takes; of elements of different lengths it tells nothing.
    #[cfg(not(feature = "zstd"))]
    pub(super) fn most(&self) -> usize {
        match self {
            Self::Exact(bytes) | Self::Prefix(bytes) => bytes.len(),
            Self::Bounded { most, .. } => *most,
            Self::Variable(_) => 0,
        }
    }

    /// Room for exactly `size` bytes, where a codec knows how many it has.
    pub(super) fn sized(&mut self, codec: &'static str, size: usize) -> Result<&mut [u8]> {
        match self {
            Self::Exact(bytes) | Self::Prefix(bytes) if size < bytes.len() => Err(shortage(codec, size, bytes.len())),
            Self::Exact(bytes) | Self::Prefix(bytes) if size == bytes.len() => Ok(bytes),
            Self::Exact(_) | Self::Prefix(_) => Err(surplus(codec)),
            Self::Bounded { bytes, most } => {
                if size > *most {
                    return Err(surplus(codec));
                }
                resize(bytes, size)?;
                Ok(bytes)
            }
            Self::Variable(_) => Err(variable(codec)),
        }
    }

    /// Takes what `input` holds.
    pub(super) fn copy(&mut self, codec: &'static str, input: &[u8]) -> Result<()> {
        let input = match self {
            Self::Prefix(bytes) => input.get(..bytes.len()).unwrap_or(input),
            _ => input,
        };
        self.sized(codec, input.len())?.copy_from_slice(input);
        Ok(())
    }

    /// Takes what `read` gives until it gives nothing more (0 bytes), or until it is enough.
    pub(super) fn fill(&mut self, codec: &'static str, mut read: impl FnMut(&mut [u8]) -> Result<usize>) -> Result<()> {
        match self {
            Self::Exact(bytes) => {
                read_to(codec, bytes, &mut read)?;
                match read(&mut [0])? {
                    0 => Ok(()),
                    _ => Err(surplus(codec)),
                }
            }
            Self::Prefix(bytes) => read_to(codec, bytes, &mut read),
            Self::Bounded { bytes, most } => {
                let mut length = 0usize;
                loop {
                    let step = length.clamp(32 << 10, 8 << 20);
                    let room = length.saturating_add(step).min(most.saturating_add(1));
                    if bytes.len() < room {
                        resize(bytes, room)?;
                    }
                    let given = read(bytes.get_mut(length..).unwrap_or_default())?;
                    length = length.saturating_add(given);
                    if length > *most {
                        return Err(surplus(codec));
                    }
                    if given == 0 {
                        bytes.truncate(length);
                        return Ok(());
                    }
                }
            }
            Self::Variable(_) => Err(variable(codec)),
        }
    }

    /// [`fill`](Self::fill) from a reader.
    #[cfg(any(feature = "bzip2", feature = "lzma"))]
    pub(super) fn fill_from(&mut self, codec: &'static str, mut reader: impl std::io::Read) -> Result<()> {
        self.fill(codec, |room| reader.read(room).map_err(|e| Error::codec(codec, e.to_string())))
    }
}

fn read_to(codec: &'static str, bytes: &mut [u8], read: &mut impl FnMut(&mut [u8]) -> Result<usize>) -> Result<()> {
    let mut given = 0usize;
    while given < bytes.len() {
        match read(bytes.get_mut(given..).unwrap_or_default())? {
            0 => return Err(shortage(codec, given, bytes.len())),
            n => given = given.saturating_add(n),
        }
    }
    Ok(())
}

fn variable(codec: &'static str) -> Error {
    Error::codec(codec, "gives bytes, where elements of different lengths are wanted")
}

/// Sets the length, as an error where the memory cannot be had.
pub(super) fn resize(bytes: &mut Vec<u8>, length: usize) -> Result<()> {
    grow(bytes, length.saturating_sub(bytes.len()))?;
    bytes.resize(length, 0);
    Ok(())
}
