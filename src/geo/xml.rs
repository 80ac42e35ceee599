//! As much of XML as GDAL's metadata are written in: tags with quoted attributes, text with the five named entities and numeric ones,
//! comments, CDATA. What does not parse ends the document.

use std::borrow::Cow;

/// A piece of a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A start tag, or an empty element.
    Start { name: &'a str, attributes: &'a str, empty: bool },
    /// An end tag.
    End(&'a str),
    /// Text between tags.
    Text(Cow<'a, str>),
}

/// The pieces of a document in their order; no nesting is checked.
pub(super) struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(document: &'a str) -> Self {
        Self { rest: document }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = self.rest;
            if let Some(comment) = rest.strip_prefix("<!--") {
                self.rest = comment.split_once("-->").map_or("", |(_, after)| after);
            } else if let Some(data) = rest.strip_prefix("<![CDATA[") {
                let (data, after) = data.split_once("]]>").unwrap_or((data, ""));
                self.rest = after;
                return Some(Token::Text(Cow::Borrowed(data)));
            } else if let Some(tag) = rest.strip_prefix('<') {
                let (tag, after) = split_tag(tag)?;
                self.rest = after;
                if let Some(name) = tag.strip_prefix('/') {
                    return Some(Token::End(name.trim()));
                }
                if tag.starts_with(['?', '!']) {
                    continue;
                }
                let (name, attributes) = tag.split_at(tag.find(|c: char| c.is_whitespace() || c == '/').unwrap_or(tag.len()));
                return Some(Token::Start { name, attributes: attributes.trim_end_matches('/'), empty: tag.ends_with('/') });
            } else if rest.is_empty() {
                return None;
            } else {
                let (text, after) = rest.split_at(rest.find('<').unwrap_or(rest.len()));
                self.rest = after;
                return Some(Token::Text(Cow::Owned(decoded(text))));
            }
        }
    }
}

/// Names and values of a tag's attributes.
pub(super) fn attributes(mut text: &str) -> impl Iterator<Item = (&str, String)> {
    std::iter::from_fn(move || {
        let (name, rest) = text.split_once('=')?;
        let rest = rest.trim_start();
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (value, after) = rest.get(1..)?.split_once(quote)?;
        text = after;
        Some((name.trim(), decoded(value)))
    })
}

/// The value of one attribute.
pub(super) fn attribute(text: &str, name: &str) -> Option<String> {
    attributes(text).find(|(n, _)| *n == name).map(|(_, value)| value)
}

/// What stands up to the `>` of a tag, which may also stand in a quoted attribute.
pub(super) fn split_tag(text: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match quote {
            Some(q) if c == q => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == '>' => return Some((&text[..at], &text[at + 1..])),
            None => {}
        }
    }
    None
}

/// Text with its entities replaced; what is none is kept as it stands.
pub(super) fn decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let entity = after.bytes().take(11).position(|b| b == b';').map(|end| (&after[..end], &after[end + 1..]));
        match entity.and_then(|(name, after)| Some((character(name)?, after))) {
            Some((c, after)) => {
                out.push(c);
                rest = after;
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn character(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = entity.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_in_pieces() {
        let start = |name, attributes, empty| Token::Start { name, attributes, empty };
        let text = |t: &'static str| Token::Text(Cow::Borrowed(t));
        let xml = "<?xml?><a b='1>2'><!-- <no> -->x &amp; y<c/><![CDATA[<d>]]></a><e";
        let expected = [start("a", " b='1>2'", false), text("x & y"), start("c", "", true), text("<d>"), Token::End("a")];
        assert_eq!(Tokens::of(xml).collect::<Vec<_>>(), expected);
        assert_eq!(attribute(" b = '1&lt;2' c=\"3\"", "c").as_deref(), Some("3"));
        assert_eq!(attribute(" b = '1&lt;2' c=\"3\"", "b").as_deref(), Some("1<2"));
        for broken in ["", "<", "<a", "<a b='", "<!--", "<![CDATA["] {
            assert!(Tokens::of(broken).all(|t| t == text("")), "{broken}");
        }
    }
}
