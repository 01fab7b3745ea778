//! Sessions as they can be seen from outside, and the messages that people write.

use super::{BornAs, Facts, Role, RunFacts};
use crate::address::Address;
use crate::address::Place;
use crate::effect::{Drop, Memory};
use crate::id::{Marker, MessageId, PersonId, RunId, SessionKey, Text};
use crate::stimulus::{Author, Call, Inbound, Open};
use crate::time::Time;
use crate::trace::Entry;

/// A session.
#[derive(Clone, Debug, Default)]
pub struct SessionFacts {
    /// Runs on its key in its present incarnation, and any that are still live.
    pub runs: Vec<RunId>,
    /// When its incarnation began; `None` before its first run.
    pub started_at: Option<Time>,
    /// When a person last wrote to it on the chat path.
    pub interacted_at: Option<Time>,
    /// When anything last happened to it.
    pub written_at: Time,
    /// Something that ends its incarnation was asked for since its last run: `/new`, `/reset`, a
    /// reset or a delete.
    pub told_to_forget: bool,
    /// The state before the run that was asked for last, for checkers to compare with.
    pub before: Option<Box<SessionBefore>>,
}

/// A session as it was just before its last run was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionBefore {
    /// When its incarnation had begun; `None` if it had no run.
    pub started_at: Option<Time>,
    /// When a person had last written to it.
    pub interacted_at: Option<Time>,
    /// When anything had last happened to it.
    pub written_at: Time,
    /// Whether it had been told to forget.
    pub told_to_forget: bool,
}

/// A message that somebody wrote.
#[derive(Clone, Debug)]
pub struct MessageFacts {
    /// Its id on the channel.
    pub message: MessageId,
    /// Where.
    pub at: Address,
    /// What the place is.
    pub kind: Place,
    /// Who.
    pub from: PersonId,
    /// What wrote it.
    pub author: Author,
    /// Whether it is for the gateway to answer: by a person, mentioned where that is asked for.
    pub wants_answer: bool,
    /// What it says.
    pub text: Text,
    /// The entry it first arrived in, and when.
    pub arrived: (usize, Time),
    /// The runs that were given it, in order.
    pub runs: Vec<RunId>,
    /// Whether the gateway said that it does not work on it, and said why.
    pub dropped: bool,
}

impl MessageFacts {
    /// Whether it is a control command, which no run is given.
    pub fn is_command(&self) -> bool {
        self.text.starts_with('/')
    }

    /// Whether it asks for a fresh start.
    pub fn asks_fresh(&self) -> bool {
        let word = self.text.split([' ', '⟦']).next().unwrap_or_default();
        word.eq_ignore_ascii_case("/new") || word.eq_ignore_ascii_case("/reset")
    }
}

impl Facts {
    pub(super) fn on_inbound(&mut self, inbound: &Inbound, entry: &Entry) {
        let what = BornAs::Message {
            from: inbound.from.clone(),
            kind: inbound.kind,
        };
        self.bear(&entry.own, &what, std::slice::from_ref(&inbound.at));
        if !self.places.contains_key(&inbound.at) {
            self.places.insert(inbound.at.clone(), inbound.kind);
        }
        let Some(marker) = entry.own.first() else {
            return;
        };
        let gated = inbound.kind == Place::Group
            && self.config.requires_mention(&inbound.at.channel)
            && !inbound.mentioned;
        let message = MessageFacts {
            message: inbound.message.clone(),
            at: inbound.at.clone(),
            kind: inbound.kind,
            from: inbound.from.clone(),
            author: inbound.author,
            wants_answer: inbound.author == Author::Person && !gated,
            text: inbound.text.clone(),
            arrived: (self.index, entry.at),
            runs: Vec::new(),
            dropped: false,
        };
        if message.asks_fresh()
            && inbound.authorised
            && let Some(key) = self.session_at(&inbound.at).cloned()
            && let Some(session) = self.sessions.get_mut(&key)
        {
            session.told_to_forget = true;
        }
        self.messages.insert(marker.clone(), message);
    }

    /// The session that messages at an address belong to, as far as that is known: the one bound
    /// there, else the one that took the last message from there.
    pub fn session_at(&self, at: &Address) -> Option<&SessionKey> {
        let bound = self
            .bindings
            .iter()
            .rev()
            .find(|b| b.address == *at && b.ended.is_none());
        bound
            .map(|binding| &binding.key)
            .or_else(|| self.home.get(at))
    }

    pub(super) fn on_drop(&mut self, drop: &Drop) {
        for message in self
            .messages
            .values_mut()
            .filter(|m| m.message == drop.message)
        {
            message.dropped = true;
        }
    }

    pub(super) fn on_life(&mut self, _: &Open) {}

    pub(super) fn touch_session(&mut self, key: &SessionKey) {
        let now = self.now;
        if let Some(session) = self.sessions.get_mut(key) {
            session.written_at = now;
        }
    }

    pub(super) fn note_admin_call(&mut self, call: &Call) {
        let forgets = matches!(call.method.as_str(), "sessions.reset" | "sessions.delete");
        let key = call.params.get("key").and_then(|key| key.as_str());
        if forgets && let Some(session) = key.and_then(|key| self.sessions.get_mut(key)) {
            session.told_to_forget = true;
        }
    }

    pub(super) fn note_session_run(&mut self, id: &RunId, run: &RunFacts) {
        let now = self.now;
        let session = self.sessions.entry(run.key.clone()).or_default();
        session.before = Some(Box::new(SessionBefore {
            started_at: session.started_at,
            interacted_at: session.interacted_at,
            written_at: session.written_at,
            told_to_forget: session.told_to_forget,
        }));
        if run.memory != Memory::Continue || session.started_at.is_none() {
            session.started_at = Some(now);
            session
                .runs
                .retain(|run| self.runs.get(run).is_some_and(|run| run.state.is_live()));
        }
        session.told_to_forget = false;
        session.written_at = now;
        session.runs.push(id.clone());
        if let Role::Chat(marker) = &run.role {
            session.interacted_at = Some(now);
            self.note_message_run(id, marker, &run.key);
        }
        // Further messages that were collected into one run.
        for marker in run
            .given
            .iter()
            .filter(|marker| run.role != Role::Chat((*marker).clone()))
        {
            self.note_message_given(id, marker);
        }
    }

    fn note_message_run(&mut self, id: &RunId, marker: &Marker, key: &SessionKey) {
        let Some(message) = self.messages.get_mut(marker) else {
            return;
        };
        message.runs.push(id.clone());
        let (at, arrived) = (message.at.clone(), message.arrived.1);
        if self.bound_to(key) == Some(&at) {
            self.touch_binding(&at, arrived, self.now);
        }
        self.home.insert(at, key.clone());
    }

    fn note_message_given(&mut self, id: &RunId, marker: &Marker) {
        if let Some(message) = self.messages.get_mut(marker).filter(|m| m.runs.is_empty()) {
            message.runs.push(id.clone());
        }
    }
}
