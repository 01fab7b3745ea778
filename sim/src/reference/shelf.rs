//! Where things lie that are written down.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Things by number. A record may share one as it is: what is shared is copied before it changes.
#[derive(Debug)]
pub(super) struct Shelf<T>(BTreeMap<u64, Arc<T>>);

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Clone> Shelf<T> {
    pub(super) fn get(&self, number: &u64) -> Option<&T> {
        self.0.get(number).map(|thing| &**thing)
    }

    pub(super) fn get_mut(&mut self, number: &u64) -> Option<&mut T> {
        self.0.get_mut(number).map(Arc::make_mut)
    }

    /// A thing as it is now.
    pub(super) fn share(&self, number: &u64) -> Option<Arc<T>> {
        self.0.get(number).cloned()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn contains_key(&self, number: &u64) -> bool {
        self.0.contains_key(number)
    }

    pub(super) fn insert(&mut self, number: u64, thing: impl Into<Arc<T>>) {
        self.0.insert(number, thing.into());
    }

    pub(super) fn remove(&mut self, number: &u64) -> Option<Arc<T>> {
        self.0.remove(number)
    }

    pub(super) fn retain(&mut self, stays: impl Fn(&T) -> bool) {
        self.0.retain(|_, thing| stays(thing));
    }

    /// The numbers, in order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &u64> {
        self.0.keys()
    }

    /// The things, in the order of their numbers.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.values().map(|thing| &**thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_record_shares_stays_as_it_was() {
        let mut shelf: Shelf<String> = Shelf::default();
        shelf.insert(7, "before".to_owned());
        let shared = shelf.share(&7);
        if let Some(text) = shelf.get_mut(&7) {
            text.push_str(" and after");
        }
        assert_eq!(shared.as_deref().map(String::as_str), Some("before"));
        assert_eq!(shelf.get(&7).map(String::as_str), Some("before and after"));
    }
}
