//! A map whose user asks for the same thing again and again.

use std::cell::Cell;
use std::fmt;
use std::hash::Hash;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

/// Things by their keys. What was asked for last is tried before a key is hashed: one step of a
/// play is about one session in one conversation, and looks each of them up some ten times.
pub(crate) struct Recent<K, V> {
    all: IndexMap<K, V, FxBuildHasher>,
    last: Cell<usize>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self {
            all: IndexMap::default(),
            last: Cell::default(),
        }
    }
}

/// What is in it; which one was asked for last is nobody's business.
impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Recent<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.all.fmt(f)
    }
}

impl<K: Eq + Hash, V> Recent<K, V> {
    fn index(&self, key: &K) -> Option<usize> {
        let last = self.last.get();
        if self.all.get_index(last).is_some_and(|(of, _)| of == key) {
            return Some(last);
        }
        let index = self.all.get_index_of(key)?;
        self.last.set(index);
        Some(index)
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let index = self.index(key)?;
        self.all.get_index(index).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let index = self.index(key)?;
        self.all.get_index_mut(index).map(|(_, value)| value)
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.index(key).is_some()
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        let (index, _) = self.all.insert_full(key, value);
        self.last.set(index);
    }

    /// Takes one out; the newest one takes its place in the order.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.all.swap_remove(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.all.keys()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.all.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_the_place_of_the_last_one_is_not_taken_for_it() {
        let mut map = Recent::default();
        for (key, value) in [("a", 1), ("b", 2), ("c", 3)] {
            map.insert(key, value);
        }
        assert_eq!(map.get(&"a"), Some(&1));
        assert_eq!(map.remove(&"a"), Some(1));
        assert_eq!(map.get(&"a"), None);
        assert_eq!(map.get(&"c"), Some(&3));
        if let Some(value) = map.get_mut(&"b") {
            *value = 4;
        }
        assert_eq!(map.get(&"b"), Some(&4));
        assert!(!map.contains_key(&"d"));
        assert_eq!(map.len(), 2);
    }
}
