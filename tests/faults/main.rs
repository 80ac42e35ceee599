//! What a reader makes of servers and networks that fail: right bytes, or a typed error, in bounded time and with bounded requests.
//!
//! `matrix` is a table of single faults, `mixed` is all of them at once under many readers, `redirects` holds that no secret crosses an
//! origin, `reuse` that nothing of a bad answer is read as a part of the next.

#[path = "../common/mod.rs"]
mod common;
mod matrix;
mod mixed;
mod redirects;
mod reuse;
mod rows;
#[path = "../support/mod.rs"]
mod support;
mod world;
