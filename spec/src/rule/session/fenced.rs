//! What belongs to an older incarnation stays there.

use rustc_hash::FxHashMap;

use super::super::{Checker, Kind, Rule, Sink};
use super::kept::is_done;
use super::rule;
use crate::effect::{Answer, Effect};
use crate::facts::Facts;
use crate::id::{CallId, Marker, RunId, SessionKey};
use crate::stimulus::{Call, Caller, Stimulus};
use crate::trace::{Entry, What, World};

pub(super) fn generation_fenced() -> Rule {
    rule(
        "session.generation-fenced",
        "Late ends, calls and progress of an older incarnation's own runs change nothing in a newer \
         one, nor do turns of the clockwork that were asked for before a reset or delete.",
        &["I-14", "SI-013", "SI-014"],
        &[],
        &[
            Kind::InternalTurn,
            Kind::Call,
            Kind::Answer,
            Kind::RunProgress,
            Kind::RunEnded,
            Kind::StartRun,
            Kind::SteerRun,
            Kind::Crashed,
        ],
        || Box::new(Fenced::default()),
    )
}

/// Remembers what belongs to incarnations that are over.
#[derive(Default)]
struct Fenced {
    /// Runs that outlived their incarnation.
    runs: FxHashMap<RunId, SessionKey>,
    /// What they said since.
    late: FxHashMap<Marker, (SessionKey, RunId)>,
    /// Calls they made since.
    calls: FxHashMap<CallId, RunId>,
    /// Turns of the clockwork that no run was given yet, and the entry of each.
    turns: FxHashMap<Marker, (SessionKey, usize)>,
    /// Those of them whose incarnation is over.
    stale: FxHashMap<Marker, SessionKey>,
}

impl Checker for Fenced {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::InternalTurn(turn)) => {
                if let Some(marker) = entry.own.first() {
                    let key = facts.session_named(turn.session.as_str());
                    let key = key.unwrap_or(&turn.session).clone();
                    self.turns.insert(marker.clone(), (key, facts.index()));
                }
            }
            What::Stimulus(Stimulus::Call(call)) => self.on_call(call),
            What::Effect(Effect::Answer(answer)) => self.on_answer(answer, facts, sink),
            What::Stimulus(Stimulus::RunProgress(progress)) => {
                self.says(&progress.run, entry, sink);
            }
            What::Stimulus(Stimulus::RunEnded(ended)) => {
                self.says(&ended.run, entry, sink);
                self.runs.remove(&ended.run);
            }
            What::Effect(Effect::StartRun(start)) => {
                self.given(&start.run, &start.session_key, entry, sink);
            }
            What::Effect(Effect::SteerRun(steer)) => {
                if let Some(run) = facts.runs.get(&steer.run) {
                    self.given(&steer.run, &run.key, entry, sink);
                }
            }
            What::World(World::Crashed { .. }) => *self = Self::default(),
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.late
            .retain(|marker, _| facts.born.contains_key(marker));
        self.runs.retain(|run, _| facts.runs.contains_key(run));
        self.calls.retain(|call, _| facts.calls.contains_key(call));
    }

    fn finish(&mut self, _: &Facts, sink: &mut Sink) {
        for _ in &self.stale {
            sink.witness();
        }
    }
}

impl Fenced {
    fn on_call(&mut self, call: &Call) {
        if let Caller::Run(run) = &call.by
            && self.runs.contains_key(run)
            && matches!(call.method.as_str(), "sessions_spawn" | "sessions_send")
        {
            self.calls.insert(call.call.clone(), run.clone());
        }
    }

    fn on_answer(&mut self, answer: &Answer, facts: &Facts, sink: &mut Sink) {
        let Some(call) = facts.call_here().map(|(_, call)| call) else {
            return;
        };
        if let Some(run) = self.calls.remove(&answer.call) {
            if is_done(call) {
                let key = facts.runs.get(&run).map(|run| run.key.as_str());
                let key = key.unwrap_or_default();
                sink.fail(
                    format!("call {} by run {run} is accepted, and session {key}, which made it, is over", answer.call),
                    format!("what run {run} calls is refused: the incarnation it belongs to is over"),
                );
            } else {
                sink.witness();
            }
        }
        let ends = matches!(call.method.as_str(), "sessions.reset" | "sessions.delete");
        let key = call.text("key").filter(|_| ends && is_done(call));
        let Some(key) = key.and_then(|key| facts.session_named(key)) else {
            return;
        };
        // What was asked for since the call may be in the session as it is after that.
        let began = facts.began_since(key.as_str(), call.made.0);
        let live = facts.live_runs(key);
        let live = live.filter(|(_, run)| !began || run.asked.0 < call.made.0);
        for (run, _) in live {
            self.runs.insert(run.clone(), key.clone());
        }
        let made = call.made.0;
        let stale = &mut self.stale;
        self.turns.retain(|marker, (own, since)| {
            let before = own == key && *since < made;
            if before {
                stale.insert(marker.clone(), key.clone());
            }
            !before
        });
    }

    fn says(&mut self, run: &RunId, entry: &Entry, sink: &mut Sink) {
        if let Some(key) = self.runs.get(run) {
            for marker in &entry.own {
                self.late.insert(marker.clone(), (key.clone(), run.clone()));
            }
            sink.witness();
        }
    }

    fn given(&mut self, run: &RunId, key: &SessionKey, entry: &Entry, sink: &mut Sink) {
        for marker in &entry.markers {
            self.turns.remove(marker);
            if self.stale.get(marker) == Some(key) {
                self.stale.remove(marker);
                sink.fail(
                    format!("run {run} of session {key} is given {}, which its clockwork asked for before the session was reset", marker.in_text()),
                    format!("{} is not given to what came after the reset", marker.in_text()),
                );
            }
            if let Some((own, from)) = self.late.get(marker).filter(|(own, _)| own == key) {
                sink.fail(
                    format!("run {run} of session {own} is given {}, which run {from} said after its incarnation was over", marker.in_text()),
                    format!("what run {from} said late is not given to what came after"),
                );
            }
        }
    }
}
