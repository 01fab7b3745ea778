//! The agent of a child: one that is there, and may be asked.

use super::super::{Checker, Sink};
use super::asked::{Asked, words};
use super::children::asker;
use crate::config::listed;
use crate::effect::{Effect, StartRun};
use crate::facts::{CallFacts, Facts, Role};
use crate::id::{AgentId, CallId};
use crate::profile::OwnAgent;
use crate::stimulus::Stimulus;
use crate::trace::{Entry, What};

/// Looks at the agents of children.
#[derive(Default)]
pub(super) struct Agents {
    /// When the configuration changed last: what was asked for before is not judged.
    changed: usize,
}

impl Checker for Agents {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::ConfigChanged(_) | Stimulus::Open(_)) => {
                self.changed = facts.index();
            }
            What::Effect(Effect::StartRun(start)) => {
                if let Some(Role::Child(id)) = facts.run_here().map(|run| &run.role)
                    && let Some(call) = facts.calls.get(id)
                {
                    self.on_start(start, id, call, facts, sink);
                }
            }
            What::Effect(Effect::Answer(answer)) => {
                if let Some(asked) = Asked::of(&answer.call, facts)
                    && asked.call.made.0 > self.changed
                {
                    on_answer(&answer.call, asked.call, facts, sink);
                }
            }
            _ => (),
        }
    }
}

fn is_same(one: &str, other: &AgentId) -> bool {
    one.trim().eq_ignore_ascii_case(other.as_str())
}

/// The agent that is to be asked, where it is given.
fn given(call: &CallFacts) -> Option<&str> {
    call.text("agentId")
        .map(str::trim)
        .filter(|id| !id.is_empty())
}

/// Why an agent may not be asked.
fn forbids(call: &CallFacts, agent: &AgentId, facts: &Facts) -> Option<&'static str> {
    let acp = call.text("runtime") == Some("acp");
    if !facts
        .agents
        .iter()
        .any(|known| is_same(agent.as_str(), known))
    {
        return Some("there is no such agent");
    }
    if acp {
        let may = facts.config.acp_allows(agent);
        return (!may).then_some("`acp.allowedAgents` does not list it");
    }
    let own = asker(call, facts)?;
    let same = is_same(agent.as_str(), own);
    let named = given(call).is_some();
    if same && (!named || facts.dials.own_agent == OwnAgent::Always) {
        return None;
    }
    match facts.config.spawns_of(own) {
        Some(list) if listed(list, agent) => None,
        Some(_) => Some("`allowAgents` does not list it"),
        None if same => None,
        None => Some("only its own agent is allowed where none is listed"),
    }
}

impl Agents {
    fn on_start(
        &self,
        start: &StartRun,
        id: &CallId,
        call: &CallFacts,
        facts: &Facts,
        sink: &mut Sink,
    ) {
        let (run, agent) = (&start.run, &start.agent);
        if call.made.0 <= self.changed || call.life != facts.lives {
            return;
        }
        let default = match call.text("runtime") {
            Some("acp") => facts.config.acp.default_agent.as_ref(),
            _ => asker(call, facts),
        };
        let wanted = given(call).or(default.map(AgentId::as_str));
        if let Some(wanted) = wanted.filter(|wanted| !is_same(wanted, agent)) {
            sink.fail(
                format!("run {run} of spawn {id} is of agent {agent}"),
                match given(call) {
                    Some(_) => {
                        format!("spawn {id} names agent {wanted:?}: it is asked, or refused")
                    }
                    None => format!("spawn {id} names no agent, so {wanted:?} is asked"),
                },
            );
        } else if let Some(why) = forbids(call, agent, facts) {
            sink.fail(
                format!("run {run} of spawn {id} is asked of agent {agent}"),
                format!("spawn {id} is refused: {why}"),
            );
        } else {
            sink.witness();
        }
    }
}

fn on_answer(id: &CallId, call: &CallFacts, facts: &Facts, sink: &mut Sink) {
    let acp = call.text("runtime") == Some("acp");
    let own = asker(call, facts);
    let Some(named) = given(call) else {
        let needed = own.is_some_and(|own| facts.config.requires_agent_id(own)) && !acp;
        match (needed, call.is_accepted()) {
            (true, true) => sink.fail(
                format!("spawn {id} is accepted without an agent"),
                "it is refused: `requireAgentId` is set",
            ),
            (true, false) => sink.witness(),
            (false, _) => (),
        }
        return;
    };
    let agent = AgentId::from(named);
    let said = words(call);
    match forbids(call, &agent, facts) {
        Some(why) if call.is_accepted() => sink.fail(
            format!("spawn {id} of agent {named:?} is accepted"),
            format!("it is refused: {why}"),
        ),
        Some(_) => sink.witness(),
        None if !call.is_accepted() && said.contains("gentId is not allowed") => sink.fail(
            format!("spawn {id} of agent {named:?} is refused: {said}"),
            format!("agent {named:?} may be asked"),
        ),
        None => (),
    }
}
