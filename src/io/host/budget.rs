//! How many requests may be repeated: a share of the requests to a host, so that one in trouble is not sent a multiple of what it
//! could not bear.

/// Parts of one repetition: whole numbers, so that five fifths are one.
const ONE: u64 = 1_000_000;
/// What is saved up in quiet times, in requests.
const KEPT: u64 = 1_000;

/// Repetitions that may be granted and not sent yet, as far as they are told from first requests.
const OPEN: u64 = 64;

/// The repetitions left.
#[derive(Debug)]
pub(super) struct RetryBudget {
    share: u64,
    most: u64,
    left: u64,
    /// Repetitions that were granted and are not sent yet.
    granted: u64,
}

impl RetryBudget {
    /// `floor` repetitions, and `share` of one for each request.
    pub(super) fn new(share: f64, floor: u32) -> Self {
        #[allow(clippy::cast_possible_truncation, reason = "a cast from a float saturates, and no number is none")]
        let share = (share.clamp(0.0, 1e3) * ONE as f64).round() as u64;
        let floor = u64::from(floor) * ONE;
        Self { share, most: floor + share * KEPT, left: floor, granted: 0 }
    }

    /// A request is sent. Repetitions bring nothing, else there would be repetitions of repetitions.
    pub(super) fn request(&mut self) {
        match self.granted.checked_sub(1) {
            Some(granted) => self.granted = granted,
            None => self.left = (self.left + self.share).min(self.most),
        }
    }

    /// Whether one may be sent again.
    pub(super) fn repeat(&mut self) -> bool {
        let Some(left) = self.left.checked_sub(ONE) else { return false };
        self.left = left;
        self.granted = (self.granted + 1).min(OPEN); // those that are given up meanwhile are never sent
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeat(budget: &mut RetryBudget) -> bool {
        let granted = budget.repeat();
        if granted {
            budget.request();
        }
        granted
    }

    /// How many of `requests` failing ones are sent again, each as often as it may.
    fn repeated(share: f64, floor: u32, requests: usize) -> usize {
        let mut budget = RetryBudget::new(share, floor);
        let mut repeated = 0;
        for _ in 0..requests {
            budget.request();
            repeated += (0..4).take_while(|_| repeat(&mut budget)).count();
        }
        repeated
    }

    #[test]
    fn a_share_and_a_floor() {
        let table = [
            (0.2, 10, 0, 0),
            (0.2, 10, 1, 4),
            (0.2, 10, 1_000, 210),
            (0.2, 0, 1_000, 200),
            (0.0, 3, 1_000, 3),
            (0.1, 0, 9, 0),
            (0.1, 0, 10, 1),
            (1e9, 0, 100, 400),
            (-1.0, 2, 100, 2),
            (f64::NAN, 2, 100, 2),
        ];
        for (share, floor, requests, expected) in table {
            assert_eq!(repeated(share, floor, requests), expected, "{share} {floor} {requests}");
        }
    }

    #[test]
    fn one_failure_in_ten_is_always_repeated() {
        let mut budget = RetryBudget::new(0.2, 10);
        for i in 0..100_000 {
            budget.request();
            assert!(i % 10 != 0 || repeat(&mut budget));
        }
    }

    #[test]
    fn quiet_years_do_not_pay_for_a_storm() {
        let mut budget = RetryBudget::new(0.2, 10);
        (0..1_000_000).for_each(|_| budget.request());
        assert_eq!((0..10_000).filter(|_| repeat(&mut budget)).count(), 210);
    }
}
