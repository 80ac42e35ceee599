//! How long is waited before a request is sent again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// A random wait before the repetition of a request that failed `failed` times: uniform between nothing and `first`, doubled with each
/// further failure, at most `most`. Without a lower bound, so that those who failed together do not come back together
/// ("full jitter": M. Brooker, *Exponential Backoff and Jitter*, AWS 2015).
pub(super) fn backoff(failed: u32, first: Duration, most: Duration, random: &mut Random) -> Duration {
    let doublings = failed.saturating_sub(1).min(31);
    let longest = first.saturating_mul(1 << doublings).min(most);
    let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
    let wait = (u128::from(random.next()) * u128::from(nanos)) >> 64;
    Duration::from_nanos(u64::try_from(wait).unwrap_or(nanos))
}

/// Numbers that need not be unpredictable, only different in each process: splitmix64 (G. Steele et al., OOPSLA 2014).
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new() -> Self {
        Self(RandomState::new().hash_one(0))
    }
    #[cfg(test)]
    pub(super) fn seeded(seed: u64) -> Self {
        Self(seed)
    }
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_spread_below_their_bound() {
        let (first, most) = (Duration::from_millis(100), Duration::from_secs(10));
        let mut random = Random::seeded(1);
        let table = [(0, 100), (1, 100), (2, 200), (3, 400), (7, 6_400), (8, 10_000), (40, 10_000), (u32::MAX, 10_000)];
        for (failed, longest) in table {
            let longest = Duration::from_millis(longest);
            let waits: Vec<_> = (0..1_000).map(|_| backoff(failed, first, most, &mut random)).collect();
            assert!(waits.iter().all(|w| *w < longest), "{failed}");
            for quarter in 0..4 {
                let part = longest / 4;
                let within = waits.iter().filter(|w| (part * quarter..part * (quarter + 1)).contains(w)).count();
                assert!((180..320).contains(&within), "{failed}: {within} of 1000 in quarter {quarter}");
            }
        }
    }

    #[test]
    fn extremes() {
        let mut random = Random::seeded(1);
        assert_eq!(backoff(5, Duration::ZERO, Duration::MAX, &mut random), Duration::ZERO);
        assert_eq!(backoff(5, Duration::MAX, Duration::ZERO, &mut random), Duration::ZERO);
        assert!(backoff(5, Duration::MAX, Duration::MAX, &mut random) > Duration::ZERO);
    }

    #[test]
    fn sources_differ() {
        assert_ne!(Random::new().next(), Random::new().next());
    }
}
