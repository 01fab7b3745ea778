//! What somebody wants to have by naming what is another's.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::address::{Address, Place};
use crate::effect::{Answer, Deliver, Effect, Memory, StartRun};
use crate::facts::{CallFacts, Facts, Role};
use crate::id::{CallId, ConversationId, Marker, RunId, SessionId, SessionKey};
use crate::rule::{Checker, Sink};
use crate::stimulus::{Call, Caller, Inbound, Stimulus};
use crate::trace::{Entry, What};

/// Parameters of a spawn that name where its end is to be told.
const PLACES: [&str; 6] = [
    "to",
    "target",
    "channel",
    "threadId",
    "thread_id",
    "accountId",
];

/// MUST: an id that is named is no right to what it names.
#[derive(Default)]
pub(super) struct Forged {
    /// Who asked for the session of an id, and its key: the first run in it says so.
    asked_by: FxHashMap<SessionId, (SessionKey, SessionKey)>,
    /// Spawns that name a conversation.
    named: BTreeMap<CallId, String>,
    /// Where somebody named the session of another conversation, and which.
    focused: FxHashMap<Address, SessionKey>,
    /// The conversations that sessions belong to.
    homes: FxHashMap<SessionKey, Vec<ConversationId>>,
}

impl Checker for Forged {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::Call(call)) => self.on_call(call, facts),
            What::Stimulus(Stimulus::Inbound(inbound)) => self.on_inbound(inbound, facts),
            What::Effect(Effect::Answer(answer)) => self.on_answer(answer, facts, sink),
            What::Effect(Effect::StartRun(start)) => self.on_start(start, facts, sink),
            What::Effect(Effect::Deliver(deliver)) if !self.named.is_empty() => {
                self.on_deliver(deliver, facts, sink);
            }
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.named.retain(|call, _| facts.calls.contains_key(call));
        self.asked_by
            .retain(|_, (_, key)| facts.sessions.contains_key(key));
        self.homes.retain(|key, _| facts.sessions.contains_key(key));
    }

    fn finish(&mut self, _: &Facts, sink: &mut Sink) {
        for _ in 0..self.named.len() + self.focused.len() {
            sink.witness();
        }
    }
}

impl Forged {
    fn on_call(&mut self, call: &Call, facts: &Facts) {
        if call.method != "sessions_spawn" {
            return;
        }
        let Some(known) = facts.calls.get(&call.call) else {
            return;
        };
        let own = |name: &str| {
            let own = known.origins.iter();
            own.into_iter().any(|at| {
                let thread = at
                    .thread
                    .as_ref()
                    .is_some_and(|thread| thread.as_str() == name);
                at.conversation.as_str() == name || at.channel.as_str() == name || thread
            })
        };
        let named = PLACES
            .iter()
            .filter_map(|name| call.params.get(*name)?.as_str());
        if let Some(name) = named.into_iter().find(|name| !own(name)) {
            self.named.insert(call.call.clone(), name.to_owned());
        }
    }

    /// Somebody who may do so says `/focus` of a session that belongs to another conversation, and to
    /// nobody else.
    fn on_inbound(&mut self, inbound: &Inbound, facts: &Facts) {
        let mut words = inbound.text.split_whitespace();
        if !words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("/focus"))
        {
            return;
        }
        let Some(name) = words
            .next()
            .map(|word| word.split('⟦').next().unwrap_or(word))
        else {
            return;
        };
        let Some(key) = facts.session_named(name) else {
            return;
        };
        let spawned = facts
            .sessions
            .get(key)
            .is_none_or(|session| session.is_child);
        let foreign = self
            .homes
            .get(key)
            .is_some_and(|homes| !homes.is_empty() && !homes.contains(&inbound.at.conversation));
        if inbound.authorised && !spawned && foreign {
            self.focused.insert(inbound.at.clone(), key.clone());
        }
    }

    fn on_answer(&self, answer: &Answer, facts: &Facts, sink: &mut Sink) {
        let Some(call) = facts.calls.get(&answer.call) else {
            return;
        };
        let Some(key) = call
            .session
            .as_ref()
            .filter(|_| matches!(call.by, Caller::Run(_)))
        else {
            return;
        };
        match call.method.as_str() {
            "sessions_spawn" => self.on_resumed(call, key, sink),
            "subagents" => on_meddled(call, key, facts, sink),
            _ => (),
        }
    }

    /// A spawn that takes up what another session remembers was answered.
    fn on_resumed(&self, call: &CallFacts, key: &SessionKey, sink: &mut Sink) {
        let Some(id) = call.text("resumeSessionId") else {
            return;
        };
        let owner = self.asked_by.get(&SessionId::from(id));
        let Some((owner, _)) = owner.filter(|(owner, _)| owner != key) else {
            return;
        };
        if call.is_accepted() {
            sink.fail(
                format!("{key} takes up session {id}, which {owner} asked for, by naming it"),
                "only what it asked for itself can be taken up: the spawn is refused",
            );
        } else {
            sink.witness();
        }
    }

    fn on_start(&mut self, start: &StartRun, facts: &Facts, sink: &mut Sink) {
        let Some(run) = facts.run_here() else {
            return;
        };
        if let Role::Child(call) = &run.role
            && let Some(call) = facts.calls.get(call)
            && let Some(parent) = &call.session
        {
            let own = self.asked_by.entry(start.session_id.clone());
            own.or_insert_with(|| (parent.clone(), start.session_key.clone()));
        }
        let Some((_, message)) = facts.chat_here() else {
            return;
        };
        let (at, key) = (&message.at, &start.session_key);
        if let Some(named) = self.focused.get(at).filter(|named| *named == key)
            && start.memory != Memory::Fresh
        {
            sink.fail(
                format!(
                    "what {} writes in {at} reaches {named}, which belongs to another conversation \
                     and was named there",
                    message.from
                ),
                "a conversation cannot be bound to the session of another one by naming it",
            );
        }
        if message.kind == Place::Thread || self.focused.contains_key(at) {
            return;
        }
        match self.homes.get_mut(key) {
            Some(homes) if homes.contains(&at.conversation) => (),
            Some(homes) => homes.push(at.conversation.clone()),
            None => drop(
                self.homes
                    .insert(key.clone(), vec![at.conversation.clone()]),
            ),
        }
    }

    fn on_deliver(&self, deliver: &Deliver, facts: &Facts, sink: &mut Sink) {
        let Some((carrier, born)) = facts.carrier_here() else {
            return;
        };
        let of = |run: &RunId| match &facts.runs.get(run)?.role {
            Role::Child(call) => Some(call.clone()),
            Role::Event(child) => match &facts.runs.get(child)?.role {
                Role::Child(call) => Some(call.clone()),
                _ => None,
            },
            _ => None,
        };
        let Some(call) = born.run().and_then(of) else {
            return;
        };
        let Some(name) = self.named.get(&call) else {
            return;
        };
        let to = &deliver.to;
        let thread = to
            .thread
            .as_ref()
            .is_some_and(|thread| thread.as_str() == name);
        let is_it = to.conversation.as_str() == name || to.channel.as_str() == name || thread;
        if is_it && !born.origins.contains(to) {
            judge_forged(deliver, carrier, &call, name, sink);
        }
    }
}

fn judge_forged(deliver: &Deliver, carrier: &Marker, call: &CallId, name: &str, sink: &mut Sink) {
    let (delivery, words, to) = (&deliver.delivery, carrier.in_text(), &deliver.to);
    sink.fail(
        format!("delivery {delivery} takes {words} to {to}, which spawn {call} named as {name:?}"),
        "a completion goes where it was asked for; to name another place is refused",
    );
}

/// A session did something to a run that is not its own, or tried to.
fn on_meddled(call: &CallFacts, key: &SessionKey, facts: &Facts, sink: &mut Sink) {
    if !matches!(
        call.text("action"),
        Some("retry" | "dismiss" | "kill" | "steer")
    ) {
        return;
    }
    let target = call.text("target").or_else(|| call.text("runId"));
    let Some(target) = target else {
        return;
    };
    let run = facts.runs.get_key_value(target);
    let of = match run {
        Some((_, run)) => &run.key,
        None => match facts.session_named(target) {
            Some(key) => key,
            None => return,
        },
    };
    let asked = run.and_then(|(id, _)| facts.completions.get(id)?.requester.as_ref());
    if of == key || asked == Some(key) || facts.is_below(key, of) {
        return;
    }
    if call.is_accepted() {
        let action = call.text("action").unwrap_or_default();
        sink.fail(
            format!("`subagents` does as {key} asks: {action} of {target}, which is of {of}"),
            "a session has a say about what it asked for, and about nothing else",
        );
    } else {
        sink.witness();
    }
}
