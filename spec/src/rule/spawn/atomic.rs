//! A spawn with a thread comes about as a whole or not at all.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Checker, Sink};
use super::asked::{is_refused, words};
use crate::address::Address;
use crate::effect::{Effect, StartRun};
use crate::facts::{CallFacts, Facts, Role};
use crate::id::{CallId, RequestId, SessionKey};
use crate::stimulus::{Opened, RunStarted, Start, Stimulus, ThreadOpened};
use crate::time::Time;
use crate::trace::{Entry, Rest, What, World};

/// Follows each spawn that asked for a thread.
#[derive(Default)]
pub(super) struct Atomic {
    spawns: BTreeMap<CallId, Threaded>,
    requests: BTreeMap<RequestId, CallId>,
    crashes: u32,
    rested: bool,
}

struct Threaded {
    /// The session that was to be bound.
    key: SessionKey,
    /// What failed last, and when; nothing if it was tried again since.
    failed: Option<(&'static str, (usize, Time))>,
    /// The thread, once it was opened.
    thread: Option<Address>,
    refused: bool,
    crashes: u32,
}

impl Checker for Atomic {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::OpenThread(open)) => {
                self.on_asked(&open.request, &open.session_key, facts);
            }
            What::Stimulus(Stimulus::ThreadOpened(opened)) => self.on_opened(opened, entry, facts),
            What::Effect(Effect::StartRun(start)) => self.on_start(start, facts, sink),
            What::Stimulus(Stimulus::RunStarted(started)) => self.on_started(started, entry, facts),
            What::Effect(Effect::Answer(answer)) => {
                if let Some(call) = facts.call_here().map(|(_, call)| call) {
                    self.on_answer(&answer.call, call, sink);
                }
            }
            What::World(World::Crashed { .. }) => self.crashes += 1,
            What::World(World::Rest(rest)) => self.rested = *rest != Rest::OutOfWakes,
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.spawns.retain(|id, _| facts.calls.contains_key(id));
        self.requests.retain(|_, id| facts.calls.contains_key(id));
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        for (id, spawn) in &self.spawns {
            let Some((what, since)) = spawn.failed else {
                continue;
            };
            // What is forgotten was settled.
            let call = facts.calls.get(id);
            let answered = call.is_none_or(|call| call.answer.is_some());
            if self.rested && !answered && spawn.crashes == self.crashes {
                sink.fail_since(
                    since,
                    format!("spawn {id} was never answered after {what}"),
                    format!("spawn {id} is answered with an error"),
                );
            }
            let live = facts
                .runs
                .iter()
                .filter(|(_, run)| run.role == Role::Child(id.clone()) && run.state.is_live());
            if let Some(run) = live.map(|(run, _)| run).min().filter(|_| spawn.refused) {
                sink.fail_since(
                    since,
                    format!("run {run} of spawn {id} is still at work at the end, after {what}"),
                    format!("no run of spawn {id} remains"),
                );
            }
        }
    }
}

impl Atomic {
    fn on_asked(&mut self, request: &RequestId, key: &SessionKey, facts: &Facts) {
        let known: BTreeSet<&CallId> = self.requests.values().collect();
        let waiting = facts
            .calls
            .iter()
            .filter(|(id, call)| call.asked_thread && call.answer.is_none() && !known.contains(id));
        let again = self
            .spawns
            .iter()
            .find(|(_, spawn)| spawn.key == *key)
            .map(|(id, _)| id.clone());
        let first = || {
            waiting
                .min_by_key(|(_, call)| call.made)
                .map(|(id, _)| id.clone())
        };
        let Some(id) = again.or_else(first) else {
            return;
        };
        self.requests.insert(request.clone(), id.clone());
        let threaded = Threaded {
            key: key.clone(),
            failed: None,
            thread: None,
            refused: false,
            crashes: self.crashes,
        };
        // Asked for once more: what failed before does not count.
        self.spawns.insert(id, threaded);
    }

    fn on_opened(&mut self, opened: &ThreadOpened, entry: &Entry, facts: &Facts) {
        let spawn = self.requests.get(&opened.request);
        let Some(spawn) = spawn.and_then(|id| self.spawns.get_mut(id)) else {
            return;
        };
        let since = (facts.index(), entry.at);
        match &opened.outcome {
            Opened::Opened { at } => spawn.thread = Some(at.clone()),
            Opened::Refused { .. } => spawn.failed = Some(("its thread was refused", since)),
            Opened::Unknown {} => {
                spawn.failed = Some(("nobody knew whether its thread was opened", since));
            }
        }
    }

    fn on_start(&mut self, start: &StartRun, facts: &Facts, sink: &mut Sink) {
        match facts.run_here().map(|run| &run.role) {
            Some(Role::Child(id)) => {
                if let Some(spawn) = self.spawns.get_mut(id)
                    && spawn.failed.is_some_and(|(what, _)| what == START_REFUSED)
                    && !spawn.refused
                {
                    spawn.failed = None;
                }
            }
            Some(Role::Chat(marker)) => {
                let Some(message) = facts.messages.get(marker) else {
                    return;
                };
                for (id, spawn) in &self.spawns {
                    let there = spawn.thread.as_ref() == Some(&message.at);
                    if spawn.refused && there && spawn.key == start.session_key {
                        sink.fail(
                            format!("message {} of {} is given to session {}, which failed spawn {id} would have made", marker.in_text(), message.at, spawn.key),
                            format!("nothing is bound in {}: spawn {id} failed", message.at),
                        );
                    }
                }
            }
            _ => (),
        }
    }

    fn on_started(&mut self, started: &RunStarted, entry: &Entry, facts: &Facts) {
        if started.outcome != Start::Refused {
            return;
        }
        if let Some(Role::Child(id)) = facts.runs.get(&started.run).map(|run| &run.role)
            && let Some(spawn) = self.spawns.get_mut(id)
            && facts
                .calls
                .get(id)
                .is_some_and(|call| call.answer.is_none())
        {
            spawn.failed = Some((START_REFUSED, (facts.index(), entry.at)));
        }
    }

    fn on_answer(&mut self, id: &CallId, call: &CallFacts, sink: &mut Sink) {
        let Some(spawn) = self.spawns.get_mut(id) else {
            return;
        };
        let Some((what, _)) = spawn.failed else {
            return;
        };
        if call.is_accepted() {
            sink.fail(
                format!("spawn {id} is accepted after {what}"),
                format!("spawn {id} is answered with an error"),
            );
            return;
        }
        spawn.refused = is_refused(call);
        let thread = spawn.thread.as_ref();
        match thread.and_then(|at| at.thread.as_ref().map(|thread| (at, thread))) {
            Some((at, thread)) if !named(call, thread.as_str()) => sink.fail(
                format!("spawn {id} failed after {what}, and its answer does not name the thread {at} that stays: {}", words(call)),
                format!("the answer names {at}"),
            ),
            _ => sink.witness(),
        }
    }
}

const START_REFUSED: &str = "the start of its run was refused";

fn named(call: &CallFacts, thread: &str) -> bool {
    let answer = call.answer.as_ref();
    answer.is_some_and(|answer| answer.to_string().contains(thread))
}
