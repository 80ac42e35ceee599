//! Held against another reader: what the `tiff` crate decodes of the fixtures is what Swath decodes.
#![cfg(all(feature = "read", feature = "deflate", feature = "zstd"))]

use std::fs::File;
use std::path::Path;

use ndarray::Array3;
use swath::{Element, Session};
use tiff::decoder::{Decoder, DecodingResult, Limits};

/// What Swath reads of the first directory, samples of a pixel together as the other reader has them.
fn ours<T: Element>(session: &Session, path: &str) -> Vec<T> {
    let array = session.block_on(session.open_cog(path)).unwrap().directory("0").unwrap();
    let pixels: Array3<T> = session.block_on(array.read(..)).unwrap();
    pixels.permuted_axes([1, 2, 0]).as_standard_layout().iter().copied().collect()
}

/// NaN is equal to itself here.
fn bits<T: Copy, B>(numbers: &[T], of: impl Fn(T) -> B) -> Vec<B> {
    numbers.iter().map(|n| of(*n)).collect()
}

/// Whether both readers mean the same by a file: whole lossless samples of one colour model, as stored.
fn is_common(session: &Session, path: &str) -> bool {
    let Ok(cog) = session.block_on(session.open_cog(path)) else { return false };
    let first = &cog.file().directories[0];
    let whole = first.bits.iter().all(|bits| matches!(bits, 8 | 16 | 32 | 64));
    let lossless = matches!(first.compression, 1 | 5 | 8 | 32946 | 32773 | 50000);
    // The other reader fills what was never written with zeros.
    let written = first.nodata.is_none();
    // And leaves separate planes one behind the other.
    let together = !first.is_separate();
    whole && lossless && written && together && matches!(first.photometric, Some(1 | 2)) && first.depth == 1
}

#[test]
fn two_readers_see_the_same_pixels() {
    let session = Session::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/tiff");
    let (mut same, mut differ) = (0, Vec::new());
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files {
        let name = path.to_str().unwrap();
        if path.extension().is_none_or(|e| e != "tif") || !is_common(&session, name) {
            continue;
        }
        let Ok(theirs) = Decoder::new(File::open(&path).unwrap()) else { continue };
        let Ok(theirs) = theirs.with_limits(Limits::default()).read_image() else { continue };
        let equal = match theirs {
            DecodingResult::U8(pixels) => pixels == ours::<u8>(&session, name),
            DecodingResult::U16(pixels) => pixels == ours::<u16>(&session, name),
            DecodingResult::U32(pixels) => pixels == ours::<u32>(&session, name),
            DecodingResult::U64(pixels) => pixels == ours::<u64>(&session, name),
            DecodingResult::I8(pixels) => pixels == ours::<i8>(&session, name),
            DecodingResult::I16(pixels) => pixels == ours::<i16>(&session, name),
            DecodingResult::I32(pixels) => pixels == ours::<i32>(&session, name),
            DecodingResult::I64(pixels) => pixels == ours::<i64>(&session, name),
            DecodingResult::F32(pixels) => bits(&pixels, f32::to_bits) == bits(&ours(&session, name), f32::to_bits),
            DecodingResult::F64(pixels) => bits(&pixels, f64::to_bits) == bits(&ours(&session, name), f64::to_bits),
            _ => continue,
        };
        if equal { same += 1 } else { differ.push(path.file_name().unwrap().to_owned()) }
    }
    eprintln!("{same} files are the same");
    assert!(differ.is_empty(), "{differ:?}");
    assert!(same >= 20, "only {same} files were compared");
}
