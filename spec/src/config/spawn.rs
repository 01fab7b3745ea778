//! Children: how many there may be and how deep, and which agents a spawn may ask.

use serde::Deserialize;

use super::Config;
use crate::id::AgentId;
use crate::time::Span;

/// `acp`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AcpConfig {
    /// Whether there are any; unless said otherwise there are.
    pub enabled: Option<bool>,
    /// The agent of a spawn that names none; the requester's own if absent.
    pub default_agent: Option<AgentId>,
    /// The agents that may be asked; none listed means every one.
    pub allowed_agents: Vec<AgentId>,
}

impl Config {
    /// The agents that a spawn by this agent may name, where that is limited by a list.
    pub fn spawns_of(&self, agent: &AgentId) -> Option<&[AgentId]> {
        let lists = self.subagents(agent, |own| own.allow_agents.as_deref());
        lists.decided()
    }

    /// Whether a spawn by this agent has to name one.
    pub fn requires_agent_id(&self, agent: &AgentId) -> bool {
        let said = self.subagents(agent, |own| own.require_agent_id);
        said.decided().unwrap_or(false)
    }

    /// How many runs of children are at work at a time, of those that this agent asks for.
    pub fn concurrent_children(&self, agent: Option<&AgentId>) -> u32 {
        let own = agent.map(|agent| self.subagents(agent, |own| own.max_concurrent));
        let own = own.and_then(super::Layers::decided);
        own.or(self.agents.defaults.subagents.max_concurrent)
            .unwrap_or(8)
    }

    /// How long a run of a child may take that this agent asks for, where its spawn does not say.
    pub fn child_timeout(&self, agent: &AgentId) -> Option<Span> {
        let seconds = self.subagents(agent, |own| own.run_timeout_seconds);
        let seconds = seconds.decided();
        seconds.filter(|&seconds| seconds > 0).map(Span::secs)
    }

    /// Whether an agent behind a protocol may be asked.
    pub fn acp_allows(&self, agent: &AgentId) -> bool {
        let allowed = &self.acp.allowed_agents;
        allowed.is_empty() || listed(allowed, agent)
    }

    /// Whether there are agents behind a protocol.
    pub fn acp_enabled(&self) -> bool {
        self.acp.enabled.unwrap_or(true)
    }
}

/// Whether a list of agents has this one; `*` is every one.
pub fn listed(list: &[AgentId], agent: &AgentId) -> bool {
    let is_meant = |entry: &AgentId| entry.as_str() == "*" || is_same(entry, agent);
    list.iter().any(is_meant)
}

fn is_same(one: &AgentId, other: &AgentId) -> bool {
    one.as_str().trim().eq_ignore_ascii_case(other.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn refused(subagents: Value, key: &str, why: &str) {
        let config = json!({"agents": {"defaults": {"subagents": subagents}}});
        let error = Config::read(&config).unwrap_err();
        assert_eq!(error.path, format!("agents.defaults.subagents.{key}"));
        assert!(error.why.contains(why), "{error}");
    }

    #[test]
    fn limits_out_of_range_are_refused_at_their_keys() {
        refused(json!({"maxConcurrent": 0}), "maxConcurrent", "1 or more");
        refused(json!({"runTimeoutSeconds": -1}), "runTimeoutSeconds", "-1");
        let unknown = json!({"maxDepth": 1});
        refused(unknown, "maxDepth", "unknown field `maxDepth`");
        for subagents in [
            json!({"maxSpawnDepth": 1, "maxChildrenPerAgent": 1, "maxConcurrent": 1}),
            json!({"maxSpawnDepth": 5, "maxChildrenPerAgent": 20, "runTimeoutSeconds": 0}),
        ] {
            let config = json!({"agents": {"defaults": {"subagents": subagents}}});
            assert!(Config::read(&config).is_ok(), "{config}");
        }
    }

    #[test]
    fn the_list_of_an_agent_replaces_that_of_all() {
        let config = json!({"agents": {
            "defaults": {"subagents": {"allowAgents": ["coder"], "requireAgentId": true}},
            "list": [
                {"id": "main", "subagents": {"allowAgents": ["*"], "requireAgentId": false}},
                {"id": "lone", "subagents": {"allowAgents": []}},
            ],
        }});
        let config = Config::read(&config).unwrap();
        let of = |agent: &str| config.spawns_of(&agent.into()).unwrap().to_vec();
        assert_eq!(of("main"), ["*".into()]);
        assert_eq!(of("lone"), []);
        assert_eq!(of("other"), ["coder".into()]);
        assert!(!config.requires_agent_id(&"main".into()));
        assert!(config.requires_agent_id(&"lone".into()));
        assert_eq!(Config::default().spawns_of(&"main".into()), None);
    }
}
