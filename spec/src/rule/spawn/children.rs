//! Children that are at work, by whoever asked for them.

use rustc_hash::FxHashMap;

use crate::facts::{CallFacts, Facts};
use crate::id::{AgentId, CallId, RunId, SessionKey};
use crate::profile::{AcpLimits, ConcurrencyOf};
use crate::stimulus::Caller;

/// The accepted spawns of each session whose runs are not over.
#[derive(Default)]
pub(super) struct Children(FxHashMap<SessionKey, Vec<CallId>>);

impl Children {
    /// Takes in a spawn that was accepted.
    pub(super) fn push(&mut self, requester: &SessionKey, id: &CallId) {
        self.0
            .entry(requester.clone())
            .or_default()
            .push(id.clone());
    }

    /// How many children of a session are at work; each question forgets those that are not.
    pub(super) fn count(
        &mut self,
        requester: &SessionKey,
        is_at_work: impl Fn(&CallFacts) -> bool,
        facts: &Facts,
    ) -> usize {
        let Some(own) = self.0.get_mut(requester) else {
            return 0;
        };
        own.retain(|id| {
            let call = facts.calls.get(id);
            call.is_some_and(|call| call.run.as_ref().is_none_or(|run| !facts.is_over(run)))
        });
        let calls = own.iter().filter_map(|id| facts.calls.get(id));
        calls.filter(|call| is_at_work(call)).count()
    }
}

/// The runs of children that are at work, by whose limit they count for.
#[derive(Default)]
pub(super) struct Working(FxHashMap<SessionKey, Vec<RunId>>);

impl Working {
    /// Whose limit a child's run counts for; none holds for some runs of runtime acp.
    pub(super) fn pool(call: &CallFacts, facts: &Facts) -> Option<SessionKey> {
        let dials = &facts.dials;
        if call.text("runtime") == Some("acp") && dials.acp_limits != AcpLimits::Held {
            return None;
        }
        match dials.concurrency_of {
            ConcurrencyOf::Requester => call.session.clone(),
            ConcurrencyOf::Gateway => Some(SessionKey::default()),
        }
    }

    /// Takes in a run that was asked for.
    pub(super) fn push(&mut self, pool: SessionKey, run: &RunId) {
        self.0.entry(pool).or_default().push(run.clone());
    }

    /// How many runs of a pool are at work, those that were told to stop counted or not.
    pub(super) fn count(&mut self, pool: &SessionKey, stopping: bool, facts: &Facts) -> usize {
        let Some(own) = self.0.get_mut(pool) else {
            return 0;
        };
        own.retain(|run| !facts.is_over(run));
        let runs = own.iter().filter_map(|run| facts.runs.get(run));
        runs.filter(|run| stopping || !run.cancelled).count()
    }
}

/// The agent that asked for a child.
pub(super) fn asker<'a>(call: &CallFacts, facts: &'a Facts) -> Option<&'a AgentId> {
    match &call.by {
        Caller::Run(run) => facts.runs.get(run).map(|run| &run.agent),
        Caller::Admin | Caller::Plugin => None,
    }
}

/// How many children whoever asks may have.
pub(super) fn most_children(call: &CallFacts, facts: &Facts) -> usize {
    let most = asker(call, facts).map(|agent| {
        let layers = facts
            .config
            .subagents(agent, |own| own.max_children_per_agent);
        layers.decided()
    });
    most.flatten().unwrap_or(facts.dials.max_children) as usize
}

/// How deep children of whoever asks may have children.
pub(super) fn deepest(call: &CallFacts, facts: &Facts) -> u32 {
    let most = asker(call, facts).map(|agent| {
        let layers = facts.config.subagents(agent, |own| own.max_spawn_depth);
        layers.decided()
    });
    most.flatten().unwrap_or(facts.dials.max_spawn_depth)
}

/// How many runs of children may be at work beside that of a spawn, it included.
pub(super) fn most_at_work(call: &CallFacts, facts: &Facts) -> usize {
    let by_requester = facts.dials.concurrency_of == ConcurrencyOf::Requester;
    let agent = asker(call, facts).filter(|_| by_requester);
    facts.config.concurrent_children(agent) as usize
}

/// Whether the limits of children and depth hold for a spawn.
pub(super) fn is_limited(call: &CallFacts, by_child: bool, facts: &Facts) -> bool {
    match facts.dials.acp_limits {
        _ if call.text("runtime") != Some("acp") => true,
        AcpLimits::Held => true,
        AcpLimits::BelowSubagents => by_child,
        AcpLimits::None => false,
    }
}
