//! What must not reach whom.

mod closed;
mod forged;

use super::{Checker, Keyword, Kind, Rule, Sink};
use crate::address::{Address, Place};
use crate::effect::{Deliver, Effect};
use crate::facts::{Born, BornAs, Facts};
use crate::id::Marker;
use crate::profile::Family;
use crate::trace::{Entry, What};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        rule(
            "isolation.conversations",
            "Nothing said or produced in one conversation reaches another, except along a send, \
             spawn, message or relay that was asked for.",
            &["R4.6", "I-05", "MD-021"],
            || Box::new(Leak::judging(judges_all)),
        ),
        rule(
            "isolation.people",
            "Nobody in a private chat receives an output caused by another's message or run, under \
             any dmScope; under scopes other than main, also no text that repeats the other's \
             markers.",
            &["I-05", "MD-021", "H-15"],
            || Box::new(Leak::judging(judges_people)),
        ),
        rule(
            "isolation.accounts",
            "Nothing of one account is delivered by another: an answer never goes out through \
             \"default\" because that is what was at hand.",
            &["MD-007", "H-2", "H-13"],
            || Box::new(Leak::judging(judges_accounts)),
        ),
        Rule {
            dials: &["proactive_to"],
            sees: &[Kind::StartRun, Kind::RunEnded, Kind::Receipt, Kind::Deliver],
            ..rule(
                "isolation.fail-closed",
                "Where nobody knows the address of a text, or its address takes nothing, it goes \
                 nowhere else: a missing or ambiguous address is a visible failure, never a guess.",
                &["I-05", "MD-026", "MD-032", "R-45", "R-124"],
                || Box::<closed::FailClosed>::default(),
            )
        },
        Rule {
            sees: &[
                Kind::Call,
                Kind::Answer,
                Kind::Inbound,
                Kind::StartRun,
                Kind::Deliver,
            ],
            ..rule(
                "isolation.forged",
                "Nobody gets a completion, a binding or a memory by naming the id of another \
                 conversation, session or run: what is not one's own is refused.",
                &["I-05", "I-18", "R-126", "H-3"],
                || Box::<forged::Forged>::default(),
            )
        },
    ]
}

fn rule(
    id: &'static str,
    text: &'static str,
    sources: &'static [&'static str],
    checker: fn() -> Box<dyn Checker>,
) -> Rule {
    Rule {
        id,
        family: Family::Isolation,
        keyword: Keyword::Must,
        text,
        sources,
        dials: &[],
        sees: &[Kind::Deliver],
        checker: Some(checker),
        relation: None,
    }
}

/// Looks at every attempt to deliver, arrived or not.
struct Leak {
    /// Whether the rule has a say where a text from the first address is meant for the second.
    judges: fn(At<'_>, At<'_>) -> bool,
    /// Of the places in one account that are of one kind, the first two: a rule has a say about one
    /// of them that is not the one delivered to exactly where it has about any such place.
    others: Vec<(Address, Place)>,
    /// How many places were looked at for that.
    known: usize,
}

/// An address, and what it is, as far as that is known.
type At<'a> = (&'a Address, Option<Place>);

fn judges_all(_: At<'_>, _: At<'_>) -> bool {
    true
}

fn judges_people(from: At<'_>, to: At<'_>) -> bool {
    from.1 == Some(Place::Direct) && to.1 == Some(Place::Direct)
}

fn judges_accounts((from, _): At<'_>, (to, _): At<'_>) -> bool {
    from.channel == to.channel && from.account != to.account
}

impl Leak {
    fn judging(judges: fn(At<'_>, At<'_>) -> bool) -> Self {
        Self {
            judges,
            others: Vec::new(),
            known: 0,
        }
    }

    /// Takes in the places that were not known before.
    fn meet(&mut self, facts: &Facts) {
        for (at, &kind) in facts.places.iter().skip(self.known) {
            let is_like = |(other, place): &&(Address, Place)| {
                (&other.channel, &other.account, *place) == (&at.channel, &at.account, kind)
            };
            if self.others.iter().filter(is_like).count() < 2 {
                self.others.push((at.clone(), kind));
            }
        }
        self.known = facts.places.len();
    }

    /// Whether the rule has a say about some other place that is known.
    fn could_have_it(&self, to: At<'_>) -> bool {
        let could = |(other, place): &(Address, Place)| {
            other != to.0 && (self.judges)((other, Some(*place)), to)
        };
        self.others.iter().any(could)
    }
}

impl Checker for Leak {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        let What::Effect(Effect::Deliver(deliver)) = &entry.what else {
            return;
        };
        let Some((carrier, said)) = facts.carrier_here() else {
            return;
        };
        let to = (&deliver.to, facts.place_here());
        self.meet(facts);
        if facts.stays_here() {
            if (self.judges)(to, to) || self.could_have_it(to) {
                sink.witness();
            }
            return;
        }
        let at = |from: &Address| {
            let here = *from == deliver.to;
            if here {
                to.1
            } else {
                facts.places.get(from).copied()
            }
        };
        let carried = facts.may_stand(said, &deliver.to);
        let mut witnessed = false;
        for (marker, born) in facts.texts_here() {
            let stands = facts.may_stand(born, &deliver.to);
            let judged = |from: &&Address| (self.judges)((from, at(from)), to);
            for from in born.origins.iter().filter(judged) {
                // Memory may be shared where an address is not: what is repeated in an answer that
                // belongs here comes from there. A child's conversation and that of whoever asked
                // for the child hear of each other.
                let shared =
                    || facts.share_memory(from, &deliver.to) || facts.are_joined(from, &deliver.to);
                if stands || marker != carrier && carried && shared() {
                    witnessed = true;
                } else if *from != deliver.to {
                    let right = format!("{} stays in {from}", marker.in_text());
                    sink.fail(leak(deliver, marker, born, from), right);
                }
            }
        }
        // A text that went where it belongs is a witness for whoever could have had it instead.
        if witnessed || carried && self.could_have_it(to) {
            sink.witness();
        }
    }
}

fn leak(deliver: &Deliver, marker: &Marker, born: &Born, from: &Address) -> String {
    let what = match &born.what {
        BornAs::Message { from, .. } => format!("what {from} wrote"),
        BornAs::Parameter(_) => "what an agent asked for".to_owned(),
        BornAs::Internal => "the text of an internal turn".to_owned(),
        BornAs::Progress(run) => format!("the progress of run {run}"),
        BornAs::LastWords(run) => format!("the words of run {run}"),
    };
    let (delivery, to) = (&deliver.delivery, &deliver.to);
    format!(
        "delivery {delivery} takes {what} {} from {from} to {to}",
        marker.in_text()
    )
}

#[cfg(test)]
mod tests;
