//! One request to a store, and the checks between its answer and a reader.
//!
//! A store may be a stranger's server: the range that comes back is the one that was asked for, the body has
//! exactly its length, and the version is the one the key is pinned to, or there is an error.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore};

use super::counters::Counters;
use super::errors;
use super::host::Host;
use super::local::{changed, slice};
use crate::error::{Error, Result};
use crate::model::{Limits, ObjectKey};

/// The most that is set aside for a body before any of it came.
const FIRST_RESERVE: u64 = 8 << 20;

/// What of an object is asked for.
#[derive(Debug, Clone)]
pub(super) enum Part {
    /// Shorter where the object ends before it does. Not empty.
    Range(Range<u64>),
    /// The last bytes.
    Suffix(u64),
    /// All, not above `most` bytes.
    Whole { most: u64 },
}

/// Bytes of an object.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) bytes: Bytes,
    pub(super) size: Option<u64>,
    pub(super) version: Option<Arc<str>>,
    /// The whole object, where the store sent it although a part was asked for.
    pub(super) whole: Option<Bytes>,
}

/// Marks, in a response's extensions, the whole body of a server that does not serve ranges.
#[derive(Clone)]
pub(super) struct WholeBody(pub(super) Bytes);

/// Asks a store; `None` where there is no such object.
pub(super) async fn ask(
    store: &dyn ObjectStore,
    path: &Path,
    key: &ObjectKey,
    part: &Part,
    host: &Host,
    counters: &Counters,
) -> Result<Option<Answer>> {
    let is_suffix = matches!(part, Part::Suffix(_));
    if is_suffix && host.suffixes_are_refused() {
        return by_size(None, store, path, key, part, counters).await;
    }
    let range = match part {
        Part::Range(range) => Some(GetRange::Bounded(range.clone())),
        Part::Suffix(length) => Some(GetRange::Suffix(*length)),
        Part::Whole { .. } => None,
    };
    counters.request(0)?;
    match store.get_opts(path, options(key, range, false)).await {
        Ok(result) => accept(result, key, part).await.map(Some),
        Err(e) => {
            let answer = refused(e, store, path, key, part, counters).await?;
            // Of an empty object every suffix is refused.
            if is_suffix && answer.as_ref().is_some_and(|answer| !answer.bytes.is_empty()) {
                host.refuses_suffixes();
            }
            Ok(answer)
        }
    }
}

/// What a refusal means; some are answered by asking for the size first.
async fn refused(
    error: object_store::Error,
    store: &dyn ObjectStore,
    path: &Path,
    key: &ObjectKey,
    part: &Part,
    counters: &Counters,
) -> Result<Option<Answer>> {
    use object_store::Error as E;
    let no_suffix = matches!((&error, part), (E::NotSupported { .. } | E::NotImplemented { .. }, Part::Suffix(_)));
    let past_the_end = errors::is_range_not_satisfiable(&error) || (matches!(error, E::Generic { .. }) && !errors::is_from_network(&error));
    match &error {
        E::NotFound { .. } => return Ok(None),
        E::Precondition { .. } | E::NotModified { .. } => {
            return Err(changed(key, key.version().map_or("unknown", |v| v), "another version"));
        }
        _ if no_suffix || (past_the_end && !matches!(part, Part::Whole { .. })) => {}
        _ => return Err(errors::from_store(&error, key)),
    }
    by_size(Some(error), store, path, key, part, counters).await
}

/// Asks for the size, and then for the range that a part is; `error` is what the part itself was refused with.
async fn by_size(
    error: Option<object_store::Error>,
    store: &dyn ObjectStore,
    path: &Path,
    key: &ObjectKey,
    part: &Part,
    counters: &Counters,
) -> Result<Option<Answer>> {
    use object_store::Error as E;
    counters.request(0)?;
    let meta = match store.get_opts(path, options(key, None, true)).await {
        Ok(head) => head.meta,
        Err(E::NotFound { .. }) => return Ok(None),
        Err(e) => return Err(errors::from_store(error.as_ref().unwrap_or(&e), key)),
    };
    let version = settle(key, &meta)?;
    let range = match part {
        Part::Suffix(length) => meta.size.saturating_sub(*length)..meta.size,
        Part::Range(range) => match error {
            Some(error) if range.start < meta.size => return Err(errors::from_store(&error, key)),
            _ => meta.size..meta.size,
        },
        Part::Whole { .. } => meta.size..meta.size,
    };
    if range.is_empty() {
        return Ok(Some(Answer { bytes: Bytes::new(), size: Some(meta.size), version, whole: None }));
    }
    let pinned = if key.version().is_some() { key.clone() } else { key.with_version(version) };
    counters.request(0)?;
    match store.get_opts(path, options(&pinned, Some(GetRange::Bounded(range.clone())), false)).await {
        Ok(result) => accept(result, &pinned, &Part::Range(range)).await.map(Some),
        Err(e) => Err(errors::from_store(&e, key)),
    }
}

fn options(key: &ObjectKey, range: Option<GetRange>, head: bool) -> GetOptions {
    // a weak ETag never matches in an If-Match; it is compared afterwards, as versions made up by us are
    let if_match = key.version().filter(|v| v.starts_with('"')).map(|v| v.to_string());
    GetOptions { if_match, range, head, ..GetOptions::default() }
}

/// The version of an answer; an error where the key is pinned to another.
fn settle(key: &ObjectKey, meta: &ObjectMeta) -> Result<Option<Arc<str>>> {
    let version: Option<Arc<str>> = match &meta.e_tag {
        Some(tag) if tag.starts_with('"') || tag.starts_with("W/") => Some(tag.as_str().into()),
        Some(tag) => Some(format!("\"{tag}\"").into()),
        None if meta.last_modified.timestamp_millis() != 0 => Some(format!("{}-{}", meta.last_modified.timestamp_millis(), meta.size).into()),
        None => None,
    };
    match (key.version(), &version) {
        (Some(old), Some(new)) if old == new => Ok(version),
        (Some(old), new) => Err(changed(key, old, new.as_deref().unwrap_or("unknown"))),
        (None, _) => Ok(version),
    }
}

async fn accept(result: GetResult, key: &ObjectKey, part: &Part) -> Result<Answer> {
    let wrong = |message: String| Error::storage(message).in_object(key.url());
    let size = result.meta.size;
    let expected = match part {
        Part::Range(range) => range.start.min(size)..range.end.min(size),
        Part::Suffix(length) => size.saturating_sub(*length)..size,
        Part::Whole { most } => {
            Limits::check("bytes of a whole object", size, *most).map_err(|e| e.in_object(key.url()))?;
            0..size
        }
    };
    let came = result.range.clone();
    if came != expected {
        return Err(wrong(format!("bytes {}..{} were asked for, {}..{} came", expected.start, expected.end, came.start, came.end)));
    }
    let version = settle(key, &result.meta)?;
    let whole = result.extensions.get::<WholeBody>().map(|w| w.0.clone());
    let bytes = match &whole {
        Some(body) => slice(body, &expected).ok_or_else(|| wrong("the server ignores ranges, and sent less than it said".to_owned()))?,
        None => collect(result, expected.end - expected.start, key).await?,
    };
    Ok(Answer { bytes, size: Some(size), version, whole })
}

/// A body of exactly `length` bytes. One that comes in one piece is handed on as it is.
async fn collect(result: GetResult, length: u64, key: &ObjectKey) -> Result<Bytes> {
    let wrong = |came: u64| Error::storage(format!("a body of {came} bytes where {length} were asked for")).in_object(key.url());
    let mut stream = result.into_stream();
    let mut first = Bytes::new();
    let mut joined: Option<BytesMut> = None;
    let mut came = 0_u64;
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|e| errors::from_store(&e, key))?;
        if piece.is_empty() {
            continue;
        }
        came = came.saturating_add(piece.len() as u64);
        if came > length {
            return Err(wrong(came));
        }
        if first.is_empty() {
            first = piece;
            continue;
        }
        let buffer = joined.get_or_insert_with(|| {
            let mut buffer = BytesMut::with_capacity(usize::try_from(length.min(FIRST_RESERVE)).unwrap_or(0).max(first.len()));
            buffer.extend_from_slice(&first);
            buffer
        });
        buffer.extend_from_slice(&piece);
    }
    if came != length {
        return Err(wrong(came));
    }
    Ok(joined.map_or(first, BytesMut::freeze))
}

/// The names right below a prefix, sorted; `None` where the store cannot, or may not, list.
pub(super) async fn list(
    store: &dyn ObjectStore,
    prefix: &Path,
    key: &ObjectKey,
    limits: &Limits,
    counters: &Counters,
) -> Result<Option<Vec<String>>> {
    use object_store::Error as E;
    counters.request(0)?;
    let found = match store.list_with_delimiter(Some(prefix)).await {
        Ok(found) => found,
        Err(E::NotSupported { .. } | E::NotImplemented { .. } | E::PermissionDenied { .. } | E::Unauthenticated { .. }) => return Ok(None),
        Err(E::NotFound { .. }) => return Ok(Some(Vec::new())),
        Err(e) => return Err(errors::from_store(&e, key)),
    };
    let count = found.objects.len().saturating_add(found.common_prefixes.len());
    Limits::check("max_references", count as u64, limits.max_references).map_err(|e| e.in_object(key.url()))?;
    let objects = found.objects.iter().filter_map(|o| o.location.filename().map(str::to_owned));
    let below = found.common_prefixes.iter().filter_map(|p| p.filename().map(|name| format!("{name}/")));
    let mut names: Vec<String> = objects.chain(below).collect();
    names.sort_unstable();
    Ok(Some(names))
}
