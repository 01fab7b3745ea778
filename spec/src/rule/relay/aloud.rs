//! What cannot be told is given up where it can be seen, and can be taken up again by hand.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::effect::{Answer, Effect, Report};
use crate::facts::{CallFacts, DeliveryState, Facts};
use crate::id::{Marker, RunId};
use crate::rule::{Checker, Sink};
use crate::stimulus::{Caller, Stimulus};
use crate::time::Time;
use crate::trace::{Entry, What, World};

/// How many failures are followed; what came before the last so many may be shown no more.
const FAILED_MAX: usize = 500;

/// MUST: when the bound is spent there is a visible failure, which can be seen, tried again and
/// dismissed.
#[derive(Default)]
pub(super) struct GivesUpAloud {
    /// Runs of which something was refused, and is owed still: the last refusal, and how many there
    /// were.
    refused: BTreeMap<RunId, ((usize, Time), u32)>,
    /// Runs whose failure was made visible, and when.
    failed: BTreeMap<RunId, Time>,
    /// Those that somebody had tried again, and nothing came of it so far.
    retried: BTreeMap<RunId, (usize, Time)>,
    dismissed: BTreeSet<RunId>,
}

impl Checker for GivesUpAloud {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::Receipt(receipt)) => {
                let delivery = facts.deliveries.get(&receipt.delivery);
                let refused = delivery.filter(|delivery| {
                    use DeliveryState::{RefusedForGood, RefusedForNow};
                    matches!(delivery.state, RefusedForGood | RefusedForNow)
                });
                let Some(delivery) = refused else {
                    return;
                };
                for run in super::carried(&delivery.markers, facts) {
                    let since = (facts.index(), facts.now());
                    let (last, count) = self.refused.entry(run).or_insert((since, 0));
                    (*last, *count) = (since, *count + 1);
                }
            }
            What::Effect(Effect::Report(Report::Failed { run, .. })) => {
                if self.refused.remove(run).is_some() {
                    sink.witness();
                }
                self.retried.remove(run);
                self.failed.insert(run.clone(), facts.now());
                if FAILED_MAX < self.failed.len() {
                    let oldest = self.failed.iter().min_by_key(|(_, at)| **at);
                    if let Some(oldest) = oldest.map(|(run, _)| run.clone()) {
                        self.failed.remove(&oldest);
                    }
                }
            }
            What::World(World::Crashed { .. }) => self.suppose_taken_up(facts),
            _ if self.failed.is_empty() && self.retried.is_empty() && self.dismissed.is_empty() => {
            }
            What::Effect(Effect::Answer(answer)) => self.on_answer(answer, facts, sink),
            What::Effect(Effect::Deliver(_) | Effect::StartRun(_) | Effect::SteerRun(_)) => {
                self.on_attempt(&entry.markers, facts, sink);
            }
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.refused.retain(|run, _| facts.runs.contains_key(run));
        self.dismissed.retain(|run| facts.runs.contains_key(run));
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        for (run, (last, count)) in &self.refused {
            let open = |debt: &crate::facts::Owed<'_>| debt.run() == Some(run);
            let Some(debt) = facts.owed().into_iter().find(|debt| open(debt)) else {
                continue;
            };
            let debt = debt.debt();
            sink.fail_since(
                *last,
                format!(
                    "{} waits for {} since {}: the last of {count} refusals was at {}, and nobody \
                     is told that it is given up",
                    debt.who, debt.what, debt.at, last.1
                ),
                "what cannot be told in its bound fails visibly",
            );
        }
        for (run, since) in &self.retried {
            sink.fail_since(
                *since,
                format!("another try of run {run} was asked for, and none is made"),
                "what was given up and is tried again arrives, or fails visibly again",
            );
        }
        for _ in &self.dismissed {
            sink.witness();
        }
    }
}

/// The run that a call names.
fn target(call: &CallFacts) -> Option<&str> {
    call.text("target").or_else(|| call.text("runId"))
}

/// Whether a call is by somebody who may look at a run: whoever asked for it, or an administrator.
fn may_see(call: &CallFacts, run: &RunId, facts: &Facts) -> bool {
    let Caller::Run(_) = &call.by else {
        return true;
    };
    let own = facts.runs.get(run).map(|run| &run.key) == call.session.as_ref();
    let completion = facts.completions.get(run);
    let asked = completion.is_some_and(|c| c.requester.is_some() && c.requester == call.session);
    call.session.is_some() && (own || asked)
}

fn names(value: &Value, run: &RunId) -> bool {
    match value {
        Value::String(text) => text == run.as_str(),
        Value::Array(values) => values.iter().any(|value| names(value, run)),
        Value::Object(members) => members.values().any(|value| names(value, run)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

impl GivesUpAloud {
    /// The run that was given up and that a call names, where whoever calls may see it.
    fn named(&self, call: &CallFacts, facts: &Facts) -> Option<RunId> {
        let (run, _) = self.failed.get_key_value(target(call)?)?;
        may_see(call, run, facts).then(|| run.clone())
    }

    /// The gateway died before it answered: what it was to try again or dismiss it may have.
    fn suppose_taken_up(&mut self, facts: &Facts) {
        let calls = facts.calls.values();
        let unanswered = calls.filter(|call| call.answer.is_none() && call.method == "subagents");
        let named = unanswered.filter_map(target);
        for name in named {
            self.failed.remove(name);
        }
    }

    fn on_answer(&mut self, answer: &Answer, facts: &Facts, sink: &mut Sink) {
        let call = facts.call_here().map(|(_, call)| call);
        let Some(call) = call.filter(|call| call.method == "subagents") else {
            return;
        };
        match call.text("action").unwrap_or("list") {
            "list" if call.is_accepted() => self.on_list(call, answer, facts, sink),
            "retry" => {
                let Some(run) = self.named(call, facts) else {
                    return;
                };
                if !call.is_accepted() {
                    let error = answer.result["error"].as_str().unwrap_or("no reason");
                    return sink.fail(
                        format!("run {run} was given up, and is not tried again by hand: {error}"),
                        "`subagents` tries again what was given up",
                    );
                }
                self.failed.remove(&run);
                let since = (facts.index(), facts.now());
                self.retried.insert(run, since);
            }
            "dismiss" => {
                let Some(run) = self.named(call, facts) else {
                    return;
                };
                if !call.is_accepted() {
                    let error = answer.result["error"].as_str().unwrap_or("no reason");
                    return sink.fail(
                        format!("run {run} was given up, and cannot be dismissed: {error}"),
                        "`subagents` dismisses what was given up",
                    );
                }
                self.failed.remove(&run);
                self.dismissed.insert(run);
            }
            _ => (),
        }
    }

    fn on_list(&self, call: &CallFacts, answer: &Answer, facts: &Facts, sink: &mut Sink) {
        for (run, at) in &self.failed {
            if !may_see(call, run, facts) {
                continue;
            }
            if names(&answer.result, run) {
                sink.witness();
            } else {
                sink.fail(
                    format!(
                        "`subagents` lists no failure of run {run}, which was reported at {at}"
                    ),
                    "what was given up is shown until somebody dismisses it",
                );
            }
        }
        let failed = answer.result.get("failed").unwrap_or(&Value::Null);
        if let Some(run) = self.dismissed.iter().find(|run| names(failed, run)) {
            sink.fail(
                format!("`subagents` lists the failure of run {run}, which was dismissed"),
                "what was dismissed is shown no more",
            );
        }
    }

    fn on_attempt(&mut self, markers: &[Marker], facts: &Facts, sink: &mut Sink) {
        if self.retried.is_empty() && self.dismissed.is_empty() {
            return;
        }
        let words = facts.carrier_here().and_then(|(_, born)| born.run());
        let told = facts.told_in(markers);
        for run in told.iter().chain(words) {
            if self.retried.remove(run).is_some() {
                sink.witness();
            }
        }
        let of_it = |run: &&RunId| words == Some(*run);
        if let Some(run) = self.dismissed.iter().find(of_it) {
            sink.fail(
                format!("the words of run {run} set out once more"),
                "what was dismissed by hand is told no more",
            );
        }
    }
}
