//! Tags: their numbers, the types of their values, and the values themselves (TIFF 6.0, section 2; BigTIFF).

use bytes::Bytes;

use crate::model::Endian;

macro_rules! tags {
    ($($name:ident = $number:literal),* $(,)?) => {
        $(pub(super) const $name: u16 = $number;)*
        /// Whether this parser reads the tag.
        pub(super) fn is_known(tag: u16) -> bool {
            [$($number),*].contains(&tag)
        }
    };
}

tags! {
    NEW_SUBFILE_TYPE = 254,
    SUBFILE_TYPE = 255,
    IMAGE_WIDTH = 256,
    IMAGE_LENGTH = 257,
    BITS_PER_SAMPLE = 258,
    COMPRESSION = 259,
    PHOTOMETRIC = 262,
    FILL_ORDER = 266,
    DOCUMENT_NAME = 269,
    IMAGE_DESCRIPTION = 270,
    STRIP_OFFSETS = 273,
    ORIENTATION = 274,
    SAMPLES_PER_PIXEL = 277,
    ROWS_PER_STRIP = 278,
    STRIP_BYTE_COUNTS = 279,
    PLANAR_CONFIGURATION = 284,
    PAGE_NAME = 285,
    T4_OPTIONS = 292,
    PAGE_NUMBER = 297,
    SOFTWARE = 305,
    DATE_TIME = 306,
    PREDICTOR = 317,
    COLOR_MAP = 320,
    TILE_WIDTH = 322,
    TILE_LENGTH = 323,
    TILE_OFFSETS = 324,
    TILE_BYTE_COUNTS = 325,
    SUB_IFDS = 330,
    EXTRA_SAMPLES = 338,
    SAMPLE_FORMAT = 339,
    JPEG_TABLES = 347,
    JPEG_PROC = 512,
    JPEG_INTERCHANGE_FORMAT = 513,
    JPEG_INTERCHANGE_LENGTH = 514,
    JPEG_RESTART_INTERVAL = 515,
    JPEG_Q_TABLES = 519,
    JPEG_DC_TABLES = 520,
    JPEG_AC_TABLES = 521,
    YCBCR_SUBSAMPLING = 530,
    REFERENCE_BLACK_WHITE = 532,
    IMAGE_DEPTH = 32997,
    TILE_DEPTH = 32998,
    MODEL_PIXEL_SCALE = 33550,
    MODEL_TIEPOINT = 33922,
    MODEL_TRANSFORMATION = 34264,
    GEO_KEY_DIRECTORY = 34735,
    GEO_DOUBLE_PARAMS = 34736,
    GEO_ASCII_PARAMS = 34737,
    GDAL_METADATA = 42112,
    GDAL_NODATA = 42113,
    LERC_PARAMETERS = 50674,
    RPC_COEFFICIENTS = 50844,
}

/// Whether the values of a tag are held as floating point numbers, or as integers of as many bytes.
pub(super) fn is_of_floats(tag: u16) -> bool {
    [REFERENCE_BLACK_WHITE, MODEL_PIXEL_SCALE, MODEL_TIEPOINT, MODEL_TRANSFORMATION, GEO_DOUBLE_PARAMS, LERC_PARAMETERS, RPC_COEFFICIENTS]
        .contains(&tag)
}

/// The type of a tag's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldType {
    Unsigned(u8),
    Signed(u8),
    Text,
    Rational,
    SignedRational,
    Float,
    Double,
}

impl FieldType {
    /// The type with a code; `None` for codes that are not known, whose entries are skipped.
    pub(super) fn from_code(code: u16) -> Option<Self> {
        Some(match code {
            1 | 7 => Self::Unsigned(1),
            2 => Self::Text,
            3 => Self::Unsigned(2),
            4 | 13 => Self::Unsigned(4),
            5 => Self::Rational,
            6 => Self::Signed(1),
            8 => Self::Signed(2),
            9 => Self::Signed(4),
            10 => Self::SignedRational,
            11 => Self::Float,
            12 => Self::Double,
            16 | 18 => Self::Unsigned(8),
            17 => Self::Signed(8),
            _ => return None,
        })
    }
    /// Bytes of one value.
    pub(super) fn size(self) -> u8 {
        match self {
            Self::Unsigned(n) | Self::Signed(n) => n,
            Self::Text => 1,
            Self::Float => 4,
            Self::Rational | Self::SignedRational | Self::Double => 8,
        }
    }
}

/// An unsigned number of 1 to 8 bytes.
pub(super) fn number(bytes: &[u8], endian: Endian) -> u64 {
    let digits = |n: u64, b: &u8| n << 8 | u64::from(*b);
    match endian {
        Endian::Big => bytes.iter().fold(0, digits),
        Endian::Little => bytes.iter().rev().fold(0, digits),
    }
}

/// The values of a tag, as stored.
#[derive(Debug, Clone)]
pub(super) struct Values {
    pub(super) field: FieldType,
    pub(super) endian: Endian,
    pub(super) bytes: Bytes,
}

impl Values {
    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks_exact(usize::from(self.field.size()))
    }
    /// The values as integers that are not negative; nothing for values of another kind.
    pub(super) fn unsigned(&self) -> impl Iterator<Item = u64> {
        let integer = matches!(self.field, FieldType::Unsigned(_) | FieldType::Signed(_));
        let sign = match self.field {
            FieldType::Signed(n) => Some(u32::from(n).saturating_mul(8).saturating_sub(1)),
            _ => None,
        };
        let endian = self.endian;
        self.parts()
            .take_while(move |_| integer)
            .map(move |b| number(b, endian))
            .take_while(move |n| sign.is_none_or(|bit| n.checked_shr(bit).unwrap_or(0) & 1 == 0))
    }
    /// The first value as an integer.
    pub(super) fn first(&self) -> Option<u64> {
        self.unsigned().next()
    }
    /// The values as 16-bit integers; those that are larger become 65,535, which is a valid value of no tag that is read so.
    pub(super) fn shorts(&self) -> Vec<u16> {
        self.unsigned().map(|n| u16::try_from(n).unwrap_or(u16::MAX)).collect()
    }
    /// The values as floating point numbers.
    pub(super) fn floats(&self) -> Vec<f64> {
        #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "a bit pattern taken at its own width")]
        let one = |b: &[u8]| {
            let whole = || number(b, self.endian);
            let half = |at: usize| number(b.chunks_exact(4).nth(at).unwrap_or_default(), self.endian) as u32;
            match self.field {
                FieldType::Unsigned(_) | FieldType::Text => whole() as f64,
                FieldType::Signed(1) => f64::from(whole() as u8 as i8),
                FieldType::Signed(2) => f64::from(whole() as u16 as i16),
                FieldType::Signed(4) => f64::from(whole() as u32 as i32),
                FieldType::Signed(_) => whole() as i64 as f64,
                FieldType::Float => f64::from(f32::from_bits(whole() as u32)),
                FieldType::Double => f64::from_bits(whole()),
                FieldType::Rational => f64::from(half(0)) / f64::from(half(1)),
                FieldType::SignedRational => f64::from(half(0) as i32) / f64::from(half(1) as i32),
            }
        };
        self.parts().map(one).collect()
    }
    /// The values as text up to the first NUL; bytes that are not UTF-8 are taken as Latin-1.
    pub(super) fn text(&self) -> String {
        let bytes = self.bytes.split(|b| *b == 0).next().unwrap_or_default();
        match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|b| char::from(*b)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_type() {
        #[allow(clippy::type_complexity, reason = "a table of cases")]
        let cases: &[(u16, &[u8], &[u8], &[u64], &[f64])] = &[
            (1, &[7, 255], &[7, 255], &[7, 255], &[7., 255.]),
            (3, &[1, 2], &[2, 1], &[0x0102], &[258.]),
            (4, &[0, 0, 1, 0], &[0, 1, 0, 0], &[256], &[256.]),
            (5, &[0, 0, 0, 1, 0, 0, 0, 4], &[1, 0, 0, 0, 4, 0, 0, 0], &[], &[0.25]),
            (6, &[0xff], &[0xff], &[], &[-1.]),
            (8, &[0xff, 0xfe], &[0xfe, 0xff], &[], &[-2.]),
            (8, &[0, 3], &[3, 0], &[3], &[3.]),
            (9, &[0xff, 0xff, 0xff, 0xfd], &[0xfd, 0xff, 0xff, 0xff], &[], &[-3.]),
            (10, &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2], &[0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0], &[], &[-0.5]),
            (11, &[0x3f, 0x80, 0, 0], &[0, 0, 0x80, 0x3f], &[], &[1.]),
            (12, &[0x40, 0, 0, 0, 0, 0, 0, 0], &[0, 0, 0, 0, 0, 0, 0, 0x40], &[], &[2.]),
            (16, &[0, 0, 0, 0, 0, 0, 1, 1], &[1, 1, 0, 0, 0, 0, 0, 0], &[257], &[257.]),
            (17, &[0xff; 8], &[0xff; 8], &[], &[-1.]),
        ];
        for (code, big, little, unsigned, floats) in cases {
            for (bytes, endian) in [(big, Endian::Big), (little, Endian::Little)] {
                let values = Values { field: FieldType::from_code(*code).unwrap(), endian, bytes: Bytes::copy_from_slice(bytes) };
                assert_eq!(values.unsigned().collect::<Vec<_>>(), *unsigned, "{code} {endian:?}");
                assert_eq!(values.floats(), *floats, "{code} {endian:?}");
            }
        }
        assert!(FieldType::from_code(0).is_none() && FieldType::from_code(14).is_none() && FieldType::from_code(65535).is_none());
        let text = Values { field: FieldType::Text, endian: Endian::Big, bytes: Bytes::from_static(b"a\xe9b\0rest") };
        assert_eq!(text.text(), "aéb");
    }
}
