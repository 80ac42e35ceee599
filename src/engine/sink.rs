//! The places where safe code is not enough: each block says why it holds.

/// Maps a whole file as bytes that live as long as any view of them.
///
/// The caller of the library has vouched that the file does not change while it is mapped.
///
/// # Errors
/// What the system says against it.
#[cfg(feature = "mmap")]
#[allow(unsafe_code, reason = "the memory of a file is only as immutable as its owner keeps it")]
pub(crate) fn map(file: &std::fs::File) -> std::io::Result<bytes::Bytes> {
    // SAFETY: the mapping is read-only and kept alive by the `Bytes` that own it. That the file is neither written to nor
    // cut short meanwhile is what `with_trusted_mmap` demands of its caller.
    let map = unsafe { memmap2::Mmap::map(file)? };
    Ok(bytes::Bytes::from_owner(map))
}
