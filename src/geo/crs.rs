//! Coordinate reference systems.

use std::fmt;

use super::{GeoKeys, KeyValue};

/// A coordinate reference system: by its EPSG code, or by what the file says of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Crs {
    /// Its code in the EPSG register.
    Epsg(u32),
    /// One without a code.
    UserDefined(Box<UserCrs>),
}

/// A coordinate reference system that a file defines itself.
#[derive(Debug, Clone, PartialEq)]
pub struct UserCrs {
    /// Its name, as far as it has one.
    pub name: String,
    /// What its coordinates are.
    pub kind: CrsKind,
    /// The keys that define it.
    pub keys: GeoKeys,
}

/// What the coordinates of a system are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrsKind {
    /// Lengths on a map.
    Projected,
    /// Angles.
    Geographic,
    /// Lengths from the centre of the earth.
    Geocentric,
    /// Not known.
    Unknown,
}

/// The code that says that there is no code.
const USER_DEFINED: u16 = 32767;

impl Crs {
    /// From GeoTIFF's keys; `None` where they name no horizontal system. A vertical one is left out.
    #[must_use]
    pub fn from_geokeys(keys: &GeoKeys) -> Option<Self> {
        let projected = keys.code(GeoKeys::PROJECTED_CRS).filter(|c| *c != 0);
        let geodetic = keys.code(GeoKeys::GEODETIC_CRS).filter(|c| *c != 0);
        let kind = match keys.code(GeoKeys::MODEL_TYPE) {
            Some(1) => CrsKind::Projected,
            Some(2) => CrsKind::Geographic,
            Some(3) => CrsKind::Geocentric,
            _ if projected.is_some() => CrsKind::Projected,
            _ if geodetic.is_some() => CrsKind::Geographic,
            _ => CrsKind::Unknown,
        };
        let code = match kind {
            CrsKind::Projected => projected,
            CrsKind::Geographic | CrsKind::Geocentric => geodetic,
            CrsKind::Unknown => None,
        };
        match code {
            Some(code) if code != USER_DEFINED => return Some(Self::Epsg(u32::from(code))),
            None if kind == CrsKind::Unknown && keys.text(GeoKeys::CITATION).is_none() => return None,
            _ => {}
        }
        let of_kind = if kind == CrsKind::Projected { GeoKeys::PROJECTED_CITATION } else { GeoKeys::GEODETIC_CITATION };
        let name = keys.text(of_kind).or_else(|| keys.text(GeoKeys::CITATION)).unwrap_or_default().to_owned();
        Some(Self::UserDefined(Box::new(UserCrs { name, kind, keys: keys.clone() })))
    }
    /// Its code in the EPSG register, if it has one.
    #[must_use]
    pub fn epsg(&self) -> Option<u32> {
        match self {
            Self::Epsg(code) => Some(*code),
            Self::UserDefined(_) => None,
        }
    }
}

impl UserCrs {
    /// The value of one of the keys that define it.
    #[must_use]
    pub fn key(&self, key: u16) -> Option<&KeyValue> {
        self.keys.get(key)
    }
}

impl fmt::Display for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Epsg(code) => write!(f, "EPSG:{code}"),
            Self::UserDefined(user) if user.name.is_empty() => f.write_str("user-defined"),
            Self::UserDefined(user) => write!(f, "user-defined: {}", user.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_definitions() {
        let of = |keys: &[[u16; 4]]| {
            let mut directory = vec![1, 1, 0, u16::try_from(keys.len()).unwrap()];
            directory.extend(keys.iter().flatten());
            Crs::from_geokeys(&GeoKeys::parse(&directory, &[], "My map|"))
        };
        assert_eq!(of(&[[1024, 0, 1, 1], [3072, 0, 1, 32633]]), Some(Crs::Epsg(32633)));
        assert_eq!(of(&[[1024, 0, 1, 2], [2048, 0, 1, 4326]]), Some(Crs::Epsg(4326)));
        assert_eq!(of(&[[1024, 0, 1, 1], [2048, 0, 1, 4326], [3072, 0, 1, 3857]]), Some(Crs::Epsg(3857)));
        assert_eq!(of(&[[3072, 0, 1, 3857]]), Some(Crs::Epsg(3857)));
        assert_eq!(of(&[[1025, 0, 1, 1]]), None);
        assert_eq!(of(&[]), None);
        let user = of(&[[1024, 0, 1, 1], [3072, 0, 1, 32767], [3073, 34737, 7, 0]]).unwrap();
        assert_eq!((user.epsg(), user.to_string().as_str()), (None, "user-defined: My map"));
    }
}
