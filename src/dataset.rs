//! Opening whatever is at a URL: what it is, is decided by its content.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;

use crate::codec::{Chain, ChunkContext, Output};
use crate::cog::Cog;
use crate::engine::{Call, Session, human_bytes, with_scratch};
use crate::error::{Error, Result};
use crate::format::archive::{ArchiveParser, DeflatedDocument, is_archive};
use crate::format::reference::{is_allowed, parse_references};
use crate::format::tiff::TiffParser;
use crate::group::Group;
use crate::io::Counters;
use crate::model::{CodecSpec, DataType, FillValue, Got, Limits, ObjectKey, ObjectMap, Parser, Reference, Step, Want, zeroed};
use crate::trace::Span;

/// What was opened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Dataset {
    /// A TIFF file, cloud optimized or not.
    Cog(Cog),
    /// A Zarr group or array: a folder, an archive, or a file of references.
    Group(Group),
}

/// What opening cost. Its `Display` is one line for people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenStats {
    /// Requests sent.
    pub requests: u64,
    /// Requests sent again, of those.
    pub retries: u64,
    /// Bytes received.
    pub bytes: u64,
    /// Parts of headers and documents answered by what was kept.
    pub cache_hits: u64,
    /// Those answered by another opening's request.
    pub shared: u64,
}

impl OpenStats {
    pub(crate) fn of(counters: &Counters) -> Self {
        let counted = counters.snapshot();
        Self { requests: counted.requests, retries: counted.retries, bytes: counted.bytes, cache_hits: counted.cache_hits, shared: counted.shared }
    }
    /// Adds what finding more of the same dataset cost.
    pub fn add(&mut self, next: &Self) {
        self.requests += next.requests;
        self.retries += next.retries;
        self.bytes += next.bytes;
        self.cache_hits += next.cache_hits;
        self.shared += next.shared;
    }
}

impl fmt::Display for OpenStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.requests == 1 { "" } else { "s" };
        write!(f, "{} request{s}, {}", self.requests, human_bytes(self.bytes))?;
        let counted = [(self.retries, "sent again"), (self.cache_hits, "cached"), (self.shared, "shared")];
        counted.iter().filter(|(n, _)| *n > 0).try_for_each(|(n, what)| write!(f, ", {n} {what}"))
    }
}

/// What the first bytes of an object say that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Tiff,
    Archive,
    Json,
    Unknown,
}

fn content(start: &[u8]) -> Content {
    match start {
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Content::Tiff,
        _ if is_archive(start) => Content::Archive,
        _ if start.trim_ascii_start().first() == Some(&b'{') => Content::Json,
        _ => Content::Unknown,
    }
}

impl Session {
    /// Opens what is at a URL, or at a local path: a TIFF, a Zarr group or array, a Zarr in a zip archive, or a file of references to
    /// chunks (kerchunk).
    ///
    /// A file's first bytes decide. Where there is no object of this name, the Zarr metadata below it are asked for.
    ///
    /// # Errors
    /// `NotFound` where nothing is there, `Unsupported` where it is something else, and what parsing it may fail with.
    pub async fn open(&self, url: &str) -> Result<Dataset> {
        let object = self.inner.io.object(url)?;
        self.opening(&object, |counters| self.open_object(object.clone(), counters)).await
    }

    /// Opens what an object, or what is below it, is.
    pub(crate) async fn open_object(&self, object: ObjectKey, counters: Arc<Counters>) -> Result<Dataset> {
        if self.inner.io.is_local_directory(&object) {
            return self.open_below(object, &counters).await;
        }
        let mut parser = TiffParser::new(object.clone(), &self.inner.limits);
        let first = match parser.step()? {
            Step::Need(wants) => wants.into_iter().next(),
            Step::Done(_) => None,
        };
        let first = first.ok_or_else(|| Error::malformed("a parser that needs nothing"))?;
        let got = match self.get(&first, &counters).await {
            Ok(got) => got,
            // Some stores answer for a folder with a refusal; what is below it may be readable all the same.
            Err(refused) => return self.open_below(object, &counters).await.map_err(|e| if e.is_not_found() { refused } else { e }),
        };
        let Got::Bytes { bytes, .. } = &got else { return self.open_below(object, &counters).await };
        match content(bytes) {
            Content::Tiff => {
                parser.supply(&first, got)?;
                self.finish_cog(parser, object, &counters).await.map(Dataset::Cog)
            }
            Content::Archive => self.open_archive(object, &counters).await.map(Dataset::Group),
            Content::Json => self.open_references(object, &counters).await.map(Dataset::Group),
            Content::Unknown => {
                let unknown =
                    Error::unsupported("neither a TIFF, nor a Zarr group or array, nor an archive or references of one").in_object(object.url());
                self.open_below(object, &counters).await.map_err(|e| if e.is_not_found() { unknown } else { e })
            }
        }
    }

    async fn open_below(&self, object: ObjectKey, counters: &Arc<Counters>) -> Result<Dataset> {
        self.open_hierarchy(ObjectMap::Prefix(object.clone()), object, counters).await.map(Dataset::Group)
    }

    /// Opens the Zarr hierarchy in a zip archive.
    async fn open_archive(&self, object: ObjectKey, counters: &Arc<Counters>) -> Result<Group> {
        let named = |e: Error| e.in_object(object.url());
        let limits = &self.inner.limits;
        let mut archive = self.drive(ArchiveParser::new(object.clone(), limits), counters).await.map_err(named)?;
        for document in archive.deflated_documents(limits).map_err(named)? {
            let inflated = self.inflate(&document, counters).await.map_err(named)?;
            archive.set_document(&document.name, inflated);
        }
        if let Some(folder) = archive.single_folder().map(str::to_owned) {
            archive = archive.below(&folder);
        }
        self.open_hierarchy(ObjectMap::References(archive.into_map()), object, counters).await
    }

    /// A small compressed member of an archive.
    async fn inflate(&self, document: &DeflatedDocument, counters: &Arc<Counters>) -> Result<Bytes> {
        let limits = &self.inner.limits;
        let DeflatedDocument { span, size, stream, .. } = document;
        let length = Limits::check("max_metadata_bytes", *size, limits.max_metadata_bytes)?;
        let bytes = match stream {
            Some(stream) => stream.clone(),
            None => match self.get(&Want::Range(span.clone()), counters).await? {
                Got::Bytes { bytes, .. } => bytes,
                _ => return Err(Error::not_found(span.object.url())),
            },
        };
        let chain = Chain::compile(&[CodecSpec::Deflate], &DataType::U8, &FillValue::ZERO, &self.inner.registry, limits)?;
        let mut plain = zeroed(length)?;
        let shape = [*size];
        let context = ChunkContext::new(&shape, &DataType::U8, limits);
        with_scratch(|scratch| chain.decode(&bytes, &context, &mut scratch.codec, &mut Output::Exact(&mut plain)))?;
        Ok(plain.into())
    }

    /// Opens a file of references to chunks in other objects.
    async fn open_references(&self, object: ObjectKey, counters: &Arc<Counters>) -> Result<Group> {
        let limits = &self.inner.limits;
        let want = Want::Whole { object: object.clone(), most: limits.max_metadata_bytes };
        let Got::Bytes { bytes, .. } = self.get(&want, counters).await? else { return Err(Error::not_found(object.url())) };
        let allowed = |url: &str| is_allowed(&self.inner.allowed_references, url);
        let map: Arc<HashMap<String, Reference>> = parse_references(&bytes, object.url(), limits, &allowed).map_err(|e| e.in_object(object.url()))?;
        self.open_hierarchy(ObjectMap::References(map), object, counters).await
    }

    /// Runs an opening, with the deadline and the caps of this session.
    pub(crate) async fn opening<T, F>(&self, object: &ObjectKey, work: impl FnOnce(Arc<Counters>) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let call = Call::new(&self.read, Span::open(object));
        let opened = call.within(&self.inner.io, work(call.counters().clone())).await;
        let cost = call.counters().snapshot();
        call.span().cost(cost.requests, cost.bytes);
        opened.map_err(|e| e.in_object(object.url()))
    }

    /// One answer of a store, waited for on the I/O runtime.
    pub(crate) async fn get(&self, want: &Want, counters: &Arc<Counters>) -> Result<Got> {
        let (io, want, counters) = (self.inner.io.clone(), want.clone(), counters.clone());
        self.spawn(async move { io.get(&want, &counters).await }).await
    }

    /// Drops what the caches know at and below an object.
    pub(crate) async fn forget_object(&self, object: &ObjectKey) -> Result<()> {
        let (io, object) = (self.inner.io.clone(), object.clone());
        self.spawn(async move { io.forget(&object).await }).await
    }

    /// Runs a parser on the I/O runtime.
    pub(crate) async fn drive<P>(&self, parser: P, counters: &Arc<Counters>) -> Result<P::Output>
    where
        P: Parser + Send + 'static,
        P::Output: Send + 'static,
    {
        let (io, counters) = (self.inner.io.clone(), counters.clone());
        self.spawn(async move { io.drive(parser, &counters).await }).await
    }

    /// Runs a parser on the I/O runtime, unless the same was made of this object a moment ago.
    pub(crate) async fn drive_shared<P>(&self, object: &ObjectKey, parser: P, counters: &Arc<Counters>) -> Result<Arc<P::Output>>
    where
        P: Parser + Send + 'static,
        P::Output: Send + Sync + 'static,
    {
        let (io, object, counters) = (self.inner.io.clone(), object.clone(), counters.clone());
        self.spawn(async move { io.drive_shared(&object, parser, &counters).await }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_told_by_the_first_bytes() {
        let table: [(&[u8], Content); 8] = [
            (b"II*\0....", Content::Tiff),
            (b"MM\0+....", Content::Tiff),
            (b"PK\x03\x04", Content::Archive),
            (b" \n{\"version\":1}", Content::Json),
            (b"<!DOCTYPE html>", Content::Unknown),
            (b"", Content::Unknown),
            (b"II", Content::Unknown),
            (b"II*", Content::Unknown),
        ];
        for (start, expected) in table {
            assert_eq!(content(start), expected, "{start:?}");
        }
    }
}
