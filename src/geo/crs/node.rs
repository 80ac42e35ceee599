//! Well-known text, of either version, as a tree.

use crate::error::{Error, Result};

/// No definition nests deeper.
const MAX_DEPTH: usize = 24;
/// No definition is longer; a tree takes many times the bytes of its text.
const MAX_LENGTH: usize = 1 << 20;

/// `KEYWORD["text", 1.5, word, NODE[...]]`; parentheses do as well as brackets.
#[derive(Debug, Default)]
pub(super) struct Node<'a> {
    keyword: &'a str,
    /// All of the node as it is written.
    text: &'a str,
    texts: Vec<&'a str>,
    numbers: Vec<f64>,
    nodes: Vec<Node<'a>>,
}

impl<'a> Node<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self> {
        let mut rest = text.trim_start();
        let parsed = if text.len() <= MAX_LENGTH { Self::read(&mut rest, 0) } else { None };
        parsed.ok_or_else(|| Error::malformed("a definition that is not well-known text"))
    }

    fn read(rest: &mut &'a str, depth: usize) -> Option<Self> {
        let start = *rest;
        let (keyword, inner) = rest.split_once(['[', '('])?;
        let keyword = keyword.trim_end();
        if keyword.is_empty() || !keyword.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return None;
        }
        let mut node = Self { keyword, ..Self::default() };
        *rest = inner;
        loop {
            *rest = rest.trim_start();
            if let Some(quoted) = rest.strip_prefix('"') {
                let end = closing_quote(quoted)?;
                node.texts.push(quoted.get(..end)?);
                *rest = quoted.get(end + 1..)?;
            } else {
                let end = rest.find([',', '[', ']', '(', ')'])?;
                let (word, behind) = rest.split_at(end);
                if behind.starts_with(['[', '(']) {
                    node.nodes.push(if depth < MAX_DEPTH { Self::read(rest, depth + 1)? } else { return None });
                } else {
                    // Directions of axes are bare words.
                    node.numbers.extend(word.trim().parse::<f64>().ok().filter(|n| n.is_finite()));
                    *rest = behind;
                }
            }
            *rest = rest.trim_start();
            let ends = rest.starts_with([']', ')']);
            *rest = rest.strip_prefix([',', ']', ')'])?;
            if ends {
                node.text = start.get(..start.len() - rest.len())?;
                return Some(node);
            }
        }
    }

    pub(super) fn keyword(&self) -> &'a str {
        self.keyword
    }
    pub(super) fn is(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.keyword.eq_ignore_ascii_case(keyword))
    }
    pub(super) fn text(&self) -> &'a str {
        self.text
    }
    pub(super) fn texts(&self) -> &[&'a str] {
        &self.texts
    }
    pub(super) fn numbers(&self) -> &[f64] {
        &self.numbers
    }
    pub(super) fn nodes(&self) -> &[Self] {
        &self.nodes
    }
    /// Its first text, quotes in it still doubled.
    pub(super) fn name(&self) -> &'a str {
        self.texts.first().copied().unwrap_or_default()
    }
    pub(super) fn child(&self, keyword: &str) -> Option<&Self> {
        self.nodes.iter().find(|n| n.is(&[keyword]))
    }
    pub(super) fn need(&self, keyword: &str) -> Result<&Self> {
        self.child(keyword).ok_or_else(|| Error::malformed(format!("well-known text without {keyword}")))
    }
    pub(super) fn number(&self, index: usize) -> Result<f64> {
        self.numbers.get(index).copied().ok_or_else(|| Error::malformed(format!("{} without a number", self.keyword)))
    }
    /// Its own code in the EPSG register: `ID["EPSG",4326]`, `AUTHORITY["EPSG","4326"]`.
    pub(super) fn epsg(&self) -> Option<u32> {
        let own = |node: &Self| {
            let is_epsg = node.is(&["ID", "AUTHORITY"]) && node.name().eq_ignore_ascii_case("EPSG");
            let number = || node.numbers.first().filter(|n| n.fract() == 0.0).map(|n| format!("{n:.0}"));
            let code = node.texts.get(1).filter(|_| node.numbers.is_empty()).map(|text| (*text).to_owned()).or_else(number);
            code.filter(|_| is_epsg)?.trim().parse().ok()
        };
        self.nodes.iter().find_map(own)
    }
}

/// Where a text ends; a quote in it is doubled.
fn closing_quote(quoted: &str) -> Option<usize> {
    let bytes = quoted.as_bytes();
    let mut at = 0;
    loop {
        at += bytes.get(at..)?.iter().position(|b| *b == b'"')?;
        if bytes.get(at + 1) != Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}
