//! The tables of compressions in `docs/formats.md` and the code say the same.

use std::collections::BTreeMap;
use std::path::Path;

use super::build::{FLAVOURS, image, parse, with};
use crate::error::ErrorKind;
use crate::model::Limits;

/// The rows of the table whose head begins with `head`, as cells.
fn table(text: &str, head: &str) -> Vec<Vec<String>> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with(head));
    assert!(lines.next().is_some() && lines.next().is_some(), "no table {head}");
    let rows = lines.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// The codes of a table, each with the first cell of its row.
fn codes(rows: &[Vec<String>]) -> BTreeMap<u16, &str> {
    let mut all = BTreeMap::new();
    for row in rows {
        for code in row[1].split(", ") {
            let before = all.insert(code.parse().unwrap_or_else(|e| panic!("{row:?}: {e}")), row[0].as_str());
            assert_eq!(before, None, "{code} stands there twice");
        }
    }
    all
}

/// What is refused of any image with this compression.
fn refusal(compression: u16) -> Option<String> {
    let mut all = None;
    // A codec may want other samples than the usual ones: how many, of how many bits, what they mean.
    for (samples, bits, photometric) in [(1, 8, 1), (3, 8, 2), (1, 1, 0), (1, 2, 1), (1, 4, 1), (1, 16, 32844), (3, 16, 32845)] {
        let pixel = [(277, 3, vec![samples]), (258, 3, vec![bits; samples as usize]), (262, 3, vec![photometric])];
        let tags: Vec<_> = [(259, 3, vec![u64::from(compression)])].into_iter().chain(pixel).collect();
        let file = parse(FLAVOURS[0].file(&with(image(30, 10), &tags))).unwrap();
        match file.directories[0].array(&file, &Limits::default()) {
            Ok(_) => return None,
            Err(error) => match error.kind() {
                ErrorKind::Unsupported(name) => _ = all.get_or_insert_with(|| name.clone()),
                // It was looked at: what lacks is in the other tags.
                _ => return None,
            },
        }
    }
    all
}

#[test]
fn every_compression_is_read_or_refused_as_the_tables_say() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/formats.md")).unwrap();
    let (read, refused) = (table(&text, "| compression |"), table(&text, "| refused compression |"));
    let (read, refused) = (codes(&read), codes(&refused));
    assert!(read.len() > 20 && refused.len() > 10);
    let mut wrong = Vec::new();
    for compression in 0..=u16::MAX {
        let (is_read, name) = (read.contains_key(&compression), refused.get(&compression));
        let expected = match (is_read, name) {
            (true, Some(_)) => panic!("{compression} stands in both tables"),
            (true, None) => None,
            (false, Some(name)) => Some(format!("tiff compression {name} ({compression})")),
            (false, None) => Some(format!("tiff compression unknown ({compression})")),
        };
        let found = refusal(compression);
        if found != expected {
            wrong.push(format!("{compression}: {found:?}, by the tables {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
