//! What a thread keeps from chunk to chunk.

use crate::error::Result;
use crate::model::lengthened;

/// Buffers and decompressors of one thread, used again for each chunk. Its content has no meaning between chunks, but for
/// [`validity`](Self::validity).
#[derive(Default)]
pub struct Scratch {
    /// Filled by a codec that says which elements are valid (LERC): one byte an element in stored order, 0 = not valid. `None` = all are.
    /// [`Chain::decode`](super::Chain::decode) sets it anew for each chunk; take it before the next.
    pub validity: Option<Vec<u8>>,
    /// Whether threads of the pool that are free may help with a large chunk.
    pub shares: bool,
    buffers: Vec<Vec<u8>>,
    #[cfg(feature = "deflate")]
    pub(super) deflate: Option<libdeflater::Decompressor>,
    #[cfg(feature = "zstd")]
    pub(super) zstd: Option<zstd_safe::DCtx<'static>>,
    #[cfg(not(feature = "zstd"))]
    pub(super) zstd: Option<ruzstd::decoding::FrameDecoder>,
    pub(super) inflate: Option<zlib_rs::Inflate>,
    pub(super) lzw: super::lzw::Table,
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scratch").field("buffers", &self.buffers.len()).finish_non_exhaustive()
    }
}

impl Scratch {
    /// Buffers above this size are given back to the system after a chunk.
    const KEPT: usize = 32 << 20;

    /// A buffer of this length or more, with any content. Give it [back](Self::give).
    pub(super) fn take(&mut self, length: usize) -> Result<Vec<u8>> {
        // The smallest that is long enough, else the longest, so that little is grown and filled with zeros.
        let best = self
            .buffers
            .iter()
            .enumerate()
            .min_by_key(|(_, b)| if b.len() < length { (true, usize::MAX.wrapping_sub(b.len())) } else { (false, b.len()) });
        let mut buffer = best.map(|(i, _)| i).map(|i| self.buffers.swap_remove(i)).unwrap_or_default();
        lengthened(&mut buffer, length)?;
        Ok(buffer)
    }
    /// Lets go of buffers until so many bytes are kept at most.
    #[cfg(feature = "read")]
    pub(crate) fn trim(&mut self, most: usize) {
        while self.buffers.iter().map(Vec::capacity).fold(0, usize::saturating_add) > most {
            self.buffers.pop();
        }
        // It keeps its window.
        #[cfg(feature = "zstd")]
        self.zstd.take_if(|context| context.sizeof() > most);
        #[cfg(not(feature = "zstd"))]
        self.zstd.take_if(|decoder| decoder.max_window_size() > most as u64);
    }
    pub(super) fn give(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() <= Self::KEPT && self.buffers.len() < 4 {
            self.buffers.push(buffer);
        }
    }
}
