//! Which session a key means, however it is spelled, and by which name a person is known.

use std::borrow::Cow;

use super::Facts;
use crate::address::Address;
use crate::id::{PersonId, SessionKey};

impl Facts {
    /// A session had its first run: from here on its key is known.
    pub(super) fn note_key(&mut self, key: &SessionKey) {
        if self.sessions.contains_key(key) {
            return;
        }
        if let Ok(spelled) = self.naming.canonical(key.as_str()) {
            self.spelled.entry(spelled).or_insert_with(|| key.clone());
        }
    }

    /// The session that had a run, and whose key a text spells: in the gateway's own spelling if it
    /// has one.
    pub fn session_named(&self, raw: &str) -> Option<&SessionKey> {
        if let Some((key, _)) = self.sessions.get_key_value(raw) {
            return Some(key);
        }
        let spelled = self.naming.canonical(raw).ok()?;
        self.spelled.get(&spelled)
    }

    /// The first session with a key that is spelled so in the end.
    pub fn first_spelled(&self, spelled: &SessionKey) -> Option<&SessionKey> {
        self.spelled.get(spelled)
    }

    /// The name under which somebody is known on a channel: that of an identity link, else their
    /// own, without case where case means nothing there.
    pub fn known_as<'a>(&'a self, at: &Address, person: &'a PersonId) -> Cow<'a, str> {
        let name = self.config.linked(&at.channel, person);
        self.naming.case_of(&at.channel).fold(name.into())
    }
}
