//! Spans and events for `tracing`, with the feature of that name; without it all of this is nothing.
//!
//! | span | fields |
//! | --- | --- |
//! | `swath.open` | `object`, `requests`, `bytes` |
//! | `swath.read` | `object`, `region`, `chunks`, `requests`, `bytes` |
//! | `swath.plan` | `object`, `region` |
//! | `swath.fetch` | `object`, `start`, `length`: one request, as often as it is sent |
//!
//! Objects are shown by their unsigned URLs. No query, header or credential is a field of anything.

use std::fmt::Display;
use std::future::Future;

use crate::model::{ObjectKey, Region};

/// A span, or nothing.
#[derive(Clone)]
pub(crate) struct Span(#[cfg(feature = "tracing")] tracing::Span);

#[cfg(feature = "tracing")]
mod on {
    use tracing::field::{Empty, display};
    use tracing::{Instrument, debug_span, event, trace_span};

    use super::*;

    impl Span {
        pub(crate) fn open(object: &ObjectKey) -> Self {
            Self(debug_span!("swath.open", %object, requests = Empty, bytes = Empty))
        }
        pub(crate) fn read(object: &ObjectKey) -> Self {
            Self(debug_span!("swath.read", %object, region = Empty, chunks = Empty, requests = Empty, bytes = Empty))
        }
        pub(crate) fn plan(object: &ObjectKey, region: &Region) -> Self {
            Self(debug_span!("swath.plan", %object, %region))
        }
        /// `length` is `None` where nobody knows it yet.
        pub(crate) fn fetch(object: &ObjectKey, start: u64, length: Option<u64>) -> Self {
            Self(trace_span!("swath.fetch", %object, start, length))
        }
        pub(crate) fn region(&self, region: &Region, chunks: usize) {
            self.0.record("region", display(region)).record("chunks", chunks);
        }
        pub(crate) fn cost(&self, requests: u64, bytes: u64) {
            self.0.record("requests", requests).record("bytes", bytes);
        }
        /// Runs a future inside of the span.
        pub(crate) fn around<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
            work.instrument(self.0.clone())
        }
        /// The span that the caller is in.
        pub(crate) fn current() -> Self {
            Self(tracing::Span::current())
        }
    }

    /// A request is about to be sent again.
    pub(crate) fn repeated(object: &ObjectKey, why: &dyn Display) {
        event!(tracing::Level::DEBUG, %object, %why, "sent again");
    }
    /// A chunk, or a page of a table, was not what was written, and is fetched once more.
    pub(crate) fn damaged(object: &ObjectKey, why: &dyn Display) {
        event!(tracing::Level::WARN, %object, %why, "fetched again");
    }
}

#[cfg(not(feature = "tracing"))]
#[allow(clippy::unused_self, reason = "the same calls with and without the feature")]
mod on {
    use super::*;

    impl Span {
        pub(crate) fn open(_: &ObjectKey) -> Self {
            Self()
        }
        pub(crate) fn read(_: &ObjectKey) -> Self {
            Self()
        }
        pub(crate) fn plan(_: &ObjectKey, _: &Region) -> Self {
            Self()
        }
        pub(crate) fn fetch(_: &ObjectKey, _: u64, _: Option<u64>) -> Self {
            Self()
        }
        pub(crate) fn region(&self, _: &Region, _: usize) {}
        pub(crate) fn cost(&self, _: u64, _: u64) {}
        pub(crate) fn around<F: Future>(&self, work: F) -> F {
            work
        }
        pub(crate) fn current() -> Self {
            Self()
        }
    }

    pub(crate) fn repeated(_: &ObjectKey, _: &dyn Display) {}
    pub(crate) fn damaged(_: &ObjectKey, _: &dyn Display) {}
}

pub(crate) use on::{damaged, repeated};
