//! JSON documents: bounded, kept as text, looked into member by member.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::model::Limits;

/// Bytes of a member that is parsed into values, attributes and consolidated documents not counted.
const MAX_MEMBER_BYTES: usize = 4 << 20;

/// A piece of a JSON document whose depth was checked.
#[derive(Clone)]
pub(super) struct Text {
    whole: Arc<str>,
    range: Range<usize>,
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get())
    }
}

impl Text {
    /// Takes a document. Python's `NaN`, `Infinity` and `-Infinity`, which are not JSON, become strings of that name.
    pub(super) fn new(bytes: &Bytes, limits: &Limits) -> Result<Self> {
        Limits::check("max_metadata_bytes", bytes.len() as u64, limits.max_metadata_bytes)?;
        let text = std::str::from_utf8(bytes).map_err(|_| Error::malformed("a JSON document that is not UTF-8"))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let whole: Arc<str> = match clean(text, limits.max_json_depth)? {
            Some(cleaned) => cleaned.into(),
            None => text.into(),
        };
        let range = 0..whole.len();
        Ok(Self { whole, range })
    }
    pub(super) fn get(&self) -> &str {
        self.whole.get(self.range.clone()).unwrap_or_default()
    }
    /// A part of this text as a text of its own, without a copy.
    pub(super) fn part(&self, part: &RawValue) -> Self {
        let part = part.get();
        let offset = (part.as_ptr() as usize).checked_sub(self.whole.as_ptr() as usize);
        let range = offset.and_then(|start| Some(start..start.checked_add(part.len())?));
        match range.filter(|r| self.whole.get(r.clone()) == Some(part)) {
            Some(range) => Self { whole: self.whole.clone(), range },
            None => Self { whole: part.into(), range: 0..part.len() },
        }
    }
    /// The member of this object with a name; the last where it stands twice.
    pub(super) fn member(&self, name: &str) -> Result<Option<&RawValue>> {
        let mut found = None;
        for_each_member(self.get(), u64::MAX, |key, value| {
            if key == name {
                found = Some(value);
            }
            Ok(())
        })?;
        Ok(found)
    }
}

/// Calls `each` with the members of a JSON object, in order. More than `most` are refused.
pub(crate) fn for_each_member<'a>(text: &'a str, most: u64, each: impl FnMut(String, &'a RawValue) -> Result<()>) -> Result<()> {
    struct Members<F>(F, u64, Option<Error>);
    impl<'a, F: FnMut(String, &'a RawValue) -> Result<()>> Visitor<'a> for &mut Members<F> {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }
        fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> std::result::Result<(), A::Error> {
            let mut count: u64 = 0;
            while let Some((name, value)) = map.next_entry::<String, &'a RawValue>()? {
                count = count.saturating_add(1);
                let result = if count > self.1 { Err(Error::limit("max_references", count, self.1)) } else { (self.0)(name, value) };
                if let Err(error) = result {
                    self.2 = Some(error);
                    return Err(A::Error::custom("stopped"));
                }
            }
            Ok(())
        }
    }
    impl<'a, F: FnMut(String, &'a RawValue) -> Result<()>> DeserializeSeed<'a> for &mut Members<F> {
        type Value = ();
        fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
            deserializer.deserialize_map(self)
        }
    }
    let mut members = Members(each, most, None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let outcome = members.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match (members.2, outcome) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => Err(Error::malformed(error.to_string())),
        (None, Ok(())) => Ok(()),
    }
}

/// Parses one member.
pub(super) fn parse<T: DeserializeOwned>(name: &str, value: &RawValue) -> Result<T> {
    Limits::check("bytes of a member of the metadata", value.get().len() as u64, MAX_MEMBER_BYTES as u64)?;
    serde_json::from_str(value.get()).map_err(|e| Error::malformed(format!("{name}: {e}")))
}

/// Whether a text is one JSON value.
pub(super) fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Checks the depth; gives the text with the numbers that JSON lacks as strings, where there are any.
pub(crate) fn clean(text: &str, most: u64) -> Result<Option<String>> {
    let (mut depth, mut in_string, mut escaped) = (0_u64, false, false);
    let mut numbers: Vec<Range<usize>> = Vec::new();
    for (at, byte) in text.bytes().enumerate() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth = depth.saturating_add(1);
                Limits::check("max_json_depth", depth, most)?;
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'N' | b'I' => {
                let rest = text.get(at..).unwrap_or_default();
                let length = ["NaN", "Infinity"].into_iter().find(|n| rest.starts_with(n)).map_or(0, str::len);
                let negative = byte == b'I' && text.get(..at).is_some_and(|t| t.ends_with('-'));
                if length > 0 {
                    numbers.push(at.saturating_sub(usize::from(negative))..at.saturating_add(length));
                }
            }
            _ => {}
        }
    }
    if numbers.is_empty() {
        return Ok(None);
    }
    let mut cleaned = String::with_capacity(text.len().saturating_add(numbers.len().saturating_mul(2)));
    let mut from = 0;
    for number in numbers {
        cleaned.push_str(text.get(from..number.start).unwrap_or_default());
        cleaned.push('"');
        cleaned.push_str(text.get(number.clone()).unwrap_or_default());
        cleaned.push('"');
        from = number.end;
    }
    cleaned.push_str(text.get(from..).unwrap_or_default());
    Ok(Some(cleaned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_numbers_become_strings_and_depth_is_bounded() {
        let table = [
            (r#"{"a": NaN}"#, Some(r#"{"a": "NaN"}"#)),
            (r#"[-Infinity,Infinity]"#, Some(r#"["-Infinity","Infinity"]"#)),
            (r#"{"NaN": "NaN \" NaN"}"#, None),
            ("[[[1]]]", None),
        ];
        for (text, cleaned) in table {
            assert_eq!(clean(text, 3).unwrap().as_deref(), cleaned, "{text}");
        }
        assert!(clean("[[[[1]]]]", 3).is_err());
        assert!(clean(r#""[[[[""#, 3).is_ok());
    }

    #[test]
    fn members_are_parts_of_the_text() {
        let text = Text::new(&Bytes::from_static(b"{\"a\": {\"b\": 1}, \"a\": [2]}"), &Limits::default()).unwrap();
        let member = text.member("a").unwrap().unwrap();
        assert_eq!(text.part(member).get(), "[2]");
        assert!(Arc::ptr_eq(&text.part(member).whole, &text.whole));
        assert!(for_each_member("{\"a\":1,\"b\":2}", 1, |_, _| Ok(())).is_err());
        assert!(for_each_member("[1]", 1, |_, _| Ok(())).is_err());
    }
}
