//! Which session a key means, however it is spelled, and by which name a person is known.

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use super::Facts;
use crate::address::Address;
use crate::id::{PersonId, SessionKey};

/// Sessions by the one spelling of their keys. Few stories ask for it, so it is brought up to date
/// when one does.
#[derive(Debug, Default)]
pub(super) struct Spelled {
    sessions: FxHashMap<SessionKey, usize>,
    /// How many sessions it has taken in.
    known: usize,
}

impl Facts {
    /// The session that had a run, and whose key a text spells: in the gateway's own spelling if it
    /// has one.
    pub fn session_named(&self, raw: &str) -> Option<&SessionKey> {
        if let Some((key, _)) = self.sessions.get_key_value(raw) {
            return Some(key);
        }
        self.first_spelled(&self.naming.canonical(raw).ok()?)
    }

    /// The first session with a key that is spelled so in the end.
    pub fn first_spelled(&self, spelled: &SessionKey) -> Option<&SessionKey> {
        let mut known = self.spelled.borrow_mut();
        for session in known.known..self.sessions.len() {
            let (key, _) = self.sessions.get_index(session)?;
            if let Ok(spelled) = self.naming.canonical(key.as_str()) {
                known.sessions.entry(spelled).or_insert(session);
            }
        }
        known.known = self.sessions.len();
        let (key, _) = self.sessions.get_index(*known.sessions.get(spelled)?)?;
        Some(key)
    }

    /// The name under which somebody is known on a channel: that of an identity link, else their
    /// own, without case where case means nothing there.
    pub fn known_as<'a>(&'a self, at: &Address, person: &'a PersonId) -> Cow<'a, str> {
        let name = self.config.linked(&at.channel, person);
        self.naming.case_of(&at.channel).fold(name.into())
    }
}
