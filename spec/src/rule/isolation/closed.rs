//! Texts without an address, or with one that takes nothing.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use crate::address::Address;
use crate::effect::{Deliver, Effect};
use crate::facts::{Born, BornAs, DeliveryState, Facts, Role};
use crate::id::{CallId, DeliveryId, Marker, RunId};
use crate::profile::ProactiveTo;
use crate::rule::{Checker, Sink};
use crate::stimulus::{Caller, Stimulus};
use crate::trace::{Entry, What};

/// MUST: without an address there is no guess.
#[derive(Default)]
pub(super) struct FailClosed {
    /// Where texts were refused, by what they are made for.
    refused: FxHashMap<Marker, (Address, DeliveryId)>,
    /// Runs of which it is known that nobody in a conversation asked for them, nor for what they
    /// come from.
    unplaced: BTreeSet<RunId>,
}

impl Checker for FailClosed {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::StartRun(start)) => {
                let known = facts.texts_here().count() == entry.markers.len();
                if known && self.is_unplaced(facts) {
                    self.unplaced.insert(start.run.clone());
                }
            }
            What::Stimulus(Stimulus::RunEnded(ended)) if self.unplaced.contains(&ended.run) => {
                // What it says belongs nowhere, and nobody hears it: seen again at a delivery.
                let run = facts.run_here();
                if run.is_some_and(|run| is_asked_for(&run.role)) && !entry.own.is_empty() {
                    sink.witness();
                }
            }
            What::Stimulus(Stimulus::Receipt(receipt)) => {
                let delivery = facts.deliveries.get(&receipt.delivery);
                let for_good = DeliveryState::RefusedForGood;
                let Some(delivery) = delivery.filter(|delivery| delivery.state == for_good) else {
                    return;
                };
                if let Some((carrier, born)) = facts.made_for(&delivery.markers)
                    && born.run().is_some()
                {
                    let there = (delivery.to.clone(), receipt.delivery.clone());
                    self.refused.insert(carrier.clone(), there);
                    sink.witness();
                }
            }
            What::Effect(Effect::Deliver(deliver)) => self.on_deliver(deliver, facts, sink),
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.refused
            .retain(|marker, _| facts.born.contains_key(marker));
        self.unplaced.retain(|run| facts.runs.contains_key(run));
    }
}

/// Whether a run is what a session, or a plugin, asked for.
fn is_asked_for(role: &Role) -> bool {
    matches!(role, Role::Child(_) | Role::Event(_) | Role::Sent(_))
}

impl FailClosed {
    /// Whether nobody in a conversation is behind the run that is asked for, as far back as it goes.
    fn is_unplaced(&self, facts: &Facts) -> bool {
        let Some(run) = facts.run_here().filter(|run| run.origins.is_empty()) else {
            return false;
        };
        let by_unplaced = |call: &CallId| {
            let by = facts.calls.get(call).map(|call| &call.by);
            matches!(by, Some(Caller::Run(run)) if self.unplaced.contains(run))
        };
        match &run.role {
            Role::Internal | Role::Plugin(_) => true,
            Role::Child(call) | Role::Sent(call) => by_unplaced(call),
            Role::Event(child) => self.unplaced.contains(child),
            Role::Chat(_) | Role::Unknown => false,
        }
    }

    fn on_deliver(&self, deliver: &Deliver, facts: &Facts, sink: &mut Sink) {
        let Some((carrier, born)) = facts.carrier_here() else {
            return;
        };
        let (delivery, words, to) = (&deliver.delivery, carrier.in_text(), &deliver.to);
        if born.origins.is_empty() {
            return self.guess(deliver, carrier, born, facts, sink);
        }
        if let Some((there, before)) = self.refused.get(carrier)
            && there != to
            && !facts.may_stand(born, to)
        {
            sink.fail(
                format!(
                    "delivery {delivery} takes {words} to {to}, after {there} refused delivery \
                     {before}"
                ),
                "what its address does not take goes to no other one: its failure is made visible",
            );
        }
    }

    /// What nobody in a conversation asked for stands somewhere.
    fn guess(
        &self,
        deliver: &Deliver,
        carrier: &Marker,
        born: &Born,
        facts: &Facts,
        sink: &mut Sink,
    ) {
        if facts.dials.proactive_to != ProactiveTo::ConfiguredAddress {
            return;
        }
        let run = match &born.what {
            BornAs::LastWords(run) | BornAs::Progress(run) => Some(run),
            BornAs::Parameter(call) => {
                let call = facts
                    .calls
                    .get(call)
                    .filter(|c| c.method == "sessions_spawn");
                call.and_then(|call| call.run.as_ref())
            }
            BornAs::Message { .. } | BornAs::Internal => None,
        };
        let run = run.filter(|run| self.unplaced.contains(*run));
        let run = run.and_then(|run| facts.runs.get(run));
        let Some(run) = run.filter(|run| is_asked_for(&run.role)) else {
            return;
        };
        let to = &deliver.to;
        let configured = facts.config.heartbeat_to(&run.agent).decided() == Some(to);
        if configured || facts.was_bound(&run.key, to) {
            return;
        }
        let (delivery, words) = (&deliver.delivery, carrier.in_text());
        sink.fail(
        format!(
            "delivery {delivery} takes {words} to {to}, and nobody in a conversation asked for it"
        ),
        "without an address it goes nowhere, and whoever asked is told",
    );
    }
}
