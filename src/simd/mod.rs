//! Kernels over plain bytes: loops shaped for the autovectorizer. They are the truth that every faster twin is held to.

mod pending;
mod predict;
mod shuffle;
mod swap;

pub use pending::{copy_streaming, fill, streaming_fence, swap_bytes_to, undo_float_predictor_to, undo_predictor_to, unshuffle_part};
pub use predict::{undo_float_predictor, undo_predictor};
pub use shuffle::{shuffle, unshuffle};
pub use swap::{reverse_bits, swap_bytes};
