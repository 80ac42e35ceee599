//! bzip2 streams, one or more.

use super::{ChunkContext, Codec, Output, Scratch};
use crate::error::Result;

#[derive(Debug)]
pub(super) struct Bzip2;

impl Codec for Bzip2 {
    fn name(&self) -> &str {
        "bzip2"
    }
    fn decode(&self, input: &[u8], _: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        output.fill_from("bzip2", bzip2::read::MultiBzDecoder::new(input))
    }
}
