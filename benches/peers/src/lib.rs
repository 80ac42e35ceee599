//! Readers side by side: Swath, its Rust peers, and what no reader can be faster than, each behind one closure.
//!
//! The program of this crate is one of two that `run` beside it speaks to; the other is `driver.py`. `docs/performance.md` has the rest.

#[allow(unsafe_code, reason = "one peer's way of naming a caller's buffer is unsafe")]
pub mod arrays;
pub mod images;
pub mod job;
mod limits;
mod ours;
pub mod protocol;

#[path = "../../common/mod.rs"]
mod common;
