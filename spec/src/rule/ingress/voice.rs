//! A gateway does not talk to itself.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Checker, Keyword, Kind, Rule, Sink};
use crate::address::Address;
use crate::facts::{BindingNews, Facts, Standing};
use crate::id::Marker;
use crate::profile::Family;
use crate::stimulus::{Author, Inbound, Stimulus};
use crate::time::Time;
use crate::trace::{Entry, What, World};

pub(super) fn rule() -> Rule {
    Rule {
        id: "ingress.own-voice",
        family: Family::Ingress,
        keyword: Keyword::Must,
        text: "The gateway's own messages, the echoes of webhooks in what is bound, and notices that \
               bear a gateway's mark start no run and touch no binding.",
        sources: &["B-134", "E-27"],
        dials: &["lapse_checked_at"],
        sees: &[
            Kind::Inbound,
            Kind::StartRun,
            Kind::SteerRun,
            Kind::Report,
            Kind::Rest,
        ],
        checker: Some(|| Box::new(OwnVoice::default())),
        relation: None,
    }
}

/// Remembers what gateways said, and where.
#[derive(Default)]
struct OwnVoice {
    own: FxHashSet<Marker>,
    /// How much of it is long past and started nothing.
    past: usize,
    /// When it last said something at an address.
    spoke: FxHashMap<Address, Time>,
}

impl Checker for OwnVoice {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::Inbound(inbound)) if is_own(inbound, facts) => {
                self.own.extend(entry.own.first().cloned());
                self.spoke.insert(inbound.at.clone(), entry.at);
            }
            _ if self.own.is_empty() && self.past == 0 => (),
            What::Effect(_) => self.on_effect(entry, facts, sink),
            What::World(World::Rest(_)) => {
                for _ in 0..self.own.len() + self.past {
                    sink.witness();
                }
            }
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        let known = self.own.len();
        self.own
            .retain(|marker| facts.messages.contains_key(marker));
        self.past += known - self.own.len();
    }
}

impl OwnVoice {
    fn on_effect(&self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        if let Some(marker) = entry
            .markers
            .iter()
            .find(|marker| self.own.contains(*marker))
        {
            let name = marker.in_text();
            let at = facts
                .messages
                .get(marker)
                .map(|message| message.at.to_string());
            let at = at.unwrap_or_default();
            sink.fail(
                format!("message {name} in {at} is given to a run, and a gateway said it"),
                format!("message {name} starts no run"),
            );
        }
        for news in &facts.binding_news {
            let BindingNews::Routed {
                binding,
                key,
                standing: Standing::Lapsed,
                ..
            } = news
            else {
                continue;
            };
            let spoke = self.spoke.get(&binding.address);
            if *key == binding.key && spoke.is_some_and(|spoke| binding.touched.1 < *spoke) {
                let at = &binding.address;
                sink.fail(
                    format!("the binding of {at} outlives its limits"),
                    "what a gateway said itself is no activity".to_owned(),
                );
            }
        }
    }
}

/// Whether a gateway said it: this one, or one that marks what it says.
fn is_own(inbound: &Inbound, facts: &Facts) -> bool {
    let bound = || facts.binding_at(&inbound.at).is_some();
    match inbound.author {
        Author::Own => true,
        Author::Webhook => bound(),
        Author::Bot => inbound.is_notice() && bound(),
        Author::Person => false,
    }
}
