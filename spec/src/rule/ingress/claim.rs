//! Nothing is lost to its own dedupe.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::{Checker, Keyword, Kind, Number, Rule, Sink};
use crate::effect::Effect;
use crate::facts::{Facts, MessageFacts, RunState, Stop};
use crate::id::{Marker, RunId};
use crate::profile::Family;
use crate::rule::moment::Moment;
use crate::stimulus::{Start, Stimulus};
use crate::time::{Span, Time};
use crate::trace::{Entry, Rest, What, World};

pub(super) fn rule() -> Rule {
    Rule {
        id: "ingress.claim-released",
        family: Family::Ingress,
        keyword: Keyword::Must,
        text: "When no run could be started for a message, a repeat of it may start one: nothing is \
               lost to its own dedupe.",
        sources: &["I-28", "RR-017"],
        dials: &[],
        sees: &[
            Kind::Inbound,
            Kind::StartRun,
            Kind::RunStarted,
            Kind::SteerRun,
            Kind::Answer,
            Kind::Deliver,
            Kind::Crashed,
            Kind::Rest,
        ],
        checker: Some(|| Box::new(Released::default())),
        relation: None,
    }
}

/// How long a gateway may pause between two attempts to start a run.
const PAUSE_MAX: Span = Span::mins(1);

/// Remembers messages that came again after no run took them.
#[derive(Default)]
struct Released {
    again: BTreeMap<Number, (Marker, (usize, Time))>,
    /// The last run that was asked to take a message after the first.
    later: FxHashMap<Number, RunId>,
    /// The runs that were refused last, and when.
    refused: Moment<RunId>,
    /// Those of which a later life may not know that, and those that somebody stopped: no repeat has
    /// to bring back what they were for.
    unheard: Vec<RunId>,
    rested: bool,
}

impl Checker for Released {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        if let Some(stop) = facts.stop_here() {
            self.on_stop(stop, facts);
        }
        match &entry.what {
            What::Stimulus(Stimulus::Inbound(_)) => self.on_inbound(entry, facts),
            What::Effect(Effect::StartRun(start)) => self.on_given(&start.run, facts, sink),
            What::Effect(Effect::SteerRun(steer)) => self.on_given(&steer.run, facts, sink),
            What::Stimulus(Stimulus::RunStarted(started)) if started.outcome == Start::Refused => {
                self.refused.push(entry.at, started.run.clone());
            }
            // It was given up where a later life could not know whether a run had started.
            What::Effect(Effect::Deliver(_)) if 1 < facts.lives => {
                for (_, message) in facts.messages_here() {
                    if message.arrived.1 < facts.life_began {
                        self.unheard.extend(message.runs.iter().cloned());
                    }
                }
            }
            // What the gateway was told as it died it may never have heard.
            What::World(World::Crashed { .. }) => {
                self.unheard.extend(self.refused.take(entry.at));
                self.again.retain(|_, (_, (_, at))| *at != entry.at);
            }
            What::World(World::Rest(rest)) => self.rested = *rest != Rest::OutOfWakes,
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.later.retain(|_, run| facts.runs.contains_key(run));
        self.unheard.retain(|run| facts.runs.contains_key(run));
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        if !self.rested {
            return;
        }
        for (marker, since) in self.again.values() {
            let Some(message) = facts.messages.get(marker) else {
                continue;
            };
            // The next attempt at the run that was refused before may still have been to come.
            if facts.now().since(since.1) < PAUSE_MAX {
                continue;
            }
            let (from, at, name) = (&message.from, &message.at, marker.in_text());
            sink.fail_since(
                *since,
                format!("what {from} wrote in {at} {name} comes again, and is not worked on"),
                format!("message {name} is given to a run: none that was asked for ever started"),
            );
        }
    }
}

impl Released {
    fn on_given(&mut self, run: &RunId, facts: &Facts, sink: &mut Sink) {
        for (_, message) in facts.messages_here() {
            if !self.again.is_empty() && self.again.remove(&message.number).is_some() {
                sink.witness();
            }
            if message.runs.first().is_some_and(|first| first != run) {
                self.later.insert(message.number, run.clone());
            }
        }
    }

    /// What waits for another attempt is stopped with its session.
    fn on_stop(&mut self, stop: &Stop, facts: &Facts) {
        let sessions = stop.all().filter_map(|key| facts.sessions.get(key));
        let runs = sessions.flat_map(|session| &session.runs);
        let stopped = runs.filter(|run| refused(run, facts) || !facts.is_over(run));
        self.unheard.extend(stopped.cloned());
    }

    fn on_inbound(&mut self, entry: &Entry, facts: &Facts) {
        let Some(marker) = entry.own.first().or(entry.markers.first()) else {
            return;
        };
        let Some(message) = facts.messages.get(marker) else {
            return;
        };
        let repeats = message.arrived.0 != facts.index();
        let later = self.later.get(&message.number);
        let untaken = later.is_none_or(|run| refused(run, facts)) && is_untaken(message, facts);
        let heard = message.runs.iter().all(|run| !self.unheard.contains(run));
        if repeats && heard && message.wants_answer && !message.is_command() && untaken {
            let since = (facts.index(), entry.at);
            self.again
                .entry(message.number)
                .or_insert((marker.clone(), since));
        }
    }
}

/// Whether runs were asked to take a message, and none ever started.
fn is_untaken(message: &MessageFacts, facts: &Facts) -> bool {
    !message.runs.is_empty() && message.runs.iter().all(|run| refused(run, facts))
}

fn refused(run: &RunId, facts: &Facts) -> bool {
    let run = facts.runs.get(run);
    run.is_some_and(|run| run.state == RunState::Refused && !run.start_unknown)
}
