//! The tables of `docs/limits.md` name every field of the options, and its default.
#![cfg(feature = "read")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

use swath::model::Limits;
use swath::{NetworkOptions, ReadOptions, SessionOptions};

/// The fields of a struct and their values, as its `Debug` tells them.
fn fields(value: &impl Debug) -> BTreeMap<String, String> {
    let text = format!("{value:#?}");
    let own = text.lines().filter_map(|line| line.strip_prefix("    ").filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase())));
    own.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_owned(), value.trim_end_matches(',').to_owned())).collect()
}

/// The rows below a heading: the name in the first cell, and the default in the second as `Debug` has it.
fn rows(document: &str, heading: &str) -> BTreeMap<String, String> {
    let section = document.split("\n## ").find(|section| section.starts_with(heading)).unwrap_or_else(|| panic!("no section {heading}"));
    let table = section.lines().skip_while(|line| !line.starts_with("| --- |")).skip(1).take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let cells: Vec<&str> = line[1..line.len() - 1].split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        assert_eq!(cells.len(), 4, "{line}");
        (cells[0].to_owned(), as_debug(cells[1]))
    };
    table.map(row).collect()
}

fn as_debug(cell: &str) -> String {
    let simple = [("none", "None"), ("off", "false"), ("on", "true"), ("empty", "[]"), ("see above", "{")];
    if let Some((_, value)) = simple.iter().find(|(text, _)| *text == cell) {
        return (*value).to_owned();
    }
    if let Some(power) = cell.strip_prefix("2^") {
        return (1_u64 << power.parse::<u32>().unwrap()).to_string();
    }
    match cell.split_once(' ') {
        Some((number, unit @ ("s" | "ms"))) => format!("{number}{unit}"),
        Some((number, unit)) => {
            let shift = match unit {
                "KiB" => 10,
                "MiB" => 20,
                "GiB" => 30,
                other => panic!("{other} is no unit"),
            };
            (number.parse::<u64>().unwrap() << shift).to_string()
        }
        None => cell.replace(',', ""),
    }
}

#[test]
fn the_tables_name_every_field_and_its_default() {
    let document = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/limits.md")).unwrap();
    let structs = [
        ("`Limits`", fields(&Limits::default())),
        ("`ReadOptions`", fields(&ReadOptions::default())),
        ("`NetworkOptions`", fields(&NetworkOptions::default())),
        ("`SessionOptions`", fields(&SessionOptions::default())),
    ];
    for (heading, mut expected) in structs {
        for value in expected.values_mut().filter(|value| value.ends_with('{')) {
            *value = "{".to_owned();
        }
        assert!(expected.len() > 4, "{heading}: {expected:?}");
        assert_eq!(rows(&document, heading), expected, "{heading}");
    }
}
