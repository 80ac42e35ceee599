//! How many requests a host is sent at once: additive increase, multiplicative decrease.
//!
//! Answers are counted in epochs of as many as the window is wide, at least 16. As soon as more than a quarter of an epoch was refused for
//! their number, or did not come in time, the window is halved and a new epoch begins; an epoch that ends without that
//! widens it by one. Fewer refusals than that do not come from the width of the window, and are what repeating is for: a window that was
//! halved at each of them would be two or three wide where one answer in ten fails by chance, and lose most of the throughput.
//!
//! Answers to requests that were sent before the window was last halved tell nothing about its width since, and are not counted: else
//! one burst of refusals would close it.

/// The fewest answers that are judged by.
const EPOCH: usize = 16;

/// The window of one host.
#[derive(Debug)]
pub(super) struct Window {
    size: usize,
    most: usize,
    halvings: u64,
    answers: usize,
    refusals: usize,
}

impl Window {
    /// Of `most` requests, which is also where it begins.
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1);
        Self { size: most, most, halvings: 0, answers: 0, refusals: 0 }
    }

    /// Requests at once.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// What a request that is sent now is marked with.
    pub(super) fn mark(&self) -> u64 {
        self.halvings
    }

    /// A request with this mark was answered, or was not in time. Whether the size is another one now.
    pub(super) fn answered(&mut self, mark: u64, refused: bool) -> bool {
        if mark != self.halvings {
            return false;
        }
        self.answers += 1;
        self.refusals += usize::from(refused);
        let epoch = self.size.max(EPOCH);
        let before = self.size;
        if self.refusals * 4 > epoch {
            self.size = (self.size / 2).max(1);
            self.halvings += 1;
        } else if self.answers >= epoch {
            self.size = (self.size + 1).min(self.most);
        } else {
            return false;
        }
        (self.answers, self.refusals) = (0, 0);
        self.size != before
    }
}

#[cfg(test)]
mod tests {
    use super::super::pace::Random;
    use super::*;

    /// A host and as many requests as the window lets through, round after round: the mean width, and the width after each round.
    fn simulate(most: usize, rounds: usize, mut refuses: impl FnMut(&mut Random, usize) -> bool) -> (f64, Vec<usize>) {
        let mut random = Random::seeded(7);
        let mut window = Window::new(most);
        let mut widths = Vec::new();
        for _ in 0..rounds {
            let (mark, width) = (window.mark(), window.size());
            for place in 0..width {
                window.answered(mark, refuses(&mut random, place));
            }
            widths.push(window.size());
        }
        (widths.iter().sum::<usize>() as f64 / rounds as f64, widths)
    }

    fn chance(random: &mut Random, percent: u64) -> bool {
        random.next() % 100 < percent
    }

    #[test]
    fn mean_widths() {
        type Refuses = fn(&mut Random, usize) -> bool;
        let table: [(&str, usize, Refuses, std::ops::RangeInclusive<f64>); 7] = [
            ("no refusals", 16, |_, _| false, 16.0..=16.0),
            ("one in ten by chance", 16, |r, _| chance(r, 10), 14.4..=16.0),
            ("one in ten by chance, a wide window", 64, |r, _| chance(r, 10), 62.0..=64.0),
            ("half of all", 16, |r, _| chance(r, 50), 1.0..=1.6),
            ("all", 16, |_, _| true, 1.0..=1.1),
            ("all, a wide window", 256, |_, _| true, 1.0..=1.6),
            ("what is above six at once", 16, |_, place| place >= 6, 5.0..=8.0),
        ];
        for (name, most, refuses, expected) in table {
            let (mean, _) = simulate(most, 2_000, refuses);
            assert!(expected.contains(&mean), "{name}: {mean}");
        }
    }

    #[test]
    fn refusals_of_half_close_it_within_a_hundred_answers() {
        let mut window = Window::new(16);
        let answers = (0..1_000).take_while(|i| window.answered(window.mark(), i % 2 == 0) || window.size() > 1).count();
        assert!(answers <= 100, "{answers}");
    }

    #[test]
    fn it_opens_again() {
        let (_, widths) = simulate(16, 400, {
            let mut round = 0;
            move |_, place| {
                round += usize::from(place == 0);
                round <= 40
            }
        });
        assert_eq!((widths[39], widths[399]), (1, 16));
        assert!(widths[39..].is_sorted());
    }

    #[test]
    fn one_burst_halves_it_once() {
        let mut window = Window::new(16);
        let mark = window.mark();
        assert_eq!((0..16).filter(|_| window.answered(mark, true)).count(), 1);
        assert_eq!(window.size(), 8);
    }

    #[test]
    fn it_never_closes_entirely() {
        for most in [0, 1, 2, 3] {
            let (_, widths) = simulate(most, 100, |_, _| true);
            assert!(widths.iter().all(|w| (1..=most.max(1)).contains(w)));
        }
    }
}
