//! What is owed arrives, and a setback settles nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::effect::Effect;
use crate::facts::{Completion, DeliveryState, Facts, Owed, Reply, RunState};
use crate::id::{Marker, RunId};
use crate::rule::{Checker, Sink};
use crate::stimulus::{Outcome, Start, Steering, Stimulus};
use crate::time::Time;
use crate::trace::{Entry, What, World};

/// MUST: whoever waits is told, or sees a failure.
#[derive(Default)]
pub(super) struct Liveness {
    /// Runs that owe something, as far as was seen.
    open: Vec<RunId>,
    /// How much had been settled when that was last looked at.
    settlements: u64,
}

fn is_settled(facts: &Facts, run: &RunId) -> bool {
    let completion = facts
        .completions
        .get(run)
        .is_none_or(|c| c.settled.is_some());
    let reply = facts
        .replies
        .get(run)
        .is_none_or(|reply| reply.settled.is_some());
    completion && reply
}

impl Liveness {
    fn settle(&mut self, facts: &Facts, sink: &mut Sink) {
        if self.settlements == facts.settlements() {
            return;
        }
        self.settlements = facts.settlements();
        let before = self.open.len();
        self.open.retain(|run| !is_settled(facts, run));
        for _ in self.open.len()..before {
            sink.witness();
        }
    }

    fn open(&mut self, run: &RunId, facts: &Facts) {
        let completion = facts.completions.get(run).map(|c| c.settled.is_some());
        let reply = facts.replies.get(run).map(|reply| reply.settled.is_some());
        let owes = completion.is_some() || reply.is_some();
        if owes && !self.open.contains(run) {
            self.open.push(run.clone());
            // What came before it was heard of settles it too.
            if completion.unwrap_or(true) && reply.unwrap_or(true) {
                self.settlements = u64::MAX;
            }
        }
    }
}

impl Checker for Liveness {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        self.settle(facts, sink);
        match &entry.what {
            What::Stimulus(Stimulus::RunEnded(ended)) => self.open(&ended.run, facts),
            What::World(World::Crashed { lost, .. }) => {
                for run in lost {
                    self.open(run, facts);
                }
            }
            _ => (),
        }
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        self.settle(facts, sink);
        let mut owed = facts.owed().into_iter();
        let Some(first) = owed.find(|owed| !matches!(owed, Owed::Answer(..) | Owed::Late(..)))
        else {
            return;
        };
        let debt = first.debt();
        let more = owed
            .filter(|owed| !matches!(owed, Owed::Answer(..) | Owed::Late(..)))
            .count();
        let more = if more == 0 {
            String::new()
        } else {
            format!(" (and {more} more like it)")
        };
        sink.fail_since(
            (debt.since, debt.at),
            format!("{debt}, and it never comes{more}"),
            "it arrives, or its failure can be seen there",
        );
    }
}

/// MUST: what went wrong on the way is still owed.
#[derive(Default)]
pub(super) struct StillOwed {
    /// The last setback of each run whose completion or words are owed.
    setbacks: BTreeMap<RunId, Setback>,
    /// Runs whose words stand where they belong, which the gateway cannot know.
    doubted: BTreeSet<RunId>,
}

struct Setback {
    entry: (usize, Time),
    what: String,
}

impl StillOwed {
    fn set_back(&mut self, run: &RunId, facts: &Facts, what: &str) {
        if !is_settled(facts, run) {
            let entry = (facts.index(), facts.now());
            let what = what.to_owned();
            self.setbacks.insert(run.clone(), Setback { entry, what });
        }
    }

    /// Those whose words or completion some markers tell of suffered a setback.
    fn set_back_all(&mut self, markers: &[Marker], facts: &Facts, what: &str) {
        for run in carried(markers, facts) {
            self.set_back(&run, facts, what);
        }
    }

    /// Nobody told the gateway what came of a text, wherever it stands.
    fn doubt(&mut self, markers: &[Marker], facts: &Facts) {
        let carried = carried(markers, facts).into_iter();
        self.doubted
            .extend(carried.filter(|run| is_settled(facts, run)));
    }

    /// Another attempt is made.
    fn try_again(&mut self, markers: &[Marker], facts: &Facts, sink: &mut Sink) {
        if self.setbacks.is_empty() && self.doubted.is_empty() {
            return;
        }
        for run in carried(markers, facts) {
            if self.setbacks.remove(&run).is_some() | self.doubted.remove(&run) {
                sink.witness();
            }
        }
    }

    fn on_crash(&mut self, lost: &[RunId], facts: &Facts) {
        // A turn that waited behind another is seen by nobody; that somebody waits for it is.
        for (child, completion) in &facts.completions {
            if completion.settled.is_none() && completion.turns.is_empty() {
                self.set_back(
                    child,
                    facts,
                    "the gateway died before anybody was told of it",
                );
            }
        }
        for delivery in facts.deliveries.values() {
            if delivery.state == DeliveryState::Untold {
                self.doubt(&delivery.markers, facts);
                self.set_back_all(
                    &delivery.markers,
                    facts,
                    "the gateway died before its receipt",
                );
            }
        }
        for turn in lost {
            for child in facts.told_by(turn) {
                self.set_back(child, facts, "the turn that was told of it died");
            }
            self.set_back(turn, facts, "it died with the gateway");
        }
    }
}

/// The runs whose last words some markers are, and the children they tell of.
pub(in crate::rule) fn carried(markers: &[Marker], facts: &Facts) -> Vec<RunId> {
    let mut runs = facts.told_in(markers);
    let words = markers
        .iter()
        .filter_map(|marker| facts.born.get(marker)?.run());
    for run in words.filter(|run| facts.replies.contains_key(*run)) {
        if !runs.contains(run) {
            runs.push(run.clone());
        }
    }
    runs
}

impl Checker for StillOwed {
    fn forget(&mut self, facts: &Facts) {
        self.setbacks.retain(|run, _| !is_settled(facts, run));
        self.doubted.retain(|run| facts.runs.contains_key(run));
    }

    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::Receipt(_)) => {
                let Some((_, delivery)) = facts.delivery_here() else {
                    return;
                };
                let what = match delivery.state {
                    DeliveryState::RefusedForGood | DeliveryState::RefusedForNow => {
                        "its delivery was refused"
                    }
                    DeliveryState::Unknown => {
                        self.doubt(&delivery.markers, facts);
                        "nobody knows what came of its delivery"
                    }
                    DeliveryState::Pending | DeliveryState::Accepted | DeliveryState::Untold => {
                        return;
                    }
                };
                self.set_back_all(&delivery.markers, facts, what);
            }
            What::Stimulus(Stimulus::Steered(steered)) if steered.outcome == Steering::Refused => {
                if let Some(steer) = facts.steers.get(&steered.steer) {
                    self.set_back_all(
                        &steer.markers,
                        facts,
                        "it was not taken where it was steered",
                    );
                }
            }
            What::Stimulus(Stimulus::RunStarted(started)) if started.outcome == Start::Refused => {
                for child in facts.told_by(&started.run) {
                    self.set_back(
                        child,
                        facts,
                        "the turn that was to be told of it was refused",
                    );
                }
            }
            What::Stimulus(Stimulus::RunEnded(ended)) if ended.outcome != Outcome::Ok => {
                for child in facts.told_by(&ended.run) {
                    let what = "the turn that was told of it did not end well";
                    self.set_back(child, facts, what);
                }
            }
            What::World(World::Crashed { lost, .. }) => self.on_crash(lost, facts),
            What::Effect(Effect::Deliver(_) | Effect::StartRun(_) | Effect::SteerRun(_)) => {
                self.try_again(&entry.markers, facts, sink);
            }
            _ => (),
        }
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        for (run, setback) in &self.setbacks {
            if is_settled(facts, run) {
                sink.witness();
                continue;
            }
            let state = facts.runs.get(run).map(|run| run.state);
            let whose = match state {
                Some(RunState::Lost) => "what became of",
                _ => "the completion or the words of",
            };
            let who = waits(facts.completions.get(run), facts.replies.get(run));
            sink.fail_since(
                setback.entry,
                format!(
                    "{who} waits for {whose} run {run}: {}, and nothing more was tried",
                    setback.what
                ),
                "it is still owed, so it is tried again or fails visibly",
            );
        }
    }
}

fn waits(completion: Option<&Completion>, reply: Option<&Reply>) -> String {
    let open = completion.filter(|completion| completion.settled.is_none());
    let to = match (open, reply) {
        (Some(completion), _) => &completion.origins,
        (None, Some(reply)) => &reply.to,
        (None, None) => return "somebody".to_owned(),
    };
    let names: Vec<String> = to.iter().map(ToString::to_string).collect();
    names.join(" and ")
}
