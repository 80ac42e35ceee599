//! What is asked for, what servers and token endpoints answer, and the names that callers write.

use std::ops::Range;

use arbitrary::{Arbitrary, Unstructured};
use swath::io_fuzzing::{Accepted, Asked, answer, merged, named, requests, token};

/// What cannot be read is no test.
fn made<'a, T: Arbitrary<'a>>(data: &'a [u8]) -> Option<T> {
    T::arbitrary_take_rest(Unstructured::new(data)).ok()
}

#[derive(Arbitrary)]
struct Spans {
    gap: u16,
    least: u16,
    most: u16,
    connections: u8,
    /// How far the numbers are shifted: spans at the end of the number line too.
    shift: u8,
    spans: Vec<(u16, u16)>,
}

/// Every span that is not empty is served once, whole, by requests within the caps, in order.
pub(super) fn ranges(data: &[u8]) {
    let Some(Spans { gap, least, most, connections, shift, spans }) = made::<Spans>(data) else { return };
    let (shift, far) = (u32::from(shift & 63), if shift & 64 == 0 { 0 } else { u64::MAX - (1 << 18) });
    let spans: Vec<Range<u64>> = spans
        .iter()
        .map(|(start, length)| {
            let start = far.saturating_add(u64::from(*start) << (shift & 15));
            start..start.saturating_add(u64::from(*length))
        })
        .collect();
    // Not too small a cap: a span has a request for as many bytes.
    let (gap, least, most) = (u64::from(gap), u64::from(least), u64::from(most.max(64)));
    let runs = requests(&spans, gap, least, most, connections.into());
    let mut served = vec![false; spans.len()];
    let mut last = 0;
    for (members, asked) in &runs {
        assert!(!asked.is_empty() && (members.len() == 1 || asked.len() == 1));
        let whole = asked[0].start..asked[asked.len() - 1].end;
        assert!(whole.start >= last, "runs are by their start");
        last = whole.start;
        assert!(asked.windows(2).all(|pair| pair[0].end == pair[1].start), "parts of one span follow each other");
        assert!(asked.iter().all(|r| r.start < r.end && r.end - r.start <= most.max(1)), "a request above the cap");
        let mut reached = whole.start;
        for &member in members {
            let span = &spans[member];
            assert!(!span.is_empty() && whole.start <= span.start && span.end <= whole.end, "a span that its run does not hold");
            assert!(span.start <= reached.saturating_add(gap), "more than the gap is read over");
            reached = reached.max(span.end);
            assert!(!std::mem::replace(&mut served[member], true), "a span that is served twice");
        }
        assert_eq!(reached, whole.end, "more than the spans is asked for");
    }
    assert!(served.iter().zip(&spans).all(|(served, span)| *served != span.is_empty()), "a span that is not served");
}

#[derive(Arbitrary)]
struct Answer<'a> {
    suffix: Option<bool>,
    start: u32,
    length: u16,
    status: u8,
    most_whole: u16,
    /// A Content-Range made of numbers near those asked for, where the text is none.
    first: i8,
    last: i8,
    size: Option<i8>,
    told: Option<i8>,
    headers: Vec<(u8, &'a [u8])>,
}

const STATUS: [u16; 12] = [206, 200, 206, 304, 401, 404, 412, 416, 429, 503, 500, 302];
const HEADERS: [&str; 9] =
    ["content-range", "content-length", "content-type", "content-encoding", "etag", "last-modified", "retry-after", "date", "x"];

/// What is accepted brings all that was asked for, of the place where it was asked for, and little beside.
pub(super) fn head(data: &[u8]) {
    let Some(made) = made::<Answer<'_>>(data) else { return };
    let (start, length) = (u64::from(made.start), u64::from(made.length) + 1);
    let end = start + length;
    let asked = match made.suffix {
        None => Asked::Range(start..end),
        Some(true) => Asked::Suffix(length),
        Some(false) => Asked::Whole,
    };
    let near = |n: u64, by: i8| n.saturating_add_signed(by.into());
    let size = made.size.map_or("*".to_owned(), |by| near(end, by).to_string());
    let range = format!("bytes {}-{}/{size}", near(start, made.first), near(end - 1, made.last));
    let told = made.told.map(|by| near(length, by).to_string());
    let mut headers: Vec<(&str, &[u8])> = made.headers.iter().map(|(name, value)| (HEADERS[usize::from(*name) % HEADERS.len()], *value)).collect();
    let lacks = |headers: &[(&str, &[u8])], name: &str| headers.iter().all(|(other, _)| *other != name);
    if lacks(&headers, "content-range") {
        headers.push(("content-range", range.as_bytes()));
    }
    if let (Some(told), true) = (&told, lacks(&headers, "content-length")) {
        headers.push(("content-length", told.as_bytes()));
    }
    let status = STATUS[usize::from(made.status) % STATUS.len()];
    let most_whole = u64::from(made.most_whole);
    let Some(Accepted { start: first, length: brings, wanted, size, unasked }) = answer(&asked, status, &headers, most_whole) else { return };
    assert!(matches!(status, 200 | 206), "{status} was taken for the object");
    // Headers that cannot be sent are not among them.
    let sendable = |value: &&[u8]| value.iter().all(|b| (*b >= 32 && *b != 127) || *b == b'\t');
    let lines =
        |name: &str| headers.iter().filter(move |(other, value)| *other == name && sendable(value)).map(|(_, value)| *value).collect::<Vec<_>>();
    for encoding in lines("content-encoding") {
        let text = String::from_utf8_lossy(encoding).to_ascii_lowercase();
        assert!(text.split(',').all(|coding| coding.trim().is_empty() || coding.trim() == "identity"), "{text} was not undone");
    }
    assert!(first <= wanted.start || wanted.is_empty());
    if status == 206 {
        let [told] = lines("content-range")[..] else { panic!("not one Content-Range") };
        let told = String::from_utf8_lossy(told);
        let number = told.trim().trim_start_matches("bytes ").split('-').next().map(str::trim).and_then(|n| n.parse().ok());
        assert_eq!(number, Some(first), "{told}");
    } else {
        assert_eq!(first, 0);
    }
    if let (Some(brings), true) = (brings, wanted.end != u64::MAX) {
        assert!(wanted.end <= first + brings, "{wanted:?} of {brings} bytes from {first}");
        if status == 206 && !matches!(asked, Asked::Whole) {
            assert!(brings - (wanted.end - wanted.start) <= most_whole, "{brings} bytes are taken for {wanted:?}");
        }
    }
    match &asked {
        // Less only where the object ends.
        Asked::Range(range) if !unasked => {
            let least = size.map_or(range.end, |size| range.end.min(size));
            assert!(wanted.start <= range.start && (wanted.end >= least), "{wanted:?} for {range:?} of {size:?}");
        }
        Asked::Suffix(length) if !unasked => assert!(wanted.end - wanted.start == (*length).min(size.unwrap_or(u64::MAX))),
        _ => assert!(wanted.start == 0 && size.is_none_or(|size| wanted.end == size)),
    }
    if unasked {
        assert!(status == 200 && size.is_none_or(|size| size <= most_whole));
    }
}

fn parameters(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter(|p| !p.is_empty())
}

/// Names as a server reads them: percent signs undone, where what they stand for is text.
fn name(parameter: &str) -> String {
    let name = parameter.split('=').next().unwrap_or_default();
    let bytes = name.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%').and_then(|d| std::str::from_utf8(d).ok());
        let byte = digits.filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit())).and_then(|d| u8::from_str_radix(d, 16).ok());
        out.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap_or_else(|_| name.to_owned())
}

/// All of a signature is in the query once, in its order; of the URL's own what has another name, in its order, and nothing else.
pub(super) fn merge(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((existing, signature)) = text.split_once('\n') else { return };
    let result = merged(Some(existing), signature);
    let (existing, signature) = (existing.trim_start_matches('?'), signature.trim_start_matches('?'));
    let ours = |parameter: &&str| parameters(signature).any(|s| name(s) == name(parameter));
    let mut of_signature: Vec<&str> = parameters(&result).filter(ours).collect();
    let mut wanted: Vec<&str> = parameters(signature).collect();
    of_signature.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(of_signature, wanted, "{existing:?} and {signature:?} became {result:?}");
    let kept: Vec<&str> = parameters(&result).filter(|p| !ours(p)).collect();
    let own: Vec<&str> = parameters(existing).filter(|p| !ours(p)).collect();
    assert_eq!(kept, own, "{existing:?} and {signature:?} became {result:?}");
}

const CANARY: &str = "cAnArY";

/// An answer of a token endpoint: no part of it stands in an error, nor in what is shown of what was made of it.
pub(super) fn token_answer(data: &[u8]) {
    let shown = match token(data) {
        Ok(signed) => format!("{signed:?}"),
        Err(error) => format!("{error} {error:?}"),
    };
    assert!(!shown.contains(CANARY), "{shown}");
}

/// A name with a secret in its query and its user info, from a URL: neither is shown, and no key climbs.
pub(super) fn names(data: &[u8]) {
    let Some(text) = std::str::from_utf8(data).ok().filter(|text| !text.contains(CANARY)) else { return };
    let mut texts = vec![text.to_owned(), format!("https://fuzz.net/{text}")];
    let secret = |text: &str| format!("{text}{}sig={CANARY}", if text.contains('?') { '&' } else { '?' });
    if !text.contains('#') {
        texts.push(secret(&format!("https://fuzz.net/{text}")));
    }
    for text in texts {
        let shown = match named(&text) {
            Ok((key, target)) => {
                assert!(key.url().split(['/', '\\']).all(|segment| segment != "..") && !key.url().contains('\0'), "{}", key.url());
                if let Ok(target) = &target {
                    assert!(!target.contains(CANARY), "{target}");
                }
                format!("{key} {key:?} {target:?}")
            }
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!shown.contains(CANARY), "{shown}");
    }
}

/// A span of 64 KiB, four bytes of input, may take a thousand requests.
pub(super) fn ranges_bound(data: &[u8]) -> usize {
    super::MIB + 16 * super::KIB * data.len()
}
