//! numcodecs `json2`: a chunk of objects as JSON, `[…elements…, "|O", [shape]]`, of which texts alone are read.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};

use super::{ChunkContext, Codec, Elements, Output, Scratch};
use crate::error::{Error, Result};
use crate::model::{Limits, reserve};

/// Lists in lists in C order, whatever the array's order is; of an array without axes, a list of one.
#[derive(Debug)]
pub(super) struct Json2;

impl Codec for Json2 {
    fn name(&self) -> &str {
        "json2"
    }
    fn decode(&self, input: &[u8], chunk: &ChunkContext<'_>, _: &mut Scratch, output: &mut Output<'_>) -> Result<()> {
        let Output::Variable(texts) = output else {
            return Err(Error::codec("json2", "gives elements of different lengths, where bytes are wanted"));
        };
        texts.offsets.clear();
        texts.bytes.clear();
        // No escape of JSON is shorter than the text it stands for, and an element takes two bytes at least.
        let wanted = Limits::check("max_chunk_bytes", input.len() as u64, chunk.limits.max_chunk_bytes)?;
        if chunk.elements()? > wanted {
            return Err(Error::codec("json2", "the data ends early"));
        }
        texts.offsets = reserve(chunk.elements()?.saturating_add(1))?;
        texts.bytes = reserve(wanted)?;
        texts.offsets.push(0);
        let mut json = serde_json::Deserializer::from_slice(input);
        let list = Level { texts, shape: if chunk.shape.is_empty() { &[1] } else { chunk.shape }, told: Some(chunk.shape) };
        list.deserialize(&mut json).and_then(|()| json.end()).map_err(|e| Error::codec("json2", e.to_string()))
    }
}

/// What stands at one depth: a list as long as the first axis, or a text where no axis is left.
struct Level<'a> {
    texts: &'a mut Elements,
    shape: &'a [u64],
    /// Of the outermost list, the shape that it tells behind its elements.
    told: Option<&'a [u64]>,
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> std::result::Result<(), D::Error> {
        if self.shape.is_empty() { json.deserialize_str(self) } else { json.deserialize_seq(self) }
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = ();
    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shape.first() {
            Some(length) => write!(out, "a list of {length}"),
            None => out.write_str("a text"),
        }
    }
    fn visit_str<E>(self, text: &str) -> std::result::Result<(), E> {
        self.texts.bytes.extend_from_slice(text.as_bytes());
        self.texts.offsets.push(self.texts.bytes.len() as u64);
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<(), A::Error> {
        let Some((length, shape)) = self.shape.split_first() else { return Err(A::Error::custom("a list instead of a text")) };
        let early = || A::Error::custom("a list ends early");
        for _ in 0..*length {
            list.next_element_seed(Level { texts: &mut *self.texts, shape, told: None })?.ok_or_else(early)?;
        }
        if let Some(shape) = self.told {
            list.next_element::<String>()?.ok_or_else(early)?;
            if list.next_element::<Vec<u64>>()?.ok_or_else(early)? != shape {
                return Err(A::Error::custom("another shape than the chunk's"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::codec::{Chain, ChunkContext, Elements, Output, Registry, Scratch};
    use crate::model::{CodecSpec, DataType, FillValue, Limits, RawJson};

    /// Joined by `|`, as numcodecs 0.16 encodes and decodes them.
    #[test]
    fn texts() {
        let limits = Limits::default();
        let spec = CodecSpec::Other { name: "json2".into(), configuration: RawJson::default() };
        let chain = Chain::compile(&[spec], &DataType::Text, &FillValue::ZERO, &Registry::default(), &limits).unwrap();
        let table: [(&str, &[u64], Option<&str>); 11] = [
            (r#"["a","\u00e9","","zz\ud83d\ude00","|O",[4]]"#, &[4], Some("a|é||zz😀")),
            (r#"[["a","b","c"],["d","e","f"],"|O",[2,3]]"#, &[2, 3], Some("a|b|c|d|e|f")),
            (r#"["a","|O",[]]"#, &[], Some("a")),
            (r#"["a","|O",[1]]"#, &[2], None),
            (r#"["a","b","|O",[1]]"#, &[2], None),
            (r#"["a","b","|O",[3]]"#, &[3], None),
            (r#"["a",1,"|O",[2]]"#, &[2], None),
            (r#"["a",null,"|O",[2]]"#, &[2], None),
            (r#"["a",["b"],"|O",[2]]"#, &[2], None),
            (r#"["a","b","|O",[2]]x"#, &[2], None),
            (r#"["a","b""#, &[2], None),
        ];
        for (json, shape, expected) in table {
            let mut texts = Elements::default();
            let chunk = ChunkContext::new(shape, &DataType::Text, &limits);
            let decoded = chain.decode(json.as_bytes(), &chunk, &mut Scratch::default(), &mut Output::Variable(&mut texts));
            let found = decoded.ok().map(|()| {
                let parts = texts.offsets.windows(2).map(|w| &texts.bytes[w[0] as usize..w[1] as usize]);
                parts.map(|b| std::str::from_utf8(b).unwrap()).collect::<Vec<_>>().join("|")
            });
            assert_eq!(found.as_deref(), expected, "{json}");
        }
    }
}
