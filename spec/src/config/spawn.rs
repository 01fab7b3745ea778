//! Children: how many there may be and how deep, and which agents a spawn may ask.

use serde::{Deserialize, Deserializer};

use super::Config;
use crate::id::AgentId;
use crate::time::Span;

/// `agents.defaults.subagents`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SubagentsConfig {
    /// How deep children may have children, 1 to 5.
    #[serde(deserialize_with = "depth")]
    pub max_spawn_depth: Option<u32>,
    /// How many children of one session may run at a time, 1 to 20.
    #[serde(deserialize_with = "children")]
    pub max_children_per_agent: Option<u32>,
    /// How many runs of children are at work at a time; the others wait. At least 1.
    #[serde(deserialize_with = "concurrent")]
    pub max_concurrent: Option<u32>,
    /// How long a child's run may take where the spawn does not say; 0 is no limit.
    pub run_timeout_seconds: Option<u64>,
    /// The agents that a spawn may name; `*` is every one.
    pub allow_agents: Option<Vec<AgentId>>,
    /// Whether a spawn has to name one.
    pub require_agent_id: Option<bool>,
}

/// `agents.list[].subagents`: what overrides `agents.defaults.subagents`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SpawnPolicy {
    /// The agents that a spawn may name; `*` is every one.
    pub allow_agents: Option<Vec<AgentId>>,
    /// Whether a spawn has to name one.
    pub require_agent_id: Option<bool>,
}

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
        let own = self.spawn_policy(agent);
        let own = own.and_then(|policy| policy.allow_agents.as_deref());
        own.or(self.agents.defaults.subagents.allow_agents.as_deref())
    }

    /// Whether a spawn by this agent has to name one.
    pub fn requires_agent_id(&self, agent: &AgentId) -> bool {
        let own = self.spawn_policy(agent);
        let own = own.and_then(|policy| policy.require_agent_id);
        own.or(self.agents.defaults.subagents.require_agent_id)
            .unwrap_or(false)
    }

    fn spawn_policy(&self, agent: &AgentId) -> Option<&SpawnPolicy> {
        let mut list = self.agents.list.iter();
        list.find(|entry| is_same(&entry.id, agent))
            .map(|entry| &entry.subagents)
    }

    /// How many runs of children are at work at a time.
    pub fn concurrent_children(&self) -> u32 {
        self.agents.defaults.subagents.max_concurrent.unwrap_or(8)
    }

    /// How long a run of a child may take where its spawn does not say.
    pub fn child_timeout(&self) -> Option<Span> {
        let seconds = self.agents.defaults.subagents.run_timeout_seconds;
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

fn depth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    within(deserializer, 1, 5, "levels")
}

fn children<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    within(deserializer, 1, 20, "children")
}

fn concurrent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    within(deserializer, 1, u32::MAX, "runs at a time")
}

fn within<'de, D: Deserializer<'de>>(
    deserializer: D,
    least: u32,
    most: u32,
    what: &str,
) -> Result<Option<u32>, D::Error> {
    match Option::<u32>::deserialize(deserializer)? {
        Some(number) if !(least..=most).contains(&number) => {
            let range = match most {
                u32::MAX => format!("{least} or more"),
                _ => format!("{least} to {most}"),
            };
            Err(serde::de::Error::custom(format!(
                "{number} {what} is out of range; write {range}"
            )))
        }
        number => Ok(number),
    }
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
        for depth in [0, 6] {
            refused(json!({"maxSpawnDepth": depth}), "maxSpawnDepth", "1 to 5");
        }
        for most in [0, 21] {
            let subagents = json!({"maxChildrenPerAgent": most});
            refused(subagents, "maxChildrenPerAgent", "1 to 20");
        }
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
        assert!(!config.requires_agent_id(&"MAIN".into()));
        assert!(config.requires_agent_id(&"lone".into()));
        assert_eq!(Config::default().spawns_of(&"main".into()), None);
    }
}
