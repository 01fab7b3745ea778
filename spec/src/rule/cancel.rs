//! What is stopped, and what is below it.

use rustc_hash::FxHashMap;

use super::{Checker, Keyword, Kind, Rule, Sink};
use crate::effect::Effect;
use crate::facts::{BornAs, DeliveryState, Facts, Role, RunState, Stop};
use crate::id::{RunId, SessionKey};
use crate::profile::Family;
use crate::stimulus::{Outcome, Stimulus};
use crate::time::{Span, Time};
use crate::trace::{Entry, Rest, What, World};

pub(super) fn rules() -> Vec<Rule> {
    vec![Rule {
        id: "cancel.closes-below",
        family: Family::Cancel,
        keyword: Keyword::Must,
        text: "Kill, stop, reset and delete reach every run of the session and of all below it, also \
               those that were about to start. A run that was stopped before its end was handed over \
               is told of, if at all, as killed: nothing that it says or said is told after that.",
        sources: &["I-25", "NO-007", "NO-008", "NO-009", "QC-021"],
        dials: &[],
        sees: &[
            Kind::Answer,
            Kind::Inbound,
            Kind::RunEnded,
            Kind::StartRun,
            Kind::SteerRun,
            Kind::Deliver,
            Kind::Crashed,
            Kind::Rest,
        ],
        checker: Some(|| Box::<ClosesBelow>::default()),
        relation: None,
    }]
}

/// A gateway may need a moment to reach them all.
const PATIENCE: Span = Span::secs(1);

/// MUST: what is stopped is over, with all below it.
#[derive(Default)]
struct ClosesBelow {
    /// Sessions that were stopped, and the entry and time since which.
    sessions: FxHashMap<SessionKey, (usize, Time)>,
    /// Runs that were stopped, and have to end as killed.
    open: FxHashMap<RunId, Stopped>,
    /// Runs that were stopped and are over: what they said is not told.
    over: FxHashMap<RunId, Stopped>,
}

#[derive(Clone)]
struct Stopped {
    since: (usize, Time),
    by: String,
}

impl Checker for ClosesBelow {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        if let Some(stop) = facts.stop_here() {
            self.on_stop(stop, facts);
        }
        if self.sessions.is_empty() {
            return;
        }
        match &entry.what {
            // Somebody read it in a transcript.
            What::Effect(Effect::Answer(_)) => {
                for marker in &entry.markers {
                    let run = facts.born.get(marker).and_then(|born| born.run());
                    if let Some(run) = run {
                        self.over.remove(run);
                    }
                }
            }
            What::Stimulus(Stimulus::RunEnded(ended)) => {
                self.on_ended(&ended.run, ended.outcome, facts, sink);
            }
            What::Effect(Effect::StartRun(start)) => {
                self.on_start(&start.run, facts);
                self.told(format!("run {}", start.run), facts, sink);
            }
            What::Effect(Effect::SteerRun(steer)) => {
                self.told(format!("run {}", steer.run), facts, sink);
            }
            What::Effect(Effect::Deliver(deliver)) => {
                self.told(deliver.to.to_string(), facts, sink);
            }
            What::World(World::Crashed { lost, .. }) => {
                // What it was told as it died it may not have taken in.
                let now = facts.now();
                self.sessions.retain(|_, since| since.1 < now);
                self.open.retain(|_, stopped| stopped.since.1 < now);
                self.over.retain(|_, stopped| stopped.since.1 < now);
                for run in lost {
                    if let Some(stopped) = self.open.remove(run) {
                        self.over.insert(run.clone(), stopped);
                    }
                }
            }
            What::World(World::Rest(rest)) if *rest != Rest::OutOfWakes => self.rests(facts, sink),
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.open.retain(|run, _| facts.runs.contains_key(run));
        self.over.retain(|run, _| facts.runs.contains_key(run));
        self.sessions
            .retain(|key, _| facts.live_runs(key).next().is_some());
    }
}

impl ClosesBelow {
    fn on_stop(&mut self, stop: &Stop, facts: &Facts) {
        let since = (facts.index(), facts.now());
        let reset = facts.call_here().map(|(_, call)| call);
        let reset = reset.filter(|call| call.method == "sessions.reset");
        for key in stop.all() {
            self.sessions.insert(key.clone(), since);
            let by = format!("{} session {}", stop.by, stop.root);
            let stopped = Stopped { since, by };
            // What was asked for since is in the session as it is after the reset.
            let anew = |asked: usize| reset.is_some_and(|call| call.made.0 < asked);
            let live = facts.live_runs(key);
            let live = live.filter(|(_, run)| *key != stop.root || !anew(run.asked.0));
            for (run, _) in live {
                self.open
                    .entry(run.clone())
                    .or_insert_with(|| stopped.clone());
            }
            if let Some(run) = facts.child_run(key).filter(|run| is_untold(run, facts)) {
                self.over.insert(run.clone(), stopped);
            }
        }
    }

    /// What was asked for by whoever is stopped, and starts after that, is stopped too.
    fn on_start(&mut self, run: &RunId, facts: &Facts) {
        let Some(Role::Child(call)) = facts.run_here().map(|run| &run.role) else {
            return;
        };
        let Some(call) = facts.calls.get(call) else {
            return;
        };
        let stopped = call.session.as_ref().and_then(|key| self.sessions.get(key));
        if let Some(&since) = stopped.filter(|(since, _)| call.made.0 < *since) {
            let since = (since.0, facts.now().max(since.1));
            let key = call.session.as_ref().map(|key| key.as_str());
            let by = format!("whoever asked stopped session {}", key.unwrap_or_default());
            self.open.insert(run.clone(), Stopped { since, by });
        }
    }

    fn on_ended(&mut self, id: &RunId, outcome: Outcome, facts: &Facts, sink: &mut Sink) {
        let Some(stopped) = self.open.remove(id) else {
            return;
        };
        let cancelled = facts.runs.get(id).is_some_and(|run| run.cancelled);
        let late = stopped.since.1 + PATIENCE <= facts.now();
        let Stopped { since, by } = &stopped;
        match outcome {
            Outcome::Killed | Outcome::Lost => sink.witness(),
            _ if cancelled => sink.witness(),
            // It was just ending, perhaps.
            _ if !late => (),
            Outcome::Ok | Outcome::Error | Outcome::Timeout => sink.fail_since(
                *since,
                format!(
                    "run {id} went on to its end at {}, though {by}",
                    facts.now()
                ),
                "what is stopped is stopped with all below it",
            ),
        }
        self.over.insert(id.clone(), stopped);
    }

    /// A text is told to somebody.
    fn told(&mut self, whom: String, facts: &Facts, sink: &mut Sink) {
        if self.over.is_empty() && self.open.is_empty() {
            return;
        }
        for (marker, born) in facts.texts_here() {
            let (run, last) = match &born.what {
                BornAs::LastWords(run) => (run, true),
                BornAs::Progress(run) => (run, false),
                BornAs::Message { .. } | BornAs::Parameter(_) | BornAs::Internal => continue,
            };
            let stopped = self.over.get(run).or_else(|| self.open.get(run));
            if let Some(Stopped { since, by }) = stopped
                && (last || since.0 < born.entry)
            {
                sink.fail(
                    format!(
                        "{whom} is given {}, which run {run} said, though {by} at {}",
                        marker.in_text(),
                        since.1
                    ),
                    format!("of run {run} nobody is told but that it was killed"),
                );
            }
        }
    }

    fn rests(&mut self, facts: &Facts, sink: &mut Sink) {
        for (id, stopped) in &self.open {
            let run = facts.runs.get(id);
            if run.is_some_and(|run| run.state.is_live() && !run.cancelled) {
                sink.fail_since(
                    stopped.since,
                    format!("run {id} is never told to stop, though {}", stopped.by),
                    "what is stopped is stopped with all below it",
                );
            }
        }
    }
}

/// Whether a run that ended well is told of to nobody yet, and nobody is about to be.
fn is_untold(id: &RunId, facts: &Facts) -> bool {
    let ended = facts.runs.get(id);
    let ended = ended.is_some_and(|run| run.state == RunState::Ended(Outcome::Ok));
    let owed = facts.completions.get(id);
    // What it was told with the stop it may have acted on before.
    let waits = owed.is_some_and(|owed| {
        owed.turns.is_empty() && owed.settled.is_none() && owed.ended.1 < facts.now()
    });
    let tells = |markers: &[crate::id::Marker]| facts.told_in(markers).contains(id);
    ended
        && waits
        && !facts.steers.values().any(|steer| tells(&steer.markers))
        && !facts.deliveries.values().any(|delivery| {
            delivery.state != DeliveryState::RefusedForGood && tells(&delivery.markers)
        })
}

#[cfg(test)]
mod tests;
