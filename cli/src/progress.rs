//! A bar on standard error for reads that take their time.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Reads that end before this show nothing.
const PATIENCE: Duration = Duration::from_millis(500);

pub(crate) struct Progress {
    start: Instant,
    total: u64,
    done: u64,
    bar: Option<ProgressBar>,
    shown: bool,
}

impl Progress {
    /// `total`: in whatever unit [`add`](Self::add) is given.
    pub(crate) fn new(total: u64) -> Self {
        Self { start: Instant::now(), total, done: 0, bar: None, shown: std::io::stderr().is_terminal() }
    }
    pub(crate) fn add(&mut self, amount: u64) {
        self.done = self.done.saturating_add(amount);
        if !self.shown || (self.bar.is_none() && self.start.elapsed() < PATIENCE) {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {elapsed} of {duration}");
            ProgressBar::with_draw_target(Some(self.total), ProgressDrawTarget::stderr())
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
                .with_elapsed(self.start.elapsed())
        });
        bar.set_position(self.done);
    }
}

impl Drop for Progress {
    /// Leaves a clean line, for an error as for a success.
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
