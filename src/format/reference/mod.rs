//! kerchunk reference files (versions 0 and 1): a JSON object that says of each name of a Zarr store where its bytes are.
//!
//! A reference file comes from outside, and may send its reader anywhere. So it may by itself refer only to objects of its own origin
//! (scheme and host), a local one only to files below its own folder; more is for the caller to allow.

#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "parquet")]
mod parquet_pages;
mod target;

#[cfg(feature = "parquet")]
pub use parquet::ParquetReferences;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

pub(crate) use target::is_allowed;
use target::{Base, Targets};

use super::zarr::{check_name, clean, decode_base64, for_each_member};
use crate::error::{Error, Result};
use crate::model::{ByteSpan, Limits, ObjectKey, Reference};

/// Parses a reference file that was read from `base_url`. `allow` is asked of every URL that is outside of the file's own origin.
///
/// # Errors
/// `Malformed`, `Limit`, `Unsupported` (`kerchunk gen`, templates with calls), `Usage` for a reference that is not allowed.
pub fn parse_references(bytes: &[u8], base_url: &str, limits: &Limits, allow: &dyn Fn(&str) -> bool) -> Result<Arc<HashMap<String, Reference>>> {
    parse(bytes, base_url, limits, allow).map(Arc::new).map_err(|e| e.in_object(base_url))
}

fn parse(bytes: &[u8], base_url: &str, limits: &Limits, allow: &dyn Fn(&str) -> bool) -> Result<HashMap<String, Reference>> {
    Limits::check("max_metadata_bytes", bytes.len() as u64, limits.max_metadata_bytes)?;
    let text = std::str::from_utf8(bytes).map_err(|_| Error::malformed("a reference file that is not UTF-8"))?;
    let cleaned = clean(text, limits.max_json_depth)?;
    let text = cleaned.as_deref().unwrap_or(text);

    let (mut version, mut refs, mut templates, mut generated) = (None, None, None, None);
    for_each_member(text, limits.max_references, |name, value| {
        match name.as_str() {
            "version" => version = Some(value),
            "refs" => refs = Some(value),
            "templates" => templates = Some(value),
            "gen" => generated = Some(value),
            _ => {}
        }
        Ok(())
    })?;
    let mut reader = Reader { targets: Targets::new(Base::new(base_url), allow, limits), templates: HashMap::new(), map: HashMap::new() };
    let list = match (version.map(RawValue::get), refs) {
        (Some("1"), Some(refs)) => {
            if generated.is_some_and(|g| !matches!(g.get(), "null" | "[]")) {
                return Err(Error::unsupported("kerchunk gen"));
            }
            if let Some(templates) = templates.filter(|t| t.get() != "null") {
                for_each_member(templates.get(), limits.max_references, |name, value| reader.template(name, value))?;
            }
            refs.get()
        }
        (Some(version), Some(_)) => return Err(Error::unsupported(format!("kerchunk version {}", version.chars().take(20).collect::<String>()))),
        _ => text,
    };
    for_each_member(list, limits.max_references, |name, value| reader.reference(name, value))?;
    Ok(reader.map)
}

struct Reader<'a> {
    targets: Targets<'a>,
    templates: HashMap<String, String>,
    map: HashMap<String, Reference>,
}

impl Reader<'_> {
    fn template(&mut self, name: String, value: &RawValue) -> Result<()> {
        let value: String = serde_json::from_str(value.get()).map_err(|e| Error::malformed(format!("template {name}: {e}")))?;
        if value.contains("{{") {
            return Err(Error::unsupported(format!("kerchunk template {name} with parameters")));
        }
        self.templates.insert(name, value);
        Ok(())
    }

    fn reference(&mut self, name: String, value: &RawValue) -> Result<()> {
        check_name(&name)?;
        let bad = || Error::malformed(format!("reference {name}: neither text nor [url] nor [url, offset, length]"));
        let reference = match value.get().as_bytes().first() {
            Some(b'"') => {
                let text: String = serde_json::from_str(value.get()).map_err(|_| bad())?;
                Reference::Inline(match text.strip_prefix("base64:") {
                    Some(encoded) => decode_base64(encoded).ok_or_else(bad)?.into(),
                    None => text.into(),
                })
            }
            // Documents may stand as JSON instead of as text.
            Some(b'{') => Reference::Inline(Bytes::copy_from_slice(value.get().as_bytes())),
            Some(b'[') => {
                let parts: Vec<Value> = serde_json::from_str(value.get()).map_err(|_| bad())?;
                match parts.as_slice() {
                    [Value::String(url)] | [Value::String(url), Value::Null, Value::Null] => Reference::Whole(self.target(url)?),
                    [Value::String(url), offset, length] => {
                        let (Some(offset), Some(length)) = (offset.as_u64(), length.as_u64()) else { return Err(bad()) };
                        Reference::Range(ByteSpan::new(&self.target(url)?, offset, length).ok_or_else(bad)?)
                    }
                    _ => return Err(bad()),
                }
            }
            _ => return Err(bad()),
        };
        self.map.insert(name, reference);
        Ok(())
    }

    fn target(&mut self, written: &str) -> Result<ObjectKey> {
        let templates = &self.templates;
        self.targets.object(written, |url| if url.contains("{{") { substitute(templates, url).map(Cow::Owned) } else { Ok(url.into()) })
    }
}

/// Replaces `{{name}}`.
fn substitute(templates: &HashMap<String, String>, url: &str) -> Result<String> {
    let mut done = String::new();
    let mut rest = url;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, behind) = after.split_once("}}").ok_or_else(|| Error::malformed("a template that is not closed"))?;
        let value = templates.get(name.trim());
        let value = value.ok_or_else(|| Error::unsupported(format!("kerchunk template {}", name.trim().chars().take(60).collect::<String>())))?;
        done.push_str(before);
        done.push_str(value);
        rest = behind;
        Limits::check("bytes of a URL", done.len() as u64, 1 << 16)?;
    }
    done.push_str(rest);
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, base: &str) -> Result<Arc<HashMap<String, Reference>>> {
        parse_references(text.as_bytes(), base, &Limits::default(), &|url| url.starts_with("s3://open/"))
    }

    fn range(url: &str, start: u64, length: u64) -> Reference {
        Reference::Range(ByteSpan::new(&ObjectKey::new(url), start, length).unwrap())
    }

    #[test]
    fn both_versions() {
        let base = "https://h.net/a/refs.json";
        let v0 = r#"{".zgroup": "{\"zarr_format\": 2}", "x/.zarray": {"shape": [1], "fill_value": NaN}, "x/0": "base64:Zm9v", "x/1": ["b.nc", 5, 7], "x/2": ["/c.nc"]}"#;
        let map = parse(v0, base).unwrap();
        assert_eq!(map[".zgroup"], Reference::Inline(Bytes::from_static(b"{\"zarr_format\": 2}")));
        assert_eq!(map["x/.zarray"], Reference::Inline(Bytes::from_static(b"{\"shape\": [1], \"fill_value\": \"NaN\"}")));
        assert_eq!(map["x/0"], Reference::Inline(Bytes::from_static(b"foo")));
        assert_eq!(map["x/1"], range("https://h.net/a/b.nc", 5, 7));
        assert_eq!(map["x/2"], Reference::Whole(ObjectKey::new("https://h.net/c.nc")));
        let v1 = r#"{"version": 1, "templates": {"u": "s3://open/k"}, "refs": {"x/0": ["{{u}}/b.nc", 0, 9], "x/1": ["{{ u }}.nc"]}}"#;
        let map = parse(v1, base).unwrap();
        assert_eq!(map["x/0"], range("s3://open/k/b.nc", 0, 9));
        assert_eq!(map["x/1"], Reference::Whole(ObjectKey::new("s3://open/k.nc")));
    }

    #[test]
    fn a_reference_file_leads_nowhere_else() {
        let table = [
            ("https://h.net/a/r.json", "https://h.net/z", true),
            ("https://h.net/a/r.json", "../z", true),
            ("https://h.net/a/r.json", "../../z", false),
            ("https://h.net/a/r.json", "https://h.net.evil/z", false),
            ("https://h.net/a/r.json", "http://h.net/z", false),
            ("https://h.net/a/r.json", "http://169.254.169.254/latest", false),
            ("https://h.net/a/r.json", "file:///etc/passwd", false),
            ("https://h.net/a/r.json", "s3://open/z", true),
            ("https://h.net/a/r.json", "s3://other/z", false),
            ("file:///d/a/r.json", "b/z", true),
            ("file:///d/a/r.json", "./b/../z", true),
            ("file:///d/a/r.json", "../z", false),
            ("file:///d/a/r.json", "/etc/passwd", false),
            ("file:///d/a/r.json", "file:///d/a/z", true),
            ("file:///d/a/r.json", "file:///d/ab/z", false),
            ("file:///d/a/r.json", "file:///d/a/../z", false),
            ("file:///d/a/r.json", "%2e%2e/z", false),
            ("file:///d/a/r.json", "file://evil/d/a/z", false),
            ("file:///d/a/r.json", "FILE:///d/a/z", true),
        ];
        for (base, url, allowed) in table {
            let text = format!(r#"{{"x/0": ["{url}"]}}"#);
            assert_eq!(parse(&text, base).is_ok(), allowed, "{base} {url}");
        }
    }

    #[test]
    fn what_is_allowed_ends_at_a_border() {
        let allowed = ["https://h.net".to_owned(), "s3://open/a".to_owned(), "gs://".to_owned()];
        for url in ["https://h.net", "https://h.net/x", "s3://open/a", "s3://open/a/x", "gs://any/x"] {
            assert!(is_allowed(&allowed, url), "{url}");
        }
        for url in ["https://h.net.evil/x", "https://h.net@evil/x", "https://h.net:1/x", "http://h.net/x", "s3://open/ab/x", "s3://open", "file:///x"]
        {
            assert!(!is_allowed(&allowed, url), "{url}");
        }
    }

    /// A template of 60 KiB that a hundred references name, each with an end of its own.
    #[test]
    fn templates_cannot_be_made_into_more_than_the_file_may_hold() {
        let refs = |own: bool| (0..100).map(|i| format!(r#""x/{i}":["{{{{u}}}}{}"]"#, if own { i } else { 0 })).collect::<Vec<_>>().join(",");
        let text = |own| format!(r#"{{"version":1,"templates":{{"u":"{}"}},"refs":{{{}}}}}"#, "u/".repeat(30_000), refs(own));
        let limits = Limits { max_metadata_bytes: 1 << 20, ..Limits::default() };
        let parse = |own| parse_references(text(own).as_bytes(), "https://h.net/r.json", &limits, &|_| false);
        assert!(matches!(parse(true).unwrap_err().kind(), crate::ErrorKind::Limit { what: "max_metadata_bytes", .. }));
        assert_eq!(parse(false).unwrap().len(), 100);
    }

    #[test]
    fn what_is_refused() {
        let table = [
            "[]",
            "{",
            r#"{"../x": "a"}"#,
            r#"{"x/0": 5}"#,
            r#"{"x/0": ["a", -1, 5]}"#,
            r#"{"x/0": ["a", 18446744073709551615, 5]}"#,
            r#"{"x/0": "base64:!"}"#,
            r#"{"version": 1, "refs": {"x/0": ["{{u}}/a"]}}"#,
            r#"{"version": 1, "refs": {"x/0": ["{{u/a"]}}"#,
            r#"{"version": 1, "refs": {}, "gen": [{"key": "x"}]}"#,
            r#"{"version": 2, "refs": {}}"#,
            r#"{"version": 1, "refs": {}, "templates": {"f": "{{c}}"}}"#,
        ];
        for text in table {
            assert!(parse(text, "https://h.net/r.json").is_err(), "{text}");
        }
        let few = Limits { max_references: 1, ..Limits::default() };
        assert!(parse_references(br#"{"a": "x", "b": "y"}"#, "https://h.net/r.json", &few, &|_| false).is_err());
    }
}
