//! What a request to a host costs, learned from its answers.
//!
//! The plan of a read depends on one number, the bytes that a connection moves in the time of a round trip (see [`super::super::ranges`]).
//! It is the product of two medians, of the last times to a first byte and of the last speeds of bodies that are long enough to have
//! one: medians, because single answers may be late by any factor. Plans are to be the same from one read to the next, so the
//! product is taken as a power of two, and as another one only where it is clearly nearer to that; before there are enough answers
//! it is that of [`Cost::TYPICAL`].

use std::time::Duration;

use super::super::options::{Cost, NetworkOptions};
use super::super::ranges::MergePolicy;

/// Answers that are remembered.
const KEPT: usize = 64;
/// Answers of either kind before they are believed.
const ENOUGH: usize = 16;
/// Answers before any is called late.
const ENOUGH_FOR_TAIL: usize = 20;
/// Shorter bodies come with their headers, and tell nothing of the connection.
const LEAST_BODY: u64 = 64 << 10;
/// 128 KiB to 8 MiB, as powers of two: on neither side of it would a plan be better.
const EXPONENTS: (f64, f64) = (17.0, 23.0);
/// How far, in powers of two, a product is from the one in use before another one is taken. More than a half, or it would go to and fro.
const CLEARLY: f64 = 0.75;

/// What was seen of a host.
#[derive(Debug)]
pub(super) struct Learned {
    /// Nanoseconds.
    latencies: Recent,
    /// Bytes a second.
    speeds: Recent,
    /// Of the power of two in use.
    exponent: f64,
}

impl Learned {
    pub(super) fn new() -> Self {
        Self { latencies: Recent::default(), speeds: Recent::default(), exponent: 21.0 }
    }

    /// The headers of a good answer came so long after its request.
    pub(super) fn first_byte(&mut self, after: Duration) {
        self.latencies.push(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX));
    }

    /// So much of a body came in this time.
    pub(super) fn body(&mut self, bytes: u64, time: Duration) {
        if bytes < LEAST_BODY {
            return;
        }
        let nanos = time.as_nanos().max(1);
        self.speeds.push(u64::try_from(u128::from(bytes) * 1_000_000_000 / nanos).unwrap_or(u64::MAX));
        if self.latencies.len() >= ENOUGH && self.speeds.len() >= ENOUGH {
            let product = self.latencies.quantile(0.5) as f64 * 1e-9 * self.speeds.quantile(0.5) as f64;
            let exact = product.log2().clamp(EXPONENTS.0, EXPONENTS.1);
            if (exact - self.exponent).abs() > CLEARLY {
                self.exponent = exact.round();
            }
        }
    }

    /// Bytes that a connection moves in the time of a round trip.
    fn round_trip_bytes(&self) -> u64 {
        #[allow(clippy::cast_possible_truncation, reason = "between the exponents")]
        let exponent = self.exponent as u32;
        1 << exponent
    }

    /// How ranges become requests.
    pub(super) fn policy(&self, options: &NetworkOptions) -> MergePolicy {
        let bytes = match options.cost {
            Cost::Learned => self.round_trip_bytes(),
            Cost::Fixed { latency, bytes_per_second } => {
                u64::try_from(latency.as_nanos().saturating_mul(u128::from(bytes_per_second)) / 1_000_000_000).unwrap_or(u64::MAX)
            }
        };
        let policy = MergePolicy::of_round_trip(bytes, options.request_bytes, options.connections_per_host);
        MergePolicy { gap: options.merge_gap.unwrap_or(policy.gap), ..policy }
    }

    /// The usual time to a first byte.
    pub(super) fn latency(&self) -> Option<Duration> {
        (self.latencies.len() > 0).then(|| Duration::from_nanos(self.latencies.quantile(0.5)))
    }

    /// The usual speed of one connection.
    pub(super) fn bytes_per_second(&self) -> Option<u64> {
        (self.speeds.len() > 0).then(|| self.speeds.quantile(0.5))
    }

    /// After how long an answer is late: when 95 % of them have come, and twice the usual time is over. Without the latter one in twenty would
    /// always be, where all take about as long, and use up what is set aside for those that really are.
    pub(super) fn late_after(&self) -> Option<Duration> {
        let late = self.latencies.quantile(0.95).max(self.latencies.quantile(0.5).saturating_mul(2));
        (self.latencies.len() >= ENOUGH_FOR_TAIL).then(|| Duration::from_nanos(late))
    }
}

/// The last numbers of a series.
#[derive(Debug, Default)]
struct Recent {
    kept: Vec<u64>,
    next: usize,
}

impl Recent {
    fn push(&mut self, number: u64) {
        if self.kept.len() < KEPT {
            self.kept.push(number);
        } else {
            self.kept[self.next] = number;
            self.next = (self.next + 1) % KEPT;
        }
    }

    fn len(&self) -> usize {
        self.kept.len()
    }

    /// The smallest number that this share of them does not exceed; 0 where there are none.
    fn quantile(&self, share: f64) -> u64 {
        let mut sorted = self.kept.clone();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not above their number")]
        let rank = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
        if sorted.is_empty() { 0 } else { *sorted.select_nth_unstable(rank).1 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pace::Random;
    use super::*;

    const MIB: u64 = 1 << 20;

    fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn seen(answers: usize, latency: Duration, bytes_per_second: u64) -> Learned {
        let mut learned = Learned::new();
        for _ in 0..answers {
            learned.first_byte(latency);
            learned.body(bytes_per_second, Duration::from_secs(1));
        }
        learned
    }

    #[test]
    fn before_there_are_answers_it_is_typical() {
        let typical = MergePolicy { gap: 64 << 10, least: 2 * MIB, most: 8 * MIB, connections: 16 };
        let options = NetworkOptions::default();
        assert_eq!(Learned::new().policy(&options), typical);
        assert_eq!(seen(15, millis(500), 900 * MIB).policy(&options), typical);
        assert_eq!(Learned::new().policy(&NetworkOptions { cost: Cost::TYPICAL, ..options }), typical);
    }

    #[test]
    fn round_trips() {
        let table = [
            ("a server on the same machine", Duration::from_micros(300), 1 << 30, 256 << 10),
            ("nothing at all", Duration::from_micros(30), 1 << 20, 128 << 10),
            ("in the same region", millis(10), 60 * MIB, 512 << 10),
            ("as is typical", Duration::from_micros(31_250), 64 * MIB, 2 * MIB),
            ("not clearly another one", millis(50), 64 * MIB, 2 * MIB),
            ("clearly another one", millis(60), 64 * MIB, 4 * MIB),
            ("another continent", millis(150), 100 * MIB, 8 * MIB),
            ("a slow line", millis(40), MIB, 128 << 10),
        ];
        for (name, latency, speed, expected) in table {
            let policy = seen(ENOUGH, latency, speed).policy(&NetworkOptions::default());
            assert_eq!((policy.least, policy.gap), (expected, expected / 32), "{name}");
        }
    }

    #[test]
    fn the_caller_knows_better() {
        let learned = seen(64, millis(150), 100 * MIB);
        let fixed = Cost::Fixed { latency: millis(1), bytes_per_second: 3_200_000 };
        let options = NetworkOptions { cost: fixed, request_bytes: 77, connections_per_host: 3, ..NetworkOptions::default() };
        assert_eq!(learned.policy(&options), MergePolicy { gap: 100, least: 3_200, most: 77, connections: 3 });
        let options = NetworkOptions { merge_gap: Some(0), ..NetworkOptions::default() };
        assert_eq!((learned.policy(&options).gap, learned.policy(&options).least), (0, 8 * MIB));
        let endless = Cost::Fixed { latency: Duration::MAX, bytes_per_second: u64::MAX };
        assert_eq!(learned.policy(&NetworkOptions { cost: endless, ..NetworkOptions::default() }).least, u64::MAX);
    }

    #[test]
    fn late_answers_do_not_change_plans() {
        let mut learned = seen(64, millis(10), 200 * MIB);
        let mut random = Random::seeded(3);
        for _ in 0..10_000 {
            let is_late = random.next().is_multiple_of(10);
            learned.first_byte(millis(if is_late { 20_000 } else { 8 + random.next() % 4 }));
            let is_slow = random.next().is_multiple_of(10);
            learned.body(8 * MIB, millis(if is_slow { 60_000 } else { 40 + random.next() % 10 }));
            assert_eq!(learned.round_trip_bytes(), 2 * MIB);
        }
    }

    #[test]
    fn between_two_powers_a_plan_stays() {
        let mut learned = seen(64, millis(100), 29 * MIB); // 2.9 MiB: between 2 and 4
        let first = learned.round_trip_bytes();
        for i in 0..1_000 {
            learned.first_byte(millis(if i % 2 == 0 { 95 } else { 105 }));
            learned.body(29 * MIB, millis(if i % 3 == 0 { 900 } else { 1_100 }));
            assert_eq!(learned.round_trip_bytes(), first);
        }
    }

    #[test]
    fn short_bodies_have_no_speed() {
        let mut learned = seen(16, millis(1), MIB);
        for _ in 0..64 {
            learned.body(LEAST_BODY - 1, Duration::from_secs(9));
        }
        assert_eq!(learned.bytes_per_second(), Some(MIB));
        learned.body(u64::MAX, Duration::ZERO);
        assert_eq!(learned.bytes_per_second(), Some(MIB));
    }

    #[test]
    fn late_is_what_95_of_100_are_not() {
        let mut learned = Learned::new();
        for n in 1..=19 {
            learned.first_byte(millis(n * n));
            assert_eq!(learned.late_after(), None);
        }
        learned.first_byte(millis(400));
        assert_eq!(learned.late_after(), Some(millis(361)));
        assert_eq!(learned.latency(), Some(millis(100)));
        (0..64).for_each(|n| learned.first_byte(millis(100 + n)));
        assert_eq!(learned.late_after(), Some(millis(262)), "twice the usual, and the old ones are forgotten");
    }
}
