//! What was accepted outlives the gateway's process.

use std::collections::BTreeMap;

use super::super::{Checker, Sink};
use super::asked::{child_key, words};
use crate::effect::{Answer, Effect, Report};
use crate::facts::{BornAs, Facts, RunState};
use crate::id::{CallId, RunId};
use crate::stimulus::Caller;
use crate::time::Time;
use crate::trace::{Entry, Rest, What, World};

/// Remembers what was accepted, and what a crash put at stake.
#[derive(Default)]
pub(super) struct Durable {
    accepted: Vec<CallId>,
    /// Accepted spawns whose end was not told when the gateway died, and when it did.
    at_stake: BTreeMap<CallId, (usize, Time)>,
    /// Spawns of which something was said where they were asked for.
    noticed: Vec<CallId>,
    reported: Vec<RunId>,
    /// The last record that was written down.
    persisted: Option<usize>,
    /// Spawns that were accepted before any record was.
    unwritten: Vec<(CallId, (usize, Time))>,
    rested: bool,
}

impl Checker for Durable {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::Answer(answer)) => self.on_answer(answer, facts, sink),
            What::Effect(Effect::Persist(_)) => self.persisted = Some(facts.index()),
            What::Effect(Effect::Deliver(_)) => {
                for (_, born) in facts.texts_here() {
                    if let BornAs::Parameter(call) = &born.what
                        && self.accepted.contains(call)
                    {
                        self.noticed.push(call.clone());
                    }
                }
            }
            What::Effect(Effect::Report(Report::Failed { run, .. })) => {
                self.reported.push(run.clone());
            }
            What::World(World::Crashed { .. }) => self.on_crash(entry, facts),
            What::World(World::Rest(rest)) => self.rested = *rest != Rest::OutOfWakes,
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        let is_known = |call: &CallId| facts.calls.contains_key(call);
        self.accepted.retain(is_known);
        self.noticed.retain(is_known);
        self.reported.retain(|run| facts.runs.contains_key(run));
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        if self.persisted.is_some() {
            for (id, since) in std::mem::take(&mut self.unwritten) {
                sink.fail_since(
                    since,
                    format!("spawn {id} is accepted, and nothing was written down since it was asked for"),
                    format!("spawn {id} is written down before it is accepted"),
                );
            }
        }
        if !self.rested {
            return;
        }
        for (id, since) in &self.at_stake {
            match self.lost(id, facts) {
                Some(what) => sink.fail_since(
                    *since,
                    format!("spawn {id} was accepted before this crash, and {what}"),
                    format!("spawn {id} survives the crash: its end is told, or its failure is made visible"),
                ),
                None => sink.witness(),
            }
        }
    }
}

impl Durable {
    fn on_answer(&mut self, answer: &Answer, facts: &Facts, sink: &mut Sink) {
        let id = &answer.call;
        let Some(call) = facts.calls.get(id) else {
            return;
        };
        if call.method == "sessions_spawn" && call.is_accepted() {
            if self.persisted.is_none_or(|index| index < call.made.0) {
                self.unwritten
                    .push((id.clone(), (facts.index(), facts.now())));
            }
            if call.by != Caller::Plugin && !self.accepted.contains(id) {
                self.accepted.push(id.clone());
            }
        }
        if call.method == "sessions_send" && call.status() == Some("error") && call.run.is_none() {
            self.on_unknown(id, facts, sink);
        }
    }

    /// A send to the session of a child that was at stake is answered as if there were none.
    fn on_unknown(&self, send: &CallId, facts: &Facts, sink: &mut Sink) {
        let Some(call) = facts.calls.get(send) else {
            return;
        };
        let said = words(call);
        let unknown = ["unknown", "not found", "no session", "no such"];
        if !unknown
            .iter()
            .any(|word| said.to_lowercase().contains(word))
        {
            return;
        }
        let Some(key) = call.text("sessionKey") else {
            return;
        };
        for id in self.at_stake.keys() {
            let child = facts.calls.get(id).and_then(|call| child_key(call, facts));
            let Some(child) = child.filter(|child| child.as_str() == key) else {
                continue;
            };
            let session = facts.sessions.get(&child);
            if session.is_some_and(|session| {
                session.deleted || session.told_to_forget || session.uncertain
            }) {
                continue;
            }
            sink.fail(
                format!("send {send} to session {key} of accepted spawn {id} is answered after a crash: {said}"),
                format!("session {key} survives the crash and can be sent to"),
            );
        }
    }

    fn on_crash(&mut self, entry: &Entry, facts: &Facts) {
        for id in &self.accepted {
            let run = facts.calls.get(id).and_then(|call| call.run.as_ref());
            let told = run.and_then(|run| facts.completions.get(run));
            let ended = run
                .and_then(|run| facts.runs.get(run))
                .is_some_and(|run| matches!(run.state, RunState::Ended(_)));
            let settled = match told {
                Some(completion) => completion.settled.is_some(),
                // Nothing was owed for it.
                None => ended,
            };
            if !settled {
                self.at_stake
                    .entry(id.clone())
                    .or_insert((facts.index(), entry.at));
            }
        }
    }

    /// What became of a spawn that was at stake, if nobody was told.
    fn lost(&self, id: &CallId, facts: &Facts) -> Option<String> {
        let call = facts.calls.get(id)?;
        // Whoever was stopped from above, or wished so, is told of nothing.
        if self.noticed.contains(id) || facts.was_stopped(call) || !call.wants_completion() {
            return None;
        }
        let reported = |run: &str| self.reported.iter().any(|known| known.as_str() == run);
        let named = call.answer.as_ref().and_then(|answer| answer.get("runId"));
        if named.and_then(|run| run.as_str()).is_some_and(reported) {
            return None;
        }
        let Some(run) = &call.run else {
            if call.heard {
                return None;
            }
            return Some("no run ever had its task, and nobody was told".to_owned());
        };
        let completion = facts.completions.get(run);
        let settled = completion.is_some_and(|completion| completion.settled.is_some());
        if settled || reported(run.as_str()) {
            return None;
        }
        match facts.runs.get(run)?.state {
            RunState::Lost => Some(format!("its run {run} was lost, and nobody was told")),
            RunState::Ended(outcome) if completion.is_some() => Some(format!(
                "its run {run} ended {}, and nobody was told",
                outcome.as_str()
            )),
            RunState::Refused => Some(format!("its run {run} never started, and nobody was told")),
            RunState::Ended(_) | RunState::Asked | RunState::Running => None,
        }
    }
}
