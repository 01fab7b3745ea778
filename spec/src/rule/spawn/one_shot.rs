//! One run, and nothing after it.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::super::{Checker, Sink};
use super::asked::{Asked, child_key};
use crate::address::Address;
use crate::channel::Placement;
use crate::effect::{Effect, StartRun};
use crate::facts::{Facts, Role, RunState, Settled};
use crate::id::{CallId, Marker, SessionKey};
use crate::stimulus::Stimulus;
use crate::trace::{Entry, What, World};

/// Follows children in mode `run`, and the places that were bound for them.
#[derive(Default)]
pub(super) struct OneShot {
    places: FxHashMap<Address, (CallId, SessionKey)>,
    /// Messages that came to such a place after the end was told.
    late: BTreeSet<Marker>,
}

impl Checker for OneShot {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::Inbound(inbound)) if !self.places.is_empty() => {
                if inbound.text.starts_with("/focus") {
                    // Somebody chose what is bound there.
                    self.places.remove(&inbound.at);
                } else if let Some((id, _)) = self.places.get(&inbound.at)
                    && is_done(id, facts)
                    && let Some(own) = entry.own.first()
                {
                    self.late.insert(own.clone());
                }
            }
            What::Effect(Effect::Answer(answer)) => self.on_answer(&answer.call, facts),
            What::Effect(Effect::StartRun(start)) => match facts.run_here().map(|run| &run.role) {
                Some(Role::Child(id)) => judge_runs(start, id, facts, sink),
                Some(Role::Chat(marker)) if self.late.remove(marker) => {
                    self.judge_late(start, marker, facts, sink);
                }
                _ => (),
            },
            What::Stimulus(Stimulus::RunEnded(ended)) => {
                if let Some(Role::Child(id)) = facts.run_here().map(|run| &run.role)
                    && let Some(call) = facts.calls.get(id)
                    && call.run.as_ref() == Some(&ended.run)
                    && call.is_accepted()
                {
                    sink.witness();
                }
            }
            // What the gateway knew of the end may have died with it.
            What::World(World::Crashed { .. }) => self.places.clear(),
            _ => (),
        }
    }
}

/// Whether the gateway knows that the end of a child was told.
fn is_done(id: &CallId, facts: &Facts) -> bool {
    let Some(call) = facts.calls.get(id) else {
        return false;
    };
    let Some(run) = call.run.as_ref() else {
        return false;
    };
    match facts
        .completions
        .get(run)
        .map(|completion| &completion.settled)
    {
        Some(settled) => matches!(settled, Some(Settled::ByTurn(_))),
        None => facts.is_over(run) && !call.wants_completion(),
    }
}

/// A spawn leads to one run; another takes its place only where it did not start, or is gone.
fn judge_runs(start: &StartRun, id: &CallId, facts: &Facts, sink: &mut Sink) {
    let first = facts.calls.get(id).and_then(|call| call.run.as_ref());
    let Some((first, run)) = first
        .filter(|first| **first != start.run)
        .and_then(|first| Some((first, facts.runs.get(first)?)))
    else {
        return;
    };
    let replaced = start.resumes.as_ref() == Some(first) || run.start_unknown || run.cancelled;
    if matches!(run.state, RunState::Asked | RunState::Running) && !replaced {
        sink.fail(
            format!(
                "run {} is asked for too for spawn {id}, whose run {first} is at work",
                start.run
            ),
            format!("spawn {id} leads to one run"),
        );
    }
}

impl OneShot {
    fn on_answer(&mut self, id: &CallId, facts: &Facts) {
        let Some(asked) = Asked::of(id, facts).filter(|asked| asked.call.is_accepted()) else {
            return;
        };
        let placement = asked.channel.capabilities.threads.placement;
        let current = asked.thread() && placement == Placement::Current;
        let place = asked.call.thread.clone();
        let Some(place) = place.or_else(|| current.then(|| asked.origin.clone())) else {
            return;
        };
        let Some(key) = child_key(asked.call, facts) else {
            return;
        };
        if asked.mode() == "run" {
            self.places.insert(place, (id.clone(), key));
        } else {
            self.places.remove(&place);
        }
    }

    fn judge_late(&self, start: &StartRun, marker: &Marker, facts: &Facts, sink: &mut Sink) {
        let at = facts.messages.get(marker).map(|message| &message.at);
        let Some((at, (id, key))) = at.and_then(|at| self.places.get_key_value(at)) else {
            return;
        };
        if start.session_key == *key {
            let name = marker.in_text();
            sink.fail(
                format!("message {name} of {at} is given to session {key}, whose one run has ended and was told of"),
                format!("{at} is bound no more: spawn {id} was in mode run"),
            );
        } else {
            sink.witness();
        }
    }
}
