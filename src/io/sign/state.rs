//! When a signature is used, renewed, waited for or given up. Nothing here waits, and the time is passed in.
//!
//! A signature's life runs from when it was had to when it expires, by the server's clock as far as that is known:
//!
//! ```text
//! 0                                       80 %          90 %, or 60 s before the end      100 %
//! | fresh: used                            | ageing: used | closing: a new one is waited   | over: nothing without
//! |                                        | and renewed  | for, the old one if none comes | a new one
//! ```
//!
//! One that seems to be over when it comes is used all the same until it is refused: the clock may be the wrong one.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lru::LruCache;

use super::{Grant, Signed};
use crate::error::{Error, Result};

/// Scopes remembered.
const SCOPES: usize = 1024;
/// The longest time before its end from which on a signature is not used without a look for a better one.
const MARGIN: i64 = 60_000;
/// After a failure, a refusal or a success, the signer is not bothered for so long, in milliseconds.
const PAUSE: i64 = 1000;
/// Differences of clocks up to this, in milliseconds, are taken for the rounding of `Date` and the way of the answer.
const CLOCKS_AGREE: i64 = 2000;

/// The signatures of all scopes. `F` is how one that is being asked for is waited for.
pub(super) struct Signatures<F> {
    scopes: LruCache<Arc<str>, Scope<F>>,
    next: u64,
}

struct Scope<F> {
    current: Option<Held>,
    flight: Option<(u64, F)>,
    failed: Option<(i64, Error)>,
    /// When a signature was last dropped because it was refused.
    dropped: Option<i64>,
    /// Of the server's clock to ours.
    ahead: i64,
}

struct Held {
    number: u64,
    signed: Arc<Signed>,
    obtained: i64,
    /// It seemed to be over when it came.
    late: bool,
}

/// The answer to [`Signatures::ask`].
#[derive(Debug)]
pub(super) enum Asked<F> {
    Use(Grant),
    /// Wait for the flight; where there is a grant meanwhile, not longer than this, and use it where the flight fails.
    Wait {
        flight: F,
        meanwhile: Option<(Grant, Duration)>,
    },
    Failed(Error),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    Fresh,
    Ageing,
    Closing { left: i64 },
    Over,
}

impl<F: Clone> Signatures<F> {
    pub(super) fn new() -> Self {
        Self { scopes: LruCache::unbounded(), next: 0 }
    }

    /// A signature for a request that is about to be sent. `launch` begins to ask for the one of this number.
    pub(super) fn ask(&mut self, name: &str, now: SystemTime, launch: impl FnOnce(u64) -> F) -> Asked<F> {
        let now = millis(now);
        if !self.scopes.contains(name) {
            self.scopes.push(name.into(), Scope { current: None, flight: None, failed: None, dropped: None, ahead: 0 });
            if self.scopes.len() > SCOPES {
                self.scopes.pop_lru();
            }
        }
        let next = &mut self.next;
        let scope = self.scopes.get_or_insert_mut(name.into(), || unreachable!("put in place above"));
        let usable = scope.current.as_ref().map(|held| (held.grant(name), held.age(now, scope.ahead))).filter(|(_, age)| *age != Age::Over);
        if let Some((grant, Age::Fresh)) = usable {
            return Asked::Use(grant);
        }
        let flight = match (&scope.flight, &scope.failed) {
            (Some((_, flight)), _) => flight.clone(),
            (None, Some((at, error))) if is_within(PAUSE, *at, now) => {
                return usable.map_or_else(|| Asked::Failed(error.clone()), |(grant, _)| Asked::Use(grant));
            }
            (None, _) => {
                *next += 1;
                let flight = launch(*next);
                scope.flight = Some((*next, flight.clone()));
                flight
            }
        };
        match usable {
            Some((grant, Age::Closing { left })) => {
                let patience = Duration::from_millis(u64::try_from(left / 2).unwrap_or(0));
                Asked::Wait { flight, meanwhile: Some((grant, patience)) }
            }
            Some((grant, _)) => Asked::Use(grant),
            None => Asked::Wait { flight, meanwhile: None },
        }
    }

    /// The signer answered.
    pub(super) fn settle(&mut self, name: &str, number: u64, signed: Result<Signed>, now: SystemTime) -> Result<Grant> {
        let now = millis(now);
        let held = signed.map(|signed| Held { number, signed: Arc::new(signed), obtained: now, late: false });
        let settled = held.as_ref().map(|held| held.grant(name)).map_err(Clone::clone);
        // a scope that was forgotten meanwhile is not brought back; those who wait are told all the same
        let Some(scope) = self.scopes.peek_mut(name).filter(|scope| scope.flight.as_ref().is_some_and(|(flight, _)| *flight == number)) else {
            return settled;
        };
        scope.flight = None;
        match held {
            Ok(held) => {
                let late = held.expires().is_some_and(|expires| expires <= now + scope.ahead);
                scope.current = Some(Held { late, ..held });
                scope.failed = None;
            }
            Err(e) => scope.failed = Some((now, e)),
        }
        settled
    }

    /// A server refused a signature. Whether another one, to be had by asking, may fare better.
    pub(super) fn refused(&mut self, name: &str, number: u64, now: SystemTime) -> bool {
        let now = millis(now);
        let Some(scope) = self.scopes.peek_mut(name) else { return true };
        if scope.current.as_ref().is_none_or(|held| held.number != number) {
            return true;
        }
        // so was the one before it: it is not their age
        if scope.dropped.is_some_and(|at| is_within(PAUSE, at, now)) {
            return false;
        }
        (scope.current, scope.dropped) = (None, Some(now));
        true
    }

    /// A server told the time.
    pub(super) fn date(&mut self, name: &str, now: SystemTime, server: SystemTime) {
        if let Some(scope) = self.scopes.peek_mut(name) {
            let ahead = millis(server) - millis(now);
            scope.ahead = if ahead.abs() > CLOCKS_AGREE { ahead } else { 0 };
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.scopes.len()
    }
}

impl Held {
    fn grant(&self, scope: &str) -> Grant {
        Grant { signed: self.signed.clone(), scope: scope.into(), number: self.number }
    }

    fn expires(&self) -> Option<i64> {
        self.signed.expires.map(millis)
    }

    fn age(&self, now: i64, ahead: i64) -> Age {
        let Some(expires) = self.expires() else { return Age::Fresh };
        let life = expires - (self.obtained + ahead);
        let left = expires - (now + ahead);
        match left {
            _ if self.late && life <= 0 => Age::Fresh,
            ..=0 => Age::Over,
            // what an endpoint hands out several times may be near its end each time
            _ if is_within(PAUSE, self.obtained, now) => Age::Fresh,
            _ if left <= MARGIN.min(life / 10) => Age::Closing { left },
            _ if left <= life / 5 => Age::Ageing,
            _ => Age::Fresh,
        }
    }
}

/// Whether `now` is less than `span` after `then`; where the clock was put back, it is not.
fn is_within(span: i64, then: i64, now: i64) -> bool {
    (0..span).contains(&(now - then))
}

/// Milliseconds since 1970, of times within some hundred thousand years, so that sums of a few do not overflow.
fn millis(time: SystemTime) -> i64 {
    const MOST: i64 = i64::MAX >> 8;
    let signed = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(MOST).min(MOST);
    time.duration_since(UNIX_EPOCH).map_or_else(|before| -signed(before.duration()), signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(u64::try_from(1_000_000_000 + millis).unwrap())
    }

    /// What `ask` says, in a word: `use 1`, `wait 2`, `wait 2 or 1`, `failed`; an asterisk where it began to ask.
    fn ask(signatures: &mut Signatures<u64>, now: i64) -> String {
        let mut launched = "";
        let asked = signatures.ask("s", at(now), |number| {
            launched = "*";
            number
        });
        let said = match asked {
            Asked::Use(grant) => format!("use {}", grant.number),
            Asked::Wait { flight, meanwhile: None } => format!("wait {flight}"),
            Asked::Wait { flight, meanwhile: Some((grant, _)) } => format!("wait {flight} or {}", grant.number),
            Asked::Failed(_) => "failed".to_owned(),
        };
        said + launched
    }

    fn until(millis: i64) -> Result<Signed> {
        Ok(Signed::query(crate::model::Secret::new("t")).until(at(millis)))
    }

    /// Signatures with one of this life.
    fn with(life: i64) -> Signatures<u64> {
        let mut signatures = Signatures::new();
        assert_eq!(ask(&mut signatures, 0), "wait 1*");
        signatures.settle("s", 1, until(life), at(0)).unwrap();
        signatures
    }

    #[test]
    fn a_life() {
        let hour = 3_600_000;
        for (life, now, said) in [
            (hour, 0, "use 1"),
            (hour, hour / 10 * 8 - 1, "use 1"),
            (hour, hour / 10 * 8, "use 1*"),
            (hour, hour - 60_001, "use 1*"),
            (hour, hour - 60_000, "wait 2 or 1*"),
            (hour, hour - 1, "wait 2 or 1*"),
            (hour, hour, "wait 2*"),
            (10_000, 7_999, "use 1"),
            (10_000, 8_999, "use 1*"),
            (10_000, 9_000, "wait 2 or 1*"),
            (500, 499, "use 1"),
            (500, 500, "wait 2*"),
            // the clock was put back
            (hour, -hour / 2, "use 1"),
        ] {
            assert_eq!(ask(&mut with(life), now), said, "a life of {life}, asked at {now}");
        }
    }

    #[test]
    fn one_asks_for_all() {
        let mut signatures = Signatures::new();
        assert_eq!(ask(&mut signatures, 0), "wait 1*");
        assert_eq!(ask(&mut signatures, 5), "wait 1");
        signatures.settle("s", 1, until(10_000), at(9)).unwrap();
        assert_eq!(ask(&mut signatures, 8_500), "use 1*");
        assert_eq!(ask(&mut signatures, 8_600), "use 1");
        assert_eq!(ask(&mut signatures, 9_500), "wait 2 or 1");
        assert_eq!(ask(&mut signatures, 10_500), "wait 2");
        signatures.settle("s", 2, until(20_000), at(10_600)).unwrap();
        assert_eq!(ask(&mut signatures, 10_601), "use 2");
    }

    #[test]
    fn failures_are_shared_for_a_second_and_no_longer() {
        let fails = |signatures: &mut Signatures<u64>, number, now| {
            signatures.settle("s", number, Err(Error::storage("no")), at(now)).unwrap_err();
        };
        let mut signatures = with(10_000);
        assert_eq!(ask(&mut signatures, 8_500), "use 1*");
        fails(&mut signatures, 2, 8_600);
        assert_eq!(ask(&mut signatures, 9_599), "use 1", "closing, and just failed");
        assert_eq!(ask(&mut signatures, 9_600), "wait 3 or 1*");
        fails(&mut signatures, 3, 9_900);
        assert_eq!(ask(&mut signatures, 10_000), "failed");
        assert_eq!(ask(&mut signatures, 10_899), "failed");
        assert_eq!(ask(&mut signatures, 10_900), "wait 4*");
        signatures.settle("s", 4, until(20_000), at(11_000)).unwrap();
        assert_eq!(ask(&mut signatures, 11_001), "use 4");
    }

    #[test]
    fn a_refused_signature_is_replaced_once() {
        let mut signatures = with(1_000_000);
        assert!(signatures.refused("s", 1, at(10)), "it is dropped");
        assert!(signatures.refused("s", 1, at(11)), "others had it too");
        assert_eq!(ask(&mut signatures, 12), "wait 2*");
        signatures.settle("s", 2, until(1_000_000), at(20)).unwrap();
        assert!(signatures.refused("s", 1, at(30)), "one that is late with its refusal may try the new one");
        assert_eq!(ask(&mut signatures, 30), "use 2");
        assert!(!signatures.refused("s", 2, at(40)), "the second in a row");
        assert_eq!(ask(&mut signatures, 50), "use 2", "and nobody asks again");
        assert!(signatures.refused("s", 2, at(1_010)), "until a second is over");
    }

    #[test]
    fn a_signature_that_comes_too_late_is_tried_until_it_is_refused() {
        let mut signatures = with(-5_000);
        assert_eq!(ask(&mut signatures, 10), "use 1");
        assert_eq!(ask(&mut signatures, 100_000), "use 1");
        assert!(signatures.refused("s", 1, at(100_000)));
        assert_eq!(ask(&mut signatures, 100_000), "wait 2*");
    }

    #[test]
    fn the_clock_of_the_server_counts() {
        let told = |ahead: i64| {
            let mut signatures = with(100_000);
            signatures.date("s", at(10), at(10 + ahead));
            ask(&mut signatures, 10_000)
        };
        for (ahead, said) in [(0, "use 1"), (2_000, "use 1"), (-2_000, "use 1"), (60_000, "use 1"), (95_000, "wait 2*"), (200_000, "wait 2*")] {
            assert_eq!(told(ahead), said, "{ahead} ms ahead");
        }
        let mut signatures = with(100_000);
        signatures.date("s", at(10), at(10 - 50_000));
        assert_eq!(ask(&mut signatures, 110_000), "use 1", "life left by a clock that is behind");

        // ours is ahead: what seemed over when it came lives by the clock that counts, and is renewed by it
        let mut signatures = with(-40_000);
        signatures.date("s", at(10), at(10 - 140_000));
        assert_eq!(ask(&mut signatures, 60_000), "use 1");
        assert_eq!(ask(&mut signatures, 85_000), "use 1*");
        assert_eq!(ask(&mut signatures, 100_000), "wait 2");
    }

    #[test]
    fn scopes_are_bounded() {
        let mut signatures: Signatures<u64> = Signatures::new();
        for scope in 0..3000 {
            let _ = signatures.ask(&scope.to_string(), at(0), |number| number);
        }
        assert_eq!(signatures.len(), SCOPES);
        assert!(signatures.settle("0", 1, until(1), at(0)).is_ok(), "those who wait for a forgotten scope are told");
        assert_eq!(signatures.len(), SCOPES);
        assert!(signatures.refused("0", 1, at(0)));
    }

    #[test]
    fn no_time_overflows() {
        let mut signatures = with(0);
        for time in [UNIX_EPOCH, UNIX_EPOCH - Duration::from_secs(1 << 61), UNIX_EPOCH + Duration::from_secs(1 << 61)] {
            signatures.date("s", at(0), time);
            let _ = signatures.ask("s", time, |number| number);
        }
    }
}
