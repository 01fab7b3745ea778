//! Where a message and its answer go.

mod configured;
mod decided_again;
mod moved;
mod own_route;

use super::binding::routed;
use super::{Checker, Keyword, Kind, Rule, Sink};
use crate::effect::Effect;
use crate::facts::{Facts, Role, Standing};
use crate::profile::Family;
use crate::trace::{Entry, What};

mod bound;
mod route;

pub(super) fn rules() -> Vec<Rule> {
    let families = [of_messages(), bound::rules(), route::rules()];
    families.into_iter().flatten().collect()
}

/// Messages, and their answers.
fn of_messages() -> Vec<Rule> {
    vec![
        Rule {
            id: "routing.bound-first",
            text: "A person's message in a bound conversation goes to the bound session, and the \
                   agent that owns the conversation does not see it.",
            sources: &["R3.4", "bindings 13"],
            sees: super::binding::NEWS,
            checker: Some(|| Box::new(BoundFirst)),
            ..rule()
        },
        Rule {
            id: "routing.same-place",
            text: "The answer to a message goes to the conversation and thread it came from.",
            sources: &["I-04"],
            sees: &[Kind::Deliver],
            checker: Some(|| Box::new(SamePlace)),
            ..rule()
        },
        own_route::rule(),
        decided_again::rule(),
        configured::rule(),
        moved::rule(),
    ]
}

fn rule() -> Rule {
    Rule {
        id: "",
        family: Family::Routing,
        keyword: Keyword::Must,
        text: "",
        sources: &[],
        dials: &[],
        sees: &[],
        checker: None,
        relation: None,
    }
}

/// MUST: a bound conversation's messages go to the bound session.
struct BoundFirst;

impl Checker for BoundFirst {
    fn see(&mut self, _: &Entry, facts: &Facts, sink: &mut Sink) {
        for routed in routed(facts).filter(|routed| routed.standing == Standing::Holds) {
            if routed.to_bound() {
                sink.witness();
            } else {
                let (at, key) = (&routed.binding.address, &routed.binding.key);
                let right = format!("{at} is bound to {key}, which is given the message alone");
                sink.fail(routed.seen(""), right);
            }
        }
    }
}

/// MUST: an answer goes where its message came from.
struct SamePlace;

impl Checker for SamePlace {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        let What::Effect(Effect::Deliver(deliver)) = &entry.what else {
            return;
        };
        let Some(((carrier, _), (id, run))) = facts.carrier_here().zip(facts.speaker_here()) else {
            return;
        };
        let Role::Chat(message) = &run.role else {
            return;
        };
        let Some(message) = facts.messages.get(message) else {
            return;
        };
        let to = &deliver.to;
        let here = message.at == *to || run.origins.contains(to) || facts.was_bound(&run.key, to);
        if here {
            sink.witness();
        } else {
            let (delivery, words) = (&deliver.delivery, carrier.in_text());
            let (from, at) = (&message.from, &message.at);
            sink.fail(
                format!("delivery {delivery} takes the words {words} of run {id} to {to}"),
                format!(
                    "run {id} answers a message that {from} wrote in {at}, so its words go there"
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests;
