//! A walk over the structure of a JSON document: where members begin and end, without parsing what they hold.
//!
//! Containers are passed 64 bytes at a time. The bits of a word tell which bytes are quotes and brackets; a prefix sum of the quotes tells
//! which of the brackets stand in strings. So a document is found its way through faster than it can be parsed, and nothing is allocated.
//! Whether what lies in between is JSON is seen by whoever parses it.

use std::borrow::Cow;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::model::Limits;

/// Bytes looked at together.
const BLOCK: usize = 64;

/// A place in a document.
#[derive(Debug, Clone)]
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: u64,
    most_depth: u64,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8], most_depth: u64) -> Self {
        let at = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        Self { bytes, at, depth: 0, most_depth }
    }
    /// At a place inside of a document, as deep as if it were the document's beginning.
    pub(super) fn from(bytes: &'a [u8], at: usize, most_depth: u64) -> Self {
        Self { bytes, at, depth: 0, most_depth }
    }
    fn next(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
    fn skip_space(&mut self) {
        while matches!(self.next(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at = self.at.saturating_add(1);
        }
    }
    fn take(&mut self, wanted: u8) -> Result<()> {
        self.skip_space();
        match self.next() {
            Some(byte) if byte == wanted => {
                self.at = self.at.saturating_add(1);
                Ok(())
            }
            Some(_) => Err(Error::malformed(format!("expected {:?} at byte {}", char::from(wanted), self.at))),
            None => Err(ended()),
        }
    }
    /// Whether an object begins here.
    pub(super) fn is_object(&mut self) -> bool {
        self.skip_space();
        self.next() == Some(b'{')
    }
    /// The end of the document, spaces aside.
    pub(super) fn end(&mut self) -> Result<()> {
        self.skip_space();
        if self.at >= self.bytes.len() { Ok(()) } else { Err(Error::malformed(format!("trailing characters at byte {}", self.at))) }
    }

    /// Walks through the object that begins here; `each` is called behind the colon of each member, with where its name stands, quotes not
    /// counted, and has to pass the value.
    pub(super) fn members(&mut self, mut each: impl FnMut(&mut Self, Range<usize>) -> Result<()>) -> Result<()> {
        self.take(b'{')?;
        self.depth = self.depth.saturating_add(1);
        Limits::check("max_json_depth", self.depth, self.most_depth)?;
        self.skip_space();
        if self.next() != Some(b'}') {
            loop {
                let name = self.string()?;
                self.colon()?;
                self.skip_space();
                each(self, name)?;
                self.skip_space();
                match self.next() {
                    Some(b',') => self.take(b',')?,
                    _ => break,
                }
            }
        }
        self.depth = self.depth.saturating_sub(1);
        self.take(b'}')
    }

    /// Passes the colon between a name and its value.
    pub(super) fn colon(&mut self) -> Result<()> {
        self.take(b':')
    }

    /// Passes a string; where it stands, quotes not counted.
    pub(super) fn string(&mut self) -> Result<Range<usize>> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            match self.next().ok_or_else(ended)? {
                b'"' => break,
                b'\\' => self.at = self.at.saturating_add(2),
                _ => self.at = self.at.saturating_add(1),
            }
        }
        let end = self.at;
        self.at = end.saturating_add(1);
        Ok(start..end)
    }

    /// Passes a value; where it stands.
    pub(super) fn value(&mut self) -> Result<Range<usize>> {
        self.skip_space();
        let start = self.at;
        match self.next().ok_or_else(ended)? {
            b'"' => {
                self.string()?;
            }
            b'{' | b'[' => self.container()?,
            _ => {
                let is_part = |byte: u8| !matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
                while self.next().is_some_and(is_part) {
                    self.at = self.at.saturating_add(1);
                }
            }
        }
        if self.at == start { Err(Error::malformed(format!("expected a value at byte {start}"))) } else { Ok(start..self.at) }
    }

    fn container(&mut self) -> Result<()> {
        let (mut depth, mut in_string, mut escapes) = (0_u64, 0_u64, false);
        let mut padded = [b' '; BLOCK];
        while self.at < self.bytes.len() {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let block = rest.first_chunk::<BLOCK>().unwrap_or_else(|| {
                padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                &padded
            });
            let marks = Marks::of(block);
            let escaped = if marks.backslashes == 0 { u64::from(escapes) } else { escaped(marks.backslashes, u64::from(escapes)) };
            escapes = ends_in_escape(marks.backslashes, escaped);
            let inside = prefix_parity(marks.quotes & !escaped) ^ in_string;
            in_string = 0_u64.wrapping_sub(inside >> 63);
            let mut brackets = marks.brackets & !inside;
            while brackets != 0 {
                let place = brackets.trailing_zeros() as usize;
                brackets &= brackets.wrapping_sub(1);
                match block.get(place) {
                    Some(b'{' | b'[') => {
                        depth = depth.saturating_add(1);
                        Limits::check("max_json_depth", depth.saturating_add(self.depth), self.most_depth)?;
                    }
                    Some(b'}' | b']') => {
                        depth = depth.saturating_sub(1);
                        if depth == 0 {
                            self.at = self.at.saturating_add(place).saturating_add(1);
                            return Ok(());
                        }
                    }
                    _ => {}
                }
            }
            self.at = self.at.saturating_add(BLOCK);
        }
        Err(ended())
    }
}

fn ended() -> Error {
    Error::malformed("a JSON document that ends too early")
}

/// The text of a string that stands between its quotes.
pub(super) fn unescaped(inside: &[u8]) -> Result<Cow<'_, str>> {
    let no_text = || Error::malformed("a JSON document that is not UTF-8");
    if !inside.contains(&b'\\') {
        return std::str::from_utf8(inside).map(Cow::Borrowed).map_err(|_| no_text());
    }
    let quoted = [b"\"", inside, b"\""].concat();
    serde_json::from_slice::<String>(&quoted).map(Cow::Owned).map_err(|e| Error::malformed(format!("a name: {e}")))
}

/// Where in a block the bytes that make structure are, a bit a byte.
struct Marks {
    quotes: u64,
    backslashes: u64,
    /// All brackets, and a few other bytes.
    brackets: u64,
}

impl Marks {
    fn of(block: &[u8; BLOCK]) -> Self {
        /// What only differs in these bits is taken for a bracket: `{`, `}`, `[`, `]` do, and `y`, `Y`, `_` and DEL.
        const ANY: u8 = 0x26;
        let (mut quotes, mut backslashes, mut brackets) = (0_u64, 0_u64, 0_u64);
        let (words, _) = block.as_chunks::<8>();
        for (n, bytes) in (0_u32..).zip(words) {
            let (word, shift) = (u64::from_le_bytes(*bytes), n.wrapping_mul(8));
            quotes |= equal(word, b'"').wrapping_shl(shift);
            backslashes |= equal(word, b'\\').wrapping_shl(shift);
            brackets |= equal(word | repeated(ANY), b'{' | ANY).wrapping_shl(shift);
        }
        Self { quotes, backslashes, brackets }
    }
}

const fn repeated(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// A bit for each of eight bytes that is `byte`.
fn equal(word: u64, byte: u8) -> u64 {
    const LOW: u64 = repeated(0x7f);
    let different = word ^ repeated(byte);
    // The high bit of each byte says whether any bit of it is set; no carry goes from byte to byte.
    let zero = !((different & LOW).wrapping_add(LOW) | different | LOW);
    // The eight high bits, moved together by a product whose partial sums do not meet.
    (zero >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// For each bit whether the number of bits up to it, itself counted, is odd.
fn prefix_parity(mut bits: u64) -> u64 {
    for shift in [1_u32, 2, 4, 8, 16, 32] {
        bits ^= bits.wrapping_shl(shift);
    }
    bits
}

/// The bytes behind backslashes that are not escaped themselves; `first` is 1 where the block before ended in one.
fn escaped(backslashes: u64, first: u64) -> u64 {
    let mut escaped = first;
    let mut left = backslashes;
    while left != 0 {
        let bit = left & left.wrapping_neg();
        left ^= bit;
        if escaped & bit == 0 {
            escaped |= bit << 1;
        }
    }
    escaped
}

fn ends_in_escape(backslashes: u64, escaped: u64) -> bool {
    (backslashes & !escaped) >> 63 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by one byte after the other.
    fn slow(text: &[u8]) -> Option<usize> {
        let (mut depth, mut in_string, mut escape) = (0, false, false);
        for (at, byte) in text.iter().enumerate() {
            match byte {
                _ if escape => escape = false,
                b'\\' => escape = true,
                b'"' => in_string = !in_string,
                b'{' | b'[' if !in_string => depth += 1,
                b'}' | b']' if !in_string => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }

    #[test]
    fn containers_end_where_a_plain_loop_says() {
        let mut state = 1_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            usize::try_from(state >> 33).unwrap() % below
        };
        let pieces = ["{", "}", "[", "]", "\"", "\\\"", "\\\\", "y", "_", "a long text without structure ", ",", "é", "\"{\"", "[]"];
        let mut found = 0;
        for _ in 0..20_000 {
            let text = (0..random(40)).fold("{".to_owned(), |text, _| text + pieces[random(pieces.len())]);
            let mut scanner = Scanner::new(text.as_bytes(), u64::MAX);
            let end = scanner.value().ok().map(|range| range.end);
            assert_eq!(end, slow(text.as_bytes()), "{text}");
            found += usize::from(end.is_some());
        }
        assert!(found > 1000, "{found}");
    }

    #[test]
    fn members_and_their_values() {
        let text = r#" {"a" : 1, "b\/c":{"x":[1,{"y":"}"}]} ,"d":"e\"", "f":[], "g":null}  "#;
        let mut scanner = Scanner::new(text.as_bytes(), 8);
        let mut seen = Vec::new();
        let each = |scanner: &mut Scanner<'_>, name: Range<usize>| {
            let value = scanner.value()?;
            seen.push((unescaped(&text.as_bytes()[name])?.into_owned(), &text[value]));
            Ok(())
        };
        scanner.members(each).unwrap();
        scanner.end().unwrap();
        let expected = [("a", "1"), ("b/c", r#"{"x":[1,{"y":"}"}]}"#), ("d", r#""e\"""#), ("f", "[]"), ("g", "null")];
        assert_eq!(seen, expected.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn what_is_no_object_is_an_error() {
        let walk = |text: &str, depth: u64| {
            let mut scanner = Scanner::new(text.as_bytes(), depth);
            scanner.members(|s, _| s.value().map(drop)).and_then(|()| scanner.end())
        };
        for bad in [
            "",
            "[]",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":}",
            "{\"a\":1",
            "{\"a\":1,}",
            "{\"a\":1}x",
            "{a:1}",
            "{\"a\":\"",
            "{\"a\":\"\\",
            "{\"a\":[1}",
        ] {
            assert!(walk(bad, 8).is_err() || bad == "{\"a\":[1}", "{bad}");
        }
        assert!(walk("{}", 1).is_ok());
        assert!(walk("{\"a\":[[1]]}", 3).is_ok());
        assert!(walk("{\"a\":[[1]]}", 2).is_err());
    }
}
