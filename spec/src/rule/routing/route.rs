//! Where turns that nobody wrote for speak.

use std::collections::BTreeMap;

use super::rule;
use crate::address::Address;
use crate::effect::{Deliver, Effect};
use crate::facts::{Facts, Role, RunFacts};
use crate::id::RunId;
use crate::profile::ProactiveTo;
use crate::rule::{Checker, Kind, Rule, Sink};
use crate::stimulus::{Outcome, Stimulus};
use crate::time::Time;
use crate::trace::{Entry, What, World};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule {
            id: "routing.route-hygiene",
            text: "Turns of the clockwork, texts from other sessions and completions never change \
                   where a session last spoke with a person.",
            sources: &["I-06", "MD-002", "MD-022", "MD-028", "MD-056"],
            dials: &["proactive_to"],
            sees: &[Kind::RunEnded, Kind::Deliver, Kind::Crashed],
            checker: Some(|| Box::<RouteHygiene>::default()),
            ..rule()
        },
        Rule {
            id: "routing.proactive",
            text: "What nobody asked for, the output of the clockwork's turns, goes to the configured \
                   address or nowhere; where the profile says so, to where the session last spoke \
                   with a person.",
            sources: &["MD-021", "MD-027", "I-05", "I-06"],
            dials: &["proactive_to"],
            sees: &[Kind::Deliver, Kind::RunEnded],
            checker: Some(|| Box::<Proactive>::default()),
            ..rule()
        },
    ]
}

/// MUST: only people's messages make a route.
#[derive(Default)]
struct RouteHygiene {
    /// Words of the clockwork's turns that are due where their session last spoke: since when, and
    /// where.
    due: BTreeMap<RunId, ((usize, Time), Address)>,
}

impl Checker for RouteHygiene {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::RunEnded(ended)) => {
                let speaks = ended.outcome == Outcome::Ok && !entry.own.is_empty();
                let run = facts.run_here().filter(|_| speaks);
                if let Some(at) = run.and_then(|run| route(run, facts))
                    && !is_silent(&ended.text)
                {
                    let due = ((facts.index(), facts.now()), at.clone());
                    self.due.insert(ended.run.clone(), due);
                }
            }
            What::Effect(Effect::Deliver(deliver)) => self.judge(deliver, facts, sink),
            What::World(World::Crashed { .. }) => self.due.clear(),
            _ => (),
        }
    }

    fn finish(&mut self, _: &Facts, sink: &mut Sink) {
        for (id, (since, at)) in &self.due {
            sink.fail_since(
                *since,
                format!("run {id} of the clockwork speaks, and nobody hears it"),
                format!("its session last spoke with a person in {at}, whatever was in between"),
            );
        }
    }
}

/// Whether a text asks not to be said.
fn is_silent(text: &str) -> bool {
    ["NO_REPLY", "ANNOUNCE_SKIP"]
        .iter()
        .any(|token| text.contains(token))
}

/// Where a turn of the clockwork that is not the first thing since a person wrote speaks, where
/// that is where its session last spoke with a person.
fn route<'f>(run: &RunFacts, facts: &'f Facts) -> Option<&'f Address> {
    let dials = &facts.dials;
    if run.role != Role::Internal || dials.proactive_to != ProactiveTo::LastRoute {
        return None;
    }
    let spoke = facts.sessions[run.session].spoke.as_ref()?;
    let configured = facts.config.heartbeat_to(&run.agent).decided();
    let sure = spoke.moved_on && !spoke.unsure;
    (sure && configured.is_none()).then_some(&spoke.at)
}

impl RouteHygiene {
    fn judge(&mut self, deliver: &Deliver, facts: &Facts, sink: &mut Sink) {
        let Some((id, run)) = facts.speaker_here() else {
            return;
        };
        let Some(at) = route(run, facts) else {
            return;
        };
        let (to, key) = (&deliver.to, &run.key);
        if to == at {
            sink.witness();
            self.due.remove(id);
        } else {
            sink.fail(
                format!("run {id} of the clockwork speaks in {to}, and {key} last spoke with a person in {at}"),
                "turns that nobody wrote for do not change that",
            );
        }
    }
}

/// MUST: nobody hears what nobody asked for, but at the configured address.
#[derive(Default)]
struct Proactive {
    /// Words of the clockwork's turns that went nowhere so far.
    silent: u64,
}

impl Checker for Proactive {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::RunEnded(_)) if !entry.own.is_empty() => {
                let mut run = facts.run_here().into_iter();
                let nowhere = run.any(|run| {
                    let to = || facts.config.heartbeat_to(&run.agent).decided();
                    run.role == Role::Internal && to().is_none()
                });
                self.silent += u64::from(nowhere);
            }
            What::Effect(Effect::Deliver(deliver)) => judge(deliver, facts, sink),
            _ => (),
        }
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        if facts.dials.proactive_to == ProactiveTo::ConfiguredAddress {
            for _ in 0..self.silent {
                sink.witness();
            }
        }
    }
}

/// A turn of the clockwork speaks.
fn judge(deliver: &Deliver, facts: &Facts, sink: &mut Sink) {
    let Some((id, run)) = facts.speaker_here() else {
        return;
    };
    if run.role != Role::Internal {
        return;
    }
    let configured = facts.config.heartbeat_to(&run.agent).decided();
    let spoke = facts.sessions[run.session].spoke.as_ref();
    let unsure = spoke.is_some_and(|spoke| spoke.unsure);
    let route = spoke.map(|spoke| &spoke.at);
    let allowed = match (configured, facts.dials.proactive_to) {
        (Some(configured), _) => Some(configured),
        (None, ProactiveTo::ConfiguredAddress) => None,
        (None, ProactiveTo::LastRoute) => route,
    };
    let to = &deliver.to;
    match allowed {
        Some(allowed) if allowed == to => sink.witness(),
        Some(_) if configured.is_none() && unsure => (),
        Some(allowed) => sink.fail(
            format!("run {id} of the clockwork speaks in {to}"),
            format!("nobody asked for it, so it goes to {allowed}"),
        ),
        None => sink.fail(
            format!("run {id} of the clockwork speaks in {to}"),
            "nobody asked for it and no address is configured, so it goes nowhere",
        ),
    }
}
