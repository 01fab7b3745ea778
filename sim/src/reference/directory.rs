//! Sessions by their keys.

use std::cell::Cell;

use indexmap::IndexMap;
use moorline_spec::id::SessionKey;
use rustc_hash::FxBuildHasher;

use super::state::Session;

/// Every session. Whoever asks for one asks for it again soon: one stimulus is of one session, and
/// asks some ten times. So the last one is tried before the key is hashed.
#[derive(Debug, Default)]
pub(super) struct Directory {
    sessions: IndexMap<SessionKey, Session, FxBuildHasher>,
    last: Cell<usize>,
}

impl Directory {
    fn index(&self, key: &SessionKey) -> Option<usize> {
        let last = self.sessions.get_index(self.last.get());
        if last.is_some_and(|(of, _)| of == key) {
            return Some(self.last.get());
        }
        let index = self.sessions.get_index_of(key)?;
        self.last.set(index);
        Some(index)
    }

    pub(super) fn get(&self, key: &SessionKey) -> Option<&Session> {
        let index = self.index(key)?;
        self.sessions.get_index(index).map(|(_, session)| session)
    }

    pub(super) fn get_mut(&mut self, key: &SessionKey) -> Option<&mut Session> {
        let index = self.index(key)?;
        let found = self.sessions.get_index_mut(index);
        found.map(|(_, session)| session)
    }

    pub(super) fn contains_key(&self, key: &SessionKey) -> bool {
        self.index(key).is_some()
    }

    pub(super) fn insert(&mut self, key: SessionKey, session: Session) {
        let (index, _) = self.sessions.insert_full(key, session);
        self.last.set(index);
    }

    pub(super) fn remove(&mut self, key: &SessionKey) -> Option<Session> {
        self.sessions.swap_remove(key)
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &SessionKey> {
        self.sessions.keys()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values()
    }
}
