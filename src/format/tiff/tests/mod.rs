//! Hand-built headers, and (with `SWATH_CORPUS`) real files.

mod build;
mod corpus;
mod headers;
mod mapping;
