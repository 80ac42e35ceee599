//! Compression, predictor, bit depth and byte order as a chain of codecs, and the type of the samples.

use super::TiffFile;
use super::directory::{Directory, Layout};
use crate::error::{Error, Result};
use crate::model::{CodecSpec, DataType, Endian, FaxCoding, JpegColor, LogLuvCoding, LzwBits};

/// How samples are coded, in the terms of the tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Samples {
    pub(super) bits: u16,
    pub(super) format: u16,
}

impl Samples {
    /// The one bit depth and format of all samples.
    pub(super) fn of(directory: &Directory) -> Result<Self> {
        let one = |listed: &[u16], what: &str| -> Result<u16> {
            let listed = listed.get(..listed.len().min(usize::from(directory.samples.max(1)))).unwrap_or_default();
            let first = listed.first().copied().unwrap_or(1);
            if listed.iter().any(|n| *n != first) {
                return Err(Error::unsupported(format!("tiff samples of differing {what}")));
            }
            Ok(first)
        };
        let format = one(&directory.sample_formats, "formats")?;
        // As libtiff has it: a format that does not exist is no format, and untyped samples are numbers.
        let format = if matches!(format, 2 | 3 | 5 | 6) { format } else { 1 };
        Ok(Self { bits: one(&directory.bits, "bit depths")?, format })
    }

    /// The type of a sample after decoding.
    pub(super) fn data_type(self) -> Result<DataType> {
        use DataType as T;
        let Self { bits, format } = self;
        Ok(match (format, bits) {
            (2, 8) => T::I8,
            (2, 16) => T::I16,
            (2, 32) => T::I32,
            // As every other reader has it, odd depths have no sign.
            (1 | 2, 1..=8) => T::U8,
            (1 | 2, 9..=16) => T::U16,
            (1 | 2, 17..=32) => T::U32,
            (1, 64) => T::U64,
            (2, 64) => T::I64,
            (3, 16) => T::F16,
            (3, 24 | 32) => T::F32,
            (3, 64) => T::F64,
            (5, 16) => T::ComplexI8,
            (5, 32) => T::ComplexI16,
            (5, 64) => T::ComplexI32,
            (6, 32) => T::ComplexF16,
            (6, 64) => T::ComplexF32,
            (6, 128) => T::ComplexF64,
            (_, 0) => return Err(Error::malformed("samples of 0 bits")),
            _ => return Err(Error::unsupported(format!("tiff samples of {bits} bits in sample format {format}"))),
        })
    }

    /// Whether a sample is as wide in the file as in memory.
    fn is_whole(self) -> bool {
        matches!(self.bits, 8 | 16 | 32 | 64 | 128)
    }
}

/// The compressions that are known by name and not read.
fn name_of(compression: u16) -> &'static str {
    match compression {
        9 | 10 => "jbig",
        99 => "lossless jpeg of leaf",
        103 => "pegasus imj",
        262 => "kodak 262",
        22610 | 34934 => "jpeg xr",
        32767 => "sony arw",
        32769 => "packed raw",
        32770 | 32772 => "samsung srw",
        32867 => "kodak kdc",
        32895..=32898 => "it8",
        32908 => "pixarfilm",
        32909 => "pixarlog",
        32947 => "kodak dcs",
        34661 => "jbig",
        34692 => "luradocument",
        34713 => "nikon nef",
        34715 => "jbig2",
        34718 => "mdi binary level",
        34719 => "mdi progressive transform",
        34720 => "mdi vector",
        48124 => "jetraw",
        65000 => "eer or kodak dcr",
        65001 | 65002 => "eer",
        65535 => "pentax pef",
        _ => "unknown",
    }
}

const LERC: u16 = 34887;

/// What a compression gives: bytes that are still to be made elements, or elements.
enum Stage {
    Bytes(Vec<CodecSpec>),
    Elements(Vec<CodecSpec>),
}

fn decompress(directory: &Directory, samples: Samples, of_pixel: u16) -> Result<Stage> {
    let compression = directory.compression;
    let whole = |spec: Vec<CodecSpec>, most: u16| -> Result<Stage> {
        if !samples.is_whole() || samples.bits > most {
            return Err(Error::unsupported(format!("tiff compression {compression} on samples of {} bits", samples.bits)));
        }
        Ok(Stage::Elements(spec))
    };
    // Codecs of single samples of their own depth.
    let small = |spec: CodecSpec, bits: u16| -> Result<Stage> {
        if samples.bits != bits || of_pixel != 1 {
            let name = spec.name();
            return Err(Error::unsupported(format!("tiff compression {name} on pixels of {of_pixel} samples of {} bits", samples.bits)));
        }
        Ok(Stage::Elements(vec![spec]))
    };
    match compression {
        1 => Ok(Stage::Bytes(vec![])),
        5 => Ok(Stage::Bytes(vec![CodecSpec::Lzw(LzwBits::Msb)])),
        8 | 32946 | 50013 => Ok(Stage::Bytes(vec![CodecSpec::Zlib])),
        32773 => Ok(Stage::Bytes(vec![CodecSpec::PackBits])),
        34925 => Ok(Stage::Bytes(vec![CodecSpec::Xz])),
        34926 | 50000 => Ok(Stage::Bytes(vec![CodecSpec::Zstd])),
        2 => small(CodecSpec::Fax(FaxCoding::Rle), 1),
        3 => small(CodecSpec::Fax(FaxCoding::Group3 { two_dimensional: directory.t4_options & 1 != 0 }), 1),
        4 => small(CodecSpec::Fax(FaxCoding::Group4), 1),
        32771 => small(CodecSpec::Fax(FaxCoding::RleWords), 1),
        32766 => small(CodecSpec::Next, 2),
        32809 => small(CodecSpec::ThunderScan, 4),
        34676 | 34677 => log_luv(directory, samples, of_pixel),
        6 | 7 | 33007 | 34892 => {
            // Of 8 or 12 bits where it is not lossless: the stream says which it is.
            if samples.format != 1 || samples.bits > 16 {
                return Err(Error::unsupported(format!("tiff compression jpeg on samples of {} bits", samples.bits)));
            }
            let to_rgb = directory.photometric == Some(6) && of_pixel == 3;
            let color = match old_reference(directory) {
                Some(reference) if to_rgb => JpegColor::ToRgbWithin(reference),
                _ if to_rgb => JpegColor::ToRgb,
                _ => JpegColor::AsStored,
            };
            let bits = u8::try_from(samples.bits).unwrap_or(u8::MAX);
            Ok(Stage::Elements(vec![CodecSpec::Jpeg { tables: directory.jpeg_tables.clone(), color, samples: of_pixel, bits }]))
        }
        33003..=33005 | 34712 => image(compression, samples, CodecSpec::Jpeg2000 { samples: of_pixel }),
        34933 => image(compression, samples, CodecSpec::Png { samples: of_pixel }),
        50002 | 52546 => image(compression, samples, CodecSpec::JpegXl { samples: of_pixel }),
        50001 | 34927 => {
            if !matches!(of_pixel, 3 | 4) {
                return Err(Error::unsupported(format!("tiff compression webp on pixels of {of_pixel} samples")));
            }
            whole(vec![CodecSpec::Webp { samples: of_pixel }], 8)
        }
        LERC => {
            let lerc = CodecSpec::Lerc { samples: of_pixel };
            match directory.lerc_parameters.get(1).copied().unwrap_or(0) {
                0 => whole(vec![lerc], 64),
                1 => whole(vec![CodecSpec::Zlib, lerc], 64),
                2 => whole(vec![CodecSpec::Zstd, lerc], 64),
                other => Err(Error::unsupported(format!("tiff lerc with additional compression {other}"))),
            }
        }
        other => Err(Error::unsupported(format!("tiff compression {} ({other})", name_of(other)))),
    }
}

/// The codes of JPEG: the old style, TIFF's own, that of other writers, and that of DNG for its lossy images.
fn is_jpeg(compression: u16) -> bool {
    matches!(compression, 6 | 7 | 33007 | 34892)
}

/// Compressions whose chunks are image files in themselves.
fn is_image(compression: u16) -> bool {
    is_jpeg(compression) || matches!(compression, 33003..=33005 | 34712 | 34933 | 50002 | 52546)
}

/// An image codec that gives elements of more than one type, where its streams can hold samples like these.
fn image(compression: u16, samples: Samples, codec: CodecSpec) -> Result<Stage> {
    let of = (samples.format, samples.bits);
    let held = match codec {
        CodecSpec::Png { samples: 1..=4 } => matches!(of, (1, 8 | 16)),
        CodecSpec::JpegXl { .. } => matches!(of, (1, 2..=16) | (3, 16 | 32)),
        CodecSpec::Jpeg2000 { .. } => matches!(of, (1, 2..=32) | (2, 8 | 16 | 32)),
        _ => false,
    };
    if held {
        return Ok(Stage::Elements(vec![codec]));
    }
    let name = codec.name();
    Err(Error::unsupported(format!(
        "tiff compression {name} ({compression}) on samples of {} bits in sample format {}",
        samples.bits, samples.format
    )))
}

/// SGILog, of which the photometric interpretation says more. Only the 16-bit form of its values has a reader to compare with.
fn log_luv(directory: &Directory, samples: Samples, of_pixel: u16) -> Result<Stage> {
    let (name, photometric) = (if directory.compression == 34677 { "sgilog24" } else { "sgilog" }, directory.photometric);
    let coding = match (photometric, directory.compression, of_pixel) {
        (Some(32844), 34676, 1) => LogLuvCoding::L16,
        (Some(32845), 34676, 3) => LogLuvCoding::Luv32,
        (Some(32845), 34677, 3) => LogLuvCoding::Luv24,
        _ => {
            let photometric = photometric.unwrap_or(0);
            return Err(Error::unsupported(format!(
                "tiff compression {name} on pixels of {of_pixel} samples of photometric interpretation {photometric}"
            )));
        }
    };
    if samples.bits != 16 || !matches!(samples.format, 1 | 2) {
        return Err(Error::unsupported(format!("tiff compression {name} on samples of {} bits in sample format {}", samples.bits, samples.format)));
    }
    Ok(Stage::Elements(vec![CodecSpec::LogLuv(coding)]))
}

/// The blacks and whites of old-style JPEG, where they are not those of all other JPEG: libtiff minds them there only.
fn old_reference(directory: &Directory) -> Option<[u16; 6]> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float beyond the type becomes its nearest value")]
    let reference = <[f64; 6]>::try_from(directory.reference_black_white.as_slice()).ok()?.map(|n| n.round() as u16);
    (directory.compression == 6 && reference != [0, 255, 128, 255, 128, 255]).then_some(reference)
}

/// The predictor. As in libtiff it is read with LZW, Deflate, Zstandard and LZMA only; elsewhere the tag means nothing.
fn predictor(directory: &Directory) -> Result<u16> {
    if !matches!(directory.compression, 5 | 8 | 32946 | 50013 | 34925 | 34926 | 50000) {
        return Ok(1);
    }
    match directory.predictor {
        // libtiff and its kin write 0 for none.
        0 | 1 => Ok(1),
        n @ (2 | 3) => Ok(n),
        other => Err(Error::malformed(format!("predictor {other}"))),
    }
}

/// The chain of codecs of an image's chunks, in the order of decoding.
pub(super) fn chain(directory: &Directory, file: &TiffFile, samples: Samples, data_type: &DataType, columns: u64) -> Result<Vec<CodecSpec>> {
    let of_pixel = if directory.is_separate() { 1 } else { directory.samples };
    let (mut chain, is_bytes) = match decompress(directory, samples, of_pixel)? {
        Stage::Bytes(chain) => (chain, true),
        Stage::Elements(chain) => (chain, false),
    };
    check_color(directory, of_pixel)?;
    // libtiff reverses the stored bits before any codec but those that know bit orders themselves; image streams have one of their own.
    if directory.fill_order == 2 && !is_image(directory.compression) {
        chain.insert(0, CodecSpec::ReverseBits);
    }
    if !is_bytes {
        // libtiff swaps what LERC gives as it swaps stored bytes, when it writes and when it reads: in big-endian files the blobs hold
        // swapped numbers.
        if directory.compression == LERC && file.endian == Endian::Big && data_type.swap_unit() > 1 {
            chain.push(CodecSpec::ByteOrder(file.endian));
        }
        return Ok(chain);
    }
    // What a stream holds beyond its chunk is not looked at, as in libtiff. Writers also leave out the padding of the last tiles.
    chain.push(CodecSpec::LeaveSurplus);
    let row = columns.checked_mul(u64::from(of_pixel)).ok_or_else(|| Error::malformed("a row of more samples than can be counted"))?;
    let stride = of_pixel;
    let predictor = predictor(directory)?;
    if predictor == 3 {
        return match (samples.format, samples.bits) {
            (3, 16 | 32 | 64) => {
                chain.push(CodecSpec::FloatPredictor { row, stride });
                Ok(chain)
            }
            (format, bits) => Err(Error::unsupported(format!("tiff predictor 3 on samples of {bits} bits in sample format {format}"))),
        };
    }
    match (samples.format, samples.bits) {
        (3, 24) => chain.push(CodecSpec::Float24(file.endian)),
        (_, 8) => {}
        _ if samples.is_whole() => {
            if data_type.swap_unit() > 1 {
                chain.push(CodecSpec::ByteOrder(file.endian));
            }
        }
        // Integers of 24 bits are packed bits in little-endian files. libtiff swaps the three bytes in big-endian ones, when it writes too.
        (_, 24) if file.endian == Endian::Big => chain.push(CodecSpec::Int24(Endian::Little)),
        (_, bits) => {
            let bits = u8::try_from(bits).map_err(|_| Error::unsupported(format!("tiff samples of {bits} bits")))?;
            chain.push(CodecSpec::UnpackBits { bits, row });
        }
    }
    if predictor == 2 {
        // Differences are of whole samples as unsigned integers, whatever their format says; libtiff swaps a complex number as one, so
        // only in little-endian files is it known what the two parts become.
        let swapped_parts = data_type.is_complex() && file.endian == Endian::Big;
        if !matches!(samples.bits, 8 | 16 | 32 | 64) || swapped_parts {
            return Err(Error::unsupported(format!("tiff predictor 2 on samples of {} bits in sample format {}", samples.bits, samples.format)));
        }
        chain.push(CodecSpec::Predictor { row, stride });
    }
    Ok(chain)
}

/// Refuses YCbCr whose chroma is stored at a lower resolution by other means than JPEG.
fn check_color(directory: &Directory, of_pixel: u16) -> Result<()> {
    let codec_knows = is_image(directory.compression) || matches!(directory.compression, 50001 | 34927);
    if directory.photometric != Some(6) || codec_knows && !(is_jpeg(directory.compression) && of_pixel == 1 && directory.samples > 1) {
        return Ok(());
    }
    match directory.ycbcr_subsampling {
        (1, 1) => Ok(()),
        (x, y) => Err(Error::unsupported(format!("tiff ycbcr with chroma subsampled {x}x{y} outside of jpeg"))),
    }
}

/// Bytes of an uncompressed row of a chunk.
pub(super) fn row_bytes(directory: &Directory, samples: Samples, columns: u64) -> Option<u64> {
    let of_pixel = if directory.is_separate() { 1 } else { directory.samples };
    Some(columns.checked_mul(u64::from(of_pixel))?.checked_mul(u64::from(samples.bits))?.div_ceil(8))
}

/// Columns of a chunk.
pub(super) fn columns(directory: &Directory) -> u64 {
    match directory.layout {
        Layout::Strips { .. } => directory.width,
        Layout::Tiles { width, .. } => width,
    }
}
