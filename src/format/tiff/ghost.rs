//! GDAL's ghost area: promises on the file's structure, as text right behind the header (GDAL's COG driver documentation).

const HEAD: &[u8] = b"GDAL_STRUCTURAL_METADATA_SIZE=";

/// The structural metadata behind the header of a file that GDAL wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GhostArea {
    /// Keys and values in the order of the file.
    pub items: Vec<(String, String)>,
}

impl GhostArea {
    /// Parses what stands behind the header; `None` where that is no ghost area.
    #[must_use]
    pub(super) fn parse(behind_header: &[u8]) -> Option<Self> {
        let rest = behind_header.strip_prefix(HEAD)?;
        let digits = rest.get(..6)?;
        let size = std::str::from_utf8(digits).ok()?.trim().parse::<usize>().ok()?;
        let body = rest.get(6..)?.strip_prefix(b" bytes\n")?;
        let body = body.get(..size.min(body.len()))?;
        let text = String::from_utf8_lossy(body);
        let pair = |line: &str| line.trim_matches([' ', '\0', '\r']).split_once('=').map(|(k, v)| (k.to_owned(), v.trim().to_owned()));
        Some(Self { items: text.split('\n').filter_map(pair).collect() })
    }
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.items.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }
    /// Whether all directories stand before all pixels, and nobody changed the file since.
    #[must_use]
    pub fn directories_first(&self) -> bool {
        self.get("LAYOUT") == Some("IFDS_BEFORE_DATA") && !self.is_outdated()
    }
    /// Whether each chunk carries its length in the 4 bytes before its first, and the chunks of a directory ascend in the file.
    #[must_use]
    pub fn leaders(&self) -> bool {
        self.get("BLOCK_LEADER") == Some("SIZE_AS_UINT4") && self.get("BLOCK_ORDER") == Some("ROW_MAJOR") && self.directories_first()
    }
    /// Whether a later edit broke the promises.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        self.get("KNOWN_INCOMPATIBLE_EDITION") == Some("YES")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_are_read_and_distrusted_when_broken() {
        let text = |edition: &str| {
            let body = format!(
                "LAYOUT=IFDS_BEFORE_DATA\nBLOCK_ORDER=ROW_MAJOR\nBLOCK_LEADER=SIZE_AS_UINT4\nBLOCK_TRAILER=LAST_4_BYTES_REPEATED\nKNOWN_INCOMPATIBLE_EDITION={edition}\n "
            );
            format!("GDAL_STRUCTURAL_METADATA_SIZE={:06} bytes\n{body}II", body.len()).into_bytes()
        };
        let good = GhostArea::parse(&text("NO")).unwrap();
        assert!(good.leaders() && good.directories_first());
        assert_eq!(good.get("BLOCK_TRAILER"), Some("LAST_4_BYTES_REPEATED"));
        assert_eq!(good.items.len(), 5);
        let edited = GhostArea::parse(&text("YES")).unwrap();
        assert!(!edited.leaders() && !edited.directories_first() && edited.is_outdated());
        for bad in
            [&b""[..], b"GDAL_STRUCTURAL_METADATA_SIZE=", b"GDAL_STRUCTURAL_METADATA_SIZE=abcdef bytes\n", b"GDAL_STRUCTURAL_METADATA_SIZE=000009"]
        {
            assert!(GhostArea::parse(bad).is_none());
        }
        assert_eq!(GhostArea::parse(b"GDAL_STRUCTURAL_METADATA_SIZE=999999 bytes\nA=B").unwrap().get("A"), Some("B"));
    }
}
