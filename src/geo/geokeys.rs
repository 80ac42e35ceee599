//! GeoTIFF's keys (OGC GeoTIFF 1.1, section 7.1).

use std::collections::BTreeMap;

/// The value of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyValue {
    /// A code or a number.
    Short(u16),
    /// Several.
    Shorts(Vec<u16>),
    /// Numbers.
    Doubles(Vec<f64>),
    /// Text, without the bar that ends it.
    Text(String),
}

/// The keys of an image.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GeoKeys {
    revision: (u16, u16),
    keys: BTreeMap<u16, KeyValue>,
}

impl GeoKeys {
    /// GTModelType: 1 projected, 2 geographic, 3 geocentric.
    pub const MODEL_TYPE: u16 = 1024;
    /// GTRasterType: 1 a pixel is an area, 2 a point.
    pub const RASTER_TYPE: u16 = 1025;
    /// GTCitation.
    pub const CITATION: u16 = 1026;
    /// GeodeticCRS.
    pub const GEODETIC_CRS: u16 = 2048;
    /// GeodeticCitation.
    pub const GEODETIC_CITATION: u16 = 2049;
    /// ProjectedCRS.
    pub const PROJECTED_CRS: u16 = 3072;
    /// ProjectedCitation.
    pub const PROJECTED_CITATION: u16 = 3073;

    /// Parses the directory of keys; one whose values are not where it says is left out.
    #[must_use]
    pub fn parse(directory: &[u16], doubles: &[f64], ascii: &str) -> Self {
        let mut keys = BTreeMap::new();
        let Some(([_, major, minor, count], rest)) = directory.split_first_chunk::<4>() else { return Self::default() };
        for entry in rest.chunks_exact(4).take(usize::from(*count)) {
            let &[key, place, count, value] = entry else { continue };
            let range = usize::from(value)..usize::from(value) + usize::from(count);
            let value = match place {
                0 => Some(KeyValue::Short(value)),
                34735 => directory.get(range).map(|v| KeyValue::Shorts(v.to_vec())),
                34736 => doubles.get(range).map(|v| KeyValue::Doubles(v.to_vec())),
                34737 => text(ascii, range).map(KeyValue::Text),
                _ => None,
            };
            if let Some(value) = value {
                keys.entry(key).or_insert(value);
            }
        }
        Self { revision: (*major, *minor), keys }
    }
    /// The revision of the keys: (1, 0) of GeoTIFF 1.0, (1, 1) of OGC GeoTIFF 1.1.
    #[must_use]
    pub fn revision(&self) -> (u16, u16) {
        self.revision
    }
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: u16) -> Option<&KeyValue> {
        self.keys.get(&key)
    }
    /// The value of a key that is a code.
    #[must_use]
    pub fn code(&self, key: u16) -> Option<u16> {
        match self.keys.get(&key)? {
            KeyValue::Short(code) => Some(*code),
            KeyValue::Shorts(codes) => codes.first().copied(),
            _ => None,
        }
    }
    /// The value of a key that is a number.
    #[must_use]
    pub fn number(&self, key: u16) -> Option<f64> {
        match self.keys.get(&key)? {
            KeyValue::Short(code) => Some(f64::from(*code)),
            KeyValue::Doubles(numbers) => numbers.first().copied(),
            _ => None,
        }
    }
    /// The value of a key that is text.
    #[must_use]
    pub fn text(&self, key: u16) -> Option<&str> {
        match self.keys.get(&key)? {
            KeyValue::Text(text) => Some(text),
            _ => None,
        }
    }
    /// All keys, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &KeyValue)> {
        self.keys.iter().map(|(key, value)| (*key, value))
    }
    /// Whether coordinates are those of the centres of pixels.
    #[must_use]
    pub fn pixel_is_point(&self) -> bool {
        self.code(Self::RASTER_TYPE) == Some(2)
    }
}

/// A part of the text of all keys. It may end early where a writer left out the last bar.
fn text(ascii: &str, range: std::ops::Range<usize>) -> Option<String> {
    if range.start > ascii.len() {
        return None;
    }
    let part: String = if ascii.is_ascii() {
        ascii.get(range.start..range.end.min(ascii.len()))?.to_owned()
    } else {
        // Writers count bytes in a code page of a byte a letter.
        ascii.chars().skip(range.start).take(range.len()).collect()
    };
    Some(part.trim_end_matches(['|', '\0']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_bad_places_are_left_out() {
        let directory = [
            1, 1, 0, 9, // nine keys, of which seven are there
            1024, 0, 1, 1, //
            1025, 0, 1, 2, //
            1026, 34737, 6, 0, //
            2049, 34737, 5, 900, //
            2057, 34736, 1, 1, //
            2059, 34736, 1, 2, //
            3080, 7, 1, 0,
        ];
        let keys = GeoKeys::parse(&directory, &[1.5, 6_378_137.0], "WGS84|more|");
        assert_eq!(keys.code(GeoKeys::MODEL_TYPE), Some(1));
        assert!(keys.pixel_is_point());
        assert_eq!(keys.text(GeoKeys::CITATION), Some("WGS84"));
        assert_eq!(keys.number(2057), Some(6_378_137.0));
        assert_eq!(keys.iter().map(|(k, _)| k).collect::<Vec<_>>(), [1024, 1025, 1026, 2057]);
        for broken in [&[][..], &[1, 1, 0], &[1, 1, 0, 65535], &[1, 1, 0, 1, 1024, 0, 1], &[1, 1, 0, 1, 1024, 34735, 65535, 65535]] {
            assert!(GeoKeys::parse(broken, &[], "").is_empty());
        }
        // Any version, in any order; of two values the first.
        let unordered = GeoKeys::parse(&[2, 1, 7, 3, 3072, 0, 1, 32633, 1024, 0, 1, 1, 3072, 0, 1, 4326], &[], "");
        assert_eq!((unordered.revision(), unordered.code(GeoKeys::PROJECTED_CRS), unordered.code(1024)), ((1, 7), Some(32633), Some(1)));
        let accents = GeoKeys::parse(&[1, 1, 0, 1, 1026, 34737, 4, 1], &[], "éèxyz|");
        assert_eq!(accents.text(1026), Some("èxyz"));
    }
}
