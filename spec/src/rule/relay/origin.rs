//! A completion goes where it was asked for.

use std::fmt;

use crate::address::Address;
use crate::effect::{Deliver, Effect};
use crate::facts::{BornAs, Facts, Role, RunFacts};
use crate::id::{Marker, RunId};
use crate::profile::BusyRequester;
use crate::rule::{Checker, Sink};
use crate::trace::{Entry, What};

/// MUST: a completion goes to the whole address captured when its run was asked for.
pub(super) struct Origin;

impl Checker for Origin {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        let What::Effect(Effect::Deliver(deliver)) = &entry.what else {
            return;
        };
        let Some((carrier, born)) = facts.carrier_here() else {
            return;
        };
        match &born.what {
            BornAs::LastWords(_) | BornAs::Progress(_) => {
                if let Some(run) = facts.speaker_here() {
                    said(deliver, carrier, run, facts, sink);
                }
            }
            BornAs::Parameter(id) => {
                let Some(call) = facts.calls.get(id).filter(|c| c.method == "sessions_spawn")
                else {
                    return;
                };
                let to = &deliver.to;
                let run = call.run.as_ref().and_then(|run| facts.runs.get(run));
                let bound = run.is_some_and(|run| facts.was_bound(&run.key, to));
                if bound || call.thread.as_ref() == Some(to) {
                    return;
                }
                judge(
                    deliver,
                    carrier,
                    format_args!("the task of a spawn"),
                    &call.origins,
                    sink,
                );
            }
            BornAs::Message { .. } | BornAs::Internal => (),
        }
    }
}

/// A text that a run said: a child, or a turn that was told of one.
fn said(
    deliver: &Deliver,
    carrier: &Marker,
    (id, run): (&RunId, &RunFacts),
    facts: &Facts,
    sink: &mut Sink,
) {
    let to = &deliver.to;
    if facts.was_bound(&run.key, to) {
        if matches!(run.role, Role::Child(_)) {
            sink.witness();
        }
        return;
    }
    match &run.role {
        Role::Child(_) => {
            let what = format_args!("the words of child {id}");
            judge(deliver, carrier, what, &run.origins, sink);
        }
        Role::Event(child) => {
            let what = format_args!("what run {id} says to the end of run {child}");
            judge(deliver, carrier, what, &run.origins, sink);
        }
        // A chat turn that a completion was steered into: what it says from then on.
        _ if facts.dials.busy_requester != BusyRequester::Steer => {
            for child in facts.told_by(id) {
                let Some(completion) = facts.completions.get(child) else {
                    continue;
                };
                let born = facts.born.get(carrier);
                let after = born.is_some_and(|born| completion.ended.0 < born.entry);
                if after && completion.requester.as_ref() == Some(&run.key) {
                    let what = format_args!("what run {id} says after it was told of run {child}");
                    judge(deliver, carrier, what, &completion.origins, sink);
                }
            }
        }
        _ => (),
    }
}

fn judge(
    deliver: &Deliver,
    carrier: &Marker,
    what: fmt::Arguments<'_>,
    origins: &[Address],
    sink: &mut Sink,
) {
    // What nobody in a conversation asked for has no origin.
    let Some(first) = origins.first() else {
        return;
    };
    if origins.contains(&deliver.to) {
        sink.witness();
        return;
    }
    let (delivery, words, to) = (&deliver.delivery, carrier.in_text(), &deliver.to);
    sink.fail(
        format!("delivery {delivery} takes {what} {words} to {to}"),
        format!("it was asked for from {first}, and goes there and nowhere else"),
    );
}
