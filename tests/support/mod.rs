//! Shared by the tests.

pub mod server;
