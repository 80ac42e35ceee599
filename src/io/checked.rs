//! The head of an HTTP answer, held against what was asked: pure functions, for a server may say anything.
//!
//! RFC 9110 sections 14.4 (Content-Range), 15.3.7 (206), 15.5.17 (416). All sums are checked ones.

use std::ops::Range;

use super::request::Part;

/// The head of an answer, as far as reading depends on it. A header that is no text is an empty text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) content_range: Option<Box<str>>,
    /// `None` also where it is no number.
    pub(super) content_length: Option<u64>,
    pub(super) content_type: Option<Box<str>>,
    pub(super) content_encoding: Option<Box<str>>,
    pub(super) e_tag: Option<Box<str>>,
    pub(super) last_modified: Option<Box<str>>,
}

/// What a body is to bring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Promise {
    /// Of which byte of the object its first one is.
    pub(super) start: u64,
    /// How many bytes it has; `None`: as many as come.
    pub(super) length: Option<u64>,
    /// What of the object is wanted of it; its end is `u64::MAX` where that is where the body ends.
    pub(super) wanted: Range<u64>,
    /// The size of the object, where it is known.
    pub(super) size: Option<u64>,
    /// Whether it is all of the object, although a part was asked for.
    pub(super) unasked: bool,
}

/// What an answer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// What was asked for.
    Good(Promise),
    /// 404, 410.
    Missing,
    /// 304, 412.
    Changed,
    /// 416.
    NotSatisfiable,
    /// 401, 403.
    Denied,
    /// 429, 503.
    Throttled,
    /// 408, 500, 502, 504.
    Server,
    /// Any other status.
    Refused,
    /// Ranges are ignored, and the object is too large to be taken whole.
    RangeUnsupported,
    /// In a Content-Encoding.
    Encoded(String),
    /// Not what was asked for, or not consistent with itself.
    Wrong(String),
}

/// What the answer with this head is to who asked for `part`. An object is taken whole, where ranges are ignored, up to `most_whole` bytes.
pub(super) fn check(part: &Part, head: &Head, most_whole: u64) -> Verdict {
    match head.status {
        200 => {}
        206 => {}
        404 | 410 => return Verdict::Missing,
        304 | 412 => return Verdict::Changed,
        416 => return Verdict::NotSatisfiable,
        401 | 403 => return Verdict::Denied,
        429 | 503 => return Verdict::Throttled,
        408 | 500 | 502 | 504 => return Verdict::Server,
        _ => return Verdict::Refused,
    }
    if let Some(encoding) = head.content_encoding.as_deref()
        && !encoding.split(',').all(|coding| coding.trim().is_empty() || coding.trim().eq_ignore_ascii_case("identity"))
    {
        return Verdict::Encoded(encoding.chars().filter(|c| c.is_ascii_graphic()).take(32).collect());
    }
    if head.status == 206 { partial(part, head, most_whole) } else { entire(part, head, most_whole) }
}

fn partial(part: &Part, head: &Head, most_whole: u64) -> Verdict {
    let wrong = |what: String| Verdict::Wrong(what);
    if head.content_type.as_deref().is_some_and(|t| t.trim_start().to_ascii_lowercase().starts_with("multipart/")) {
        return wrong("an answer of several parts where one range was asked for".to_owned());
    }
    let Some(came) = head.content_range.as_deref().and_then(content_range) else {
        return wrong("a Content-Range that is missing or malformed".to_owned());
    };
    let length = came.end - came.start;
    if head.content_length.is_some_and(|told| told != length) {
        return wrong(format!("a body of {} bytes for a Content-Range of {length}", head.content_length.unwrap_or(0)));
    }
    let wanted = match (part, came.size) {
        (Part::Range(asked), Some(size)) => asked.start.min(size)..asked.end.min(size),
        (Part::Range(asked), None) => asked.clone(),
        (Part::Suffix(asked), Some(size)) => size.saturating_sub(*asked)..size,
        // Where the object ends is not said, so only as many bytes as were asked for can be its last ones.
        (Part::Suffix(asked), None) if length == *asked => came.start..came.end,
        (Part::Suffix(_), None) => return wrong("the last bytes of an object of unknown size".to_owned()),
        (Part::Whole { .. }, size) => 0..size.unwrap_or(u64::MAX),
    };
    if came.start > wanted.start || came.end < wanted.end {
        return wrong(format!("bytes {}..{} were asked for, {}..{} came", wanted.start, wanted.end, came.start, came.end));
    }
    // What comes beside what was asked for is read over, up to what is taken of an object whose ranges are ignored.
    if !matches!(part, Part::Whole { .. }) && length - (wanted.end - wanted.start) > most_whole {
        return Verdict::RangeUnsupported;
    }
    Verdict::Good(Promise { start: came.start, length: Some(length), wanted, size: came.size, unasked: false })
}

fn entire(part: &Part, head: &Head, most_whole: u64) -> Verdict {
    let size = head.content_length;
    let good = |wanted, unasked| Verdict::Good(Promise { start: 0, length: size, wanted, size, unasked });
    match part {
        Part::Whole { .. } => good(0..size.unwrap_or(u64::MAX), false),
        _ if size.is_some_and(|size| size > most_whole) => Verdict::RangeUnsupported,
        Part::Range(_) | Part::Suffix(_) => good(0..size.unwrap_or(u64::MAX), true),
    }
}

/// What a Content-Range says came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContentRange {
    pub(super) start: u64,
    /// One past the last byte.
    pub(super) end: u64,
    /// `None` for `*`.
    pub(super) size: Option<u64>,
}

/// `bytes 0-9/100` or `bytes 0-9/*`.
pub(super) fn content_range(text: &str) -> Option<ContentRange> {
    let (range, size) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let number = |text: &str| text.trim().bytes().all(|b| b.is_ascii_digit()).then(|| text.trim().parse::<u64>().ok()).flatten();
    let size = if size.trim() == "*" { None } else { Some(number(size)?) };
    let (start, end) = (number(first)?, number(last)?.checked_add(1)?);
    (start < end && size.is_none_or(|size| end <= size)).then_some(ContentRange { start, end, size })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(status: u16, content_range: Option<&str>, content_length: Option<u64>) -> Head {
        Head { status, content_range: content_range.map(Into::into), content_length, ..Head::default() }
    }

    #[test]
    fn content_ranges() {
        assert_eq!(content_range("bytes 0-9/100"), Some(ContentRange { start: 0, end: 10, size: Some(100) }));
        assert_eq!(content_range("bytes 5-9/*"), Some(ContentRange { start: 5, end: 10, size: None }));
        for bad in [
            "bytes 0-18446744073709551615/18446744073709551615",
            "bytes 9-0/100",
            "bytes 0-100/100",
            "bytes +0-9/100",
            "bytes NaN-100/9",
            "bytes */100",
            "0-9/9",
            "",
        ] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }

    #[test]
    fn verdicts() {
        let range = Part::Range(10..20);
        let good = |start, length, wanted, size, unasked| Verdict::Good(Promise { start, length, wanted, size, unasked });
        let wrong = Verdict::Wrong(String::new());
        let table: Vec<(&str, Part, Head, Verdict)> = vec![
            ("as asked", range.clone(), head(206, Some("bytes 10-19/100"), Some(10)), good(10, Some(10), 10..20, Some(100), false)),
            ("without a length", range.clone(), head(206, Some("bytes 10-19/100"), None), good(10, Some(10), 10..20, Some(100), false)),
            ("up to the end", range.clone(), head(206, Some("bytes 10-14/15"), Some(5)), good(10, Some(5), 10..15, Some(15), false)),
            ("more than asked", range.clone(), head(206, Some("bytes 0-29/30"), Some(30)), good(0, Some(30), 10..20, Some(30), false)),
            ("of unknown size", range.clone(), head(206, Some("bytes 10-19/*"), Some(10)), good(10, Some(10), 10..20, None, false)),
            ("less of unknown size", range.clone(), head(206, Some("bytes 10-18/*"), Some(9)), wrong.clone()),
            ("much more than asked", range.clone(), head(206, Some("bytes 0-1999/2000"), None), Verdict::RangeUnsupported),
            ("elsewhere", range.clone(), head(206, Some("bytes 20-29/100"), Some(10)), wrong.clone()),
            ("too few", range.clone(), head(206, Some("bytes 10-18/100"), Some(9)), wrong.clone()),
            ("of another length", range.clone(), head(206, Some("bytes 10-19/100"), Some(5)), wrong.clone()),
            ("no Content-Range", range.clone(), head(206, None, Some(10)), wrong.clone()),
            ("the end", Part::Suffix(5), head(206, Some("bytes 95-99/100"), Some(5)), good(95, Some(5), 95..100, Some(100), false)),
            ("the end of little", Part::Suffix(500), head(206, Some("bytes 0-99/100"), Some(100)), good(0, Some(100), 0..100, Some(100), false)),
            ("not the end", Part::Suffix(5), head(206, Some("bytes 90-94/100"), Some(5)), wrong.clone()),
            ("an end of unknown size", Part::Suffix(5), head(206, Some("bytes 95-98/*"), Some(4)), wrong),
            ("ranges ignored", range.clone(), head(200, None, Some(50)), good(0, Some(50), 0..50, Some(50), true)),
            ("ranges ignored, no length", range.clone(), head(200, None, None), good(0, None, 0..u64::MAX, None, true)),
            ("ranges ignored, large", range.clone(), head(200, None, Some(1001)), Verdict::RangeUnsupported),
            ("whole", Part::Whole { most: 9 }, head(200, None, Some(2000)), good(0, Some(2000), 0..2000, Some(2000), false)),
            ("whole in a part", Part::Whole { most: 9 }, head(206, Some("bytes 0-8/9"), None), good(0, Some(9), 0..9, Some(9), false)),
            ("not there", range.clone(), head(404, None, None), Verdict::Missing),
            ("another", range.clone(), head(412, None, None), Verdict::Changed),
            ("past the end", range.clone(), head(416, None, None), Verdict::NotSatisfiable),
            ("not let in", range.clone(), head(403, None, None), Verdict::Denied),
            ("too many", range.clone(), head(429, None, None), Verdict::Throttled),
            ("broken", range.clone(), head(502, None, None), Verdict::Server),
            ("not meant", range.clone(), head(501, None, None), Verdict::Refused),
            ("no content", range, head(204, None, None), Verdict::Refused),
        ];
        for (name, part, head, expected) in table {
            let got = match check(&part, &head, 1000) {
                Verdict::Wrong(_) => Verdict::Wrong(String::new()),
                other => other,
            };
            assert_eq!(got, expected, "{name}");
        }
    }

    #[test]
    fn an_encoding_is_never_read() {
        for (encoding, read) in [("gzip", false), ("br", false), ("identity", true), ("Identity", true), ("", true)] {
            let head = Head { content_encoding: Some(encoding.into()), ..head(206, Some("bytes 10-19/100"), None) };
            assert_eq!(matches!(check(&Part::Range(10..20), &head, 9), Verdict::Good(_)), read, "{encoding}");
        }
    }
}
