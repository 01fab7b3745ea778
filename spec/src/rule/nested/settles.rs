//! Nobody is told of what is not complete.

use rustc_hash::FxHashMap;

use super::super::{Checker, Sink};
use super::is_open;
use crate::effect::{Effect, Report};
use crate::facts::{BornAs, CallFacts, Facts, Role};
use crate::id::{CallId, RunId, SessionKey};
use crate::stimulus::{Outcome, Stimulus};
use crate::time::{Span, Time};
use crate::trace::{Entry, What};

/// A gateway may need a moment to see that the bound is over.
const PATIENCE: Span = Span::mins(1);

/// MUST: an end waits for what is below it, for nothing, and not for ever.
#[derive(Default)]
pub(super) struct SettlesBelow {
    /// The spawns of each session that owe it their end.
    asked: FxHashMap<SessionKey, Vec<CallId>>,
    /// Runs of children that ended while their own children owed them something.
    waiting: Vec<Waiting>,
}

/// A run that is over, and not complete.
struct Waiting {
    run: RunId,
    key: SessionKey,
    requester: Option<SessionKey>,
    since: (usize, Time),
    /// Whether all below it is settled.
    settled: bool,
    /// Whether it set out to say what it said where its session is bound.
    spoke: bool,
}

impl Checker for SettlesBelow {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::Answer(answer)) => self.on_answer(&answer.call, facts),
            What::Stimulus(Stimulus::RunEnded(ended)) => {
                self.look(facts);
                if ended.outcome == Outcome::Ok {
                    self.on_ended(&ended.run, facts);
                }
            }
            _ if self.waiting.is_empty() => (),
            What::Stimulus(_) => {
                self.look(facts);
                self.judge_bound(facts, sink);
            }
            What::Effect(Effect::StartRun(start)) => {
                let is_event = |run: &&crate::facts::RunFacts| matches!(run.role, Role::Event(_));
                if facts.run_here().is_some_and(|run| is_event(&run)) {
                    self.told(&start.session_key, entry, facts, sink);
                }
            }
            What::Effect(Effect::SteerRun(_)) => {
                if let Some(run) = facts.run_here() {
                    self.told(&run.key, entry, facts, sink);
                }
            }
            What::Effect(Effect::Deliver(deliver)) => {
                let Some((_, born)) = facts.carrier_here() else {
                    return;
                };
                let BornAs::LastWords(run) = &born.what else {
                    return;
                };
                let run = facts.goes_on_in(run).unwrap_or(run);
                let key = facts.runs.get(run).map(|run| &run.key);
                if key.is_some_and(|key| facts.was_bound(key, &deliver.to)) {
                    let own = self.waiting.iter_mut().filter(|one| one.run == *run);
                    own.for_each(|one| one.spoke = true);
                } else {
                    self.told_of(run, format!("delivery {}", deliver.delivery), facts, sink);
                }
            }
            What::Effect(Effect::Report(Report::Failed { run, why, .. })) => {
                self.failed(run, why, facts, sink);
            }
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.asked.retain(|_, calls| {
            calls.retain(|id| facts.calls.get(id).is_some_and(|call| is_open(call, facts)));
            !calls.is_empty()
        });
    }
}

impl SettlesBelow {
    fn on_answer(&mut self, id: &CallId, facts: &Facts) {
        let call = facts.calls.get(id);
        let Some(call) = call.filter(|call| is_awaited(call)) else {
            return;
        };
        if let Some(session) = &call.session {
            let asked = self.asked.entry(session.clone()).or_default();
            asked.push(id.clone());
        }
    }

    fn on_ended(&mut self, id: &RunId, facts: &Facts) {
        let Some(run) = facts.runs.get(id).filter(|run| !run.cancelled) else {
            return;
        };
        let owed = facts.completions.get(id);
        let Some(completion) = owed.filter(|owed| owed.settled.is_none()) else {
            return;
        };
        if self.is_open_below(&run.key, facts) {
            self.waiting.push(Waiting {
                run: id.clone(),
                key: run.key.clone(),
                requester: completion.requester.clone(),
                since: (facts.index(), facts.now()),
                settled: false,
                spoke: false,
            });
        }
    }

    /// Whether a session waits for something that it asked for.
    fn is_open_below(&self, key: &SessionKey, facts: &Facts) -> bool {
        let asked = self.asked.get(key).map_or(&[][..], Vec::as_slice);
        let mut calls = asked.iter().filter_map(|id| facts.calls.get(id));
        calls.any(|call| is_open(call, facts))
    }

    /// Looks again at what is waited for.
    fn look(&mut self, facts: &Facts) {
        let mut waiting = std::mem::take(&mut self.waiting);
        for one in &mut waiting {
            one.settled = one.settled || !self.is_open_below(&one.key, facts);
        }
        waiting.retain(|one| {
            let owed = facts.completions.get(&one.run);
            owed.is_some_and(|owed| owed.settled.is_none())
        });
        self.waiting = waiting;
    }

    /// A turn of a session, or a text for one, may tell of what is not complete.
    fn told(&mut self, key: &SessionKey, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        for run in facts.told_in(&entry.markers) {
            let own = facts.runs.get(&run).is_some_and(|run| run.key == *key);
            if !own && has_words_of(&run, entry, facts) {
                self.told_of(&run, format!("session {key}"), facts, sink);
            }
        }
    }

    fn told_of(&mut self, run: &RunId, whom: String, facts: &Facts, sink: &mut Sink) {
        let Some(index) = self.waiting.iter().position(|one| one.run == *run) else {
            return;
        };
        let one = self.waiting.swap_remove(index);
        // The gateway died as it was told of that end: for its next life the run failed, and that
        // waits for nothing.
        if facts.is_lost(run) {
            return;
        }
        let bound = one.since.1 + facts.dials.settle_window;
        let open = !one.settled && self.is_open_below(&one.key, facts);
        if open && facts.now() < bound {
            sink.fail(
                format!(
                    "{whom} is told of the end of run {run}, and session {} still waits for what \
                     it asked for",
                    one.key
                ),
                format!("run {run} is told of once that is settled, or at {bound}"),
            );
        } else {
            sink.witness();
        }
    }

    /// Waiting is no reason to give up.
    fn failed(&self, run: &RunId, why: &str, facts: &Facts, sink: &mut Sink) {
        let Some(one) = self.waiting.iter().find(|one| one.run == *run) else {
            return;
        };
        // A bound run speaks for itself too, and that may be what came to nothing.
        if one.settled || one.spoke || facts.replies.contains_key(run) || facts.is_lost(run) {
            return;
        }
        let requester = one.requester.as_ref();
        let requester = requester.and_then(|key| facts.sessions.get(key));
        let there = requester.is_some_and(|session| !session.deleted && !session.told_to_forget);
        let completion = facts.completions.get(run);
        let untried = completion.is_some_and(|completion| completion.turns.is_empty());
        if there && untried && facts.now() < one.since.1 + facts.dials.settle_window {
            sink.fail(
                format!("the end of run {run} is given up ({why}), and nobody was to be told yet"),
                "waiting for what is below costs no attempt",
            );
        }
    }

    /// It waits no longer than it may, where whoever is to be told has nothing else to do.
    fn judge_bound(&mut self, facts: &Facts, sink: &mut Sink) {
        let window = facts.dials.settle_window + PATIENCE;
        let now = facts.now();
        if now < facts.life_began + window {
            return;
        }
        self.waiting.retain(|one| {
            let over = one.since.1 + window < now && !one.settled;
            let busy = one.requester.as_ref();
            let busy = busy.is_none_or(|key| facts.live_runs(key).next().is_some());
            let tried = facts
                .completions
                .get(&one.run)
                .is_none_or(|completion| !completion.turns.is_empty());
            if over && !busy && !tried {
                sink.fail_since(
                    one.since,
                    format!(
                        "run {} ended at {}, and waits at {now} still for what session {} asked for",
                        one.run, one.since.1, one.key
                    ),
                    "waiting for what is below has a bound",
                );
            }
            !over || busy
        });
    }
}

/// Whether a text has what a run said. The news that it failed or was killed has not.
fn has_words_of(run: &RunId, entry: &Entry, facts: &Facts) -> bool {
    let Some(completion) = facts.completions.get(run) else {
        return false;
    };
    let said = |marker: &crate::id::Marker| {
        let by = facts.born.get(marker).and_then(|born| born.run());
        by.is_some_and(|by| by == run || facts.goes_on_in(by) == Some(run))
    };
    completion.words.is_empty() || entry.markers.iter().any(said)
}

/// Whether the end of a spawn belongs to whoever asked.
fn is_awaited(call: &CallFacts) -> bool {
    call.method == "sessions_spawn" && call.is_accepted() && call.wants_completion()
}
