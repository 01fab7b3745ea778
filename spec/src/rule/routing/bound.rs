//! A bound conversation: what comes after its end, where its session's words go, and who else is
//! there.

use std::collections::BTreeMap;

use super::rule;
use crate::address::Address;
use crate::effect::{Deliver, Effect};
use crate::facts::{BornAs, Facts, Role, RunFacts, RunState, Standing};
use crate::id::{Marker, RunId, SessionKey};
use crate::rule::binding::routed;
use crate::rule::{Checker, Kind, Rule, Sink};
use crate::stimulus::{Outcome, Stimulus};
use crate::time::Time;
use crate::trace::{Entry, What, World};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule {
            id: "routing.unbound-parent",
            text: "After the end of a binding a message in its conversation goes to the agent that \
                   owns the conversation.",
            sources: &["R3.5", "B-130", "W-1"],
            dials: &["lapse_checked_at"],
            sees: &[
                Kind::Inbound,
                Kind::StartRun,
                Kind::SteerRun,
                Kind::Report,
                Kind::Crashed,
            ],
            checker: Some(|| Box::<UnboundParent>::default()),
            ..rule()
        },
        Rule {
            id: "routing.bound-output",
            text: "What a bound session says goes to its conversation, from its first words on, and \
                   to no second address; whoever asked for it is told as an event.",
            sources: &["R3.4", "B-142", "B-160", "MD-018", "MD-042"],
            sees: &[Kind::Deliver],
            checker: Some(|| Box::new(BoundOutput)),
            ..rule()
        },
        Rule {
            id: "routing.other-bot-silent",
            text: "Another account of the gateway does not answer in a thread that one of them has \
                   bound. One for which bindings are switched off suppresses nobody.",
            sources: &["BL-021", "I-18"],
            sees: &[Kind::Inbound, Kind::StartRun, Kind::SteerRun, Kind::Crashed],
            checker: Some(|| Box::<OtherBotSilent>::default()),
            ..rule()
        },
    ]
}

/// MUST: after the end the owner has it again.
#[derive(Default)]
struct UnboundParent {
    /// Messages that wait for somebody, and since when.
    waiting: BTreeMap<Marker, (usize, Time)>,
}

impl Checker for UnboundParent {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::Inbound(inbound)) => {
                let Some(marker) = entry.own.first() else {
                    return;
                };
                let Some(binding) = facts.last_bound(&inbound.at) else {
                    return;
                };
                let over = facts.standing(binding, entry.at) == Standing::Lapsed
                    || binding.around.released.is_some_and(|at| at < entry.at);
                let alone = facts.bound_by_another_account(&inbound.at).is_none();
                if over && alone && facts.is_for_agents(inbound, marker) {
                    self.waiting
                        .insert(marker.clone(), (facts.index(), entry.at));
                }
            }
            What::World(World::Crashed { .. }) => self.waiting.clear(),
            _ => {
                for marker in &entry.markers {
                    self.waiting.remove(marker);
                }
                Self::follow(entry, facts, sink);
            }
        }
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        if let Some((marker, since)) = self.waiting.iter().next() {
            let at = facts.messages.get(marker).map(|message| &message.at);
            let at = at.map_or(String::new(), ToString::to_string);
            sink.fail_since(
                *since,
                format!(
                    "message {}, written in {at}, is given to nobody",
                    marker.in_text()
                ),
                format!("the binding of {at} is over, and its owner has the message"),
            );
        }
    }
}

impl UnboundParent {
    fn follow(entry: &Entry, facts: &Facts, sink: &mut Sink) {
        for routed in routed(facts) {
            let binding = routed.binding;
            let before = |at: Option<Time>| at.is_some_and(|at| at < routed.arrived);
            let bound_since = facts.said_bound.contains_key(&binding.address);
            // What it says of an end holds against itself.
            let said = before(binding.around.said_over) && !bound_since;
            if routed.standing != Standing::Lapsed && !before(binding.around.released) && !said {
                continue;
            }
            let (at, key) = (&binding.address, &binding.key);
            if routed.to_bound() {
                let note = ", to which it is bound no more";
                sink.fail(
                    routed.seen(note),
                    format!("whoever owns {at} has it again, not {key}"),
                );
                continue;
            }
            let What::Effect(Effect::StartRun(start)) = &entry.what else {
                continue;
            };
            let around = at.thread.as_ref().map(|_| at.without_thread());
            let owner = around
                .and_then(|around| facts.home.get(&around))
                .and_then(|home| facts.sessions.get(home)?.runs.last())
                .and_then(|run| facts.runs.get(run))
                .map(|run| &run.agent);
            match owner {
                Some(owner) if *owner != start.agent => {
                    let note = format!(", and so to the agent {}", start.agent);
                    sink.fail(routed.seen(&note), format!("{owner} owns the conversation"));
                }
                Some(_) | None => sink.witness(),
            }
        }
    }
}

/// MUST: the words of a bound session go to its conversation.
struct BoundOutput;

impl Checker for BoundOutput {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        let What::Effect(Effect::Deliver(deliver)) = &entry.what else {
            return;
        };
        let Some((carrier, born)) = facts.carrier_here() else {
            return;
        };
        let Some(id) = born.run() else { return };
        let Some(run) = facts.runs.get(id) else {
            return;
        };
        let (Role::Child(call), false) = (&run.role, run.cancelled) else {
            return;
        };
        let Some(spawn) = facts.calls.get(call) else {
            return;
        };
        let Some(bound) = facts.surely_bound_to(&run.key) else {
            return;
        };
        // It may be bound elsewhere since.
        let by_spawn = facts
            .last_bound(bound)
            .is_some_and(|binding| binding.call.as_ref() == Some(call));
        if !by_spawn {
            return;
        }
        if deliver.to == *bound {
            return sink.witness();
        }
        let progress = matches!(born.what, BornAs::Progress(_));
        let relayed = !progress && Self::may_be_relayed(id, run, spawn.session.as_ref(), facts);
        if !(relayed && spawn.origins.contains(&deliver.to)) {
            Self::fail(deliver, carrier, id, bound, sink);
        }
    }
}

impl BoundOutput {
    fn fail(deliver: &Deliver, carrier: &Marker, id: &RunId, bound: &Address, sink: &mut Sink) {
        let (delivery, words, to) = (&deliver.delivery, carrier.in_text(), &deliver.to);
        sink.fail(
            format!("delivery {delivery} takes the words {words} of run {id} to {to}"),
            format!("run {id} speaks in {bound}, to which its session is bound"),
        );
    }

    /// Whether the end of a child may be told where it was asked for, as nobody else can tell it.
    fn may_be_relayed(
        id: &RunId,
        run: &RunFacts,
        requester: Option<&SessionKey>,
        facts: &Facts,
    ) -> bool {
        let Some(completion) = facts.completions.get(id) else {
            return true;
        };
        let good = |turn: &RunId| {
            let state = facts.runs.get(turn).map(|turn| turn.state);
            matches!(
                state,
                Some(RunState::Asked | RunState::Running | RunState::Ended(Outcome::Ok))
            )
        };
        let requester = requester.and_then(|key| facts.sessions.get(key));
        let same = requester.is_some_and(|session| {
            let since = session.started_at.is_some_and(|at| at <= run.asked.1);
            since && !session.deleted && !session.told_to_forget && !session.uncertain
        });
        !(same && completion.turns.iter().all(good))
    }
}

/// MUST: one account at a time speaks in a bound thread.
#[derive(Default)]
struct OtherBotSilent {
    /// Messages that nobody may hold back, since when, and the thread's other account.
    free: BTreeMap<Marker, (usize, Time)>,
}

impl Checker for OtherBotSilent {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::Inbound(inbound)) => {
                let Some(marker) = entry.own.first() else {
                    return;
                };
                if facts.binding_at(&inbound.at).is_some() {
                    return;
                }
                let held = facts
                    .bound_by_another_account(&inbound.at)
                    .is_some_and(|other| other.would_hold(entry.at));
                let off = facts.switched_off_elsewhere(&inbound.at).is_some();
                if held {
                    // Nobody of this account is given it.
                    sink.witness();
                } else if off && facts.is_for_agents(inbound, marker) {
                    self.free.insert(marker.clone(), (facts.index(), entry.at));
                }
            }
            What::World(World::Crashed { .. }) => self.free.clear(),
            _ => {
                for marker in &entry.markers {
                    if self.free.remove(marker).is_some() {
                        sink.witness();
                    }
                    Self::given(marker, facts, sink);
                }
            }
        }
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        if let Some((marker, since)) = self.free.iter().next() {
            let at = facts.messages.get(marker).map(|message| &message.at);
            let at = at.map_or(String::new(), ToString::to_string);
            sink.fail_since(
                *since,
                format!(
                    "message {}, heard in {at}, is given to nobody",
                    marker.in_text()
                ),
                "another account has no bindings any more, and holds nothing back",
            );
        }
    }
}

impl OtherBotSilent {
    fn given(marker: &Marker, facts: &Facts, sink: &mut Sink) {
        let Some(message) = facts.messages.get(marker) else {
            return;
        };
        let Some(other) = facts.bound_by_another_account(&message.at) else {
            return;
        };
        let held = other.would_hold(facts.now()) && other.made.1 <= message.arrived.1;
        let off = !facts.config.bindings_enabled(&other.address);
        if held && !off && facts.last_bound(&message.at).is_none() {
            let (at, there, key) = (&message.at, &other.address, &other.key);
            sink.fail(
                format!(
                    "message {}, heard in {at}, is given to an agent",
                    marker.in_text()
                ),
                format!("the thread is bound to {key} by {there}, which answers alone"),
            );
        }
    }
}
