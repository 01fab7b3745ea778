//! A shorter transcript is the same session.

use rustc_hash::{FxHashMap, FxHashSet};

use super::super::{Checker, Kind, Rule, Sink};
use super::kept::{Bound, Labels};
use super::{forgot, may_reset, rule};
use crate::effect::{Effect, StartRun};
use crate::facts::Facts;
use crate::id::{SessionId, SessionKey};
use crate::stimulus::Stimulus;
use crate::trace::{Entry, What};

pub(super) fn compaction_keeps() -> Rule {
    rule(
        "session.compaction-keeps",
        "Compaction keeps the session: its key and id, what its agent remembers, its label, route \
         and binding.",
        &["R5.9", "S-112", "SI-009"],
        &["reset_default", "reset_anchor", "agent_path_resets"],
        &[Kind::Compacted, Kind::StartRun, Kind::Answer],
        || Box::new(Compaction::default()),
    )
}

/// Remembers the sessions that were compacted, until it is seen what they kept.
#[derive(Default)]
struct Compaction {
    compacted: FxHashMap<SessionKey, Option<SessionId>>,
    labelled: FxHashSet<SessionKey>,
    bound: Bound,
    labels: Labels,
}

impl Checker for Compaction {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::Compacted(compacted)) => {
                let key = &compacted.session;
                let last = facts
                    .sessions
                    .get(key)
                    .and_then(|session| session.runs.last());
                let id = last
                    .and_then(|run| facts.runs.get(run))
                    .map(|run| run.session_id.clone());
                self.compacted.insert(key.clone(), id);
                self.labelled.insert(key.clone());
                if facts.surely_bound_to(key).is_some() {
                    self.bound.ask(key);
                }
            }
            What::Effect(Effect::Answer(answer)) => {
                let Some(call) = facts.call_here().map(|(_, call)| call) else {
                    return;
                };
                self.labels.on_answer(call, facts);
                let labelled = &self.labelled;
                for shown in self
                    .labels
                    .shown(&answer.call, call, |key| labelled.contains(key))
                {
                    match shown {
                        Ok(_) => sink.witness(),
                        Err((key, seen)) => {
                            sink.fail(seen, format!("session {key} keeps its label"))
                        }
                    }
                }
            }
            What::Effect(Effect::StartRun(start)) => self.on_start(start, facts, sink),
            _ => (),
        }
    }
}

impl Compaction {
    fn on_start(&mut self, start: &StartRun, facts: &Facts, sink: &mut Sink) {
        match self.bound.shown(facts) {
            Some(Ok(())) => sink.witness(),
            Some(Err((seen, right))) => sink.fail(seen, right),
            None => (),
        }
        let key = &start.session_key;
        let Some(before) = self.compacted.remove(key) else {
            return;
        };
        let Some(turn) = facts.turn_here() else {
            return;
        };
        if turn.told || may_reset(&turn, facts) {
            return;
        }
        let (run, id) = (&start.run, &start.session_id);
        if !turn.continues() {
            let right = format!("run {run} continues the session, whose transcript was compacted");
            return sink.fail(forgot(&turn, start), right);
        }
        match before {
            Some(before) if before != *id => sink.fail(
                format!(
                    "run {run} continues session {key} under the id {id}, and its id was {before}"
                ),
                format!("session {key} keeps its id where its transcript is compacted"),
            ),
            Some(_) | None => sink.witness(),
        }
    }
}
