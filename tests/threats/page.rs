//! `docs/security.md` names tests: each stands where the page says.

use std::collections::BTreeSet;
use std::path::Path;

/// Pairs of a file and a function, as the page writes them: `path/to/file.rs`: `one`, `two`.
fn named(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for row in page.lines().filter(|line| line.starts_with('|')) {
        let mut file = None;
        for word in row.split('`').skip(1).step_by(2) {
            if word.ends_with(".rs") {
                file = Some(word);
            } else if let Some(file) = file.filter(|_| word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')) {
                found.push((file.to_owned(), word.to_owned()));
            }
        }
    }
    found
}

#[test]
fn every_test_of_the_page_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/security.md")).unwrap();
    let mut missing = Vec::new();
    for (file, function) in named(&page) {
        let text = std::fs::read_to_string(root.join(&file)).unwrap_or_default();
        // With or without an argument: those of property tests have some.
        if !text.contains(&format!("fn {function}(")) {
            missing.push(format!("{file}: {function}"));
        }
    }
    assert!(missing.is_empty(), "the page names what is not there: {missing:#?}");
}

/// Every threat has its row, and every row a test.
#[test]
fn every_threat_has_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/security.md")).unwrap();
    let numbers: BTreeSet<u32> = page
        .lines()
        .filter_map(|line| {
            let number = line.strip_prefix("| T")?.split(' ').next()?.parse().ok()?;
            (!named(line).is_empty() || line.contains("`.ci/run`")).then_some(number)
        })
        .collect();
    assert_eq!(numbers, (1..=24).collect());
}
