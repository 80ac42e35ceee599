//! Shared by the tests.

#[allow(dead_code, reason = "not all tests use all of it")]
pub(crate) mod paged;
pub(crate) mod server;
pub(crate) mod services;
#[allow(dead_code, reason = "not all tests use all of it")]
pub(crate) mod tenant;
