//! Codecs by name and parameters: what a parser says of a chain, and the codec layer runs.

use bytes::Bytes;

use super::{AxisOrder, DataType, Field, RawJson};

/// Byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endian {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl Endian {
    /// The machine's own.
    #[must_use]
    pub const fn native() -> Self {
        if cfg!(target_endian = "little") { Self::Little } else { Self::Big }
    }
}

/// The two bit orders of LZW in TIFF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LzwBits {
    /// Most significant bit first, codes widen one early (TIFF 6.0, section 13).
    Msb,
    /// Least significant bit first, as writers before TIFF 6.0 had it.
    Old,
}

/// The ways that CCITT fax is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaxCoding {
    /// Runs, each row starting on a byte (TIFF 6.0, section 10).
    Rle,
    /// Runs, each row starting on a multiple of 16 bits.
    RleWords,
    /// Rows behind end-of-line codes (ITU-T T.4).
    Group3 {
        /// Rows may be told by their differences from the row above.
        two_dimensional: bool,
    },
    /// Rows told by their differences from the row above (ITU-T T.6).
    Group4,
}

/// The ways that luminance is coded as its logarithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogLuvCoding {
    /// 16 bits of luminance, in runs.
    L16,
    /// 16 bits of luminance and 8 each of u' and v', in runs.
    Luv32,
    /// 10 bits of luminance and 14 of chromaticity, not compressed.
    Luv24,
}

/// What the samples of a JPEG tile are to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JpegColor {
    /// YCbCr is turned into RGB.
    ToRgb,
    /// The same of samples of 8 bits that do not take the whole range: black and white of each component (TIFF 6.0, ReferenceBlackWhite).
    ToRgbWithin([u16; 6]),
    /// The samples as coded.
    AsStored,
}

/// The arrangement of bytes before a Blosc compressor (only told by `plan` and `info`; the container itself says it again).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum BloscShuffle {
    None,
    Bytes,
    Bits,
}

/// One step of a chain, in the direction of decoding.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodecSpec {
    // ---- bytes to bytes
    /// A zlib stream (RFC 1950); raw Deflate is taken too, as some TIFF writers leave the header out.
    Zlib,
    /// Raw Deflate (RFC 1951).
    Deflate,
    /// gzip members (RFC 1952).
    Gzip,
    /// Zstandard frames (RFC 8878).
    Zstd,
    /// An LZ4 block behind its decoded length as a 32-bit little-endian number (numcodecs `lz4`).
    Lz4,
    /// A Blosc 1 container.
    Blosc,
    /// bzip2 streams.
    Bzip2,
    /// LZMA: an .xz or .lzma stream.
    Xz,
    /// A raw LZMA2 or LZMA1 stream with these filters (numcodecs `lzma` with format raw), as the JSON of the filters.
    LzmaRaw(RawJson),
    /// LZW as in TIFF.
    Lzw(LzwBits),
    /// PackBits (TIFF 6.0, section 9).
    PackBits,
    /// CRC-32C, 4 bytes little-endian behind (or before) the data.
    Crc32c {
        /// Before the data.
        at_start: bool,
    },
    /// CRC-32 (ISO 3309), 4 bytes little-endian before (numcodecs) or behind the data.
    Crc32 {
        /// Before the data.
        at_start: bool,
    },
    /// Adler-32, 4 bytes little-endian before (numcodecs) or behind the data.
    Adler32 {
        /// Before the data.
        at_start: bool,
    },
    /// HDF5's Fletcher-32, 4 bytes behind the data.
    Fletcher32,
    /// GDAL's block leader: the length as a 32-bit little-endian number, then that many bytes; what follows is left out.
    SizeLeader,
    /// The i-th bytes of all elements together: numcodecs and HDF5 shuffle.
    Shuffle {
        /// Bytes of an element.
        element: usize,
    },
    /// Bits reversed inside each byte (TIFF FillOrder 2).
    ReverseBits,
    /// What the step before gives beyond the chunk's size is left out, as libtiff does; elsewhere it is an error.
    LeaveSurplus,

    // ---- bytes to elements
    /// Elements in this byte order. Without this step elements are in the machine's.
    ByteOrder(Endian),
    /// Of records, some fields in this byte order: those of `fields`, a record of the same size that leaves the others out.
    FieldOrder {
        /// The fields.
        fields: DataType,
        /// Their byte order.
        endian: Endian,
    },
    /// Integers of this many bits, packed most significant bit first, each row starting on a byte: 1 to 31, widened to the array's type.
    UnpackBits {
        /// Bits of one sample.
        bits: u8,
        /// Samples of a row.
        row: u64,
    },
    /// 24-bit floating point (1 sign, 7 exponent, 16 fraction bits), widened to `F32`.
    Float24(Endian),
    /// 24-bit integers widened to 32 bits.
    Int24(Endian),
    /// numcodecs `packbits`: bools as bits behind a byte that says how many of the last are padding.
    BoolBits,
    /// A JPEG tile; with the tables that the file keeps once for all. Lossless streams too.
    Jpeg {
        /// The tables: an abbreviated stream, with its SOI and EOI markers. Where there is a frame header among them, tiles are what follows
        /// in the stream, without markers of their own (old-style JPEG).
        tables: Option<Bytes>,
        /// What becomes of the samples.
        color: JpegColor,
        /// Samples of a pixel.
        samples: u16,
        /// Bits of a sample; above 8, elements are of 16 bits.
        bits: u8,
    },
    /// A WebP tile.
    Webp {
        /// Samples of a pixel: 3, or 4 with alpha.
        samples: u16,
    },
    /// A JPEG XL tile (ISO/IEC 18181), colours and extra channels in their order, in the type of the elements.
    JpegXl {
        /// Samples of a pixel.
        samples: u16,
    },
    /// A JPEG 2000 tile (ISO/IEC 15444-1), a bare codestream or in JP2 boxes, in the type of the elements.
    Jpeg2000 {
        /// Samples of a pixel.
        samples: u16,
    },
    /// A PNG tile, in the type of the elements.
    Png {
        /// Samples of a pixel: 1 to 4.
        samples: u16,
    },
    /// A LERC blob (any version), its values and its validity.
    Lerc {
        /// Samples of a pixel.
        samples: u16,
    },
    /// CCITT fax: 0 for white and 1 for black, whatever the file takes these for.
    Fax(FaxCoding),
    /// ThunderScan, 4-bit samples as bytes.
    ThunderScan,
    /// NeXT, 2-bit samples as bytes.
    Next,
    /// SGILog: the code of the luminance, and u' and v' times 2^15 where they are there.
    LogLuv(LogLuvCoding),
    /// Texts or byte strings, each behind its length (numcodecs `vlen-utf8`, `vlen-bytes`).
    Vlen,

    // ---- elements to elements
    /// Differences to the sample before in the row undone (TIFF predictor 2).
    Predictor {
        /// Samples of a row, all bands together.
        row: u64,
        /// Distance to the sample before: the bands of a pixel.
        stride: u16,
    },
    /// Floating point predictor (TIFF predictor 3, Adobe Photoshop technical note 3).
    FloatPredictor {
        /// Samples of a row, all bands together.
        row: u64,
        /// Distance to the byte before: the bands of a pixel.
        stride: u16,
    },
    /// Differences to the element before undone (numcodecs `delta`).
    Delta {
        /// The type of the differences as stored.
        stored: DataType,
        /// The type of the result.
        decoded: DataType,
    },
    /// `value / scale + offset` (numcodecs `fixedscaleoffset`), computed in the decoded type as NumPy does; scale and offset as the bits of an `f64`.
    FixedScaleOffset {
        /// The type as stored.
        stored: DataType,
        /// The type of the result.
        decoded: DataType,
        /// The scale's bits.
        scale: u64,
        /// The offset's bits.
        offset: u64,
    },
    /// A cast as NumPy's `astype`.
    Cast {
        /// The type as stored.
        stored: DataType,
        /// The type of the result.
        decoded: DataType,
    },
    /// Axes of the decoded chunk in the order given; for chains where it cannot be the array's [`AxisOrder`].
    Transpose(AxisOrder),
    /// One field of a record.
    Field {
        /// The record's size in bytes.
        record: usize,
        /// The field.
        field: Field,
    },
    /// A whole shard decoded at once, where what surrounds it leaves its inner ranges without meaning.
    Shard {
        /// Shape of an inner chunk.
        chunk: Vec<u64>,
        /// The inner chunks' chain.
        chain: Vec<CodecSpec>,
        /// The index's chain.
        index_chain: Vec<CodecSpec>,
        /// Whether the index stands at the start.
        index_at_start: bool,
        /// One element, for inner chunks that are absent; empty for zeros.
        fill: Bytes,
    },

    /// A codec known by name: the caller's own, or one of the long tail.
    Other {
        /// Its name in the metadata.
        name: String,
        /// Its configuration.
        configuration: RawJson,
    },
}

impl CodecSpec {
    /// Its name, for people.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Zlib => "zlib",
            Self::Deflate => "deflate",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Blosc => "blosc",
            Self::Bzip2 => "bzip2",
            Self::Xz | Self::LzmaRaw(_) => "lzma",
            Self::Lzw(_) => "lzw",
            Self::PackBits => "packbits",
            Self::Crc32c { .. } => "crc32c",
            Self::Crc32 { .. } => "crc32",
            Self::Adler32 { .. } => "adler32",
            Self::Fletcher32 => "fletcher32",
            Self::SizeLeader => "size-leader",
            Self::Shuffle { .. } => "shuffle",
            Self::ReverseBits => "reverse-bits",
            Self::LeaveSurplus => "leave-surplus",
            Self::ByteOrder(Endian::Little) => "little-endian",
            Self::ByteOrder(Endian::Big) => "big-endian",
            Self::FieldOrder { endian: Endian::Little, .. } => "little-endian-fields",
            Self::FieldOrder { endian: Endian::Big, .. } => "big-endian-fields",
            Self::UnpackBits { .. } => "bits",
            Self::Float24(_) => "float24",
            Self::Int24(_) => "int24",
            Self::BoolBits => "bool-bits",
            Self::Jpeg { .. } => "jpeg",
            Self::Webp { .. } => "webp",
            Self::JpegXl { .. } => "jpegxl",
            Self::Jpeg2000 { .. } => "jpeg2000",
            Self::Png { .. } => "png",
            Self::Lerc { .. } => "lerc",
            Self::Fax(FaxCoding::Rle | FaxCoding::RleWords) => "ccitt-rle",
            Self::Fax(FaxCoding::Group3 { .. }) => "ccitt-group3",
            Self::Fax(FaxCoding::Group4) => "ccitt-group4",
            Self::ThunderScan => "thunderscan",
            Self::Next => "next",
            Self::LogLuv(LogLuvCoding::L16 | LogLuvCoding::Luv32) => "sgilog",
            Self::LogLuv(LogLuvCoding::Luv24) => "sgilog24",
            Self::Vlen => "vlen",
            Self::Predictor { .. } => "predictor-2",
            Self::FloatPredictor { .. } => "predictor-3",
            Self::Delta { .. } => "delta",
            Self::FixedScaleOffset { .. } => "fixedscaleoffset",
            Self::Cast { .. } => "cast",
            Self::Transpose(_) => "transpose",
            Self::Field { .. } => "field",
            Self::Shard { .. } => "sharding_indexed",
            Self::Other { name, .. } => name,
        }
    }

    /// How many codecs a chain has, those inside of others counted.
    #[must_use]
    pub fn count(chain: &[Self]) -> u64 {
        let of = |step: &Self| match step {
            Self::Shard { chain, index_chain, .. } => Self::count(chain).saturating_add(Self::count(index_chain)).saturating_add(1),
            _ => 1,
        };
        chain.iter().map(of).fold(0, u64::saturating_add)
    }
}
