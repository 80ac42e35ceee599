//! Hand-built headers, and (with `SWATH_CORPUS`) real files.

#![allow(clippy::cast_possible_truncation, reason = "tests know their numbers")]

mod build;
mod corpus;
mod documents;
mod georeference;
mod headers;
mod mapping;
mod old_jpeg;
mod paging;
mod pixels;
