//! A requester in the middle of a run.

use super::once::told_before;
use crate::address::Address;
use crate::effect::{Effect, SteerRun};
use crate::facts::{Facts, Role, RunState, Settled};
use crate::id::{Marker, RunId};
use crate::profile::BusyRequester;
use crate::rule::{Checker, Sink};
use crate::stimulus::Stimulus;
use crate::time::Time;
use crate::trace::{Entry, What};

/// MUST: a busy requester gets a completion once, in a turn that may have it.
#[derive(Default)]
pub(super) struct Busy {
    /// Children that ended while their requester was in a run: the run, the entry, and when.
    met: Vec<(RunId, RunId, (usize, Time))>,
}

impl Checker for Busy {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::RunEnded(ended)) => self.on_end(&ended.run, facts),
            _ if self.met.is_empty() => (),
            What::Effect(Effect::SteerRun(steer)) => {
                self.on_steer(steer, &entry.markers, facts, sink);
            }
            What::Effect(Effect::StartRun(start)) => {
                self.on_start(&start.run, &entry.markers, facts, sink);
            }
            _ => (),
        }
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        for (child, run, since) in &self.met {
            let Some(completion) = facts.completions.get(child) else {
                continue;
            };
            match &completion.settled {
                Some(Settled::Resumed(_)) => (),
                Some(_) => sink.witness(),
                None => {
                    let key = completion.requester.as_ref().map_or("", |key| key.as_str());
                    sink.fail_since(
                        *since,
                        format!(
                            "{key}, in the middle of run {run} when run {child} ended at {}, is \
                             never told of it",
                            since.1
                        ),
                        "it is steered into that run or queued behind it, and told once",
                    );
                }
            }
        }
    }
}

impl Busy {
    fn on_end(&mut self, child: &RunId, facts: &Facts) {
        let Some(completion) = facts.completions.get(child) else {
            return;
        };
        let Some(key) = completion
            .requester
            .as_ref()
            .filter(|_| completion.settled.is_none())
        else {
            return;
        };
        if let Some((run, _)) = facts.live_runs(key).next() {
            let since = (facts.index(), facts.now());
            self.met.push((child.clone(), run.clone(), since));
        }
    }

    fn has_met(&self, child: &RunId) -> bool {
        self.met.iter().any(|(met, ..)| met == child)
    }

    fn on_steer(&self, steer: &SteerRun, markers: &[Marker], facts: &Facts, sink: &mut Sink) {
        self.tell_twice(&steer.run, Some(steer), markers, facts, sink);
        let Some(run) = facts.runs.get(&steer.run) else {
            return;
        };
        for child in facts.told_in(markers) {
            let Some(completion) = facts.completions.get(&child) else {
                continue;
            };
            if !self.has_met(&child) || completion.requester.as_ref() != Some(&run.key) {
                continue;
            }
            let into = &steer.run;
            match facts.dials.busy_requester {
                BusyRequester::Steer => (),
                BusyRequester::Queue => sink.fail(
                    format!("the end of run {child} is steered into run {into}"),
                    "it waits until that run is over",
                ),
                BusyRequester::SteerSameOriginElseQueue => {
                    if !same(&run.origins, &completion.origins) {
                        let (there, here) = (list(&run.origins), list(&completion.origins));
                        sink.fail(
                            format!(
                                "the end of run {child}, asked for from {here}, is steered into run \
                                 {into}, which answers to {there}"
                            ),
                            "it waits until that run is over, for its words would go elsewhere",
                        );
                    }
                }
            }
        }
    }

    fn on_start(&self, turn: &RunId, markers: &[Marker], facts: &Facts, sink: &mut Sink) {
        self.tell_twice(turn, None, markers, facts, sink);
        let Some(run) = facts
            .runs
            .get(turn)
            .filter(|run| matches!(run.role, Role::Event(_)))
        else {
            return;
        };
        if facts.dials.busy_requester == BusyRequester::Steer {
            return;
        }
        let told = facts.told_in(markers);
        if !told.iter().any(|child| self.has_met(child)) {
            return;
        }
        let busy = facts
            .live_runs(&run.key)
            .find(|(id, run)| *id != turn && run.state == RunState::Running);
        if let Some((other, _)) = busy {
            let key = &run.key;
            sink.fail(
                format!("run {turn} is started in {key} while run {other} goes on there"),
                "a completion that is not steered in waits until that run is over",
            );
        }
    }

    fn tell_twice(
        &self,
        turn: &RunId,
        steer: Option<&SteerRun>,
        markers: &[Marker],
        facts: &Facts,
        sink: &mut Sink,
    ) {
        let steer = steer.map(|steer| &steer.steer);
        for (child, other) in told_before(turn, steer, markers, facts) {
            if self.has_met(&child) {
                sink.fail(
                    format!(
                        "run {turn} is told of the end of run {child}, which came while its \
                         requester was busy, and of which run {other} was told or is"
                    ),
                    "a busy requester gets a completion exactly once",
                );
            }
        }
    }
}

fn same(one: &[Address], other: &[Address]) -> bool {
    one.iter().all(|at| other.contains(at)) && other.iter().all(|at| one.contains(at))
}

fn list(addresses: &[Address]) -> String {
    let names: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    if names.is_empty() {
        "nobody".to_owned()
    } else {
        names.join(" and ")
    }
}
