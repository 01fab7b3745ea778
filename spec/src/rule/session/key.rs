//! One conversation is one session on every path, and a key reaches its session however it is
//! spelled.

use rustc_hash::{FxHashMap, FxHashSet};

use super::super::{Checker, Keyword, Kind, Rule, Sink};
use super::purpose;
use crate::address::{Address, Place};
use crate::config::Route;
use crate::effect::{Effect, StartRun};
use crate::facts::{Facts, Role};
use crate::id::{AgentId, Marker, SessionKey};
use crate::profile::Family;
use crate::stimulus::Stimulus;
use crate::trace::{Entry, What};

pub(super) fn rule() -> Rule {
    Rule {
        id: "session.key-canonical",
        family: Family::Session,
        keyword: Keyword::Must,
        text: "On every entry path one conversation reaches one session; two reach two unless \
               dmScope, links or a binding joins them. A key given out, sent back in any accepted \
               spelling, reaches its session; what is no key reaches none. Ids that differ only in \
               case are two where the channel keeps case.",
        sources: &["I-12", "SI-016", "SI-018", "S-49", "S-53", "S-57", "S-62"],
        dials: &[],
        sees: &[Kind::Inbound, Kind::InternalTurn, Kind::StartRun],
        checker: Some(|| Box::new(Canonical::default())),
        relation: None,
    }
}

/// Whose session a key is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Owner {
    /// People who write in direct conversations.
    People,
    /// One group or thread.
    Conversation(Address),
}

/// Remembers which conversation each session is of, and which keys callers chose.
#[derive(Default)]
struct Canonical {
    owners: FxHashMap<SessionKey, Owner>,
    homes: FxHashMap<(AgentId, Address), SessionKey>,
    chosen: FxHashSet<SessionKey>,
    /// Conversations in which somebody bound what is written there to another session.
    focused: FxHashSet<Address>,
    /// Turns of the clockwork that wait for their run, and the key that each names.
    turns: FxHashMap<Marker, SessionKey>,
}

impl Checker for Canonical {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::Inbound(inbound))
                if inbound.text.trim_start().starts_with("/focus") =>
            {
                self.focused.insert(inbound.at.without_thread());
            }
            What::Stimulus(Stimulus::InternalTurn(turn)) => {
                if let Some(marker) = entry.own.first() {
                    self.turns.insert(marker.clone(), turn.session.clone());
                }
            }
            What::Effect(Effect::StartRun(start)) if start.resumes.is_none() => {
                self.on_start(start, facts, sink);
            }
            _ => (),
        }
    }
}

impl Canonical {
    fn on_start(&mut self, start: &StartRun, facts: &Facts, sink: &mut Sink) {
        let Some(run) = facts.run_here() else {
            return;
        };
        match &run.role {
            Role::Chat(_) => {
                if let Some((_, message)) = facts.chat_here() {
                    self.from(&message.at, message.kind, start, facts, sink);
                }
            }
            Role::Plugin(call) | Role::Sent(call) => {
                let call = facts.calls.get(call);
                // What comes back to whoever sent it is news of it.
                let call = call.filter(|call| call.session.as_ref() != Some(&start.session_key));
                let named = call.and_then(|call| call.text("sessionKey").or(call.text("key")));
                // Blanks name nothing.
                if let Some(named) = named.filter(|named| !named.trim().is_empty()) {
                    self.named(named, &run.role, start, facts, sink);
                }
            }
            Role::Internal => {
                let turns = run
                    .given
                    .iter()
                    .filter_map(|given| self.turns.remove(given));
                if let Some(named) = turns.last() {
                    self.named(named.as_str(), &run.role, start, facts, sink);
                }
            }
            Role::Child(_) | Role::Event(_) | Role::Unknown => (),
        }
    }

    /// A message from a place leads to a session.
    fn from(
        &mut self,
        at: &Address,
        kind: Place,
        start: &StartRun,
        facts: &Facts,
        sink: &mut Sink,
    ) {
        let configured = facts.config.route(at, kind);
        if configured.is_some_and(Route::is_bound) {
            return;
        }
        // What it was called before is told of elsewhere.
        if facts.moved_to(at).is_some() {
            return;
        }
        let key = &start.session_key;
        let owner = match (kind, &at.thread) {
            (Place::Direct, None) => Owner::People,
            // Whether a topic has a session of its own is the gateway's affair.
            (Place::Direct, Some(_)) => return,
            (Place::Group | Place::Thread, _) => Owner::Conversation(folded(at, facts)),
        };
        let mut clear = true;
        if let Some(other) = self.owners.get(key).filter(|other| **other != owner) {
            clear = false;
            if !self.is_bound(at, key, facts) {
                let whose = match other {
                    Owner::People => "that of direct messages".to_owned(),
                    Owner::Conversation(other) => format!("that of {other}"),
                };
                sink.fail(
                    format!("run {} for {at} is in session {key}, {whose}", start.run),
                    format!("{at} has a session of its own"),
                );
            }
        }
        if let Owner::Conversation(at) = &owner {
            let home = (start.agent.clone(), at.clone());
            if let Some(other) = self
                .homes
                .insert(home, key.clone())
                .filter(|other| other != key)
            {
                clear = false;
                if !self.is_bound(at, key, facts) {
                    sink.fail(
                        format!("run {} for {at} is in session {key}, and one before was in session {other}", start.run),
                        format!("{at} stays in session {other}"),
                    );
                }
            } else if clear && self.owners.len() > 1 {
                sink.witness();
            }
        }
        if clear && !self.owners.contains_key(key) {
            self.owners.insert(key.clone(), owner);
        }
    }

    /// A call or the clockwork names a key, and a run in a session comes of it.
    fn named(
        &mut self,
        named: &str,
        role: &Role,
        start: &StartRun,
        facts: &Facts,
        sink: &mut Sink,
    ) {
        let key = &start.session_key;
        let session = facts.sessions.get(key);
        let before = session.and_then(|session| session.before.as_deref());
        let known = before.is_some_and(|before| before.is_known());
        let run = &start.run;
        let seen = || {
            format!(
                "run {run} {} is in session {key}, and named was {named:?}",
                purpose(role)
            )
        };
        let Ok(spelled) = facts.naming.canonical(named) else {
            return sink.fail(
                seen(),
                format!("{named:?} is no key, and reaches no session"),
            );
        };
        // A text may be sent to a session's id too, or to a label.
        let is_key = named.contains(':') || named.trim().eq_ignore_ascii_case("main");
        if !is_key && matches!(role, Role::Sent(_)) {
            return;
        }
        let meant = facts
            .session_named(named)
            .filter(|meant| is_there(meant, facts));
        match meant {
            Some(meant) if meant != key => {
                sink.fail(seen(), format!("it is in session {meant}"));
            }
            // A second spelling made a session of its own.
            Some(_) if !known => match self.twin(&spelled, key, facts) {
                Some(twin) => sink.fail(seen(), format!("it is in session {twin}")),
                None => drop(self.chosen.insert(key.clone())),
            },
            Some(_) => sink.witness(),
            None => (),
        }
    }

    /// Whether a place is or was bound: then its session follows the binding.
    fn is_bound(&self, at: &Address, key: &SessionKey, facts: &Facts) -> bool {
        self.focused.contains(&at.without_thread())
            || facts.has_been_bound(at)
            || facts.opens_for_a_spawn(at)
            || facts.is_child_session(key)
    }

    /// Another session that a caller named, by a key with the same spelling.
    fn twin(&self, spelled: &SessionKey, key: &SessionKey, facts: &Facts) -> Option<SessionKey> {
        let twin = facts.first_spelled(spelled)?;
        let other = twin != key && self.chosen.contains(twin) && is_there(twin, facts);
        other.then(|| twin.clone())
    }
}

fn is_there(key: &SessionKey, facts: &Facts) -> bool {
    facts
        .sessions
        .get(key)
        .is_some_and(|session| !session.deleted)
}

/// An address without case where its channel knows none.
fn folded(at: &Address, facts: &Facts) -> Address {
    let case = facts.naming.case_of(&at.channel);
    let fold = |id: &str| case.fold(id.to_owned().into()).into_owned();
    Address {
        conversation: fold(at.conversation.as_str()).into(),
        thread: at
            .thread
            .as_ref()
            .map(|thread| fold(thread.as_str()).into()),
        ..at.clone()
    }
}
