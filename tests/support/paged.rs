//! A TIFF of 3.2 million tiles, of which two are stored.

/// How its tiles are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paged {
    /// Uncompressed.
    Raw,
    /// Uncompressed, with GDAL's leaders.
    Leaders,
    /// Packed, one behind the other.
    PackBits,
}

/// Tiles of a side of the image, whose table is read by pages: 3.2 million tiles.
pub(crate) const ACROSS: u64 = 1789;
/// Pixels of a side of a tile.
pub(crate) const TILE: u64 = 64;

/// A BigTIFF with its directory before tables of 38 MB, of which only the rows of one tile and the next are not zero.
pub(crate) fn paged(tile: u64, kind: Paged) -> Vec<u8> {
    let promises = "LAYOUT=IFDS_BEFORE_DATA\nBLOCK_ORDER=ROW_MAJOR\nBLOCK_LEADER=SIZE_AS_UINT4\nBLOCK_TRAILER=LAST_4_BYTES_REPEATED\n\
                    KNOWN_INCOMPATIBLE_EDITION=NO\n ";
    let ghost = if kind == Paged::Leaders { format!("GDAL_STRUCTURAL_METADATA_SIZE={:06} bytes\n{promises}", promises.len()) } else { String::new() };
    let tiles = ACROSS * ACROSS;
    let directory = 16 + ghost.len() as u64;
    let entries = 10;
    let offsets = directory + 8 + entries * 20 + 8;
    let lengths = offsets + tiles * 8;
    let data = lengths + tiles * 4;
    let mut file = b"II\x2b\0\x08\0\0\0".to_vec();
    file.extend(directory.to_le_bytes());
    file.extend(ghost.as_bytes());
    file.extend(entries.to_le_bytes());
    let (short, long, long8) = (3_u16, 4_u16, 16_u16);
    let rows: [(u16, u16, u64, u64); 10] = [
        (256, long, 1, ACROSS * TILE),
        (257, long, 1, ACROSS * TILE),
        (258, short, 1, 8),
        (259, short, 1, if kind == Paged::PackBits { 32_773 } else { 1 }),
        (262, short, 1, 1),
        (277, short, 1, 1),
        (322, long, 1, TILE),
        (323, long, 1, TILE),
        (324, long8, tiles, offsets),
        (325, long, tiles, lengths),
    ];
    for (tag, kind, count, value) in rows {
        file.extend(tag.to_le_bytes());
        file.extend(kind.to_le_bytes());
        file.extend(count.to_le_bytes());
        file.extend(value.to_le_bytes());
    }
    file.resize(usize::try_from(data).unwrap(), 0);
    for (row, value) in [(tile, 9), (tile + 1, 8)] {
        let stored = match kind {
            // Runs of 128.
            Paged::PackBits => [129, value].repeat(usize::try_from(TILE * TILE / 128).unwrap()),
            _ => vec![value; usize::try_from(TILE * TILE).unwrap()],
        };
        let length = u32::try_from(stored.len()).unwrap();
        file.extend(length.to_le_bytes());
        let at = |base: u64, width: u64| usize::try_from(base + row * width).unwrap();
        let start = file.len() as u64;
        file[at(offsets, 8)..at(offsets, 8) + 8].copy_from_slice(&start.to_le_bytes());
        file[at(lengths, 4)..at(lengths, 4) + 4].copy_from_slice(&length.to_le_bytes());
        file.extend(stored);
        file.extend([value; 4]);
    }
    file
}
