//! What has ended counts no more.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::super::{Checker, Sink};
use super::asked::{is_refused, words};
use super::children::{Children, Working, is_limited, most_at_work, most_children};
use crate::effect::{Answer, Effect};
use crate::facts::{CallFacts, Facts, Role};
use crate::id::{CallId, RunId, SessionKey};
use crate::stimulus::{Call, Caller, Stimulus};
use crate::time::{Span, Time};
use crate::trace::{Entry, Rest, What, World};

/// Counts children that may still be at work, and those that wait for that.
#[derive(Default)]
pub(super) struct Slots {
    children: Children,
    working: Working,
    /// Spawns that were not answered yet.
    pending: FxHashMap<SessionKey, Vec<CallId>>,
    /// How many places each session was given.
    ever: FxHashMap<SessionKey, usize>,
    /// Accepted, and no run asked for yet.
    waiting: BTreeMap<CallId, Waiting>,
    /// When the configuration changed last.
    changed: usize,
}

/// A child that waits for room.
struct Waiting {
    since: (usize, Time),
    /// Since when there is room.
    room: Option<Time>,
}

/// A gateway may need a moment to see that there is room.
const PATIENCE: Span = Span::mins(1);

impl Checker for Slots {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::ConfigChanged(_) | Stimulus::Open(_)) => {
                self.changed = facts.index();
            }
            What::Stimulus(Stimulus::Call(call)) => self.on_call(call, facts),
            What::Effect(Effect::Answer(answer)) => self.on_answer(answer, entry.at, facts, sink),
            What::Effect(Effect::StartRun(start)) => {
                if let Some(Role::Child(id)) = facts.run_here().map(|run| &run.role) {
                    self.on_child(id, &start.run, facts, sink);
                }
            }
            // Nobody knows what was accepted, and what waits anew. A child that goes on holds its
            // place until it is undone.
            What::World(World::Crashed { .. }) => {
                for (requester, pending) in std::mem::take(&mut self.pending) {
                    for id in pending {
                        self.children.push(&requester, &id);
                    }
                }
                self.waiting.clear();
            }
            What::World(World::Rest(rest)) if *rest != Rest::OutOfWakes => {
                self.judge_waiting(Span::ZERO, entry.at, facts, sink);
            }
            What::World(World::Rest(_)) => (),
            What::Stimulus(Stimulus::RunEnded(_) | Stimulus::Inbound(_)) => {
                self.judge_waiting(PATIENCE, entry.at, facts, sink);
            }
            _ => (),
        }
    }
}

impl Slots {
    fn on_child(&mut self, id: &CallId, run: &RunId, facts: &Facts, sink: &mut Sink) {
        if self.waiting.remove(id).is_some() {
            sink.witness();
        }
        let Some(call) = facts.calls.get(id) else {
            return;
        };
        // A parent that is a child itself has taken no place of its own child's.
        let above = match &call.by {
            Caller::Run(by) => facts.runs.get(by).map(|by| &by.role),
            Caller::Admin | Caller::Plugin => None,
        };
        if let Some(Role::Child(above)) = above
            && let Some(above) = facts.calls.get(above)
            && let Some(pool) = Working::pool(above, facts)
            && most_at_work(above, facts) <= self.working.count(&pool, true, facts)
        {
            sink.witness();
        }
        if let Some(pool) = Working::pool(call, facts) {
            self.working.push(pool, run);
        }
        // Whoever still waits may have no room again.
        self.look_for_room(facts.now(), facts);
    }

    fn on_call(&mut self, call: &Call, facts: &Facts) {
        match call.method.as_str() {
            "sessions_spawn" => {
                let made = facts.calls.get(&call.call);
                if let Some(session) = made.and_then(|made| made.session.clone()) {
                    let pending = self.pending.entry(session).or_default();
                    pending.push(call.call.clone());
                }
            }
            // Whoever is told to stop waits no longer, nor does anybody below.
            "subagents" | "sessions.delete" | "sessions.reset" => self.waiting.clear(),
            _ => (),
        }
    }

    fn on_answer(&mut self, answer: &Answer, at: Time, facts: &Facts, sink: &mut Sink) {
        let (id, call) = (&answer.call, facts.call_here().map(|(_, call)| call));
        let Some(call) = call.filter(|call| call.method == "sessions_spawn") else {
            return;
        };
        let Some(requester) = &call.session else {
            return;
        };
        if let Some(pending) = self.pending.get_mut(requester) {
            pending.retain(|other| other != id);
        }
        if is_refused(call) {
            // One that failed later held a place until then.
            if call.asked_thread || call.run.is_some() {
                *self.ever.entry(requester.clone()).or_default() += 1;
            }
            self.judge_refusal(id, call, requester, facts, sink);
        } else if call.is_accepted() {
            let ever = self.ever.entry(requester.clone()).or_default();
            *ever += 1;
            if *ever > most_children(call, facts) && is_limited(call, false, facts) {
                sink.witness();
            }
            self.children.push(requester, id);
            if call.run.is_none() {
                let since = (facts.index(), at);
                self.waiting
                    .insert(id.clone(), Waiting { since, room: None });
            }
        }
    }

    fn judge_refusal(
        &mut self,
        id: &CallId,
        call: &CallFacts,
        requester: &SessionKey,
        facts: &Facts,
        sink: &mut Sink,
    ) {
        let said = words(call);
        if !said.to_lowercase().contains("children") || call.made.0 <= self.changed {
            return;
        }
        let pending = self.pending.get(requester).map_or(0, Vec::len);
        let children = self.children.count(requester, |_| true, facts) + pending;
        let most = most_children(call, facts);
        if children < most {
            sink.fail(
                format!("spawn {id} is refused for too many children while {children} of {most} are at work: {said}"),
                "a child that has ended counts no more, however it ended",
            );
        }
    }

    /// Nobody waits while there is room.
    fn judge_waiting(&mut self, patience: Span, at: Time, facts: &Facts, sink: &mut Sink) {
        self.look_for_room(at, facts);
        for (id, waiting) in &self.waiting {
            let Some((room, call)) = waiting.room.zip(facts.calls.get(id)) else {
                continue;
            };
            if room + patience <= at {
                let most = most_at_work(call, facts);
                let pool = Working::pool(call, facts);
                let working = pool.map_or(0, |pool| self.working.count(&pool, true, facts));
                sink.fail_since(
                    waiting.since,
                    format!("spawn {id} is accepted, and waits while {working} of {most} runs of children are at work"),
                    "its run is asked for as soon as there is room",
                );
            }
        }
    }

    /// Since when there is room for each that waits. Whoever was stopped waits no longer.
    fn look_for_room(&mut self, at: Time, facts: &Facts) {
        let working = &mut self.working;
        self.waiting.retain(|id, waiting| {
            let Some(call) = facts.calls.get(id) else {
                return true;
            };
            let pool = Working::pool(call, facts);
            let working = pool.map_or(0, |pool| working.count(&pool, true, facts));
            match most_at_work(call, facts) <= working {
                true => waiting.room = None,
                false => waiting.room = waiting.room.or(Some(at)),
            }
            !facts.was_stopped(call) && call.told.is_empty()
        });
    }
}
