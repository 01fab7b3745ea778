//! Where texts come from, and where they may go.

use std::sync::Arc;

use super::{Facts, Role, RunState};
use crate::address::{Address, Place};
use crate::config::{DmScope, Route};
use crate::id::{CallId, Marker, PersonId, RunId, SessionKey};

/// Addresses that something comes from. Most texts share those of their cause.
pub type Origins = Arc<[Address]>;

/// A text, known by its marker.
#[derive(Clone, Debug)]
pub struct Born {
    /// As what it came into the world.
    pub what: BornAs,
    /// The addresses it comes from: one, unless its cause mixes several; none where nobody asked.
    pub origins: Origins,
    /// The entry it was born in.
    pub entry: usize,
}

/// As what a text came into the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BornAs {
    /// Somebody's message.
    Message {
        /// Who wrote it.
        from: PersonId,
        /// What the conversation is.
        kind: Place,
    },
    /// A parameter of a call: a task, a text to send.
    Parameter(CallId),
    /// The text of an internal turn.
    Internal,
    /// Something a run said before its end.
    Progress(RunId),
    /// A run's last words.
    LastWords(RunId),
}

impl Born {
    /// The run that said it, if a run did.
    pub fn run(&self) -> Option<&RunId> {
        match &self.what {
            BornAs::Progress(run) | BornAs::LastWords(run) => Some(run),
            BornAs::Message { .. } | BornAs::Parameter(_) | BornAs::Internal => None,
        }
    }

    /// Whether somebody wrote it.
    pub fn is_message(&self) -> bool {
        matches!(self.what, BornAs::Message { .. })
    }
}

impl Facts {
    pub(super) fn bear(&mut self, own: &[Marker], what: &BornAs, origins: &Origins) {
        for marker in own {
            let born = Born {
                what: what.clone(),
                origins: origins.clone(),
                entry: self.index,
            };
            // A marker is born once; a second birth is a repetition.
            self.born.entry(marker.clone()).or_insert(born);
        }
    }

    /// The origins of texts, each once, in the order of the markers.
    pub fn origins_of<'m>(&self, markers: impl IntoIterator<Item = &'m Marker>) -> Origins {
        let known = markers.into_iter();
        join(known.filter_map(|marker| self.born.get(marker)))
    }

    /// The origins of the texts that an effect brings.
    pub(super) fn origins_here(&self) -> Origins {
        join(self.texts_here().map(|(_, born)| born))
    }

    /// The latest-born of some markers: what a text is made for; the others it repeats.
    pub fn latest<'m>(&self, markers: &'m [Marker]) -> Option<&'m Marker> {
        let known = markers
            .iter()
            .filter_map(|marker| Some((self.born.get(marker)?.entry, marker)));
        known
            .max_by_key(|&(entry, _)| entry)
            .map(|(_, marker)| marker)
    }

    /// Whether a text may stand at an address: it comes from there and from nowhere else, or was
    /// said in a session that is bound to there.
    pub fn may_stand(&self, born: &Born, at: &Address) -> bool {
        let bound = || {
            let (run, thread) = match &born.what {
                BornAs::Parameter(call) => {
                    let call = self.calls.get(call);
                    let thread = call.and_then(|call| call.thread.as_ref());
                    (call.and_then(|call| call.run.as_ref()), thread)
                }
                BornAs::Message { .. }
                | BornAs::Internal
                | BornAs::Progress(_)
                | BornAs::LastWords(_) => (born.run(), None),
            };
            let run = run.and_then(|run| self.runs.get(run));
            thread == Some(at) || run.is_some_and(|run| self.was_bound(&run.key, at))
        };
        let same = |origin: &Address| origin == at || self.is_one_conversation(origin, at);
        born.origins.iter().all(same) && !born.origins.is_empty()
            || born.origins.is_empty() && !matches!(born.what, BornAs::Message { .. })
            || bound()
    }

    /// Whether an address is that of a direct conversation: a direct message came from it.
    pub fn is_direct(&self, at: &Address) -> bool {
        self.places.get(at) == Some(&Place::Direct)
    }

    /// Whether one of two addresses was bound for a child that was asked for from the other.
    pub fn are_joined(&self, one: &Address, other: &Address) -> bool {
        let asked_from = |call: Option<&CallId>, at: &Address| {
            let call = call.and_then(|call| self.calls.get(call));
            call.is_some_and(|call| call.origins.contains(at))
        };
        self.bindings.iter().any(|binding| {
            let call = binding.call.as_ref();
            binding.address == *one && asked_from(call, other)
                || binding.address == *other && asked_from(call, one)
        })
    }

    /// Whether two addresses are direct conversations that share one memory under the
    /// configuration: by scope, or by an identity link.
    pub fn share_memory(&self, one: &Address, other: &Address) -> bool {
        if self.is_one_conversation(one, other) {
            return true;
        }
        if !(self.is_direct(one) && self.is_direct(other)) {
            return false;
        }
        let route = |at: &Address| self.config.route(at, Place::Direct);
        if let (Some(Route::Bound(_)), _) | (_, Some(Route::Bound(_))) = (route(one), route(other))
        {
            return false;
        }
        let agent = |at: &Address| route(at).map(Route::agent).or(self.agents.first());
        if agent(one) != agent(other) {
            return false;
        }
        let session = &self.config.session;
        let name = |at: &Address| {
            let person = PersonId::from(at.conversation.as_str());
            self.known_as(at, &person).into_owned()
        };
        match session.dm_scope {
            DmScope::Main => true,
            DmScope::PerPeer => name(one) == name(other),
            DmScope::PerChannelPeer => one.channel == other.channel && name(one) == name(other),
            DmScope::PerAccountChannelPeer => {
                one.channel == other.channel
                    && one.account == other.account
                    && name(one) == name(other)
            }
        }
    }

    /// What a run in a session is for, by the latest-born text it was given.
    pub(super) fn role_here(&self, key: &SessionKey) -> Role {
        let Some((marker, born)) = self.latest_here() else {
            return Role::Unknown;
        };
        match &born.what {
            BornAs::Message { .. } => Role::Chat(marker.clone()),
            BornAs::Internal => Role::Internal,
            BornAs::LastWords(run) if let Some(call) = self.exchanged(run, key) => Role::Sent(call),
            BornAs::Progress(run) | BornAs::LastWords(run) => Role::Event(run.clone()),
            BornAs::Parameter(call) => self.role_of_parameter(call, key),
        }
    }

    /// The send whose exchange goes on, where a session says something to the reply it was told of,
    /// and that is given to whoever replied.
    fn exchanged(&self, said: &RunId, key: &SessionKey) -> Option<CallId> {
        let said = self.runs.get(said)?;
        let Role::Event(replied) = &said.role else {
            return None;
        };
        let of_exchange = |replied: &RunId| {
            let replied = self.runs.get(replied)?;
            let Role::Sent(id) = &replied.role else {
                return None;
            };
            let call = self.calls.get(id)?;
            let back = replied.key == *key && call.session.as_ref() == Some(&said.key);
            (back && said.key != *key).then(|| id.clone())
        };
        // One turn may be told of a reply and of what ended later.
        let told = said.given.iter().rev();
        let mut told = told.filter_map(|marker| self.born.get(marker)?.run());
        of_exchange(replied).or_else(|| told.find_map(of_exchange))
    }

    fn role_of_parameter(&self, id: &CallId, key: &SessionKey) -> Role {
        let Some(call) = self.calls.get(id) else {
            return Role::Unknown;
        };
        // Once the run it was for has ended, its words come back in a notice of that. In the
        // session of a run that never came to its end it is another try.
        let again = |run: &RunId| {
            let run = self.runs.get(run);
            run.is_some_and(|run| {
                run.key == *key && matches!(run.state, RunState::Refused | RunState::Lost)
            })
        };
        if let Some(run) = call.run.as_ref().filter(|run| self.is_over(run))
            && !again(run)
        {
            return Role::Event(run.clone());
        }
        // What a session sent or asked for itself comes back to it with the news of its end, or to
        // whoever is above it and takes its place.
        let own = call.session.as_ref();
        let above = || own.is_some_and(|own| self.is_below(key, own));
        let answer = call.answer.as_ref().and_then(|answer| answer.get("runId"));
        if let Some(run) = answer.and_then(|run| run.as_str())
            && matches!(call.method.as_str(), "sessions_send" | "sessions_spawn")
            && (own == Some(key) || call.method == "sessions_spawn" && above())
        {
            return Role::Event(run.into());
        }
        // It does so too where a crash took the answer, and the run that was to have it.
        let crashed = call.answer.is_none() && call.life != self.lives;
        let asks = matches!(call.method.as_str(), "sessions_send" | "sessions_spawn");
        if crashed && asks && call.session.as_ref() == Some(key) {
            return Role::Unknown;
        }
        match call.method.as_str() {
            "sessions_spawn" => Role::Child(id.clone()),
            "sessions_send" => Role::Sent(id.clone()),
            _ => Role::Plugin(id.clone()),
        }
    }
}

/// The origins of some texts, each once, in the order of the texts.
fn join<'b>(texts: impl Iterator<Item = &'b Born>) -> Origins {
    let mut origins = Origins::default();
    for born in texts {
        if origins.is_empty() {
            origins = born.origins.clone();
        } else if !born.origins.iter().all(|origin| origins.contains(origin)) {
            let known = origins.iter();
            let new = born.origins.iter().filter(|new| !origins.contains(new));
            origins = known.chain(new).cloned().collect();
        }
    }
    origins
}
