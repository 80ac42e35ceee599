//! A cache whose entries weigh bytes.

use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

/// What an entry costs beside its value: key, links, table.
const ENTRY_OVERHEAD: u64 = 160;

/// Least recently used entries leave first; the sum of the weights is never above the budget.
pub(crate) struct ByteCache<K, V> {
    state: Mutex<State<K, V>>,
    budget: u64,
}

struct State<K, V> {
    entries: LruCache<K, (V, u64)>,
    used: u64,
}

impl<K: Hash + Eq, V: Clone> ByteCache<K, V> {
    /// A cache of so many bytes; 0 keeps nothing.
    pub(crate) fn new(budget: u64) -> Self {
        Self { state: Mutex::new(State { entries: LruCache::unbounded(), used: 0 }), budget }
    }

    /// The value, which becomes the most recently used.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        if self.budget == 0 {
            return None;
        }
        self.lock().entries.get(key).map(|(value, _)| value.clone())
    }

    /// Whether it is there; its place in the order stays.
    #[cfg(test)]
    pub(crate) fn peek(&self, key: &K) -> Option<V> {
        self.lock().entries.peek(key).map(|(value, _)| value.clone())
    }

    /// Keeps a value of `weight` bytes, unless it alone is above the budget.
    pub(crate) fn insert(&self, key: K, value: V, weight: u64) {
        let weight = weight.saturating_add(ENTRY_OVERHEAD);
        if weight > self.budget {
            return;
        }
        let mut gone = Vec::new(); // dropped after the lock: the last owner of a buffer may free megabytes
        let mut state = self.lock();
        if let Some(old) = state.entries.pop(&key) {
            state.used -= old.1;
            gone.push(old.0);
        }
        while state.used > self.budget - weight {
            let Some((_, (old, old_weight))) = state.entries.pop_lru() else { break };
            state.used -= old_weight;
            gone.push(old);
        }
        state.used += weight;
        state.entries.put(key, (value, weight));
        drop(state);
        drop(gone);
    }

    /// Forgets what does not pass.
    pub(crate) fn retain(&self, mut keep: impl FnMut(&K, &V) -> bool)
    where
        K: Clone,
    {
        let mut state = self.lock();
        let gone: Vec<K> = state.entries.iter().filter(|(key, (value, _))| !keep(key, value)).map(|(key, _)| key.clone()).collect();
        for key in gone {
            if let Some((_, weight)) = state.entries.pop(&key) {
                state.used -= weight;
            }
        }
    }

    /// The sum of the weights.
    #[cfg(test)]
    pub(crate) fn used(&self) -> u64 {
        self.lock().used
    }

    fn lock(&self) -> MutexGuard<'_, State<K, V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_oldest_leave_first() {
        let cache = ByteCache::new(3 * (100 + ENTRY_OVERHEAD));
        for key in 0..3 {
            cache.insert(key, key, 100);
        }
        assert_eq!(cache.get(&0), Some(0));
        cache.insert(3, 3, 100);
        assert_eq!((cache.peek(&0), cache.peek(&1), cache.peek(&2), cache.peek(&3)), (Some(0), None, Some(2), Some(3)));
        cache.retain(|key, _| *key == 3);
        assert_eq!((cache.peek(&0), cache.peek(&3), cache.used()), (None, Some(3), 100 + ENTRY_OVERHEAD));
    }

    proptest! {
        #[test]
        fn never_over_budget(steps in proptest::collection::vec((0_u8..20, 0_u64..3000), 0..200), budget in 0_u64..5000) {
            let cache = ByteCache::new(budget);
            for (key, weight) in steps {
                cache.insert(key, weight, weight);
                prop_assert!(cache.used() <= budget);
                if weight + ENTRY_OVERHEAD <= budget {
                    prop_assert_eq!(cache.get(&key), Some(weight));
                }
            }
            cache.retain(|_, _| false);
            prop_assert_eq!(cache.used(), 0);
        }
    }
}
