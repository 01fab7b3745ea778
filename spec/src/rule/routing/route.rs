//! Where turns that nobody wrote for speak.

use std::collections::BTreeMap;

use super::rule;
use crate::address::Address;
use crate::effect::{Deliver, Effect, StartRun};
use crate::facts::{Facts, Role, RunFacts};
use crate::id::{RunId, SessionKey};
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
            sees: &[Kind::StartRun, Kind::RunEnded, Kind::Deliver, Kind::Crashed],
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
            sees: &[Kind::StartRun, Kind::Deliver, Kind::RunEnded],
            checker: Some(|| Box::<Proactive>::default()),
            ..rule()
        },
    ]
}

/// What a delivery carries of a run's words: the run and its facts.
fn speaker(facts: &Facts) -> Option<(&RunId, &RunFacts)> {
    let id = facts.carrier_here()?.1.run()?;
    Some((id, facts.runs.get(id)?))
}

/// The address of the message that a run answers.
fn answers<'f>(run: &RunFacts, facts: &'f Facts) -> Option<&'f Address> {
    match &run.role {
        Role::Chat(message) => facts.messages.get(message).map(|message| &message.at),
        _ => None,
    }
}

/// Where sessions last spoke with people.
#[derive(Default)]
struct Routes {
    last: BTreeMap<SessionKey, Route>,
}

struct Route {
    at: Address,
    /// Whether there was a turn since that nobody wrote for.
    moved_on: bool,
}

impl Routes {
    fn follow(&mut self, start: &StartRun, facts: &Facts) {
        let Some(run) = facts.runs.get(&start.run) else {
            return;
        };
        match answers(run, facts) {
            Some(at) => {
                let route = Route {
                    at: at.clone(),
                    moved_on: false,
                };
                self.last.insert(run.key.clone(), route);
            }
            None => {
                if let Some(route) = self.last.get_mut(&run.key) {
                    route.moved_on |= run.role != Role::Unknown;
                }
            }
        }
    }
}

/// MUST: only people's messages make a route.
#[derive(Default)]
struct RouteHygiene {
    routes: Routes,
    /// Words of the clockwork's turns that are due where their session last spoke: since when, and
    /// where.
    due: BTreeMap<RunId, ((usize, Time), Address)>,
}

impl Checker for RouteHygiene {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::StartRun(start)) => self.routes.follow(start, facts),
            What::Stimulus(Stimulus::RunEnded(ended)) => {
                let silent = ["NO_REPLY", "ANNOUNCE_SKIP"];
                let silent = silent.iter().any(|token| ended.text.contains(token));
                if ended.outcome == Outcome::Ok && !entry.own.is_empty() && !silent {
                    self.owe(&ended.run, facts);
                }
            }
            What::Effect(Effect::Deliver(deliver)) => self.judge(deliver, facts, sink),
            What::World(World::Crashed { .. }) => self.due.clear(),
            _ => (),
        }
    }

    fn finish(&mut self, _: &Facts, sink: &mut Sink) {
        if let Some((id, (since, at))) = self.due.iter().next() {
            sink.fail_since(
                *since,
                format!("run {id} of the clockwork speaks, and nobody hears it"),
                format!("its session last spoke with a person in {at}, whatever was in between"),
            );
        }
    }
}

impl RouteHygiene {
    /// The route of a turn of the clockwork that is not the first thing since a person wrote.
    fn route(&self, run: &RunFacts, facts: &Facts) -> Option<&Route> {
        let configured = facts.config.heartbeat_to(&run.agent).decided().is_some();
        let by_route = facts.profile.dials.proactive_to == ProactiveTo::LastRoute && !configured;
        let route = self.routes.last.get(&run.key)?;
        (by_route && run.role == Role::Internal && route.moved_on).then_some(route)
    }

    fn owe(&mut self, id: &RunId, facts: &Facts) {
        let run = facts.runs.get(id);
        if let Some(route) = run.and_then(|run| self.route(run, facts)) {
            let due = ((facts.index(), facts.now()), route.at.clone());
            self.due.insert(id.clone(), due);
        }
    }

    fn judge(&mut self, deliver: &Deliver, facts: &Facts, sink: &mut Sink) {
        let Some((id, run)) = speaker(facts) else {
            return;
        };
        let Some(route) = self.route(run, facts) else {
            return;
        };
        let (to, at, key) = (&deliver.to, &route.at, &run.key);
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
    routes: Routes,
    /// Words of the clockwork's turns that went nowhere so far.
    silent: u64,
}

impl Checker for Proactive {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::StartRun(start)) => self.routes.follow(start, facts),
            What::Stimulus(Stimulus::RunEnded(ended)) => {
                let run = facts.runs.get(&ended.run);
                let nowhere = run.is_some_and(|run| {
                    let to = facts.config.heartbeat_to(&run.agent).decided();
                    run.role == Role::Internal && to.is_none()
                });
                self.silent += u64::from(nowhere && !entry.own.is_empty());
            }
            What::Effect(Effect::Deliver(deliver)) => self.judge(deliver, facts, sink),
            _ => (),
        }
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        if facts.profile.dials.proactive_to == ProactiveTo::ConfiguredAddress {
            for _ in 0..self.silent {
                sink.witness();
            }
        }
    }
}

impl Proactive {
    fn judge(&self, deliver: &Deliver, facts: &Facts, sink: &mut Sink) {
        let Some((id, run)) = speaker(facts) else {
            return;
        };
        if run.role != Role::Internal {
            return;
        }
        let configured = facts.config.heartbeat_to(&run.agent).decided();
        let route = self.routes.last.get(&run.key).map(|route| &route.at);
        let allowed = match (configured, facts.profile.dials.proactive_to) {
            (Some(configured), _) => Some(configured),
            (None, ProactiveTo::ConfiguredAddress) => None,
            (None, ProactiveTo::LastRoute) => route,
        };
        let to = &deliver.to;
        match allowed {
            Some(allowed) if allowed == to => sink.witness(),
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
}
