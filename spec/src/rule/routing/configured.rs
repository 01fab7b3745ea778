//! Whose a conversation is that nobody bound.

use rustc_hash::FxHashMap;

use super::super::{Checker, Kind, Rule, Sink};
use crate::address::Address;
use crate::config::Route;
use crate::effect::{Effect, StartRun};
use crate::facts::{Facts, MessageFacts, Owner};
use crate::id::{AgentId, SessionKey};
use crate::stimulus::{Author, Stimulus};
use crate::trace::{Entry, What};

pub(super) fn rule() -> Rule {
    Rule {
        id: "routing.configured",
        text: "A message from a conversation that nobody bound goes to the agent that is configured \
               for it: by what binds it to a session of its own, which never lapses and is shared \
               with no other conversation; else by the route that speaks of it most closely; else \
               to the default agent.",
        sources: &["B-130", "B-140", "S-60", "BL-014"],
        sees: &[Kind::Open, Kind::ConfigChanged, Kind::StartRun],
        checker: Some(|| Box::<Configured>::default()),
        ..super::rule()
    }
}

/// MUST: who is configured for a conversation has it.
#[derive(Default)]
struct Configured {
    /// The entry since which the configuration is in force.
    since: usize,
    /// The conversation that each session was seen with first.
    whose: FxHashMap<SessionKey, Address>,
    /// The session of each conversation that is bound by configuration to an agent.
    homes: FxHashMap<(AgentId, Address), SessionKey>,
}

impl Checker for Configured {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::Open(_) | Stimulus::ConfigChanged(_)) => {
                self.since = facts.index();
            }
            What::Effect(Effect::StartRun(start)) if !facts.config.bindings.is_empty() => {
                if let Some((_, message)) = facts.chat_here()
                    && start.resumes.is_none()
                    && self.is_clear(message, facts)
                {
                    self.started(start, message, facts, sink);
                }
            }
            _ => (),
        }
    }
}

impl Configured {
    /// Whether a message is for whoever is configured beyond doubt: nothing was bound as it came, and
    /// nothing was configured otherwise since.
    fn is_clear(&self, message: &MessageFacts, facts: &Facts) -> bool {
        let (at, arrived) = (&message.at, message.arrived);
        let plain =
            message.author == Author::Person && (!message.is_command() || message.asks_fresh());
        // Whether what is configured for an id holds for the other one is the gateway's affair.
        if facts.moved_to(at).is_some() {
            return false;
        }
        let own = |owner: Option<Owner<'_>>| owner == Some(Owner::Own);
        let unbound = || {
            let now = facts.owner_now(at).map(|(owner, _)| owner);
            own(now) && own(facts.owner_then(at, arrived.1))
        };
        plain && self.since <= arrived.0 && message.runs.len() == 1 && unbound()
    }

    fn started(
        &mut self,
        start: &StartRun,
        message: &MessageFacts,
        facts: &Facts,
        sink: &mut Sink,
    ) {
        let at = &message.at;
        let route = facts.config.route(at, message.kind);
        let right = route.map(Route::agent).or(facts.agents.first());
        let unknown = |agent: &AgentId| !facts.agents.contains(agent);
        let Some(right) = right else { return };
        // What becomes of a route to an agent that is not there is the gateway's affair.
        if route.is_some_and(|route| !route.is_bound() && unknown(route.agent())) {
            return;
        }
        let (run, from, key) = (&start.run, &message.from, &start.session_key);
        if start.agent != *right {
            let agent = &start.agent;
            return sink.fail(
                format!("run {run} of agent {agent} has what {from} wrote in {at}"),
                match route {
                    Some(route) if route.is_bound() => {
                        format!("{at} is bound to agent {right} by the configuration")
                    }
                    Some(_) => format!("{at} is routed to agent {right} by the configuration"),
                    None => format!("nobody is configured for {at}, so agent {right} has it"),
                },
            );
        }
        let conversation = at.without_thread();
        let bound = route.is_some_and(Route::is_bound);
        let other = self.whose.get(key).filter(|other| **other != conversation);
        let theirs = other.filter(|_| bound || self.homes.values().any(|home| home == key));
        if let Some(other) = theirs {
            let seen = format!("run {run} for {at} is in session {key}, that of {other}");
            return sink.fail(
                seen,
                format!(
                    "{} is bound by the configuration, and shares its session with no other",
                    if bound { &conversation } else { other }
                ),
            );
        }
        self.whose
            .entry(key.clone())
            .or_insert_with(|| conversation.clone());
        if bound {
            let home = (right.clone(), conversation);
            let old = self.homes.entry(home).or_insert_with(|| key.clone());
            if old != key {
                let seen = format!(
                    "run {run} for {at} is in session {key}, and one before was in session {old}"
                );
                return sink.fail(
                    seen,
                    format!("{at} is bound to {old} by the configuration, and that never lapses"),
                );
            }
        }
        if route.is_some() {
            sink.witness();
        }
    }
}
