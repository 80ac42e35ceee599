//! A cache whose entries weigh bytes, and which one long scan does not flush.
//!
//! Two queues, each in the order of use (a segmented LRU). What comes in is on probation; asked for once more it moves to the main queue.
//! The main queue has three quarters of the budget, and what it cannot hold falls back to probation, from whose end entries leave. So what
//! was asked for twice is only ever displaced by what was asked for twice, and while nothing was, probation has all of the budget.

use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

/// What an entry costs beside its value: key, links, table.
pub(super) const ENTRY_OVERHEAD: u64 = 256;

/// The sum of the weights is never above the budget, and no entry above a quarter of it.
pub(crate) struct ByteCache<K, V> {
    state: Mutex<State<K, V>>,
    budget: u64,
}

struct State<K, V> {
    probation: Queue<K, V>,
    main: Queue<K, V>,
}

struct Queue<K, V> {
    entries: LruCache<K, (V, u64)>,
    used: u64,
}

impl<K: Hash + Eq, V> Queue<K, V> {
    fn new() -> Self {
        Self { entries: LruCache::unbounded(), used: 0 }
    }
    fn put(&mut self, key: K, value: V, weight: u64) {
        self.used += weight;
        self.entries.put(key, (value, weight));
    }
    fn take(&mut self, key: &K) -> Option<(K, V, u64)> {
        let (key, (value, weight)) = self.entries.pop_entry(key)?;
        self.used -= weight;
        Some((key, value, weight))
    }
    fn take_oldest(&mut self) -> Option<(K, V, u64)> {
        let (key, (value, weight)) = self.entries.pop_lru()?;
        self.used -= weight;
        Some((key, value, weight))
    }
}

impl<K: Hash + Eq, V: Clone> ByteCache<K, V> {
    /// A cache of so many bytes; 0 keeps nothing.
    pub(crate) fn new(budget: u64) -> Self {
        Self { state: Mutex::new(State { probation: Queue::new(), main: Queue::new() }), budget }
    }

    /// The most that the weights may sum up to.
    pub(crate) fn budget(&self) -> u64 {
        self.budget
    }

    /// The value, which becomes the most recently used.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        if self.budget == 0 {
            return None;
        }
        let mut state = self.lock();
        let State { probation, main } = &mut *state;
        if let Some((value, _)) = main.entries.get(key) {
            return Some(value.clone());
        }
        let (key, value, weight) = probation.take(key)?;
        let found = value.clone();
        main.put(key, value, weight);
        // The sum stays what it was: nothing leaves.
        while main.used > self.budget - self.budget / 4
            && let Some((key, value, weight)) = main.take_oldest()
        {
            probation.put(key, value, weight);
        }
        Some(found)
    }

    /// The value; its place in the order stays.
    #[cfg(test)]
    pub(crate) fn peek(&self, key: &K) -> Option<V> {
        let state = self.lock();
        state.main.entries.peek(key).or_else(|| state.probation.entries.peek(key)).map(|(value, _)| value.clone())
    }

    /// Keeps a value of `weight` bytes, unless it alone is above a quarter of the budget. What took its place before is dropped in any case.
    pub(crate) fn insert(&self, key: K, value: V, weight: u64) {
        if self.budget == 0 {
            return;
        }
        let weight = weight.saturating_add(ENTRY_OVERHEAD);
        let mut gone = Vec::new(); // dropped after the lock: the last owner of a buffer may free megabytes
        let mut state = self.lock();
        let State { probation, main } = &mut *state;
        let was_main = main.take(&key);
        let to_main = was_main.is_some();
        gone.extend(was_main.or_else(|| probation.take(&key)).map(|(_, value, _)| value));
        if weight <= self.budget / 4 {
            let mut demoted = Vec::new();
            if to_main {
                while main.used + weight > self.budget - self.budget / 4
                    && let Some(oldest) = main.take_oldest()
                {
                    demoted.push(oldest);
                }
            }
            for (key, value, weight) in demoted {
                probation.put(key, value, weight);
            }
            // Probation alone has room enough: main holds three quarters at most.
            while main.used + probation.used + weight > self.budget
                && let Some((_, value, _)) = probation.take_oldest()
            {
                gone.push(value);
            }
            if to_main {
                main.put(key, value, weight)
            } else {
                probation.put(key, value, weight)
            }
            debug_assert!(main.used + probation.used <= self.budget, "room was made for it");
        }
        drop(state);
        drop(gone);
    }

    /// Forgets what does not pass.
    pub(crate) fn retain(&self, keep: impl Fn(&K, &V) -> bool)
    where
        K: Clone,
    {
        let mut gone = Vec::new();
        let mut state = self.lock();
        let State { probation, main } = &mut *state;
        for queue in [probation, main] {
            let failed = queue.entries.iter().filter(|(key, (value, _))| !keep(key, value)).map(|(key, _)| key.clone());
            let failed: Vec<K> = failed.collect();
            gone.extend(failed.iter().filter_map(|key| queue.take(key)));
        }
        drop(state);
        drop(gone);
    }

    /// The sum of the weights.
    #[cfg(test)]
    pub(crate) fn used(&self) -> u64 {
        let state = self.lock();
        state.main.used + state.probation.used
    }

    fn lock(&self) -> MutexGuard<'_, State<K, V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Room for so many entries of 100 bytes.
    fn room_for(entries: u64) -> ByteCache<u64, u64> {
        ByteCache::new(entries * (100 + ENTRY_OVERHEAD))
    }

    fn kept(cache: &ByteCache<u64, u64>, keys: std::ops::Range<u64>) -> Vec<u64> {
        keys.filter(|key| cache.peek(key).is_some()).collect()
    }

    #[test]
    fn the_oldest_leave_first() {
        let cache = room_for(4);
        for key in 0..6 {
            cache.insert(key, key, 100);
        }
        assert_eq!(kept(&cache, 0..6), [2, 3, 4, 5]);
        assert_eq!(cache.get(&2), Some(2));
        cache.insert(6, 6, 100);
        assert_eq!(kept(&cache, 0..7), [2, 4, 5, 6]);
        cache.retain(|key, _| *key >= 5);
        assert_eq!((kept(&cache, 0..7), cache.used()), (vec![5, 6], 2 * (100 + ENTRY_OVERHEAD)));
    }

    #[test]
    fn a_scan_does_not_flush_what_is_used() {
        let cache = room_for(100);
        let read = |key: u64| {
            let hit = cache.get(&key).is_some();
            if !hit {
                cache.insert(key, key, 100);
            }
            usize::from(hit)
        };
        let round = || (0..60).map(read).sum::<usize>();
        assert_eq!((round(), round()), (0, 60));
        assert_eq!((1000..11_000).map(read).sum::<usize>(), 0);
        assert_eq!(round(), 60, "all of the hot set is there after a scan of a hundred times the cache");
        assert_eq!(kept(&cache, 1000..11_000), (10_960..11_000).collect::<Vec<_>>(), "the scan had what was left");
    }

    #[test]
    fn what_falls_out_of_the_main_queue_is_on_probation() {
        let cache = room_for(4);
        for key in 0..4 {
            cache.insert(key, key, 100);
        }
        for key in 0..4 {
            assert_eq!(cache.get(&key), Some(key));
        }
        cache.insert(9, 9, 100);
        assert_eq!(kept(&cache, 0..10), [1, 2, 3, 9], "0 was the first to fall back, and then to leave");
    }

    #[test]
    fn what_is_larger_than_a_quarter_is_not_kept_and_displaces_nothing_but_itself() {
        let cache = ByteCache::new(4000);
        cache.insert(1, 1, 500);
        cache.insert(2, 2, 500);
        cache.insert(3, 3, 1000 - ENTRY_OVERHEAD + 1);
        assert_eq!(kept(&cache, 0..4), [1, 2]);
        cache.insert(2, 22, 2000);
        assert_eq!(kept(&cache, 0..4), [1], "what is replaced is gone, also where the new one is not kept");
        cache.insert(3, 3, 1000 - ENTRY_OVERHEAD);
        assert_eq!(kept(&cache, 0..4), [1, 3]);
    }

    /// The same policy over two lists, the most recently used last.
    #[derive(Default)]
    struct Model {
        probation: Vec<(u64, u64)>,
        main: Vec<(u64, u64)>,
    }

    fn sum(list: &[(u64, u64)]) -> u64 {
        list.iter().map(|(_, weight)| weight).sum()
    }

    fn remove(list: &mut Vec<(u64, u64)>, key: u64) -> Option<(u64, u64)> {
        list.iter().position(|entry| entry.0 == key).map(|place| list.remove(place))
    }

    impl Model {
        fn get(&mut self, key: u64, budget: u64) -> bool {
            let found = remove(&mut self.main, key).or_else(|| remove(&mut self.probation, key));
            self.main.extend(found);
            self.settle(budget);
            found.is_some()
        }
        fn insert(&mut self, key: u64, weight: u64, budget: u64) {
            let of_main = remove(&mut self.main, key).is_some();
            remove(&mut self.probation, key);
            if weight <= budget / 4 {
                if of_main { &mut self.main } else { &mut self.probation }.push((key, weight));
                self.settle(budget);
            }
        }
        fn settle(&mut self, budget: u64) {
            while sum(&self.main) > budget - budget / 4 {
                let fallen = self.main.remove(0);
                self.probation.push(fallen);
            }
            while sum(&self.main) + sum(&self.probation) > budget {
                self.probation.remove(0);
            }
        }
    }

    fn order(queue: &Queue<u64, u64>) -> Vec<(u64, u64)> {
        let mut entries: Vec<_> = queue.entries.iter().map(|(key, (_, weight))| (*key, *weight)).collect();
        entries.reverse();
        entries
    }

    proptest! {
        #[test]
        fn as_the_model_says(steps in proptest::collection::vec((any::<bool>(), 0_u64..24, 0_u64..1200), 0..300), budget in 0_u64..16_000) {
            let cache = ByteCache::new(budget);
            let mut model = Model::default();
            for (asks, key, weight) in steps {
                if asks {
                    prop_assert_eq!(cache.get(&key).is_some(), model.get(key, budget));
                } else {
                    cache.insert(key, weight, weight);
                    model.insert(key, weight + ENTRY_OVERHEAD, budget);
                }
                let state = cache.lock();
                prop_assert_eq!(order(&state.main), model.main.clone());
                prop_assert_eq!(order(&state.probation), model.probation.clone());
                prop_assert_eq!((state.main.used, state.probation.used), (sum(&model.main), sum(&model.probation)));
                prop_assert!(state.main.used + state.probation.used <= budget);
            }
            cache.retain(|_, _| false);
            prop_assert_eq!(cache.used(), 0);
        }
    }
}
