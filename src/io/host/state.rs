//! What a host's answers taught, and what follows for the next request. It never looks at a clock: the time is passed in.

use std::time::{Duration, Instant};

use super::super::options::NetworkOptions;
use super::budget::RetryBudget;
use super::cost::Learned;
use super::pace::{Random, backoff};
use super::retry_after::LONGEST;
use super::stats::HostStats;
use super::window::Window;
use super::{Failure, FailureKind};

/// Of so many requests one may be sent twice at once.
const HEDGED: u64 = 20;

pub(super) struct State {
    window: Window,
    budget: RetryBudget,
    pub(super) learned: Learned,
    random: Random,
    paused_until: Option<Instant>,
    counts: HostStats,
}

/// An attempt that ended.
#[derive(Debug)]
pub(super) struct Attempt {
    /// Of the window, as it was when the request was sent.
    pub(super) mark: u64,
    pub(super) sent: Instant,
    /// When the headers came.
    pub(super) answered: Option<Instant>,
    /// When the last bytes came.
    pub(super) received: Option<Instant>,
    pub(super) bytes: u64,
    pub(super) end: End,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    /// Nobody waits for it any more.
    Left,
    Good,
    Failed(Failure),
}

impl State {
    pub(super) fn new(options: &NetworkOptions) -> Self {
        Self {
            window: Window::new(options.connections_per_host),
            budget: RetryBudget::new(options.retry_share, options.retry_floor),
            learned: Learned::new(),
            random: Random::new(),
            paused_until: None,
            counts: HostStats::default(),
        }
    }

    /// Requests at once.
    pub(super) fn window(&self) -> usize {
        self.window.size()
    }

    /// Until when no request is sent.
    pub(super) fn paused(&self, now: Instant) -> Option<Instant> {
        self.paused_until.filter(|until| *until > now)
    }

    /// A request is sent now.
    pub(super) fn send(&mut self, now: Instant) -> Attempt {
        self.counts.requests += 1;
        self.budget.request();
        Attempt { mark: self.window.mark(), sent: now, answered: None, received: None, bytes: 0, end: End::Left }
    }

    /// Whether the window is another one now.
    pub(super) fn ended(&mut self, attempt: &Attempt, now: Instant) -> bool {
        self.counts.bytes += attempt.bytes;
        let kind = match &attempt.end {
            End::Left => return false,
            End::Good => None,
            End::Failed(failure) => Some(failure.kind),
        };
        match kind {
            None | Some(FailureKind::Final) => {}
            Some(FailureKind::Throttled) => self.counts.throttled += 1,
            Some(FailureKind::Server) => self.counts.server_errors += 1,
            Some(FailureKind::TimedOut) => self.counts.timeouts += 1,
            Some(FailureKind::Broken) => self.counts.broken += 1,
        }
        // refusals come quicker than answers, so they teach nothing about latency
        if let (None | Some(FailureKind::Final), Some(answered)) = (kind, attempt.answered) {
            self.learned.first_byte(answered.saturating_duration_since(attempt.sent));
            if let (None, Some(received)) = (kind, attempt.received) {
                self.learned.body(attempt.bytes, received.saturating_duration_since(answered));
            }
        }
        if let End::Failed(Failure { kind: FailureKind::Throttled, retry_after: Some(wait) }) = attempt.end {
            let until = now + wait.min(LONGEST);
            self.paused_until = self.paused_until.max(Some(until));
        }
        self.window.answered(attempt.mark, matches!(kind, Some(FailureKind::Throttled | FailureKind::TimedOut)))
    }

    /// How long to wait before a request that failed `failed` times is sent again.
    pub(super) fn retry(&mut self, failed: u32, failure: &Failure, options: &NetworkOptions) -> Option<Duration> {
        if failure.kind == FailureKind::Final || failed >= options.attempts || !self.budget.repeat() {
            return None;
        }
        self.counts.retries += 1;
        // the random part spreads what would come back at once when a pause is over
        let jitter = backoff(failed, options.backoff, options.backoff_most, &mut self.random);
        Some(failure.retry_after.unwrap_or_default().min(LONGEST) + jitter)
    }

    /// After how long a request that is not answered yet is late.
    pub(super) fn hedge_after(&self, options: &NetworkOptions) -> Option<Duration> {
        if options.hedge && self.may_hedge() { self.learned.late_after() } else { None }
    }

    /// Takes leave to send a late request a second time.
    pub(super) fn hedge(&mut self, options: &NetworkOptions) -> bool {
        let may = options.hedge && self.may_hedge();
        self.counts.hedges += u64::from(may);
        may
    }

    fn may_hedge(&self) -> bool {
        (self.counts.hedges + 1) * HEDGED <= self.counts.requests
    }

    pub(super) fn stats(&self, now: Instant) -> HostStats {
        HostStats {
            window: self.window.size(),
            paused: self.paused(now).map(|until| until - now),
            latency: self.learned.latency(),
            bytes_per_second: self.learned.bytes_per_second(),
            ..self.counts.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: FailureKind, retry_after: Option<u64>) -> Failure {
        Failure { kind, retry_after: retry_after.map(Duration::from_secs) }
    }

    /// Sends a request that ends like this, answered after 10 ms and received after 20.
    fn attempt(state: &mut State, now: Instant, end: End) {
        let attempt = state.send(now);
        let after = |millis| Some(now + Duration::from_millis(millis));
        state.ended(&Attempt { answered: after(10), received: after(20), bytes: 1 << 20, end, ..attempt }, now + Duration::from_millis(20));
    }

    #[test]
    fn what_is_sent_again() {
        use FailureKind::{Broken, Final, Server, Throttled, TimedOut};
        let options = NetworkOptions::default();
        let ms = Duration::from_millis;
        let table = [
            (Throttled, None, 1, Some(ms(0)..ms(100))),
            (Throttled, None, 4, Some(ms(0)..ms(800))),
            (Throttled, None, 5, None),
            (Throttled, Some(2), 1, Some(ms(2_000)..ms(2_100))),
            (Throttled, Some(100_000), 1, Some(ms(300_000)..ms(300_100))),
            (Server, None, 1, Some(ms(0)..ms(100))),
            (Server, Some(1), 1, Some(ms(1_000)..ms(1_100))),
            (TimedOut, None, 2, Some(ms(0)..ms(200))),
            (Broken, None, 1, Some(ms(0)..ms(100))),
            (Final, None, 1, None),
            (Final, Some(1), 1, None),
        ];
        for (kind, seconds, failed, expected) in table {
            let wait = State::new(&options).retry(failed, &failure(kind, seconds), &options);
            match expected {
                None => assert_eq!(wait, None, "{kind:?}"),
                Some(expected) => assert!(wait.is_some_and(|w| expected.contains(&w)), "{kind:?} {failed}: {wait:?}"),
            }
        }
    }

    #[test]
    fn a_budget_for_all_requests_to_a_host() {
        let options = NetworkOptions { retry_floor: 3, ..NetworkOptions::default() };
        let mut state = State::new(&options);
        let broken = failure(FailureKind::Broken, None);
        assert_eq!((0..10).filter(|_| state.retry(1, &broken, &options).is_some()).count(), 3);
        assert_eq!(state.stats(Instant::now()).retries, 3);
    }

    #[test]
    fn a_pause_is_the_longest_that_was_asked_for() {
        let mut state = State::new(&NetworkOptions::default());
        let start = Instant::now();
        let seconds = Duration::from_secs;
        attempt(&mut state, start, End::Failed(failure(FailureKind::Server, Some(9))));
        attempt(&mut state, start, End::Failed(failure(FailureKind::Throttled, None)));
        assert_eq!(state.paused(start), None, "neither asks for one");
        attempt(&mut state, start, End::Failed(failure(FailureKind::Throttled, Some(5))));
        attempt(&mut state, start, End::Failed(failure(FailureKind::Throttled, Some(2))));
        let until = state.paused(start).unwrap();
        assert_eq!(until, start + Duration::from_millis(5_020));
        assert_eq!(state.stats(start + seconds(5)).paused, Some(Duration::from_millis(20)));
        assert_eq!(state.paused(until), None);
        attempt(&mut state, start, End::Failed(failure(FailureKind::Throttled, Some(1 << 40))));
        assert_eq!(state.paused(start), Some(start + Duration::from_millis(300_020)));
    }

    #[test]
    fn counts() {
        use FailureKind::{Broken, Final, Server, Throttled, TimedOut};
        let mut state = State::new(&NetworkOptions::default());
        let now = Instant::now();
        attempt(&mut state, now, End::Good);
        attempt(&mut state, now, End::Left);
        for kind in [Throttled, Server, Server, TimedOut, TimedOut, TimedOut, Broken, Final] {
            attempt(&mut state, now, End::Failed(failure(kind, None)));
        }
        let expected = HostStats {
            requests: 10,
            bytes: 10 << 20,
            throttled: 1,
            server_errors: 2,
            timeouts: 3,
            broken: 1,
            window: 16,
            latency: Some(Duration::from_millis(10)),
            bytes_per_second: Some(100 << 20),
            ..HostStats::default()
        };
        assert_eq!(state.stats(now), expected);
    }

    #[test]
    fn refusals_and_late_answers_narrow_the_window() {
        for (kind, expected) in
            [(FailureKind::Throttled, 8), (FailureKind::TimedOut, 8), (FailureKind::Server, 16), (FailureKind::Broken, 16), (FailureKind::Final, 16)]
        {
            let mut state = State::new(&NetworkOptions::default());
            (0..5).for_each(|_| attempt(&mut state, Instant::now(), End::Failed(failure(kind, None))));
            assert_eq!(state.window(), expected, "{kind:?}");
        }
    }

    #[test]
    fn one_request_in_twenty_is_hedged() {
        let options = NetworkOptions { hedge: true, ..NetworkOptions::default() };
        let mut state = State::new(&options);
        let mut hedged = 0;
        for i in 0..1_000 {
            assert_eq!(state.hedge_after(&options).is_some(), (i >= 20) && (hedged + 1) * 20 <= i, "{i}");
            hedged += u64::from(state.hedge(&options));
            attempt(&mut state, Instant::now(), End::Good);
        }
        assert_eq!((hedged, state.stats(Instant::now()).hedges), (49, 49));
        assert_eq!(state.hedge_after(&options), Some(Duration::from_millis(20)));
        let off = NetworkOptions::default();
        assert!(state.hedge_after(&off).is_none() && !state.hedge(&off));
    }
}
