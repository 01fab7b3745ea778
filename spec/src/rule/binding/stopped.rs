//! Accounts that are switched off.

use std::collections::BTreeMap;

use super::{routed, rule, said_over, says};
use crate::address::Address;
use crate::effect::{Effect, UnboundBecause};
use crate::facts::Facts;
use crate::id::{AccountId, ChannelId, Marker};
use crate::rule::{Checker, Kind, Rule, Sink};
use crate::stimulus::{Author, Inbound, Stimulus};
use crate::time::Time;
use crate::trace::{Entry, What, World};

pub(super) fn rules() -> Vec<Rule> {
    vec![Rule {
        text: "An account that is switched off (`enabled: false`) has no bindings: those it had end \
               with the reason `account-stopped`, and switched on again it has none of them. What \
               it hears meanwhile is dropped aloud, and nothing is delivered through it.",
        sources: &["R3.5", "B-37", "B-128", "I-18"],
        sees: &[
            Kind::Open,
            Kind::ConfigChanged,
            Kind::Inbound,
            Kind::StartRun,
            Kind::SteerRun,
            Kind::Deliver,
            Kind::Drop,
            Kind::Report,
            Kind::Crashed,
        ],
        ..rule("binding.account-stopped", || Box::<Stopped>::default())
    }]
}

/// MUST: an account that is switched off ties, hears and says nothing.
///
/// What is asked for at the very instant of the switch may belong to what was told before it, so
/// only what is later counts.
#[derive(Default)]
struct Stopped {
    /// Accounts that are switched off, and since when.
    off: BTreeMap<(ChannelId, AccountId), Time>,
    /// Bindings that the gateway did not call over yet; the entry of the switch, and when.
    unsaid: BTreeMap<Address, (usize, Time)>,
    /// Messages that were not dropped yet, and since when.
    unheard: BTreeMap<Marker, (usize, Time)>,
}

impl Checker for Stopped {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::Open(_)) => self.note_accounts(facts),
            What::Stimulus(Stimulus::ConfigChanged(_)) => {
                self.note_accounts(facts);
                self.note_bindings(facts);
            }
            What::Stimulus(Stimulus::Inbound(inbound)) => self.on_inbound(inbound, entry, facts),
            What::Effect(Effect::Drop(_)) => self.on_drop(facts, sink),
            What::Effect(Effect::Deliver(deliver)) => {
                if let Some(since) = self.off_before(&deliver.to, entry.at) {
                    let (delivery, to) = (&deliver.delivery, &deliver.to);
                    sink.fail(
                        format!("delivery {delivery} goes to {to}"),
                        format!("its account was switched off at {since}, and says nothing"),
                    );
                }
            }
            What::World(World::Crashed { .. }) => {
                let died = |since: &(usize, Time)| since.1 == entry.at;
                self.unsaid.retain(|_, since| !died(since));
                self.unheard.clear();
            }
            _ => {
                self.on_given(facts, sink);
                self.on_bindings(facts, sink);
            }
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.unheard
            .retain(|marker, _| facts.messages.contains_key(marker));
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        for (at, since) in &self.unsaid {
            if let Some(key) = facts.said_bound.get(at) {
                sink.fail_since(
                    *since,
                    format!("the account of {at} is switched off, and {key} stays bound to it"),
                    "the binding is over with that, and the reason is account-stopped",
                );
            }
        }
        for (marker, since) in &self.unheard {
            if let Some(message) = facts.messages.get(marker) {
                let (name, at) = (marker.in_text(), &message.at);
                sink.fail_since(
                    *since,
                    format!("message {name}, written in {at}, is not dropped aloud"),
                    "its account is switched off, and whoever looks for it finds out why",
                );
            }
        }
    }
}

impl Stopped {
    fn note_accounts(&mut self, facts: &Facts) {
        let stopped = facts.config.stopped_accounts();
        let old = std::mem::take(&mut self.off);
        self.off = stopped
            .map(|(channel, account)| {
                let account = (channel.clone(), account.clone());
                let since = old.get(&account).copied().unwrap_or(facts.now());
                (account, since)
            })
            .collect();
    }

    /// The gateway says what is bound: then it also says what is bound no more.
    fn note_bindings(&mut self, facts: &Facts) {
        let since = (facts.index(), facts.now());
        for binding in &facts.bindings {
            let (at, around) = (&binding.address, &binding.around);
            let now = around.stopped == Some(facts.now());
            if now && facts.said_bound.get(at) == Some(&binding.key) {
                self.unsaid.insert(at.clone(), since);
            }
        }
    }

    /// Since when the account of an address is off, where that is before an instant.
    fn off_before(&self, at: &Address, now: Time) -> Option<Time> {
        if self.off.is_empty() {
            return None;
        }
        let account = (at.channel.clone(), at.account.clone());
        self.off.get(&account).copied().filter(|since| *since < now)
    }

    fn on_inbound(&mut self, inbound: &Inbound, entry: &Entry, facts: &Facts) {
        if self.off_before(&inbound.at, entry.at).is_none() || inbound.author != Author::Person {
            return;
        }
        let Some(marker) = entry.own.first() else {
            return;
        };
        let message = facts.messages.get(marker);
        if message.is_some_and(|message| message.arrived.0 == facts.index()) {
            let since = (facts.index(), entry.at);
            self.unheard.insert(marker.clone(), since);
        }
    }

    fn on_drop(&mut self, facts: &Facts, sink: &mut Sink) {
        self.unheard.retain(|marker, _| {
            let dropped = facts.messages.get(marker).is_none_or(|m| m.dropped);
            if dropped {
                sink.witness();
            }
            !dropped
        });
    }

    /// No agent is given what such an account heard.
    fn on_given(&self, facts: &Facts, sink: &mut Sink) {
        if self.off.is_empty() {
            return;
        }
        for (marker, message) in facts.messages_here() {
            if let Some(since) = self.off_before(&message.at, message.arrived.1) {
                let (name, at) = (marker.in_text(), &message.at);
                sink.fail(
                    format!("message {name}, written in {at}, is given to an agent"),
                    format!("its account was switched off at {since}, and hears nothing"),
                );
            }
        }
    }

    fn on_bindings(&mut self, facts: &Facts, sink: &mut Sink) {
        for (binding, reason) in said_over(facts) {
            self.unsaid.remove(&binding.address);
            let Some(stopped) = binding.around.stopped else {
                continue;
            };
            if reason == UnboundBecause::AccountStopped {
                sink.witness();
            } else {
                let note = format!(", and its account was switched off at {stopped}");
                let right = "the reason is account-stopped";
                sink.fail(says(binding, reason, &note), right);
            }
        }
        for routed in routed(facts) {
            let Some(stopped) = routed.binding.around.stopped else {
                continue;
            };
            let at = &routed.binding.address;
            if routed.arrived <= stopped || facts.is_focused_somehow(at) {
                continue;
            }
            if routed.to_bound() {
                let note = format!(", to which it was bound until {stopped}");
                let right = "with its account switched off the binding was over, and it stays over";
                sink.fail(routed.seen(&note), right);
            } else {
                sink.witness();
            }
        }
    }
}

#[cfg(test)]
mod tests;
