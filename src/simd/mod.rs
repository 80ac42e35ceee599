//! Kernels over plain bytes.
//!
//! A kernel is written once as a plain loop: that is its meaning, and what runs where nothing faster is known. A faster twin for a
//! [`Level`] is either the same loop compiled for more of the processor, or, where the compiler does not make the best of the loop, a body of
//! its own in a folder named for the level. Tests, a fuzz target and `benches/kernels.rs` hold each twin to the plain loop, bit for bit.
//!
//! The functions here take the best level of the machine; [`Level`] has the same ones as methods, for those who compare. They check
//! lengths and panic where slices do not fit together; no content of a slice makes them panic.
//!
//! Adding a processor: a variant of `Kind`, a folder, an arm in the macro below. On AArch64 vectors are part of the base that all code is compiled
//! for, so the plain loops are vectors there already, but for the prefix sums.
#![allow(unsafe_code, reason = "instructions that not every machine has, and stores that go past the cache")]

#[cfg(target_arch = "x86_64")]
mod avx2;
mod bands;
mod bits;
mod fill;
mod level;

mod predict;
mod shuffle;
mod stream;
mod swap;
#[cfg(test)]
mod tests;

pub use fill::fill;
pub use level::{Level, Work, run};

pub use shuffle::shuffle;
pub use stream::{copy_streaming, streaming_fence};
pub use swap::reverse_bits;

#[cfg(feature = "blosc")]
pub(crate) use bits::transpose8;

/// The kernels: a function that takes the best level, and a method for each level.
macro_rules! kernels {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)? = $file:ident;)*) => {
        $(
            $(#[$doc])*
            #[inline]
            pub fn $name($($argument: $type),*) $(-> $result)? {
                Level::best().$name($($argument),*)
            }
        )*
        impl Level {$(
            #[doc = concat!("[`", stringify!($name), "`](", stringify!($name), "()) at this level.")]
            #[inline]
            pub fn $name(self, $($argument: $type),*) $(-> $result)? {
                match self.0 {
                    level::Kind::Plain => $file::$name($($argument),*),
                    // SAFETY: such a level is only made where the machine has it.
                    #[cfg(target_arch = "x86_64")]
                    level::Kind::Avx2 => unsafe { avx2::$name($($argument),*) },
                }
            }
        )*}
    };
}

kernels! {
    /// Adds to each sample of a row the one `stride` samples before it, for integers of 1, 2, 4 or 8 bytes in the machine's order: TIFF's predictor 2
    /// undone. What is beyond the last whole sample is left. Returns whether there is such a kernel.
    fn undo_predictor(row: &mut [u8], sample_bytes: usize, stride: usize) -> bool = predict;

    /// The same from one row to another of the same length. Where `swap` is set, the samples of `source` are of the other byte order; what
    /// is beyond the last whole sample is copied.
    fn undo_predictor_to(source: &[u8], sample_bytes: usize, stride: usize, swap: bool, target: &mut [u8]) -> bool = predict;

    /// Undoes the floating point predictor of a row: differences of bytes, the most significant bytes of all samples first. `planes` is the row
    /// as stored and is summed up in place; `row` gets the samples in the machine's byte order. Both have the same length, a multiple of `sample_bytes`.
    fn undo_float_predictor(planes: &mut [u8], sample_bytes: usize, stride: usize, row: &mut [u8]) = predict;

    /// The same, with a row of work for the sums: `planes` stays as it is. All three have the same length.
    fn undo_float_predictor_to(planes: &[u8], sample_bytes: usize, stride: usize, sums: &mut [u8], target: &mut [u8]) = predict;

    /// Undoes a shuffle of `element` bytes: the i-th bytes of all elements stand together in `source`. What is beyond the last whole element is
    /// copied. Both have the same length.
    fn unshuffle(source: &[u8], element: usize, target: &mut [u8]) = shuffle;

    /// Elements `first..first + target.len() / element` of a shuffled chunk, of which `source` is the whole; where `swap` is set, with their
    /// bytes in reverse. They must be whole elements, and inside of the chunk.
    fn unshuffle_part(source: &[u8], element: usize, first: usize, swap: bool, target: &mut [u8]) = shuffle;

    /// Undoes a shuffle of bits: bit k of byte b of all elements stands in row `8 b + k`, eight elements a byte. Where the elements are no
    /// multiple of eight, and beyond the last whole one, bytes are copied (as Blosc has it). Both have the same length.
    fn bit_unshuffle(source: &[u8], element: usize, target: &mut [u8]) = bits;

    /// Reverses the bytes of each unit of `unit` bytes; a rest shorter than a unit is left.
    fn swap_bytes(data: &mut [u8], unit: usize) = swap;

    /// The same from one slice to another of the same length; a rest shorter than a unit is copied.
    fn swap_bytes_to(source: &[u8], unit: usize, target: &mut [u8]) = swap;

    /// Unsigned numbers of `bits` bits, one behind the other, the most significant bit first, into bytes (of up to 8 bits) or into `u16` of
    /// the machine's order (of 9 to 16). Bits beyond the end of `source` are zeros.
    fn unpack_bits(source: &[u8], bits: u32, target: &mut [u8]) = bits;

    /// One band of pixels of `samples` samples of `element` bytes. `target` is as long as the band.
    fn deinterleave(pixels: &[u8], element: usize, samples: usize, sample: usize, target: &mut [u8]) = bands;

    /// All bands of pixels of as many samples as there are targets, in one pass. Each target is as long as a band.
    fn deinterleave_all(pixels: &[u8], element: usize, targets: &mut [&mut [u8]]) = bands;
}
