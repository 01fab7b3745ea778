//! The bindings, and where each is found: by its number, by its place, by its session.

use std::hash::{BuildHasher, Hash};
use std::ops::Index;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use moorline_spec::address::Address;
use moorline_spec::id::SessionKey;
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::state::Binding;

/// All bindings. The indexes hold numbers alone and look for the names at the bindings themselves: of
/// a hundred thousand they stay in a cache that their names would not fit into.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    // Each at an address of its own: what is removed is handed on without being copied.
    all: FxHashMap<u64, Box<Binding>>,
    by_place: HashTable<u64>,
    by_session: HashTable<u64>,
}

fn hash(of: &impl Hash) -> u64 {
    FxBuildHasher.hash_one(of)
}

impl Bindings {
    pub(super) fn get(&self, number: &u64) -> Option<&Binding> {
        self.all.get(number).map(|binding| &**binding)
    }

    /// A binding whose limits, times, or run may change; place and session stay.
    pub(super) fn get_mut(&mut self, number: &u64) -> Option<&mut Binding> {
        self.all.get_mut(number).map(|binding| &mut **binding)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The numbers, in order: whoever looks at all of them has the time to sort them.
    pub(super) fn numbers(&self) -> Vec<u64> {
        let mut numbers: Vec<u64> = self.all.keys().copied().collect();
        numbers.sort_unstable();
        numbers
    }

    /// The bindings, in the order of their numbers.
    pub(super) fn values(&self) -> impl Iterator<Item = &Binding> {
        self.numbers().into_iter().map(|number| &self[&number])
    }

    /// As [`Bindings::get_mut`], all of them, in no order.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Binding> {
        self.all.values_mut().map(|binding| &mut **binding)
    }

    /// The binding of a place.
    pub(super) fn at(&self, place: &Address) -> Option<u64> {
        // Where nothing is bound nothing is hashed.
        if self.all.is_empty() {
            return None;
        }
        let at = |number: &u64| self[number].place() == place;
        self.by_place.find(hash(place), at).copied()
    }

    /// The bindings of a session, in no order.
    fn bound_to(&self, key: &SessionKey) -> impl Iterator<Item = u64> {
        let same = self.by_session.iter_hash(hash(key)).copied();
        same.filter(|number| self[number].key == *key)
    }

    /// The bindings of a session, in the order of their numbers.
    pub(super) fn of(&self, key: &SessionKey) -> Vec<u64> {
        let mut numbers: Vec<u64> = self.bound_to(key).collect();
        numbers.sort_unstable();
        numbers
    }

    /// The first binding of a session.
    pub(super) fn first_of(&self, key: &SessionKey) -> Option<u64> {
        self.bound_to(key).min()
    }

    /// Puts a binding in. A place has one: if another had it, that one is found by its number and its
    /// session alone from now on.
    pub(super) fn insert(&mut self, binding: Box<Binding>) {
        let number = binding.number;
        let (of_place, of_session) = (hash(binding.place()), hash(&binding.key));
        self.remove(number);
        self.all.insert(number, binding);
        let all = &self.all;
        let place = all[&number].place();
        let entry = self.by_place.entry(
            of_place,
            |other| all[other].place() == place,
            |other| hash(all[other].place()),
        );
        match entry {
            Entry::Occupied(mut held) => *held.get_mut() = number,
            Entry::Vacant(free) => drop(free.insert(number)),
        }
        let rehash = |other: &u64| hash(&all[other].key);
        self.by_session.insert_unique(of_session, number, rehash);
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Box<Binding>> {
        let binding = self.all.remove(&number)?;
        let indexes = [
            (&mut self.by_place, hash(binding.place())),
            (&mut self.by_session, hash(&binding.key)),
        ];
        for (index, hash) in indexes {
            if let Ok(entry) = index.find_entry(hash, |other| *other == number) {
                entry.remove();
            }
        }
        Some(binding)
    }
}

impl Index<&u64> for Bindings {
    type Output = Binding;

    fn index(&self, number: &u64) -> &Binding {
        &self.all[number]
    }
}
