//! The clock of a body.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::BoxStream;
use tokio::time::{Instant, Sleep, sleep};

use super::errors::Lost;
use super::options::NetworkOptions;

/// The pieces of a body as they come.
pub(super) type Body = BoxStream<'static, Result<Bytes, Lost>>;

/// A body that must keep coming.
pub(super) struct Paced {
    body: Body,
    clock: Pin<Box<Sleep>>,
    every: Duration,
    least: u64,
    came: u64,
}

impl Paced {
    pub(super) fn new(body: Body, network: &NetworkOptions) -> Self {
        let every = network.progress_timeout;
        Self { body, clock: Box::pin(sleep(every)), every, least: network.progress_bytes, came: 0 }
    }

    /// The next piece that is not empty.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Lost> {
        loop {
            match select(self.body.next(), self.clock.as_mut()).await {
                Either::Left((None, _)) => return Ok(None),
                Either::Left((Some(Ok(piece)), _)) if piece.is_empty() => {}
                Either::Left((Some(piece), _)) => {
                    let piece = piece?;
                    self.came += piece.len() as u64;
                    return Ok(Some(piece));
                }
                Either::Right(_) if self.came < self.least => return Err(Lost::stalled(self.came, self.every)),
                Either::Right(_) => {
                    self.came = 0;
                    let next = Instant::now() + self.every; // not counted from the last: this process may have stood still
                    self.clock.as_mut().reset(next);
                }
            }
        }
    }
}
