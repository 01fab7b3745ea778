//! Each message keeps its own route and sender.

use super::super::{Checker, Kind, Rule, Sink};
use crate::effect::Effect;
use crate::facts::{Facts, MessageFacts};
use crate::id::{Marker, RunId};
use crate::trace::{Entry, What};

pub(super) fn rule() -> Rule {
    Rule {
        id: "routing.own-route-each",
        text: "Of several messages that wait for a session, each keeps its own route and sender: \
               those of two people, or of two places, are not answered as one.",
        sources: &["I-23", "QC-004", "QC-018"],
        sees: &[Kind::StartRun, Kind::SteerRun],
        checker: Some(|| Box::new(OwnRoute)),
        ..super::rule()
    }
}

/// MUST: what is answered together is of one person in one place.
struct OwnRoute;

impl Checker for OwnRoute {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::StartRun(start)) => {
                let mut new = facts
                    .messages_here()
                    .filter(|(_, message)| message.runs.first() == Some(&start.run));
                if let Some(first) = new.next() {
                    for other in new {
                        compare(&start.run, first, other, sink);
                    }
                }
            }
            What::Effect(Effect::SteerRun(steer)) => {
                let Some(first) = facts.chat_here() else {
                    return;
                };
                for other in facts
                    .messages_here()
                    .filter(|(_, other)| other.runs.is_empty())
                {
                    compare(&steer.run, first, other, sink);
                }
            }
            _ => (),
        }
    }
}

fn compare(
    run: &RunId,
    (one, first): (&Marker, &MessageFacts),
    (other, second): (&Marker, &MessageFacts),
    sink: &mut Sink,
) {
    let (one, other) = (one.in_text(), other.in_text());
    if first.at != second.at {
        sink.fail(
            format!(
                "run {run} is given message {one} of {} and message {other} of {}",
                first.at, second.at
            ),
            "each has a turn of its own, which answers where it came from",
        );
    } else if first.from != second.from {
        sink.fail(
            format!(
                "run {run} is given message {one} of {} and message {other} of {}",
                first.from, second.from
            ),
            "each has a turn of its own, by the authority of its sender",
        );
    } else {
        sink.witness();
    }
}
